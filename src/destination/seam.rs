//! The seam between what is committed and where the bytes are.

use anyhow::Result;

use super::committed::Committed;
use super::export_files::ExportFiles;
use super::manifest::Manifest;
use super::names::PartFile;
use super::part::{FileState, ManifestMark, PartId, Piece, ResumedPart, Upload};
use super::recover::Recovery;
use crate::durable::Locks;

/// What makes one process the only one that writes.
#[derive(Debug, Clone)]
pub struct Ownership {
    /// The locks of the state, if its store has locks.
    pub locks: Locks,
    /// A unique id of this process: without locks, no two processes write under the same name.
    pub process: uuid::Uuid,
}

/// What happens to open parts that another process began.
#[derive(Debug, Clone, Default)]
pub struct Inheritance {
    /// Parts that are sealed at their committed length.
    pub sealed: Vec<PartId>,
    /// Parts that cannot be used: their ranges are read again from the start of these parts.
    pub dropped: Vec<PartId>,
}

/// What a destination makes of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Each range has a series of parts of its own, which are sealed and published.
    PartsOfRanges,
    /// All ranges have one series of parts, which are sealed and published.
    Parts,
    /// One part, which grows under its own name and is never sealed.
    Growing,
    /// One stream. It cannot be rewound, so it has no parts that a state could list.
    Stream,
}

impl Kind {
    /// Whether each range has a series of its own.
    pub fn has_series_of_ranges(self) -> bool {
        self == Self::PartsOfRanges
    }
}

/// Where the bytes of an export are stored.
///
/// All calls block. [`open`](Self::open) and the writers that it returns are called from several
/// threads, each part by one of them; the others are called by whoever owns the state.
pub trait Destination: ExportFiles {
    /// Where the documents go, for people.
    fn display(&self) -> String;

    /// Where the manifest is, for people and scripts; none if finished files are not listed in a file.
    fn manifest_place(&self) -> Option<String> {
        None
    }

    /// What it makes of parts.
    fn kind(&self) -> Kind;

    /// Checks that nothing is in the way of a new export.
    ///
    /// # Errors
    ///
    /// Names what is in the way.
    fn ensure_free(&self) -> Result<()>;

    /// Checks that everything in the way of a new export is of an earlier one, so that
    /// [`remove_earlier`](Self::remove_earlier) may remove it.
    ///
    /// # Errors
    ///
    /// Names what is not of an export.
    fn ensure_replaceable(&self) -> Result<()>;

    /// Removes the files of an earlier export, and nothing else.
    ///
    /// # Errors
    ///
    /// As [`ensure_replaceable`](Self::ensure_replaceable); then nothing is removed. Or any error of
    /// the system.
    fn remove_earlier(&self) -> Result<()>;

    /// Whether another process is using it.
    fn is_in_use(&self) -> bool;

    /// Creates the place itself, if it is missing.
    ///
    /// # Errors
    ///
    /// Any error of the operating system.
    fn prepare(&self) -> Result<()>;

    /// Whether the place has a claim of its own, since its state is elsewhere and something else than that decides who
    /// may write here. Then a state is committed once, with the [`claims`](Self::claims), before anything here is
    /// changed, also where a lock guards the state.
    fn has_claim(&self) -> bool {
        false
    }

    /// The ids of which the claim of the place has one, for the state to keep: that of this process, and those of
    /// earlier ones until the claim is known to be its own.
    fn claims(&self) -> Vec<uuid::Uuid> {
        Vec::new()
    }

    /// Locks it for this process, if the place has locks: from here on nothing is written without the locks
    /// of the state and its own.
    ///
    /// # Errors
    ///
    /// If another process holds a lock.
    fn lock(&mut self, ownership: Ownership) -> Result<()>;

    /// Checks that this process still holds its locks.
    ///
    /// # Errors
    ///
    /// If it does not.
    fn check(&self) -> Result<()>;

    /// Marks it as the output of the new export `export_id`.
    ///
    /// # Errors
    ///
    /// Any error of the operating system.
    fn begin(&self, export_id: uuid::Uuid) -> Result<()>;

    /// Checks that it is provably the output of what is committed. Nothing is changed.
    ///
    /// # Errors
    ///
    /// If it is not, with a hint.
    fn prove(&self, committed: &Committed<'_>) -> Result<()>;

    /// Claims the place for this process, once, after the state has been committed with the [`claims`](Self::claims), and
    /// before anything is aborted or published.
    ///
    /// # Errors
    ///
    /// If the place is of another process or export, or has more than is committed. Nothing is changed then.
    fn claim(&self, _committed: &Committed<'_>) -> Result<()> {
        Ok(())
    }

    /// What happens to the open parts that an earlier process began, if only the process that began a part
    /// can append to it. Nothing is changed here: the state records it, and is committed, before anything
    /// else is done. If parts can be continued, nothing happens to them.
    fn inherit(&self, _committed: &Committed<'_>) -> Inheritance {
        Inheritance::default()
    }

    /// Checks what [`recover`](Self::recover) checks as far as nothing has to be changed for it, so that a refusal comes
    /// before the state is claimed. Returns the open parts that a repair would drop.
    ///
    /// # Errors
    ///
    /// If a part contradicts the state.
    fn check_recovery(&self, _committed: &Committed<'_>, _repair: bool) -> Result<Vec<FileState>> {
        Ok(Vec::new())
    }

    /// Sealed parts that can no longer be published, since the place has lost what was written: for a repair, which reads
    /// their spans again. The others may be made visible meanwhile.
    ///
    /// # Errors
    ///
    /// If that cannot be found out, or their spans cannot be read again.
    fn lost(&self, _committed: &Committed<'_>) -> Result<Vec<PartId>> {
        Ok(Vec::new())
    }

    /// Brings the parts into line with what is committed: open ones are cut to their committed length, sealed
    /// ones are published, and those that no state lists are removed. All checks come first. With `repair`,
    /// open parts that contradict the state are dropped.
    ///
    /// # Errors
    ///
    /// If a part contradicts the state; then nothing is changed. Or any error of the operating system.
    fn recover(&self, committed: &Committed<'_>, repair: bool) -> Result<Recovery>;

    /// Begins a part, which readers can distinguish from a finished one.
    ///
    /// # Errors
    ///
    /// If something has its name, or any error of the system.
    fn open(&self, part: PartId) -> Result<Box<dyn PartWriter>>;

    /// Continues a part that [`recover`](Self::recover) found open.
    ///
    /// # Errors
    ///
    /// Any error of the operating system.
    fn reopen(&self, part: &ResumedPart) -> Result<Box<dyn PartWriter>>;

    /// How the part is found again, if its series and number alone do not determine that. The state keeps it,
    /// see [`FileState::place`](super::FileState::place).
    fn place_of(&self, _part: PartId) -> Option<String> {
        None
    }

    /// Whether the time has passed that the place of a part is for, so that nothing more may be appended to it.
    fn is_past(&self, _part: PartId) -> bool {
        false
    }

    /// Makes durable what was appended to these parts up to the receipts that name them.
    ///
    /// # Errors
    ///
    /// Any error of the operating system: then none of it may be committed.
    fn make_durable(&self, parts: &[Unsynced]) -> Result<()>;

    /// The acknowledged pieces of the first `length` bytes of a part, for the state to keep; none if parts are not
    /// made of pieces.
    ///
    /// # Errors
    ///
    /// If no piece ends there, or one is not acknowledged.
    fn pieces_of(&self, _part: PartId, _length: u64) -> Result<Vec<Piece>> {
        Ok(Vec::new())
    }

    /// The id of the upload of a part, for the state to keep; none if parts are not uploaded, or uploads have no ids.
    fn upload_of(&self, _part: PartId) -> Option<String> {
        None
    }

    /// Uploads that a later process has to abort, unless the state seals their parts: those of this process that are
    /// not published, and those of earlier ones that could not be aborted.
    fn uploads(&self) -> Vec<Upload> {
        Vec::new()
    }

    /// Aborts uploads of earlier processes. Those that remain are among the [`uploads`](Self::uploads).
    fn abort(&self, _uploads: &[Upload]) {}

    /// Whether a part that is not finished can be committed as far as it was written.
    fn commits_within_parts(&self) -> bool {
        true
    }

    /// Whether the state numbers the batches of parts that are sealed together, see
    /// [`FileState::batch`](super::FileState::batch).
    fn numbers_batches(&self) -> bool {
        false
    }

    /// Publishes the parts that a committed state has sealed, and lists them in the manifest. It can be
    /// repeated. Returns how much of the manifest the next state commits.
    ///
    /// # Errors
    ///
    /// Any error of the operating system: a later [`recover`](Self::recover) publishes the rest.
    fn publish(&self, committed: &Committed<'_>) -> Result<ManifestMark>;

    /// Records that the run whose last commit is `generation` has read everything: a marker for what waits for that.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn summarize(&self, _generation: u64, _text: &[u8]) -> Result<()> {
        Ok(())
    }

    /// The name of the file with the definition of the container; none if there is no such file.
    fn definition_name(&self) -> Option<String> {
        None
    }

    /// Replaces this file by one with the contents `text`, completely or not at all.
    ///
    /// # Errors
    ///
    /// Any error of the operating system, or if something else has its name.
    fn replace_definition(&self, _text: &[u8]) -> Result<()> {
        Ok(())
    }

    /// The contents of this file, up to this many bytes; none if it does not exist.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn definition(&self, _limit: u64) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Reads the manifest, as far as it is committed.
    ///
    /// # Errors
    ///
    /// If it cannot be read. Faults in its content are not errors, see [`Manifest::faults`].
    fn manifest(&self, committed: &Committed<'_>) -> Result<Manifest>;

    /// The name of a part, published or still open, in [`list`](Self::list) and in the manifest.
    fn name_of(&self, part: &FileState, is_open: bool) -> String;

    /// Which part of this export a file is, by its published name; none if it is not a part.
    fn part_of(&self, name: &str) -> Option<PartId>;

    /// The name of a part that [`list`](Self::list) found, as [`name_of`](Self::name_of) has it.
    fn name_of_found(&self, file: &PartFile) -> String {
        let name = file.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Whether parts can be read before they are published.
    fn shows_open_parts(&self) -> bool {
        true
    }

    /// All parts here, open and published, whether or not a state lists them.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    fn list(&self) -> Result<Vec<PartFile>>;

    /// The same, if the directory of finished files was listed before and has these `names`. Several exports can share
    /// one, and it can have very many.
    ///
    /// # Errors
    ///
    /// If the rest cannot be listed.
    fn list_among(&self, _names: &[String]) -> Result<Vec<PartFile>> {
        self.list()
    }
}

/// A part that was appended to since it was last made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsynced {
    /// The part.
    pub id: PartId,
    /// Whether nothing more will be appended to it.
    pub is_sealed: bool,
}

/// Takes the bytes of one part, or of the stream.
pub trait PartWriter: Send {
    /// Appends bytes. They are not durable before [`Destination::make_durable`].
    ///
    /// # Errors
    ///
    /// If they cannot be written, or this process no longer holds its locks.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Ends a piece: a receipt reports what was appended so far.
    ///
    /// # Errors
    ///
    /// If it cannot be sent.
    fn cut(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether the part should be ended early: too much is held back in memory, or it has as many pieces as can be.
    fn should_end(&self) -> bool {
        false
    }
}
