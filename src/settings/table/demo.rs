//! The embedded account of `demo`.

use std::time::Duration;

use crate::cli::Command;
use crate::cli::values;
use crate::settings::setting::{Setting, settings};
use crate::settings::value::{duration, number};

const DEMO: &[Command] = &[Command::Demo];

settings! {
    PORT: u16 = Setting::new("port", number("PORT", values::port))
        .help("Port on the loopback address; 0 for a free one")
        .default("0")
        .of(DEMO);

    DOCUMENTS: u32 = Setting::new("documents", number("N", values::whole::<0, { u32::MAX }>))
        .help("Documents in the container at the start")
        .default("10000")
        .of(DEMO);

    PARTITIONS: u32 = Setting::new("partitions", number("N", values::whole::<1, 256>))
        .help("Physical partitions at the start")
        .default("4")
        .of(DEMO);

    PREVIOUS_IMAGES: bool = Setting::switch("previous-images")
        .help("Keep what a change replaced: `previous` in the feed of all versions and deletes")
        .of(DEMO);

    WRITES_PER_SECOND: f64 = Setting::new("writes-per-second", number("RATE", values::number))
        .help("Writes per second: creates, replaces and deletes")
        .default("5")
        .of(DEMO);

    SPLIT_EVERY: Duration = Setting::new("split-every", duration())
        .help("Split the largest partition repeatedly, at this interval")
        .of(DEMO);
}
