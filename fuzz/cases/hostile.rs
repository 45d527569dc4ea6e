//! States with valid checksums and hostile contents, against a directory that has other files and other
//! exports: nothing of these changes, whatever the state contains.
//!
//! The fuzz target `hostile` uses it, and so do the tests, which draw its choices from a seed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cosmos_tail::destination::manifest::{Entry, lines_of};
use cosmos_tail::destination::owner::Owner;
use cosmos_tail::destination::{
    FileState, ManifestMark, Output, SeriesState, StateDirectory, Table,
};
use cosmos_tail::durable::parent_of;
use cosmos_tail::feed::*;
use cosmos_tail::format::*;
use cosmos_tail::state::claim::Claimed;
use cosmos_tail::state::ledger::{Ledger, bring_into_line, take_over};
use cosmos_tail::state::local::LocalState;
use cosmos_tail::state::model::*;
use cosmos_tail::state::{StateAt, destination_of, file};

use crate::sample;

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The input made no state, or one that contradicts itself.
    NoState,
    /// It was refused.
    Refused,
    /// The state was accepted as that of the output it names.
    Taken,
}

/// A directory with an export of our own among the files of others.
pub(crate) struct Arena {
    root: PathBuf,
    /// The files of others.
    foreign: BTreeMap<PathBuf, Foreign>,
    /// The files of our own export, which are restored before each case.
    own: BTreeMap<PathBuf, Vec<u8>>,
    base: State,
    exports: Vec<State>,
    checks: AtomicU64,
}

#[derive(Debug, PartialEq, Eq)]
struct Foreign {
    bytes: Vec<u8>,
    stat: Stat,
}

/// The system's metadata of a file: its inode, its length, and the times of the last change of its content
/// and of itself, which only the system can set.
type Stat = (u64, u64, (i64, i64), (i64, i64));

/// The number of checks after which the bytes of all other files are compared too.
const BYTES_EVERY: u64 = 32;

/// Directories in which nothing may even be created.
const CLOSED: [&str; 5] = ["other", "far", "old", "table", "_table.cosmos-tail"];

/// Paths that a state may name as its output, below the root.
const OUTPUTS: [&str; 17] = [
    ".",
    "table",
    "mine",
    "other",
    "far",
    "old",
    "sub",
    "links/to-other",
    "new",
    "mine.jsonl",
    "other.jsonl",
    "other.000002.jsonl",
    "notes.jsonl",
    "data",
    "Cargo",
    "links/notes.jsonl",
    "mine/state.json",
];

/// Where the state may be.
const STATES: [&str; 12] = [
    "mine/state.json",
    "mine/state.json",
    "mine/state.json",
    "mine/state.json",
    "mine.jsonl.state.json",
    "elsewhere.json",
    "Cargo",
    "data",
    "states/new.json",
    "notes",
    "links/state.json",
    "sub/deeper.json",
];

/// Choices that are drawn from the bytes of an input.
struct Choices<'a> {
    bytes: &'a [u8],
}

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => 0,
        }
    }

    fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

impl Arena {
    /// Creates the directory below `root`, which is empty.
    pub(crate) fn new(root: &Path) -> Self {
        let root = root.canonicalize().expect("the root is there");
        let write = |name: &str, text: &[u8]| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("it has a parent")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        };
        for (name, text) in [
            ("notes.jsonl", &b"{\"mine\":1}\n"[..]),
            ("notes.jsonl.open", b"{\"mine\":2}\n"),
            ("notes.000002.jsonl.open", b"x"),
            ("notes.tmp", b"my notes"),
            ("notes.lock", b"my lock"),
            ("data.open", b"data that is open"),
            ("data.tmp", b"mine"),
            ("Cargo.lock", b"version = 4\n"),
            ("Cargo.tmp", b"{\"format\":\"something\"}"),
            ("elsewhere.json.tmp", b"not staged"),
            ("orders-00000-000001.jsonl.open", b"theirs\n"),
            ("orders-00001-000001.jsonl", b"theirs too\n"),
            ("manifest.ndjson", b"{\"a\":1}\n"),
            ("sub/orders-00000-000001.jsonl.open", b"below\n"),
            ("sub/notes.txt", b"below\n"),
            ("states/keep.txt", b"keep"),
        ] {
            write(name, text);
        }
        let mut exports = Vec::new();
        // Others: beside their state, elsewhere with an owner file, as older builds left them, a file.
        for (number, output, state_at) in [
            (1, Output::Directory(".".into()), "other/state.json"),
            (
                2,
                Output::Directory(root.join("far").display().to_string()),
                "states/far.json",
            ),
            (
                3,
                Output::Directory(root.join("old").display().to_string()),
                "states/old.json",
            ),
            (
                4,
                Output::File("other.jsonl".into()),
                "other.jsonl.state.json",
            ),
            (
                5,
                Output::Table(Table {
                    directory: None,
                    state_directory: StateDirectory::Beside,
                    shard: None,
                }),
                "_table.cosmos-tail/state.json",
            ),
        ] {
            let path = root.join(state_at);
            let state = export(number, output, &path);
            if number == 2 {
                let names = state.file_names(parent_of(&path));
                Owner::write(&names, state.export_id, &path).expect("it can be written");
            }
            exports.push(state);
        }
        fs::create_dir(root.join("links")).expect("it can be made");
        for (name, target) in [
            ("links/to-other", "../other"),
            ("links/notes.jsonl", "../notes.jsonl"),
            ("links/notes.jsonl.open", "../notes.jsonl.open"),
            ("links/state.json", "../elsewhere.json"),
            ("mine.jsonl.state.json.tmp", "notes.jsonl"),
            ("states/new.json.lock", "../notes.jsonl"),
        ] {
            std::os::unix::fs::symlink(target, root.join(name)).expect("it can be made");
        }
        let mut arena = Self {
            checks: AtomicU64::new(0),
            foreign: BTreeMap::new(),
            own: BTreeMap::new(),
            base: exports[0].clone(),
            exports,
            root,
        };
        for path in arena.walk() {
            arena.foreign.insert(path.clone(), look(&path));
        }
        // Our own, beside its state.
        let path = arena.root.join("mine/state.json");
        arena.base = export(9, Output::Directory(".".into()), &path);
        for path in arena.walk() {
            if !arena.foreign.contains_key(&path) {
                let bytes = fs::read(&path).expect("it is there");
                arena.own.insert(path, bytes);
            }
        }
        arena
    }

    /// All files and links below the root.
    fn walk(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut directories = vec![self.root.clone()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).expect("it is there") {
                let entry = entry.expect("it can be listed");
                match entry.file_type().expect("it has a type").is_dir() {
                    true => directories.push(entry.path()),
                    false => found.push(entry.path()),
                }
            }
        }
        found
    }

    /// Resumes with a state made from the input.
    ///
    /// # Panics
    ///
    /// If that changes another file.
    pub(crate) fn check(&self, input: &[u8]) -> Outcome {
        let mut choices = Choices { bytes: input };
        let at = self.root.join(choices.of(&STATES));
        let repair = choices.byte() & 1 == 1;
        let state = self.state(&mut choices, parent_of(&at) == self.root);
        let Ok(text) = file::render(&state) else {
            return Outcome::NoState;
        };
        let is_link = fs::symlink_metadata(&at).is_ok_and(|found| found.is_symlink());
        let target = match is_link {
            true => self.root.join("elsewhere.json"),
            false => at.clone(),
        };
        fs::write(&target, &text).expect("it can be written");
        let outcome = match resume(&at, repair) {
            Ok(()) => Outcome::Taken,
            Err(_) => Outcome::Refused,
        };
        self.compare(&state, &at, outcome);
        outcome
    }

    /// A state that is ours but for some changes.
    fn state(&self, choices: &mut Choices<'_>, is_in_root: bool) -> State {
        let mut state = self.base.clone();
        for _ in 0..=choices.below(4) {
            self.change(&mut state, choices, is_in_root);
        }
        // What contradicts itself is refused before a file is looked at.
        if choices.below(8) > 0 {
            mend(&mut state);
        }
        state
    }

    fn change(&self, state: &mut State, choices: &mut Choices<'_>, is_in_root: bool) {
        match choices.below(14) {
            0..=3 => {
                let below = *choices.of(&OUTPUTS);
                let path = match choices.below(3) {
                    0 => below.to_owned(),
                    // It is never one outside of the root.
                    1 if is_in_root => format!("sub/../{below}"),
                    1 => format!("../{below}"),
                    _ => self.root.join(below).display().to_string(),
                };
                state.options.output = match choices.below(7) {
                    0 => Output::Append(path),
                    1 | 2 => Output::File(path),
                    kind @ (3 | 4) => Output::Table(Table {
                        directory: Some(path),
                        // Beside the root is outside of it.
                        state_directory: if kind == 3 || below == "." {
                            StateDirectory::Inside
                        } else {
                            StateDirectory::Beside
                        },
                        shard: None,
                    }),
                    _ => Output::Directory(path),
                };
            }
            4 => state.kind = [JobKind::Export, JobKind::Tail][choices.below(2)],
            5 => {
                let name = choices.of(&["orders", "notes", "../other/orders", "other", "data"]);
                state.source.container = (*name).to_owned();
            }
            6 => {
                // That of the export of an older build would be its name and all that it has.
                let known = [0, 1, 3].map(|at| self.exports[at].export_id);
                state.export_id = *choices.of(&known);
            }
            7 => {
                let formats = [
                    (Format::Jsonl, Compression::None),
                    (Format::Jsonl, Compression::Gzip(6)),
                    (Format::Csv, Compression::None),
                    (Format::Parquet, Compression::Snappy),
                ];
                (state.options.format, state.options.compression) = *choices.of(&formats);
            }
            8 => {
                state.manifest = match choices.below(3) {
                    0 => ManifestMark::default(),
                    1 => self.exports[choices.below(4)].manifest,
                    _ => ManifestMark {
                        length: u64::from(choices.byte()) * 8,
                        entries: u64::from(choices.byte() % 4),
                        crc32c: None,
                    },
                };
            }
            9 => state.manifest.crc32c = None,
            10 => {
                let file = self.part(state, choices);
                let next_part = file.part.saturating_add(choices.below(3) as u32);
                state.series.retain(|one| one.id != file.series);
                state.series.push(SeriesState {
                    id: file.series,
                    next_part,
                    open: Some(file),
                });
            }
            11 => {
                let file = self.part(state, choices);
                state.sealed.push(file);
            }
            12 => match choices.below(4) {
                0 => state.series.clear(),
                1 => state.sealed.clear(),
                2 => {
                    let more = choices.below(9) as u32;
                    change_next_range(state, |next| next.saturating_add(more));
                }
                _ => {
                    let of = &self.exports[choices.below(4)];
                    (state.series, state.sealed) = (of.series.clone(), of.sealed.clone());
                }
            },
            _ => {
                for one in &mut state.series {
                    one.next_part = choices.below(4) as u32;
                }
            }
        }
    }

    /// A part with a length and a checksum that some file has.
    fn part(&self, state: &State, choices: &mut Choices<'_>) -> FileState {
        let all: Vec<&Foreign> = self.foreign.values().collect();
        let bytes = &choices.of(&all).bytes;
        let length = match choices.below(3) {
            0 => 0,
            1 => bytes.len(),
            _ => choices.below(64).min(bytes.len()),
        };
        FileState {
            columns: 0,
            series: choices.below(4) as u32,
            part: choices.below(4) as u32,
            length: length as u64,
            rows: 1,
            crc32c: crc32c_of(&bytes[..length]),
            start: state.ranges.to_vec(),
            end: state.ranges.to_vec(),
            place: None,
            upload: None,
            pieces: Vec::new(),
            batch: None,
        }
    }

    /// Compares the other files with their originals, and removes new ones beside them.
    fn compare(&self, state: &State, at: &Path, outcome: Outcome) {
        let what = || format!("{outcome:?} at {}:\n{state:#?}", at.display());
        let mut unseen = self.foreign.len();
        for path in self.walk() {
            if let Some(before) = self.foreign.get(&path) {
                unseen -= 1;
                let after = stat(&path);
                assert!(
                    after == before.stat,
                    "{} has changed, {}",
                    path.display(),
                    what()
                );
                continue;
            }
            if self.own.contains_key(&path) {
                continue;
            }
            let below = path.strip_prefix(&self.root).expect("it is below");
            let is_closed = CLOSED.iter().any(|closed| below.starts_with(closed));
            assert!(!is_closed, "{} was made, {}", path.display(), what());
            fs::remove_file(path).expect("it can be removed");
        }
        assert!(unseen == 0, "{unseen} files are gone, {}", what());
        if self
            .checks
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(BYTES_EVERY)
        {
            for (path, before) in &self.foreign {
                assert!(
                    look(path) == *before,
                    "{} has changed, {}",
                    path.display(),
                    what()
                );
            }
        }
        for (path, bytes) in &self.own {
            if fs::read(path).ok().as_ref() != Some(bytes) {
                fs::write(path, bytes).expect("it can be written");
            }
        }
    }
}

/// Makes the state consistent with itself.
fn mend(state: &mut State) {
    state.kind = match state.options.output {
        Output::Append(_) => JobKind::Tail,
        _ => JobKind::Export,
    };
    if !state.options.output.has_series_of_ranges() {
        state.series.truncate(1);
        state.series.iter_mut().for_each(|one| one.id = 0);
        state.sealed.iter_mut().for_each(|file| file.series = 0);
    }
    if matches!(state.options.output, Output::Append(_)) {
        state.sealed.clear();
    }
    let appends = matches!(state.options.output, Output::Append(_));
    let mut next_range = state.ranges.next_number();
    for one in &mut state.series {
        one.next_part = one.next_part.clamp(1, if appends { 2 } else { 9 });
        next_range = next_range.max(one.id + 1);
        if let Some(open) = &mut one.open {
            open.series = one.id;
            open.part = if appends { 1 } else { open.part.max(1) };
            one.next_part = one.next_part.max(open.part + 1);
            let numbers = (open.series, open.part);
            state
                .sealed
                .retain(|file| (file.series, file.part) != numbers);
        }
    }
    let mut seen = BTreeMap::new();
    for mut file in std::mem::take(&mut state.sealed) {
        file.part = file.part.max(1);
        next_range = next_range.max(file.series + 1);
        let next = state.series.iter_mut().find(|one| one.id == file.series);
        if let Some(one) = next {
            one.next_part = one.next_part.max(file.part + 1);
        }
        seen.insert((file.series, file.part), file);
    }
    change_next_range(state, |_| next_range);
    let open = state.series.iter().filter_map(|one| one.open.as_ref());
    for file in open {
        seen.remove(&(file.series, file.part));
    }
    state.sealed = seen.into_values().collect();
}

/// The part of a resume on the disk, without the service.
fn resume(at: &Path, repair: bool) -> anyhow::Result<()> {
    file::load(at)?;
    let (mut claimed, _) = Claimed::take(Box::new(LocalState::new(at)), file::claim_of)?;
    let mut state = file::load(at)?;
    let mut destination = destination_of(&state, parent_of(at), StateAt::File(at))?;
    destination.prove(&state.committed())?;
    destination.lock(claimed.ownership())?;
    let again = take_over(&mut state, destination.as_ref(), &mut claimed, repair)?;
    let recovery = bring_into_line(
        &mut state,
        destination.as_ref(),
        &mut claimed,
        &again,
        repair,
    )?;
    for part in &recovery.resumed {
        destination
            .reopen(part)?
            .append(b"what is written next\n")?;
    }
    Ledger::new(state, Arc::from(destination), Some(claimed)).commit()?;
    Ok(())
}

fn look(path: &Path) -> Foreign {
    let found = fs::symlink_metadata(path).expect("it is there");
    let bytes = match found.is_symlink() {
        true => fs::read_link(path)
            .expect("it is a link")
            .into_os_string()
            .into_encoded_bytes(),
        false => fs::read(path).expect("it can be read"),
    };
    Foreign {
        bytes,
        stat: stat(path),
    }
}

fn stat(path: &Path) -> Stat {
    let found = fs::symlink_metadata(path).expect("it is there");
    (
        found.ino(),
        found.len(),
        (found.mtime(), found.mtime_nsec()),
        (found.ctime(), found.ctime_nsec()),
    )
}

/// An export with a finished file, one that waits for its final name, and an open one. Its files are written.
fn export(number: u128, output: Output, path: &Path) -> State {
    let range = |id: u32, min: &str, max: &str| RangeState {
        id: RangeId(id),
        range: FeedRange::new(min, max).expect("it is a range"),
        snapshot: false,
        parents: vec![],
        position: None::<Position>,
        end: None,
    };
    let ranges = vec![range(0, "", "1FFF"), range(1, "1FFF", "FF")];
    let is_file = matches!(output, Output::File(_));
    let part = |series: u32, part: u32, text: &str| {
        let file = FileState {
            columns: 0,
            series: if is_file { 0 } else { series },
            part,
            length: text.len() as u64,
            rows: 1,
            crc32c: crc32c_of(text.as_bytes()),
            start: ranges.clone(),
            end: ranges.clone(),
            place: None,
            upload: None,
            pieces: Vec::new(),
            batch: None,
        };
        (
            file,
            format!("{text}{}", ["", "not committed"][usize::from(part == 3)]),
        )
    };
    let finished = part(0, 1, "{\"id\":1}\n");
    let sealed = part(0, 2, "{\"id\":2}\n");
    let open = match is_file {
        true => part(0, 3, "{\"id\":3}\n"),
        false => part(1, 1, "{\"id\":3}\n"),
    };
    let mut state = State {
        export_id: uuid::Uuid::from_u128(number),
        generation: 3,
        created: time_of_nothing(),
        ranges: RangeSet::from_parts(ranges.clone(), 2),
        sealed: vec![sealed.0.clone()],
        ..sample::state()
    };
    state.options.output = output;
    let next_part = open.0.part + 1;
    if !is_file {
        state.series.push(SeriesState {
            id: 0,
            next_part: 3,
            open: None,
        });
    }
    state.series.push(SeriesState {
        id: open.0.series,
        next_part,
        open: Some(open.0.clone()),
    });
    let names = state.file_names(parent_of(path));
    let text =
        lines_of(&[Entry::of(&state.committed(), &names, &finished.0)]).expect("it has a text");
    state.manifest = ManifestMark {
        length: text.len() as u64,
        entries: 1,
        crc32c: (number != 3).then(|| crc32c_of(&text)),
    };
    fs::create_dir_all(names.directory()).expect("it can be made");
    fs::create_dir_all(names.own_directory()).expect("it can be made");
    fs::create_dir_all(parent_of(path)).expect("it can be made");
    let files = [
        (names.manifest().expect("it has one"), text),
        (names.part(0, 1), finished.1.into_bytes()),
        (names.open_part(0, 2), sealed.1.into_bytes()),
        (
            names.open_part(open.0.series, open.0.part),
            open.1.into_bytes(),
        ),
        (
            path.to_owned(),
            file::render(&state).expect("it is a state"),
        ),
    ];
    for (path, bytes) in files {
        fs::write(path, bytes).expect("it can be written");
    }
    state
}

/// A time that a state can have.
fn change_next_range(state: &mut State, change: impl FnOnce(u32) -> u32) {
    let (ranges, next) = std::mem::take(&mut state.ranges).into_parts();
    state.ranges = RangeSet::from_parts(ranges, change(next));
}

fn time_of_nothing() -> time::OffsetDateTime {
    time::OffsetDateTime::UNIX_EPOCH
}

/// CRC-32C, bit by bit.
fn crc32c_of(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}
