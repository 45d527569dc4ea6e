//! The seam between what is committed and where bytes lie.

use anyhow::Result;

use super::committed::Committed;
use super::export_files::ExportFiles;
use super::manifest::Manifest;
use super::names::PartFile;
use super::part::{FileState, ManifestMark, PartId, ResumedPart};
use super::recover::Recovery;
use crate::durable::Locks;

/// What makes one process the only one that writes.
#[derive(Debug, Clone)]
pub struct Ownership {
    /// The locks of the state, where the place of the state has locks.
    pub locks: Locks,
    /// An id that no other process has: where the place has no locks, no two processes write under
    /// one name.
    pub process: uuid::Uuid,
}

/// What becomes of open parts that another process began.
#[derive(Debug, Clone, Default)]
pub struct Inheritance {
    /// Parts that are sealed as they were committed.
    pub sealed: Vec<PartId>,
    /// Parts of which nothing can be used: their ranges are read again from where they began.
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
    /// One stream. Nothing of it can be taken back, so it has no parts that a state could speak of.
    Stream,
}

impl Kind {
    /// Whether each range has a series of its own.
    pub fn has_series_of_ranges(self) -> bool {
        self == Self::PartsOfRanges
    }
}

/// Where the bytes of an export lie.
///
/// All calls block. [`open`](Self::open) and the writers that it returns are called from several
/// threads, each part by one of them; the others are called by whoever owns the state.
pub trait Destination: ExportFiles {
    /// Where the documents go, for people.
    fn display(&self) -> String;

    /// What it makes of parts.
    fn kind(&self) -> Kind;

    /// Checks that nothing is in the way of a new export.
    ///
    /// # Errors
    ///
    /// Names what is in the way.
    fn ensure_free(&self) -> Result<()>;

    /// Checks that all that is in the way of a new export was left by an earlier one, so that
    /// [`remove_earlier`](Self::remove_earlier) may remove it.
    ///
    /// # Errors
    ///
    /// Names what was not left by an export.
    fn ensure_replaceable(&self) -> Result<()>;

    /// Removes what an earlier export left, and nothing else.
    ///
    /// # Errors
    ///
    /// As [`ensure_replaceable`](Self::ensure_replaceable); then nothing is removed. Or any error of
    /// the system.
    fn remove_earlier(&self) -> Result<()>;

    /// Whether another process works on it.
    fn is_in_use(&self) -> bool;

    /// Creates the place itself, if it is missing.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    fn prepare(&self) -> Result<()>;

    /// Makes it this process's, as far as the place has locks: from here on nothing is written
    /// without those of the state and its own.
    ///
    /// # Errors
    ///
    /// If another process has it.
    fn lock(&mut self, ownership: Ownership) -> Result<()>;

    /// Checks that it is still this process's.
    ///
    /// # Errors
    ///
    /// If it is not.
    fn check(&self) -> Result<()>;

    /// Marks it as the output of the new export `export_id`.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    fn begin(&self, export_id: uuid::Uuid) -> Result<()>;

    /// Checks that it is provably the output of what is committed. Nothing is changed.
    ///
    /// # Errors
    ///
    /// If it is not, with what can be done.
    fn prove(&self, committed: &Committed<'_>) -> Result<()>;

    /// What becomes of the open parts that an earlier process began, where only the process that
    /// began a part can append to it. Nothing is changed: the state takes it over, and is committed,
    /// before anything else is done. Where parts can be continued, nothing becomes of them.
    fn inherit(&self, _committed: &Committed<'_>) -> Inheritance {
        Inheritance::default()
    }

    /// Brings what lies here into line with what is committed: parts are cut to their committed
    /// length, sealed ones are published, those that no state speaks of are removed. All checks come
    /// first. With `repair`, open parts that contradict the state are dropped.
    ///
    /// # Errors
    ///
    /// If what lies here contradicts the state; then nothing is changed. Or any error of the system.
    fn recover(&self, committed: &Committed<'_>, repair: bool) -> Result<Recovery>;

    /// Begins a part, which no reader takes for a finished one.
    ///
    /// # Errors
    ///
    /// If something has its name, or any error of the system.
    fn open(&self, part: PartId) -> Result<Box<dyn PartWriter>>;

    /// Continues a part that [`recover`](Self::recover) found open.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    fn reopen(&self, part: &ResumedPart) -> Result<Box<dyn PartWriter>>;

    /// How the part is found again, where that does not follow from its series and number alone. The
    /// state keeps it, see [`FileState::place`](super::FileState::place).
    fn place_of(&self, _part: PartId) -> Option<String> {
        None
    }

    /// Makes durable what was appended to these parts before the receipts that name them.
    ///
    /// # Errors
    ///
    /// Any error of the system: then nothing of it may be committed.
    fn make_durable(&self, parts: &[Unsynced]) -> Result<()>;

    /// Publishes the parts that a committed state has sealed, and lists them in the manifest. It can
    /// be repeated. Returns how much of the manifest the next state is to commit.
    ///
    /// # Errors
    ///
    /// Any error of the system: a later [`recover`](Self::recover) publishes the rest.
    fn publish(&self, committed: &Committed<'_>) -> Result<ManifestMark>;

    /// Reads the manifest, as far as it is committed.
    ///
    /// # Errors
    ///
    /// If it cannot be read. What is wrong with its contents is no error, see [`Manifest::faults`].
    fn manifest(&self, committed: &Committed<'_>) -> Result<Manifest>;

    /// The name of a part, published or still open, in [`list`](Self::list) and in the manifest.
    fn name_of(&self, part: &FileState, is_open: bool) -> String;

    /// Which part of this export a file is, by its published name; none if it is not a part.
    fn part_of(&self, name: &str) -> Option<PartId>;

    /// Whether parts can be read before they are published.
    fn shows_open_parts(&self) -> bool {
        true
    }

    /// All parts that lie here, open ones and published ones, whether or not a state speaks of them.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    fn list(&self) -> Result<Vec<PartFile>>;
}

/// A part that was appended to since it was made durable last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsynced {
    /// The part.
    pub id: PartId,
    /// Whether nothing will be appended to it any more.
    pub is_sealed: bool,
}

/// Takes the bytes of one part, or of the stream.
pub trait PartWriter: Send {
    /// Appends bytes. They are not durable before [`Destination::make_durable`].
    ///
    /// # Errors
    ///
    /// If they cannot be written, or the destination is no longer this process's.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;
}
