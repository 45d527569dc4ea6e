//! What goes wrong around the files of a group: leases that are gone or not of these instances, states that cannot be used,
//! and leases that divide the container in another way.

use std::process::Command;

use cosmos_tail::feed::{FeedRange, RangeSet};
use cosmos_tail::state::file;
use cosmos_tail::state::model::State;
use cosmos_tail::state::of_group::OfGroup;
use nix::sys::signal::Signal;

use super::files::{ADDRESS, FilesScene, PREFIX};
use super::scene::Instance;
use crate::command::{against, fail};
use crate::leases::written::ago;
use crate::store::{CallKind, Trouble};

impl FilesScene {
    /// The command of an instance, with other arguments in place of some.
    fn altered(&self, name: &str, changes: &[(&str, &str)]) -> Command {
        let command = self.command(name);
        let mut altered = against(&self.scene.leased.gateway);
        self.reach(&mut altered);
        for argument in command.get_args() {
            let change = changes.iter().find(|(from, _)| *from == argument);
            match change {
                Some((_, to)) => altered.arg(to),
                None => altered.arg(argument),
            };
        }
        altered
    }

    /// The name of the object that is the state of a range.
    fn state_of(range: &str) -> String {
        format!("{PREFIX}_cosmos-tail/ranges/{range}.json")
    }

    /// The ranges that have a state, from the lowest one on.
    fn ranges(&self) -> Vec<String> {
        self.look().unwrap().states.into_keys().collect()
    }
}

/// A merged partition may count its LSNs anew: so that the lease has a position which was saved before has nothing to do with
/// its LSN.
#[test]
fn a_lease_that_has_what_was_saved_is_not_ahead_whatever_its_lsn() {
    let scene = FilesScene::new(1);
    scene.fill(0..60);
    scene.start_and_stop(0..60);
    let (range, mut state) = scene.look().unwrap().states.pop_first().unwrap();
    let group = state.group.as_mut().unwrap();
    let saved = scene.scene.stored()["0"]["ContinuationToken"].clone();
    assert!(
        group.saved.iter().any(|etag| saved == etag.as_str()),
        "{saved}: {:?}",
        group.saved
    );
    group.saved.push("\"999\"".to_owned());
    let object = format!("{PREFIX}_cosmos-tail/ranges/{range}.json");
    let text = file::render(&state).unwrap();
    scene.store.replace(&object, Some(&text));
    let bounds = ["", "FF"].map(str::to_owned);
    let net = scene.scene.leased.net("orders");
    net.partition("0", &bounds, None, Some(999), &ago(0));
    scene.fill(60..100);
    scene.start_and_stop(0..100);
    scene.assert_exact(0..100);
    assert!(!scene.verify().stderr.contains("others have handled"));
}

/// The span of an upload that is gone is read again. The lease is behind it, which is not the work of others.
#[test]
fn what_the_store_has_lost_is_read_again_although_the_lease_is_beyond_it() {
    let scene = FilesScene::new(1);
    scene.fill(0..60);
    let mut command = scene.altered("a", &[("4KiB", "64MiB"), ("300ms", "1h")]);
    let a = scene.start_as("a", &mut command);
    // A part is open, and the lease has the position behind it.
    let is_saved = || {
        let (_, state) = scene.look().unwrap().states.pop_first()?;
        let group = state.group?;
        let is_open = state.series.iter().any(|one| one.open.is_some());
        let lease = scene.scene.stored()["0"]["ContinuationToken"].clone();
        let at = state.ranges.first()?.position.as_ref()?.lsn?;
        let is_there = group.saved.iter().any(|etag| lease == etag.as_str());
        Some(is_open && is_there && at >= 60 && lease == format!("\"{at}\""))
    };
    scene.scene.wait_until(
        || is_saved() == Some(true),
        || format!("{:?}", scene.scene.stored()),
    );
    a.kill();
    assert_eq!(scene.look().unwrap().numbers.len(), 0);
    scene.store.lose_uploads();
    scene.fill(60..100);
    let b = scene.start("b");
    scene.wait_for(0..100);
    let said = b.stop();
    assert!(said.contains("is gone: its span is read again"), "{said}");
    scene.assert_exact(0..100);
    assert!(!scene.verify().stderr.contains("others have handled"));
}

#[test]
fn leases_that_are_gone_are_created_where_the_files_end() {
    let scene = FilesScene::new(2);
    scene.fill(0..60);
    scene.start_and_stop(0..60);
    let leases = &scene.scene.leased.leases;
    for document in leases.latest() {
        leases.delete(&document.id, document.id.as_str());
    }
    scene.fill(60..100);
    let mut from_now = scene.altered("a", &[("beginning", "now")]);
    let a = scene.start_as("a", &mut from_now);
    scene.fill(100..120);
    scene.wait_for(0..120);
    let said = a.stop();
    assert!(!said.contains("ahead of the files"), "{said}");
    scene.assert_exact(0..120);
}

#[test]
fn a_span_that_is_left_to_others_is_warned_of() {
    let scene = FilesScene::new(1);
    scene.fill(0..20);
    scene.start_and_stop(0..20);
    scene.fill(20..30);
    scene.reset("now");
    let a = scene.start("a");
    scene.fill(30..40);
    scene.wait_for(30..40);
    let said = a.stop();
    let warned = "warning: lease `0`: it is at LSN 30, ahead of the files at LSN 20";
    assert!(said.contains(warned), "{said}");
}

#[test]
fn files_that_cannot_be_continued_now_keep_no_other_range_from_being_read() {
    let scene = FilesScene::new(2);
    scene.fill(0..60);
    scene.start_and_stop(0..60);
    let broken = scene.ranges().remove(0);
    let object = FilesScene::state_of(&broken);
    scene.store.script(move |_, call| {
        let is_it = call.kind == CallKind::Get && call.name.ends_with(&object);
        is_it.then_some(Trouble::Refused(503, "ServerBusy"))
    });
    scene.fill(60..100);
    let a = scene.start("a");
    let failed = format!("warning: cannot continue the files of the range {broken}");
    a.wait_until("a claim fails", |said| said.contains(&failed));
    scene.scene.wait_for_owners(&[("a", 2)]);
    scene.store.clear();
    scene.wait_for(0..100);
    let said = a.stop();
    assert_eq!(said.matches(&failed).count(), 1, "{said}");
    scene.assert_exact(0..100);
}

#[test]
fn a_state_that_cannot_be_used_keeps_its_lease_idle_and_the_end_says_so() {
    let mut scene = FilesScene::new(2);
    scene.is_tail = true;
    scene.fill(0..60);
    scene.start_and_stop(0..60);
    let broken = scene.ranges().remove(0);
    let object = FilesScene::state_of(&broken);
    let text = scene.store.objects().remove(&object).unwrap();
    scene.store.replace(&object, Some(b"{}"));
    let stranger = FilesScene::state_of("notes");
    scene.store.replace(&stranger, Some(b"{}"));
    let mut command = scene.command("a");
    command.arg("--idle-timeout=1s");
    let ended = scene.start_as("a", &mut command).end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    for expected in [
        format!("warning: cannot continue the files of the range {broken}"),
        "the files of 1 range could not be continued".to_owned(),
    ] {
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
    scene.store.replace(&object, Some(&text));
    let verified = scene.verify();
    let named = "notes.json: is not the state of a range";
    assert!(
        verified.stdout.contains(named) || verified.stderr.contains(named),
        "{}{}",
        verified.stdout,
        verified.stderr
    );
    scene.store.replace(&stranger, None);
    scene.fill(60..100);
    scene.start_and_stop(0..100);
    scene.assert_exact(0..100);
}

impl FilesScene {
    /// Creates a lease of a range that is none of a partition. Returns its id.
    fn lease_across(&self, bounds: [&str; 2]) -> String {
        let net = self.scene.leased.net("orders");
        net.range(&bounds.map(str::to_owned), None, Some(1), &ago(0));
        format!("{}..{}", net.prefix, bounds.join("-"))
    }
}

#[test]
fn a_lease_that_divides_the_container_in_another_way_leaves_no_state() {
    let scene = FilesScene::new(2);
    scene.fill(0..60);
    scene.start_and_stop(0..60);
    let before = scene.ranges();
    let id = scene.lease_across(["10", "30"]);
    let a = scene.start("a");
    a.wait_until("it is refused", |said| {
        said.contains("which a lease of the range [10,30) divides in another way")
    });
    scene.fill(60..100);
    scene.wait_for(0..100);
    a.stop();
    scene.scene.leased.leases.delete(&id, id.as_str());
    assert_eq!(scene.ranges(), before);
    scene.start_and_stop(0..100);
    scene.assert_exact(0..100);
}

#[test]
fn a_state_that_has_not_begun_is_no_obstacle_to_others() {
    let scene = FilesScene::new(2);
    scene.fill(0..60);
    scene.start_and_stop(0..60);
    // As an instance leaves it that dies before it has looked at the others.
    let state = scene.look().unwrap().states.pop_first().unwrap().1;
    let range = FeedRange::new("10", "30").unwrap();
    let mut options = state.options.clone();
    options.scope.ranges = vec![range.clone()];
    let mut across = State::new(state.kind, state.source, options, state.settings);
    across.export_id = state.export_id;
    across.partition_key = state.partition_key;
    across.group = Some(OfGroup::new(state.group.unwrap().place));
    across.ranges = RangeSet::number([(range, None)]).unwrap();
    let text = file::render(&across).unwrap();
    let object = FilesScene::state_of("10-30");
    scene.store.replace(&object, Some(&text));
    scene.fill(60..100);
    scene.start_and_stop(0..100);
    scene.assert_exact(0..100);
    assert!(
        scene.look().unwrap().states["10-30"]
            .group
            .as_ref()
            .unwrap()
            .over
    );
}

#[test]
fn nothing_of_others_is_replaced_by_force() {
    let scene = FilesScene::new(1);
    let mut forced = scene.command("a");
    let ended = fail(forced.arg("--force"), 2);
    assert!(ended.stderr.contains("--force"), "{}", ended.stderr);
    assert!(scene.store.objects().is_empty());
}

/// Two instances are started at once, with one group and two places. One is paused when it has begun its place, until the other one
/// has begun the group.
#[test]
fn a_place_that_was_begun_in_vain_is_named() {
    const OTHER: &str = "az://lake/exports/others/";
    let scene = FilesScene::new(1);
    scene.fill(0..20);
    scene.store.script(|_, call| {
        let is_it = call.kind == CallKind::Put && call.name.ends_with("group.json");
        is_it.then_some(Trouble::Pause)
    });
    let mut command = scene.altered("b", &[(ADDRESS, OTHER)]);
    let mut b = Instance::start("b", &mut command, &scene.scene.printed);
    assert!(b.is_paused_by(&scene.store));
    scene.store.clear();
    scene.start_and_stop(0..20);
    b.signal(Signal::SIGCONT);
    let ended = b.end();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    for expected in [
        format!("feeds the files at `{ADDRESS}`"),
        format!("delete `{OTHER}_cosmos-tail/group.json`"),
    ] {
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
    scene.assert_exact(0..20);
}

/// A crash between the creation of a lease and the deletion of the one that it replaces leaves both. Their owners would claim
/// the state of the range in turns.
#[test]
fn of_two_leases_for_one_range_one_stays() {
    let scene = FilesScene::new(1);
    scene.fill(0..60);
    scene.start_and_stop(0..60);
    let lsn = scene.scene.leased.partitions()[0].1;
    let whole = ["", "FF"].map(str::to_owned);
    let net = scene.scene.leased.net("orders");
    net.range(&whole, None, Some(lsn), &ago(0));
    let (a, b) = (scene.start("a"), scene.start("b"));
    let left = || -> Vec<String> { scene.scene.stored().into_keys().collect() };
    scene
        .scene
        .wait_until(|| left() == ["-FF"], || format!("{:?}", left()));
    scene.fill(60..200);
    scene.wait_for(0..200);
    for instance in [a, b] {
        instance.stop();
    }
    scene.assert_exact(0..200);
    let objects = scene.store.objects().into_iter();
    let mut states = objects.filter(|(name, _)| name.contains("/ranges/"));
    let claim = file::claim_of(&states.next().unwrap().1).unwrap();
    // One for each process and lease, and one after it was disputed.
    assert!(claim.epoch <= 6, "{}", claim.epoch);
}

/// An export by itself has begun the place too, in the same moment: it was about to write its state when it was paused.
#[test]
fn an_export_and_a_group_at_the_same_moment_lose_nothing_and_say_what_is_in_the_way() {
    let scene = FilesScene::new(2);
    // Of one of the ranges nothing is published.
    let first = scene.scene.leased.partitions()[0].0.clone();
    let is_of_first = |id: &str| {
        let latest = scene.scene.leased.orders.latest().into_iter();
        let mut found = latest.filter(|served| served.id == id);
        found.next().unwrap().partition == first
    };
    let mut numbers = Vec::new();
    for number in 0..40 {
        let document = crate::orders::document(number);
        scene.scene.leased.orders.upsert(document);
        let id = format!("item-{number}");
        if is_of_first(&id) {
            numbers.push(number as u64);
        } else {
            let key = format!("key-{}", number % 97);
            scene.scene.leased.orders.delete(&id, key);
        }
    }
    let state = format!("{PREFIX}_cosmos-tail/state.json");
    let own = state.clone();
    scene.store.script(move |_, call| {
        let is_it = call.kind == CallKind::Put && call.name == own;
        is_it.then_some(Trouble::PauseBefore)
    });
    let mut alone = against(&scene.scene.leased.gateway);
    scene
        .reach(&mut alone)
        .args(["export", "--follow", "-o", ADDRESS]);
    let mut alone = Instance::start("alone", &mut alone, &scene.scene.printed);
    assert!(alone.is_paused_by(&scene.store));
    let a = scene.start("a");
    let there = || {
        scene
            .look()
            .map(|place| place.numbers.into_keys().collect())
    };
    scene.scene.wait_until(
        || there().is_ok_and(|found: Vec<u64>| found == numbers),
        || format!("{:?}", there()),
    );
    a.stop();
    scene.store.clear();
    alone.signal(Signal::SIGCONT);
    let ended = alone.end();
    assert_ne!(ended.code, Some(0), "{}", ended.stderr);
    let way_out = format!("and delete `az://lake/{state}`, so that the other one can continue");
    assert!(ended.stderr.contains(&way_out), "{}", ended.stderr);
    // Whoever does not, is told by the group, which goes on as soon as the object is gone.
    let b = scene.start("b");
    b.wait_until("it is told", |said| {
        said.contains(&format!(
            "has published nothing, delete `az://lake/{state}`"
        ))
    });
    scene.store.replace(&state, None);
    for number in 40..60 {
        let document = crate::orders::document(number);
        scene.scene.leased.orders.upsert(document);
        numbers.push(number as u64);
    }
    scene.scene.wait_until(
        || there().is_ok_and(|found: Vec<u64>| found == numbers),
        || format!("{:?}", there()),
    );
    b.stop();
}
