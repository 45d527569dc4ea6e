//! What a person can type: the clap definition and nothing else.
//!
//! Help texts, completions and man pages are all made from the types here. Nothing in this module
//! reads a file, an environment variable or the network; [`crate::settings`] resolves what was typed
//! into a job.

mod columns;
mod replay;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

pub use replay::{
    PositionArgs, RefusalArgs, ReplayArgs, TtlDeletes, WRITES_RANGE, WriteArgs, WriteMode,
};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub use columns::{ColumnArgs, SchemaArgs, SchemaSource, SchemaSourceArgs, SystemFields};

/// The exit codes, as `--help` and the man page print them.
///
/// The values themselves stand in [`crate::error::ExitCode`].
pub const EXIT_CODES_HELP: &str = "\
Exit codes:
  0    done
  1    failed, nothing to resume
  2    usage: what was typed cannot be carried out
  3    stopped early, resumable: what was committed is kept, and `resume` goes on
  130  interrupted by Ctrl-C, resumable
  143  terminated by SIGTERM, resumable";

/// How many ranges can be asked to be read at the same time.
pub const CONCURRENCY_RANGE: RangeInclusive<i64> = 1..=4096;
/// The numbers that the throughput buckets of a container have.
pub const BUCKET_RANGE: RangeInclusive<i64> = 1..=5;
/// How many documents can be asked for in one page.
pub const PAGE_SIZE_RANGE: RangeInclusive<i64> = 1..=1_000_000;

const EXAMPLES: &str = "\
Examples:
  cosmos-tail --demo export -o orders/          try it on an embedded account
  cosmos-tail tail -d shop -c orders            watch changes as they happen
  cosmos-tail ranges -d shop -c orders          list the feed ranges of a container
  cosmos-tail export -d shop -c orders -o out/  export a container, in parallel
  cosmos-tail resume --state out/state.json     go on after a crash, or read what came since
  cosmos-tail verify out/                       check what an export has left";

/// Export and replay the change feed of Azure Cosmos DB.
#[derive(Debug, Parser)]
#[command(
    name = "cosmos-tail",
    version,
    about = "Export and replay the change feed of Azure Cosmos DB",
    long_about = "Export and replay the change feed of Azure Cosmos DB (NoSQL API).\n\n\
        Reads every range of a container in parallel and commits what it wrote together with \
        where it stood, so that a crash loses no change and repeats none.",
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES_HELP}"),
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Which account and container.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// What is said on standard error.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the feed ranges of a container
    Ranges(RangesArgs),
    /// Watch the changes of a container as they happen
    Tail(TailArgs),
    /// Export the change feed of a container to files
    Export(ExportArgs),
    /// Print the columns that an export to CSV or Parquet would infer
    Schema(SchemaArgs),
    /// Go on with an export: after a crash, or to read what came since it was finished
    Resume(ResumeArgs),
    /// Check an export against its own manifest and state, without reaching the service
    Verify(VerifyArgs),
    /// Put exported changes back into a container
    Replay(ReplayArgs),
    /// Keep an embedded account running, to try things on
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// List the profiles of the configuration file, without their secrets
    Profiles(ProfilesArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
}

/// The account and the container, for every subcommand. Only what was typed: environment and
/// profile are looked up by [`crate::settings`], which remembers where each value came from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// Profile of the configuration file that says what flags and environment do not
    /// [env: COSMOS_TAIL_PROFILE]
    ///
    /// The file is `cosmos-tail/config.toml` in the configuration directory, or what
    /// COSMOS_TAIL_CONFIG names; `profiles` lists what it holds. With `resume` the profile says only
    /// how to prove who you are.
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,

    /// Endpoint of the account, or `emulator` for the local emulator's well-known address and key
    /// [env: AZURE_COSMOS_ENDPOINT]
    ///
    /// For example `https://NAME.documents.azure.com:443/`. Plain http is accepted for loopback
    /// addresses only.
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint: Option<String>,

    /// Name of the database [env: AZURE_COSMOS_DATABASE]
    #[arg(short = 'd', long, global = true, value_name = "NAME")]
    pub database: Option<String>,

    /// Name of the container [env: AZURE_COSMOS_CONTAINER]
    #[arg(short = 'c', long, global = true, value_name = "NAME")]
    pub container: Option<String>,

    /// How to prove who you are [default: auto]
    ///
    /// `auto` takes an account key if one is given (AZURE_COSMOS_KEY, --key-file,
    /// AZURE_COSMOS_CONNECTION_STRING or a profile), otherwise an Entra ID credential; -v says
    /// which.
    #[arg(long, global = true, value_enum, value_name = "METHOD")]
    pub auth: Option<AuthMethod>,

    /// File that holds the account key; `-` reads it from standard input
    ///
    /// A key is never taken from the command line, where every user of the machine could read it.
    #[arg(long, global = true, value_name = "PATH")]
    pub key_file: Option<PathBuf>,

    /// Priority of all requests, in accounts with priority-based execution
    ///
    /// When a container has more requests than throughput, those of low priority are throttled first.
    #[arg(long, global = true, value_enum, value_name = "LEVEL")]
    pub priority: Option<Priority>,

    /// Throughput bucket of the container that all requests draw on, 1 to 5, in containers that have
    /// such
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(BUCKET_RANGE))]
    pub throughput_bucket: Option<u32>,

    /// Use an account embedded in this process: database `shop`, container `orders`; `replay` writes
    /// to `orders_copy`
    #[cfg(feature = "demo")]
    #[arg(long, global = true)]
    pub demo: bool,
}

/// The priorities of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Priority {
    /// Throttled last
    High,
    /// Throttled first
    Low,
}

/// The ways to prove who you are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMethod {
    /// An account key if one is given, otherwise an Entra ID credential
    Auto,
    /// The account key
    Key,
    /// The signed-in user of the Azure CLI (`az login`)
    Cli,
    /// The managed identity of this Azure resource
    ManagedIdentity,
    /// The workload identity of this Kubernetes pod
    WorkloadIdentity,
    /// A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET
    Environment,
}

/// What is said on standard error.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct VerbosityArgs {
    /// Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Say nothing but errors: no progress, no summary
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// Arguments of `ranges`.
#[derive(Debug, Args)]
pub struct RangesArgs {
    /// How to print the ranges
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Aligned columns
    Table,
    /// One JSON array
    Json,
}

/// Arguments of `tail`.
#[derive(Debug, Args)]
#[command(after_long_help = EXIT_CODES_HELP)]
pub struct TailArgs {
    /// Where to start: `now` (the default), `beginning`, a time such as 2026-11-23T12:00:00Z, or an age
    /// such as 10m
    ///
    /// From now on, no change is missed that is made after the line "tailing … ranges" has
    /// appeared. Times are the service's, in whole seconds.
    #[arg(long, value_name = "WHERE", value_parser = crate::settings::parse_tail_start)]
    pub from: Option<crate::feed::ChangeFeedStart>,

    /// Stop after the changes made up to this time, or up to this age ago
    #[arg(long, value_name = "WHEN", value_parser = crate::settings::parse_time_or_age, conflicts_with = "until_caught_up")]
    pub until: Option<time::OffsetDateTime>,

    /// Stop once the service has nothing newer
    #[arg(long)]
    pub until_caught_up: bool,

    /// Stop after this many changes have been shown
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max: Option<u64>,

    /// Stop when nothing has changed for this long
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub idle_timeout: Option<Duration>,

    /// Which feed to read
    #[arg(long, value_enum, default_value_t = TailMode::Latest)]
    pub mode: TailMode,

    /// Only this partition key; again for each level of a hierarchical key
    ///
    /// Text, or JSON for a key that is no text: 42, true, null, or "42" for the text 42.
    #[arg(long, value_name = "VALUE")]
    pub partition_key: Vec<String>,

    /// Only this feed range: its number or its portable form, both from `ranges`; can be repeated
    #[arg(long, value_name = "N|TOKEN", conflicts_with = "partition_key")]
    pub range: Vec<String>,

    /// How a change is shown [default: json; with --mode all: envelope]
    #[arg(long, value_enum, value_name = "FORM")]
    pub format: Option<TailFormat>,

    /// Show only these fields, such as id,customer.name
    #[arg(long, value_name = "LIST", value_parser = crate::render::Fields::parse)]
    pub fields: Option<crate::render::Fields>,

    /// Show what this jq program makes of each change
    ///
    /// Its input is the document; with --format envelope, or --mode all, it is the envelope.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "fields")]
    pub jq: Option<String>,

    /// Whether to use colours; NO_COLOR switches them off too
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,

    /// Where to write; standard output if not given
    ///
    /// The file grows under its own name. Together with its state it holds every change exactly
    /// once, across restarts with the same options.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Keep the position in this file, and go on from there when started again
    ///
    /// It is saved after what was written has been flushed. To a pipe that means at least once:
    /// after a crash the changes of the pages that were not saved come again.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// How it is read
    #[command(flatten)]
    pub reader: ReaderArgs,

    /// Save the position at least this often [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub checkpoint_interval: Option<Duration>,
}

/// How `tail` shows a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TailFormat {
    /// The document on one line, byte for byte as the service sent it
    Json,
    /// The document, indented
    Pretty,
    /// One object per line: current, previous, metadata, and the number of the range
    Envelope,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl TailArgs {
    /// What is said of committing, in the form of the other subcommands.
    pub fn commit(&self) -> CommitArgs {
        CommitArgs {
            checkpoint_interval: self.checkpoint_interval,
            checkpoint_bytes: None,
            summary: SummaryFormat::Text,
        }
    }
}

/// Which feed `tail` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TailMode {
    /// The latest version of each document: no deletes, and no versions in between
    Latest,
    /// Every version and every delete; needs a container that keeps them
    All,
}

/// The formats of exported files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON document per line, byte for byte as the service sent it
    Jsonl,
    /// One row per line by RFC 4180, with a header in every file
    Csv,
    /// Typed columns, for DuckDB, Spark, pandas and polars
    Parquet,
}

/// Which feed `export` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportMode {
    /// The latest version of each document: no deletes, and no versions in between
    Latest,
    /// Every version and every delete, from now on; needs a container that keeps them
    All,
}

/// How far a range is read by an export that has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// Until the service has nothing newer, so that every document is in the files that existed
    /// throughout, even one that was rewritten meanwhile
    Head,
    /// Up to where the range was when the export began: documents that are rewritten before they are
    /// read are in the next resume
    Pin,
}

/// What the files are like.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub struct FileArgs {
    /// Format of the files [default: by the extension of the output, otherwise jsonl]
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,

    /// none, gzip, zstd, and for Parquet snappy and lz4; with a level: zstd:9
    /// [default: by the extension of the output; Parquet: snappy]
    #[arg(long, value_name = "CODEC[:LEVEL]", value_parser = crate::settings::parse_compression)]
    pub compression: Option<crate::format::Compression>,

    /// CSV: what stands between two cells: one ASCII character, or `tab` [default: ,]
    #[arg(long, value_name = "CHARACTER", value_parser = crate::settings::parse_delimiter)]
    pub delimiter: Option<char>,

    /// CSV: what a cell without a value holds [default: nothing]
    ///
    /// A value that looks the same goes to the column `_extra`, so that the two can be told apart.
    #[arg(long, value_name = "TEXT")]
    pub null: Option<String>,

    /// CSV: put a `'` before text that a spreadsheet would take for a formula; this alters data
    #[arg(long)]
    pub csv_safe: bool,
}

/// When a file is finished and the next one begun.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Files")]
pub struct RotationArgs {
    /// Finish a file that has reached this size, such as 1GiB, or `none`
    /// [default: none; Parquet: 128MiB]
    ///
    /// What is not finished of a Parquet file does not count: a crash reads it again.
    #[arg(long, value_name = "BYTES", value_parser = crate::settings::parse_bytes_or_none)]
    pub rotate_bytes: Option<u64>,

    /// Finish files at least this often, or `none` [default: none; Parquet: 10m]
    #[arg(long, value_name = "DURATION", value_parser = crate::settings::parse_duration_or_none)]
    pub rotate_interval: Option<Duration>,

    /// Parquet: finish a row group that takes this much memory [default: 16MiB]
    #[arg(long, value_name = "BYTES", value_parser = crate::settings::parse_bytes)]
    pub row_group_size: Option<u64>,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_long_help = EXIT_CODES_HELP)]
pub struct ExportArgs {
    /// Where to write: a directory, a file with the format's extension, or `-` for standard output
    ///
    /// A directory gets a series of part files for each range. Files carry their final name only
    /// once they are finished; until then they end in `.open`.
    #[arg(short, long, value_name = "PATH")]
    pub output: PathBuf,

    /// Where to start: `beginning`, `now`, or a time such as 2026-11-23T12:00:00Z
    /// [default: beginning; with --mode all: now]
    #[arg(long, value_name = "WHERE", value_parser = crate::settings::parse_start)]
    pub from: Option<crate::feed::ChangeFeedStart>,

    /// Which feed to read
    #[arg(long, value_enum, default_value_t = ExportMode::Latest)]
    pub mode: ExportMode,

    /// Go on with new changes until stopped, instead of ending once there is nothing newer
    #[arg(long)]
    pub follow: bool,

    /// How far to read each range [default: head; with --mode all: pin]
    #[arg(long, value_enum, value_name = "WHERE", conflicts_with = "follow")]
    pub until: Option<Until>,

    /// Replace output that an earlier export left
    #[arg(long)]
    pub force: bool,

    /// Where to keep the state file; beside the output if not given
    ///
    /// Without it an export to standard output keeps no state and cannot be resumed.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// What the files are like
    #[command(flatten)]
    pub files: FileArgs,

    /// Where the columns come from
    #[command(flatten)]
    pub schema: SchemaSourceArgs,

    /// What columns there are
    #[command(flatten)]
    pub columns: ColumnArgs,

    /// When a file is finished
    #[command(flatten)]
    pub rotation: RotationArgs,

    /// How it is read
    #[command(flatten)]
    pub reader: ReaderArgs,

    /// How it is committed
    #[command(flatten)]
    pub commit: CommitArgs,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
#[command(after_long_help = EXIT_CODES_HELP)]
pub struct ResumeArgs {
    /// The state file of the export
    #[arg(long, value_name = "FILE")]
    pub state: PathBuf,

    /// Go on with new changes until stopped; what the export was started with if not given
    #[arg(long)]
    pub follow: bool,

    /// Read the rest of an export that was started with --follow, and end
    #[arg(long, conflicts_with = "follow")]
    pub no_follow: bool,

    /// How far to read each range; what the export was started with if not given
    #[arg(long, value_enum, value_name = "WHERE", conflicts_with = "follow")]
    pub until: Option<Until>,

    /// Throw away open files that do not match the state, and read their ranges again
    ///
    /// Without it such a file is an error that names it. Finished files are never touched.
    #[arg(long)]
    pub repair: bool,

    /// When a file is finished
    #[command(flatten)]
    pub rotation: RotationArgs,

    /// How it is read
    #[command(flatten)]
    pub reader: ReaderArgs,

    /// How it is committed
    #[command(flatten)]
    pub commit: CommitArgs,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  nothing is wrong
  1  something is; standard output lists what
  2  there is no export, or it is being written")]
pub struct VerifyArgs {
    /// What to check: the directory or the file of an export, or its state file
    ///
    /// Checked are that finished files are what the manifest says, to the byte and to the row; that
    /// state and manifest tell the same; that the files hold each span of the feed once and the
    /// ranges make up the container; and that no file is left over. Nothing is changed.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,

    /// Take for wrong what has an explanation too: finished files that were moved away, and what an
    /// export that was interrupted left for `resume`
    #[arg(long)]
    pub strict: bool,

    /// How to print what was found
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub format: SummaryFormat,
}

/// How the feed is read. What is not given keeps its default, or on `resume` what the state says.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reading")]
pub struct ReaderArgs {
    /// Ranges read at the same time [default: by the number of ranges and cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(CONCURRENCY_RANGE))]
    pub concurrency: Option<u32>,

    /// Documents asked for in one page [default: 1000]
    ///
    /// A hint: a transaction is never cut, and the service ends a page at about 4 MB.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(PAGE_SIZE_RANGE))]
    pub page_size: Option<u32>,

    /// How often a page is tried again, beyond the SDK's own tries, before its range is given up
    /// [default: 15]
    #[arg(long, value_name = "N")]
    pub max_retries: Option<u32>,

    /// How long a range that has nothing new is left alone, with --follow [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub poll_interval: Option<Duration>,
}

/// How often progress is committed, and how the end is told.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Committing")]
pub struct CommitArgs {
    /// Commit at least this often; a crash repeats no more work than that [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub checkpoint_interval: Option<Duration>,

    /// Commit after this many bytes, such as 64MiB [default: 256MiB]
    #[arg(long, value_name = "BYTES", value_parser = crate::settings::parse_bytes)]
    pub checkpoint_bytes: Option<u64>,

    /// How to print the summary at the end, on standard error
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub summary: SummaryFormat,
}

/// How the summary at the end is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object on one line, for scripts
    Json,
}

/// Arguments of `demo`.
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
#[command(after_help = "\
Prints `export AZURE_COSMOS_…=…` lines as soon as the account is ready:

  cosmos-tail demo > demo.env &
  until [ -s demo.env ]; do sleep 0.1; done
  eval \"$(cat demo.env)\"
  cosmos-tail export --follow -o orders/

Lines on standard input command it: `split`, `split ID`, `merge ID ID`, `quit`.")]
pub struct DemoArgs {
    /// Port on the loopback address; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,

    /// Documents in the container at the start
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub documents: u32,

    /// Physical partitions at the start
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub partitions: u32,

    /// Writes a second: creates, replaces and deletes
    #[arg(long, value_name = "RATE", default_value_t = 5.0)]
    pub writes_per_second: f64,

    /// Split the largest partition again and again, this often
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub split_every: Option<Duration>,
}

/// Arguments of `profiles`.
#[derive(Debug, Args)]
pub struct ProfilesArgs {
    /// How to print the profiles
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// The clap definition, for what is generated from it.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
    }
}
