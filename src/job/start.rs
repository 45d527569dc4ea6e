//! Starts a job: what must hold before the first page is read.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::coordinator::Job;
use super::definition::{self, Definition, Unread};
use super::open_layout::OpenLayout;
use super::options::encoders_of;
use super::outcome::Prepared;
use super::query::Asked;
use super::sample::{self, QuerySample, SampleRequest};
use super::{Connected, feed_request, query, retention};
use crate::cosmos::client::CosmosClient;
use crate::cosmos::cursor::FeedRequest;
use crate::cosmos::pin::Pinned;
use crate::cosmos::position::ensure_of;
use crate::destination::{Destination, Kind, Place, Recovery};
use crate::durable::shown_path;
use crate::error::{ExitCode, is_of_the_system, usage, with_exit_code, with_hint};
use crate::feed::{
    ChangeFeedStart, ContainerAddress, FeedMode, FeedRange, Part, RangeSet, RangeState, Scope,
};
use crate::monitor::{Begun, Monitor};
use crate::observe::{Details, Observer, ProgressLine, SnapshotNotices};
use crate::reader::ReadEnd;
use crate::report::Report;
use crate::settings::{ExportPlan, ResumeCommand};
use crate::signal::Shutdown;
use crate::state::claim::Claimed;
use crate::state::file;
use crate::state::ledger::Ledger;
use crate::state::local::LocalState;
use crate::state::model::{JobKind, Settings, State};
use crate::state::store::StateStore;
use crate::state::{StateAt, open, store_at};

/// Ranges pinned at the same time.
pub(super) const PARALLEL_PINS: usize = 64;

/// Checks the output of an export before anything is requested or changed.
///
/// # Errors
///
/// If there is output of an earlier export, unless it is to be replaced, or if something else is in the way.
pub(super) fn check_output(force: bool, destination: &dyn Destination) -> Result<()> {
    let checked = if force {
        destination.ensure_replaceable()
    } else {
        destination.ensure_free()
    };
    checked.map_err(|error| {
        if is_of_the_system(&error) {
            error
        } else {
            with_exit_code(error, ExitCode::Usage)
        }
    })
}

/// Takes the right to commit to the state file `path`, and reads the state.
pub(super) fn claim(path: &Path) -> Result<(Claimed, Option<State>)> {
    let (claimed, text) = Claimed::take(Box::new(LocalState::new(path)), file::claim_of)?;
    let state = text
        .map(|text| file::parse(&text))
        .transpose()
        .with_context(|| format!("cannot resume from `{}`", shown_path(&path)))?;
    Ok((claimed, state))
}

/// Exports a container from the start.
///
/// # Errors
///
/// If there is output in the way, or the job fails; then the committed work can be resumed.
pub async fn export(
    connect: impl AsyncFnOnce() -> Result<Connected>,
    plan: ExportPlan,
    container: &str,
    monitor: &Monitor,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let begun = begin(connect, plan, container, monitor, report, shutdown).await?;
    begun.run(report, shutdown).await
}

/// Begins an export: up to where it can be resumed.
///
/// # Errors
///
/// As [`export`].
pub(super) async fn begin<'a>(
    connect: impl AsyncFnOnce() -> Result<Connected>,
    plan: ExportPlan,
    container: &str,
    monitor: &Monitor,
    report: &'a Report,
    shutdown: &Shutdown,
) -> Result<Prepared<'a>> {
    let state_path = plan.state_path.as_deref();
    let place = Place {
        output: &plan.options.output,
        base: &plan.base,
        container,
        extension: plan.options.format.extension(plan.options.compression),
        partition_by: plan.options.partition_by,
        state_path,
        is_for_terminals: false,
    };
    let state_at = match &plan.state_object {
        Some(object) => StateAt::Object(object),
        None => StateAt::file(state_path),
    };
    let mut destination = open(place, state_at)?;
    // While another process writes there, the check means nothing; its lock is noticed below.
    if !(plan.force && destination.is_in_use()) {
        check_output(plan.force, destination.as_ref())?;
    }
    let connected = connect().await?;
    monitor.reads(&connected.client).await?;
    connected.limit_reads(plan.settings.max_ru, report).await?;
    // A query may be refused, which is not to leave anything behind.
    let asked = match &plan.query {
        Some(asked) => Some(query::ask(&connected, asked, report).await?),
        None => None,
    };
    let store: Option<Box<dyn StateStore>> = match state_at {
        StateAt::Object(object) => Some(store_at(object)?),
        StateAt::File(path) => Some(Box::new(LocalState::new(path))),
        StateAt::Nowhere => None,
    };
    let claimed = match store {
        Some(store) => Some(claim_new(store, &plan)?),
        None => None,
    };
    destination.prepare()?;
    if let Some(claimed) = &claimed {
        destination.lock(claimed.ownership())?;
    }
    // Again, now that no other process can interfere.
    check_output(plan.force, destination.as_ref())?;
    let source = connected.source.clone();
    let mut state = State::new(JobKind::Export, source, plan.options, plan.settings);
    state.partition_key = connected.client.partition_key_paths();
    let settings = state.settings.clone();
    let mut ranges_of_query = None;
    if let Some(asked) = asked {
        let Asked {
            scope,
            ranges,
            masked,
        } = asked;
        state.options.masked = masked;
        state.options.scope = scope;
        ranges_of_query = Some(ranges);
    }
    let request = feed_request(&state, &settings)?;
    let ranges = async {
        match ranges_of_query {
            Some(ranges) => Ok(ranges),
            None => {
                let ranges = first_ranges(&connected, state.options.from, &request).await;
                let ranges =
                    ranges.map_err(|error| retention::explain(error, state.options.mode))?;
                match state.options.snapshot {
                    true => RangeSet::with_snapshot(ranges),
                    false => Ok(ranges),
                }
            }
        }
    };
    let definition = definition::read(&connected, destination.as_ref(), report);
    let (ranges, definition) = futures_util::join!(ranges, definition);
    state.ranges = ranges?;
    let request_charge = infer_layout(&connected, &mut state, &settings, report, shutdown).await?;
    shutdown.begin()?;
    // Not before the service has answered all that is needed to begin.
    if plan.force {
        destination
            .remove_earlier()
            .context("cannot remove the files of an earlier export")?;
    }
    let mut job = First {
        connected,
        state,
        settings,
        destination,
        claimed,
        definition,
    }
    .begin(monitor, report)?;
    job.request_charge = request_charge;
    let again = match &plan.state_object {
        Some(object) => Some(ResumeCommand::of_object(object)),
        None => plan.state_path.as_deref().map(ResumeCommand::of),
    };
    Ok(Prepared {
        job,
        destination: plan.destination,
        again,
        summary: plan.summary,
    })
}

/// Takes the right to commit to a state that does not exist yet. Where the output is, its destination sees to that.
fn claim_new(store: Box<dyn StateStore>, plan: &ExportPlan) -> Result<Claimed> {
    let (claimed, text) = Claimed::take(store, file::claim_of)?;
    let again = match (&plan.state_object, &plan.state_path) {
        (Some(object), _) => ResumeCommand::of_object(object),
        (None, Some(path)) if plan.has_objects() => ResumeCommand::of(path),
        (None, _) => return Ok(claimed),
    };
    if text.is_none() {
        return Ok(claimed);
    }
    Err(usage(
        format!("`{}` already exists", claimed.display()),
        format!("continue the export with `{again}`, or choose another state"),
    ))
}

/// An export that has not written anything yet.
pub(super) struct First {
    pub(super) connected: Connected,
    pub(super) state: State,
    pub(super) settings: Settings,
    pub(super) destination: Box<dyn Destination>,
    pub(super) claimed: Option<Claimed>,
    pub(super) definition: Option<Definition>,
}

impl First {
    /// Writes what comes before the documents.
    pub(super) fn begin<'a>(self, monitor: &Monitor, report: &'a Report) -> Result<Job<'a>> {
        let Self {
            connected,
            state,
            settings,
            destination,
            claimed,
            definition,
        } = self;
        destination.begin(state.export_id)?;
        let unread = match definition {
            Some(definition) => definition.write(&state, destination.as_ref(), report)?,
            None => Unread::default(),
        };
        let recovery = Recovery::default();
        let mut job = job(
            report,
            connected,
            state,
            settings,
            destination,
            claimed,
            recovery,
        );
        job.unread = unread;
        watch(&mut job, monitor, report);
        Ok(job)
    }
}

/// An export or a resume that is ready to run.
pub(super) fn job<'a>(
    report: &'a Report,
    connected: Connected,
    state: State,
    settings: Settings,
    destination: Box<dyn Destination>,
    claimed: Option<Claimed>,
    recovery: Recovery,
) -> Job<'a> {
    let follow = settings.follow;
    let destination: Arc<dyn Destination> = destination.into();
    let layout = Arc::new(OnceLock::new());
    if let Some(known) = &state.options.layout {
        layout.set(known.clone()).ok();
    }
    let is_stream = destination.kind() == Kind::Stream;
    let shared = Arc::clone(&layout);
    let encoders = encoders_of(&connected, &state.options, &settings, is_stream, shared);
    let is_open = state.options.format.has_columns() && state.options.layout.is_none();
    let open_layout = is_open.then(|| OpenLayout {
        options: state.options.inference.clone().unwrap_or_default(),
        layout,
    });
    let mut observers: Vec<Box<dyn Observer + 'a>> = vec![
        Box::new(ProgressLine::new(report, !follow)),
        Box::new(Details(report)),
    ];
    observers.extend(connected.stepping_back(report));
    let retention = retention::report(&connected, state.options.mode, &state.ranges, report);
    if state.options.mode == FeedMode::AllVersionsAndDeletes {
        observers.push(Box::new(SnapshotNotices::new(
            report,
            &state.ranges,
            retention,
        )));
    }
    Job {
        connected,
        next_parts: state
            .series
            .iter()
            .map(|series| (series.id, series.next_part))
            .collect(),
        encoders,
        end: match follow {
            true => ReadEnd::Never,
            false => ReadEnd::Caught(settings.read_until(state.options.mode)),
        },
        settings,
        ledger: Ledger::new(state, Arc::clone(&destination), claimed),
        destination,
        recovery,
        watch: None,
        observers,
        open_layout,
        request_charge: 0.0,
        unread: Unread::default(),
    }
}

/// Has the monitor observe a job too.
pub(super) fn watch(job: &mut Job<'_>, monitor: &Monitor, report: &Report) {
    let options = &job.ledger.state().options;
    let begun = Begun {
        follows: matches!(job.end, ReadEnd::Never | ReadEnd::Time(_)),
        commits: true,
        has_ranges: true,
        // Its positions have no LSNs, so it is not behind anything.
        is_scoped: options.scope.partition_key.is_some() || options.query.is_some(),
        // The ranges without a position are those of the snapshot.
        from_beginning: options.from == ChangeFeedStart::Beginning || options.snapshot,
        applies: false,
        commits_within: Duration::from_millis(job.settings.checkpoint_interval_ms),
    };
    let mode = options.mode;
    job.observers.extend(monitor.begin(mode, begun));
    let pause = Duration::from_millis(job.settings.poll_interval_ms);
    if begun.follows
        && let Some(watchdog) = monitor.watchdog()
        && pause > watchdog / 2
    {
        report.warning(&format!(
            "--poll-interval {pause} is more than half of the watchdog's {watchdog}: if no changes come, systemd ends \
             this command between two polls; set WatchdogSec= to more than {twice}",
            pause = humantime::format_duration(pause),
            watchdog = humantime::format_duration(watchdog),
            twice = humantime::format_duration(pause * 2),
        ));
    }
}

/// Infers the layout from a sample, if it is not known yet; it stays open if the container has no
/// documents. Returns the request units charged.
pub(super) async fn infer_layout(
    connected: &Connected,
    state: &mut State,
    settings: &Settings,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<f64> {
    if !state.options.format.has_columns() || state.options.layout.is_some() {
        return Ok(0.0);
    }
    let options = state.options.inference.clone().unwrap_or_default();
    let request = SampleRequest {
        connected,
        options: options.clone(),
        from: match state.options.snapshot {
            true => ChangeFeedStart::Beginning,
            false => state.options.from,
        },
        query: state.options.query.as_ref().map(|query| QuerySample {
            query,
            scope: &state.options.scope,
            ranges: &state.ranges,
        }),
        settings,
    };
    let sample = sample::take(request, report, shutdown).await?;
    if sample.inference.documents() > 0 {
        let inferred = sample.inference.finish();
        sample::report_inferred(&inferred, &sample.origin(), report);
        state.options.layout = Some(sample::layout_of(&inferred, &options));
    }
    Ok(sample.request_charge)
}

/// The ranges of a container that has not been read yet. For a start from now each of them is pinned, so
/// that nothing is missed from here on.
pub(crate) async fn first_ranges(
    connected: &Connected,
    from: ChangeFeedStart,
    request: &FeedRequest,
) -> Result<RangeSet> {
    let partitions = connected.client.list_partitions(false).await?;
    let mut ranges: Vec<Part> = partitions
        .into_iter()
        .map(|partition| (partition.range, None))
        .collect();
    if from == ChangeFeedStart::Now {
        let pins = stream::iter(ranges)
            .map(|(range, _)| async move {
                let what = format!("cannot get the current position of the feed range {range}");
                let pin = || pin_start(&connected.client, request, &range);
                connected
                    .client
                    .persistence()
                    .persist(&what, pin)
                    .await
                    .context(what)
            })
            .buffered(PARALLEL_PINS);
        let pinned: Vec<Pinned> = pins.try_collect().await?;
        ranges = pinned
            .into_iter()
            .flat_map(|pinned| pinned.parts)
            .map(|(range, position)| (range, Some(position)))
            .collect();
    }
    let ranges = RangeSet::number(ranges)?;
    ranges
        .check(&Scope::default())
        .context("the feed ranges returned by the service do not cover the container")?;
    Ok(ranges)
}

/// Pins a range that will be read from now on.
async fn pin_start(
    client: &Arc<CosmosClient>,
    request: &FeedRequest,
    range: &FeedRange,
) -> Result<Pinned> {
    let pinned = client.pin_now(request, range).await?;
    // Documents before the position would never be written.
    ensure!(
        !pinned.has_documents,
        "the service sent documents for a feed that starts now"
    );
    Ok(pinned)
}

/// Checks that the position of a range is for this container and this range: on another one the service
/// would silently start from the beginning.
pub(crate) fn check_position(range: &RangeState, container_rid: &str) -> Result<()> {
    let Some(position) = &range.position else {
        return Ok(());
    };
    ensure_of(&position.token, container_rid, &range.range)
        .with_context(|| format!("the position of range {} cannot be used", range.id))
}

/// Checks that the container is the one that `what` is of, not another of its name.
pub(super) fn ensure_is_of(
    then: &ContainerAddress,
    connected: &Connected,
    what: &str,
    hint: &str,
) -> Result<()> {
    let now = &connected.source;
    if then.container_rid == now.container_rid {
        return Ok(());
    }
    let error = anyhow!(
        "the container `{}` is not the one of {what}: its RID is {}, not {}",
        now.container,
        now.container_rid,
        then.container_rid
    );
    Err(with_hint(error, hint))
}
