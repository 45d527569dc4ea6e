//! `ls`, and what is said of a name that does not exist.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use serde_json::{Value, json};

use crate::command::{against, cosmos_tail, export, fail, run, succeed};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, KEY, RequestKind};
use crate::orders::filled;
use crate::replay::assert_no_violations;

fn rows(gateway: &Gateway, arguments: &[&str]) -> Vec<Value> {
    let mut command = against(gateway);
    let ended = succeed(command.args(["ls", "--format", "json"]).args(arguments));
    serde_json::from_str(&ended.stdout).unwrap()
}

fn names(rows: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    rows.iter()
        .map(|row| format!("{}/{}", text(&row["database"]), text(&row["container"])))
        .collect()
}

/// An account with two databases that have containers and one that has none.
fn account() -> Gateway {
    let gateway = Gateway::start(GatewayOptions::default());
    let orders = gateway.create_container("shop", "orders", "/customerId", 3);
    let key = PartitionKeyDefinition::from(("/tenant", "/user"));
    gateway.create_container("shop", "events", key, 1);
    gateway.create_container("stock", "items", "/sku", 2);
    let stock = gateway.create_database("stock");
    gateway.create_database("empty");
    gateway.set_offer(orders.rid(), json!({"offerThroughput": 400}));
    gateway.set_offer(
        &stock,
        json!({"offerThroughput": 100, "offerAutopilotSettings": {"maxThroughput": 1000}}),
    );
    gateway
}

#[test]
fn every_container_has_its_key_its_ranges_and_its_throughput() {
    let gateway = account();
    let rows = rows(&gateway, &[]);
    let row = |database: &str,
               container: Value,
               key: Value,
               ranges: Value,
               mode: &str,
               number: Value,
               shared: bool| {
        json!({
            "database": database, "container": container, "partition_key": key, "ranges": ranges,
            "throughput": {"mode": mode, "ru_per_second": number, "shared": shared},
        })
    };
    let none = Value::Null;
    assert_eq!(
        rows,
        [
            row(
                "empty",
                none.clone(),
                json!([]),
                none.clone(),
                "none",
                none.clone(),
                false
            ),
            row(
                "shop",
                "events".into(),
                json!(["/tenant", "/user"]),
                1.into(),
                "none",
                none,
                false
            ),
            row(
                "shop",
                "orders".into(),
                json!(["/customerId"]),
                3.into(),
                "manual",
                400.into(),
                false
            ),
            row(
                "stock",
                "items".into(),
                json!(["/sku"]),
                2.into(),
                "autoscale",
                1000.into(),
                true
            ),
        ]
    );
    assert_no_violations(&gateway);
}

#[test]
fn flags_choose_what_is_listed_and_the_environment_does_not() {
    let gateway = account();
    let listed = |arguments: &[&str]| names(&rows(&gateway, arguments));
    assert_eq!(listed(&["-d", "stock"]), ["stock/items"]);
    assert_eq!(listed(&["-d", "empty"]), ["empty/-"]);
    assert_eq!(listed(&["-d", "shop", "-c", "orders"]), ["shop/orders"]);
    // The database of the environment.
    assert_eq!(listed(&["-c", "events"]), ["shop/events"]);
    let one = rows(&gateway, &["-d", "stock", "-c", "items"]);
    assert_eq!(one[0]["throughput"]["ru_per_second"], 1000);
    assert_no_violations(&gateway);
}

#[test]
fn names_that_do_not_exist_come_with_those_that_do() {
    let gateway = account();
    for (arguments, parts) in [
        (
            &["-d", "shop", "-c", "order"][..],
            &[
                "there is no container `order` in the database `shop`",
                "did you mean `orders`? the containers are: orders, events",
                "-c",
            ][..],
        ),
        (
            &["-d", "shp"],
            &[
                "there is no database `shp`",
                "did you mean `shop`? the databases are: shop, ",
                "-d",
            ],
        ),
    ] {
        let ended = fail(against(&gateway).arg("ls").args(arguments), 1);
        for part in parts {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
        let ended = fail(against(&gateway).arg("ranges").args(arguments), 1);
        let (_, hint) = parts.split_first().unwrap();
        assert!(ended.stderr.contains(hint[0]), "{}", ended.stderr);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut command = against(&gateway);
    command.args([
        "replay",
        "--from-container",
        "shop/ordesr",
        "-d",
        "shop",
        "-c",
        "events",
    ]);
    let ended = fail(&mut command, 1);
    assert!(
        ended.stderr.contains("did you mean `orders`?"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("--from-container"),
        "{}",
        ended.stderr
    );
    let out = directory.path().join("out");
    let ended = fail(export(&gateway, &out).args(["-d", "empty"]), 1);
    assert!(
        ended
            .stderr
            .contains("hint: the database has no containers"),
        "{}",
        ended.stderr
    );
    assert!(!out.exists());
}

#[test]
fn where_listing_is_refused_or_slow_the_message_comes_without_names() {
    let today =
        "hint: check the name given with -c (AZURE_COSMOS_CONTAINER); names are case-sensitive";
    for action in [
        Action::status(403, 0),
        Action::CorruptBody,
        Action::Delay(Duration::from_secs(30)),
    ] {
        let gateway = account();
        gateway.push_fault(Fault::on(RequestKind::ContainerFeed, action).times(100));
        let started = Instant::now();
        let ended = fail(against(&gateway).args(["ranges", "-c", "order"]), 1);
        assert!(
            ended
                .stderr
                .contains("there is no container `order` in the database `shop`"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains(today), "{}", ended.stderr);
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{:?}",
            started.elapsed()
        );
    }
}

#[test]
fn lists_are_read_to_their_end_page_by_page() {
    let gateway = Gateway::start(GatewayOptions::default());
    let mut expected = BTreeSet::new();
    for database in 0..12 {
        let database = format!("db{database}");
        for container in 0..7 {
            let container = gateway.create_container(&database, &format!("c{container}"), "/pk", 1);
            gateway.set_offer(container.rid(), json!({"offerThroughput": 400}));
        }
        expected.extend((0..7).map(|number| format!("{database}/c{number}")));
    }
    gateway.set_list_page(3);
    gateway.push_fault(
        Fault::on(RequestKind::ContainerFeed, Action::status(503, 0))
            .nth(5)
            .times(4),
    );
    gateway.push_fault(Fault::on(RequestKind::Offers, Action::throttle(5)).nth(3));
    let rows = rows(&gateway, &[]);
    let found: BTreeSet<String> = names(&rows).into_iter().collect();
    assert_eq!(found, expected);
    assert_eq!(rows.len(), expected.len());
    assert!(
        rows.iter()
            .all(|row| row["throughput"]["ru_per_second"] == 400),
        "{rows:?}"
    );
    assert!(gateway.requests(RequestKind::DatabaseFeed) >= 4);
    assert_no_violations(&gateway);
}

#[test]
fn offers_that_are_refused_do_not_fail_the_list() {
    for (action, mode, message) in [
        (
            Action::status(403, 0),
            "not-readable",
            Some("Entra ID's roles for data do not cover it"),
        ),
        (
            Action::status(401, 0),
            "not-readable",
            Some("not readable with this credential"),
        ),
        (
            Action::Refuse {
                status: 400,
                message: "Reading or replacing offers is not supported for serverless accounts.",
            },
            "serverless",
            None,
        ),
        (
            Action::ReplaceBody("[]".into()),
            "not-readable",
            Some("warning: the throughput could not be read"),
        ),
    ] {
        let gateway = account();
        gateway.push_fault(Fault::on(RequestKind::Offers, action).times(100));
        for arguments in [&["ls"][..], &["ls", "-d", "shop", "-c", "orders"]] {
            let ended = succeed(against(&gateway).args(arguments).args(["--format", "json"]));
            let rows: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
            assert!(
                rows.iter().all(|row| row["throughput"]["mode"] == mode),
                "{rows:?}"
            );
            match message {
                Some(message) => assert!(ended.stderr.contains(message), "{}", ended.stderr),
                None => assert_eq!(ended.stderr, ""),
            }
        }
    }
}

#[test]
fn an_account_without_databases_is_an_empty_list() {
    let gateway = Gateway::start(GatewayOptions::default());
    let ended = succeed(against(&gateway).args(["ls"]));
    assert_eq!(ended.stdout, "");
    assert!(
        ended.stderr.contains("has no databases"),
        "{}",
        ended.stderr
    );
    assert_eq!(rows(&gateway, &[]), Vec::<Value>::new());
    let ended = fail(against(&gateway).args(["ranges"]), 1);
    assert!(
        ended.stderr.contains("hint: the account has no databases"),
        "{}",
        ended.stderr
    );
}

#[test]
fn nonsense_in_place_of_a_list_is_an_error_with_a_hint() {
    for body in [
        "",
        "<html></html>",
        "[]",
        r#"{"Databases":7}"#,
        r#"{"Databases":[{"id":1,"_rid":"x"}]}"#,
    ] {
        let gateway = account();
        let nonsense = Action::answer(200, None, body);
        gateway.push_fault(Fault::on(RequestKind::DatabaseFeed, nonsense).times(100));
        let ended = fail(against(&gateway).arg("ls"), 1);
        assert_eq!(ended.stdout, "");
        assert!(
            ended.stderr.contains("cannot list the databases"),
            "{body}: {}",
            ended.stderr
        );
        assert!(ended.stderr.contains("hint: "), "{body}: {}", ended.stderr);
    }
    // One database of three.
    let gateway = account();
    let nonsense = Action::answer(200, None, "{}");
    let fault = Fault::on(RequestKind::ContainerFeed, nonsense);
    gateway.push_fault(
        fault
            .when(|record| record.path.contains("stock"))
            .times(100),
    );
    let ended = fail(against(&gateway).arg("ls"), 1);
    assert!(
        ended.stdout.contains("orders") && !ended.stdout.contains("items"),
        "{}",
        ended.stdout
    );
    assert!(
        ended
            .stderr
            .contains("the list is incomplete: 1 of its entries could not be read"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_list_that_does_not_end_is_given_up() {
    let gateway = account();
    let endless = Action::Answer {
        status: 200,
        headers: vec![("x-ms-continuation", "again".to_owned())],
        body: r#"{"Databases":[{"id":"a","_rid":"x"}]}"#.into(),
    };
    gateway.push_fault(Fault::on(RequestKind::DatabaseFeed, endless).times(1_000_000));
    let ended = fail(against(&gateway).arg("ls"), 1);
    assert!(
        ended.stderr.contains("the list does not end"),
        "{}",
        ended.stderr
    );
    assert!(gateway.requests(RequestKind::DatabaseFeed) < 5);
}

#[test]
fn names_are_escaped_and_odd_ones_are_not_requested() {
    let gateway = Gateway::start(GatewayOptions::default());
    let long = "é".repeat(255);
    for name in [
        "a\u{1b}[2Jb",
        "x/colls/y",
        "..",
        "c\nd",
        "plain name ü",
        &long,
    ] {
        gateway.create_container("shop", name, "/pk", 1);
    }
    let ended = fail(against(&gateway).args(["ls", "-d", "shop"]), 1);
    assert_eq!(ended.stdout.lines().count(), 7, "{}", ended.stdout);
    assert!(
        !ended.stdout.contains('\u{1b}') && ended.stdout.contains("a\\u{1b}[2Jb"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stderr.contains("4 of its entries could not be read"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains('\u{1b}'));
    let readable = |name: &str| {
        let line = ended
            .stdout
            .lines()
            .find(|line| line.contains(name))
            .unwrap();
        let cells: Vec<&str> = line.split_whitespace().rev().collect();
        assert_eq!(cells[..3], ["-", "1", "/pk"], "{line}");
    };
    readable("plain name ü");
    readable(&long);
}

#[test]
fn the_demo_and_thousands_of_containers_are_listed() {
    let ended = succeed(cosmos_tail().args(["--demo", "ls", "--format", "json"]));
    let rows: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(names(&rows), ["shop/orders", "shop/orders_copy"]);
    assert!(
        rows.iter()
            .all(|row| row["ranges"] == 4 && row["throughput"]["mode"] != "not-readable"),
        "{rows:?}"
    );
    let gateway = Gateway::start(GatewayOptions::default());
    for number in 0..1_000 {
        gateway.create_container("shop", &format!("c{number:05}"), "/pk", 1);
    }
    let ended = succeed(against(&gateway).args(["ls"]));
    assert_eq!(ended.stdout.lines().count(), 1_001);
    let ended = fail(against(&gateway).args(["ranges", "-c", "c00O42"]), 1);
    assert!(
        ended.stderr.contains("the containers are: c00042"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("and 990 more"), "{}", ended.stderr);
    assert!(ended.stderr.len() < 600, "{}", ended.stderr);
}

#[test]
fn a_wrong_key_lists_nothing() {
    let (gateway, _) = filled(1, 1);
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_KEY", "Y2FuYXJ5IGNhbmFyeSBjYW5hcnk=");
    let ended = run(command.arg("ls"));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("401"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(KEY));
}
