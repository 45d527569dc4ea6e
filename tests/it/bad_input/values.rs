//! Values that cannot be, values at their ends, and documents that break parsers.

use std::path::Path;

use super::{refuse, refuse_value, snapshot};
use crate::command::{
    against, assert_latest, cosmos_tail, export, lines, resume, run, split_lines, succeed,
};
use crate::gateway::KEY;
use crate::orders::{document, filled};

// Values.

#[test]
fn invalid_values_are_refused_before_anything_is_sent() {
    let (gateway, _) = filled(1, 1);
    let refused: [(&[&str], &str); 19] = [
        (&["--page-size", "0"], "--page-size"),
        (&["--page-size", "-1"], "-1"),
        (&["--page-size", "many"], "--page-size"),
        (&["--page-size", "99999999999"], "--page-size"),
        (&["--concurrency", "0"], "--concurrency"),
        (&["--max-retries", "-1"], "-1"),
        (&["--from", "2999-01-01T00:00:00Z"], "is in the future"),
        (
            &["--from", "yesterday"],
            "expected `beginning`, `now`, a time",
        ),
        (
            &["--from", "2020-13-01T00:00:00Z"],
            "expected `beginning`, `now`, a time",
        ),
        (&["--from", ""], "--from"),
        (&["--poll-interval", "soon"], "--poll-interval"),
        (&["--poll-interval", "-1s"], "-1"),
        (
            &["--checkpoint-interval", "1 parsec"],
            "--checkpoint-interval",
        ),
        (
            &["--checkpoint-interval", "999999999999999999999years"],
            "--checkpoint-interval",
        ),
        (&["--checkpoint-bytes", "0"], "at least 1 byte"),
        (
            &["--checkpoint-bytes", "1 furlong"],
            "expected a number of bytes",
        ),
        (&["--checkpoint-bytes", "99999999999GiB"], "do not fit"),
        (&["--format", "xml"], "--format"),
        (&["--auth", "charm"], "--auth"),
    ];
    for (arguments, part) in refused {
        let all: Vec<&str> = ["export", "-o", "-"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        refuse_value(&gateway, &all, &[part]);
    }
    refuse_value(&gateway, &["export"], &["--output"]);
    refuse_value(&gateway, &["resume"], &["<PATH>"]);
    refuse_value(&gateway, &["exprot"], &["exprot"]);
    refuse_value(&gateway, &["export", "-o", ""], &["--output"]);
    assert_eq!(gateway.total_requests(), 0);
}

#[test]
fn values_at_their_limits_work() {
    let (gateway, container) = filled(2, 60);
    for arguments in [
        ["--page-size", "1"],
        ["--page-size", "1000000"],
        ["--concurrency", "1"],
        ["--concurrency", "4096"],
        ["--checkpoint-bytes", "1"],
        ["--checkpoint-bytes", "18446744073709551615"],
        ["--checkpoint-interval", "0s"],
        ["--checkpoint-interval", "500000000000years"],
        ["--poll-interval", "500000000000years"],
        ["--max-retries", "0"],
        ["--max-retries", "4294967295"],
    ] {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(export(&gateway, &out).args(arguments));
        assert_latest(&lines(&out), &container);
    }
}

#[cfg(feature = "demo")]
#[test]
fn exports_of_the_embedded_account_and_of_another_do_not_mix() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let (real, demo) = (directory.path().join("real"), directory.path().join("demo"));
    succeed(&mut export(&gateway, &real));
    let before = snapshot(&real);
    refuse(
        resume(&gateway, &real).arg("--demo"),
        2,
        &["not of an embedded one", "without --demo"],
    );
    assert_eq!(snapshot(&real), before);
    succeed(cosmos_tail().args(["--demo", "export", "-o"]).arg(&demo));
    let before = snapshot(&demo);
    refuse(
        &mut resume(&gateway, &demo),
        2,
        &["embedded account", "with --demo"],
    );
    assert_eq!(snapshot(&demo), before);
}

// Documents that break parsers.

#[test]
fn documents_that_break_parsers_survive_byte_for_byte() {
    let (gateway, container) = filled(2, 100);
    let deep =
        |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    for (number, fields) in [
        format!(r#""deep":{}"#, deep("[", "]")),
        format!(r#""deep":{}"#, deep(r#"{"a":"#, "}")),
        r#""huge":1e400,"tiny":-1e-400,"long":18446744073709551617"#.to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let text = format!(r#"{{"id":"odd-{number}","pk":"key-{number}",{fields},"_ts":1}}"#);
        container.raw_as_given(&format!("odd-{number}"), format!("key-{number}"), text);
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    container.upsert(document(5000));
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
    let ended = succeed(&mut export(&gateway, Path::new("-")));
    assert_latest(&split_lines(ended.stdout.as_bytes()), &container);
}

#[test]
fn the_command_line_takes_no_key() {
    let (gateway, _) = filled(1, 1);
    let ended = run(against(&gateway).args(["ranges", "--key", KEY]));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("--key"), "{}", ended.stderr);
}
