//! Directories that are tables, and columns that change.

use serde_json::json;

use super::{Pages, Stage};
use crate::command::state_directory;
use crate::gateway::{Gateway, GatewayOptions};

#[test]
fn tables() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container("shop", "orders", "/pk", 1);
    let mut pages = Pages::new("tables");
    let stage = Stage::at(&gateway);
    let fields = |number: u32| json!({"id": format!("{number}"), "pk": "a", "total": number});
    for number in 0..3 {
        container.upsert(fields(number));
    }
    stage.prepare("cosmos-tail export -d shop -c orders -o strict --format csv --extra fail");
    stage.prepare("cosmos-tail export -d shop -c orders -o orders --format parquet");
    stage.write("orders.columns", "id string\npk string\ntotal int64\n");
    let notes = gateway.create_container("shop", "notes", "/pk", 1);
    notes.upsert(json!({"id": "1", "pk": "a", "note": ""}));
    let mut late = fields(3);
    late["discount"] = json!({"code": "X", "rate": 0.5});
    late["total"] = json!("12 EUR");
    container.upsert(late);
    for (name, about, typed) in [
        (
            "diff",
            "A document has come with a new field, and with a value of another type.",
            "cosmos-tail schema --diff orders",
        ),
        (
            "diff-file",
            "The same with a file of columns.",
            "cosmos-tail schema -d shop -c orders --diff orders.columns --system-fields drop",
        ),
        (
            "diff-nothing",
            "The directory has no export.",
            "cosmos-tail schema -d shop -c orders --diff .",
        ),
        (
            "diff-missing",
            "There is no such place.",
            "cosmos-tail schema -d shop -c orders --diff other",
        ),
        (
            "extra-fail",
            "The document fits no column of an export with --extra fail.",
            "cosmos-tail resume --state strict/state.json",
        ),
        (
            "extra-fail-empty",
            "An empty string reads like no value in CSV.",
            "cosmos-tail export -d shop -c notes -o notes --format csv --extra fail",
        ),
        (
            "extra-drop",
            "What fits no column is left out.",
            "cosmos-tail resume --state strict/state.json --extra drop",
        ),
        (
            "widen",
            "New files get a column for the new field.",
            "cosmos-tail resume --state orders/state.json --widen",
        ),
        (
            "widen-nothing",
            "Once more: there is nothing new.",
            "cosmos-tail resume --state orders/state.json --widen",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    stage.prepare("cosmos-tail export -d shop -c orders -o lines");
    stage.show(
        &mut pages,
        "widen-lines",
        "JSON lines have no columns.",
        "cosmos-tail resume --state lines/state.json --widen",
    );
    stage.prepare("cosmos-tail export -d shop -c orders -o raw --format csv --schema raw");
    stage.show(
        &mut pages,
        "diff-raw",
        "A document as a whole has no columns.",
        "cosmos-tail schema --diff raw",
    );
    stage.show(
        &mut pages,
        "extra-of-lines",
        "JSON lines have no columns.",
        "cosmos-tail export -d shop -c orders -o other --extra drop",
    );
    places(&mut pages, &stage);
    pages.finish();
}

/// Where the state of a directory is.
fn places(pages: &mut Pages, stage: &Stage) {
    let own = state_directory(&stage.path("orders"));
    std::fs::rename(&own, stage.path("renamed")).unwrap();
    stage.show(
        pages,
        "renamed",
        "The state directory has another name than it must have.",
        "cosmos-tail resume --state renamed/state.json",
    );
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(stage.path("renamed"), &own).unwrap();
        stage.show_on_unix(
            pages,
            "link",
            "There is a link in the place of the state directory.",
            "cosmos-tail verify orders",
        );
        std::fs::remove_file(&own).unwrap();
    }
    std::fs::rename(stage.path("renamed"), &own).unwrap();
    stage.write("orders/state.json", "{}");
    stage.show(
        pages,
        "two-exports",
        "An earlier version has kept a state in the directory, too.",
        "cosmos-tail verify orders",
    );
}
