//! How documents become rows.

use serde::{Deserialize, Serialize};

use super::column::Schema;
use super::fit::TimeUnit;

/// How tables are written, apart from their layout. The default is how builds wrote them whose states have no
/// such field, so that all files of an export are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableForm {
    /// Without columns that order the versions of a document in mode `latest`; with nanoseconds in Parquet for
    /// fractions of more than six digits; and with all unusual names in headers quoted as in JSON.
    #[default]
    First,
    /// With columns that order versions, microseconds only, and names that are quoted only where they would be
    /// ambiguous.
    Ordered,
    /// The same; a null fits its column, and what distinguishes it from a member that is missing has a column of
    /// its own.
    Nullable,
    /// The same for the rows of a query, which have no order: without columns that order versions.
    Rows,
}

impl TableForm {
    /// The form of new exports.
    pub const NEWEST: Self = Self::Nullable;

    /// Whether it is the form of states that do not name one.
    pub fn is_first(&self) -> bool {
        *self == Self::First
    }

    /// Whether columns order the versions of a document in mode `latest`.
    pub fn is_ordered(self) -> bool {
        matches!(self, Self::Ordered | Self::Nullable)
    }

    /// Whether a null fits a column that holds other values.
    pub fn nulls_fit(self) -> bool {
        matches!(self, Self::Nullable | Self::Rows)
    }

    /// The unit of all timestamps in Parquet, if columns do not have units of their own.
    pub fn unit(self) -> Option<TimeUnit> {
        match self {
            Self::First => None,
            Self::Ordered | Self::Nullable | Self::Rows => Some(TimeUnit::Microseconds),
        }
    }
}

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
