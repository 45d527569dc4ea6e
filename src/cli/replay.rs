//! What can be typed after `replay`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::{EXIT_CODES_HELP, ExportMode, SummaryFormat};

/// How many writes can be asked to be under way at the same time.
pub const WRITES_RANGE: RangeInclusive<i64> = 1..=1024;

/// How many documents the service takes in one request.
const BATCH_RANGE: RangeInclusive<i64> = 1..=100;

const EXAMPLES: &str = "\
Examples:
  cosmos-tail replay orders/ -d shop -c orders_copy     what an export wrote, into another container
  cosmos-tail replay orders/ -d shop -c orders_copy --create --partition-key /customerId
  cosmos-tail replay - -d shop -c orders < docs.jsonl   documents from anywhere
  cosmos-tail replay --from-container shop/orders -d shop -c orders_copy    a container, by its feed
  cosmos-tail replay orders/ -d shop -c orders --dry-run    what would happen, without a write
  cosmos-tail replay orders/ -d shop -c masked --transform 'del(.email)'    without the addresses
  cosmos-tail replay changes.jsonl --stdout             the changes as they would be written";

/// Arguments of `replay`.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES_HELP}"),
    long_about = "Put exported changes back into a container.\n\n\
        The container is the one that -d and -c name. Changes of one partition key are applied in \
        the order of the source, those of different keys in parallel. Applying the same source \
        twice leaves the same documents. System fields (_rid, _self, _etag, _attachments, _ts, \
        _lsn) are left out; everything else is written as it stands in the source, to the letter."
)]
pub struct ReplayArgs {
    /// Where the changes come from: directories that `export` wrote, files of theirs, JSON lines from
    /// anywhere, or `-` for standard input
    ///
    /// A directory is read in the order of its manifest, several sources one after the other. A
    /// line is a document, or the envelope {"current":…,"previous":…,"metadata":…} of a change;
    /// gzip, zstd and Parquet are recognized by what is in the file. What the columns of CSV are
    /// stands in the state of the export, which has to be in its place.
    #[arg(value_name = "SOURCE", required_unless_present = "from_container")]
    pub sources: Vec<PathBuf>,

    /// Write the changes to standard output instead of a container
    ///
    /// One per line: documents without their system fields, deletions in their envelope.
    #[arg(
        long,
        conflicts_with_all = [
            "create", "dry_run", "write_mode", "concurrency", "batch_size", "max_ru", "max_retries", "dead_letter",
            "max_errors", "state", "checkpoint_interval", "checkpoint_changes", "summary",
            "from_container", "source_profile", "from", "mode", "follow",
        ]
    )]
    pub stdout: bool,

    /// Say what would be created, replaced, deleted or left as it is, and write nothing
    ///
    /// Each change is compared with the target as it stands now, which costs a read.
    #[arg(long)]
    pub dry_run: bool,

    /// Only changes that were made at this time or later; or at this age or younger, such as 10m
    #[arg(long, value_name = "WHEN", value_parser = crate::settings::parse_time_or_age, conflicts_with = "state")]
    pub since: Option<time::OffsetDateTime>,

    /// Only changes that were made at this time or earlier, or at this age or older
    ///
    /// The time of a change is in its metadata, or it is the `_ts` of the document, in whole seconds;
    /// a change without one is refused.
    #[arg(long, value_name = "WHEN", value_parser = crate::settings::parse_time_or_age, conflicts_with = "state")]
    pub until: Option<time::OffsetDateTime>,

    /// How many times as fast as they were made changes follow each other: a number, or max
    ///
    /// With 1 a change is applied as long after the first one as it was made after it, by the clock of
    /// the source, in whole seconds; with 10 in a tenth of that time. One that was made before the first,
    /// or at a time that is not known, comes right after the one before it, and so does one that is late.
    /// Files are read one after the other, so ranges that changed at the same time follow each other.
    #[arg(long, value_name = "N", default_value = "max", value_parser = crate::settings::parse_speed, conflicts_with = "dry_run")]
    pub speed: crate::settings::Speed,

    /// Write what this jq program makes of each document
    ///
    /// The program sees the document as it stands in the source, with its system fields, and makes
    /// one object of it, which is written, or nothing (`empty`), which is counted as dropped; anything
    /// else is a refusal. Numbers that it passes on keep their text. Where a deletion is, there is no
    /// document: it is of the item that the program makes of an object with only the id and the
    /// partition key, or, if it makes none of that, of the item as it stands. Documents of all-versions
    /// feeds whose deletion would miss them are refused.
    #[arg(long, value_name = "PROGRAM")]
    pub transform: Option<String>,

    /// Create the target container if there is none
    #[arg(long, requires = "partition_key")]
    pub create: bool,

    /// Path of the new container's partition key, such as /customerId; again for each level of a
    /// hierarchical key
    #[arg(long, value_name = "PATH", requires = "create")]
    pub partition_key: Vec<String>,

    /// Throughput of the new container in RU/s; what the account gives by default if not given
    #[arg(long, value_name = "RU", requires = "create", value_parser = clap::value_parser!(u64).range(400..))]
    pub throughput: Option<u64>,

    /// The feed of a container as the source
    #[command(flatten)]
    pub feed: FeedArgs,

    /// How it is written
    #[command(flatten)]
    pub writing: WriteArgs,

    /// What happens to changes that cannot be applied
    #[command(flatten)]
    pub refusals: RefusalArgs,

    /// Where the position is kept
    #[command(flatten)]
    pub position: PositionArgs,

    /// How to print the summary at the end, on standard error
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub summary: SummaryFormat,
}

/// The feed of a container as the source.
#[derive(Debug, Args)]
#[command(next_help_heading = "From a container")]
pub struct FeedArgs {
    /// Replay the feed of this container instead of files, such as shop/orders
    ///
    /// It is in the account of the target, unless --source-profile says otherwise. The replay ends
    /// once the container has nothing newer.
    #[arg(long, value_name = "DATABASE/CONTAINER")]
    pub from_container: Option<String>,

    /// Profile of the account that --from-container is in
    ///
    /// Endpoint and credential are those of the profile alone: the flags and the AZURE_COSMOS_…
    /// variables for them are about the target.
    #[arg(long, value_name = "NAME", requires = "from_container")]
    pub source_profile: Option<String>,

    /// Where the feed starts: `beginning`, `now`, or a time such as 2026-11-23T12:00:00Z
    /// [default: beginning; with --mode all: now]
    #[arg(long, value_name = "WHERE", value_parser = crate::settings::parse_start, requires = "from_container")]
    pub from: Option<crate::feed::ChangeFeedStart>,

    /// Which feed to read
    #[arg(long, value_enum, default_value_t = ExportMode::Latest, requires = "from_container")]
    pub mode: ExportMode,

    /// Go on with new changes until stopped; it is told when all that was there is applied
    #[arg(long, requires = "from_container")]
    pub follow: bool,
}

/// How changes are written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Writing")]
pub struct WriteArgs {
    /// What happens to a document whose id is there already
    #[arg(long, value_enum, value_name = "MODE", default_value_t = WriteMode::Upsert)]
    pub write_mode: WriteMode,

    /// Whether deletions by time to live are applied
    #[arg(long, value_enum, value_name = "CHOICE", default_value_t = TtlDeletes::Apply)]
    pub ttl_deletes: TtlDeletes,

    /// Writes that are under way at the same time, each of another partition key
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(WRITES_RANGE))]
    pub concurrency: u32,

    /// Documents of one partition key that are upserted in one request at most; 1 for each in its own
    ///
    /// Those that wait for their turn go together, in a transaction: all of them or none. If the
    /// service does not take them together, each is written on its own.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(BATCH_RANGE))]
    pub batch_size: u32,

    /// Use no more than this many RU/s, measured by what the service charges; for reading the source
    /// too, if it is a container
    ///
    /// Throttling by the service (429) slows the writing down with and without it.
    #[arg(long, value_name = "RU", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_ru: Option<u32>,

    /// How often a write is tried again after an error of the service or the network
    ///
    /// Throttled writes (429) are tried until they succeed.
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub max_retries: u32,
}

/// What happens to changes that cannot be applied.
#[derive(Debug, Args)]
#[command(next_help_heading = "Refusals")]
pub struct RefusalArgs {
    /// Append changes that cannot be applied to this file, with the reason, and go on
    ///
    /// One JSON object per line: reason, origin, and the change as `current`, `previous` and
    /// `metadata`, so that the file can be replayed when the reason is gone.
    #[arg(long, value_name = "FILE")]
    pub dead_letter: Option<PathBuf>,

    /// Stop when more changes than this could not be applied
    /// [default: 0; with --dead-letter: no limit]
    #[arg(long, value_name = "N")]
    pub max_errors: Option<u64>,
}

/// Where the position is kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Committing")]
pub struct PositionArgs {
    /// Keep the position in this file, and go on from there when started again
    ///
    /// It is saved after the service has acknowledged the writes. After a crash the changes that
    /// were not saved are applied again, which leaves the same documents.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// Save the position at least this often
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "1s")]
    pub checkpoint_interval: Duration,

    /// Apply no more than this many changes beyond the saved position; a crash repeats no more, or
    /// twice as many of a container's feed
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub checkpoint_changes: u32,
}

/// What happens to a document whose id is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteMode {
    /// It is replaced
    Upsert,
    /// It stays: a different one is a refusal. Deletions are refused too
    Create,
    /// It is replaced or deleted if it is older than the change, by `_ts`
    Newer,
}

/// Whether deletions by time to live are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TtlDeletes {
    /// As other deletions
    Apply,
    /// No: the target lets its documents expire itself
    Skip,
}
