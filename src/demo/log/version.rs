//! One version of one item.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

use super::epk::Epk;

/// A version of an item. The hash of its partition key and its id name the item.
#[derive(Debug)]
pub(in crate::demo) struct Version {
    lsn: u64,
    /// When it was written, in seconds since 1970.
    time: u64,
    epk_length: u32,
    id_length: u32,
    /// The hash, the id and the document, in one allocation.
    bytes: Box<[u8]>,
}

impl Version {
    /// `document` is the JSON text of an object with the system properties, but without `_lsn`.
    pub(super) fn new(lsn: u64, time: u64, epk: &Epk, id: &str, document: &[u8]) -> Self {
        let epk = epk.as_bytes();
        let mut bytes = Vec::with_capacity(epk.len() + id.len() + document.len());
        bytes.extend_from_slice(epk);
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(document);
        Self {
            lsn,
            time,
            // The host takes no request of 4 GiB.
            epk_length: epk.len() as u32,
            id_length: id.len() as u32,
            bytes: bytes.into(),
        }
    }

    pub(in crate::demo) fn lsn(&self) -> u64 {
        self.lsn
    }

    pub(in crate::demo) fn time(&self) -> u64 {
        self.time
    }

    /// The bytes of the partition key's hash.
    pub(in crate::demo) fn epk(&self) -> &[u8] {
        &self.bytes[..self.epk_length as usize]
    }

    fn id_bytes(&self) -> &[u8] {
        let start = self.epk_length as usize;
        &self.bytes[start..start + self.id_length as usize]
    }

    pub(in crate::demo) fn id(&self) -> &str {
        // It was one.
        std::str::from_utf8(self.id_bytes()).unwrap_or_default()
    }

    /// The document without `_lsn`.
    pub(in crate::demo) fn document(&self) -> &[u8] {
        &self.bytes[self.epk_length as usize + self.id_length as usize..]
    }

    /// Writes the document with its `_lsn`, which the service adds in the feed.
    pub(in crate::demo) fn write_to(&self, out: &mut Vec<u8>) {
        let document = self.document();
        // It has at least the system properties before the brace.
        let end = document.len().saturating_sub(1);
        out.extend_from_slice(&document[..end]);
        out.extend_from_slice(format!(",\"_lsn\":{}}}", self.lsn).as_bytes());
    }

    /// The memory that it takes.
    pub(super) fn size(&self) -> usize {
        std::mem::size_of::<Self>() + self.bytes.len()
    }
}

/// What names an item.
pub(super) trait ItemName {
    fn name(&self) -> (&[u8], &[u8]);
}

/// The latest version of an item, found by the item's name.
pub(super) struct ByItem(pub(super) Arc<Version>);

impl ItemName for ByItem {
    fn name(&self) -> (&[u8], &[u8]) {
        (self.0.epk(), self.0.id_bytes())
    }
}

/// A hash and an id.
pub(super) struct Named<'a>(pub(super) &'a Epk, pub(super) &'a str);

impl ItemName for Named<'_> {
    fn name(&self) -> (&[u8], &[u8]) {
        (self.0.as_bytes(), self.1.as_bytes())
    }
}

impl<'a> Borrow<dyn ItemName + 'a> for ByItem {
    fn borrow(&self) -> &(dyn ItemName + 'a) {
        self
    }
}

impl Ord for dyn ItemName + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(&other.name())
    }
}

impl PartialOrd for dyn ItemName + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn ItemName + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for dyn ItemName + '_ {}

impl Ord for ByItem {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(&other.name())
    }
}

impl PartialOrd for ByItem {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByItem {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for ByItem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_its_parts_and_is_written_with_its_lsn() {
        let epk = Epk::from_hex("0a0b").unwrap();
        let version = Version::new(7, 9, &epk, "é", r#"{"id":"é","_ts":9}"#.as_bytes());
        assert_eq!((version.epk(), version.id()), (&[10, 11][..], "é"));
        let mut out = Vec::new();
        version.write_to(&mut out);
        assert_eq!(out, r#"{"id":"é","_ts":9,"_lsn":7}"#.as_bytes());
    }
}
