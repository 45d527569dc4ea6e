//! What a replay does, resolved and validated.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use super::endpoint::check_name;
use super::export::ensure_snapshot;
use super::feed_start::feed_start;
use super::given::Given;
use super::output_name::ensure_json_lines;
use super::replayed_share::ReplayedShare;
use super::share::SharePlan;
use super::table;
use crate::cli::choices::{IdCollisions, MissingKey, Ttl, TtlDeletes, WriteMode};
use crate::cli::location::Location;
use crate::cli::values::Speed;
use crate::cosmos::container::NewContainer;
use crate::cosmos::definition::MAX_LEVELS;
use crate::cosmos::max_ru::MaxRu;
use crate::cosmos::retry::RetryLimit;
use crate::destination::Output;
use crate::error::usage;
use crate::feed::{ChangeFeedStart, FeedMode, RecordForm};
use crate::render::Filter;
use crate::report::SummaryFormat;
use crate::source::CsvReading;

/// Throughput is a multiple of this many RU/s.
const THROUGHPUT_STEP: u64 = 100;

/// What a replay does.
#[derive(Debug)]
pub struct ReplayPlan {
    /// The files, directories and streams, as typed.
    pub sources: Vec<Location>,
    /// What the sources hold that do not say so themselves.
    pub input: Option<RecordForm>,
    /// How CSV is read that no export wrote.
    pub csv: CsvReading,
    /// The container whose feed is the source, if it is one.
    pub feed: Option<FeedPlan>,
    /// The share of a plan that is read of it, if it is not all of it.
    pub share: Option<ReplayedShare>,
    /// How its ranges are shared with other instances, if they are.
    pub shared: Option<SharePlan>,
    /// Whether to write nothing.
    pub dry_run: bool,
    /// Which changes to replay, by their time.
    pub window: TimeWindow,
    /// How fast changes follow each other.
    pub speed: Speed,
    /// The program that transforms documents before they are written.
    pub transform: Option<Filter>,
    /// The container to create if it does not exist.
    pub create: Option<Creation>,
    /// How documents are written whose id exists already.
    pub write_mode: WriteMode,
    /// Whether deletions by time to live are applied.
    pub ttl_deletes: TtlDeletes,
    /// What becomes of the time to live of documents.
    pub ttl: Ttl,
    /// Whether documents without a value at the target's partition key are written. If it is not given, they
    /// are, unless the target seems to be the wrong one.
    pub missing_key: Option<MissingKey>,
    /// Whether a document may replace another one of the source that becomes the same item, if it is given.
    pub id_collisions: Option<IdCollisions>,
    /// Writes in flight at the same time.
    pub concurrency: usize,
    /// Maximum number of documents upserted in one request.
    pub batch_size: usize,
    /// The budget in RU/s, if there is one.
    pub max_ru: Option<MaxRu>,
    /// How often a failed write is retried.
    pub retry_limit: RetryLimit,
    /// Where refused changes go.
    pub dead_letter: Option<Location>,
    /// How many changes can be refused; `None` is any number.
    pub max_errors: Option<u64>,
    /// Whether the accounts of the state may have other addresses than before.
    pub account_moved: bool,
    /// Where to keep the position, if anywhere.
    pub state: Option<PathBuf>,
    /// The maximum time between two commits.
    pub checkpoint_interval: Duration,
    /// The maximum number of changes beyond the saved position.
    pub checkpoint_changes: u64,
    /// How to print the summary.
    pub summary: SummaryFormat,
}

/// A container to be created, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// The paths of its partition key; none if it is made by the definition of the source.
    pub partition_key: Vec<String>,
    /// Its throughput in RU/s; `None` is the account's default.
    pub throughput: Option<u64>,
}

impl Creation {
    /// A container with the typed partition key and nothing else; none if none was typed.
    pub fn plain(&self) -> Option<NewContainer> {
        let is_typed = !self.partition_key.is_empty();
        is_typed.then(|| NewContainer {
            partition_key: self.partition_key.clone(),
            throughput: self.throughput,
            template: None,
        })
    }
}

/// The feed of a container as the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPlan {
    /// Its database.
    pub database: String,
    /// Its name.
    pub container: String,
    /// The profile of its account; `None` is the account of the target.
    pub profile: Option<String>,
    /// Which feed is read.
    pub mode: FeedMode,
    /// Whether all documents are read first, before the changes from now on.
    pub snapshot: bool,
    /// Where reading starts.
    pub from: ChangeFeedStart,
    /// Whether to keep reading until stopped.
    pub follow: bool,
}

/// A span of time, in whole seconds since 1970; both ends are included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeWindow {
    since: Option<i64>,
    until: Option<i64>,
}

impl TimeWindow {
    /// Whether every time is in it.
    pub fn is_unbounded(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it holds this time.
    pub fn holds(&self, seconds: i64) -> bool {
        self.since.is_none_or(|since| since <= seconds)
            && self.until.is_none_or(|until| seconds <= until)
    }
}

impl ReplayPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If it contradicts itself, or a path cannot be made absolute.
    pub fn new(given: &Given) -> Result<Self> {
        let sources = given.list(&table::SOURCES);
        let from_container = given.typed(&table::FROM_CONTAINER);
        let share = ReplayedShare::new(given)?;
        let state = match &share {
            Some(share) => share.state_path(),
            None => given.typed(&table::POSITION),
        };
        let dry_run = given.is_on(&table::DRY_RUN);
        let profile = given.typed(&table::SOURCE_PROFILE);
        if profile.is_some() && from_container.is_none() && share.is_none() {
            return Err(usage(
                "--source-profile is the account of a container that is read, and this replay reads files",
                "leave it out, or name the container: --from-container DATABASE/CONTAINER",
            ));
        }
        if share.is_some() && !sources.is_empty() {
            return Err(usage(
                "files and --plan are two sources",
                "replay one after the other, each with its own --state",
            ));
        }
        if from_container.is_some() && !sources.is_empty() {
            return Err(usage(
                "files and --from-container are two sources",
                "replay one after the other, each with its own --state",
            ));
        }
        let reads_standard_input = sources.iter().any(Location::is_standard_stream);
        if state.is_some() && reads_standard_input {
            return Err(usage(
                "a replay of standard input cannot be resumed: what was read of it is gone",
                "leave --state out, or write the changes to a file and replay that",
            ));
        }
        if state.is_some() && dry_run {
            return Err(usage(
                "a dry run applies nothing, so it has no position to keep",
                "leave --state or --dry-run out",
            ));
        }
        let dead_letter = match given.typed(&table::DEAD_LETTER) {
            Some(place) => Some(place_of_letters(place, share.as_ref())?),
            None => None,
        };
        let max_errors = match given.typed(&table::MAX_ERRORS) {
            Some(max) => Some(max),
            None if dead_letter.is_some() || dry_run => None,
            None => Some(0),
        };
        Ok(Self {
            sources,
            input: given.typed(&table::INPUT).map(RecordForm::from),
            csv: CsvReading {
                delimiter: given.typed(&table::SOURCE_DELIMITER),
                types: given.typed(&table::SOURCE_TYPES),
            },
            feed: match (&share, from_container) {
                (Some(share), _) => Some(feed_of_share(share, profile)),
                (None, Some(name)) => Some(feed(given, &name)?),
                (None, None) => None,
            },
            share,
            shared: SharePlan::of_replay(given)?,
            dry_run,
            window: window(given)?,
            speed: given.get(&table::SPEED)?,
            transform: given
                .typed(&table::TRANSFORM)
                .map(|program| Filter::compile("--transform", &program))
                .transpose()?,
            create: given
                .is_on(&table::CREATE)
                .then(|| creation(given))
                .transpose()?,
            write_mode: given.get(&table::WRITE_MODE)?,
            ttl_deletes: given.get(&table::TTL_DELETES)?,
            ttl: given.get(&table::TTL)?,
            missing_key: given.typed(&table::MISSING_KEY),
            id_collisions: given.typed(&table::ID_COLLISIONS),
            concurrency: given.get(&table::WRITES)? as usize,
            batch_size: given.get(&table::BATCH_SIZE)? as usize,
            max_ru: given.typed(&table::MAX_RU),
            retry_limit: given.get(&table::WRITE_RETRIES)?.into(),
            dead_letter,
            max_errors,
            account_moved: given.is_on(&table::ACCOUNT_MOVED),
            state: state.map(absolute).transpose()?,
            checkpoint_interval: given.get(&table::POSITION_INTERVAL)?,
            checkpoint_changes: given.get(&table::CHECKPOINT_CHANGES)?.into(),
            summary: given.get(&table::REPLAY_SUMMARY)?,
        })
    }
}

fn absolute(path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path).with_context(|| format!("cannot use `{}`", path.display()))
}

/// Where the dead letters go. Shares have a file each; objects have names of their own.
fn place_of_letters(place: Location, share: Option<&ReplayedShare>) -> Result<Location> {
    let path = match place {
        Location::Local(path) => path,
        Location::Objects(address) if address.object().ends_with(".jsonl") => {
            return Err(usage(
                format!(
                    "`{}` would be one object, which cannot grow",
                    address.object()
                ),
                "name a path for --dead-letter, such as az://CONTAINER/letters/: each commit with dead letters has an \
                 object of its own there",
            ));
        }
        other => return Ok(other),
    };
    let path = share.map_or_else(|| path.clone(), |share| share.own(&path));
    if !path.exists() {
        ensure_json_lines(
            &path,
            "dead letters are",
            "they can be replayed once the cause is fixed",
        )?;
    }
    absolute(path).map(Location::Local)
}

/// The feed that a share of a plan is of. The account is the one of the target, or that of a profile.
fn feed_of_share(share: &ReplayedShare, profile: Option<String>) -> FeedPlan {
    let options = share.file.options.frozen(Output::StandardOutput);
    FeedPlan {
        database: share.file.source.database.clone(),
        container: share.file.source.container.clone(),
        profile,
        mode: options.mode,
        snapshot: false,
        from: options.from,
        follow: false,
    }
}

/// The database and the container that `--from-container` names.
pub(super) fn container_named(name: &str) -> Result<(String, String)> {
    let (database, container) = name.split_once('/').ok_or_else(|| {
        usage(
            format!("`{name}` has no database"),
            "use --from-container DATABASE/CONTAINER, such as shop/orders",
        )
    })?;
    Ok((
        check_name("database", database)?,
        check_name("container", container)?,
    ))
}

fn feed(given: &Given, name: &str) -> Result<FeedPlan> {
    let (database, container) = container_named(name)?;
    let mode = given.get(&table::REPLAY_MODE)?;
    let snapshot = given.is_on(&table::REPLAY_SNAPSHOT);
    if snapshot {
        ensure_snapshot(mode, given.is_typed(&table::REPLAY_FROM.row))?;
    }
    let (mode, from) = feed_start(mode, given.typed(&table::REPLAY_FROM))?;
    Ok(FeedPlan {
        database,
        container,
        profile: given.typed(&table::SOURCE_PROFILE),
        mode,
        snapshot,
        from,
        follow: given.is_on(&table::REPLAY_FOLLOW),
    })
}

fn window(given: &Given) -> Result<TimeWindow> {
    let since = given.typed(&table::SINCE);
    let until = given.typed(&table::REPLAY_UNTIL);
    if since.zip(until).is_some_and(|(since, until)| until < since) {
        return Err(usage(
            "--until is before --since: there can be no changes between them",
            "give the earlier time to --since",
        ));
    }
    Ok(TimeWindow {
        // A second that has started before it is not included.
        since: since.map(|since| {
            let started = since.unix_timestamp();
            started + i64::from(since.nanosecond() > 0)
        }),
        until: until.map(time::OffsetDateTime::unix_timestamp),
    })
}

fn creation(given: &Given) -> Result<Creation> {
    let paths = given.list(&table::PARTITION_KEY_PATHS);
    if paths.len() > MAX_LEVELS {
        return Err(usage(
            format!("a partition key has at most {MAX_LEVELS} levels"),
            "give --partition-key once for each level",
        ));
    }
    let is_path = |path: &&String| path.len() > 1 && path.starts_with('/') && !path.ends_with('/');
    if let Some(wrong) = paths.iter().find(|path| !is_path(path)) {
        return Err(usage(
            format!("`{wrong}` is not the path of a partition key"),
            "it starts with a slash and names a property, such as /customerId or /address/city",
        ));
    }
    let throughput = given.typed(&table::THROUGHPUT);
    if throughput.is_some_and(|throughput| throughput % THROUGHPUT_STEP != 0) {
        return Err(usage(
            format!("the service sells throughput in steps of {THROUGHPUT_STEP} RU/s"),
            "give --throughput a multiple of it",
        ));
    }
    Ok(Creation {
        partition_key: paths,
        throughput,
    })
}
