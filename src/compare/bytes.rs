//! `--bytes`: the documents themselves are compared, not their hashes, in shares that fit the memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use super::comparison::{Comparison, Differing, Open, groups};
use super::examine::{Kind, SOURCE, TARGET};
use super::keyed::{Keyed, Keyer};
use super::selection::{Selection, Share};
use super::visitor::Visitor;
use crate::content::digest::{Bucket, Digest};
use crate::content::form::Form;
use crate::content::hashes::{Hashes, Name};
use crate::count::count;
use crate::report::Report;

/// Bytes of a document beside its forms, with the free space of its map.
const DOCUMENT_BYTES: usize = 160;

/// What is compared of a document: its canonical form on each side, if it is there.
#[derive(Debug)]
struct Forms {
    bucket: Bucket,
    forms: [Option<Box<[u8]>>; 2],
}

/// Documents with their forms, as far as there is space.
#[derive(Debug)]
struct Documents {
    documents: HashMap<Name, Forms>,
    free: usize,
    /// Whether there was not enough space.
    is_full: bool,
}

impl Documents {
    fn new(free: usize) -> Self {
        Self {
            documents: HashMap::new(),
            free,
            is_full: false,
        }
    }

    /// Notes the form of a document on a side, in place of an earlier one.
    fn put(&mut self, side: usize, name: Name, bucket: Bucket, form: Option<&[u8]>) {
        if self.is_full {
            return;
        }
        let known = self.documents.entry(name).or_insert(Forms {
            bucket,
            forms: [None, None],
        });
        if let Some(earlier) = known.forms[side].take() {
            self.free += earlier.len() + DOCUMENT_BYTES;
        }
        let Some(form) = form else {
            return;
        };
        match self.free.checked_sub(form.len() + DOCUMENT_BYTES) {
            Some(free) => {
                self.free = free;
                known.forms[side] = Some(form.into());
            }
            None => {
                self.is_full = true;
                self.documents = HashMap::new();
            }
        }
    }

    /// The documents that differ.
    fn differing(self, hashes: &Hashes) -> impl Iterator<Item = Open> {
        let hash = |form: &Option<Box<[u8]>>| match form {
            Some(form) => hashes.content(form).max(1),
            None => 0,
        };
        let differing = self.documents.into_iter();
        differing.filter_map(move |(name, Forms { bucket, forms })| {
            if forms[SOURCE] == forms[TARGET] {
                return None;
            }
            let mut contents = [hash(&forms[SOURCE]), hash(&forms[TARGET])];
            if Kind::of(contents).is_none() {
                // Two documents with one hash.
                contents[TARGET] = !contents[SOURCE];
            }
            Some(Open {
                name,
                bucket,
                contents,
            })
        })
    }
}

/// Notes the forms of the documents of a side.
struct Former {
    side: usize,
    documents: Arc<Mutex<Documents>>,
    buffer: Form,
}

impl Visitor for Former {
    fn visit(&mut self, keyer: &Keyer, record: Keyed<'_>, _may_repeat: bool) -> Result<()> {
        let form = record.document.as_deref().map(|document| {
            keyer.content.write(document, &mut self.buffer);
            self.buffer.bytes()
        });
        let mut documents = self
            .documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        documents.put(self.side, record.name, record.bucket, form);
        Ok(())
    }
}

impl Comparison {
    /// Compares all documents themselves, in as many readings as the memory needs.
    pub(super) async fn by_bytes(
        &self,
        digests: &[Digest; 2],
        report: &Report,
    ) -> Result<Differing> {
        let documents = digests[SOURCE].documents + digests[TARGET].documents;
        let bytes = digests[SOURCE].bytes + digests[TARGET].bytes;
        // A form is about as long as its document.
        let each = bytes / documents.max(1) * 5 / 4 + DOCUMENT_BYTES as u64;
        let space = self.memory.texts + self.memory.filter;
        let most = (space as u64 / each).max(1);
        let buckets: Vec<Bucket> = (0..self.keyers[SOURCE].buckets()).collect();
        let weight = |bucket: Bucket| digests[SOURCE].count(bucket) + digests[TARGET].count(bucket);
        let mut left = groups(&buckets, most, weight);
        report.notice(&format!(
            "the documents themselves are compared, in {} of both sides (--memory)",
            count(left.len() as u64, "more reading")
        ));
        left.reverse();
        let mut differing = Differing::default();
        while let Some((group, share)) = left.pop() {
            let Some(found) = self.forms(&group, share, space).await? else {
                // Longer documents than elsewhere: half of them at a time.
                let Share { turn, of } = share.unwrap_or(Share { turn: 0, of: 1 });
                let of_both = of * 2;
                left.extend(
                    [turn, turn + of]
                        .map(|turn| (group.clone(), Some(Share { turn, of: of_both }))),
                );
                continue;
            };
            for open in found {
                differing.add(open, self.memory.sorted);
            }
        }
        Ok(differing)
    }

    /// The documents of some buckets that differ; none if there was not enough space for them.
    async fn forms(
        &self,
        group: &[Bucket],
        share: Option<Share>,
        space: usize,
    ) -> Result<Option<Vec<Open>>> {
        let documents = Arc::new(Mutex::new(Documents::new(space)));
        let visitor = |side| Former {
            side,
            documents: Arc::clone(&documents),
            buffer: Form::default(),
        };
        let bits = self.keyers[SOURCE].bucket_bits;
        let selection = Selection::of_buckets(group.iter().copied(), bits, share);
        self.read(selection, visitor).await?;
        let mut documents = documents.lock().unwrap_or_else(PoisonError::into_inner);
        let read = std::mem::replace(&mut *documents, Documents::new(0));
        if read.is_full {
            return Ok(None);
        }
        Ok(Some(read.differing(&self.keyers[SOURCE].hashes).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_compared_themselves_whatever_their_hashes_are() {
        let mut hashes = Hashes::random();
        hashes.ignores_content = true;
        let mut documents = Documents::new(1 << 20);
        for (name, [source, target]) in [
            (1, [Some("a"), Some("a")]),
            (2, [Some("a"), Some("b")]),
            (3, [Some("a"), None]),
            (4, [None, None]),
        ] {
            documents.put(SOURCE, name, 0, source.map(str::as_bytes));
            documents.put(TARGET, name, 0, target.map(str::as_bytes));
        }
        let mut found: Vec<(Name, Kind)> = documents
            .differing(&hashes)
            .map(|open| (open.name, open.kind()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [(2, Kind::Different), (3, Kind::Missing)]);
    }

    #[test]
    fn what_does_not_fit_is_noticed() {
        let mut documents = Documents::new(3 * (DOCUMENT_BYTES + 10));
        for _ in 0..100 {
            documents.put(SOURCE, 1, 0, Some(&[1; 10]));
        }
        documents.put(TARGET, 1, 0, Some(&[1; 10]));
        documents.put(SOURCE, 2, 0, Some(&[1; 10]));
        assert!(!documents.is_full);
        documents.put(SOURCE, 3, 0, Some(&[1; 10]));
        assert!(documents.is_full);
    }
}
