//! Exports and replays with a snapshot: how they end, and what is refused.

use serde_json::json;

use super::{Pages, Stage};
use crate::command::DATABASE;
use crate::gateway::{Action, Fault, RequestKind, RequestRecord};
use crate::orders::filled;

#[test]
fn snapshot() {
    let mut pages = Pages::new("snapshot");
    taken(&mut pages);
    cut_off(&mut pages);
    changes_cut_off(&mut pages);
    without_retention(&mut pages);
    late(&mut pages);
    pages.finish();
}

fn taken(pages: &mut Pages) {
    let (gateway, container) = filled(2, 300);
    gateway.create_container(DATABASE, "copy", "/pk", 1);
    let stage = Stage::at(&gateway);
    let mut show = |name: &str, about: &str, typed: &str| {
        stage.show(pages, name, about, typed);
    };
    show(
        "without-mode-all",
        "A snapshot is followed by all versions.",
        "cosmos-tail export -d shop -c orders -o all --snapshot",
    );
    show(
        "from",
        "A snapshot has no other beginning.",
        "cosmos-tail export -d shop -c orders -o all --mode all --snapshot --from now",
    );
    show(
        "query",
        "A query has no changes.",
        "cosmos-tail export -d shop -c orders -o all --snapshot --query 'SELECT * FROM c'",
    );
    show(
        "export",
        "All documents, and the changes meanwhile.",
        "cosmos-tail export -d shop -c orders -o all --mode all --snapshot",
    );
    show("verify", "Both are checked.", "cosmos-tail verify all");
    container.delete("item-7", "key-7");
    show(
        "resume",
        "What has changed since.",
        "cosmos-tail resume all",
    );
    show(
        "resume-snapshot",
        "A snapshot is not taken away from an export.",
        "cosmos-tail resume all --snapshot",
    );
    show(
        "replay",
        "The state of the source, without what was deleted.",
        "cosmos-tail replay all -d shop -c copy",
    );
    show(
        "replay-live",
        "A copy of a container in use.",
        "cosmos-tail replay --from-container shop/orders -d shop -c copy --mode all --snapshot --state move.json",
    );
    show(
        "replay-live-without",
        "A state of a copy with a snapshot.",
        "cosmos-tail replay --from-container shop/orders -d shop -c copy --mode all --state move.json",
    );
    show(
        "replay-live-latest",
        "A copy of the latest versions has all documents.",
        "cosmos-tail replay --from-container shop/orders -d shop -c copy --snapshot",
    );
    container.define(json!({"changeFeedPolicy": {"retentionDuration": 180}}));
    show(
        "retention",
        "The container says how long it keeps versions.",
        "cosmos-tail export -d shop -c orders -o kept --mode all --snapshot",
    );
}

/// A snapshot that is not complete.
fn cut_off(pages: &mut Pages) {
    let (gateway, _) = filled(1, 300);
    gateway.create_container(DATABASE, "copy", "/pk", 1);
    let denied = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
    gateway.push_fault(denied.when(is_of_documents).nth(3).times(1));
    let stage = Stage::at(&gateway);
    stage.show(
        pages,
        "cut-off",
        "A range of the documents cannot be read any further.",
        "cosmos-tail export -d shop -c orders -o cut --mode all --snapshot --page-size 20",
    );
    stage.show(
        pages,
        "replay-incomplete",
        "Its files are of different times.",
        "cosmos-tail replay cut -d shop -c copy",
    );
    stage.show(
        pages,
        "verify-incomplete",
        "What is there is right, and not all.",
        "cosmos-tail verify cut",
    );
    stage.show(
        pages,
        "resume-documents",
        "The rest of the documents.",
        "cosmos-tail resume cut",
    );
}

/// A snapshot that is complete, and changes that are not.
fn changes_cut_off(pages: &mut Pages) {
    let (gateway, container) = filled(1, 100);
    gateway.create_container(DATABASE, "copy", "/pk", 1);
    let delete = Action::call(move || {
        container.delete("item-7", "key-7");
    });
    let documents = Fault::on(RequestKind::ChangeFeed, delete);
    gateway.push_fault(documents.when(is_of_documents).nth(1));
    let is_of_changes = |record: &RequestRecord| {
        record.is_page() && record.header("a-im") == Some("Full-Fidelity Feed")
    };
    // The first one is from before the documents.
    let denied = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
    gateway.push_fault(denied.when(is_of_changes).nth(2).times(1));
    let stage = Stage::at(&gateway);
    stage.show(
        pages,
        "changes-cut-off",
        "The changes since the beginning cannot be read any further.",
        "cosmos-tail export -d shop -c orders -o cut --mode all --snapshot",
    );
    stage.show(
        pages,
        "replay-without-changes",
        "What was deleted meanwhile would be back.",
        "cosmos-tail replay cut -d shop -c copy",
    );
    stage.show(
        pages,
        "verify-without-changes",
        "The changes in the files do not reach as far as the documents.",
        "cosmos-tail verify cut",
    );
    stage.show(
        pages,
        "resume-changes",
        "The rest.",
        "cosmos-tail resume cut",
    );
}

fn is_of_documents(record: &RequestRecord) -> bool {
    record.is_page() && record.header("a-im") == Some("Incremental Feed")
}

fn without_retention(pages: &mut Pages) {
    let (gateway, _) = filled(1, 10);
    let refuse = Action::Refuse {
        status: 400,
        message: "Full fidelity change feed is not enabled for this container.",
    };
    let is_of_versions = |record: &RequestRecord| {
        record.kind == RequestKind::ChangeFeed
            && record.header("a-im") == Some("Full-Fidelity Feed")
    };
    let refused = Fault::on(RequestKind::ChangeFeed, refuse);
    gateway.push_fault(refused.when(is_of_versions).always());
    let stage = Stage::at(&gateway);
    stage.show(
        pages,
        "without-retention",
        "The container keeps no versions.",
        "cosmos-tail export -d shop -c orders -o out --mode all --snapshot",
    );
}

/// Changes that are read late.
fn late(pages: &mut Pages) {
    let (gateway, container) = filled(1, 50);
    container.define(json!({"changeFeedPolicy": {"retentionDuration": 60}}));
    // The clock of the gateway is behind.
    let handle = container.clone();
    let write = Action::call(move || {
        handle.rewrite("item-3");
    });
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, write)
            .when(is_of_documents)
            .nth(1),
    );
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    gateway.set_time(now.as_secs() - 50 * 60 - 20);
    let stage = Stage::at(&gateway);
    stage.show(
        pages,
        "late",
        "Changes are read when the container is about to lose them.",
        "cosmos-tail export -d shop -c orders -o out --mode all --snapshot",
    );
}
