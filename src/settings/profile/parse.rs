//! Parsing of the configuration file.
//!
//! The tree is walked by hand, for two reasons: every mistake is reported with its line and the nearest valid
//! key, and no message repeats a value or a line, which may be a key. The keys are the rows of the table of
//! settings that a profile can have.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Result;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::model::{
    DEFAULT_PROFILE, KeySource, OPTIONS, PROFILES, Profile, ProfileEndpoint, ProfileOptions,
};
use crate::cosmos::options::SecretText;
use crate::error::usage;
use crate::nearest::nearest;
use crate::settings::endpoint::{check_name, parse_endpoint};
use crate::settings::setting::{AccountKey, AnySetting, ProfileKey, Setting};
use crate::settings::table::{self, rows};
use crate::settings::value::Toml;

/// The part of the file that a key is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The file itself.
    Top,
    /// A profile.
    Profile,
    /// The options of a profile.
    Options,
}

impl Place {
    /// The valid keys.
    fn keys(self) -> Vec<&'static str> {
        match self {
            Self::Top => vec![DEFAULT_PROFILE, PROFILES],
            Self::Profile => account_keys()
                .map(|(name, _)| name)
                .chain([OPTIONS])
                .collect(),
            Self::Options => options().map(|setting| setting.row().name).collect(),
        }
    }
}

/// The keys of a profile itself.
fn account_keys() -> impl Iterator<Item = (&'static str, AccountKey)> {
    rows().filter_map(|setting| match setting.row().profile? {
        ProfileKey::Account(key) => Some((setting.row().name, key)),
        ProfileKey::Option => None,
    })
}

/// The options of a profile.
fn options() -> impl Iterator<Item = &'static dyn AnySetting> {
    rows().filter(|setting| setting.row().profile == Some(ProfileKey::Option))
}

type Key<'t> = &'t Spanned<toml::de::DeString<'t>>;
type Value<'t> = &'t Spanned<DeValue<'t>>;

/// The default profile and the profiles of a file.
pub(super) fn parse(
    text: &[u8],
    path: &Path,
    home: Option<&Path>,
) -> Result<(Option<String>, Vec<Profile>)> {
    // Some editors put a byte order mark first.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let valid_to = std::str::from_utf8(text).map_or_else(|e| e.valid_up_to(), str::len);
    let file = File {
        text: std::str::from_utf8(&text[..valid_to]).unwrap_or_default(),
        path,
        home,
    };
    if valid_to < text.len() {
        return Err(file.error(
            valid_to..valid_to,
            "not TOML: it is not UTF-8",
            "save the file as UTF-8",
        ));
    }
    let parsed = DeTable::parse(file.text);
    let root = parsed.map_err(|error| {
        file.error(
            error.span().unwrap_or_default(),
            format!("not TOML: {}", error.message()),
            "strings need quotes, as in endpoint = \"https://NAME.documents.azure.com:443/\"",
        )
    })?;
    file.root(root.get_ref())
}

/// A file that is being parsed.
struct File<'a> {
    text: &'a str,
    path: &'a Path,
    home: Option<&'a Path>,
}

impl File<'_> {
    fn root(&self, table: &DeTable<'_>) -> Result<(Option<String>, Vec<Profile>)> {
        let mut default = None;
        let mut profiles: Vec<Profile> = Vec::new();
        for (key, value) in table.iter() {
            let name = &**key.get_ref();
            if name == DEFAULT_PROFILE {
                default = Some((value, self.string(key, value)?));
            } else if name == PROFILES {
                for (name, profile) in self.table(key, value)?.iter() {
                    profiles.push(self.profile(name, profile)?);
                }
            } else {
                return Err(self.unknown(key, value, "", Place::Top));
            }
        }
        let Some((value, default)) = default else {
            return Ok((None, profiles));
        };
        if !profiles.iter().any(|profile| profile.name == default) {
            let names: Vec<&str> = profiles.iter().map(|p| p.name.as_str()).collect();
            return Err(self.error(
                value.span(),
                format!(
                    "`{DEFAULT_PROFILE}` names `{}`, which is not one of the profiles",
                    default.escape_debug()
                ),
                match nearest(default, &names) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None if names.is_empty() => "add a table [profiles.NAME]".to_owned(),
                    None => format!("the profiles are: {}", names.join(", ")),
                },
            ));
        }
        Ok((Some(default.to_owned()), profiles))
    }

    fn profile(&self, name: Key<'_>, value: Value<'_>) -> Result<Profile> {
        let table = self.table(name, value)?;
        if name.get_ref().trim().is_empty() || name.get_ref().chars().any(char::is_control) {
            return Err(self.error(
                name.span(),
                "the name of a profile is empty or contains a control character",
                "choose a name such as [profiles.staging]",
            ));
        }
        let mut profile = Profile {
            name: name.get_ref().clone().into_owned(),
            endpoint: None,
            database: None,
            container: None,
            auth: None,
            key: None,
            options: ProfileOptions::default(),
        };
        let within = format!(" in [profiles.{}]", profile.name);
        let mut key_is_at: Option<Key<'_>> = None;
        for (key, value) in table.iter() {
            let name = &**key.get_ref();
            if name == OPTIONS {
                profile.options = self.options(&profile.name, key, value)?;
                continue;
            }
            let Some((_, part)) = account_keys().find(|(known, _)| *known == name) else {
                return Err(self.unknown(key, value, &within, Place::Profile));
            };
            let mut take_key = |source: KeySource| {
                if let Some(other) = key_is_at.replace(key) {
                    return Err(self.error(
                        key.span(),
                        format!(
                            "`{}` and `{name}`{within} both give the account key",
                            other.get_ref()
                        ),
                        "keep one of them",
                    ));
                }
                profile.key = Some(source);
                Ok(())
            };
            match part {
                AccountKey::Endpoint => {
                    let text = self.string(key, value)?;
                    let parsed = parse_endpoint(text.trim(), "`endpoint`");
                    let (url, is_emulator) = parsed.map_err(|e| self.wrong(value.span(), e))?;
                    profile.endpoint = Some(ProfileEndpoint { url, is_emulator });
                }
                AccountKey::Database => profile.database = Some(self.name(key, value)?),
                AccountKey::Container => profile.container = Some(self.name(key, value)?),
                AccountKey::Auth => profile.auth = Some(self.parsed(&table::AUTH, key, value)?),
                AccountKey::Key => {
                    take_key(KeySource::Text(SecretText::new(self.string(key, value)?)))?;
                }
                AccountKey::KeyFile => take_key(KeySource::File(self.path(key, value)?))?,
                AccountKey::KeyCommand => take_key(KeySource::Command(self.command(key, value)?))?,
            }
        }
        Ok(profile)
    }

    fn options(&self, profile: &str, key: Key<'_>, value: Value<'_>) -> Result<ProfileOptions> {
        let mut found = ProfileOptions::default();
        for (key, value) in self.table(key, value)?.iter() {
            let name = &**key.get_ref();
            let Some(setting) = options().find(|known| known.row().name == name) else {
                let within = format!(" in [profiles.{profile}.options]");
                return Err(self.unknown(key, value, &within, Place::Options));
            };
            let text = self.text(key, value, setting.row().toml)?;
            let shown = setting
                .check(&text)
                .map_err(|reason| self.wrong_value(key, value, &reason))?;
            found.set(setting.row().name, shown);
        }
        Ok(found)
    }

    /// The value of an option as text, if it has the form that the option takes in TOML.
    fn text(&self, key: Key<'_>, value: Value<'_>, toml: Toml) -> Result<String> {
        let name = key.get_ref();
        let (expected, example) = match toml {
            Toml::Whole => ("a whole number", format!("{name} = 500")),
            Toml::Bytes => ("a number of bytes", format!("{name} = \"64MiB\"")),
            Toml::Duration => ("a duration in quotes", format!("{name} = \"2s\"")),
            Toml::Text => return self.string(key, value).map(str::to_owned),
            Toml::Switch => ("true or false", format!("{name} = true")),
        };
        match (toml, value.get_ref()) {
            (Toml::Whole | Toml::Bytes, DeValue::Integer(integer)) => {
                let digits = integer.as_str();
                let number = i128::from_str_radix(digits, integer.radix());
                Ok(number.map_or_else(|_| digits.to_owned(), |number| number.to_string()))
            }
            (Toml::Bytes | Toml::Duration, DeValue::String(text)) => Ok(text.to_string()),
            (Toml::Switch, DeValue::Boolean(switch)) => Ok(switch.to_string()),
            _ => Err(self.wrong_type(key, value, expected, &example)),
        }
    }

    /// The value of a setting that a profile has as a string.
    fn parsed<T: Clone + Send + Sync + 'static>(
        &self,
        setting: &Setting<T>,
        key: Key<'_>,
        value: Value<'_>,
    ) -> Result<T> {
        let text = self.string(key, value)?;
        let parsed = setting.value.parse(text);
        parsed.map_err(|reason| self.wrong_value(key, value, &reason))
    }

    fn table<'t>(&self, key: Key<'_>, value: Value<'t>) -> Result<&'t DeTable<'t>> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong_type(key, value, "a table", "[profiles.staging]")),
        }
    }

    fn string<'t>(&self, key: Key<'_>, value: Value<'t>) -> Result<&'t str> {
        let example = format!("{} = \"…\"", key.get_ref());
        let text = value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.wrong_type(key, value, "a string", &example))?;
        if text.trim().is_empty() {
            return Err(self.error(
                value.span(),
                format!("`{}` is empty", key.get_ref()),
                "give it a value, or remove the line",
            ));
        }
        Ok(text)
    }

    fn name(&self, key: Key<'_>, value: Value<'_>) -> Result<String> {
        check_name(key.get_ref(), self.string(key, value)?).map_err(|e| self.wrong(value.span(), e))
    }

    /// A path, relative to the configuration file's directory.
    fn path(&self, key: Key<'_>, value: Value<'_>) -> Result<PathBuf> {
        let text = self.string(key, value)?;
        let home = match text.strip_prefix('~') {
            Some("") => Some(""),
            Some(rest) => rest.strip_prefix(['/', std::path::MAIN_SEPARATOR]),
            None => None,
        };
        if let Some(rest) = home {
            let home = self.home.ok_or_else(|| {
                self.error(
                    value.span(),
                    "`~` means the home directory, which is not known",
                    "set HOME, or give the full path",
                )
            })?;
            return Ok(home.join(rest));
        }
        Ok(crate::durable::parent_of(self.path).join(text))
    }

    fn command(&self, key: Key<'_>, value: Value<'_>) -> Result<Vec<String>> {
        const EXAMPLE: &str = "key-command = [\"pass\", \"show\", \"cosmos/staging\"]";
        let wrong = || self.wrong_type(key, value, "an array of strings", EXAMPLE);
        let array = value.get_ref().as_array().ok_or_else(wrong)?;
        let words: Option<Vec<String>> = array
            .iter()
            .map(|word| word.get_ref().as_str().map(str::to_owned))
            .collect();
        let words = words.ok_or_else(wrong)?;
        if words.first().is_none_or(|program| program.is_empty()) {
            return Err(self.error(
                value.span(),
                "`key-command` does not name a program",
                EXAMPLE,
            ));
        }
        Ok(words)
    }

    fn unknown(&self, key: Key<'_>, value: Value<'_>, within: &str, place: Place) -> anyhow::Error {
        let name = &**key.get_ref();
        let valid = place.keys();
        let hint = if place != Place::Profile && Place::Profile.keys().contains(&name) {
            format!("`{name}` belongs in a table [profiles.NAME]")
        } else if Place::Options.keys().contains(&name) {
            format!("`{name}` belongs in a table [profiles.NAME.options]")
        } else if place == Place::Top && value.get_ref().is_table() {
            format!(
                "the table of a profile is [profiles.NAME], as in [profiles.{}]; `{PROFILES}` and \
                 `{DEFAULT_PROFILE}` are valid here",
                name.escape_debug()
            )
        } else {
            let guess = nearest(name, &valid)
                .map_or_else(String::new, |key| format!("did you mean `{key}`? "));
            format!("{guess}the valid keys here are: {}", valid.join(", "))
        };
        self.error(
            key.span(),
            format!("unknown key `{}`{within}", name.escape_debug()),
            hint,
        )
    }

    /// A value of the right type that is wrong. The value itself is not repeated.
    fn wrong_value(&self, key: Key<'_>, value: Value<'_>, reason: &str) -> anyhow::Error {
        self.error(
            value.span(),
            format!("`{}` has a wrong value: {reason}", key.get_ref()),
            "fix it, or remove the line to use the default",
        )
    }

    fn wrong_type(
        &self,
        key: Key<'_>,
        value: Value<'_>,
        expected: &str,
        example: &str,
    ) -> anyhow::Error {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.error(
            value.span(),
            format!(
                "`{}` must be {expected}, not {found}",
                key.get_ref().escape_debug()
            ),
            format!("for example: {example}"),
        )
    }

    /// A usage error at a place of the file.
    fn error(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> anyhow::Error {
        self.wrong(span, usage(message, hint))
    }

    /// Adds the place to an error.
    fn wrong(&self, span: Range<usize>, error: anyhow::Error) -> anyhow::Error {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        error.context(format!("`{}` is wrong in line {line}", self.path.display()))
    }
}
