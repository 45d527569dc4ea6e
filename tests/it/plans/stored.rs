//! A plan and what its shards write, in an object store: the scripted one, where each call can go wrong.

use std::collections::BTreeMap;
use std::process::{Child, Command};

use serde_json::Value;

use crate::command::{
    CONTAINER, DATABASE, Ended, against, assert_latest, cosmos_tail, fail, run, spawn, split_lines,
    succeed, wait,
};
use crate::gateway::{Container, Gateway};
use crate::orders::{fill, filled};
use crate::replay::{COPY, content};
use crate::store::{Call, CallKind, Store, Trouble};

const PLAN: &str = "az://lake/plans/orders.json";
const PLACE: &str = "az://lake/orders/";
/// A state that is not where the objects are.
const STATE: &str = "az://lake/states/orders.json";

struct Scene {
    gateway: Gateway,
    container: Container,
    store: Store,
}

impl Scene {
    fn new(partitions: usize, documents: usize) -> Self {
        let (gateway, container) = filled(partitions, documents);
        Self {
            gateway,
            container,
            store: Store::start(),
        }
    }

    fn reach(&self, mut command: Command) -> Command {
        command
            .env("AZURE_STORAGE_USE_EMULATOR", "true")
            .env("AZURITE_BLOB_STORAGE_URL", self.store.url())
            .env("COSMOS_TAIL_IMPATIENT", "1");
        command
    }

    fn account(&self) -> Command {
        self.reach(against(&self.gateway))
    }

    fn plan(&self, place: &str, arguments: &[&str]) -> Command {
        let mut command = self.account();
        command.args(["plan", "-o", place]).args(arguments);
        command
    }

    fn shard_of(&self, plan: &str, place: &str, shard: &str) -> Command {
        let mut command = self.account();
        // The plan says which container.
        command
            .env_remove("AZURE_COSMOS_DATABASE")
            .env_remove("AZURE_COSMOS_CONTAINER");
        command.args(["export", "--plan", plan, "--shard", shard, "-o", place]);
        command
    }

    /// A shard in many small objects, with a commit for each page, one range at a time.
    fn shard(&self, shard: &str) -> Command {
        let mut command = self.shard_of(PLAN, PLACE, shard);
        command
            .args(["--page-size", "20", "--rotate-bytes", "4KiB"])
            .args(["--concurrency", "1", "--checkpoint-interval", "1h"])
            .args(["--checkpoint-bytes", "1"]);
        command
    }

    fn begin(&self, shard: &str) -> Child {
        let child = spawn(&mut self.shard(shard));
        self.store.set_victim(&child);
        child
    }

    fn verify(&self, arguments: &[&str]) -> Ended {
        let mut command = self.reach(cosmos_tail());
        run(command.args(["verify", PLAN, PLACE]).args(arguments))
    }

    /// The objects of the shards, by their names below the address.
    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let all = self.store.objects().into_iter();
        all.filter_map(|(name, bytes)| Some((name.strip_prefix("orders/")?.to_owned(), bytes)))
            .collect()
    }

    /// Every document once, in objects that a verification finds complete.
    #[track_caller]
    fn judge(&self) {
        let objects = self.objects();
        let data = objects.iter().filter(|(name, _)| !name.starts_with('_'));
        let lines: Vec<Vec<u8>> = data.flat_map(|(_, bytes)| split_lines(bytes)).collect();
        assert_latest(&lines, &self.container);
        let checked = self.verify(&[]);
        assert_eq!(
            checked.code,
            Some(0),
            "{}{}",
            checked.stdout,
            checked.stderr
        );
        let violations = self.store.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

#[test]
fn a_plan_and_its_shards_can_be_in_an_object_store() {
    let scene = Scene::new(4, 600);
    let made = succeed(&mut scene.plan(PLAN, &[]));
    assert!(
        made.stderr.contains("wrote `az://lake/plans/orders.json`"),
        "{}",
        made.stderr
    );
    let text = scene.store.objects()["plans/orders.json"].clone();
    let taken = fail(&mut scene.plan(PLAN, &[]), 2);
    assert!(taken.stderr.contains("exists"), "{}", taken.stderr);
    succeed(&mut scene.plan(PLAN, &["--keep"]));
    assert_eq!(scene.store.objects()["plans/orders.json"], text);
    for shard in ["0/3", "1/3", "2/3"] {
        succeed(&mut scene.shard(shard));
    }
    let objects = scene.objects();
    let state = "_cosmos-tail/shard-00001/state.json";
    assert!(objects.contains_key(state) && objects.contains_key("_cosmos-tail/shards.json"));
    assert!(
        objects
            .keys()
            .all(|name| name.starts_with("_cosmos-tail/") || name.starts_with("orders-shard0000")),
        "{:?}",
        objects.keys()
    );
    assert!(!objects.contains_key("_cosmos-tail/summary.json"));
    scene.judge();
    let summary = scene.objects()["_cosmos-tail/summary.json"].clone();
    let told: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(
        (&told["documents"], &told["read"]),
        (&600.into(), &true.into())
    );
    scene.judge();
    assert_eq!(scene.objects()["_cosmos-tail/summary.json"], summary);
    // It is one source of a replay.
    let copy = scene.gateway.create_container(DATABASE, COPY, "/pk", 2);
    let mut replay = scene.account();
    succeed(replay.args(["replay", PLACE, "-c", COPY]));
    crate::command::assert_same(&content(&copy), &content(&scene.container));
    // So is the plan of another, and its columns are known from there.
    let states = tempfile::tempdir().unwrap();
    let mut shared = scene.account();
    shared.args(["replay", "--plan", PLAN, "--shard", "0/1", "-c", COPY]);
    succeed(shared.arg("--state").arg(states.path()));
    // What came since.
    fill(&scene.container, 600..650);
    let again = succeed(&mut scene.shard("0/3"));
    assert!(again.stderr.contains("is complete"), "{}", again.stderr);
    let (next, later) = ("az://lake/plans/next.json", "az://lake/later/");
    succeed(&mut scene.plan(next, &["--after", PLACE]));
    succeed(&mut scene.shard_of(next, later, "0/1"));
    let objects = scene.store.objects().into_iter();
    let objects = objects.filter(|(name, _)| name.starts_with("later/orders-shard"));
    let lines: usize = objects.map(|(_, bytes)| split_lines(&bytes).len()).sum();
    assert_eq!(lines, 50);
}

#[test]
fn lengths_and_names_are_checked_by_one_listing() {
    let scene = Scene::new(2, 400);
    succeed(&mut scene.plan(PLAN, &[]));
    for shard in ["0/2", "1/2"] {
        succeed(&mut scene.shard(shard));
    }
    let data = |scene: &Scene| -> Vec<String> {
        let names = scene.objects().into_keys();
        names.filter(|name| !name.starts_with('_')).collect()
    };
    let names = data(&scene);
    assert!(names.len() > 10);
    scene.store.script(|_, _| None);
    assert_eq!(scene.verify(&["--quick"]).code, Some(0));
    let calls: Vec<Call> = scene
        .store
        .calls()
        .into_iter()
        .map(|(call, _)| call)
        .collect();
    scene.store.clear();
    let of_data = calls.iter().filter(|call| call.name.contains("-shard0"));
    assert_eq!(of_data.count(), 0, "no object is asked for by itself");
    // A byte that changed is only found by reading; a length at once.
    let name = format!("orders/{}", names[0]);
    let bytes = scene.store.objects()[&name].clone();
    let mut changed = bytes.clone();
    changed[20] ^= 1;
    for (bytes, quick, read) in [
        (Some(changed), 0, 1),
        (Some(bytes[1..].to_vec()), 1, 1),
        (None, 1, 1),
        (Some(bytes), 0, 0),
    ] {
        scene.store.replace(&name, bytes.as_deref());
        for (arguments, code) in [(&["--quick"][..], quick), (&[], read)] {
            let checked = scene.verify(arguments);
            assert_eq!(
                checked.code,
                Some(code),
                "{}{}",
                checked.stdout,
                checked.stderr
            );
        }
    }
    let state = "orders/_cosmos-tail/shard-00001/state.json";
    let text = scene.store.objects()[state].clone();
    scene.store.replace(state, None);
    let checked = scene.verify(&[]);
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
    assert!(
        checked.stdout.contains("shard-00001: has no state"),
        "{}",
        checked.stdout
    );
    scene.store.replace(state, Some(&text));
    scene
        .store
        .replace("orders/orders-shard00007-x.jsonl", Some(b"{}"));
    scene
        .store
        .replace("orders/_cosmos-tail/shard-00002/state.json", Some(b"{}"));
    let checked = scene.verify(&[]);
    for what in [
        "orders-shard00007-x.jsonl: has the name",
        "shard-00002: is not a shard",
    ] {
        assert!(checked.stdout.contains(what), "{}", checked.stdout);
    }
}

#[test]
fn shards_that_die_or_lose_answers_at_any_call_have_everything_once() {
    let troubles = [
        Trouble::KillBefore,
        Trouble::KillAfter,
        Trouble::Unanswered,
        Trouble::Lost,
        Trouble::Late(3),
        Trouble::Refused(503, "ServerBusy"),
    ];
    let seed = crate::scene::seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let rounds = match std::env::var("COSMOS_TAIL_TEST_PLAN").as_deref() {
        Ok("full") => 200,
        _ => 3,
    };
    for _ in 0..rounds {
        let scene = Scene::new(3, 240);
        succeed(&mut scene.plan(PLAN, &[]));
        for shard in ["0/3", "1/3", "2/3"] {
            let mut is_done = false;
            // It has some thirty calls.
            for attempt in 0..20 {
                let (at, trouble) = (random.usize(..30), troubles[random.usize(..troubles.len())]);
                if attempt < 4 {
                    scene
                        .store
                        .script(move |number, _| (number == at).then_some(trouble));
                }
                let ended = wait(scene.begin(shard));
                scene.store.clear();
                match ended.code {
                    Some(0) => {
                        is_done = true;
                        break;
                    }
                    // A late commit of one's own looks like that of another process.
                    None | Some(1 | 3) => {}
                    Some(code) => panic!("{trouble:?} at {at}: exit {code}: {}", ended.stderr),
                }
            }
            assert!(is_done, "the shard {shard} is not done");
        }
        scene.judge();
    }
}

#[test]
fn a_shard_that_is_started_twice_is_fenced_by_the_store() {
    use nix::sys::signal::Signal;
    // Before its first commit, and later.
    for (at, has_effect) in [(3, false), (4, true), (12, false), (13, true)] {
        let scene = Scene::new(2, 200);
        succeed(&mut scene.plan(PLAN, &[]));
        succeed(&mut scene.shard("1/2"));
        let trouble = match has_effect {
            true => Trouble::Pause,
            false => Trouble::PauseBefore,
        };
        scene
            .store
            .script(move |number, _| (number == at).then_some(trouble));
        let mut first = scene.begin("0/2");
        assert!(scene.store.wait_until_paused(&mut first), "call {at}");
        let second = wait(spawn(&mut scene.shard("0/2")));
        assert_eq!(second.code, Some(0), "{}", second.stderr);
        scene.store.clear();
        crate::command::signal(&first, Signal::SIGCONT);
        let first = wait(first);
        assert!(
            matches!(first.code, Some(1 | 3)),
            "{at}: {:?} {}",
            first.code,
            first.stderr
        );
        scene.judge();
    }
}

#[test]
fn what_is_at_a_place_decides_who_may_write_there() {
    let scene = Scene::new(2, 60);
    succeed(&mut scene.plan(PLAN, &[]));
    let another = "az://lake/plans/another.json";
    succeed(&mut scene.plan(another, &[]));
    succeed(&mut scene.shard("0/2"));
    let before = scene.store.objects();
    let refuse = |command: &mut Command, why: &str| {
        let ended = fail(command, 2);
        assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
        assert!(scene.store.objects() == before, "{why}");
    };
    refuse(&mut scene.shard("1/3"), "are 2, not 3");
    refuse(&mut scene.shard_of(another, PLACE, "1/2"), "is of the plan");
    refuse(
        &mut scene.shard_of(PLAN, "az://lake/orders.jsonl", "1/2"),
        "the single object `az://lake/orders.jsonl`",
    );
    refuse(
        &mut scene.shard_of("az://lake/plans/none.json", PLACE, "1/2"),
        "there is no such object",
    );
    refuse(
        &mut scene.shard_of("az://lake/orders/_cosmos-tail/shards.json", PLACE, "1/2"),
        "not marked as a plan",
    );
    let of_one = [
        (&["resume", PLACE][..], "2 shards of a plan"),
        (&["verify", PLACE], "2 shards of a plan"),
        (
            &["replay", PLACE, "-d", DATABASE, "-c", COPY],
            "shard 1 has no state",
        ),
        (&["plan", "-o", "-", "--after", PLACE], "shard 1/2"),
        (
            &["export", "-o", PLACE, "-d", DATABASE, "-c", CONTAINER],
            "by the shards of a plan",
        ),
        (
            &["export", "-o", PLACE, "--state", STATE],
            "by the shards of a plan",
        ),
    ];
    for (arguments, why) in of_one {
        refuse(scene.account().args(arguments), why);
    }
    refuse(
        scene.shard("1/2").args(["--state", STATE]),
        "cannot be used with",
    );
    let not_a_place = ["verify", PLAN, "az://lake/nothing/"];
    refuse(
        scene.reach(cosmos_tail()).args(not_a_place),
        "has no shards of a plan",
    );
    // Where something else is.
    scene.store.replace("taken/data.csv", Some(b"1"));
    let taken = fail(&mut scene.shard_of(PLAN, "az://lake/taken/", "0/2"), 2);
    assert!(
        taken.stderr.contains("is not of an export"),
        "{}",
        taken.stderr
    );
}

#[test]
fn a_place_that_has_lost_its_mark_is_of_no_other_plan() {
    const MARK: &str = "orders/_cosmos-tail/shards.json";

    let scene = Scene::new(3, 120);
    succeed(&mut scene.plan(PLAN, &[]));
    let another = "az://lake/plans/another.json";
    succeed(&mut scene.plan(another, &[]));
    succeed(&mut scene.shard("0/2"));
    let mark = scene.store.objects().remove(MARK).unwrap();
    scene.store.replace(MARK, None);
    let before = scene.store.objects();
    let gone = "az://lake/orders/_cosmos-tail/shards.json` is gone";
    let refuse = |command: &mut Command| {
        let ended = fail(command, 2);
        let there = "`az://lake/orders/_cosmos-tail/shard-00000/";
        for told in [gone, there] {
            assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
        }
        assert!(scene.store.objects() == before, "{}", ended.stderr);
    };
    // One that the first plan never had, and one that it has and has not begun.
    refuse(&mut scene.shard_of(another, PLACE, "5/6"));
    refuse(&mut scene.shard("1/2"));
    for more in [&[][..], &["--state", STATE]] {
        refuse(scene.account().args(["export", "-o", PLACE]).args(more));
    }
    refuse(scene.account().args(["resume", PLACE]));
    // A shard that was begun there knows of which plan it is.
    succeed(&mut scene.shard("0/2"));
    assert_eq!(scene.store.objects().remove(MARK), Some(mark));
    succeed(&mut scene.shard("1/2"));
    scene.judge();
}

/// The claim of a place whose state is on a disk.
const CLAIM: &[u8] = br#"{"format":"cosmos-tail claim","export_id":"00000000-0000-4000-8000-000000000001","container":"orders",
"extension":"jsonl","state":"/data/orders.json","claim":"00000000-0000-4000-8000-000000000002",
"holder":{"process":1,"since":"2026-11-29T00:00:00Z"}}"#;

#[test]
fn no_shard_writes_where_an_export_by_itself_has_begun() {
    let scene = Scene::new(1, 20);
    succeed(&mut scene.plan(PLAN, &[]));
    for (mark, text, continued) in [
        (
            "state.json",
            &b"{}"[..],
            "cosmos-tail resume az://lake/orders/",
        ),
        (
            "claim.json",
            CLAIM,
            "cosmos-tail resume --state /data/orders.json",
        ),
    ] {
        let mark = format!("orders/_cosmos-tail/{mark}");
        scene.store.replace(&mark, Some(text));
        let before = scene.store.objects();
        let refused = fail(&mut scene.shard("0/1"), 2);
        for told in ["already exists", continued] {
            assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
        }
        assert!(scene.store.objects() == before, "{mark}");
        scene.store.replace(&mark, None);
    }
    succeed(&mut scene.shard("0/1"));
    scene.judge();
}

#[test]
fn of_shards_and_an_export_by_itself_that_begin_at_once_one_stops_before_it_lists_anything() {
    use nix::sys::signal::Signal;
    // What each begins with, and what the others leave meanwhile.
    for (by_itself, own, others) in [
        (
            None,
            "_cosmos-tail/shard-00000/state.json",
            ["state.json", "claim.json"],
        ),
        (
            Some(&["export", "-o", PLACE][..]),
            "_cosmos-tail/state.json",
            ["claim.json", "shards.json"],
        ),
        (
            Some(&["export", "-o", PLACE, "--state", STATE]),
            "_cosmos-tail/claim.json",
            ["state.json", "shards.json"],
        ),
    ] {
        for other in others {
            let scene = Scene::new(1, 40);
            succeed(&mut scene.plan(PLAN, &[]));
            scene.store.script(move |_, call| {
                let is_own = call.kind == CallKind::Put && call.name.ends_with(own);
                is_own.then_some(Trouble::Pause)
            });
            let mut command = match by_itself {
                None => scene.shard_of(PLAN, PLACE, "0/2"),
                Some(_) => scene.account(),
            };
            command.args(by_itself.unwrap_or_default());
            let mut child = spawn(&mut command);
            scene.store.set_victim(&child);
            assert!(scene.store.wait_until_paused(&mut child), "{own}");
            let mark = format!("orders/_cosmos-tail/{other}");
            scene.store.replace(&mark, Some(b"{}"));
            scene.store.clear();
            crate::command::signal(&child, Signal::SIGCONT);
            let ended = wait(child);
            let told = ended.stderr.contains("another export has begun");
            assert!(
                told && matches!(ended.code, Some(1 | 3)),
                "{own}, {other}: {:?} {}",
                ended.code,
                ended.stderr
            );
            if own.ends_with("claim.json") {
                // The other one looks too, and may go on.
                let claim = &scene.objects()["_cosmos-tail/claim.json"];
                let claim: serde_json::Value = serde_json::from_slice(claim).unwrap();
                assert_eq!(claim["withdrawn"], true, "{other}: {claim}");
            }
            let names = scene.objects().into_keys();
            let seen: Vec<String> = names
                .filter(|name| !name.starts_with('_') || name.contains("/manifest/"))
                .collect();
            assert!(seen.is_empty(), "{own}, {other}: {seen:?}");
        }
    }
}
