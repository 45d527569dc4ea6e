//! What is printed.

use crate::cli::Command;
use crate::cli::choices::DefinitionsFormat;
use crate::cli::location::Location;
use crate::report::{LogFormat, SummaryFormat, TableFormat};
use crate::settings::setting::{Form, Heading, Setting, settings};
use crate::settings::value::{choice, place};

settings! {
    DEFINITION_SOURCES: Location = Setting::new("source", place("PATH"))
        .help(
            "Exports whose containers are described: directories or files that `export` wrote, directories of \
             such directories, or files container.json; without any, the account is read",
        )
        .form(Form::Arguments)
        .of(&[Command::Definitions])
        .brief("Exports; without any, the account is read");

    DEFINITIONS_FORMAT: DefinitionsFormat = Setting::new("format", choice("FORMAT"))
        .help("How to print them")
        .default("bicep")
        .of(&[Command::Definitions]);

    TABLE_FORMAT: TableFormat = Setting::new("format", choice("FORMAT"))
        .help("How to print the list")
        .default("table")
        .of(&[
            Command::Ranges,
            Command::Ls,
            Command::Lag,
            Command::LeasesList,
            Command::LeasesCheck,
            Command::Profiles,
            Command::ProfilesTest,
        ]);

    RANGES_WIDE: bool = Setting::switch("wide")
        .help("Print whole bounds, and the portable form of each range")
        .of(&[Command::Ranges]);

    REPLAY_SUMMARY: SummaryFormat = Setting::new("summary", choice("SUMMARY"))
        .help("How to print the summary at the end, on standard error")
        .default("text")
        .of(&[Command::Replay, Command::Compare])
        .in_full_of(&[Command::Compare])
        .brief("Form of the summary");

    SHELL: clap_complete::Shell = Setting::new("shell", choice("SHELL"))
        .help("The shell")
        .form(Form::Argument)
        .required()
        .of(&[Command::Completions]);

    VERBOSE: u8 = Setting::count("verbose")
        .help("Print more: retries, splits, credentials; -vv and -vvv the SDK's log")
        .details("-vv prints the warnings of the SDK, -vvv its whole log.")
        .short('v')
        .under(Heading::Output)
        .unused_by(&[Command::Completions])
        .brief("Print more; -vv and -vvv the SDK's log");

    QUIET: bool = Setting::switch("quiet")
        .help("Print only errors: no progress, no summary")
        .short('q')
        .conflicts(&["verbose"])
        .under(Heading::Output)
        .unused_by(&[Command::Completions]);

    LOG_FORMAT: LogFormat = Setting::new("log-format", choice("FORM"))
        .help("How to print messages on standard error: as text, or as JSON with time, level, message and range")
        .variable("COSMOS_TAIL_LOG_FORMAT")
        .profile_option()
        .default("text")
        .under(Heading::Output)
        .unused_by(&[Command::Completions])
        .in_full();
}
