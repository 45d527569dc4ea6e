//! What `cargo test` does not run, named by it.

use std::io::Write;
use std::path::Path;

/// Says something on standard error even if the test passes: what the print macros write is kept
/// back then.
pub(crate) fn say(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").unwrap();
}

#[test]
fn what_is_left_out_is_named_and_the_gate_runs_it() {
    const LEFT_OUT: [(&str, &str); 2] = [
        (
            "tests/python/run",
            "the official Python client against the embedded account",
        ),
        (
            "tests/python/formats",
            "DuckDB, pyarrow and Python's csv on 100,000 exported documents",
        ),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (script, what) in LEFT_OUT {
        assert!(root.join(script).exists());
        // The gate does not travel with a packaged crate.
        if let Ok(gate) = std::fs::read_to_string(root.join(".ci/run")) {
            assert!(gate.contains(script), "the gate does not run {script}");
        }
        say(&format!("left out: {what} ({script}); .ci/run runs it"));
    }
}
