//! Exports of a query that die at every step, meet faults and a split, and are resumed until they are done.

use std::path::PathBuf;

use crate::command::{Ended, export, resume, run};
use crate::gateway::{Action, Container, Fault, Gateway, RequestKind};
use crate::orders::filled;
use crate::query_oracle::{judge_query, query_in};
use crate::scene::{expect, has_state, steps};

/// Formats, each as the arguments of its export: one with commits within its files, one without.
const FORMATS: [&[&str]; 2] = [
    &["--format", "csv", "--compression", "gzip"],
    &["--format", "parquet", "--rotate-bytes", "2KiB"],
];

/// Resumes after which an export that is not done is stuck.
const PATIENCE: usize = 12;

/// An export of a query that is about to go wrong: of two partitions, one of which is split while it is read, with
/// faults between its pages.
struct Scene {
    gateway: Gateway,
    container: Container,
    out: PathBuf,
    arguments: Vec<String>,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn new(format: &[&str]) -> Self {
        let (gateway, container) = filled(2, 300);
        let handle = container.clone();
        let split = Action::call(move || {
            // A killed run comes here again.
            if handle.partitions().iter().any(|one| one.id == "0") {
                handle.split("0", 2);
            }
        });
        gateway.push_fault(Fault::on(RequestKind::Query, split).partition("0").nth(3));
        let faults = [
            Action::throttle(1),
            Action::status(503, 0),
            Action::TruncateBody { after: 100 },
            Action::CorruptBody,
            Action::ResetBeforeHeaders,
        ];
        for (index, action) in faults.into_iter().enumerate() {
            gateway.push_fault(Fault::on(RequestKind::Query, action).nth(2 + index * 4));
        }
        let directory = tempfile::tempdir().unwrap();
        Self {
            gateway,
            container,
            out: directory.path().join("out"),
            arguments: query_in(format),
            _directory: directory,
        }
    }

    /// Exports, or resumes an existing export, with a commit after each page and these failpoints.
    fn go_on(&self, failpoints: &str) -> Ended {
        let mut command = if has_state(&self.out) {
            resume(&self.gateway, &self.out)
        } else {
            let mut command = export(&self.gateway, &self.out);
            command.args(["--page-size", "20"]).args(&self.arguments);
            command
        };
        command.args(["--checkpoint-interval", "1h", "--checkpoint-bytes", "1"]);
        command.env("COSMOS_TAIL_LOCKSTEP", "1");
        run(command.env("COSMOS_TAIL_FAILPOINTS", failpoints))
    }

    /// Resumes until it is done, with failpoints in every run.
    fn finish_with(&self, failpoints: &str) -> Result<(), String> {
        for _ in 0..PATIENCE {
            let ended = self.go_on(failpoints);
            match ended.code {
                Some(0) => {
                    // The split comes with a request for a page, so it has met the query.
                    if self.container.partitions().iter().any(|one| one.id == "0") {
                        return Err("no partition was split meanwhile".to_owned());
                    }
                    return judge_query(&self.gateway, &self.container, &self.out);
                }
                None | Some(3) => {}
                Some(code) => return Err(format!("exit {code}: {}", ended.stderr)),
            }
        }
        Err(format!("not done after {PATIENCE} runs"))
    }
}

#[test]
fn a_query_that_dies_at_any_step_has_each_row_once_in_columns() {
    let mut killed = 0;
    for format in FORMATS {
        for step in steps(format) {
            // The first time, and for one format also at some time after it.
            for after in [0, 1 + fastrand::usize(..11)] {
                if after > 0 && format != FORMATS[0] {
                    continue;
                }
                let scene = Scene::new(format);
                let ended = scene.go_on(&format!("{step}={after}*off->return(kill)"));
                killed += usize::from(ended.code.is_none());
                // A second time, at the same step of the resume.
                scene.go_on(&format!("{step}=return(kill)"));
                let name = format!("{step} after {after}, {format:?}");
                expect(scene.finish_with(""), &name);
            }
        }
    }
    assert!(killed > 40, "only {killed} kills");
}

#[test]
fn a_step_that_fails_in_a_query_stops_it_resumably() {
    let format = FORMATS[1];
    for step in steps(format) {
        let scene = Scene::new(format);
        let ended = scene.go_on(&format!("{step}=return(EIO)"));
        let resumable = if has_state(&scene.out) { 3 } else { 1 };
        assert!(
            [Some(0), Some(resumable)].contains(&ended.code),
            "{step}: {}",
            ended.stderr
        );
        expect(scene.finish_with(""), step);
    }
}

#[test]
fn planted_defects_of_queries_are_found() {
    for format in FORMATS {
        expect(Scene::new(format).finish_with(""), "without a defect");
        // No kill is needed: the split shows it.
        let defect = "defect.parts-of-a-query-begin-again=return";
        let found = Scene::new(format).finish_with(defect).err();
        let found = found.unwrap_or_else(|| panic!("{defect} was not found in {format:?}"));
        assert!(found.contains("is there twice"), "{found}");
    }
    let defect = "defect.position-before-data=return";
    let found = (1..20).find_map(|times| {
        let scene = Scene::new(FORMATS[0]);
        scene.go_on(&format!(
            "{defect};state.sync-directory={times}*off->return(kill)"
        ));
        scene.finish_with(defect).err()
    });
    let found = found.expect("a position saved before its data was not found");
    let is_told = ["rows are missing", "verify"]
        .iter()
        .any(|part| found.contains(part));
    assert!(is_told, "{found}");
}
