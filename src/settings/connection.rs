//! Which account, which container, and how to prove who you are: flags, environment and profile
//! resolved into a [`ConnectionPlan`].
//!
//! Each value is resolved on its own: a flag wins over the environment, the environment over the
//! profile, the profile over the default. The credential is one value in this sense: a key in the
//! environment wins over the method that a profile names.
//!
//! Nothing here uses the network. The environment, the profile and standard input are passed in, so
//! the whole resolution is a function of its arguments. No message in this module holds a secret.

mod endpoint;
mod key;
mod target;
mod throughput;

use std::io::Read;

use anyhow::Result;
use clap::ValueEnum;
use url::Url;

use super::profile::{ChosenProfile, Profile};
use super::resolved::{Origin, ResolvedValue};
use crate::cli::{AuthMethod, ConnectionArgs};
use crate::cosmos::endpoint::is_loopback;
use crate::cosmos::options::{ConnectOptions, CredentialOptions, EntraIdOptions, SecretText};
use crate::error::usage;
use crate::feed::ContainerAddress;
use crate::signal::Shutdown;

use endpoint::{ConnectionString, is_of_azure};
pub(super) use endpoint::{check_name, parse_endpoint, same_account};
use key::account_key;
pub(super) use key::mode_open_to_others;
use target::{Endpoint, Name};
pub(super) use throughput::name_of as priority_name;

/// The well-known key of the Cosmos DB emulator. It is public and protects nothing.
const EMULATOR_KEY: &str =
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";
const WAYS_TO_GIVE_A_KEY: &str = "set AZURE_COSMOS_KEY or AZURE_COSMOS_CONNECTION_STRING, or name a file that holds the key \
     with --key-file (`-` reads it from standard input)";

const CONNECTION_STRING: &str = "AZURE_COSMOS_CONNECTION_STRING";

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A resolved and validated connection.
#[derive(Debug, Clone)]
pub struct ConnectionPlan {
    /// What the connection is made with.
    pub connect: ConnectOptions,
    /// What the user should know but what stops nothing.
    pub notices: Vec<String>,
    /// Where each value came from.
    pub values: Vec<ResolvedValue>,
}

/// What is known before a connection is resolved.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionRequest<'a> {
    /// What was typed.
    pub args: &'a ConnectionArgs,
    /// The profile in effect.
    pub profile: Option<ChosenProfile<'a>>,
    /// The account and container of an export that was begun before. Flags, environment and profile
    /// say how to prove who you are, and may not name others.
    pub source: Option<&'a ContainerAddress>,
    /// What ends a key command that does not end.
    pub shutdown: &'a Shutdown,
}

/// The environment of this process. What is not Unicode comes with replacement characters, so that
/// it is refused and not overlooked.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Whether flags or environment say how to prove who you are, so that no profile has to.
pub fn credential_is_given(args: &ConnectionArgs, environment: Environment<'_>) -> bool {
    let is_set = |name: &str| environment(name).is_some_and(|value| !value.trim().is_empty());
    let needs_no_key = |method: AuthMethod| !matches!(method, AuthMethod::Auto | AuthMethod::Key);
    args.key_file.is_some()
        || args.auth.is_some_and(needs_no_key)
        || is_set("AZURE_COSMOS_KEY")
        || is_set(CONNECTION_STRING)
}

impl ConnectionPlan {
    /// Resolves `request` with the environment and standard input of this process.
    ///
    /// # Errors
    ///
    /// See [`ConnectionPlan::resolve`].
    pub fn from_process(request: &ConnectionRequest<'_>) -> Result<Self> {
        Self::resolve(request, &process_environment, &mut std::io::stdin().lock())
    }

    /// A container in the account of `profile`, with its credential: flags and variables for account and
    /// key are about another account, and do not count.
    ///
    /// # Errors
    ///
    /// See [`ConnectionPlan::resolve`].
    pub fn of_profile(
        profile: Option<ChosenProfile<'_>>,
        database: &str,
        container: &str,
        environment: Environment<'_>,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let args = ConnectionArgs {
            profile: None,
            endpoint: None,
            database: Some(database.to_owned()),
            container: Some(container.to_owned()),
            auth: None,
            key_file: None,
            priority: None,
            throughput_bucket: None,
            #[cfg(feature = "demo")]
            demo: false,
        };
        let request = ConnectionRequest {
            args: &args,
            profile,
            source: None,
            shutdown,
        };
        let of_others = |name: &str| !name.starts_with("AZURE_COSMOS_");
        let environment = |name: &str| environment(name).filter(|_| of_others(name));
        Self::resolve(&request, &environment, &mut std::io::empty())
    }

    /// Resolves `request`: a flag wins over the environment, the environment over the profile.
    ///
    /// Runs the profile's key command if the key comes from there; that may take 30 seconds.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) if something is missing, malformed or contradictory; a failure
    /// (exit code 1) if the key file cannot be read or the key command fails.
    pub fn resolve(
        request: &ConnectionRequest<'_>,
        environment: Environment<'_>,
        stdin: &mut dyn Read,
    ) -> Result<Self> {
        let ConnectionRequest { args, source, .. } = *request;
        // A variable that is set to nothing counts as not set.
        let env = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        let mut notices = Vec::new();

        let from_string = env(CONNECTION_STRING)
            .map(|text| ConnectionString::parse(&text))
            .transpose()?;
        let endpoint = Endpoint::resolve(request, &env, from_string.as_ref())?;
        let (is_emulator, is_named) = (endpoint.is_emulator, endpoint.is_named);
        let mut values = vec![endpoint.value()];
        let endpoint = endpoint.url;
        // A connection string for another account contributes nothing: its key least of all.
        let other_account = from_string
            .as_ref()
            .filter(|s| !same_account(&s.endpoint, &endpoint));
        let from_string = from_string.as_ref().filter(|_| other_account.is_none());

        let database = Name::Database.resolve(request, &env, from_string)?;
        let container = Name::Container.resolve(request, &env, from_string)?;
        values.extend([database.clone(), container.clone()]);

        let profile = profile_of_account(request, &endpoint, &mut notices)?;
        let method = Method::resolve(args, &env, from_string, profile);
        values.push(method.value());
        let credential = match method.auth {
            AuthMethod::Auto | AuthMethod::Key => {
                let found = account_key(request, &env, from_string, profile, stdin, &mut notices)?;
                match found {
                    Some(found) => {
                        values.push(found.value);
                        CredentialOptions::Key(found.key)
                    }
                    None if is_emulator => {
                        values.push(well_known_key());
                        CredentialOptions::Key(SecretText::new(EMULATOR_KEY))
                    }
                    None => {
                        no_key_contradiction(&endpoint, other_account)?;
                        without_key(method.auth, &endpoint, &env, &mut notices)?
                    }
                }
            }
            named => CredentialOptions::EntraId(entra_id(named, &env)?),
        };
        if matches!(credential, CredentialOptions::EntraId(_)) && endpoint.scheme() == "http" {
            return Err(usage(
                format!("an Entra ID token is not sent over plain http to {endpoint}"),
                "use https, or the account key",
            ));
        }
        if matches!(credential, CredentialOptions::EntraId(_))
            && !is_named
            && !is_of_azure(&endpoint)
        {
            // A state may come from anywhere, and who gets a token can use it.
            return Err(usage(
                format!(
                    "nothing but the state names the account {endpoint}, and an Entra ID token would be \
                     sent there"
                ),
                format!("if it is yours, say so: --endpoint {endpoint}"),
            ));
        }
        if source.is_none() {
            notices.extend(overridden(request, &values));
        }

        let throughput = throughput::resolve(request, &mut values);

        let asks_for_self_signed = from_string.is_some_and(|s| s.accept_self_signed);
        if asks_for_self_signed && !is_loopback(&endpoint) {
            notices.push(format!(
                "DisableServerCertificateValidation is ignored: {endpoint} is not on the loopback interface"
            ));
        }
        Ok(Self {
            connect: ConnectOptions {
                accept_self_signed: is_loopback(&endpoint)
                    && endpoint.scheme() == "https"
                    && (is_emulator || asks_for_self_signed),
                endpoint,
                database: database.value,
                container: container.value,
                credential,
                throughput,
            },
            notices,
            values,
        })
    }

    /// Checks that a state of `source` is of what this is a connection to.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) that names both sides.
    pub fn ensure_is_of(&self, source: &ContainerAddress) -> Result<()> {
        let origin = |name: &str| {
            let value = self.values.iter().find(|value| value.name == name);
            value.map_or(Origin::Default, |value| value.origin.clone())
        };
        let refuse = |kind, name: &str, flag, own: &str, given: &str| {
            Err(target::contradiction(kind, flag, own, given, &origin(name)))
        };
        let (url, _) = parse_endpoint(&source.endpoint, "the state file's endpoint")?;
        if !same_account(&url, &self.connect.endpoint) {
            let (own, given) = (url.as_str(), self.connect.endpoint.as_str());
            return refuse("account", "endpoint", "--endpoint", own, given);
        }
        if source.database != self.connect.database {
            let own = check_name("database", &source.database)?;
            return refuse(
                "database",
                "database",
                "--database",
                &own,
                &self.connect.database,
            );
        }
        if source.container != self.connect.container {
            let own = check_name("container", &source.container)?;
            return refuse(
                "container",
                "container",
                "--container",
                &own,
                &self.connect.container,
            );
        }
        Ok(())
    }

    /// The name of the container alone, without a look at what the rest would take: no key is
    /// read and no command is run.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) if it is missing or malformed.
    pub fn container_of(
        request: &ConnectionRequest<'_>,
        environment: Environment<'_>,
    ) -> Result<String> {
        let env = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        Ok(Name::Container.resolve(request, &env, None)?.value)
    }
}

/// The method to prove who you are.
struct Method {
    auth: AuthMethod,
    origin: Origin,
}

impl Method {
    /// The flag's method. Without one, a key that a flag or the environment gives is taken before
    /// the profile is asked.
    fn resolve(
        args: &ConnectionArgs,
        env: Environment<'_>,
        from_string: Option<&ConnectionString>,
        profile: Option<&Profile>,
    ) -> Self {
        let key = |origin| Self {
            auth: AuthMethod::Key,
            origin,
        };
        if let Some(auth) = args.auth {
            let origin = Origin::Flag("--auth");
            return Self { auth, origin };
        }
        if args.key_file.is_some() {
            return key(Origin::Flag("--key-file"));
        }
        if env("AZURE_COSMOS_KEY").is_some() {
            return key(Origin::Variable("AZURE_COSMOS_KEY"));
        }
        if from_string.is_some_and(|s| s.key.is_some()) {
            return key(Origin::Variable(CONNECTION_STRING));
        }
        match profile.and_then(|profile| Some((profile.auth?, &profile.name))) {
            Some((auth, name)) => Self {
                auth,
                origin: Origin::Profile(name.clone()),
            },
            None => Self {
                auth: AuthMethod::Auto,
                origin: Origin::Default,
            },
        }
    }

    fn value(&self) -> ResolvedValue {
        let name = self.auth.to_possible_value();
        let name = name.map_or_else(String::new, |value| value.get_name().to_owned());
        ResolvedValue::new("auth", name, self.origin.clone())
    }
}

fn well_known_key() -> ResolvedValue {
    ResolvedValue::new("key", "the emulator's well-known one", Origin::Default)
}

/// The profile whose credential may be used: one of the account that is meant. A profile for
/// another account contributes no key, as a connection string for another account does not.
fn profile_of_account<'a>(
    request: &ConnectionRequest<'a>,
    endpoint: &Url,
    notices: &mut Vec<String>,
) -> Result<Option<&'a Profile>> {
    let Some(chosen) = request.profile else {
        return Ok(None);
    };
    let profile = chosen.profile;
    let Some(own) = &profile.endpoint else {
        return Ok(Some(profile));
    };
    if profile.may_serve(endpoint) {
        return Ok(Some(profile));
    }
    if request.source.is_some() {
        return Err(usage(
            format!(
                "the export is of the account {endpoint}, but the profile `{}` is for {}",
                profile.name, own.url
            ),
            "name a profile of that account with --profile, or none",
        ));
    }
    if chosen.is_named && profile.has_credential() {
        notices.push(format!(
            "the credential of profile `{}` is for {} and is not used for {endpoint}",
            profile.name, own.url
        ));
    }
    Ok(None)
}

/// Warns of each value of a profile that was named but that a forgotten variable overrides.
fn overridden(request: &ConnectionRequest<'_>, values: &[ResolvedValue]) -> Vec<String> {
    let Some(chosen) = request.profile.filter(|chosen| chosen.is_named) else {
        return Vec::new();
    };
    let profile = chosen.profile;
    let of_profile = |name: &str| match name {
        "endpoint" => profile.endpoint.as_ref().map(|own| own.url.as_str()),
        "database" => profile.database.as_deref(),
        "container" => profile.container.as_deref(),
        // Only its presence counts.
        "auth" => profile.has_credential().then_some(""),
        _ => None,
    };
    let warning = |value: &ResolvedValue| {
        let Origin::Variable(variable) = value.origin else {
            return None;
        };
        let own = of_profile(value.name)?;
        let what = match value.name {
            "auth" => "credential",
            name => name,
        };
        (own != value.value).then(|| {
            format!(
                "{variable} overrides the {what} of profile `{}`; unset it to use the profile's",
                profile.name
            )
        })
    };
    values.iter().filter_map(warning).collect()
}

/// Refuses the one case in which a key was given, but for another account.
fn no_key_contradiction(endpoint: &Url, other: Option<&ConnectionString>) -> Result<()> {
    let Some(other) = other.filter(|s| s.key.is_some()) else {
        return Ok(());
    };
    Err(usage(
        format!(
            "the endpoint is {endpoint}, but AZURE_COSMOS_CONNECTION_STRING is for {}",
            other.endpoint
        ),
        "drop the endpoint (--endpoint, AZURE_COSMOS_ENDPOINT) or unset the connection string; or \
         give that endpoint's own key (AZURE_COSMOS_KEY, --key-file) or another --auth method",
    ))
}

/// The credential when no key was given.
fn without_key(
    method: AuthMethod,
    endpoint: &Url,
    env: Environment<'_>,
    notices: &mut Vec<String>,
) -> Result<CredentialOptions> {
    if method == AuthMethod::Key {
        return Err(usage(
            "--auth key is asked for, but no account key is given",
            WAYS_TO_GIVE_A_KEY,
        ));
    }
    if endpoint.scheme() == "http" {
        // A token must not cross plain http, and only emulators serve it.
        notices.push(format!(
            "no key is given: using the emulator's well-known key for {endpoint}"
        ));
        return Ok(CredentialOptions::Key(SecretText::new(EMULATOR_KEY)));
    }
    entra_id(method, env).map(CredentialOptions::EntraId)
}

/// Decides where the Entra ID token comes from, by what is set: nothing is probed, since a probe
/// of the metadata service costs seconds on every machine that is not in Azure.
fn entra_id(method: AuthMethod, env: Environment<'_>) -> Result<EntraIdOptions> {
    let require = |name: &str, flag: &str| {
        env(name).ok_or_else(|| {
            usage(
                format!("{flag} is asked for, but {name} is not set"),
                format!("set {name}, or choose another --auth method"),
            )
        })
    };
    let all_set = |names: &[&str]| names.iter().all(|name| env(name).is_some());
    let method = match method {
        AuthMethod::Auto
            if all_set(&["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"]) =>
        {
            AuthMethod::Environment
        }
        AuthMethod::Auto
            if all_set(&[
                "AZURE_TENANT_ID",
                "AZURE_CLIENT_ID",
                "AZURE_FEDERATED_TOKEN_FILE",
            ]) =>
        {
            AuthMethod::WorkloadIdentity
        }
        AuthMethod::Auto if all_set(&["IDENTITY_ENDPOINT"]) || all_set(&["MSI_ENDPOINT"]) => {
            AuthMethod::ManagedIdentity
        }
        method => method,
    };
    Ok(match method {
        AuthMethod::Environment => {
            let flag = "--auth environment";
            EntraIdOptions::ClientSecret {
                tenant_id: require("AZURE_TENANT_ID", flag)?,
                client_id: require("AZURE_CLIENT_ID", flag)?,
                client_secret: SecretText::new(require("AZURE_CLIENT_SECRET", flag)?),
            }
        }
        AuthMethod::WorkloadIdentity => {
            let flag = "--auth workload-identity";
            EntraIdOptions::WorkloadIdentity {
                tenant_id: require("AZURE_TENANT_ID", flag)?,
                client_id: require("AZURE_CLIENT_ID", flag)?,
                token_file: require("AZURE_FEDERATED_TOKEN_FILE", flag)?.into(),
            }
        }
        AuthMethod::ManagedIdentity => EntraIdOptions::ManagedIdentity {
            client_id: env("AZURE_CLIENT_ID"),
        },
        AuthMethod::Cli => EntraIdOptions::AzureCli { by_default: false },
        AuthMethod::Auto | AuthMethod::Key => EntraIdOptions::AzureCli { by_default: true },
    })
}

#[cfg(test)]
mod profile_tests;
#[cfg(test)]
mod tests;
