//! The leases of change feed processors.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Command;
use crate::cli::choices::LeaseFormat;
use crate::cli::times::{self, LeaseStart};
use crate::settings::setting::{DefaultValue, Form, Setting, settings};
use crate::settings::value::{Value, choice, duration, path, path_or_dash, text};

/// The commands on leases.
const LEASES_COMMANDS: &[Command] = &[
    Command::LeasesList,
    Command::LeasesCheck,
    Command::LeasesReset,
    Command::LeasesRelease,
    Command::LeasesRepair,
    Command::LeasesExport,
    Command::LeasesImport,
    Command::LeasesAdopt,
];

/// Those that look at all groups, unless one is named.
const OF_ANY: &[Command] = &[Command::LeasesList, Command::LeasesCheck];

/// Those that are about one group.
const OF_ONE: &[Command] = &[
    Command::LeasesReset,
    Command::LeasesRelease,
    Command::LeasesRepair,
    Command::LeasesExport,
    Command::LeasesImport,
    Command::LeasesAdopt,
];

/// Those that write leases.
const WRITING: &[Command] = &[
    Command::LeasesReset,
    Command::LeasesRelease,
    Command::LeasesRepair,
    Command::LeasesImport,
    Command::LeasesAdopt,
];

/// Those that change leases that exist.
const CHANGING: &[Command] = &[Command::LeasesReset, Command::LeasesRelease];

settings! {
    IMPORTED: PathBuf = Setting::new("path", path_or_dash("FILE"))
        .help("The file with the leases, or `-` for standard input")
        .form(Form::Argument)
        .required()
        .of(&[Command::LeasesImport]);

    LEASE_CONTAINER: String = Setting::new("leases", text("DATABASE/CONTAINER"))
        .help("The lease container, such as shop/leases")
        .required()
        .of(LEASES_COMMANDS);

    LEASE_GROUP: String = Setting::new("group", text("NAME"))
        .help("Only this group: the processor's name, or its lease prefix")
        .details(
            "That is the name that a processor of .NET is built with, the lease prefix of Java, the \
             LeaseContainerPrefix of Functions, or all that comes before `..` in the ids of the leases.",
        )
        .of(OF_ANY)
        .brief("Only this group: the processor's name");

    ONE_GROUP: String = Setting::new("group", text("NAME"))
        .help("The group: the processor's name, or its lease prefix")
        .details(
            "That is the name that a processor of .NET is built with, the lease prefix of Java, the \
             LeaseContainerPrefix of Functions, or all that comes before `..` in the ids of the leases.",
        )
        .of(OF_ONE)
        .brief("The group: the processor's name");

    RESET_TO: LeaseStart = Setting::new("to", Value::new("WHERE", times::lease_start))
        .help("The new position: `beginning`, `now`, a time such as 2026-11-23, an age such as 10m, or an LSN")
        .details(
            "At a time, the next change that is read is the first that was made after it. An LSN counts the \
             transactions of one partition, so it needs --range.",
        )
        .of(&[Command::LeasesReset])
        .brief("`beginning`, `now`, a time, an age such as 10m, or an LSN");

    REPAIR_TO: LeaseStart = Setting::new("to", Value::new("WHERE", times::lease_start))
        .help("Where leases begin that are created: `beginning`, `now`, a time or an age such as 10m")
        .details("From the beginning nothing is lost, and what was read before comes again.")
        .default("beginning")
        .of(&[Command::LeasesRepair])
        .brief("Where created leases begin: `beginning`, `now`, a time");

    LEASE_RANGE: String = Setting::new("range", text("LEASE"))
        .help("Only this lease, by what `leases list` prints in the column LEASE; can be repeated")
        .form(Form::Values)
        .of(CHANGING)
        .brief("Only this lease, as `leases list` names it");

    LEASE_FORMAT: LeaseFormat = Setting::new("lease-format", choice("FORMAT"))
        .help("Whose leases to create")
        .default("dotnet")
        .defaults(&[
            (
                Command::LeasesRepair,
                DefaultValue::Described("that of the group's leases"),
            ),
            (
                Command::LeasesAdopt,
                DefaultValue::Described("dotnet, with --from-state"),
            ),
        ])
        .of(&[
            Command::LeasesImport,
            Command::LeasesRepair,
            Command::LeasesAdopt,
        ])
        .in_full_of(&[Command::LeasesRepair]);

    FROM_STATE: PathBuf = Setting::new("from-state", path("FILE"))
        .help("Create the group from this state of a tail or an export, which names its container")
        .conflicts(&["to-state"])
        .of(&[Command::LeasesAdopt]);

    TO_STATE: PathBuf = Setting::new("to-state", path("FILE"))
        .help("Write the state of a tail that goes on where the leases are: `tail --state FILE`")
        .conflicts(&["lease-format"])
        .of(&[Command::LeasesAdopt]);

    FORCE_LEASES: bool = Setting::switch("force")
        .help("Take leases from instances that have them")
        .details(
            "An instance that loses a lease stops reading its range, and has handled some changes beyond the \
             position by then. One may write the old position back; so the leases are looked at again for \
             --settle.",
        )
        .of(CHANGING);

    SETTLE: Duration = Setting::new("settle", duration())
        .help("With --force: for how long to look whether an instance brings the old position back")
        .default("30s")
        .of(&[Command::LeasesReset])
        .in_full();

    DRY_RUN_LEASES: bool = Setting::switch("dry-run")
        .help("Print what would be done, and change nothing")
        .of(WRITING);

    EXPIRATION_INTERVAL: Duration = Setting::new("expiration-interval", duration())
        .help("After how long a lease that is not renewed is free, as the processors are set")
        .default("60s")
        .of(LEASES_COMMANDS)
        .in_full();

    STUCK_AFTER: Duration = Setting::new("stuck-after", duration())
        .help("How long a change may wait before a lease that is held counts as stuck")
        .default("5m")
        .of(OF_ANY)
        .brief("How long a change may wait before its lease is stuck");

    STRICT_CHECK: bool = Setting::switch("strict")
        .help("Exit with code 1 for what may pass by itself too, such as leases that nobody has")
        .of(&[Command::LeasesCheck])
        .brief("Fail for what may pass by itself too");

    LEASES_WIDE: bool = Setting::switch("wide")
        .help("Print whole names, however wide the terminal is")
        .of(&[Command::LeasesList]);

    LEASES_WATCH: Duration = Setting::new("watch", duration())
        .help("List again after each pause of this length, until stopped")
        .of(&[Command::LeasesList]);
}
