//! Who has claimed something, for people.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{clock, process};

/// A process that has claimed a state or a place, for people: nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The name of its machine or its container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its process id there.
    pub process: u32,
    /// When it began, by its clock.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

impl Holder {
    /// This process.
    pub fn this() -> Self {
        let now = clock::now();
        Self {
            host: process::host_name(),
            process: std::process::id(),
            // To the second: it is for people.
            since: now.replace_nanosecond(0).unwrap_or(now),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.process)?;
        if let Some(host) = &self.host {
            write!(f, " on {host}")?;
        }
        let since = self.since.format(&Rfc3339).unwrap_or_default();
        write!(f, ", which started at {since}")
    }
}
