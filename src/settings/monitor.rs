//! What is answered over HTTP while a command runs.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use super::given::Given;
use super::table;

/// The endpoints of a command that runs long.
#[derive(Debug, Clone, Copy)]
pub struct MonitorPlan {
    /// Where to listen, if anywhere.
    pub listen: Option<SocketAddr>,
    /// Whether there are metrics of each range.
    pub per_range: bool,
    /// How long the account may leave a request unanswered before the command counts as not alive.
    pub health_timeout: Duration,
}

impl MonitorPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// A usage error if a variable is wrong.
    pub fn new(given: &Given) -> Result<Self> {
        Ok(Self {
            listen: given
                .found(&table::METRICS_LISTEN)?
                .map(|found| found.value),
            per_range: given.is_on(&table::METRICS_PER_RANGE),
            health_timeout: given.get(&table::HEALTH_TIMEOUT)?,
        })
    }
}
