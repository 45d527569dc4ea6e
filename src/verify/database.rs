//! The export of a database: each of its containers, checked as an export by itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::export::Depth;
use super::findings::{Finding, Findings, print_text};
use super::state_file::{check_state, in_use};
use crate::count::count;
use crate::destination::{STATE_FILE, state_directory_of};
use crate::durable::{Lock, STAGED_SUFFIX, is_there, lock_path, shown_path, with_suffix};
use crate::error::ExitCode;
use crate::escape::escape_for_terminal;
use crate::report::{Report, SummaryFormat};
use crate::settings::VerifyPlan;
use crate::signal::Shutdown;
use crate::state::database_file::{ContainerPlace, DATABASE_FILE, DatabaseFile};

/// What was found about the export of a database.
#[derive(Debug, Serialize)]
struct DatabaseFindings {
    /// The file that names the containers.
    state: String,
    /// The database.
    database: String,
    /// How many finished files exist.
    files: usize,
    /// How many rows they have.
    rows: u64,
    /// How many bytes they have.
    bytes: u64,
    /// The containers that were begun.
    containers: Vec<ContainerFindings>,
    /// What is wrong with the export as a whole.
    faults: Vec<Finding>,
    /// What differs from a finished export as a whole, but has an explanation.
    notes: Vec<Finding>,
}

/// What was found about one of its containers.
#[derive(Debug, Serialize)]
struct ContainerFindings {
    /// Its name.
    container: String,
    /// Since when it does not exist any more.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    gone: Option<time::OffsetDateTime>,
    #[serde(flatten)]
    found: Findings,
}

/// Checks the export of a database in `directory`, and prints what was found.
///
/// # Errors
///
/// If another process is writing it, or it cannot be read.
pub async fn verify_database(
    directory: PathBuf,
    plan: VerifyPlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let depth = match plan.quick {
        true => Depth::Names,
        false => Depth::Contents,
    };
    let strict = plan.strict;
    let checking = tokio::task::spawn_blocking(move || check_all(&directory, depth, strict));
    let found = tokio::select! {
        () = shutdown.requested() => return Ok(shutdown.reason().unwrap_or(ExitCode::Interrupted)),
        checked = checking => checked.context("the check ended unexpectedly")??,
    };
    match plan.format {
        SummaryFormat::Json => report.print_json(&found, false)?,
        SummaryFormat::Text => print(&found, report)?,
    }
    Ok(match found.count_faults() {
        0 => ExitCode::Done,
        _ => ExitCode::Failed,
    })
}

fn check_all(directory: &Path, depth: Depth, strict: bool) -> Result<DatabaseFindings> {
    let path = DatabaseFile::at(directory);
    let lock = lock_path(&path);
    if Lock::is_held(&lock)? {
        return Err(in_use(&path));
    }
    let read = || {
        let file = DatabaseFile::read(directory)?;
        file.with_context(|| format!("`{}` is gone", shown_path(&path)))
    };
    let file = read()?;
    let mut found = DatabaseFindings {
        state: path.display().to_string(),
        database: file.database.clone(),
        files: 0,
        rows: 0,
        bytes: 0,
        containers: Vec::new(),
        faults: Vec::new(),
        notes: Vec::new(),
    };
    let staged = with_suffix(&path, STAGED_SUFFIX);
    if is_there(&staged) {
        found.notes.push(Finding {
            file: format!("{DATABASE_FILE}{STAGED_SUFFIX}"),
            what: "a list that was never committed; `resume` deletes it".to_owned(),
        });
    }
    for container in &file.containers {
        if let Err(error) = found.check(&file, directory, container, depth, strict) {
            found.faults.push(Finding {
                file: container.directory.clone(),
                what: format!("it cannot be checked: {error:#}"),
            });
        }
    }
    if strict {
        let notes = std::mem::take(&mut found.notes);
        found.faults.extend(notes);
    }
    // If it was written meanwhile, the findings mean nothing.
    if read()? != file || Lock::is_held(&lock)? {
        return Err(in_use(&path));
    }
    Ok(found)
}

impl DatabaseFindings {
    fn check(
        &mut self,
        file: &DatabaseFile,
        directory: &Path,
        container: &ContainerPlace,
        depth: Depth,
        strict: bool,
    ) -> Result<()> {
        let place = directory.join(&container.directory);
        let own = state_directory_of(&place)?;
        let state = own.map(|own| own.join(STATE_FILE));
        let Some(state) = state.filter(|state| is_there(state)) else {
            let finding = |what: &str| Finding {
                file: container.directory.clone(),
                what: what.to_owned(),
            };
            match container.gone {
                Some(_) => self.notes.push(finding(
                    "the container was deleted before its export was begun",
                )),
                None => self.faults.push(finding(
                    "the export of the container has no state: it was not begun, which `resume` does, or it was moved away",
                )),
            }
            return Ok(());
        };
        let (state, mut found) = check_state(&state, depth, None)?;
        if !state.finished {
            self.notes.push(Finding {
                file: container.directory.clone(),
                what: match container.gone {
                    Some(_) => {
                        "the container was deleted before its export was finished".to_owned()
                    }
                    None => "its export is not finished; `resume` continues it".to_owned(),
                },
            });
        }
        if let Err(other) = file.ensure_own(container, &state) {
            self.faults.push(Finding {
                file: container.directory.clone(),
                what: other.to_string(),
            });
        }
        if strict {
            found.be_strict();
        }
        self.files += found.files;
        self.rows += found.rows;
        self.bytes += found.bytes;
        self.containers.push(ContainerFindings {
            container: container.name.clone(),
            gone: container.gone,
            found,
        });
        Ok(())
    }

    fn count_faults(&self) -> usize {
        let of_containers = self.containers.iter().map(|one| one.found.faults.len());
        self.faults.len() + of_containers.sum::<usize>()
    }
}

fn print(found: &DatabaseFindings, report: &Report) -> Result<()> {
    for one in &found.containers {
        print_text(&one.found, &report.of_container(&one.container))?;
    }
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
    let verdict = match found.count_faults() as u64 {
        0 => "nothing is wrong".to_owned(),
        faults => count(faults, "fault"),
    };
    report.notice(&format!(
        "verified `{}`: {}, {}, {}, {verdict}",
        found.state,
        count(found.containers.len() as u64, "container"),
        count(found.files as u64, "finished file"),
        count(found.rows, "row"),
    ));
    Ok(())
}
