//! The command line: its commands, the choices that flags offer, and the parsers of their values.
//!
//! Nothing here reads a file, an environment variable or the network. The flags themselves are rows of
//! the table of settings (`settings::table`), which adds them to the commands declared here; the rest of their
//! help is in [`manual`].

pub mod choices;
pub mod location;
pub mod manual;
pub mod shards;
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

const COMPARE_ABOUT: &str = "\
Compare an export or a container with another, document by document.

The sides are named as `replay` names them: the source, and the target by -d and -c, or --with for another export. Each \
document of one side is looked for on the other by its partition key and id. Two are the same if they have the same \
content without system fields: members in any order, and numbers by value. Of several versions in an export the last one \
counts, also if it is a deletion. Nothing is written to either side.";

const ACCEPTANCE_ABOUT: &str = "\
Test an account: write, read, kill, resume, copy, compare and follow, in a database made for it.

Creates the database, writes documents of every shape, runs the commands of this program on them, and judges what they \
read by what was written. What the account refuses is reported with the reason, and is no failure. At the end \
everything is deleted. A table shows the steps, and where the answers of the service differ from what this program \
believes of it.";

const PLAN_ABOUT: &str = "\
Plan an export that many processes share, such as those of a Kubernetes Job.

The plan is a file. It has the ranges of the container, where each starts and ends, the identity of the container, the \
format and the columns, and is never changed. Each process reads its share with `export --plan FILE --shard I/N`, without \
knowing of the others, and `verify FILE DIR` checks that together they have read all of it once.";

const LS_ABOUT: &str = "\
List the databases and containers of an account.

Each container is printed with its partition key, the number of its feed ranges, and its throughput: `up to` if it \
scales by itself, `shared` if the containers of the database share it. The names \
of AZURE_COSMOS_DATABASE, AZURE_COSMOS_CONTAINER and the profile are not used, so that `ls` shows what else there \
is; only -c without -d looks in that database. Throughput is not readable with the data-plane roles of Entra ID.";

const DEFINITIONS_ABOUT: &str = "\
Print the definitions of containers as what an infrastructure repository keeps: Bicep, or a template of Azure Resource \
Manager.

The containers are those of exports, of which `container.json` has the definition, or those of a database of the account: \
all, or the one of -c. Whatever a definition has is printed member by member: partition key, indexing policy, unique keys, \
time to live, and all else; with the throughput, as far as it is known. The account is a parameter. Nothing is deployed.";

const LEASES_ABOUT: &str = "\
List the leases of change feed processors: of .NET, Java and Azure Functions.

A processor divides the feed of a container among its instances by leases, which are documents in a lease \
container. Each says who reads a range, and how far it is. --leases names the lease container; the container that is \
read follows from the leases.";

const LEASES_LIST_ABOUT: &str = "\
List the leases of all groups in a lease container, or of one.

Each lease is printed with its owner, the time since it was renewed, its position, and how far it is behind: in \
transactions, and as the time for which the oldest change has waited. Nothing is written.";

const LEASES_CHECK_ABOUT: &str = "\
Check the groups of a lease container, and print what is wrong with them.

Finds ranges without a lease, which nobody reads, leases for the same range, leases of a container that was recreated, \
positions that their partition has not reached, documents that are no leases, and clocks that differ. Nothing is written.";

const LEASES_REPAIR_ABOUT: &str = "\
Make a group whole: create leases for ranges without one, and delete leases that are doubled.

Prints first what it will do. What is created begins at --to. Of leases for one range, that which is least far is kept, so \
that nothing is lost. A lease that an instance has is not deleted, and documents that are no leases are left alone.";

const LEASES_RESET_ABOUT: &str = "\
Move leases to another position: a processor that starts then reads from there.

Stop the processor first: an instance keeps its own position while it runs, and would write it back. Prints first what it \
will do. All that a lease has beside its position and its owner is kept.";

const LEASES_RELEASE_ABOUT: &str = "\
Take leases from their instances, so that others can have them at once.

For an instance that is gone, while its leases have not expired. Positions are kept.";

const LEASES_EXPORT_ABOUT: &str = "\
Print the leases of a group as a JSON array, in the form that .NET's in-memory lease container saves.

It has the ranges and positions, and neither owners nor names, so it can be imported to another group.";

const LEASES_IMPORT_ABOUT: &str = "\
Create a group from a JSON array of leases, as `leases export` prints it.

The group reads the container of -d and -c, whose ranges the leases must cover. A group that exists is refused.";

const LEASES_ADOPT_ABOUT: &str = "\
Turn a state of this program into the leases of a group, leases into a state, or leases of one SDK into those of another.

With --from-state, a group is created that goes on where a tail or an export has stopped; with --to-state, a tail goes on \
where a processor has stopped. Otherwise the leases become those of --lease-format, at the same positions. Whoever reads \
must have stopped: leases that an instance has, and a state that is in use, are refused.";

const ADD_ABOUT: &str = "\
Add a profile to the configuration file.

The profile gets what flags and environment give: endpoint, database, container, --auth, --key-file and the \
options of the connection. The rest of the file is kept as it is, with its comments. A key is never written into \
the file: name a key file, or let --store-key write one beside the configuration file.";

const TEST_ABOUT: &str = "\
Check the connection step by step, and print what to do about the first step that fails.

Checks the settings, the name of the account, the connection, TLS, the clock of this machine, the credential, its \
role, the database, the container, and whether the change feed can be read. It works with a profile, or with \
flags and environment alone; without a container it ends with the account. Nothing is written.";

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
    /// List the databases and containers of an account
    #[command(long_about = LS_ABOUT)]
    Ls,
    /// Print the definitions of containers as Bicep, or as a template
    #[command(long_about = DEFINITIONS_ABOUT)]
    Definitions,
    /// Watch the changes of a container as they happen
    Tail,
    /// Export the change feed of a container to files
    Export,
    /// Plan an export that many processes share, such as those of a Kubernetes Job
    #[command(long_about = PLAN_ABOUT)]
    Plan,
    /// Print the columns that an export to CSV, Parquet or Arrow would infer
    Schema,
    /// Continue an export: after a crash, or to read changes made since it finished
    Resume,
    /// Measure how far an export, a tail or a replay is behind its container
    Lag,
    /// List the leases of change feed processors (.NET, Java, Functions)
    #[command(long_about = LEASES_ABOUT)]
    Leases,
    /// `leases list`
    #[command(skip)]
    LeasesList,
    /// `leases check`
    #[command(skip)]
    LeasesCheck,
    /// `leases repair`
    #[command(skip)]
    LeasesRepair,
    /// `leases reset`
    #[command(skip)]
    LeasesReset,
    /// `leases release`
    #[command(skip)]
    LeasesRelease,
    /// `leases export`
    #[command(skip)]
    LeasesExport,
    /// `leases import`
    #[command(skip)]
    LeasesImport,
    /// `leases adopt`
    #[command(skip)]
    LeasesAdopt,
    /// Check an export against its own manifest and state, without contacting the service
    Verify,
    /// Write exported changes to a container
    #[command(long_about = REPLAY_ABOUT)]
    Replay,
    /// Compare two exports or containers, document by document
    #[command(long_about = COMPARE_ABOUT)]
    Compare,
    /// Test an account, in a database that is made for it and deleted
    #[command(long_about = ACCEPTANCE_ABOUT)]
    Acceptance,
    /// Run an embedded account to try things on
    #[cfg(feature = "demo")]
    Demo,
    /// List, add, choose or test the profiles of the configuration file
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
    #[command(long_about = ADD_ABOUT)]
    Add,
    /// Set the profile that is used when none is named
    Use,
    /// Check the connection step by step, and print what to do about what fails
    #[command(long_about = TEST_ABOUT)]
    Test,
}

/// The commands below `leases`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum LeasesCommand {
    /// List leases, with their owners, positions and lags
    #[command(long_about = LEASES_LIST_ABOUT)]
    List,
    /// Find what is wrong with groups, such as ranges that nobody reads
    #[command(long_about = LEASES_CHECK_ABOUT)]
    Check,
    /// Create leases that are missing, and delete those that are doubled
    #[command(long_about = LEASES_REPAIR_ABOUT)]
    Repair,
    /// Move leases to another position, back or forth
    #[command(long_about = LEASES_RESET_ABOUT)]
    Reset,
    /// Take leases from their instances, so that others can have them
    #[command(long_about = LEASES_RELEASE_ABOUT)]
    Release,
    /// Print the leases of a group as JSON, for `import` and for .NET
    #[command(long_about = LEASES_EXPORT_ABOUT)]
    Export,
    /// Create a group from leases that were exported
    #[command(long_about = LEASES_IMPORT_ABOUT)]
    Import,
    /// Turn a state into leases, leases into a state, or change their SDK
    #[command(long_about = LEASES_ADOPT_ABOUT)]
    Adopt,
}

impl Command {
    /// The command of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        let matches = Cli::command().try_get_matches_from(["", name]).ok()?;
        Self::from_arg_matches(&matches).ok()
    }

    /// Its name; that of a command below another one follows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Plan => "plan",
            Self::Resume => "resume",
            Self::Tail => "tail",
            Self::Replay => "replay",
            Self::Compare => "compare",
            Self::Acceptance => "acceptance",
            Self::Lag => "lag",
            Self::Leases => "leases",
            Self::LeasesList => "leases list",
            Self::LeasesCheck => "leases check",
            Self::LeasesRepair => "leases repair",
            Self::LeasesReset => "leases reset",
            Self::LeasesRelease => "leases release",
            Self::LeasesExport => "leases export",
            Self::LeasesImport => "leases import",
            Self::LeasesAdopt => "leases adopt",
            Self::Verify => "verify",
            Self::Schema => "schema",
            Self::Ranges => "ranges",
            Self::Ls => "ls",
            Self::Definitions => "definitions",
            Self::Profiles => "profiles",
            Self::ProfilesAdd => "profiles add",
            Self::ProfilesUse => "profiles use",
            Self::ProfilesTest => "profiles test",
            #[cfg(feature = "demo")]
            Self::Demo => "demo",
            Self::Completions => "completions",
        }
    }

    /// The commands below it, each with its name.
    pub fn nested(self) -> Vec<(&'static str, Self)> {
        match self {
            Self::Profiles => vec![
                ("add", Self::ProfilesAdd),
                ("use", Self::ProfilesUse),
                ("test", Self::ProfilesTest),
            ],
            Self::Leases => vec![
                ("list", Self::LeasesList),
                ("check", Self::LeasesCheck),
                ("repair", Self::LeasesRepair),
                ("reset", Self::LeasesReset),
                ("release", Self::LeasesRelease),
                ("export", Self::LeasesExport),
                ("import", Self::LeasesImport),
                ("adopt", Self::LeasesAdopt),
            ],
            _ => Vec::new(),
        }
    }

    /// The command of this name below it.
    pub fn below(self, name: &str) -> Option<Self> {
        let mut nested = self.nested().into_iter();
        nested
            .find(|(known, _)| *known == name)
            .map(|(_, which)| which)
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
            Self::Leases => {
                let about = definition.get_about().cloned().unwrap_or_default();
                let long = definition.get_long_about().cloned().unwrap_or_default();
                LeasesCommand::augment_subcommands(definition)
                    .about(about)
                    .long_about(long)
                    .subcommand_required(true)
                    .arg_required_else_help(true)
            }
            _ => definition,
        }
    }
}
