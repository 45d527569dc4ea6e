//! The order of the changes of a range, as columns have it.

use std::collections::HashMap;

use crate::feed::RangeId;
use crate::feed::page::ItemRef;
use crate::render::change::Change;

/// Numbers the changes of each range that have the same LSN: those of one transaction.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// For each range, the LSN of its last change and the number of that.
    last: HashMap<RangeId, (Option<u64>, i64)>,
}

impl Order {
    /// The number of the next change of `range`, from 1. A page ends with its transaction, so a resume begins with
    /// another LSN.
    pub(super) fn number(&mut self, range: RangeId, item: ItemRef<'_>) -> i64 {
        let lsn = Change::of(item).lsn();
        let (last, number) = self.last.entry(range).or_default();
        if *last != lsn {
            *last = lsn;
            *number = 0;
        }
        *number += 1;
        *number
    }
}
