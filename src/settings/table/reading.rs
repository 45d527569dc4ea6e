//! How the feed is read.

use std::time::Duration;

use crate::cli::Command;
use crate::cli::values::{self, Limit};
use crate::cosmos::max_ru::MaxRu;
use crate::settings::setting::{DefaultValue, Heading, Setting, settings};
use crate::settings::value::{Value, duration, milliseconds, number};

const READERS: &[Command] = &[
    Command::Tail,
    Command::Export,
    Command::Schema,
    Command::Resume,
    Command::Plan,
];

settings! {
    CONCURRENCY: u32 = Setting::new("concurrency", number("N", values::whole::<1, 4096>))
        .help("Ranges read at the same time")
        .described_default("by the number of ranges and cores")
        .profile_option()
        .kept("concurrency", |settings, number| settings.concurrency = Some(number))
        .of(READERS)
        .under(Heading::Reading)
        .in_full();

    PAGE_SIZE: u32 = Setting::new("page-size", number("N", values::whole::<1, 1_000_000>))
        .help("Documents requested in one page")
        .details(
            "A hint: a transaction is never cut, and the service ends a page at about 4 MB.",
        )
        .default("1000")
        .profile_option()
        .kept("page_size", |settings, number| settings.page_size = number)
        .of(READERS)
        .under(Heading::Reading)
        .in_full();

    MAX_RETRIES: u32 = Setting::new("max-retries", number("N", values::whole::<0, { u32::MAX }>))
        .help("How often a page is retried, beyond the SDK's own retries, before its range fails")
        .default("15")
        .defaults(&[(Command::Tail, DefaultValue::Described("no limit"))])
        .profile_option()
        .kept("max_retries", |settings, number| settings.max_retries = number.into())
        .of(READERS)
        .under(Heading::Reading)
        .in_full();

    READ_MAX_RU: Limit<MaxRu> = Setting::new("max-ru", Value::new("RU", values::max_ru_or_none))
        .help("Use at most this many RU/s for reading, or this share of the throughput such as 20%, or `none`")
        .details(
            "Measured by what the service charges. One budget for all ranges and all requests of this process: pages become smaller, ranges take \
             turns, and ranges without changes are polled less often. If the account throttles nevertheless, \
             less is used. A share is one of what the container is provisioned with, of autoscale one of the maximum; it \
             is read when the command starts, which takes an account key.",
        )
        .described_default("none")
        .profile_option()
        .kept("max_ru", |settings, limit| {
            settings.max_ru = match limit {
                Limit::At(units) => Some(units),
                Limit::None => None,
            };
        })
        .of(READERS)
        .under(Heading::Reading)
        .in_full();

    POLL_INTERVAL: Duration = Setting::new("poll-interval", duration())
        .help("How long to wait before a range without changes is polled again, with --follow")
        .default("1s")
        .profile_option()
        .kept("poll_interval_ms", |settings, interval| {
            settings.poll_interval_ms = milliseconds(interval);
        })
        .of(&[Command::Tail, Command::Export, Command::Resume])
        .under(Heading::Reading)
        .in_full();
}
