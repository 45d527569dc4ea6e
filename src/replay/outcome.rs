//! How a replay ended: the summary, the hint and the exit code.

use std::time::Instant;

use anyhow::{Result, anyhow};

use super::applier::{Applier, Stopped};
use super::events::ReplayCounts;
use crate::clock;
use crate::count::{count, exactly};
use crate::durable::shown_path;
use crate::error::{ExitCode, attached_exit_code, with_exit_code, with_further_hint, with_hint};
use crate::feed::ContainerAddress;
use crate::report::{ReplaySummary, Report};
use crate::settings::ReplayPlan;
use crate::signal::Shutdown;

/// Runs a replay to its end, or until it is stopped, and reports the outcome.
pub(super) async fn run(
    applier: Applier,
    plan: &ReplayPlan,
    target: &ContainerAddress,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let started = Instant::now();
    let started_at = clock::now();
    let observer = applier.observer();
    let outcome = applier.run(report, shutdown).await;
    report.end_progress();
    let stopped = outcome.map_err(|error| resumable(error, plan))?;
    let counts = observer.counts();
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
        expired: counts.expired,
        refused: counts.refused,
        keyless: counts.keyless,
        collisions: counts.collisions,
        not_compared: counts.not_compared,
        request_units: counts.request_units(),
        throttled: counts.throttled,
        retries: counts.retries,
        commits: counts.commits,
        started: started_at,
        ended: clock::now(),
        seconds: started.elapsed().as_secs_f64(),
        state: plan.state.as_ref().map(|path| path.display().to_string()),
        dead_letters: plan
            .dead_letter
            .as_ref()
            .filter(|_| !plan.dry_run)
            .map(ToString::to_string),
    };
    report.replay_summary(&summary, plan.summary)?;
    if counts.perhaps_recreated > 0 && plan.id_collisions.is_none() {
        report.warning(&perhaps_recreated(counts.perhaps_recreated));
    }
    match stopped {
        None if counts.refused > 0 => Err(some_refused(&counts, plan)),
        None => Ok(ExitCode::Done),
        Some(Stopped::Signal(code)) => {
            if plan.state.is_some() {
                report.notice("to continue, run the same command again");
            }
            Ok(code)
        }
        Some(Stopped::TooManyRefused) => Err(resumable(too_many_refused(&counts, plan), plan)),
        Some(Stopped::Failed(error)) if attached_exit_code(&error) == Some(ExitCode::Usage) => {
            Err(error)
        }
        Some(Stopped::Failed(error)) => Err(resumable(error, plan)),
    }
}

/// The error of a replay that stopped early, with the hint for its cause first and then how to continue.
fn resumable(error: anyhow::Error, plan: &ReplayPlan) -> anyhow::Error {
    if plan.shared.is_some() {
        let error = with_further_hint(
            error,
            "the positions are in the leases: other instances continue, and so does this one when it is started again",
        );
        return with_exit_code(error, ExitCode::Resumable);
    }
    match plan.state.as_ref().filter(|path| path.exists()) {
        Some(path) => {
            let hint = format!(
                "progress is saved in {}; once the cause is fixed, run the same command again",
                shown_path(&path)
            );
            with_exit_code(with_further_hint(error, hint), ExitCode::Resumable)
        }
        None if plan.dry_run => error,
        None => with_further_hint(
            error,
            "applied changes stay applied; the same command starts from the beginning and leaves the \
             same documents (with --state FILE it resumes instead)",
        ),
    }
}

/// The warning of documents that replaced others of the same id, key and perhaps partition.
fn perhaps_recreated(number: u64) -> String {
    let subject = count(number, "document");
    let (has, they, come) = if number == 1 {
        ("has", "it was", "comes")
    } else {
        ("have", "they were", "come")
    };
    format!(
        "{subject} {has} the id and the partition key of an earlier one with another `_rid`: {they} deleted and \
         created again, or {come} from different partitions of the source, whose partition key is not \
         known; to refuse such documents, use --id-collisions refuse"
    )
}

fn too_many_refused(counts: &ReplayCounts, plan: &ReplayPlan) -> anyhow::Error {
    let hint = match &plan.dead_letter {
        _ if plan.dry_run => "to look further despite more, raise --max-errors".to_owned(),
        Some(path) => format!(
            "they are in {}, each with its reason; to continue despite more, raise --max-errors",
            path.shown()
        ),
        None => "to skip such changes and keep them, use --dead-letter FILE".to_owned(),
    };
    with_further_hint(refused(counts), hint)
}

/// Fails if earlier runs of a share have refused changes: whoever runs it again is not to take it for a complete one.
pub(super) fn ensure_none_refused(refused: u64, plan: &ReplayPlan) -> Result<()> {
    if refused == 0 {
        return Ok(());
    }
    let error = anyhow!(
        "earlier runs have refused {} of this share; all others are applied",
        exactly(refused, "change")
    );
    let hint = match &plan.dead_letter {
        Some(path) => format!(
            "those with letters are in {}, each with its reason, and can be replayed from there",
            path.shown()
        ),
        None => "the runs that refused them named them; --dead-letter FILE keeps refused changes"
            .to_owned(),
    };
    Err(with_exit_code(with_hint(error, hint), ExitCode::Failed))
}

/// The error of a replay that applied all but some changes.
fn some_refused(counts: &ReplayCounts, plan: &ReplayPlan) -> anyhow::Error {
    let hint = match &plan.dead_letter {
        Some(path) if plan.dry_run => format!(
            "all others can be applied; without --dry-run, these go to {}, each with its reason",
            path.shown()
        ),
        Some(path) => format!(
            "all others were applied; these are in {}, each with its reason, and can be replayed from there",
            path.shown()
        ),
        None if plan.dry_run => "all others can be applied".to_owned(),
        None => "all others were applied; --dead-letter FILE keeps refused changes".to_owned(),
    };
    with_exit_code(with_further_hint(refused(counts), hint), ExitCode::Failed)
}

/// The error of refused changes, with the way out of the first one, if that is known.
fn refused(counts: &ReplayCounts) -> anyhow::Error {
    let first = counts.first_refusal.as_deref().unwrap_or_default();
    let error = match counts.refused {
        1 => anyhow!("a change cannot be applied: {first}"),
        refused => anyhow!(
            "{} cannot be applied; the first: {first}",
            exactly(refused, "change")
        ),
    };
    match &counts.remedy {
        Some(remedy) => with_hint(error, remedy),
        None => error,
    }
}
