//! Reads a share of a plan.

use anyhow::{Context, Result, anyhow};

use super::definition::{self, Unread};
use super::outcome::Prepared;
use super::start::{check_output, claim, ensure_is_of, job, resume, watch};
use super::{Connected, feed_request, query};
use crate::cosmos::cursor::FeedRequest;
use crate::cosmos::retry::RetryLimit;
use crate::destination::{Kind, Place, Recovery, Shards, at};
use crate::durable::{is_there, shown_path};
use crate::error::{Annotate, ExitCode, usage, with_exit_code, with_hint};
use crate::feed::{ContainerAddress, Part, Piece, RangeSet, RangeState, Scope};
use crate::monitor::Monitor;
use crate::process;
use crate::report::Report;
use crate::settings::{ResumeCommand, ShardPlan};
use crate::signal::Shutdown;
use crate::state::file;
use crate::state::model::{JobKind, State};
use crate::state::plan_file::PlannedRange;

/// Begins or continues a share of a plan, and reads it to its end.
///
/// # Errors
///
/// If the place is of something else, the container is another one, or the job fails; then the committed work is
/// continued by the same command.
pub async fn shard(
    connect: impl AsyncFnOnce(&ContainerAddress, RetryLimit) -> Result<Connected>,
    plan: ShardPlan,
    monitor: &Monitor,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    // Even of a share that is complete.
    let share = share_of(&plan)?;
    if let Some(place) = &plan.place {
        if let Some(found) = Shards::of(&place.table)? {
            place.shards.ensure_same(&found)?;
        }
        if is_there(&place.state_path) {
            return go_on(connect, &plan, monitor, report, shutdown).await;
        }
    }
    let place = Place {
        output: &plan.options.output,
        base: plan.base(),
        container: &plan.file.source.container,
        extension: plan.options.format.extension(plan.options.compression),
        state_path: plan.state_path(),
        is_for_terminals: false,
    };
    let mut destination = at(place, file::read_earlier);
    check_output(false, destination.as_ref())?;
    if destination.kind() == Kind::Stream {
        process::ensure_standard_output()?;
    }
    let connected = connect(&plan.file.source, plan.settings.max_retries).await?;
    ensure_same(&plan, &connected)?;
    monitor.reads(&connected.client).await?;
    connected.limit_reads(plan.settings.max_ru, report).await?;
    if let Some(query) = plan.file.query() {
        let is_masked = plan.file.is_masked();
        query::plan_again(&connected, query, is_masked, false, report).await?;
    }
    let mut state = State::new(
        JobKind::Export,
        connected.source.clone(),
        plan.options.clone(),
        plan.settings.clone(),
    );
    state.shard = plan.place.as_ref().map(|_| plan.shard);
    state.partition_key = connected.client.partition_key_paths();
    state.options.scope = Scope {
        ranges: share.iter().map(|piece| piece.bounds.clone()).collect(),
        partition_key: None,
    };
    let settings = state.settings.clone();
    let request = feed_request(&state, &settings)?;
    state.ranges = ranges_of(&plan, &share, &connected, &request).await?;
    let mut claimed = None;
    if let Some(place) = &plan.place {
        place.shards.mark()?;
        destination.prepare()?;
        let (taken, earlier) = claim(&place.state_path)?;
        if earlier.is_some() {
            let error = anyhow!("another process has begun the {} meanwhile", plan.shard);
            let error = with_hint(
                error,
                "run the same command again: it continues, or finds it complete",
            );
            return Err(with_exit_code(error, ExitCode::Resumable));
        }
        destination.lock(taken.ownership())?;
        claimed = Some(taken);
    }
    // Again, now that no other process can interfere.
    check_output(false, destination.as_ref())?;
    let definition = definition::read(&connected, destination.as_ref(), report).await;
    shutdown.begin()?;
    destination.begin(state.export_id)?;
    let unread = match definition {
        Some(definition) => definition.write(&state, destination.as_ref(), report)?,
        None => Unread::default(),
    };
    report.detail(&described(&plan, &state));
    let mut job = job(
        report,
        connected,
        state,
        settings,
        destination,
        claimed,
        Recovery::default(),
    );
    job.unread = unread;
    watch(&mut job, monitor, report);
    let again = plan.state_path().map(ResumeCommand::of);
    let prepared = Prepared {
        job,
        destination: plan.destination,
        again,
        summary: plan.summary,
    };
    prepared.run(report, shutdown).await
}

/// Continues a share that was begun.
async fn go_on(
    connect: impl AsyncFnOnce(&ContainerAddress, RetryLimit) -> Result<Connected>,
    plan: &ShardPlan,
    monitor: &Monitor,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let path = plan.state_path().context("a stream has no state")?;
    let state = file::load(path)?;
    if state.shard != Some(plan.shard) {
        return Err(usage(
            format!(
                "`{}` is not the state of the {} of this plan",
                shown_path(path),
                plan.shard
            ),
            "each plan has an output of its own: choose another one, or restore what was there",
        ));
    }
    let resumed = plan.continued(path.to_owned());
    resume(connect, resumed, monitor, report, shutdown).await
}

/// What of the plan the shard reads.
fn share_of(plan: &ShardPlan) -> Result<Vec<Piece>> {
    let dealt = plan.file.shares(plan.shard.count).map_err(|error| {
        usage(
            format!(
                "the plan cannot be dealt to {} shards: {error:#}",
                plan.shard.count
            ),
            "use fewer shards",
        )
    })?;
    let mut dealt = dealt.into_iter();
    let share = dealt.nth(plan.shard.index as usize);
    share.context("the plan has no such share")
}

/// The ranges of a share, with where they start and end.
async fn ranges_of(
    plan: &ShardPlan,
    share: &[Piece],
    connected: &Connected,
    request: &FeedRequest,
) -> Result<RangeSet> {
    let mut parts: Vec<Part> = Vec::with_capacity(share.len());
    let planned = |piece: &Piece| -> Result<&PlannedRange> {
        let planned = plan.file.ranges.get(piece.of);
        planned.context("the plan has no such range")
    };
    for piece in share {
        let PlannedRange { range, start, .. } = planned(piece)?;
        let start = match start {
            // That of a query only says that nothing of the range is needed.
            Some(start) if piece.bounds != *range && plan.file.query().is_none() => {
                let client = &connected.client;
                let cut = client.cut(request, start, &piece.bounds).await?;
                Some(cut.with_context(|| format!("the start of the range {range} is not known"))?)
            }
            start => start.clone(),
        };
        parts.push((piece.bounds.clone(), start));
    }
    let (mut ranges, next): (Vec<RangeState>, u32) = RangeSet::number(parts)?.into_parts();
    for (range, piece) in ranges.iter_mut().zip(share) {
        range.end = planned(piece)?.end.clone();
    }
    Ok(RangeSet::from_parts(ranges, next))
}

/// Checks that the container is the one of the plan, not another of its name.
fn ensure_same(plan: &ShardPlan, connected: &Connected) -> Result<()> {
    ensure_is_of(
        &plan.file.source,
        connected,
        "the plan",
        "it was deleted and created again: make another plan, for another output",
    )
    .exit_code(ExitCode::Usage)
}

fn described(plan: &ShardPlan, state: &State) -> String {
    let ranges: Vec<String> = state
        .ranges
        .iter()
        .map(|range| range.range.to_string())
        .collect();
    format!(
        "{} of the plan {}: {}",
        plan.shard,
        plan.shard.plan,
        ranges.join(", ")
    )
}
