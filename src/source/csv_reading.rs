//! What the user says about CSV that no export wrote.

use crate::schema::ColumnList;

/// What the user says about CSV that no export wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvReading {
    /// The delimiter; none if the header shows it.
    pub delimiter: Option<char>,
    /// The types of columns; all others are text.
    pub types: Option<ColumnList>,
}
