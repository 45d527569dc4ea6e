//! What can happen next, what must hold, and the search of all of it.

use stateright::{Model, Property};

use super::{Action, Bounds, IDLE, Phase, Process, World};
use crate::explored::{Explored, explore};

pub const ONCE: &str = "every change is listed at most once";
pub const WHOLE: &str = "what the position of a state has passed is listed, or sealed by it";
pub const THERE: &str = "what is listed is there";
pub const KNOWN: &str = "some state knows the claim";
pub const NEVER_STUCK: &str = "no process finds a contradiction";
pub const OWN: &str = "nobody completes an object in the place of another process";
pub const ENDS: &str = "an export that was copied ends";

impl Bounds {
    /// Two changes and four processes, on two disks.
    pub fn small() -> Self {
        Self {
            changes: 3,
            starts: 4,
            pauses_after_looking: false,
            defect: None,
        }
    }

    /// Explores everything, or up to the first violation of what must hold.
    pub fn explore(self, threads: usize) -> Explored<Action> {
        let expected = [ONCE, WHOLE, THERE, KNOWN, NEVER_STUCK, OWN];
        explore(self, threads, &expected, ENDS, None)
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            disks: [None, None],
            processes: [IDLE, IDLE],
            claim: None,
            objects: [].into(),
            manifest: [].into(),
            starts: 0,
            is_stuck: false,
            has_intruded: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (disk, one) in world.processes.iter().enumerate() {
            if one.phase != Phase::Idle {
                actions.extend([Action::Step(disk), Action::Stop(disk)]);
                continue;
            }
            // The second disk has nothing but what was copied.
            let may_start = disk == 0 || world.disks[disk].is_some();
            if may_start && world.starts < self.starts {
                actions.push(Action::Start(disk));
            }
        }
        if world.disks[0].is_some() && world.disks[1].is_none() {
            actions.push(Action::Copy);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        match action {
            Action::Start(disk) => {
                world.starts += 1;
                world.processes[disk] = Process {
                    phase: Phase::Proving,
                    id: world.starts,
                    ..IDLE
                };
            }
            Action::Step(disk) => world.step(disk, self),
            Action::Stop(disk) => world.stop(disk),
            Action::Copy => world.disks[1] = world.disks[0].clone(),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, |_, world: &World| world.has_nothing_twice()),
            Property::always(WHOLE, |bounds: &Bounds, world: &World| {
                world.has_lost_nothing(bounds)
            }),
            Property::always(THERE, |_, world: &World| world.lists_what_is_there()),
            Property::always(KNOWN, |_, world: &World| world.is_known()),
            Property::always(NEVER_STUCK, |_, world: &World| !world.is_stuck),
            Property::always(OWN, |_, world: &World| !world.has_intruded),
            Property::sometimes(ENDS, |bounds: &Bounds, world: &World| {
                let is_copied = world.disks[1].is_some();
                is_copied && world.manifest.len() == usize::from(bounds.changes)
            }),
        ]
    }
}
