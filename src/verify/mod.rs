//! The `verify` subcommand: an export against its own state and manifest, without the service.
//!
//! Nothing is written and nothing is locked. What is found is either a fault, which no crash and no
//! consumer of finished files explains, or a note: a file that was moved away, or what a `resume`
//! has yet to put in order.

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
use crate::cli::{SummaryFormat, VerifyArgs};
use crate::cosmos::token::segments;
use crate::destination::manifest::{Entry, Manifest, Purpose};
use crate::destination::names::{FileNames, STATE_FILE};
use crate::destination::{FileState, may_be_unknown};
use crate::durable::{self, Lock, lock_path, parent_of, with_suffix};
use crate::error::{ExitCode, usage, with_exit_code, with_hint};
use crate::escape::escape_for_terminal;
use crate::feed::Ends;
use crate::feed::lsn_of_etag;
use crate::report::{Report, count};
use crate::signal::Shutdown;
use crate::state::file;
use crate::state::model::State;

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Findings {
    /// The state file.
    state: String,
    /// Whether it is the state of a finished export from before states held where ranges end: whether
    /// each was read to its end cannot be checked.
    knows_no_ends: bool,
    /// Finished files that are there.
    files: usize,
    /// Finished files that are gone.
    moved: usize,
    /// Rows that the state and the manifest tell of.
    rows: u64,
    /// Bytes of them.
    bytes: u64,
    /// How the ranges came to their ends; none if the export is not finished, or its state does not hold
    /// where they end.
    ends: Option<Ends>,
    /// What is wrong.
    faults: Vec<Finding>,
    /// What is not as a finished export leaves it, but explained.
    notes: Vec<Finding>,
}

/// One thing that was found.
#[derive(Debug, Serialize)]
struct Finding {
    /// The name of the file that it is about.
    file: String,
    /// What it is.
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

/// Checks an export, prints what was found, and says by the exit code whether anything is wrong.
///
/// # Errors
///
/// If there is no export, another process works on it, or its state cannot be read.
pub async fn verify(args: VerifyArgs, report: &Report, shutdown: &Shutdown) -> Result<ExitCode> {
    let checking = tokio::task::spawn_blocking(move || {
        let found = check(&args.path);
        (args, found)
    });
    let (args, found) = tokio::select! {
        () = shutdown.requested() => return Ok(shutdown.reason().unwrap_or(ExitCode::Interrupted)),
        checked = checking => checked.context("the check ended unexpectedly")?,
    };
    let mut found = found?;
    if args.strict {
        let notes = std::mem::take(&mut found.notes);
        found.faults.extend(notes);
    }
    match args.format {
        SummaryFormat::Json => report.print_json(&found, false)?,
        SummaryFormat::Text => print_text(&found, report)?,
    }
    Ok(match found.faults.is_empty() {
        true => ExitCode::Done,
        false => ExitCode::Failed,
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
        return match state.exists() {
            true => Ok(state),
            false => Err(usage(
                format!("`{}` holds no state of an export", path.display()),
                "an export that keeps its state elsewhere is verified by the path of that state",
            )),
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
    let load =
        || file::read(&path).with_context(|| format!("cannot verify by `{}`", path.display()));
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
    // What was read of the files is worth nothing if they changed meanwhile.
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
        "verify it when it has ended, or stop it first: `resume` goes on with it",
    )
}

/// Checks that a finished export read each range to where it was pinned: what was never read leaves no
/// trace in its files.
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
                    "range {} is said to have been read to its end at {}, but it is at {}",
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
    for sealed in &state.sealed {
        let (open, path) = (
            names.open_part(sealed.series, sealed.part),
            names.part(sealed.series, sealed.part),
        );
        known.extend([open.clone(), path.clone()]);
        match (open.exists(), path.exists()) {
            (true, true) => found.fault(name_of(&path), "is there under its open name too"),
            (false, false) => found.fault(name_of(&path), "was finished, and is gone"),
            (is_open, _) => {
                let path = if is_open { open } else { path };
                found.note(
                    name_of(&path),
                    "finished, but not yet published; `resume` does that",
                );
                // Under its open name it may be longer: a `resume` cuts it first.
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
                    "{} bytes beyond what was committed; `resume` cuts them off",
                    metadata.len() - open.length
                ),
            ),
            _ if !names.is_append() => {
                found.note(name_of(&path), "is not finished; `resume` goes on with it")
            }
            _ => {}
        }
        jobs.push(Expected::of_part(path, open, false));
    }
    for other in names.existing()? {
        if known.contains(&other.path) {
            continue;
        }
        match other.is_open {
            true if may_be_unknown(&state.committed(), &other) => found.note(
                name_of(&other.path),
                "nothing of it was committed; `resume` deletes it",
            ),
            true => found.note(
                name_of(&other.path),
                "is not of this export; `resume` leaves it alone",
            ),
            false => found.fault(
                name_of(&other.path),
                "has the name of a finished file, but neither state nor manifest knows it",
            ),
        }
    }
    for (file, what) in read_contents(&jobs, &contents) {
        found.fault(file, what);
    }
    check_totals(state, &entries, found);
    for (file, what) in spans::check(state, &parts(state, names, &entries)) {
        found.fault(file, what);
    }
    Ok(())
}

/// Reads the files, several at a time, and says what is wrong with them.
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

/// The entries of the committed part of the manifest that can be read.
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
                "{} bytes beyond what was committed; `resume` cuts them off",
                manifest.beyond.len()
            ),
        );
    }
    Ok(manifest.entries)
}

/// Compares the totals of the state with what its files and the manifest's have in all.
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
    for (what, told, counted) in [
        ("documents", state.totals.documents, found.rows),
        ("bytes", state.totals.bytes, found.bytes),
    ] {
        if told != counted {
            found.fault(
                &state_name,
                format!("tells of {told} {what} in all, but its files have {counted}"),
            );
        }
    }
}

/// All parts that the manifest and the state tell of, in the order of their series and numbers.
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
