//! Which copy a group feeds: it is said when the group is created, before anything is changed.

use std::process::Command;

use super::copying::Copying;
use super::scene::{Instance, Printed};
use crate::command::{DATABASE, fail};

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
