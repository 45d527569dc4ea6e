//! What can be typed about columns: for `export`, and for `schema`, which shows what would come of
//! it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{CONCURRENCY_RANGE, EXIT_CODES_HELP, PAGE_SIZE_RANGE, ReaderArgs};

const SCHEMA_HELP: &str = "\
Prints one `PATH TYPE` a line, which can be edited and given to an export:

  cosmos-tail schema -d shop -c orders > orders.schema
  cosmos-tail export -d shop -c orders -o orders.parquet --schema orders.schema

Types are boolean, int64, double, string, timestamp(DIGITS), json, list<TYPE> and
struct<NAME: TYPE, …>. CSV spreads a struct over dotted columns.";

/// What columns documents are spread over.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Columns of CSV and Parquet")]
pub struct ColumnArgs {
    /// The columns, such as id,customer.name,total:double; types that are left out are inferred
    ///
    /// A column that is seen nowhere is one of JSON.
    #[arg(long, value_name = "LIST")]
    pub columns: Option<crate::schema::ColumnList>,

    /// Infer columns from this many pages of every range, or from `all` documents
    /// [default: 2, of at most 100 ranges]
    #[arg(long, value_name = "N|all", value_parser = crate::settings::parse_sample)]
    pub sample: Option<crate::schema::SampleSize>,

    /// Make timestamps of fields of which every value is an ISO 8601 time in UTC, all in one form
    #[arg(long)]
    pub detect_timestamps: bool,

    /// Whether to keep what the service adds to each document: _ts, _etag, _rid, _lsn, _self and
    /// _attachments [default: keep]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub system_fields: Option<SystemFields>,
}

/// What becomes of system fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SystemFields {
    /// They have columns like other fields
    Keep,
    /// They are left out, unless --columns or a schema file names them
    Drop,
}

/// Where the columns of an export come from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Columns of CSV and Parquet")]
pub struct SchemaSourceArgs {
    /// `infer` the columns from a sample, take them from a FILE as `schema` prints it, or write the
    /// `raw` document as one column of JSON, beside its id and partition key [default: infer]
    ///
    /// What fits no column is kept in the column `_extra`, as JSON. The columns stay the same for as
    /// long as the export lives, over every `resume`.
    #[arg(long, value_name = "infer|raw|FILE", value_parser = crate::settings::parse_schema_source, conflicts_with = "columns")]
    pub schema: Option<SchemaSource>,
}

/// Where a schema comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaSource {
    /// From a sample.
    Infer,
    /// There are no columns for fields.
    Raw,
    /// From a file.
    File(PathBuf),
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
#[command(
    after_help = SCHEMA_HELP,
    after_long_help = format!("{SCHEMA_HELP}\n\n{EXIT_CODES_HELP}")
)]
pub struct SchemaArgs {
    /// Where to start: `beginning` (the default) or a time such as 2026-11-23T12:00:00Z
    #[arg(long, value_name = "WHERE", value_parser = crate::settings::parse_start)]
    pub from: Option<crate::feed::ChangeFeedStart>,

    /// The columns
    #[command(flatten)]
    pub columns: ColumnArgs,

    /// Ranges read at the same time [default: by the number of ranges and cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(CONCURRENCY_RANGE), help_heading = "Reading")]
    pub concurrency: Option<u32>,

    /// Documents asked for in one page [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(PAGE_SIZE_RANGE), help_heading = "Reading")]
    pub page_size: Option<u32>,

    /// How often a page is tried again, beyond the SDK's own tries [default: 15]
    #[arg(long, value_name = "N", help_heading = "Reading")]
    pub max_retries: Option<u32>,
}

impl SchemaArgs {
    /// What is said of reading, in the form of the other subcommands.
    pub fn reader(&self) -> ReaderArgs {
        ReaderArgs {
            concurrency: self.concurrency,
            page_size: self.page_size,
            max_retries: self.max_retries,
            poll_interval: None,
        }
    }
}
