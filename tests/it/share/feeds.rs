//! Which copy a group feeds: it is said when the group is created, before anything is changed.

use std::process::Command;

use super::copying::Copying;
use super::scene::{Instance, Printed};
use crate::command::{DATABASE, fail};
use crate::gateway::{Action, Fault, Hold, RequestKind};

#[test]
fn a_group_feeds_the_copy_that_it_was_created_for() {
    let copying = Copying::new(1, "latest");
    let gateway = &copying.scene.leased.gateway;
    copying.put("x", 1);
    let a = copying.start("a");
    copying.wait_for_version("x", Some(1));
    a.stop();
    let said = |mut command: Command| fail(&mut command, 2).stderr;
    // Another container, and one of the same name.
    gateway.create_container(DATABASE, "other", "/pk", 1);
    let mut other = copying.command("b");
    other.args(["-c", "other"]);
    let refused = said(other);
    assert!(
        refused.contains("the group `orders` feeds shop/copy of")
            && refused.contains("and not shop/other of")
            && refused.contains("name another group"),
        "{refused}"
    );
    // A tail would take changes away.
    let refused = said(copying.scene.command("t"));
    assert!(
        refused.contains("would never get the changes that are printed"),
        "{refused}"
    );
    assert_eq!(copying.scene.owners(), [("-".to_owned(), 1)].into());
    // The positions stay, whatever is said, and that is said.
    copying.put("y", 1);
    let mut command = copying.command("c");
    let c = Instance::start("c", command.arg("--from=now"), &Printed::default());
    copying.wait_for_version("y", Some(1));
    assert!(c.stop().contains("--from has no effect"));
}

#[test]
fn a_command_that_is_refused_creates_nothing() {
    let copying = Copying::new(1, "latest");
    let gateway = &copying.scene.leased.gateway;
    copying.put("x", 1);
    copying.scene.start("t").stop();
    let directory = tempfile::tempdir().unwrap();
    let letters = directory.path().join("letters.jsonl");
    let creates = |name: &str, group: &str| {
        let mut command = copying.command_of(group, name);
        command.args(["-c", "fresh", "--create"]);
        command
    };
    let is_there = || gateway.container(DATABASE, "fresh").is_some();
    let documents = || copying.scene.leased.leases.changes().len();
    let before = documents();
    // The group of a tail.
    let refused = fail(creates("a", "orders").arg("--dead-letter").arg(&letters), 2).stderr;
    assert!(
        refused.contains("was not created by a replay into shop/fresh of http"),
        "{refused}"
    );
    assert!(!is_there() && !letters.exists());
    // Dead letters that are something else, and another key than that of the source.
    std::fs::write(&letters, "notes\n").unwrap();
    let refused = fail(creates("a", "copies").arg("--dead-letter").arg(&letters), 2).stderr;
    assert!(refused.contains("other than dead letters"), "{refused}");
    let refused = fail(
        creates("a", "copies").args(["--partition-key", "/other"]),
        2,
    )
    .stderr;
    assert!(refused.contains("--missing-key"), "{refused}");
    assert!(!is_there());
    assert_eq!(documents(), before);

    // It creates what it feeds, and nothing else once that was deleted.
    let a = Instance::start("a", &mut creates("a", "copies"), &Printed::default());
    a.wait_until("it runs", |said| said.contains("\nreplaying "));
    let fresh = gateway.container(DATABASE, "fresh").unwrap();
    copying.scene.wait_until(
        || fresh.latest().len() == 1,
        || "nothing is copied".to_owned(),
    );
    a.stop();
    gateway.delete_container(DATABASE, "fresh");
    let refused = fail(&mut creates("b", "copies"), 2).stderr;
    assert!(
        refused.contains("the group `copies` feeds shop/fresh of")
            && refused.contains("does not exist: what is created now"),
        "{refused}"
    );
    assert!(!is_there());
}

#[test]
fn a_copy_is_not_fed_by_the_group_of_a_tail() {
    let copying = Copying::new(1, "latest");
    copying.put("x", 1);
    let tail = copying.scene.start("t");
    tail.stop();
    let refused = fail(&mut copying.command("a"), 2).stderr;
    assert!(
        refused.contains("the group `orders` was not created by a replay into shop/copy of"),
        "{refused}"
    );
    assert_eq!(copying.version("x"), None);
}

#[test]
fn a_creation_that_was_cut_off_is_completed_where_it_began() {
    let copying = Copying::new(2, "latest");
    for number in 0..20 {
        copying.put(&format!("item-{number}"), number);
    }
    copying.start("a").stop();
    // As it is before the first lease of a new group is written.
    let leases = &copying.scene.leased.leases;
    for served in leases.latest() {
        if !served.id.ends_with(".copy") {
            leases.delete(&served.id, served.id.clone());
        }
    }
    for served in copying.copy.latest() {
        copying
            .copy
            .delete(&served.id, format!("key-{}", served.id));
    }
    let mut command = copying.command("b");
    let b = Instance::start("b", command.arg("--from=now"), &Printed::default());
    copying.wait_for_the_same_content();
    b.stop();
}

#[test]
fn all_ranges_begin_at_the_now_of_whoever_began_to_create_the_group() {
    for mode in ["latest", "all"] {
        let copying = Copying::new(3, mode);
        copying.put("before", 1);
        let gateway = &copying.scene.leased.gateway;
        let leases = copying.scene.leased.leases.clone();
        // Before the first lease come the lock and what the group feeds.
        let rid = leases.rid().to_owned();
        let fault = Fault::on(RequestKind::ItemWrite, Action::Hold(Hold::new()));
        let fault = fault.when(move |record| record.container.as_ref() == Some(&rid));
        gateway.push_fault(fault.nth(4).always());
        let mut command = copying.command("a");
        let a = Instance::start("a", command.arg("--from=now"), &Printed::default());
        copying.scene.wait_until(
            || copying.scene.stored().len() == 1,
            || format!("{:?}", copying.scene.stored()),
        );
        a.kill();
        gateway.clear_faults();
        for number in 0..20 {
            copying.put(&format!("item-{number}"), number);
        }
        // Partitions may be split meanwhile.
        let partitions = copying.scene.leased.orders.partitions();
        copying.scene.leased.orders.split(&partitions[2].id, 2);
        for served in leases.latest() {
            if served.id.ends_with(".lock") {
                leases.delete(&served.id, served.id.clone());
            }
        }
        let mut command = copying.command("b");
        let b = Instance::start("b", command.arg("--from=now"), &Printed::default());
        copying.scene.wait_until(
            || copying.copy.latest().len() == 20,
            || format!("{:?}", copying.copy.latest().len()),
        );
        assert_eq!(copying.version("before"), None);
        b.stop();
        assert_eq!(gateway.violations(), [] as [String; 0]);
    }
}
