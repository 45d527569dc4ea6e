//! An object store: what it holds, and what its calls do.

use std::collections::{BTreeMap, BTreeSet};

/// The position of a change in the feed.
pub type Lsn = u8;

/// The name of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The claim of the process that began it.
    pub claim: u8,
    /// Counts the objects of the export.
    pub sequence: u8,
}

/// An upload: the name of its object and the id that the store gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Upload {
    /// The name of the object that it becomes.
    pub name: Name,
    /// Its id; 0 where uploads have none.
    pub id: u8,
}

/// An object of the export, as the state has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// Its upload.
    pub upload: Upload,
    /// The position before its first change.
    pub start: Lsn,
    /// The change in each of its parts.
    pub parts: Vec<Lsn>,
    /// The number of the manifest object that lists it; assigned when it is sealed.
    pub batch: u8,
}

/// The text of a state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Body {
    /// Who wrote it.
    pub claim: u8,
    /// Counts the claims.
    pub epoch: u8,
    /// Counts the texts of a claim.
    pub write: u8,
    /// Where the feed is read on.
    pub position: Lsn,
    /// The object being written.
    pub open: Option<Object>,
    /// Objects that are complete, and not yet recorded as listed.
    pub sealed: Vec<Object>,
    /// Uploads to be aborted.
    pub aborts: Vec<Upload>,
    /// The sequence of the next object.
    pub sequence: u8,
    /// The number of the next manifest object.
    pub next_batch: u8,
    /// Whether the feed was read to its end and everything is listed.
    pub finished: bool,
}

/// A manifest object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listed {
    /// The object that it lists.
    pub name: Name,
    /// Its changes.
    pub parts: Vec<Lsn>,
    /// The process that wrote it, if it says so.
    pub signed: u8,
}

/// A call that changes something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Replaces the state, if it has this version.
    State {
        body: Body,
        expected: Option<u8>,
        is_conditional: bool,
    },
    /// Begins an upload.
    Begin(Name),
    /// Uploads a part.
    Part { upload: Upload, index: u8, lsn: Lsn },
    /// Makes an object of these parts.
    Complete { upload: Upload, parts: Vec<Lsn> },
    /// Drops an upload.
    Abort(Upload),
    /// Creates a manifest object, if there is none with its number.
    Manifest { batch: u8, listed: Listed },
}

impl Request {
    /// Whether it is about this upload.
    pub fn is_about(&self, upload: Upload) -> bool {
        match self {
            Self::Part { upload: own, .. }
            | Self::Complete { upload: own, .. }
            | Self::Abort(own) => *own == upload,
            Self::State { .. } | Self::Begin(_) | Self::Manifest { .. } => false,
        }
    }
}

/// The answer to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// It is done; the new version or id.
    Number(u8),
    /// It is refused, and has no effect.
    Refused,
}

/// How a store treats uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Blocks belong to the name of the blob, uploads have no id and cannot be aborted; completing takes the
    /// blocks that are not committed, and drops all others.
    Azure,
    /// An upload has an id and is gone once it is completed or aborted. It needs a part. Completing names the
    /// checksum of each part.
    S3,
}

/// An object store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    pub kind: Kind,
    /// The state and its version.
    pub state: Option<(Body, u8)>,
    versions: u8,
    uploads: BTreeMap<Upload, BTreeMap<u8, Lsn>>,
    begun: u8,
    /// What a reader sees.
    pub objects: BTreeMap<Name, Vec<Lsn>>,
    /// The manifest.
    pub manifests: BTreeMap<u8, Listed>,
    /// Objects that a consumer has taken away.
    pub taken: BTreeMap<Name, Vec<Lsn>>,
    /// Uploads that the store has destroyed: by a rule, or since they are old.
    pub destroyed: BTreeSet<Upload>,
    /// Whether an object was replaced by another one.
    pub has_changed: bool,
    /// Whether an object came back after a consumer had taken it away.
    pub has_come_back: bool,
}

impl Store {
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            state: None,
            versions: 0,
            uploads: BTreeMap::new(),
            begun: 0,
            objects: BTreeMap::new(),
            manifests: BTreeMap::new(),
            taken: BTreeMap::new(),
            destroyed: BTreeSet::new(),
            has_changed: false,
            has_come_back: false,
        }
    }

    /// Carries out a call.
    pub fn apply(&mut self, request: &Request) -> Reply {
        match request {
            Request::State {
                body,
                expected,
                is_conditional,
            } => {
                let stored = self.state.as_ref().map(|(_, version)| *version);
                if *is_conditional && stored != *expected {
                    return Reply::Refused;
                }
                self.versions += 1;
                self.state = Some((body.clone(), self.versions));
                Reply::Number(self.versions)
            }
            Request::Begin(name) => {
                self.begun += 1;
                let upload = Upload {
                    name: *name,
                    id: self.begun,
                };
                self.uploads.insert(upload, BTreeMap::new());
                Reply::Number(self.begun)
            }
            Request::Part { upload, index, lsn } => {
                if self.kind == Kind::S3 && !self.uploads.contains_key(upload) {
                    return Reply::Refused;
                }
                let parts = self.uploads.entry(*upload).or_default();
                parts.insert(*index, *lsn);
                Reply::Done
            }
            Request::Complete { upload, parts } => self.complete(*upload, parts),
            Request::Abort(upload) => {
                if self.kind == Kind::S3 {
                    self.uploads.remove(upload);
                }
                Reply::Done
            }
            Request::Manifest { batch, listed } => {
                if self.manifests.contains_key(batch) {
                    return Reply::Refused;
                }
                self.manifests.insert(*batch, listed.clone());
                Reply::Done
            }
        }
    }

    fn complete(&mut self, upload: Upload, parts: &[Lsn]) -> Reply {
        let uploaded = match self.uploads.get(&upload) {
            Some(uploaded) => uploaded,
            None if self.kind == Kind::Azure && parts.is_empty() => &BTreeMap::new(),
            None => return Reply::Refused,
        };
        let indexes = 0..parts.len() as u8;
        let found: Option<Vec<Lsn>> = indexes.map(|index| uploaded.get(&index).copied()).collect();
        let Some(found) = found else {
            return Reply::Refused;
        };
        if self.kind == Kind::S3 && (found != parts || parts.is_empty()) {
            return Reply::Refused;
        }
        self.uploads.remove(&upload);
        self.has_come_back |= self.taken.contains_key(&upload.name);
        if let Some(before) = self.objects.insert(upload.name, found) {
            self.has_changed |= before != self.objects[&upload.name];
        }
        Reply::Done
    }

    /// The uploads that there are.
    pub fn uploads(&self) -> impl Iterator<Item = Upload> + '_ {
        self.uploads.keys().copied()
    }

    /// Destroys an upload.
    pub fn destroy(&mut self, upload: Upload) {
        self.uploads.remove(&upload);
        self.destroyed.insert(upload);
    }

    /// A consumer takes an object away.
    pub fn take(&mut self, name: Name) {
        if let Some(parts) = self.objects.remove(&name) {
            self.taken.insert(name, parts);
        }
    }

    /// What an object has or had.
    pub fn content(&self, name: Name) -> Option<&[Lsn]> {
        let found = self.objects.get(&name).or_else(|| self.taken.get(&name));
        found.map(Vec::as_slice)
    }

    /// Whether an upload has these parts.
    pub fn holds(&self, object: &Object) -> bool {
        let uploaded = self.uploads.get(&object.upload);
        object.parts.iter().enumerate().all(|(index, lsn)| {
            uploaded.is_some_and(|parts| parts.get(&(index as u8)) == Some(lsn))
        })
    }

    /// Uploads with parts, where uploads can be aborted.
    pub fn uploads_with_parts(&self) -> impl Iterator<Item = Upload> + '_ {
        let all = self.uploads.iter().filter(|_| self.kind == Kind::S3);
        all.filter(|(_, parts)| !parts.is_empty())
            .map(|(upload, _)| *upload)
    }
}
