//! Processes, a store, a feed, and everything that can go wrong.

use std::collections::BTreeSet;

use stateright::{Model, Property};

use crate::explored::{Explored, explore};
use crate::process::{Decision, Manner, Phase, Process};
use crate::rules::Defect;
use crate::store::{Kind, Lsn, Name, Request, Store, Upload};

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub kind: Kind,
    /// Processes at a time.
    pub processes: usize,
    /// Documents of the container.
    pub documents: u8,
    /// How often a document is rewritten, which moves it to the end of the feed.
    pub rewrites: u8,
    /// How often a process dies, and another one is started in its place.
    pub crashes: u8,
    /// Calls that take effect and whose answers are lost.
    pub lost_answers: u8,
    /// Calls whose answers are lost and that take effect later, or never.
    pub late_calls: u8,
    /// How many crashes, lost answers and late calls there are in all.
    pub faults: u8,
    /// Finished objects that a consumer takes away.
    pub takes: u8,
    /// Uploads that the store destroys, when they are old enough for no call about them to be under way.
    pub expires: u8,
    /// Starts after a refusal that are asked to read again what is gone.
    pub repairs: u8,
    /// Whether a consumer takes whatever it sees, listed or not.
    pub takes_unlisted: bool,
    /// How often a process is told to stop.
    pub stops: u8,
    /// Whether a verification runs beside the processes.
    pub verifies: bool,
    /// Whether a process reads on before what is sealed is published.
    pub reads_beside: bool,
    /// What is wrong on purpose.
    pub defect: Option<Defect>,
}

impl Bounds {
    /// Two processes, two documents of which one is rewritten, and one fault of any kind.
    pub fn small(kind: Kind) -> Self {
        Self {
            kind,
            processes: 2,
            documents: 2,
            rewrites: 1,
            crashes: 1,
            lost_answers: 1,
            late_calls: 1,
            faults: 1,
            takes: 0,
            expires: 0,
            repairs: 0,
            takes_unlisted: false,
            stops: 0,
            verifies: false,
            reads_beside: false,
            defect: None,
        }
    }

    /// Two processes and one document, which a consumer may take away, and two faults.
    pub fn small_with_a_consumer(kind: Kind) -> Self {
        Self {
            documents: 1,
            rewrites: 0,
            faults: 2,
            takes: 1,
            ..Self::small(kind)
        }
    }

    /// Two processes, two documents, no fault, and an upload that is destroyed; then a start that repairs.
    pub fn small_with_expiry(kind: Kind) -> Self {
        Self {
            rewrites: 0,
            faults: 0,
            expires: 1,
            repairs: 1,
            reads_beside: true,
            ..Self::small(kind)
        }
    }

    /// One document, a crash, and no repair, where a consumer takes what is not listed yet.
    pub fn small_with_a_hasty_consumer(kind: Kind) -> Self {
        Self {
            documents: 1,
            lost_answers: 0,
            late_calls: 0,
            faults: 1,
            repairs: 0,
            takes: 1,
            takes_unlisted: true,
            ..Self::small_with_expiry(kind)
        }
    }

    /// One process that is told to stop, and another one that may take over.
    pub fn small_with_a_stop(kind: Kind) -> Self {
        Self {
            rewrites: 0,
            stops: 1,
            ..Self::small(kind)
        }
    }

    /// The properties that must hold. An object that was taken away can come back on Azure, if a part arrived twice:
    /// see rule 13.
    pub fn expected(&self) -> Vec<&'static str> {
        let mut names = vec![
            ONCE,
            WHOLE,
            FINISHED,
            UNCHANGED,
            EXPLAINED,
            NAMED,
            NEVER_STUCK,
            VERIFIED,
            IN_ORDER,
            DELIVERED,
        ];
        if self.kind == Kind::S3 {
            names.push(GONE);
        }
        names
    }

    /// Explores everything, or up to the first violation of what must hold.
    pub fn explore(self, threads: usize) -> Explored<Action> {
        let expected = self.expected();
        explore(self, threads, &expected, ENDS, Some(GONE))
    }

    fn manner(&self) -> Manner {
        Manner {
            defect: self.defect,
            reads_beside: self.reads_beside,
            expires: self.expires > 0,
        }
    }
}

/// A verification beside the processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verification {
    /// It has not begun.
    Ahead,
    /// It has listed the objects, or, the wrong way round, read which of them the state explains.
    Begun(BTreeSet<Name>, BTreeSet<Name>, u8),
    /// It has both.
    Read(BTreeSet<Name>, BTreeSet<Name>, u8),
    /// It is over. Whether it found an object that nothing explains.
    Over { found_a_stranger: bool },
}

/// All that there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub store: Store,
    pub processes: Vec<Process>,
    /// The position of each document in the feed: that of its latest change.
    documents: Vec<Lsn>,
    /// Calls that have not arrived yet.
    late: Vec<Request>,
    starts: u8,
    rewrites: u8,
    crashes: u8,
    lost_answers: u8,
    late_calls: u8,
    faults: u8,
    takes: u8,
    expires: u8,
    repairs: u8,
    stops: u8,
    /// Whether a process has stopped, and its state has something to be done.
    has_left_something: bool,
    verification: Verification,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    Answered,
    AnswerLost,
    Late,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Start(usize),
    Crash(usize),
    Read(usize),
    Decide(usize, Decision),
    Call(usize, Fate),
    Arrive(usize),
    Rewrite(usize),
    Take(Name),
    Expire(Upload),
    Repair(usize),
    Stop(usize),
    Verify,
}

impl World {
    /// The next change after a position.
    fn feed_after(&self, position: Lsn) -> Option<Lsn> {
        let newer = self.documents.iter().filter(|lsn| **lsn > position);
        newer.min().copied()
    }

    /// The changes in the listed objects, in the order of the manifest; `None` if an object is not what the
    /// manifest says.
    fn listed(&self) -> Option<Vec<Lsn>> {
        let mut all = Vec::new();
        for (number, (batch, listed)) in self.store.manifests.iter().enumerate() {
            let content = self.store.content(listed.name)?;
            // The number of what is given up is not used again.
            let is_next = usize::from(*batch) == number || !self.store.destroyed.is_empty();
            if !is_next || content != listed.parts {
                return None;
            }
            all.extend(content);
        }
        Some(all)
    }

    fn is_listed(&self, name: Name) -> bool {
        self.store.manifests.values().any(|one| one.name == name)
    }

    /// Every change is listed at most once, in the order of the feed.
    fn has_nothing_twice(&self) -> bool {
        self.listed()
            .is_some_and(|all| all.windows(2).all(|pair| pair[0] < pair[1]))
    }

    /// A consumer that takes whatever it sees has no change twice.
    fn has_delivered_once(&self) -> bool {
        let unlisted = self
            .store
            .taken
            .iter()
            .filter(|(name, _)| !self.is_listed(**name));
        let mut all: Vec<Lsn> = unlisted.flat_map(|(_, parts)| parts.clone()).collect();
        all.extend(self.listed().unwrap_or_default());
        let count = all.len();
        let different: BTreeSet<Lsn> = all.into_iter().collect();
        different.len() == count
    }

    /// Whatever the committed position has passed is in the output: listed, or sealed or open, and then its
    /// parts are in the store.
    fn has_lost_nothing(&self) -> bool {
        let Some((body, _)) = &self.store.state else {
            return true;
        };
        let Some(mut found) = self.listed() else {
            return false;
        };
        for object in &body.sealed {
            let content = self.store.content(object.upload.name);
            // That it is gone is known, and said by whoever would complete it.
            let is_gone = self.store.destroyed.contains(&object.upload);
            if content != Some(&object.parts[..]) && !is_gone && !self.store.holds(object) {
                return false;
            }
        }
        if let Some(object) = &body.open
            && !self.store.destroyed.contains(&object.upload)
            && !self.store.holds(object)
        {
            return false;
        }
        let objects = body.sealed.iter().chain(&body.open);
        found.extend(objects.flat_map(|object| &object.parts));
        let mut passed = self.documents.iter().filter(|lsn| **lsn <= body.position);
        passed.all(|lsn| found.contains(lsn))
    }

    /// A finished export has everything listed, and its position has passed every change that it saw.
    fn is_finished_whole(&self) -> bool {
        match &self.store.state {
            Some((body, _)) if body.finished => {
                let are_all_listed = usize::from(body.next_batch) == self.store.manifests.len();
                body.open.is_none()
                    && body.sealed.is_empty()
                    && (are_all_listed || !self.store.destroyed.is_empty())
            }
            _ => true,
        }
    }

    /// Each object that a reader sees is listed, or sealed by the state.
    fn has_explained_all(&self) -> bool {
        let sealed = |name: Name| {
            self.store
                .state
                .as_ref()
                .is_some_and(|(body, _)| body.sealed.iter().any(|one| one.upload.name == name))
        };
        let mut names = self.store.objects.keys();
        names.all(|name| self.is_listed(*name) || sealed(*name))
    }

    /// Each upload that holds parts is named by the state, which aborts or completes it.
    fn has_no_hidden_upload(&self) -> bool {
        let mut uploads = self.store.uploads_with_parts();
        uploads.all(|upload| {
            let Some((body, _)) = &self.store.state else {
                return false;
            };
            let objects = body.open.iter().chain(&body.sealed);
            let mut named = objects.map(|one| one.upload).chain(body.aborts.clone());
            named.any(|one| one == upload)
        })
    }

    /// Whether the state of this process has something for the next one to do.
    fn has_something_to_do(&self, claim: u8) -> bool {
        let state = self.store.state.as_ref().map(|(body, _)| body);
        state
            .filter(|body| body.claim == claim)
            .is_some_and(|body| {
                body.open.is_some() || !body.sealed.is_empty() || !body.aborts.is_empty()
            })
    }

    fn verify(&mut self, state_first: bool) {
        let objects = || self.store.objects.keys().copied().collect();
        let state = || match &self.store.state {
            None => (BTreeSet::new(), 0),
            Some((body, _)) => {
                let sealed = body.sealed.iter().map(|one| one.upload.name);
                (sealed.collect(), body.next_batch)
            }
        };
        self.verification = match std::mem::replace(&mut self.verification, Verification::Ahead) {
            Verification::Ahead if state_first => {
                let (sealed, batches) = state();
                Verification::Begun(BTreeSet::new(), sealed, batches)
            }
            Verification::Ahead => Verification::Begun(objects(), BTreeSet::new(), 0),
            Verification::Begun(_, sealed, batches) if state_first => {
                Verification::Read(objects(), sealed, batches)
            }
            Verification::Begun(objects, _, _) => {
                let (sealed, batches) = state();
                Verification::Read(objects, sealed, batches)
            }
            Verification::Read(objects, sealed, batches) => {
                // Batches that are newer than the state are ignored.
                let older = self.store.manifests.range(..batches);
                let listed: BTreeSet<Name> = older.map(|(_, listed)| listed.name).collect();
                let mut strange = objects.difference(&sealed);
                Verification::Over {
                    found_a_stranger: strange.any(|name| !listed.contains(name)),
                }
            }
            over @ Verification::Over { .. } => over,
        };
    }
}

/// The properties, by their names.
pub const ONCE: &str = "every change is listed at most once";
pub const WHOLE: &str = "what the position has passed is in the output";
pub const FINISHED: &str = "a finished export has everything listed";
pub const UNCHANGED: &str = "a finished object never changes";
pub const EXPLAINED: &str = "every object is explained";
pub const NAMED: &str = "every upload with parts is named by the state";
pub const NEVER_STUCK: &str = "no process finds a contradiction";
pub const VERIFIED: &str = "a verification finds no stranger";
pub const GONE: &str = "an object that was taken away does not come back";
pub const IN_ORDER: &str = "a process that has stopped has left nothing to do";
pub const DELIVERED: &str = "a consumer of all objects has nothing twice";
pub const ENDS: &str = "an export ends";

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            store: Store::new(self.kind),
            processes: vec![Process::down(); self.processes],
            documents: (1..=self.documents).collect(),
            late: Vec::new(),
            starts: 0,
            rewrites: self.rewrites,
            crashes: self.crashes,
            lost_answers: self.lost_answers,
            late_calls: self.late_calls,
            faults: self.faults,
            takes: self.takes,
            expires: self.expires,
            repairs: self.repairs,
            stops: self.stops,
            has_left_something: false,
            verification: Verification::Ahead,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let manner = self.manner();
        let died = usize::from(self.crashes - world.crashes);
        let may_start = usize::from(world.starts) < self.processes + died;
        // Processes that are down are all alike.
        let down = world
            .processes
            .iter()
            .position(|one| one.phase == Phase::Down);
        actions.extend(down.filter(|_| may_start).map(Action::Start));
        for (at, process) in world.processes.iter().enumerate() {
            if !process.is_running() {
                continue;
            }
            if world.crashes > 0 && world.faults > 0 {
                actions.push(Action::Crash(at));
            }
            if world.stops > 0 && process.may_stop() {
                actions.push(Action::Stop(at));
            }
            if process.reads() {
                actions.push(Action::Read(at));
            } else if process.request(manner).is_some() {
                actions.push(Action::Call(at, Fate::Answered));
                if world.lost_answers > 0 && world.faults > 0 {
                    actions.push(Action::Call(at, Fate::AnswerLost));
                }
                if world.late_calls > 0 && world.faults > 0 {
                    actions.push(Action::Call(at, Fate::Late));
                }
            } else {
                let feed = world.feed_after(process.position());
                let decisions = process.decisions(feed, manner).into_iter();
                actions.extend(decisions.map(|decision| Action::Decide(at, decision)));
            }
        }
        actions.extend((0..world.late.len()).map(Action::Arrive));
        if world.rewrites > 0 {
            actions.extend((0..world.documents.len()).map(Action::Rewrite));
        }
        if world.takes > 0 {
            let objects = world.store.objects.keys();
            let listed = objects.filter(|name| self.takes_unlisted || world.is_listed(**name));
            actions.extend(listed.map(|name| Action::Take(*name)));
        }
        if world.expires > 0 {
            actions.extend(world.store.uploads().map(Action::Expire));
        }
        let refused = world
            .processes
            .iter()
            .position(|one| one.phase == Phase::Refused);
        actions.extend(refused.filter(|_| world.repairs > 0).map(Action::Repair));
        if self.verifies && !matches!(world.verification, Verification::Over { .. }) {
            actions.push(Action::Verify);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let manner = self.manner();
        let mut world = world.clone();
        match action {
            Action::Start(at) => {
                world.starts += 1;
                let claim = match self.defect {
                    Some(Defect::FixedClaim) => 1,
                    _ => world.starts,
                };
                world.processes[at] = Process::start(claim, false);
            }
            Action::Repair(at) => {
                world.starts += 1;
                world.repairs -= 1;
                world.processes[at] = Process::start(world.starts, true);
            }
            Action::Stop(at) => {
                world.stops -= 1;
                world.processes[at].stop();
            }
            Action::Expire(upload) => {
                world.expires -= 1;
                world.store.destroy(upload);
                world.late.retain(|call| !call.is_about(upload));
            }
            Action::Crash(at) => {
                world.crashes -= 1;
                world.faults -= 1;
                world.processes[at] = Process::down();
            }
            Action::Read(at) => world.processes[at].read(&world.store, manner),
            Action::Decide(at, decision) => {
                let feed = world.feed_after(world.processes[at].position());
                let claim = world.processes[at].claim;
                world.processes[at].decide(decision, feed, self.kind, manner);
                if world.processes[at].phase == Phase::Stopped {
                    world.has_left_something |= world.has_something_to_do(claim);
                }
            }
            Action::Call(at, fate) => {
                let request = world.processes[at].request(manner)?;
                let reply = match fate {
                    Fate::Answered => Some(world.store.apply(&request)),
                    Fate::AnswerLost => {
                        world.lost_answers -= 1;
                        world.faults -= 1;
                        world.store.apply(&request);
                        None
                    }
                    Fate::Late => {
                        world.late_calls -= 1;
                        world.faults -= 1;
                        world.late.push(request);
                        None
                    }
                };
                world.processes[at].answered(reply, manner);
            }
            Action::Arrive(at) => {
                let request = world.late.remove(at);
                world.store.apply(&request);
            }
            Action::Rewrite(document) => {
                world.rewrites -= 1;
                let newest = world.documents.iter().max().copied().unwrap_or(0);
                world.documents[document] = newest + 1;
            }
            Action::Take(name) => {
                world.takes -= 1;
                world.store.take(name);
            }
            Action::Verify => world.verify(self.defect == Some(Defect::StateFirst)),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, |_, world: &World| world.has_nothing_twice()),
            Property::always(WHOLE, |_, world: &World| world.has_lost_nothing()),
            Property::always(FINISHED, |_, world: &World| world.is_finished_whole()),
            Property::always(UNCHANGED, |_, world: &World| !world.store.has_changed),
            Property::always(EXPLAINED, |_, world: &World| world.has_explained_all()),
            Property::always(NAMED, |_, world: &World| world.has_no_hidden_upload()),
            Property::always(NEVER_STUCK, |_, world: &World| {
                !world
                    .processes
                    .iter()
                    .any(|one| matches!(one.phase, Phase::Stuck(_)))
            }),
            Property::always(VERIFIED, |_, world: &World| {
                world.verification
                    != Verification::Over {
                        found_a_stranger: true,
                    }
            }),
            Property::always(IN_ORDER, |_, world: &World| !world.has_left_something),
            Property::always(DELIVERED, |_, world: &World| world.has_delivered_once()),
            Property::always(GONE, |_, world: &World| !world.store.has_come_back),
            Property::sometimes(ENDS, |_, world: &World| {
                world
                    .processes
                    .iter()
                    .any(|one| one.phase == Phase::Finished)
            }),
        ]
    }
}
