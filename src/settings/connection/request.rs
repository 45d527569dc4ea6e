//! What a connection is resolved from.

use std::path::PathBuf;

use crate::cli::choices::{AuthMethod, Priority, Via};
use crate::feed::ContainerAddress;
use crate::settings::given::Given;
use crate::settings::profile::ChosenProfile;
use crate::settings::table;
use crate::signal::Shutdown;

/// The flags of the connection. Variables and the profile are looked up where a value is resolved, since
/// each value has its own rules.
#[derive(Debug, Clone, Default)]
pub struct ConnectionArgs {
    pub(crate) endpoint: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) auth: Option<AuthMethod>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) priority: Option<Priority>,
    pub(crate) throughput_bucket: Option<u32>,
    /// Whether the endpoint that is given is right, although a state names another.
    pub(crate) account_moved: bool,
    pub(crate) limit_to_endpoint: bool,
    pub(crate) regions: Vec<String>,
    pub(crate) token_scope: Option<String>,
    pub(crate) via: Option<Via>,
    pub(crate) subscription: Option<String>,
    pub(crate) resource_group: Option<String>,
    pub(crate) account_name: Option<String>,
}

impl ConnectionArgs {
    /// Takes them from the command line.
    pub fn of(given: &Given) -> Self {
        Self {
            endpoint: given.typed(&table::ENDPOINT),
            database: given.typed(&table::DATABASE),
            container: given.typed(&table::CONTAINER),
            auth: given.typed(&table::AUTH),
            key_file: given.typed(&table::KEY_FILE),
            priority: given.typed(&table::PRIORITY),
            throughput_bucket: given.typed(&table::THROUGHPUT_BUCKET),
            account_moved: given.is_on(&table::ACCOUNT_MOVED),
            limit_to_endpoint: given.typed(&table::LIMIT_TO_ENDPOINT).unwrap_or(false),
            regions: given.list(&table::REGION).concat(),
            token_scope: given.typed(&table::TOKEN_SCOPE),
            via: given.typed(&table::VIA),
            subscription: given.typed(&table::SUBSCRIPTION),
            resource_group: given.typed(&table::RESOURCE_GROUP),
            account_name: given.typed(&table::ACCOUNT_NAME),
        }
    }
}

/// What is known before a connection is resolved.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionRequest<'a> {
    /// What was typed.
    pub args: &'a ConnectionArgs,
    /// The profile in effect.
    pub profile: Option<ChosenProfile<'a>>,
    /// The account and container of an existing export. Flags, environment and profile provide the
    /// credential, and must not name another account or container.
    pub source: Option<&'a ContainerAddress>,
    /// Stops a key command that does not end.
    pub shutdown: &'a Shutdown,
}
