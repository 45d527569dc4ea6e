//! The command line: its commands, the choices that flags offer, and the parsers of their values.
//!
//! Nothing here reads a file, an environment variable or the network. The flags themselves are rows of
//! the table of settings (`settings::table`), which adds them to the commands declared here; the rest of their
//! help is in [`manual`].

pub mod choices;
pub mod location;
pub mod manual;
pub mod times;
pub mod tips;
pub mod values;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::version;

const REPLAY_ABOUT: &str = "\
Write exported changes to a container.

The target container is given by -d and -c. Changes to one partition key are applied in source order, \
changes to different keys in parallel. Applying the same source twice leaves the same documents. System \
fields (_rid, _self, _etag, _attachments, _ts, _lsn) are left out; everything else is written exactly as \
it is in the source.";

/// Export and replay the change feed of Azure Cosmos DB.
#[derive(Debug, Parser)]
#[command(
    name = "cosmos-tail",
    version = version::short(),
    long_version = version::long(),
    about = "Export and replay the change feed of Azure Cosmos DB",
    long_about = "Export and replay the change feed of Azure Cosmos DB (NoSQL API).\n\n\
        Reads all ranges of a container in parallel and commits its position together with the data it \
        wrote, so that a crash neither loses nor repeats a change.",
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// List the feed ranges of a container
    Ranges,
    /// Watch the changes of a container as they happen
    Tail,
    /// Export the change feed of a container to files
    Export,
    /// Print the columns that an export to CSV or Parquet would infer
    Schema,
    /// Continue an export: after a crash, or to read changes made since it finished
    Resume,
    /// Check an export against its own manifest and state, without contacting the service
    Verify,
    /// Write exported changes to a container
    #[command(long_about = REPLAY_ABOUT)]
    Replay,
    /// Run an embedded account to try things on
    #[cfg(feature = "demo")]
    Demo,
    /// List the profiles of the configuration file, without their secrets
    Profiles,
    /// Print the completion script of a shell
    Completions,
}

impl Command {
    /// The command of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        let matches = Cli::command().try_get_matches_from(["", name]).ok()?;
        Self::from_arg_matches(&matches).ok()
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Resume => "resume",
            Self::Tail => "tail",
            Self::Replay => "replay",
            Self::Verify => "verify",
            Self::Schema => "schema",
            Self::Ranges => "ranges",
            Self::Profiles => "profiles",
            #[cfg(feature = "demo")]
            Self::Demo => "demo",
            Self::Completions => "completions",
        }
    }
}
