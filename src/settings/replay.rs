//! What a replay is to do, resolved and validated.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cli::{ReplayArgs, SummaryFormat, TtlDeletes, WriteMode};
use crate::cosmos::container::NewContainer;
use crate::error::usage;
use crate::feed::{ChangeFeedStart, FeedMode};
use crate::render::Filter;
use crate::settings::connection::check_name;
use crate::settings::job::feed_start;

/// The most levels that a partition key has.
const MAX_LEVELS: usize = 3;

/// What a replay is to do.
#[derive(Debug)]
pub struct ReplayPlan {
    /// The files, directories and streams, as they were named.
    pub sources: Vec<PathBuf>,
    /// The container whose feed is the source, if it is one.
    pub feed: Option<FeedPlan>,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// Which changes are meant, by their time.
    pub window: TimeWindow,
    /// How fast changes follow each other.
    pub speed: Speed,
    /// What documents go through before they are written.
    pub transform: Option<Filter>,
    /// The container to be created if there is none.
    pub create: Option<NewContainer>,
    /// What happens to documents whose id is there already.
    pub write_mode: WriteMode,
    /// Whether deletions by time to live are applied.
    pub ttl_deletes: TtlDeletes,
    /// Writes under way at the same time.
    pub concurrency: usize,
    /// Most documents that are upserted in one request.
    pub batch_size: usize,
    /// The budget in RU/s.
    pub max_ru: Option<u32>,
    /// Further tries of a write that failed.
    pub max_retries: u32,
    /// Where refused changes go.
    pub dead_letter: Option<PathBuf>,
    /// How many changes may be refused.
    pub max_errors: u64,
    /// Where the position is kept.
    pub state: Option<PathBuf>,
    /// The longest time between two commits.
    pub checkpoint_interval: Duration,
    /// The most changes beyond the saved position.
    pub checkpoint_changes: u64,
    /// How the summary is printed.
    pub summary: SummaryFormat,
}

/// A container's feed as the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPlan {
    /// Its database.
    pub database: String,
    /// Its name.
    pub container: String,
    /// The profile that says in which account it is; that of the target if there is none.
    pub profile: Option<String>,
    /// Which feed is read.
    pub mode: FeedMode,
    /// From where.
    pub from: ChangeFeedStart,
    /// Whether it goes on until it is stopped.
    pub follow: bool,
}

/// How fast changes follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as it goes.
    Max,
    /// In their own time, so many times as fast; positive and finite.
    Times(f64),
}

/// A span of time, in whole seconds since 1970; both ends are in it.
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
    /// Resolves what was typed.
    ///
    /// # Errors
    ///
    /// If it contradicts itself, or a path cannot be made absolute.
    pub fn new(args: &ReplayArgs) -> Result<Self> {
        if args.feed.from_container.is_some() && !args.sources.is_empty() {
            return Err(usage(
                "files and --from-container are two sources",
                "replay one after the other, each with a --state of its own",
            ));
        }
        let reads_standard_input = args.sources.iter().any(|source| source == Path::new("-"));
        if args.position.state.is_some() && reads_standard_input {
            return Err(usage(
                "standard input cannot be gone on with: what was read of it is gone",
                "leave --state out, or write the changes to a file and replay that",
            ));
        }
        if args.position.state.is_some() && args.dry_run {
            return Err(usage(
                "a dry run applies nothing, so it has no position to keep",
                "leave --state or --dry-run out",
            ));
        }
        let absolute = |path: &PathBuf| {
            std::path::absolute(path).with_context(|| format!("cannot use `{}`", path.display()))
        };
        let unlimited = args.refusals.dead_letter.is_some() || args.dry_run;
        Ok(Self {
            sources: args.sources.clone(),
            feed: args
                .feed
                .from_container
                .as_deref()
                .map(|name| feed(args, name))
                .transpose()?,
            dry_run: args.dry_run,
            window: window(args)?,
            speed: args.speed,
            transform: args
                .transform
                .as_deref()
                .map(|program| Filter::compile("--transform", program))
                .transpose()?,
            create: args.create.then(|| new_container(args)).transpose()?,
            write_mode: args.writing.write_mode,
            ttl_deletes: args.writing.ttl_deletes,
            concurrency: usize::try_from(args.writing.concurrency).unwrap_or(usize::MAX),
            batch_size: usize::try_from(args.writing.batch_size).unwrap_or(1),
            max_ru: args.writing.max_ru,
            max_retries: args.writing.max_retries,
            dead_letter: args
                .refusals
                .dead_letter
                .as_ref()
                .map(absolute)
                .transpose()?,
            max_errors: args.refusals.max_errors.unwrap_or(match unlimited {
                true => u64::MAX,
                false => 0,
            }),
            state: args.position.state.as_ref().map(absolute).transpose()?,
            checkpoint_interval: args.position.checkpoint_interval,
            checkpoint_changes: args.position.checkpoint_changes.into(),
            summary: args.summary,
        })
    }
}

fn feed(args: &ReplayArgs, name: &str) -> Result<FeedPlan> {
    let (database, container) = name.split_once('/').ok_or_else(|| {
        usage(
            format!("`{name}` names no container"),
            "give --from-container the names of its database and its own, such as shop/orders",
        )
    })?;
    let (mode, from) = feed_start(args.feed.mode, args.feed.from)?;
    Ok(FeedPlan {
        database: check_name("database", database)?,
        container: check_name("container", container)?,
        profile: args.feed.source_profile.clone(),
        mode,
        from,
        follow: args.feed.follow,
    })
}

fn window(args: &ReplayArgs) -> Result<TimeWindow> {
    let (since, until) = (args.since, args.until);
    if since.zip(until).is_some_and(|(since, until)| until < since) {
        return Err(usage(
            "--until is before --since: no change can be made between them",
            "give the earlier time to --since",
        ));
    }
    Ok(TimeWindow {
        // A second that has begun before it is not in it.
        since: since.map(|since| {
            let begun = since.unix_timestamp();
            begun + i64::from(since.nanosecond() > 0)
        }),
        until: until.map(time::OffsetDateTime::unix_timestamp),
    })
}

fn new_container(args: &ReplayArgs) -> Result<NewContainer> {
    let paths = &args.partition_key;
    if paths.len() > MAX_LEVELS {
        return Err(usage(
            format!("a partition key has at most {MAX_LEVELS} levels"),
            "give --partition-key once for each",
        ));
    }
    let is_path = |path: &&String| path.len() > 1 && path.starts_with('/') && !path.ends_with('/');
    if let Some(wrong) = paths.iter().find(|path| !is_path(path)) {
        return Err(usage(
            format!("`{wrong}` is no path of a partition key"),
            "it begins with a slash and names a property, such as /customerId or /address/city",
        ));
    }
    Ok(NewContainer {
        partition_key: paths.clone(),
        throughput: args.throughput,
    })
}
