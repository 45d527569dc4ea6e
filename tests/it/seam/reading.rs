//! What was exported to memory is verified and read back by the code that does so for directories.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cosmos_tail::source::{self, Inputs, Mark};
use cosmos_tail::state::file;
use cosmos_tail::state::model::State;
use cosmos_tail::verify::{Findings, check_export};

use super::memory::{Bucket, Connection, MemoryDestination};
use super::process::{CELLS, DOCUMENTS, Process};

type Shared = Arc<Mutex<Bucket>>;

/// A bucket after an export of so many steps; `None` is to its end.
fn exported(steps: Option<usize>) -> Shared {
    let bucket = Shared::default();
    let mut random = fastrand::Rng::with_seed(3);
    let mut process = Process::start(&bucket).unwrap();
    let mut taken = 0;
    while steps.is_none_or(|steps| taken < steps) && !process.step(&mut random).unwrap() {
        taken += 1;
    }
    bucket
}

fn destination(bucket: &Shared) -> MemoryDestination {
    MemoryDestination::new(Connection::new(bucket))
}

fn state(bucket: &Shared) -> State {
    let (text, _) = bucket.lock().unwrap().state.clone().unwrap();
    file::parse(&text).unwrap()
}

/// The faults and the notes of an export.
fn findings(bucket: &Shared) -> (Vec<String>, Vec<String>) {
    let state = state(bucket);
    let mut found = Findings::about(&state, "memory:state");
    check_export(&state, &destination(bucket), &mut found).unwrap();
    let lines = |found: Vec<cosmos_tail::verify::Finding>| {
        let lines = found.into_iter();
        lines
            .map(|one| format!("{}: {}", one.file, one.what))
            .collect()
    };
    (lines(found.faults), lines(found.notes))
}

#[test]
fn nothing_is_wrong_with_a_whole_export() {
    let bucket = exported(None);
    assert_eq!(findings(&bucket), (Vec::new(), Vec::new()));
}

#[test]
fn uploads_are_noted_but_not_read() {
    let mut noted = 0;
    for steps in 1..40 {
        let (faults, notes) = findings(&exported(Some(steps)));
        assert_eq!(faults, Vec::<String>::new(), "after {steps} steps");
        noted += notes.len();
    }
    assert!(noted > 0);
}

#[test]
fn a_changed_object_is_a_fault() {
    let bucket = exported(None);
    let name = {
        let mut bucket = bucket.lock().unwrap();
        let (name, object) = bucket.objects.iter_mut().next().unwrap();
        object[0] ^= 1;
        name.clone()
    };
    let (faults, _) = findings(&bucket);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with(&format!("{name}: has the checksum")));
}

#[test]
fn an_object_that_nothing_lists_is_a_fault() {
    let bucket = exported(None);
    let other = "other-00000-000099".to_owned();
    bucket.lock().unwrap().objects.insert(other, Vec::new());
    let (faults, _) = findings(&bucket);
    let expected = "other-00000-000099: has the name of a finished file, but neither the state nor the \
                    manifest lists it";
    assert_eq!(faults, [expected]);
}

#[test]
fn an_object_that_was_moved_away_is_noted() {
    let bucket = exported(None);
    let (name, _) = bucket.lock().unwrap().objects.pop_first().unwrap();
    let (faults, notes) = findings(&bucket);
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(notes, [format!("{name}: was moved away")]);
}

#[test]
fn replay_reads_each_document_in_the_order_of_its_key() {
    let bucket = exported(None);
    let mut inputs = Inputs::default();
    let files = Arc::new(destination(&bucket));
    inputs
        .add_export(files, Some(state(&bucket)), None)
        .unwrap();
    assert_eq!(inputs.origins.len(), 1);
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    for input in &inputs.inputs {
        let fingerprint = input.fingerprint(None).unwrap().unwrap();
        let path = fingerprint.path.to_string_lossy();
        assert!(path.starts_with("memory:"), "{path}");
        let mut records = source::open(input, Mark::default()).unwrap();
        while let Some(record) = records.next().unwrap() {
            let document: serde_json::Value = serde_json::from_slice(&record.json).unwrap();
            let (cell, number) = document["id"].as_str().unwrap().split_once('-').unwrap();
            let expected = next.entry(cell.to_owned()).or_default();
            assert_eq!(number, expected.to_string(), "of cell {cell}");
            *expected += 1;
        }
    }
    assert_eq!(next.len(), CELLS as usize);
    assert!(next.values().all(|documents| *documents == DOCUMENTS));
}

#[test]
fn replay_names_an_object_that_is_missing() {
    let bucket = exported(None);
    let (name, _) = bucket.lock().unwrap().objects.pop_first().unwrap();
    let mut inputs = Inputs::default();
    let files = Arc::new(destination(&bucket));
    let error = inputs.add_export(files, None, None).unwrap_err();
    assert_eq!(error.to_string(), format!("`memory:{name}` is missing"));
}
