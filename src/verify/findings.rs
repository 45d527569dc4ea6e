//! What is found about an export, and how it is printed.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::count::count;
use crate::escape::escape_for_terminal;
use crate::feed::Ends;
use crate::report::Report;
use crate::state::model::State;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// The state file.
    pub state: String,
    /// The plan that it is a share of, or all of whose shards were checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<uuid::Uuid>,
    /// How many shards of the plan were checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    /// How many ranges of a group were checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranges: Option<u32>,
    /// The summary that marks all shards of the plan as complete, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Whether the export is finished, but its state is of an earlier version, which did not hold where ranges
    /// end: so it cannot be checked whether each was read to its end.
    pub knows_no_ends: bool,
    /// How many finished files exist.
    pub files: usize,
    /// How many finished files were moved away.
    pub moved: usize,
    /// How many rows the state and the manifest list.
    pub rows: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How the ranges reached their ends; none if the export is not finished, or its state does not hold where
    /// they end.
    pub ends: Option<Ends>,
    /// Everything that is wrong.
    pub faults: Vec<Finding>,
    /// Everything that differs from a finished export, but has an explanation.
    pub notes: Vec<Finding>,
}

/// One finding.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// The name of the file.
    pub file: String,
    /// What was found about it.
    pub what: String,
}

impl Findings {
    /// Nothing yet, about the export of `state`, which is at `shown`.
    pub fn about(state: &State, shown: impl Into<String>) -> Self {
        Self {
            state: shown.into(),
            ends: state.ends().filter(|_| state.finished),
            knows_no_ends: state.finished && !state.knows_ends(),
            ..Self::default()
        }
    }

    /// What has a harmless explanation is a fault too.
    pub(super) fn be_strict(&mut self) {
        let notes = std::mem::take(&mut self.notes);
        self.faults.extend(notes);
    }

    /// The name of the state file.
    pub(super) fn state_name(&self) -> String {
        name_of(Path::new(&self.state))
    }

    pub(super) fn fault(&mut self, file: impl Into<String>, what: impl Into<String>) {
        self.faults.push(Finding {
            file: file.into(),
            what: what.into(),
        });
    }

    pub(super) fn note(&mut self, file: impl Into<String>, what: impl Into<String>) {
        self.notes.push(Finding {
            file: file.into(),
            what: what.into(),
        });
    }
}

/// Prints findings for people.
pub(super) fn print_text(found: &Findings, report: &Report) -> Result<()> {
    let mut text = String::new();
    for fault in &found.faults {
        let line = format!("{}: {}", fault.file, fault.what);
        text.push_str(&escape_for_terminal(&line));
        text.push('\n');
    }
    report.print(&text)?;
    for note in &found.notes {
        report.notice(&format!("note: {}: {}", note.file, note.what));
    }
    let verdict = match found.faults.len() as u64 {
        0 => "nothing is wrong".to_owned(),
        faults => count(faults, "fault"),
    };
    let moved = match found.moved as u64 {
        0 => String::new(),
        moved => format!(" ({moved} more moved away)"),
    };
    let ends = match (&found.ends, found.knows_no_ends) {
        (Some(ends), _) => format!(", {ends}"),
        (None, true) => {
            ", whether each range was read to its end is not known: the state is from an earlier version \
             of cosmos-tail"
                .to_owned()
        }
        (None, false) => String::new(),
    };
    let shards = match (found.shards, found.ranges) {
        (Some(shards), _) => format!("{}, ", count(u64::from(shards), "shard")),
        (None, Some(ranges)) => format!("{}, ", count(u64::from(ranges), "range")),
        (None, None) => String::new(),
    };
    report.notice(&format!(
        "verified `{}`: {shards}{}{moved}, {}, {verdict}{ends}",
        found.state,
        count(found.files as u64, "finished file"),
        count(found.rows, "row"),
    ));
    if found.ends.is_some_and(|ends| ends.newer_transactions > 0) {
        report.notice(
            match found.shards {
                None => "documents that these transactions rewrote before they were read may be in no file; `resume` \
                         reads them",
                Some(_) => "documents that these transactions rewrote before they were read may be in no file; `plan \
                            --after` plans them",
            },
        );
    }
    if let Some(summary) = &found.summary {
        report.notice(&format!("complete, as `{summary}` says"));
    }
    Ok(())
}

/// The name of a file, without its directory.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
