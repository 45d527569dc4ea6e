//! Schedules of faults against the seam, and what must hold after each of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cosmos_tail::destination::manifest::Entry;

use super::memory::{Bucket, Defect, Fault};
use super::process::{CELLS, DOCUMENTS, Process};

const FAULTS: [Fault; 5] = [
    Fault::Fails,
    Fault::AnswerLost,
    Fault::Late,
    Fault::DiesBefore,
    Fault::DiesAfter,
];

/// Processes that are started one after the other, before it is taken that none comes to its end.
const MAX_STARTS: usize = 40;

type Shared = Arc<Mutex<Bucket>>;

/// What is wrong with a bucket after a run that came to its end.
fn judge(bucket: &Bucket) -> Result<(), String> {
    if let Some(violation) = bucket.violations.first() {
        return Err(violation.clone());
    }
    let mut listed = Vec::new();
    for (number, text) in &bucket.manifests {
        if *number != listed.len() as u64 {
            return Err(format!(
                "the manifest {number} follows {} entries",
                listed.len()
            ));
        }
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let entry: Entry = serde_json::from_slice(line).map_err(|e| e.to_string())?;
            listed.push(entry);
        }
    }
    for name in bucket.objects.keys() {
        if !listed.iter().any(|entry| entry.file == *name) {
            return Err(format!("nothing explains the object `{name}`"));
        }
    }
    let mut next: BTreeMap<u32, u64> = BTreeMap::new();
    for entry in &listed {
        let Some(object) = bucket.objects.get(&entry.file) else {
            return Err(format!("`{}` is listed, and not there", entry.file));
        };
        for line in object
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let document: serde_json::Value =
                serde_json::from_slice(line).map_err(|e| e.to_string())?;
            let id = document["id"].as_str().unwrap_or_default();
            let numbers = id.split_once('-').and_then(|(cell, number)| {
                Some((cell.parse::<u32>().ok()?, number.parse::<u64>().ok()?))
            });
            let (cell, number) = numbers.ok_or_else(|| format!("`{id}` is no id"))?;
            let expected = next.entry(cell).or_default();
            if number != *expected {
                return Err(format!("`{id}` came where {expected} was to come"));
            }
            *expected += 1;
        }
    }
    for cell in 0..CELLS {
        let found = next.get(&cell).copied().unwrap_or(0);
        if found != DOCUMENTS {
            return Err(format!(
                "cell {cell} has {found} documents, not {DOCUMENTS}"
            ));
        }
    }
    Ok(())
}

/// Runs processes one after the other until one comes to its end without a fault.
fn run_alone(bucket: &Shared, random: &mut fastrand::Rng) -> Result<(), String> {
    let mut last = String::new();
    for _ in 0..MAX_STARTS {
        match run_once(bucket, random) {
            Ok(()) => return judge(&bucket.lock().unwrap()),
            Err(error) => last = format!("{error:#}"),
        }
    }
    Err(format!("no process came to its end: {last}"))
}

fn run_once(bucket: &Shared, random: &mut fastrand::Rng) -> anyhow::Result<()> {
    let mut process = Process::start(bucket)?;
    while !process.step(random)? {}
    Ok(())
}

/// Runs up to three processes side by side, with a fault at some calls, then one alone to its end.
fn run_together(seed: u64, defect: Option<Defect>) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let bucket = Shared::default();
    bucket.lock().unwrap().defect = defect;
    let often = random.u64(4..60);
    for call in 1..400 {
        if random.u64(..often) == 0 {
            let fault = FAULTS[random.usize(..FAULTS.len())];
            bucket.lock().unwrap().faults.insert(call, fault);
        }
    }
    let mut processes: Vec<Process> = Vec::new();
    for _ in 0..random.usize(10..150) {
        if processes.is_empty() || (processes.len() < 3 && random.u32(..20) == 0) {
            processes.extend(Process::start(&bucket));
            continue;
        }
        // The others pause meanwhile: a process does not know that it sleeps.
        let at = random.usize(..processes.len());
        if !matches!(processes[at].step(&mut random), Ok(false)) {
            processes.swap_remove(at);
        }
    }
    drop(processes);
    bucket.lock().unwrap().faults.clear();
    run_alone(&bucket, &mut random)
}

fn count(variable: &str, default: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn each_change_is_published_once() {
    let bucket = Shared::default();
    run_alone(&bucket, &mut fastrand::Rng::with_seed(1)).unwrap();
    let bucket = bucket.lock().unwrap();
    assert!(bucket.objects.len() > 4, "{}", bucket.objects.len());
    assert!(bucket.uploads.is_empty());
}

#[test]
fn a_fault_at_any_call_loses_and_repeats_nothing() {
    for seed in 0..2 {
        let whole = Shared::default();
        run_alone(&whole, &mut fastrand::Rng::with_seed(seed)).unwrap();
        let calls = whole.lock().unwrap().calls;
        for call in 1..=calls {
            for fault in FAULTS {
                let bucket = Shared::default();
                bucket.lock().unwrap().faults.insert(call, fault);
                run_alone(&bucket, &mut fastrand::Rng::with_seed(seed))
                    .unwrap_or_else(|wrong| panic!("seed {seed}, {fault:?} at {call}: {wrong}"));
            }
        }
    }
}

#[test]
fn two_faults_at_any_calls_lose_and_repeat_nothing() {
    let whole = Shared::default();
    run_alone(&whole, &mut fastrand::Rng::with_seed(7)).unwrap();
    let calls = whole.lock().unwrap().calls;
    let most = count("COSMOS_TAIL_SEAM_PAIRS", 500);
    let pairs = (1..=calls).flat_map(|first| (first + 1..calls + 8).map(move |next| (first, next)));
    let kinds = FAULTS
        .iter()
        .flat_map(|a| FAULTS.iter().map(move |b| (*a, *b)));
    let all: Vec<_> = pairs
        .flat_map(|pair| kinds.clone().map(move |kind| (pair, kind)))
        .collect();
    let step = (all.len() / most as usize).max(1);
    for ((first, second), kinds) in all.into_iter().step_by(step) {
        let bucket = Shared::default();
        bucket
            .lock()
            .unwrap()
            .faults
            .extend([(first, kinds.0), (second, kinds.1)]);
        run_alone(&bucket, &mut fastrand::Rng::with_seed(7))
            .unwrap_or_else(|wrong| panic!("{kinds:?} at {first} and {second}: {wrong}"));
    }
}

/// `COSMOS_TAIL_SEAM_SCHEDULES=200000 cargo test --locked --release seam::` runs more of them.
#[test]
fn processes_that_replace_each_other_lose_and_repeat_nothing() {
    for seed in 0..count("COSMOS_TAIL_SEAM_SCHEDULES", 500) {
        run_together(seed, None).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
}

#[test]
fn planted_faults_are_found() {
    for defect in [
        Defect::NoCondition,
        Defect::SharedNames,
        Defect::Uninherited,
    ] {
        let found = (0..200).find_map(|seed| run_together(seed, Some(defect)).err());
        assert!(found.is_some(), "{defect:?} was not found");
    }
}
