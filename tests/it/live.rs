//! A container that is written while it is exported.

use crate::command::{export, resume, succeed};
use crate::gateway::{Action, Fault, RequestKind, RequestRecord};
use crate::oracle::{Snapshot, judge, judge_one_shot};
use crate::orders::{document, fill, filled};

/// The oracle checks what existed throughout, and notices what is missing.
#[test]
fn the_oracle_knows_what_existed_throughout() {
    let (gateway, container) = filled(2, 60);
    let before = Snapshot::of(&container);
    let handle = container.clone();
    let write = Action::call(move || {
        fill(&handle, 60..70);
        handle.delete("item-3", "key-3");
        handle.delete("item-5", "key-5");
        handle.upsert(document(5));
    });
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, write).when(RequestRecord::is_page));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--page-size", "10"]));
    let existed = before.existed_until_now(&container);
    assert_eq!(existed.len(), 58);
    for id in ["item-3", "item-5", "item-60"] {
        assert!(!existed.contains(&id.to_owned()), "{id}");
    }
    judge_one_shot(&gateway, &container, &out, &existed).unwrap();

    // A replica that lags need not have the last of them.
    let lagging = Snapshot::of_replicas(&container, 3).existed_until_now(&container);
    assert!(lagging.len() < Snapshot::of(&container).existed_until_now(&container).len());
    assert!(lagging.contains(&"item-0".to_owned()) && !lagging.contains(&"item-5".to_owned()));

    fill(&container, 70..72);
    let later = Snapshot::of(&container).existed_until_now(&container);
    assert_eq!(later.len(), 71);
    let wrong = judge_one_shot(&gateway, &container, &out, &later).unwrap_err();
    assert!(
        wrong.contains("of 71 documents that existed throughout are in no file, such as item-"),
        "{wrong}"
    );
    succeed(&mut resume(&gateway, &out));
    judge_one_shot(&gateway, &container, &out, &later).unwrap();
    judge(&gateway, &container, &out).unwrap();
}

#[test]
fn all_versions_of_a_container_that_is_written_all_the_time_begin() {
    let (gateway, container) = filled(2, 60);
    let handle = container.clone();
    // Between the two requests by which the driver starts, too.
    let write = Action::call(move || {
        handle.rewrite("item-1");
        handle.rewrite("item-2");
    });
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, write).times(12));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(export(&gateway, &out).args(["--mode", "all", "--max-retries", "0"]));
    assert!(!ended.stderr.contains("trying again"), "{}", ended.stderr);
    let violations = gateway.violations();
    assert!(violations.is_empty(), "{violations:?}");
}
