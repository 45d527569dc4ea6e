//! The address of an account: which one a state may continue at, and how it is spelled.

use std::path::Path;

use serde_json::Value;

use crate::closed_port::ClosedPort;
use crate::command::{
    Ended, against, assert_latest, cosmos_tail, export, fail, lines, lines_of, resume,
    state_directory, succeed,
};
use crate::gateway::{Gateway, KEY};
use crate::orders::{fill, filled};
use crate::tunnel::Tunnel;

/// The address in a state, below its member `state`.
fn endpoint_in(state: &Path, pointer: &str) -> String {
    let state: Value = serde_json::from_slice(&std::fs::read(state).unwrap()).unwrap();
    let found = state.pointer(&format!("/state/{pointer}/endpoint"));
    found.unwrap().as_str().unwrap().to_owned()
}

/// The refusal of a state that names another account.
fn refusal(own: &str, given: &str) -> String {
    format!(
        "error: the state belongs to the account `{own}`, but --endpoint names `{given}`\nhint: if this is \
         the right state, leave --endpoint out; if the account has this address now, add --account-moved\n"
    )
}

#[test]
fn a_resume_continues_at_the_new_address_of_an_account_that_moved() {
    let (gateway, container) = filled(2, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let state = state_directory(&out).join("state.json");
    succeed(&mut export(&gateway, &out));
    let (old, tunnel) = (gateway.endpoint(), Tunnel::to(&gateway.endpoint()));
    let new = tunnel.endpoint();
    fill(&container, 40..60);
    let refused = fail(resume(&gateway, &out).args(["--endpoint", &new]), 2);
    assert_eq!(refused.stderr, refusal(&old, &new));
    assert_eq!(tunnel.connections(), 0);
    assert_eq!(endpoint_in(&state, "source"), old);
    succeed(resume(&gateway, &out).args(["--endpoint", &new, "--account-moved"]));
    assert_latest(&lines(&out), &container);
    assert!(tunnel.connections() > 0);
    assert_eq!(endpoint_in(&state, "source"), new);
    // From now on it is the address of the account, and the flag is allowed once more.
    fill(&container, 60..70);
    succeed(&mut resume(&gateway, &out));
    succeed(resume(&gateway, &out).args(["--endpoint", &new, "--account-moved"]));
    assert_latest(&lines(&out), &container);
    let refused = fail(resume(&gateway, &out).args(["--endpoint", &old]), 2);
    assert_eq!(refused.stderr, refusal(&new, &old));
    // A container of the same name in an account at the new address is another one.
    let other = Gateway::start(crate::gateway::GatewayOptions::default());
    other.create_container("another", "x", "/pk", 1);
    other.create_container("shop", "orders", "/pk", 2);
    let before = std::fs::read(&state).unwrap();
    let elsewhere = other.endpoint();
    let refused = fail(
        resume(&gateway, &out).args(["--endpoint", &elsewhere, "--account-moved"]),
        1,
    );
    assert!(refused.stderr.contains("its RID is "), "{}", refused.stderr);
    assert_eq!(std::fs::read(&state).unwrap(), before);
}

#[test]
fn a_tail_and_a_replay_continue_at_the_new_address_too() {
    let (gateway, container) = filled(1, 10);
    let copy = gateway.create_container("shop", "copy", "/pk", 1);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (old, tunnel) = (gateway.endpoint(), Tunnel::to(&gateway.endpoint()));
    let new = tunnel.endpoint();
    let tail = |endpoint: &str, options: &[&str]| {
        let mut command = against(&gateway);
        command.arg("tail").arg("-o").arg(path("tail.jsonl"));
        command.args(["--until-caught-up", "--endpoint", endpoint]);
        command.args(options);
        command
    };
    let replay = |endpoint: &str, options: &[&str]| {
        let mut command = against(&gateway);
        command.args(["replay", "--from-container", "shop/orders", "-c", "copy"]);
        command.arg("--state").arg(path("replay.json"));
        command.args(["--endpoint", endpoint]).args(options);
        command
    };
    succeed(&mut tail(&old, &["--from", "beginning"]));
    succeed(&mut replay(&old, &[]));
    fill(&container, 10..20);
    let refused = [
        fail(&mut tail(&new, &[]), 2),
        fail(&mut replay(&new, &[]), 2),
    ];
    for Ended { stderr, .. } in refused {
        assert_eq!(stderr, refusal(&old, &new));
    }
    succeed(&mut tail(&new, &["--account-moved"]));
    succeed(&mut replay(&new, &["--account-moved"]));
    assert_latest(&lines_of(&path("tail.jsonl")), &container);
    assert_eq!(copy.latest().len(), 20);
    assert_eq!(endpoint_in(&path("tail.jsonl.state.json"), "source"), new);
    assert_eq!(endpoint_in(&path("replay.json"), "target"), new);
    assert_eq!(endpoint_in(&path("replay.json"), "feed/source"), new);
    succeed(&mut tail(&new, &[]));
    succeed(&mut replay(&new, &[]));
}

#[test]
fn another_spelling_of_the_address_is_no_contradiction() {
    let (gateway, container) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let endpoint = gateway.endpoint();
    for spelled in [
        endpoint.trim_end_matches('/').to_owned(),
        endpoint.to_uppercase(),
        endpoint.replace("127.0.0.1", "127.1"),
        format!(" {endpoint} "),
    ] {
        succeed(resume(&gateway, &out).args(["--endpoint", &spelled]));
        succeed(resume(&gateway, &out).env("AZURE_COSMOS_ENDPOINT", &spelled));
    }
    assert_latest(&lines(&out), &container);
}

#[cfg(feature = "demo")]
#[test]
fn an_embedded_account_is_no_excuse_for_a_contradiction() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("demo");
    let resumed = |arguments: &[&str]| {
        let mut command = cosmos_tail();
        command.args(["--demo", "resume", "--state"]);
        command
            .arg(state_directory(&out).join("state.json"))
            .args(arguments);
        command
    };
    succeed(
        cosmos_tail()
            .args(["--demo", "export", "-q", "-o"])
            .arg(&out),
    );
    for (kind, own) in [("database", "shop"), ("container", "orders")] {
        let flag = format!("--{kind}");
        let refused = fail(&mut resumed(&[&flag, "orders_copy"]), 2);
        assert_eq!(
            refused.stderr,
            format!(
                "error: the state belongs to the {kind} `{own}`, but {flag} names `orders_copy`\nhint: if \
                 this is the right state, leave {flag} out\n"
            )
        );
    }
    succeed(&mut resumed(&["-d", "shop", "-c", "orders"]));
    // What would be ignored is refused, by every command.
    for (flag, value) in [
        ("--endpoint", "https://shop.documents.azure.com/"),
        ("--key-file", "key.txt"),
        ("--auth", "cli"),
    ] {
        let expected = format!(
            "error: {flag} cannot be used with --demo, which has its own account\nhint: leave out {flag}, or \
             --demo\n"
        );
        assert_eq!(fail(&mut resumed(&[flag, value]), 2).stderr, expected);
        for arguments in [
            &["ranges"][..],
            &["tail"],
            &["export", "-o", "x"],
            &["schema"],
        ] {
            let mut command = cosmos_tail();
            command.arg("--demo").args(arguments).args([flag, value]);
            assert_eq!(
                fail(command.current_dir(directory.path()), 2).stderr,
                expected
            );
        }
    }
    // The environment is for other commands.
    let mut command = resumed(&[]);
    command.env("AZURE_COSMOS_ENDPOINT", "https://shop.documents.azure.com/");
    succeed(command.env("AZURE_COSMOS_KEY", KEY));
}

/// An account that names an address which cannot be reached, as one behind a mapped port does.
fn mapped() -> (Gateway, crate::gateway::Container, ClosedPort) {
    let (gateway, container) = filled(2, 20);
    let closed = ClosedPort::new();
    let location = closed.endpoint();
    gateway.set_locations(serde_json::json!({
        "writableLocations": [{"name": "East US", "databaseAccountEndpoint": location}],
        "readableLocations": [{"name": "East US", "databaseAccountEndpoint": location}],
    }));
    (gateway, container, closed)
}

#[test]
fn an_address_that_cannot_be_reached_is_named_with_its_origin_and_the_flag() {
    let (gateway, _, closed) = mapped();
    let location = closed.endpoint();
    let endpoint = gateway.endpoint();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("a.jsonl"),
        "{\"id\":\"1\",\"pk\":\"a\"}\n",
    )
    .unwrap();
    for arguments in [
        &["ranges"][..],
        &["tail"],
        &["export", "-o", "out", "--max-retries", "0"],
        &["schema", "--max-retries", "0"],
        &["replay", "a.jsonl", "--max-retries", "0"],
        &[
            "replay",
            "--from-container",
            "shop/other",
            "--max-retries",
            "0",
        ],
        &[
            "replay",
            "a.jsonl",
            "--create",
            "--partition-key",
            "/pk",
            "--max-retries",
            "0",
        ],
    ] {
        let mut command = against(&gateway);
        let ended = fail(command.args(arguments).current_dir(directory.path()), 1);
        let cause = format!(
            "no connection to {location}, which the account at {endpoint} names as its address (writableLocations \
             and readableLocations, East US): "
        );
        let hint = format!(
            "\nhint: check that this address is the account's and can be reached from here; if only {endpoint} can, add \
             --limit-to-endpoint\n"
        );
        assert!(
            ended.stderr.contains(&cause),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert!(
            ended.stderr.ends_with(&hint),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert!(
            !ended.stderr.contains("speak"),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
    assert!(!directory.path().join("out").exists());
}

#[test]
fn with_the_limit_every_command_stays_at_the_endpoint() {
    let (gateway, container, closed) = mapped();
    let location = closed.endpoint();
    let copy = gateway.create_container("shop", "copy", "/pk", 1);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let limit = "--limit-to-endpoint";
    succeed(against(&gateway).args(["ranges", limit]));
    succeed(against(&gateway).args(["schema", limit]));
    succeed(export(&gateway, &out).arg(limit));
    fill(&container, 20..30);
    succeed(resume(&gateway, &out).arg(limit));
    assert_latest(&lines(&out), &container);
    succeed(against(&gateway).args(["tail", "--from", "beginning", "--until-caught-up", limit]));
    // Source and target.
    let copied = [
        "replay",
        "--from-container",
        "shop/orders",
        "-c",
        "copy",
        limit,
    ];
    succeed(against(&gateway).args(copied));
    assert_eq!(copy.latest().len(), 30);
    // The source is in the account of a profile, whose limit is its own.
    let (other, target) = filled(1, 0);
    let file = tempfile::NamedTempFile::new().unwrap();
    for (options, code) in [("", 1), ("limit-to-endpoint = true", 0)] {
        let endpoint = gateway.endpoint();
        let text = format!(
            "[profiles.p]\nendpoint = '{endpoint}'\nkey = '{KEY}'\n[profiles.p.options]\n{options}\n"
        );
        std::fs::write(file.path(), text).unwrap();
        let mut command = against(&other);
        command.env("COSMOS_TAIL_CONFIG", file.path());
        command.args([
            "replay",
            "--from-container",
            "shop/orders",
            "--source-profile",
            "p",
        ]);
        let ended = crate::command::run(command.args(["--max-retries", "0"]));
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert_eq!(
            ended.stderr.contains(&location),
            code == 1,
            "{}",
            ended.stderr
        );
    }
    assert_eq!(target.latest().len(), 30);
    // Addresses to which nothing may be sent do no harm.
    gateway.set_locations(serde_json::json!([{
        "name": "East US", "databaseAccountEndpoint": "http://elsewhere.example/"
    }]));
    succeed(against(&gateway).args(["ranges", limit]));
    let violations = gateway.violations();
    assert!(violations.is_empty(), "{violations:?}");
}

#[test]
fn an_address_that_fails_later_is_named_too() {
    let (gateway, _) = filled(1, 200);
    let tunnel = Tunnel::to(&gateway.endpoint());
    let there = tunnel.endpoint();
    gateway.set_locations(serde_json::json!([{
        "name": "East US", "databaseAccountEndpoint": there
    }]));
    let reset = crate::gateway::Action::ResetBeforeHeaders;
    let fault = crate::gateway::Fault::on(crate::gateway::RequestKind::ChangeFeed, reset);
    gateway.push_fault(fault.page(2).always());
    let directory = tempfile::tempdir().unwrap();
    let mut command = export(&gateway, &directory.path().join("out"));
    let ended = fail(command.args(["--page-size", "50", "--max-retries", "0"]), 3);
    let endpoint = gateway.endpoint();
    let cause = format!(
        "no answer from {there}, which the account at {endpoint} names as its address (writableLocations and \
         readableLocations, East US): "
    );
    assert!(ended.stderr.contains(&cause), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("--limit-to-endpoint"),
        "{}",
        ended.stderr
    );
}
