//! The files in which people keep their profiles of AWS: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::error::usage;

/// What a profile says, as far as it is used.
#[derive(Debug, Default)]
pub(super) struct Profile(BTreeMap<String, String>);

/// Ways to a credential that only the tools of AWS go.
const OTHER_WAYS: [&str; 5] = [
    "credential_process",
    "login_session",
    "role_arn",
    "sso_account_id",
    "sso_session",
];

impl Profile {
    /// The profile that the environment names, else `default`. Without files it is empty.
    ///
    /// # Errors
    ///
    /// If the environment names a profile that no file has, or a file cannot be read.
    pub(super) fn of_environment() -> Result<Self> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let named = variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE"));
        let named = named.map(|name| name.to_string_lossy().into_owned());
        let file = |name: &str, own: &str| -> Option<(PathBuf, bool)> {
            let own = || Some((dirs::home_dir()?.join(".aws").join(own), false));
            let named = variable(name).map(|path| (PathBuf::from(path), true));
            named.or_else(own)
        };
        let config = file("AWS_CONFIG_FILE", "config");
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let name = named.as_deref().unwrap_or("default");
        let mut found = false;
        let mut profile = Self::default();
        for (path, is_config) in [(config, true), (credentials, false)] {
            let text = path.map(|(path, is_named)| read(&path, is_named));
            let Some(text) = text.transpose()?.flatten() else {
                continue;
            };
            if let Some(own) = section(&text, name, is_config) {
                found = true;
                profile.0.extend(own);
            }
        }
        match named {
            Some(name) if !found => Err(usage(
                format!("there is no profile `{name}` in the files of AWS"),
                "check AWS_PROFILE, or unset it",
            )),
            _ => Ok(profile),
        }
    }

    /// A value.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// How it leads to a credential, if only the tools of AWS can go that way.
    pub(super) fn other_way(&self) -> Option<&'static str> {
        let is_plain = self.get("aws_access_key_id").is_some();
        let mut ways = OTHER_WAYS.into_iter().filter(|way| self.get(way).is_some());
        ways.next().filter(|_| !is_plain)
    }
}

/// The text of a file; none if it is not there, or, unless a variable names it, if this process cannot get at it: the
/// home of a container's image is often another user's.
fn read(path: &Path, is_named: bool) -> Result<Option<String>> {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == NotFound => Ok(None),
        Err(error) if !is_named && matches!(error.kind(), NotADirectory | PermissionDenied) => {
            Ok(None)
        }
        Err(error) => Err(error).context("cannot read a file of AWS profiles"),
    }
}

/// The values of a profile. In the file `config` its section is `[profile NAME]`, except for `[default]`.
fn section(text: &str, name: &str, is_config: bool) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut is_own = false;
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let title = title.0.trim();
            let of_config = title.strip_prefix("profile ").map(str::trim);
            is_own = match is_config {
                true => of_config == Some(name) || (name == "default" && title == name),
                false => title == name,
            };
            if is_own {
                found.get_or_insert_default();
            }
        } else if is_own
            && !is_nested
            && let Some((key, value)) = line.split_once('=')
        {
            let value = value.split(" #").next().unwrap_or_default().trim();
            let own = found.get_or_insert_default();
            own.insert(key.trim().to_ascii_lowercase(), value.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_reached_counts_only_if_it_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let below = file.path().join(".aws/config");
        if cfg!(unix) {
            assert_eq!(read(&below, false).unwrap(), None);
            assert!(read(&below, true).is_err());
        }
        assert_eq!(read(file.path(), true).unwrap().as_deref(), Some(""));
    }

    #[test]
    fn a_profile_is_found_in_both_kinds_of_files() {
        let config = "# mine\n[default]\nregion = eu-west-1\n\n[profile lake]\nregion=eu-north-1 # near\ns3 =\n  \
            max_bandwidth = 1\n[profile other]\nregion = x\n";
        let lake = section(config, "lake", true).unwrap();
        assert_eq!(lake["region"], "eu-north-1");
        assert!(!lake.contains_key("max_bandwidth"));
        assert_eq!(
            section(config, "default", true).unwrap()["region"],
            "eu-west-1"
        );
        assert!(section(config, "none", true).is_none());
        let credentials = "[lake]\naws_access_key_id = AK\naws_secret_access_key = a=b\n";
        let lake = section(credentials, "lake", false).unwrap();
        assert_eq!(lake["aws_secret_access_key"], "a=b");
        assert!(section(credentials, "profile lake", false).is_none());
    }

    #[test]
    fn a_way_that_only_the_tools_of_aws_go_is_named() {
        let of = |text: &str| Profile(section(text, "default", true).unwrap());
        assert_eq!(
            of("[default]\nsso_session = x\n").other_way(),
            Some("sso_session")
        );
        let plain = "[default]\nrole_arn = x\naws_access_key_id = AK\n";
        assert_eq!(of(plain).other_way(), None);
        assert_eq!(of("[default]\nregion = x\n").other_way(), None);
    }
}
