//! Planted differences among many documents: all of them are found, and nothing else, with splits and throttling
//! meanwhile.
//!
//! In full, as docs/compare.md has it: a million documents, 200 runs.

use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::command::DATABASE;
use crate::gateway::{Action, Container, Fault, RawDocument, RequestKind, SystemFields};
use crate::orders::{document, fill, filled};
use crate::replay::assert_no_violations;

fn key_of(number: usize) -> String {
    format!("key-{}", number % 97)
}

/// Plants one difference of each kind, and returns what a comparison has to find.
fn plant(container: &Container, copy: &Container, numbers: &[usize; 6]) -> Vec<String> {
    let [missing, extra, byte, number, order, deleted] = *numbers;
    copy.delete(&format!("item-{missing}"), key_of(missing).as_str());
    let mut new = document(extra);
    new["id"] = json!(format!("new-{extra}"));
    copy.upsert(new);
    let mut changed = document(byte);
    changed["text"] = json!("some text that makes the document a little longes");
    copy.upsert(changed);
    let mut changed = document(number);
    changed["number"] = json!(number + 1);
    copy.upsert(changed);
    // Nothing but the order of its members.
    let text = document(order)["text"].to_string();
    copy.raw(vec![RawDocument {
        id: format!("item-{order}"),
        partition_key: vec![key_of(order).into()],
        text: format!(
            r#"{{"text":{text},"number":{order}.0,"pk":"{}","id":"item-{order}"}}"#,
            key_of(order)
        )
        .into(),
        system_fields: SystemFields::Spliced,
    }]);
    container.delete(&format!("item-{deleted}"), key_of(deleted).as_str());
    let mut expected = vec![
        format!("missing item-{missing}"),
        format!("extra new-{extra}"),
        format!("different item-{byte}"),
        format!("different item-{number}"),
        format!("extra item-{deleted}"),
    ];
    expected.sort();
    expected
}

/// Makes both sides the same again.
fn restore(container: &Container, copy: &Container, numbers: &[usize; 6]) {
    let [missing, extra, byte, number, order, deleted] = *numbers;
    for changed in [missing, byte, number, order] {
        copy.upsert(document(changed));
    }
    copy.delete(&format!("new-{extra}"), key_of(extra).as_str());
    container.upsert(document(deleted));
}

/// Two containers with the same documents.
struct Sides {
    gateway: Gateway,
    container: Container,
    copy: Container,
    documents: usize,
    /// How often they were compared.
    runs: usize,
}

impl Sides {
    fn filled(documents: usize) -> Self {
        let (gateway, container) = filled(3, documents);
        let copy = gateway.create_container(DATABASE, "copy", "/pk", 2);
        fill(&copy, 0..documents);
        Self {
            gateway,
            container,
            copy,
            documents,
            runs: 0,
        }
    }

    /// Plants differences, compares while requests are throttled and a partition may be split, and makes the sides the
    /// same again.
    fn run(&mut self, seed: u64) -> Result<(), String> {
        let Self {
            gateway,
            container,
            copy,
            ..
        } = self;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut numbers = HashSet::new();
        while numbers.len() < 6 {
            numbers.insert(random.usize(..self.documents));
        }
        let numbers: Vec<usize> = numbers.into_iter().collect();
        let numbers: [usize; 6] = numbers.try_into().unwrap();
        let expected = plant(container, copy, &numbers);
        gateway.push_fault(
            Fault::on(RequestKind::ChangeFeed, Action::throttle(1))
                .nth(random.usize(1..8))
                .times(2),
        );
        let before = gateway.requests(RequestKind::ChangeFeed);
        // Of two runs of fifty, or the partitions would be many.
        let splits = self.runs % 50 < 2;
        let side = if self.runs.is_multiple_of(2) {
            &*container
        } else {
            &*copy
        };
        self.runs += 1;
        let found = std::thread::scope(|scope| {
            let comparing = scope.spawn(|| found(&mut compare_containers(gateway)));
            if splits {
                gateway.wait_for(RequestKind::ChangeFeed, before + random.usize(2..9));
                side.split(&side.partitions()[0].id, 2);
            }
            comparing.join().unwrap()
        });
        gateway.clear_faults();
        let is_right = found.ids() == expected && found.code == DIFFERENT;
        restore(container, copy, &numbers);
        match is_right {
            true => Ok(()),
            false => Err(format!(
                "{:?} instead of {expected:?}: {}",
                found.ids(),
                found.ended.stderr
            )),
        }
    }
}

#[test]
fn planted_differences_are_all_found_and_nothing_else_is() {
    let documents = number_of("COSMOS_TAIL_COMPARE_DOCUMENTS", 4000);
    let runs = number_of("COSMOS_TAIL_COMPARE_RUNS", 5) as u64;
    let seed = number_of("COSMOS_TAIL_TEST_SEED", 24) as u64;
    let lanes = number_of("COSMOS_TAIL_COMPARE_LANES", 1);
    let began = std::time::Instant::now();
    in_lanes(
        lanes,
        seed..seed + runs,
        || Sides::filled(documents),
        |sides, seed| {
            sides.run(seed)?;
            assert_no_violations(&sides.gateway);
            Ok(())
        },
    );
    println!("{runs} runs in {:.0} s", began.elapsed().as_secs_f64());
    let sides = Sides::filled(500);
    assert_found(&mut compare_containers(&sides.gateway), &[]);
    assert_no_violations(&sides.gateway);
}
