//! How a replay ended, for people and for scripts.

use std::time::Instant;

use anyhow::{Result, anyhow};

use super::dead_letters::DeadLetters;
use super::job::{Ending, Job, Stopped};
use crate::error::{ExitCode, attached_exit_code, with_exit_code, with_further_hint, with_hint};
use crate::feed::ContainerAddress;
use crate::report::{ReplaySummary, Report};
use crate::settings::ReplayPlan;
use crate::signal::Shutdown;

/// Runs a replay to its end, or until it is stopped, and tells how it ended.
pub(super) async fn run(
    job: Job,
    plan: &ReplayPlan,
    target: &ContainerAddress,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let started = Instant::now();
    let outcome = job.run(report, shutdown).await;
    report.end_progress();
    let Ending {
        counts,
        letters,
        writer,
        stopped,
    } = outcome.map_err(|error| resumable(error, plan))?;
    let summary = ReplaySummary {
        outcome: match &stopped {
            None => "done",
            Some(Stopped::Signal(_)) => "interrupted",
            Some(_) => "incomplete",
        },
        dry_run: plan.dry_run,
        database: target.database.clone(),
        container: target.container.clone(),
        changes: counts.changes(),
        bytes: counts.bytes,
        created: counts.created,
        replaced: counts.replaced,
        deleted: counts.deleted,
        unchanged: counts.unchanged,
        kept: counts.kept,
        dropped: counts.dropped,
        refused: letters.count(),
        request_units: writer.meter.request_units(),
        throttled: writer.meter.throttled(),
        retries: writer.meter.retries(),
        commits: counts.commits,
        seconds: started.elapsed().as_secs_f64(),
        state: plan.state.as_ref().map(|path| path.display().to_string()),
        dead_letters: plan
            .dead_letter
            .as_ref()
            .map(|path| path.display().to_string()),
    };
    report.replay_summary(&summary, plan.summary)?;
    match stopped {
        None if letters.count() > 0 => Err(some_refused(&letters, plan)),
        None => Ok(ExitCode::Done),
        Some(Stopped::Signal(code)) => {
            if plan.state.is_some() {
                report.notice("go on with: the same command again");
            }
            Ok(code)
        }
        Some(Stopped::TooManyRefused) => Err(resumable(too_many_refused(&letters, plan), plan)),
        Some(Stopped::Failed(error)) if attached_exit_code(&error) == Some(ExitCode::Usage) => {
            Err(error)
        }
        Some(Stopped::Failed(error)) => Err(resumable(error, plan)),
    }
}

/// The error of a replay that stopped early, with what to do about it: first about the cause.
fn resumable(error: anyhow::Error, plan: &ReplayPlan) -> anyhow::Error {
    match plan.state.as_ref().filter(|path| path.exists()) {
        Some(path) => {
            let hint = format!(
                "what was applied is noted in {}; when the cause is mended, start the same command \
                 again",
                path.display()
            );
            with_exit_code(with_further_hint(error, hint), ExitCode::Resumable)
        }
        None if plan.dry_run => error,
        None => with_further_hint(
            error,
            "what was applied stays; started again, the replay begins at the beginning, which leaves \
             the same documents (--state FILE lets it go on instead)",
        ),
    }
}

fn too_many_refused(letters: &DeadLetters, plan: &ReplayPlan) -> anyhow::Error {
    let hint = match &plan.dead_letter {
        Some(path) => format!(
            "they are in {}, each with its reason; to go on in spite of more: a larger --max-errors",
            path.display()
        ),
        None => "to go on in spite of such changes, and keep them: --dead-letter FILE".to_owned(),
    };
    with_hint(refused(letters), hint)
}

/// The error of a replay that went through, but for some changes.
fn some_refused(letters: &DeadLetters, plan: &ReplayPlan) -> anyhow::Error {
    let hint = match &plan.dead_letter {
        Some(path) => format!(
            "all others were; these are in {}, each with its reason, and can be replayed from there",
            path.display()
        ),
        None if plan.dry_run => "all others can be".to_owned(),
        None => "all others were; --dead-letter FILE keeps those that are refused".to_owned(),
    };
    with_exit_code(with_hint(refused(letters), hint), ExitCode::Failed)
}

/// The error of a replay of which changes were refused.
fn refused(letters: &DeadLetters) -> anyhow::Error {
    let first = letters.first().unwrap_or_default();
    match letters.count() {
        1 => anyhow!("a change cannot be applied: {first}"),
        count => anyhow!("{count} changes cannot be applied; the first: {first}"),
    }
}
