//! Claims the state of a range of a group, and begins where it is to begin.
//!
//! A lease says who reads a range; its state in the place says what of it is there. docs/object-store-protocol.md has the
//! rules: the state is claimed before anything is looked at; those of other ranges that intersect it are looked at after
//! that; one that contains it is ended before this one begins; and it begins at the later of state and lease.

use std::cell::RefCell;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::group_files::{GroupFiles, blocking};
use super::range_writer::RangeWriter;
use super::start::check_position;
use super::takeover::{RepairBy, take_over};
use crate::cosmos::partitions::PhysicalPartition;
use crate::cosmos::token::{segments, token_at};
use crate::destination::{Destination, Output};
use crate::error::{usage, with_hint};
use crate::failpoint;
use crate::feed::{FeedRange, Part, Position, RangeSet, RangeState, Scope, lsn_of_etag};
use crate::state::claim::Claimed as StateClaim;
use crate::state::ledger::Ledger;
use crate::state::model::State;
use crate::state::of_group::{OfGroup, Span, name_of_range};
use crate::state::{
    StateAt, destination_of, ensure_is_kept_at, ensure_of_group, file, own_state, state_of_range,
    store_at,
};

/// How often a claim is tried again that others were faster with.
const ATTEMPTS: u32 = 8;
/// The pause before the second attempt.
const PAUSE: Duration = Duration::from_millis(20);

/// What became of the claim of a range.
#[derive(Debug)]
pub(crate) enum ClaimedRange {
    /// Its pages are written by this, from this position on. Others have handled the span before it, if there is one.
    Begun(Box<RangeWriter>, Position, Option<Span>),
    /// It is never continued: these parts of it are, each at its ETag.
    Over(Vec<(FeedRange, String)>),
    /// Others write the state, or the lease may not be acted on any more.
    Contested,
}

/// A claim that has ended.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) range: ClaimedRange,
    /// What the user may want to know, one sentence each.
    pub(crate) notices: Vec<String>,
}

/// What a range is to be begun with.
#[derive(Debug)]
pub(crate) struct RangeToClaim {
    pub(crate) range: FeedRange,
    /// The position of its lease.
    pub(crate) etag: String,
    pub(crate) partitions: Arc<[PhysicalPartition]>,
}

/// What a claim asks about the lease.
pub(crate) struct Hold {
    /// Whether this instance may still act on it.
    pub(crate) may_act: Box<dyn Fn() -> bool + Send>,
    /// Whether it still has it, by a write of the lease that begins now.
    pub(crate) is_confirmed: Box<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send>,
}

/// Where the range ends that a range came from.
struct Before {
    position: Position,
    /// What the lease of that range can have.
    saved: Vec<String>,
}

impl GroupFiles {
    /// Claims the state of a range whose lease this instance has.
    ///
    /// # Errors
    ///
    /// If the state cannot be used, or the store does not answer.
    pub(crate) async fn claim(self: Arc<Self>, range: RangeToClaim, hold: Hold) -> Result<Claimed> {
        let claim = Claim {
            files: self,
            range,
            hold,
            notices: RefCell::default(),
        };
        let shown = name_of_range(&claim.range.range);
        let claimed = blocking(move || claim.run()).await;
        claimed.with_context(|| format!("cannot continue the files of the range {shown}"))
    }
}

struct Claim {
    files: Arc<GroupFiles>,
    range: RangeToClaim,
    hold: Hold,
    /// Of the states that were taken over.
    notices: RefCell<Vec<String>>,
}

/// A state that this process has claimed.
struct Own {
    ledger: Ledger,
    destination: Arc<dyn Destination>,
}

/// What the states of other ranges say.
enum Found {
    /// Where the range begins that contains this one, if there is one.
    Before(Option<Before>),
    /// Parts of it have states of their own.
    Within(Vec<FeedRange>),
}

impl Claim {
    fn run(self) -> Result<Claimed> {
        let range = self.claim()?;
        Ok(Claimed {
            range,
            notices: self.notices.into_inner(),
        })
    }

    fn claim(&self) -> Result<ClaimedRange> {
        let Some(mut own) = self.take(&self.range.range)? else {
            return Ok(ClaimedRange::Contested);
        };
        failpoint::call("group.claimed")?;
        // Not before the own state is claimed: whoever has another one looks for this after that, too.
        let found = match is_over(own.ledger.state()) {
            true => Found::Within(self.ranges_within()?),
            false => match self.look()? {
                Some(found) => found,
                None => return Ok(ClaimedRange::Contested),
            },
        };
        let before = match found {
            Found::Before(before) => before,
            Found::Within(within) => return self.end(own, &within),
        };
        let Some((start, skipped)) = self.begin(&mut own.ledger, before)? else {
            return Ok(ClaimedRange::Contested);
        };
        if let Err(error) = own.ledger.commit() {
            return contested(&own.ledger, error);
        }
        failpoint::call("group.begun")?;
        let writer = RangeWriter::new(&self.files, own.ledger, &own.destination)?;
        Ok(ClaimedRange::Begun(Box::new(writer), start, skipped))
    }

    /// Claims the state of a range, or creates it. None if others write it.
    fn take(&self, range: &FeedRange) -> Result<Option<Own>> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                failpoint::pause(PAUSE * attempt);
            }
            if !(self.hold.may_act)() {
                return Ok(None);
            }
            if let Some(own) = self.take_once(range)? {
                return Ok(Some(own));
            }
        }
        Ok(None)
    }

    fn take_once(&self, range: &FeedRange) -> Result<Option<Own>> {
        let files = &self.files;
        let object = own_state(&files.address.of_range(&name_of_range(range)));
        let (mut claimed, text) = StateClaim::take(store_at(&object)?, file::claim_of)?;
        let found = text.map(|text| -> Result<State> {
            let state = file::parse(&text)?;
            ensure_is_kept_at(&state, &object)?;
            ensure_of_group(&files.place, &state, range)?;
            for range in &state.ranges {
                check_position(range, &state.source.container_rid)?;
            }
            Ok(state)
        });
        let found = found.transpose();
        let found = found.with_context(|| format!("`{object}` cannot be used"))?;
        let is_new = found.is_none();
        let mut state = match found {
            Some(found) => found,
            None => {
                // One that is created is never removed.
                self.ensure_fits()?;
                self.new_state(range)?
            }
        };
        state.settings = files.settings.clone();
        let mut destination = destination_of(&state, Path::new("."), StateAt::Object(&object))?;
        if let Err(error) = destination.prove(&state.committed()) {
            return lost(claimed.is_lost(), error);
        }
        destination.lock(claimed.ownership())?;
        let destination: Arc<dyn Destination> = destination.into();
        if is_new {
            let mut ledger = Ledger::new(state, Arc::clone(&destination), Some(claimed));
            return match ledger.commit() {
                Ok(_) => Ok(Some(Own {
                    ledger,
                    destination,
                })),
                Err(error) => lost(ledger.is_lost(), error),
            };
        }
        let repair = (RepairBy::Group, files.repair);
        let taken = take_over(
            &files.connected,
            &mut state,
            destination.as_ref(),
            &mut claimed,
            repair,
        );
        match tokio::runtime::Handle::current().block_on(taken) {
            Ok(recovery) => self.notices.borrow_mut().extend(recovery.notices),
            Err(error) => return lost(claimed.is_lost(), error),
        }
        let ledger = Ledger::new(state, Arc::clone(&destination), Some(claimed));
        Ok(Some(Own {
            ledger,
            destination,
        }))
    }

    /// The state of a range that has not begun.
    fn new_state(&self, range: &FeedRange) -> Result<State> {
        let place = &self.files.place;
        let mut options = place.options.frozen(Output::Objects);
        options.records = place.records;
        options.scope = Scope {
            ranges: vec![range.clone()],
            partition_key: None,
        };
        let source = self.files.connected.source.clone();
        let mut state = State::new(place.kind, source, options, self.files.settings.clone());
        state.export_id = place.place_id;
        state.partition_key = self.files.connected.client.partition_key_paths();
        state.group = Some(OfGroup::new(place.place_id));
        state.ranges = RangeSet::number([(range.clone(), None)])?;
        Ok(state)
    }

    /// Looks at the states of the ranges that intersect this one. None if one of them could not be ended.
    fn look(&self) -> Result<Option<Found>> {
        let own = &self.range.range;
        let mut before = None;
        let mut within = Vec::new();
        for other in self.others()?.iter() {
            if other == own || other.intersection(own).is_none() {
                continue;
            }
            if contains(own, other) {
                within.push(other.clone());
                continue;
            }
            if !contains(other, own) {
                if !self.is_left_out(other)? {
                    return Ok(None);
                }
                continue;
            }
            let Some(state) = self.ended(other)? else {
                return Ok(None);
            };
            // Those that contain others come first, so the last one that has begun is the nearest.
            let mut pieces = state.ranges.iter();
            let piece = pieces.find(|piece| contains(&piece.range, own));
            let piece = piece.ok_or_else(|| overlaps(own, other))?;
            if let Some(position) = self.at_own(piece)? {
                let saved = state.group.map(|own| own.saved).unwrap_or_default();
                before = Some(Before { position, saved });
            }
        }
        Ok(Some(match within.is_empty() {
            true => Found::Before(before),
            false => Found::Within(within),
        }))
    }

    /// Checks that no state of a range that has begun divides the container in another way than this one.
    fn ensure_fits(&self) -> Result<()> {
        let own = &self.range.range;
        for other in self.others()?.iter() {
            if divides(own, other) && self.has_begun(other)? {
                return Err(overlaps(own, other));
            }
        }
        Ok(())
    }

    fn has_begun(&self, range: &FeedRange) -> Result<bool> {
        let state = state_of_range(&self.files.place, &self.files.address, range)?;
        Ok(state.as_ref().is_some_and(has_begun))
    }

    /// Leaves out a state that divides the container in another way, and has not begun: it is over before this one begins.
    /// False if others write it.
    fn is_left_out(&self, other: &FeedRange) -> Result<bool> {
        if self.has_begun(other)? {
            return Err(overlaps(&self.range.range, other));
        }
        let state = self.ended_unless(other, has_begun)?;
        if state.as_ref().is_some_and(has_begun) {
            return Err(overlaps(&self.range.range, other));
        }
        Ok(state.is_some())
    }

    /// The ranges within this one that have a state.
    fn ranges_within(&self) -> Result<Vec<FeedRange>> {
        let own = &self.range.range;
        let ranges = self.others()?;
        let within = ranges.iter();
        let within = within.filter(|other| *other != own && contains(own, other));
        Ok(within.cloned().collect())
    }

    /// The ranges that have a state, by a listing that begins now or later.
    fn others(&self) -> Result<Arc<[FeedRange]>> {
        self.files.listing.ranges(&self.files.address)
    }

    /// The position of a range that contains this one, as that of this one.
    fn at_own(&self, piece: &RangeState) -> Result<Option<Position>> {
        let Some(position) = &piece.position else {
            return Ok(None);
        };
        let etag = etag_of(position, &piece.range)?;
        Ok(Some(self.position(&self.range.range, &etag)))
    }

    fn position(&self, range: &FeedRange, etag: &str) -> Position {
        let place = &self.files.place;
        let mode = place.options.mode();
        Position {
            token: token_at(&place.source.container_rid, mode, range, etag),
            lsn: lsn_of_etag(etag),
        }
    }

    /// The state of a range that contains this one, which is ended if it is not. None if others write it.
    fn ended(&self, range: &FeedRange) -> Result<Option<State>> {
        self.ended_unless(range, |_| false)
    }

    /// The same, but one of which that is true once it is claimed goes on.
    fn ended_unless(
        &self,
        range: &FeedRange,
        goes_on: impl Fn(&State) -> bool,
    ) -> Result<Option<State>> {
        let found = state_of_range(&self.files.place, &self.files.address, range)?;
        // One that died may have left files that are not visible yet.
        if let Some(found) = found.filter(|found| is_over(found) && found.sealed.is_empty()) {
            return Ok(Some(found));
        }
        if failpoint::is_planted("defect.group.parent-is-not-ended") {
            return state_of_range(&self.files.place, &self.files.address, range);
        }
        let Some(mut other) = self.take(range)? else {
            return Ok(None);
        };
        if goes_on(other.ledger.state()) {
            return Ok(Some(other.ledger.state().clone()));
        }
        other.ledger.end_range();
        if let Err(error) = other.ledger.commit() {
            return lost(other.ledger.is_lost(), error);
        }
        failpoint::call("group.parent-over")?;
        Ok(Some(other.ledger.state().clone()))
    }

    /// Decides where the range begins: at its state, or what was before it, unless somebody else has written the lease and
    /// that is later: between them, others have handled the changes. None if it is not certain that the lease is still
    /// this instance's.
    fn begin(
        &self,
        ledger: &mut Ledger,
        before: Option<Before>,
    ) -> Result<Option<(Position, Option<Span>)>> {
        let range = &self.range.range;
        let lease = self.position(range, &self.range.etag);
        let state = ledger.state();
        let own = state.ranges.first().context("the state has no range")?;
        let (id, own) = (own.id, own.position.clone());
        let own_saved = state.group.as_ref().map(|own| own.saved.clone());
        if failpoint::is_planted("defect.group.begins-at-the-lease") {
            ledger.begin_range(id, lease.clone(), lease.clone(), None)?;
            return Ok(Some((lease, None)));
        }
        let (known, saved) = match (own.clone(), before) {
            (None, Some(before)) => (Some(before.position), before.saved),
            (own, _) => (own, own_saved.unwrap_or_default()),
        };
        let is_ahead = |known: &Position| is_ahead(&self.range.etag, &lease, known, &saved);
        let (start, skipped) = match &known {
            None => (lease.clone(), None),
            Some(known) if is_ahead(known) => {
                // Whoever had the lease since it was taken may have moved the state, and knows of other ETags.
                if !self.is_confirmed() {
                    return Ok(None);
                }
                let span = Span {
                    from: known.clone(),
                    to: lease.clone(),
                };
                (lease.clone(), Some(span))
            }
            Some(known) => (known.clone(), None),
        };
        if own.as_ref() != Some(&start) {
            ledger.begin_range(id, known.unwrap_or(lease), start.clone(), skipped.clone())?;
        }
        let mut saved = vec![self.range.etag.clone()];
        let etag = etag_of(&start, range)?;
        if !saved.contains(&etag) {
            saved.push(etag);
        }
        ledger.lease_can_have(saved);
        Ok(Some((start, skipped)))
    }

    fn is_confirmed(&self) -> bool {
        tokio::runtime::Handle::current().block_on((self.hold.is_confirmed)())
    }

    /// Ends the range, if it is not over, and finds the parts that continue it.
    fn end(&self, mut own: Own, within: &[FeedRange]) -> Result<ClaimedRange> {
        if !is_over(own.ledger.state()) {
            own.ledger.end_range();
            if let Err(error) = own.ledger.commit() {
                return contested(&own.ledger, error);
            }
            failpoint::call("group.over")?;
        }
        let pieces = &own.ledger.state().ranges;
        let etag = |piece: &RangeState| match &piece.position {
            Some(position) => etag_of(position, &piece.range),
            // Nobody has read it here.
            None => Ok(self.range.etag.clone()),
        };
        let mut parts = Vec::new();
        for piece in pieces {
            let etag = etag(piece)?;
            let of_piece = match pieces.len() {
                1 => divided(&piece.range, within, &self.range.partitions),
                _ => vec![piece.range.clone()],
            };
            parts.extend(of_piece.into_iter().map(|part| (part, etag.clone())));
        }
        if parts.len() < 2 {
            // It was left out, since another one has begun that divides the container in another way.
            self.ensure_fits()?;
        }
        ensure!(
            parts.len() > 1,
            with_hint(
                anyhow!(
                    "the state of the range {} is over, but nothing continues it",
                    self.range.range
                ),
                "a state is missing beside it: restore it, or write to a new place, with another group",
            )
        );
        Ok(ClaimedRange::Over(parts))
    }
}

impl ClaimedRange {
    /// The parts of a range as a state has them.
    pub(crate) fn parts_of(files: &GroupFiles, parts: &[(FeedRange, String)]) -> Vec<Part> {
        let place = &files.place;
        let mode = place.options.mode();
        let part = |(range, etag): &(FeedRange, String)| {
            let position = Position {
                token: token_at(&place.source.container_rid, mode, range, etag),
                lsn: lsn_of_etag(etag),
            };
            (range.clone(), Some(position))
        };
        parts.iter().map(part).collect()
    }
}

/// What follows from a failure: none if it is that others have claimed the state.
fn lost<T>(is_lost: bool, error: anyhow::Error) -> Result<Option<T>> {
    match is_lost {
        true => Ok(None),
        false => Err(error),
    }
}

fn contested(ledger: &Ledger, error: anyhow::Error) -> Result<ClaimedRange> {
    let lost = lost(ledger.is_lost(), error)?;
    Ok(lost.unwrap_or(ClaimedRange::Contested))
}

fn is_over(state: &State) -> bool {
    state.group.as_ref().is_some_and(|own| own.over)
}

fn has_begun(state: &State) -> bool {
    let own = state.group.as_ref();
    own.is_some_and(|own| own.began.is_some())
}

/// Whether two ranges have a part in common, and none of them is within the other.
fn divides(range: &FeedRange, other: &FeedRange) -> bool {
    let common = range.intersection(other);
    common.is_some_and(|common| common != *range && common != *other)
}

fn contains(range: &FeedRange, other: &FeedRange) -> bool {
    range.intersection(other).as_ref() == Some(other)
}

/// Whether a lease is ahead of what is known. LSNs do not compare across a merge, so what these instances have saved is told by
/// its ETag.
fn is_ahead(etag: &str, lease: &Position, known: &Position, saved: &[String]) -> bool {
    let is_own = saved.iter().any(|one| one == etag);
    !is_own && matches!((lease.lsn, known.lsn), (Some(lease), Some(known)) if lease > known)
}

/// The ETag of a position that is that of a whole range.
fn etag_of(position: &Position, range: &FeedRange) -> Result<String> {
    let parts = segments(&position.token, range)?;
    match &parts[..] {
        [part] => part.etag.clone().context("a position has no ETag"),
        _ => Err(anyhow!("a position is of several parts")),
    }
}

/// A range, divided where others within it are that have a state, and elsewhere by partitions.
fn divided(
    range: &FeedRange,
    within: &[FeedRange],
    partitions: &[PhysicalPartition],
) -> Vec<FeedRange> {
    let mut parts: Vec<FeedRange> = Vec::new();
    let mut reached = range.min_inclusive.clone();
    let gap = |from: &str, to: &str| -> Vec<FeedRange> {
        let Ok(gap) = FeedRange::new(from, to) else {
            return Vec::new();
        };
        let parts = partitions.iter();
        parts
            .filter_map(|partition| partition.range.intersection(&gap))
            .collect()
    };
    // Those that contain others come first.
    for part in within {
        if part.min_inclusive < reached {
            continue;
        }
        parts.extend(gap(&reached, &part.min_inclusive));
        reached.clone_from(&part.max_exclusive);
        parts.push(part.clone());
    }
    parts.extend(gap(&reached, &range.max_exclusive));
    parts
}

fn overlaps(own: &FeedRange, other: &FeedRange) -> anyhow::Error {
    usage(
        format!(
            "the files have the range {other}, which a lease of the range {own} divides in another way"
        ),
        "the leases were made again since: write to a new place, with another group",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: &str, max: &str) -> FeedRange {
        FeedRange::new(min, max).unwrap()
    }

    #[test]
    fn a_range_is_divided_by_those_that_have_a_state() {
        let partition = |min, max| PhysicalPartition {
            id: String::new(),
            range: range(min, max),
            portable: String::new(),
            parents: Vec::new(),
        };
        let partitions = [
            partition("", "40"),
            partition("40", "60"),
            partition("60", "FF"),
        ];
        let divide = |within: &[FeedRange]| divided(&range("20", "80"), within, &partitions);
        assert_eq!(
            divide(&[]),
            [range("20", "40"), range("40", "60"), range("60", "80")]
        );
        assert_eq!(
            divide(&[range("30", "60"), range("30", "35"), range("35", "60")]),
            [range("20", "30"), range("30", "60"), range("60", "80")]
        );
        assert_eq!(divide(&[range("20", "80")]), [range("20", "80")]);
    }
}
