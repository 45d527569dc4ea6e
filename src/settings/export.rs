//! What an export does, resolved and validated.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::columns::ColumnsPlan;
use super::feed_start::feed_start;
use super::files::{
    FilesPlan, check_row_groups, default_rotation, ensure_not_partitioned, partition_by,
};
use super::given::{Given, default_settings};
use super::objects::{StateOfObjects, absolute_state, object_of_state, objects};
use super::output_name::ensure_no_extension;
use super::query::QueryPlan;
use super::table;
use crate::cli::Command;
use crate::cli::choices::Mode;
use crate::cli::location::Location;
use crate::destination::names::FileNames;
use crate::destination::{Output, STATE_FILE, StateDirectory, Table, real};
use crate::durable::{parent_of, shown_path};
use crate::error::usage;
use crate::feed::Scope;
use crate::format::Extension;
use crate::objects::{Address, ObjectAddress};
use crate::report::SummaryFormat;
use crate::schema::TableForm;
use crate::state::model::{FrozenOptions, Settings};

/// What an export does.
#[derive(Debug)]
pub struct ExportPlan {
    /// What never changes while the export lives.
    pub options: FrozenOptions,
    /// The query to read instead of the feed.
    pub query: Option<QueryPlan>,
    /// What a resume takes over unless it changes it.
    pub settings: Settings,
    /// Where to keep the state; `None` for standard output without `--state`.
    pub state_path: Option<PathBuf>,
    /// The object of the state, if that is in an object store.
    pub state_object: Option<ObjectAddress>,
    /// The base of relative output paths: the directory of the state file.
    pub base: PathBuf,
    /// Whether to replace the output of an earlier export.
    pub force: bool,
    /// Whether an instance of a group discards what does not match the state.
    pub repair: bool,
    /// Where the documents go, as the user wrote it.
    pub destination: String,
    /// How to print the summary.
    pub summary: SummaryFormat,
}

impl ExportPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If the output contradicts its format, or a path cannot be made absolute.
    pub fn new(given: &Given) -> Result<Self> {
        let location = given.get(&table::EXPORT_OUTPUT)?;
        let files = FilesPlan::new(given, &location)?;
        let (output, path) = match &location {
            Location::StandardStream => (OutputKind::StandardOutput, Path::new("-")),
            Location::Objects(address) => return Self::to_objects(given, address, &location),
            Location::Local(path) => (output_kind(path, &files, given)?, path.as_path()),
        };
        if !matches!(output, OutputKind::Directory) {
            ensure_not_partitioned(given)?;
        }
        let mut absolute =
            std::path::absolute(path).context("cannot make the output path absolute")?;
        let typed = given.typed(&table::EXPORT_STATE);
        if let Some(Location::Objects(address)) = &typed {
            return Self::with_state_object(given, address, &location, (output, &absolute));
        }
        let typed_state = typed.as_ref().and_then(Location::path).map(absolute_state);
        let typed_state = typed_state.transpose()?;
        if matches!(output, OutputKind::Directory) {
            absolute = real(&absolute);
        }
        let output = output.settled(&absolute, typed_state.as_deref());
        let default_state = FileNames::new(
            &output.at(&absolute)?,
            Path::new("."),
            "",
            files.extension(),
        )
        .default_state();
        let state_path = typed_state.or(default_state);
        let base = state_path
            .as_deref()
            .map_or_else(|| PathBuf::from("."), |path| parent_of(path).to_owned());
        // Paths below the directory of the state file are relative to it, so that an export can be moved as
        // a whole.
        let relative = absolute
            .strip_prefix(&base)
            .map(Path::to_owned)
            .unwrap_or_else(|_| absolute.clone());
        let mut relative = output.at(&relative)?;
        if let Output::Table(table) = &mut relative
            && table.state_directory.of(&absolute) == base
        {
            table.directory = None;
        }
        Self::of(
            given,
            &location,
            Place {
                output: relative,
                state_path,
                state_object: None,
                base,
                shown: match output {
                    OutputKind::StandardOutput => "standard output".to_owned(),
                    _ => path.display().to_string(),
                },
            },
        )
    }

    /// An export to `output` of this machine, with its state in an object store.
    fn with_state_object(
        given: &Given,
        state: &Address,
        location: &Location,
        output: (OutputKind, &Path),
    ) -> Result<Self> {
        if given.is_on(&table::FORCE) {
            return Err(usage(
                "--force does not replace a state in an object store",
                "choose another state and another output, or delete both first",
            ));
        }
        let (kind, absolute) = output;
        let absolute = match kind {
            OutputKind::Directory => real(absolute),
            _ => absolute.to_owned(),
        };
        Self::of(
            given,
            location,
            Place {
                output: kind.settled(&absolute, None).at(&absolute)?,
                state_path: None,
                state_object: Some(object_of_state(state)?),
                base: PathBuf::from("."),
                shown: match kind {
                    OutputKind::StandardOutput => "standard output".to_owned(),
                    _ => location.to_string(),
                },
            },
        )
    }

    /// Whether the output is in an object store.
    pub fn has_objects(&self) -> bool {
        matches!(self.options.output, Output::Objects | Output::ObjectsAt(_))
    }

    /// The export that a plan prepares.
    pub(super) fn of_plan(given: &Given) -> Result<Self> {
        Self::of(
            given,
            &Location::Local(PathBuf::from(".")),
            Place {
                // The shards have outputs of their own.
                output: Output::StandardOutput,
                state_path: None,
                state_object: None,
                base: PathBuf::from("."),
                shown: String::new(),
            },
        )
    }

    /// What the exports of all containers of a database have in common; none of it says where they are.
    pub(super) fn of_database(given: &Given, directory: &Path) -> Result<Self> {
        let location = Location::Local(directory.to_owned());
        let files = FilesPlan::new(given, &location)?;
        if !matches!(
            output_kind(directory, &files, given)?,
            OutputKind::Directory
        ) {
            return Err(usage(
                format!(
                    "a database is exported to a directory, but `{}` names a file",
                    shown_path(directory)
                ),
                "name a directory: -o backup/",
            ));
        }
        Self::of(
            given,
            &location,
            Place {
                // Each container has an output of its own.
                output: Output::StandardOutput,
                state_path: None,
                state_object: None,
                base: PathBuf::from("."),
                shown: String::new(),
            },
        )
    }

    /// The export of one container of a database to `directory`, with these options and settings.
    ///
    /// # Errors
    ///
    /// If the path cannot be made absolute, or is not Unicode.
    pub(super) fn in_database(
        options: &FrozenOptions,
        settings: Settings,
        directory: &Path,
        summary: SummaryFormat,
    ) -> Result<Self> {
        let absolute =
            std::path::absolute(directory).context("cannot make the output path absolute")?;
        let absolute = real(&absolute);
        let kind = OutputKind::Table(StateDirectory::choose(&absolute, None));
        let mut output = kind.at(&absolute)?;
        let Output::Table(table) = &mut output else {
            anyhow::bail!("the output is no directory");
        };
        table.directory = None;
        let base = table.state_directory.of(&absolute);
        Ok(Self {
            options: FrozenOptions {
                output,
                ..options.clone()
            },
            query: None,
            settings,
            state_path: Some(base.join(STATE_FILE)),
            state_object: None,
            base,
            force: false,
            repair: false,
            destination: directory.display().to_string(),
            summary,
        })
    }

    /// An export to an object store, with its state there unless that is to be elsewhere.
    fn to_objects(given: &Given, address: &Address, location: &Location) -> Result<Self> {
        if given.is_on(&table::FORCE) {
            return Err(usage(
                "--force does not replace an export in an object store",
                "choose another path, or delete the objects there first",
            ));
        }
        let (output, state) = objects(address, given.typed(&table::EXPORT_STATE))?;
        let (state_path, state_object) = match state {
            StateOfObjects::File(path) => (Some(path), None),
            StateOfObjects::Object(object) => (None, Some(object)),
        };
        let base = state_path.as_deref().map(parent_of);
        Self::of(
            given,
            location,
            Place {
                output,
                base: base.unwrap_or(Path::new(".")).to_owned(),
                state_path,
                state_object,
                shown: address.to_string(),
            },
        )
    }

    fn of(given: &Given, location: &Location, place: Place) -> Result<Self> {
        let files = FilesPlan::new(given, location)?;
        let columns = ColumnsPlan::new(given, files.format)?;
        let mode = given.get(&table::EXPORT_MODE)?;
        let query = QueryPlan::new(given)?;
        if query.is_some() {
            ensure_no_feed(given, mode)?;
        }
        let snapshot = given.is_on(&table::SNAPSHOT);
        if snapshot {
            ensure_snapshot(mode, given.is_typed(&table::EXPORT_FROM.row))?;
        }
        let (mode, from) = feed_start(mode, given.typed(&table::EXPORT_FROM))?;
        let mut settings = default_settings(Command::Export)?;
        default_rotation(&mut settings, files.format, location);
        check_row_groups(given, files.format)?;
        given.store_in(&mut settings)?;
        Ok(Self {
            options: FrozenOptions {
                mode,
                snapshot,
                // Of a query it depends on the container.
                scope: Scope::default(),
                query: query.as_ref().map(|plan| plan.query.clone()),
                masked: false,
                from,
                format: files.format,
                compression: files.compression,
                layout: columns.layout,
                table: match (files.format.has_columns(), &query) {
                    (true, None) => TableForm::NEWEST,
                    (true, Some(_)) => TableForm::Rows,
                    (false, _) => TableForm::First,
                },
                inference: columns.inference,
                csv: files.csv,
                output: place.output,
                partition_by: partition_by(given),
                records: None,
            },
            query,
            settings,
            state_path: place.state_path,
            state_object: place.state_object,
            base: place.base,
            force: given.is_on(&table::FORCE),
            repair: given.is_on(&table::SHARD_REPAIR),
            destination: place.shown,
            summary: given.get(&table::SUMMARY)?,
        })
    }
}

/// Refuses what is about the feed.
fn ensure_no_feed(given: &Given, mode: Mode) -> Result<()> {
    if given.is_on(&table::FOLLOW) {
        return Err(usage(
            "a query has an end, so --follow has nothing to follow: only the feed has changes",
            "leave --follow out; or leave the query out, and follow all documents",
        ));
    }
    if mode == Mode::All {
        return Err(usage(
            "a query reads documents as they are: earlier versions and deletes are only in the feed",
            "leave --mode out, or leave the query out",
        ));
    }
    for (row, instead) in [
        (
            &table::EXPORT_FROM.row,
            "choose the documents by a condition, such as WHERE c._ts >= @since",
        ),
        (&table::UNTIL.row, "leave it out"),
    ] {
        if given.is_typed(row) {
            return Err(usage(
                format!(
                    "{} is about the feed, and a query reads the documents",
                    row.flag()
                ),
                instead,
            ));
        }
    }
    Ok(())
}

/// Refuses what contradicts a snapshot before the changes; `from` is whether a start was typed.
///
/// # Errors
///
/// If only the latest versions are read, or from somewhere.
pub(super) fn ensure_snapshot(mode: Mode, from: bool) -> Result<()> {
    if mode == Mode::Latest {
        return Err(usage(
            "--snapshot is followed by every version and delete, so it needs --mode all",
            "add --mode all; without both, all documents are read in their latest versions",
        ));
    }
    if from {
        return Err(usage(
            "a snapshot has all documents, and its changes are those since it began",
            "leave --from out",
        ));
    }
    Ok(())
}

/// Where an export writes, and where its state is.
struct Place {
    output: Output,
    state_path: Option<PathBuf>,
    state_object: Option<ObjectAddress>,
    base: PathBuf,
    shown: String,
}

#[derive(Debug, Clone, Copy)]
enum OutputKind {
    /// A table, with its state directory there.
    Table(StateDirectory),
    /// A directory whose state directory is not settled; or a directory that holds its state.
    Directory,
    File,
    StandardOutput,
}

impl OutputKind {
    /// Settles where the state directory of the directory `path` is. `DIR/state.json` asks for the form of earlier
    /// versions, with everything in one directory.
    fn settled(self, path: &Path, state_path: Option<&Path>) -> Self {
        match self {
            Self::Directory if state_path != Some(&path.join(STATE_FILE)) => {
                Self::Table(StateDirectory::choose(path, state_path))
            }
            _ => self,
        }
    }

    fn at(self, path: &Path) -> Result<Output> {
        let text = || match path.to_str() {
            Some("") => Ok(".".to_owned()),
            Some(text) => Ok(text.to_owned()),
            None => Err(usage(
                format!("the path `{}` is not Unicode", path.display()),
                "choose another output: the state file stores the path as JSON",
            )),
        };
        Ok(match self {
            Self::Table(state_directory) => Output::Table(Table {
                directory: Some(text()?),
                state_directory,
                shard: None,
            }),
            Self::Directory => Output::Directory(text()?),
            Self::File => Output::File(text()?),
            Self::StandardOutput => Output::StandardOutput,
        })
    }
}

/// What `path` means: a file if it has an extension, otherwise a directory.
fn output_kind(path: &Path, files: &FilesPlan, given: &Given) -> Result<OutputKind> {
    let extension = files.extension();
    let text = path.as_os_str().to_string_lossy();
    if text.is_empty() {
        return Err(usage(
            "the output path is empty",
            format!("-o DIR, -o FILE.{extension} or -o -"),
        ));
    }
    let is_directory = text.ends_with(['/', std::path::MAIN_SEPARATOR]) || path.is_dir();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !is_directory && let Some(found) = Extension::of(&name) {
        if found.is_of(files.format, files.compression) {
            return Ok(OutputKind::File);
        }
        return Err(usage(
            format!(
                "the output `{}` ends in `.{}`, but its files would end in `.{extension}`",
                shown_path(&path),
                found.text
            ),
            format!(
                "name a file that ends in `.{extension}`, or a directory as `{}/`; --format and \
                 --compression set the contents",
                shown_path(&path)
            ),
        ));
    }
    if path.exists() && !path.is_file() && !path.is_dir() {
        return Err(usage(
            format!(
                "the output `{}` is neither a file nor a directory",
                path.display()
            ),
            "name a directory or a new file; `-o -` writes to standard output",
        ));
    }
    if path.is_file() {
        return Err(usage(
            format!(
                "the output `{}` is a file without the extension `.{extension}`",
                path.display()
            ),
            "name a directory, or a new file with that extension",
        ));
    }
    if !is_directory {
        let asked = given.is_typed(&table::FORMAT.row).then_some(files.format);
        ensure_no_extension(path, asked)?;
    }
    Ok(OutputKind::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> ExportPlan {
        let all = ["cosmos-tail", "export"].iter().chain(arguments);
        ExportPlan::new(&Given::parse(all).unwrap()).unwrap()
    }

    #[test]
    fn a_directory_is_relative_to_its_state() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("orders");
        let own = directory.path().join("_orders.cosmos-tail");
        let inside = out.join("_cosmos-tail/state.json");
        let old = out.join("state.json");
        let table = |state_directory| {
            Output::Table(Table {
                directory: None,
                state_directory,
                shard: None,
            })
        };
        for (state, expected, at) in [
            (None, table(StateDirectory::Beside), own.join("state.json")),
            (Some(&inside), table(StateDirectory::Inside), inside.clone()),
            (Some(&old), Output::Directory(".".into()), old.clone()),
        ] {
            let mut arguments = vec!["-o", out.to_str().unwrap()];
            if let Some(state) = state {
                arguments.extend(["--state", state.to_str().unwrap()]);
            }
            let plan = plan(&arguments);
            assert_eq!(plan.options.output, expected);
            assert_eq!(plan.base, at.parent().unwrap());
            assert_eq!(plan.state_path.unwrap(), at);
        }
    }

    #[test]
    fn a_file_has_its_state_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("orders.jsonl");
        let plan = plan(&["-o", out.to_str().unwrap()]);
        assert_eq!(plan.options.output, Output::File("orders.jsonl".into()));
        assert_eq!(
            plan.state_path.unwrap(),
            directory.path().join("orders.jsonl.state.json")
        );
    }

    #[test]
    fn a_state_elsewhere_makes_the_output_absolute() {
        let directory = tempfile::tempdir().unwrap();
        let (out, state) = (
            directory.path().join("out"),
            directory.path().join("states/a.json"),
        );
        let plan = plan(&[
            "-o",
            out.to_str().unwrap(),
            "--state",
            state.to_str().unwrap(),
        ]);
        assert_eq!(
            plan.options.output,
            Output::Table(Table {
                directory: Some(out.to_str().unwrap().into()),
                state_directory: StateDirectory::Beside,
                shard: None,
            })
        );
        assert_eq!(plan.base, directory.path().join("states"));
    }

    #[test]
    fn standard_output_has_a_state_only_if_asked_for() {
        assert_eq!(plan(&["-o", "-"]).state_path, None);
        let with_state = plan(&["-o", "-", "--state", "s.json"]);
        assert_eq!(with_state.options.output, Output::StandardOutput);
        assert!(with_state.state_path.is_some());
    }

    #[test]
    fn what_looks_like_a_file_but_is_a_directory_is_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("a.jsonl");
        std::fs::create_dir(&out).unwrap();
        assert!(matches!(
            plan(&["-o", out.to_str().unwrap()]).options.output,
            Output::Table(_)
        ));
        let file = directory.path().join("b.txt");
        std::fs::write(&file, "").unwrap();
        let args = ["cosmos-tail", "export", "-o", file.to_str().unwrap()];
        assert!(ExportPlan::new(&Given::parse(args).unwrap()).is_err());
    }
}
