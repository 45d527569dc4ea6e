//! Any text as a position in a feed: an ETag, a continuation token, the portable form of a range. It is
//! refused, or the result is consistent with it.
#![no_main]

use cosmos_tail::cosmos::epk::range_of_portable;
use cosmos_tail::cosmos::token::{container_rid_of, segments};
use cosmos_tail::feed::{FeedRange, ensure_tiling, lsn_of_etag};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(lsn) = lsn_of_etag(text) {
        assert_eq!(lsn_of_etag(&format!("\"{lsn}\"")), Some(lsn));
    }
    drop(container_rid_of(text));
    let (token, range) = text.split_once('\n').unwrap_or((text, ""));
    let range = range_of_portable(range).unwrap_or_else(|_| FeedRange::full());
    if let Ok(found) = segments(token, &range) {
        let bounds = found.iter().map(|segment| &segment.range);
        ensure_tiling(&range, bounds).expect("the segments make up the range");
    }
});
