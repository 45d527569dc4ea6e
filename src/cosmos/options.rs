//! What a connection is made with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use url::Url;
use zeroize::Zeroizing;

/// A secret: neither `Debug` nor any message shows it, and its memory is cleared when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
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

/// Reads the account key again, where it was read at the start.
#[derive(Clone)]
pub struct KeyReader {
    read: Arc<dyn Fn() -> Result<SecretText> + Send + Sync>,
    report: Arc<KeyReport>,
}

/// Reports that the key has changed, or that it cannot be read.
type KeyReport = dyn Fn(Result<(), &anyhow::Error>) + Send + Sync;

impl KeyReader {
    /// Reads with `read`, and reports nothing.
    pub fn new(read: impl Fn() -> Result<SecretText> + Send + Sync + 'static) -> Self {
        Self {
            read: Arc::new(read),
            report: Arc::new(|_| {}),
        }
    }

    /// The same, with somebody who reports.
    #[must_use]
    pub fn reported(
        self,
        report: impl Fn(Result<(), &anyhow::Error>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            report: Arc::new(report),
            ..self
        }
    }

    /// The key, as it is now.
    pub(super) fn read(&self) -> Result<SecretText> {
        (self.read)()
    }

    /// Reports that the key has changed, or why it cannot be read.
    pub(super) fn report(&self, outcome: Result<(), &anyhow::Error>) {
        (self.report)(outcome);
    }
}

impl fmt::Debug for KeyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyReader")
    }
}

/// How to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialOptions {
    /// The account key, in base64.
    Key(SecretText),
    /// An Entra ID credential.
    EntraId(EntraIdOptions),
}

/// Where the Entra ID token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntraIdOptions {
    /// The signed-in user of the Azure CLI.
    AzureCli {
        /// Whether `--auth auto` fell back to it, so that its failure may mean that another method
        /// has to be named.
        by_default: bool,
    },
    /// The managed identity of this Azure resource.
    ManagedIdentity {
        /// The client ID of a user-assigned identity; `None` is the system-assigned one.
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

/// How the service weighs the requests of this program against those of others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThroughputControl {
    /// The throughput bucket of the container, 1 to 5; `None` draws on the whole throughput.
    pub bucket: Option<u32>,
    /// The priority; `None` is the account's default.
    pub priority: Option<RequestPriority>,
}

/// The priority of requests, in accounts with priority-based execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestPriority {
    /// Throttled last.
    High,
    /// Throttled first.
    Low,
}

/// Where the names of the database and the container come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NamesFrom {
    /// Flags, environment or profile.
    #[default]
    Settings,
    /// The state of an export.
    State,
    /// `--from-container`.
    FromContainer,
    /// `--leases`.
    Leases,
}

/// How an Entra ID token is requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOptions {
    /// The scope of the token, such as `https://cosmos.azure.com/.default`.
    pub scope: String,
    /// The cloud whose authority issues the token; `None` is the one that AZURE_AUTHORITY_HOST names,
    /// otherwise the public one.
    pub cloud: Option<NationalCloud>,
}

impl Default for TokenOptions {
    /// Of the public cloud.
    fn default() -> Self {
        Self {
            scope: "https://cosmos.azure.com/.default".to_owned(),
            cloud: None,
        }
    }
}

/// A cloud with an authority of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NationalCloud {
    /// Azure operated by 21Vianet in China.
    China,
    /// Azure Government of the United States.
    UsGovernment,
}

/// Where the control plane is, and what is known about the place of the account there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmOptions {
    /// Its address, with nothing after the host.
    pub endpoint: Url,
    /// The scope of a token for it.
    pub scope: String,
    /// The name of the account.
    pub account: String,
    /// Its subscription; one that is not known is looked up.
    pub subscription: Option<String>,
    /// Its resource group; one that is not known is looked up.
    pub resource_group: Option<String>,
}

/// Which of an account's addresses requests are sent to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    /// Only the endpoint, whatever addresses the account names.
    pub limit_to_endpoint: bool,
    /// The regions to read from, in order of preference; if there are none, in the order of the account.
    pub regions: Vec<String>,
}

/// Which account and container to connect to, and how.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Endpoint of the account; its path is `/`.
    pub endpoint: Url,
    /// Name of the database.
    pub database: String,
    /// Name of the container.
    pub container: String,
    /// Where these names come from.
    pub names_from: NamesFrom,
    /// How to authenticate.
    pub credential: CredentialOptions,
    /// What reads the account key again after it was changed; none if it is not in a file.
    pub key_reader: Option<KeyReader>,
    /// Whether a certificate that no authority signed is accepted. Only ever true for an endpoint
    /// on the loopback interface.
    pub accept_self_signed: bool,
    /// How the service weighs the requests.
    pub throughput: ThroughputControl,
    /// How a token is requested, if the credential is one of Entra ID.
    pub token: TokenOptions,
    /// Where requests are sent.
    pub routing: Routing,
    /// The control plane, if containers are created and throughput is read there.
    pub via_arm: Option<ArmOptions>,
}
