//! The output: in the way, not writable, or on a disk that is full; and streams that are closed.

use std::path::Path;
use std::process::Command;

use super::{refuse, snapshot, through_shell};
use crate::command::{
    Ended, against, assert_latest, export, lines, lines_of, resume, run, split_lines,
    state_directory, succeed,
};
use crate::gateway::{Action, Fault, RequestKind};
use crate::left_out::say;
use crate::orders::{fill, filled};

// The output.

#[test]
fn existing_output_is_kept_without_force() {
    let (gateway, container) = filled(2, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    let steps: [(&str, &[&str]); 3] = [
        (
            "nothing",
            &[
                "holds the state of an export",
                "cosmos-tail resume --state",
                "--force",
            ],
        ),
        (
            "state.json",
            &["orders-00000-000001.jsonl` exists", "--force"],
        ),
        (
            "orders-00000-000001.jsonl",
            &["orders-00001-000001.jsonl` exists", "--force"],
        ),
    ];
    for (removed, parts) in steps {
        if removed != "nothing" {
            let place = match removed {
                "state.json" => state_directory(&out),
                _ => out.clone(),
            };
            std::fs::remove_file(place.join(removed)).unwrap();
        }
        let before = snapshot(directory.path());
        refuse(&mut export(&gateway, &out), 2, parts);
        assert_eq!(snapshot(directory.path()), before);
    }
    std::fs::remove_file(out.join("orders-00001-000001.jsonl")).unwrap();
    refuse(
        &mut export(&gateway, &out),
        2,
        &["manifest.ndjson` exists", "--force"],
    );
    fill(&container, 200..250);
    succeed(export(&gateway, &out).arg("--force"));
    succeed(export(&gateway, &out).arg("--force"));
    assert_latest(&lines(&out), &container);
    assert_eq!(std::fs::read(out.join("notes.txt")).unwrap(), b"mine");
}

#[test]
fn an_export_that_cannot_begin_replaces_nothing() {
    let (gateway, container) = filled(2, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let before = snapshot(&out);
    let refused = Action::status(403, 5300);
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, refused).always());
    let mut command = export(&gateway, &out);
    command.args(["--force", "--from", "now"]);
    refuse(
        &mut command,
        1,
        &[
            "cannot get the current position of the feed range",
            "403/5300",
            "check that the key",
        ],
    );
    assert_eq!(snapshot(&out), before);
    gateway.clear_faults();
    fill(&container, 200..250);
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
}

#[test]
fn an_unwritable_output_is_named() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a file.txt");
    std::fs::write(&file, "mine").unwrap();
    let below = file.join("out");
    refuse(
        &mut export(&gateway, &below),
        1,
        &[
            "a file.txt",
            "choose another path, in a directory where you may write",
        ],
    );
    refuse(
        &mut export(&gateway, &below.join("all.jsonl")),
        1,
        &["a file.txt"],
    );
    refuse(
        &mut export(&gateway, &file),
        2,
        &["without the extension `.jsonl`", "name a directory"],
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    #[cfg(target_os = "linux")]
    {
        for (path, shown) in [
            ("/proc/nothing-here", "nothing-here"),
            ("/dev/null/x", "/dev/null"),
        ] {
            refuse(
                &mut export(&gateway, Path::new(path)),
                1,
                &[
                    shown,
                    "choose another path, in a directory where you may write",
                ],
            );
        }
        for path in ["/dev/full", "/dev/null"] {
            let parts = [path, "neither a file nor a directory", "`-o -`"];
            refuse(&mut export(&gateway, Path::new(path)), 2, &parts);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_read_only_output_directory_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let locked = directory.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o500)).unwrap();
    if std::fs::write(locked.join("probe"), "").is_ok() {
        say("left out: a read-only output directory, which does not stop root");
        return;
    }
    for out in [locked.clone(), locked.join("out")] {
        refuse(&mut export(&gateway, &out), 1, &["locked"]);
    }
}

// A disk that is full.

/// Stops an export of 4 partitions by a limit, resumes it without, and asserts that nothing was
/// lost or repeated.
#[cfg(unix)]
#[test]
fn an_export_that_outgrows_the_file_size_limit_stops_and_can_be_resumed() {
    let (gateway, container) = filled(2, 2000);
    for (output, blocks) in [("out", 64), ("out", 200), ("all.jsonl", 300)] {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join(output);
        let state = match output {
            "out" => state_directory(&out).join("state.json"),
            _ => directory.path().join("all.jsonl.state.json"),
        };
        let mut command = export(&gateway, &out);
        command.args(["--page-size", "20", "--checkpoint-interval", "1ms"]);
        let script = format!("ulimit -c 0 && ulimit -f {blocks} && exec \"$0\" \"$@\"");
        let parts = [
            "File too large",
            ".jsonl.open",
            "what was committed is kept",
            "resume --state",
        ];
        refuse(&mut through_shell(&command, &script), 3, &parts);
        succeed(against(&gateway).args(["resume", "--state"]).arg(&state));
        let found = match output {
            "out" => lines(&out),
            _ => lines_of(&out),
        };
        assert_latest(&found, &container);
    }
}

#[cfg(unix)]
#[test]
fn an_export_that_cannot_write_its_state_has_nothing_to_resume() {
    // The definition of the container fits; the state of so many ranges does not.
    let (gateway, container) = filled(40, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let script = "ulimit -c 0 && ulimit -f 4 && exec \"$0\" \"$@\"";
    let ended = run(&mut through_shell(&export(&gateway, &out), script));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("cannot commit to"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("File too large"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("resume"), "{}", ended.stderr);
    succeed(&mut export(&gateway, &out));
    assert_latest(&lines(&out), &container);
}

#[cfg(target_os = "linux")]
#[test]
fn an_export_to_a_full_disk_stops_and_can_be_resumed() {
    let (gateway, container) = filled(4, 2000);
    let directory = tempfile::tempdir().unwrap();
    let (disk, copy) = (directory.path().join("disk"), directory.path().join("copy"));
    std::fs::create_dir(&disk).unwrap();
    let out = disk.join("out");
    // In a mount namespace of its own, so that nothing stays mounted.
    let script = format!(
        "mount -t tmpfs -o size=128k tmpfs '{disk}' || exit 77\n\
         \"$0\" \"$@\"\n[ $? = 3 ] || exit 1\n\
         mount -o remount,size=64m '{disk}' || exit 77\n\
         \"$0\" resume --state '{state}' || exit 1\n\
         cp -r '{out}' '{copy}'",
        disk = disk.display(),
        out = out.display(),
        state = state_directory(&out).join("state.json").display(),
        copy = copy.display(),
    );
    let mut command = export(&gateway, &out);
    command.args(["--page-size", "20", "--checkpoint-interval", "1ms"]);
    let inner = through_shell(&command, &script);
    let mut outer = Command::new("unshare");
    outer
        .arg("-m")
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear();
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap());
    }
    match outer.output().map(Ended::from) {
        Ok(ended) if ended.code == Some(0) => {
            assert!(
                ended.stderr.contains("No space left on device"),
                "{}",
                ended.stderr
            );
            assert!(
                ended.stderr.contains("hint: what was committed is kept"),
                "{}",
                ended.stderr
            );
            assert_latest(&lines(&copy), &container);
        }
        Ok(ended) if ended.stderr.contains("error:") => panic!("{ended:?}"),
        refused => say(&format!(
            "left out: an export to a full disk, which takes the right to mount one: {refused:?}"
        )),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error() {
    let (gateway, _) = filled(2, 2000);
    for arguments in [
        &["export", "-o", "-"][..],
        &["ranges"],
        &["ranges", "--format", "json"],
    ] {
        let mut command = against(&gateway);
        command.args(arguments);
        let ended = run(&mut through_shell(
            &command,
            "exec \"$0\" \"$@\" > /dev/full",
        ));
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
        let text = "error: cannot write to standard output\n  Caused by: No space left on device";
        assert!(ended.stderr.contains(text), "{}", ended.stderr);
    }
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json");
    let mut command = export(&gateway, Path::new("-"));
    command.arg("--state").arg(&state);
    let mut shell = through_shell(&command, "exec \"$0\" \"$@\" > /dev/full");
    refuse(
        &mut shell,
        3,
        &["cannot write to standard output", "resume --state"],
    );
    let rest = succeed(against(&gateway).args(["resume", "--state"]).arg(&state));
    assert_eq!(rest.stdout.lines().count(), 2000, "nothing had been taken");
}

#[cfg(unix)]
#[test]
fn closed_streams_and_a_full_standard_error_are_no_reason_to_panic() {
    let (gateway, container) = filled(2, 500);
    let directory = tempfile::tempdir().unwrap();
    for (number, redirection) in ["<&-", "2>&-", "<&- 2>&-", "2>/dev/full", "2>/dev/null"]
        .iter()
        .enumerate()
    {
        for verbosity in ["-q", "-v", "-vvv"] {
            let script = format!("exec \"$0\" \"$@\" {redirection}");
            let ended = run(&mut through_shell(
                against(&gateway).args(["ranges", verbosity]),
                &script,
            ));
            assert_eq!(
                ended.code,
                Some(0),
                "{redirection} {verbosity}: {}",
                ended.stderr
            );
            assert!(
                ended.stdout.contains("RANGE"),
                "{redirection}: {}",
                ended.stdout
            );
            let ended = run(&mut through_shell(
                export(&gateway, Path::new("-")).arg(verbosity),
                &script,
            ));
            assert_eq!(
                ended.code,
                Some(0),
                "{redirection} {verbosity}: {}",
                ended.stderr
            );
            assert_latest(&split_lines(ended.stdout.as_bytes()), &container);
            let out = directory.path().join(format!("{number}{verbosity}"));
            succeed(&mut through_shell(
                export(&gateway, &out).arg(verbosity),
                &script,
            ));
            assert_latest(&lines(&out), &container);
            // A failure keeps its exit code even if nothing can be printed.
            let ended = run(&mut through_shell(
                export(&gateway, &out).arg("-v"),
                &script,
            ));
            assert_eq!(ended.code, Some(2), "{redirection}");
        }
    }
}
