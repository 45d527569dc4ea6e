//! Continues a job: what must hold before the next page is read.

use anyhow::{Context, Result, ensure};

use super::definition::{self, Unread};
use super::drift;
use super::outcome::{Prepared, resumable};
use super::start::{check_position, claim, ensure_is_of, infer_layout, job, watch};
use super::takeover::{RepairBy, take_over};
use super::{Connected, query};
use crate::cosmos::retry::RetryLimit;
use crate::destination::Kind;
use crate::durable::{parent_of, shown_path};
use crate::error::{Annotate, ExitCode, attached_exit_code, is_of_the_system, usage};
use crate::failpoint;
use crate::feed::{ContainerAddress, RangeSet};
use crate::monitor::Monitor;
use crate::objects::ObjectAddress;
use crate::process;
use crate::report::Report;
use crate::settings::ResumePlan;
use crate::signal::Shutdown;
use crate::state::claim::Claimed;
use crate::state::file;
use crate::state::ledger::seal_open;
use crate::state::model::{JobKind, State};
use crate::state::{StateAt, destination_of, no_export_at, state_at, store_at};

/// Takes the right to commit to the state in this object, and reads it. The first commit claims the state.
fn claim_at(object: &ObjectAddress) -> Result<(Claimed, State)> {
    let store = store_at(object)?;
    let state = state_at(store.as_ref(), object)?.ok_or_else(|| no_export_at(object))?;
    let (claimed, text) = Claimed::take(store, file::claim_of)?;
    // As it is now: the first look only explains what is no state.
    let text = text.ok_or_else(|| no_export_at(object))?;
    let now = file::parse(&text)?;
    ensure!(
        now.export_id == state.export_id && now.options.output == state.options.output,
        "another export has replaced it"
    );
    Ok((claimed, now))
}

/// Continues an export. `connect` reaches a container, with this many retries.
///
/// # Errors
///
/// If the state cannot be used, the files contradict it, the container is another one, or the job fails.
pub async fn resume(
    connect: impl AsyncFnOnce(&ContainerAddress, RetryLimit) -> Result<Connected>,
    plan: ResumePlan,
    monitor: &Monitor,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    match go_on(connect, plan, monitor, report, shutdown).await? {
        Some(begun) => begun.run(report, shutdown).await,
        None => Ok(ExitCode::Done),
    }
}

/// Takes an export over, up to where it is read further. None if nothing is left of a shard.
///
/// # Errors
///
/// As [`resume`].
pub(super) async fn go_on<'a>(
    connect: impl AsyncFnOnce(&ContainerAddress, RetryLimit) -> Result<Connected>,
    plan: ResumePlan,
    monitor: &Monitor,
    report: &'a Report,
    shutdown: &Shutdown,
) -> Result<Option<Prepared<'a>>> {
    let path = &plan.state_path;
    let cannot = || format!("cannot resume from `{}`", shown_path(&path));
    let again = plan.command();
    // Before the lock, which would leave a file beside something that is not a state.
    if plan.state_object.is_none() {
        file::load(path)?;
    }
    // After an error of the operating system the next resume tries again: nothing has changed.
    let try_again = |error| match is_of_the_system(&error) {
        true => resumable(error, Some(&again)),
        false => error,
    };
    let (mut claimed, mut state) = match &plan.state_object {
        None => {
            let (claimed, state) = claim(path).map_err(try_again)?;
            let state = state.with_context(|| format!("`{}` is gone", shown_path(&path)))?;
            (claimed, state)
        }
        Some(object) => claim_at(object).with_context(cannot)?,
    };
    if state.kind != JobKind::Export {
        return Err(usage(
            format!("`{}` is the state of a tail", shown_path(&path)),
            "to continue it, run the same `tail` command again",
        ));
    }
    plan.ensure_agrees(&state.options)?;
    // A process that died after its last commit may have left finished files that are not published.
    let is_complete = state.finished && state.sealed.is_empty();
    if let Some(shard) = state.shard.filter(|_| is_complete) {
        report.notice(&format!(
            "the {shard} is complete; `cosmos-tail plan --after DIR` plans what came since"
        ));
        return Ok(None);
    }
    let format = state.options.format;
    let settings = plan.settle(&mut state.settings, format)?;
    if state.shard.is_some() {
        plan.ensure_for_shard(&settings)?;
    }
    if state.options.query.is_some() {
        plan.ensure_for_query(&settings)?;
    }
    for value in plan.values(&settings)? {
        report.detail(&value.to_string());
    }
    for range in &state.ranges {
        check_position(range, &state.source.container_rid).with_context(cannot)?;
    }
    let state_at = match &plan.state_object {
        None => StateAt::File(path),
        Some(object) => StateAt::Object(object),
    };
    let mut destination = destination_of(&state, parent_of(path), state_at).with_context(cannot)?;
    destination
        .prove(&state.committed())
        .map_err(|error| claimed.ensure_latest().err().unwrap_or(error))
        .map_err(try_again)
        .with_context(cannot)?;
    let reached = connect(&state.source, settings.max_retries).await;
    let connected = reached.map_err(|error| {
        // Waiting helps neither with what was typed nor with a deleted container.
        match attached_exit_code(&error) {
            None => resumable(error, Some(&again)),
            Some(_) => error,
        }
    })?;
    monitor.reads(&connected.client).await?;
    let same = same_container(&state, &connected).with_context(cannot);
    match state.shard {
        // What runs the shards would try again, and that does not help.
        Some(_) => same.exit_code(ExitCode::Usage)?,
        None => same?,
    }
    connected.limit_reads(settings.max_ru, report).await?;
    if let Some(query) = &state.options.query {
        let masked = state.options.masked;
        query::plan_again(&connected, query, masked, state.finished, report).await?;
    }
    state.partition_key = connected.client.partition_key_paths();
    // An account that has moved has another one now.
    state.source.endpoint.clone_from(&connected.source.endpoint);
    if destination.kind() == Kind::Stream {
        process::ensure_standard_output()?;
    }
    let definition = definition::read(&connected, destination.as_ref(), report).await;
    destination.lock(claimed.ownership()).map_err(try_again)?;
    shutdown.begin()?;
    let repair = (RepairBy::of(&state), plan.repair);
    let taken = take_over(
        &connected,
        &mut state,
        destination.as_ref(),
        &mut claimed,
        repair,
    );
    let mut recovery = taken.await.map_err(try_again).with_context(cannot)?;
    for notice in &recovery.notices {
        report.notice(notice);
    }
    let unread = match definition {
        Some(definition) => definition
            .write(&state, destination.as_ref(), report)
            .map_err(try_again)
            .with_context(cannot)?,
        None => Unread::default(),
    };
    // An interrupted run is read to its pinned ends, and on to the head if it is set to.
    let is_over = state.finished && state.shard.is_none();
    state.begin_run(!is_over && !settings.follow);
    let mut request_charge = 0.0;
    if plan.widen {
        let kind = destination.kind();
        let found = drift::find(&connected, &state, &settings, kind, report, shutdown).await;
        let found = found.map_err(|error| match attached_exit_code(&error) {
            None => resumable(error, Some(&again)),
            Some(_) => error,
        })?;
        if let Some((layout, drift, charge)) = found {
            request_charge = charge;
            if drift.columns().next().is_some() {
                state.widen(layout);
                // A file has one set of columns.
                seal_open(&mut state, destination.as_ref(), &mut claimed)
                    .map_err(try_again)
                    .with_context(cannot)?;
                recovery.resumed.clear();
            }
            drift::report_widened(&drift, report);
        }
    }
    let sampled = infer_layout(&connected, &mut state, &settings, report, shutdown).await;
    request_charge += sampled.map_err(|error| match attached_exit_code(&error) {
        None => resumable(error, Some(&again)),
        Some(_) => error,
    })?;
    if failpoint::is_planted("defect.now-again-on-resume") {
        let (mut ranges, next) = std::mem::take(&mut state.ranges).into_parts();
        for range in &mut ranges {
            range.position = None;
        }
        state.ranges = RangeSet::from_parts(ranges, next);
    }
    let shown = destination.display();
    let mut job = job(
        report,
        connected,
        state,
        settings,
        destination,
        Some(claimed),
        recovery,
    );
    job.request_charge = request_charge;
    job.unread = unread;
    watch(&mut job, monitor, report);
    Ok(Some(Prepared {
        job,
        destination: shown,
        again: Some(again),
        summary: plan.summary,
    }))
}

/// Checks that the container is the one of the state, not another of its name.
pub(super) fn same_container(state: &State, connected: &Connected) -> Result<()> {
    ensure_is_of(
        &state.source,
        connected,
        "the state",
        "it was deleted and created again: export it to a new place",
    )
}
