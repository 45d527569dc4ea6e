//! What a series reports at a checkpoint.

use crate::feed::{Position, RangeId};

/// What a series has written since its last receipt. A commit makes its parts durable, then saves it in the
/// state.
#[derive(Debug)]
pub struct Receipt {
    /// The series.
    pub series: u32,
    /// The parts that were written to, in their order. All but the last are sealed.
    pub parts: Vec<PartReceipt>,
    /// The positions of the ranges of the series after all of it; only of those that moved after the last
    /// part, by polls that found nothing.
    pub positions: Vec<(RangeId, Position)>,
    /// What was written.
    pub written: Written,
}

/// One part of a [`Receipt`].
#[derive(Debug)]
pub struct PartReceipt {
    /// Its number.
    pub part: u32,
    /// Its length up to the checkpoint, in bytes. It may be longer by now.
    pub length: u64,
    /// Its rows up to the checkpoint.
    pub rows: u64,
    /// CRC-32C of its bytes up to the checkpoint.
    pub crc32c: u32,
    /// Whether nothing will be added to it.
    pub sealed: bool,
    /// The positions of the ranges after it; only of those that moved since the previous receipt.
    pub positions: Vec<(RangeId, Position)>,
}

/// Amounts that are added up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Written {
    /// Documents.
    pub documents: u64,
    /// Documents with a value that did not fit its column, or had none.
    pub overflowed: u64,
    /// Documents without the values that fit no column.
    pub dropped: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Request units charged for the pages, empty ones among them.
    pub request_charge: f64,
}

impl Written {
    /// Adds `other`, and resets it.
    pub fn take_over(&mut self, other: &mut Self) {
        let other = std::mem::take(other);
        self.documents += other.documents;
        self.overflowed += other.overflowed;
        self.dropped += other.dropped;
        self.bytes += other.bytes;
        self.request_charge += other.request_charge;
    }
}
