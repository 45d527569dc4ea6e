//! Where the columns of an export come from, resolved and validated.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cli::{
    ColumnArgs, ReaderArgs, SchemaArgs, SchemaSource, SchemaSourceArgs, SystemFields,
};
use crate::error::{Annotate, ExitCode, usage};
use crate::feed::ChangeFeedStart;
use crate::format::Format;
use crate::schema::{InferenceOptions, Schema, TableLayout, file};
use crate::settings::job::{override_reader_settings, usual_settings};
use crate::state::model::Settings;

/// A schema file has a line for each column, so this is more than anyone needs.
const MOST_FILE_BYTES: u64 = 16 << 20;

/// The columns of an export: what is known of them, and how to find out the rest.
#[derive(Debug, Default)]
pub(super) struct ColumnsPlan {
    pub(super) layout: Option<TableLayout>,
    pub(super) inference: Option<InferenceOptions>,
}

/// What `schema` is to do.
#[derive(Debug)]
pub struct SchemaPlan {
    /// How the schema is inferred.
    pub inference: InferenceOptions,
    /// From where on documents are looked at.
    pub from: ChangeFeedStart,
    /// How they are read.
    pub settings: Settings,
}

impl ColumnsPlan {
    /// Resolves what was typed. Reads the schema file, if there is one.
    ///
    /// # Errors
    ///
    /// If options do not go together, or with the format, or the file is no schema.
    pub(super) fn new(
        source: &SchemaSourceArgs,
        args: &ColumnArgs,
        format: Format,
    ) -> Result<Self> {
        if !format.has_columns() {
            return refuse_all(source, args, format).map(|()| Self::default());
        }
        let without_system_fields = drops_system_fields(args);
        let layout = match &source.schema {
            None | Some(SchemaSource::Infer) => {
                let given = args.columns.as_ref().and_then(|columns| columns.schema());
                given.map(|schema| TableLayout::Columns {
                    schema,
                    without_system_fields,
                })
            }
            Some(SchemaSource::Raw) => {
                refuse_inference(args, "--schema raw")?;
                if without_system_fields {
                    return Err(usage(
                        "--system-fields drop does not go with --schema raw, which writes documents as \
                         they are",
                        "leave one of the two out",
                    ));
                }
                Some(TableLayout::Raw)
            }
            Some(SchemaSource::File(path)) => {
                refuse_inference(args, "a schema file")?;
                Some(TableLayout::Columns {
                    schema: read_file(path)?,
                    without_system_fields,
                })
            }
        };
        let inference = layout.is_none().then(|| inference_options(args));
        Ok(Self { layout, inference })
    }
}

impl SchemaPlan {
    /// Resolves what was typed; `reader` is what was typed of reading, and what the profile says.
    ///
    /// # Errors
    ///
    /// If it says to start now, when there is nothing yet to infer from.
    pub fn new(args: &SchemaArgs, reader: &ReaderArgs) -> Result<Self> {
        if args.from == Some(ChangeFeedStart::Now) {
            return Err(usage(
                "a schema is inferred from documents that are there, not from now on",
                "leave --from out, or give it a time",
            ));
        }
        let mut settings = usual_settings();
        override_reader_settings(&mut settings, reader);
        Ok(Self {
            inference: inference_options(&args.columns),
            from: args.from.unwrap_or(ChangeFeedStart::Beginning),
            settings,
        })
    }
}

fn inference_options(args: &ColumnArgs) -> InferenceOptions {
    InferenceOptions {
        sample: args.sample,
        detect_timestamps: args.detect_timestamps,
        without_system_fields: drops_system_fields(args),
        columns: args.columns.clone(),
    }
}

fn drops_system_fields(args: &ColumnArgs) -> bool {
    args.system_fields == Some(SystemFields::Drop)
}

/// Refuses flags about columns for a format that has none.
fn refuse_all(source: &SchemaSourceArgs, args: &ColumnArgs, format: Format) -> Result<()> {
    let given = [
        ("--schema", source.schema.is_some()),
        ("--columns", args.columns.is_some()),
        ("--sample", args.sample.is_some()),
        ("--detect-timestamps", args.detect_timestamps),
        ("--system-fields", args.system_fields.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(usage(
            format!(
                "{flag} is of CSV and Parquet, and the format is {}",
                format.name()
            ),
            "add --format csv or --format parquet, or leave it out",
        )),
        None => Ok(()),
    }
}

/// Refuses flags about inference where nothing is inferred.
fn refuse_inference(args: &ColumnArgs, source: &str) -> Result<()> {
    let given = [
        ("--sample", args.sample.is_some()),
        ("--detect-timestamps", args.detect_timestamps),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(usage(
            format!("{flag} does not go with {source}: nothing is inferred"),
            "leave one of the two out",
        )),
        None => Ok(()),
    }
}

fn read_file(path: &Path) -> Result<Schema> {
    let shown = path.display();
    let mut content = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_FILE_BYTES + 1).read_to_end(&mut content))
        .with_context(|| format!("cannot read the schema file `{shown}`"))
        .exit_code(ExitCode::Usage)
        .hint("--schema takes `infer`, `raw` or a file that `cosmos-tail schema` prints")?;
    if content.len() as u64 > MOST_FILE_BYTES {
        return Err(usage(
            format!("the schema file `{shown}` is larger than 16 MiB"),
            "it is to have one `PATH TYPE` a line; `cosmos-tail schema` prints such a file",
        ));
    }
    file::parse(&content).map_err(|error| {
        usage(
            format!("the schema file `{shown}` is wrong: {error}"),
            "it is to have one `PATH TYPE` a line; `cosmos-tail schema` prints such a file",
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn plan(format: Format, arguments: &[&str]) -> Result<ColumnsPlan> {
        let all = ["cosmos-tail", "export", "-o", "x/"]
            .iter()
            .chain(arguments);
        match Cli::parse_from(all).command {
            Command::Export(args) => ColumnsPlan::new(&args.schema, &args.columns, format),
            other => panic!("{other:?}"),
        }
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
    fn what_does_not_go_together_is_refused() {
        for (format, arguments, reason) in [
            (
                Format::Jsonl,
                &["--columns", "id"][..],
                "--columns is of CSV",
            ),
            (Format::Jsonl, &["--schema", "raw"], "--schema is of CSV"),
            (
                Format::Jsonl,
                &["--system-fields", "keep"],
                "--system-fields is of CSV",
            ),
            (
                Format::Csv,
                &["--schema", "raw", "--sample", "all"],
                "--sample does not go",
            ),
            (
                Format::Csv,
                &["--schema", "raw", "--system-fields", "drop"],
                "as they are",
            ),
            (
                Format::Csv,
                &["--schema", "./x", "--detect-timestamps"],
                "does not go",
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
