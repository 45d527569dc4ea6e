//! How documents become rows.

use serde::{Deserialize, Serialize};

use super::column::Schema;

/// How documents become rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TableLayout {
    /// A column for each field of a schema, and the overflow column.
    Columns {
        /// The columns, in their order.
        schema: Schema,
        /// Whether [`SYSTEM_FIELDS`](super::SYSTEM_FIELDS) without a column of their own are dropped rather than kept in
        /// the overflow column.
        without_system_fields: bool,
    },
    /// The same few columns for every container, one of them the document as JSON.
    Raw,
}
