//! Power failures: a model of a disk that keeps what was synced, and any part of the rest.
//!
//! A run reports each change of its files. The model takes a prefix of these changes and makes a directory of
//! them as a crash of the whole machine may leave it: some of the writes to a file that were not synced are
//! there, some are not, some are there in part; the same goes for names whose directory was not synced, in
//! any order. Then the export is resumed from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use serde_json::Value;

use crate::command::state_directory;
use crate::scene::{FORMATS, Scene, expect, seed};

/// A change of the contents of a file.
#[derive(Clone, Debug)]
enum Edit {
    Write(usize, Vec<u8>),
    Cut(usize),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Cut(length) => bytes.resize(*length, 0),
            Self::Write(offset, written) => {
                let end = offset + written.len();
                // Gaps that were not written read as zeros.
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(written);
            }
        }
    }
}

#[derive(Default)]
struct Inode {
    synced: Vec<u8>,
    edits: Vec<Edit>,
}

/// A change of names, each of which is that of a directory and that of a file in it.
#[derive(Clone, Debug)]
enum Naming {
    Link(String, usize),
    Rename(String, String, usize),
    Unlink(String),
}

/// The directory of a name.
fn directory_of(name: &str) -> &str {
    name.split_once('/').expect("the name of a directory").0
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Self::Rename(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
        }
    }

    /// What is left to be synced once the directory `synced` is, of which this is a change: a rename to another
    /// directory is not durable there. The new name never comes after the loss of the old one.
    fn rest_after(&self, synced: &str) -> Option<Self> {
        match self {
            Self::Rename(from, to, _)
                if directory_of(to) == synced && directory_of(from) != synced =>
            {
                Some(Self::Unlink(from.clone()))
            }
            _ => None,
        }
    }

    /// Whether it is a change of this directory.
    fn is_of(&self, directory: &str) -> bool {
        match self {
            Self::Rename(from, to, _) => {
                directory_of(from) == directory || directory_of(to) == directory
            }
            Self::Link(name, _) | Self::Unlink(name) => directory_of(name) == directory,
        }
    }
}

/// The directories of an export.
#[derive(Default)]
struct Disk {
    inodes: Vec<Inode>,
    /// As the running system sees them.
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    namings: Vec<Naming>,
}

impl Disk {
    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.namings.push(naming);
    }

    fn take(&mut self, change: &Value) {
        let path_of = |key: &str| change[key].as_str().map(PathBuf::from);
        let name_of = |key: &str| {
            let path = path_of(key)?;
            let directory = path.parent()?.file_name()?.to_string_lossy().into_owned();
            Some(directory + "/" + &path.file_name()?.to_string_lossy())
        };
        if let Some(name) = name_of("create") {
            let is_directory = path_of("create").unwrap().is_dir();
            if is_directory {
                return;
            }
            match self.names.get(&name) {
                // It is started over, whatever a crash left of it.
                Some(inode) if name.ends_with(".tmp") => {
                    self.inodes[*inode].edits.push(Edit::Cut(0));
                }
                Some(_) => {}
                None => {
                    self.inodes.push(Inode::default());
                    self.name(Naming::Link(name, self.inodes.len() - 1));
                }
            }
        } else if let Some(name) = name_of("write") {
            let offset = change["offset"].as_u64().unwrap() as usize;
            let bytes = STANDARD.decode(change["bytes"].as_str().unwrap()).unwrap();
            self.inode(&name).edits.push(Edit::Write(offset, bytes));
        } else if let Some(name) = name_of("cut") {
            let length = change["length"].as_u64().unwrap() as usize;
            self.inode(&name).edits.push(Edit::Cut(length));
        } else if let Some(name) = name_of("sync") {
            let inode = self.inode(&name);
            for edit in std::mem::take(&mut inode.edits) {
                edit.apply(&mut inode.synced);
            }
        } else if let Some(from) = name_of("rename") {
            let inode = self.names[&from];
            self.name(Naming::Rename(from, name_of("to").unwrap(), inode));
        } else if let Some(name) = name_of("remove") {
            self.name(Naming::Unlink(name));
        } else if let Some(synced) = path_of("sync_directory") {
            let synced = synced.file_name().unwrap().to_string_lossy();
            for naming in std::mem::take(&mut self.namings) {
                if !naming.is_of(&synced) {
                    self.namings.push(naming);
                    continue;
                }
                match (naming.rest_after(&synced), &naming) {
                    (Some(rest), Naming::Rename(_, to, inode)) => {
                        self.synced_names.insert(to.clone(), *inode);
                        self.namings.push(rest);
                    }
                    _ => naming.apply(&mut self.synced_names),
                }
            }
        } else {
            panic!("no change: {change}");
        }
    }

    fn inode(&mut self, name: &str) -> &mut Inode {
        // A part may have got its final name while its last sync was on the way.
        let finished = name.trim_end_matches(".open").split_once('/').unwrap().1;
        let finished = format!("out/{finished}");
        let at = self.names.get(name).or_else(|| self.names.get(&finished));
        &mut self.inodes[*at.unwrap_or_else(|| panic!("no file {name}"))]
    }

    /// One possible result of a crash, written to `directory`.
    fn crash(&self, directory: &Path, survivors: &mut Survivors) {
        let mut names = self.synced_names.clone();
        let keep = survivors.names(self.namings.len());
        for (naming, _) in self.namings.iter().zip(keep).filter(|(_, keep)| *keep) {
            naming.apply(&mut names);
        }
        for (name, inode) in &names {
            let inode = &self.inodes[*inode];
            let mut bytes = inode.synced.clone();
            let keep = survivors.edits(inode.edits.len());
            for (edit, keep) in inode.edits.iter().zip(keep) {
                match edit {
                    edit if keep => edit.apply(&mut bytes),
                    Edit::Write(offset, written) => {
                        if let Some(length) = survivors.part_of_a_write(written.len()) {
                            Edit::Write(*offset, written[..length].to_vec()).apply(&mut bytes);
                        }
                    }
                    Edit::Cut(_) => {}
                }
            }
            std::fs::write(directory.join(name), bytes).unwrap();
        }
    }
}

/// The part of unsynced changes that survives a crash.
enum Survivors<'a> {
    /// The name that was changed last, and nothing else: the worst that reordering can do.
    LastName,
    AtRandom(&'a mut Rng),
}

impl Survivors<'_> {
    fn names(&mut self, count: usize) -> Vec<bool> {
        match self {
            Self::LastName => (1..=count).map(|at| at == count).collect(),
            Self::AtRandom(random) => at_random(random, count),
        }
    }

    fn edits(&mut self, count: usize) -> Vec<bool> {
        match self {
            Self::LastName => vec![false; count],
            Self::AtRandom(random) => at_random(random, count),
        }
    }

    /// How much of a write that is otherwise lost is there.
    fn part_of_a_write(&mut self, length: usize) -> Option<usize> {
        let Self::AtRandom(random) = self else {
            return None;
        };
        (random.u8(..4) == 0).then(|| random.usize(..=length))
    }
}

fn at_random(random: &mut Rng, count: usize) -> Vec<bool> {
    match random.u8(..4) {
        0 => vec![false; count],
        1 => vec![true; count],
        2 => {
            let length = random.usize(..=count);
            (0..count).map(|at| at < length).collect()
        }
        _ => (0..count).map(|_| random.bool()).collect(),
    }
}

/// The changes that an export reports which dies once, if it runs long enough, and is resumed.
fn traced(scene: &Scene, failpoints: &str) -> Vec<Value> {
    let trace = scene.out.with_file_name("trace");
    // Slow enough that a commit has only a few pages, even if not every page is a commit.
    let first = format!("{failpoints};part.write=sleep(3);state.rename=10*off->return(kill)");
    let mut ended = scene.go_on_traced(&first, &trace);
    if ended.code.is_none() {
        ended = scene.go_on_traced(&format!("{failpoints};part.write=sleep(3)"), &trace);
    }
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = std::fs::read_to_string(trace).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// An export with power failures.
pub(super) struct Outage {
    scene: Scene,
    changes: Vec<Value>,
}

impl Outage {
    /// An export with these failpoints until the power fails.
    pub(super) fn new(scene: Scene, failpoints: &str) -> Self {
        let changes = traced(&scene, failpoints);
        Self { scene, changes }
    }

    /// Lets the power fail after each rename of a file, and resumes. Returns how often.
    pub(super) fn at_every_rename(&mut self) -> Result<usize, String> {
        let renames: Vec<usize> = (0..self.changes.len())
            .filter(|at| self.changes[*at].get("rename").is_some())
            .collect();
        for at in &renames {
            self.at(*at, Survivors::LastName)?;
        }
        Ok(renames.len())
    }

    /// Lets the power fail `times`, each time at a random moment, and resumes.
    fn at_random(&mut self, times: usize, random: &mut Rng) -> Result<(), String> {
        for _ in 0..times {
            let at = random.usize(..self.changes.len());
            self.at(at, Survivors::AtRandom(random))?;
        }
        Ok(())
    }

    fn at(&mut self, at: usize, mut survivors: Survivors) -> Result<(), String> {
        let directory = tempfile::tempdir().unwrap();
        self.scene.out = directory.path().join("out");
        std::fs::create_dir(&self.scene.out).unwrap();
        std::fs::create_dir(state_directory(&self.scene.out)).unwrap();
        let mut disk = Disk::default();
        for change in &self.changes[..=at] {
            disk.take(change);
        }
        disk.crash(directory.path(), &mut survivors);
        self.scene.finish().map_err(|wrong| {
            let last: String = self.changes[at].to_string().chars().take(200).collect();
            format!("after change {at}, {last}: {wrong}")
        })
    }
}

#[test]
fn changes_that_were_not_synced_are_not_needed() {
    for format in FORMATS {
        let seed = seed();
        let mut outage = Outage::new(Scene::rotating(format), "");
        let name = format!("seed {seed}, {format:?}");
        let renames = outage.at_every_rename();
        // Ten states before it dies, and then at least the files of the three ranges and another state.
        assert!(
            renames.as_ref().is_ok_and(|renames| *renames > 12),
            "{name}: {renames:?}"
        );
        let outcome = outage.at_random(40, &mut Rng::with_seed(seed));
        expect(outcome, &name);
    }
}

#[test]
fn every_directory_that_is_created_is_made_durable_from_the_top() {
    let (gateway, _container) = crate::orders::filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let (top, trace) = (directory.path().join("top"), directory.path().join("trace"));
    std::fs::create_dir(&top).unwrap();
    let out = top.join("a/b/c");
    crate::command::succeed(
        crate::command::export(&gateway, &out).env("COSMOS_TAIL_DISK_TRACE", &trace),
    );
    let trace = std::fs::read_to_string(&trace).unwrap();
    let changes = trace
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let begun: Vec<Value> = changes.take(5).collect();
    // A name is durable when the directory that it is in is. The state directory is beside the last one.
    assert_eq!(
        begun[0],
        serde_json::json!({"create": state_directory(&out)})
    );
    for (change, above) in begun[1..4]
        .iter()
        .zip([&top, &top.join("a"), &top.join("a/b")])
    {
        assert_eq!(*change, serde_json::json!({"sync_directory": above}));
    }
    assert_eq!(begun[4]["sync_directory"], Value::Null, "{}", begun[4]);
}
