//! The source of the columns of an export: a sample, an argument, or a file.

mod hostile;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command::{
    CONTAINER, DATABASE, Ended, against, all_files, export, fail, files, interrupt, resume, run,
    spawn, state_directory, succeed, wait,
};
use crate::export::summary;
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, Hold, RawDocument, RequestKind, SystemFields,
};
use crate::orders::{fill, filled};

/// The options of the state in a directory.
fn options(out: &Path) -> Value {
    let text = std::fs::read(state_directory(out).join("state.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["state"]["options"].take()
}

/// The lines of the schema that an export has.
fn frozen(out: &Path) -> Vec<String> {
    let schema = options(out)["layout"]["columns"]["schema"].take();
    serde_json::from_value(schema).unwrap()
}

fn lines(ended: &Ended) -> Vec<String> {
    ended.stdout.lines().map(str::to_owned).collect()
}

/// `schema` against the container of a gateway.
fn schema(gateway: &Gateway) -> std::process::Command {
    let mut command = against(gateway);
    command.arg("schema");
    command
}

/// An export to CSV files in a directory.
fn csv(gateway: &Gateway, out: &Path) -> std::process::Command {
    let mut command = export(gateway, out);
    command.args(["--format", "csv"]);
    command
}

/// The header of all CSV files in a directory, which must be the same, and their rows: without the columns of
/// their order.
fn rows(out: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut header = Vec::new();
    let mut rows = Vec::new();
    for path in files(out, "csv") {
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let found: Vec<String> = reader
            .headers()
            .unwrap()
            .iter()
            .map(str::to_owned)
            .collect();
        let at = found
            .iter()
            .position(|name| name == "_operation_lsn")
            .unwrap();
        assert_eq!(found[at + 1], "_operation_number");
        // In mode `all` the first of them has always been there.
        let of_order = if found.contains(&"_operation_time".to_owned()) {
            at + 1..at + 2
        } else {
            at..at + 2
        };
        let without_order = |all: Vec<String>| -> Vec<String> {
            let kept = all.into_iter().enumerate();
            let kept = kept.filter(|(index, _)| !of_order.contains(index));
            kept.map(|(_, text)| text).collect()
        };
        let found = without_order(found);
        assert!(header.is_empty() || header == found, "{header:?} {found:?}");
        header = found;
        for record in reader.records().map(Result::unwrap) {
            // What is no object has no LSN.
            assert!(record[at].is_empty() || record[at].parse::<u64>().is_ok());
            assert!(record[at + 1].parse::<u64>().is_ok());
            rows.push(without_order(record.iter().map(str::to_owned).collect()));
        }
    }
    (header, rows)
}

/// The cell of the row with this id.
#[track_caller]
fn cell<'a>(
    (header, rows): &'a (Vec<String>, Vec<Vec<String>>),
    id: &str,
    column: &str,
) -> &'a str {
    let at = |name: &str| header.iter().position(|found| found == name).unwrap();
    let row = rows.iter().find(|row| row[at("id")] == id).unwrap();
    &row[at(column)]
}

const SYSTEM: [&str; 6] = [
    "_ts int64",
    "_etag string",
    "_rid string",
    "_lsn int64",
    "_self string",
    "_attachments string",
];

/// Orders of many kinds in four partitions.
fn varied() -> (Gateway, Container) {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 4);
    for number in 0..200 {
        let mut document = json!({
            "total": f64::from(number) / 4.0,
            "id": format!("order-{number}"),
            "lines": [{"sku": "x", "n": number}],
            "pk": format!("key-{}", number % 37),
            "customer": {"name": "someone", "vip": number % 2 == 0},
            "at": "2026-11-23T12:00:00.125Z",
            "a.b": 1,
        });
        if number == 150 {
            document["reference"] = json!("PO");
            document["customer"]["age"] = json!(40);
        }
        container.upsert(document);
    }
    (gateway, container)
}

/// The inferred columns: `serde_json` sorts the names.
const VARIED: [&str; 8] = [
    "id string",
    "pk string",
    r#""a.b" int64"#,
    "at string",
    "customer struct<name: string, vip: boolean, age: int64>",
    "lines list<struct<n: int64, sku: string>>",
    "total double",
    "reference string",
];

fn expected(columns: &[&str], system: &[&str]) -> Vec<String> {
    columns
        .iter()
        .chain(system)
        .map(|line| (*line).to_owned())
        .collect()
}

#[test]
fn the_command_prints_what_an_export_infers() {
    let (gateway, _container) = varied();
    let directory = tempfile::tempdir().unwrap();
    let first = succeed(&mut schema(&gateway));
    assert_eq!(lines(&first), expected(&VARIED, &SYSTEM));
    assert!(
        first
            .stderr
            .starts_with("inferred 14 columns from 200 documents of 4 ranges, "),
        "{}",
        first.stderr
    );
    // Whatever the readers do in parallel, and however small the pages are.
    for arguments in [
        &["--concurrency", "1"][..],
        &["--sample", "all", "--page-size", "7"],
    ] {
        let again = succeed(schema(&gateway).args(arguments));
        assert_eq!(again.stdout, first.stdout, "{arguments:?}");
    }
    let out = directory.path().join("out");
    let ended = succeed(&mut csv(&gateway, &out));
    assert!(
        ended
            .stderr
            .contains("inferred 14 columns from 200 documents"),
        "{}",
        ended.stderr
    );
    assert_eq!(frozen(&out), lines(&first));
    // And given back it is the same.
    let file = directory.path().join("orders.schema");
    std::fs::write(&file, format!("# of orders\n\n{}", first.stdout)).unwrap();
    let by_file = directory.path().join("by-file");
    let ended = succeed(csv(&gateway, &by_file).arg("--schema").arg(&file));
    assert!(!ended.stderr.contains("inferred"), "{}", ended.stderr);
    assert_eq!(options(&by_file)["layout"], options(&out)["layout"]);
    assert_eq!(rows(&by_file), rows(&out));
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn csv_has_dotted_columns_and_an_overflow() {
    let (gateway, _container) = varied();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(csv(&gateway, &out).args(["--system-fields", "drop"]));
    assert_eq!(frozen(&out), VARIED);
    let table = rows(&out);
    let columns = [
        "id",
        "pk",
        "\"a.b\"",
        "at",
        "customer.name",
        "customer.vip",
        "customer.age",
        "lines",
        "total",
        "reference",
        "_nulls",
        "_extra",
    ];
    assert_eq!(table.0, columns);
    assert_eq!(table.1.len(), 200);
    assert_eq!(cell(&table, "order-150", "customer.age"), "40");
    assert_eq!(cell(&table, "order-3", "lines"), r#"[{"n":3,"sku":"x"}]"#);
    assert!(
        table.1.iter().all(|row| row[11].is_empty()),
        "nothing is left over"
    );
}

#[test]
fn a_sample_has_the_requested_size() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    fill(&container, 0..200);
    container.upsert(json!({"id": "last", "pk": "key-1", "late": true}));
    let with = |arguments: &[&str]| {
        let before = gateway.requests(RequestKind::ChangeFeed);
        let ended = succeed(schema(&gateway).args(["--page-size", "10"]).args(arguments));
        (ended, gateway.requests(RequestKind::ChangeFeed) - before)
    };
    let (ended, requests) = with(&["--sample", "3"]);
    assert!(
        ended.stderr.contains("from 60 documents of 2 ranges"),
        "{}",
        ended.stderr
    );
    assert_eq!(requests, 6);
    assert!(!ended.stdout.contains("late"));
    let (ended, requests) = with(&[]);
    assert!(
        ended.stderr.contains("from 40 documents"),
        "{}",
        ended.stderr
    );
    assert_eq!(requests, 4);
    let (ended, _) = with(&["--sample", "all"]);
    assert!(
        ended.stderr.contains("from 201 documents"),
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.contains("\nlate boolean\n"));
    for wrong in ["0", "-1", "some", ""] {
        fail(schema(&gateway).arg(format!("--sample={wrong}")), 2);
    }
}

#[test]
fn a_sample_is_charged_to_the_export() {
    let (gateway, _container) = filled(3, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(csv(&gateway, &out).args(["--summary", "json"]));
    let told = summary(&ended)["request_units"].as_f64().unwrap();
    let feed: f64 = gateway
        .request_log()
        .iter()
        .filter(|request| request.kind == RequestKind::ChangeFeed)
        .map(|request| request.charge_hundredths as f64 / 100.0)
        .sum();
    assert!((told - feed).abs() < 1e-6, "{told} {feed}");
}

#[test]
fn columns_can_be_given() {
    let (gateway, _container) = varied();
    let directory = tempfile::tempdir().unwrap();
    let list = r#"id,customer.name,total:json,"a.b",at,nobody.has.it,_ts"#;
    let columns = [
        "id string",
        "customer.name string",
        "total json",
        r#""a.b" int64"#,
        "at timestamp(3)",
        "nobody.has.it json",
        "_ts int64",
    ];
    let arguments = ["--columns", list, "--detect-timestamps"];
    let ended = succeed(schema(&gateway).args(arguments));
    assert_eq!(lines(&ended), columns);
    assert!(
        ended.stderr.contains("no document has `nobody.has.it`"),
        "{}",
        ended.stderr
    );
    let out = directory.path().join("out");
    let ended = succeed(csv(&gateway, &out).args(arguments).args([
        "--system-fields",
        "drop",
        "--summary",
        "json",
    ]));
    assert_eq!(summary(&ended)["overflowed"], 200);
    assert_eq!(frozen(&out), columns);
    let table = rows(&out);
    assert_eq!(table.0[1..3], ["customer.name", "total"]);
    assert_eq!(cell(&table, "order-2", "total"), "0.5");
    // The rest of an object goes to the overflow, and dropped fields go nowhere.
    let extra: Value = serde_json::from_str(cell(&table, "order-2", "_extra")).unwrap();
    let rest = json!({"lines": [{"sku": "x", "n": 2}], "pk": "key-2", "customer": {"vip": true}});
    assert_eq!(extra, rest);
    // With all types there is nothing to be inferred.
    let before = gateway.requests(RequestKind::ChangeFeed);
    let typed = directory.path().join("typed");
    let ended = succeed(csv(&gateway, &typed).args(["--columns", "id:string,total:double"]));
    assert!(!ended.stderr.contains("inferred"), "{}", ended.stderr);
    assert_eq!(frozen(&typed), ["id string", "total double"]);
    let read = gateway.requests(RequestKind::ChangeFeed) - before;
    let without_columns = gateway.requests(RequestKind::ChangeFeed);
    succeed(&mut export(&gateway, &directory.path().join("lines")));
    assert_eq!(
        read,
        gateway.requests(RequestKind::ChangeFeed) - without_columns
    );
}

#[test]
fn a_raw_export_has_no_columns_of_its_own() {
    let (gateway, _container) = varied();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(csv(&gateway, &out).args(["--schema", "raw"]));
    assert!(!ended.stderr.contains("inferred"), "{}", ended.stderr);
    assert_eq!(options(&out)["layout"], "raw");
    let table = rows(&out);
    assert_eq!(table.1.len(), 200);
    let document: Value = serde_json::from_str(cell(&table, "order-7", "document")).unwrap();
    assert_eq!(document["id"], "order-7");
}

#[test]
fn an_empty_container_makes_no_files_until_documents_arrive() {
    let (gateway, container) = filled(2, 0);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = fail(&mut schema(&gateway), 1);
    assert!(
        ended.stderr.contains("shop/orders has no documents"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
    for format in ["csv", "parquet", "arrow"] {
        let out = directory.path().join(format);
        succeed(export(&gateway, &out).args(["--format", format]));
        assert!(all_files(&out).is_empty());
        let names: Vec<PathBuf> = all_files(&state_directory(&out));
        let expected = ["container.json", "state.json", "state.json.lock"];
        assert_eq!(names, expected.map(|name| state_directory(&out).join(name)));
    }
    let chosen = ["--detect-timestamps", "--system-fields", "drop"];
    succeed(csv(&gateway, &out).args(chosen));
    assert_eq!(options(&out)["layout"], Value::Null);
    succeed(&mut resume(&gateway, &out));
    assert_eq!(options(&out)["layout"], Value::Null, "still nothing");
    container.upsert(json!({"id": "1", "pk": "p", "at": "2026-11-23T12:00:00Z"}));
    container.upsert(json!({"id": "2", "pk": "q", "n": 1}));
    let ended = succeed(&mut resume(&gateway, &out));
    assert!(
        ended.stderr.contains("inferred 4 columns from 2 documents"),
        "{}",
        ended.stderr
    );
    let mut found = frozen(&out);
    found.sort();
    assert_eq!(
        found,
        ["at timestamp(0)", "id string", "n int64", "pk string"]
    );
    assert_eq!(rows(&out).1.len(), 2);
}

/// Starts an export that follows an empty container, and waits until it has started.
#[cfg(unix)]
fn follow_nothing(
    gateway: &Gateway,
    container: &Container,
    out: &Path,
    arguments: &[&str],
) -> std::process::Child {
    let mut follow = csv(gateway, out);
    follow
        .args(["--follow", "--poll-interval", "20ms"])
        .args(arguments);
    let child = spawn(&mut follow);
    while !state_directory(out).join("state.json").exists() {
        std::thread::yield_now();
    }
    gateway.wait_until_caught_up(container);
    assert_eq!(options(out)["layout"], Value::Null);
    child
}

#[cfg(unix)]
#[test]
fn the_first_documents_decide_the_columns_of_an_empty_container() {
    let (gateway, container) = filled(3, 0);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let child = follow_nothing(&gateway, &container, &out, &["--system-fields", "drop"]);
    container.upsert(json!({"id": "1", "pk": "p", "n": 1}));
    gateway.wait_until_caught_up(&container);
    container.upsert(json!({"id": "2", "pk": "q", "n": 2.5, "new": true}));
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("inferred 3 columns from 1 document, the first that came"),
        "{}",
        ended.stderr
    );
    let columns = ["id string", "pk string", "n int64"];
    assert_eq!(frozen(&out), columns);
    container.upsert(json!({"id": "3", "pk": "r", "n": "three"}));
    succeed(resume(&gateway, &out).arg("--no-follow"));
    assert_eq!(frozen(&out), columns);
    let table = rows(&out);
    assert_eq!(table.0, ["id", "pk", "n", "_nulls", "_extra"]);
    assert_eq!(cell(&table, "1", "n"), "1");
    let extra = |id| serde_json::from_str::<Value>(cell(&table, id, "_extra")).unwrap();
    assert_eq!(extra("2"), json!({"n": 2.5, "new": true}));
    assert_eq!(extra("3"), json!({"n": "three"}));
}

#[cfg(unix)]
#[test]
fn all_versions_infer_from_existing_or_first_documents() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--mode", "all", "--system-fields", "drop"];
    let first = directory.path().join("first");
    let child = follow_nothing(&gateway, &container, &first, &arguments);
    container.upsert(json!({"id": "1", "pk": "p", "n": 1}));
    container.delete("1", "p");
    container.upsert(json!({"id": "2", "pk": "p", "s": "x"}));
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    assert_eq!(wait(child).code, Some(130));
    let table = rows(&first);
    assert_eq!(table.1.len(), 3, "{table:?}");
    assert!(
        table.0.starts_with(&["_operation".to_owned()]),
        "{:?}",
        table.0
    );
    assert!(frozen(&first).contains(&"n int64".to_owned()));
    // Now there is something, which the feed of all versions does not serve any more.
    let there = directory.path().join("there");
    succeed(csv(&gateway, &there).args(arguments));
    assert_eq!(frozen(&there), ["id string", "pk string", "s string"]);
    assert!(files(&there, "csv").is_empty());
}

#[test]
fn a_start_without_changes_infers_from_all_documents() {
    let (gateway, container) = filled(2, 20);
    gateway.advance_time(1000);
    let directory = tempfile::tempdir().unwrap();
    let later = "2023-11-14T22:25:00Z";
    let columns = ["id string", "pk string", "number int64", "text string"];
    let printed = succeed(schema(&gateway).args(["--from", later, "--system-fields", "drop"]));
    assert_eq!(lines(&printed), columns);
    for from in [later, "now"] {
        let out = directory.path().join(&from[..3]);
        succeed(csv(&gateway, &out).args(["--from", from, "--system-fields", "drop"]));
        assert_eq!(frozen(&out), columns);
        assert!(files(&out, "csv").is_empty());
    }
    // If there are changes since the start, they count.
    container.upsert(json!({"id": "new", "pk": "p", "kind": "new"}));
    let printed = succeed(schema(&gateway).args(["--from", later, "--system-fields", "drop"]));
    assert_eq!(lines(&printed), ["id string", "pk string", "kind string"]);
}

#[test]
fn columns_never_change_during_an_export() {
    let (gateway, container) = filled(2, 50);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(csv(&gateway, &out).args(["--system-fields", "drop"]));
    let before = options(&out);
    for round in 0..2 {
        container.upsert(json!({
            "id": format!("new-{round}"), "pk": "p", "number": "seven", "other": round,
        }));
        let ended = succeed(&mut resume(&gateway, &out));
        assert!(!ended.stderr.contains("inferred"), "{}", ended.stderr);
        assert_eq!(options(&out), before);
    }
    let table = rows(&out);
    assert_eq!(table.1.len(), 52);
    let extra: Value = serde_json::from_str(cell(&table, "new-1", "_extra")).unwrap();
    assert_eq!(extra, json!({"number": "seven", "other": 1}));
}

#[cfg(feature = "demo")]
#[test]
fn the_embedded_account_has_the_schema_of_its_documents() {
    let mut command = crate::command::cosmos_tail();
    let ended = run(command.args(["--demo", "schema", "--detect-timestamps"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let found = lines(&ended);
    for line in [
        "id string",
        "customerId string",
        "orderedAt timestamp(0)",
        "total double",
        "reference json",
        r#"属性 struct<"": string, "a.b": int64, "a/b": int64>"#,
    ] {
        assert!(
            found.contains(&line.to_owned()),
            "{line} is not in\n{}",
            ended.stdout
        );
    }
    assert_eq!(found[..2], ["id string", "customerId string"]);
    assert_eq!(found.last().unwrap(), "_attachments string");
}

/// The latest version of each document in CSV files, by the two columns that order them: its number.
fn latest_by_order(out: &Path) -> std::collections::BTreeMap<String, String> {
    let mut latest = std::collections::BTreeMap::<String, ((u64, u64), String)>::new();
    for path in files(out, "csv") {
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let header = reader.headers().unwrap().clone();
        let at = |name: &str| header.iter().position(|found| found == name).unwrap();
        let (lsn, number, id, version) = (
            at("_operation_lsn"),
            at("_operation_number"),
            at("id"),
            at("version"),
        );
        for record in reader.records().map(Result::unwrap) {
            let order = (
                record[lsn].parse().unwrap(),
                record[number].parse().unwrap(),
            );
            let found = (order, record[version].to_owned());
            let known = latest
                .entry(record[id].to_owned())
                .or_insert_with(|| found.clone());
            assert!(
                known.0 != order || known.1 == record[version],
                "{order:?} is not unique"
            );
            if known.0 < order {
                *known = found;
            }
        }
    }
    latest
        .into_iter()
        .map(|(id, (_, version))| (id, version))
        .collect()
}

#[test]
fn the_latest_version_is_found_within_a_second_and_across_resumes_and_splits() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    // All of it is within one second.
    gateway.set_time(1_790_000_000);
    let order = |number: usize, version: usize| json!({"id": format!("order-{number}"), "pk": "p", "version": version});
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    container.transaction((0..9).map(|number| order(number, 0)).collect());
    succeed(csv(&gateway, &out).args(["--system-fields", "drop"]));
    for version in 1..4 {
        for number in (0..9).filter(|number| number % 3 != version % 3) {
            container.upsert(order(number, version));
        }
        container.transaction(vec![order(0, version), order(1, version)]);
        if version == 2 {
            let partition = container.partitions()[0].id.clone();
            container.split(&partition, 2);
        }
        succeed(&mut resume(&gateway, &out));
    }
    let expected = container.latest().into_iter().map(|served| {
        let document: Value = serde_json::from_slice(&served.text).unwrap();
        (
            document["id"].as_str().unwrap().to_owned(),
            document["version"].to_string(),
        )
    });
    assert_eq!(latest_by_order(&out), expected.collect());
    // Within a transaction the numbers count.
    let (_, rows) = rows(&out);
    assert!(rows.len() > 9, "{rows:?}");
}
