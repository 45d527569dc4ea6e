//! What a tail does, resolved and validated.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use time::OffsetDateTime;

use super::files::{ensure_not_partitioned, finish_files, partition_by};
use super::given::{Given, default_settings};
use super::objects::{StateOfObjects, object_of_state, objects};
use super::output_name::ensure_json_lines;
use super::table;
use crate::cli::Command;
use crate::cli::choices::{ColorChoice, Mode, TailFormat};
use crate::cli::location::Location;
use crate::destination::names::FileNames;
use crate::destination::{Output, PartitionBy, STATE_FILE, StateDirectory, Table, real};
use crate::durable::{parent_of, shown_path};
use crate::error::usage;
use crate::feed::{ChangeFeedStart, FeedMode, RecordForm};
use crate::format::Format;
use crate::objects::{Address, ObjectAddress};
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
    /// How the table is partitioned, if it is.
    pub partition_by: Option<PartitionBy>,
    /// What the lines of its file are, if it has one and they are all of one form.
    pub records: Option<RecordForm>,
    /// Whether a program makes the lines.
    pub has_program: bool,
    /// The file of the state, if it is one.
    pub state_path: Option<PathBuf>,
    /// The object of the state, if it is in an object store.
    pub state_object: Option<ObjectAddress>,
    /// The base of relative output paths.
    pub base: PathBuf,
    /// Whether to discard open files that do not match the state.
    pub repair: bool,
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
        let place = TailPlace::new(given)?;
        let has_output = !matches!(place.output, Output::StandardOutput);
        if has_output && (max.is_some() || until.is_some()) {
            return Err(usage(
                "with -o a tail cannot stop in the middle of a page, as --max and --until require",
                "a file is committed in whole pages, so that it holds each change once: leave -o out and \
                 redirect with `> FILE`, or stop with --until-caught-up or --idle-timeout",
            ));
        }
        let mut settings = default_settings(Command::Tail)?;
        if place.output.has_series_of_ranges() {
            finish_files(&mut settings);
        } else {
            ensure_not_partitioned(given)?;
        }
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
            records: match has_output {
                true => records(given, mode)?,
                false => None,
            },
            has_program: given.typed(&table::JQ).is_some(),
            output: place.output,
            partition_by: partition_by(given),
            state_path: place.state_path,
            state_object: place.state_object,
            base: place.base,
            repair: given.is_on(&table::REPAIR),
            settings,
        })
    }
}

/// Where a tail writes, and where its state is.
struct TailPlace {
    output: Output,
    state_path: Option<PathBuf>,
    state_object: Option<ObjectAddress>,
    base: PathBuf,
}

impl TailPlace {
    fn new(given: &Given) -> Result<Self> {
        let location = given.typed(&table::TAIL_OUTPUT);
        let path = match &location {
            Some(Location::Objects(address)) => return Self::of_objects(given, address),
            Some(location) => location.path(),
            None => None,
        };
        let state = given.typed(&table::TAIL_STATE);
        if let Some(path) = path
            && (path.is_dir() || ends_as_directory(path))
        {
            return Self::of_directory(path, state);
        }
        let path = path.map(absolute).transpose()?;
        let output = match &path {
            Some(path) => Output::Append(unicode(path)?),
            None => Output::StandardOutput,
        };
        let names = FileNames::new(&output, Path::new("."), "", Format::Jsonl.name());
        let (state_path, state_object) = match state {
            Some(Location::Objects(address)) => (None, Some(object_of_state(&address)?)),
            Some(Location::Local(path)) => (Some(absolute(&path)?), None),
            Some(Location::StandardStream) | None => (names.default_state(), None),
        };
        let is_begun = state_object.is_some() || state_path.as_deref().is_some_and(Path::exists);
        if let Some(path) = path.as_deref().filter(|_| !is_begun) {
            ensure_json_lines(
                path,
                "a tail writes",
                "`export --follow` writes other formats",
            )?;
        }
        let base = state_path.as_deref().map(parent_of);
        let base = base.unwrap_or(Path::new(".")).to_owned();
        let relative = path
            .as_deref()
            .and_then(|path| path.strip_prefix(&base).ok());
        Ok(Self {
            output: match relative {
                Some(relative) => Output::Append(unicode(relative)?),
                None => output,
            },
            state_path,
            state_object,
            base,
        })
    }

    /// Files of each range in a directory.
    fn of_directory(path: &Path, state: Option<Location>) -> Result<Self> {
        let directory = real(&absolute(path)?);
        let state_path = state.as_ref().and_then(Location::path);
        let state_path = state_path.map(absolute).transpose()?;
        let state_directory = StateDirectory::choose(&directory, state_path.as_deref());
        let own = state_directory.of(&directory);
        let state_object = match &state {
            Some(Location::Objects(address)) => Some(object_of_state(address)?),
            _ => None,
        };
        let state_path = match state_object {
            Some(_) => None,
            None => Some(state_path.unwrap_or_else(|| own.join(STATE_FILE))),
        };
        let base = state_path.as_deref().map(parent_of);
        let base = base.unwrap_or(Path::new(".")).to_owned();
        Ok(Self {
            output: Output::Table(Table {
                directory: match base == own {
                    true => None,
                    false => Some(unicode(&directory)?),
                },
                state_directory,
                shard: None,
            }),
            state_path,
            state_object,
            base,
        })
    }

    /// Objects of each range.
    fn of_objects(given: &Given, address: &Address) -> Result<Self> {
        let (output, state) = objects(address, given.typed(&table::TAIL_STATE))?;
        let (state_path, state_object) = match state {
            StateOfObjects::File(path) => (Some(path), None),
            StateOfObjects::Object(object) => (None, Some(object)),
        };
        let base = state_path.as_deref().map(parent_of);
        Ok(Self {
            output,
            base: base.unwrap_or(Path::new(".")).to_owned(),
            state_path,
            state_object,
        })
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot use `{}`", shown_path(&path)))
}

fn ends_as_directory(path: &Path) -> bool {
    let text = path.as_os_str().to_string_lossy();
    text.ends_with(['/', std::path::MAIN_SEPARATOR])
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
