//! What a resume does, resolved and validated.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::files::check_row_groups;
use super::given::Given;
use super::resolved::ResolvedValue;
use super::setting::FrozenIn;
use super::table;
use crate::cli::location::Location;
use crate::destination::find_state;
use crate::durable::{parent_of, shown_path};
use crate::error::usage;
use crate::escape::shell_word;
use crate::format::Format;
use crate::objects::{Address, ObjectAddress};
use crate::report::SummaryFormat;
use crate::state::model::{FrozenOptions, Settings};
use crate::state::{own_state, state_object, typed_state};

/// What a resume does.
#[derive(Debug)]
pub struct ResumePlan {
    /// The state file.
    pub state_path: PathBuf,
    /// The object of the state, if it is in an object store; then the path is only for messages.
    pub state_object: Option<ObjectAddress>,
    /// Whether to discard open files that do not match the state.
    pub repair: bool,
    /// Whether to add columns for what has drifted.
    pub widen: bool,
    /// How to print the summary.
    pub summary: SummaryFormat,
    /// Whether it ends, whatever its state says: others wait for it.
    ends: bool,
    /// What continues it, if that is no `resume`.
    command: Option<String>,
    given: Given,
}

impl ResumePlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If there is no state, or two; or if its path cannot be made absolute.
    pub fn new(given: &Given) -> Result<Self> {
        let named = given.typed(&table::RESUME_PATH);
        let typed = given.typed(&table::RESUME_STATE);
        let (state_path, object) = match state_of(named, typed)? {
            StateOf::File(path) => (path, None),
            // As it is typed.
            StateOf::Object(object) => (typed_state(&object).into(), Some(object)),
        };
        Ok(Self {
            state_path,
            state_object: object,
            repair: given.is_on(&table::REPAIR),
            widen: given.is_on(&table::WIDEN),
            summary: given.get(&table::SUMMARY)?,
            ends: false,
            command: None,
            given: given.clone(),
        })
    }

    /// The continuation of one container of a database, with the settings of this start.
    pub(super) fn in_database(given: &Given, state_path: PathBuf, summary: SummaryFormat) -> Self {
        Self {
            repair: given.is_on(&table::REPAIR),
            widen: given.is_on(&table::WIDEN),
            ends: true,
            ..Self::of_shard(given, state_path, summary)
        }
    }

    /// The continuation of a shard of a plan, with the settings of this start.
    pub(super) fn of_shard(given: &Given, state_path: PathBuf, summary: SummaryFormat) -> Self {
        Self {
            state_path,
            state_object: None,
            repair: given.is_on(&table::SHARD_REPAIR),
            widen: false,
            summary,
            ends: false,
            command: None,
            given: given.clone(),
        }
    }

    /// The same for a shard in an object store, which this command continues.
    pub(super) fn of_shard_at(
        given: &Given,
        address: &Address,
        command: String,
        summary: SummaryFormat,
    ) -> Self {
        Self {
            state_object: Some(own_state(address)),
            command: Some(command),
            ..Self::of_shard(given, address.to_string().into(), summary)
        }
    }

    /// Refuses what a shard of a plan cannot do, with these settings.
    ///
    /// # Errors
    ///
    /// If the resume would read something else than the plan says.
    pub fn ensure_for_shard(&self, settings: &Settings) -> Result<()> {
        let until = self.given.is_typed(&table::UNTIL.row);
        let flag = match (settings.follow, until, self.widen) {
            (true, _, _) => "--follow",
            (_, true, _) => "--until",
            (_, _, true) => "--widen",
            _ => return Ok(()),
        };
        Err(usage(
            format!(
                "the export is a shard of a plan, which says what is read: {flag} would change that"
            ),
            format!("leave {flag} out; `cosmos-tail plan --after DIR` plans what came since"),
        ))
    }

    /// Refuses options that contradict what the state has frozen.
    ///
    /// # Errors
    ///
    /// A usage error (exit code 2) that names both values.
    pub fn ensure_agrees(&self, options: &FrozenOptions) -> Result<()> {
        let base = match &self.state_object {
            None => parent_of(&self.state_path),
            Some(_) => &self.state_path,
        };
        self.given.ensure_agrees(&FrozenIn { options, base })
    }

    /// The settings of this resume: those of the state, except for what was given. With --save-options the
    /// state gets them too.
    ///
    /// # Errors
    ///
    /// If a setting is not for the format of the export, or has no effect because the export follows.
    pub fn settle(&self, settings: &mut Settings, format: Format) -> Result<Settings> {
        check_row_groups(&self.given, format)?;
        let mut own = settings.clone();
        self.given.store_in(&mut own)?;
        let follow = own.follow;
        own.follow &= !self.ends;
        if own.follow && self.given.is_typed(&table::UNTIL.row) {
            return Err(usage(
                "the state has --follow, so the resume would not end, but --until says where it ends",
                "add --no-follow, or leave --until out",
            ));
        }
        if self.given.is_on(&table::SAVE_OPTIONS) {
            *settings = Settings {
                follow,
                ..own.clone()
            };
        }
        Ok(own)
    }

    /// Refuses what is about the feed, for an export of a query with these settings.
    ///
    /// # Errors
    ///
    /// If the resume would follow, or says how far to read the feed.
    pub fn ensure_for_query(&self, settings: &Settings) -> Result<()> {
        let flag = match (settings.follow, self.given.is_typed(&table::UNTIL.row)) {
            (false, false) => return Ok(()),
            (true, _) => "--follow",
            (false, true) => "--until",
        };
        Err(usage(
            format!("the export is of a query, which has an end: {flag} is about the feed"),
            format!("leave {flag} out; an export of all documents can be followed"),
        ))
    }

    /// The command that continues this resume if it is stopped: with its options, unless the state has them.
    pub fn command(&self) -> ResumeCommand {
        let mut command = ResumeCommand::of(&self.state_path);
        command.object.clone_from(&self.state_object);
        command.command.clone_from(&self.command);
        if !self.given.is_on(&table::SAVE_OPTIONS) {
            command.options = self.given.changed_options();
        }
        command
    }

    /// The settings of the resume, with where each came from.
    ///
    /// # Errors
    ///
    /// None that a test does not exclude: the settings can be written as JSON.
    pub fn values(&self, settings: &Settings) -> Result<Vec<ResolvedValue>> {
        self.given.resumed_values(settings)
    }
}

/// Where the state of a job is.
#[derive(Debug)]
pub(super) enum StateOf {
    /// In a file of this machine.
    File(PathBuf),
    /// In an object.
    Object(ObjectAddress),
}

/// The state of the export that is named, or the one that --state names.
///
/// # Errors
///
/// If there is no state, or two; or if its path cannot be made absolute.
pub(super) fn state_of(named: Option<Location>, typed: Option<Location>) -> Result<StateOf> {
    match (&named, &typed) {
        (Some(Location::Objects(address)), None) | (None, Some(Location::Objects(address))) => {
            return Ok(StateOf::Object(state_object(address)));
        }
        (Some(Location::Objects(_)), Some(_)) | (Some(_), Some(Location::Objects(_))) => {
            return Err(usage(
                "the export is named twice: by its place, and by its state",
                "leave the first out: the state knows its output",
            ));
        }
        _ => {}
    }
    let path = |location: Option<Location>| location?.path().map(Path::to_owned);
    state_path_of(path(named), path(typed)).map(StateOf::File)
}

/// The state file of the export that is named: by its output or by the state itself.
///
/// # Errors
///
/// If there is no state, or two; or if its path cannot be made absolute.
fn state_path_of(named: Option<PathBuf>, state: Option<PathBuf>) -> Result<PathBuf> {
    let absolute =
        |path: &Path| std::path::absolute(path).context("cannot make the state path absolute");
    // What is no state is refused when it is read.
    let by_flag = |path: &Path| absolute(&find_state(path)?.unwrap_or_else(|| path.to_owned()));
    let Some(named) = named else {
        return by_flag(&state.context("there is no state")?);
    };
    let own = find_state(&named)?;
    let Some(typed) = state else {
        let Some(own) = own else {
            return Err(usage(
                format!("`{}` has no state of an export", shown_path(&named)),
                "if the export keeps its state elsewhere, name that: `--state FILE`; `export -o` begins a new \
                 export",
            ));
        };
        return absolute(&own);
    };
    let found = by_flag(&typed)?;
    match own {
        Some(own) if is_same(&absolute(&own)?, &found) => Ok(found),
        Some(own) => Err(usage(
            format!(
                "`{}` and --state name two states: `{}` and `{}`",
                shown_path(&named),
                shown_path(&own),
                shown_path(&found)
            ),
            "name one of them",
        )),
        None => Err(usage(
            format!(
                "`{}` has no state of an export, but --state names `{}`",
                shown_path(&named),
                shown_path(&found)
            ),
            "leave the first out: the state knows its output",
        )),
    }
}

/// Whether two paths are one file.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || same_file::is_same_file(one, other).unwrap_or(false)
}

/// The command that continues an export, as it can be typed.
#[derive(Debug, Clone)]
pub struct ResumeCommand {
    /// The state file.
    pub state_path: PathBuf,
    /// The object of the state, if it is in an object store.
    pub object: Option<ObjectAddress>,
    /// Options that the state does not have, as words for a shell.
    options: Vec<String>,
    /// The command, if it is no `resume`.
    command: Option<String>,
}

impl ResumeCommand {
    /// With the options of the state.
    pub fn of(state_path: &Path) -> Self {
        Self {
            state_path: state_path.to_owned(),
            object: None,
            options: Vec::new(),
            command: None,
        }
    }

    /// The address of the state, if it is in an object store.
    pub fn address(&self) -> Option<String> {
        self.object.as_ref().map(ObjectAddress::to_string)
    }

    /// With the options of the state in an object store.
    pub fn of_object(object: &ObjectAddress) -> Self {
        Self {
            object: Some(object.clone()),
            ..Self::of(Path::new(&typed_state(object)))
        }
    }

    /// Of a shard of a plan in an object store, which this command continues.
    pub(super) fn of_shard_at(address: &Address, command: String) -> Self {
        Self {
            command: Some(command),
            ..Self::of_object(&own_state(address))
        }
    }
}

impl fmt::Display for ResumeCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = shell_word(&self.state_path);
        match (&self.command, &self.object) {
            (Some(command), _) => f.write_str(command)?,
            (None, None) => write!(f, "cosmos-tail resume --state {state}")?,
            (None, Some(_)) => write!(f, "cosmos-tail resume {state}")?,
        }
        self.options
            .iter()
            .try_for_each(|option| write!(f, " {option}"))
    }
}
