//! The export of a database and its replay: how they end, and what is refused.

use serde_json::json;

use super::{Pages, Stage};
use crate::command::DATABASE;
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, RequestKind, RequestRecord};
use crate::orders::fill;

#[test]
fn database() {
    let mut pages = Pages::new("database");
    taken(&mut pages);
    one_fails(&mut pages);
    pages.finish();
}

fn shop() -> Gateway {
    let gateway = Gateway::start(GatewayOptions::default());
    for (name, documents) in [("customers", 40), ("log", 0), ("orders", 200)] {
        let container = gateway.create_container(DATABASE, name, "/pk", 2);
        fill(&container, 0..documents);
    }
    gateway
}

fn taken(pages: &mut Pages) {
    let gateway = shop();
    gateway.create_database("copy");
    let stage = Stage::at(&gateway);
    let mut show = |name: &str, about: &str, typed: &str| {
        stage.show(pages, name, about, typed);
    };
    show(
        "export",
        "All containers of a database.",
        "cosmos-tail export -d shop --all-containers -o backup",
    );
    show(
        "verify",
        "All of them are checked.",
        "cosmos-tail verify backup",
    );
    show(
        "other-options",
        "The same directory, with another format.",
        "cosmos-tail export -d shop --all-containers -o backup --format parquet",
    );
    show(
        "pattern",
        "A pattern that no container has.",
        "cosmos-tail export -d shop -c 'order_*' -o some",
    );
    show(
        "name",
        "A name that no container has.",
        "cosmos-tail export -d shop -c orders -c costumers -o some",
    );
    show(
        "twice",
        "Only an export takes several.",
        "cosmos-tail tail -d shop -c orders -c customers",
    );
    show(
        "follow",
        "Several are not followed.",
        "cosmos-tail export -d shop --all-containers -o some --follow",
    );
    show(
        "file",
        "Several are no file.",
        "cosmos-tail export -d shop --all-containers -o some.parquet",
    );
    show(
        "share",
        "A budget over all is no share.",
        "cosmos-tail export -d shop --all-containers -o some --max-ru 20%",
    );
    gateway.delete_container(DATABASE, "log");
    let new = gateway.create_container(DATABASE, "events", "/pk", 1);
    fill(&new, 0..5);
    show(
        "resume",
        "One container is gone, and one is new.",
        "cosmos-tail resume backup",
    );
    show(
        "replay",
        "The database is made again.",
        "cosmos-tail replay backup -d copy --create --exclude log --concurrency 1",
    );
    show(
        "replay-only",
        "A container that is not there.",
        "cosmos-tail replay backup -d copy --only nothing",
    );
    show(
        "replay-named",
        "The target has no name of its own.",
        "cosmos-tail replay backup -d copy -c orders",
    );
    new.define(json!({"uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/number"]}]}}));
    show(
        "resume-quiet",
        "Nothing but errors.",
        "cosmos-tail resume backup -q",
    );
    gateway.create_database("other");
    gateway.refuse_definitions_with(
        "uniqueKeyPolicy",
        "The unique key policy is not supported by this account.",
    );
    show(
        "replay-refused",
        "A definition that the account refuses.",
        "cosmos-tail replay backup -d other --create --exclude log --max-retries 0 --concurrency 1",
    );
    std::fs::remove_dir_all(stage.path("backup/_orders.cosmos-tail")).unwrap();
    show(
        "verify-missing",
        "A container without its state.",
        "cosmos-tail verify backup",
    );
}

fn one_fails(pages: &mut Pages) {
    let gateway = shop();
    let rid = gateway
        .container(DATABASE, "customers")
        .unwrap()
        .rid()
        .to_owned();
    let is_of_customers =
        move |record: &RequestRecord| record.is_page() && record.container.as_deref() == Some(&rid);
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(403, 0))
            .when(is_of_customers)
            .always(),
    );
    let stage = Stage::at(&gateway);
    stage.show(
        pages,
        "failed",
        "One container cannot be read.",
        "cosmos-tail export -d shop --all-containers -o backup",
    );
    gateway.clear_faults();
    stage.show(
        pages,
        "resume-after-a-failure",
        "The rest.",
        "cosmos-tail resume backup",
    );
}
