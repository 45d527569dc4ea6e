//! Files on a local disk: a directory of parts, one file and its successors, or one file that grows.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow};
use fs_err as fs;

use super::committed::Committed;
use super::earlier::{self, ReadEarlier};
use super::export_files::{ExportDirectory, ExportFiles, PartReader};
use super::manifest::{self, Manifest, Purpose};
use super::names::{FileNames, PartFile};
use super::owner::{self, Owner};
use super::part::{FileState, ManifestMark, PartId, ResumedPart};
use super::partitions::Partitions;
use super::recover::{self, Recovery};
use super::seam::{Destination, Kind, Ownership, PartWriter, Unsynced};
use crate::durable::{self, Lock, Locks, lock_path, shown_path};
use crate::error::{Annotate, with_hint};
use crate::failpoint::{self, FileChange};

/// Part files synced at the same time.
const PARALLEL_SYNCS: usize = 16;

/// Files on a local disk.
#[derive(Debug)]
pub struct Local {
    names: FileNames,
    /// The path of the state, if there is one.
    state_path: Option<PathBuf>,
    read_earlier: ReadEarlier,
    locks: Locks,
    /// Locks of the other places where earlier exports to this directory kept their states.
    former: Mutex<Vec<Lock>>,
    open: Mutex<HashMap<PartId, OpenFile>>,
    partitions: Partitions,
}

/// A part file that is written to.
#[derive(Debug)]
struct OpenFile {
    file: fs::File,
    /// Whether its name is not durable yet.
    is_new: bool,
}

impl Local {
    /// The files `names` of the export whose state is at `state_path`. `read_earlier` reads states of earlier
    /// exports, which list their files.
    pub fn new(names: FileNames, state_path: Option<&Path>, read_earlier: ReadEarlier) -> Self {
        Self {
            partitions: Partitions::new(names.partition_by()),
            names,
            state_path: state_path.map(Path::to_owned),
            read_earlier,
            locks: Locks::default(),
            former: Mutex::default(),
            open: Mutex::default(),
        }
    }

    fn directory(&self) -> ExportDirectory {
        ExportDirectory::new(self.names.directory(), self.names.own_directory())
    }

    fn open_files(&self) -> MutexGuard<'_, HashMap<PartId, OpenFile>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer of a part file, which is synced when it is made durable.
    fn writer(&self, id: PartId, file: fs::File, is_new: bool) -> Result<Box<dyn PartWriter>> {
        let unsynced = file.try_clone().context("cannot sync a part file")?;
        let open = OpenFile {
            file: unsynced,
            is_new,
        };
        self.open_files().insert(id, open);
        Ok(Box::new(PartFileWriter {
            file,
            locks: self.locks.clone(),
        }))
    }

    /// The path of the state, which every export to files has.
    fn state_path(&self) -> Result<&Path> {
        let path = self.state_path.as_deref();
        path.context("an export to files needs a state")
    }

    /// The states whose locks guard the output.
    fn guarding_states(&self) -> impl Iterator<Item = PathBuf> {
        let own = self.state_path.iter().cloned();
        let others = self.names.elsewhere();
        let others: Vec<PathBuf> = others.iter().filter_map(FileNames::default_state).collect();
        own.chain(self.names.default_state()).chain(others)
    }
}

impl Destination for Local {
    fn display(&self) -> String {
        self.names.display()
    }

    fn manifest_place(&self) -> Option<String> {
        let path = self.names.manifest()?;
        Some(path.display().to_string())
    }

    fn kind(&self) -> Kind {
        if self.names.is_directory() {
            Kind::PartsOfRanges
        } else if self.names.is_append() {
            Kind::Growing
        } else {
            Kind::Parts
        }
    }

    fn ensure_free(&self) -> Result<()> {
        self.names.ensure_own_directory()?;
        if self.names.is_append() {
            earlier::ensure_free_to_append(&self.names)
        } else {
            earlier::ensure_free(&self.names, self.state_path.as_deref())
        }
    }

    fn ensure_replaceable(&self) -> Result<()> {
        self.names.ensure_own_directory()?;
        earlier::left_by_earlier(&self.names, self.state_path.as_deref(), self.read_earlier)
            .map(drop)
    }

    fn remove_earlier(&self) -> Result<()> {
        let left =
            earlier::left_by_earlier(&self.names, self.state_path.as_deref(), self.read_earlier)?;
        for path in left {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn is_in_use(&self) -> bool {
        self.guarding_states()
            .any(|state| Lock::is_held(&lock_path(&state)).unwrap_or(false))
    }

    fn prepare(&self) -> Result<()> {
        for directory in [self.names.directory(), self.names.own_directory()] {
            durable::create_directory(directory)
                .with_context(|| {
                    format!(
                        "cannot create the output directory `{}`",
                        shown_path(&directory)
                    )
                })
                .hint("choose another output, in a directory where you may write")?;
        }
        Ok(())
    }

    /// The lock of an output is that of the state beside it. Without it, two jobs whose states are elsewhere
    /// could write to files of the same names.
    fn lock(&mut self, ownership: Ownership) -> Result<()> {
        self.locks = ownership.locks;
        let Some(beside) = self.names.default_state() else {
            return Ok(());
        };
        let own = self.state_path.as_deref().map(lock_path);
        // Two names of one file are one lock, which this process already holds.
        let is_own = |path: &Path| match (
            path.canonicalize(),
            own.as_ref().map(|own| own.canonicalize()),
        ) {
            (Ok(output), Some(Ok(own))) => output == own,
            _ => false,
        };
        let acquire = |path: &Path| {
            Lock::acquire_for(
                path,
                &format!("cannot write to `{}`", self.names.display()),
                "wait for the other export, or stop it; or choose another output",
            )
        };
        let path = lock_path(&beside);
        if !is_own(&path) {
            self.locks.add(Arc::new(acquire(&path)?));
        }
        // Another process may be writing to the same directory from another place, such as an earlier build.
        let mut former = Vec::new();
        let elsewhere = match self.names.is_of_shard() {
            // Each shard would keep the others from starting.
            true => Vec::new(),
            false => self.names.elsewhere(),
        };
        for state in elsewhere.iter().filter_map(FileNames::default_state) {
            let path = lock_path(&state);
            if durable::is_there(&path) && !is_own(&path) {
                former.push(acquire(&path)?);
            }
        }
        self.former = Mutex::new(former);
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.locks.check()
    }

    /// The lock files of earlier exports, which this process holds, would be taken for data. A process that waits
    /// for one of them notices that it is gone.
    fn begin(&self, export_id: uuid::Uuid) -> Result<()> {
        let mut former = self.former.lock().unwrap_or_else(PoisonError::into_inner);
        former.drain(..).try_for_each(Lock::remove)?;
        Owner::write(&self.names, export_id, self.state_path()?)
    }

    fn prove(&self, committed: &Committed<'_>) -> Result<()> {
        owner::prove(committed, self.state_path()?, &self.names).map(drop)
    }

    fn check_recovery(&self, committed: &Committed<'_>, repair: bool) -> Result<Vec<FileState>> {
        recover::check(committed, self.state_path()?, &self.names, repair)
    }

    fn recover(&self, committed: &Committed<'_>, repair: bool) -> Result<Recovery> {
        recover::recover(committed, self.state_path()?, &self.names, repair)
    }

    fn open(&self, id: PartId) -> Result<Box<dyn PartWriter>> {
        let path = self.names.open_part(id.series, id.part);
        self.partitions.begin(id);
        let finished = self
            .names
            .part_in(id.series, id.part, self.partitions.of(id));
        if !self.names.is_append() && durable::is_there(&finished) {
            return Err(with_hint(
                anyhow!("`{}` already exists", shown_path(&finished)),
                "this export did not write it; move it away, then resume",
            ));
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        let file = durable::open_plain("part.create", &path, &mut options)?;
        self.writer(id, file, true)
    }

    fn reopen(&self, part: &ResumedPart) -> Result<Box<dyn PartWriter>> {
        let path = self.names.open_part(part.series, part.part);
        self.partitions.resume(part.id(), part.partition());
        let continued = || -> Result<Box<dyn PartWriter>> {
            let mut options = fs::OpenOptions::new();
            let mut file = durable::open_plain("part.open", &path, options.write(true))?;
            file.seek(SeekFrom::Start(part.length))?;
            self.writer(part.id(), file, false)
        };
        continued().with_context(|| format!("cannot continue `{}`", shown_path(&path)))
    }

    fn place_of(&self, part: PartId) -> Option<String> {
        let partition = self.partitions.of(part)?;
        Some(partition.to_string())
    }

    fn is_past(&self, part: PartId) -> bool {
        self.partitions.is_past(part)
    }

    fn make_durable(&self, parts: &[Unsynced]) -> Result<()> {
        let mut files = Vec::with_capacity(parts.len());
        let mut has_new_names = false;
        {
            let mut open = self.open_files();
            for part in parts {
                let known = open.get_mut(&part.id);
                let known = known.context("a part that was not opened cannot be synced")?;
                has_new_names |= std::mem::take(&mut known.is_new);
                if part.is_sealed {
                    files.extend(open.remove(&part.id).map(|known| known.file));
                } else {
                    files.push(known.file.try_clone().context("cannot sync a part file")?);
                }
            }
        }
        sync_all(files)?;
        if has_new_names {
            durable::sync_directory("parts.sync-directory", self.names.own_directory())
                .context("cannot make new file names durable")?;
        }
        Ok(())
    }

    fn publish(&self, committed: &Committed<'_>) -> Result<ManifestMark> {
        if committed.sealed.is_empty() {
            return Ok(committed.manifest);
        }
        for sealed in committed.sealed {
            let open = self.names.open_part(sealed.series, sealed.part);
            self.names.prepare_partition(sealed)?;
            durable::publish(&open, &self.names.finished(sealed))
                .context("cannot publish a finished file")?;
        }
        self.names.sync_published(committed.sealed)?;
        let published = committed.sealed.iter().map(FileState::id);
        self.partitions.forget(published);
        manifest::list(committed, committed.manifest, &self.names)
    }

    fn definition_name(&self) -> Option<String> {
        self.names.definition().as_deref().map(name_in_directory)
    }

    fn replace_definition(&self, text: &[u8]) -> Result<()> {
        let Some(path) = self.names.definition() else {
            return Ok(());
        };
        self.locks.check()?;
        durable::replace_as(&durable::DEFINITION, &path, text)
            .with_context(|| format!("cannot write `{}`", shown_path(&path)))
    }

    fn definition(&self, limit: u64) -> Result<Option<Vec<u8>>> {
        match self.names.definition() {
            Some(path) => read_up_to(&path, limit),
            None => Ok(None),
        }
    }

    fn manifest(&self, committed: &Committed<'_>) -> Result<Manifest> {
        let names = &self.names;
        match names.manifest() {
            Some(path) => Manifest::read(&path, Purpose::Committed { committed, names }),
            None => Ok(Manifest::default()),
        }
    }

    fn name_of(&self, part: &FileState, is_open: bool) -> String {
        let path = if is_open {
            self.names.open_part(part.series, part.part)
        } else {
            self.names.finished(part)
        };
        self.names.name_of(&path)
    }

    fn part_of(&self, name: &str) -> Option<PartId> {
        let PartFile { series, part, .. } = self.names.part_of(name)?;
        Some(PartId { series, part })
    }

    fn name_of_found(&self, file: &PartFile) -> String {
        self.names.name_of(&file.path)
    }

    fn list(&self) -> Result<Vec<PartFile>> {
        self.names.existing()
    }

    fn list_among(&self, names: &[String]) -> Result<Vec<PartFile>> {
        self.names.existing_among(names)
    }
}

impl ExportFiles for Local {
    fn manifest_name(&self) -> Option<String> {
        self.names.manifest().as_deref().map(name_in_directory)
    }

    fn finished(&self, committed: Option<&Committed<'_>>) -> Result<Manifest> {
        let Some(path) = self.names.manifest() else {
            return Ok(Manifest::default());
        };
        let names = Some(&self.names);
        Manifest::read(&path, Purpose::Finished { committed, names })
    }

    fn count_unfinished(&self) -> Result<usize> {
        let parts = self.names.existing()?;
        Ok(parts.iter().filter(|part| part.is_open).count())
    }

    fn length_of(&self, name: &str) -> Result<Option<u64>> {
        self.directory().length_of(name)
    }

    fn open_file(&self, name: &str) -> Result<Option<Box<dyn PartReader>>> {
        self.directory().open_file(name)
    }

    fn display_of(&self, name: &str) -> String {
        self.directory().display_of(name)
    }

    fn address_of(&self, name: &str) -> Result<PathBuf> {
        self.directory().address_of(name)
    }
}

/// The contents of a file, up to this many bytes; none if it does not exist.
///
/// # Errors
///
/// If it is something else than a file, or any error of the operating system.
pub(crate) fn read_up_to(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    if !durable::is_plain_file(path)? {
        return Ok(None);
    }
    let mut contents = Vec::new();
    let file = durable::open_plain_quietly(path, fs::OpenOptions::new().read(true))?;
    file.take(limit).read_to_end(&mut contents)?;
    Ok(Some(contents))
}

/// The name of a file, without the directory that all files of an export are in.
fn name_in_directory(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Writes to a part file.
struct PartFileWriter {
    file: fs::File,
    locks: Locks,
}

impl PartWriter for PartFileWriter {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.locks.check()?;
        failpoint::write("part.write", &mut self.file, bytes)?;
        Ok(())
    }
}

/// Syncs part files, several at a time.
fn sync_all(files: Vec<fs::File>) -> Result<()> {
    let sync = |file: &fs::File| {
        failpoint::step("part.sync", FileChange::Sync(file.path()), || {
            file.sync_data()
        })
        .context("cannot sync a part file to the disk")
    };
    if files.len() < 2 {
        return files.iter().try_for_each(sync);
    }
    for batch in files.chunks(PARALLEL_SYNCS) {
        std::thread::scope(|scope| {
            let syncs: Vec<_> = batch
                .iter()
                .map(|file| scope.spawn(move || sync(file)))
                .collect();
            syncs.into_iter().try_for_each(|one| match one.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
    }
    Ok(())
}
