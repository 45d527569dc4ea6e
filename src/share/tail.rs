//! A tail whose ranges are shared with other instances.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::bootstrap::bootstrap;
use super::instance::{Instance, Parts};
use super::outlet::Outlet;
use super::source::Source;
use super::store::Store;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::cursor::{FeedRequest, PageSource};
use crate::cosmos::error::{ServiceError, Verdict};
use crate::count::count;
use crate::destination::{Destination, Kind, Output, Place, at};
use crate::error::{
    ExitCode, attached_exit_code, find, is_broken_pipe, with_exit_code, with_further_hint,
    with_hint,
};
use crate::feed::{ChangeFeedStart, FeedMode};
use crate::format::{ChangeEncoder, Compression, Format, Limits};
use crate::job::{Connected, EVENTS, Watch, WatchEnd, buffered_bytes};
use crate::monitor::{Begun, Monitor};
use crate::observe::{Details, Observer, Observers, TailNotices};
use crate::reader::{ReadEnd, Reader, ReaderOptions, concurrency};
use crate::report::Report;
use crate::settings::TailPlan;
use crate::signal::{self, Shutdown};
use crate::sink::{Sink, SinkOptions};
use crate::state::file;
use crate::state::model::Settings;

/// The most ranges that are polled at the same time by default.
const MAX_CONCURRENT: u32 = 256;

/// The group of an instance, and the container that it reads.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) store: Store,
    pub(crate) source: Connected,
}

/// Prints the changes of those ranges whose leases this instance has.
///
/// # Errors
///
/// If the group is not one that can be shared, if the service refuses a request for good, or if the changes cannot be
/// written.
pub(crate) async fn tail(
    group: Group,
    plan: TailPlan,
    new_encoder: impl Fn(Limits, &CosmosClient) -> ChangeEncoder,
    monitor: &Monitor,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let started = Instant::now();
    let Group { store, source } = group;
    monitor.reads(&source.client).await?;
    source.limit_reads(plan.settings.max_ru, report).await?;
    let name = format!("{}/{}", source.source.database, source.source.container);
    let read = Source {
        client: Arc::clone(&source.client),
        mode: plan.mode,
        start: plan.from.unwrap_or(ChangeFeedStart::Now),
        name: name.clone(),
        files: None,
    };
    shutdown.begin()?;
    let stop = shutdown.child_token();
    if !create_group(&store, &read, &stop, report).await? {
        return Ok(shutdown.reason().unwrap_or(ExitCode::Interrupted));
    }
    let limits = Limits {
        max: plan.max,
        until: None,
        reached: CancellationToken::new(),
    };
    let encoder = new_encoder(limits.clone(), &source.client);
    let destination = standard_output(&source);
    let pipe_closed = CancellationToken::new();
    if destination.kind() == Kind::Stream {
        signal::watch_standard_output(pipe_closed.clone());
    }
    let (failed, failures) = mpsc::unbounded_channel();
    let sink = Sink::start(
        &destination,
        sink_options(&source),
        encoder.into_encoders(),
        1,
        &HashMap::new(),
        &[],
        &failed,
    )?;
    drop(failed);
    let options = reader_options(&plan.settings, &read)?;
    let stop_reader = CancellationToken::new();
    let (events, received) = mpsc::channel(EVENTS);
    let client = Arc::clone(&source.client);
    let (_reader, shards) =
        Reader::start_open(client, options.clone(), events, stop_reader.clone());
    let lease_client = Arc::clone(&store.client);
    let parts = Parts {
        store: Arc::new(store),
        source: read,
        options,
        shards,
        outlet: Outlet::Pipe(sink),
        doing: "tailing",
        observers: observers(&plan, &source, monitor, report),
        watch: Watch::new(plan.idle_timeout, limits.reached, pipe_closed),
        save_interval: Duration::from_millis(plan.settings.checkpoint_interval_ms),
        stop: stop_reader,
    };
    let instance = Instance::new(parts, report);
    let ended = match instance.run(received, failures, stop).await {
        Ok(ended) => ended,
        Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::Done),
        Err(error) => return Err(explain(error)),
    };
    if ended.end == Some(WatchEnd::PipeClosed) {
        return Ok(ExitCode::Done);
    }
    let counts = ended.observers.counts();
    let leases = lease_client.traffic().exchanged().request_units();
    report.notice(&format!(
        "{} from {name} in {:.1} s, {:.0} RU, for the leases {leases:.0} RU",
        count(ended.printed, "change"),
        started.elapsed().as_secs_f64(),
        counts.request_charge
    ));
    Ok(shutdown.reason().unwrap_or(ExitCode::Done))
}

/// Creates the group if it does not exist. Returns false if a stop was requested first.
pub(super) async fn create_group(
    store: &Store,
    read: &Source,
    stop: &CancellationToken,
    report: &Report,
) -> Result<bool> {
    tokio::select! {
        biased;
        // The marker is written last: whoever starts next creates what is missing.
        () = stop.cancelled() => Ok(false),
        created = bootstrap(store, read, report) => {
            created.map_err(|error| explain_mode(error, read.mode))?;
            Ok(true)
        }
    }
}

fn standard_output(source: &Connected) -> Arc<dyn Destination> {
    let place = Place {
        output: &Output::StandardOutput,
        base: std::path::Path::new("."),
        container: &source.source.container,
        extension: Format::Jsonl.name(),
        partition_by: None,
        state_path: None,
        is_for_terminals: true,
    };
    at(place, file::read_earlier).into()
}

fn sink_options(source: &Connected) -> SinkOptions {
    SinkOptions {
        export_id: uuid::Uuid::now_v7(),
        container: source.source.container.clone(),
        compression: Compression::None,
        commits_within_files: true,
        rotate_bytes: None,
        encoder_memory: 0,
    }
}

/// How an instance reads what it prints or writes to files.
pub(super) fn reader_options(settings: &Settings, source: &Source) -> Result<ReaderOptions> {
    let page_size = NonZeroU32::new(settings.page_size).context("a page size of 0")?;
    let concurrency = concurrency(Some(settings.concurrency.unwrap_or(MAX_CONCURRENT)));
    Ok(ReaderOptions {
        concurrency,
        request: FeedRequest {
            source: PageSource::Feed(source.mode),
            page_size,
            partition_key: None,
        },
        retry_limit: settings.max_retries,
        start: source.start,
        end: ReadEnd::Never,
        poll_interval: Duration::from_millis(settings.poll_interval_ms),
        buffered_bytes: u32::try_from(buffered_bytes(concurrency))?,
    })
}

fn observers<'a>(
    plan: &TailPlan,
    source: &Connected,
    monitor: &Monitor,
    report: &'a Report,
) -> Observers<'a> {
    let mut observers: Vec<Box<dyn Observer + 'a>> = vec![
        Box::new(TailNotices::unannounced(report)),
        Box::new(Details(report)),
    ];
    observers.extend(source.stepping_back(report));
    let begun = Begun {
        follows: true,
        commits: true,
        has_ranges: true,
        is_scoped: false,
        from_beginning: plan.from == Some(ChangeFeedStart::Beginning),
        applies: false,
        commits_within: Duration::from_millis(plan.settings.checkpoint_interval_ms),
    };
    observers.extend(monitor.begin(plan.mode, begun));
    Observers::new(observers)
}

/// Adds why an account may not have the feed.
fn explain_mode(error: anyhow::Error, mode: FeedMode) -> anyhow::Error {
    let status = find::<ServiceError>(&error).map(|refused| refused.status);
    if status == Some(400) && mode == FeedMode::AllVersionsAndDeletes {
        return with_hint(
            error,
            "--mode all needs an account with continuous backups, or a container with a retention for all versions and \
             deletes; --mode latest needs neither",
        );
    }
    error
}

/// Adds how to continue to the error that ended an instance.
pub(super) fn explain(error: anyhow::Error) -> anyhow::Error {
    if attached_exit_code(&error) == Some(ExitCode::Usage) {
        return error;
    }
    let refused = find::<ServiceError>(&error).map(|refused| refused.verdict);
    if refused == Some(Verdict::TokenRefused) {
        let error = with_hint(
            error,
            "the container may no longer keep the changes after this position; `cosmos-tail leases reset --to now` skips \
             them",
        );
        return with_exit_code(error, ExitCode::Resumable);
    }
    let error = with_further_hint(
        error,
        "the positions are in the leases: other instances continue, and so does this one when it is started again",
    );
    with_exit_code(error, ExitCode::Resumable)
}
