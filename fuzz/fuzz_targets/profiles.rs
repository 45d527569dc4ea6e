//! Any text as a configuration file: it is refused with a hint that repeats none of it, or read.
#![no_main]

use std::path::Path;

use cosmos_tail::settings::ConfigFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let path = Path::new("profiles.toml");
    if let Ok(file) = ConfigFile::parse(text, path, Some(Path::new("/home/user"))) {
        // Whether one is chosen or refused, it must not panic.
        drop(file.choose(None));
    }
});
