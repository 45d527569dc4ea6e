//! The objects, with the manners of Azure: blocks belong to the name of a blob, and are gone once it is committed.

use std::collections::BTreeMap;

use bytes::Bytes;

/// What happened to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    Done(u64),
    /// There must be none, and there is one.
    Exists,
    /// Another version is there.
    OtherVersion,
    /// A block is not there.
    NoSuchBlock,
    Missing,
}

/// The condition of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    None,
    Absent,
    Version(u64),
}

#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) bytes: Bytes,
    pub(super) version: u64,
}

#[derive(Debug, Default)]
struct Named {
    now: Option<Blob>,
    before: Option<Blob>,
    blocks: BTreeMap<String, Bytes>,
}

#[derive(Debug, Default)]
pub(super) struct Blobs {
    named: BTreeMap<String, Named>,
    last_version: u64,
}

impl Blobs {
    /// A blob, or what there was in its place before the latest change.
    pub(super) fn get(&self, name: &str, is_stale: bool) -> Option<Blob> {
        let named = self.named.get(name)?;
        if is_stale {
            named.before.clone()
        } else {
            named.now.clone()
        }
    }

    /// The names that begin with `prefix`, with their lengths.
    pub(super) fn list(&self, prefix: &str, is_stale: bool) -> Vec<(String, Blob)> {
        self.named
            .keys()
            .filter(|name| name.starts_with(prefix))
            .filter_map(|name| Some((name.clone(), self.get(name, is_stale)?)))
            .collect()
    }

    pub(super) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let all = self.list("", false).into_iter();
        all.map(|(name, blob)| (name, blob.bytes.to_vec()))
            .collect()
    }

    fn set(&mut self, name: &str, bytes: Option<Bytes>) -> u64 {
        self.last_version += 1;
        let version = self.last_version;
        let named = self.named.entry(name.to_owned()).or_default();
        named.before = named.now.take();
        named.now = bytes.map(|bytes| Blob { bytes, version });
        named.blocks.clear();
        version
    }

    pub(super) fn put(&mut self, name: &str, bytes: Bytes, condition: Condition) -> Changed {
        let now = self.get(name, false).map(|blob| blob.version);
        match (condition, now) {
            (Condition::Absent, Some(_)) => Changed::Exists,
            (Condition::Version(expected), now) if now != Some(expected) => Changed::OtherVersion,
            _ => Changed::Done(self.set(name, Some(bytes))),
        }
    }

    pub(super) fn put_block(&mut self, name: &str, id: String, bytes: Bytes) {
        let named = self.named.entry(name.to_owned()).or_default();
        named.blocks.insert(id, bytes);
    }

    /// The bytes of these blocks, if all of them are there.
    pub(super) fn of_blocks(&self, name: &str, ids: &[String]) -> Option<Bytes> {
        let blocks = &self.named.get(name)?.blocks;
        let mut bytes = Vec::new();
        for id in ids {
            bytes.extend_from_slice(blocks.get(id)?);
        }
        Some(bytes.into())
    }

    pub(super) fn complete(&mut self, name: &str, ids: &[String]) -> Changed {
        match self.of_blocks(name, ids) {
            Some(bytes) => Changed::Done(self.set(name, Some(bytes))),
            None => Changed::NoSuchBlock,
        }
    }

    pub(super) fn delete(&mut self, name: &str) -> Changed {
        if self.get(name, false).is_none() {
            return Changed::Missing;
        }
        Changed::Done(self.set(name, None))
    }

    pub(super) fn replace(&mut self, name: &str, bytes: Option<&[u8]>) {
        self.set(name, bytes.map(Bytes::copy_from_slice));
    }

    pub(super) fn forget_uploads(&mut self) {
        for named in self.named.values_mut() {
            named.blocks.clear();
        }
    }
}
