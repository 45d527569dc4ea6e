//! A feed that several instances read by leases into one place, with a processor of another SDK among them.
//!
//! A range has a lease, which says who reads it, and a state of record in the place, which says what is there. A commit is
//! one step here, of data and state on the condition of the state's version: how that is done is what the other
//! modules are about. The whole range is split into two at any time.
//!
//! A lease can be taken by anyone at any time: nothing that must hold may depend on clocks, so a pause needs no step
//! of its own.

mod search;

use std::collections::{BTreeMap, BTreeSet};

/// A position in the feed, and the change there.
pub type Lsn = u8;

/// What has a lease and a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Range {
    Whole,
    Left,
    Right,
}

use Range::{Left, Right, Whole};

impl Range {
    /// Whether a change is in it: the odd ones are on the left.
    fn has(self, lsn: Lsn) -> bool {
        match self {
            Whole => true,
            Left => lsn % 2 == 1,
            Right => lsn.is_multiple_of(2),
        }
    }
}

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A commit has no condition.
    NoCondition,
    /// An owner begins at the lease's token.
    TokenOnly,
    /// A token ahead of the state is followed, and not recorded.
    SpanUnnamed,
    /// The owner of a child does not look for its parent's state.
    ParentIgnored,
    /// The owner of a child begins at its parent's state, and does not seal it.
    ParentUnsealed,
    /// The states of other ranges are read before the own one is claimed.
    LooksFirst,
    /// The token is saved before the commit.
    TokenFirst,
    /// The lease of a range that was split is deleted before its children have theirs.
    ParentDeletedFirst,
}

impl Defect {
    pub const ALL: [Self; 8] = [
        Self::NoCondition,
        Self::TokenOnly,
        Self::SpanUnnamed,
        Self::ParentIgnored,
        Self::ParentUnsealed,
        Self::LooksFirst,
        Self::TokenFirst,
        Self::ParentDeletedFirst,
    ];
}

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub instances: usize,
    pub changes: u8,
    /// How often an instance takes a lease, in all.
    pub takes: u8,
    /// How often the processor of another SDK takes one.
    pub foreign_takes: u8,
    /// How often it writes an old token back.
    pub old_tokens: u8,
    pub defect: Option<Defect>,
}

/// A lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Lease {
    owner: Option<u8>,
    token: Lsn,
    /// Who wrote it last, which is all that its ETag tells: no two claims are equal.
    writer: u8,
}

/// A state of record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Record {
    /// Who has claimed it. No two claims are equal.
    claim: u8,
    position: Lsn,
    /// Whether it is never continued.
    is_sealed: bool,
    changes: Vec<Lsn>,
    /// Spans that others have handled: after the first position, up to the second.
    others: BTreeSet<(Lsn, Lsn)>,
}

/// What an instance does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    /// It claims the state of its range, and creates it if it is absent.
    Claiming,
    /// It reads the other states that intersect its range.
    Looking,
    /// It claims the parent's state and seals it.
    SealingParent,
    /// It commits where it begins, no earlier than this.
    Beginning(Lsn),
    Reading,
    /// It seals the state of a range that was split.
    Sealing,
    /// It creates the leases of the children.
    CreatingLeft,
    CreatingRight,
    /// It deletes the lease of the range that was split.
    Deleting,
}

/// An instance of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Instance {
    phase: Phase,
    range: Range,
    claim: u8,
    token: Lsn,
    position: Lsn,
    /// What it found before its claim: only with a defect.
    looked: Option<Phase>,
}

const IDLE: Instance = Instance {
    phase: Phase::Idle,
    range: Whole,
    claim: 0,
    token: 0,
    position: 0,
    looked: None,
};

/// The processor of another SDK.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Foreign {
    /// The range that it reads, the token with which it took the lease, and its position.
    reads: Option<(Range, Lsn, Lsn)>,
    /// Whether it has created the leases of the children.
    has_split: bool,
    /// What it has handled.
    handled: BTreeSet<Lsn>,
}

/// Its name as an owner.
const FOREIGN: u8 = u8::MAX;

/// All that there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    leases: BTreeMap<Range, Lease>,
    records: BTreeMap<Range, Record>,
    instances: Vec<Instance>,
    foreign: Foreign,
    is_split: bool,
    starts: u8,
    foreign_takes: u8,
    old_tokens: u8,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Split,
    Take(usize, Range),
    /// The instance does what its phase says.
    Step(usize),
    /// It meets the split of its range. Until then it may still commit what it read before the split.
    Meet(usize),
    Save(usize),
    Release(usize),
    /// It dies, or notices that it has lost its lease.
    Stop(usize),
    ForeignTake(Range),
    ForeignHandle,
    ForeignSave,
    ForeignOldToken,
    ForeignSplit,
    ForeignStop,
}

impl World {
    fn next_change(&self, range: Range, after: Lsn, changes: u8) -> Option<Lsn> {
        (after + 1..=changes).find(|lsn| range.has(*lsn))
    }

    fn put_lease(&mut self, range: Range, owner: Option<u8>, token: Lsn, writer: u8) {
        let lease = Lease {
            owner,
            token,
            writer,
        };
        self.leases.insert(range, lease);
    }

    /// Forgets the claims of instances that are gone, which nobody looks for.
    fn forget(&mut self) {
        let live: Vec<u8> = self.instances.iter().map(|one| one.claim).collect();
        for record in self.records.values_mut() {
            if !live.contains(&record.claim) {
                record.claim = 0;
            }
        }
        for lease in self.leases.values_mut() {
            if !live.contains(&lease.writer) {
                lease.writer = 0;
            }
            if lease
                .owner
                .is_some_and(|owner| owner != FOREIGN && !live.contains(&owner))
            {
                lease.owner = Some(0);
            }
        }
    }

    fn create_lease(&mut self, range: Range, token: Lsn) {
        if !self.leases.contains_key(&range) {
            self.put_lease(range, None, token, 0);
        }
    }

    /// What an instance does about the other states that are there.
    fn look(&self, range: Range, defect: Option<Defect>) -> Phase {
        if range == Whole {
            let is_sealed = self.records.get(&Whole).is_some_and(|one| one.is_sealed);
            let has_children = self.records.keys().any(|other| *other != Whole);
            return match (is_sealed, has_children) {
                (true, _) => Phase::CreatingLeft,
                (false, true) => Phase::Sealing,
                (false, false) => Phase::Beginning(0),
            };
        }
        match self.records.get(&Whole) {
            _ if defect == Some(Defect::ParentIgnored) => Phase::Beginning(0),
            None => Phase::Beginning(0),
            Some(parent) if parent.is_sealed || defect == Some(Defect::ParentUnsealed) => {
                Phase::Beginning(parent.position)
            }
            Some(_) => Phase::SealingParent,
        }
    }

    fn step(&mut self, at: usize, bounds: &Bounds) {
        let mut one = self.instances[at];
        let is_lost = |record: Option<&Record>| {
            bounds.defect != Some(Defect::NoCondition)
                && record.is_none_or(|record| record.claim != one.claim)
        };
        match one.phase {
            Phase::Idle => {}
            Phase::Claiming => {
                self.records.entry(one.range).or_default().claim = one.claim;
                one.phase = one.looked.unwrap_or(Phase::Looking);
            }
            Phase::Looking => {
                let found = self.look(one.range, bounds.defect);
                one.phase = found;
                if bounds.defect == Some(Defect::LooksFirst) && one.looked.is_none() {
                    (one.looked, one.phase) = (Some(found), Phase::Claiming);
                }
            }
            Phase::SealingParent => {
                let parent = self.records.entry(Whole).or_default();
                (parent.claim, parent.is_sealed) = (one.claim, true);
                one.phase = Phase::Beginning(parent.position);
            }
            Phase::Beginning(parent) if !is_lost(self.records.get(&one.range)) => {
                let record = self.records.entry(one.range).or_default();
                let from = record.position.max(parent);
                if one.token > from && bounds.defect != Some(Defect::SpanUnnamed) {
                    record.others.insert((from, one.token));
                }
                one.position = from.max(one.token);
                if bounds.defect == Some(Defect::TokenOnly) {
                    one.position = one.token;
                }
                record.position = one.position;
                one.phase = Phase::Reading;
                if record.is_sealed {
                    one.phase = Phase::CreatingLeft;
                }
            }
            Phase::Reading if !is_lost(self.records.get(&one.range)) => {
                let next = self.next_change(one.range, one.position, bounds.changes);
                if let Some(lsn) = next {
                    let record = self.records.entry(one.range).or_default();
                    record.changes.push(lsn);
                    (record.position, one.position) = (lsn, lsn);
                }
            }
            Phase::Sealing if !is_lost(self.records.get(&one.range)) => {
                let record = self.records.entry(one.range).or_default();
                record.is_sealed = true;
                one.phase = Phase::CreatingLeft;
                if bounds.defect == Some(Defect::ParentDeletedFirst) {
                    one.phase = Phase::Deleting;
                }
            }
            Phase::CreatingLeft | Phase::CreatingRight => {
                let sealed = self.records.get(&Whole).map_or(0, |one| one.position);
                let is_left = one.phase == Phase::CreatingLeft;
                self.create_lease(if is_left { Left } else { Right }, sealed);
                one.phase = match is_left {
                    true => Phase::CreatingRight,
                    false => Phase::Deleting,
                };
            }
            Phase::Deleting => {
                let lease = self.leases.get(&Whole);
                let is_own = lease.is_some_and(|lease| lease.writer == one.claim);
                if is_own {
                    self.leases.remove(&Whole);
                }
                one = match bounds.defect {
                    Some(Defect::ParentDeletedFirst) if is_own => Instance {
                        phase: Phase::CreatingLeft,
                        ..one
                    },
                    _ => IDLE,
                };
            }
            // Another instance has claimed the state.
            Phase::Beginning(_) | Phase::Reading | Phase::Sealing => one = IDLE,
        }
        self.instances[at] = one;
    }

    /// Writes the lease of an instance if nobody else has written it.
    fn save(&mut self, at: usize, token: Lsn, owner: Option<u8>) {
        let Instance { range, claim, .. } = self.instances[at];
        let lease = self.leases.get(&range);
        let is_own = lease.is_some_and(|lease| lease.writer == claim);
        if is_own {
            self.put_lease(range, owner, token, claim);
            self.instances[at].token = token;
        }
        if !is_own || owner.is_none() {
            self.instances[at] = IDLE;
        }
    }

    /// Writes a lease as another SDK does: on no condition but that no other instance is its owner.
    fn foreign_save(&mut self, range: Range, token: Lsn) {
        let owner = self.leases.get(&range).map(|lease| lease.owner);
        match owner {
            Some(None | Some(FOREIGN)) => {
                self.put_lease(range, Some(FOREIGN), token, 0);
            }
            _ => self.foreign.reads = None,
        }
    }

    fn foreign_split(&mut self) {
        let Some((Whole, _, position)) = self.foreign.reads else {
            return;
        };
        if self.foreign.has_split {
            // Without a condition.
            self.leases.remove(&Whole);
            (self.foreign.reads, self.foreign.has_split) = (None, false);
        } else {
            self.create_lease(Left, position);
            self.create_lease(Right, position);
            self.foreign.has_split = true;
        }
    }

    fn has_nothing_twice(&self) -> bool {
        let mut seen = BTreeSet::new();
        let mut all = self.records.values().flat_map(|one| &one.changes);
        all.all(|lsn| seen.insert(*lsn))
    }

    /// Whatever a position has passed is in the place, or in a span that is named.
    fn has_lost_nothing(&self) -> bool {
        let passed = |lsn: Lsn, record: &Record| lsn <= record.position;
        let explains = |lsn: Lsn, record: &Record| {
            let mut others = record.others.iter();
            record.changes.contains(&lsn) || others.any(|(from, to)| *from < lsn && lsn <= *to)
        };
        (1..=self.last_position()).all(|lsn| {
            let of = |(range, _): &(&Range, &Record)| range.has(lsn);
            let mut records = self.records.iter().filter(of);
            let mut again = self.records.iter().filter(of);
            !records.any(|(_, one)| passed(lsn, one)) || again.any(|(_, one)| explains(lsn, one))
        })
    }

    fn last_position(&self) -> Lsn {
        let positions = self.records.values().map(|one| one.position);
        positions.max().unwrap_or(0)
    }

    fn has_named_the_truth(&self) -> bool {
        self.records.iter().all(|(range, record)| {
            let spans = record.others.iter();
            let mut named = spans.flat_map(|(from, to)| from + 1..=*to);
            named.all(|lsn| !range.has(lsn) || self.foreign.handled.contains(&lsn))
        })
    }

    fn is_read(&self) -> bool {
        let has = |range| self.leases.contains_key(&range);
        has(Whole) || (has(Left) && has(Right))
    }
}
