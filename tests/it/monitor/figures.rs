//! The figures are those of the gateway's log.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::command::{CONTAINER, DATABASE, against, cosmos_tail, lines_of};
use crate::gateway::{Action, Container, Fault, GatewayOptions, RequestKind};
use crate::orders::{document, fill, filled};
use crate::replay::COPY;

#[track_caller]
fn assert_sample(samples: &BTreeMap<String, f64>, name: &str, expected: f64) {
    assert_eq!(samples.get(name), Some(&expected), "{name} of {samples:#?}");
}

/// A script with throttling, an outage and a split, which a reader meets on its first pages.
fn push_script(gateway: &Gateway, container: &Container) {
    let handle = container.clone();
    let split = Action::call(move || drop(handle.split("0", 2)));
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, split)
            .partition("0")
            .page(4),
    );
    for (nth, action) in [
        (3, Action::throttle(1)),
        (5, Action::throttle(1)),
        (7, Action::status(503, 0)),
    ] {
        gateway.push_fault(
            Fault::on(RequestKind::ChangeFeed, action)
                .partition("1")
                .nth(nth),
        );
    }
}

#[test]
fn those_of_a_tail() {
    let (gateway, container) = filled(4, 2000);
    push_script(&gateway, &container);
    let directory = tempfile::tempdir().unwrap();
    let [output, state] = ["out.jsonl", "state"].map(|name| directory.path().join(name));
    let mut command = against(&gateway);
    // After the first pass there are no more requests.
    command.args([
        "tail",
        "--from",
        "beginning",
        "--page-size",
        "50",
        "--poll-interval",
        "10h",
    ]);
    command.arg("-o").arg(&output).arg("--state").arg(&state);
    let served = Served::start(&mut command);
    served.wait_until_up_to_date();
    let samples = wait_for_agreement(&served, &gateway);
    let items: usize = gateway
        .request_log()
        .iter()
        .map(|record| record.items)
        .sum();
    assert_eq!(items, 2000);
    assert_eq!(lines_of(&output).len(), 2000);
    for (name, expected) in [
        ("cosmos_tail_changes_total{operation=\"upsert\"}", 2000.0),
        (
            "cosmos_tail_throttled_requests_total{direction=\"read\"}",
            2.0,
        ),
        (
            "cosmos_tail_requests_total{direction=\"read\",status=\"503\"}",
            1.0,
        ),
        ("cosmos_tail_splits_total", 1.0),
        ("cosmos_tail_merges_total", 0.0),
        ("cosmos_tail_ranges{state=\"caught_up\"}", 5.0),
        ("cosmos_tail_ranges{state=\"reading\"}", 0.0),
        ("cosmos_tail_ranges{state=\"retrying\"}", 0.0),
        ("cosmos_tail_lag_transactions", 0.0),
        ("cosmos_tail_lag_at_most", 0.0),
        ("cosmos_tail_lag_unknown_ranges", 0.0),
        ("cosmos_tail_lag_seconds", 0.0),
        ("cosmos_tail_up_to_date", 1.0),
    ] {
        assert_sample(&samples, name, expected);
    }
    let committed: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    let commits = committed["state"]["generation"].as_f64().unwrap();
    for name in [
        "cosmos_tail_commits_total",
        "cosmos_tail_commit_seconds_count",
        "cosmos_tail_commit_seconds_bucket{le=\"+Inf\"}",
    ] {
        assert_sample(&samples, name, commits);
    }
    let progress = served.progress();
    for (field, expected) in [
        ("command", json!("tail")),
        ("phase", json!("following")),
        ("ready", json!(true)),
        ("documents", json!(2000)),
        ("percent", json!(null)),
        ("can_cut_over", json!(true)),
        ("pending", json!(null)),
        ("commits", json!(commits as u64)),
        (
            "lag",
            json!({"transactions": 0, "at_most": false, "seconds": 0, "unknown_ranges": 0}),
        ),
    ] {
        assert_eq!(progress[field], expected, "{field} of {progress}");
    }
    let ended = served.stop();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
}

#[test]
fn those_of_an_export_that_follows() {
    let (gateway, container) = filled(3, 900);
    push_script(&gateway, &container);
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    let mut command = against(&gateway);
    command.args([
        "export",
        "--follow",
        "--page-size",
        "30",
        "--poll-interval",
        "10h",
    ]);
    command.args([
        "--rotate-bytes",
        "16KiB",
        "--checkpoint-interval",
        "10ms",
        "--metrics-per-range",
    ]);
    command.arg("-o").arg(&output);
    let served = Served::start(&mut command);
    served.wait_until_up_to_date();
    let samples = wait_for_agreement(&served, &gateway);
    assert_sample(
        &samples,
        "cosmos_tail_changes_total{operation=\"upsert\"}",
        900.0,
    );
    assert_sample(&samples, "cosmos_tail_splits_total", 1.0);
    assert_eq!(sum(&samples, "cosmos_tail_throttled_requests_total"), 2.0);
    let files = crate::command::files(&output, "jsonl").len();
    assert!(files > 0);
    assert_sample(&samples, "cosmos_tail_files_published_total", files as f64);
    // The children of the split have the numbers 3 and 4.
    let ranges: BTreeSet<&str> = samples
        .keys()
        .filter_map(|name| name.strip_prefix("cosmos_tail_range_lag_transactions{range=\""))
        .map(|rest| rest.trim_end_matches("\"}"))
        .collect();
    assert_eq!(ranges, BTreeSet::from(["1", "2", "3", "4"]));
    let read = sum(&samples, "cosmos_tail_range_changes_total");
    // Without those that were read of the parent.
    assert!((600.0..900.0).contains(&read), "{read}");
    let ended = served.stop();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
}

#[test]
fn those_of_all_versions_by_operation() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    let mut command = against(&gateway);
    command.args(["tail", "--mode", "all", "--poll-interval", "10ms"]);
    let served = Served::start(&mut command);
    served.wait_for_status("/readyz", 200);
    fill(&container, 0..7);
    for number in 0..3 {
        container.replace(document(number));
    }
    container.delete("item-0", "key-0");
    container.delete("item-1", "key-1");
    container.expire("item-2", "key-2");
    let samples = wait_until("all changes", || {
        let samples = served.metrics();
        match sum(&samples, "cosmos_tail_changes_total") {
            13.0 => Ok(samples),
            other => Err(other.to_string()),
        }
    });
    for (operation, expected) in [
        ("create", 7.0),
        ("replace", 3.0),
        ("delete", 2.0),
        ("expire", 1.0),
    ] {
        let name = format!("cosmos_tail_changes_total{{operation=\"{operation}\"}}");
        assert_sample(&samples, &name, expected);
    }
    served.stop();
}

#[test]
fn those_of_a_replay_with_source_and_target_apart() {
    let (gateway, _) = filled(2, 600);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    gateway.push_fault(Fault::on(RequestKind::ItemWrite, Action::throttle(1)).nth(4));
    let directory = tempfile::tempdir().unwrap();
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_CONTAINER", COPY);
    command.args([
        "replay",
        "--follow",
        "--from-container",
        &format!("{DATABASE}/{CONTAINER}"),
    ]);
    command.arg("--state").arg(directory.path().join("state"));
    let served = Served::start(&mut command);
    let is_through = || {
        let progress = served.progress();
        if progress["up_to_date"] == true && progress["documents"] == 600 {
            Ok(progress)
        } else {
            Err(progress.to_string())
        }
    };
    let progress = wait_until("the copy", is_through);
    assert_eq!(progress["phase"], "following", "{progress}");
    assert_eq!(progress["percent"], 100.0, "{progress}");
    assert_eq!(progress["can_cut_over"], true, "{progress}");
    assert_eq!(progress["pending"], 0, "{progress}");
    assert_eq!(progress["lag"]["transactions"], 0, "{progress}");
    assert_eq!(copy.latest().len(), 600);
    // The source is polled each second, so the log is quiet between.
    let samples = wait_for_agreement(&served, &gateway);
    assert_sample(
        &samples,
        "cosmos_tail_changes_total{operation=\"create\"}",
        600.0,
    );
    assert_sample(
        &samples,
        "cosmos_tail_throttled_requests_total{direction=\"write\"}",
        1.0,
    );
    assert_sample(
        &samples,
        "cosmos_tail_throttled_requests_total{direction=\"read\"}",
        0.0,
    );
    assert_sample(&samples, "cosmos_tail_dead_letters_total", 0.0);
    assert_sample(&samples, "cosmos_tail_pending_changes", 0.0);
    let log = gateway.request_log();
    let charged = |of_target: bool| {
        let is_item = |kind| matches!(kind, RequestKind::ItemWrite | RequestKind::ItemRead);
        let own = log.iter().filter(|one| is_item(one.kind) == of_target);
        own.map(|one| one.charge_hundredths).sum::<u64>() as f64 / 100.0
    };
    let units = |direction: &str| {
        samples[&format!("cosmos_tail_request_units_total{{direction=\"{direction}\"}}")]
    };
    assert!(
        units("write") >= charged(true) && units("read") > 0.0,
        "{samples:#?}"
    );
    assert!(units("read") <= charged(false), "{samples:#?}");
    let ended = served.stop();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
}

#[test]
fn a_backlog_is_a_lag_until_it_is_read() {
    let (gateway, container) = filled(1, 500);
    let hold = crate::gateway::Hold::new();
    let third = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone())).page(3);
    gateway.push_fault(third.when(RequestRecord::is_page));
    let mut command = against(&gateway);
    command.args([
        "tail",
        "--from",
        "beginning",
        "--page-size",
        "100",
        "--poll-interval",
        "20ms",
    ]);
    let served = Served::start(&mut command);
    hold.wait_until_reached();
    let lag = wait_until("a lag", || {
        let lag = served.progress()["lag"].clone();
        if lag["transactions"].is_u64() {
            Ok(lag)
        } else {
            Err(lag.to_string())
        }
    });
    // Each document is a transaction; two pages of a hundred are read.
    wait_until("two pages", || {
        let samples = served.metrics();
        let lag = samples["cosmos_tail_lag_transactions"];
        if lag == 300.0 {
            Ok(())
        } else {
            Err(format!("{lag}, {samples:#?}"))
        }
    });
    assert_eq!(lag["at_most"], false, "{lag}");
    let progress = served.progress();
    assert_eq!(
        (&progress["can_cut_over"], &progress["phase"]),
        (&json!(false), &json!("reading"))
    );
    assert!(served.metrics()["cosmos_tail_lag_seconds"] > 0.0);
    hold.release();
    wait_until("the end of the lag", || {
        let progress = served.progress();
        let is_through = progress["lag"]["transactions"] == 0 && progress["can_cut_over"] == true;
        if is_through {
            Ok(())
        } else {
            Err(progress.to_string())
        }
    });
    // A merge makes its parts upper bounds, but not of nothing.
    assert_eq!(served.progress()["lag"]["at_most"], false);
    drop(container);
    served.stop();
}

/// What the gateway has told a process about its lag: by partition, how far the answers' positions are behind what the
/// partition was at. A partition that was split counts until a child answers.
fn told(gateway: &Gateway, container: &Container, since: usize) -> BTreeMap<String, u64> {
    let log = gateway.request_log();
    let live = container.partitions();
    let mut behind = BTreeMap::new();
    for one in log.iter().skip(since).filter(|one| one.is_page()) {
        if let (Some(partition), Some(newest), Some(lsn)) =
            (&one.partition, one.replica_lsn, one.lsn)
        {
            behind.insert(partition.clone(), newest - lsn);
            if let Some(child) = live.iter().find(|one| one.id == *partition) {
                behind.retain(|id, _| !child.parents.contains(id));
            }
        }
    }
    behind
}

/// Between two answers nothing else happens, so each sample has one right value.
#[test]
fn the_lag_is_what_the_gateway_has_told_after_every_answer() {
    let (gateway, container) = filled(3, 900);
    let directory = tempfile::tempdir().unwrap();
    let [output, state] = ["out.jsonl", "state"].map(|name| directory.path().join(name));
    let start = |from: &[&str]| {
        let mut command = against(&gateway);
        command.args(["tail", "--page-size", "10"]).args(from);
        command.args(["--poll-interval", "1ms", "--concurrency", "1"]);
        command.arg("-o").arg(&output).arg("--state").arg(&state);
        Served::start(&mut command)
    };
    let gate = || {
        let hold = crate::gateway::Hold::new();
        let next = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()));
        gateway.push_fault(next.when(RequestRecord::is_page));
        hold
    };
    let mut exact = 0;
    let mut held = gate();
    let mut served = start(&["--from", "beginning"]);
    let mut since = 0;
    let mut written = 900;
    for step in 0..140 {
        held.wait_until_reached();
        let told = told(&gateway, &container, since);
        let expected: u64 = told.values().sum();
        let lag = wait_until("the lag that the answers tell", || {
            let samples = served.metrics();
            let of = |name: &str| samples[&format!("cosmos_tail_lag_{name}")];
            let found = of("transactions");
            // Of a child without an answer of its own nothing is known, or a bound.
            let agrees = if of("unknown_ranges") > 0.0 {
                found <= expected as f64
            } else if of("at_most") == 1.0 {
                found >= expected as f64
            } else {
                found == expected as f64
            };
            let is_exact = of("unknown_ranges") + of("at_most") == 0.0;
            if agrees {
                Ok((found, is_exact))
            } else {
                let unknown = of("unknown_ranges");
                Err(format!("step {step}: {found}, {unknown} unknown: {told:?}"))
            }
        });
        exact += u32::from(lag.1 && lag.0 > 0.0);
        match step {
            30 => drop(container.split("0", 2)),
            60 => {
                fill(&container, written..written + 50);
                written += 50;
            }
            90 => {
                assert_eq!(served.stop().code, Some(130));
                held.release();
                fill(&container, written..written + 200);
                written += 200;
                since = gateway.request_log().len();
                held = gate();
                served = start(&[]);
                continue;
            }
            _ => {}
        }
        let next = gate();
        std::mem::replace(&mut held, next).release();
    }
    gateway.clear_faults();
    held.release();
    gateway.wait_until_caught_up(&container);
    served.wait_until_up_to_date();
    let samples = served.metrics();
    assert_sample(&samples, "cosmos_tail_lag_transactions", 0.0);
    assert_sample(&samples, "cosmos_tail_lag_at_most", 0.0);
    served.stop();
    assert!(exact >= 50, "only {exact} samples were exact");
    assert_eq!(lines_of(&output).len() as u64, written as u64);
}

#[test]
fn a_merge_is_counted() {
    let (gateway, container) = filled(2, 100);
    let mut command = against(&gateway);
    command.args(["tail", "--from", "beginning", "--poll-interval", "10ms"]);
    let served = Served::start(&mut command);
    gateway.wait_until_caught_up(&container);
    container.merge("0", "1");
    // Both halves see the partition that answers them now.
    fill(&container, 100..200);
    wait_until("a merge", || {
        let samples = served.metrics();
        let found = (
            samples["cosmos_tail_merges_total"],
            sum(&samples, "cosmos_tail_changes_total"),
        );
        if found == (1.0, 200.0) {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    });
    served.stop();
}

/// The page lists exactly the metrics that there are, and says what a real one says.
#[test]
fn the_page_lists_each_metric() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/observability/README.md")).unwrap();
    let (_, table) = page.split_once("<!-- metrics:").unwrap();
    let (table, _) = table.split_once("<!-- end -->").unwrap();
    let listed: BTreeMap<&str, &str> = table
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            Some((cells.next()?.trim_end_matches('`'), cells.next()?))
        })
        .collect();
    let (gateway, _) = filled(2, 20);
    gateway.create_container(DATABASE, COPY, "/pk", 1);
    let directory = tempfile::tempdir().unwrap();
    let mut tail = against(&gateway);
    tail.args([
        "tail",
        "--from",
        "beginning",
        "--max-ru",
        "10000",
        "--metrics-per-range",
    ]);
    let mut replay = against(&gateway);
    replay.env("AZURE_COSMOS_CONTAINER", COPY);
    replay.args([
        "replay",
        "--follow",
        "--from-container",
        &format!("{DATABASE}/{CONTAINER}"),
    ]);
    replay.arg("--state").arg(directory.path().join("state"));
    let mut found = BTreeMap::new();
    let mut compare = against(&gateway);
    compare.env("AZURE_COSMOS_CONTAINER", COPY);
    compare.args(["compare", "--follow", "--settle", "1s"]);
    compare.args(["--from-container", &format!("{DATABASE}/{CONTAINER}")]);
    for command in [&mut tail, &mut replay, &mut compare] {
        let served = Served::start(command);
        served.wait_for_status("/readyz", 200);
        wait_until("the documents", || {
            let progress = served.progress();
            if progress["documents"] == 20 || progress["verdict"]["outcome"] == "same" {
                Ok(())
            } else {
                Err(progress.to_string())
            }
        });
        for line in served.get("/metrics").body.lines() {
            if let Some((name, kind)) = line
                .strip_prefix("# TYPE ")
                .and_then(|rest| rest.split_once(' '))
            {
                found.insert(name.to_owned(), kind.to_owned());
            }
        }
        served.stop();
    }
    if !cfg!(target_os = "linux") {
        return;
    }
    let listed: BTreeMap<String, String> = listed
        .into_iter()
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    assert_eq!(found, listed);
}

#[cfg(all(target_os = "linux", feature = "demo"))]
#[test]
fn those_of_demo_and_of_its_client_agree() {
    let arguments = [
        "demo",
        "--documents",
        "500",
        "--writes-per-second",
        "100",
        "--split-every",
        "1s",
    ];
    let account = Served::start(cosmos_tail().args(arguments));
    account.wait_for_status("/readyz", 200);
    assert_eq!(account.get("/healthz").status, 200);
    assert_eq!(account.progress()["phase"], "following");
    let mut tail = cosmos_tail();
    tail.envs(account.variables())
        .args(["tail", "--mode", "all", "--poll-interval", "50ms"]);
    let tail = Served::start(&mut tail);
    tail.wait_for_status("/readyz", 200);
    wait_until("the splits", || {
        let split = [&account, &tail].map(|served| served.metrics()["cosmos_tail_splits_total"]);
        if split.iter().all(|number| *number >= 2.0) {
            Ok(())
        } else {
            Err(format!("{split:?}"))
        }
    });
    let made = account.metrics();
    for operation in ["create", "replace", "delete"] {
        let name = format!("cosmos_tail_changes_total{{operation=\"{operation}\"}}");
        assert!(made[&name] > 0.0, "{made:#?}");
    }
    let asked = requests_of(&tail.metrics())["200"];
    wait_until("the requests of the tail", || {
        let answered = requests_of(&account.metrics())["200"];
        if answered >= asked {
            Ok(())
        } else {
            Err(format!("{answered} of {asked}"))
        }
    });
    tail.stop();
    let ended = account.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[cfg(feature = "demo")]
#[test]
fn those_of_the_embedded_account() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = cosmos_tail();
    command
        .args(["--demo", "export", "--follow"])
        .arg("-o")
        .arg(directory.path().join("out"));
    let served = Served::start(&mut command);
    wait_until("all documents", || {
        let progress = served.progress();
        let is_through = progress["documents"] == 10_000 && progress["up_to_date"] == true;
        if is_through {
            Ok(())
        } else {
            Err(progress.to_string())
        }
    });
    let samples = served.metrics();
    assert_sample(&samples, "cosmos_tail_lag_transactions", 0.0);
    assert_sample(&samples, "cosmos_tail_ranges{state=\"caught_up\"}", 4.0);
    assert!(samples["cosmos_tail_request_units_total{direction=\"read\"}"] > 0.0);
    let ended = served.stop();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
}

/// Each of the three ways names another loopback address.
#[cfg(target_os = "linux")]
#[test]
fn the_flag_wins_over_the_variable_and_that_over_the_profile() {
    let (gateway, _) = filled(1, 3);
    gateway.create_container(DATABASE, COPY, "/pk", 1);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    let listen = "[profiles.a.options]\nmetrics-listen = \"127.0.0.2:0\"\n";
    std::fs::write(&config, format!("default-profile = \"a\"\n\n{listen}")).unwrap();
    let out = directory.path().join("out");
    let [out, copy] = [out.to_str().unwrap(), COPY].map(str::to_owned);
    let commands: [&[&str]; 4] = [
        &["export", "-o", &out],
        &["resume", &out],
        &["tail", "--from", "beginning", "--until-caught-up"],
        &["replay", &out, "-c", &copy],
    ];
    let address = |arguments: &[&str], variable: &str, flag: &[&str]| {
        let mut command = against(&gateway);
        command
            .env("COSMOS_TAIL_CONFIG", &config)
            .env("COSMOS_TAIL_METRICS_LISTEN", variable);
        let said = crate::command::succeed(command.args(arguments).args(flag)).stderr;
        let (_, rest) = said
            .split_once("http://")
            .unwrap_or_else(|| panic!("{said}"));
        rest.split(':').next().unwrap().to_owned()
    };
    for arguments in commands {
        assert_eq!(address(arguments, "", &[]), "127.0.0.2", "{arguments:?}");
    }
    for arguments in &commands[1..] {
        assert_eq!(
            address(arguments, "127.0.0.3:0", &[]),
            "127.0.0.3",
            "{arguments:?}"
        );
        let flag = ["--metrics-listen", "127.0.0.4:0"];
        assert_eq!(
            address(arguments, "127.0.0.3:0", &flag),
            "127.0.0.4",
            "{arguments:?}"
        );
    }
}
