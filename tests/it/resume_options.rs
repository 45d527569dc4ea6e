//! The options of a resume: they apply to it alone, unless they are saved, and must not contradict what the
//! export has frozen.

use std::path::Path;

use serde_json::{Value, json};

use crate::command::{
    assert_latest, cosmos_tail, export, fail, files, lines, resume, state_directory, succeed,
};
#[cfg(unix)]
use crate::command::{interrupt, spawn, wait};
#[cfg(unix)]
use crate::gateway::RequestKind;
use crate::orders::{fill, filled};

/// Every option that a resume can change, with a value that no export has by default, and what the state
/// has then.
fn changeable() -> Vec<(&'static [&'static str], &'static str, Value)> {
    vec![
        (&["--until", "pin"], "until", json!("pin")),
        (&["--concurrency", "3"], "concurrency", json!(3)),
        (&["--page-size", "7"], "page_size", json!(7)),
        (&["--max-retries", "2"], "max_retries", json!(2)),
        (&["--max-ru", "50000"], "max_ru", json!(50_000)),
        (&["--poll-interval", "3s"], "poll_interval_ms", json!(3000)),
        (
            &["--checkpoint-interval", "9s"],
            "checkpoint_interval_ms",
            json!(9000),
        ),
        (
            &["--checkpoint-bytes", "5MiB"],
            "checkpoint_bytes",
            json!(5 << 20),
        ),
        (&["--rotate-bytes", "3MiB"], "rotate_bytes", json!(3 << 20)),
        (
            &["--rotate-interval", "2m"],
            "rotate_interval_ms",
            json!(120_000),
        ),
        (
            &["--row-group-size", "2MiB"],
            "row_group_bytes",
            json!(2 << 20),
        ),
        (&["--extra", "drop"], "extra", json!("drop")),
    ]
}

fn settings(out: &Path) -> Value {
    let text = std::fs::read(state_directory(out).join("state.json")).unwrap();
    let state: Value = serde_json::from_slice(&text).unwrap();
    state["state"]["settings"].clone()
}

#[test]
fn an_option_of_a_resume_is_for_that_resume_unless_it_is_saved() {
    let (gateway, container) = filled(2, 20);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--format", "parquet"]));
    let mut expected = settings(&out);
    for (number, (option, field, value)) in changeable().into_iter().enumerate() {
        fill(&container, 20 + number..21 + number);
        succeed(resume(&gateway, &out).args(option));
        assert_eq!(settings(&out), expected, "{option:?}");
        succeed(&mut resume(&gateway, &out));
        assert_eq!(settings(&out), expected, "after {option:?}");
        succeed(resume(&gateway, &out).args(option).arg("--save-options"));
        expected[field] = value;
        assert_eq!(settings(&out), expected, "{option:?} --save-options");
        succeed(&mut resume(&gateway, &out));
        assert_eq!(settings(&out), expected, "after {option:?} --save-options");
    }
    // Each option of the help that takes its default from the state was tried.
    let help = succeed(cosmos_tail().args(["resume", "--help"])).stdout;
    let help: Vec<&str> = help.split_whitespace().collect();
    let listed = help.join(" ").matches("[default: from the state]").count();
    assert_eq!(listed, changeable().len());
}

/// A job that follows ends only when it is stopped, so a later resume that ends was not told to follow.
#[cfg(unix)]
#[test]
fn a_resume_that_follows_leaves_the_next_one_to_end() {
    let (gateway, container) = filled(2, 20);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let before = settings(&out);
    let follow = |options: &[&str]| {
        let mut command = resume(&gateway, &out);
        let child = spawn(
            command
                .args(["--poll-interval", "5ms", "--checkpoint-interval", "5ms"])
                .args(options),
        );
        // It follows once it has asked again for what it knows that it has.
        let requests = gateway.requests(RequestKind::ChangeFeed);
        gateway.wait_for(RequestKind::ChangeFeed, requests + 40);
        interrupt(&child);
        wait(child)
    };
    let ended = follow(&["--follow"]);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let again = format!(
        "to continue, run: cosmos-tail resume --state {} --follow --poll-interval 5ms --checkpoint-interval 5ms\n",
        state_directory(&out).join("state.json").display()
    );
    assert!(ended.stderr.ends_with(&again), "{}", ended.stderr);
    assert_eq!(settings(&out), before);
    fill(&container, 20..40);
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);

    // Saved, it stays until it is taken back.
    let ended = follow(&["--follow", "--save-options"]);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let again = format!(
        "--state {}\n",
        state_directory(&out).join("state.json").display()
    );
    assert!(ended.stderr.ends_with(&again), "{}", ended.stderr);
    assert_eq!(settings(&out)["follow"], true);
    let refused = fail(resume(&gateway, &out).args(["--until", "pin"]), 2);
    assert_eq!(
        refused.stderr,
        "error: the state has --follow, so the resume would not end, but --until says where it ends\n\
         hint: add --no-follow, or leave --until out\n"
    );
    fill(&container, 40..50);
    succeed(resume(&gateway, &out).arg("--no-follow"));
    assert_latest(&lines(&out), &container);
    assert_eq!(settings(&out)["follow"], true);
    succeed(resume(&gateway, &out).args(["--no-follow", "--save-options"]));
    assert_eq!(settings(&out)["follow"], false);
    succeed(&mut resume(&gateway, &out));
}

#[test]
fn what_contradicts_the_state_is_refused_with_both_values() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let other = directory.path().join("other");
    let time = "2023-01-02T03:04:05Z";
    succeed(export(&gateway, &out).args([
        "--format",
        "csv",
        "--from",
        time,
        "--delimiter",
        "tab",
        "--null",
        "NULL",
        "--compression",
        "zstd:7",
        "--sample",
        "3",
    ]));
    let shown = |path: &Path| path.display().to_string();
    let (out_text, other_text) = (shown(&out), shown(&other));
    let state = std::fs::read(state_directory(&out).join("state.json")).unwrap();
    for (given, own, differs) in [
        (
            vec!["--mode", "all"],
            "with --mode latest",
            ", not with --mode all",
        ),
        (
            vec!["--from", "now"],
            "with --from 2023-01-02T03:04:05Z",
            ", not with --from now",
        ),
        (
            vec!["--format", "jsonl"],
            "with --format csv",
            ", not with --format jsonl",
        ),
        (
            vec!["--compression", "gzip"],
            "with --compression zstd:7",
            ", not with --compression gzip",
        ),
        (
            vec!["--delimiter", ";"],
            "with --delimiter tab",
            ", not with --delimiter ;",
        ),
        (vec!["--null", ""], "with --null NULL", ", not with --null "),
        (
            vec!["--csv-safe"],
            "without --csv-safe",
            ", not with --csv-safe",
        ),
        (
            vec!["--sample", "all"],
            "with --sample 3",
            ", not with --sample all",
        ),
        (
            vec!["--detect-timestamps"],
            "without --detect-timestamps",
            ", not with --detect-timestamps",
        ),
        (
            vec!["--system-fields", "drop"],
            "with --system-fields keep",
            ", not with --system-fields drop",
        ),
        (
            vec!["--schema", "raw"],
            "with --schema infer",
            ", not with --schema raw",
        ),
        (
            vec!["--columns", "id"],
            "without --columns",
            ", not with --columns id",
        ),
        (
            vec!["--partition-by", "hour"],
            "without --partition-by",
            ", not with --partition-by hour",
        ),
    ] {
        let requests = gateway.total_requests();
        let refused = fail(resume(&gateway, &out).args(&given), 2);
        let flag = given[0];
        assert_eq!(
            refused.stderr,
            format!(
                "error: the state is of an export {own}{differs}\nhint: leave {flag} out: a resume \
                 continues the export as it was started; for another one, export to a new output\n"
            )
        );
        assert_eq!(gateway.total_requests(), requests, "nothing was requested");
        assert_eq!(
            std::fs::read(state_directory(&out).join("state.json")).unwrap(),
            state
        );
    }
    let refused = fail(resume(&gateway, &out).args(["-o", &other_text]), 2);
    assert!(
        refused
            .stderr
            .starts_with(&format!("error: the state is of an export with --output {out_text}, not with --output {other_text}\n")),
        "{}",
        refused.stderr
    );
    assert!(!other.exists());
    // What agrees is accepted, however it is spelled.
    let slash = format!("{out_text}/");
    succeed(resume(&gateway, &out).args([
        "--mode",
        "latest",
        "--from",
        "2023-01-02T04:04:05+01:00",
        "--format",
        "csv",
        "--delimiter",
        "\\t",
        "--null",
        "NULL",
        "--compression",
        "zstd:7",
        "--sample",
        "3",
        "--system-fields",
        "keep",
        "--schema",
        "infer",
        "-o",
        &slash,
    ]));
    assert_eq!(files(&out, "zst").len(), 1);
}
