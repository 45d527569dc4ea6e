//! The configuration file, and which of its profiles is used.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::edit::{self, NewProfile};
use super::model::{ChosenProfile, KeySource, Profile};
use super::parse;
use crate::durable::replace_configuration;
use crate::error::{Annotate, ExitCode, usage, with_hint};
use crate::feed::ContainerAddress;
use crate::nearest::instead;
use crate::settings::endpoint::{parse_endpoint, same_account};
use crate::settings::permissions::mode_open_to_others;
use crate::settings::resolved::Origin;
use crate::settings::table::CONFIG_VARIABLE;

/// A larger file is not a configuration file.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// The configuration file, or its absence.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// Where it is, or would be; `None` on a platform without a configuration directory.
    pub path: Option<PathBuf>,
    /// Whether it exists.
    pub exists: bool,
    /// The profile used when none is named; it exists.
    pub default_profile: Option<String>,
    /// The profiles, in file order.
    pub profiles: Vec<Profile>,
    /// Warnings for the user.
    pub notices: Vec<String>,
    /// The bytes that it was read from.
    text: Option<Vec<u8>>,
    /// What a `~` means.
    home: Option<PathBuf>,
}

/// A profile requested by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedProfile {
    /// The name.
    pub name: String,
    /// The flag or the variable that named it.
    pub origin: Origin,
}

impl WantedProfile {
    /// A profile of this name.
    pub(crate) fn new(name: String, origin: Origin) -> Self {
        Self { name, origin }
    }
}

impl ConfigFile {
    /// Reads the configuration file of this process's user.
    ///
    /// # Errors
    ///
    /// See [`ConfigFile::load`].
    pub fn from_process() -> Result<Self> {
        Self::of_process(true)
    }

    /// As [`ConfigFile::from_process`], for a change: the file that COSMOS_TAIL_CONFIG names need not exist.
    ///
    /// # Errors
    ///
    /// See [`ConfigFile::load`].
    pub fn for_change() -> Result<Self> {
        Self::of_process(false)
    }

    fn of_process(must_exist: bool) -> Result<Self> {
        let default = dirs::config_dir().map(|directory| directory.join("cosmos-tail/config.toml"));
        let named = std::env::var_os(CONFIG_VARIABLE).filter(|path| !path.is_empty());
        let home = dirs::home_dir();
        match named {
            Some(path) if !must_exist && !crate::durable::is_there(Path::new(&path)) => {
                Ok(Self::absent(Some(path.into())))
            }
            Some(path) => Self::load(Path::new(&path), true, home.as_deref()),
            None => match default {
                Some(path) => Self::load(&path, false, home.as_deref()),
                None => Ok(Self::absent(None)),
            },
        }
    }

    /// Reads the configuration file at `path`, which must exist only if it `is_named`. A `~` at the start
    /// of a key file's path means `home`.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) if the file cannot be read or is wrong. The message names the line and
    /// repeats no value.
    pub fn load(path: &Path, is_named: bool, home: Option<&Path>) -> Result<Self> {
        let file = match fs_err::File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => {
                return Ok(Self::absent(Some(path.to_owned())));
            }
            opened => opened,
        };
        let hint = if is_named {
            "COSMOS_TAIL_CONFIG names the configuration file; unset it to use the default one"
        } else {
            "make it readable, or name another file with COSMOS_TAIL_CONFIG"
        };
        let text = file
            .and_then(|file| read_bounded(file, MAX_CONFIG_BYTES))
            .map_err(|error| anyhow::Error::from(error).context("cannot read the profiles"))
            .hint(hint)
            .exit_code(ExitCode::Usage)?;
        let mut config = Self::parse(&text.bytes, path, home)?;
        config.home = home.map(Path::to_owned);
        let has_key = |profile: &Profile| matches!(profile.key, Some(KeySource::Text(_)));
        if let Some(mode) = text.open_to_others
            && config.profiles.iter().any(has_key)
        {
            config.notices.push(format!(
                "`{}` contains an account key and can be read by other users (mode {mode:04o}); \
                 chmod 600 would prevent that",
                path.display()
            ));
        }
        Ok(config)
    }

    /// Parses the text of a configuration file at `path`.
    ///
    /// # Errors
    ///
    /// See [`ConfigFile::load`].
    pub fn parse(text: &[u8], path: &Path, home: Option<&Path>) -> Result<Self> {
        let (default_profile, profiles) = parse::parse(text, path, home)?;
        Ok(Self {
            path: Some(path.to_owned()),
            exists: true,
            default_profile,
            profiles,
            notices: Vec::new(),
            text: Some(text.to_vec()),
            home: None,
        })
    }

    fn absent(path: Option<PathBuf>) -> Self {
        Self {
            path,
            exists: false,
            default_profile: None,
            profiles: Vec::new(),
            notices: Vec::new(),
            text: None,
            home: dirs::home_dir(),
        }
    }

    /// Adds a profile to the file, or replaces it. Everything else stays as it is.
    ///
    /// # Errors
    ///
    /// If the result would not be a configuration file with the same other profiles, or cannot be written.
    /// Nothing has changed then.
    pub fn add(&self, name: &str, new: &NewProfile) -> Result<()> {
        let others = |config: &Self| {
            let others = config
                .profiles
                .iter()
                .filter(|profile| profile.name != name);
            others.cloned().collect::<Vec<_>>()
        };
        self.change(
            |text| edit::with_profile(text, name, new),
            |changed| {
                others(changed) == others(self)
                    && changed.default_profile == self.default_profile
                    && changed.profiles.iter().any(|profile| profile.name == name)
            },
        )
    }

    /// Makes a profile the default one. Everything else stays as it is.
    ///
    /// # Errors
    ///
    /// As [`ConfigFile::add`].
    pub fn set_default(&self, name: &str) -> Result<()> {
        self.change(
            |text| edit::with_default(text, name),
            |changed| {
                changed.profiles == self.profiles
                    && changed.default_profile.as_deref() == Some(name)
            },
        )
    }

    fn change(
        &self,
        edit: impl FnOnce(&str) -> Result<String>,
        is_as_meant: impl FnOnce(&Self) -> bool,
    ) -> Result<()> {
        const HINT: &str = "nothing was written: edit the file by hand, see docs/profiles.md";
        let Some(path) = &self.path else {
            return Err(usage(
                "there is no configuration directory on this system",
                "name the file with COSMOS_TAIL_CONFIG",
            ));
        };
        let what = || format!("cannot change `{}`", path.display());
        let before = self.text.as_deref();
        let text = std::str::from_utf8(before.unwrap_or_default()).with_context(what)?;
        let after = edit(text).with_context(what).hint(HINT)?;
        let changed = Self::parse(after.as_bytes(), path, self.home.as_deref())
            .with_context(what)
            .hint(HINT)?;
        if !is_as_meant(&changed) {
            return Err(with_hint(
                anyhow!("the file would mean something else"),
                HINT,
            ))
            .with_context(what);
        }
        replace_configuration(path, before, after.as_bytes()).with_context(what)
    }

    /// The wanted profile, otherwise the default one, if there is one.
    ///
    /// # Errors
    ///
    /// A usage error if there is no profile of the wanted name.
    pub fn choose(&self, wanted: Option<&WantedProfile>) -> Result<Option<ChosenProfile<'_>>> {
        let name = match (wanted, &self.default_profile) {
            (Some(wanted), _) => &wanted.name,
            (None, Some(default)) => default,
            (None, None) => return Ok(None),
        };
        match self.profiles.iter().find(|profile| profile.name == *name) {
            Some(profile) => Ok(Some(ChosenProfile {
                profile,
                is_named: wanted.is_some(),
            })),
            None => Err(self.no_such_profile(name, wanted)),
        }
    }

    /// The profile whose credential is used for an existing export of `source`: the wanted one, otherwise
    /// one whose endpoint is the export's account. The default one is preferred, then those that name the
    /// same database and container.
    ///
    /// # Errors
    ///
    /// A usage error if there is no profile of the wanted name, or if none is wanted and several profiles
    /// with different credentials match: no guess is made. If a credential is given elsewhere, so that it
    /// need not decide (`must_decide`), no profile is used then.
    pub fn choose_for(
        &self,
        wanted: Option<&WantedProfile>,
        source: &ContainerAddress,
        must_decide: bool,
    ) -> Result<Option<ChosenProfile<'_>>> {
        if wanted.is_some() {
            return self.choose(wanted);
        }
        let (endpoint, _) = parse_endpoint(&source.endpoint, "the state file's endpoint")?;
        let is_account = |profile: &&Profile| {
            let own = profile.endpoint.as_ref();
            own.is_some_and(|own| same_account(&own.url, &endpoint))
        };
        let mut candidates: Vec<&Profile> = self.profiles.iter().filter(is_account).collect();
        let default = self.default_profile.as_ref();
        let is_default = |profile: &&Profile| Some(&profile.name) == default;
        let is_container = |profile: &&Profile| {
            profile.database.as_ref() == Some(&source.database)
                && profile.container.as_ref() == Some(&source.container)
        };
        for preferred in [&is_default as &dyn Fn(&&Profile) -> bool, &is_container] {
            if candidates.iter().any(preferred) {
                candidates.retain(preferred);
            }
        }
        let Some((first, others)) = candidates.split_first() else {
            return Ok(None);
        };
        if let Some(other) = others
            .iter()
            .find(|other| (other.auth, &other.key) != (first.auth, &first.key))
        {
            if !must_decide {
                return Ok(None);
            }
            return Err(usage(
                format!(
                    "the profiles `{}` and `{}` are both for {endpoint}, with different credentials",
                    first.name, other.name
                ),
                "choose one with --profile",
            ));
        }
        Ok(Some(ChosenProfile {
            profile: first,
            is_named: false,
        }))
    }

    fn no_such_profile(&self, name: &str, wanted: Option<&WantedProfile>) -> anyhow::Error {
        let named_by = match wanted.map(|wanted| &wanted.origin) {
            None | Some(Origin::Argument) => String::new(),
            Some(origin) => format!(" ({origin})"),
        };
        let name = name.escape_debug();
        let path = self.path.as_ref().map_or_else(
            || "the configuration file".to_owned(),
            |path| format!("`{}`", path.display()),
        );
        if !self.exists {
            return usage(
                format!("there is no profile `{name}`{named_by}: {path} does not exist"),
                "`cosmos-tail profiles add NAME` creates it; COSMOS_TAIL_CONFIG names another file",
            );
        }
        let names: Vec<&str> = self.profiles.iter().map(|p| p.name.as_str()).collect();
        let hint = instead(&name.to_string(), "profiles", &names).unwrap_or_else(|| {
            "the file has no profiles: `cosmos-tail profiles add NAME` adds one".to_owned()
        });
        usage(
            format!("there is no profile `{name}` in {path}{named_by}"),
            hint,
        )
    }
}

/// The content of a file, and its mode if users other than its owner can read it.
struct BoundedText {
    bytes: Vec<u8>,
    open_to_others: Option<u32>,
}

fn read_bounded(file: fs_err::File, limit: u64) -> std::io::Result<BoundedText> {
    use std::io::Read;
    let open_to_others = mode_open_to_others(&file.metadata()?);
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            "it is larger than 1 MiB, so it is not a configuration file",
        ));
    }
    Ok(BoundedText {
        bytes,
        open_to_others,
    })
}
