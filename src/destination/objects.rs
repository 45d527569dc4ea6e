//! A destination in an object store.
//!
//! A part is a multipart upload under a name that contains the claim of its process, which readers do not see
//! before it is completed. docs/object-store-protocol.md has the rules, by number.

mod beyond;
mod claim;
mod lost;
mod reading;
mod uploads;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail, ensure};
use time::OffsetDateTime;

use self::claim::{CLAIM, Claiming, is_taken};
pub use self::claim::{PlaceClaim, StateElsewhere, state_elsewhere};
use self::uploads::{Completion, UploadWriter, Uploads, is_gone};
use super::committed::Committed;
use super::export_files::ExportFiles;
use super::manifest::{Entry, Manifest, lines_of};
use super::names::{PartFile, stem_of_objects, stem_of_ranges_in_store, stem_of_shards_in_store};
use super::part::{FileState, ManifestMark, PartId, Piece, ResumedPart, Upload};
use super::partition::{PartitionBy, split_name};
use super::partitions::Partitions;
use super::recover::Recovery;
use super::seam::{Destination, Inheritance, Kind, Ownership, PartWriter, Unsynced};
use super::shards::SHARDS_FILE;
use super::table::{GROUP_FILE, own_object};
use crate::cosmos::backoff::Backoff;
use crate::count::exactly;
use crate::error::{ExitCode, usage, with_exit_code, with_hint};
use crate::failpoint;
use crate::objects::{Bucket, PutOutcome};

/// Manifest objects are below this, in what is not data.
const MANIFEST: &str = "manifest/";

/// Written last: the latest run that read everything.
const SUMMARY: &str = "manifest-summary.json";

/// Objects that are completed at the same time.
const PARALLEL: usize = 8;

/// Attempts of a call whose outcome is not known.
const ATTEMPTS: u32 = 6;

/// Objects below an address: a series of parts for each range.
#[derive(Debug)]
pub struct Objects {
    bucket: Arc<Bucket>,
    stem: String,
    extension: &'static str,
    /// The claim of this process, which names contain.
    process: uuid::Uuid,
    uploads: Arc<Uploads>,
    partitions: Partitions,
    /// Uploads of earlier processes that could not be aborted yet.
    left: Mutex<Vec<Upload>>,
    /// The claim of the place, if the state is elsewhere.
    claiming: Option<Claiming>,
    /// Whether this process has claimed the place.
    is_claimed: AtomicBool,
    /// The container that is exported.
    container: String,
    /// The objects of a listing, with their lengths.
    listed: BTreeMap<String, u64>,
}

impl Objects {
    /// The export of `container` to the objects below the address of `bucket`, whose names end in `extension`.
    pub fn new(bucket: Arc<Bucket>, container: &str, extension: &'static str) -> Self {
        Self {
            stem: stem_of_objects(container, bucket.address()),
            bucket,
            extension,
            process: uuid::Uuid::nil(),
            uploads: Arc::default(),
            partitions: Partitions::default(),
            left: Mutex::default(),
            claiming: None,
            is_claimed: AtomicBool::new(false),
            container: container.to_owned(),
            listed: BTreeMap::new(),
        }
    }

    /// The same, with new objects in the directories of such partitions.
    #[must_use]
    pub fn partitioned(self, by: Option<PartitionBy>) -> Self {
        Self {
            partitions: Partitions::new(by),
            ..self
        }
    }

    /// The same, where the state of the export is elsewhere.
    pub fn with_state(mut self, state: StateElsewhere) -> Self {
        self.claiming = Some(Claiming::of(state));
        self
    }

    /// Puts an object in place of the version `expected`, or of none. With its state elsewhere an export does without
    /// conditional writes, where a store has none.
    fn put(
        &self,
        step: &'static str,
        name: &str,
        text: Vec<u8>,
        expected: Option<&str>,
    ) -> Result<PutOutcome> {
        match self.claiming {
            None => self.bucket.put(step, name, text, expected),
            Some(_) => self.bucket.put_where_possible(step, name, text, expected),
        }
    }

    /// Checks that the place is still claimed by this process.
    fn check_claim(&self) -> Result<()> {
        match self.claiming {
            None => Ok(()),
            Some(_) => Claiming::check(&self.bucket, self.process),
        }
    }

    /// The same, which takes the lengths of the objects in this listing from there. Those that it lacks are looked at.
    #[must_use]
    pub fn as_listed(self, listed: impl IntoIterator<Item = (String, u64)>) -> Self {
        Self {
            listed: listed.into_iter().collect(),
            ..self
        }
    }

    /// The name of an object that is not data.
    fn own(&self, name: &str) -> String {
        own_object(self.bucket.address(), name)
    }

    fn name(&self, part: PartId) -> String {
        let name = format!(
            "{}-{:05}-{:06}-{}.{}",
            self.stem,
            part.series,
            part.part,
            self.process.simple(),
            self.extension
        );
        match self.partitions.of(part) {
            None => name,
            Some(partition) => format!("{partition}/{name}"),
        }
    }

    /// The part of this export that an object is; `None` too if it is not in a partition of the table, where a consumer may
    /// have put it.
    fn own_part_of(&self, name: &str) -> Option<PartId> {
        let partition = split_name(name).0;
        self.part_of(name)
            .filter(|_| self.partitions.has(partition))
    }

    /// The parts among the objects of these names.
    fn parts_among(&self, names: impl Iterator<Item = String>) -> Vec<PartFile> {
        let parts = names.filter_map(|name| {
            let PartId { series, part } = self.own_part_of(&name)?;
            Some(PartFile {
                series,
                part,
                is_open: false,
                path: name.into(),
            })
        });
        parts.collect()
    }

    /// The name of a part that a state lists. A state can come from anybody, so it must be one of this export's.
    fn place<'a>(&self, file: &'a FileState) -> Result<&'a str> {
        let place = file.place.as_deref().unwrap_or_default();
        ensure!(
            self.own_part_of(place) == Some(file.id()),
            "the state names part {} of series {} `{}`, which is not a name of this export's objects",
            file.part,
            file.series,
            place.escape_debug()
        );
        Ok(place)
    }

    /// Completes an upload, unless that was done before (rule 6), or it is gone.
    fn complete(&self, file: &FileState) -> Result<Completion> {
        let name = self.place(file)?;
        let mut backoff = Backoff::default();
        let mut last = None;
        let mut may_be_ours = false;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                failpoint::pause(backoff.next_pause(None));
            }
            match self.bucket.length(name) {
                Ok(Some(length)) if length == file.length => return Ok(Completion::There),
                Ok(Some(length)) => {
                    return Err(with_hint(
                        anyhow!(
                            "`{}` has {}, but the state sealed it with {}",
                            self.display_of(name),
                            exactly(length, "byte"),
                            file.length
                        ),
                        "the object was changed by something else: restore it, or export to a new place",
                    ));
                }
                Ok(None) => {}
                Err(error) => {
                    last = Some(error);
                    continue;
                }
            }
            let pieces = file.pieces.iter().map(|piece| piece.id.clone()).collect();
            let upload = file.upload.as_deref().unwrap_or_default();
            let completed = self.bucket.complete(name, upload, pieces);
            may_be_ours |= !completed.as_ref().is_err_and(is_gone);
            last = completed.err().or(last);
        }
        let last = last.unwrap_or_else(|| anyhow!("it is not there after it was completed"));
        if is_gone(&last) {
            return Ok(Completion::Gone {
                said: last,
                may_be_ours,
            });
        }
        Err(last.context(format!(
            "the upload of `{}` cannot be completed",
            self.display_of(name)
        )))
    }

    fn ensure_complete(&self, file: &FileState) -> Result<()> {
        match self.complete(file)? {
            Completion::There => Ok(()),
            Completion::Gone { said, .. } => Err(self.gone(file, said)),
        }
    }

    /// Completes and lists the objects that one commit has sealed. Returns the length of what lists them.
    fn publish_batch(
        &self,
        committed: &Committed<'_>,
        batch: u64,
        files: &[&FileState],
    ) -> Result<u64> {
        let name = self.own(&format!("{MANIFEST}{batch:010}.ndjson"));
        // Its name and bytes come from the state alone (rule 7).
        let entries: Result<Vec<Entry>> = files
            .iter()
            .map(|file| Ok(Entry::new(committed, self.place(file)?, file)))
            .collect();
        let text = lines_of(&entries?)?;
        let is_listed = |bucket: &Bucket| -> Result<bool> {
            let Some(found) = bucket.get(&name)? else {
                return Ok(false);
            };
            if found.bytes == text {
                return Ok(true);
            }
            Err(with_hint(
                anyhow!("`{}` lists something else", self.display_of(&name)),
                "it was changed, or another export writes there: restore it, or export to a new place",
            ))
        };
        // A consumer may have taken the objects away already, so this comes before they are looked at.
        if is_listed(&self.bucket)? {
            return Ok(text.len() as u64);
        }
        let mut rest = files.to_vec();
        rest.sort_unstable_by_key(|file| file.id());
        while !rest.is_empty() {
            let files = one_of_each_series(&mut rest);
            self.check_claim()?;
            std::thread::scope(|scope| {
                let calls: Vec<_> = files
                    .iter()
                    .map(|file| scope.spawn(|| self.ensure_complete(file)))
                    .collect();
                calls.into_iter().try_for_each(|one| match one.join() {
                    Ok(outcome) => outcome,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
            })?;
        }
        let mut backoff = Backoff::default();
        for _ in 0..ATTEMPTS {
            self.check_claim()?;
            let put = self.put("object.manifest", &name, text.clone(), None)?;
            if matches!(put, PutOutcome::Done(_)) || is_listed(&self.bucket)? {
                return Ok(text.len() as u64);
            }
            failpoint::pause(backoff.next_pause(None));
        }
        bail!("cannot write `{}`", self.display_of(&name))
    }

    fn publish_all(&self, committed: &Committed<'_>) -> Result<ManifestMark> {
        let mut batches: BTreeMap<u64, Vec<&FileState>> = BTreeMap::new();
        for file in committed.sealed {
            let batch = file.batch.context("a sealed part has no batch")?;
            batches.entry(batch).or_default().push(file);
        }
        let mut mark = committed.manifest;
        for (batch, files) in batches {
            let listed = self.publish_batch(committed, batch, &files);
            mark.length += listed.map_err(|error| self.with_missing(error, committed.sealed))?;
            mark.entries += files.len() as u64;
        }
        let published = committed.sealed.iter().map(FileState::id);
        self.uploads.forget(published.clone());
        self.partitions.forget(published);
        Ok(mark)
    }

    /// What the names of the objects of all shards begin with, if this is one of them; the same of ranges.
    fn stem_of_all(&self) -> Option<String> {
        let address = self.bucket.address();
        match (address.shard(), address.range()) {
            (Some(_), _) => Some(stem_of_shards_in_store(&self.container)),
            (None, Some(_)) => Some(stem_of_ranges_in_store(&self.container)),
            (None, None) => None,
        }
    }

    fn unsupported(&self) -> anyhow::Error {
        usage(
            format!(
                "--force does not replace an export in an object store (`{}`)",
                self.display()
            ),
            "choose another path, or delete the objects there first",
        )
    }
}

/// Takes some of these sealed parts, at most one of a series. Those of a series are completed in their order: if the store
/// removes the upload of one of them, none after it is there.
fn one_of_each_series<'a>(rest: &mut Vec<&'a FileState>) -> Vec<&'a FileState> {
    let mut taken: Vec<&FileState> = Vec::new();
    rest.retain(|file| {
        let has_its_series = taken.iter().any(|one| one.series == file.series);
        let is_taken = taken.len() < PARALLEL && !has_its_series;
        if is_taken {
            taken.push(file);
        }
        !is_taken
    });
    taken
}

/// Whoever reads the place as a table would take whatever is there for data of the export.
fn ensure_only_hidden(objects: &Objects, listed: &[(String, u64)]) -> Result<()> {
    let is_hidden = |name: &str| name.starts_with(['_', '.']);
    let stem = objects.stem_of_all();
    let is_of_all = |name: &str| {
        let stem = stem.as_deref();
        stem.is_some_and(|stem| split_name(name).1.starts_with(stem))
    };
    let mut names = listed.iter();
    match names.find(|(name, _)| !is_hidden(name) && !is_of_all(name)) {
        None => Ok(()),
        Some((name, _)) => Err(usage(
            format!("`{}` is not of an export", objects.display_of(name)),
            "choose a path that nothing else has: what is read from there is the export alone",
        )),
    }
}

impl Destination for Objects {
    fn display(&self) -> String {
        self.bucket.address().to_string()
    }

    fn manifest_place(&self) -> Option<String> {
        Some(self.display_of(&self.own(MANIFEST)))
    }

    fn kind(&self) -> Kind {
        Kind::PartsOfRanges
    }

    fn ensure_free(&self) -> Result<()> {
        let mut listed = self.bucket.list("")?;
        let is_claimed = listed.iter().any(|(name, _)| name == CLAIM);
        if is_claimed && PlaceClaim::read(&self.bucket)?.is_none() {
            listed.retain(|(name, _)| name != CLAIM);
        }
        let own = self.own("");
        let marks = self.marks_of_others();
        let is_ours = |name: &str| {
            name.starts_with(&own)
                || self.part_of(name).is_some()
                || marks.iter().any(|mark| mark == name)
        };
        let Some((name, _)) = listed.iter().find(|(name, _)| is_ours(name)) else {
            return ensure_only_hidden(self, &listed);
        };
        let is_whole = self.bucket.address().is_whole();
        let is_there = |own: &str| listed.iter().any(|(name, _)| *name == self.own(own));
        if is_whole && is_there(GROUP_FILE) {
            return Err(usage(
                format!(
                    "`{}` is written by the instances of a group",
                    self.display()
                ),
                "choose another path, or add an instance: export --follow --group NAME --leases DATABASE/CONTAINER -o ADDRESS",
            ));
        }
        if is_whole && is_there(SHARDS_FILE) {
            return Err(usage(
                format!("`{}` is written by the shards of a plan", self.display()),
                "choose another path, or continue a shard: export --plan PLAN --shard I/N -o ADDRESS",
            ));
        }
        if let Some(taken) = is_taken(&self.bucket)? {
            return Err(taken);
        }
        if let Some(gone) = self.missing_mark(&listed)? {
            return Err(gone);
        }
        Err(with_hint(
            with_exit_code(
                anyhow!("`{}` already exists", self.display_of(name)),
                ExitCode::Usage,
            ),
            format!(
                "continue the export with `cosmos-tail resume {}`, or choose another path",
                self.display()
            ),
        ))
    }

    fn ensure_replaceable(&self) -> Result<()> {
        Err(self.unsupported())
    }

    fn remove_earlier(&self) -> Result<()> {
        Err(self.unsupported())
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

    fn has_claim(&self) -> bool {
        self.claiming.is_some()
    }

    fn claims(&self) -> Vec<uuid::Uuid> {
        let claiming = self.claiming.iter();
        claiming
            .flat_map(|claiming| claiming.ids(self.process))
            .collect()
    }

    /// The place is claimed when the state has been committed.
    fn begin(&self, _: uuid::Uuid) -> Result<()> {
        Ok(())
    }

    fn prove(&self, committed: &Committed<'_>) -> Result<()> {
        committed
            .open()
            .chain(committed.sealed)
            .try_for_each(|file| self.place(file).map(drop))?;
        if let Some(claiming) = &self.claiming {
            claiming.prove(&self.bucket, committed)?;
        }
        self.ensure_alone(committed)?;
        self.ensure_explained(committed)
    }

    fn claim(&self, committed: &Committed<'_>) -> Result<()> {
        if self.is_claimed.load(Ordering::Relaxed) {
            self.check_claim()?;
            if let Some(claiming) = &self.claiming {
                claiming.renew(&self.bucket, self.process);
            }
            return Ok(());
        }
        let own = (self.process, &*self.container, self.extension);
        if let Some(claiming) = &self.claiming {
            self.ensure_alone(committed)?;
            let earlier = claiming.take(&self.bucket, committed, own)?;
            // What came between the first look and the claim.
            let alone = self.ensure_alone(committed);
            if let Err(error) = alone.and_then(|()| self.ensure_explained(committed)) {
                // It may be of a process that has claimed the place since.
                self.check_claim()?;
                Claiming::give_back(&self.bucket, earlier, self.process).ok();
                return Err(error);
            }
        } else {
            self.ensure_alone(committed)?;
        }
        self.is_claimed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Nobody puts a part into an upload of another process, and none without parts is sealed (rule 3).
    fn inherit(&self, committed: &Committed<'_>) -> Inheritance {
        let mut inheritance = Inheritance::default();
        for open in committed.open() {
            if open.pieces.is_empty() {
                inheritance.dropped.push(open.id());
            } else {
                inheritance.sealed.push(open.id());
            }
        }
        inheritance
    }

    fn lost(&self, committed: &Committed<'_>, repair: bool) -> Result<Vec<PartId>> {
        self.lost_of(committed, repair)
    }

    fn recover(&self, committed: &Committed<'_>, _: bool) -> Result<Recovery> {
        ensure!(
            committed.open().next().is_none(),
            "an upload of another process is open"
        );
        let mut recovery = Recovery::of_nothing(committed);
        recovery.manifest = self.publish_all(committed)?;
        Ok(recovery)
    }

    fn open(&self, part: PartId) -> Result<Box<dyn PartWriter>> {
        self.partitions.begin(part);
        let writer = UploadWriter::begin(&self.bucket, &self.uploads, part, self.name(part));
        Ok(Box::new(writer))
    }

    fn reopen(&self, _: &ResumedPart) -> Result<Box<dyn PartWriter>> {
        bail!("an upload is not continued by another process")
    }

    fn place_of(&self, part: PartId) -> Option<String> {
        Some(self.name(part))
    }

    fn is_past(&self, part: PartId) -> bool {
        self.partitions.is_past(part)
    }

    fn has_past(&self) -> bool {
        self.partitions.has_past()
    }

    fn make_durable(&self, parts: &[Unsynced]) -> Result<()> {
        for part in parts {
            self.uploads.wait_for(part.id)?;
            if part.is_sealed && failpoint::is_planted("defect.object.completed-before-its-commit")
            {
                let pieces = self.uploads.acknowledged(part.id);
                let upload = self.uploads.id_of(part.id).unwrap_or_default();
                self.bucket.complete(&self.name(part.id), &upload, pieces)?;
            }
        }
        Ok(())
    }

    fn pieces_of(&self, part: PartId, length: u64) -> Result<Vec<Piece>> {
        self.uploads.pieces_of(part, length)
    }

    fn upload_of(&self, part: PartId) -> Option<String> {
        self.uploads.id_of(part)
    }

    fn upload_began(&self, part: PartId) -> Option<OffsetDateTime> {
        self.uploads.began(part)
    }

    fn uploads(&self) -> Vec<Upload> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.iter().cloned().chain(self.uploads.all()).collect()
    }

    /// Whoever may not abort leaves it to a lifecycle rule, and the ids to the next process.
    fn abort(&self, uploads: &[Upload]) {
        let remains = |upload: &&Upload| {
            self.part_of(&upload.place).is_some()
                && self.bucket.abort(&upload.place, &upload.id).is_err()
        };
        let left = uploads.iter().filter(remains).cloned().collect();
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }

    fn commits_within_parts(&self) -> bool {
        self.bucket.min_part().is_none()
    }

    fn numbers_batches(&self) -> bool {
        true
    }

    fn publish(&self, committed: &Committed<'_>) -> Result<ManifestMark> {
        self.publish_all(committed)
    }

    /// A process that was paused may come with an older summary than the one that is there.
    fn summarize(&self, generation: u64, text: &[u8]) -> Result<()> {
        #[derive(serde::Deserialize)]
        struct Known {
            generation: u64,
        }
        let summary = self.own(SUMMARY);
        let mut backoff = Backoff::default();
        for _ in 0..ATTEMPTS {
            let there = self.bucket.get(&summary)?;
            let known = there.as_ref().map(|there| {
                let known: Option<Known> = serde_json::from_slice(&there.bytes).ok();
                known.map_or(0, |known| known.generation)
            });
            if known.is_some_and(|known| known >= generation) {
                return Ok(());
            }
            let version = there.as_ref().map(|there| there.version.as_str());
            let put = self.put("object.summary", &summary, text.to_vec(), version)?;
            if let PutOutcome::Done(_) = put {
                return Ok(());
            }
            failpoint::pause(backoff.next_pause(None));
        }
        bail!("cannot write `{}`", self.display_of(&summary))
    }

    fn manifest(&self, committed: &Committed<'_>) -> Result<Manifest> {
        let mut manifest = self.finished(Some(committed))?;
        let entries = usize::try_from(committed.manifest.entries)?;
        if manifest.entries.len() < entries {
            let found = manifest.entries.len() as u64;
            manifest.faults.push(format!(
                "lists {}, but the state counts {entries}",
                exactly(found, "object")
            ));
        }
        // Newer ones are not in this state yet (rule 11).
        manifest.entries.truncate(entries);
        manifest.is_missing = entries > 0 && manifest.entries.is_empty();
        Ok(manifest)
    }

    fn name_of(&self, part: &FileState, _: bool) -> String {
        part.place.clone().unwrap_or_default()
    }

    fn part_of(&self, name: &str) -> Option<PartId> {
        let rest = split_name(name)
            .1
            .strip_prefix(self.stem.as_str())?
            .strip_prefix('-')?
            .strip_suffix(self.extension)?
            .strip_suffix('.')?;
        let mut numbers = rest.splitn(3, '-');
        let (series, part, process) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let number = |text: &str, digits: usize| -> Option<u32> {
            let is_number = text.len() >= digits && text.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| text.parse().ok())?
        };
        let is_process = process.len() == 32 && process.bytes().all(|b| b.is_ascii_hexdigit());
        is_process.then_some(())?;
        Some(PartId {
            series: number(series, 5)?,
            part: number(part, 6)?,
        })
    }

    fn name_of_found(&self, file: &PartFile) -> String {
        file.path.to_string_lossy().into_owned()
    }

    fn shows_open_parts(&self) -> bool {
        false
    }

    fn list(&self) -> Result<Vec<PartFile>> {
        let listed = self.bucket.list("")?;
        let names = listed.into_iter().map(|(name, _)| name);
        Ok(self.parts_among(names))
    }

    fn list_among(&self, names: &[String]) -> Result<Vec<PartFile>> {
        Ok(self.parts_among(names.iter().cloned()))
    }
}
