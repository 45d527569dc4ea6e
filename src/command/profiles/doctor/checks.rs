//! The steps of the connection, and how each of them ended.

use serde::Serialize;

use crate::error::hints;
use crate::escape::escape_for_terminal;
use crate::redact::redact;
use crate::width::wrap;

/// What was not tested because something before it failed.
const SKIPPED: &str = "not reached";

/// The steps, in their order.
const STEPS: [&str; 12] = [
    "settings",
    "name",
    "connection",
    "tls",
    "clock",
    "credential",
    "account",
    "role",
    "database",
    "container",
    "feed",
    "all-versions",
];

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    Warn,
    Fail,
    Skipped,
}

impl Status {
    fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
}

/// A step and its outcome.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// The step.
    check: &'static str,
    /// How it ended.
    pub(super) status: Status,
    /// What was found.
    message: String,
    /// What to do about it.
    remedy: Option<String>,
}

/// A step that failed: nothing after it is tested.
pub(super) struct Stop;

/// The outcomes so far.
#[derive(Default)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    /// How `step` ended, or nothing when it was not reached yet.
    pub(super) fn status_of(&self, step: &str) -> Option<Status> {
        self.0
            .iter()
            .find(|check| check.check == step)
            .map(|check| check.status)
    }

    pub(super) fn add(&mut self, check: &'static str, status: Status, message: impl Into<String>) {
        self.0.push(Check {
            check,
            status,
            message: redact(&message.into()),
            remedy: None,
        });
    }

    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Ok, message);
    }

    pub(super) fn skip(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Skipped, message);
    }

    pub(super) fn with_remedy(
        &mut self,
        status: Status,
        check: &'static str,
        message: &str,
        remedy: String,
    ) {
        self.add(check, status, message);
        if let Some(last) = self.0.last_mut() {
            last.remedy = Some(redact(&remedy)).filter(|text| !text.is_empty());
        }
    }

    pub(super) fn fail(&mut self, check: &'static str, error: &anyhow::Error) -> Stop {
        let (message, remedy) = (format!("{error:#}"), hints(error).join("; "));
        self.with_remedy(Status::Fail, check, &message, remedy);
        Stop
    }

    /// In the order of the steps, with those that were not reached.
    pub(super) fn complete(mut self) -> Vec<Check> {
        for step in STEPS {
            if !self.0.iter().any(|check| check.check == step) {
                self.skip(step, SKIPPED);
            }
        }
        let place = |check: &Check| STEPS.iter().position(|step| *step == check.check);
        self.0.sort_by_key(place);
        self.0
    }
}

/// A line for each step, and one below it for its remedy. Of a terminal of so many columns they take as many lines
/// as it needs, below each other.
pub(super) fn text_of(checks: &[Check], columns: Option<usize>) -> String {
    const STATUS_WIDTH: usize = "skipped".len();
    const MIN_WIDTH: usize = 20;
    let step_width = STEPS.iter().map(|step| step.len()).max().unwrap_or(0);
    let indent = STATUS_WIDTH + step_width + 4;
    let width = columns.map_or(usize::MAX, |columns| {
        columns.saturating_sub(indent).max(MIN_WIDTH)
    });
    let mut text = String::new();
    for check in checks {
        let (status, step) = (check.status.text(), check.check);
        let mut beginning = format!("{status:<STATUS_WIDTH$}  {step:<step_width$}  ");
        let remedy = check.remedy.as_ref();
        let remedy = remedy.map(|remedy| format!("hint: {remedy}"));
        for part in [Some(&check.message), remedy.as_ref()]
            .into_iter()
            .flatten()
        {
            for line in wrap(&escape_for_terminal(part), width) {
                text.push_str(&format!("{beginning}{line}\n"));
                beginning = " ".repeat(indent);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::width::width_of;

    #[test]
    fn on_a_terminal_a_message_stays_in_its_column() {
        let message =
            "cannot open container `nix` of database `shop`: there is no container `nix` in it";
        let remedy =
            "the containers are: orders, orders_copy; name one with -c (AZURE_COSMOS_CONTAINER)";
        let mut checks = Checks::default();
        checks.with_remedy(Status::Fail, "container", message, remedy.to_owned());
        let checks = checks.complete();
        let whole = text_of(&checks, None);
        assert_eq!(whole.lines().count(), STEPS.len() + 1);
        for columns in [50, 80, 120] {
            let text = text_of(&checks, Some(columns));
            assert!(text.lines().all(|line| width_of(line) <= columns), "{text}");
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(&text), words(&whole));
            let beginning = |line: &str| line.chars().take(23).any(|c| c != ' ');
            assert_eq!(
                text.lines().filter(|line| beginning(line)).count(),
                STEPS.len()
            );
        }
        // There is always some space.
        assert!(text_of(&checks, Some(1)).lines().count() < 60);
    }
}
