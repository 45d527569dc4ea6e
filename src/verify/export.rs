//! The checks of an export, wherever its files are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use super::contents::{Contents, Expected};
use super::findings::Findings;
use super::spans::{self, Part};
use crate::cosmos::query_token::is_answered;
use crate::cosmos::token::segments;
use crate::count::{count, exactly, them};
use crate::destination::manifest::Entry;
use crate::destination::{Destination, FileState, Kind, may_be_unknown};
use crate::feed::{ReachedEnd, lsn_of_etag};
use crate::source::{CompressedLater, compressed_later};
use crate::state::container_file::{ContainerFile, MAX_BYTES};
use crate::state::model::State;

/// How much of the files is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Their names and lengths.
    Names,
    /// All of their contents.
    Contents,
}

/// Checks what `state` says against the files at `destination`, with their contents.
///
/// # Errors
///
/// If the files cannot be listed or the manifest cannot be read. A file that cannot be read is a fault.
pub fn check_export(
    state: &State,
    destination: &dyn Destination,
    found: &mut Findings,
) -> Result<()> {
    check_to(Depth::Contents, None, state, destination, found)
}

/// The same, as far as the `depth` says. `listed` are the names in the directory of finished files, if it was listed
/// before.
pub(super) fn check_to(
    depth: Depth,
    listed: Option<&[String]>,
    state: &State,
    destination: &dyn Destination,
    found: &mut Findings,
) -> Result<()> {
    check_ends(state, found);
    if destination.kind() == Kind::Stream {
        return Ok(());
    }
    let Some(entries) = read_manifest(state, destination, found)? else {
        // Everything else that differs would only follow from this.
        return Ok(());
    };
    let mut files = Files {
        destination,
        found,
        expected: Vec::new(),
        known: BTreeSet::new(),
        column_set: state.column_set(),
    };
    for entry in &entries {
        files.listed(entry)?;
    }
    for sealed in &state.sealed {
        files.sealed(sealed)?;
    }
    for open in state.committed().open() {
        files.open(open)?;
    }
    files.others(state, listed)?;
    check_definition(state, destination, files.found);
    let expected = files.expected;
    let contents = Contents::of(state);
    let check = |file: &Expected| match depth {
        Depth::Contents => contents.check(file, destination),
        Depth::Names => file.check_length(destination),
    };
    for (file, what) in check_all(&expected, check) {
        found.fault(file, what);
    }
    check_totals(state, &entries, found);
    if state.options.masked {
        let state_name = found.state_name();
        found.note(
            &state_name,
            "some values are masked: the files are no backup of the container",
        );
    }
    if let Some(lack) = state.lack(&entries) {
        let state_name = found.state_name();
        found.note(
            state_name,
            format!(
                "{lack}, so the files are of different times, and `replay` refuses them; `resume` reads the rest"
            ),
        );
    }
    for (file, what) in spans::check(state, &parts(state, destination, &entries)) {
        found.fault(file, what);
    }
    Ok(())
}

/// Checks the definition of the container, if there is one. Exports of older builds have none.
fn check_definition(state: &State, destination: &dyn Destination, found: &mut Findings) {
    let name = destination.definition_name().unwrap_or_default();
    let definition = match destination.definition(MAX_BYTES) {
        Ok(None) => return,
        Ok(Some(text)) => ContainerFile::parse(&text),
        Err(error) => Err(error),
    };
    match definition {
        Ok(file) => {
            if let Some(contradiction) = file.contradiction(state) {
                found.fault(name, contradiction);
            }
        }
        Err(error) => found.fault(
            name,
            format!("cannot be used as the definition of the container: {error:#}"),
        ),
    }
}

/// Checks that a finished export has read each range to its pinned end. The files cannot show it: changes
/// that were never read leave no trace in them.
fn check_ends(state: &State, found: &mut Findings) {
    let state_name = found.state_name();
    for range in &state.ranges {
        let Some(end) = &range.end else { continue };
        if end.reached == Some(ReachedEnd::Answered) {
            let position = range.position.as_ref();
            if !position.is_some_and(|position| is_answered(&position.token).unwrap_or(false)) {
                let id = range.id;
                let what = "is marked as answered to its end, but its continuation is not";
                found.fault(&state_name, format!("range {id} {what}"));
            }
            continue;
        }
        let lsn =
            |lsn: Option<u64>| lsn.map_or("an unknown LSN".to_owned(), |lsn| format!("LSN {lsn}"));
        let at = |etag: Option<&str>| {
            etag.map_or("the beginning".to_owned(), |etag| lsn(lsn_of_etag(etag)))
        };
        let parts = range
            .position
            .as_ref()
            .map(|position| segments(&position.token, &range.range).unwrap_or_default());
        let is_there = |etag: Option<&str>| {
            etag.is_some_and(|etag| end.is_reached_by(etag) || lsn_of_etag(etag) == end.lsn())
        };
        let behind = match &parts {
            None => Some(format!("it is at {}", at(None))),
            Some(parts) => parts
                .iter()
                .find(|part| !is_there(part.etag.as_deref()))
                .map(|part| {
                    let at = at(part.etag.as_deref());
                    if part.range == range.range {
                        format!("it is at {at}")
                    } else {
                        format!("its part {} is at {at}", part.range)
                    }
                }),
        };
        if let Some(behind) = behind.filter(|_| end.reached.is_some()) {
            found.fault(
                &state_name,
                format!(
                    "range {} is marked as read to its end at {}, but {behind}",
                    range.id,
                    lsn(end.lsn()),
                ),
            );
        }
    }
}

/// The readable entries in the committed part of the manifest; none if it is missing.
fn read_manifest(
    state: &State,
    destination: &dyn Destination,
    found: &mut Findings,
) -> Result<Option<Vec<Entry>>> {
    let manifest = destination.manifest(&state.committed())?;
    let name = destination.manifest_name().unwrap_or_default();
    if manifest.is_missing {
        let finished = destination
            .list()?
            .iter()
            .filter(|file| !file.is_open)
            .count();
        let files = count(finished as u64, "finished file");
        found.fault(&name, format!("is missing, so {files} cannot be checked"));
        return Ok(None);
    }
    for fault in manifest.faults {
        found.fault(&name, fault);
    }
    if !manifest.beyond.is_empty() {
        found.note(
            &name,
            format!(
                "{} after the committed length; `resume` truncates {}",
                exactly(manifest.beyond.len() as u64, "byte"),
                them(manifest.beyond.len() as u64)
            ),
        );
    }
    Ok(Some(manifest.entries))
}

/// Which files there are, and which there should be.
struct Files<'a> {
    destination: &'a dyn Destination,
    found: &'a mut Findings,
    /// The files that are there, and what they must contain.
    expected: Vec<Expected>,
    /// The names that the manifest or the state explains.
    known: BTreeSet<String>,
    /// The last column set.
    column_set: u32,
}

impl Files<'_> {
    /// A file that the manifest lists.
    fn listed(&mut self, entry: &Entry) -> Result<()> {
        self.known.insert(entry.file.clone());
        if entry.columns > self.column_set {
            self.found.fault(
                &entry.file,
                format!(
                    "has the columns {}, which the state does not know",
                    entry.columns
                ),
            );
        }
        if self.destination.length_of(&entry.file)?.is_none() {
            match compressed_later(self.destination, entry)? {
                Some(compressed) => self.compressed(compressed),
                None => {
                    self.found.moved += 1;
                    self.found.note(&entry.file, "was moved away");
                }
            }
        } else {
            self.found.files += 1;
            self.expected.push(Expected::of_entry(entry));
        }
        Ok(())
    }

    /// The compressed form of a file that the manifest lists.
    fn compressed(&mut self, file: CompressedLater) {
        self.found.files += 1;
        self.known.insert(file.name.clone());
        match file.fault {
            Some(fault) => self.found.fault(file.name, fault),
            None => self.found.note(
                file.name,
                "was compressed after the export; its content is what was committed",
            ),
        }
    }

    /// A finished part that is not listed yet.
    fn sealed(&mut self, part: &FileState) -> Result<()> {
        let open = self.destination.name_of(part, true);
        let published = self.destination.name_of(part, false);
        self.known.extend([open.clone(), published.clone()]);
        let shows_open = self.destination.shows_open_parts();
        let is_open = shows_open && self.destination.length_of(&open)?.is_some();
        let is_published = self.destination.length_of(&published)?.is_some();
        match (is_open, is_published) {
            (true, true) => {
                self.found
                    .fault(published, "also exists under its open name");
                return Ok(());
            }
            (false, false) if shows_open => {
                self.found.fault(published, "was finished, but is missing");
                return Ok(());
            }
            _ => {}
        }
        let name = if is_open { open } else { published };
        self.found.note(
            &name,
            "finished, but not yet published; `resume` publishes it",
        );
        if is_open || is_published {
            // Under its open name it may be longer: `resume` truncates it before it publishes it.
            self.expected
                .push(Expected::of_part(name, part, is_published));
        }
        Ok(())
    }

    /// A part that is being written.
    fn open(&mut self, part: &FileState) -> Result<()> {
        let name = self.destination.name_of(part, true);
        self.known.insert(name.clone());
        let shows_open = self.destination.shows_open_parts();
        let length = if shows_open {
            self.destination.length_of(&name)?
        } else {
            None
        };
        match length {
            Some(length) if length > part.length => self.found.note(
                &name,
                format!(
                    "{} after the committed length; `resume` truncates {}",
                    exactly(length - part.length, "byte"),
                    them(length - part.length)
                ),
            ),
            _ if self.destination.kind() == Kind::Growing => {}
            _ => self
                .found
                .note(&name, "is not finished; `resume` continues it"),
        }
        if shows_open {
            self.expected.push(Expected::of_part(name, part, false));
        }
        Ok(())
    }

    /// Files that neither the manifest nor the state explains.
    fn others(&mut self, state: &State, listed: Option<&[String]>) -> Result<()> {
        let others = match listed {
            Some(names) => self.destination.list_among(names)?,
            None => self.destination.list()?,
        };
        for other in others {
            let name = self.destination.name_of_found(&other);
            if self.known.contains(&name) {
                continue;
            }
            if !other.is_open {
                self.found.fault(
                    name,
                    "has the name of a finished file, but neither the state nor the manifest lists it",
                );
            } else if may_be_unknown(&state.committed(), &other) {
                self.found
                    .note(name, "nothing of it was committed; `resume` deletes it");
            } else {
                self.found
                    .note(name, "is not of this export; `resume` leaves it alone");
            }
        }
        Ok(())
    }
}

/// Checks the files, several in parallel, and returns their faults.
fn check_all(
    expected: &[Expected],
    check: impl Fn(&Expected) -> Result<()> + Sync,
) -> Vec<(String, String)> {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(expected.len()) {
            scope.spawn(|| {
                while let Some((at, file)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    expected.get(at).map(|file| (at, file))
                } {
                    if let Err(error) = check(file) {
                        let what = format!("{error:#}");
                        let mut wrong = wrong.lock().unwrap_or_else(|e| e.into_inner());
                        wrong.insert(at, (file.name.clone(), what));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(|e| e.into_inner());
    wrong.into_values().collect()
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
    let state_name = found.state_name();
    for (what, stated, counted) in [
        ("document", state.totals.documents, found.rows),
        ("byte", state.totals.bytes, found.bytes),
    ] {
        if stated != counted {
            found.fault(
                &state_name,
                format!(
                    "counts {}, but its files have {counted}",
                    exactly(stated, what)
                ),
            );
        }
    }
}

/// All parts in the manifest and the state, in the order of their series and numbers.
fn parts<'a>(
    state: &'a State,
    destination: &dyn Destination,
    entries: &'a [Entry],
) -> Vec<Part<'a>> {
    let listed = entries.iter().filter_map(|entry| {
        let part = destination.part_of(&entry.file)?;
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
        name: destination.name_of(file, false),
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
