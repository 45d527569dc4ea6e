//! The state file: damaged, newer, of another container, not there, or in use.

use super::{assert_explained, refuse, snapshot};
use crate::command::{
    against, assert_latest, export, files, lines, lines_of, resume, run, spawn, state_directory,
    succeed, wait,
};
use crate::gateway::{Action, Fault, Hold, RequestKind};
use crate::orders::{fill, filled};

// The state file.

#[test]
fn a_damaged_state_is_refused_and_not_changed() {
    let (gateway, container) = filled(2, 300);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let path = state_directory(&out).join("state.json");
    let whole = std::fs::read(&path).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let edited = text.replacen("\"finished\": true", "\"finished\": false", 1);
    assert_ne!(edited, text);
    for damaged in [
        flipped,
        edited.into_bytes(),
        whole[..middle].to_vec(),
        Vec::new(),
        b"not JSON at all".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        vec![0; 4096],
        br#"{"format":"something else","version":1}"#.to_vec(),
    ] {
        std::fs::write(&path, &damaged).unwrap();
        let before = snapshot(&out);
        let parts = [
            "cannot resume from",
            "state.json",
            "the state file is corrupt",
            "restore",
        ];
        refuse(&mut resume(&gateway, &out), 1, &parts);
        refuse(resume(&gateway, &out).arg("--repair"), 1, &parts);
        assert_eq!(snapshot(&out), before);
    }
    std::fs::write(&path, &whole).unwrap();
    fill(&container, 300..350);
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
}

#[test]
fn a_newer_state_is_refused_with_advice_to_upgrade() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path();
    let newer = r#"{"format":"cosmos-tail state","version":4,"something":"else"}"#;
    std::fs::write(out.join("state.json"), newer).unwrap();
    let parts = [
        "state format 4 is newer than this build supports (3)",
        "upgrade cosmos-tail",
    ];
    refuse(&mut resume(&gateway, out), 1, &parts);
    assert_eq!(
        std::fs::read_dir(out).unwrap().count(),
        1,
        "not even a lock was left"
    );
}

#[test]
fn a_missing_state_is_a_usage_error_and_leaves_no_lock() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    refuse(
        &mut resume(&gateway, &missing),
        2,
        &["there is no such file", "keeps its state in"],
    );
    assert!(!missing.exists());
    // The directory where the state file was meant.
    let mut command = against(&gateway);
    command.args(["resume", "--state"]).arg(directory.path());
    refuse(&mut command, 2, &["it is a directory", "state.json"]);
    std::fs::create_dir(directory.path().join("state.json")).unwrap();
    refuse(
        &mut resume(&gateway, directory.path()),
        2,
        &["it is a directory"],
    );
    std::fs::write(directory.path().join("notes.txt"), "mine").unwrap();
    let mut command = against(&gateway);
    command
        .args(["resume", "--state"])
        .arg(directory.path().join("notes.txt"));
    refuse(&mut command, 1, &["the state file is corrupt"]);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn an_export_in_use_by_another_process_is_left_to_it() {
    let (gateway, container) = filled(2, 1000);
    let hold = Hold::new();
    let held = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()));
    gateway.push_fault(held.partition("1").page(4));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let child = spawn(export(&gateway, &out).args(["--page-size", "50"]));
    hold.wait_until_reached();
    let process = format!("another process (process {})", child.id());
    let in_use = [
        "is in use",
        process.as_str(),
        "wait for the other export, or stop it",
    ];
    refuse(&mut resume(&gateway, &out), 1, &in_use);
    refuse(resume(&gateway, &out).arg("--repair"), 1, &in_use);
    refuse(export(&gateway, &out).arg("--force"), 1, &in_use);
    refuse(
        &mut export(&gateway, &out),
        2,
        &["holds the state of an export", "resume --state"],
    );
    hold.release();
    let ended = wait(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_latest(&lines(&out), &container);
}

#[test]
fn exports_with_states_elsewhere_do_not_share_an_output() {
    for out in ["out", "out.jsonl"] {
        let (gateway, container) = filled(2, 1000);
        let hold = Hold::new();
        let held = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()));
        gateway.push_fault(held.partition("1").page(4));
        let directory = tempfile::tempdir().unwrap();
        let state = |name: &str| directory.path().join(name);
        let out = directory.path().join(out);
        let mut first = export(&gateway, &out);
        first
            .args(["--page-size", "50", "--state"])
            .arg(state("one"));
        let child = spawn(&mut first);
        hold.wait_until_reached();
        let process = format!("another process (process {})", child.id());
        let parts = ["cannot write to", process.as_str(), "another output"];
        let mut second = export(&gateway, &out);
        second.args(["--force", "--state"]).arg(state("other"));
        refuse(&mut second, 1, &parts);
        // It would remove what the first one writes.
        refuse(
            export(&gateway, &out).arg("--force"),
            1,
            &["is in use", process.as_str()],
        );
        hold.release();
        let ended = wait(child);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let found = match out.is_dir() {
            true => lines(&out),
            false => lines_of(&out),
        };
        assert_latest(&found, &container);
        // Once the first has ended, its output can be resumed.
        let mut again = against(&gateway);
        succeed(again.args(["resume", "--state"]).arg(state("one")));
    }
}

#[test]
fn of_two_exports_that_race_for_one_directory_exactly_one_wins() {
    let (gateway, container) = filled(2, 200);
    for round in 0..150 {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let racers = [0, 1].map(|racer| {
            let mut command = export(&gateway, &out);
            // With one state, or with one each.
            if round % 2 == 1 {
                let state = directory.path().join(format!("{racer}.json"));
                command.arg("--state").arg(state);
            }
            spawn(&mut command)
        });
        let ended = racers.map(wait);
        let won = ended.iter().filter(|one| one.code == Some(0)).count();
        assert_eq!(won, 1, "round {round}: {ended:?}");
        let lost = ended.iter().find(|one| one.code != Some(0)).unwrap();
        assert!(matches!(lost.code, Some(1 | 2)), "round {round}: {lost:?}");
        assert_explained(lost, lost.code.unwrap(), &[]);
        assert_latest(&lines(&out), &container);
        assert!(files(&state_directory(&out), "open").is_empty());
    }
}

#[test]
fn of_two_resumes_that_race_for_one_state_each_leaves_a_whole_export() {
    let (gateway, container) = filled(2, 200);
    for round in 0..50 {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut first = export(&gateway, &out);
        first.args(["--page-size", "20", "--checkpoint-interval", "1ms"]);
        let step = "state.rename=2*off->return(kill)";
        let ended = run(first.env("COSMOS_TAIL_FAILPOINTS", step));
        assert_eq!(ended.code, None, "round {round}: {}", ended.stderr);
        let racers = [(); 2].map(|()| spawn(&mut resume(&gateway, &out)));
        let ended = racers.map(wait);
        // The second may start when the first is done, and then finds nothing more.
        let won = ended.iter().filter(|one| one.code == Some(0)).count();
        assert!(won >= 1, "round {round}: {ended:?}");
        for lost in ended.iter().filter(|one| one.code != Some(0)) {
            assert_explained(lost, 1, &["is in use"]);
        }
        assert_latest(&lines(&out), &container);
        assert!(files(&state_directory(&out), "open").is_empty());
    }
}
