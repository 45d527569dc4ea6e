//! What an acceptance test found: the report, as a table and as JSON, without secrets and names.

use std::collections::BTreeMap;

use serde::Serialize;

use super::names::Names;
use crate::cosmos::scratch::Refusal;
use crate::cosmos::witness::AccountFacts;
use crate::report::{Align, Table};

/// The longest reason of a step.
const MAX_REASON: usize = 600;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", content = "reason", rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It found what the known set says.
    Passed,
    /// It did not.
    Failed(String),
    /// The account does not do this, for this reason.
    Refused(String),
    /// It was not tried, for this reason.
    Skipped(String),
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "FAILED",
            Self::Refused(_) => "refused",
            Self::Skipped(_) => "skipped",
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::Failed(reason) | Self::Refused(reason) | Self::Skipped(reason) => reason,
        }
    }

    pub(super) fn clean(self, names: &Names) -> Self {
        match self {
            Self::Passed => Self::Passed,
            Self::Failed(reason) => Self::Failed(names.clean_short(&reason, MAX_REASON)),
            Self::Refused(reason) => Self::Refused(names.clean_short(&reason, MAX_REASON)),
            Self::Skipped(reason) => Self::Skipped(names.clean_short(&reason, MAX_REASON)),
        }
    }
}

impl From<Result<(), String>> for Verdict {
    fn from(judged: Result<(), String>) -> Self {
        match judged {
            Ok(()) => Self::Passed,
            Err(reason) => Self::Failed(reason),
        }
    }
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        match refusal.status == 403 || refusal.is_serverless() {
            true => Self::Refused(refusal.reason),
            false => Self::Failed(refusal.reason),
        }
    }
}

/// A step.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// What it did.
    pub(super) step: String,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
    pub(super) seconds: f64,
    pub(super) request_units: f64,
}

impl Step {
    /// For people, when it ends.
    pub(super) fn line(&self) -> String {
        let (word, reason) = (self.verdict.word(), self.verdict.reason());
        match reason.is_empty() {
            true => format!("{}: {word}", self.step),
            false => format!("{}: {word}: {reason}", self.step),
        }
    }
}

/// What became of a shape of documents.
#[derive(Debug, Serialize)]
pub(super) struct Shape {
    pub(super) shape: &'static str,
    /// `as written`, `same content`, `other content`, `refused`, or `not found`.
    pub(super) stored: &'static str,
    /// What the service makes of it, or why it is refused.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) detail: String,
}

impl Shape {
    /// The detail, short enough for a table.
    fn shown(&self) -> String {
        const MAX: usize = 80;
        let mut short: String = self.detail.chars().take(MAX).collect();
        if short.len() < self.detail.len() && !short.ends_with('…') {
            short.push('…');
        }
        short
    }
}

/// What was seen of a belief.
#[derive(Debug, Serialize)]
pub(super) struct Believed {
    pub(super) id: &'static str,
    pub(super) belief: &'static str,
    /// `held`, `differs` or `not seen`.
    pub(super) result: &'static str,
    /// The answers about it.
    pub(super) answers: u64,
    /// What was seen instead, with the number of answers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) saw: BTreeMap<String, u64>,
}

/// Answers of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Answers {
    pub(super) request: String,
    pub(super) status: u16,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) substatus: u32,
    pub(super) answers: u64,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What the test cost.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    pub(super) estimated_request_units: u64,
    pub(super) request_units: f64,
    pub(super) seconds: f64,
    /// The throughput of what was created, in RU/s; none in an account without provisioned throughput.
    pub(super) throughput: Option<u64>,
}

/// The report.
#[derive(Debug, Serialize)]
pub(super) struct Acceptance {
    pub(super) format: &'static str,
    pub(super) version: &'static str,
    pub(super) driver: &'static str,
    pub(super) system: String,
    pub(super) passed: bool,
    /// Whether a signal ended it before its last step.
    pub(super) stopped: bool,
    pub(super) credential: &'static str,
    pub(super) http: &'static str,
    pub(super) account: AccountFacts,
    pub(super) cost: Cost,
    pub(super) steps: Vec<Step>,
    pub(super) shapes: Vec<Shape>,
    pub(super) beliefs: Vec<Believed>,
    pub(super) answers: Vec<Answers>,
    /// By the kind of request: headers of the answers, each with the shape of its value.
    pub(super) headers: BTreeMap<String, BTreeMap<String, String>>,
}

impl Acceptance {
    /// The steps, for people.
    pub(super) fn steps_table(&self) -> Table<5> {
        let mut table = Table::new([
            ("STEP", Align::Left),
            ("RESULT", Align::Left),
            ("SECONDS", Align::Right),
            ("RU", Align::Right),
            ("REASON", Align::Left),
        ]);
        for step in &self.steps {
            table.push([
                step.step.clone(),
                step.verdict.word().to_owned(),
                format!("{:.1}", step.seconds),
                format!("{:.0}", step.request_units),
                step.verdict.reason().to_owned(),
            ]);
        }
        table
    }

    /// What differs from what is believed, for people: shapes and beliefs.
    pub(super) fn differences_table(&self) -> Option<Table<3>> {
        let mut table = Table::new([
            ("BELIEF", Align::Left),
            ("ANSWERS", Align::Right),
            ("SAW", Align::Left),
        ]);
        let differing = self
            .beliefs
            .iter()
            .filter(|believed| believed.result == "differs");
        let mut is_empty = true;
        for believed in differing {
            is_empty = false;
            let saw: Vec<String> = believed
                .saw
                .iter()
                .map(|(saw, times)| format!("{saw} ({times})"))
                .collect();
            table.push([
                format!("{}: {}", believed.id, believed.belief),
                believed.answers.to_string(),
                saw.join("; "),
            ]);
        }
        for shape in self
            .shapes
            .iter()
            .filter(|shape| shape.stored != "as written")
        {
            is_empty = false;
            table.push([
                format!("document.text: a document keeps its text: {}", shape.shape),
                "1".to_owned(),
                format!("{}: {}", shape.stored, shape.shown()),
            ]);
        }
        (!is_empty).then_some(table)
    }

    /// How many beliefs have this result.
    pub(super) fn believed(&self, result: &str) -> usize {
        self.beliefs
            .iter()
            .filter(|believed| believed.result == result)
            .count()
    }
}
