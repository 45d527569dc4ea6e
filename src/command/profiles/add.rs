//! `profiles add`: a profile of what flags and environment give.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cosmos::options::SecretText;
use crate::durable::{create_private, is_there, parent_of, replace_configuration};
use crate::error::{ExitCode, usage};
use crate::redact::is_account_key;
use crate::report::Report;
use crate::settings::{
    ConfigFile, ConnectionArgs, Given, KeySource, ProfileParts, process_environment, table,
};

/// Adds the profile.
pub(in crate::command) fn run(given: &Given, report: &Report) -> Result<ExitCode> {
    let name = given.get(&table::NEW_PROFILE)?;
    ensure_name(&name)?;
    #[cfg(feature = "demo")]
    if given.is_on(&table::DEMO) {
        return Err(usage(
            "an embedded account ends with its process, so no profile can name it",
            "leave out --demo, and name the account with --endpoint",
        ));
    }
    let replaces = given.is_on(&table::FORCE_PROFILE);
    let config = ConfigFile::for_change()?;
    let old = config.profiles.iter().find(|profile| profile.name == name);
    let path = config.path.clone().unwrap_or_default();
    if old.is_some() && !replaces {
        return Err(usage(
            format!("there is a profile `{name}` in `{}`", path.display()),
            "--force replaces it; or choose another name",
        ));
    }
    let parts = ProfileParts::new(
        &ConnectionArgs::of(given),
        given.is_on(&table::STORE_KEY),
        &process_environment,
        &mut std::io::stdin().lock(),
    )?;
    for notice in &parts.notices {
        report.warning(notice);
    }
    let mut profile = parts.profile;
    let old_key = old.and_then(|profile| profile.key.as_ref());
    let key_file = match &parts.key {
        Some(key) => {
            let file = KeyFile::of(&path, &name, old_key)?;
            file.write(key)?;
            profile.set_key_file(&file.name);
            Some(file)
        }
        None => None,
    };
    if let Err(error) = config.add(&name, &profile) {
        if let Some(file) = key_file.filter(|file| file.is_new) {
            fs_err::remove_file(&file.path).ok();
        }
        return Err(error);
    }
    let verb = if old.is_some() { "replaced" } else { "added" };
    report.notice(&format!(
        "{verb} the profile `{name}` in `{}`",
        path.display()
    ));
    if let Some(file) = &key_file {
        report.notice(&format!("stored its key in `{}`", file.path.display()));
    }
    if config.default_profile.as_ref() != Some(&name) {
        report.notice(&format!(
            "`--profile {0}` uses it; `cosmos-tail profiles use {0}` makes it the default; `cosmos-tail profiles \
             test {0}` checks it",
            crate::escape::shell_word(&name)
        ));
    }
    Ok(ExitCode::Done)
}

/// Refuses a name that the configuration file would refuse, and a key.
fn ensure_name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().any(char::is_control) || name.chars().count() > 255 {
        return Err(usage(
            "the name of the profile is empty, too long, or contains a control character",
            "choose a name such as `staging`",
        ));
    }
    if name.starts_with('-') {
        return Err(usage(
            format!("the name `{name}` begins with `-`, so --profile would take it for a flag"),
            "choose a name such as `staging`",
        ));
    }
    if is_account_key(name) {
        return Err(usage(
            "the name of the profile is an account key",
            "set AZURE_COSMOS_KEY to it, and give a name; every user of this machine can read the command line, so \
             regenerate this key",
        ));
    }
    Ok(())
}

/// The file in which the key of a profile is stored.
struct KeyFile {
    /// Its name, relative to the configuration file.
    name: String,
    path: PathBuf,
    /// Whether the profile has no such file yet.
    is_new: bool,
}

impl KeyFile {
    /// Beside the configuration file. A file that is not the profile's own is never replaced.
    fn of(configuration: &Path, profile: &str, old: Option<&KeySource>) -> Result<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !profile.chars().all(is_plain) || profile.starts_with('.') {
            return Err(usage(
                format!("the profile `{profile}` cannot name the file of its key"),
                "--store-key takes names of letters, digits, `-`, `_` and `.`; or store the key yourself, and name \
                 the file with --key-file",
            ));
        }
        let name = format!("{profile}.key");
        let path = parent_of(configuration).join(&name);
        let is_own = matches!(old, Some(KeySource::File(own)) if *own == path);
        if is_there(&path) && !is_own {
            return Err(usage(
                format!(
                    "`{}` exists, and is not known to be the key of this profile",
                    path.display()
                ),
                "move it away, or name it with --key-file",
            ));
        }
        let is_new = !is_there(&path);
        Ok(Self { name, path, is_new })
    }

    fn write(&self, key: &SecretText) -> Result<()> {
        let what = || format!("cannot store the key in `{}`", self.path.display());
        let bytes = key.expose().as_bytes();
        if self.is_new {
            return create_private(&self.path, bytes).with_context(what);
        }
        let before = zeroize::Zeroizing::new(fs_err::read(&self.path).with_context(what)?);
        replace_configuration(&self.path, Some(&before), bytes).with_context(what)
    }
}
