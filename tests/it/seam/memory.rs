//! A bucket in memory, and the destination and the store of states that lie in it.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use cosmos_tail::destination::manifest::{Entry, Manifest};
use cosmos_tail::destination::names::PartFile;
use cosmos_tail::destination::{
    Committed, Destination, ExportFiles, FileState, Inheritance, Kind, ManifestMark, Ownership,
    PartId, PartReader, PartWriter, Recovery, ResumedPart, Unsynced,
};
use cosmos_tail::durable::Locks;
use cosmos_tail::state::store::{Fence, Put, StateStore, Stored, Version};
use uuid::Uuid;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails, and has no effect.
    Fails,
    /// It takes effect, and its answer is lost.
    AnswerLost,
    /// Its answer is lost, and it takes effect only before the next call of any process.
    Late,
    /// It has no effect, and the process is gone.
    DiesBefore,
    /// It takes effect, and the process is gone.
    DiesAfter,
}

/// A way in which the store, or what is written to it, is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// The state is replaced whatever version is there.
    NoCondition,
    /// Uploads of two processes have one name.
    SharedNames,
    /// What another process began is continued where it was committed, not sealed.
    Uninherited,
}

/// All that outlives a process.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// Completed objects.
    pub(super) objects: BTreeMap<String, Vec<u8>>,
    /// Uploads that nobody sees.
    pub(super) uploads: BTreeMap<String, Vec<u8>>,
    /// Immutable objects that list others.
    pub(super) manifests: BTreeMap<u64, Vec<u8>>,
    /// The state and its version.
    pub(super) state: Option<(Vec<u8>, u64)>,
    versions: u64,
    late: Vec<Change>,
    /// Calls made by all processes.
    pub(super) calls: u64,
    /// What happens to calls, by their numbers.
    pub(super) faults: HashMap<u64, Fault>,
    /// What is wrong on purpose.
    pub(super) defect: Option<Defect>,
    /// What happened that never may.
    pub(super) violations: Vec<String>,
}

/// A change of the bucket.
#[derive(Debug, Clone)]
enum Change {
    Append(String, Vec<u8>),
    Complete(String, usize),
    Abort(String),
    List(u64, Vec<u8>),
    Put(Vec<u8>, Option<u64>),
}

/// Whether a change took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Done,
    Refused,
}

impl Bucket {
    fn apply(&mut self, change: Change) -> Effect {
        match change {
            Change::Append(name, bytes) => {
                if self.objects.contains_key(&name) {
                    return Effect::Refused;
                }
                self.uploads.entry(name).or_default().extend(bytes);
            }
            Change::Complete(name, length) => {
                // As where the parts of an upload are gone once it is completed.
                let Some(upload) = self.uploads.get(&name) else {
                    return Effect::Refused;
                };
                let Some(whole) = upload.get(..length) else {
                    return Effect::Refused;
                };
                let whole = whole.to_vec();
                self.uploads.remove(&name);
                if self.objects.insert(name.clone(), whole).is_some() {
                    self.violations
                        .push(format!("`{name}` was completed twice"));
                }
            }
            Change::Abort(name) => {
                self.uploads.remove(&name);
            }
            Change::List(number, text) => {
                if let Some(there) = self.manifests.get(&number) {
                    if *there != text {
                        return Effect::Refused;
                    }
                } else {
                    self.manifests.insert(number, text);
                }
            }
            Change::Put(text, expected) => {
                let is_expected = self.state.as_ref().map(|(_, version)| *version) == expected;
                if !is_expected && self.defect != Some(Defect::NoCondition) {
                    return Effect::Refused;
                }
                self.versions += 1;
                self.state = Some((text, self.versions));
            }
        }
        Effect::Done
    }
}

/// A process's connection to the bucket. It is dead once its process has died.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) bucket: Arc<Mutex<Bucket>>,
    dead: Arc<Mutex<bool>>,
}

/// The answer to a call.
enum Answer<T> {
    Known(T),
    Lost,
}

impl Connection {
    pub(super) fn new(bucket: &Arc<Mutex<Bucket>>) -> Self {
        Self {
            bucket: Arc::clone(bucket),
            dead: Arc::default(),
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        *self.dead.lock().unwrap()
    }

    fn dies(&self) -> anyhow::Error {
        *self.dead.lock().unwrap() = true;
        anyhow!("the process is gone")
    }

    fn has(&self, defect: Defect) -> bool {
        self.bucket().defect == Some(defect)
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap()
    }

    /// Begins a call: changes that come late arrive, and its fault is drawn.
    fn begin(&self) -> Result<(MutexGuard<'_, Bucket>, Option<Fault>)> {
        ensure!(!self.is_dead(), "the process is gone");
        let mut bucket = self.bucket();
        for change in std::mem::take(&mut bucket.late) {
            bucket.apply(change);
        }
        bucket.calls += 1;
        let number = bucket.calls;
        let fault = bucket.faults.get(&number).copied();
        Ok((bucket, fault))
    }

    fn change(&self, change: Change) -> Result<Answer<Effect>> {
        let (mut bucket, fault) = self.begin()?;
        match fault {
            None => Ok(Answer::Known(bucket.apply(change))),
            Some(Fault::Fails) => bail!("the store is not available"),
            Some(Fault::AnswerLost) => {
                bucket.apply(change);
                Ok(Answer::Lost)
            }
            Some(Fault::Late) => {
                bucket.late.push(change);
                Ok(Answer::Lost)
            }
            Some(Fault::DiesBefore) => Err(self.dies()),
            Some(Fault::DiesAfter) => {
                bucket.apply(change);
                Err(self.dies())
            }
        }
    }

    fn read<T>(&self, read: impl FnOnce(&Bucket) -> T) -> Result<T> {
        let (bucket, fault) = self.begin()?;
        match fault {
            None => Ok(read(&bucket)),
            Some(Fault::DiesBefore | Fault::DiesAfter) => Err(self.dies()),
            Some(_) => bail!("the store is not available"),
        }
    }
}

/// The store of the state: replaced only on the condition of its version.
#[derive(Debug)]
pub(super) struct MemoryState(pub(super) Connection);

impl StateStore for MemoryState {
    fn display(&self) -> String {
        "memory:state".to_owned()
    }

    fn fence(&self) -> Fence {
        Fence::Condition
    }

    fn lock(&mut self) -> Result<()> {
        Ok(())
    }

    fn locks(&self) -> Locks {
        Locks::default()
    }

    fn load(&self) -> Result<Option<Stored>> {
        self.0.read(|bucket| {
            bucket.state.as_ref().map(|(text, version)| Stored {
                text: text.clone(),
                version: Version::new(version.to_string()),
            })
        })
    }

    fn put(&self, text: &[u8], expected: Option<&Version>) -> Result<Put> {
        let expected = expected
            .map(|version| version.as_str().parse())
            .transpose()?;
        let put = self.0.change(Change::Put(text.to_vec(), expected))?;
        Ok(match put {
            Answer::Known(Effect::Done) => {
                let bucket = self.0.bucket();
                let (_, version) = bucket.state.as_ref().context("it was put")?;
                Put::Done(Version::new(version.to_string()))
            }
            Answer::Known(Effect::Refused) => Put::Conflict,
            Answer::Lost => Put::Unclear(anyhow!("the answer was lost")),
        })
    }
}

/// No pause: what comes late comes with the next call.
pub(super) fn no_pause(_: Duration) {}

/// The destination: parts are uploads under a name that no other process has.
#[derive(Debug)]
pub(super) struct MemoryDestination {
    connection: Connection,
    process: Uuid,
    /// What this process has appended to its uploads, acknowledged.
    acknowledged: Arc<Mutex<HashMap<PartId, usize>>>,
}

impl MemoryDestination {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            process: Uuid::nil(),
            acknowledged: Arc::default(),
        }
    }

    /// The upload of a part that a state speaks of.
    fn name(file: &FileState) -> Result<&str> {
        file.place.as_deref().context("a part without a place")
    }

    /// Completes an upload, unless that was done before.
    fn complete(&self, file: &FileState) -> Result<()> {
        let name = Self::name(file)?;
        let length = usize::try_from(file.length)?;
        for _ in 0..8 {
            // Completing cannot be repeated, so it is looked at before and after.
            let there = self
                .connection
                .read(|bucket| bucket.objects.get(name).cloned());
            match there {
                Ok(Some(object)) => {
                    ensure!(
                        object.len() == length && crc32c::crc32c(&object) == file.crc32c,
                        "`{name}` is another object"
                    );
                    return Ok(());
                }
                Ok(None) => {}
                Err(error) if self.connection.is_dead() => return Err(error),
                Err(_) => continue,
            }
            if let Err(error) = self
                .connection
                .change(Change::Complete(name.to_owned(), length))
                && self.connection.is_dead()
            {
                return Err(error);
            }
        }
        bail!("`{name}` could not be completed")
    }

    fn publish_all(&self, committed: &Committed<'_>) -> Result<ManifestMark> {
        if committed.sealed.is_empty() {
            return Ok(committed.manifest);
        }
        for file in committed.sealed {
            self.complete(file)?;
        }
        // An object for each entry, whose number and bytes come from the committed state alone: a
        // process that takes over may find more sealed than the one that died, but in the same order.
        let mark = committed.manifest;
        let mut length = 0;
        for (number, file) in (mark.entries..).zip(committed.sealed) {
            let entry = Entry::new(committed, Self::name(file)?, file);
            let mut text = serde_json::to_vec(&entry)?;
            text.push(b'\n');
            length += text.len() as u64;
            let listed = self.connection.change(Change::List(number, text))?;
            if let Answer::Known(Effect::Refused) = listed {
                bail!("another manifest is there");
            }
        }
        Ok(ManifestMark {
            length: mark.length + length,
            entries: mark.entries + committed.sealed.len() as u64,
            crc32c: None,
        })
    }
}

impl Destination for MemoryDestination {
    fn display(&self) -> String {
        "memory:".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::PartsOfRanges
    }

    fn ensure_free(&self) -> Result<()> {
        Ok(())
    }

    fn ensure_replaceable(&self) -> Result<()> {
        Ok(())
    }

    fn remove_earlier(&self) -> Result<()> {
        Ok(())
    }

    fn is_in_use(&self) -> bool {
        false
    }

    fn prepare(&self) -> Result<()> {
        Ok(())
    }

    fn lock(&mut self, ownership: Ownership) -> Result<()> {
        self.process = ownership.process;
        Ok(())
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn begin(&self, _: Uuid) -> Result<()> {
        Ok(())
    }

    fn prove(&self, _: &Committed<'_>) -> Result<()> {
        Ok(())
    }

    fn inherit(&self, committed: &Committed<'_>) -> Inheritance {
        let mut inheritance = Inheritance::default();
        if self.connection.has(Defect::Uninherited) {
            return inheritance;
        }
        for open in committed.open() {
            if open.rows > 0 {
                inheritance.sealed.push(open.id());
            } else {
                inheritance.dropped.push(open.id());
            }
        }
        inheritance
    }

    fn recover(&self, committed: &Committed<'_>, _: bool) -> Result<Recovery> {
        let mut recovery = Recovery::of_nothing(committed);
        recovery.resumed = committed
            .open()
            .map(|open| ResumedPart {
                series: open.series,
                part: open.part,
                length: open.length,
                rows: open.rows,
                crc32c: open.crc32c,
                place: open.place.clone(),
            })
            .collect();
        recovery.manifest = self.publish_all(committed)?;
        let own = self.process.to_string();
        let left: Vec<String> = self.connection.read(|bucket| {
            let others = bucket.uploads.keys().filter(|name| !name.contains(&own));
            others.cloned().collect()
        })?;
        for name in left {
            self.connection.change(Change::Abort(name))?;
        }
        Ok(recovery)
    }

    fn open(&self, part: PartId) -> Result<Box<dyn PartWriter>> {
        self.acknowledged.lock().unwrap().insert(part, 0);
        let name = self.place_of(part).context("it has a place")?;
        Ok(Box::new(Upload {
            connection: self.connection.clone(),
            acknowledged: Arc::clone(&self.acknowledged),
            part,
            name,
        }))
    }

    /// Nothing is appended to another process's upload: this one begins empty.
    fn reopen(&self, part: &ResumedPart) -> Result<Box<dyn PartWriter>> {
        self.open(part.id())
    }

    fn place_of(&self, part: PartId) -> Option<String> {
        let process = if self.connection.has(Defect::SharedNames) {
            Uuid::nil()
        } else {
            self.process
        };
        Some(format!("{process}-{:05}-{:06}", part.series, part.part))
    }

    fn make_durable(&self, parts: &[Unsynced]) -> Result<()> {
        let acknowledged = self.acknowledged.lock().unwrap();
        for part in parts {
            ensure!(
                acknowledged.contains_key(&part.id),
                "a part that was not opened"
            );
        }
        Ok(())
    }

    fn publish(&self, committed: &Committed<'_>) -> Result<ManifestMark> {
        self.publish_all(committed)
    }

    fn manifest(&self, committed: &Committed<'_>) -> Result<Manifest> {
        let mut manifest = self.finished(None)?;
        let entries = usize::try_from(committed.manifest.entries)?;
        if manifest.entries.len() < entries {
            manifest.faults.push("lists too few objects".to_owned());
        }
        manifest.entries.truncate(entries);
        Ok(manifest)
    }

    fn name_of(&self, part: &FileState, _: bool) -> String {
        part.place.clone().unwrap_or_default()
    }

    fn part_of(&self, name: &str) -> Option<PartId> {
        let mut numbers = name.rsplitn(3, '-');
        let part = numbers.next()?.parse().ok()?;
        let series = numbers.next()?.parse().ok()?;
        Some(PartId { series, part })
    }

    fn shows_open_parts(&self) -> bool {
        false
    }

    fn list(&self) -> Result<Vec<PartFile>> {
        let names: Vec<String> = self
            .connection
            .read(|bucket| bucket.objects.keys().cloned().collect())?;
        let parts = names.into_iter().filter_map(|name| {
            let PartId { series, part } = self.part_of(&name)?;
            Some(PartFile {
                series,
                part,
                is_open: false,
                path: name.into(),
            })
        });
        Ok(parts.collect())
    }
}

impl ExportFiles for MemoryDestination {
    fn manifest_name(&self) -> Option<String> {
        Some("manifest".to_owned())
    }

    fn finished(&self, _: Option<&Committed<'_>>) -> Result<Manifest> {
        let text = self.connection.read(|bucket| {
            let texts = bucket.manifests.values();
            texts.flatten().copied().collect::<Vec<u8>>()
        })?;
        let lines = text.split(|byte| *byte == b'\n');
        let entries = lines.filter(|line| !line.is_empty());
        let entries: Result<Vec<Entry>, _> = entries.map(serde_json::from_slice).collect();
        Ok(Manifest {
            entries: entries?,
            ..Manifest::default()
        })
    }

    fn count_unfinished(&self) -> Result<usize> {
        self.connection.read(|bucket| bucket.uploads.len())
    }

    fn length_of(&self, name: &str) -> Result<Option<u64>> {
        let objects = |bucket: &Bucket| Some(bucket.objects.get(name)?.len() as u64);
        self.connection.read(objects)
    }

    fn open_file(&self, name: &str) -> Result<Option<Box<dyn PartReader>>> {
        let object = self
            .connection
            .read(|bucket| bucket.objects.get(name).cloned())?;
        Ok(object.map(|object| Box::new(Cursor::new(object)) as Box<dyn PartReader>))
    }

    fn display_of(&self, name: &str) -> String {
        format!("memory:{name}")
    }

    fn address_of(&self, name: &str) -> Result<PathBuf> {
        Ok(self.display_of(name).into())
    }
}

/// Appends to an upload. What is acknowledged is durable.
struct Upload {
    connection: Connection,
    acknowledged: Arc<Mutex<HashMap<PartId, usize>>>,
    part: PartId,
    name: String,
}

impl PartWriter for Upload {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        match self
            .connection
            .change(Change::Append(self.name.clone(), bytes.to_vec()))?
        {
            Answer::Known(Effect::Done) => {
                let mut acknowledged = self.acknowledged.lock().unwrap();
                *acknowledged.entry(self.part).or_default() += bytes.len();
                Ok(())
            }
            Answer::Known(Effect::Refused) => bail!("the upload is completed"),
            // It may come later, in front of what would be appended next: this upload is of no use.
            Answer::Lost => bail!("whether a part of the upload came is not known"),
        }
    }
}
