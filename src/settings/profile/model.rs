//! What a profile is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cli::choices::AuthMethod;
use crate::cosmos::options::SecretText;
use crate::settings::endpoint::same_account;

/// The keys and tables of the configuration file.
pub(super) const DEFAULT_PROFILE: &str = "default-profile";
pub(super) const PROFILES: &str = "profiles";
pub(super) const OPTIONS: &str = "options";

/// A profile. Keys that it leaves out are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The account.
    pub endpoint: Option<ProfileEndpoint>,
    /// Name of the database.
    pub database: Option<String>,
    /// Name of the container.
    pub container: Option<String>,
    /// How to authenticate.
    pub auth: Option<AuthMethod>,
    /// Where the account key comes from.
    pub key: Option<KeySource>,
    /// Defaults of flags.
    pub options: ProfileOptions,
}

/// The account of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileEndpoint {
    /// Its URL, whose path is `/`.
    pub url: url::Url,
    /// Whether it was given as `emulator`.
    pub is_emulator: bool,
}

/// Where the account key of a profile comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// From the configuration file itself.
    Text(SecretText),
    /// From a file of its own; the path is absolute, or relative to the working directory if the
    /// configuration file's is.
    File(PathBuf),
    /// From the standard output of a command: program and arguments, never empty.
    Command(Vec<String>),
}

/// Defaults of flags: each is checked by the row of its name in the table of settings, and held as text in
/// the form in which it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileOptions(BTreeMap<&'static str, String>);

impl ProfileOptions {
    /// Sets an option that has been checked.
    pub(super) fn set(&mut self, name: &'static str, text: String) {
        self.0.insert(name, text);
    }

    /// The text of an option.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All options that are set, by name.
    pub fn all(&self) -> &BTreeMap<&'static str, String> {
        &self.0
    }
}

/// The profile in effect.
#[derive(Debug, Clone, Copy)]
pub struct ChosenProfile<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// Whether a flag or a variable named it, rather than the configuration file as its default.
    pub is_named: bool,
}

impl Profile {
    /// Whether the profile is for the account at `endpoint`, or for no account in particular.
    pub(in crate::settings) fn may_serve(&self, endpoint: &url::Url) -> bool {
        self.endpoint
            .as_ref()
            .is_none_or(|own| same_account(&own.url, endpoint))
    }

    /// Whether it has anything of a credential.
    pub(in crate::settings) fn has_credential(&self) -> bool {
        self.auth.is_some() || self.key.is_some()
    }
}
