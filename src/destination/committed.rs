//! The committed files of an output, as a state has them.

use super::output::Output;
use super::part::{FileState, ManifestMark, SeriesState};
use crate::feed::{RangeState, RecordForm};

/// What is committed of an output: the part of a state that its destination must know.
#[derive(Debug, Clone, Copy)]
pub struct Committed<'a> {
    /// The export.
    pub export_id: uuid::Uuid,
    /// The number of the commit: no part was sealed by a later one.
    pub generation: u64,
    /// Where its documents go.
    pub output: &'a Output,
    /// What the records of its files are, if that is known.
    pub records: Option<RecordForm>,
    /// Whether some of their values are masked.
    pub masked: bool,
    /// The ranges being read.
    pub ranges: &'a [RangeState],
    /// The series of parts, each with the part that is open.
    pub series: &'a [SeriesState],
    /// Parts that are finished and not yet published.
    pub sealed: &'a [FileState],
    /// How much of the manifest is committed.
    pub manifest: ManifestMark,
    /// Ids of which the claim of the place has one, if the place has a claim of its own.
    pub claims: &'a [uuid::Uuid],
}

impl<'a> Committed<'a> {
    /// The parts that are open.
    pub fn open(&self) -> impl Iterator<Item = &'a FileState> + Clone + use<'a> {
        self.series.iter().filter_map(|series| series.open.as_ref())
    }

    /// Whether a range is written to `series`.
    pub fn has_ranges(&self, series: u32) -> bool {
        self.ranges
            .iter()
            .any(|range| self.output.series_of(range.id) == series)
    }
}
