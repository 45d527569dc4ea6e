//! States with valid checksums and hostile contents: only the export's own files change.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "../cases/hostile.rs"]
mod hostile;
#[path = "../cases/sample.rs"]
mod sample;

static ARENA: LazyLock<hostile::Arena> = LazyLock::new(|| {
    let parent = ["/dev/shm", "/tmp"]
        .into_iter()
        .find(|path| std::path::Path::new(path).is_dir())
        .expect("there is a directory for it");
    let root = format!("{parent}/cosmos-tail-hostile-{}", std::process::id());
    std::fs::create_dir_all(&root).expect("it can be made");
    hostile::Arena::new(root.as_ref())
});

fuzz_target!(|input: &[u8]| {
    ARENA.check(input);
});
