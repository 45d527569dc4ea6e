//! What is known about a container that is described.

use crate::cosmos::definition::ContainerDefinition;
use crate::cosmos::offers::ThroughputSetting;

/// A container, as it is described.
#[derive(Debug, Clone)]
pub struct Described {
    /// The name of its database.
    pub database: String,
    /// Its name.
    pub container: String,
    /// Its definition.
    pub definition: ContainerDefinition,
    /// Its throughput, as far as known.
    pub throughput: ThroughputSetting,
}
