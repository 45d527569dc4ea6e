//! The documents of ranges that differ, compared one by one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, anyhow};

use super::keyed::{Address, Keyed, Keyer};
use super::probe::Probe;
use super::visitor::Visitor;
use crate::content::digest::{Bucket, Digest, Left};
use crate::content::form::Form;
use crate::content::hashes::Name;
use crate::content::texts::Texts;
use crate::error::with_hint;
use crate::escape::escape_for_terminal;
use crate::replay::SourceItem;

/// More documents came than there is space for.
#[derive(Debug)]
pub(super) struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are more documents than there is memory for")
    }
}

impl std::error::Error for TooMany {}

/// Which side, as an index.
pub(super) const SOURCE: usize = 0;
pub(super) const TARGET: usize = 1;

/// The hashes of the contents of a document on both sides; 0 where it is not there.
pub(super) type Contents = [u128; 2];

/// How a document differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The target does not have it.
    Missing,
    /// The source does not have it.
    Extra,
    /// Both have it, with other contents.
    Different,
}

impl Kind {
    /// None if nothing differs.
    pub(super) fn of(contents: Contents) -> Option<Self> {
        match contents {
            [source, target] if source == target => None,
            [_, 0] => Some(Self::Missing),
            [0, _] => Some(Self::Extra),
            _ => Some(Self::Different),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Different => "different",
        }
    }
}

/// Adds the records of a side to its digest.
pub(super) struct Coarse {
    pub(super) side: usize,
    pub(super) digest: Digest,
    /// The texts of all records; none if that is not all that there is to say about one.
    pub(super) texts: Option<Texts>,
    pub(super) buffer: Form,
    /// If documents are taken by their texts.
    pub(super) probe: Option<Arc<Probe>>,
}

impl Visitor for Coarse {
    fn visit(&mut self, keyer: &Keyer, record: Keyed<'_>, may_repeat: bool) -> Result<()> {
        let document = record.document.as_deref();
        self.digest.bytes += document.map_or(0, <[u8]>::len) as u64;
        let left = keyer.left(&record, &mut self.buffer);
        match (&mut self.texts, left) {
            (Some(texts), Left::Content(text)) if record.is_text() => texts.add(text),
            (None, _) => {}
            (texts, _) => {
                *texts = None;
                if let (SOURCE, Some(probe)) = (self.side, &self.probe) {
                    probe.ask_for_more_than_texts();
                }
            }
        }
        if let (Some(probe), Left::Content(text)) = (&self.probe, left) {
            probe.take(self.side, record.name, text)?;
        }
        let hashes = &keyer.hashes;
        self.digest
            .add(hashes, record.bucket, record.name, left, may_repeat);
        Ok(())
    }
}

/// What is known of some documents. The last version of a side counts.
pub(super) type Sorted = Arc<Mutex<HashMap<Name, Known>>>;

/// What is known of a document.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) bucket: Bucket,
    pub(super) contents: Contents,
    /// Which documents of each side it was last.
    origins: [Option<SourceItem>; 2],
}

/// Notes the contents of the documents of a side.
pub(super) struct Sorter {
    pub(super) side: usize,
    /// The most documents.
    pub(super) max: usize,
    pub(super) sorted: Sorted,
    pub(super) buffer: Form,
}

impl Visitor for Sorter {
    fn visit(&mut self, keyer: &Keyer, record: Keyed<'_>, _may_repeat: bool) -> Result<()> {
        let content = content_of(keyer, &record, &mut self.buffer);
        let mut sorted = self.sorted.lock().unwrap_or_else(PoisonError::into_inner);
        if sorted.len() >= self.max && !sorted.contains_key(&record.name) {
            return Err(TooMany.into());
        }
        let known = sorted.entry(record.name).or_insert(Known {
            bucket: record.bucket,
            contents: [0; 2],
            origins: [None; 2],
        });
        // The later one would hide that the earlier one is nowhere.
        if known.contents[self.side] != 0
            && let (Some(before), Some(now)) = (known.origins[self.side], record.origin)
            && now.is_another_than(before)
        {
            let address = record.address();
            return Err(with_hint(
                anyhow!(
                    "two documents are one on the other side: {} of {}",
                    escape_for_terminal(&address.id),
                    escape_for_terminal(&address.key)
                ),
                "they have one id, and one partition key there: the target cannot hold both, so they cannot be compared; \
                 a --transform can give them ids of their own, as in the replay",
            ));
        }
        known.contents[self.side] = content;
        known.origins[self.side] = record.origin;
        Ok(())
    }
}

pub(super) fn content_of(keyer: &Keyer, record: &Keyed<'_>, buffer: &mut Form) -> u128 {
    match keyer.left(record, buffer) {
        // Not 0, which is no document.
        Left::Content(content) => content.max(1),
        Left::Nothing => 0,
    }
}

/// A document with its text on both sides.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub(super) address: Option<Address>,
    pub(super) contents: Contents,
    /// Its texts; none where it is not there, or where there was no space for it.
    pub(super) texts: [Option<Box<[u8]>>; 2],
}

impl Pair {
    /// Whether the texts of all that is there are known.
    pub(super) fn is_whole(&self) -> bool {
        let is_known = |side: usize| self.contents[side] == 0 || self.texts[side].is_some();
        is_known(SOURCE) && is_known(TARGET)
    }
}

/// Documents with their texts, as far as there is space.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) pairs: HashMap<Name, Pair>,
    pub(super) free: usize,
}

/// Keeps the documents of a side.
pub(super) struct Keeper {
    pub(super) side: usize,
    pub(super) kept: Arc<Mutex<Pairs>>,
    pub(super) buffer: Form,
}

impl Visitor for Keeper {
    fn visit(&mut self, keyer: &Keyer, record: Keyed<'_>, _may_repeat: bool) -> Result<()> {
        let content = content_of(keyer, &record, &mut self.buffer);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Pairs { pairs, free } = &mut *kept;
        let pair = pairs.entry(record.name).or_default();
        pair.address.get_or_insert_with(|| record.address());
        if let Some(earlier) = pair.texts[self.side].take() {
            *free += earlier.len();
        }
        pair.contents[self.side] = content;
        if let Some(document) = record.document
            && let Some(rest) = free.checked_sub(document.len())
        {
            *free = rest;
            pair.texts[self.side] = Some(document.into_owned().into_boxed_slice());
        }
        Ok(())
    }
}
