//! Every place in the source that the documentation names exists.

use std::path::Path;

use super::pages::pages;

/// Where the source lies.
const ROOTS: [&str; 7] = [
    "src/",
    "documents/src/",
    "tests/",
    "benches/",
    "fuzz/",
    ".ci/",
    "packaging/",
];

/// The places that a page names, each with its line.
fn places(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(markdown.lines()) {
        let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || "/_.-".contains(c)));
        let places = words.filter(|word| ROOTS.iter().any(|root| word.starts_with(root)));
        found.extend(places.map(|place| (number, place.trim_end_matches('.').to_owned())));
    }
    found
}

#[test]
fn every_named_place_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    let mut count = 0;
    for page in pages() {
        for (line, place) in places(&page.text) {
            count += 1;
            if !root.join(&place).exists() {
                missing.push(format!("{}:{line}: {place}", page.name));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(count > 30, "only {count} places were found");
}

#[test]
fn places_are_found_in_prose_and_in_pictures() {
    let text = "`src/a.rs` and tests/it/b/.\n── src/c/d.rs ──► (`.ci/run`), assets/src/no";
    let found: Vec<String> = places(text).into_iter().map(|(_, place)| place).collect();
    assert_eq!(found, ["src/a.rs", "tests/it/b/", "src/c/d.rs", ".ci/run"]);
}
