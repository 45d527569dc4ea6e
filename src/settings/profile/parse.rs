//! Parsing of the configuration file.
//!
//! The tree is walked by hand, for two reasons: every mistake is told with its line and the nearest
//! valid key, and no message repeats a value or a line, which may be a key.

use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{KeySource, Profile, ProfileEndpoint, ProfileOptions, nearest};
use crate::cli::{AuthMethod, BUCKET_RANGE, CONCURRENCY_RANGE, PAGE_SIZE_RANGE, Priority};
use crate::cosmos::options::SecretText;
use crate::error::usage;
use crate::settings::connection::{check_name, parse_endpoint};

const TOP_KEYS: &[&str] = &["default-profile", "profiles"];
const PROFILE_KEYS: &[&str] = &[
    "endpoint",
    "database",
    "container",
    "auth",
    "key-file",
    "key-command",
    "key",
    "options",
];
const OPTION_KEYS: &[&str] = &[
    "concurrency",
    "page-size",
    "max-retries",
    "poll-interval",
    "checkpoint-interval",
    "checkpoint-bytes",
    "priority",
    "throughput-bucket",
];

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
            "texts stand in quotes, as in endpoint = \"https://NAME.documents.azure.com:443/\"",
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
            match &**key.get_ref() {
                "default-profile" => default = Some((value, self.string(key, value)?)),
                "profiles" => {
                    for (name, profile) in self.table(key, value)?.iter() {
                        profiles.push(self.profile(name, profile)?);
                    }
                }
                _ => return Err(self.unknown(key, value, "", TOP_KEYS)),
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
                    "`default-profile` names `{}`, which is none of the profiles",
                    default.escape_debug()
                ),
                nearest(default, &names).map_or_else(
                    || "add a table [profiles.NAME]".to_owned(),
                    |nearest| format!("did you mean `{nearest}`?"),
                ),
            ));
        }
        Ok((Some(default.to_owned()), profiles))
    }

    fn profile(&self, name: Key<'_>, value: Value<'_>) -> Result<Profile> {
        let table = self.table(name, value)?;
        if name.get_ref().trim().is_empty() || name.get_ref().chars().any(char::is_control) {
            return Err(self.error(
                name.span(),
                "the name of a profile is empty or has a control character",
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
            match &**key.get_ref() {
                "endpoint" => {
                    let text = self.string(key, value)?;
                    let parsed = parse_endpoint(text.trim(), "`endpoint`");
                    let (url, is_emulator) = parsed.map_err(|e| self.wrong(value.span(), e))?;
                    profile.endpoint = Some(ProfileEndpoint { url, is_emulator });
                }
                "database" => profile.database = Some(self.name("database", key, value)?),
                "container" => profile.container = Some(self.name("container", key, value)?),
                "auth" => profile.auth = Some(self.one_of::<AuthMethod>(key, value)?),
                "options" => profile.options = self.options(&profile.name, key, value)?,
                "key" | "key-file" | "key-command" => {
                    if let Some(other) = key_is_at.replace(key) {
                        return Err(self.error(
                            key.span(),
                            format!(
                                "`{}` and `{}`{within} both say where the key is",
                                other.get_ref(),
                                key.get_ref()
                            ),
                            "keep one of them",
                        ));
                    }
                    profile.key = Some(self.key(key, value)?);
                }
                _ => return Err(self.unknown(key, value, &within, PROFILE_KEYS)),
            }
        }
        Ok(profile)
    }

    fn key(&self, key: Key<'_>, value: Value<'_>) -> Result<KeySource> {
        match &**key.get_ref() {
            "key" => Ok(KeySource::Text(SecretText::new(self.string(key, value)?))),
            "key-file" => self.path(key, value).map(KeySource::File),
            _ => self.command(key, value).map(KeySource::Command),
        }
    }

    fn options(&self, profile: &str, key: Key<'_>, value: Value<'_>) -> Result<ProfileOptions> {
        let mut options = ProfileOptions::default();
        for (key, value) in self.table(key, value)?.iter() {
            match &**key.get_ref() {
                "concurrency" => {
                    options.concurrency = Some(self.integer(key, value, CONCURRENCY_RANGE)?);
                }
                "page-size" => {
                    options.page_size = Some(self.integer(key, value, PAGE_SIZE_RANGE)?)
                }
                "max-retries" => {
                    options.max_retries =
                        Some(self.integer(key, value, 0..=i64::from(u32::MAX))?);
                }
                "poll-interval" => options.poll_interval = Some(self.duration(key, value)?),
                "checkpoint-interval" => {
                    options.checkpoint_interval = Some(self.duration(key, value)?);
                }
                "checkpoint-bytes" => options.checkpoint_bytes = Some(self.bytes(key, value)?),
                "priority" => options.priority = Some(self.one_of::<Priority>(key, value)?),
                "throughput-bucket" => {
                    options.throughput_bucket = Some(self.integer(key, value, BUCKET_RANGE)?);
                }
                _ => {
                    let within = format!(" in [profiles.{profile}.options]");
                    return Err(self.unknown(key, value, &within, OPTION_KEYS));
                }
            }
        }
        Ok(options)
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
                "leave the line out, or say something",
            ));
        }
        Ok(text)
    }

    fn name(&self, kind: &str, key: Key<'_>, value: Value<'_>) -> Result<String> {
        check_name(kind, self.string(key, value)?).map_err(|e| self.wrong(value.span(), e))
    }

    /// One of the values that the flag of this name takes.
    fn one_of<T: ValueEnum>(&self, key: Key<'_>, value: Value<'_>) -> Result<T> {
        let text = self.string(key, value)?;
        T::from_str(text, false).map_err(|_| {
            let names: Vec<String> = T::value_variants()
                .iter()
                .filter_map(|one| Some(one.to_possible_value()?.get_name().to_owned()))
                .collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let nearest = nearest(text, &names).unwrap_or_default();
            self.error(
                value.span(),
                match &**key.get_ref() {
                    "auth" => "`auth` is no method that there is".to_owned(),
                    key => format!("`{key}` is none that there is"),
                },
                format!("did you mean `{nearest}`? one of: {}", names.join(", ")),
            )
        })
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
                    "`~` stands for the home directory, which is not known",
                    "set HOME, or give the whole path",
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
            return Err(self.error(value.span(), "`key-command` names no program", EXAMPLE));
        }
        Ok(words)
    }

    fn integer(&self, key: Key<'_>, value: Value<'_>, range: RangeInclusive<i64>) -> Result<u32> {
        let example = format!("{} = 500", key.get_ref());
        let Some(integer) = value.get_ref().as_integer() else {
            return Err(self.wrong_type(key, value, "a whole number", &example));
        };
        i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| range.contains(number))
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| {
                self.error(
                    value.span(),
                    format!("`{}` is out of range", key.get_ref()),
                    format!("choose from {} to {}", range.start(), range.end()),
                )
            })
    }

    fn duration(&self, key: Key<'_>, value: Value<'_>) -> Result<std::time::Duration> {
        let name = key.get_ref();
        let example = format!("{name} = \"2s\"");
        let text = value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.wrong_type(key, value, "a duration in quotes", &example))?;
        humantime::parse_duration(text).map_err(|_| {
            self.error(
                value.span(),
                format!("`{name}` is not a duration"),
                format!("for example: {example}"),
            )
        })
    }

    fn bytes(&self, key: Key<'_>, value: Value<'_>) -> Result<u64> {
        let example = format!("{} = \"64MiB\"", key.get_ref());
        let number = match value.get_ref() {
            DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .filter(|bytes| *bytes > 0),
            DeValue::String(text) => crate::settings::parse_bytes(text).ok(),
            _ => return Err(self.wrong_type(key, value, "a number of bytes", &example)),
        };
        number.ok_or_else(|| {
            self.error(
                value.span(),
                format!("`{}` is not a number of bytes", key.get_ref()),
                format!("for example: {example}"),
            )
        })
    }

    fn unknown(
        &self,
        key: Key<'_>,
        value: Value<'_>,
        within: &str,
        valid: &[&str],
    ) -> anyhow::Error {
        let name = &**key.get_ref();
        let hint = if PROFILE_KEYS.contains(&name) && !std::ptr::eq(valid, PROFILE_KEYS) {
            format!("`{name}` belongs into a table [profiles.NAME]")
        } else if OPTION_KEYS.contains(&name) {
            format!("`{name}` belongs into a table [profiles.NAME.options]")
        } else if std::ptr::eq(valid, TOP_KEYS) && value.get_ref().is_table() {
            format!(
                "the table of a profile is [profiles.NAME], as in [profiles.{}]; `profiles` and \
                 `default-profile` are valid here",
                name.escape_debug()
            )
        } else {
            let nearest = nearest(name, valid).unwrap_or_default();
            format!(
                "did you mean `{nearest}`? the valid keys here are: {}",
                valid.join(", ")
            )
        };
        self.error(
            key.span(),
            format!("unknown key `{}`{within}", name.escape_debug()),
            hint,
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
                "`{}` has to be {expected}, not {found}",
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

    /// The same for an error that says what is wrong, but not where.
    fn wrong(&self, span: Range<usize>, error: anyhow::Error) -> anyhow::Error {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        error.context(format!("`{}` is wrong in line {line}", self.path.display()))
    }
}
