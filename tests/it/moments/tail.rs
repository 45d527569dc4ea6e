//! Tails that end by themselves; `stopped` has those that are interrupted.

use serde_json::json;

use super::{Pages, Stage};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, RequestKind};

#[test]
fn tail() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container("shop", "orders", "/pk", 1);
    for (id, name, total) in [
        ("1", "Ada", 9.5),
        ("2", "Grace", 12.0),
        ("3", "Edsger", 3.25),
    ] {
        container.upsert(json!({"id": id, "pk": "a", "customer": {"name": name}, "total": total}));
        gateway.advance_time(60);
    }
    let stage = Stage::at(&gateway);
    let mut pages = Pages::new("tail");
    let all = "cosmos-tail tail -d shop -c orders --from beginning --until-caught-up";
    for (name, about, arguments) in [
        ("json", "Documents as they are.", ""),
        ("pretty", "Indented.", " --format pretty --max 1"),
        ("envelope", "In their envelope.", " --format envelope"),
        ("fields", "Some fields.", " --fields id,customer.name"),
        (
            "jq",
            "What a program makes of them.",
            " --jq '{id, half: (.total / 2)}'",
        ),
        (
            "jq-fails",
            "A program that fails on each change.",
            " -q --jq '.customer + 1'",
        ),
        (
            "colors",
            "With the colours and columns of a terminal.",
            " --format line --color always --fields id",
        ),
        (
            "colors-json",
            "JSON in colour.",
            " --color always --max 1 --fields id",
        ),
        ("line", "One line a change.", " --format line"),
        ("line-width", "Cut to a width.", " --format line --width 60"),
        ("quiet", "With -q.", " -q --fields id"),
        ("verbose", "With -v.", " -v --fields id"),
        (
            "partition-key",
            "One partition key.",
            " --partition-key a --fields id",
        ),
        (
            "partition-key-without-changes",
            "A partition key that has no documents.",
            " --partition-key b",
        ),
        (
            "partition-key-levels",
            "More levels than the partition key has.",
            " --partition-key a --partition-key b",
        ),
        ("range", "One range.", " --range 0 --fields id"),
        (
            "range-unknown",
            "A range that does not exist.",
            " --range 7",
        ),
        (
            "range-not-a-token",
            "A range that is neither a number nor a token.",
            " --range abc",
        ),
    ] {
        stage.show(&mut pages, name, about, &format!("{all}{arguments}"));
    }
    for (name, about, typed) in [
        (
            "max",
            "A number of changes.",
            "cosmos-tail tail -d shop -c orders --from beginning --max 2 --fields id",
        ),
        (
            "idle-timeout",
            "Nothing comes.",
            "cosmos-tail tail -d shop -c orders --idle-timeout 50ms",
        ),
        (
            "window",
            "What was changed within a time.",
            "cosmos-tail tail -d shop -c orders --from 2023-11-14T22:13:30Z --until 2023-11-14T22:14:30Z \
             --fields id",
        ),
        (
            "file",
            "To a file, with a state.",
            "cosmos-tail tail -d shop -c orders --from beginning --until-caught-up -o orders.jsonl --state \
             tail.json",
        ),
        (
            "file-resumed",
            "The same again.",
            "cosmos-tail tail -d shop -c orders --until-caught-up -o orders.jsonl --state tail.json",
        ),
        (
            "state-and-from",
            "The state has a position, and --from another one.",
            "cosmos-tail tail -d shop -c orders --from beginning --until-caught-up -o orders.jsonl --state \
             tail.json",
        ),
        (
            "state-of-another-output",
            "The state with another output.",
            "cosmos-tail tail -d shop -c orders --until-caught-up -o other.jsonl --state tail.json",
        ),
        (
            "state-of-another-container",
            "The state with another container.",
            "cosmos-tail tail -d shop -c customers --until-caught-up -o orders.jsonl --state tail.json",
        ),
        (
            "file-without-its-state",
            "A file that exists, without its state.",
            "cosmos-tail tail -d shop -c orders --from beginning --until-caught-up -o orders.jsonl",
        ),
        (
            "all-versions",
            "All versions; nothing comes.",
            "cosmos-tail tail -d shop -c orders --mode all --idle-timeout 50ms",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(400, 0)).always());
    for (name, about, typed) in [
        (
            "all-versions-not-kept",
            "All versions of a container that does not keep them.",
            "cosmos-tail tail -d shop -c orders --mode all",
        ),
        (
            "start-at-a-time-refused",
            "A start at a time that the account does not support.",
            "cosmos-tail tail -d shop -c orders --from 2023-11-14T22:13:30Z",
        ),
        (
            "refused",
            "The feed is refused.",
            "cosmos-tail tail -d shop -c orders",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    pages.finish();
}

#[test]
fn what_changed() {
    let gateway = Gateway::start(GatewayOptions {
        previous_images: true,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container("shop", "orders", "/customerId", 1);
    let stage = Stage::at(&gateway);
    let mut pages = Pages::new("tail-diff");
    let all = "cosmos-tail tail -d shop -c orders --mode all";
    for state in ["line", "diff", "json", "fields", "width"] {
        stage.prepare(&format!(
            "{all} --idle-timeout 50ms --state {state}.state.json"
        ));
    }
    let order = json!({
        "id": "o-17", "customerId": "c-4", "status": "paid", "coupon": "A5",
        "customer": {"first name": "Ada"}, "items": [{"sku": "mug", "qty": 1}, {"sku": "pen", "qty": 2}],
    });
    container.upsert(order.clone());
    gateway.advance_time(60);
    let mut changed = order;
    changed["status"] = json!("void");
    changed["customer"]["first name"] = json!("Grace");
    changed["items"] =
        json!([{"sku": "tea", "qty": 5}, {"sku": "mug", "qty": 1}, {"sku": "pen", "qty": 3}]);
    changed["total"] = json!(18_446_744_073_709_551_615_u64);
    changed.as_object_mut().unwrap().remove("coupon");
    container.replace(changed.clone());
    container.replace(changed);
    gateway.advance_time(60);
    container.upsert(json!({"id": "o-18", "customerId": "c-5", "status": "new"}));
    container.delete("o-17", "c-4");
    container.expire("o-18", "c-5");
    for (name, about, arguments) in [
        ("line", "Every version, one line each.", "--format line"),
        ("diff", "The fields that differ.", "--format diff"),
        ("json", "The same as JSON.", "--format diff-json"),
        (
            "fields",
            "Some fields only.",
            "--format diff --fields status,items",
        ),
        ("width", "Cut to a width.", "--format diff --width 80"),
    ] {
        stage.show(
            &mut pages,
            name,
            about,
            &format!("{all} --until-caught-up --state {name}.state.json {arguments}"),
        );
    }
    pages.finish();
}
