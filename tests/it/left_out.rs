//! Names the scripts that `cargo test` does not run.

use std::io::Write;
use std::path::Path;

/// Prints to standard error even if the test passes; the output of the print macros is captured then.
pub(crate) fn say(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").unwrap();
}

#[test]
fn scripts_outside_cargo_test_are_named_and_run_by_the_gate() {
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
