//! What a series reports at a checkpoint.

use crate::feed::{Position, RangeId};

/// What a series has written since its last receipt. To commit it is to sync its parts, then to
/// save it in the state.
#[derive(Debug)]
pub struct Receipt {
    /// The series.
    pub series: u32,
    /// The parts that were written to, in their order. All but the last are sealed.
    pub parts: Vec<PartReceipt>,
    /// Where the ranges of the series stand after what was written; only those that moved.
    pub positions: Vec<(RangeId, Position)>,
    /// Documents written.
    pub documents: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Request units charged for the pages, empty ones among them.
    pub request_charge: f64,
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
    /// A handle to sync it by, before it is committed.
    pub unsynced: std::fs::File,
}
