//! Reads a share of a plan.

use anyhow::{Context, Result, anyhow};

use super::outcome::Prepared;
use super::resume::resume;
use super::share::Share;
use super::start::{First, check_output, claim};
use super::{Connected, definition, feed_request, query};
use crate::cosmos::retry::RetryLimit;
use crate::destination::{Kind, Place, Shards, at};
use crate::durable::{is_there, shown_path};
use crate::error::{ExitCode, usage, with_exit_code, with_hint};
use crate::feed::ContainerAddress;
use crate::monitor::Monitor;
use crate::process;
use crate::report::Report;
use crate::settings::{ResumeCommand, ShardPlan};
use crate::signal::Shutdown;
use crate::state::file;
use crate::state::model::{JobKind, State};

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
    let share = Share::of(&plan.file, plan.shard)?;
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
    share.ensure_same(&connected)?;
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
    state.options.scope = share.scope();
    let settings = state.settings.clone();
    let request = feed_request(&state, &settings)?;
    state.ranges = share.ranges(&connected, &request).await?;
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
    report.detail(&described(&plan, &state));
    let job = First {
        connected,
        state,
        settings,
        destination,
        claimed,
        definition,
    }
    .begin(monitor, report)?;
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
