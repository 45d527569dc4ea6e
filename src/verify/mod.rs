//! The `verify` subcommand: checks an export against its own state and manifest, without the service.
//!
//! It writes nothing and locks nothing. A finding is either a fault, which neither a crash nor a consumer of
//! finished files explains, or a note: a file that was moved away, or something that the next `resume`
//! will clean up.

mod contents;
mod spans;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow};
use fs_err as fs;
use serde::Serialize;

use self::contents::{Contents, Expected};
use self::spans::Part;
use crate::cosmos::token::segments;
use crate::destination::manifest::{Entry, Manifest, Purpose};
use crate::destination::names::{FileNames, STATE_FILE};
use crate::destination::{FileState, may_be_unknown};
use crate::durable::{self, Lock, lock_path, parent_of, with_suffix};
use crate::error::{ExitCode, usage, with_exit_code, with_hint};
use crate::escape::escape_for_terminal;
use crate::feed::Ends;
use crate::feed::lsn_of_etag;
use crate::report::SummaryFormat;
use crate::report::{Report, count};
use crate::settings::VerifyPlan;
use crate::signal::Shutdown;
use crate::state::file;
use crate::state::model::State;

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Findings {
    /// The state file.
    state: String,
    /// Whether the export is finished, but its state is of an earlier version, which did not hold where ranges
    /// end: so it cannot be checked whether each was read to its end.
    knows_no_ends: bool,
    /// How many finished files exist.
    files: usize,
    /// How many finished files were moved away.
    moved: usize,
    /// How many rows the state and the manifest list.
    rows: u64,
    /// How many bytes they have.
    bytes: u64,
    /// How the ranges reached their ends; none if the export is not finished, or its state does not hold where
    /// they end.
    ends: Option<Ends>,
    /// Everything that is wrong.
    faults: Vec<Finding>,
    /// Everything that differs from a finished export, but has an explanation.
    notes: Vec<Finding>,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Finding {
    /// The name of the file.
    file: String,
    /// What was found about it.
    what: String,
}

impl Findings {
    fn fault(&mut self, file: impl Into<String>, what: impl Into<String>) {
        self.faults.push(Finding {
            file: file.into(),
            what: what.into(),
        });
    }

    fn note(&mut self, file: impl Into<String>, what: impl Into<String>) {
        self.notes.push(Finding {
            file: file.into(),
            what: what.into(),
        });
    }
}

/// Checks an export and prints the findings. The exit code says whether anything is wrong.
///
/// # Errors
///
/// If there is no export, another process is writing it, or its state cannot be read.
pub async fn verify(plan: VerifyPlan, report: &Report, shutdown: &Shutdown) -> Result<ExitCode> {
    let checking = tokio::task::spawn_blocking(move || {
        let found = check(&plan.path);
        (plan, found)
    });
    let (plan, found) = tokio::select! {
        () = shutdown.requested() => return Ok(shutdown.reason().unwrap_or(ExitCode::Interrupted)),
        checked = checking => checked.context("the check ended unexpectedly")?,
    };
    let mut found = found?;
    if plan.strict {
        let notes = std::mem::take(&mut found.notes);
        found.faults.extend(notes);
    }
    match plan.format {
        SummaryFormat::Json => report.print_json(&found, false)?,
        SummaryFormat::Text => print_text(&found, report)?,
    }
    Ok(if found.faults.is_empty() {
        ExitCode::Done
    } else {
        ExitCode::Failed
    })
}

fn print_text(found: &Findings, report: &Report) -> Result<()> {
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
    report.notice(&format!(
        "verified `{}`: {}{moved}, {}, {verdict}{ends}",
        found.state,
        count(found.files as u64, "finished file"),
        count(found.rows, "row"),
    ));
    if found.ends.is_some_and(|ends| ends.newer_transactions > 0) {
        report.notice(
            "documents that these transactions rewrote before they were read may be in no file; `resume` \
             reads them",
        );
    }
    Ok(())
}

/// The state file of the export that `path` names: a directory, a file, or the state itself.
fn state_of(path: &Path) -> Result<PathBuf> {
    if path.is_dir() {
        let state = path.join(STATE_FILE);
        return if state.exists() {
            Ok(state)
        } else {
            Err(usage(
                format!("`{}` has no state of an export", path.display()),
                "if the export keeps its state elsewhere, pass the path of that state",
            ))
        };
    }
    let beside = with_suffix(path, ".state.json");
    // A file that was moved away may still have its state here.
    Ok(if beside.exists() {
        beside
    } else {
        path.to_owned()
    })
}

fn check(path: &Path) -> Result<Findings> {
    let path = state_of(path)?;
    let load = || {
        file::read(&path)
            .with_context(|| format!("cannot verify the export of `{}`", path.display()))
    };
    let state = load()?;
    if Lock::is_held(&lock_path(&path))? {
        return Err(in_use(&path));
    }
    let names = state.file_names(parent_of(&path));
    let mut found = Findings {
        state: path.display().to_string(),
        ends: state.ends().filter(|_| state.finished),
        knows_no_ends: state.finished && !state.knows_ends(),
        ..Findings::default()
    };
    check_ends(&state, &mut found);
    if with_suffix(&path, durable::STAGED_SUFFIX).exists() {
        let staged = name_of(&with_suffix(&path, durable::STAGED_SUFFIX));
        found.note(
            staged,
            "a state that was never committed; `resume` deletes it",
        );
    }
    if !names.is_standard_output() {
        check_files(&state, &names, &mut found)?;
    }
    // If the export was written meanwhile, the findings mean nothing.
    if load()?.generation != state.generation || Lock::is_held(&lock_path(&path))? {
        return Err(in_use(&path));
    }
    Ok(found)
}

fn in_use(path: &Path) -> anyhow::Error {
    with_hint(
        with_exit_code(
            anyhow!("the export of `{}` is being written", path.display()),
            ExitCode::Usage,
        ),
        "verify it once it has ended, or stop it first; `resume` continues it",
    )
}

/// Checks that a finished export has read each range to its pinned end. The files cannot show it: changes
/// that were never read leave no trace in them.
fn check_ends(state: &State, found: &mut Findings) {
    let state_name = name_of(Path::new(&found.state));
    for range in &state.ranges {
        let Some(end) = &range.end else { continue };
        let is_there = match &range.position {
            None => false,
            Some(position) => segments(&position.token, &range.range)
                .unwrap_or_default()
                .iter()
                .all(|part| {
                    part.etag.as_deref().is_some_and(|etag| {
                        end.is_reached_by(etag) || lsn_of_etag(etag) == end.lsn()
                    })
                }),
        };
        if end.reached.is_some() && !is_there {
            let lsn = |lsn: Option<u64>| {
                lsn.map_or("an unknown place".to_owned(), |lsn| format!("LSN {lsn}"))
            };
            found.fault(
                &state_name,
                format!(
                    "range {} is marked as read to its end at {}, but it is at {}",
                    range.id,
                    lsn(end.lsn()),
                    match &range.position {
                        Some(position) => lsn(position.lsn),
                        None => "the beginning".to_owned(),
                    }
                ),
            );
        }
    }
}

fn check_files(state: &State, names: &FileNames, found: &mut Findings) -> Result<()> {
    let entries = read_manifest(state, names, found)?;
    let contents = Contents::of(state);
    let mut jobs = Vec::new();
    let mut known = BTreeSet::new();
    for entry in &entries {
        let path = names.directory().join(&entry.file);
        known.insert(path.clone());
        if !path.exists() {
            found.moved += 1;
            found.note(&entry.file, "was moved away");
            continue;
        }
        found.files += 1;
        jobs.push(Expected::of_entry(path, entry));
    }
    check_unpublished(state, names, found, &mut known, &mut jobs);
    check_others(state, names, found, &known)?;
    for (file, what) in read_contents(&jobs, &contents) {
        found.fault(file, what);
    }
    check_totals(state, &entries, found);
    for (file, what) in spans::check(state, &parts(state, names, &entries)) {
        found.fault(file, what);
    }
    Ok(())
}

/// Checks the names of the files that are finished but not published, and of those that are open.
fn check_unpublished(
    state: &State,
    names: &FileNames,
    found: &mut Findings,
    known: &mut BTreeSet<PathBuf>,
    jobs: &mut Vec<Expected>,
) {
    for sealed in &state.sealed {
        let (open, path) = (
            names.open_part(sealed.series, sealed.part),
            names.part(sealed.series, sealed.part),
        );
        known.extend([open.clone(), path.clone()]);
        match (open.exists(), path.exists()) {
            (true, true) => found.fault(name_of(&path), "also exists under its open name"),
            (false, false) => found.fault(name_of(&path), "was finished, but is missing"),
            (is_open, _) => {
                let path = if is_open { open } else { path };
                found.note(
                    name_of(&path),
                    "finished, but not yet published; `resume` publishes it",
                );
                // Under its open name it may be longer: `resume` truncates it before it publishes it.
                jobs.push(Expected::of_part(path, sealed, !is_open));
            }
        }
    }
    for open in state
        .series
        .iter()
        .filter_map(|series| series.open.as_ref())
    {
        let path = names.open_part(open.series, open.part);
        known.insert(path.clone());
        match fs::metadata(&path) {
            Ok(metadata) if metadata.len() > open.length => found.note(
                name_of(&path),
                format!(
                    "{} bytes after the committed length; `resume` truncates them",
                    metadata.len() - open.length
                ),
            ),
            _ if !names.is_append() => {
                found.note(name_of(&path), "is not finished; `resume` continues it")
            }
            _ => {}
        }
        jobs.push(Expected::of_part(path, open, false));
    }
}

/// Checks the files that neither the state nor the manifest lists.
fn check_others(
    state: &State,
    names: &FileNames,
    found: &mut Findings,
    known: &BTreeSet<PathBuf>,
) -> Result<()> {
    for other in names.existing()? {
        if known.contains(&other.path) {
            continue;
        }
        let name = name_of(&other.path);
        if !other.is_open {
            found.fault(
                name,
                "has the name of a finished file, but neither the state nor the manifest lists it",
            );
        } else if may_be_unknown(&state.committed(), &other) {
            found.note(name, "nothing of it was committed; `resume` deletes it");
        } else {
            found.note(name, "is not of this export; `resume` leaves it alone");
        }
    }
    Ok(())
}

/// Reads the files, several in parallel, and returns their faults.
fn read_contents(jobs: &[Expected], contents: &Contents) -> Vec<(String, String)> {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(jobs.len()) {
            scope.spawn(|| {
                while let Some((at, job)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    jobs.get(at).map(|job| (at, job))
                } {
                    if let Err(error) = contents.check(job) {
                        let what = format!("{error:#}");
                        let mut wrong = wrong.lock().unwrap_or_else(|e| e.into_inner());
                        wrong.insert(at, (name_of(&job.path), what));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(|e| e.into_inner());
    wrong.into_values().collect()
}

/// The readable entries in the committed part of the manifest.
fn read_manifest(state: &State, names: &FileNames, found: &mut Findings) -> Result<Vec<Entry>> {
    let Some(path) = names.manifest() else {
        return Ok(Vec::new());
    };
    let name = name_of(&path);
    let committed = &state.committed();
    let manifest = Manifest::read(&path, Purpose::Committed { committed, names })?;
    for fault in manifest.faults {
        found.fault(&name, fault);
    }
    if !manifest.beyond.is_empty() {
        found.note(
            &name,
            format!(
                "{} bytes after the committed length; `resume` truncates them",
                manifest.beyond.len()
            ),
        );
    }
    Ok(manifest.entries)
}

/// Compares the totals of the state with those of all its files and the manifest's.
fn check_totals(state: &State, entries: &[Entry], found: &mut Findings) {
    let unlisted: Vec<&FileState> = state
        .series
        .iter()
        .filter_map(|series| series.open.as_ref())
        .chain(&state.sealed)
        .collect();
    found.rows = entries.iter().map(|entry| entry.rows).sum::<u64>()
        + unlisted.iter().map(|file| file.rows).sum::<u64>();
    found.bytes = entries.iter().map(|entry| entry.bytes).sum::<u64>()
        + unlisted.iter().map(|file| file.length).sum::<u64>();
    let state_name = name_of(Path::new(&found.state));
    for (what, stated, counted) in [
        ("documents", state.totals.documents, found.rows),
        ("bytes", state.totals.bytes, found.bytes),
    ] {
        if stated != counted {
            found.fault(
                &state_name,
                format!("counts {stated} {what}, but its files have {counted}"),
            );
        }
    }
}

/// All parts in the manifest and the state, in the order of their series and numbers.
fn parts<'a>(state: &'a State, names: &FileNames, entries: &'a [Entry]) -> Vec<Part<'a>> {
    let listed = entries.iter().filter_map(|entry| {
        let part = names.part_of(&entry.file)?;
        Some(Part {
            name: entry.file.clone(),
            series: part.series,
            part: part.part,
            rows: entry.rows,
            start: &entry.start,
            end: Some(&entry.end),
        })
    });
    let sealed = state.sealed.iter().map(|file| (file, true));
    let open = state
        .series
        .iter()
        .filter_map(|series| series.open.as_ref());
    let of_state = sealed.chain(open.map(|file| (file, false)));
    let of_state = of_state.map(|(file, is_sealed)| Part {
        name: name_of(&names.part(file.series, file.part)),
        series: file.series,
        part: file.part,
        rows: file.rows,
        start: &file.start,
        end: is_sealed.then_some(file.end.as_slice()),
    });
    let mut parts: Vec<Part<'a>> = listed.chain(of_state).collect();
    parts.sort_by_key(|part| (part.series, part.part));
    parts
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
