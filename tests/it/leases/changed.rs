//! `leases reset` and `leases release`.

use serde_json::{Value, json};

use super::leases;
use super::written::{Leased, ago};
use crate::command::{Ended, fail, run, succeed};
use crate::gateway::{Action, Fault, RequestKind};
use crate::orders::fill;

/// A container with three partitions, the second half of whose documents is new.
fn scene() -> (Leased, Vec<(String, u64, [String; 2])>) {
    let leased = Leased::new(3, "/id");
    let now = leased.gateway.time();
    leased.gateway.set_time(now - 7_200);
    fill(&leased.orders, 0..60);
    leased.gateway.set_time(now);
    let partitions = leased.partitions();
    fill(&leased.orders, 60..120);
    (leased, partitions)
}

fn members(document: &Value) -> Vec<(&String, &Value)> {
    let system = ["_ts", "_etag", "_rid", "_self", "_attachments", "_lsn"];
    let own = document.as_object().unwrap().iter();
    own.filter(|(name, _)| !system.contains(&name.as_str()))
        .collect()
}

/// What differs, beside what the service sets.
fn differences<'a>(before: &'a Value, after: &'a Value) -> Vec<&'a str> {
    let (before, after) = (members(before), members(after));
    assert_eq!(before.len(), after.len());
    let pairs = before.into_iter().zip(after);
    pairs
        .filter(|(a, b)| a != b)
        .map(|((name, _), _)| name.as_str())
        .collect()
}

/// The LSN of a stored lease of .NET, or of Java's partitions.
fn lsn(leased: &Leased, id: &str) -> u64 {
    let stored = leased.stored(id).unwrap();
    let token = stored["ContinuationToken"].as_str().unwrap();
    token.trim_matches('"').parse().unwrap()
}

fn reset(leased: &Leased, rest: &str) -> Ended {
    run(&mut leases(leased, &format!("reset --group orders {rest}")))
}

#[test]
fn a_stopped_group_is_reset_to_each_kind_of_position() {
    let (leased, partitions) = scene();
    let net = leased.net("orders");
    net.marker();
    let latest = leased.partitions();
    leased.past(3_600, || {
        for (id, lsn, bounds) in &latest {
            net.partition(id, bounds, Some("gone"), Some(*lsn), &ago(3_600));
        }
    });
    let id = |at: usize| format!("{}..{}", net.prefix, latest[at].0);
    let before: Vec<Value> = (0..3).map(|at| leased.stored(&id(at)).unwrap()).collect();

    // What would be done is printed, and not done.
    let ended = reset(&leased, "--to 1h --dry-run");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("--dry-run"), "{}", ended.stderr);
    assert_eq!(leased.gateway.write_log().len(), 0);
    let shown = ended.stdout;

    let ended = reset(&leased, "--to 1h");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, shown);
    for (at, (_, lsn_then, _)) in partitions.iter().enumerate() {
        assert_eq!(lsn(&leased, &id(at)), *lsn_then, "{at}");
        let after = leased.stored(&id(at)).unwrap();
        assert_eq!(
            differences(&before[at], &after),
            ["ContinuationToken", "Owner"]
        );
        assert_eq!(after["Owner"], Value::Null);
        assert_eq!(after["properties"], json!({"note": "kept"}));
    }
    // The next reader has what is new, and that alone.
    let list = super::list(&leased);
    assert_eq!(list["transactions"], 60, "{list:#}");

    assert_eq!(reset(&leased, "--to beginning").code, Some(0));
    assert_eq!([0, 1, 2].map(|at| lsn(&leased, &id(at))), [0, 0, 0]);
    assert_eq!(super::list(&leased)["transactions"].as_u64(), {
        let all: u64 = latest.iter().map(|(_, lsn, _)| lsn).sum();
        Some(all)
    });
    assert_eq!(reset(&leased, "--to now").code, Some(0));
    assert_eq!(super::list(&leased)["transactions"], 0);

    // An LSN is of one lease.
    let ended = reset(&leased, "--to 7");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--range"), "{}", ended.stderr);
    assert_eq!(reset(&leased, "--to 7 --range 1").code, Some(0));
    let found = [0, 1, 2].map(|at| lsn(&leased, &id(at)));
    assert_eq!(found, [latest[0].1, 7, latest[2].1]);
    let ended = reset(&leased, "--to 7 --range 9");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("its leases are `0`, `1`, `2`")
            || ended.stderr.contains("its leases are"),
        "{}",
        ended.stderr
    );
    assert_eq!(leased.gateway.violations(), Vec::<String>::new());
}

#[test]
fn each_dialect_keeps_its_form() {
    let (leased, _) = scene();
    let latest = leased.partitions();
    let java = leased.java("orders");
    java.marker();
    for (_, lsn, bounds) in &latest {
        java.range(bounds, None, Some(*lsn), &ago(5));
    }
    let id = |at: usize| format!("{}..{}", java.prefix, latest[at].2.join("-"));
    let before = leased.stored(&id(1)).unwrap();
    assert_eq!(reset(&leased, "--to beginning").code, Some(0));
    let after = leased.stored(&id(1)).unwrap();
    assert_eq!(differences(&before, &after), ["ContinuationToken"]);
    let state = |document: &Value| {
        use base64::Engine;
        let token = document["ContinuationToken"].as_str().unwrap();
        let text = base64::engine::general_purpose::URL_SAFE
            .decode(token)
            .unwrap();
        let state: Value = serde_json::from_slice(&text).unwrap();
        state
    };
    let mut expected = state(&before);
    *expected
        .pointer_mut("/Continuation/Continuation/0/token")
        .unwrap() = "\"0\"".into();
    assert_eq!(state(&after), expected);

    // One without a position gets one, with its own range.
    java.range(&latest[2].2, None, None, &ago(5));
    assert_eq!(reset(&leased, "--to now").code, Some(0));
    let state = state(&leased.stored(&id(2)).unwrap());
    let [min, max] = &latest[2].2;
    assert_eq!(
        state["Continuation"]["Continuation"][0]["range"],
        json!({"min": min, "max": max})
    );
    assert_eq!(state["Mode"], "INCREMENTAL");

    let (leased, _) = scene();
    let java = leased.java_partitions("orders");
    java.partition("0", None, Some(9), &ago(5));
    assert_eq!(reset(&leased, "--to 3 --range 0").code, Some(0));
    assert_eq!(lsn(&leased, &format!("{}..0", java.prefix)), 3);
}

#[test]
fn leases_that_instances_have_are_refused_unless_forced() {
    let (leased, _) = scene();
    let net = leased.net("orders");
    let latest = leased.partitions();
    net.partition("0", &latest[0].2, Some("a"), Some(latest[0].1), &ago(1));
    leased.past(600, || {
        net.partition("1", &latest[1].2, Some("b"), Some(latest[1].1), &ago(600))
    });
    for command in ["reset --to now", "release"] {
        let ended = fail(
            &mut leases(&leased, &format!("{command} --group orders")),
            1,
        );
        assert!(
            ended.stderr.contains("instances have 1 of 2 leases: a"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("--force"), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    assert_eq!(leased.gateway.write_log().len(), 0);
    // Not those that nobody has.
    succeed(&mut leases(&leased, "release --group orders --range 1"));
    succeed(&mut leases(
        &leased,
        "release --group orders --range 0 --force",
    ));
    for at in ["0", "1"] {
        let stored = leased.stored(&format!("{}..{at}", net.prefix)).unwrap();
        assert_eq!(stored["Owner"], Value::Null);
    }
    assert_eq!(lsn(&leased, &format!("{}..0", net.prefix)), latest[0].1);
}

#[test]
fn a_renewal_that_comes_between_is_no_reason_to_fail() {
    let (leased, _) = scene();
    let latest = leased.partitions();
    let net = leased.net("orders");
    let (last, bounds) = (latest[0].1, latest[0].2.clone());
    net.partition("0", &bounds, Some("a"), Some(last), &ago(1));
    let owner = leased.net("orders");
    let renew = Action::call(move || owner.partition("0", &bounds, Some("a"), Some(last), &ago(0)));
    leased
        .gateway
        .push_fault(Fault::on(RequestKind::ItemWrite, renew).times(3));
    let ended = reset(&leased, "--to 1 --range 0 --force --settle 0s");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let id = format!("{}..0", net.prefix);
    assert_eq!(lsn(&leased, &id), 1);
    assert_eq!(leased.stored(&id).unwrap()["Owner"], Value::Null);
}

#[test]
fn an_old_position_that_its_owner_brings_back_is_written_over() {
    let (leased, _) = scene();
    let latest = leased.partitions();
    let net = leased.net("orders");
    let (last, bounds) = (latest[0].1, latest[0].2.clone());
    net.partition("0", &bounds, Some("a"), Some(last), &ago(1));
    // The owner writes its own old document after the reset, as Java does after a 412: the first read that looks
    // again finds it.
    let owner = leased.net("orders");
    let back = Action::call(move || owner.partition("0", &bounds, Some("a"), Some(last), &ago(0)));
    leased
        .gateway
        .push_fault(Fault::on(RequestKind::ItemRead, back).nth(2));
    let ended = reset(&leased, "--to 1 --range 0 --force --settle 2s");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("brought back"), "{}", ended.stderr);
    assert_eq!(lsn(&leased, &format!("{}..0", net.prefix)), 1);
}

#[test]
fn a_lease_that_is_taken_meanwhile_is_left_to_its_owner() {
    let (leased, _) = scene();
    let latest = leased.partitions();
    let net = leased.net("orders");
    let (last, bounds) = (latest[0].1, latest[0].2.clone());
    net.partition("0", &bounds, None, Some(last), &ago(600));
    let other = leased.net("orders");
    let take = Action::call(move || other.partition("0", &bounds, Some("b"), Some(last), &ago(0)));
    leased
        .gateway
        .push_fault(Fault::on(RequestKind::ItemWrite, take));
    let ended = reset(&leased, "--to 1 --range 0");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("`b` has taken it meanwhile"),
        "{}",
        ended.stderr
    );
    assert_eq!(lsn(&leased, &format!("{}..0", net.prefix)), last);
}

#[test]
fn a_lost_answer_and_throttling_change_nothing_in_the_result() {
    let (leased, _) = scene();
    let latest = leased.partitions();
    let net = leased.net("orders");
    for (id, lsn, bounds) in &latest {
        net.partition(id, bounds, None, Some(*lsn), &ago(600));
    }
    for action in [
        Action::throttle(1),
        Action::status(503, 0),
        Action::ResetBeforeHeaders,
    ] {
        leased
            .gateway
            .push_fault(Fault::on(RequestKind::ItemWrite, action).times(2));
    }
    let ended = reset(&leased, "--to beginning");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(super::list(&leased)["leases"][2]["position"], 0);
}

#[test]
fn all_versions_do_not_begin_in_the_past() {
    let (leased, _) = scene();
    let net = leased.net("orders");
    net.other(
        "0",
        json!({"LeaseToken": "0", "version": 0, "Mode": "Full-Fidelity Feed", "ContinuationToken": "\"5\""}),
    );
    for to in ["beginning", "1h"] {
        let ended = reset(&leased, &format!("--to {to}"));
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("all versions"), "{}", ended.stderr);
    }
    assert_eq!(leased.gateway.write_log().len(), 0);
}

#[test]
fn whether_an_instance_runs_is_judged_by_the_clock_of_the_service_too() {
    let (leased, _) = scene();
    let latest = leased.partitions();
    let net = leased.net("orders");
    // The clock of its owner is ten minutes behind: to others the lease looks expired.
    net.partition("0", &latest[0].2, Some("late"), Some(5), &ago(600));
    let ended = reset(&leased, "--to 1 --range 0");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("late"), "{}", ended.stderr);
    // This machine's clock is an hour ahead.
    let directory = tempfile::tempdir().unwrap();
    let offset = directory.path().join("offset");
    std::fs::write(&offset, "3600").unwrap();
    net.partition("0", &latest[0].2, Some("a"), Some(5), &ago(1));
    let mut command = leases(&leased, "reset --group orders --to 1 --range 0");
    let ended = fail(command.env("COSMOS_TAIL_CLOCK", &offset), 1);
    assert!(
        ended.stderr.contains("the clock of this machine is 36"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("instances have all 1 leases: a"),
        "{}",
        ended.stderr
    );
    assert_eq!(leased.gateway.write_log().len(), 0);
    let mut command = leases(&leased, "list");
    let ended = succeed(command.env("COSMOS_TAIL_CLOCK", &offset));
    assert!(
        ended.stdout.contains("held") || ended.stdout.contains("stuck"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_position_of_java_says_which_feed_it_is_of_so_none_is_invented() {
    let (leased, _) = scene();
    let latest = leased.partitions();
    let java = leased.java("orders");
    for (_, _, bounds) in &latest {
        java.range(bounds, None, None, &ago(600));
    }
    let ended = reset(&leased, "--to now");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("not known which feed it reads"),
        "{}",
        ended.stderr
    );
    assert_eq!(leased.gateway.write_log().len(), 0);
}
