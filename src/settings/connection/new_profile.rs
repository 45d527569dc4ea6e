//! A new profile of what flags and environment give.

use std::io::Read;
use std::path::Path;

use anyhow::Result;
use toml_edit::Value;

use super::connection_string::ConnectionString;
use super::credential::WAYS_TO_GIVE_A_KEY;
use super::key::account_key;
use super::request::{ConnectionArgs, ConnectionRequest};
use super::target::Name;
use crate::cli::choices::AuthMethod;
use crate::cli::values::choice_name;
use crate::cosmos::options::SecretText;
use crate::error::usage;
use crate::redact::is_account_key;
use crate::settings::endpoint::{parse_endpoint, same_account};
use crate::settings::environment::Environment;
use crate::settings::profile::NewProfile;
use crate::settings::table::{self, CONNECTION_STRING_VARIABLE, ENDPOINT_VARIABLE, KEY_VARIABLE};
use crate::signal::Shutdown;

/// What a new profile consists of.
#[derive(Debug)]
pub struct ProfileParts {
    /// Its keys.
    pub profile: NewProfile,
    /// The key to store for it, if that was asked for.
    pub key: Option<SecretText>,
    /// Warnings for the user.
    pub notices: Vec<String>,
}

impl ProfileParts {
    /// Takes them from flags and `environment`; a key from `stdin` only if that was asked for.
    ///
    /// # Errors
    ///
    /// A usage error if a value is malformed, if there is none, or if there is no key to store.
    pub fn new(
        args: &ConnectionArgs,
        stores_key: bool,
        environment: Environment<'_>,
        stdin: &mut dyn Read,
    ) -> Result<Self> {
        let env = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        let from_string = env(CONNECTION_STRING_VARIABLE)
            .map(|text| ConnectionString::parse(&text))
            .transpose()?;
        let typed = args.endpoint.clone().filter(|text| !text.trim().is_empty());
        let endpoint = match typed.or_else(|| env(ENDPOINT_VARIABLE)) {
            Some(text) => Some(parse_endpoint(text.trim(), "the endpoint")?),
            None => from_string.as_ref().map(|s| (s.endpoint.clone(), false)),
        };
        let from_string = from_string.as_ref().filter(|s| {
            let endpoint = endpoint.as_ref();
            endpoint.is_none_or(|(url, _)| same_account(url, &s.endpoint))
        });
        let shutdown = Shutdown::default();
        let request = ConnectionRequest {
            args,
            profile: None,
            source: None,
            shutdown: &shutdown,
        };
        let mut profile = NewProfile::default();
        let keys = &mut profile.keys;
        if let Some((url, is_emulator)) = endpoint {
            let text = if is_emulator {
                "emulator"
            } else {
                url.as_str()
            };
            keys.push((table::ENDPOINT.row.name, text.into()));
        }
        for name in [Name::Database, Name::Container] {
            if let Some(found) = name.find(&request, &env, from_string)? {
                keys.push((found.name, found.value.into()));
            }
        }
        if let Some(auth) = args.auth {
            keys.push((table::AUTH.row.name, choice_name(&auth).into()));
        }
        profile.options = options(args);
        let mut notices = Vec::new();
        ensure_key_can_be_kept(args, stores_key)?;
        let key = if stores_key {
            let found = account_key(&request, &env, from_string, None, stdin, &mut notices)?;
            let found = found
                .ok_or_else(|| usage("--store-key is given, but no key", WAYS_TO_GIVE_A_KEY))?;
            Some(found.key)
        } else {
            if let Some(path) = &args.key_file {
                profile.set_key_file(&key_file(path, &mut notices)?);
            } else if let Some(variable) = key_variable(args, &env, from_string) {
                notices.push(format!(
                    "the key of {variable} is not stored, and the profile has none: add --store-key to store it \
                     in a file beside the configuration, or --key-file to name a file that has it"
                ));
            }
            None
        };
        if profile.is_empty() && key.is_none() {
            return Err(usage(
                "nothing is given that the profile could have",
                "name at least the account, with --endpoint https://NAME.documents.azure.com:443/",
            ));
        }
        Ok(Self {
            profile,
            key,
            notices,
        })
    }
}

/// The options of the connection that were typed.
fn options(args: &ConnectionArgs) -> Vec<(&'static str, Value)> {
    let mut options = Vec::new();
    if args.limit_to_endpoint {
        options.push((table::LIMIT_TO_ENDPOINT.row.name, true.into()));
    }
    if !args.regions.is_empty() {
        options.push((table::REGION.row.name, args.regions.join(", ").into()));
    }
    if let Some(scope) = &args.token_scope {
        options.push((table::TOKEN_SCOPE.row.name, scope.into()));
    }
    if let Some(via) = args.via {
        options.push((table::VIA.row.name, choice_name(&via).into()));
    }
    for (row, typed) in [
        (&table::SUBSCRIPTION.row, &args.subscription),
        (&table::RESOURCE_GROUP.row, &args.resource_group),
        (&table::ACCOUNT_NAME.row, &args.account_name),
    ] {
        if let Some(typed) = typed {
            options.push((row.name, typed.into()));
        }
    }
    if let Some(priority) = args.priority {
        options.push((table::PRIORITY.row.name, choice_name(&priority).into()));
    }
    if let Some(bucket) = args.throughput_bucket {
        let bucket = Value::from(i64::from(bucket));
        options.push((table::THROUGHPUT_BUCKET.row.name, bucket));
    }
    options
}

/// Refuses a key that is given in a way that a profile cannot remember.
fn ensure_key_can_be_kept(args: &ConnectionArgs, stores_key: bool) -> Result<()> {
    let is_stdin = args.key_file.as_deref() == Some(Path::new("-"));
    if is_stdin && !stores_key {
        return Err(usage(
            "`--key-file -` reads the key from standard input, which a profile cannot do later",
            "add --store-key, which stores the key in a file beside the configuration, or name a file that has it",
        ));
    }
    if stores_key && args.key_file.is_some() && !is_stdin {
        return Err(usage(
            "--store-key stores a key of the environment or of standard input, but --key-file names a file",
            "leave --store-key out: the profile names the file",
        ));
    }
    let needs_no_key = |auth| !matches!(auth, AuthMethod::Auto | AuthMethod::Key);
    if stores_key && args.auth.is_some_and(needs_no_key) {
        return Err(usage(
            "--store-key stores an account key, which the method of --auth does not use",
            "leave out one of them",
        ));
    }
    Ok(())
}

/// The path of a key file as the profile names it: a relative one would be relative to the configuration.
fn key_file(path: &Path, notices: &mut Vec<String>) -> Result<String> {
    if path.to_str().is_some_and(is_account_key) && !path.exists() {
        return Err(usage(
            "the value of --key-file is an account key, not the name of a file",
            "set AZURE_COSMOS_KEY to it and add --store-key; every user of this machine can read the command line, \
             so regenerate this key",
        ));
    }
    let absolute = std::path::absolute(path)?;
    let Some(text) = absolute.to_str() else {
        return Err(usage(
            format!("the path `{}` is not UTF-8", path.display()),
            "a profile can name only paths that are: rename the file",
        ));
    };
    if !absolute.exists() {
        notices.push(format!("the key file `{text}` does not exist yet"));
    }
    Ok(text.to_owned())
}

/// The variable that has a key, which the method of the flags would use.
fn key_variable(
    args: &ConnectionArgs,
    env: Environment<'_>,
    from_string: Option<&ConnectionString>,
) -> Option<&'static str> {
    if args
        .auth
        .is_some_and(|auth| !matches!(auth, AuthMethod::Auto | AuthMethod::Key))
    {
        return None;
    }
    if env(KEY_VARIABLE).is_some() {
        return Some(KEY_VARIABLE);
    }
    from_string.and_then(|s| s.key.as_ref().map(|_| CONNECTION_STRING_VARIABLE))
}
