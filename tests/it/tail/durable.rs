//! A tail that keeps its position.

use super::{Tailing, tail, texts};
use crate::command::{against, assert_same, fail, lines_of, split_lines, succeed};
use crate::gateway::RequestKind;
use crate::orders::{fill, filled};

#[test]
fn a_tail_with_a_state_resumes() {
    let (gateway, container) = filled(4, 100);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("tail.json");
    let tailing = Tailing::start(tail(&gateway).arg("--state").arg(&state));
    fill(&container, 1000..1100);
    gateway.wait_until_caught_up(&container);
    let first = tailing.stop();
    // Written while no tail runs.
    fill(&container, 1100..1200);
    let mut again = tail(&gateway);
    let second = succeed(again.args(["--until-caught-up", "--state"]).arg(&state));
    assert!(
        second.stderr.contains("from its saved position"),
        "{}",
        second.stderr
    );
    let shown = split_lines(format!("{}{}", first.stdout, second.stdout).as_bytes());
    assert_same(&shown, &texts(&container, |number| number >= 1000));
    let ended = fail(
        tail(&gateway)
            .args(["--from", "now", "--state"])
            .arg(&state),
        2,
    );
    assert!(
        ended.stderr.contains("already has a position"),
        "{}",
        ended.stderr
    );
    let ended = fail(
        tail(&gateway)
            .args(["--partition-key", "x", "--state"])
            .arg(&state),
        2,
    );
    assert!(
        ended
            .stderr
            .contains("a tail of the whole container, not of the partition key \"x\""),
        "{}",
        ended.stderr
    );
    let ended = fail(against(&gateway).args(["resume", "--state"]).arg(&state), 2);
    assert!(ended.stderr.contains("state of a tail"), "{}", ended.stderr);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[cfg(unix)]
#[test]
fn a_file_with_a_state_holds_every_change_once_across_kills() {
    use crate::command::signal;
    use nix::sys::signal::Signal;
    let (gateway, container) = filled(4, 50);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("changes.jsonl");
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..25 {
        let mut command = tail(&gateway);
        command
            .args(["--checkpoint-interval", "5ms", "-o"])
            .arg(&out);
        let tailing = Tailing::start(&mut command);
        let first = 1000 + round * 100;
        fill(&container, first..first + 100);
        let polls = gateway.requests(RequestKind::ChangeFeed) + random.usize(0..30);
        gateway.wait_for(RequestKind::ChangeFeed, polls);
        signal(&tailing.child, Signal::SIGKILL);
        assert_eq!(tailing.end().code, None);
    }
    succeed(tail(&gateway).args(["--until-caught-up", "-o"]).arg(&out));
    assert_same(&lines_of(&out), &texts(&container, |number| number >= 1000));
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn a_file_without_its_state_is_not_touched() {
    let (gateway, _) = filled(1, 1);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("mine.jsonl");
    std::fs::write(&out, "mine\n").unwrap();
    let ended = fail(tail(&gateway).arg("-o").arg(&out), 2);
    assert!(
        ended.stderr.contains("exists, but has no state"),
        "{}",
        ended.stderr
    );
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine\n");
}
