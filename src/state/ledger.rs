//! The ledger: the only place where receipts become commits.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use time::OffsetDateTime;

use super::claim::{Claimed, cannot_commit};
use super::file;
use super::model::State;
use super::of_group::Span;
use crate::clock;
use crate::destination::{
    Destination, FileState, Inheritance, PartId, PartReceipt, Receipt, Recovery, SeriesState,
    Unsynced,
};
use crate::failpoint;
use crate::feed::{Part, PinnedEnd, Position, RangeId, RangeState, ReadUntil};
use crate::schema::TableLayout;

/// The committed state of a job, and what will be committed next.
#[derive(Debug)]
pub struct Ledger {
    state: State,
    destination: Arc<dyn Destination>,
    /// `None` for an export to standard output without `--state`.
    claimed: Option<Claimed>,
    /// Parts that were written to since the last commit.
    unsynced: Vec<Unsynced>,
    /// Whether the stored state differs from this one.
    dirty: bool,
    /// When it was stored last.
    saved: OffsetDateTime,
    /// Places of parts that are not published, which a state can name that was stored.
    named: HashSet<String>,
}

/// How old a stored state becomes while its process runs: rules of a store that delete objects go by their age.
pub const OLDEST: time::Duration = time::Duration::DAY;

impl Ledger {
    /// A ledger over `state`, which is written with the first commit.
    pub fn new(state: State, destination: Arc<dyn Destination>, claimed: Option<Claimed>) -> Self {
        Self {
            named: named_by(&state).collect(),
            state,
            destination,
            claimed,
            unsynced: Vec::new(),
            dirty: true,
            saved: clock::now(),
        }
    }

    /// The state as it will be with the next commit.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state file, if there is one.
    pub fn state_path(&self) -> Option<&Path> {
        self.claimed.as_ref().and_then(Claimed::path)
    }

    /// Applies receipts, for the next [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// If a receipt does not fit the state: a position of an unknown range, or a part out of order.
    pub fn apply(&mut self, receipts: Vec<Receipt>) -> Result<()> {
        for receipt in receipts {
            self.apply_one(receipt)?;
            self.dirty = true;
        }
        Ok(())
    }

    fn apply_one(&mut self, receipt: Receipt) -> Result<()> {
        let id = receipt.series;
        for part in receipt.parts {
            self.apply_part(id, part)?;
        }
        self.move_to(receipt.positions)?;
        self.state.totals.documents += receipt.written.documents;
        self.state.totals.overflowed += receipt.written.overflowed;
        self.state.totals.dropped += receipt.written.dropped;
        self.state.totals.bytes += receipt.written.bytes;
        self.state.totals.request_charge += receipt.written.request_charge;
        Ok(())
    }

    fn apply_part(&mut self, id: u32, part: PartReceipt) -> Result<()> {
        let columns = self.state.column_set();
        let series = match self.state.series.iter().position(|series| series.id == id) {
            Some(at) => at,
            None => {
                self.state.series.push(SeriesState {
                    id,
                    next_part: 1,
                    open: None,
                });
                self.state.series.len() - 1
            }
        };
        let mut file = match self.state.series[series].open.take() {
            Some(open) => open,
            None => {
                let series = &mut self.state.series[series];
                ensure!(
                    part.part == series.next_part,
                    "part {} of series {id} is out of order: {} is next",
                    part.part,
                    series.next_part
                );
                series.next_part += 1;
                FileState {
                    series: id,
                    part: part.part,
                    length: 0,
                    rows: 0,
                    crc32c: 0,
                    // The positions of the ranges before anything of this part was written.
                    start: self.state.ranges_of(id).map(RangeState::place).collect(),
                    end: Vec::new(),
                    place: None,
                    upload: None,
                    upload_began: None,
                    pieces: Vec::new(),
                    batch: None,
                    columns,
                }
            }
        };
        ensure!(
            file.part == part.part && file.length <= part.length && file.rows <= part.rows,
            "part {} of series {id} does not continue what was committed",
            part.part
        );
        (file.length, file.rows, file.crc32c) = (part.length, part.rows, part.crc32c);
        file.place = self.destination.place_of(file.id());
        self.unsynced.push(Unsynced {
            id: file.id(),
            is_sealed: part.sealed,
        });
        self.move_to(part.positions)?;
        if part.sealed {
            file.end = self.state.ranges_of(id).map(RangeState::place).collect();
            self.state.sealed.push(file);
        } else {
            self.state.series[series].open = Some(file);
        }
        Ok(())
    }

    fn move_to(&mut self, positions: Vec<(RangeId, Position)>) -> Result<()> {
        for (range, position) in positions {
            self.state.ranges.advance(range, position)?;
        }
        Ok(())
    }

    /// Replaces `parent`, which was split, by `children`. Returns them with their numbers. An exact end of the parent is
    /// that of each of them.
    ///
    /// The parent's own series must have been sealed by the receipts applied so far.
    ///
    /// # Errors
    ///
    /// If the children do not tile the parent.
    pub fn replace(&mut self, parent: RangeId, children: Vec<Part>) -> Result<Vec<RangeState>> {
        let own_series = self.state.series_of(parent);
        let end = self.state.ranges.find(parent);
        let end = end.and_then(|parent| parent.end.clone());
        let mut placed = self.state.ranges.split(parent, children)?;
        let is_exact = self.state.settings.until == Some(ReadUntil::Exact);
        if let Some(end) = end.filter(|_| is_exact) {
            for child in &mut placed {
                self.state.ranges.set_end(child.id, end.clone());
                child.end = Some(end.clone());
            }
        }
        if self.state.ranges_of(own_series).next().is_none() {
            let series = &mut self.state.series;
            ensure!(
                !series
                    .iter()
                    .any(|series| series.id == own_series && series.open.is_some()),
                "range {parent} was split before its part was sealed"
            );
            series.retain(|series| series.id != own_series);
        }
        self.dirty = true;
        Ok(placed)
    }

    /// Records where ranges end, and how they got there. A range that was split meanwhile is unknown here: its
    /// children have their own ends.
    pub fn set_ends(&mut self, ends: HashMap<RangeId, PinnedEnd>) {
        self.dirty |= self.state.ranges.set_ends(ends);
    }

    /// Records the highest LSNs reported by answers for the partitions of ranges that have an end.
    pub fn set_known_lsns(&mut self, known: &HashMap<RangeId, u64>) {
        self.dirty |= self.state.ranges.hear_all(known);
    }

    /// Records how documents become rows, once that is known. It never changes again.
    pub fn set_layout(&mut self, layout: TableLayout) {
        self.dirty = true;
        self.state.options.layout = Some(layout);
    }

    /// Records whether every range has been read to its end.
    pub fn set_finished(&mut self, finished: bool) {
        self.dirty |= self.state.finished != finished;
        self.state.finished = finished;
    }

    /// Records where a range of a group begins, and what of the feed before that others have handled.
    ///
    /// # Errors
    ///
    /// If it is not the state of a range of a group.
    pub fn begin_range(
        &mut self,
        id: RangeId,
        began: Position,
        start: Position,
        skipped: Option<Span>,
    ) -> Result<()> {
        let own = self.state.group.as_mut();
        let own = own.context("it is not the state of a range of a group")?;
        own.began.get_or_insert(began);
        own.skip(skipped);
        self.dirty = true;
        self.state.ranges.advance(id, start)
    }

    /// Records which ETags the lease of a range of a group can have by what its instances do.
    pub fn lease_can_have(&mut self, etags: Vec<String>) {
        if let Some(own) = &mut self.state.group {
            self.dirty |= etags.iter().any(|etag| !own.saved.contains(etag));
            own.saved = etags;
        }
    }

    /// Records that a range of a group is never continued here.
    pub fn end_range(&mut self) {
        if let Some(own) = &mut self.state.group {
            self.dirty |= !std::mem::replace(&mut own.over, true);
        }
    }

    /// Ends the uploads of this process that no stored state names: whoever has the state now ends or completes the others.
    pub fn abort_uncommitted(&self) {
        let mut uploads = self.destination.uploads();
        uploads.retain(|upload| !self.named.contains(&upload.place));
        self.destination.abort(&uploads);
    }

    /// Whether it is certain that another process has claimed the state.
    pub fn is_lost(&self) -> bool {
        self.claimed.as_ref().is_some_and(Claimed::is_lost)
    }

    /// Commits: syncs the data, replaces the state file, publishes what is sealed. Returns how
    /// many files were published. Blocks.
    ///
    /// # Errors
    ///
    /// Any error of the operating system. Before the state file was replaced, nothing was committed and the
    /// previous commit is in effect; after that, a resume publishes the rest.
    pub fn commit(&mut self) -> Result<u64> {
        // A crash before the state is replaced leaves data that no state lists: a resume cuts it off. So the
        // data must be durable first, or the state could list data that is lost.
        let unsynced = std::mem::take(&mut self.unsynced);
        self.destination.make_durable(&unsynced)?;
        self.record_pieces(&unsynced)?;
        let mut uploads = self.destination.uploads();
        let sealed = &self.state.sealed;
        uploads.retain(|upload| {
            !sealed
                .iter()
                .any(|file| file.place.as_ref() == Some(&upload.place))
        });
        if uploads != self.state.uploads {
            self.state.uploads = uploads;
            self.dirty = true;
        }
        self.destination.check()?;
        if self.dirty || clock::now() - self.saved >= OLDEST {
            self.save()?;
        }
        self.destination.check()?;
        self.destination.claim(&self.state.committed())?;
        // A crash from here on leaves sealed parts unpublished: a resume publishes them.
        self.publish()
    }

    /// Records what durable parts were uploaded in.
    fn record_pieces(&mut self, durable: &[Unsynced]) -> Result<()> {
        let open = self.state.series.iter_mut();
        let open = open.filter_map(|series| series.open.as_mut());
        for file in open.chain(&mut self.state.sealed) {
            if durable.iter().any(|part| part.id == file.id()) {
                file.pieces = self.destination.pieces_of(file.id(), file.length)?;
                file.upload = self.destination.upload_of(file.id());
                file.upload_began = self.destination.upload_began(file.id());
            }
        }
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        match &mut self.claimed {
            Some(claimed) => {
                let committed = commit_next(&mut self.state, self.destination.as_ref(), claimed);
                if committed.is_ok() {
                    self.named.clear();
                }
                if claimed.may_be_stored() {
                    self.named.extend(named_by(&self.state));
                }
                committed?;
            }
            None => self.state.generation += 1,
        }
        self.dirty = false;
        self.saved = clock::now();
        Ok(())
    }

    fn publish(&mut self) -> Result<u64> {
        if self.state.sealed.is_empty() {
            return Ok(0);
        }
        self.state.manifest = self.destination.publish(&self.state.committed())?;
        self.dirty = true;
        let published = self.state.sealed.len() as u64;
        self.state.sealed.clear();
        Ok(published)
    }
}

/// The places of parts that a state names and that are not published.
fn named_by(state: &State) -> impl Iterator<Item = String> {
    let open = state.series.iter().filter_map(|one| one.open.as_ref());
    let parts = open.chain(&state.sealed);
    let places = parts.filter_map(|part| part.place.clone());
    places.chain(state.uploads.iter().map(|one| one.place.clone()))
}

/// Commits `state` as the next generation.
fn commit_next(
    state: &mut State,
    destination: &dyn Destination,
    claimed: &mut Claimed,
) -> Result<()> {
    state.generation += 1;
    state.claims = destination.claims();
    if destination.numbers_batches() {
        let generation = state.generation;
        for file in &mut state.sealed {
            file.batch.get_or_insert(generation);
        }
    }
    let claim = claimed.next_claim();
    let text = if failpoint::is_planted("defect.object.recorded-before-it-is-published") {
        let mut recorded = state.clone();
        recorded.sealed.clear();
        file::render_with_claim(&recorded, claim)?
    } else {
        file::render_with_claim(state, claim)?
    };
    let committed = claimed.commit(&text);
    cannot_commit(committed, claimed)
}

/// What is read again.
#[derive(Debug, Default)]
pub struct ReadAgain {
    /// Sealed parts that are given up.
    lost: Vec<PartId>,
    /// All of the parts.
    parts: Vec<FileState>,
}

impl ReadAgain {
    /// The parts whose spans are read again.
    pub fn parts(&self) -> &[FileState] {
        &self.parts
    }
}

/// Takes over from an earlier process: claims the state, unless a lock does, and the destination. Returns what
/// has to be read again; nothing is given up yet, see [`bring_into_line`].
///
/// # Errors
///
/// If the destination contradicts the state, before anything is claimed; or if another process claims the state meanwhile.
pub fn take_over(
    state: &mut State,
    destination: &dyn Destination,
    claimed: &mut Claimed,
    repair: bool,
) -> Result<ReadAgain> {
    let mut again = ReadAgain::default();
    // A process on another machine may still run: whoever could not continue must not stop it.
    if claimed.is_claimed_by_a_commit() || repair {
        again.parts = destination.check_recovery(&state.committed(), repair)?;
    }
    // Before anything is aborted, completed or removed: from here on no earlier process can commit, and then none can
    // publish.
    if claimed.is_claimed_by_a_commit() || destination.has_claim() {
        let inheritance = destination.inherit(&state.committed());
        state.inherit(&inheritance);
        commit_next(state, destination, claimed)?;
    }
    destination.claim(&state.committed())?;
    destination.abort(&state.uploads);
    again.lost = destination.lost(&state.committed(), repair)?;
    let sealed = state.sealed.iter();
    let lost = sealed.filter(|file| again.lost.contains(&file.id()));
    again.parts.extend(lost.cloned());
    Ok(again)
}

/// Brings the destination into line with what is committed, after [`take_over`].
///
/// # Errors
///
/// As [`Destination::recover`].
pub fn bring_into_line(
    state: &mut State,
    destination: &dyn Destination,
    claimed: &mut Claimed,
    again: &ReadAgain,
    repair: bool,
) -> Result<Recovery> {
    let mut given_up = Vec::new();
    if !again.lost.is_empty() {
        given_up = state.give_up(&again.lost);
        commit_next(state, destination, claimed)?;
        // Those after the first of a series may still live, and an earlier process may be about to complete them.
        destination.abort(&state.uploads);
    }
    let mut recovery = destination.recover(&state.committed(), repair)?;
    let again = |place: String| format!("the upload of `{place}` is gone: its span is read again");
    recovery.notices.extend(given_up.into_iter().map(again));
    state.recovered(&recovery);
    Ok(recovery)
}

/// Finishes all open parts at their committed length, and commits that. What is written from here on is in new
/// parts.
///
/// # Errors
///
/// Any error of the operating system: a later [`take_over`] completes it if it was committed.
pub fn seal_open(
    state: &mut State,
    destination: &dyn Destination,
    claimed: &mut Claimed,
) -> Result<()> {
    let sealed = state.committed().open().map(FileState::id).collect();
    state.inherit(&Inheritance {
        sealed,
        dropped: Vec::new(),
    });
    commit_next(state, destination, claimed)?;
    destination.check()?;
    state.manifest = destination.publish(&state.committed())?;
    state.sealed.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fs_err as fs;

    use crate::destination::Written;
    use crate::feed::ReachedEnd;
    use crate::state::file::tests::sample;
    use crate::state::local::LocalState;
    use crate::state::model::Totals;
    use crate::state::{StateAt, destination_of};

    fn ledger(directory: &Path) -> Ledger {
        let path = directory.join("state.json");
        let store = Box::new(LocalState::new(&path));
        let (claimed, _) = Claimed::take(store, file::claim_of).unwrap();
        let state = sample();
        let mut destination = destination_of(&state, directory, StateAt::File(&path)).unwrap();
        destination.lock(claimed.ownership()).unwrap();
        Ledger::new(state, Arc::from(destination), Some(claimed))
    }

    fn saved(directory: &Path) -> State {
        file::read(&directory.join("state.json")).unwrap()
    }

    #[test]
    fn changes_of_the_job_are_saved_with_a_new_generation() {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = ledger(directory.path());
        ledger.commit().unwrap();
        assert_eq!(saved(directory.path()).generation, 4);
        let end = PinnedEnd {
            etag: "\"7\"".into(),
            partition: None,
            pinned_at: time::macros::datetime!(2026-11-23 12:00 UTC),
            tokens_compare: true,
            known_lsn: None,
            reached: Some(ReachedEnd::Head),
        };
        ledger.set_finished(true);
        assert!(ledger.commit().is_err(), "no range has come to its end");
        let ids = ledger.state().ranges.iter().map(|range| range.id);
        ledger.set_ends(ids.map(|id| (id, end.clone())).collect());
        for finished in [true, false] {
            ledger.set_finished(finished);
            ledger.commit().unwrap();
            assert_eq!(saved(directory.path()).finished, finished);
        }
        let generation = saved(directory.path()).generation;
        ledger.set_finished(false);
        ledger.commit().unwrap();
        let after = saved(directory.path()).generation;
        assert_eq!(after, generation, "nothing was new");
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_was_deleted_stops_the_next_commit() {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = ledger(directory.path());
        ledger.commit().unwrap();
        fs::remove_file(directory.path().join("state.json.lock")).unwrap();
        let generation = saved(directory.path()).generation;
        ledger.set_layout(TableLayout::Raw);
        ledger.commit().unwrap_err();
        assert_eq!(saved(directory.path()).generation, generation);
    }

    #[test]
    fn the_uploads_of_given_up_parts_are_kept_to_be_aborted() {
        let mut state = sample();
        let part = |part: u32, upload: Option<&str>| FileState {
            series: 0,
            part,
            length: 1,
            rows: 1,
            crc32c: 0,
            start: Vec::new(),
            end: Vec::new(),
            place: Some(format!("part-{part}")),
            upload: upload.map(str::to_owned),
            upload_began: None,
            pieces: Vec::new(),
            batch: None,
            columns: 0,
        };
        let parts = [part(1, Some("a")), part(2, Some("b")), part(3, None)];
        state.sealed = parts.to_vec();
        let lost: Vec<PartId> = parts.iter().map(FileState::id).collect();
        assert_eq!(state.give_up(&lost), ["part-1", "part-2", "part-3"]);
        let uploads = state.uploads.iter();
        let uploads: Vec<_> = uploads.map(|one| (&*one.place, &*one.id)).collect();
        assert_eq!(uploads, [("part-1", "a"), ("part-2", "b")]);
    }

    #[test]
    fn totals_are_sums() {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = ledger(directory.path());
        for times in 1..=2 {
            let receipt = Receipt {
                series: 0,
                parts: vec![],
                positions: vec![],
                written: Written {
                    documents: 2,
                    overflowed: 3,
                    dropped: 1,
                    bytes: 5,
                    request_charge: 7.0,
                },
            };
            ledger.apply(vec![receipt]).unwrap();
            ledger.commit().unwrap();
            let sum = Totals {
                documents: 2 * times,
                overflowed: 3 * times,
                dropped: times,
                bytes: 5 * times,
                request_charge: 7.0 * times as f64,
            };
            assert_eq!(saved(directory.path()).totals, sum);
        }
    }
}
