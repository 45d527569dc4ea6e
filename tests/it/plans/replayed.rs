//! `replay --plan`: processes that each replay a share of a plan into one container.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::{Place, plan, verify};
use crate::command::{
    CONTAINER, DATABASE, against, assert_same, cosmos_tail, fail, run, spawn, succeed, wait,
};
use crate::gateway::{Action, Container, Fault, Gateway, Hold, RequestKind};
use crate::orders::{document, fill, filled};
use crate::replay::{COPY, assert_no_violations, content, summary};

/// The directory with the states of all shares.
pub(super) fn states(place: &Place) -> PathBuf {
    place.path("states")
}

/// The command that replays a share of the plan into [`COPY`].
pub(super) fn share(place: &Place, gateway: &Gateway, shard: &str) -> Command {
    share_of(place, gateway, &place.plan(), &states(place), shard)
}

/// The same, of another plan with other states.
pub(super) fn share_of(
    _place: &Place,
    gateway: &Gateway,
    plan: &std::path::Path,
    states: &std::path::Path,
    shard: &str,
) -> Command {
    let mut command = against(gateway);
    // The plan says which container is read, and the target is another one.
    command.env("AZURE_COSMOS_CONTAINER", COPY);
    command.args(["replay", "--plan"]).arg(plan);
    command.args(["--shard", shard, "--state"]).arg(states);
    command
}

fn copy_of(gateway: &Gateway) -> Container {
    gateway.create_container(DATABASE, COPY, "/pk", 2)
}

#[test]
fn shares_together_leave_every_document_of_the_source() {
    for (partitions, shards) in [(4, 3), (1, 3)] {
        let (gateway, container) = filled(partitions, 400);
        let copy = copy_of(&gateway);
        let place = Place::new();
        place.make(&gateway, &[]);
        let mut created = 0;
        for shard in 0..shards {
            let mut command = share(&place, &gateway, &format!("{shard}/{shards}"));
            let told = summary(&succeed(command.args(["--summary", "json"])));
            created += told["created"].as_u64().unwrap();
        }
        // Each document was read by one share.
        assert_eq!(created, 400);
        assert_same(&content(&copy), &content(&container));
        assert_no_violations(&gateway);
        // All are complete: nothing is read or written any more.
        fill(&container, 400..500);
        let (read, written) = (
            gateway.requests(RequestKind::ChangeFeed),
            gateway.write_log().len(),
        );
        let again = succeed(&mut share(&place, &gateway, &format!("0/{shards}")));
        assert!(again.stderr.contains("is complete"), "{}", again.stderr);
        assert_eq!(gateway.requests(RequestKind::ChangeFeed), read);
        assert_eq!(gateway.write_log().len(), written);
    }
}

#[test]
fn a_complete_share_is_that_of_its_target_and_options_only() {
    let (gateway, _container) = filled(2, 60);
    copy_of(&gateway);
    gateway.create_container(DATABASE, "other", "/pk", 1);
    let place = Place::new();
    place.make(&gateway, &[]);
    succeed(&mut share(&place, &gateway, "0/1"));
    let mut elsewhere = share(&place, &gateway, "0/1");
    let refused = fail(elsewhere.env("AZURE_COSMOS_CONTAINER", "other"), 2);
    assert!(
        refused.stderr.contains("the state belongs to"),
        "{}",
        refused.stderr
    );
    for flags in [["--write-mode", "create"], ["--transform", ".a = 1"]] {
        let refused = fail(share(&place, &gateway, "0/1").args(flags), 2);
        assert!(refused.stderr.contains(flags[0]), "{}", refused.stderr);
    }
    // The same name, and another container.
    gateway.delete_container(DATABASE, COPY);
    copy_of(&gateway);
    let refused = fail(&mut share(&place, &gateway, "0/1"), 2);
    assert!(refused.stderr.contains("RID"), "{}", refused.stderr);
}

#[test]
fn a_share_that_refused_changes_is_never_taken_for_a_complete_one() {
    let (gateway, _container) = filled(2, 60);
    let copy = copy_of(&gateway);
    let place = Place::new();
    place.make(&gateway, &[]);
    let letters = place.path("letters.jsonl");
    for _ in 0..3 {
        let mut command = share(&place, &gateway, "0/1");
        command.args([
            "--transform",
            r#"if .number < 3 then error("no") else . end"#,
        ]);
        let ended = fail(command.arg("--dead-letter").arg(&letters), 1);
        assert!(ended.stderr.contains("3 changes"), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("letters-shard00000.jsonl"),
            "{}",
            ended.stderr
        );
    }
    assert_eq!(copy.latest().len(), 57);
    assert!(!letters.exists());
}

#[test]
fn a_share_that_is_replayed_twice_at_a_time_is_fenced() {
    let (gateway, container) = filled(2, 200);
    let copy = copy_of(&gateway);
    let place = Place::new();
    place.make(&gateway, &[]);
    let hold = Hold::new();
    gateway.push_fault(Fault::on(
        RequestKind::ChangeFeed,
        Action::Hold(hold.clone()),
    ));
    let first = spawn(&mut share(&place, &gateway, "1/2"));
    hold.wait_until_reached();
    gateway.clear_faults();
    let second = run(&mut share(&place, &gateway, "1/2"));
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(
        second.stderr.contains("is in use") || second.stderr.contains("holds"),
        "{}",
        second.stderr
    );
    // Another share is not kept from its work.
    succeed(&mut share(&place, &gateway, "0/2"));
    hold.release();
    let first = wait(first);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_same(&content(&copy), &content(&container));
}

#[test]
fn a_job_of_an_array_replays_its_share() {
    let (gateway, container) = filled(2, 200);
    let copy = copy_of(&gateway);
    let place = Place::new();
    place.make(&gateway, &[]);
    for index in ["0", "1", "2"] {
        let mut command = share(&place, &gateway, "auto/3");
        succeed(command.env("JOB_COMPLETION_INDEX", index));
    }
    assert_same(&content(&copy), &content(&container));
}

#[test]
fn exact_plans_that_follow_each_other_leave_the_same_as_the_source() {
    let (gateway, container) = filled(2, 200);
    let copy = copy_of(&gateway);
    let place = Place::new();
    // All changes from now on are kept, and then the documents are read.
    let changes = place.path("changes-0.json");
    succeed(&mut plan(
        &gateway,
        &changes,
        &["--mode", "all", "--until", "exact"],
    ));
    place.make(&gateway, &[]);
    for shard in ["0/2", "1/2"] {
        succeed(&mut share(&place, &gateway, shard));
    }
    let mut before = changes;
    for round in 1..4 {
        for number in 0..150 {
            let mut changed = document(number * 2);
            changed["round"] = json!(round);
            container.upsert(changed);
        }
        let deleted = 19 + 2 * round;
        container.delete(&format!("item-{deleted}"), format!("key-{deleted}"));
        container.upsert(document(300 + round));
        let partition = &container.partitions()[0].id.clone();
        container.split(partition, 2);
        let next = place.path(&format!("changes-{round}.json"));
        let after = before.to_str().unwrap().to_owned();
        succeed(&mut plan(&gateway, &next, &["--after", &after]));
        // Beyond the end of this plan.
        container.delete(&format!("item-{round}"), format!("key-{round}"));
        let own = place.path(&format!("states-{round}"));
        for shard in ["0/3", "1/3", "2/3"] {
            succeed(&mut share_of(&place, &gateway, &next, &own, shard));
        }
        if round < 3 {
            let id = format!("\"item-{round}\"");
            let is_there = content(&copy)
                .iter()
                .any(|text| String::from_utf8_lossy(text).contains(&id));
            assert!(is_there, "what is beyond the end is left to the next plan");
        }
        before = next;
    }
    let last = place.path("last.json");
    let after = before.to_str().unwrap().to_owned();
    succeed(&mut plan(&gateway, &last, &["--after", &after]));
    succeed(&mut share_of(
        &place,
        &gateway,
        &last,
        &place.path("states-last"),
        "0/1",
    ));
    assert_same(&content(&copy), &content(&container));
    assert_no_violations(&gateway);
}

#[test]
fn an_unfit_share_of_a_replay_is_refused_before_anything_is_written() {
    let (gateway, _container) = filled(2, 50);
    let copy = copy_of(&gateway);
    gateway.create_container(DATABASE, "other", "/pk", 1);
    let place = Place::new();
    place.make(&gateway, &[]);
    let query = place.path("query.json");
    succeed(&mut plan(&gateway, &query, &["--query", "SELECT * FROM c"]));
    let another = place.path("another.json");
    succeed(&mut plan(&gateway, &another, &[]));
    std::fs::write(place.path("file"), "text").unwrap();
    // An export has its states beside its files.
    succeed(&mut place.shard(&gateway, "0/1"));
    let refuse = |command: &mut Command, why: &str| {
        let ended = fail(command, 2);
        assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
    };
    let states = states(&place);
    let of = |plan: &PathBuf, states: &PathBuf, shard: &str| {
        share_of(&place, &gateway, plan, states, shard)
    };
    refuse(&mut of(&query, &states, "0/2"), "the plan is of a query");
    refuse(
        &mut of(&place.plan(), &place.path("file"), "0/2"),
        "is a file",
    );
    refuse(
        &mut of(&place.plan(), &place.out(), "0/2"),
        "by the shards of an export",
    );
    refuse(&mut of(&place.plan(), &states, "2/2"), "numbered from 0");
    refuse(
        of(&place.plan(), &states, "0/2").env("AZURE_COSMOS_CONTAINER", CONTAINER),
        "source and target are the same container",
    );
    for flags in [
        &["--from-container", "shop/orders"][..],
        &["--follow"],
        &["--mode", "all"],
        &["--from", "now"],
        &["--stdout"],
    ] {
        refuse(of(&place.plan(), &states, "0/2").args(flags), flags[0]);
    }
    let mut files = of(&place.plan(), &states, "0/2");
    refuse(files.arg("a.jsonl"), "two sources");
    let mut stateless = against(&gateway);
    stateless.env("AZURE_COSMOS_CONTAINER", COPY);
    stateless.args(["replay", "--plan"]).arg(place.plan());
    refuse(stateless.args(["--shard", "0/2"]), "--state DIR/");
    assert!(copy.latest().is_empty() && !states.join("shards.json").exists());

    succeed(&mut of(&place.plan(), &states, "0/2"));
    refuse(&mut of(&place.plan(), &states, "1/3"), "are 2, not 3");
    refuse(&mut of(&another, &states, "1/2"), "is of the plan");
    refuse(
        of(&place.plan(), &states, "1/2").env("AZURE_COSMOS_CONTAINER", "other"),
        "has the positions of a replay into the container of RID",
    );
    std::fs::create_dir_all(states.join("shard-00001")).unwrap();
    std::fs::copy(
        states.join("shard-00000/state.json"),
        states.join("shard-00001/state.json"),
    )
    .unwrap();
    refuse(
        &mut of(&place.plan(), &states, "1/2"),
        "the state belongs to a replay of the shard 0/2",
    );
    std::fs::remove_dir_all(states.join("shard-00001")).unwrap();
    // They are no files, and no export.
    let mut exported = against(&gateway);
    exported.args(["export", "--plan"]).arg(place.plan());
    exported.args(["--shard", "1/2", "-o"]).arg(&states);
    refuse(&mut exported, "has the positions of a replay");
    let checked = verify(&place.plan(), &states, &[]);
    assert_eq!(checked.code, Some(2), "{}", checked.stderr);
    let mut replayed = against(&gateway);
    replayed.arg("replay").arg(&states).args(["-c", "other"]);
    refuse(&mut replayed, "has the positions of a replay");
    refuse(
        &mut plan(
            &gateway,
            &place.path("next.json"),
            &["--after", states.to_str().unwrap()],
        ),
        "has the positions of a replay",
    );
    refuse(cosmos_tail().arg("resume").arg(&states), "replay --plan");
    // A dry run has no position.
    let mut dry = against(&gateway);
    dry.env("AZURE_COSMOS_CONTAINER", "other");
    dry.args(["replay", "--plan"]).arg(place.plan());
    succeed(dry.args(["--shard", "1/2", "--dry-run"]));
    succeed(&mut of(&place.plan(), &states, "1/2"));
    assert_eq!(copy.latest().len(), 50);
}

#[cfg(unix)]
mod killed {
    //! Each process is killed at random many times, while partitions split and merge and documents are written. In full:
    //!
    //! ```sh
    //! COSMOS_TAIL_TEST_PLAN=full cargo test --locked --test it plans::replayed::killed -- --nocapture
    //! ```

    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use nix::sys::signal::Signal;

    use super::*;
    use crate::command::signal;

    /// Changes that may be beyond the committed position, and so in one page.
    const WINDOW: &str = "10";
    /// The pause before each page, so that a process does not finish before it was killed often enough.
    const SLOWED: Duration = Duration::from_millis(50);
    /// Attempts after which a share that is not done is stuck.
    const PATIENCE: usize = 100;

    /// Ranges, shares, documents, and kills of each process.
    fn form() -> (usize, usize, usize, usize) {
        match std::env::var("COSMOS_TAIL_TEST_PLAN").as_deref() {
            Ok("full") => (64, 8, 6400, 20),
            _ => (6, 3, 240, 2),
        }
    }

    /// Runs a share until it is done, and kills it so often.
    fn replay(command: impl Fn() -> Command, kills: usize, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        for attempt in 0..kills + PATIENCE {
            let mut command = command();
            command.args([
                "--checkpoint-changes",
                WINDOW,
                "--checkpoint-interval",
                "5ms",
            ]);
            let child = spawn(command.args(["--max-retries", "100"]));
            if attempt < kills {
                // It is killed at a random time, so it has to wait for one.
                std::thread::sleep(Duration::from_millis(random.u64(0..300)));
                signal(&child, Signal::SIGKILL);
            }
            let ended = wait(child);
            match ended.code {
                Some(0) => return,
                None => {}
                Some(code) => panic!("exit {code}: {}", ended.stderr),
            }
        }
        panic!("a share is not done");
    }

    /// Replays all shares at once, each killed so often, while `disturb` is called again and again.
    fn replay_all(
        gateway: &Gateway,
        command: impl Fn(&str) -> Command + Sync,
        seed: u64,
        mut disturb: impl FnMut(usize) + Send,
    ) {
        let (_, shards, _, kills) = form();
        gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::Delay(SLOWED)).always());
        let left = std::sync::atomic::AtomicUsize::new(shards);
        let has_failed = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for shard in 0..shards {
                let (command, left, has_failed) = (&command, &left, &has_failed);
                scope.spawn(move || {
                    let seed = seed.wrapping_add(1 + shard as u64);
                    let name = format!("{shard}/{shards}");
                    let replayed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        replay(|| command(&name), kills, seed);
                    }));
                    left.fetch_sub(1, Ordering::Relaxed);
                    if let Err(panic) = replayed {
                        has_failed.store(true, Ordering::Relaxed);
                        std::panic::resume_unwind(panic);
                    }
                });
            }
            for step in 0.. {
                if left.load(Ordering::Relaxed) == 0 {
                    return;
                }
                disturb(step);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        assert!(!has_failed.load(Ordering::Relaxed));
        gateway.clear_faults();
    }

    /// Splits and merges now and then.
    fn change_topology(container: &Container, step: usize, random: &mut fastrand::Rng) {
        let partitions = container.partitions();
        if !step.is_multiple_of(12) || partitions.len() > 100 {
            return;
        }
        let at = random.usize(..partitions.len() - 1);
        match step.is_multiple_of(24) {
            true => drop(container.split(&partitions[at].id, 2)),
            false => drop(container.merge(&partitions[at].id, &partitions[at + 1].id)),
        }
    }

    #[test]
    fn killed_shares_leave_together_what_the_source_has() {
        let (ranges, _, documents, _) = form();
        let seed = crate::scene::seed();
        println!("COSMOS_TAIL_TEST_SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let (gateway, container) = filled(ranges, documents);
        let copy = copy_of(&gateway);
        let place = Place::new();
        // Every change from here on is in the second plan, and what exists is in the first.
        let changes = place.path("changes-0.json");
        succeed(&mut plan(
            &gateway,
            &changes,
            &["--mode", "all", "--until", "exact"],
        ));
        place.make(&gateway, &[]);
        let mut exist: std::collections::BTreeSet<usize> = (0..documents).collect();
        // What is written meanwhile is new documents, versions and deletes.
        replay_all(
            &gateway,
            |shard| share(&place, &gateway, shard),
            seed,
            |step| {
                change_topology(&container, step, &mut random);
                let number = random.usize(..documents + documents / 4);
                match step % 7 {
                    6 if exist.remove(&number) => drop(
                        container.delete(&format!("item-{number}"), format!("key-{}", number % 97)),
                    ),
                    _ => {
                        exist.insert(number);
                        container.upsert(document(number));
                    }
                }
            },
        );
        // Each document that existed throughout is there: only those that were deleted or came meanwhile may differ.
        for number in 0..documents {
            let mut changed = document(number);
            changed["late"] = json!(true);
            container.upsert(changed);
        }
        let next = place.path("changes-1.json");
        succeed(&mut plan(
            &gateway,
            &next,
            &["--after", changes.to_str().unwrap()],
        ));
        let own = place.path("states-of-changes");
        replay_all(
            &gateway,
            |shard| share_of(&place, &gateway, &next, &own, shard),
            seed.wrapping_add(100),
            |step| change_topology(&container, step, &mut random),
        );
        assert_same(&content(&copy), &content(&container));
        assert_no_violations(&gateway);
    }
}
