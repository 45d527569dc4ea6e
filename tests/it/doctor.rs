//! `profiles test`: each step that can fail is the one that is named.

use std::process::Command;

use serde_json::Value;

use crate::closed_port::ClosedPort;
use crate::command::{against, cosmos_tail, run};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, KEY, RequestKind};
use crate::orders::{filled, filled_with};
use crate::replay::assert_no_violations;

/// A step and how it ended.
struct Check {
    name: String,
    status: String,
    message: String,
    remedy: Option<String>,
}

/// Runs the doctor, which must print every step and end with `code`.
#[track_caller]
fn checks(command: &mut Command, code: i32) -> Vec<Check> {
    let ended = run(command.args(["profiles", "test", "--format", "json"]));
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    let checks: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks: Vec<Check> = checks
        .iter()
        .map(|check| Check {
            name: text(&check["check"]),
            status: text(&check["status"]),
            message: text(&check["message"]),
            remedy: check["remedy"].as_str().map(str::to_owned),
        })
        .collect();
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "settings",
            "name",
            "connection",
            "tls",
            "clock",
            "credential",
            "account",
            "role",
            "database",
            "container",
            "feed",
            "all-versions"
        ]
    );
    checks
}

#[track_caller]
fn check<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap()
}

/// Asserts that one step failed with these parts, that those before it did not, and that those after it were not
/// reached.
#[track_caller]
fn assert_fails(command: &mut Command, step: &str, parts: &[&str]) {
    let checks = checks(command, 1);
    let at = checks.iter().position(|check| check.name == step).unwrap();
    let shown = |check: &Check| {
        format!(
            "{} {}: {} ({:?})",
            check.status, check.name, check.message, check.remedy
        )
    };
    let all: Vec<String> = checks.iter().map(shown).collect();
    assert_eq!(checks[at].status, "fail", "{all:#?}");
    for check in &checks[..at] {
        assert!(
            matches!(check.status.as_str(), "ok" | "skipped" | "warn"),
            "{all:#?}"
        );
    }
    for check in &checks[at + 1..] {
        assert_eq!(check.status, "skipped", "{all:#?}");
    }
    let text = shown(&checks[at]);
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        checks[at]
            .remedy
            .as_ref()
            .is_some_and(|remedy| !remedy.is_empty()),
        "{text}"
    );
}

#[test]
fn a_connection_that_works_has_no_failed_step() {
    let (gateway, _) = filled(2, 20);
    let checks = checks(&mut against(&gateway), 0);
    for step in [
        "settings",
        "name",
        "connection",
        "clock",
        "credential",
        "account",
        "role",
        "database",
        "container",
        "feed",
        "all-versions",
    ] {
        let found = check(&checks, step);
        assert_eq!(found.status, "ok", "{step}: {}", found.message);
    }
    assert_eq!(check(&checks, "tls").status, "skipped");
    assert!(check(&checks, "feed").message.contains("2 ranges"));
    assert_no_violations(&gateway);
}

#[test]
fn the_demo_passes() {
    let checks = checks(cosmos_tail().arg("--demo"), 0);
    assert!(checks.iter().all(|check| check.status != "fail"));
}

#[test]
fn without_a_container_the_test_ends_with_the_account() {
    let (gateway, _) = filled(1, 1);
    let mut command = against(&gateway);
    command
        .env_remove("AZURE_COSMOS_DATABASE")
        .env_remove("AZURE_COSMOS_CONTAINER");
    let found = checks(&mut command, 0);
    assert_eq!(check(&found, "account").status, "ok");
    assert_eq!(check(&found, "database").status, "skipped");
    let mut command = against(&gateway);
    command.env_remove("AZURE_COSMOS_CONTAINER");
    let found = checks(&mut command, 0);
    assert_eq!(check(&found, "database").status, "ok");
    assert_eq!(check(&found, "container").status, "skipped");
    assert!(check(&found, "container").message.contains("-c"));
}

#[test]
fn each_fault_is_the_step_that_it_belongs_to() {
    let (gateway, _) = filled(2, 5);
    // Settings: before any request.
    let mut command = against(&gateway);
    command.env_remove("AZURE_COSMOS_ENDPOINT");
    assert_fails(
        &mut command,
        "settings",
        &["no endpoint given", "--endpoint"],
    );
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_KEY", "not!a key");
    assert_fails(
        &mut command,
        "settings",
        &["AZURE_COSMOS_KEY is not an account key"],
    );
    assert_eq!(gateway.total_requests(), 0);
    // A name that nobody has.
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_ENDPOINT", "https://no-such-account.invalid/");
    assert_fails(
        &mut command,
        "name",
        &["no-such-account.invalid cannot be resolved"],
    );
    // A port that nobody listens at.
    let nobody = ClosedPort::new();
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_ENDPOINT", nobody.endpoint());
    assert_fails(&mut command, "connection", &["no connection to 127.0.0.1"]);
    // Another key.
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_KEY", "Y2FuYXJ5IGNhbmFyeSBjYW5hcnk=");
    assert_fails(
        &mut command,
        "credential",
        &["401", "check that the key belongs to this account"],
    );
    // Other names.
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_DATABASE", "shp");
    assert_fails(
        &mut command,
        "database",
        &["there is no database `shp`", "did you mean `shop`?"],
    );
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_CONTAINER", "order");
    assert_fails(
        &mut command,
        "container",
        &["there is no container `order`", "did you mean `orders`?"],
    );
    // A region that the account does not have.
    let mut command = against(&gateway);
    command.args(["--region", "Nowhere"]);
    assert_fails(
        &mut command,
        "account",
        &["cannot be read in the region `Nowhere`"],
    );
}

#[test]
fn faults_of_the_service_are_the_step_that_they_belong_to() {
    const FIREWALL: &str = "Request originated from IP 1.2.3.4 through public internet. This is blocked by your \
        Cosmos DB account firewall settings.";
    for (kind, action, step, part) in [
        (
            RequestKind::Account,
            Action::Refuse {
                status: 403,
                message: FIREWALL,
            },
            "account",
            "network settings",
        ),
        (
            RequestKind::Account,
            Action::ReplaceBody("<html>".into()),
            "account",
            "not that of a Cosmos DB account",
        ),
        (
            RequestKind::Container,
            Action::status(503, 0),
            "container",
            "503",
        ),
        (
            RequestKind::PartitionKeyRanges,
            Action::ReplaceBody("<html>".into()),
            "container",
            "hint",
        ),
        (
            RequestKind::ChangeFeed,
            Action::status(400, 0),
            "feed",
            "400",
        ),
        (RequestKind::ChangeFeed, Action::CorruptBody, "feed", "page"),
    ] {
        let (gateway, _) = filled(2, 5);
        gateway.push_fault(Fault::on(kind, action).times(1_000));
        let parts = if part == "hint" { &[][..] } else { &[part][..] };
        assert_fails(&mut against(&gateway), step, parts);
    }
}

#[test]
fn all_versions_that_are_not_kept_are_a_warning() {
    let (gateway, _) = filled(1, 5);
    let refuse = Action::Refuse {
        status: 400,
        message: "full fidelity change feed is not enabled",
    };
    let fault = Fault::on(RequestKind::ChangeFeed, refuse);
    gateway.push_fault(
        fault
            .when(|record| {
                record
                    .headers
                    .get("a-im")
                    .is_some_and(|value| value == "Full-Fidelity Feed")
            })
            .times(100),
    );
    let found = checks(&mut against(&gateway), 0);
    let versions = check(&found, "all-versions");
    assert_eq!(versions.status, "warn");
    assert!(
        versions
            .remedy
            .as_ref()
            .unwrap()
            .contains("continuous backups")
    );
}

#[test]
fn a_clock_that_differs_too_much_is_named_before_the_key_is_doubted() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let clock = directory.path().join("clock");
    let at = |seconds: i64| {
        std::fs::write(&clock, seconds.to_string()).unwrap();
        let mut command = against(&gateway);
        command.env("COSMOS_TAIL_CLOCK", &clock);
        command
    };
    for (seconds, side) in [
        (3_600, "60 minutes ahead of"),
        (-3_600, "59 minutes behind"),
    ] {
        let mut command = at(seconds);
        let checks = checks(&mut command, 1);
        let found = check(&checks, "clock");
        assert_eq!(found.status, "fail");
        let other = side
            .replace("60", "59")
            .replace("59 minutes behind", "60 minutes behind");
        assert!(
            found.message.contains(side) || found.message.contains(&other),
            "{}",
            found.message
        );
        assert!(found.remedy.as_ref().unwrap().contains("15 minutes"));
        assert_eq!(check(&checks, "credential").status, "skipped");
    }
    assert_eq!(check(&checks(&mut at(600), 0), "clock").status, "warn");
    assert_eq!(check(&checks(&mut at(100), 0), "clock").status, "ok");
}

#[test]
fn a_certificate_that_is_not_accepted_is_a_fault_of_tls() {
    let options = GatewayOptions {
        tls: true,
        ..GatewayOptions::default()
    };
    let (gateway, _) = filled_with(options, 1, 5);
    let found = checks(&mut against(&gateway), 0);
    assert_eq!(check(&found, "tls").status, "ok");
    let mut command = against(&gateway);
    command.env_remove("AZURE_COSMOS_CONNECTION_STRING");
    assert_fails(
        &mut command,
        "tls",
        &["certificate is not accepted", "unknown authority"],
    );
}

/// An Azure CLI that issues a token, or none.
#[cfg(unix)]
fn fake_cli(directory: &std::path::Path, issues: bool) -> String {
    use std::os::unix::fs::PermissionsExt;
    let az = directory.join("az");
    let script = if issues {
        "#!/bin/sh\necho '{\"accessToken\":\"canary-token\",\"expires_on\":4102444800,\"expiresOn\":\"2100-01-01 \
         00:00:00.000000\",\"tokenType\":\"Bearer\"}'\n"
    } else {
        "#!/bin/sh\necho 'ERROR: Please run az login' >&2\nexit 1\n"
    };
    std::fs::write(&az, script).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", directory.display(), std::env::var("PATH").unwrap())
}

#[cfg(unix)]
#[test]
fn a_role_that_lacks_an_action_is_named_with_the_action() {
    const METADATA: &str = "Request blocked by Auth shop : Request is blocked because principal \
        [00000000-0000-0000-0000-000000000000] does not have required RBAC permissions to perform action \
        [Microsoft.DocumentDB/databaseAccounts/readMetadata] on resource [/].";
    const FEED: &str = "Request blocked by Auth shop : Request is blocked because principal \
        [00000000-0000-0000-0000-000000000000] does not have required RBAC permissions to perform action \
        [Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/readChangeFeed] on resource [dbs/shop].";
    let directory = tempfile::tempdir().unwrap();
    let path = fake_cli(directory.path(), true);
    let account = || {
        let options = GatewayOptions {
            tls: true,
            verify_signature: false,
            ..GatewayOptions::default()
        };
        filled_with(options, 1, 5).0
    };
    let with_role = |gateway: &Gateway| {
        let mut command = against(gateway);
        command.env("PATH", &path).args(["--auth", "cli"]);
        command
    };
    let gateway = account();
    let found = checks(&mut with_role(&gateway), 0);
    assert!(check(&found, "credential").message.contains("Azure CLI"));
    assert!(
        check(&found, "role")
            .message
            .contains("may read the container and its change feed")
    );
    for (kind, message, action) in [
        (
            RequestKind::Account,
            METADATA,
            "databaseAccounts/readMetadata",
        ),
        (
            RequestKind::Container,
            METADATA,
            "databaseAccounts/readMetadata",
        ),
        (RequestKind::ChangeFeed, FEED, "containers/readChangeFeed"),
    ] {
        let gateway = account();
        gateway.push_fault(
            Fault::on(
                kind,
                Action::Refuse {
                    status: 403,
                    message,
                },
            )
            .times(1_000),
        );
        let mut command = with_role(&gateway);
        let found = checks(&mut command, 1);
        let role = check(&found, "role");
        assert_eq!(role.status, "fail", "{}", role.message);
        assert!(role.message.contains(action), "{}", role.message);
        assert!(
            role.remedy
                .as_ref()
                .unwrap()
                .contains("Cosmos DB Built-in Data Reader")
        );
        assert_ne!(check(&found, "feed").status, "ok");
    }
    let path = fake_cli(directory.path(), false);
    let mut command = against(&gateway);
    command.env("PATH", &path).args(["--auth", "cli"]);
    assert_fails(&mut command, "credential", &["az login"]);
}

#[test]
fn a_profile_is_tested_by_its_name_and_a_broken_file_is_a_finding() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    let text = format!(
        "[profiles.own]\nendpoint = '{}'\ndatabase = 'shop'\ncontainer = 'orders'\nkey = '{KEY}'\n",
        gateway.endpoint()
    );
    std::fs::write(&config, text).unwrap();
    let test = |arguments: &[&str]| {
        let mut command = cosmos_tail();
        command
            .env("COSMOS_TAIL_CONFIG", &config)
            .args(["profiles", "test"])
            .args(arguments);
        run(&mut command)
    };
    let ended = test(&["own"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains("(profile own)"), "{}", ended.stdout);
    assert!(!ended.stdout.contains(KEY) && !ended.stderr.contains(KEY));
    let ended = test(&["onw"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stdout.contains("did you mean `own`?"),
        "{}",
        ended.stdout
    );
    assert_eq!(test(&["own", "--profile", "own"]).code, Some(2));
    std::fs::write(&config, "[profiles.own]\nendpoint: 'x'\n").unwrap();
    let ended = test(&["own"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("wrong in line 2"), "{}", ended.stdout);
}
