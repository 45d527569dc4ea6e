//! Trials of exports to a store of objects.

use fastrand::Rng;

use crate::campaign::Task;
use crate::options::Plan;
use crate::store::Trouble;
use crate::store_scene::StoreScene;
use crate::store_trials::{self, Paused, count_calls};

/// Kills in a task.
const BATCH: usize = 20;

/// Kills at random calls, and between them.
pub(crate) fn kills(plan: &Plan) -> Vec<Task> {
    let (all, seed) = (plan.store_kills, plan.seed);
    let batches = (0..all).step_by(BATCH).zip(0..);
    let batches = batches.map(|(done, number)| {
        let kills = BATCH.min(all - done);
        let seed = seed.wrapping_add(number);
        Task {
            weight: kills,
            name: format!("store kills, seed {seed}"),
            again: format!("--seed {seed} --store-kills {kills}"),
            run: Box::new(move || store_trials::kills(kills, seed).map(|()| String::new())),
        }
    });
    batches.collect()
}

/// Every call of an export that dies or fails, and a call of its resume at which that dies: all of them, or so many
/// that are drawn.
pub(crate) fn pairs(plan: &Plan) -> Vec<Task> {
    const FIRST: [Trouble; 4] = [
        Trouble::KillBefore,
        Trouble::KillAfter,
        Trouble::Unanswered,
        Trouble::Late(5),
    ];
    const SECOND: [Trouble; 2] = [Trouble::KillBefore, Trouble::KillAfter];
    if plan.store_pairs == Some(0) {
        return Vec::new();
    }
    let calls = count_calls(&StoreScene::new(2, 80));
    let mut pairs = Vec::new();
    for first in 0..calls {
        for second in 0..calls {
            for trouble in FIRST {
                pairs.extend(SECOND.map(|then| ((first, trouble), (second, then))));
            }
        }
    }
    if let Some(count) = plan.store_pairs {
        Rng::with_seed(plan.seed).shuffle(&mut pairs);
        pairs.truncate(count);
    }
    let tasks = pairs.into_iter().map(|(first, second)| Task {
        weight: 1,
        name: format!("{first:?}, then {second:?}"),
        again: "--store-pairs".to_owned(),
        run: Box::new(move || store_trials::pair(first, second).map(|()| String::new())),
    });
    tasks.collect()
}

/// Schedules of faults, one for each seed from the plan's on.
pub(crate) fn schedules(plan: &Plan) -> Vec<Task> {
    let seeds = (0..plan.store_schedules as u64).map(|offset| plan.seed.wrapping_add(offset));
    let tasks = seeds.map(|seed| {
        let plant = plan.plant.clone();
        Task {
            weight: 1,
            name: format!("store schedule {seed}"),
            again: format!("--seed {seed} --store-schedules 1"),
            run: Box::new(move || store_trials::schedule(seed, &plant).map(str::to_owned)),
        }
    });
    tasks.collect()
}

/// Processes that are paused across a takeover, at any of their calls.
pub(crate) fn takeovers(plan: &Plan) -> Vec<Task> {
    if plan.takeovers == 0 {
        return Vec::new();
    }
    let calls = count_calls(&StoreScene::new(2, 80));
    let tasks = (0..plan.takeovers as u64).map(|number| {
        let seed = plan.seed.wrapping_add(number);
        Task {
            weight: 1,
            name: format!("takeover, seed {seed}"),
            again: format!("--seed {seed} --takeovers 1"),
            run: Box::new(move || {
                let random = &mut Rng::with_seed(seed);
                let scene = StoreScene::new(2, 80);
                let paused = store_trials::takeover(&scene, random.usize(..calls), random.bool())?;
                Ok(match paused {
                    Paused::Lost => "the paused one lost",
                    Paused::Done => "the paused one was done",
                }
                .to_owned())
            }),
        }
    });
    tasks.collect()
}
