//! The fixed choices that flags offer.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::feed::RecordForm;

/// Priorities of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Priority {
    /// Throttled last
    High,
    /// Throttled first
    Low,
}

/// Where containers are created, and definitions and throughput are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// The account itself, as documents are read and written
    Account,
    /// Azure Resource Manager, with the same identity; documents still go to the account
    Arm,
}

/// How definitions are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DefinitionsFormat {
    /// Bicep
    Bicep,
    /// A template of Azure Resource Manager
    Json,
}

/// Ways to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMethod {
    /// An account key if one is given, otherwise an Entra ID credential
    Auto,
    /// The account key
    Key,
    /// The signed-in user of the Azure CLI (`az login`)
    Cli,
    /// The managed identity of this Azure resource
    ManagedIdentity,
    /// The workload identity of this Kubernetes pod
    WorkloadIdentity,
    /// A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET
    Environment,
}

/// Whose leases an import creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LeaseFormat {
    /// Of .NET and Functions
    Dotnet,
    /// Of Java's handleLatestVersionChanges
    Java,
}

/// How `tail` prints a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TailFormat {
    /// For people: time, operation, id, partition key, then the document without system fields
    Line,
    /// The document on one line, byte for byte as the service sent it
    Json,
    /// The document, indented
    Pretty,
    /// One object per line: current, previous, metadata, and the number of the range
    Envelope,
    /// As `line`, but with the fields that differ from the previous image; with --mode all
    Diff,
    /// The same as one object per line: `changes` has each path with the values `from` and `to`
    DiffJson,
}

/// When colors are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is `dumb`
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Which feed to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The latest version of each document: no deletes, no intermediate versions
    Latest,
    /// Every version and every delete from now on; the container must retain them
    All,
}

/// The formats of exported files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON document per line, byte for byte as the service sent it
    Jsonl,
    /// One row per line by RFC 4180, with a header in every file
    Csv,
    /// Typed columns, for DuckDB, Spark, pandas and polars
    Parquet,
    /// The same columns as they are in memory: an IPC file, or a stream to standard output
    Arrow,
}

/// What a directory of an exported table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportPartition {
    /// The files that were begun on one day: dt=2026-11-27/
    Day,
    /// The files that were begun in one hour: dt=2026-11-27/hour=18/
    Hour,
}

/// How far a range is read by an export that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// Until the service has nothing newer: every document that existed throughout the export is in
    /// the files, even if it was rewritten meanwhile
    Head,
    /// Up to the position of the range when the export started: documents rewritten before they are
    /// read are left to the next resume
    Pin,
}

/// How far a range of a plan is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanUntil {
    /// Until the service has nothing newer: every document that existed throughout is in the files, even if it was
    /// rewritten meanwhile
    Head,
    /// Up to the pinned end, in whole pages: documents rewritten before they are read are left to a plan of what came since
    Pin,
    /// Up to the pinned end, and not one change beyond it: a plan can begin `--after` this one without looking at what its
    /// shards wrote
    Exact,
}

/// Whether system fields have columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SystemFields {
    /// They have columns like other fields
    Keep,
    /// They are left out, unless --columns or a schema file names them
    Drop,
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

/// What the sources of a replay hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputForm {
    /// Documents, whatever their members
    Documents,
    /// Changes in their envelopes, as --mode all writes them; also dead letters
    Changes,
}

impl From<InputForm> for RecordForm {
    fn from(form: InputForm) -> Self {
        match form {
            InputForm::Documents => Self::Documents,
            InputForm::Changes => Self::Changes,
        }
    }
}

/// How a document is written whose id exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteMode {
    /// Replace it
    Upsert,
    /// Keep it: a different document is refused, and so are deletions
    Create,
    /// Replace or delete it if it is older than the change, by `_ts`
    Newer,
}

/// Whether deletions by time to live are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TtlDeletes {
    /// Apply them like other deletions
    Apply,
    /// Skip them: the target expires its documents itself
    Skip,
}

/// What becomes of the time to live of documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ttl {
    /// It begins again in the target
    #[default]
    Keep,
    /// What was left of it when the document was exported; expired documents are not written
    Remaining,
    /// Documents are written without `ttl`
    Drop,
}

/// Whether documents without a value at the target's partition key are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MissingKey {
    /// They are written without one, as the service keeps them
    Write,
    /// They are refused
    Refuse,
}

/// Whether a document may replace another one of the source that becomes the same item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IdCollisions {
    /// It is refused
    Refuse,
    /// It replaces the other
    Overwrite,
}
