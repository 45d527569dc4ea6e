//! An export whose state is not where its objects are, and copies of that state: rule 12.
//!
//! A state is on one of two disks. Each has a lock, so one process at a time has it; but what is on the first is copied to
//! the second at any time. So the place of the objects has a claim, which names the process that may write there. How a
//! state is stored and an upload is completed is what [`process`](crate::process) is about: here a commit is one step, and so is
//! an object.

mod search;

use std::collections::{BTreeMap, BTreeSet};

/// A position in the feed, and the change there.
pub type Lsn = u8;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// The place has no claim.
    NoClaim,
    /// A start replaces whatever claim it finds.
    Unproven,
    /// The claim is replaced before the state on the disk knows its id.
    ClaimedFirst,
    /// The state forgets the ids of earlier processes before the claim is replaced.
    ForgottenFirst,
    /// An object is completed without a look at the claim.
    CompletedBlindly,
    /// A manifest object is created without a look at the claim.
    ListedBlindly,
    /// A state that is older than the manifest is continued.
    OlderAccepted,
    /// The manifest is compared with the state before the claim is taken, and not again.
    ComparedOnce,
    /// The commits by which starts made themselves known count as those of whoever had the place.
    AnnouncementsCount,
}

impl Defect {
    pub const ALL: [Self; 9] = [
        Self::NoClaim,
        Self::Unproven,
        Self::ClaimedFirst,
        Self::ForgottenFirst,
        Self::CompletedBlindly,
        Self::ListedBlindly,
        Self::OlderAccepted,
        Self::ComparedOnce,
        Self::AnnouncementsCount,
    ];
}

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub changes: u8,
    /// Processes that are started, in all.
    pub starts: u8,
    /// Whether a process can be paused between its look at the claim and the call after it. No store can prevent what comes of
    /// that.
    pub pauses_after_looking: bool,
    pub defect: Option<Defect>,
}

/// An object that a commit has sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sealed {
    /// The process that began it, which its name contains.
    by: u8,
    change: Lsn,
    /// The number of the commit that sealed it, which is that of its manifest object.
    batch: u8,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// Counts the commits.
    generation: u8,
    position: Lsn,
    /// The ids that the claim can have.
    claims: BTreeSet<u8>,
    /// What is not listed yet, as far as this state knows.
    sealed: Option<Sealed>,
    /// Whether anything is listed, as far as this state knows.
    has_listed: bool,
}

const FIRST: State = State {
    generation: 0,
    position: 0,
    claims: BTreeSet::new(),
    sealed: None,
    has_listed: false,
};

/// What a process does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    /// It reads its state, the claim, and the manifest.
    Proving,
    /// It commits its id, beside those that the state has.
    Announcing,
    /// It puts its claim in place of one that the state knows.
    Claiming,
    /// It compares the manifest with its state again.
    Comparing,
    /// It looks at the claim, then completes the object that is sealed.
    Completing {
        has_looked: bool,
    },
    /// The same, then creates its manifest object.
    Listing {
        has_looked: bool,
    },
    /// It reads on, and commits what it has read.
    Reading,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    phase: Phase,
    id: u8,
    state: State,
    /// The claim that it has replaced.
    earlier: Option<u8>,
}

const IDLE: Process = Process {
    phase: Phase::Idle,
    id: 0,
    state: FIRST,
    earlier: None,
};

/// All that there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// What each disk has.
    disks: [Option<State>; 2],
    /// The process on each disk.
    processes: [Process; 2],
    /// The process that may write in the place.
    claim: Option<u8>,
    objects: BTreeSet<(u8, Lsn)>,
    manifest: BTreeMap<u8, (u8, Lsn)>,
    starts: u8,
    /// Whether a process found a manifest object that is not what its state says.
    is_stuck: bool,
    /// Whether an object was completed by a process that did not have the place.
    has_intruded: bool,
}

/// What happens next. The number is that of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Start(usize),
    Step(usize),
    /// It dies.
    Stop(usize),
    /// The state on the first disk is copied to the second.
    Copy,
}

impl World {
    /// Whether the state knows of each manifest object: none is of a later commit. Those by which starts made themselves known
    /// before they had the place do not count: whoever had it committed meanwhile, under the same numbers.
    fn explains(&self, state: &State, bounds: &Bounds) -> bool {
        let announced = match bounds.defect {
            Some(Defect::AnnouncementsCount) => 0,
            _ => (state.claims.len() as u8).saturating_sub(1),
        };
        let own = state.sealed.map(|sealed| sealed.batch);
        let mut batches = self.manifest.keys();
        batches.all(|batch| *batch <= state.generation - announced || own == Some(*batch))
    }

    fn stop(&mut self, disk: usize) {
        self.processes[disk] = IDLE;
    }

    fn commit(&mut self, disk: usize) {
        let one = &mut self.processes[disk];
        one.state.generation += 1;
        self.disks[disk] = Some(one.state.clone());
    }

    /// Whether the claim may be replaced by one who has this state.
    fn knows(&self, state: &State) -> bool {
        match self.claim {
            Some(claim) => state.claims.contains(&claim),
            None => !state.has_listed,
        }
    }

    fn step(&mut self, disk: usize, bounds: &Bounds) {
        let has = |defect| bounds.defect == Some(defect);
        let one = self.processes[disk].clone();
        let next = |world: &mut Self, phase| world.processes[disk].phase = phase;
        match one.phase {
            Phase::Idle => {}
            Phase::Proving => {
                let Some(state) = self.disks[disk].clone() else {
                    return next(self, Phase::Announcing);
                };
                let may = self.knows(&state) || has(Defect::Unproven) || has(Defect::NoClaim);
                let is_latest = self.explains(&state, bounds) || has(Defect::OlderAccepted);
                if !may || !is_latest {
                    return self.stop(disk);
                }
                let process = &mut self.processes[disk];
                process.state = state;
                next(
                    self,
                    match has(Defect::ClaimedFirst) {
                        true => Phase::Claiming,
                        false => Phase::Announcing,
                    },
                );
            }
            Phase::Announcing => {
                let claims = &mut self.processes[disk].state.claims;
                if has(Defect::ForgottenFirst) {
                    claims.clear();
                }
                claims.insert(one.id);
                self.commit(disk);
                next(
                    self,
                    match has(Defect::ClaimedFirst) {
                        true => Phase::Comparing,
                        false => Phase::Claiming,
                    },
                );
            }
            Phase::Claiming => {
                let may = self.knows(&one.state) || has(Defect::Unproven);
                if !may && !has(Defect::NoClaim) {
                    return self.stop(disk);
                }
                if !has(Defect::NoClaim) {
                    self.processes[disk].earlier = self.claim;
                    self.claim = Some(one.id);
                }
                next(
                    self,
                    match has(Defect::ClaimedFirst) && !one.state.claims.contains(&one.id) {
                        true => Phase::Announcing,
                        false => Phase::Comparing,
                    },
                );
            }
            Phase::Comparing => {
                let skips = has(Defect::ComparedOnce) || has(Defect::OlderAccepted);
                if !skips && !self.explains(&one.state, bounds) {
                    if self.claim == Some(one.id) {
                        self.claim = one.earlier;
                    }
                    return self.stop(disk);
                }
                // The next commit has this one alone.
                self.processes[disk].state.claims = BTreeSet::from([one.id]);
                next(
                    self,
                    match one.state.sealed {
                        Some(_) => Phase::Completing { has_looked: false },
                        None => Phase::Reading,
                    },
                );
            }
            Phase::Completing { has_looked } => {
                let skips = has(Defect::CompletedBlindly) || has(Defect::NoClaim);
                if !has_looked && !skips {
                    if self.claim != Some(one.id) {
                        return self.stop(disk);
                    }
                    if bounds.pauses_after_looking {
                        return next(self, Phase::Completing { has_looked: true });
                    }
                }
                let sealed = one.state.sealed.expect("it is sealed");
                self.has_intruded |= self.claim != Some(one.id);
                self.objects.insert((sealed.by, sealed.change));
                next(self, Phase::Listing { has_looked: false });
            }
            Phase::Listing { has_looked } => {
                let skips = has(Defect::ListedBlindly) || has(Defect::NoClaim);
                if !has_looked && !skips {
                    if self.claim != Some(one.id) {
                        return self.stop(disk);
                    }
                    if bounds.pauses_after_looking {
                        return next(self, Phase::Listing { has_looked: true });
                    }
                }
                let sealed = one.state.sealed.expect("it is sealed");
                let listed = (sealed.by, sealed.change);
                let there = *self.manifest.entry(sealed.batch).or_insert(listed);
                if there != listed {
                    self.is_stuck = true;
                    return self.stop(disk);
                }
                let state = &mut self.processes[disk].state;
                state.sealed = None;
                state.has_listed = true;
                next(self, Phase::Reading);
            }
            Phase::Reading => {
                if one.state.position == bounds.changes {
                    // What is listed is recorded, and it ends.
                    if self.disks[disk]
                        .as_ref()
                        .is_some_and(|kept| kept.sealed.is_some())
                    {
                        self.commit(disk);
                    }
                    return self.stop(disk);
                }
                let state = &mut self.processes[disk].state;
                state.position += 1;
                state.sealed = Some(Sealed {
                    by: one.id,
                    change: state.position,
                    batch: state.generation + 1,
                });
                self.commit(disk);
                next(self, Phase::Completing { has_looked: false });
            }
        }
    }

    /// Whether a start from this state would be let in.
    fn can_go_on(&self, state: &State, bounds: &Bounds) -> bool {
        self.knows(state) && self.explains(state, bounds)
    }

    fn has_nothing_twice(&self) -> bool {
        let listed: BTreeSet<Lsn> = self.manifest.values().map(|(_, change)| *change).collect();
        listed.len() == self.manifest.len()
    }

    /// Whatever the position of a state has passed that can be continued is listed, or sealed by it.
    fn has_lost_nothing(&self, bounds: &Bounds) -> bool {
        let mut states = self
            .disks
            .iter()
            .flatten()
            .filter(|one| self.can_go_on(one, bounds));
        states.all(|state| {
            let is_there = |change: Lsn| {
                let is_listed = self.manifest.values().any(|(_, listed)| *listed == change);
                is_listed || state.sealed.is_some_and(|sealed| sealed.change == change)
            };
            (1..=state.position).all(is_there)
        })
    }

    /// Each manifest object lists what is there.
    fn lists_what_is_there(&self) -> bool {
        self.manifest
            .values()
            .all(|listed| self.objects.contains(listed))
    }

    /// Some state knows the claim, or there is none yet.
    fn is_known(&self) -> bool {
        let Some(claim) = self.claim else {
            return true;
        };
        let mut states = self.disks.iter().flatten();
        states.any(|state| state.claims.contains(&claim))
    }
}
