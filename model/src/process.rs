//! What a process of an export does, call by call.

use crate::rules::Defect;
use crate::store::{Body, Kind, Listed, Lsn, Name, Object, Reply, Request, Store, Upload};

/// What a process does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It does not run.
    Down,
    /// It reads the state.
    Starting,
    /// It aborts, before its claim, what the state names.
    AbortingFirst,
    /// It stores `next`.
    Writing,
    /// It reads the state, since the answer to the write was unclear or a conflict.
    Settling,
    /// It decides what comes next.
    Ready,
    /// It begins an upload.
    Opening,
    /// It uploads this change.
    Putting(Lsn),
    /// The store refused a part: it reads whose the state is.
    Checking,
    /// A part was acknowledged: it is committed, or committed and sealed.
    Stored,
    /// It aborts the first upload of the list.
    Aborting,
    /// It looks for the manifest object of the first sealed object. Whether completing was refused already.
    Looking { was_refused: bool },
    /// It looks for the object. Whether it was completed by this process, and whether that was refused.
    Heading { after: Option<bool> },
    /// It completes the upload.
    Completing,
    /// It creates the manifest object.
    Listing,
    /// It compares the manifest object that exists.
    Comparing,
    /// Another process has the state.
    Lost,
    /// An upload is gone, and it was not asked to read its span again.
    Refused,
    /// It has stopped in good order.
    Stopped,
    /// Something is not as the state says.
    Stuck(&'static str),
    /// It came to its end.
    Finished,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub phase: Phase,
    /// Its claim id.
    pub claim: u8,
    /// The state that it has committed, or found, and its version.
    held: Option<(Body, u8)>,
    /// The state as it will be with the next commit.
    next: Body,
    /// What it has still to list after that was recorded: only with a defect.
    unlisted: Option<Object>,
    /// Whether it reads the spans again of uploads that are gone.
    repairs: bool,
    /// The upload that was open until it claimed the state, where uploads can be gone.
    inherited: Option<Name>,
    /// Whether it is to stop.
    is_stopping: bool,
}

/// A decision of a process, which the model makes in every way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Aborts what is to be aborted.
    Abort,
    /// Completes and lists what is sealed.
    Publish,
    /// Reads the next change.
    Read,
    /// Commits the open object as it is.
    Keep,
    /// Seals the open object and commits that.
    Seal,
    /// Commits that everything is done.
    Finish,
    /// Commits what was listed since the last commit, or ends if that is recorded: it is to stop.
    Record,
}

/// How processes behave.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub defect: Option<Defect>,
    /// Whether reading goes on before what is sealed is published.
    pub reads_beside: bool,
    /// Whether uploads can be destroyed.
    pub expires: bool,
}

impl Manner {
    pub fn has(self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }
}

/// The state of an export that has not begun.
const FIRST: Body = Body {
    claim: 0,
    epoch: 0,
    write: 0,
    position: 0,
    open: None,
    sealed: Vec::new(),
    aborts: Vec::new(),
    sequence: 0,
    next_batch: 0,
    finished: false,
};

impl Process {
    pub fn down() -> Self {
        Self {
            phase: Phase::Down,
            claim: 0,
            held: None,
            next: FIRST,
            unlisted: None,
            repairs: false,
            inherited: None,
            is_stopping: false,
        }
    }

    pub fn start(claim: u8, repairs: bool) -> Self {
        Self {
            phase: Phase::Starting,
            claim,
            repairs,
            ..Self::down()
        }
    }

    pub fn is_running(&self) -> bool {
        !matches!(
            self.phase,
            Phase::Down
                | Phase::Lost
                | Phase::Refused
                | Phase::Stopped
                | Phase::Stuck(_)
                | Phase::Finished
        )
    }

    /// Whether it can be told to stop now: between two steps.
    pub fn may_stop(&self) -> bool {
        self.phase == Phase::Ready && !self.is_stopping
    }

    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// What it does next, once it is to stop: seal, commit, complete, list, record.
    fn stopping(&self, manner: Manner) -> Decision {
        let next = &self.next;
        if !next.aborts.is_empty() {
            Decision::Abort
        } else if !next.sealed.is_empty() && !manner.has(Defect::StoppedSealed) {
            Decision::Publish
        } else if next.open.is_some() && !manner.has(Defect::StoppedOpen) {
            Decision::Seal
        } else {
            Decision::Record
        }
    }

    /// Where it reads on.
    pub fn position(&self) -> Lsn {
        self.next.position
    }

    /// It ends. What it knew is forgotten.
    fn ends(&mut self, phase: Phase) {
        *self = Self {
            phase,
            ..Self::down()
        };
    }

    /// The decisions that it can make now; `next` is the change that the feed has next.
    pub fn decisions(&self, feed: Option<Lsn>, manner: Manner) -> Vec<Decision> {
        match self.phase {
            Phase::Stored if feed.is_none() => vec![Decision::Seal],
            Phase::Stored => vec![Decision::Keep, Decision::Seal],
            Phase::Ready if self.is_stopping => vec![self.stopping(manner)],
            Phase::Ready => {
                if !self.next.aborts.is_empty() {
                    return vec![Decision::Abort];
                }
                let mut decisions = Vec::new();
                if !self.next.sealed.is_empty() {
                    decisions.push(Decision::Publish);
                    if !manner.reads_beside {
                        return decisions;
                    }
                }
                match (&self.next.open, feed) {
                    (_, Some(_)) => decisions.push(Decision::Read),
                    (Some(_), None) => decisions.push(Decision::Seal),
                    (None, None) if self.next.sealed.is_empty() => decisions.push(Decision::Finish),
                    (None, None) => {}
                }
                decisions
            }
            _ => Vec::new(),
        }
    }

    /// Carries a decision out.
    pub fn decide(&mut self, decision: Decision, feed: Option<Lsn>, kind: Kind, manner: Manner) {
        match decision {
            Decision::Abort => self.phase = Phase::Aborting,
            Decision::Publish => {
                self.phase = if manner.has(Defect::ManifestUnread) {
                    Phase::Heading { after: None }
                } else {
                    Phase::Looking { was_refused: false }
                };
            }
            Decision::Read => {
                let lsn = feed.expect("there is a change");
                if self.next.open.is_some() {
                    self.phase = Phase::Putting(lsn);
                } else if kind == Kind::S3 {
                    self.phase = Phase::Opening;
                } else {
                    // There is no id, so there is nothing to record.
                    self.open(0, manner);
                    self.phase = Phase::Putting(lsn);
                }
            }
            Decision::Keep => self.commit(),
            Decision::Seal => {
                let open = self.next.open.as_ref().expect("it is open");
                if open.parts.is_empty() {
                    self.drop_open();
                    self.commit();
                } else if manner.has(Defect::CompletedFirst) {
                    self.seal_open();
                    self.phase = Phase::Looking { was_refused: false };
                } else {
                    self.seal_open();
                    self.commit();
                }
            }
            Decision::Finish => {
                self.next.finished = true;
                self.commit();
            }
            Decision::Record => {
                let kept = self.held.as_ref().map(|(kept, _)| kept);
                if kept == Some(&self.next) || manner.has(Defect::StoppedUnrecorded) {
                    self.ends(Phase::Stopped);
                } else {
                    self.commit();
                }
            }
        }
    }

    /// The name of the next object: no other process uses it.
    fn next_name(&self, manner: Manner) -> Name {
        Name {
            claim: if manner.has(Defect::SharedNames) {
                0
            } else {
                self.claim
            },
            sequence: self.next.sequence,
        }
    }

    fn open(&mut self, id: u8, manner: Manner) {
        let name = self.next_name(manner);
        self.next.sequence += 1;
        self.next.open = Some(Object {
            upload: Upload { name, id },
            start: self.next.position,
            parts: Vec::new(),
            batch: 0,
        });
    }

    fn seal_open(&mut self) {
        let mut object = self.next.open.take().expect("it is open");
        object.batch = self.next.next_batch;
        self.next.next_batch += 1;
        self.next.sealed.push(object);
    }

    /// Gives an upload up: its span is read again.
    fn drop_open(&mut self) {
        let object = self.next.open.take().expect("it is open");
        self.next.position = object.start;
        self.next.aborts.push(object.upload);
    }

    /// Stores `next`, with a number that no other text has.
    fn commit(&mut self) {
        self.next.claim = self.claim;
        self.next.write += 1;
        self.phase = Phase::Writing;
    }

    /// Claims a state: all that the predecessor left open is dealt with by the write that claims.
    fn claim(&mut self, found: &(Body, u8), manner: Manner) {
        // The numbers count on where this process lost the first write.
        let written = if self.next.claim == self.claim {
            self.next.write
        } else {
            0
        };
        self.held = Some(found.clone());
        self.next = found.0.clone();
        self.next.epoch += 1;
        self.next.write = written;
        self.next.finished = false;
        if let Some(open) = &self.next.open
            && !manner.has(Defect::Continued)
        {
            if open.parts.is_empty() && !manner.has(Defect::SealedEmpty) {
                self.drop_open();
            } else {
                self.inherited = Some(open.upload.name).filter(|_| manner.expires);
                self.seal_open();
            }
        }
        self.commit();
    }

    /// The upload of the first sealed object is gone, and the object is neither there nor listed.
    fn is_gone(&mut self, manner: Manner) {
        let object = self.next.sealed[0].clone();
        let is_inherited = self.inherited == Some(object.upload.name);
        if manner.has(Defect::GoneIsListed) {
            self.next.sealed.remove(0);
            self.commit();
        } else if is_inherited || self.repairs || manner.has(Defect::RepairedUnasked) {
            self.give_up(&object, manner);
        } else {
            self.ends(Phase::Refused);
        }
    }

    /// Gives up the upload of the first sealed object and of all after it: they are read again.
    fn give_up(&mut self, first: &Object, manner: Manner) {
        if !manner.has(Defect::RepairedInPlace) {
            self.next.position = first.start;
        }
        let mut given_up = vec![self.next.sealed.remove(0)];
        if !manner.has(Defect::RepairedAlone) {
            given_up.append(&mut self.next.sealed);
            given_up.extend(self.next.open.take());
        }
        let uploads = given_up.into_iter().map(|object| object.upload);
        self.next.aborts.extend(uploads);
        self.commit();
    }

    /// The call that it makes now, if it is one that changes something.
    pub fn request(&self, manner: Manner) -> Option<Request> {
        Some(match self.phase {
            Phase::Writing => Request::State {
                body: self.next.clone(),
                expected: self.held.as_ref().map(|(_, version)| *version),
                is_conditional: !manner.has(Defect::NoCondition),
            },
            Phase::Opening => Request::Begin(self.next_name(manner)),
            Phase::Putting(lsn) => {
                let open = self.next.open.as_ref().expect("it is open");
                Request::Part {
                    upload: open.upload,
                    index: open.parts.len() as u8,
                    lsn,
                }
            }
            Phase::AbortingFirst => {
                let (found, _) = self.held.as_ref().expect("it was read");
                Request::Abort(found.open.as_ref().expect("it is open").upload)
            }
            Phase::Aborting => Request::Abort(self.next.aborts[0]),
            Phase::Completing => {
                let object = &self.next.sealed[0];
                Request::Complete {
                    upload: object.upload,
                    parts: object.parts.clone(),
                }
            }
            Phase::Listing => {
                let object = self.to_be_listed();
                Request::Manifest {
                    batch: object.batch,
                    listed: self.listing(object, manner),
                }
            }
            _ => return None,
        })
    }

    fn to_be_listed(&self) -> &Object {
        match &self.unlisted {
            Some(object) => object,
            None => &self.next.sealed[0],
        }
    }

    fn listing(&self, object: &Object, manner: Manner) -> Listed {
        Listed {
            name: object.upload.name,
            parts: object.parts.clone(),
            signed: if manner.has(Defect::SignedManifest) {
                self.claim
            } else {
                0
            },
        }
    }

    /// Takes the answer to its call; `None` if it was lost.
    pub fn answered(&mut self, reply: Option<Reply>, manner: Manner) {
        match (self.phase, reply) {
            (Phase::Writing, Some(Reply::Number(version))) => self.committed(version),
            (Phase::Writing, _) => self.phase = Phase::Settling,
            (Phase::Opening, Some(Reply::Number(id))) => {
                self.open(id, manner);
                if manner.has(Defect::RecordedLate) {
                    self.phase = Phase::Ready;
                } else {
                    self.commit();
                }
            }
            (Phase::Putting(lsn), Some(Reply::Done)) => self.stored(lsn),
            (Phase::Putting(lsn), None) if manner.has(Defect::Unacknowledged) => self.stored(lsn),
            (Phase::Putting(_), Some(Reply::Refused)) => self.phase = Phase::Checking,
            (Phase::AbortingFirst, Some(_)) => {
                let found = self.held.clone().expect("it was read");
                self.claim(&found, manner);
            }
            (Phase::Aborting, Some(_)) => {
                // The next commit records it.
                self.next.aborts.remove(0);
                self.phase = Phase::Ready;
            }
            (Phase::Completing, _) if manner.has(Defect::NotLookedAt) => {
                self.phase = Phase::Listing;
            }
            (Phase::Completing, Some(Reply::Refused)) if manner.has(Defect::RefusedIsGone) => {
                let object = self.next.sealed.remove(0);
                self.next.position = object.start;
                self.next.next_batch = object.batch;
                self.commit();
            }
            (Phase::Completing, reply) => {
                let was_refused = reply == Some(Reply::Refused);
                self.phase = Phase::Heading {
                    after: Some(was_refused),
                };
            }
            (Phase::Listing, Some(Reply::Done)) => self.listed(manner),
            (Phase::Listing, Some(_)) => self.phase = Phase::Comparing,
            // The same call again.
            (_, None) => {}
            (phase, reply) => unreachable!("{phase:?} answered {reply:?}"),
        }
    }

    fn stored(&mut self, lsn: Lsn) {
        let open = self.next.open.as_mut().expect("it is open");
        open.parts.push(lsn);
        self.next.position = lsn;
        self.phase = Phase::Stored;
    }

    fn committed(&mut self, version: u8) {
        let finished = self.next.finished;
        self.held = Some((self.next.clone(), version));
        self.phase = Phase::Ready;
        if self.unlisted.is_some() {
            self.phase = Phase::Listing;
        } else if finished {
            self.ends(Phase::Finished);
        }
    }

    /// An object is listed. The next commit records it.
    fn listed(&mut self, manner: Manner) {
        if self.unlisted.take().is_none() {
            self.next.sealed.remove(0);
        }
        if manner.has(Defect::CompletedFirst) {
            self.commit();
        } else {
            self.phase = Phase::Ready;
        }
    }

    /// Whether its next call only reads.
    pub fn reads(&self) -> bool {
        matches!(
            self.phase,
            Phase::Starting
                | Phase::Settling
                | Phase::Checking
                | Phase::Looking { .. }
                | Phase::Heading { .. }
                | Phase::Comparing
        )
    }

    /// Makes a call that only reads. Such a call is repeated until it is answered.
    pub fn read(&mut self, store: &Store, manner: Manner) {
        match self.phase {
            Phase::Starting => match &store.state {
                None => {
                    self.next.epoch = 1;
                    self.commit();
                }
                Some(found) if manner.has(Defect::AbortedFirst) && found.0.open.is_some() => {
                    self.held = Some(found.clone());
                    self.phase = Phase::AbortingFirst;
                }
                Some(found) => self.claim(found, manner),
            },
            Phase::Settling => self.settle(store.state.as_ref(), manner),
            Phase::Checking => {
                let claimed = store.state.as_ref().map(|(body, _)| body.claim);
                self.ends(if claimed == Some(self.claim) && manner.expires {
                    Phase::Refused
                } else if claimed == Some(self.claim) {
                    Phase::Stuck("an upload of this process is gone")
                } else {
                    Phase::Lost
                });
            }
            Phase::Looking { was_refused } => {
                let object = &self.next.sealed[0];
                match store.manifests.get(&object.batch) {
                    Some(there) if *there == self.listing(object, manner) => self.listed(manner),
                    Some(_) => self.ends(Phase::Stuck("another manifest object is there")),
                    None if was_refused && manner.expires => self.is_gone(manner),
                    None if was_refused => self.ends(Phase::Stuck("an upload is gone")),
                    None => self.phase = Phase::Heading { after: None },
                }
            }
            Phase::Heading { after } => {
                let object = &self.next.sealed[0];
                let length = store.objects.get(&object.upload.name).map(Vec::len);
                match (length, after) {
                    (Some(length), _) if length == object.parts.len() => {
                        self.phase = Phase::Listing;
                        if manner.has(Defect::ListedLate) {
                            self.unlisted = Some(self.next.sealed.remove(0));
                            self.commit();
                        }
                    }
                    (Some(_), _) => self.ends(Phase::Stuck("another object is there")),
                    (None, Some(true)) if manner.has(Defect::ManifestUnread) => {
                        self.ends(Phase::Stuck("an upload is gone"));
                    }
                    // It may be listed and taken away already.
                    (None, Some(true)) => self.phase = Phase::Looking { was_refused: true },
                    (None, _) => self.phase = Phase::Completing,
                }
            }
            Phase::Comparing => {
                let object = self.to_be_listed();
                let there = store.manifests.get(&object.batch);
                if there == Some(&self.listing(object, manner)) {
                    self.listed(manner);
                } else {
                    self.ends(Phase::Stuck("another manifest object is there"));
                }
            }
            phase => unreachable!("{phase:?} reads nothing"),
        }
    }

    /// Finds out whether `next` is stored.
    fn settle(&mut self, stored: Option<&(Body, u8)>, manner: Manner) {
        let expected = self.held.as_ref().map(|(_, version)| *version);
        let Some((body, version)) = stored else {
            // The same bytes again.
            self.phase = Phase::Writing;
            return;
        };
        let is_ours = if manner.has(Defect::NumberOnly) {
            (body.claim, body.write) == (self.next.claim, self.next.write)
        } else if manner.has(Defect::ExistsIsOurs) && self.held.is_none() {
            true
        } else {
            *body == self.next || manner.has(Defect::VersionOnly)
        };
        if is_ours {
            self.committed(*version);
        } else if Some(*version) == expected {
            if manner.has(Defect::NumberOnly)
                && self
                    .next
                    .open
                    .as_ref()
                    .is_some_and(|open| !open.parts.is_empty())
            {
                self.seal_open();
            }
            self.phase = Phase::Writing;
        } else if self.held.is_none() {
            // Another process was first: its state is taken over.
            self.claim(&(body.clone(), *version), manner);
        } else {
            self.ends(Phase::Lost);
        }
    }
}
