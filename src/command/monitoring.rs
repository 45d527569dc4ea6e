//! The endpoints of a command that runs long.

use anyhow::Result;

use crate::monitor::Monitor;
use crate::report::Report;
use crate::settings::{Given, MonitorPlan};

/// Begins to answer at the address that was given, if one was.
pub(super) async fn start(given: &Given, report: &Report) -> Result<Monitor> {
    let monitor = Monitor::start(&MonitorPlan::new(given)?, given.command().name()).await?;
    if let Some(address) = monitor.address() {
        report.notice(&format!("serving metrics at http://{address}/metrics"));
    }
    Ok(monitor)
}
