//! A wall clock that is hours wrong, and jumps between runs and during them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{
    DATABASE, Ended, against, assert_same, export, fail, files, lines, resume, run, split_lines,
    succeed,
};
use crate::gateway::{Action, Container, Fault, Gateway, GatewayOptions, RequestKind};
use crate::orders::{document, fill, filled};
use crate::replay::{COPY, content, replay, summary, write_lines};

const HOUR: i64 = 3600;

/// A clock whose error in seconds is in a file.
#[derive(Clone)]
struct Clock(PathBuf);

impl Clock {
    fn new(directory: &Path) -> Self {
        let clock = Self(directory.join("clock"));
        clock.jump_to(0);
        clock
    }

    fn jump_to(&self, seconds: i64) {
        // Atomically, so that no reader finds half of it.
        let new = self.0.with_extension("new");
        std::fs::write(&new, seconds.to_string()).unwrap();
        std::fs::rename(new, &self.0).unwrap();
    }

    /// Lets it jump during the request for the `nth` page from now on.
    fn jump_on_page(&self, gateway: &Gateway, nth: usize, seconds: i64) {
        let clock = self.clone();
        let jump = Action::call(move || clock.jump_to(seconds));
        gateway.push_fault(Fault::on(RequestKind::ChangeFeed, jump).nth(nth));
    }

    fn run(&self, command: &mut Command) -> Ended {
        run(self.is_of(command))
    }

    fn is_of<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("COSMOS_TAIL_CLOCK", &self.0)
    }
}

fn is_whole(gateway: &Gateway, container: &Container, out: &Path, name: &str) {
    if let Err(wrong) = crate::oracle::judge(gateway, container, out) {
        panic!("{name}: {wrong}");
    }
}

#[test]
fn an_export_with_a_jumping_clock_has_every_change_once() {
    for format in ["jsonl", "csv", "parquet"] {
        for offsets in [[5, -5, 0], [-72, 72, -1]] {
            let name = format!("{format}, {offsets:?}");
            let (gateway, container) = filled(3, 360);
            let directory = tempfile::tempdir().unwrap();
            let out = directory.path().join("out");
            let clock = Clock::new(directory.path());
            let common = ["--page-size", "20", "--checkpoint-interval", "1ms"];
            clock.jump_to(offsets[0] * HOUR);
            let mut first = export(&gateway, &out);
            first.args(common).args(["--format", format]);
            first.args(["--rotate-bytes", "4KiB"]);
            let killed = clock.run(first.env(
                "COSMOS_TAIL_FAILPOINTS",
                "publish.rename=2*off->return(kill)",
            ));
            assert_eq!(killed.code, None, "{name}: {}", killed.stderr);
            for offset in &offsets[1..] {
                clock.jump_on_page(&gateway, 3, offset * HOUR);
                let mut again = resume(&gateway, &out);
                again.args(&common[2..]);
                let step = "publish.rename=1*off->return(kill)";
                clock.run(again.env("COSMOS_TAIL_FAILPOINTS", step));
            }
            let ended = clock.run(&mut resume(&gateway, &out));
            assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
            // Later changes are read with a clock that is wrong in yet another way.
            fill(&container, 340..400);
            clock.jump_to(-HOUR * 24 * 365);
            succeed(clock.is_of(&mut resume(&gateway, &out)));
            is_whole(&gateway, &container, &out, &name);
        }
    }
}

#[test]
fn a_clock_that_jumps_ahead_finishes_no_file() {
    let (gateway, container) = filled(1, 400);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let clock = Clock::new(directory.path());
    clock.jump_on_page(&gateway, 8, 5 * HOUR);
    let mut command = export(&gateway, &out);
    command.args(["--page-size", "20", "--rotate-interval", "1h"]);
    succeed(clock.is_of(&mut command));
    assert_eq!(files(&out, "jsonl").len(), 1);
    is_whole(&gateway, &container, &out, "ahead");
}

#[test]
fn a_start_given_as_a_time_does_not_change() {
    let (gateway, container) = filled(2, 100);
    let start = time::OffsetDateTime::now_utc() - time::Duration::hours(1);
    let text = start
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    gateway.set_time(u64::try_from(start.unix_timestamp()).unwrap() + 60);
    fill(&container, 100..200);
    let directory = tempfile::tempdir().unwrap();
    let (out, state) = (directory.path().join("out"), directory.path().join("state"));
    let clock = Clock::new(directory.path());
    let mut first = export(&gateway, &out);
    first.args(["--from", &text, "--page-size", "20"]);
    first.args(["--checkpoint-interval", "1ms"]);
    let killed = clock.run(first.env("COSMOS_TAIL_FAILPOINTS", "state.create=2*off->return(kill)"));
    assert_eq!(killed.code, None, "{}", killed.stderr);
    // By this clock it is in the future: a new export refuses it, a resume continues with it.
    clock.jump_to(-5 * HOUR);
    let mut new = export(&gateway, &directory.path().join("new"));
    let refused = fail(clock.is_of(new.args(["--from", &text])), 2);
    let told = "is in the future by this machine's clock";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    succeed(clock.is_of(&mut resume(&gateway, &out)));
    let expected: Vec<Vec<u8>> = (100..200)
        .map(|number| text_of(&container, number))
        .collect();
    assert_same(&lines(&out), &expected);

    // An age means a time, once: when the tail first started.
    let mut tailed = Vec::new();
    for (from, offset) in [(&["--from", "2h"][..], 0), (&[], 5), (&[], -5)] {
        clock.jump_to(offset * HOUR);
        let mut tail = against(&gateway);
        tail.arg("tail").args(from).arg("--until-caught-up");
        let ended = succeed(clock.is_of(tail.arg("--state").arg(&state)));
        tailed.extend(split_lines(ended.stdout.as_bytes()));
        if offset == 5 {
            fill(&container, 200..220);
        }
    }
    let later = (200..220).map(|number| text_of(&container, number));
    let expected: Vec<Vec<u8>> = expected.into_iter().chain(later).collect();
    assert_same(&tailed, &expected);
}

/// A document as the gateway serves it.
fn text_of(container: &Container, number: usize) -> Vec<u8> {
    let id = document(number)["id"].clone();
    let latest = container.latest();
    let served = latest.iter().find(|served| id == served.id.as_str());
    served.unwrap().text.to_vec()
}

#[test]
fn a_now_is_the_services_whatever_the_clock_says() {
    for offset in [-5, 5] {
        let (gateway, container) = filled(2, 100);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let clock = Clock::new(directory.path());
        clock.jump_to(offset * HOUR);
        let mut command = export(&gateway, &out);
        succeed(clock.is_of(command.args(["--from", "now"])));
        fill(&container, 100..150);
        clock.jump_to(-offset * HOUR);
        succeed(clock.is_of(&mut resume(&gateway, &out)));
        let expected: Vec<Vec<u8>> = (100..150)
            .map(|number| text_of(&container, number))
            .collect();
        assert_same(&lines(&out), &expected);
    }
}

#[test]
fn a_resumed_replay_knows_its_own_writes_whatever_the_clock_says() {
    // By how many hours the service's clock is ahead, then this machine's in the first run and in the
    // second.
    for [service, first, second] in [[5, 5, 5], [0, 5, 0], [0, 0, -5], [5, 5, 0]] {
        let gateway = Gateway::start(GatewayOptions::default());
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        let now = time::OffsetDateTime::now_utc().unix_timestamp() + service * HOUR;
        gateway.set_time(u64::try_from(now).unwrap());
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source");
        let clock = Clock::new(directory.path());
        let versions = [
            r#"{"id":"1","pk":"p","n":1,"_ts":2000}"#,
            r#"{"id":"1","pk":"p","n":2,"_ts":2001}"#,
        ];
        let apply = |versions: &[&str], offset: i64| {
            write_lines(&source, versions);
            clock.jump_to(offset * HOUR);
            let mut command = replay(&gateway, &source);
            command.args(["--write-mode", "newer", "--summary", "json", "--state"]);
            summary(&succeed(
                clock.is_of(command.arg(directory.path().join("state"))),
            ))
        };
        assert_eq!(apply(&versions[..1], first)["created"], 1);
        let name = format!("service {service} h, then {first} h and {second} h");
        assert_eq!(apply(&versions, second)["replaced"], 1, "{name}");
        assert_eq!(content(&copy), [br#"{"id":"1","pk":"p","n":2}"#.to_vec()]);
    }
}
