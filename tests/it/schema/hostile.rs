//! Impossible columns, documents that fit none, and samples that are disturbed.

use super::*;

#[test]
fn invalid_columns_are_refused_before_anything_is_sent() {
    let (gateway, _container) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.schema");
    let reached = gateway.total_requests();
    let out = directory.path().join("out");
    for (content, reason) in [
        (
            &b"id string\ntotal number\n"[..],
            "line 2: at character 7: `number` is not a type",
        ),
        (
            b"id string\n\n# x\nid json\n",
            "line 4: column id is repeated",
        ),
        (
            b"id string\n_extra json\n",
            "line 2: `_extra` is a reserved name",
        ),
        (
            b"a.b string\na struct<b: json>\n",
            "line 2: columns a.b and a overlap",
        ),
        (b"id\n", "line 1: at character 3: a type is missing"),
        (b"a struct<>\n", "line 1: at character 10: expected a name"),
        (b"id string\n\xff\n", "line 2: it is not UTF-8"),
        (b"\n# nothing\n", "a schema needs at least one column"),
        (
            b"l list<struct<a: json, a: json>>\n",
            "line 1: column l: the field `a` is repeated",
        ),
        (
            b"{\"columns\": []}\n",
            "line 1: at character 1: expected a name",
        ),
    ] {
        std::fs::write(&file, content).unwrap();
        let ended = fail(csv(&gateway, &out).arg("--schema").arg(&file), 2);
        let expected = format!("the schema file `{}` is wrong: {reason}", file.display());
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
        assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
    }
    for (arguments, reason) in [
        (
            &["--format", "csv", "--schema", "no-such-file"][..],
            "cannot read the schema file `no-such-file`",
        ),
        (
            &["--format", "csv", "--schema", "."],
            "cannot read the schema file `.`",
        ),
        (
            &["--format", "csv", "--schema", ""],
            "expected `infer`, `raw` or a file",
        ),
        (
            &["--format", "csv", "--columns", "id,a,id"],
            "column id is repeated",
        ),
        (
            &["--format", "csv", "--columns", "id,_extra"],
            "`_extra` is a reserved name",
        ),
        (
            &["--format", "csv", "--columns", "id:varchar"],
            "`varchar` is not a type",
        ),
        (&["--format", "csv", "--columns", ""], "expected a name"),
        (
            &["--format", "csv", "--columns", "id", "--schema", "raw"],
            "cannot be used with",
        ),
        (
            &["--format", "csv", "--schema", "raw", "--sample", "1"],
            "nothing is inferred",
        ),
        (
            &[
                "--format",
                "csv",
                "--schema",
                "raw",
                "--system-fields",
                "drop",
            ],
            "as they are",
        ),
        (
            &["--columns", "id"],
            "--columns is for CSV, Parquet and Arrow, but the format is jsonl",
        ),
        (
            &["--detect-timestamps"],
            "--detect-timestamps is for CSV, Parquet and Arrow",
        ),
    ] {
        let ended = fail(export(&gateway, &out).args(arguments), 2);
        assert!(
            ended.stderr.contains(reason),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
    fail(schema(&gateway).args(["--from", "now"]), 2);
    fail(
        against(&gateway).args(["resume", "--state", "x", "--schema", "raw"]),
        2,
    );
    assert_eq!(gateway.total_requests(), reached);
    assert_eq!(all_files(directory.path()), [file]);
}

#[test]
fn reserved_and_odd_names_lose_nothing() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    container.upsert(json!({
        "id": "1", "pk": "p", "_extra": {"x": 1}, "_operation": "mine", "_operation_number": 9, "a.b": 1, "a": {"b": 2},
        "": 3, "two\nlines": 4, "quote\"": 5, "comma,": 6, "ID": 7,
    }));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(csv(&gateway, &out).args(["--system-fields", "drop"]));
    let columns = [
        "id string",
        "pk string",
        r#""" int64"#,
        "a struct<b: int64>",
        r#""a.b" int64"#,
        r#""comma," int64"#,
        r#""quote\"" int64"#,
        r#""two\nlines" int64"#,
    ];
    assert_eq!(frozen(&out), columns);
    let table = rows(&out);
    let of = |column: &str| cell(&table, "1", column);
    assert_eq!((of("a.b"), of(r#""a.b""#), of(r#""""#)), ("2", "1", "3"));
    assert_eq!(
        (of(r#""two\nlines""#), of(r#""quote\"""#), of("comma,")),
        ("4", "5", "6")
    );
    let extra: Value = serde_json::from_str(of("_extra")).unwrap();
    assert_eq!(
        extra,
        json!({"_extra": {"x": 1}, "_operation": "mine", "_operation_number": 9, "ID": 7})
    );
    // The output of `schema` can be read again, whatever the names are.
    let printed = succeed(schema(&gateway).args(["--system-fields", "drop"]));
    assert_eq!(lines(&printed), columns);
    let file = directory.path().join("x.schema");
    std::fs::write(&file, &printed.stdout).unwrap();
    let again = directory.path().join("again");
    succeed(
        csv(&gateway, &again)
            .arg("--schema")
            .arg(&file)
            .args(["--system-fields", "drop"]),
    );
    assert_eq!(options(&again)["layout"], options(&out)["layout"]);
}

#[test]
fn five_thousand_fields_lose_nothing() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    for number in 0..500 {
        let mut document = json!({"id": format!("{number}"), "pk": format!("{}", number % 5)});
        for field in 0..10 {
            document[format!("f{:04}", number * 10 + field)] = json!(number);
        }
        container.upsert(document);
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(&mut csv(&gateway, &out));
    assert!(
        ended
            .stderr
            .contains("inferred 1,000 columns from 500 documents"),
        "{}",
        ended.stderr
    );
    // 5,002 and six of the system.
    assert!(
        ended
            .stderr
            .contains("4,008 fields without a column of their own: kept in `_extra`"),
        "{}",
        ended.stderr
    );
    let table = rows(&out);
    assert_eq!((table.0.len(), table.1.len()), (1002, 500));
    for number in [0, 250, 499] {
        let row = table
            .1
            .iter()
            .find(|row| row[0] == number.to_string())
            .unwrap();
        let of_columns = row[2..994]
            .iter()
            .filter(|cell| **cell == number.to_string())
            .count();
        let extra = serde_json::from_str::<Value>(&row[1001]).unwrap_or_default();
        let left_over = extra.as_object().map_or(0, serde_json::Map::len);
        assert_eq!(of_columns + left_over, 10, "{row:?}");
    }
}

#[test]
fn documents_that_are_not_objects_are_unchanged() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    for (number, text) in ["[1,{\"a\":2}]", "7", "\"text\"", "null", "{}"]
        .iter()
        .enumerate()
    {
        container.raw(vec![RawDocument {
            id: number.to_string(),
            partition_key: vec![json!("p")],
            text: text.as_bytes().into(),
            system_fields: SystemFields::AsGiven,
        }]);
    }
    let printed = succeed(&mut schema(&gateway));
    assert_eq!(printed.stdout, "id string\n");
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut csv(&gateway, &out));
    let (header, rows) = rows(&out);
    assert_eq!(header, ["id", "_nulls", "_extra"]);
    let extra: Vec<&str> = rows.iter().map(|row| row[2].as_str()).collect();
    assert_eq!(extra, ["[1,{\"a\":2}]", "7", "\"text\""], "{rows:?}");
}

#[test]
fn faults_and_splits_do_not_disturb_a_sample() {
    let (gateway, container) = filled(2, 300);
    let twice = Fault::on(RequestKind::ChangeFeed, Action::CorruptBody)
        .page(2)
        .times(2);
    gateway.push_fault(twice);
    let parent = container.partitions()[1].id.clone();
    let split = container.clone();
    let done = std::sync::atomic::AtomicBool::new(false);
    let action = Action::call(move || {
        if !done.swap(true, std::sync::atomic::Ordering::Relaxed) {
            split.split(&parent, 2);
        }
    });
    let ended = {
        gateway.push_fault(Fault::on(RequestKind::ChangeFeed, action).page(3));
        succeed(schema(&gateway).args(["--sample", "all", "--page-size", "10", "-v"]))
    };
    assert!(
        ended.stderr.contains("from 300 documents"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("retry 1 of"), "{}", ended.stderr);
    assert_eq!(container.partitions().len(), 3);
    gateway.clear_faults();
    assert_eq!(
        succeed(schema(&gateway).args(["--sample", "all"])).stdout,
        ended.stdout
    );
}

#[test]
fn a_container_that_cannot_be_sampled_leaves_nothing_behind() {
    let (gateway, _container) = filled(2, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(403, 0)).always());
    for mut command in [schema(&gateway), csv(&gateway, &out)] {
        let ended = fail(&mut command, 1);
        assert!(
            ended.stderr.contains("cannot read a sample of range 0"),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "");
    }
    assert!(!state_directory(&out).join("state.json").exists());
    gateway.clear_faults();
    succeed(&mut csv(&gateway, &out));
}

#[cfg(unix)]
#[test]
fn a_sample_can_be_interrupted() {
    let (gateway, _container) = filled(2, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let hold = Hold::new();
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone())).always());
    let child = spawn(&mut csv(&gateway, &out));
    hold.wait_until_reached();
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("stopped before the columns were known"),
        "{}",
        ended.stderr
    );
    hold.release();
    assert!(!state_directory(&out).join("state.json").exists());
}
