//! The steps of a comparison.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::examine::{
    Coarse, Contents, Keeper, Kind, Pairs, SOURCE, Sorted, Sorter, TARGET, TooMany,
};
use super::keyed::Keyer;
use super::memory::Memory;
use super::probe::{OtherTexts, Probe};
use super::selection::{Selection, Share};
use super::side::{Done, Side};
use super::visitor::{Reading, Visitor};
use crate::content::digest::{Bucket, Digest};
use crate::content::form::Form;
use crate::content::hashes::Name;
use crate::content::texts::Texts;
use crate::count::count;
use crate::report::Report;

/// More readings than these are announced.
const MANY_READINGS: usize = 3;

/// A comparison that is under way.
pub(super) struct Comparison {
    pub(super) sides: [Arc<Side>; 2],
    /// For each side.
    pub(super) keyers: [Arc<Keyer>; 2],
    pub(super) memory: Memory,
    pub(super) done: [Arc<Done>; 2],
    pub(super) stop: CancellationToken,
    /// The documents of each side, once they were read.
    pub(super) documents: [AtomicU64; 2],
    /// Whether it was said that there are many readings.
    pub(super) has_announced: AtomicBool,
}

/// A document that differs, as far as was seen last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) name: Name,
    pub(super) bucket: Bucket,
    pub(super) contents: Contents,
}

/// How many documents differ, in each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) missing: u64,
    pub(super) extra: u64,
    pub(super) different: u64,
}

impl Tally {
    pub(super) fn add(&mut self, kind: Kind) {
        match kind {
            Kind::Missing => self.missing += 1,
            Kind::Extra => self.extra += 1,
            Kind::Different => self.different += 1,
        }
    }

    pub(super) fn take_out(&mut self, other: Self) {
        self.missing -= other.missing;
        self.extra -= other.extra;
        self.different -= other.different;
    }

    pub(super) fn all(self) -> u64 {
        self.missing + self.extra + self.different
    }
}

/// The documents that differ.
#[derive(Debug, Default)]
pub(super) struct Differing {
    /// As many as there is space for.
    pub(super) open: Vec<Open>,
    /// The others, which are not looked at again.
    pub(super) beyond: Tally,
    /// Where the others are.
    pub(super) beyond_in: HashSet<Bucket>,
}

impl Differing {
    /// Adds a document, if there is space for it.
    pub(super) fn add(&mut self, open: Open, most: u64) {
        if self.open.len() as u64 >= most {
            self.beyond.add(open.kind());
            self.beyond_in.insert(open.bucket);
        } else {
            self.open.push(open);
        }
    }
}

impl Comparison {
    /// Reads both sides in parallel, each with a visitor of its own.
    pub(super) async fn read<V: Visitor>(
        &self,
        selection: Selection,
        visitor: impl Fn(usize) -> V,
    ) -> Result<[V; 2]> {
        let selection = Arc::new(selection);
        let reading = |side| self.reading(side, &self.keyers, &selection);
        let source = reading(SOURCE).read(visitor(SOURCE));
        let target = reading(TARGET).read(visitor(TARGET));
        let (source, target) = tokio::try_join!(source, target)?;
        Ok([source, target])
    }

    /// One reading of a side.
    pub(super) fn reading(
        &self,
        side: usize,
        keyers: &[Arc<Keyer>; 2],
        selection: &Arc<Selection>,
    ) -> Reading {
        Reading {
            side: Arc::clone(&self.sides[side]),
            keyer: Arc::clone(&keyers[side]),
            selection: Arc::clone(selection),
            done: Arc::clone(&self.done[side]),
            stop: self.stop.clone(),
            documents: self.documents[side].load(Ordering::Relaxed),
        }
    }

    /// Reads everything, and returns the digests of the sides: of files by their texts, unless these differ in more
    /// documents than can be compared one by one at once. What costs something each time it is read, a container or
    /// the objects of a store, is read by its contents at once.
    pub(super) async fn digests(&self, report: &Report) -> Result<[Digest; 2]> {
        let by_text =
            |side: usize| self.sides[side].is_local() && self.keyers[side].can_compare_texts();
        if !by_text(SOURCE) || !by_text(TARGET) {
            return self.digests_by_content().await;
        }
        match self.digests_by_text(report).await {
            Ok(digests) => {
                // The documents of ranges that are unlike for another reason are read again anyhow.
                let [source, target] = &digests;
                let differing = source.records_unlike_by_content(target);
                if differing <= self.memory.sorted {
                    report.detail("the sides were compared by their texts");
                    self.knows_documents(&digests);
                    return Ok(digests);
                }
                report.detail("too many texts differ: the sides are read again, by their contents");
            }
            Err(error) if error.is::<OtherTexts>() => report.detail(
                "the sides are written differently: they are read again, by their contents",
            ),
            Err(error) => return Err(error),
        }
        self.digests_by_content().await
    }

    /// The same, whatever the sides are.
    pub(super) async fn digests_by_content(&self) -> Result<[Digest; 2]> {
        let coarse = |side| self.coarse(side, None);
        let read = self.read(Selection::All, coarse).await?;
        let digests = read.map(|coarse| coarse.digest.close());
        self.knows_documents(&digests);
        Ok(digests)
    }

    /// What makes the digest of a side.
    pub(super) fn coarse(&self, side: usize, probe: Option<&Arc<Probe>>) -> Coarse {
        let filter = (!self.sides[side].is_container()).then_some(self.memory.filter);
        Coarse {
            side,
            digest: Digest::new(self.keyers[side].buckets(), filter),
            texts: Some(Texts::default()),
            buffer: Form::default(),
            probe: probe.cloned(),
        }
    }

    fn knows_documents(&self, digests: &[Digest; 2]) {
        for (digest, known) in digests.iter().zip(&self.documents) {
            known.store(digest.documents, Ordering::Relaxed);
        }
    }

    /// Compares the documents of these buckets one by one, in as many readings as the memory needs.
    pub(super) async fn sort_out(
        &self,
        buckets: &[Bucket],
        digests: &[Digest; 2],
        report: &Report,
    ) -> Result<Differing> {
        let weight = |bucket: Bucket| digests[0].count(bucket) + digests[1].count(bucket);
        self.sort_out_by(buckets, weight, report).await
    }

    /// The same once the digests are gone: a bucket is taken to have its share of the documents.
    pub(super) async fn sort_out_again(
        &self,
        buckets: &[Bucket],
        report: &Report,
    ) -> Result<Differing> {
        let documents: u64 = self
            .documents
            .iter()
            .map(|all| all.load(Ordering::Relaxed))
            .sum();
        let share = (documents >> self.keyers[SOURCE].bucket_bits) + 1;
        self.sort_out_by(buckets, |_| 2 * share, report).await
    }

    async fn sort_out_by(
        &self,
        buckets: &[Bucket],
        weight: impl Fn(Bucket) -> u64,
        report: &Report,
    ) -> Result<Differing> {
        let mut differing = Differing::default();
        let max = usize::try_from(self.memory.sorted).unwrap_or(usize::MAX);
        let mut groups = VecDeque::from(groups(buckets, self.memory.sorted, &weight));
        if groups.len() > MANY_READINGS && !self.has_announced.swap(true, Ordering::Relaxed) {
            report.warning(&format!(
                "{} differ or may have come twice, and are compared one by one in {} more readings of both sides: a larger \
                 --memory needs fewer",
                count(buckets.iter().copied().map(weight).sum(), "record"),
                groups.len(),
            ));
        }
        while let Some((group, share)) = groups.pop_front() {
            let bits = self.keyers[SOURCE].bucket_bits;
            let selection = Selection::of_buckets(group.iter().copied(), bits, share);
            let sorted = match self.sorted_within(selection, max).await {
                Err(error) if error.is::<TooMany>() => {
                    groups.extend(halves(group, share));
                    continue;
                }
                sorted => sorted?,
            };
            for open in sorted {
                differing.add(open, self.memory.sorted);
            }
        }
        Ok(differing)
    }

    /// The documents and bytes that were read so far of both sides, over all readings.
    pub(super) fn done(&self) -> (u64, u64) {
        let sum = |of: fn(&Done) -> &AtomicU64| -> u64 {
            let each = self
                .done
                .iter()
                .map(|done| of(done).load(Ordering::Relaxed));
            each.sum()
        };
        (sum(|done| &done.documents), sum(|done| &done.bytes))
    }

    /// The selected documents that differ.
    pub(super) async fn sorted(&self, selection: Selection) -> Result<Vec<Open>> {
        self.sorted_within(selection, usize::MAX).await
    }

    /// The same, if there are no more than `max` documents, equal ones counted too.
    ///
    /// # Errors
    ///
    /// Also [`TooMany`].
    async fn sorted_within(&self, selection: Selection, max: usize) -> Result<Vec<Open>> {
        let sorted = Sorted::default();
        let visitor = |side| Sorter {
            side,
            max,
            sorted: Arc::clone(&sorted),
            buffer: Form::default(),
        };
        self.read(selection, visitor).await?;
        let sorted = sorted.lock().unwrap_or_else(PoisonError::into_inner);
        let open = sorted.iter().filter_map(|(name, known)| {
            Kind::of(known.contents)?;
            Some(Open {
                name: *name,
                bucket: known.bucket,
                contents: known.contents,
            })
        });
        Ok(open.collect())
    }

    /// Documents with their texts, of which so many bytes are kept. Those for which there is no space have none.
    pub(super) async fn kept(&self, names: HashMap<Name, Bucket>, free: usize) -> Result<Pairs> {
        let kept = Arc::new(Mutex::new(Pairs {
            pairs: HashMap::new(),
            free,
        }));
        let visitor = |side| Keeper {
            side,
            kept: Arc::clone(&kept),
            buffer: Form::default(),
        };
        self.read(Selection::Names(names), visitor).await?;
        Ok(std::mem::take(
            &mut *kept.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl Open {
    /// How it differs; a document that does not is never open.
    pub(super) fn kind(&self) -> Kind {
        Kind::of(self.contents).unwrap_or(Kind::Different)
    }
}

/// Divides buckets into groups of at most `max` documents, and a bucket that has more into shares.
pub(super) fn groups(
    buckets: &[Bucket],
    max: u64,
    weight: impl Fn(Bucket) -> u64,
) -> Vec<(Vec<Bucket>, Option<Share>)> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let mut sum = 0;
    for bucket in buckets {
        let own = weight(*bucket);
        if own > max {
            let of = u32::try_from(own.div_ceil(max)).unwrap_or(u32::MAX);
            let shares = (0..of).map(|turn| (vec![*bucket], Some(Share { turn, of })));
            groups.extend(shares);
            continue;
        }
        if sum + own > max {
            groups.push((std::mem::take(&mut group), None));
            sum = 0;
        }
        group.push(*bucket);
        sum += own;
    }
    if !group.is_empty() {
        groups.push((group, None));
    }
    groups
}

/// Two parts of a group in which there was too much.
fn halves(mut group: Vec<Bucket>, share: Option<Share>) -> [(Vec<Bucket>, Option<Share>); 2] {
    if group.len() > 1 {
        let other = group.split_off(group.len() / 2);
        return [(group, share), (other, share)];
    }
    let Share { turn, of } = share.unwrap_or(Share { turn: 0, of: 1 });
    let part = |turn| {
        Some(Share {
            turn,
            of: of.saturating_mul(2),
        })
    };
    [(group.clone(), part(turn)), (group, part(turn + of))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_halved_and_nothing_is_left_out() {
        assert_eq!(
            halves(vec![1, 2, 3], None),
            [(vec![1], None), (vec![2, 3], None)]
        );
        let [(_, one), (_, other)] = halves(vec![7], Some(Share { turn: 1, of: 3 }));
        let parts = [one, other].map(Option::unwrap);
        for name in (0..100_u32).filter(|name| name % 3 == 1) {
            let chosen = parts.iter().filter(|share| name % share.of == share.turn);
            assert_eq!(chosen.count(), 1, "{name}");
        }
    }

    #[test]
    fn groups_have_what_fits() {
        let weights = [3, 3, 3, 30, 1, 9, 2];
        let groups = groups(&[0, 1, 2, 3, 4, 5, 6], 10, |bucket| {
            weights[bucket as usize]
        });
        let share = |turn| (vec![3], Some(Share { turn, of: 3 }));
        assert_eq!(
            groups,
            [
                share(0),
                share(1),
                share(2),
                (vec![0, 1, 2, 4], None),
                (vec![5], None),
                (vec![6], None),
            ]
        );
    }
}
