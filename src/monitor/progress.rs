//! `/progress`: how far a command is, as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::board::{Board, Phase};
use super::ranges::Ranges;
use crate::clock;

/// How long ago a range may have been at the head for a cut-over to begin.
const NEAR: Duration = Duration::from_secs(10);

/// What is answered. docs/observability describes each field.
#[derive(Debug, Serialize)]
struct Progress {
    command: &'static str,
    phase: &'static str,
    ready: bool,
    documents: u64,
    bytes: u64,
    percent: Option<f64>,
    ranges: BTreeMap<&'static str, u64>,
    lag: Option<LagFields>,
    eta_seconds: Option<f64>,
    can_cut_over: bool,
    up_to_date: bool,
    oldest_answer_seconds: Option<f64>,
    pending: Option<u64>,
    commits: u64,
    #[serde(with = "time::serde::rfc3339::option")]
    last_commit: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    started: OffsetDateTime,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<VerdictFields>,
}

#[derive(Debug, Serialize)]
struct VerdictFields {
    outcome: &'static str,
    documents: BTreeMap<&'static str, u64>,
    #[serde(with = "time::serde::rfc3339::option")]
    as_of: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    deletions_as_of: Option<OffsetDateTime>,
}

#[derive(Debug, Serialize)]
struct LagFields {
    transactions: Option<u64>,
    at_most: bool,
    seconds: Option<u64>,
    unknown_ranges: u64,
}

/// The answer.
pub(super) fn json(board: &Board) -> String {
    let figures = board.lock();
    let phase = figures.phase();
    let counts = &figures.counts;
    let ranges = figures.ranges.by_doing();
    let lag = (figures.ranges.len() > 0).then(|| {
        let total = Ranges::lag(&figures.ranges.lags(clock::now().unix_timestamp()));
        LagFields {
            transactions: (total.unknown == 0).then_some(total.transactions),
            at_most: total.is_at_most,
            seconds: total.seconds,
            unknown_ranges: total.unknown,
        }
    });
    let applied = figures.applied.as_ref();
    let compared = figures.compared.as_ref();
    let changes = |applied: &super::board::Applied| applied.changes.iter().map(|(_, n)| n).sum();
    let oldest = figures
        .traffic
        .iter()
        .filter_map(|(_, traffic)| traffic.oldest_answer())
        .max();
    let progress = Progress {
        command: board.command,
        phase: phase.name(),
        ready: figures.is_ready(),
        documents: match (&figures.emulated, compared) {
            (Some(emulated), _) => emulated.changes.values().sum(),
            (None, Some(compared)) => compared.documents,
            (None, None) => applied.map_or(counts.documents, changes),
        },
        bytes: match compared {
            Some(compared) => compared.bytes,
            None => applied.map_or(counts.bytes, |applied| applied.bytes),
        },
        percent: figures.done().map(|done| rounded(done * 100.0)),
        ranges: ranges
            .into_iter()
            .map(|(doing, number)| (doing.name(), number))
            .collect(),
        lag,
        eta_seconds: figures.pace.time_left().map(seconds),
        can_cut_over: phase == Phase::Following
            && figures.ranges.are_near_head(NEAR)
            && compared.is_none_or(|compared| compared.is_same(NEAR)),
        up_to_date: figures.is_up_to_date(),
        oldest_answer_seconds: oldest.map(seconds),
        pending: applied.map(|applied| applied.pending),
        commits: figures.commits.count(),
        last_commit: figures.last_commit.map(to_milliseconds),
        started: to_milliseconds(board.started_at),
        seconds: seconds(board.started.elapsed()),
        verdict: compared.and_then(|compared| {
            Some(VerdictFields {
                outcome: compared.verdict?,
                documents: compared.documents_by_state.iter().copied().collect(),
                as_of: compared.as_of.map(to_milliseconds),
                deletions_as_of: compared.deletions_as_of.map(to_milliseconds),
            })
        }),
    };
    drop(figures);
    // It has nothing that JSON cannot hold.
    let mut text = serde_json::to_string_pretty(&progress).unwrap_or_default();
    text.push('\n');
    text
}

fn to_milliseconds(time: OffsetDateTime) -> OffsetDateTime {
    let nanoseconds = u32::from(time.millisecond()) * 1_000_000;
    time.replace_nanosecond(nanoseconds).unwrap_or(time)
}

fn seconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64())
}

/// To a tenth.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
