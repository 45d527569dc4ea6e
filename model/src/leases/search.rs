//! What can happen next, what must hold, and the search of all of it.

use std::collections::BTreeMap;

use stateright::{Model, Property};

use super::Range::Whole;
use super::{Action, Bounds, Defect, FOREIGN, Foreign, IDLE, Instance, Lease, Phase, World};
use crate::explored::{Explored, explore};

pub const ONCE: &str = "every change is in the place at most once";
pub const EXPLAINED: &str = "what a position has passed is in the place, or named";
pub const TRUE: &str = "others have handled what is named as theirs";
pub const READ: &str = "every range has a lease";
pub const ENDS: &str = "all changes are in the place, by the children too";

impl Bounds {
    /// Two instances, and a processor of another SDK that writes an old token back.
    pub fn small() -> Self {
        Self {
            instances: 2,
            changes: 2,
            takes: 2,
            foreign_takes: 1,
            old_tokens: 1,
            defect: None,
        }
    }

    /// Explores everything, or up to the first violation of what must hold.
    pub fn explore(self, threads: usize) -> Explored<Action> {
        let expected = [ONCE, EXPLAINED, TRUE, READ];
        explore(self, threads, &expected, ENDS, None)
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let lease = Lease {
            owner: None,
            token: 0,
            writer: 0,
        };
        vec![World {
            leases: BTreeMap::from([(Whole, lease)]),
            records: BTreeMap::new(),
            instances: vec![IDLE; self.instances],
            foreign: Foreign::default(),
            is_split: false,
            starts: 0,
            foreign_takes: self.foreign_takes,
            old_tokens: self.old_tokens,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if !world.is_split {
            actions.push(Action::Split);
        }
        // Those that are idle are all alike.
        let idle = world.instances.iter().position(|one| *one == IDLE);
        if let Some(at) = idle.filter(|_| world.starts < self.takes) {
            actions.extend(world.leases.keys().map(|range| Action::Take(at, *range)));
        }
        for (at, one) in world.instances.iter().enumerate() {
            if *one == IDLE {
                continue;
            }
            actions.extend([Action::Step(at), Action::Stop(at)]);
            if one.phase == Phase::Reading {
                actions.extend([Action::Save(at), Action::Release(at)]);
                if world.is_split && one.range == Whole {
                    actions.push(Action::Meet(at));
                }
            }
        }
        if world.foreign_takes > 0 && world.foreign.reads.is_none() {
            actions.extend(world.leases.keys().map(|range| Action::ForeignTake(*range)));
        }
        let Some((range, ..)) = world.foreign.reads else {
            return;
        };
        actions.extend([Action::ForeignHandle, Action::ForeignSave]);
        actions.push(Action::ForeignStop);
        if world.old_tokens > 0 {
            actions.push(Action::ForeignOldToken);
        }
        if world.is_split && range == Whole {
            actions.push(Action::ForeignSplit);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let before = world;
        let mut world = world.clone();
        match action {
            Action::Split => world.is_split = true,
            Action::Take(at, range) => {
                world.starts += 1;
                let token = world.leases[&range].token;
                let claim = world.starts;
                world.put_lease(range, Some(claim), token, claim);
                let looks_first = self.defect == Some(Defect::LooksFirst);
                world.instances[at] = Instance {
                    phase: match looks_first {
                        true => Phase::Looking,
                        false => Phase::Claiming,
                    },
                    range,
                    claim,
                    token,
                    ..IDLE
                };
            }
            Action::Step(at) => world.step(at, self),
            Action::Meet(at) => world.instances[at].phase = Phase::Sealing,
            Action::Save(at) | Action::Release(at) => {
                let one = world.instances[at];
                let mut token = one.position;
                if self.defect == Some(Defect::TokenFirst) {
                    let next = world.next_change(one.range, token, self.changes);
                    token = next.unwrap_or(token);
                }
                let owner = matches!(action, Action::Save(_)).then_some(one.claim);
                if token == one.token && owner.is_some() {
                    return None;
                }
                world.save(at, token, owner);
            }
            Action::Stop(at) => world.instances[at] = IDLE,
            Action::ForeignTake(range) => {
                world.foreign_takes -= 1;
                let token = world.leases[&range].token;
                world.put_lease(range, Some(FOREIGN), token, 0);
                world.foreign.reads = Some((range, token, token));
            }
            Action::ForeignHandle => {
                let (range, _, position) = world.foreign.reads.as_mut()?;
                let next = before.next_change(*range, *position, self.changes)?;
                *position = next;
                world.foreign.handled.insert(next);
            }
            Action::ForeignSave => {
                let (range, _, position) = world.foreign.reads?;
                let lease = world.leases.get(&range);
                if lease.is_some_and(|one| one.token == position && one.owner == Some(FOREIGN)) {
                    return None;
                }
                world.foreign_save(range, position);
            }
            Action::ForeignOldToken => {
                world.old_tokens -= 1;
                let (range, token, _) = world.foreign.reads?;
                world.foreign_save(range, token);
            }
            Action::ForeignSplit => world.foreign_split(),
            Action::ForeignStop => {
                (world.foreign.reads, world.foreign.has_split) = (None, false);
            }
        }
        world.forget();
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, |_, world: &World| world.has_nothing_twice()),
            Property::always(EXPLAINED, |_, world: &World| world.has_lost_nothing()),
            Property::always(TRUE, |_, world: &World| world.has_named_the_truth()),
            Property::always(READ, |_, world: &World| world.is_read()),
            Property::sometimes(ENDS, |bounds: &Bounds, world: &World| {
                let all = world.records.values().map(|one| one.changes.len());
                let has_children = world.records.keys().any(|range| *range != Whole);
                has_children && all.sum::<usize>() == usize::from(bounds.changes)
            }),
        ]
    }
}
