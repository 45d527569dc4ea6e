//! Starts a tail, and reports its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use tokio_util::sync::CancellationToken;

use super::Connected;
use super::coordinator::{Coordinator, Finished, Job, Stop};
use super::definition::{self, Unread};
use super::resume::same_container;
use super::retention;
use super::scope::{ranges_of, scope};
use super::start::{check_position, watch};
use super::takeover::{RepairBy, take_over};
use super::watch::{Watch, WatchEnd};
use crate::cosmos::client::CosmosClient;
use crate::cosmos::error::{ServiceError, Verdict};
use crate::count::count;
use crate::destination::{Destination, Kind, Output, PartitionBy, Place, Recovery};
use crate::durable::{self, shown_path};
use crate::error::{
    Annotate, ExitCode, find, is_broken_pipe, usage, with_exit_code, with_further_hint, with_hint,
};
use crate::feed::{ChangeFeedStart, ContainerAddress, FeedMode, RangeSet, RecordForm, Scope};
use crate::format::ChangeEncoder;
use crate::format::Compression;
use crate::format::Format;
use crate::format::Limits;
use crate::monitor::Monitor;
use crate::objects::ObjectAddress;
use crate::observe::{Announcement, Details, Observer, TailNotices, rfc3339};
use crate::reader::ReadEnd;
use crate::report::Report;
use crate::schema::TableForm;
use crate::settings::{TailPlan, mode_text};
use crate::signal::{self, Shutdown};
use crate::state::claim::Claimed;
use crate::state::file;
use crate::state::ledger::Ledger;
use crate::state::local::LocalState;
use crate::state::model::{FrozenOptions, JobKind, State};
use crate::state::store::StateStore;
use crate::state::{StateAt, destination_of, ensure_is_kept_at, open, store_at};

/// The most ranges that are polled at the same time by default.
const MAX_CONCURRENT: usize = 256;

/// Watches the changes of a container.
///
/// # Errors
///
/// If the options do not fit the container or an earlier state, if the service refuses a request for good,
/// or if the changes cannot be written.
pub async fn tail(
    connect: impl AsyncFnOnce(Option<&ContainerAddress>) -> Result<Connected>,
    plan: TailPlan,
    new_encoder: impl Fn(Limits, &CosmosClient) -> ChangeEncoder,
    monitor: &Monitor,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let started = Instant::now();
    // Before anything is read, since the state may be unusable or of another tail.
    let earlier = match state_at(&plan) {
        StateAt::File(path) if durable::is_plain_file(path).exit_code(ExitCode::Usage)? => {
            // Before the lock, which would leave a file beside something that is not a state.
            load(path, &plan)?;
            let (claimed, _) = Claimed::take(Box::new(LocalState::new(path)), file::claim_of)?;
            Some((claimed, load(path, &plan)?))
        }
        StateAt::Object(object) => load_object(object, &plan)?,
        StateAt::File(_) | StateAt::Nowhere => None,
    };
    let source = earlier.as_ref().map(|(_, state)| &state.source);
    let connected = connect(source).await?;
    monitor.reads(&connected.client).await?;
    connected.limit_reads(plan.settings.max_ru, report).await?;
    let scope = scope(&connected.client, &plan).await?;
    let ready = match earlier {
        Some((claimed, state)) => {
            shutdown.begin()?;
            continue_from(&plan, &connected, state, claimed, &scope, report).await?
        }
        None => begin(&plan, &connected, scope).await?,
    };
    let definition = definition::read(&connected, ready.destination.as_ref(), report).await;
    shutdown.begin()?;
    let shown_state = ready.claimed.as_ref().map(Claimed::display);
    let (mode, from) = (ready.state.options.mode, ready.state.options.from);
    let before = ready.state.totals;
    let what = format!(
        "{} of {}/{}",
        count(ready.state.ranges.len() as u64, "range"),
        connected.source.database,
        connected.source.container
    );
    if let Some(definition) = definition {
        definition.write(&ready.state, ready.destination.as_ref(), report)?;
    }
    let mut job = job(&plan, connected, ready, new_encoder, &what, report)?;
    watch(&mut job, monitor, report);
    let finished = match Coordinator::run(job, report, shutdown).await {
        Ok(finished) => finished,
        Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::Done),
        Err(error) => return Err(explain(error, mode, from, &plan, shown_state.as_deref())),
    };
    let shown = finished
        .state
        .totals
        .documents
        .saturating_sub(before.documents);
    Ok(conclude(&plan, &finished, shown, &what, started, report))
}

/// A tail that is ready to run.
fn job<'a>(
    plan: &TailPlan,
    connected: Connected,
    ready: Ready,
    new_encoder: impl Fn(Limits, &CosmosClient) -> ChangeEncoder,
    what: &str,
    report: &'a Report,
) -> Result<Job<'a>> {
    let limits = Limits {
        max: plan.max,
        until: plan.until,
        reached: CancellationToken::new(),
    };
    let encoder = new_encoder(limits.clone(), &connected.client);
    let pipe_closed = CancellationToken::new();
    if ready.destination.kind() == Kind::Stream {
        signal::watch_standard_output(pipe_closed.clone());
    }
    let mut state = ready.state;
    let ranges = state.ranges.len();
    state
        .settings
        .concurrency
        .get_or_insert(u32::try_from(ranges.clamp(8, MAX_CONCURRENT))?);
    let announcement = Announcement {
        what: what.to_owned(),
        from: from_text(&state, ready.is_new),
    };
    let watch = Watch::new(plan.idle_timeout, limits.reached, pipe_closed);
    let mut observers: Vec<Box<dyn Observer + '_>> = vec![
        Box::new(TailNotices::new(report, announcement)),
        Box::new(Details(report)),
    ];
    observers.extend(connected.stepping_back(report));
    let settings = state.settings.clone();
    let read_until = settings.read_until(state.options.mode);
    Ok(Job {
        connected,
        next_parts: state
            .series
            .iter()
            .map(|series| (series.id, series.next_part))
            .collect(),
        ledger: Ledger::new(state, Arc::clone(&ready.destination), ready.claimed),
        settings,
        destination: ready.destination,
        recovery: ready.recovery,
        encoders: encoder.into_encoders(),
        end: match (plan.until_caught_up, plan.until) {
            (true, _) => ReadEnd::Caught(read_until),
            (false, Some(time)) => ReadEnd::Time(time),
            (false, None) => ReadEnd::Never,
        },
        watch: Some(watch),
        observers,
        open_layout: None,
        request_charge: 0.0,
        unread: Unread::default(),
    })
}

/// Prints how a tail ended.
fn conclude(
    plan: &TailPlan,
    finished: &Finished,
    shown: u64,
    what: &str,
    started: Instant,
    report: &Report,
) -> ExitCode {
    if finished.stop == Some(Stop::Watched(WatchEnd::PipeClosed)) {
        return ExitCode::Done;
    }
    report.notice(&format!(
        "{} from {what} in {:.1} s, {:.0} RU",
        count(shown, "change"),
        started.elapsed().as_secs_f64(),
        finished.counts.request_charge
    ));
    match finished.stop {
        Some(Stop::Signal(code)) => {
            if !matches!(state_at(plan), StateAt::Nowhere) {
                report.notice(&format!("to continue, {}", run_again(plan)));
            }
            code
        }
        _ => ExitCode::Done,
    }
}

/// What a tail begins with.
struct Ready {
    state: State,
    destination: Arc<dyn Destination>,
    claimed: Option<Claimed>,
    recovery: Recovery,
    is_new: bool,
}

/// Where the state of a tail is.
fn state_at(plan: &TailPlan) -> StateAt<'_> {
    match &plan.state_object {
        Some(object) => StateAt::Object(object),
        None => StateAt::file(plan.state_path.as_deref()),
    }
}

/// Reads the state of an earlier tail.
fn load(path: &Path, plan: &TailPlan) -> Result<State> {
    of_this_tail(file::load(path)?, path, plan)
}

/// The same from an object store; none if there is no state yet. The first commit claims it.
fn load_object(object: &ObjectAddress, plan: &TailPlan) -> Result<Option<(Claimed, State)>> {
    let shown = object.to_string();
    let (claimed, text) = Claimed::take(store_at(object)?, file::claim_of)?;
    let Some(text) = text else {
        return Ok(None);
    };
    let state = file::parse(&text).and_then(|state| {
        ensure_is_kept_at(&state, object)?;
        Ok(state)
    });
    let state = state.with_context(|| format!("cannot continue from `{shown}`"))?;
    let state = of_this_tail(state, Path::new(&shown), plan)?;
    Ok(Some((claimed, state)))
}

/// A state at `path` that this tail can continue from.
fn of_this_tail(state: State, path: &Path, plan: &TailPlan) -> Result<State> {
    if state.kind != JobKind::Tail {
        return Err(usage(
            format!("`{}` is the state of an export", shown_path(&path)),
            "to continue it, use `cosmos-tail resume --state`; or name another state",
        ));
    }
    if plan.from.is_some() && state.ranges.iter().any(|range| range.position.is_some()) {
        return Err(usage(
            format!(
                "`{}` already has a position, so --from cannot apply",
                shown_path(&path)
            ),
            "to continue from there, leave out --from; or name another state",
        ));
    }
    Ok(state)
}

/// What a scope is, after "a tail".
fn of_scope(scope: &Scope) -> String {
    const MAX_SHOWN: usize = 4;
    if let Some(key) = &scope.partition_key {
        let levels: Vec<String> = key.iter().map(ToString::to_string).collect();
        return format!("of the partition key {}", levels.join(", "));
    }
    if scope.is_everything() {
        return "of the whole container".to_owned();
    }
    let ranges = scope.ranges.iter().take(MAX_SHOWN);
    let ranges: Vec<String> = ranges.map(ToString::to_string).collect();
    let more = if scope.ranges.len() > MAX_SHOWN {
        ", …"
    } else {
        ""
    };
    format!("of the ranges {}{more}", ranges.join(", "))
}

/// Continues from the state of an earlier tail.
async fn continue_from(
    plan: &TailPlan,
    connected: &Connected,
    mut state: State,
    mut claimed: Claimed,
    scope: &Scope,
    report: &Report,
) -> Result<Ready> {
    let state_path = claimed.display();
    let cannot = || format!("cannot continue from `{state_path}`");
    same_container(&state, connected).with_context(cannot)?;
    for range in &state.ranges {
        check_position(range, &state.source.container_rid).with_context(cannot)?;
    }
    state.source.endpoint.clone_from(&connected.source.endpoint);
    let differs_so = |own: String, given: String, hint: &str| {
        let error = anyhow!("it is the state of a tail {own}, not {given}");
        with_exit_code(with_hint(error, hint), ExitCode::Usage)
    };
    let differs = |own: String, given: String| {
        let hint = "give the same options as before, or name another state";
        differs_so(own, given, hint)
    };
    let (then, now) = (&state.options, plan);
    if then.mode != now.mode {
        let text = |mode| format!("with --mode {}", mode_text(mode));
        return Err(differs(text(then.mode), text(now.mode))).with_context(cannot);
    }
    if then.partition_by != now.partition_by {
        let text = |by: Option<PartitionBy>| match by {
            Some(by) => format!("with --partition-by {}", by.name()),
            None => "without --partition-by".to_owned(),
        };
        let own = match then.partition_by {
            Some(by) => format!("give --partition-by {}", by.name()),
            None => "leave --partition-by out".to_owned(),
        };
        let hint = format!("{own}: its files stay as they are; for others, tail to a new place");
        let (then, now) = (text(then.partition_by), text(now.partition_by));
        return Err(differs_so(then, now, &hint)).with_context(cannot);
    }
    if then.scope != *scope {
        return Err(differs(of_scope(&then.scope), of_scope(scope))).with_context(cannot);
    }
    if then.records.is_some() && then.records != now.records {
        let text = |records: Option<RecordForm>| match records {
            Some(form) => format!("that writes {form}"),
            None if plan.has_program => "that writes what --jq makes of them".to_owned(),
            None => "that writes them in another form".to_owned(),
        };
        return Err(differs(text(then.records), text(now.records))).with_context(cannot);
    }
    // A state that was moved beside its file names the same file by another path.
    let output = |output: &Output| match output {
        Output::ObjectsAt(address) => Some(PathBuf::from(address)),
        Output::Objects => Some(PathBuf::from(&state_path)),
        output => output.path(&plan.base),
    };
    if output(&then.output) != output(&now.output) {
        let text = |own: &Output| match output(own) {
            Some(path) => format!("to `{}`", shown_path(&path)),
            None => "to standard output".to_owned(),
        };
        return Err(differs(text(&then.output), text(&now.output))).with_context(cannot);
    }
    state.settings = plan.settings.clone();
    // It ends where the container is now.
    state.begin_run(false);
    let at = state_at(plan);
    let mut destination = destination_of(&state, &plan.base, at).with_context(cannot)?;
    destination
        .prove(&state.committed())
        .map_err(|error| claimed.ensure_latest().err().unwrap_or(error))
        .with_context(cannot)?;
    destination.lock(claimed.ownership())?;
    let repair = (RepairBy::Tail, plan.repair);
    let taken = take_over(
        connected,
        &mut state,
        destination.as_ref(),
        &mut claimed,
        repair,
    );
    let recovery = taken.await.with_context(cannot)?;
    for notice in &recovery.notices {
        report.notice(notice);
    }
    Ok(Ready {
        state,
        destination: destination.into(),
        claimed: Some(claimed),
        recovery,
        is_new: false,
    })
}

/// Begins a tail that has no state yet.
async fn begin(plan: &TailPlan, connected: &Connected, scope: Scope) -> Result<Ready> {
    let format = Format::Jsonl;
    let place = Place {
        output: &plan.output,
        base: &plan.base,
        container: &connected.source.container,
        extension: format.name(),
        partition_by: plan.partition_by,
        state_path: None,
        is_for_terminals: true,
    };
    let at = state_at(plan);
    let mut destination = open(place, at)?;
    // Before anything is written beside it.
    destination.ensure_free()?;
    let store: Option<Box<dyn StateStore>> = match at {
        StateAt::File(path) => Some(Box::new(LocalState::new(path))),
        StateAt::Object(object) => Some(store_at(object)?),
        StateAt::Nowhere => None,
    };
    let claimed = match store {
        Some(store) => {
            let (claimed, stored) = Claimed::take(store, file::claim_of)?;
            // Another tail may have started between the first check and the lock.
            if stored.is_some() {
                return Err(usage(
                    format!(
                        "another tail has just begun to keep its position in `{}`",
                        claimed.display()
                    ),
                    "name another state, or start again to continue from there",
                ));
            }
            if plan.output.has_series_of_ranges() {
                destination.prepare()?;
            }
            destination.lock(claimed.ownership())?;
            destination.ensure_free()?;
            Some(claimed)
        }
        None => None,
    };
    let ranges = ranges_of(&connected.client, &scope).await?;
    let options = FrozenOptions {
        mode: plan.mode,
        scope,
        snapshot: false,
        query: None,
        masked: false,
        from: plan.from.unwrap_or(ChangeFeedStart::Now),
        format,
        compression: Compression::None,
        layout: None,
        table: TableForm::default(),
        inference: None,
        csv: None,
        output: plan.output.clone(),
        partition_by: plan.partition_by,
        records: plan.records,
    };
    let source = connected.source.clone();
    let settings = plan.settings.clone();
    let mut state = State::new(JobKind::Tail, source, options, settings);
    state.partition_key = connected.client.partition_key_paths();
    state.ranges = RangeSet::number(ranges.into_iter().map(|range| (range, None)))?;
    destination.begin(state.export_id)?;
    Ok(Ready {
        state,
        destination: destination.into(),
        claimed,
        recovery: Recovery::default(),
        is_new: true,
    })
}

/// Where a tail starts, for its first line; `None` is now.
fn from_text(state: &State, is_new: bool) -> Option<String> {
    if !is_new {
        return Some("its saved position".to_owned());
    }
    match state.options.from {
        ChangeFeedStart::Now => None,
        ChangeFeedStart::Beginning => Some("the beginning".to_owned()),
        ChangeFeedStart::PointInTime(time) => Some(rfc3339(time)),
    }
}

/// Adds hints to the error that ended a tail.
fn explain(
    error: anyhow::Error,
    mode: FeedMode,
    from: ChangeFeedStart,
    plan: &TailPlan,
    state: Option<&str>,
) -> anyhow::Error {
    let refused = find::<ServiceError>(&error).map(|refused| (refused.status, refused.verdict));
    let error = match (refused, mode, from) {
        (Some((_, Verdict::TokenRefused)), FeedMode::AllVersionsAndDeletes, _) => with_hint(
            error,
            "the container may no longer keep the changes after this position: start again with another \
             --state",
        ),
        (Some((400, _)), FeedMode::AllVersionsAndDeletes, _) => retention::explain(error, mode),
        (Some((400, _)), _, ChangeFeedStart::PointInTime(_)) => with_hint(
            error,
            "an account that writes in several regions cannot start at a time: use --from beginning or \
             --from now",
        ),
        _ => error,
    };
    let Some(shown) = state else {
        return error;
    };
    let error = match refused {
        // Their hints lead elsewhere.
        Some((_, Verdict::TokenRefused | Verdict::ContainerGone)) => error,
        _ => with_further_hint(
            error,
            format!(
                "the position is saved in `{shown}`; to continue, {}",
                run_again(plan)
            ),
        ),
    };
    with_exit_code(error, ExitCode::Resumable)
}

/// How to continue a tail: its state has a position now, which --from would contradict.
fn run_again(plan: &TailPlan) -> &'static str {
    if plan.from.is_some() {
        "run the same command again without --from"
    } else {
        "run the same command again"
    }
}
