//! The same for an export, a tail and a copy: a range does not end before its pin, whatever an answer says,
//! nor before the changes made while it was read.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::command::{CONTAINER, DATABASE, Ended, against, export, resume, run};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, RequestKind, RequestRecord, at_random,
    rewriter,
};
use crate::oracle::{Snapshot, judge, judge_one_shot};
use crate::orders::{filled, filled_with};
use crate::replay::COPY;

/// An export during which something is wrong.
struct Trial {
    gateway: Gateway,
    container: Container,
    before: Snapshot,
    directory: tempfile::TempDir,
}

impl Trial {
    fn new(consistency: &'static str, partitions: usize, documents: usize, lag: u64) -> Self {
        let options = GatewayOptions {
            consistency,
            // A dozen documents, whatever page size a client requests.
            max_page_bytes: 4 << 10,
            ..GatewayOptions::default()
        };
        let (gateway, container) = filled_with(options, partitions, documents);
        Self {
            before: Snapshot::of_replicas(&container, lag),
            gateway,
            container,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn out(&self) -> std::path::PathBuf {
        self.directory.path().join("out")
    }

    fn on_feed(&self, action: Action) -> Fault {
        Fault::on(RequestKind::ChangeFeed, action)
    }

    fn export(&self) -> Ended {
        let mut command = export(&self.gateway, &self.out());
        run(command.args(["--page-size", "20", "--max-retries", "3"]))
    }

    /// All documents to standard output.
    fn tail(&self) -> Ended {
        let mut command = against(&self.gateway);
        command.args(["tail", "--from", "beginning", "--until-caught-up"]);
        run(command.args(["--max-retries", "3"]))
    }

    /// A copy of the container.
    fn replay(&self) -> (Ended, Container) {
        let copy = match self.gateway.container(DATABASE, COPY) {
            Some(copy) => copy,
            None => self.gateway.create_container(DATABASE, COPY, "/pk", 2),
        };
        let mut command = against(&self.gateway);
        command.env("AZURE_COSMOS_CONTAINER", COPY);
        let source = format!("{DATABASE}/{CONTAINER}");
        command.args(["replay", "--from-container", &source]);
        command.args(["--max-retries", "3", "--state"]);
        (
            run(command.arg(self.directory.path().join("replayed"))),
            copy,
        )
    }

    fn resume(&self) -> Ended {
        run(&mut resume(&self.gateway, &self.out()))
    }

    /// The export either says that it is not done, and is done after resumes without the fault; or it has every
    /// document that existed throughout. In the end everything is there.
    #[track_caller]
    fn judge(self, what: &str, ended: &Ended) {
        if ended.code == Some(0) {
            let existed = self.before.existed_until_now(&self.container);
            judge_one_shot(&self.gateway, &self.container, &self.out(), &existed)
                .unwrap_or_else(|wrong| panic!("{what}: exit 0, but {wrong}"));
        } else {
            assert_eq!(ended.code, Some(3), "{what}: {}", ended.stderr);
            assert!(ended.stderr.contains("resume"), "{what}: {}", ended.stderr);
        }
        self.gateway.clear_faults();
        self.gateway.clear_lag();
        let resumed = self.resume();
        assert_eq!(resumed.code, Some(0), "{what}: {}", resumed.stderr);
        judge(&self.gateway, &self.container, &self.out())
            .unwrap_or_else(|wrong| panic!("{what}, in the end: {wrong}"));
    }
}

fn ids(numbers: impl Iterator<Item = usize>) -> impl Iterator<Item = String> {
    numbers.map(|number| format!("item-{number}"))
}

/// Rewrites these documents at the request for the first page of a range, which is after its pin.
fn rewrite_after_the_pins(trial: &Trial, numbers: std::ops::Range<usize>) {
    let handle = trial.container.clone();
    let rewrite = Action::call(move || {
        for id in ids(numbers.clone()) {
            handle.rewrite(&id);
        }
    });
    let fault = trial.on_feed(rewrite);
    trial
        .gateway
        .push_fault(fault.when(|record| record.is_page() && record.token.is_some()));
}

/// What a run with exit code 0 must have.
#[track_caller]
fn assert_all_there(trial: &Trial, found: &BTreeSet<String>, what: &str) {
    let existed = trial.before.existed_until_now(&trial.container);
    let missing: Vec<&String> = existed.iter().filter(|id| !found.contains(*id)).collect();
    assert!(
        missing.is_empty(),
        "{what}: exit 0, but {} of {} are missing, such as {}",
        missing.len(),
        existed.len(),
        missing[0]
    );
}

fn ids_of_lines(text: &str) -> BTreeSet<String> {
    let id = |line: &str| {
        let document: Value = serde_json::from_str(line).unwrap();
        document["id"].as_str().unwrap().to_owned()
    };
    text.lines().map(id).collect()
}

fn ids_of(copy: &Container) -> BTreeSet<String> {
    copy.latest().into_iter().map(|served| served.id).collect()
}

#[test]
fn documents_rewritten_during_an_export_are_in_its_files() {
    for rewritten in [20, 100, 600] {
        let trial = Trial::new("Session", 4, 600, 0);
        rewrite_after_the_pins(&trial, 600 - rewritten..600);
        let ended = trial.export();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        trial.judge(&format!("{rewritten} at once"), &ended);

        let trial = Trial::new("Session", 4, 600, 0);
        // The last are rewritten first: they move on before they are read.
        let last = ids((600 - rewritten..600).rev());
        trial
            .gateway
            .push_fault(rewriter(&trial.container, last, 1));
        let ended = trial.export();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        trial.judge(&format!("{rewritten} between pages"), &ended);
    }
}

#[test]
fn documents_rewritten_while_a_tail_catches_up_are_printed() {
    for rewritten in [20, 100, 600] {
        let trial = Trial::new("Session", 4, 600, 0);
        rewrite_after_the_pins(&trial, 600 - rewritten..600);
        let ended = trial.tail();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_all_there(&trial, &ids_of_lines(&ended.stdout), "tail");
    }
}

#[test]
fn documents_rewritten_during_a_copy_are_in_it() {
    for rewritten in [20, 100, 600] {
        let trial = Trial::new("Session", 4, 600, 0);
        rewrite_after_the_pins(&trial, 600 - rewritten..600);
        let (ended, copy) = trial.replay();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_all_there(&trial, &ids_of(&copy), "replay");
    }
}

/// Answers that say permanently that there is nothing new.
fn stale_answers() -> [(&'static str, Action); 4] {
    [
        ("a replica that lags", Action::Lag(60)),
        ("its own ETag", Action::NotModified { etag: None }),
        ("a lower ETag", Action::NotModifiedBehind(7)),
        ("no ETag", Action::answer(304, None, "")),
    ]
}

#[test]
fn a_false_304_does_not_make_a_tail_or_copy_caught_up() {
    for (name, answer) in stale_answers() {
        for times in [2, usize::MAX] {
            let what = format!("{name}, {times} times");
            let script = |trial: &Trial| {
                let fault = trial.on_feed(answer.clone()).partition("1").nth(3);
                trial
                    .gateway
                    .push_fault(fault.when(RequestRecord::is_page).times(times));
            };
            let trial = Trial::new("Eventual", 2, 400, 0);
            script(&trial);
            let ended = trial.tail();
            if times == 2 {
                assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
            }
            if ended.code == Some(0) {
                assert_all_there(&trial, &ids_of_lines(&ended.stdout), &what);
            }

            let trial = Trial::new("Eventual", 2, 400, 0);
            script(&trial);
            let (mut ended, copy) = trial.replay();
            if times == 2 {
                assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
            }
            if ended.code != Some(0) {
                assert_eq!(ended.code, Some(3), "{what}: {}", ended.stderr);
                trial.gateway.clear_faults();
                ended = trial.replay().0;
                assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
            }
            assert_all_there(&trial, &ids_of(&copy), &what);
        }
    }
}

#[test]
fn changes_that_a_lagging_replica_lacks_are_not_left_out() {
    for consistency in [
        "Session",
        "BoundedStaleness",
        "ConsistentPrefix",
        "Eventual",
    ] {
        // The pin is from a replica that has everything; the reads are from one that lags, for a while or
        // permanently.
        for times in [2, usize::MAX] {
            let trial = Trial::new(consistency, 2, 400, 0);
            trial.gateway.push_fault(
                trial
                    .on_feed(Action::Lag(60))
                    .when(RequestRecord::is_page)
                    .times(times),
            );
            let ended = trial.export();
            trial.judge(&format!("{consistency}, {times} times"), &ended);
        }
    }
}

#[test]
fn replicas_that_lag_at_random_lose_nothing() {
    for seed in 0..6 {
        let trial = Trial::new("Eventual", 3, 500, 40);
        trial.gateway.set_lag(at_random(seed, 40));
        let rewritten = ids((0..500).step_by(7).collect::<Vec<_>>().into_iter().rev());
        trial
            .gateway
            .push_fault(rewriter(&trial.container, rewritten, 1));
        let ended = trial.export();
        trial.judge(&format!("seed {seed}"), &ended);
    }
}

#[test]
fn a_false_304_is_not_the_end() {
    let empty = ("an empty ETag", Action::answer(304, Some(""), ""));
    for (name, answer) in stale_answers().into_iter().skip(1).chain([empty]) {
        for page in [1, 5] {
            for times in [3, usize::MAX] {
                let trial = Trial::new("Session", 2, 400, 0);
                let fault = trial.on_feed(answer.clone());
                trial.gateway.push_fault(
                    fault
                        .when(RequestRecord::is_page)
                        .partition("1")
                        .nth(page)
                        .times(times),
                );
                let ended = trial.export();
                let what = format!("{name}, page {page}, {times} times");
                if times <= 3 {
                    assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
                }
                trial.judge(&what, &ended);
            }
        }
    }
}

/// Answers that are neither a 304 nor a page.
const NONSENSE: [(&str, &str); 6] = [
    ("HTML", "<html><body>Please log in</body></html>"),
    ("nothing", ""),
    ("an error", "{\"code\":\"BadGateway\",\"message\":\"no\"}"),
    ("null", "null"),
    ("an array", "[]"),
    ("no documents", "{\"_rid\":\"x\",\"_count\":0}"),
];

#[test]
fn a_useless_answer_to_the_pin_is_not_the_end() {
    for (name, body) in NONSENSE {
        for etag in [Some("\"5\""), Some("\"10005\""), Some(""), None] {
            let trial = Trial::new("Session", 2, 200, 0);
            let fault = trial.on_feed(Action::answer(200, etag, body));
            trial.gateway.push_fault(fault.when(RequestRecord::is_pin));
            let ended = trial.export();
            let what = format!("{name}, {etag:?}");
            assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
            trial.judge(&what, &ended);
        }
    }
    for (name, body) in [NONSENSE[0], NONSENSE[1]] {
        let trial = Trial::new("Session", 2, 200, 0);
        let fault = trial.on_feed(Action::answer(200, Some("\"5\""), body));
        trial
            .gateway
            .push_fault(fault.when(RequestRecord::is_pin).always());
        let ended = trial.export();
        assert_eq!(ended.code, Some(3), "{name}: {}", ended.stderr);
        trial.judge(name, &ended);
    }
}

#[test]
fn an_answer_that_is_not_a_page_moves_nothing() {
    for (name, body) in NONSENSE {
        for page in [1, 3] {
            let trial = Trial::new("Session", 2, 200, 0);
            let fault = trial.on_feed(Action::answer(200, Some("\"10099\""), body));
            trial.gateway.push_fault(
                fault
                    .when(RequestRecord::is_page)
                    .partition("1")
                    .nth(page)
                    .times(2),
            );
            let ended = trial.export();
            assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
            trial.judge(&format!("{name}, page {page}"), &ended);
        }
    }
}

/// An edit of a good page.
type Edit = fn(&mut Value);

#[test]
fn a_malformed_page_is_requested_again() {
    let edits: [(&str, Edit); 6] = [
        ("_rid", |page| page["_rid"] = "AAAAAAAAAAA=".into()),
        ("more in _count", |page| {
            page["_count"] = (page["_count"].as_u64().unwrap() + 1).into();
        }),
        ("less in _count", |page| page["_count"] = 0.into()),
        ("a null", |page| page["Documents"][0] = Value::Null),
        ("a number", |page| page["Documents"][1] = 7.into()),
        ("an array", |page| {
            page["Documents"][2] = Value::Array(Vec::new())
        }),
    ];
    for (name, edit) in edits {
        for times in [1, usize::MAX] {
            let trial = Trial::new("Session", 2, 200, 0);
            let fault = trial.on_feed(Action::edit_json(edit)).partition("0").nth(2);
            trial
                .gateway
                .push_fault(fault.when(RequestRecord::is_page).times(times));
            let ended = trial.export();
            let expected = if times == 1 { 0 } else { 3 };
            assert_eq!(ended.code, Some(expected), "{name}: {}", ended.stderr);
            trial.judge(&format!("{name}, {times} times"), &ended);
        }
    }
}

#[test]
fn an_empty_etag_is_not_a_position() {
    for is_pin in [true, false] {
        let trial = Trial::new("Session", 2, 200, 0);
        let fault = trial.on_feed(Action::edit_etag(|_| Some(String::new())));
        let fault = fault.when(move |record| record.is_pin() == is_pin).times(2);
        trial.gateway.push_fault(fault);
        let ended = trial.export();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        trial.judge("an empty ETag", &ended);
    }
}

#[test]
fn a_page_that_goes_back_is_not_written_again() {
    for back in [25, u64::MAX] {
        for times in [1, usize::MAX] {
            let trial = Trial::new("Session", 2, 400, 0);
            let fault = trial.on_feed(Action::GoBack(back)).partition("0").nth(4);
            trial
                .gateway
                .push_fault(fault.when(RequestRecord::is_page).times(times));
            let ended = trial.export();
            trial.judge(&format!("{back} back, {times} times"), &ended);
        }
    }
}

#[test]
fn an_export_from_now_begins_at_a_valid_pin() {
    for (name, body) in NONSENSE {
        let (gateway, container) = filled(1, 50);
        let fault = Fault::on(
            RequestKind::ChangeFeed,
            Action::answer(200, Some("\"5\""), body),
        );
        gateway.push_fault(fault.when(RequestRecord::is_pin));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut command: Command = export(&gateway, &out);
        let ended = run(command.args(["--from", "now"]));
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
        container.rewrite("item-7");
        let resumed = run(&mut resume(&gateway, &out));
        assert_eq!(resumed.code, Some(0), "{name}: {}", resumed.stderr);
        let lines = crate::command::lines(&out);
        assert_eq!(lines.len(), 1, "{name}: {lines:?}");
        assert_eq!(gateway.violations(), Vec::<String>::new(), "{name}");
    }
}
