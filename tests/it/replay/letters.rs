//! The file of dead letters: what is in it already, and what it must not be.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::{DATABASE, export, files, run, succeed};
use crate::gateway::GatewayOptions;
use crate::orders::fill;

const LETTER: &str =
    r#"{"reason":"first","origin":{"source":"x","line":1},"current":{"id":"kept","pk":"p"}}"#;
const HEADING: &str = r#"{"cosmos-tail":{"records":"changes"}}"#;

/// A gateway with an empty copy, and a source with a document that is refused.
fn scene() -> (Gateway, Container, tempfile::TempDir, std::path::PathBuf) {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source.jsonl");
    write_lines(
        &source,
        [r#"{"id":7,"pk":"p"}"#, r#"{"id":"good","pk":"p"}"#],
    );
    (gateway, copy, directory, source)
}

#[test]
fn a_torn_last_line_is_mended_before_anything_is_appended() {
    let cut = &LETTER[..LETTER.len() - 9];
    for (before, kept) in [
        (String::new(), vec![]),
        (format!("{HEADING}\n{LETTER}\n"), vec!["first"]),
        // Whole, but without its end.
        (format!("{HEADING}\n{LETTER}"), vec!["first"]),
        (HEADING.to_owned(), vec![]),
        // Cut off.
        (
            format!("{HEADING}\n{LETTER}\n{cut}"),
            vec!["first", "was cut off"],
        ),
        (format!("{HEADING}\n{cut}\0\0\0"), vec!["was cut off"]),
        (HEADING[..10].to_owned(), vec![]),
        (format!("{HEADING}\n\0\0\0\0"), vec![]),
        ("\0\0\0\0".to_owned(), vec![]),
        (
            format!("{HEADING}\n{}", cut.replace("first", &"x".repeat(200_000))),
            vec!["was cut off"],
        ),
    ] {
        let shown: String = before.chars().take(150).collect();
        let (gateway, copy, directory, source) = scene();
        let letters = directory.path().join("dead");
        std::fs::write(&letters, &before).unwrap();
        let mut command = replay(&gateway, &source);
        let ended = refuse(
            command.arg("--dead-letter").arg(&letters),
            1,
            &["a change cannot be applied", "all others were applied"],
        );
        let is_whole = before.is_empty() || before.ends_with('\n');
        assert_eq!(
            !is_whole,
            ended.stderr.contains("was mended"),
            "{shown}: {}",
            ended.stderr
        );
        let found = dead_letters(&letters);
        let reasons: Vec<&str> = found
            .iter()
            .map(|letter| letter["reason"].as_str().unwrap())
            .collect();
        let (last, earlier) = reasons.split_last().unwrap();
        assert_eq!(*last, "the id 7 is not a string", "{shown}");
        assert_eq!(earlier.len(), kept.len(), "{shown}: {reasons:?}");
        assert!(
            earlier
                .iter()
                .zip(&kept)
                .all(|(reason, part)| reason.contains(part)),
            "{shown}"
        );
        for letter in &found {
            if letter["reason"].as_str().unwrap().contains("was cut off") {
                let text = letter["text"].as_str().unwrap();
                assert!(text.ends_with(r#""current":{"id":"kept",""#), "{text}");
            }
        }
        // The file can be replayed, and nothing was glued.
        let again = directory.path().join("again");
        let mut command = replay(&gateway, &letters);
        run(command.arg("--dead-letter").arg(&again));
        let ids: Vec<String> = copy
            .latest()
            .iter()
            .map(|served| served.id.clone())
            .collect();
        let expected: &[&str] = if kept.first() == Some(&"first") {
            &["good", "kept"]
        } else {
            &["good"]
        };
        assert_eq!(ids, expected, "{shown}");
        assert_eq!(
            dead_letters(&again).len(),
            found.len() - (expected.len() - 1),
            "{shown}"
        );
    }
}

#[test]
fn a_source_is_never_the_file_of_dead_letters() {
    let (gateway, _copy, directory, source) = scene();
    let at = |name: &str| directory.path().join(name);
    let orders = gateway.create_container(DATABASE, crate::command::CONTAINER, "/pk", 1);
    fill(&orders, 0..5);
    let out = at("out");
    succeed(&mut export(&gateway, &out));
    let letters = at("dead");
    write_lines(&letters, [HEADING, LETTER]);
    std::fs::hard_link(&letters, at("hard")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&letters, at("link")).unwrap();
    let part = files(&out, "jsonl")[0].clone();
    let mut cases = vec![
        (letters.clone(), letters.clone()),
        (directory.path().join("out/../dead"), letters.clone()),
        (letters.clone(), at("hard")),
        (at("hard"), letters.clone()),
        // The directory of an export, one of whose files it is.
        (out, part),
    ];
    if cfg!(unix) {
        cases.push((at("link"), letters.clone()));
    }
    let before = crate::bad_input::snapshot(directory.path());
    for (source, dead) in cases {
        for more in [&[][..], &["--dry-run"]] {
            let mut command = replay(&gateway, &source);
            command.arg("--dead-letter").arg(&dead).args(more);
            refuse(&mut command, 2, &["is read as a source", "--dead-letter"]);
        }
    }
    // Standard input, too.
    let mut command = replay(&gateway, Path::new("-"));
    command.arg("--dead-letter").arg(&letters);
    command.stdin(Stdio::from(std::fs::File::open(&letters).unwrap()));
    refuse(&mut command, 2, &["is read as a source: standard input"]);
    // Nor is it the state, or anything else that exists.
    let mut command = replay(&gateway, &source);
    command
        .arg("--state")
        .arg(at("both"))
        .arg("--dead-letter")
        .arg(at("both"));
    refuse(&mut command, 2, &["cannot be both"]);
    std::fs::write(at("notes"), b"{\"id\":\"mine\"}\n").unwrap();
    let mut command = replay(&gateway, &source);
    refuse(
        command.arg("--dead-letter").arg(at("notes")),
        2,
        &["something other than dead letters"],
    );
    assert_eq!(std::fs::read(at("notes")).unwrap(), b"{\"id\":\"mine\"}\n");
    std::fs::remove_file(at("notes")).unwrap();
    // Before anything is locked or requested.
    assert!(!at("both.lock").exists());
    assert_eq!(crate::bad_input::snapshot(directory.path()), before);
    assert!(gateway.write_log().is_empty());
}

#[test]
fn letters_of_an_earlier_version_have_no_heading_and_can_be_replayed() {
    let (gateway, copy, directory, source) = scene();
    let letters = directory.path().join("dead");
    write_lines(&letters, [LETTER]);
    refuse(
        &mut replay(&gateway, &letters),
        2,
        &["line 1: ", "--input changes"],
    );
    // They are appended to as they are.
    let mut command = replay(&gateway, &source);
    refuse(
        command.arg("--dead-letter").arg(&letters),
        1,
        &["all others were applied"],
    );
    let text = std::fs::read_to_string(&letters).unwrap();
    assert!(
        text.starts_with(LETTER) && text.lines().count() == 2,
        "{text}"
    );
    let mut file = std::fs::File::create(&letters).unwrap();
    writeln!(file, "{LETTER}").unwrap();
    succeed(replay(&gateway, &letters).args(["--input", "changes"]));
    assert_eq!(copy.latest().len(), 2);
    assert_eq!(
        json!(
            copy.latest()
                .iter()
                .map(|s| s.id.clone())
                .collect::<Vec<_>>()
        ),
        json!(["good", "kept"])
    );
}
