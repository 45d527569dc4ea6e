//! The order of observations.

/// Where a document was found. The same documents in the same places make the same schema, in whatever order
/// they are observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The number of the range.
    pub range: u32,
    /// The number of the document among those read of the range.
    pub document: u64,
    /// The number of the value in the document.
    pub(super) field: u32,
}

impl Place {
    /// The place of document number `document` of `range`.
    pub fn new(range: u32, document: u64) -> Self {
        Self {
            range,
            document,
            field: 0,
        }
    }
}
