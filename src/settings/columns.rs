//! Where the columns of an export come from, resolved and validated.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use super::given::{Given, default_settings};
use super::query::QueryPlan;
use super::setting::Row;
use super::table;
use crate::cli::Command;
use crate::cli::choices::{SchemaSource, SystemFields};
use crate::cli::location::Location;
use crate::destination::find_state;
use crate::durable::shown_path;
use crate::error::{Annotate, ExitCode, usage};
use crate::feed::ChangeFeedStart;
use crate::format::Format;
use crate::objects::{self, Address};
use crate::schema::{InferenceOptions, Schema, TableForm, TableLayout, file};
use crate::state;
use crate::state::model::{Settings, State};

/// A schema file has a line for each column, so no real one is larger.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// What `schema --diff` takes.
const OF_DIFF: &str =
    "name the directory or the address of an export, its state, or a file of columns";

/// The columns of an export: those that are known, and how to infer the rest.
#[derive(Debug, Default)]
pub(super) struct ColumnsPlan {
    pub(super) layout: Option<TableLayout>,
    pub(super) inference: Option<InferenceOptions>,
}

/// What `schema` does.
#[derive(Debug)]
pub struct SchemaPlan {
    /// How the schema is inferred.
    pub inference: InferenceOptions,
    /// Where reading starts.
    pub from: ChangeFeedStart,
    /// How the feed is read.
    pub settings: Settings,
    /// What to compare the documents with.
    pub diff: Option<Location>,
    /// The query whose rows are sampled instead of documents.
    pub query: Option<QueryPlan>,
    /// Where to write the columns; none for standard output.
    pub output: Option<Location>,
}

/// The columns that documents are compared with.
#[derive(Debug)]
pub struct Compared {
    /// The columns.
    pub layout: TableLayout,
    /// How they were inferred, if they were.
    pub inference: Option<InferenceOptions>,
    /// How the table is written.
    pub form: TableForm,
    /// The state of the export, if they are those of one.
    pub state: Option<Box<State>>,
}

impl Compared {
    /// Reads the columns of `place`: a file or an object of columns, or what names an export.
    ///
    /// # Errors
    ///
    /// If it is neither, or the export has no columns.
    pub fn read(place: &Location, without_system_fields: bool) -> Result<Self> {
        match place {
            Location::Objects(address) => Self::read_objects(address, without_system_fields),
            place => Self::read_path(
                place.path().unwrap_or(Path::new("-")),
                without_system_fields,
            ),
        }
    }

    fn read_path(place: &Path, without_system_fields: bool) -> Result<Self> {
        let shown = shown_path(&place).to_string();
        let Some(path) = find_state(place)? else {
            return Err(usage(
                format!("`{shown}` has no state of an export"),
                OF_DIFF,
            ));
        };
        if !is_state(&path) {
            let schema = read_file(&path, OF_DIFF)?;
            return Ok(Self::of_columns(schema, without_system_fields));
        }
        let state = state::file::read(&path)
            .with_context(|| format!("cannot read the columns of `{}`", shown_path(&path)))?;
        Self::of_state(state, &shown)
    }

    /// An address is that of an object, if there is one, or of an export.
    fn read_objects(address: &Address, without_system_fields: bool) -> Result<Self> {
        let shown = address.object();
        let (parent, name) = address.split_name();
        let cannot = || format!("cannot read the columns of `{shown}`");
        let found = match name {
            "" => None,
            name => objects::read(&parent, name).with_context(cannot)?,
        };
        // Where folders are real, one is an object without bytes.
        let found = found.filter(|text| !text.is_empty());
        let text = match found {
            Some(text) if text.starts_with(STATE_BEGINNING) => text,
            Some(text) => {
                let schema = parse(&text, &shown)?;
                return Ok(Self::of_columns(schema, without_system_fields));
            }
            None => {
                let object = state::state_object(address);
                let stored = state::store_at(&object)?.load().with_context(cannot)?;
                stored.ok_or_else(|| state::no_export_at(&object))?.text
            }
        };
        let state = state::file::parse(&text).with_context(cannot)?;
        Self::of_state(state, &address.to_string())
    }

    fn of_columns(schema: Schema, without_system_fields: bool) -> Self {
        Self {
            layout: TableLayout::Columns {
                schema,
                without_system_fields,
            },
            inference: None,
            // As an export with these columns would write them.
            form: TableForm::NEWEST,
            state: None,
        }
    }

    fn of_state(state: State, shown: &str) -> Result<Self> {
        if !state.options.format.has_columns() {
            return Err(usage(
                format!("the files of the export in `{shown}` have no columns"),
                "only CSV, Parquet and Arrow have columns",
            ));
        }
        if state.options.query.is_some() {
            return Err(usage(
                format!("the export in `{shown}` is of a query, whose rows are no documents"),
                "`schema --query` prints the columns that the rows of a query have",
            ));
        }
        let layout = state.options.layout.clone().ok_or_else(|| {
            usage(
                format!("the export in `{shown}` has no columns yet"),
                "it infers them once there are documents: run `resume`",
            )
        })?;
        Ok(Self {
            layout,
            inference: state.options.inference.clone(),
            form: state.options.table,
            state: Some(Box::new(state)),
        })
    }
}

/// Whether a file is a state, rather than one of columns.
fn is_state(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| {
        file.take(STATE_BEGINNING.len() as u64)
            .read_to_end(&mut beginning)
    });
    read.is_ok() && beginning == STATE_BEGINNING
}

/// The beginning of each state.
const STATE_BEGINNING: &[u8] = br#"{"format":"cosmos-tail "#;

impl ColumnsPlan {
    /// Resolves what was given. Reads the schema file, if there is one.
    ///
    /// # Errors
    ///
    /// If settings contradict each other, or the format, or the file is not a schema.
    pub(super) fn new(given: &Given, format: Format) -> Result<Self> {
        if !format.has_columns() {
            return refuse_all(given, format).map(|()| Self::default());
        }
        let without_system_fields = drops_system_fields(given)?;
        let layout = match given.get(&table::SCHEMA)? {
            SchemaSource::Infer => {
                let columns = given.typed(&table::COLUMNS);
                let schema = columns.and_then(|columns| columns.schema());
                schema.map(|schema| TableLayout::Columns {
                    schema,
                    without_system_fields,
                })
            }
            SchemaSource::Raw => {
                refuse_inference(given, "--schema raw")?;
                if without_system_fields {
                    return Err(usage(
                        "--system-fields drop cannot be used with --schema raw, which writes documents as \
                         they are",
                        "leave one of the two out",
                    ));
                }
                if given.is_typed(&table::EXTRA.row) {
                    return Err(usage(
                        "--extra cannot be used with --schema raw, which writes documents as they are",
                        "leave one of the two out",
                    ));
                }
                Some(TableLayout::Raw)
            }
            SchemaSource::File(place) => {
                refuse_inference(given, "a schema file")?;
                Some(TableLayout::Columns {
                    schema: read_columns(
                        &place,
                        "--schema takes `infer`, `raw` or a file that `cosmos-tail schema` printed",
                    )?,
                    without_system_fields,
                })
            }
        };
        let inference = match &layout {
            Some(_) => None,
            None => Some(inference_options(given)?),
        };
        Ok(Self { layout, inference })
    }
}

impl SchemaPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If it starts now, when there is nothing yet to infer from.
    pub fn new(given: &Given) -> Result<Self> {
        let from = given.get(&table::SCHEMA_FROM)?;
        if from == ChangeFeedStart::Now {
            return Err(usage(
                "a schema is inferred from existing documents, so it cannot start from now on",
                "leave --from out, or give it a time",
            ));
        }
        let query = QueryPlan::new(given)?;
        if query.is_some() && given.is_typed(&table::SCHEMA_FROM.row) {
            return Err(usage(
                "--from is about the feed, and a query reads the documents",
                "choose the documents by a condition, such as WHERE c._ts >= @since",
            ));
        }
        if query.is_some() && given.is_typed(&table::DIFF.row) {
            return Err(usage(
                "--diff compares documents, and a query has rows of its own",
                "leave --diff or the query out",
            ));
        }
        let mut settings = default_settings(Command::Schema)?;
        given.store_in(&mut settings)?;
        Ok(Self {
            inference: inference_options(given)?,
            from,
            settings,
            diff: given.typed(&table::DIFF),
            query,
            output: given.typed(&table::SCHEMA_OUTPUT),
        })
    }
}

fn inference_options(given: &Given) -> Result<InferenceOptions> {
    Ok(InferenceOptions {
        sample: given.typed(&table::SAMPLE),
        detect_timestamps: given.is_on(&table::DETECT_TIMESTAMPS),
        by_majority: !given.is_on(&table::STRICT_TYPES),
        without_system_fields: drops_system_fields(given)?,
        columns: given.typed(&table::COLUMNS),
    })
}

fn drops_system_fields(given: &Given) -> Result<bool> {
    Ok(given.get(&table::SYSTEM_FIELDS)? == SystemFields::Drop)
}

/// Refuses column settings for a format that has no columns.
fn refuse_all(given: &Given, format: Format) -> Result<()> {
    let rows: [&Row; 7] = [
        &table::SCHEMA.row,
        &table::COLUMNS.row,
        &table::SAMPLE.row,
        &table::DETECT_TIMESTAMPS.row,
        &table::STRICT_TYPES.row,
        &table::SYSTEM_FIELDS.row,
        &table::EXTRA.row,
    ];
    match rows.into_iter().find(|row| given.is_typed(row)) {
        Some(row) => Err(usage(
            format!(
                "{} is for CSV, Parquet and Arrow, but the format is {}",
                row.flag(),
                format.name()
            ),
            "add --format csv, parquet or arrow, or leave it out",
        )),
        None => Ok(()),
    }
}

/// Refuses inference settings where nothing is inferred.
fn refuse_inference(given: &Given, source: &str) -> Result<()> {
    let rows = [
        &table::SAMPLE.row,
        &table::DETECT_TIMESTAMPS.row,
        &table::STRICT_TYPES.row,
    ];
    match rows.into_iter().find(|row| given.is_typed(row)) {
        Some(row) => Err(usage(
            format!(
                "{} cannot be used with {source}: nothing is inferred",
                row.flag()
            ),
            "leave one of the two out",
        )),
        None => Ok(()),
    }
}

/// Reads a file of columns, or an object. `hint` says what to name instead, if it cannot be read.
fn read_columns(place: &Location, hint: &'static str) -> Result<Schema> {
    let Location::Objects(address) = place else {
        return read_file(place.path().unwrap_or(Path::new("-")), hint);
    };
    let shown = address.object();
    let (parent, name) = address.split_name();
    let found = objects::read(&parent, name);
    let found = found.with_context(|| format!("cannot read the schema file `{shown}`"))?;
    let content = found.ok_or_else(|| usage(format!("there is no object `{shown}`"), hint))?;
    parse(&content, &shown)
}

/// Reads a file of columns. `hint` says what to name instead, if it cannot be read.
fn read_file(path: &Path, hint: &'static str) -> Result<Schema> {
    let shown = path.display().to_string();
    let mut content = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content))
        .with_context(|| format!("cannot read the schema file `{shown}`"))
        .exit_code(ExitCode::Usage)
        .hint(hint)?;
    parse(&content, &shown)
}

fn parse(content: &[u8], shown: &str) -> Result<Schema> {
    const FORM: &str = "it must have one `PATH TYPE` per line, as `cosmos-tail schema` prints";
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(usage(
            format!("the schema file `{shown}` is larger than 16 MiB"),
            FORM,
        ));
    }
    file::parse(content)
        .map_err(|error| usage(format!("the schema file `{shown}` is wrong: {error}"), FORM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(format: Format, arguments: &[&str]) -> Result<ColumnsPlan> {
        let all = ["cosmos-tail", "export", "-o", "x/"]
            .iter()
            .chain(arguments);
        ColumnsPlan::new(&Given::parse(all).unwrap(), format)
    }

    #[test]
    fn columns_with_all_their_types_need_no_sample() {
        let typed = plan(Format::Csv, &["--columns", "id:string,n:int64"]).unwrap();
        assert!(typed.inference.is_none());
        let Some(TableLayout::Columns { schema, .. }) = typed.layout else {
            panic!("{typed:?}")
        };
        assert_eq!(file::render(&schema), "id string\nn int64\n");
        let partly = plan(Format::Csv, &["--columns", "id:string,n", "--sample", "3"]).unwrap();
        assert!(partly.layout.is_none() && partly.inference.is_some());
    }

    #[test]
    fn contradictions_are_refused() {
        for (format, arguments, reason) in [
            (
                Format::Jsonl,
                &["--columns", "id"][..],
                "--columns is for CSV",
            ),
            (Format::Jsonl, &["--schema", "raw"], "--schema is for CSV"),
            (
                Format::Jsonl,
                &["--system-fields", "keep"],
                "--system-fields is for CSV",
            ),
            (
                Format::Csv,
                &["--schema", "raw", "--sample", "all"],
                "--sample cannot be used",
            ),
            (
                Format::Csv,
                &["--schema", "raw", "--system-fields", "drop"],
                "as they are",
            ),
            (
                Format::Csv,
                &["--schema", "./x", "--detect-timestamps"],
                "cannot be used",
            ),
            (
                Format::Csv,
                &["--schema", "./none"],
                "cannot read the schema file `./none`",
            ),
        ] {
            let error = plan(format, arguments).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
            assert_eq!(crate::error::exit_code(&error), ExitCode::Usage);
        }
        assert!(plan(Format::Jsonl, &[]).is_ok());
        assert!(plan(Format::Csv, &["--schema", "infer", "--sample", "all"]).is_ok());
    }
}
