//! Any text as a state file: it is refused, or writing it again gives the same state.
//!
//! The checksum would refuse nearly everything, so the text is also tried with a valid one.
#![no_main]

use cosmos_tail::state::file;
use libfuzzer_sys::fuzz_target;

fn check(text: &[u8]) {
    let Ok(state) = file::parse(text) else {
        return;
    };
    let written = file::render(&state).expect("a state that was read can be written");
    let again = file::parse(&written).expect("a state that was written can be read");
    let twice = file::render(&again).expect("a state that was read can be written");
    assert_eq!(written, twice);
}

fuzz_target!(|text: &[u8]| {
    check(text);
    let Ok(inner) = std::str::from_utf8(text) else {
        return;
    };
    let inner = inner.trim();
    let checksum = crc32c(inner.as_bytes());
    let whole = format!(
        r#"{{"format":"cosmos-tail state","version":1,"crc32c":"{checksum:08x}","state":{inner}}}"#
    );
    check(whole.as_bytes());
});

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}
