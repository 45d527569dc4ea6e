//! How often progress is committed, and where the position is kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Command;
use crate::cli::values;
use crate::report::SummaryFormat;
use crate::settings::setting::{DefaultValue, Heading, Setting, settings};
use crate::settings::value::{bytes, choice, duration, milliseconds, number, path};

settings! {
    CHECKPOINT_INTERVAL: Duration = Setting::new("checkpoint-interval", duration())
        .help("Commit at least this often; a crash repeats at most this much work")
        .default("5s")
        .defaults(&[(Command::Tail, DefaultValue::Value("1s"))])
        .profile_option()
        .kept("checkpoint_interval_ms", |settings, interval| {
            settings.checkpoint_interval_ms = milliseconds(interval);
        })
        .of(&[Command::Tail, Command::Export, Command::Resume])
        .under(Heading::Committing)
        .in_full();

    CHECKPOINT_BYTES: u64 = Setting::new("checkpoint-bytes", bytes())
        .help("Commit after this many bytes, such as 64MiB")
        .default("256MiB")
        .profile_option()
        .kept("checkpoint_bytes", |settings, bytes| settings.checkpoint_bytes = bytes)
        .of(&[Command::Export, Command::Resume])
        .under(Heading::Committing)
        .in_full();

    SUMMARY: SummaryFormat = Setting::new("summary", choice("SUMMARY"))
        .help("How to print the summary at the end, on standard error")
        .default("text")
        .of(&[Command::Export, Command::Resume])
        .under(Heading::Committing)
        .brief("Form of the summary");

    POSITION: PathBuf = Setting::new("state", path("FILE"))
        .help("Keep the position in this file, and continue from it when started again")
        .details(
            "It is saved after the service has acknowledged the writes. After a crash the changes that were \
             not saved are applied again, which leaves the same documents. For a copy of several containers it is a \
             directory, with a file for each.",
        )
        .of(&[Command::Replay])
        .under(Heading::Committing)
        .brief("Keep the position here, and continue from it");

    POSITION_INTERVAL: Duration = Setting::new("checkpoint-interval", duration())
        .help("Save the position at least this often")
        .default("1s")
        .of(&[Command::Replay])
        .under(Heading::Committing)
        .in_full();

    CHECKPOINT_CHANGES: u32 =
        Setting::new("checkpoint-changes", number("N", values::whole::<1, 1_000_000>))
            .help(
                "Apply at most this many changes beyond the saved position; a crash repeats no more, or \
                 twice as many from the feed of a container",
            )
            .default("10000")
            .of(&[Command::Replay])
            .under(Heading::Committing)
        .in_full();
}
