//! `acceptance`: on the embedded account, on the scripted gateway, and on a gateway that breaks each belief.

#[cfg(feature = "demo")]
mod embedded;
mod planted;
mod scratch;
#[cfg(unix)]
mod stopped;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{Ended, cosmos_tail, run};
use crate::gateway::{Gateway, GatewayOptions, KEY};

/// The scratch database. It is a word that nothing else has.
const SCRATCH: &str = "ct_zanzibar";

/// The steps of a whole test, without a split.
const STEPS: usize = 24;

/// A gateway for a test: its documents are written at the time of day, as leases need it.
fn gateway() -> Gateway {
    let gateway = Gateway::start(GatewayOptions {
        new_take_all_tokens: true,
        ..GatewayOptions::default()
    });
    gateway.run_clock();
    gateway
}

/// `acceptance` on a gateway, in `directory`.
fn acceptance(gateway: &Gateway, directory: &Path) -> Command {
    let mut command = cosmos_tail();
    command
        .current_dir(directory)
        .env("AZURE_COSMOS_ENDPOINT", gateway.endpoint())
        .env("AZURE_COSMOS_KEY", KEY)
        .args(["acceptance", "--scratch-database", SCRATCH]);
    command
}

/// A whole test with its report.
struct Tested {
    ended: Ended,
    report: Value,
    /// The text of the report.
    text: String,
}

impl Tested {
    fn run(command: &mut Command, directory: &Path) -> Self {
        let path = directory.join("report.json");
        let ended = run(command.arg("--yes").arg("--report").arg(&path));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        Self {
            report: serde_json::from_str(&text).unwrap_or_default(),
            text,
            ended,
        }
    }

    /// The steps that ended so, with their reasons.
    fn steps(&self, result: &str) -> Vec<String> {
        let steps = self.report["steps"].as_array().into_iter().flatten();
        steps
            .filter(|step| step["result"] == result)
            .map(|step| format!("{}: {}", step["step"], step["reason"]))
            .collect()
    }

    /// The beliefs with this result.
    fn beliefs(&self, result: &str) -> Vec<String> {
        let beliefs = self.report["beliefs"].as_array().into_iter().flatten();
        beliefs
            .filter(|belief| belief["result"] == result)
            .map(|belief| format!("{} {}", belief["id"].as_str().unwrap(), belief["saw"]))
            .collect()
    }

    /// Nothing of these is in the report.
    #[track_caller]
    fn assert_has_none_of(&self, secrets: &[&str]) {
        for secret in secrets {
            assert!(!secret.is_empty());
            assert!(!self.text.contains(secret), "{secret} is in\n{}", self.text);
        }
    }
}

/// What a directory has.
fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What is in a report of a whole test that went well, whatever the account.
#[track_caller]
fn assert_passed(tested: &Tested, steps: usize, key: &str, endpoint: &str, directory: &Path) {
    let Tested { ended, report, .. } = tested;
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(report["passed"], true);
    assert_eq!(tested.steps("failed"), Vec::<String>::new());
    assert_eq!(tested.steps("refused"), Vec::<String>::new());
    assert_eq!(tested.steps("skipped"), Vec::<String>::new());
    assert_eq!(
        tested.steps("passed").len(),
        steps,
        "{:?}",
        tested.steps("passed")
    );
    assert!(
        tested.beliefs("held").len() >= 34,
        "{:?}",
        tested.beliefs("not seen")
    );
    assert_eq!(report["account"]["consistency"], "Session");
    assert!(report["cost"]["request_units"].as_f64().unwrap() > 1000.0);
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let here = directory.to_string_lossy();
    tested.assert_has_none_of(&[key, endpoint, host, "127.0.0.1", SCRATCH, &here]);
    // Nothing is left but the report.
    assert_eq!(names_in(directory), ["report.json"]);
}

#[test]
fn each_belief_is_broken_by_a_test() {
    let planted = include_str!("planted.rs");
    let beliefs = cosmos_tail::cosmos::witness::BELIEFS.iter();
    let kept: Vec<&str> = beliefs
        .map(|belief| belief.id)
        .filter(|id| !planted.contains(&format!("\"{id}\"")))
        .collect();
    assert_eq!(kept, [""; 0], "no gateway breaks these");
}
