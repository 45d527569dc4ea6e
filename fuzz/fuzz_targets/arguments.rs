//! Any arguments, one a line: they are refused with the code for usage, or understood.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use cosmos_tail::settings::Given;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let arguments = text.split(|byte| *byte == b'\n').map(OsStr::from_bytes);
    let all = std::iter::once(OsStr::new("cosmos-tail")).chain(arguments);
    if let Err(error) = Given::parse(all) {
        assert!(matches!(error.exit_code(), 0 | 2));
        drop(error.to_string());
    }
});
