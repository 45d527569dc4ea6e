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
    const LEFT_OUT: &str = "tests/python/run";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(root.join(LEFT_OUT).exists());
    let gate = root.join(".ci/run");
    // The gate does not travel with a packaged crate.
    if let Ok(gate) = std::fs::read_to_string(gate) {
        assert!(gate.contains(LEFT_OUT), "the gate does not run {LEFT_OUT}");
    }
    say(&format!(
        "left out: the official Python client against the embedded account ({LEFT_OUT}); .ci/run runs it"
    ));
}
