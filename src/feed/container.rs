//! Which container a feed is of.

use serde::{Deserialize, Serialize};

/// Which container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerAddress {
    /// The account's endpoint, or `demo` for the embedded account, whose port differs each time.
    pub endpoint: String,
    /// The name of the database.
    pub database: String,
    /// The name of the container.
    pub container: String,
    /// The RID of the container: a container that was deleted and made anew has another.
    pub container_rid: String,
}
