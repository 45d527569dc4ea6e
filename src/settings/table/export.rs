//! What `export`, `resume` and `verify` do.

use crate::cli::Command;
use crate::cli::choices::{Mode, Until};
use crate::cli::location::Location;
use crate::cli::values::choice_name;
use crate::feed::{ChangeFeedStart, ReadUntil};
use crate::report::SummaryFormat;
use crate::settings::compare;
use crate::settings::setting::{Comparison, Form, Setting, settings};
use crate::settings::value::{choice, location, place, shown_start, start};

/// How times are written, for the help of each flag that takes one.
pub(super) const TIMES: &str = "A time is a date, which means its midnight, or a date with a time of day: \
    2026-11-23, \"2026-11-23 12:00\", 2026-11-23T12:00:00.5+01:00. Without an offset it is in UTC. An age is that \
    long ago: 90s, 10m, 2h, 1day.";

/// What `--repair` does, of each command that has it.
pub(super) const REPAIR_DETAILS: &str = "\
    Without it such a file is an error that names it. Finished files are never touched. In an object store it is \
    only for uploads that the store has removed: an object that somebody moved away before it was listed would \
    be there twice.";

settings! {
    EXPORT_OUTPUT: Location = Setting::new("output", location("PATH"))
        .help(
            "Where to write: a directory, a file with the format's extension, `-` for standard output, or a place in \
             Azure Blob Storage or S3 such as az://CONTAINER/orders/ or s3://BUCKET/orders/",
        )
        .details(
            "A directory gets a series of part files for each range. Files get their final name when they \
             are finished; until then they end in `.open`. The extensions .jsonl, .ndjson, .csv, .parquet and .arrow, \
             and .gz or .zst after those of text, name a file, in upper or lower case; a name without \
             extension, or with a slash at its end, is a directory. In Blob Storage (also \
             abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH/ and \
             https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH/) and in S3 objects appear when they are finished, every \
             128 MiB or 10 minutes by default; the state is kept there too, unless --state is given.",
        )
        .short('o')
        .required()
        .frozen("output")
        .compared(compare::output)
        .of(&[Command::Export])
        .brief("A directory, a file such as orders.csv, az://…/, or `-`");

    RESUME_PATH: Location = Setting::new("path", place("PATH"))
        .help("The export to continue: its directory, its file, its state file, or its place such as az://CONTAINER/orders/")
        .form(Form::Argument)
        .required_unless(&["state"])
        .of(&[Command::Resume])
        .brief("The export: its directory, its file or its state file");

    RESUME_STATE: Location = Setting::new("state", place("FILE"))
        .help("The state, if it is not beside the output: a file, or an object such as az://CONTAINER/states/orders.json")
        .of(&[Command::Resume])
        .brief("The state, if it is not beside the output");

    ALL_CONTAINERS: bool = Setting::switch("all-containers")
        .help("Export all containers of the database, each to a directory of its own below --output")
        .details(
            "Several are -c repeated, and with `*` for any characters: -c 'orders-*' -c customers. \
             The same command again, or `resume`, continues where it ended: it finishes what is not finished, reads what \
             came since, and begins the containers that are new. --concurrency and --max-ru hold for all containers \
             together.",
        )
        .conflicts(&["container"])
        .of(&[Command::Export])
        .brief("All containers of the database, each to a directory");

    EXPORT_FROM: ChangeFeedStart = Setting::new("from", start())
        .help("Where to start: `beginning`, `now`, a time such as 2026-11-23, or an age such as 10m")
        .details(TIMES)
        .described_default("beginning; with --mode all: now")
        .frozen("from")
        .compared(|frozen, from| {
            Comparison::of(Some(shown_start(frozen.options.from)), &shown_start(*from))
        })
        .of(&[Command::Export, Command::Plan])
        .brief("Start: `beginning`, `now`, a time, or an age such as 10m");

    EXPORT_MODE: Mode = Setting::new("mode", choice("MODE"))
        .help("Which feed to read")
        .default("latest")
        .frozen("mode")
        .compared(|frozen, mode| {
            Comparison::of(Some(compare::mode(frozen.options.mode)), &choice_name(mode))
        })
        .of(&[Command::Export, Command::Plan])
        .brief("Which feed to read");

    FOLLOW: bool = Setting::switch("follow")
        .help("Keep reading new changes until stopped, instead of ending once there is nothing newer")
        .kept("follow", |settings, follow| settings.follow = follow)
        .of(&[Command::Export, Command::Resume])
        .short('f')
        .brief("Keep reading new changes until stopped");

    NO_FOLLOW: bool = Setting::switch("no-follow")
        .help("Read the rest of an export that follows, and end")
        .conflicts(&["follow"])
        .kept("follow", |settings, no_follow| settings.follow &= !no_follow)
        .of(&[Command::Resume])
        .brief("Read the rest of an export that follows, and end");

    UNTIL: Until = Setting::new("until", choice("WHERE"))
        .help("How far to read each range")
        .described_default("head; with --mode all: pin")
        .conflicts(&["follow"])
        .kept("until", |settings, until| {
            settings.until = Some(match until {
                Until::Head => ReadUntil::Head,
                Until::Pin => ReadUntil::Pin,
            });
        })
        .of(&[Command::Export, Command::Resume])
        .in_full();

    SAVE_OPTIONS: bool = Setting::switch("save-options")
        .help("Keep the options of this resume in the state, for later ones")
        .details(
            "Without it they apply to this resume only, and the next one has those of the state again. The \
             state has values for --follow, --until and all options whose default is \"from the state\".",
        )
        .of(&[Command::Resume])
        .in_full();

    FORCE: bool = Setting::switch("force")
        .help("Replace the output of an earlier export")
        .of(&[Command::Export]);

    EXPORT_STATE: Location = Setting::new("state", place("FILE"))
        .help("Where to keep the state: a file, or an object such as az://CONTAINER/states/orders.json")
        .details(
            "It can be in an object store when the output is on this machine, and the other way round. Without it an export \
             to standard output keeps no state and cannot be resumed.",
        )
        .described_default("beside the output")
        .of(&[Command::Export])
        .in_full();

    REPAIR: bool = Setting::switch("repair")
        .help("Discard open files that do not match the state, and read their ranges again")
        .details(REPAIR_DETAILS)
        .of(&[Command::Resume, Command::Tail])
        .in_full_of(&[Command::Tail])
        .brief("Read again what open files should have");

    VERIFY_PATH: Location = Setting::new("path", place("PATH"))
        .help(
            "What to check: the directory or the file of an export, its state file, or its place such as \
             az://CONTAINER/orders/; or a plan, followed by the directory of its shards",
        )
        .details(
            "It checks that finished files match the manifest, to the byte and to the row; that state and \
             manifest agree; that the files hold each span of the feed once and the ranges cover the \
             container; and that there is no file too many. Nothing is changed.",
        )
        .form(Form::Argument)
        .required()
        .of(&[Command::Verify]);

    STRICT: bool = Setting::switch("strict")
        .help(
            "Report as faults what has a harmless explanation too: finished files that were moved away, and \
             what an interrupted export leaves for `resume`",
        )
        .of(&[Command::Verify])
        .brief("Report harmless differences as faults too");

    VERIFY_FORMAT: SummaryFormat = Setting::new("format", choice("FORMAT"))
        .help("How to print the findings")
        .default("text")
        .of(&[Command::Verify]);
}
