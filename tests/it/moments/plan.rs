//! Plans: made, read by shares, verified as a whole; and what they refuse.

use super::{Pages, Stage};
use crate::command::run;
use crate::gateway::{Action, Fault, RequestKind};
use crate::orders::{fill, filled};

const PLAN: &str = "cosmos-tail plan -d shop -c orders -o plan.json";
const FIRST: &str = "cosmos-tail export --plan plan.json --shard 0/2 -o orders";
const SECOND: &str = "cosmos-tail export --plan plan.json --shard 1/2 -o orders";
const VERIFY: &str = "cosmos-tail verify plan.json orders";

#[test]
fn plan() {
    let (gateway, container) = filled(2, 60);
    let mut pages = Pages::new("plan");
    let stage = Stage::at(&gateway);
    let mut show =
        |name: &str, about: &str, typed: &str| stage.show(&mut pages, name, about, typed);
    show("made", "A plan of a container.", PLAN);
    show("exists", "The plan exists.", PLAN);
    show(
        "kept",
        "The plan exists, and the job may be repeated.",
        &format!("{PLAN} --keep"),
    );
    show("share", "A share of it.", FIRST);
    show("share-complete", "The share is complete.", FIRST);
    show("verify-missing", "Another share was not read yet.", VERIFY);
    show(
        "after-incomplete",
        "The next plan, of a plan that is not complete.",
        "cosmos-tail plan --after orders -o next.json",
    );
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(403, 0)).always());
    show("share-failed", "A share fails.", SECOND);
    gateway.clear_faults();
    stage.prepare(SECOND);
    show("verify", "All shares are complete.", VERIFY);
    show(
        "verify-quick",
        "The same without reading the files.",
        &format!("{VERIFY} --quick"),
    );
    show(
        "verify-json",
        "The same as JSON.",
        &format!("{VERIFY} --format json"),
    );
    show(
        "verify-place",
        "The place without the plan.",
        "cosmos-tail verify orders",
    );
    show(
        "resume",
        "A resume of the place.",
        "cosmos-tail resume orders",
    );
    show(
        "export",
        "An export of one process to the place.",
        "cosmos-tail export -d shop -c orders -o orders",
    );
    show(
        "another-number",
        "Another number of shares.",
        "cosmos-tail export --plan plan.json --shard 0/3 -o orders",
    );
    for (name, about, shard) in [
        ("no-such-share", "A share that does not exist.", "5/4"),
        ("no-share", "What is no share.", "first"),
        ("no-job", "The number of the share is not known.", "auto/2"),
    ] {
        let typed = format!("cosmos-tail export --plan plan.json --shard {shard} -o orders");
        show(name, about, &typed);
    }
    show(
        "contradiction",
        "A flag contradicts the plan.",
        &format!("{FIRST} --format csv"),
    );
    show(
        "file",
        "A single file.",
        "cosmos-tail export --plan plan.json --shard 0/2 -o orders.jsonl",
    );
    fill(&container, 60..80);
    show(
        "after",
        "The next plan, of what came since.",
        "cosmos-tail plan --after orders -o next.json",
    );
    show(
        "another-plan",
        "A share of another plan.",
        "cosmos-tail export --plan next.json --shard 0/2 -o orders",
    );
    let files = crate::command::files(&stage.path("orders"), "jsonl");
    std::fs::remove_file(&files[0]).unwrap();
    stage.show(&mut pages, "verify-taken", "A file was taken away.", VERIFY);
    let whole = std::fs::read_to_string(stage.path("plan.json")).unwrap();
    for (name, about, text) in [
        (
            "edited",
            "The plan was edited.",
            whole.replace("\"orders\"", "\"others\""),
        ),
        ("cut", "The plan is cut off.", whole[..200].to_owned()),
        (
            "newer",
            "A plan of a newer version.",
            r#"{"format":"cosmos-tail plan","version":2,"something":"else"}"#.to_owned(),
        ),
        ("no-plan", "What is no plan.", "{}".to_owned()),
    ] {
        stage.write("edited.json", text);
        let typed = "cosmos-tail export --plan edited.json --shard 0/2 -o elsewhere";
        stage.show(&mut pages, name, about, typed);
    }
    // Last, since the container goes.
    gateway.delete_container("shop", "orders");
    gateway.create_container("shop", "orders", "/pk", 2);
    let typed = "cosmos-tail export --plan plan.json --shard 0/2 -o elsewhere";
    stage.show(
        &mut pages,
        "recreated",
        "The container was deleted and created again.",
        typed,
    );
    let ended = run(&mut stage.command("cosmos-tail verify plan.json elsewhere"));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    pages.finish();
}
