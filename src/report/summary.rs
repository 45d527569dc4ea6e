//! How a run ended, in one line or as JSON.

use indicatif::{BinaryBytes, HumanCount};
use serde::Serialize;
use time::OffsetDateTime;

use crate::count::{count, listed};
use crate::feed::Ends;

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// `done`, `interrupted` or `incomplete`.
    pub outcome: &'static str,
    /// The database.
    pub database: String,
    /// The container.
    pub container: String,
    /// The text of the query that was read instead of the feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Whether some of the values are masked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// Documents, or rows of a query, written and committed by this run.
    pub documents: u64,
    /// Documents with a value in `_extra`, because it did not fit its column or had none.
    pub overflowed: u64,
    /// Documents without values that fit no column, with `--extra drop`.
    pub dropped: u64,
    /// Bytes of these documents.
    pub bytes: u64,
    /// Files that this run finished.
    pub files: u64,
    /// Feed ranges at the end of the run.
    pub ranges: usize,
    /// Ranges that could not be read to their end.
    pub failed_ranges: usize,
    /// Ranges that were split while they were read.
    pub splits: u64,
    /// Request units charged, including empty polls.
    pub request_units: f64,
    /// Request units that reading may use in a second, if that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ru: Option<u32>,
    /// What of the container's definition could not be read: `definition`, `throughput`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_readable: Vec<&'static str>,
    /// Whether that is because the credential does not cover it.
    #[serde(skip)]
    pub is_denied: bool,
    /// Retries of pages, not counting the SDK's own.
    pub retries: u64,
    /// Commits.
    pub commits: u64,
    /// The run. The manifest names it with each file that it finished.
    pub run: uuid::Uuid,
    /// When it began, by the clock of the machine.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How far the ranges were read, if all of them were read to their end.
    pub ends: Option<Ends>,
    /// The state file, if there is one.
    pub state: Option<String>,
    /// The manifest, if there is one.
    pub manifest: Option<String>,
}

/// How a replay ended.
#[derive(Debug, Clone, Serialize)]
pub struct ReplaySummary {
    /// `done`, `interrupted` or `incomplete`.
    pub outcome: &'static str,
    /// Whether this was a dry run, which writes nothing.
    pub dry_run: bool,
    /// The database of the target.
    pub database: String,
    /// The target.
    pub container: String,
    /// Changes that were processed, except refused ones.
    pub changes: u64,
    /// Bytes of these changes in the source.
    pub bytes: u64,
    /// Items that were created.
    pub created: u64,
    /// Items that were replaced.
    pub replaced: u64,
    /// Items that were deleted.
    pub deleted: u64,
    /// Changes whose item already was as the change would leave it.
    pub unchanged: u64,
    /// Changes that were skipped because the target's copy is newer or a flag excludes them.
    pub kept: u64,
    /// Documents for which `--transform` returns nothing.
    pub dropped: u64,
    /// Documents whose time to live had passed when they were exported, with `--ttl remaining`.
    pub expired: u64,
    /// Changes that could not be applied.
    pub refused: u64,
    /// Documents that were written without a value at the partition key of the target.
    pub keyless: u64,
    /// Changes of an item that came from another document of the source: refused, or replacing that.
    pub collisions: u64,
    /// Changes beyond those that can be compared for collisions.
    pub not_compared: u64,
    /// Request units charged.
    pub request_units: f64,
    /// Requests that were throttled.
    pub throttled: u64,
    /// Requests that were retried for another reason.
    pub retries: u64,
    /// Commits of the state.
    pub commits: u64,
    /// When it began, by the clock of the machine.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The state file, if there is one.
    pub state: Option<String>,
    /// The file of dead letters, if there is one.
    pub dead_letters: Option<String>,
}

impl Summary {
    pub(super) fn text(&self, destination: &str) -> String {
        let verb = match self.outcome {
            "done" => "exported",
            "interrupted" => "interrupted after",
            _ => "stopped after",
        };
        let what = if self.query.is_some() {
            "row"
        } else {
            "document"
        };
        let mut text = format!(
            "{verb} {} ({}) from {}/{} to {destination}",
            count(self.documents, what),
            BinaryBytes(self.bytes),
            self.database,
            self.container,
        );
        text.push_str(&format!(
            ": {}, {}, {:.0} RU",
            count(self.ranges as u64, "range"),
            count(self.files, "finished file"),
            self.request_units,
        ));
        if let Some(max_ru) = self.max_ru {
            let used = self.request_units / self.seconds.max(1.0);
            text.push_str(&format!(
                " ({used:.0} of at most {} RU/s)",
                HumanCount(max_ru.into())
            ));
        }
        if self.overflowed > 0 {
            let overflowed = HumanCount(self.overflowed);
            text.push_str(&format!(", {overflowed} with values in _extra"));
        }
        if self.dropped > 0 {
            let dropped = HumanCount(self.dropped);
            text.push_str(&format!(", {dropped} without values that fit no column"));
        }
        if self.retries > 0 {
            text.push_str(&format!(", {}", count(self.retries, "retry")));
        }
        if self.splits > 0 {
            text.push_str(&format!(", {}", count(self.splits, "split")));
        }
        text.push_str(&format!(", {:.1} s", self.seconds));
        if !self.not_readable.is_empty() {
            let names = listed(&self.not_readable);
            let why = if self.is_denied {
                "not readable with this credential"
            } else {
                "could not be read"
            };
            text.push_str(&format!(", {names} {why}"));
        }
        if self.masked {
            text.push_str(", some values masked");
        }
        if let Some(ends) = &self.ends {
            text.push_str(&format!(", {ends}"));
            if ends.newer_transactions > 0 {
                text.push_str(
                    "; documents that these rewrote may be missing from the files: `resume` reads them",
                );
            }
        }
        text
    }
}

impl ReplaySummary {
    pub(super) fn text(&self) -> String {
        let verb = match (self.dry_run, self.outcome) {
            (true, _) => "would replay",
            (false, "done") => "replayed",
            (false, "interrupted") => "interrupted after",
            _ => "stopped after",
        };
        let mut text = format!(
            "{verb} {} ({}) to {}/{}: ",
            count(self.changes, "change"),
            BinaryBytes(self.bytes),
            self.database,
            self.container,
        );
        let parts = [
            (self.created, "created"),
            (self.replaced, "replaced"),
            (self.deleted, "deleted"),
            (self.unchanged, "unchanged"),
            (self.kept, "skipped"),
            (self.dropped, "dropped by --transform"),
            (self.expired, "expired"),
            (self.refused, "refused"),
        ];
        for (number, what) in parts {
            if number > 0 {
                text.push_str(&format!("{} {what}, ", HumanCount(number)));
            }
        }
        for (number, what) in [
            (self.keyless, "without a partition key"),
            (self.collisions, "with the id and key of another document"),
            (self.not_compared, "not compared with others"),
        ] {
            if number > 0 {
                text.push_str(&format!("{} {what}, ", HumanCount(number)));
            }
        }
        text.push_str(&format!("{:.0} RU", self.request_units));
        if self.throttled > 0 {
            text.push_str(&format!(", {} throttled", HumanCount(self.throttled)));
        }
        if self.retries > 0 {
            text.push_str(&format!(", {}", count(self.retries, "retry")));
        }
        text.push_str(&format!(", {:.1} s", self.seconds));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_line() {
        let summary = Summary {
            outcome: "done",
            database: "shop".into(),
            container: "orders".into(),
            query: None,
            masked: false,
            documents: 12_345,
            overflowed: 1200,
            dropped: 0,
            bytes: 3 << 20,
            files: 1,
            ranges: 4,
            failed_ranges: 0,
            splits: 1,
            request_units: 41.6,
            max_ru: None,
            not_readable: Vec::new(),
            is_denied: false,
            retries: 0,
            commits: 2,
            run: uuid::Uuid::nil(),
            started: OffsetDateTime::UNIX_EPOCH,
            ended: OffsetDateTime::UNIX_EPOCH,
            seconds: 1.26,
            ends: None,
            state: None,
            manifest: None,
        };
        assert_eq!(
            summary.text("out/"),
            "exported 12,345 documents (3.00 MiB) from shop/orders to out/: \
             4 ranges, 1 finished file, 42 RU, 1,200 with values in _extra, 1 split, 1.3 s"
        );
    }
}
