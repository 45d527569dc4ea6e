//! The state file: newer, damaged, of another container, in use.

use super::{Pages, Stage};
use crate::command::run;
use crate::gateway::{Action, Fault, Gateway, RequestKind};
use crate::orders::{fill, filled};

const EXPORT: &str = "cosmos-tail export -d shop -c orders -o orders";
const RESUME: &str = "cosmos-tail resume --state orders/state.json";

#[test]
fn state() {
    let mut pages = Pages::new("state");
    let (gateway, _) = filled(2, 60);
    let mut stage = Stage::at(&gateway);
    stage.prepare(EXPORT);
    let whole = std::fs::read(stage.path("_orders.cosmos-tail/state.json")).unwrap();
    damaged(&stage, &mut pages, &whole);
    elsewhere(&mut stage, &mut pages);
    in_use(&stage, &mut pages);
    open_files(&mut pages);
    // Last, since the container goes.
    another_container(&gateway, &stage, &mut pages);
    pages.finish();
}

fn damaged(stage: &Stage, pages: &mut Pages, whole: &[u8]) {
    let text = String::from_utf8(whole.to_vec()).unwrap();
    let edited = text.replacen("\"finished\": true", "\"finished\": false", 1);
    assert_ne!(edited, text);
    for (name, about, content) in [
        (
            "newer",
            "A state of a newer version.",
            br#"{"format":"cosmos-tail state","version":4,"something":"else"}"#.to_vec(),
        ),
        ("edited", "The state was edited.", edited.into_bytes()),
        ("cut", "The state is cut off.", whole[..100].to_vec()),
        ("empty", "The state is empty.", Vec::new()),
        (
            "zeros",
            "The state is full of zeros, as after a power failure.",
            vec![0; 4096],
        ),
        (
            "not-json",
            "The state is another file.",
            b"not JSON at all".to_vec(),
        ),
        (
            "other-json",
            "The state is JSON of another program.",
            br#"{"format":"something else","version":1}"#.to_vec(),
        ),
    ] {
        stage.write("_orders.cosmos-tail/state.json", content);
        stage.show(pages, name, about, RESUME);
    }
    stage.write("_orders.cosmos-tail/state.json", whole);
}

/// The path is wrong, or the account.
fn elsewhere(stage: &mut Stage, pages: &mut Pages) {
    stage.write("changes.jsonl", "{\"id\":\"1\",\"pk\":\"a\"}\n");
    stage.set("$OTHER", "https://other.example/");
    stage.prepare(
        "cosmos-tail replay changes.jsonl -d shop -c copy --create --partition-key /pk --state replay.json",
    );
    for (name, about, typed) in [
        (
            "missing",
            "A state that does not exist.",
            "cosmos-tail resume --state missing/state.json",
        ),
        (
            "directory",
            "The directory of the export: its state is found.",
            "cosmos-tail resume --state orders",
        ),
        (
            "of-a-replay",
            "The state of a replay.",
            "cosmos-tail resume --state replay.json",
        ),
        (
            "other-endpoint",
            "The endpoint is of another account than the state.",
            "cosmos-tail resume --state orders/state.json --endpoint $OTHER",
        ),
        (
            "other-endpoint-by-variable",
            "The environment names another account than the state.",
            "AZURE_COSMOS_ENDPOINT=https://other.example/ cosmos-tail resume --state orders/state.json",
        ),
        (
            "other-mode",
            "A resume in another mode than that of the export.",
            "cosmos-tail resume --state orders/state.json --mode all",
        ),
        (
            "other-switch",
            "A resume with a switch that the export did not have.",
            "cosmos-tail resume --state orders/state.json --csv-safe",
        ),
        (
            "other-container-name",
            "The container is another one than that of the state.",
            "cosmos-tail resume --state orders/state.json -c customers",
        ),
        (
            "wrong-key",
            "A wrong key: the state stays.",
            "AZURE_COSMOS_KEY=d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgd3Jvbmc= cosmos-tail resume --state \
             orders/state.json",
        ),
    ] {
        stage.show(pages, name, about, typed);
    }
    {
        stage.show(
            pages,
            "demo-of-another-account",
            "--demo, and the state is of an account.",
            "cosmos-tail --demo resume --state orders/state.json",
        );
        stage.prepare("cosmos-tail --demo export -o demo -q");
        stage.show(
            pages,
            "demo-without-demo",
            "The state is of an embedded account.",
            "cosmos-tail resume --state demo/state.json",
        );
        stage.show(
            pages,
            "demo-of-another-container",
            "The state is of another container of the embedded account.",
            "cosmos-tail --demo resume --state demo/state.json -c orders_copy",
        );
        stage.show(
            pages,
            "demo-with-an-endpoint",
            "--demo, and the address of an account.",
            "cosmos-tail --demo resume --state demo/state.json --endpoint $OTHER",
        );
        stage.write(
            "following.json",
            following(&stage.path("_orders.cosmos-tail/state.json")),
        );
        stage.show(
            pages,
            "follow-until",
            "--until, and the state follows.",
            "cosmos-tail resume --state following.json --until pin",
        );
    }
}

/// The state of an export that follows.
fn following(path: &std::path::Path) -> Vec<u8> {
    let mut state = cosmos_tail::state::file::load(path).unwrap();
    state.settings.follow = true;
    cosmos_tail::state::file::render(&state).unwrap()
}

fn in_use(stage: &Stage, pages: &mut Pages) {
    let path = stage.path("_orders.cosmos-tail/state.json.lock");
    let lock = cosmos_tail::durable::Lock::acquire(&path).unwrap();
    for (name, about, typed) in [
        ("in-use", "Another process writes the export.", RESUME),
        (
            "in-use-force",
            "Another process writes the export that would be replaced.",
            "cosmos-tail export -d shop -c orders -o orders --force",
        ),
    ] {
        stage.show(pages, name, about, typed);
    }
    drop(lock);
}

/// Open files that do not match the state.
fn open_files(pages: &mut Pages) {
    let (gateway, _) = filled(2, 600);
    let refused = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
    gateway.push_fault(refused.partition("1").page(4).always());
    let stage = Stage::at(&gateway);
    let ended = run(&mut stage.command(&format!("{EXPORT} --page-size 50")));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    gateway.clear_faults();
    let open = "_orders.cosmos-tail/orders-00001-000001.jsonl.open";
    let whole = std::fs::read(stage.path(open)).unwrap();
    let manifest = std::fs::read(stage.path("_orders.cosmos-tail/manifest.ndjson")).unwrap();
    stage.edit(open, |bytes| bytes.truncate(bytes.len() - 1));
    stage.show(
        pages,
        "open-file-cut",
        "An open file lost bytes that were committed.",
        RESUME,
    );
    stage.write(open, &whole);
    stage.edit(open, |bytes| bytes[10] ^= 1);
    stage.show(
        pages,
        "open-file-changed",
        "An open file has other bytes than were committed.",
        RESUME,
    );
    std::fs::remove_file(stage.path(open)).unwrap();
    stage.show(
        pages,
        "open-file-missing",
        "An open file is missing.",
        RESUME,
    );
    stage.write("_orders.cosmos-tail/manifest.ndjson", "");
    stage.show(
        pages,
        "manifest-cut",
        "The manifest lost lines that were committed.",
        &format!("{RESUME} --repair"),
    );
    stage.write("_orders.cosmos-tail/manifest.ndjson", manifest);
    stage.write("_orders.cosmos-tail/orders-00001-000002.jsonl.open", "{}\n");
    stage.show(
        pages,
        "repair",
        "With --repair, its range is read again.",
        &format!("{RESUME} --repair"),
    );
}

fn another_container(gateway: &Gateway, stage: &Stage, pages: &mut Pages) {
    gateway.delete_container("shop", "orders");
    stage.show(
        pages,
        "container-deleted",
        "The container does not exist any more.",
        RESUME,
    );
    let container = gateway.create_container("shop", "orders", "/pk", 2);
    fill(&container, 0..10);
    stage.show(
        pages,
        "container-recreated",
        "The container was deleted and created again.",
        RESUME,
    );
}
