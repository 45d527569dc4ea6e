//! What a tail does, resolved and validated.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use time::OffsetDateTime;

use super::given::{Given, default_settings};
use super::output_name::ensure_json_lines;
use super::table;
use crate::cli::Command;
use crate::cli::choices::{ColorChoice, Mode, TailFormat};
use crate::cli::location::Location;
use crate::destination::Output;
use crate::destination::names::FileNames;
use crate::durable::{parent_of, shown_path};
use crate::error::usage;
use crate::feed::{ChangeFeedStart, FeedMode, RecordForm};
use crate::format::Format;
use crate::state::model::Settings;

/// What a tail does.
#[derive(Debug)]
pub struct TailPlan {
    /// The mode of the feed.
    pub mode: FeedMode,
    /// Where to start, if it is given.
    pub from: Option<ChangeFeedStart>,
    /// The last time whose changes are shown.
    pub until: Option<OffsetDateTime>,
    /// Whether to end at the present position of the container.
    pub until_caught_up: bool,
    /// Changes after which to end.
    pub max: Option<u64>,
    /// Time without a change after which to end.
    pub idle_timeout: Option<Duration>,
    /// The levels of the partition key to read, as typed.
    pub partition_key: Vec<String>,
    /// The ranges to read, as typed: numbers or portable forms.
    pub ranges: Vec<String>,
    /// Where the changes go.
    pub output: Output,
    /// What the lines of its file are, if it has one and they are all of one form.
    pub records: Option<RecordForm>,
    /// Whether a program makes the lines.
    pub has_program: bool,
    /// Where to keep the state, if anywhere.
    pub state_path: Option<PathBuf>,
    /// The base of relative output paths.
    pub base: PathBuf,
    /// How the feed is read and the position saved.
    pub settings: Settings,
}

impl TailPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If it contradicts itself, or a path cannot be made absolute.
    pub fn new(given: &Given) -> Result<Self> {
        let mode = match given.get(&table::TAIL_MODE)? {
            Mode::Latest => FeedMode::LatestVersion,
            Mode::All => FeedMode::AllVersionsAndDeletes,
        };
        ensure_format_fits(given, mode)?;
        let from = given.typed(&table::TAIL_FROM);
        let until = given.typed(&table::TAIL_UNTIL);
        let max = given.typed(&table::MAX_CHANGES);
        let until_caught_up = given.is_on(&table::UNTIL_CAUGHT_UP);
        if mode == FeedMode::AllVersionsAndDeletes
            && !matches!(from, None | Some(ChangeFeedStart::Now))
        {
            return Err(usage(
                "with --mode all a tail cannot start in the past: the service returns versions only to \
                 readers that were already reading",
                "start now, and keep the position with --state FILE so that the next start continues from \
                 it; or read the past with --mode latest",
            ));
        }
        let absolute = |path: &Path| {
            std::path::absolute(path).with_context(|| format!("cannot use `{}`", shown_path(&path)))
        };
        let output_path = given.typed(&table::TAIL_OUTPUT);
        if let Some(Location::Objects(address)) = &output_path {
            return Err(usage(
                format!("`{address}` is in an object store, where a file cannot be appended to"),
                "`export --follow -o` writes files there that are finished as time passes",
            ));
        }
        let output_path = output_path
            .as_ref()
            .and_then(Location::path)
            .map(absolute)
            .transpose()?;
        let output = match &output_path {
            Some(path) if path.is_dir() => {
                return Err(usage(
                    format!("`{}` is a directory", shown_path(&path)),
                    "a tail writes one file; `export --follow -o DIR` writes one for each range",
                ));
            }
            Some(path) => Output::Append(unicode(path)?),
            None => Output::StandardOutput,
        };
        if output_path.is_some() && (max.is_some() || until.is_some()) {
            return Err(usage(
                "with -o a tail cannot stop in the middle of a page, as --max and --until require",
                "a file is committed in whole pages, so that it holds each change once: leave -o out and \
                 redirect with `> FILE`, or stop with --until-caught-up or --idle-timeout",
            ));
        }
        let default_state =
            FileNames::new(&output, Path::new("."), "", Format::Jsonl.name()).default_state();
        let state_path = match given.typed(&table::TAIL_STATE) {
            Some(path) => Some(absolute(&path)?),
            None => default_state,
        };
        if let Some(path) = &output_path
            && !state_path.as_deref().is_some_and(Path::exists)
        {
            ensure_json_lines(
                path,
                "a tail writes",
                "`export --follow` writes other formats",
            )?;
        }
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
        let mut settings = default_settings(Command::Tail)?;
        given.store_in(&mut settings)?;
        settings.follow = !until_caught_up;
        Ok(Self {
            mode,
            from,
            until,
            until_caught_up,
            max,
            idle_timeout: given.typed(&table::IDLE_TIMEOUT),
            partition_key: given.list(&table::PARTITION_KEY),
            ranges: given.list(&table::RANGE),
            records: match output {
                Output::Append(_) => records(given, mode)?,
                _ => None,
            },
            has_program: given.typed(&table::JQ).is_some(),
            output,
            state_path,
            base,
            settings,
        })
    }
}

/// Refuses a form of the changes that contradicts something else.
fn ensure_format_fits(given: &Given, mode: FeedMode) -> Result<()> {
    let format = given.typed(&table::TAIL_FORMAT);
    let (flag, is_diff, is_for_people) = match format {
        Some(TailFormat::Line) => ("--format line", false, true),
        Some(TailFormat::Diff) => ("--format diff", true, true),
        Some(TailFormat::DiffJson) => ("--format diff-json", true, false),
        Some(TailFormat::Json | TailFormat::Pretty | TailFormat::Envelope) | None => {
            ("", false, false)
        }
    };
    if is_diff && mode == FeedMode::LatestVersion {
        return Err(usage(
            format!(
                "{flag} needs --mode all: the feed of the latest versions has no previous images"
            ),
            "add --mode all; the container must keep all versions, and previous images too",
        ));
    }
    if (is_diff || is_for_people) && given.typed(&table::JQ).is_some() {
        return Err(usage(
            format!("{flag} cannot be used with --jq, which prints the output of its program"),
            if is_for_people {
                "leave out one of them"
            } else {
                "leave out one of them, or pipe the output to jq"
            },
        ));
    }
    if is_for_people && given.typed(&table::TAIL_OUTPUT).is_some() {
        return Err(usage(
            format!("{flag} is for people, and a tail writes JSON lines to a file"),
            "leave -o out and redirect with `> FILE`; or write another format, such as envelope",
        ));
    }
    Ok(())
}

/// What the printed lines are, if they are all documents or all changes.
fn records(given: &Given, mode: FeedMode) -> Result<Option<RecordForm>> {
    let is_altered =
        given.typed(&table::JQ).is_some() || given.get(&table::COLOR)? == ColorChoice::Always;
    Ok(match (given.typed(&table::TAIL_FORMAT), mode) {
        _ if is_altered => None,
        (Some(TailFormat::Envelope), _) => Some(RecordForm::Changes),
        (None, mode) => Some(mode.into()),
        (Some(TailFormat::Json), FeedMode::LatestVersion) => Some(RecordForm::Documents),
        (Some(_), _) => None,
    })
}

fn unicode(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        usage(
            format!("the path `{}` is not Unicode", shown_path(&path)),
            "choose another output: the state file stores the path as JSON",
        )
    })
}
