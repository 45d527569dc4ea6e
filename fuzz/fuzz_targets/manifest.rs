//! Any line as an entry of a manifest: it is refused, or writing it again gives the same entry.
#![no_main]

use cosmos_tail::destination::manifest::Entry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let Ok(entry) = serde_json::from_slice::<Entry>(line) else {
        return;
    };
    let written = serde_json::to_vec(&entry).expect("an entry can be written");
    let again: Entry = serde_json::from_slice(&written).expect("what was written can be read");
    let twice = serde_json::to_vec(&again).expect("an entry can be written");
    assert_eq!(written, twice);
});
