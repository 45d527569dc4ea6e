//! A target that others write too, and answers that get lost: a copy becomes what its source is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::copying::Copying;
use super::scene::{Instance, Printed};
use crate::command::DATABASE;
use crate::gateway::{Action, Fault, RequestKind, RequestRecord};

/// Whether a request is a write of the target by this method.
fn is_write_of(copying: &Copying, method: &'static str) -> impl Fn(&RequestRecord) -> bool + use<> {
    let copy = copying.copy.rid().to_owned();
    move |record| record.method == method && record.container.as_deref() == Some(&copy)
}

#[test]
fn a_conflict_with_a_document_that_is_gone_is_no_refusal() {
    let copying = Copying::new(1, "all");
    let gateway = &copying.scene.leased.gateway;
    let a = copying.start("a");
    // As if another process created it late, and deleted it again.
    let copy = copying.copy.clone();
    let appear = Action::call(move || {
        copy.upsert(json!({"id": "x", "pk": "key-x", "version": 0}));
    });
    let copy = copying.copy.clone();
    let go = Action::call(move || {
        copy.delete("x", "key-x");
    });
    let write = RequestKind::ItemWrite;
    gateway.push_fault(Fault::on(write, appear).when(is_write_of(&copying, "POST")));
    gateway.push_fault(Fault::on(write, go).when(is_write_of(&copying, "DELETE")));
    copying.put("x", 1);
    copying.wait_for_version("x", Some(1));
    a.stop();
}

#[test]
fn a_document_that_something_else_writes_all_the_time_is_written_too() {
    let copying = Copying::new(1, "all");
    let gateway = &copying.scene.leased.gateway;
    let a = copying.start("a");
    for id in ["replaced", "deleted"] {
        copying.put(id, 1);
        copying.wait_for_version(id, Some(1));
        copying.copy.rewrite(id);
        // Between the read and the write that it is the condition of.
        let copy = copying.copy.clone();
        let rewrite = Action::call(move || {
            copy.rewrite(id);
        });
        let rid = copying.copy.rid().to_owned();
        let fault = Fault::on(RequestKind::ItemWrite, rewrite);
        let fault = fault.when(move |record| record.container.as_deref() == Some(&rid));
        gateway.push_fault(fault.times(5));
        match id {
            "replaced" => copying.put(id, 2),
            _ => copying.delete(id),
        }
        let version = (id == "replaced").then_some(2);
        copying.wait_for_version(id, version);
        gateway.clear_faults();
    }
    a.stop();
}

#[test]
fn writes_whose_answers_are_lost_are_carried_out_once_in_the_end() {
    let copying = Copying::new(2, "all");
    let gateway = &copying.scene.leased.gateway;
    let a = copying.start("a");
    for (nth, status) in [408, 429, 503].into_iter().enumerate() {
        let (rid, seen) = (copying.copy.rid().to_owned(), Arc::<AtomicUsize>::default());
        let fault = Fault::on(RequestKind::ItemWrite, Action::As(status));
        let fault = fault.when(move |record| {
            record.container.as_deref() == Some(&rid)
                && seen.fetch_add(1, Ordering::Relaxed) % 11 == 3 * nth
        });
        gateway.push_fault(fault.always());
    }
    for round in 1..4 {
        for number in 0..20 {
            let id = format!("item-{number}");
            if round > 1 && number % 3 == 0 {
                copying.put(&id, round);
                copying.delete(&id);
            }
            if (round + number) % 4 != 0 || round == 1 {
                copying.put(&id, round);
            }
        }
        copying
            .scene
            .wait_until(|| copying.is_the_same() || a.is_over(), || a.said());
        assert!(!a.is_over(), "{}", a.said());
    }
    let said = a.stop();
    assert!(!said.contains("created in the target after"), "{said}");
    copying.wait_for_the_same_content();
    assert_eq!(gateway.violations(), [] as [String; 0]);
}

#[test]
fn two_sources_can_be_copied_into_one_target() {
    let copying = Copying::new(1, "latest");
    let gateway = &copying.scene.leased.gateway;
    let other = gateway.create_container(DATABASE, "other", "/pk", 1);
    other.take_all_tokens();
    let a = copying.start("a");
    let mut command = copying.command_from("other", "others", "b");
    let b = Instance::start("b", &mut command, &Printed::default());
    b.wait_until("it runs", |said| said.contains("\nreplaying "));
    for version in 1..30 {
        copying.put("x", version);
        other.upsert(json!({"id": "x", "pk": "key-x", "version": 100 + version}));
        copying.put(&format!("a-{version}"), version);
        other.upsert(json!({"id": format!("b-{version}"), "pk": "k", "version": version}));
    }
    copying.scene.wait_until(
        || {
            let version = copying.version("x");
            copying.copy.latest().len() == 59 && (version == Some(29) || version == Some(129))
        },
        || format!("{:?}", copying.version("x")),
    );
    for instance in [a, b] {
        instance.stop();
    }
}
