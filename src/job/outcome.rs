//! How an export ended, for people and for scripts.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::coordinator::{Coordinator, Finished, Job, Stop};
use crate::clock;
use crate::cosmos::error::{ServiceError, Verdict};
use crate::count::exactly;
use crate::destination::Kind;
use crate::error::{ExitCode, find, in_words, is_broken_pipe, with_exit_code, with_further_hint};
use crate::feed::{Ends, RangeId};
use crate::process;
use crate::report::SummaryFormat;
use crate::report::{Report, Summary};
use crate::settings::ResumeCommand;
use crate::signal::Shutdown;
use crate::state::may_be_at;
use crate::state::model::{State, Totals};

/// A job that is ready to run, and how its end is reported.
pub(super) struct Prepared<'a> {
    pub(super) job: Job<'a>,
    /// Where it writes, for people.
    pub(super) destination: String,
    /// What continues it.
    pub(super) again: Option<ResumeCommand>,
    pub(super) summary: SummaryFormat,
}

/// How a job ended.
pub(super) struct Ended {
    pub(super) summary: Summary,
    /// Why some of its ranges were not read to their end.
    pub(super) failure: Option<anyhow::Error>,
    /// The exit code of the signal that stopped it.
    pub(super) interrupted: Option<ExitCode>,
}

impl Prepared<'_> {
    /// Runs it to its end, or until it is stopped, and reports how it ended.
    pub(super) async fn run(self, report: &Report, shutdown: &Shutdown) -> Result<ExitCode> {
        let Self {
            job,
            destination,
            again,
            summary,
        } = self;
        let Some(ended) = finish(job, again.as_ref(), report, shutdown).await? else {
            return Ok(ExitCode::Done);
        };
        report.summary(&ended.summary, summary, &destination)?;
        if let Some(error) = ended.failure {
            return Err(resumable(error, again.as_ref()));
        }
        if let (Some(_), Some(again)) = (ended.interrupted, &again) {
            report.notice(&format!("to continue, run: {again}"));
        }
        Ok(ended.interrupted.unwrap_or(ExitCode::Done))
    }
}

/// Runs a job to its end, or until it is stopped. None if nobody reads its output any more.
pub(super) async fn finish(
    job: Job<'_>,
    again: Option<&ResumeCommand>,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<Option<Ended>> {
    let started = Instant::now();
    let started_at = clock::now();
    let state_path = job.ledger.state_path().map(Path::to_owned);
    let database = job.connected.source.database.clone();
    let container = job.connected.source.container.clone();
    let manifest = job.destination.manifest_place();
    let output = Arc::clone(&job.destination);
    let remote_state = again.and_then(ResumeCommand::address);
    let before = job.ledger.state().totals;
    let budget = job.connected.client.traffic().budget();
    let max_ru = budget.map(|budget| budget.per_second() as u32);
    let unread = job.unread.clone();
    let outcome = Coordinator::run(job, report, shutdown).await;
    report.end_progress();
    let Finished {
        state,
        failures,
        counts,
        stop,
    } = match outcome {
        Ok(finished) => finished,
        // A file is no pipe: what else broke is a failure.
        Err(error) if output.kind() == Kind::Stream && is_broken_pipe(&error) => return Ok(None),
        Err(error) if is_broken_pipe(&error) => return Err(resumable(in_words(&error), again)),
        Err(error) => return Err(resumable(error, again)),
    };
    if state.finished {
        let summarized = RunSummary::of(&state)
            .text()
            .and_then(|text| output.summarize(state.generation, &text));
        summarized.map_err(|error| resumable(error, again))?;
    }
    let now: &Totals = &state.totals;
    let interrupted = match stop {
        Some(Stop::Signal(code)) if !state.finished => Some(code),
        _ => None,
    };
    let summary = Summary {
        outcome: match (interrupted, failures.is_empty()) {
            (_, false) => "incomplete",
            (Some(_), true) => "interrupted",
            (None, true) => "done",
        },
        database,
        container,
        masked: state.options.masked,
        query: state.options.query.as_ref().map(|query| query.text.clone()),
        documents: now.documents.saturating_sub(before.documents),
        overflowed: now.overflowed.saturating_sub(before.overflowed),
        dropped: now.dropped.saturating_sub(before.dropped),
        bytes: now.bytes.saturating_sub(before.bytes),
        files: counts.files,
        ranges: state.ranges.changes().count(),
        failed_ranges: failures.len(),
        splits: counts.splits,
        request_units: counts.request_charge,
        max_ru,
        not_readable: unread.names,
        is_denied: unread.is_denied,
        retries: counts.retries,
        commits: counts.commits,
        run: process::run_id(),
        started: started_at,
        ended: clock::now(),
        seconds: started.elapsed().as_secs_f64(),
        ends: state.ends().filter(|_| state.finished),
        state: state_path
            .as_ref()
            .map(|path| path.display().to_string())
            .or(remote_state),
        manifest,
    };
    let failure =
        (!failures.is_empty()).then(|| failed_ranges(failures, state.ranges.len(), stop.is_none()));
    Ok(Some(Ended {
        summary,
        failure,
        interrupted,
    }))
}

/// `error`, of a job that can be resumed if it has a state on disk: even the first commit can fail. The hint
/// about the cause comes first. Where the service does not continue, a resume most likely ends the same.
pub(super) fn resumable(error: anyhow::Error, again: Option<&ResumeCommand>) -> anyhow::Error {
    let Some(again) = again.filter(|again| is_there(again)) else {
        return error;
    };
    let ended = find::<ServiceError>(&error).map(|error| error.verdict);
    let when = match ended {
        Some(Verdict::TokenRefused | Verdict::ContainerGone) => "if the service was wrong",
        _ => "once the cause is fixed",
    };
    let hint = format!("what was committed is kept; {when}, run: {again}");
    with_exit_code(with_further_hint(error, hint), ExitCode::Resumable)
}

/// What a destination keeps of a run that read everything.
#[derive(Debug, Serialize)]
struct RunSummary<'a> {
    export_id: uuid::Uuid,
    run: uuid::Uuid,
    generation: u64,
    #[serde(with = "time::serde::rfc3339")]
    ended: time::OffsetDateTime,
    database: &'a str,
    container: &'a str,
    files: u64,
    documents: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<Ends>,
}

impl<'a> RunSummary<'a> {
    fn of(state: &'a State) -> Self {
        Self {
            export_id: state.export_id,
            run: process::run_id(),
            generation: state.generation,
            ended: clock::now(),
            database: &state.source.database,
            container: &state.source.container,
            files: state.manifest.entries,
            documents: state.totals.documents,
            bytes: state.totals.bytes,
            ends: state.ends(),
        }
    }

    fn text(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        Ok(text)
    }
}

/// Whether there is a state to continue from.
fn is_there(again: &ResumeCommand) -> bool {
    match &again.object {
        None => again.state_path.exists(),
        Some(object) => may_be_at(object),
    }
}

/// One error for all of the `total` ranges that failed. Unless the run was stopped, the others are complete.
fn failed_ranges(
    mut failures: Vec<(RangeId, anyhow::Error)>,
    total: usize,
    others_are_complete: bool,
) -> anyhow::Error {
    let failed = failures.len();
    failures.sort_by_key(|(range, _)| *range);
    let named: Vec<String> = failures
        .iter()
        .take(8)
        .map(|(range, _)| range.to_string())
        .collect();
    let more = if failed > named.len() { ", …" } else { "" };
    let noun = if failed == 1 { "range" } else { "ranges" };
    let others = if failed < total && others_are_complete {
        "; the others are complete"
    } else {
        ""
    };
    let (_, first) = failures.swap_remove(0);
    first.context(format!(
        "{failed} of {} failed: {noun} {}{more}{others}",
        exactly(total as u64, "feed range"),
        named.join(", ")
    ))
}
