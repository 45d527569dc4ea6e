//! Wires a job up: reader → sink → ledger, from the first commit to the last.

mod coordinator;
mod progress;
mod start;

pub use start::{export, resume};

use std::sync::Arc;

use crate::cosmos::client::CosmosClient;
use crate::state::model::Source;

/// A container that has been reached.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The connection.
    pub client: Arc<CosmosClient>,
    /// What the state file says of it.
    pub source: Source,
}
