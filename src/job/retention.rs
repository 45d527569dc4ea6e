//! How long the container keeps every version, and what it means that it keeps none.

use std::time::Duration;

use super::Connected;
use crate::cosmos::error::{ServiceError, Verdict};
use crate::error::{find, with_hint};
use crate::feed::{FeedMode, RangeSet};
use crate::report::Report;

/// How long the container says that it keeps every version.
fn retention_of(connected: &Connected) -> Option<Duration> {
    let definition = connected.client.definition().ok()?;
    definition.version_retention()
}

/// The retention that the changes of `ranges` are to be read within, if it is known. That of a snapshot is reported.
pub(crate) fn report(
    connected: &Connected,
    mode: FeedMode,
    ranges: &RangeSet,
    report: &Report,
) -> Option<Duration> {
    if mode != FeedMode::AllVersionsAndDeletes {
        return None;
    }
    let retention = retention_of(connected);
    if ranges.is_snapshot_open() {
        report.notice(&match retention {
            Some(kept) => format!(
                "the container keeps every version for {}; changes are read beside the snapshot",
                humantime::format_duration(kept)
            ),
            None => "the container's definition does not say how long versions are kept; continuous backups keep \
                     them for 7 or 30 days. Changes are read beside the snapshot"
                .to_owned(),
        });
    }
    retention
}

/// Adds what a refused feed of all versions means.
pub(crate) fn explain(error: anyhow::Error, mode: FeedMode) -> anyhow::Error {
    let refused = find::<ServiceError>(&error).map(|refused| (refused.status, refused.verdict));
    match (refused, mode) {
        (Some((_, Verdict::TokenRefused)), _) | (_, FeedMode::LatestVersion) => error,
        (Some((400, _)), FeedMode::AllVersionsAndDeletes) => with_hint(
            error,
            "--mode all needs an account with continuous backups, or a container with a retention for \
             all versions and deletes; --mode latest needs neither",
        ),
        _ => error,
    }
}
