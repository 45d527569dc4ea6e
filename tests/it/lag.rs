//! `lag`: how far a job is behind its container, compared with what the gateway knows.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::command::{
    CONTAINER, DATABASE, Ended, against, cosmos_tail, export, fail, interrupt, resume, run, spawn,
    succeed, wait,
};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, RequestKind, RequestRecord, Served,
};
use crate::replay::COPY;
use crate::store_scene::{Sides, StoreScene};

/// Long ago enough that nothing depends on the second.
const AGE: u64 = 7_200;

struct Scene {
    gateway: Gateway,
    container: Container,
    directory: tempfile::TempDir,
    written: u64,
}

impl Scene {
    fn new(partitions: usize) -> Self {
        let gateway = Gateway::start(GatewayOptions::default());
        let container = gateway.create_container(DATABASE, CONTAINER, "/pk", partitions);
        Self {
            gateway,
            container,
            directory: tempfile::tempdir().unwrap(),
            written: 0,
        }
    }

    fn write(&mut self, documents: u64) {
        for _ in 0..documents {
            let n = self.written;
            self.written += 1;
            self.container
                .upsert(json!({"id": format!("{n}"), "pk": format!("key-{n}")}));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The LSNs of the live partitions, by id.
    fn lsns(&self) -> Vec<(String, u64)> {
        let partitions = self.container.partitions();
        partitions
            .into_iter()
            .map(|one| (one.id, one.lsn))
            .collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = against(&self.gateway);
        command
            .env_remove("AZURE_COSMOS_ENDPOINT")
            .env_remove("AZURE_COSMOS_DATABASE")
            .env_remove("AZURE_COSMOS_CONTAINER")
            .arg("lag")
            .args(arguments);
        command
    }

    #[track_caller]
    fn lag(&self, path: &Path) -> Value {
        let ended = succeed(self.command(&["--format", "json"]).arg(path));
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }
}

/// Transactions, and whether they may be fewer.
#[track_caller]
fn figures(lag: &Value) -> (u64, bool) {
    let transactions = lag["transactions"].as_u64();
    (
        transactions.unwrap_or_else(|| panic!("{lag}")),
        lag["at_most"].as_bool().unwrap(),
    )
}

#[test]
fn the_lag_is_what_the_gateway_counts_through_splits_merges_and_resumes() {
    let mut scene = Scene::new(3);
    scene.write(60);
    let out = scene.path("out");
    succeed(&mut export(&scene.gateway, &out));
    assert_eq!(figures(&scene.lag(&out)), (0, false));
    let zero = scene.lag(&out);
    assert_eq!(
        (&zero["seconds"], &zero["estimated_documents"]),
        (&json!(0), &json!(0))
    );

    // What was written since, in each partition.
    let before = scene.lsns();
    scene.write(50);
    let grown = |scene: &Scene| -> u64 {
        let now: u64 = scene.lsns().iter().map(|(_, lsn)| lsn).sum();
        now - before.iter().map(|(_, lsn)| lsn).sum::<u64>()
    };
    assert_eq!(grown(&scene), 50);
    let lag = scene.lag(&out);
    assert_eq!(figures(&lag), (50, false));
    assert_eq!(lag["estimated_documents"], 50);
    for (range, ((id, lsn), (_, then))) in scene.lsns().iter().zip(&before).enumerate() {
        let found = &lag["ranges"][range];
        assert_eq!(found["position"], *then, "{id}: {found}");
        assert_eq!(found["transactions"], lsn - then, "{id}: {found}");
        if lsn > then {
            assert_eq!(found["newest"], *lsn, "{id}: {found}");
        }
    }

    // The children of a split count on from their parent.
    scene.container.split("0", 2);
    let children = scene.lsns();
    let lag = scene.lag(&out);
    // A child in which nothing is new has no lag, though its parent was behind.
    let changes = scene.container.latest();
    let behind: u64 = children
        .iter()
        .map(|(id, lsn)| {
            let parent = before.iter().find(|(parent, _)| parent == id);
            let then = parent.map_or(before[0].1, |(_, then)| *then);
            let is_new = |change: &Served| change.partition == *id && change.lsn > then;
            if changes.iter().any(is_new) {
                lsn - then
            } else {
                0
            }
        })
        .sum();
    let (transactions, at_most) = figures(&lag);
    assert_eq!(transactions, behind, "{lag}");
    assert!(!at_most, "{lag}");

    succeed(&mut resume(&scene.gateway, &out));
    assert_eq!(figures(&scene.lag(&out)), (0, false));

    // The ranges of a merged partition are parts of it.
    let ids: Vec<String> = scene.lsns().into_iter().map(|(id, _)| id).collect();
    let merged = scene.container.merge(&ids[0], &ids[1]);
    assert_eq!(figures(&scene.lag(&out)), (0, false));
    let before: u64 = scene.lsns().iter().map(|(_, lsn)| lsn).sum();
    scene.write(40);
    let now: u64 = scene.lsns().iter().map(|(_, lsn)| lsn).sum();
    let lag = scene.lag(&out);
    let (transactions, at_most) = figures(&lag);
    assert!(at_most, "{lag}");
    assert!(transactions >= now - before, "{lag}");
    assert!(scene.lsns().iter().any(|(id, _)| *id == merged));
    succeed(&mut resume(&scene.gateway, &out));
    assert_eq!(figures(&scene.lag(&out)), (0, false));
    assert_eq!(scene.gateway.violations(), Vec::<String>::new());
}

#[test]
fn a_range_without_a_position_is_as_far_behind_as_it_has_transactions() {
    let mut scene = Scene::new(2);
    scene.write(30);
    let out = scene.path("out");
    // The first generation is committed before anything is read.
    scene
        .gateway
        .push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(403, 0)).always());
    let ended = run(export(&scene.gateway, &out).args(["--max-retries", "0"]));
    assert_ne!(ended.code, Some(0));
    scene.gateway.clear_faults();
    let lag = scene.lag(&out);
    let total: u64 = scene.lsns().iter().map(|(_, lsn)| lsn).sum();
    let first: u64 = scene
        .container
        .partitions()
        .iter()
        .map(|partition| {
            let changes = scene.container.latest();
            let own = changes.iter().filter(|one| one.partition == partition.id);
            own.map(|one| one.lsn).min().unwrap() - 1
        })
        .sum();
    assert_eq!(figures(&lag), (total - first, false), "{lag}");
    assert!(lag["ranges"][0]["position"].is_null(), "{lag}");
}

#[test]
fn what_is_waiting_is_told_in_time_too_and_a_limit_has_an_exit_code() {
    let mut scene = Scene::new(1);
    scene.write(3);
    let out = scene.path("out");
    succeed(&mut export(&scene.gateway, &out));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    scene.gateway.set_time(now - AGE);
    scene.write(5);
    scene.gateway.set_time(now);
    scene.write(5);
    let waiting = scene.lag(&out)["seconds"].as_u64().unwrap();
    assert!((AGE..AGE + 600).contains(&waiting), "{waiting}");
    for (limit, code) in [
        ("10", 0),
        ("9", 4),
        ("0", 4),
        ("4h", 0),
        ("1h", 4),
        ("10m", 4),
    ] {
        let ended = run(scene.command(&["--fail-above", limit]).arg(&out));
        assert_eq!(ended.code, Some(code), "{limit}: {ended:?}");
        // The figures are printed either way.
        assert!(ended.stdout.starts_with("RANGE"), "{ended:?}");
    }
    succeed(&mut resume(&scene.gateway, &out));
    succeed(scene.command(&["--fail-above", "0"]).arg(&out));
    succeed(scene.command(&["--fail-above", "0s"]).arg(&out));
}

#[test]
fn one_partition_key_is_at_most_as_far_behind_as_its_partition() {
    let mut scene = Scene::new(1);
    scene.write(10);
    let state = scene.path("tail.json");
    let tail = |scene: &Scene| {
        let mut command = against(&scene.gateway);
        command.args([
            "tail",
            "--partition-key",
            "key-3",
            "--until-caught-up",
            "--from",
            "beginning",
        ]);
        command.arg("--state").arg(&state);
        command.arg("-o").arg(scene.path("tail.jsonl"));
        succeed(&mut command)
    };
    tail(&scene);
    assert_eq!(figures(&scene.lag(&state)), (0, false));
    // Others write: a 304 proves that nothing of the key is new.
    scene.write(20);
    assert_eq!(figures(&scene.lag(&state)), (0, false));
    scene
        .container
        .upsert(json!({"id": "3", "pk": "key-3", "again": true}));
    let lag = scene.lag(&state);
    let (transactions, at_most) = figures(&lag);
    assert!(at_most && transactions >= 1, "{lag}");
    assert_eq!(
        lag["estimated_documents"].as_u64().map(|n| n >= 1),
        Some(true)
    );
    let ended = succeed(scene.command(&[]).arg(&state));
    assert!(ended.stdout.contains('≤'), "{}", ended.stdout);
}

#[test]
fn a_running_job_and_a_replay_are_measured_without_their_locks() {
    let mut scene = Scene::new(2);
    let copy = scene.gateway.create_container(DATABASE, COPY, "/pk", 2);
    scene.write(10);
    let out = scene.path("out");
    let mut command = export(&scene.gateway, &out);
    command.args([
        "--follow",
        "--poll-interval",
        "20ms",
        "--checkpoint-interval",
        "20ms",
    ]);
    let follows = spawn(&mut command);
    scene.gateway.wait_until_caught_up(&scene.container);
    let state = scene.path("replay.json");
    let mut command = cosmos_tail();
    command
        .env("AZURE_COSMOS_ENDPOINT", scene.gateway.endpoint())
        .env("AZURE_COSMOS_KEY", crate::gateway::KEY)
        .args([
            "replay",
            "--from-container",
            "shop/orders",
            "-d",
            DATABASE,
            "-c",
            COPY,
        ])
        .arg("--state")
        .arg(&state);
    succeed(&mut command);
    assert_eq!(copy.latest().len(), 10);
    assert_eq!(figures(&scene.lag(&state)), (0, false));
    scene.write(7);
    assert_eq!(figures(&scene.lag(&state)), (7, false));
    // The export follows, and its state moves on meanwhile.
    let mut lag = u64::MAX;
    for _ in 0..1_000 {
        (lag, _) = figures(&scene.lag(&out));
        assert!(lag <= 17, "{lag}");
        if lag == 0 {
            break;
        }
    }
    assert_eq!(lag, 0);
    interrupt(&follows);
    assert_eq!(wait(follows).code, Some(130));
    // Of a replay of files there is none.
    let state = scene.path("files.json");
    let mut command = against(&scene.gateway);
    command
        .env("AZURE_COSMOS_CONTAINER", COPY)
        .arg("replay")
        .arg(&out)
        .arg("--state")
        .arg(&state);
    succeed(&mut command);
    let ended = fail(scene.command(&[]).arg(&state), 2);
    assert!(ended.stderr.contains("replay of files"), "{}", ended.stderr);
}

#[test]
fn answers_of_replicas_that_lag_prove_nothing() {
    let mut scene = Scene::new(1);
    scene.write(20);
    let out = scene.path("out");
    succeed(&mut export(&scene.gateway, &out));
    scene.write(10);
    // The first two answers know less than the state.
    scene
        .gateway
        .push_fault(Fault::on(RequestKind::ChangeFeed, Action::Lag(15)).times(2));
    let lag = scene.lag(&out);
    assert_eq!(figures(&lag), (10, false), "{lag}");
    let asked = scene.gateway.requests(RequestKind::ChangeFeed);
    assert!(asked >= 3, "{asked}");
}

#[test]
fn watching_goes_on_until_it_is_stopped_or_above_the_limit() {
    let mut scene = Scene::new(1);
    scene.write(5);
    let out = scene.path("out");
    succeed(&mut export(&scene.gateway, &out));
    let asked = scene.gateway.requests(RequestKind::ChangeFeed);
    let mut command = scene.command(&["--watch", "10ms", "--format", "json"]);
    let child = spawn(command.arg(&out));
    scene.gateway.wait_for(RequestKind::ChangeFeed, asked + 3);
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let measured: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(measured.len() >= 2, "{ended:?}");
    assert!(measured.iter().all(|one| figures(one) == (0, false)));

    let asked = scene.gateway.requests(RequestKind::ChangeFeed);
    let mut command = scene.command(&["--watch", "10ms", "--fail-above", "3"]);
    let child = spawn(command.arg(&out));
    scene.gateway.wait_for(RequestKind::ChangeFeed, asked + 2);
    scene.write(4);
    let ended: Ended = wait(child);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("caught up"), "{ended:?}");
}

/// How many ranges are measured within a budget.
const RANGES_VARIABLE: &str = "COSMOS_TAIL_TEST_LAG_RANGES";

#[test]
fn measuring_many_ranges_stays_within_its_budget() {
    const BUDGET: u32 = 2_000;
    let ranges = std::env::var(RANGES_VARIABLE).map_or(64, |number| number.parse().unwrap());
    let mut scene = Scene::new(ranges);
    scene.write(200);
    let out = scene.path("out");
    succeed(&mut export(&scene.gateway, &out));
    scene.write(100);
    let before = scene.gateway.total_request_charge();
    let began = std::time::Instant::now();
    let budget = BUDGET.to_string();
    let ended = succeed(
        scene
            .command(&["--format", "json", "--max-ru", &budget])
            .arg(&out),
    );
    let lag: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(figures(&lag), (100, false));
    let charged = scene.gateway.total_request_charge() - before;
    let most = f64::from(BUDGET) * (began.elapsed().as_secs_f64() + 0.1) * 1.1;
    assert!(charged <= most, "{charged} RU instead of {most}");
    let told = lag["request_charge"].as_f64().unwrap();
    assert!(told > 0.0 && told <= charged + 0.01, "{told} of {charged}");
    let pages = scene.gateway.request_log();
    let pages = pages.iter().filter(|one: &&RequestRecord| one.is_page());
    assert!(pages.count() >= ranges);
    eprintln!(
        "{ranges} ranges in {:.1} s, {told:.0} RU",
        began.elapsed().as_secs_f64()
    );
}

#[test]
fn a_job_with_its_state_in_a_store_is_measured_by_it() {
    for (sides, named) in [
        (Sides::Together, &[StoreScene::address()][..]),
        (
            Sides::Together,
            &[
                "--state",
                "az://lake/exports/orders/_cosmos-tail/state.json",
            ],
        ),
        (
            Sides::StateElsewhere,
            &["--state", "az://lake/states/orders/state.json"],
        ),
        (Sides::OutputOnDisk, &["az://lake/states/orders/state.json"]),
    ] {
        let scene = StoreScene::new(2, 60).on(sides);
        let measure = || {
            let mut command = against(&scene.gateway);
            run(scene
                .reach(&mut command)
                .args(["lag", "--format", "json"])
                .args(named))
        };
        // Before there is a state.
        let missing = measure();
        assert_eq!(missing.code, Some(2), "{named:?}: {}", missing.stderr);
        assert_eq!(missing.stdout, "");
        let is_none = |text: &str| text.contains("there is no state at `az://lake/states");
        assert!(
            is_none(&missing.stderr)
                || missing
                    .stderr
                    .contains("there is no export at `az://lake/exports/orders/`"),
            "{named:?}: {}",
            missing.stderr
        );

        scene.finish().unwrap();
        let before = scene.store.objects();
        let lag = |transactions: u64| {
            let ended = measure();
            assert_eq!(ended.code, Some(0), "{named:?}: {}", ended.stderr);
            let lag: Value = serde_json::from_str(&ended.stdout).unwrap();
            assert_eq!(figures(&lag), (transactions, false), "{named:?}: {lag}");
        };
        lag(0);
        for n in 0..7 {
            let pk = format!("late-{n}");
            scene.container.upsert(json!({"id": pk, "pk": pk}));
        }
        lag(7);
        // It only reads.
        assert!(scene.store.objects() == before, "{named:?}");
        scene.finish().unwrap();
        lag(0);
    }
}

#[test]
fn a_job_that_is_named_by_its_place_and_by_its_state_in_a_store_is_refused() {
    let mut command = cosmos_tail();
    command.args([
        "lag",
        "az://lake/orders/",
        "--state",
        "az://lake/states/orders.json",
    ]);
    let ended = fail(&mut command, 2);
    assert!(
        ended
            .stderr
            .starts_with("error: the export is named twice: by its place, and by its state"),
        "{}",
        ended.stderr
    );
}
