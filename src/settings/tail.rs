//! What a tail is to do, resolved and validated.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use time::OffsetDateTime;

use super::job::{milliseconds, override_reader_settings};
use crate::cli::{TailArgs, TailMode};
use crate::destination::Output;
use crate::destination::names::FileNames;
use crate::durable::parent_of;
use crate::error::usage;
use crate::feed::{ChangeFeedStart, FeedMode};
use crate::format::Format;
use crate::state::model::Settings;

/// What a tail is to do.
#[derive(Debug)]
pub struct TailPlan {
    /// The mode of the feed.
    pub mode: FeedMode,
    /// Where to start, if it was said.
    pub from: Option<ChangeFeedStart>,
    /// The last moment whose changes are shown.
    pub until: Option<OffsetDateTime>,
    /// Whether to end where the container stands now.
    pub until_caught_up: bool,
    /// Changes after which to end.
    pub max: Option<u64>,
    /// Time without a change after which to end.
    pub idle_timeout: Option<Duration>,
    /// The levels of the one partition key to read, as they were typed.
    pub partition_key: Vec<String>,
    /// The ranges to read, as they were typed: numbers or portable forms.
    pub ranges: Vec<String>,
    /// Where the changes go.
    pub output: Output,
    /// Where the state is kept, if it is.
    pub state_path: Option<PathBuf>,
    /// What relative output paths are relative to.
    pub base: PathBuf,
    /// How it is read and saved.
    pub settings: Settings,
}

impl TailPlan {
    /// Resolves what was typed.
    ///
    /// # Errors
    ///
    /// If it contradicts itself, or a path cannot be made absolute.
    pub fn new(args: &TailArgs) -> Result<Self> {
        let mode = match args.mode {
            TailMode::Latest => FeedMode::LatestVersion,
            TailMode::All => FeedMode::AllVersionsAndDeletes,
        };
        if mode == FeedMode::AllVersionsAndDeletes
            && !matches!(args.from, None | Some(ChangeFeedStart::Now))
        {
            return Err(usage(
                "with --mode all a tail cannot start in the past: the service keeps versions for those \
                 who were there",
                "start now, and keep the position with --state FILE so that the next start goes on from \
                 there; or read the past with --mode latest",
            ));
        }
        let absolute = |path: &Path| {
            std::path::absolute(path).with_context(|| format!("cannot use `{}`", path.display()))
        };
        let output_path = args
            .output
            .as_deref()
            .filter(|path| *path != Path::new("-"))
            .map(absolute)
            .transpose()?;
        let output = match &output_path {
            Some(path) if path.is_dir() => {
                return Err(usage(
                    format!("`{}` is a directory", path.display()),
                    "a tail writes one file; `export --follow -o DIR` writes one for each range",
                ));
            }
            Some(path) => Output::Append(unicode(path)?),
            None => Output::StandardOutput,
        };
        if output_path.is_some() && (args.max.is_some() || args.until.is_some()) {
            return Err(usage(
                "with -o a tail cannot end in the middle of a page, as --max and --until would have it",
                "a file is committed in whole pages, so that it holds each change once: leave -o out and \
                 write to the file by `> FILE`, or end by --until-caught-up or --idle-timeout",
            ));
        }
        let default_state =
            FileNames::new(&output, Path::new("."), "", Format::Jsonl.name()).default_state();
        let state_path = match &args.state {
            Some(path) => Some(absolute(path)?),
            None => default_state,
        };
        let base = state_path
            .as_deref()
            .map_or_else(|| PathBuf::from("."), |path| parent_of(path).to_owned());
        let output = match output_path
            .as_deref()
            .and_then(|path| path.strip_prefix(&base).ok())
        {
            Some(relative) => Output::Append(unicode(relative)?),
            None => output,
        };
        let mut settings = Settings {
            until: None,
            follow: !args.until_caught_up,
            concurrency: None,
            page_size: 1000,
            // A tail outlives an outage of any length.
            max_retries: u32::MAX,
            poll_interval_ms: 1000,
            checkpoint_interval_ms: 1000,
            checkpoint_bytes: 256 << 20,
            rotate_bytes: None,
            rotate_interval_ms: None,
            row_group_bytes: None,
        };
        override_reader_settings(&mut settings, &args.reader);
        if let Some(interval) = args.checkpoint_interval {
            settings.checkpoint_interval_ms = milliseconds(interval);
        }
        Ok(Self {
            mode,
            from: args.from,
            until: args.until,
            until_caught_up: args.until_caught_up,
            max: args.max,
            idle_timeout: args.idle_timeout,
            partition_key: args.partition_key.clone(),
            ranges: args.range.clone(),
            output,
            state_path,
            base,
            settings,
        })
    }
}

fn unicode(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        usage(
            format!("the path `{}` is not Unicode", path.display()),
            "choose another output: the path is kept in the state file, which is JSON",
        )
    })
}
