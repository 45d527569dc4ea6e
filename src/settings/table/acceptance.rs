//! What `acceptance` does.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Command;
use crate::cli::values;
use crate::settings::setting::{Heading, Setting, settings};
use crate::settings::value::{duration, number, path, text};

const ACCEPTANCE: &[Command] = &[Command::Acceptance];

settings! {
    SCRATCH_DATABASE: String = Setting::new("scratch-database", text("NAME"))
        .help("The database that the test creates, and deletes at the end; it must not exist")
        .required()
        .of(ACCEPTANCE)
        .brief("The database to create, and delete at the end");

    YES: bool = Setting::switch("yes")
        .help("Begin; without it, the test only prints what it would cost")
        .of(ACCEPTANCE);

    ACCEPTANCE_REPORT: PathBuf = Setting::new("report", path("FILE"))
        .help("Write a report in JSON to this file, which must not exist")
        .details("It has no secrets and no names, so it can be attached to an issue.")
        .of(ACCEPTANCE)
        .brief("Write a report in JSON to this file");

    ACCEPTANCE_DIRECTORY: PathBuf = Setting::new("directory", path("DIR"))
        .help("Where to keep the files of the test until it ends; the directory must not exist")
        .described_default("the name of the database with `.acceptance`")
        .of(ACCEPTANCE)
        .brief("Where to keep the files of the test");

    SPLIT: bool = Setting::switch("split")
        .help("Raise the throughput of a container to 11,000 RU/s, so that the service splits a partition under a reader")
        .details("It is charged for each hour begun, and the split may take half an hour.")
        .of(ACCEPTANCE)
        .brief("Make the service split a partition; costs money");

    SPLIT_WAIT: Duration = Setting::new("split-wait", duration())
        .help("How long to wait for the split")
        .default("30m")
        .requires("split")
        .of(ACCEPTANCE);

    CLEAN_UP: bool = Setting::switch("clean-up")
        .help("Only delete what an earlier test has left, after a crash")
        .details(
            "A database is deleted only if it is proved to be the one of the test: by its resource id, which is in the \
             directory of the test. Say it where the test was begun, or with its --directory.",
        )
        .conflicts(&["yes", "split", "report"])
        .of(ACCEPTANCE)
        .brief("Only delete what an earlier test has left");

    ACCEPTANCE_MAX_RU: u64 = Setting::new("max-ru", number("RU", values::long_whole::<1, 1_000_000>))
        .help("Use at most this many RU/s for reading, and as many for writing, in each step")
        .described_default("none")
        .of(ACCEPTANCE)
        .under(Heading::Reading)
        .brief("Use at most this many RU/s for each of reading and writing");
}
