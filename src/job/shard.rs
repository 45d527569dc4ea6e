//! Reads a share of a plan.

use anyhow::{Result, anyhow};

use super::outcome::Prepared;
use super::resume::resume;
use super::share::Share;
use super::start::{First, check_output};
use super::{Connected, definition, feed_request, query};
use crate::cosmos::retry::RetryLimit;
use crate::destination::{Destination, Kind, Place};
use crate::durable::{is_there, shown_path};
use crate::error::{ExitCode, usage, with_exit_code, with_hint};
use crate::feed::ContainerAddress;
use crate::monitor::Monitor;
use crate::process;
use crate::report::Report;
use crate::settings::{OwnPlace, ResumePlan, ShardPlan};
use crate::signal::Shutdown;
use crate::state::claim::Claimed;
use crate::state::local::LocalState;
use crate::state::model::{JobKind, State};
use crate::state::store::StateStore;
use crate::state::{StateAt, file, open, own_state, state_at, store_at};

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
        let found = place.found()?;
        if let Some(found) = &found {
            place.shards.ensure_same(found)?;
        }
        let resumed = begun(&plan, &place.own)?;
        match (&found, &resumed) {
            // Its state says of which plan the place is.
            (None, Some(_)) => place.shards.mark()?,
            (None, None) => place.shards.ensure_none_begun()?,
            _ => {}
        }
        if let Some(resumed) = resumed {
            return resume(connect, resumed, monitor, report, shutdown).await;
        }
    }
    let place = Place {
        output: &plan.options.output,
        base: plan.base(),
        container: &plan.file.source.container,
        extension: plan.options.format.extension(plan.options.compression),
        partition_by: plan.options.partition_by,
        state_path: None,
        is_for_terminals: false,
    };
    let object = plan.objects().map(own_state);
    let kept_at = match &object {
        Some(object) => StateAt::Object(object),
        None => StateAt::file(plan.state_path()),
    };
    let mut destination = open(place, kept_at)?;
    check_own(&plan, destination.as_ref())?;
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
        let store: Box<dyn StateStore> = match &place.own {
            OwnPlace::Directory { state_path, .. } => Box::new(LocalState::new(state_path)),
            OwnPlace::Objects(address) => store_at(&own_state(address))?,
        };
        // In a store the first commit claims it: of two processes that begin, one fails there.
        let (taken, earlier) = Claimed::take(store, file::claim_of)?;
        if earlier.is_some() {
            return Err(begun_meanwhile(&plan));
        }
        destination.lock(taken.ownership())?;
        claimed = Some(taken);
    }
    // Again, now that no other process can interfere; in a store, which has no locks, the first commit decides.
    check_own(&plan, destination.as_ref())?;
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
    let again = plan.again();
    let prepared = Prepared {
        job,
        destination: plan.destination,
        again,
        summary: plan.summary,
    };
    prepared.run(report, shutdown).await
}

/// Checks what is at the place of a share that was not begun.
fn check_own(plan: &ShardPlan, destination: &dyn Destination) -> Result<()> {
    let Err(error) = check_output(false, destination) else {
        return Ok(());
    };
    // What is there can be of another process of this share, which has just begun.
    match &plan.place {
        Some(place) if matches!(begun(plan, &place.own), Ok(Some(_))) => Err(begun_meanwhile(plan)),
        _ => Err(error),
    }
}

/// The error of a process that finds that another one has begun its share.
fn begun_meanwhile(plan: &ShardPlan) -> anyhow::Error {
    let error = anyhow!("another process has begun the {} meanwhile", plan.shard);
    let error = with_hint(
        error,
        "run the same command again: it continues, or finds it complete",
    );
    with_exit_code(error, ExitCode::Resumable)
}

/// How the share continues, if it was begun.
fn begun(plan: &ShardPlan, own: &OwnPlace) -> Result<Option<ResumePlan>> {
    let (found, shown, resumed) = match own {
        OwnPlace::Directory { state_path, .. } => {
            if !is_there(state_path) {
                return Ok(None);
            }
            let resumed = plan.continued(state_path.clone());
            let shown = shown_path(state_path).to_string();
            (file::load(state_path)?, shown, resumed)
        }
        OwnPlace::Objects(address) => {
            let object = own_state(address);
            let store = store_at(&object)?;
            let Some(state) = state_at(store.as_ref(), &object)? else {
                return Ok(None);
            };
            (state, store.display(), plan.continued_at(address))
        }
    };
    if found.shard != Some(plan.shard) {
        return Err(usage(
            format!(
                "`{shown}` is not the state of the {} of this plan",
                plan.shard
            ),
            "each plan has an output of its own: choose another one, or restore what was there",
        ));
    }
    Ok(Some(resumed))
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
