//! The container of a feed.

use serde::{Deserialize, Serialize};

/// The address of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerAddress {
    /// The account's endpoint, or `demo` for the embedded account, whose port changes each time.
    pub endpoint: String,
    /// The name of the database.
    pub database: String,
    /// The name of the container.
    pub container: String,
    /// The RID of the container. A container that was deleted and created again has a different one.
    pub container_rid: String,
}
