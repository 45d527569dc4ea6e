//! How the export of a whole database ended, in a few lines or as JSON.

use indicatif::{BinaryBytes, HumanCount};
use serde::Serialize;
use time::OffsetDateTime;

use super::summary::Summary;
use crate::count::{count, listed};

/// How the export of a database ended.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseSummary {
    /// `done`, `interrupted` or `incomplete`.
    pub outcome: &'static str,
    /// The database.
    pub database: String,
    /// Documents written and committed by this run.
    pub documents: u64,
    /// Bytes of these documents.
    pub bytes: u64,
    /// Files that this run finished.
    pub files: u64,
    /// Feed ranges at the end of the run.
    pub ranges: usize,
    /// Request units charged, including empty polls.
    pub request_units: f64,
    /// Request units that reading may use in a second, if that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ru: Option<u32>,
    /// The containers that were read, each with its own summary.
    pub containers: Vec<Summary>,
    /// Those that failed.
    pub failed: Vec<FailedContainer>,
    /// Those that were not begun, since the run was stopped.
    pub not_begun: Vec<String>,
    /// Those that do not exist any more: what was exported of them is kept.
    pub gone: Vec<String>,
    /// Those that were created after the run began: the next one exports them.
    pub created_meanwhile: Vec<String>,
    /// The run. The manifests name it with each file that it finished.
    pub run: uuid::Uuid,
    /// When it began, by the clock of the machine.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The file that names the containers.
    pub state: String,
}

/// A container that failed.
#[derive(Debug, Clone, Serialize)]
pub struct FailedContainer {
    /// Its name.
    pub container: String,
    /// Why.
    pub error: String,
}

impl DatabaseSummary {
    pub(super) fn text(&self, destination: &str) -> String {
        let verb = match self.outcome {
            "done" => "exported",
            "interrupted" => "interrupted after",
            _ => "stopped after",
        };
        let mut text = format!(
            "{verb} {} ({}) of {} from {} to {destination}: {}, {}, {:.0} RU",
            count(self.documents, "document"),
            BinaryBytes(self.bytes),
            count(self.containers.len() as u64, "container"),
            self.database,
            count(self.ranges as u64, "range"),
            count(self.files, "finished file"),
            self.request_units,
        );
        if let Some(max_ru) = self.max_ru {
            let used = self.request_units / self.seconds.max(1.0);
            text.push_str(&format!(
                " ({used:.0} of at most {} RU/s)",
                HumanCount(max_ru.into())
            ));
        }
        for (number, what) in [
            (self.failed.len(), "failed"),
            (self.not_begun.len(), "not begun"),
            (self.gone.len(), "gone"),
        ] {
            if number > 0 {
                text.push_str(&format!(", {} {what}", HumanCount(number as u64)));
            }
        }
        text.push_str(&format!(", {:.1} s", self.seconds));
        let mut unread: Vec<&str> = Vec::new();
        for name in self.containers.iter().flat_map(|one| &one.not_readable) {
            if !unread.contains(name) {
                unread.push(name);
            }
        }
        if !unread.is_empty() {
            let is_denied = self.containers.iter().any(|one| one.is_denied);
            let why = if is_denied {
                "not readable with this credential"
            } else {
                "could not be read"
            };
            text.push_str(&format!(", {} {why}", listed(&unread)));
        }
        text
    }
}
