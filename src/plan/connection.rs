//! Which account, which container, and how to prove who you are: flags and environment resolved
//! into a [`ConnectionPlan`].
//!
//! Nothing here uses the network. The environment and standard input are passed in, so the whole
//! resolution is a function of its arguments. No message in this module holds a secret.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use url::{Host, Url};

use crate::cli::{AuthMethod, ConnectionArgs};
use crate::error::{Annotate, usage};

/// The well-known key of the Cosmos DB emulator. It is public and protects nothing.
const EMULATOR_KEY: &str =
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";
const EMULATOR_ENDPOINT: &str = "https://localhost:8081/";

/// A key file larger than this is not a key file.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;

const WAYS_TO_GIVE_A_KEY: &str = "set AZURE_COSMOS_KEY or AZURE_COSMOS_CONNECTION_STRING, or name a file that holds the key \
     with --key-file (`-` reads it from standard input)";

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A secret: neither `Debug` nor any message shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Takes a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the code that signs with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How to prove who you are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialPlan {
    /// The account key, in base64.
    Key(SecretText),
    /// An Entra ID credential.
    EntraId(EntraIdPlan),
}

/// Where the Entra ID token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntraIdPlan {
    /// The signed-in user of the Azure CLI.
    AzureCli {
        /// Whether `--auth auto` fell back to it, so that its failure may mean that another method
        /// has to be named.
        by_default: bool,
    },
    /// The managed identity of this Azure resource.
    ManagedIdentity {
        /// The client ID of a user-assigned identity; the system-assigned one if absent.
        client_id: Option<String>,
    },
    /// The workload identity of this Kubernetes pod.
    WorkloadIdentity {
        /// Tenant of the identity.
        tenant_id: String,
        /// Client ID of the identity.
        client_id: String,
        /// File with the pod's service account token.
        token_file: PathBuf,
    },
    /// A service principal with a client secret.
    ClientSecret {
        /// Tenant of the application.
        tenant_id: String,
        /// Client ID of the application.
        client_id: String,
        /// Its secret.
        client_secret: SecretText,
    },
}

/// A resolved and validated connection.
#[derive(Debug, Clone)]
pub struct ConnectionPlan {
    /// Endpoint of the account; its path is `/`.
    pub endpoint: Url,
    /// Name of the database.
    pub database: String,
    /// Name of the container.
    pub container: String,
    /// How to prove who you are.
    pub credential: CredentialPlan,
    /// Whether a certificate that no authority signed is accepted. Only ever true for an endpoint
    /// on the loopback interface.
    pub accept_self_signed: bool,
    /// What the user should know but what stops nothing.
    pub notices: Vec<String>,
}

impl ConnectionPlan {
    /// Resolves `args` with the environment and standard input of this process.
    ///
    /// # Errors
    ///
    /// See [`ConnectionPlan::resolve`].
    pub fn from_process(args: &ConnectionArgs) -> Result<Self> {
        Self::resolve(
            args,
            &|name| std::env::var(name).ok(),
            &mut std::io::stdin().lock(),
        )
    }

    /// Resolves `args`: a flag wins over the environment.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) if something is missing, malformed or contradictory; a failure
    /// (exit code 1) if the key file cannot be read.
    pub fn resolve(
        args: &ConnectionArgs,
        environment: Environment<'_>,
        stdin: &mut dyn Read,
    ) -> Result<Self> {
        // A variable that is set to nothing counts as not set.
        let env = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        let mut notices = Vec::new();

        let from_string = env("AZURE_COSMOS_CONNECTION_STRING")
            .map(|text| ConnectionString::parse(&text))
            .transpose()?;
        let (endpoint, is_emulator) = endpoint(args, from_string.as_ref())?;
        // A connection string for another account contributes nothing: its key least of all.
        let other_account = from_string
            .as_ref()
            .filter(|s| !same_account(&s.endpoint, &endpoint));
        let from_string = from_string
            .as_ref()
            .filter(|_| other_account.is_none())
            .cloned();

        let database = name(
            "database",
            args.database.as_deref(),
            from_string.as_ref().and_then(|s| s.database.as_deref()),
        )?;
        let container = name("container", args.container.as_deref(), None)?;

        let credential = match args.auth {
            AuthMethod::Auto | AuthMethod::Key => {
                match account_key(args, &env, from_string.as_ref(), stdin, &mut notices)? {
                    Some(key) => CredentialPlan::Key(key),
                    None if is_emulator => CredentialPlan::Key(SecretText::new(EMULATOR_KEY)),
                    None => {
                        no_key_contradiction(&endpoint, other_account)?;
                        without_key(args.auth, &endpoint, &env, &mut notices)?
                    }
                }
            }
            method => CredentialPlan::EntraId(entra_id(method, &env)?),
        };
        if matches!(credential, CredentialPlan::EntraId(_)) && endpoint.scheme() == "http" {
            return Err(usage(
                format!("an Entra ID token is not sent over plain http to {endpoint}"),
                "use https, or the account key",
            ));
        }

        let asks_for_self_signed = from_string.as_ref().is_some_and(|s| s.accept_self_signed);
        if asks_for_self_signed && !is_loopback(&endpoint) {
            notices.push(format!(
                "DisableServerCertificateValidation is ignored: {endpoint} is not on the loopback interface"
            ));
        }
        Ok(Self {
            accept_self_signed: is_loopback(&endpoint)
                && endpoint.scheme() == "https"
                && (is_emulator || asks_for_self_signed),
            endpoint,
            database,
            container,
            credential,
            notices,
        })
    }
}

/// What a connection string says.
#[derive(Debug, Clone)]
struct ConnectionString {
    endpoint: Url,
    key: Option<SecretText>,
    database: Option<String>,
    accept_self_signed: bool,
}

impl ConnectionString {
    /// Parses `AccountEndpoint=…;AccountKey=…;Database=…;`, whose names are not case-sensitive.
    ///
    /// The SDK's own parser insists on a key, drops the database, and does not check the endpoint.
    fn parse(text: &str) -> Result<Self> {
        const HINT: &str = "copy it from the account's Keys page: \
            AccountEndpoint=https://NAME.documents.azure.com:443/;AccountKey=…;";
        const VARIABLE: &str = "AZURE_COSMOS_CONNECTION_STRING";
        let (mut endpoint, mut key, mut database, mut accept_self_signed) =
            (None, None, None, false);
        for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return Err(usage(
                    format!("{VARIABLE} is malformed: a part of it is not NAME=VALUE"),
                    HINT,
                ));
            };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "accountendpoint" => endpoint = Some(value),
                "accountkey" => key = Some(value).filter(|v| !v.is_empty()),
                "database" => database = Some(value).filter(|v| !v.is_empty()),
                "disableservercertificatevalidation" => {
                    accept_self_signed = value.eq_ignore_ascii_case("true");
                }
                // Other SDKs have parameters of their own.
                _ => {}
            }
        }
        let Some(endpoint) = endpoint else {
            return Err(usage(format!("{VARIABLE} has no AccountEndpoint"), HINT));
        };
        Ok(Self {
            endpoint: parse_endpoint(
                endpoint,
                "AccountEndpoint in AZURE_COSMOS_CONNECTION_STRING",
            )?
            .0,
            key: key.map(SecretText::new),
            database: database.map(str::to_owned),
            accept_self_signed,
        })
    }
}

/// The endpoint, and whether it was given as `emulator`.
fn endpoint(args: &ConnectionArgs, from_string: Option<&ConnectionString>) -> Result<(Url, bool)> {
    if let Some(text) = args.endpoint.as_deref().filter(|t| !t.trim().is_empty()) {
        return parse_endpoint(text.trim(), "the endpoint");
    }
    if let Some(string) = from_string {
        return Ok((string.endpoint.clone(), false));
    }
    Err(missing(
        "no endpoint given",
        "--endpoint https://NAME.documents.azure.com:443/",
        "AZURE_COSMOS_ENDPOINT or AZURE_COSMOS_CONNECTION_STRING",
    ))
}

/// A usage error for something that is missing; its hint names the flag, the variable and the demo.
fn missing(what: &str, flag: &str, variable: &str) -> anyhow::Error {
    let demo = if cfg!(feature = "demo") {
        "; or try --demo, which needs no account"
    } else {
        ""
    };
    usage(what, format!("use {flag}, or set {variable}{demo}"))
}

/// Parses an endpoint: a URL, a host, the name of an account, or `emulator`.
fn parse_endpoint(text: &str, what: &str) -> Result<(Url, bool)> {
    const HINT: &str = "an endpoint looks like https://NAME.documents.azure.com:443/";
    if text.eq_ignore_ascii_case("emulator") {
        let url = Url::parse(EMULATOR_ENDPOINT).context("the emulator's address")?;
        return Ok((url, true));
    }
    if text.to_ascii_lowercase().contains("accountkey=") {
        return Err(usage(
            format!("{what} is a connection string, not a URL"),
            "set AZURE_COSMOS_CONNECTION_STRING to it: what is on the command line can be read by \
             every user of this machine",
        ));
    }
    let is_account_name = text.len() >= 3
        && text != "localhost"
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let completed = if text.contains("://") {
        text.to_owned()
    } else if is_account_name {
        format!("https://{text}.documents.azure.com:443/")
    } else {
        format!("https://{text}")
    };
    // What cannot be parsed may hold a password, so it is not repeated.
    let url = Url::parse(&completed)
        .ok()
        .filter(Url::has_host)
        .ok_or_else(|| usage(format!("{what} is not a URL"), HINT))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(usage(
            format!("{what} holds a user name or a password"),
            HINT,
        ));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(usage(
            format!("{what} has something after the host; it names the account only"),
            format!("{HINT}; name the database and the container with -d and -c"),
        ));
    }
    match url.scheme() {
        "https" => Ok((url, false)),
        "http" if is_loopback(&url) => Ok((url, false)),
        "http" => Err(usage(
            format!(
                "{what} uses plain http, which is accepted for localhost, 127.0.0.1 and [::1] only: {url}"
            ),
            "use https",
        )),
        scheme => Err(usage(format!("{what} has the scheme `{scheme}`"), HINT)),
    }
}

/// Whether `url` names the loopback interface the way that the SDK recognizes it.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}

fn same_account(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// A database's or container's name: the flag (or its variable), otherwise the connection string's.
fn name(kind: &str, given: Option<&str>, fallback: Option<&str>) -> Result<String> {
    let Some(name) = given.filter(|n| !n.trim().is_empty()).or(fallback) else {
        let short = &kind[..1];
        return Err(missing(
            &format!("no {kind} given"),
            &format!("-{short}/--{kind} NAME"),
            &format!("AZURE_COSMOS_{}", kind.to_ascii_uppercase()),
        ));
    };
    // The service refuses these in names; in a path they would name something else.
    if name.contains(['/', '\\', '?', '#'])
        || name.chars().any(char::is_control)
        || name.chars().count() > 255
    {
        return Err(usage(
            format!("{name:?} cannot be the name of a {kind}"),
            "names have up to 255 characters, without / \\ ? # and control characters",
        ));
    }
    Ok(name.to_owned())
}

/// The account key, from wherever it was given.
fn account_key(
    args: &ConnectionArgs,
    env: Environment<'_>,
    from_string: Option<&ConnectionString>,
    stdin: &mut dyn Read,
    notices: &mut Vec<String>,
) -> Result<Option<SecretText>> {
    if let Some(path) = &args.key_file {
        let (text, origin) = if path.as_os_str() == "-" {
            let origin = "standard input (--key-file -)".to_owned();
            (read_key(stdin, &origin)?, origin)
        } else {
            let origin = format!("the key file `{}`", path.display());
            (read_key_file(path, &origin, notices)?, origin)
        };
        return valid_key(&text, &origin).map(Some);
    }
    let variable = env("AZURE_COSMOS_KEY")
        .map(|text| valid_key(&text, "AZURE_COSMOS_KEY"))
        .transpose()?;
    let string = from_string
        .and_then(|s| s.key.as_ref())
        .map(|key| valid_key(key.expose(), "AccountKey in AZURE_COSMOS_CONNECTION_STRING"))
        .transpose()?;
    if let (Some(a), Some(b)) = (&variable, &string)
        && a != b
    {
        return Err(usage(
            "AZURE_COSMOS_KEY and AZURE_COSMOS_CONNECTION_STRING hold different keys",
            "unset one of them",
        ));
    }
    Ok(variable.or(string))
}

fn read_key_file(path: &Path, origin: &str, notices: &mut Vec<String>) -> Result<String> {
    let mut file = fs_err::File::open(path)
        .context("cannot read the account key")
        .hint("--key-file names a file that holds the key and nothing else")?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        if mode & 0o044 != 0 {
            notices.push(format!(
                "{origin} can be read by other users (mode {mode:04o}); chmod 600 would prevent that"
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = notices;
    read_key(&mut file, origin)
}

/// Reads a key, trimmed, without trusting the source to end.
fn read_key(source: &mut dyn Read, origin: &str) -> Result<String> {
    let mut bytes = Vec::new();
    source
        .take(MAX_KEY_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read the account key from {origin}"))?;
    if bytes.len() as u64 > MAX_KEY_FILE_BYTES {
        return Err(usage(
            format!("{origin} holds more than 64 KiB, so it is not an account key"),
            "--key-file names a file that holds the key and nothing else",
        ));
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    // Some editors and shells put a byte order mark first.
    Ok(text.trim_start_matches('\u{feff}').trim().to_owned())
}

/// Checks that a key is base64, as every account key is. The key appears in no message.
fn valid_key(text: &str, origin: &str) -> Result<SecretText> {
    let text = text.trim();
    if text.to_ascii_lowercase().contains("accountkey=") {
        return Err(usage(
            format!("{origin} holds a connection string, not an account key"),
            "set AZURE_COSMOS_CONNECTION_STRING to it",
        ));
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    if decoded.is_ok_and(|bytes| !bytes.is_empty()) {
        return Ok(SecretText::new(text));
    }
    Err(usage(
        format!("{origin} does not hold an account key, which is base64 text"),
        "copy the primary or secondary key from the account's Keys page, whole, up to its last `=`",
    ))
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
) -> Result<CredentialPlan> {
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
        return Ok(CredentialPlan::Key(SecretText::new(EMULATOR_KEY)));
    }
    entra_id(method, env).map(CredentialPlan::EntraId)
}

/// Decides where the Entra ID token comes from, by what is set: nothing is probed, since a probe
/// of the metadata service costs seconds on every machine that is not in Azure.
fn entra_id(method: AuthMethod, env: Environment<'_>) -> Result<EntraIdPlan> {
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
            EntraIdPlan::ClientSecret {
                tenant_id: require("AZURE_TENANT_ID", flag)?,
                client_id: require("AZURE_CLIENT_ID", flag)?,
                client_secret: SecretText::new(require("AZURE_CLIENT_SECRET", flag)?),
            }
        }
        AuthMethod::WorkloadIdentity => {
            let flag = "--auth workload-identity";
            EntraIdPlan::WorkloadIdentity {
                tenant_id: require("AZURE_TENANT_ID", flag)?,
                client_id: require("AZURE_CLIENT_ID", flag)?,
                token_file: require("AZURE_FEDERATED_TOKEN_FILE", flag)?.into(),
            }
        }
        AuthMethod::ManagedIdentity => EntraIdPlan::ManagedIdentity {
            client_id: env("AZURE_CLIENT_ID"),
        },
        AuthMethod::Cli => EntraIdPlan::AzureCli { by_default: false },
        AuthMethod::Auto | AuthMethod::Key => EntraIdPlan::AzureCli { by_default: true },
    })
}

#[cfg(test)]
mod tests;
