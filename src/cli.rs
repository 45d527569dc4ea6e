//! The command line: its commands, the choices that flags offer, and the parsers of their values.
//!
//! Nothing here reads a file, an environment variable or the network. The flags themselves are rows of
//! the table of settings (`settings::table`), which adds them to the commands declared here.

pub mod choices;
pub mod location;
pub mod values;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// The exit codes, as `--help` and the man pages print them.
///
/// The codes themselves are [`crate::error::ExitCode`].
const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed, nothing to resume
  2    usage error: the command line cannot be carried out
  3    stopped early, resumable: committed work is kept, and `resume` continues
  130  interrupted by Ctrl-C, resumable
  143  terminated by SIGTERM, resumable";

const EXAMPLES: &str = "\
Examples:
  cosmos-tail --demo export -o orders/          try it on an embedded account
  cosmos-tail ls                                list databases and containers
  cosmos-tail tail -d shop -c orders            watch changes as they happen
  cosmos-tail ranges -d shop -c orders          list the feed ranges of a container
  cosmos-tail export -d shop -c orders -o out/  export a container, in parallel
  cosmos-tail resume --state out/state.json     continue after a crash, or read new changes
  cosmos-tail verify out/                       check the files of an export";

const SCHEMA_HELP: &str = "\
Prints one `PATH TYPE` per line. Edit the output and pass it to an export:

  cosmos-tail schema -d shop -c orders > orders.schema
  cosmos-tail export -d shop -c orders -o orders.parquet --schema orders.schema

Types are boolean, int64, double, string, timestamp(DIGITS), json, list<TYPE> and
struct<NAME: TYPE, …>. CSV spreads a struct over dotted columns.";

const VERIFY_EXIT_CODES: &str = "\
Exit codes:
  0  no faults
  1  faults found; standard output lists them
  2  there is no export at this path, or it is being written";

const REPLAY_ABOUT: &str = "\
Write exported changes to a container.

The target container is given by -d and -c. Changes to one partition key are applied in source order, \
changes to different keys in parallel. Applying the same source twice leaves the same documents. System \
fields (_rid, _self, _etag, _attachments, _ts, _lsn) are left out; everything else is written exactly as \
it is in the source.";

const REPLAY_EXAMPLES: &str = "\
Examples:
  cosmos-tail replay orders/ -d shop -c orders_copy     an export, into another container
  cosmos-tail replay orders/ -d shop -c orders_copy --create --partition-key /customerId
  cosmos-tail replay - -d shop -c orders < docs.jsonl   documents from anywhere
  cosmos-tail replay --from-container shop/orders -d shop -c orders_copy    the feed of a container
  cosmos-tail replay orders/ -d shop -c orders --dry-run    show what would happen, write nothing
  cosmos-tail replay orders/ -d shop -c masked --transform 'del(.email)'    without email addresses
  cosmos-tail replay changes.jsonl --stdout             print the changes as they would be written";

const LS_ABOUT: &str = "\
List the databases and containers of an account.

Each container is printed with its partition key, the number of its feed ranges, and its throughput. The names \
of AZURE_COSMOS_DATABASE, AZURE_COSMOS_CONTAINER and the profile are not used, so that `ls` shows what else there \
is; only -c without -d looks in that database. Throughput is not readable with the data-plane roles of Entra ID.";

const LS_EXAMPLES: &str = "\
Examples:
  cosmos-tail ls                        all databases and their containers
  cosmos-tail ls -d shop                the containers of one database
  cosmos-tail ls -d shop -c orders      one container
  cosmos-tail ls --format json          for scripts
  cosmos-tail --demo ls                 the embedded account";

const PROFILES_EXAMPLES: &str = "\
Examples:
  cosmos-tail profiles                                    list them
  cosmos-tail profiles add staging --endpoint shop-staging -d shop -c orders --key-file staging.key
  cosmos-tail profiles use staging                        the one to use without --profile
  cosmos-tail profiles test staging                       find out why it does not work";

const ADD_ABOUT: &str = "\
Add a profile to the configuration file.

The profile gets what flags and environment give: endpoint, database, container, --auth, --key-file and the \
options of the connection. The rest of the file is kept as it is, with its comments. A key is never written into \
the file: name a key file, or let --store-key write one beside the configuration file.";

const ADD_EXAMPLES: &str = "\
Examples:
  cosmos-tail profiles add prod --endpoint shop -d shop -c orders --auth cli
  cosmos-tail profiles add local --endpoint emulator -d shop
  cosmos-tail profiles add staging --endpoint shop-staging --key-file ~/.secrets/staging.key
  az cosmosdb keys list … | cosmos-tail profiles add staging --endpoint shop-staging --key-file - --store-key";

const TEST_ABOUT: &str = "\
Check the connection step by step, and print what to do about the first step that fails.

Checks the settings, the name of the account, the connection, TLS, the clock of this machine, the credential, its \
role, the database, the container, and whether the change feed can be read. It works with a profile, or with \
flags and environment alone; without a container it ends with the account. Nothing is written.";

const TEST_EXAMPLES: &str = "\
Examples:
  cosmos-tail profiles test                         the account of flags, environment or default profile
  cosmos-tail profiles test staging                 a profile
  cosmos-tail profiles test --endpoint shop -d shop -c orders
  cosmos-tail --demo profiles test

Exit codes:
  0  no check failed
  1  a check failed";

#[cfg(feature = "demo")]
const DEMO_HELP: &str = "\
Prints `export AZURE_COSMOS_…=…` lines as soon as the account is ready:

  cosmos-tail demo > demo.env &
  until [ -s demo.env ]; do sleep 0.1; done
  eval \"$(cat demo.env)\"
  cosmos-tail export --follow -o orders/

Commands on standard input: `split`, `split ID`, `merge ID ID`, `quit`.";

/// Export and replay the change feed of Azure Cosmos DB.
#[derive(Debug, Parser)]
#[command(
    name = "cosmos-tail",
    version,
    about = "Export and replay the change feed of Azure Cosmos DB",
    long_about = "Export and replay the change feed of Azure Cosmos DB (NoSQL API).\n\n\
        Reads all ranges of a container in parallel and commits its position together with the data it \
        wrote, so that a crash neither loses nor repeats a change.",
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    propagate_version = true,
    disable_help_subcommand = true,
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
    /// List the databases and containers of an account
    #[command(
        long_about = LS_ABOUT,
        after_help = LS_EXAMPLES,
        after_long_help = format!("{LS_EXAMPLES}\n\n{EXIT_CODES}")
    )]
    Ls,
    /// Watch the changes of a container as they happen
    #[command(after_long_help = EXIT_CODES)]
    Tail,
    /// Export the change feed of a container to files
    #[command(after_long_help = EXIT_CODES)]
    Export,
    /// Print the columns that an export to CSV or Parquet would infer
    #[command(after_help = SCHEMA_HELP, after_long_help = format!("{SCHEMA_HELP}\n\n{EXIT_CODES}"))]
    Schema,
    /// Continue an export: after a crash, or to read changes made since it finished
    #[command(after_long_help = EXIT_CODES)]
    Resume,
    /// Check an export against its own manifest and state, without contacting the service
    #[command(after_help = VERIFY_EXIT_CODES)]
    Verify,
    /// Write exported changes to a container
    #[command(
        long_about = REPLAY_ABOUT,
        after_help = REPLAY_EXAMPLES,
        after_long_help = format!("{REPLAY_EXAMPLES}\n\n{EXIT_CODES}")
    )]
    Replay,
    /// Run an embedded account to try things on
    #[cfg(feature = "demo")]
    #[command(after_help = DEMO_HELP)]
    Demo,
    /// List the profiles of the configuration file, add one, or test a connection
    #[command(after_help = PROFILES_EXAMPLES)]
    Profiles,
    /// `profiles add`
    #[command(skip)]
    ProfilesAdd,
    /// `profiles use`
    #[command(skip)]
    ProfilesUse,
    /// `profiles test`
    #[command(skip)]
    ProfilesTest,
    /// Print the completion script of a shell
    Completions,
}

/// The commands below `profiles`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ProfilesCommand {
    /// Add a profile to the configuration file
    #[command(long_about = ADD_ABOUT, after_help = ADD_EXAMPLES)]
    Add,
    /// Set the profile that is used when none is named
    Use,
    /// Check the connection step by step, and print what to do about what fails
    #[command(long_about = TEST_ABOUT, after_help = TEST_EXAMPLES)]
    Test,
}

impl Command {
    /// The command of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        let matches = Cli::command().try_get_matches_from(["", name]).ok()?;
        Self::from_arg_matches(&matches).ok()
    }

    /// The commands below it, each with its name.
    pub fn nested(self) -> Vec<(&'static str, Self)> {
        match self {
            Self::Profiles => vec![
                ("add", Self::ProfilesAdd),
                ("use", Self::ProfilesUse),
                ("test", Self::ProfilesTest),
            ],
            _ => Vec::new(),
        }
    }

    /// Adds the commands below it to its definition.
    pub fn with_nested(self, definition: clap::Command) -> clap::Command {
        match self {
            Self::Profiles => {
                // The description of the enum would replace that of the command.
                let about = definition.get_about().cloned().unwrap_or_default();
                ProfilesCommand::augment_subcommands(definition)
                    .about(about)
                    .subcommand_required(false)
                    .arg_required_else_help(false)
            }
            _ => definition,
        }
    }
}
