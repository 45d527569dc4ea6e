//! How to authenticate when no account key decides it.

use anyhow::Result;
use url::Url;

use super::connection_string::ConnectionString;
use super::request::{ConnectionArgs, ConnectionRequest};
use crate::cli::choices::AuthMethod;
use crate::cli::values::choice_name;
use crate::cosmos::options::{CredentialOptions, EntraIdOptions, SecretText, TokenOptions};
use crate::error::usage;
use crate::escape::shell_word;
use crate::settings::endpoint::{is_of_azure, national_cloud};
use crate::settings::environment::Environment;
use crate::settings::profile::Profile;
use crate::settings::resolved::{Origin, ResolvedValue};
use crate::settings::table::{self, CONNECTION_STRING_VARIABLE, KEY_VARIABLE};

/// The well-known key of the Cosmos DB emulator. It is public and protects nothing.
pub(super) const EMULATOR_KEY: &str =
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";
pub(super) const WAYS_TO_GIVE_A_KEY: &str = "set AZURE_COSMOS_KEY or AZURE_COSMOS_CONNECTION_STRING, or name a file that holds the key \
     with --key-file (`-` reads it from standard input)";

/// Whether flags or environment provide the credential, so that no profile has to.
pub fn credential_is_given(args: &ConnectionArgs, environment: Environment<'_>) -> bool {
    let is_set = |name: &str| environment(name).is_some_and(|value| !value.trim().is_empty());
    let needs_no_key = |method: AuthMethod| !matches!(method, AuthMethod::Auto | AuthMethod::Key);
    args.key_file.is_some()
        || args.auth.is_some_and(needs_no_key)
        || is_set(KEY_VARIABLE)
        || is_set(CONNECTION_STRING_VARIABLE)
}

/// The method to authenticate.
pub(super) struct Method {
    pub(super) auth: AuthMethod,
    origin: Origin,
}

impl Method {
    /// The flag's method. Without it, a key from a flag or the environment comes before the profile.
    pub(super) fn resolve(
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
            let origin = Origin::Flag(table::AUTH.row.name);
            return Self { auth, origin };
        }
        if args.key_file.is_some() {
            return key(Origin::Flag(table::KEY_FILE.row.name));
        }
        if env(KEY_VARIABLE).is_some() {
            return key(Origin::Variable(KEY_VARIABLE));
        }
        if from_string.is_some_and(|s| s.key.is_some()) {
            return key(Origin::Variable(CONNECTION_STRING_VARIABLE));
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

    pub(super) fn value(&self) -> ResolvedValue {
        let name = choice_name(&self.auth);
        ResolvedValue::new(table::AUTH.row.name, name, self.origin.clone())
    }
}

/// What is reported of the well-known key of the emulator.
pub(super) fn well_known_key() -> ResolvedValue {
    ResolvedValue::new(
        table::KEY.row.name,
        "the emulator's well-known key",
        Origin::Default,
    )
}

/// Refuses a key that was given for another account.
pub(super) fn no_key_contradiction(endpoint: &Url, other: Option<&ConnectionString>) -> Result<()> {
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

/// The credential when no key is given.
pub(super) fn without_key(
    method: AuthMethod,
    endpoint: &Url,
    env: Environment<'_>,
    notices: &mut Vec<String>,
) -> Result<CredentialOptions> {
    if method == AuthMethod::Key {
        return Err(usage(
            "--auth key requires an account key, but none is given",
            WAYS_TO_GIVE_A_KEY,
        ));
    }
    if endpoint.scheme() == "http" {
        // A token must not cross plain http, and only emulators serve plain http.
        notices.push(format!(
            "no account key is given; using the emulator's well-known key for {endpoint}"
        ));
        return Ok(CredentialOptions::Key(SecretText::new(EMULATOR_KEY)));
    }
    entra_id(method, env).map(CredentialOptions::EntraId)
}

/// Decides where the Entra ID token comes from by the variables that are set. Nothing is probed: a probe of
/// the metadata service takes seconds on every machine outside Azure.
pub(super) fn entra_id(method: AuthMethod, env: Environment<'_>) -> Result<EntraIdOptions> {
    let require = |name: &str, flag: &str| {
        env(name).ok_or_else(|| {
            usage(
                format!("{flag} requires {name}, which is not set"),
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

/// How a token for the account at `endpoint` is requested.
///
/// A client of the public cloud can request one scope for all accounts. In the other clouds the scope is the
/// account's own, as in the service's clients for .NET, Java and Python.
pub(super) fn token_options(
    request: &ConnectionRequest<'_>,
    endpoint: &Url,
    env: Environment<'_>,
    values: &mut Vec<ResolvedValue>,
) -> Result<TokenOptions> {
    let row = &table::TOKEN_SCOPE.row;
    let cloud = national_cloud(endpoint);
    let typed = request.args.token_scope.clone();
    let typed = typed.map(|scope| (scope, Origin::Flag(row.name)));
    let of_variable = || {
        let variable = row.variable?;
        Some((env(variable)?, Origin::Variable(variable)))
    };
    let of_profile = || {
        let profile = request.profile?.profile;
        let text = profile.options.text(row.name)?;
        Some((text.to_owned(), Origin::Profile(profile.name.clone())))
    };
    let scope = match typed.or_else(of_variable).or_else(of_profile) {
        Some((text, origin)) => {
            let scope = table::TOKEN_SCOPE.value.parse(&text).map_err(|reason| {
                usage(
                    format!("{origin} has a wrong value: {reason}"),
                    format!("give it a value that {} takes, or remove it", row.flag()),
                )
            })?;
            values.push(ResolvedValue::new(row.name, &scope, origin));
            scope
        }
        None => match (cloud, endpoint.host_str()) {
            (Some(_), Some(host)) => {
                // The name of a private endpoint is not one that tokens are for.
                let host = host.replacen(".privatelink.documents.", ".documents.", 1);
                format!("https://{host}/.default")
            }
            _ => TokenOptions::default().scope,
        },
    };
    Ok(TokenOptions {
        scope,
        // The library follows the variable only if no cloud is named.
        cloud: cloud.filter(|_| env("AZURE_AUTHORITY_HOST").is_none()),
    })
}

/// Refuses to send an Entra ID token where others could use it.
pub(super) fn ensure_safe_for_a_token(endpoint: &Url, is_named: bool) -> Result<()> {
    if endpoint.scheme() == "http" {
        return Err(usage(
            format!("an Entra ID token is not sent over plain http to {endpoint}"),
            "use https, or the account key",
        ));
    }
    if !is_named && !is_of_azure(endpoint) {
        // A state can come from anywhere, and whoever gets a token can use it.
        return Err(usage(
            format!(
                "only the state names the account {endpoint}, and an Entra ID token would be sent there"
            ),
            format!(
                "if the account is yours, confirm it with --endpoint {}",
                shell_word(&endpoint.to_string())
            ),
        ));
    }
    Ok(())
}
