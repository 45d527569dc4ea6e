//! Names with a special meaning: columns beside those of a document, keys of a file's metadata, and members
//! that the service adds.

/// The overflow column, for what did not fit: a JSON object, or null if everything did.
pub const EXTRA: &str = "_extra";
/// The column of nulls: a JSON object with the members that are null, where an empty cell would mean that they are
/// missing.
pub const NULLS: &str = "_nulls";
/// In mode `all`: what happened, as the service names it (`create`, `replace`, `delete`).
pub const OPERATION: &str = "_operation";
/// The LSN of the change.
pub const OPERATION_LSN: &str = "_operation_lsn";
/// The number of the change among those of its range with the same LSN, from 1.
pub const OPERATION_NUMBER: &str = "_operation_number";
/// In mode `all`: when it happened, to the second.
pub const OPERATION_TIME: &str = "_operation_time";
/// In mode `all`: the document before the change, as JSON, where the container keeps it.
pub const PREVIOUS: &str = "_previous";
/// In mode `all`: the service's metadata of the change, as JSON.
pub const METADATA: &str = "_metadata";

/// The columns of [`TableLayout::Raw`](crate::schema::TableLayout::Raw), beside those of mode `all`.
pub mod raw {
    /// The document's id.
    pub const ID: &str = "id";
    /// The values of the partition key, as a JSON array; `{}` in the place of a missing one.
    pub const PARTITION_KEY: &str = "_partition_key";
    /// The document's `_ts`: when it was written, in seconds since 1970.
    pub const TIMESTAMP: &str = "_ts";
    /// The LSN of the change.
    pub const LSN: &str = "_lsn";
    /// The document, as JSON.
    pub const DOCUMENT: &str = "document";
}

/// Keys in the key-value metadata of a Parquet or an Arrow file.
pub mod metadata {
    /// The id of the export, a UUID.
    pub const EXPORT_ID: &str = "cosmos-tail.export_id";
    /// The name of the container.
    pub const CONTAINER: &str = "cosmos-tail.container";
    /// The positions of the file's ranges before its first row: JSON, as in the manifest.
    pub const START: &str = "cosmos-tail.start";
    /// Their positions after its last row.
    pub const END: &str = "cosmos-tail.end";
    /// The columns of the document, as a JSON array with the text of each; missing for
    /// [`TableLayout::Raw`](crate::schema::TableLayout::Raw).
    pub const SCHEMA: &str = "cosmos-tail.schema";
}

/// Whether no new column of a document can have this top-level name.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name == OPERATION_NUMBER || name == NULLS
}

/// Top-level names that no column of a document has had in any state.
pub const RESERVED: [&str; 6] = [
    EXTRA,
    OPERATION,
    OPERATION_LSN,
    OPERATION_TIME,
    PREVIOUS,
    METADATA,
];
