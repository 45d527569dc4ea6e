//! Files in an object store that instances write together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::instance::{Instance, Parts};
use super::outlet::{Files, Outlet};
use super::purpose::ensure_feeds_nothing_else;
use super::source::Source;
use super::tail::{Group, create_group, explain, reader_options};
use crate::cosmos::client::CosmosClient;
use crate::count::count;
use crate::error::{ExitCode, exit_code, with_further_hint};
use crate::feed::{ChangeFeedStart, ContainerAddress, RecordForm, Scope};
use crate::format::{Compression, Format, NewEncoder};
use crate::job::{Connected, EVENTS, FilesOfGroup, GroupPlan, Watch};
use crate::leases::FilesPlace;
use crate::monitor::{Begun, Monitor};
use crate::objects::Address;
use crate::observe::{Details, Observer, Observers, TailNotices};
use crate::reader::Reader;
use crate::report::Report;
use crate::schema::TableForm;
use crate::settings::TailPlan;
use crate::signal::Shutdown;
use crate::state::group_place::{GroupPlace, Shaping};
use crate::state::model::{FrozenOptions, JobKind, Settings};

/// States that are claimed at the same time.
const CLAIMS: usize = 16;

/// What an instance writes.
pub(crate) struct FilesPlan {
    /// Where.
    pub(crate) address: Address,
    pub(crate) kind: JobKind,
    pub(crate) options: FrozenOptions,
    pub(crate) records: Option<RecordForm>,
    /// What else decides what is written.
    pub(crate) shaping: Shaping,
    pub(crate) settings: Settings,
    /// Whether uploads that the store has removed are read again.
    pub(crate) repair: bool,
    /// Time without a change after which to end.
    pub(crate) idle_timeout: Option<Duration>,
}

impl FilesPlan {
    /// What a tail writes.
    pub(crate) fn of_tail(plan: TailPlan, address: Address, shaping: Shaping) -> Self {
        Self {
            address,
            kind: JobKind::Tail,
            records: plan.records,
            shaping,
            repair: plan.repair,
            idle_timeout: plan.idle_timeout,
            options: FrozenOptions {
                mode: plan.mode,
                scope: Scope::default(),
                snapshot: false,
                query: None,
                masked: false,
                from: plan.from.unwrap_or(ChangeFeedStart::Now),
                format: Format::Jsonl,
                compression: Compression::None,
                layout: None,
                table: TableForm::default(),
                inference: None,
                csv: None,
                output: plan.output,
                partition_by: plan.partition_by,
                records: plan.records,
            },
            settings: plan.settings,
        }
    }
}

/// Writes the changes of those ranges whose leases this instance has. `encoders` makes those of a tail.
///
/// # Errors
///
/// If the group or the place is one that cannot be shared, or if the service or the store refuses a request for good.
pub(crate) async fn files(
    group: Group,
    plan: FilesPlan,
    encoders: impl FnOnce(&CosmosClient) -> Option<Box<NewEncoder>>,
    monitor: &Monitor,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let started = Instant::now();
    let Group { mut store, source } = group;
    let mut own = group_plan(&store.prefix.name, &store.client, &source, &plan);
    let (found, exists) = own.find(&source).await?;
    monitor.reads(&source.client).await?;
    source.limit_reads(plan.settings.max_ru, report).await?;
    let name = format!("{}/{}", source.source.database, source.source.container);
    let mut read = Source {
        client: Arc::clone(&source.client),
        mode: plan.options.mode,
        start: plan.options.from,
        name: name.clone(),
        files: None,
    };
    let fed = |id| {
        Some(FilesPlace {
            id,
            address: plan.address.to_string(),
        })
    };
    store.files = fed(found.place_id);
    let place = match exists {
        true => {
            read.files = Some(FilesOfGroup {
                place: found.clone(),
                address: plan.address.clone(),
            });
            found
        }
        false => {
            ensure_feeds_nothing_else(&store, read.start).await?;
            own.begin(&source, report, shutdown).await?
        }
    };
    store.files = fed(place.place_id);
    shutdown.begin()?;
    let stop = shutdown.child_token();
    let created = create_group(&store, &read, &stop, report).await;
    let created = created.map_err(|error| match exists || exit_code(&error) != ExitCode::Usage {
        true => error,
        // Another start was faster, and says something else.
        false => with_further_hint(
            error,
            format!(
                "this start has begun the place in vain: delete `{}` before something else is written there",
                GroupPlace::object_at(&plan.address)
            ),
        ),
    });
    if !created? {
        return Ok(shutdown.reason().unwrap_or(ExitCode::Interrupted));
    }
    let own = own.files(place, source.clone(), encoders(&source.client))?;
    let own = Arc::new(own);
    let outlet = Files {
        files: Arc::clone(&own),
        claims: Arc::new(Semaphore::new(CLAIMS)),
        rotate_interval: plan.settings.rotate_interval_ms.map(Duration::from_millis),
        checkpoint_bytes: plan.settings.checkpoint_bytes,
    };
    let options = reader_options(&plan.settings, &read)?;
    let stop_reader = CancellationToken::new();
    let (events, received) = mpsc::channel(EVENTS);
    let client = Arc::clone(&source.client);
    let (_reader, shards) =
        Reader::start_open(client, options.clone(), events, stop_reader.clone());
    let never = CancellationToken::new;
    let lease_client = Arc::clone(&store.client);
    let parts = Parts {
        store: Arc::new(store),
        source: read,
        options,
        shards,
        outlet: Outlet::Files(outlet),
        doing: match plan.kind {
            JobKind::Export => "exporting",
            JobKind::Tail => "tailing",
        },
        observers: observers(&plan, &source, monitor, report),
        watch: Watch::new(plan.idle_timeout, never(), never()),
        save_interval: Duration::from_millis(plan.settings.checkpoint_interval_ms),
        stop: stop_reader,
    };
    // Each lease has its writers.
    let (_failed, failures) = mpsc::unbounded_channel();
    let instance = Instance::new(parts, report);
    let ended = instance.run(received, failures, stop).await;
    let ended = ended.map_err(explain)?;
    let counts = ended.observers.counts();
    let leases = lease_client.traffic().exchanged().request_units();
    report.notice(&format!(
        "{} from {name} to {} in {:.1} s, {:.0} RU, for the leases {leases:.0} RU",
        count(ended.printed, "change"),
        own.display(),
        started.elapsed().as_secs_f64(),
        counts.request_charge
    ));
    let ended_by_itself = match ended.unclaimed {
        0 => ExitCode::Done,
        unclaimed => {
            report.notice(&format!(
                "the files of {} could not be continued: see the warnings above",
                count(unclaimed as u64, "range")
            ));
            ExitCode::Resumable
        }
    };
    Ok(shutdown.reason().unwrap_or(ended_by_itself))
}

fn group_plan(
    group: &str,
    leases: &CosmosClient,
    source: &Connected,
    plan: &FilesPlan,
) -> GroupPlan {
    GroupPlan {
        address: plan.address.clone(),
        group: group.to_owned(),
        leases: ContainerAddress {
            endpoint: source.source.endpoint.clone(),
            database: leases.database_name().to_owned(),
            container: leases.container_name().to_owned(),
            container_rid: leases.rid().to_owned(),
        },
        kind: plan.kind,
        options: plan.options.clone(),
        records: plan.records,
        shaping: plan.shaping.clone(),
        settings: plan.settings.clone(),
        repair: plan.repair,
    }
}

fn observers<'a>(
    plan: &FilesPlan,
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
        from_beginning: plan.options.from == ChangeFeedStart::Beginning,
        applies: false,
        commits_within: Duration::from_millis(plan.settings.checkpoint_interval_ms),
    };
    observers.extend(monitor.begin(plan.options.mode, begun));
    Observers::new(observers)
}
