//! What the long help and the man page of a command have beside its flags: examples, notes and exit codes.

mod acceptance;
mod compare;
mod form;
mod leases;

use super::Command;
use form::{EXIT_CODES, PLAIN_EXIT_CODES};

pub use form::{Example, Manual, aligned};

/// Files that commands read or write, for the man pages.
pub const FILES: &[(&str, &str)] = &[
    (
        "~/.config/cosmos-tail/config.toml",
        "The profiles. Each system has its own configuration directory; COSMOS_TAIL_CONFIG names another file.",
    ),
    (
        "_DIR.cosmos-tail/state.json",
        "The committed positions of an export to the directory DIR, beside it, without secrets; of a single FILE it \
         is FILE.state.json. `resume` and `verify` find it by the output.",
    ),
    (
        "_DIR.cosmos-tail/manifest.ndjson",
        "A line of JSON for each finished file of an export; of a single FILE it is FILE.manifest.ndjson.",
    ),
];

/// Variables that are not settings, for the man pages of all commands.
pub const VARIABLES: &[(&str, &str)] = &[
    ("NO_COLOR", "Without colors, if it is set to anything."),
    (
        "COSMOS_TAIL_CORE_DUMPS",
        "1 allows core dumps, which contain the secrets of the process.",
    ),
];

/// The same, of the commands that connect to an account.
pub const OTHER_VARIABLES: &[(&str, &str)] = &[
    (
        "AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_FEDERATED_TOKEN_FILE",
        "The service principal or the workload identity, for Entra ID.",
    ),
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "A proxy, and the hosts that are reached without it. It is used only if \
         AZURE_COSMOS_CONNECTION_POOL_IS_PROXY_ALLOWED is true.",
    ),
];

/// The manual of the program.
pub const PROGRAM: Manual = Manual {
    examples: &[
        (
            "try it on an embedded account",
            "cosmos-tail --demo export -o orders/",
        ),
        ("list databases and containers", "cosmos-tail ls"),
        (
            "watch changes as they happen",
            "cosmos-tail tail -d shop -c orders",
        ),
        (
            "list the feed ranges",
            "cosmos-tail ranges -d shop -c orders",
        ),
        (
            "export a container",
            "cosmos-tail export -d shop -c orders -o out/",
        ),
        ("continue, or read new changes", "cosmos-tail resume out/"),
        ("check the files of an export", "cosmos-tail verify out/"),
    ],
    notes: &[],
    exit_codes: EXIT_CODES,
};

/// The manual of a command.
pub fn of(command: Command) -> Option<Manual> {
    Some(match command {
        Command::Ranges => RANGES,
        Command::Ls => LS,
        Command::Definitions => DEFINITIONS,
        Command::Tail => TAIL,
        Command::Export => EXPORT,
        Command::Plan => PLAN,
        Command::Schema => SCHEMA,
        Command::Resume => RESUME,
        Command::Lag => LAG,
        Command::Leases => leases::ALL,
        Command::LeasesList => leases::LIST,
        Command::LeasesCheck => leases::CHECK,
        Command::LeasesRepair => leases::REPAIR,
        Command::LeasesReset => leases::RESET,
        Command::LeasesRelease => leases::RELEASE,
        Command::LeasesExport => leases::EXPORT,
        Command::LeasesImport => leases::IMPORT,
        Command::LeasesAdopt => leases::ADOPT,
        Command::Verify => VERIFY,
        Command::Replay => REPLAY,
        Command::Compare => compare::COMPARE,
        Command::Acceptance => acceptance::ACCEPTANCE,
        #[cfg(feature = "demo")]
        Command::Demo => DEMO,
        Command::Profiles => PROFILES,
        Command::ProfilesAdd => PROFILES_ADD,
        Command::ProfilesUse => PROFILES_USE,
        Command::ProfilesTest => PROFILES_TEST,
        Command::Completions => COMPLETIONS,
    })
}

const RANGES: Manual = Manual {
    examples: &[
        (
            "the ranges of a container",
            "cosmos-tail ranges -d shop -c orders",
        ),
        (
            "for scripts",
            "cosmos-tail ranges -d shop -c orders --format json",
        ),
        ("of the embedded account", "cosmos-tail --demo ranges"),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

const LS: Manual = Manual {
    examples: &[
        ("all databases and their containers", "cosmos-tail ls"),
        ("the containers of one database", "cosmos-tail ls -d shop"),
        ("one container", "cosmos-tail ls -d shop -c orders"),
        ("for scripts", "cosmos-tail ls --format json"),
        ("of the embedded account", "cosmos-tail --demo ls"),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

const DEFINITIONS: Manual = Manual {
    examples: &[
        (
            "of an export",
            "cosmos-tail definitions orders/ > orders.bicep",
        ),
        (
            "of all containers of a database",
            "cosmos-tail definitions -d shop > shop.bicep",
        ),
        (
            "as a template in JSON, by an identity without rights on the data",
            "cosmos-tail definitions -d shop --via arm --format json",
        ),
        ("of the embedded account", "cosmos-tail --demo definitions"),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

const LAG: Manual = Manual {
    examples: &[
        (
            "how far an export that follows is behind, while it runs",
            "cosmos-tail lag orders/",
        ),
        (
            "again every five seconds",
            "cosmos-tail lag orders/ --watch 5s",
        ),
        (
            "in a script or a probe: fail if a change has waited for more than ten minutes",
            "cosmos-tail lag --state tail.json --fail-above 10m",
        ),
        (
            "of a change feed processor",
            "cosmos-tail lag --group orders --leases shop/leases",
        ),
    ],
    notes: &[
        "It only reads: the state file without its lock, and one page of each range.",
        "TRANSACTIONS is how many there were in the partition since the position. `≤` marks an upper bound: of a part \
         of a partition, or of one partition key, since the others of the partition count too. DOCUMENTS is an \
         estimate. WAITING is how long ago the oldest change was made that is not committed.",
    ],
    exit_codes: &[
        (0, "done"),
        (1, "failed"),
        (2, "usage error: the command line cannot be carried out"),
        (4, "the lag is above --fail-above"),
        (130, "interrupted by Ctrl-C"),
        (143, "terminated by SIGTERM"),
    ],
};

const TAIL: Manual = Manual {
    examples: &[
        (
            "changes as they happen",
            "cosmos-tail tail -d shop -c orders",
        ),
        (
            "what changed in the last ten minutes, and then stop",
            "cosmos-tail tail --from 10m --until-caught-up",
        ),
        (
            "the last changes since midnight, in UTC, at most 20",
            "cosmos-tail tail --from 2026-11-23 -n 20",
        ),
        ("deletes too", "cosmos-tail tail --mode all"),
        (
            "one partition key",
            "cosmos-tail tail --partition-key c-0477",
        ),
        (
            "the ids of what is paid, as plain text",
            "cosmos-tail tail --jq 'select(.status == \"paid\") | .id' -r",
        ),
        (
            "continue where the last start ended",
            "cosmos-tail tail -o orders.jsonl",
        ),
        (
            "share the ranges with other instances of the same command",
            "cosmos-tail tail --group orders --leases shop/leases | ./consume",
        ),
    ],
    notes: &[],
    exit_codes: EXIT_CODES,
};

const EXPORT: Manual = Manual {
    examples: &[
        (
            "a container, in parallel, as JSON lines",
            "cosmos-tail export -d shop -c orders -o orders/",
        ),
        (
            "as one Parquet file",
            "cosmos-tail export -d shop -c orders -o orders.parquet",
        ),
        (
            "as a stream of Arrow",
            "cosmos-tail export -d shop -c orders -o - --format arrow | python3 load.py",
        ),
        (
            "some columns, as CSV",
            "cosmos-tail export -d shop -c orders -o few.csv --columns id,total",
        ),
        (
            "a whole database, each container to a directory",
            "cosmos-tail export -d shop --all-containers -o backup/",
        ),
        (
            "what changed since a date",
            "cosmos-tail export -d shop -c orders -o recent/ --from 2026-11-23",
        ),
        (
            "until stopped",
            "cosmos-tail export -d shop -c orders -o orders/ --follow",
        ),
        (
            "to another program",
            "cosmos-tail export -d shop -c orders -o - | gzip > orders.jsonl.gz",
        ),
    ],
    notes: &[],
    exit_codes: EXIT_CODES,
};

const SCHEMA: Manual = Manual {
    examples: &[
        (
            "the columns of a container",
            "cosmos-tail schema -d shop -c orders > orders.schema",
        ),
        (
            "an export with these columns",
            "cosmos-tail export -d shop -c orders -o orders.parquet --schema orders.schema",
        ),
    ],
    notes: &[
        "It prints one `PATH TYPE` per line. Edit the output, and pass it to an export.",
        "Types are boolean, int64, double, string, timestamp(DIGITS), json, list<TYPE> and struct<NAME: TYPE, …>. \
         CSV spreads a struct over dotted columns.",
    ],
    exit_codes: PLAIN_EXIT_CODES,
};

const RESUME: Manual = Manual {
    examples: &[
        ("the export to a directory", "cosmos-tail resume orders/"),
        ("the export to a file", "cosmos-tail resume orders.parquet"),
        (
            "an export that keeps its state elsewhere",
            "cosmos-tail resume --state states/orders.json",
        ),
        (
            "from now on until stopped, also next time",
            "cosmos-tail resume orders/ --follow --save-options",
        ),
    ],
    notes: &[],
    exit_codes: EXIT_CODES,
};

const PLAN: Manual = Manual {
    examples: &[
        (
            "the whole container",
            "cosmos-tail plan -d shop -c orders --format parquet -o plan.json",
        ),
        (
            "read it with four processes; this is the first",
            "cosmos-tail export --plan plan.json --shard 0/4 -o orders/",
        ),
        (
            "check that all of it was read",
            "cosmos-tail verify plan.json orders/",
        ),
        (
            "what came since",
            "cosmos-tail plan --after orders/ -o next.json",
        ),
    ],
    notes: &[],
    exit_codes: &[
        (0, "the plan was written"),
        (1, "failed; there is no plan"),
        (2, "usage; also if the file exists"),
    ],
};

const VERIFY: Manual = Manual {
    examples: &[
        ("the export to a directory", "cosmos-tail verify orders/"),
        (
            "all shards of a plan",
            "cosmos-tail verify plan.json orders/",
        ),
        ("for scripts", "cosmos-tail verify orders/ --format json"),
    ],
    notes: &[],
    exit_codes: &[
        (0, "no faults"),
        (1, "faults found; standard output lists them"),
        (2, "there is no export at this path, or it is being written"),
    ],
};

const REPLAY: Manual = Manual {
    examples: &[
        (
            "an exported database, whose containers are made again",
            "cosmos-tail replay backup/ -d copy --create",
        ),
        (
            "a database in use",
            "cosmos-tail replay --from-container 'shop/*' -d copy --create",
        ),
        (
            "an export, into another container",
            "cosmos-tail replay orders/ -d shop -c orders_copy",
        ),
        (
            "into a new container",
            "cosmos-tail replay orders/ -c copy --create --partition-key /customerId",
        ),
        (
            "documents from anywhere",
            "cosmos-tail replay - -d shop -c orders < docs.jsonl",
        ),
        (
            "the feed of a container",
            "cosmos-tail replay --from-container shop/orders -d shop -c orders_copy",
        ),
        (
            "show what would happen, write nothing",
            "cosmos-tail replay orders/ -d shop -c orders --dry-run",
        ),
        (
            "without email addresses",
            "cosmos-tail replay orders/ -d shop -c masked --transform 'del(.email)'",
        ),
        (
            "print the changes as they would be written",
            "cosmos-tail replay changes.jsonl --stdout",
        ),
    ],
    notes: &[],
    exit_codes: EXIT_CODES,
};

#[cfg(feature = "demo")]
const DEMO: Manual = Manual {
    examples: &[
        (
            "an account, and its address for other commands",
            "cosmos-tail demo > demo.env &",
        ),
        ("wait for it", "until [ -s demo.env ]; do sleep 0.1; done"),
        (
            "and use it",
            "eval \"$(cat demo.env)\"; cosmos-tail export --follow -o orders/",
        ),
    ],
    notes: &[
        "It prints `export AZURE_COSMOS_…=…` lines as soon as the account is ready.",
        "Commands on standard input: `split`, `split ID`, `merge ID ID`, `quit`.",
    ],
    exit_codes: PLAIN_EXIT_CODES,
};

const PROFILES: Manual = Manual {
    examples: &[
        ("the profiles", "cosmos-tail profiles"),
        ("for scripts", "cosmos-tail profiles --format json"),
        ("use one", "cosmos-tail tail --profile staging"),
        (
            "add one, for the account of the environment",
            "cosmos-tail profiles add staging -d shop -c orders",
        ),
        (
            "use it without --profile",
            "cosmos-tail profiles use staging",
        ),
        (
            "find out why it does not work",
            "cosmos-tail profiles test staging",
        ),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

const PROFILES_ADD: Manual = Manual {
    examples: &[
        (
            "with Entra ID",
            "cosmos-tail profiles add prod --endpoint shop -d shop --auth cli",
        ),
        (
            "the local emulator",
            "cosmos-tail profiles add local --endpoint emulator",
        ),
        (
            "with a key file",
            "cosmos-tail profiles add test --endpoint shop-test --key-file ~/test.key",
        ),
        (
            "with a key that is stored beside the configuration",
            "cosmos-tail profiles add test --endpoint shop --key-file - --store-key < key",
        ),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

const PROFILES_USE: Manual = Manual {
    examples: &[
        ("from now on", "cosmos-tail profiles use staging"),
        ("see which it is", "cosmos-tail profiles"),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};

const PROFILES_TEST: Manual = Manual {
    examples: &[
        (
            "the account of flags, environment or default profile",
            "cosmos-tail profiles test",
        ),
        ("a profile", "cosmos-tail profiles test staging"),
        (
            "without a profile",
            "cosmos-tail profiles test --endpoint shop -d shop -c orders",
        ),
        ("the embedded account", "cosmos-tail --demo profiles test"),
    ],
    notes: &[],
    exit_codes: &[
        (0, "no check failed"),
        (1, "a check failed; standard output names it"),
        (2, "usage error: the command line cannot be carried out"),
    ],
};

const COMPLETIONS: Manual = Manual {
    examples: &[
        ("for this bash", "source <(cosmos-tail completions bash)"),
        (
            "for zsh, from now on",
            "cosmos-tail completions zsh > ~/.zfunc/_cosmos-tail",
        ),
        (
            "for fish, from now on",
            "cosmos-tail completions fish > ~/.config/fish/completions/cosmos-tail.fish",
        ),
    ],
    notes: &[],
    exit_codes: PLAIN_EXIT_CODES,
};
