//! How a comparison ended, of one container or of several, in one line or as JSON.

use indicatif::HumanCount;
use serde::Serialize;
use time::OffsetDateTime;

use super::database::FailedContainer;
use crate::count::{count, exactly};

/// How a comparison ended.
#[derive(Debug, Clone, Serialize)]
pub struct CompareSummary {
    /// `same`, `different` or `changing`.
    pub outcome: &'static str,
    /// Everything written before this is in it, if the sides were followed.
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub as_of: Option<OffsetDateTime>,
    /// Everything deleted before this is in it, if that is another time.
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub deletions_as_of: Option<OffsetDateTime>,
    /// Documents that only the source has.
    pub missing: u64,
    /// Documents that only the target has.
    pub extra: u64,
    /// Documents that both have, with other contents.
    pub different: u64,
    /// Documents that differ, and were changed within the settling time.
    pub changing: u64,
    /// Whether there may be more differences than were counted and listed, if the sides were followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<bool>,
    /// The source.
    pub source: ComparedSummary,
    /// The target.
    pub target: ComparedSummary,
    /// When it began, by the clock of the machine.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The report, if there is one.
    pub report: Option<String>,
}

/// A side of a comparison.
#[derive(Debug, Clone, Serialize)]
pub struct ComparedSummary {
    /// Its name: a path, or `DATABASE/CONTAINER`.
    pub name: String,
    /// Documents that were read of it; one that came in several versions counts as often.
    pub documents: u64,
    /// Request units charged for it.
    pub request_units: f64,
}

impl CompareSummary {
    pub(super) fn text(&self) -> String {
        let mut found = Vec::new();
        for (number, what) in [
            (self.missing, "missing"),
            (self.extra, "extra"),
            (self.different, "different"),
            (self.changing, "still changing"),
        ] {
            if number > 0 {
                found.push(format!("{} {what}", HumanCount(number)));
            }
        }
        let verdict = match self.outcome {
            "same" => "same".to_owned(),
            "changing" if self.changing == 0 => "not known to be the same".to_owned(),
            "changing" => {
                let documents = exactly(self.changing, "document");
                format!("still changing: {documents}")
            }
            _ => format!("different: {}", found.join(", ")),
        };
        let units = match [self.source.request_units, self.target.request_units] {
            [source, target] if source > 0.0 && target > 0.0 => {
                format!("{source:.0} RU + {target:.0} RU")
            }
            [source, target] => format!("{:.0} RU", source + target),
        };
        format!(
            "{verdict}; {} of {} compared with {} of {}, {units}, {:.1} s",
            count(self.source.documents, "document"),
            self.source.name,
            HumanCount(self.target.documents),
            self.target.name,
            self.seconds
        )
    }
}

/// How a comparison of several containers ended.
#[derive(Debug, Clone, Serialize)]
pub struct CompareDatabaseSummary {
    /// `same`, `different`, `changing`, or `incomplete` if a container could not be compared.
    pub outcome: &'static str,
    /// The source: a path, or the name of a database.
    pub source: String,
    /// The target.
    pub target: String,
    /// The containers that both have, each with its own summary.
    pub containers: Vec<ComparedContainer>,
    /// Those that only the source has.
    pub missing_containers: Vec<String>,
    /// Those that only the target has.
    pub extra_containers: Vec<String>,
    /// Those that could not be compared.
    pub failed: Vec<FailedContainer>,
    /// When it began, by the clock of the machine.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The report, if there is one.
    pub report: Option<String>,
}

/// A container that was compared.
#[derive(Debug, Clone, Serialize)]
pub struct ComparedContainer {
    /// Its name.
    pub container: String,
    /// How that ended.
    #[serde(flatten)]
    pub summary: CompareSummary,
}

impl CompareDatabaseSummary {
    pub(super) fn text(&self) -> String {
        let of = |outcome: &str| {
            let those = self
                .containers
                .iter()
                .filter(|one| one.summary.outcome == outcome);
            those.map(|one| &*one.container).collect::<Vec<&str>>()
        };
        let names = |names: &[String]| names.join(", ");
        let mut parts = Vec::new();
        let same = of("same").len() as u64;
        if same > 0 || self.outcome == "same" {
            parts.push(format!("{} the same", exactly(same, "container")));
        }
        for (number, names, what) in [
            (
                of("different").len(),
                of("different").join(", "),
                "different",
            ),
            (
                of("changing").len(),
                of("changing").join(", "),
                "still changing",
            ),
            (
                self.missing_containers.len(),
                names(&self.missing_containers),
                "missing",
            ),
            (
                self.extra_containers.len(),
                names(&self.extra_containers),
                "extra",
            ),
            (
                self.failed.len(),
                self.failed
                    .iter()
                    .map(|one| &*one.container)
                    .collect::<Vec<&str>>()
                    .join(", "),
                "failed",
            ),
        ] {
            if number > 0 {
                parts.push(format!("{} {what} ({names})", HumanCount(number as u64)));
            }
        }
        format!(
            "{}: {}; {} compared with {}, {:.1} s",
            match self.outcome {
                "changing" => "still changing",
                other => other,
            },
            parts.join(", "),
            self.source,
            self.target,
            self.seconds
        )
    }
}
