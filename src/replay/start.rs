//! The start of a replay: source, target, state and dead letters, checked and opened in that order.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Result;
use tokio::sync::mpsc;

use super::applier::Applier;
use super::budget::Budget;
use super::checkpoint::Checkpoint;
use super::container::{self, FeedReading};
use super::creation;
use super::dead_letters::DeadLetters;
use super::delivery::Delivery;
use super::events::ReplayObserver;
use super::feed_state::FeedState;
use super::file_reader;
use super::interpreter::Interpreter;
use super::item_sender::ItemSender;
use super::known_etags::KnownEtags;
use super::letter_objects::{self, LetterObjects};
use super::outcome;
use super::own_writes::{self, OwnWrites};
use super::position::InputPosition;
use super::rehearsal::Rehearsal;
use super::replay_source::{ReplaySource, find_inputs, refuse_as_dead_letters};
use super::state::{ReplayState, StateFile};
use super::together::Together;
use super::writer::Writer;
use crate::cli::location::Location;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::container::NewContainer;
use crate::cosmos::definition::DefaultTtl;
use crate::durable::{is_same_file, shown_path};
use crate::error::{ExitCode, usage};
use crate::feed::{ChangeFeedStart, ContainerAddress, FeedMode};
use crate::job::{Connected, retention};
use crate::monitor::{Begun, Monitor};
use crate::observe::{Observer, Observers, SnapshotNotices};
use crate::render::change::parse_key_path;
use crate::report::Report;
use crate::settings::{ReplayPlan, Ttl};
use crate::signal::Shutdown;
use crate::source::Inputs;

/// The containers of a replay.
#[derive(Debug)]
pub struct Containers {
    /// The one that is written to.
    pub target: Target,
    /// The one that is read, if the source is a container.
    pub source: Option<Connected>,
}

/// The container that is written to.
#[derive(Debug)]
pub enum Target {
    /// It exists.
    There(Connected),
    /// It does not, and a dry run does not create it.
    ToBeCreated {
        /// Its address, without a RID.
        address: ContainerAddress,
        /// The paths of its partition key.
        key_paths: Vec<String>,
    },
}

impl Target {
    /// Its address, the paths of its partition key, and who reaches it.
    fn split(self) -> (ContainerAddress, Vec<String>, Option<Arc<CosmosClient>>) {
        match self {
            Self::There(Connected { client, source }) => {
                (source, client.partition_key_paths(), Some(client))
            }
            Self::ToBeCreated { address, key_paths } => (address, key_paths, None),
        }
    }
}

/// Replays into a container, which `connect` reaches: that of the state if there is one, and a new one if files
/// define it. Errors of files are reported before it is called.
///
/// # Errors
///
/// With the exit code and the hint for the user attached.
pub async fn replay(
    connect: impl AsyncFnOnce(Option<&ContainerAddress>, Option<NewContainer>) -> Result<Containers>,
    plan: ReplayPlan,
    monitor: &Monitor,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let found = find(plan, report)?;
    let alone = Together::default();
    replay_found(connect, found, &alone, monitor, report, shutdown).await
}

/// What a replay reads, found before anything is connected.
#[derive(Debug)]
pub struct Found {
    plan: ReplayPlan,
    inputs: Inputs,
    new: Option<NewContainer>,
}

impl Found {
    /// The container that its files define, if it is to be created.
    pub fn new_container(&self) -> Option<&NewContainer> {
        self.new.as_ref()
    }
}

/// Finds what a replay reads.
///
/// # Errors
///
/// If files are missing, or do not define the container that is to be created.
pub fn find(plan: ReplayPlan, report: &Report) -> Result<Found> {
    let inputs = find_inputs(&plan, report)?;
    let new = creation::by_files(&plan, &inputs.definitions, report)?;
    Ok(Found { plan, inputs, new })
}

/// As [`replay`], of what was found, and beside the replays that it shares `together` with.
///
/// # Errors
///
/// As [`replay`].
pub async fn replay_found(
    connect: impl AsyncFnOnce(Option<&ContainerAddress>, Option<NewContainer>) -> Result<Containers>,
    found: Found,
    together: &Together,
    monitor: &Monitor,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let Found { plan, inputs, new } = found;
    if let Some(place) = &plan.dead_letter {
        refuse_as_dead_letters(&inputs, place)?;
    }
    if let Some(Location::Local(path)) = &plan.dead_letter {
        refuse_two_uses(path, plan.state.as_deref())?;
    }
    let (state_file, found) = match &plan.state {
        Some(path) => {
            let (file, state) = StateFile::open(path)?;
            (Some(file), state)
        }
        None => (None, None),
    };
    let earlier = found.as_ref().map(|state| &state.target);
    let Containers { target, source } = connect(earlier, new).await?;
    if let Some(connected) = &source {
        monitor.reads(&connected.client).await?;
    }
    let source = match (source, &plan.feed) {
        (Some(connected), Some(feed)) => ReplaySource::Container {
            connected,
            plan: feed.clone(),
            share: plan.share.as_ref().map(|share| share.shard),
        },
        _ => ReplaySource::of_files(inputs),
    };
    let (target, key_paths, client) = target.split();
    if let Some(client) = &client {
        monitor.writes(client);
        note_lifetimes(client, &plan, report);
    }
    source.refuse_as_target(&target)?;
    if let Some(state) = &found {
        state.check(&target, &plan, &source)?;
    }
    let shares = plan.share.as_ref();
    if let Some(shards) = shares.and_then(|share| share.shards(&target.container_rid)) {
        shards.mark()?;
    }
    // Not before target, source and options are known to be those of the state.
    if let (Some(share), Some(state)) = (&plan.share, &found)
        && state.feed.as_ref().is_some_and(FeedState::is_complete)
    {
        outcome::ensure_none_refused(state.refused, &plan)?;
        report.notice(&format!(
            "the {} is complete; `cosmos-tail plan` plans what came since",
            share.shard
        ));
        return Ok(ExitCode::Done);
    }
    let refused_before = found.as_ref().map_or(0, |state| state.refused);
    let letters = open_letters(&plan, found.as_ref(), plan.dry_run, report)?;
    let is_resumed = found.is_some();
    let mut state = found.unwrap_or_else(|| first_state(&target, &plan));
    state.moved(&target, &source);
    let budget = match (&together.budget, plan.max_ru, &client) {
        (Some(shared), ..) => Some(Arc::clone(shared)),
        (None, Some(max_ru), Some(client)) => {
            Some(Arc::new(Budget::new(max_ru.per_second(client).await?)))
        }
        (None, ..) => None,
    };
    let writer = Arc::new(Writer {
        sender: Arc::new(ItemSender {
            client,
            key_paths,
            retry_limit: plan.retry_limit,
            budget,
            permits: together.writes.clone(),
            observer: Arc::new(ReplayObserver::new(report, plan.max_errors)),
            sent: AtomicU64::new(0),
            stop: shutdown.child_token(),
        }),
        mode: plan.write_mode,
        ttl_deletes: plan.ttl_deletes,
        rehearsal: plan.dry_run.then(Rehearsal::default),
        batch_size: plan.batch_size,
        own: OwnWrites::new(state.began, is_resumed),
        etags: KnownEtags::default(),
    });
    if compares_documents(&source, &writer.sender.key_paths, &plan) {
        note_what_is_compared(is_resumed, &plan, report);
    }
    let observer = watch(&plan, state.feed.as_ref(), monitor);
    let observers = Vec::from_iter(observer);
    let deliveries = begin_reading(
        &source,
        &mut state,
        &writer.sender,
        observers,
        &plan,
        together,
        report,
    )
    .await?;
    shutdown.begin()?;
    let checkpoint = Checkpoint::new(state_file, state);
    let monitor = monitor.clone();
    let applier = Applier::new(
        writer, source, deliveries, letters, checkpoint, monitor, &plan,
    );
    let applier = applier.beside(together);
    let code = outcome::run(applier, &plan, &target, report, shutdown).await?;
    if code == ExitCode::Done && plan.share.is_some() {
        outcome::ensure_none_refused(refused_before, &plan)?;
    }
    Ok(code)
}

/// Reports with which documents those of this run are not compared.
fn note_what_is_compared(is_resumed: bool, plan: &ReplayPlan, report: &Report) {
    let others = match (&plan.share, is_resumed) {
        (Some(_), _) => "not with those that other shares or earlier runs write",
        (None, true) => "not with those that earlier runs wrote",
        (None, false) => return,
    };
    report.notice(&format!(
        "documents are compared with those of this run only, {others} (--id-collisions)"
    ));
}

/// Reports that the rest of a time to live means nothing in a target where nothing expires.
pub(super) fn note_lifetimes(target: &CosmosClient, plan: &ReplayPlan, report: &Report) {
    let is_off = || {
        let definition = target.definition();
        definition.is_ok_and(|definition| definition.default_ttl() == DefaultTtl::Off)
    };
    if plan.ttl == Ttl::Remaining && is_off() {
        report.warning(
            "the target has no default time to live, so nothing expires there, whatever its `ttl` is: set \
             `defaultTtl` to -1 to have documents expire by their own",
        );
    }
}

/// Has the monitor observe the ranges of a feed, if there is one, and what is applied.
fn watch(
    plan: &ReplayPlan,
    feed: Option<&FeedState>,
    monitor: &Monitor,
) -> Option<Box<dyn Observer>> {
    let (mode, from) = match (feed, &plan.feed) {
        (Some(feed), _) => (feed.mode, feed.from),
        (None, Some(feed)) => (feed.mode, feed.from),
        (None, None) => (FeedMode::LatestVersion, ChangeFeedStart::Beginning),
    };
    let begun = Begun {
        follows: plan.feed.as_ref().is_some_and(|feed| feed.follow),
        commits: plan.state.is_some(),
        has_ranges: plan.feed.is_some(),
        is_scoped: false,
        // The ranges without a position are those of the snapshot.
        from_beginning: from == ChangeFeedStart::Beginning
            || plan.feed.as_ref().is_some_and(|feed| feed.snapshot),
        applies: true,
        commits_within: plan.checkpoint_interval,
    };
    monitor.begin(mode, begun)
}

/// Refuses a file for dead letters that is the state too.
/// The place of refused changes, as a state knows it. In a rehearsal nothing is written.
///
/// # Errors
///
/// If it cannot be one, or any error of the system or of the store.
pub(super) fn open_letters(
    plan: &ReplayPlan,
    found: Option<&ReplayState>,
    is_rehearsal: bool,
    report: &Report,
) -> Result<DeadLetters> {
    let known = found.and_then(|state| state.letter_objects.as_ref());
    match &plan.dead_letter {
        Some(Location::Objects(place)) => {
            let objects = LetterObjects::open(place, known, is_rehearsal, report)?;
            Ok(DeadLetters::of_objects((!is_rehearsal).then_some(objects)))
        }
        place => {
            if let Some(known) = known.filter(|_| !is_rehearsal) {
                letter_objects::close_elsewhere(known, report);
            }
            let path = place.as_ref().and_then(Location::path);
            let committed = found.and_then(|state| state.dead_letters);
            DeadLetters::open(path, committed, is_rehearsal, report)
        }
    }
}

fn refuse_two_uses(dead_letters: &Path, state: Option<&Path>) -> Result<()> {
    let is_one =
        state.is_some_and(|state| state == dead_letters || is_same_file(state, dead_letters));
    if !is_one {
        return Ok(());
    }
    Err(usage(
        format!(
            "`{}` cannot be both the state and the file of dead letters",
            shown_path(&dead_letters)
        ),
        "name another file for --dead-letter",
    ))
}

/// Whether documents of the source can become one item of the target, as far as known.
pub(super) fn compares_documents(
    source: &ReplaySource,
    key_paths: &[String],
    plan: &ReplayPlan,
) -> bool {
    plan.transform.is_some() || source.has_another_key(key_paths)
}

/// The state of a replay that begins.
pub(super) fn first_state(target: &ContainerAddress, plan: &ReplayPlan) -> ReplayState {
    let program = plan.transform.as_ref();
    ReplayState {
        generation: 0,
        began: own_writes::now(),
        target: target.clone(),
        write_mode: plan.write_mode,
        ttl_deletes: plan.ttl_deletes,
        ttl: plan.ttl,
        transform: program.map(|program| program.text().to_owned()),
        inputs: Vec::new(),
        position: InputPosition::default(),
        feed: None,
        dead_letters: None,
        letter_objects: None,
        changes: 0,
        refused: 0,
    }
}

/// Begins to read the source where `state` says. A feed that is read for the first time gets its ranges
/// in the state.
async fn begin_reading(
    source: &ReplaySource,
    state: &mut ReplayState,
    target: &Arc<ItemSender>,
    mut observers: Vec<Box<dyn Observer>>,
    plan: &ReplayPlan,
    together: &Together,
    report: &Arc<Report>,
) -> Result<mpsc::Receiver<Result<Delivery>>> {
    let key_paths = target.key_paths.iter();
    let key_paths = key_paths.map(|path| parse_key_path(path)).collect();
    let interpreter = Interpreter::new(key_paths, plan);
    match source {
        ReplaySource::Files(files) => Ok(file_reader::read(
            Arc::clone(&files.inputs),
            state.position,
            interpreter,
        )),
        ReplaySource::Container {
            connected,
            plan: feed,
            ..
        } => {
            let from = match (state.feed.take(), &plan.share) {
                (Some(from), _) => from,
                (None, Some(share)) => container::state_of_share(connected, feed, share).await?,
                (None, None) => container::first_state(connected, feed).await?,
            };
            state.feed = Some(from.clone());
            let retention = retention::report(connected, from.mode, &from.ranges, report);
            if from.mode == FeedMode::AllVersionsAndDeletes {
                observers.push(Box::new(SnapshotNotices::new(
                    Arc::clone(report),
                    &from.ranges,
                    retention,
                )));
            }
            let paths = connected.client.partition_key_paths();
            let default = connected.client.definition();
            let default = default.map_or(DefaultTtl::Unknown, |known| known.default_ttl());
            let interpreter = interpreter.of_container(&paths, default);
            let reading = FeedReading {
                connected: connected.clone(),
                observers: Observers::new(observers),
                from,
                line: state.position.mark.line,
                window: plan.checkpoint_changes,
                follow: feed.follow,
                together: together.clone(),
            };
            Ok(container::read(reading, interpreter, Arc::clone(target)))
        }
    }
}
