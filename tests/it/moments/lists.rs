//! Tables and lists on standard output: `ranges` and `schema`.

use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use serde_json::json;

use super::{Pages, Stage};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, RequestKind};
use crate::orders::filled;

#[test]
fn ranges() {
    let (gateway, container) = filled(3, 30);
    let stage = Stage::at(&gateway);
    let mut pages = Pages::new("ranges");
    stage.show(
        &mut pages,
        "table",
        "Three ranges.",
        "cosmos-tail ranges -d shop -c orders",
    );
    stage.show(
        &mut pages,
        "json",
        "The same as JSON.",
        "cosmos-tail ranges -d shop -c orders --format json",
    );
    stage.show(
        &mut pages,
        "wide",
        "With whole bounds and tokens.",
        "cosmos-tail ranges -d shop -c orders --wide",
    );
    container.split("1", 2);
    stage.show(
        &mut pages,
        "after-a-split",
        "The second range was split into two.",
        "cosmos-tail ranges -d shop -c orders",
    );
    stage.show(
        &mut pages,
        "demo",
        "The ranges of the embedded account.",
        "cosmos-tail --demo ranges",
    );
    pages.finish();
}

#[test]
fn ls() {
    let gateway = Gateway::start(GatewayOptions::default());
    let orders = gateway.create_container("shop", "orders", "/customerId", 2);
    let key = PartitionKeyDefinition::from(("/tenant", "/user"));
    let events = gateway.create_container("shop", "events", key, 1);
    gateway.create_container("stock", "items", "/sku", 1);
    gateway.create_database("archive");
    gateway.set_offer(orders.rid(), json!({"offerThroughput": 400}));
    gateway.set_offer(
        events.rid(),
        json!({"offerThroughput": 100, "offerAutopilotSettings": {"maxThroughput": 4000}}),
    );
    let stock = gateway.create_database("stock");
    gateway.set_offer(&stock, json!({"offerThroughput": 1000}));
    let stage = Stage::at(&gateway);
    let mut pages = Pages::new("ls");
    for (name, about, typed) in [
        (
            "table",
            "Three databases, one of them without containers.",
            "cosmos-tail ls",
        ),
        ("json", "The same as JSON.", "cosmos-tail ls --format json"),
        ("database", "One database.", "cosmos-tail ls -d stock"),
        (
            "container",
            "One container.",
            "cosmos-tail ls -d shop -c orders",
        ),
        (
            "no-such-database",
            "A database that does not exist, one letter off.",
            "cosmos-tail ls -d shpo",
        ),
        (
            "no-such-container",
            "A container that does not exist, one letter off.",
            "cosmos-tail ls -d shop -c order",
        ),
        (
            "container-alone",
            "A container without its database.",
            "cosmos-tail ls -c orders",
        ),
        (
            "no-containers",
            "A database without containers.",
            "cosmos-tail ls -d archive",
        ),
        ("demo", "The embedded account.", "cosmos-tail --demo ls"),
        (
            "argument",
            "A database without its flag.",
            "cosmos-tail ls shop",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    for (name, about, kind, action) in [
        (
            "throughput-denied",
            "A credential that may not read the throughput.",
            RequestKind::Offers,
            Action::status(403, 0),
        ),
        (
            "throughput-failed",
            "The throughput cannot be read.",
            RequestKind::Offers,
            Action::answer(200, None, "<html>"),
        ),
        (
            "serverless",
            "A serverless account.",
            RequestKind::Offers,
            Action::Refuse {
                status: 400,
                message: "Reading or replacing offers is not supported for serverless accounts.",
            },
        ),
        (
            "refused",
            "The list of databases is refused.",
            RequestKind::DatabaseFeed,
            Action::status(403, 0),
        ),
        (
            "nonsense",
            "Something else answers in place of a list.",
            RequestKind::DatabaseFeed,
            Action::answer(200, None, "{}"),
        ),
        (
            "incomplete",
            "The containers of each database cannot be read.",
            RequestKind::ContainerFeed,
            Action::answer(200, None, "{}"),
        ),
    ] {
        gateway.clear_faults();
        gateway.push_fault(Fault::on(kind, action).times(100));
        stage.show(&mut pages, name, about, "cosmos-tail ls");
    }
    gateway.clear_faults();
    let nobody = Gateway::start(GatewayOptions::default());
    let stage = Stage::at(&nobody);
    stage.show(
        &mut pages,
        "empty",
        "An account without databases.",
        "cosmos-tail ls",
    );
    pages.finish();
}

#[test]
fn lag() {
    let (gateway, container) = filled(3, 30);
    let stage = Stage::at(&gateway);
    let mut pages = Pages::new("lag");
    stage.prepare("cosmos-tail export -q -d shop -c orders -o orders/");
    stage.show(
        &mut pages,
        "none",
        "An export that is not behind.",
        "cosmos-tail lag orders/",
    );
    // By a clock that is ahead, nothing has waited.
    gateway.set_time(4_102_444_800);
    for number in 0..25 {
        container.upsert(json!({"id": format!("new-{number}"), "pk": format!("new-{number}")}));
    }
    for (name, about, typed) in [
        (
            "behind",
            "An export that is behind.",
            "cosmos-tail lag orders/",
        ),
        (
            "json",
            "The same as JSON.",
            "cosmos-tail lag --state orders/state.json --format json",
        ),
        (
            "above",
            "More than the limit.",
            "cosmos-tail lag orders/ --fail-above 24",
        ),
        (
            "another-container",
            "The container of a state is not the one that was given.",
            "cosmos-tail lag orders/ -c other",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    stage.prepare(
        "cosmos-tail replay orders/ -d shop -c copy --create --partition-key /pk --state copy.json -q",
    );
    stage.show(
        &mut pages,
        "replay-of-files",
        "The state of a replay of files.",
        "cosmos-tail lag copy.json",
    );
    pages.finish();
}

#[test]
fn schema() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container("shop", "orders", "/pk", 1);
    gateway.create_container("shop", "empty", "/pk", 1);
    for number in 0..40 {
        container.upsert(json!({
            "id": format!("item-{number}"), "pk": "a", "total": 1.5 * f64::from(number),
            "count": number, "paid": number % 2 == 0, "customer": {"name": "A", "city": null},
            "tags": ["a", "b"], "when": "2026-11-23T12:00:00Z",
            "price": if number == 7 { json!("12 EUR") } else { json!(0.25 * f64::from(number)) },
            "mixed": if number % 4 == 0 { json!("text") } else { json!(number) },
        }));
    }
    let stage = Stage::at(&gateway);
    let mut pages = Pages::new("schema");
    for (name, about, typed) in [
        (
            "inferred",
            "The columns that would be inferred.",
            "cosmos-tail schema -d shop -c orders",
        ),
        (
            "timestamps",
            "With times as timestamps, and without system fields.",
            "cosmos-tail schema -d shop -c orders --detect-timestamps --system-fields drop",
        ),
        (
            "strict-types",
            "The same with one type for all values of a field, or JSON.",
            "cosmos-tail schema -d shop -c orders --strict-types --system-fields drop",
        ),
        (
            "columns",
            "Columns that were asked for.",
            "cosmos-tail schema -d shop -c orders --columns id,customer.name,missing",
        ),
        (
            "empty",
            "A container without documents.",
            "cosmos-tail schema -d shop -c empty",
        ),
        (
            "verbose",
            "With -v.",
            "cosmos-tail schema -d shop -c orders -v --system-fields drop",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    pages.finish();
}

#[test]
fn definitions() {
    let (gateway, container) = filled(1, 10);
    container.define(json!({
        "defaultTtl": 3600,
        "indexingPolicy": {"indexingMode": "consistent", "includedPaths": [{"path": "/pk/?"}], "excludedPaths": [{"path": "/*"}]},
    }));
    gateway.set_offer(container.rid(), json!({"offerThroughput": 400}));
    let stage = Stage::at(&gateway);
    let mut pages = Pages::new("definitions");
    let mut show =
        |name: &str, about: &str, typed: &str| stage.show(&mut pages, name, about, typed);
    show(
        "bicep",
        "A container of the account.",
        "cosmos-tail definitions -d shop -c orders",
    );
    stage.prepare("cosmos-tail export -d shop -c orders -o backup");
    show(
        "json",
        "The same as a template, of an export.",
        "cosmos-tail definitions backup --format json",
    );
    show(
        "nothing",
        "Neither a database nor an export.",
        "cosmos-tail definitions",
    );
    show(
        "no-definition",
        "Something else than an export.",
        "cosmos-tail definitions nowhere",
    );
    show(
        "no-such-container",
        "A container that does not exist, one letter off.",
        "cosmos-tail definitions -d shop -c order",
    );
    show(
        "arm-with-a-key",
        "Azure Resource Manager accepts no account key.",
        "cosmos-tail definitions -d shop --via arm",
    );
    let denied = Fault::on(RequestKind::Offers, Action::status(403, 0));
    gateway.push_fault(denied.always());
    show(
        "throughput-denied",
        "A credential that may not read the throughput.",
        "cosmos-tail definitions -d shop -c orders",
    );
    pages.finish();
}
