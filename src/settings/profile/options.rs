//! The options of a profile: defaults of flags.

use std::time::Duration;

use crate::cli::{CommitArgs, Priority, ReaderArgs};
use crate::settings::connection::priority_name;
use crate::settings::resolved::{Origin, ResolvedValue};
use crate::state::model::Settings;

use super::ChosenProfile;

/// Defaults of flags; what is none keeps the built-in default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProfileOptions {
    /// Ranges read at the same time.
    pub concurrency: Option<u32>,
    /// Documents asked for in one page.
    pub page_size: Option<u32>,
    /// Tries of a page beyond the SDK's own.
    pub max_retries: Option<u32>,
    /// How long an idle range is left alone.
    pub poll_interval: Option<Duration>,
    /// Longest time between commits.
    pub checkpoint_interval: Option<Duration>,
    /// Most bytes between commits.
    pub checkpoint_bytes: Option<u64>,
    /// Priority of requests.
    pub priority: Option<Priority>,
    /// Throughput bucket that requests draw on.
    pub throughput_bucket: Option<u32>,
}

impl ProfileOptions {
    /// The options that are given, as text.
    pub fn given(&self) -> Vec<(&'static str, String)> {
        let duration = |value: Duration| humantime::format_duration(value).to_string();
        [
            ("concurrency", self.concurrency.map(|n| n.to_string())),
            ("page-size", self.page_size.map(|n| n.to_string())),
            ("max-retries", self.max_retries.map(|n| n.to_string())),
            ("poll-interval", self.poll_interval.map(duration)),
            (
                "checkpoint-interval",
                self.checkpoint_interval.map(duration),
            ),
            (
                "checkpoint-bytes",
                self.checkpoint_bytes.map(|n| n.to_string()),
            ),
            ("priority", self.priority.map(priority_name)),
            (
                "throughput-bucket",
                self.throughput_bucket.map(|n| n.to_string()),
            ),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// Fills in from the profile what was not typed, and says where each option comes from.
pub fn fill_options(
    reader: &mut ReaderArgs,
    commit: &mut CommitArgs,
    profile: Option<ChosenProfile<'_>>,
) -> Vec<(&'static str, Origin)> {
    fn fill<T>(
        slot: &mut Option<T>,
        of_profile: Option<T>,
        flag: &'static str,
        name: &str,
    ) -> Origin {
        if slot.is_some() {
            return Origin::Flag(flag);
        }
        *slot = of_profile;
        match slot {
            Some(_) => Origin::Profile(name.to_owned()),
            None => Origin::Default,
        }
    }
    let name = profile.map_or("", |chosen| &chosen.profile.name);
    let own = profile.map_or_else(ProfileOptions::default, |chosen| chosen.profile.options);
    let origins = [
        fill(
            &mut reader.concurrency,
            own.concurrency,
            "--concurrency",
            name,
        ),
        fill(&mut reader.page_size, own.page_size, "--page-size", name),
        fill(
            &mut reader.max_retries,
            own.max_retries,
            "--max-retries",
            name,
        ),
        fill(
            &mut reader.poll_interval,
            own.poll_interval,
            "--poll-interval",
            name,
        ),
        fill(
            &mut commit.checkpoint_interval,
            own.checkpoint_interval,
            "--checkpoint-interval",
            name,
        ),
        fill(
            &mut commit.checkpoint_bytes,
            own.checkpoint_bytes,
            "--checkpoint-bytes",
            name,
        ),
    ];
    let names = [
        "concurrency",
        "page-size",
        "max-retries",
        "poll-interval",
        "checkpoint-interval",
        "checkpoint-bytes",
    ];
    names.into_iter().zip(origins).collect()
}

/// What came of the options, with the origins that [`fill_options`] said.
pub fn option_values(
    settings: &Settings,
    origins: Vec<(&'static str, Origin)>,
) -> Vec<ResolvedValue> {
    let duration =
        |milliseconds| humantime::format_duration(Duration::from_millis(milliseconds)).to_string();
    let value = |name: &str| match name {
        "concurrency" => settings
            .concurrency
            .map_or_else(|| "by ranges and cores".to_owned(), |n| n.to_string()),
        "page-size" => settings.page_size.to_string(),
        "max-retries" => settings.max_retries.to_string(),
        "poll-interval" => duration(settings.poll_interval_ms),
        "checkpoint-interval" => duration(settings.checkpoint_interval_ms),
        _ => settings.checkpoint_bytes.to_string(),
    };
    origins
        .into_iter()
        .map(|(name, origin)| ResolvedValue::new(name, value(name), origin))
        .collect()
}
