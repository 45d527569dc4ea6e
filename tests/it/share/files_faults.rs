//! Instances that write files die, are paused or lose answers at chosen moments, and another SDK doubles their leases.

use cosmos_tail::failpoint::MOMENTS;
use nix::sys::signal::Signal;

use super::files::FilesScene;
use super::scene::Instance;
use crate::store::{CallKind, Trouble};

/// The first instance dies at a moment of the protocol, while its range is split; the second one goes on.
fn dies_at(moment: &str) {
    let scene = FilesScene::new(1);
    scene.fill(0..60);
    let first = scene.start("first");
    scene.wait_for(0..60);
    first.stop();
    scene.scene.leased.orders.split("0", 2);
    scene.fill(60..120);
    let fault = format!("{moment}=1*return(kill)");
    let mut command = scene.command("a");
    let a = Instance::start(
        "a",
        command.env("COSMOS_TAIL_FAILPOINTS", fault),
        &scene.scene.printed,
    );
    let ended = a.end();
    assert_eq!(ended.code, None, "{moment}: {}", ended.stderr);
    let b = scene.start("b");
    scene.fill(120..160);
    scene.wait_for(0..160);
    b.stop();
    if let Err(wrong) = scene.judge(0..160) {
        panic!("{moment}: {wrong}");
    }
}

#[test]
fn an_owner_that_dies_at_any_moment_of_a_split_leaves_each_change_once() {
    for moment in MOMENTS.iter().filter(|one| **one != "group.parent-over") {
        dies_at(moment);
    }
}

/// Another SDK has created the leases of the parts of a range, and died before it deleted that of the whole: so an instance
/// reads the whole, and another one the parts. Or it has deleted it, and an instance dies that takes a part.
fn leases_are_doubled(dies: bool) -> Result<(), String> {
    let scene = FilesScene::new(1);
    scene.fill(0..60);
    let mut running = vec![scene.start("a")];
    scene.wait_for(0..60);
    if dies {
        running.remove(0).stop();
    }
    scene.double_leases();
    let mut command = scene.command("b");
    if dies {
        let id = scene.scene.stored()["0"]["id"].as_str().unwrap().to_owned();
        scene.scene.leased.leases.delete(&id, id.as_str());
        let fault = "group.parent-over=1*return(kill)";
        let b = command.env("COSMOS_TAIL_FAILPOINTS", fault);
        assert_eq!(
            Instance::start("b", b, &scene.scene.printed).end().code,
            None
        );
        running.push(scene.start("c"));
    }
    running.push(scene.start("b"));
    scene.fill(60..200);
    scene.wait_for(0..200);
    for instance in running {
        instance.stop();
    }
    scene.judge(0..200)
}

#[test]
fn leases_that_another_sdk_has_doubled_double_nothing() {
    for dies in [false, true] {
        leases_are_doubled(dies).unwrap();
    }
}

#[test]
fn a_range_that_goes_on_while_its_parts_are_read_is_found() {
    let mut scene = FilesScene::new(1);
    scene.plant = "defect.group.parent-is-not-ended=return";
    scene.fill(0..60);
    // Alone it has all of the leases.
    let a = scene.start("a");
    scene.wait_for(0..60);
    scene.double_leases();
    scene.scene.wait_for_owners(&[("a", 3)]);
    scene.fill(60..100);
    scene.wait_for(0..100);
    a.stop();
    let found = scene.judge(0..100).unwrap_err();
    assert!(found.contains("are there twice"), "{found}");
}

/// Something goes wrong with one call of the first instance, and a second one has its ranges then, or shares them.
fn goes_wrong((nth, kind): (usize, CallKind), trouble: Trouble) {
    let scene = FilesScene::new(1);
    scene.fill(0..60);
    let mut seen = 0;
    scene.store.script(move |_, call| {
        seen += usize::from(call.kind == kind);
        (call.kind == kind && seen == nth).then_some(trouble)
    });
    let mut a = Instance::start("a", &mut scene.command("a"), &scene.scene.printed);
    let is_paused = match trouble {
        Trouble::Pause | Trouble::PauseBefore => a.is_paused_by(&scene.store),
        Trouble::KillBefore | Trouble::KillAfter => {
            assert!(!a.is_paused_by(&scene.store));
            false
        }
        _ => {
            scene.wait_for(0..60);
            false
        }
    };
    let calls = scene.store.calls();
    assert!(calls.iter().any(|(_, what)| *what == Some(trouble)));
    if trouble != Trouble::PauseBefore {
        scene.store.clear();
    }
    let b = scene.start("b");
    scene.fill(60..120);
    scene.wait_for(0..120);
    // What was on its way has its effect when others have gone on.
    scene.store.clear();
    if is_paused {
        a.signal(Signal::SIGCONT);
    }
    scene.fill(120..140);
    scene.wait_for(0..140);
    let may_run = !matches!(trouble, Trouble::KillBefore | Trouble::KillAfter);
    if may_run {
        a.stop();
    }
    b.stop();
    if let Err(wrong) = scene.judge(0..140) {
        panic!("{kind:?} {nth} {trouble:?}: {wrong}");
    }
}

#[test]
fn an_owner_that_is_paused_at_a_call_of_the_store_harms_nothing() {
    for trouble in [Trouble::Pause, Trouble::PauseBefore] {
        // The claim, the beginning, a commit; then what becomes of an object.
        for call in [(2, CallKind::Put), (3, CallKind::Put), (4, CallKind::Put)] {
            goes_wrong(call, trouble);
        }
        for call in [(2, CallKind::Part), (1, CallKind::Complete)] {
            goes_wrong(call, trouble);
        }
    }
}

#[test]
fn an_owner_that_dies_at_a_call_of_the_store_is_followed_exactly() {
    for (call, trouble) in [
        ((1, CallKind::Put), Trouble::KillAfter),
        ((2, CallKind::Put), Trouble::KillBefore),
        ((3, CallKind::Put), Trouble::KillAfter),
        ((2, CallKind::Part), Trouble::KillAfter),
        ((1, CallKind::Complete), Trouble::KillBefore),
        ((1, CallKind::Complete), Trouble::KillAfter),
    ] {
        goes_wrong(call, trouble);
    }
}

#[test]
fn an_answer_of_the_store_that_is_lost_or_late_is_settled() {
    for (call, trouble) in [
        ((2, CallKind::Put), Trouble::Unanswered),
        ((3, CallKind::Put), Trouble::Late(2)),
        ((4, CallKind::Put), Trouble::Unanswered),
        ((5, CallKind::Put), Trouble::Late(3)),
        ((1, CallKind::Complete), Trouble::Unanswered),
        ((2, CallKind::Complete), Trouble::Lost),
    ] {
        goes_wrong(call, trouble);
    }
}
