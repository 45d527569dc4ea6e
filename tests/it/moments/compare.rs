//! Comparisons: the same, different, still changing, and what is refused.

use serde_json::json;

use super::{Pages, Stage};
use crate::orders::{document, fill, filled};

#[test]
fn compare() {
    let mut pages = Pages::new("compare");
    let (gateway, _container) = filled(2, 50);
    let copy = gateway.create_container("shop", "copy", "/pk", 1);
    let other = gateway.create_container("shop", "other", "/pk", 1);
    fill(&copy, 0..50);
    fill(&other, 0..49);
    other.upsert(document(50));
    let mut changed = document(7);
    changed["number"] = json!(8);
    changed["lines"] = json!([{"price": 2}]);
    other.upsert(changed);
    let later = gateway.create_container("later", "orders", "/pk", 2);
    fill(&later, 0..50);
    let later = gateway.create_container("later", "copy", "/pk", 2);
    fill(&later, 3..50);
    let _new = gateway.create_container("later", "new", "/pk", 1);
    let stage = Stage::at(&gateway);
    let line = |n: u32| format!("{{\"id\":\"{n}\",\"pk\":\"a\",\"n\":{n},\"at\":\"mon\"}}\n");
    stage.write("monday.jsonl", (1..30).map(line).collect::<String>());
    stage.write(
        "tuesday.jsonl",
        (1..30).map(line).collect::<String>().replace("mon", "tue"),
    );
    stage.write("broken.jsonl", format!("{}{{\"id\":7}}\n", line(1)));
    for (name, about, typed) in [
        (
            "same",
            "Two containers with the same documents.",
            "cosmos-tail compare --from-container shop/orders -d shop -c copy",
        ),
        (
            "same-json",
            "The same, with the summary as JSON.",
            "cosmos-tail compare --from-container shop/orders -d shop -c copy --summary json",
        ),
        (
            "different",
            "Two containers that differ.",
            "cosmos-tail compare --from-container shop/orders -d shop -c other --settle 0s",
        ),
        (
            "database",
            "The containers of a database with those of another one.",
            "cosmos-tail compare --from-container 'shop/*' -d later --settle 0s",
        ),
        (
            "database-json",
            "The same, with the summary as JSON.",
            "cosmos-tail compare --from-container 'shop/*' -d later --settle 0s --summary json",
        ),
        (
            "database-and-file",
            "The containers of a database, and a file.",
            "cosmos-tail compare --from-container 'shop/*' --with monday.jsonl",
        ),
        (
            "different-quiet",
            "The same with -q: only the exit code.",
            "cosmos-tail compare --from-container shop/orders -d shop -c other --settle 0s -q",
        ),
        (
            "no-target",
            "Two exports as `diff` takes them: both are the source.",
            "cosmos-tail compare monday.jsonl tuesday.jsonl",
        ),
        (
            "repair",
            "What a replay repairs the target with.",
            "cosmos-tail compare --from-container shop/orders -d shop -c other --settle 0s --repair-to repair \
             --repair-delete",
        ),
        (
            "repair-again",
            "The same again, to files that exist.",
            "cosmos-tail compare --from-container shop/orders -d shop -c other --settle 0s --repair-to repair",
        ),
        (
            "values",
            "The report with its values, on standard output.",
            "cosmos-tail compare --from-container shop/orders -d shop -c other --settle 0s --report - --values",
        ),
        (
            "report-is-full",
            "More differences than the report takes.",
            "cosmos-tail compare monday.jsonl --with tuesday.jsonl --partition-key /pk --report report.jsonl \
             --max-differences 5",
        ),
        (
            "ignored",
            "The same without what differs, with -v.",
            "cosmos-tail compare monday.jsonl --with tuesday.jsonl --partition-key /pk --ignore /at -v",
        ),
        (
            "no-key",
            "Neither side says its partition key.",
            "cosmos-tail compare monday.jsonl --with tuesday.jsonl",
        ),
        (
            "key-of-a-container",
            "A partition key for a container.",
            "cosmos-tail compare monday.jsonl -d shop -c copy --partition-key /pk",
        ),
        (
            "the-same-file",
            "A file with itself.",
            "cosmos-tail compare monday.jsonl --with monday.jsonl --partition-key /pk",
        ),
        (
            "the-same-container",
            "A container with itself.",
            "cosmos-tail compare --from-container shop/orders -d shop -c orders",
        ),
        (
            "two-targets",
            "Files and a container as the target.",
            "cosmos-tail compare monday.jsonl --with tuesday.jsonl -c orders",
        ),
        (
            "standard-input",
            "Standard input, which can be read only once.",
            "cosmos-tail compare - --with tuesday.jsonl --partition-key /pk < monday.jsonl",
        ),
        (
            "report-is-a-side",
            "A report over one of the files.",
            "cosmos-tail compare monday.jsonl --with tuesday.jsonl --partition-key /pk --report tuesday.jsonl",
        ),
        (
            "broken",
            "A record that is no document.",
            "cosmos-tail compare broken.jsonl --with monday.jsonl --partition-key /pk",
        ),
        (
            "wrong-path",
            "Something else than a path to ignore.",
            "cosmos-tail compare monday.jsonl --with tuesday.jsonl --ignore at",
        ),
        (
            "no-source",
            "No source.",
            "cosmos-tail compare -d shop -c orders",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    pages.finish();
}
