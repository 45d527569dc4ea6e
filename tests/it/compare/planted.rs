//! Planted differences among many documents: all of them are found, and nothing else, with splits and throttling
//! meanwhile.
//!
//! In full, as docs/compare.md has it: a million documents, 200 runs.

use serde_json::json;

use super::*;
use crate::command::DATABASE;
use crate::gateway::{Action, Container, Fault, RawDocument, RequestKind, SystemFields};
use crate::orders::{document, fill, filled};
use crate::replay::assert_no_violations;

fn number_of(variable: &str, default: usize) -> usize {
    let text = std::env::var(variable).ok();
    text.map_or(default, |text| text.parse().unwrap())
}

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

#[test]
fn planted_differences_are_all_found_and_nothing_else_is() {
    let documents = number_of("COSMOS_TAIL_COMPARE_DOCUMENTS", 4000);
    let runs = number_of("COSMOS_TAIL_COMPARE_RUNS", 5);
    let seed = number_of("COSMOS_TAIL_TEST_SEED", 24);
    let (gateway, container) = filled(3, documents);
    let copy = gateway.create_container(DATABASE, "copy", "/pk", 2);
    fill(&copy, 0..documents);
    for run in 0..runs {
        let mut random = fastrand::Rng::with_seed((seed + run) as u64);
        let mut numbers: Vec<usize> = (0..documents).collect();
        random.shuffle(&mut numbers);
        let numbers: [usize; 6] = numbers[..6].try_into().unwrap();
        let expected = plant(&container, &copy, &numbers);
        gateway.push_fault(
            Fault::on(RequestKind::ChangeFeed, Action::throttle(1))
                .nth(random.usize(1..8))
                .times(2),
        );
        let before = gateway.requests(RequestKind::ChangeFeed);
        let splits = run % 50 < 2;
        let found = std::thread::scope(|scope| {
            let comparing = scope.spawn(|| found(&mut compare_containers(&gateway)));
            if splits {
                gateway.wait_for(RequestKind::ChangeFeed, before + random.usize(2..9));
                let side = if run % 2 == 0 { &container } else { &copy };
                side.split(&side.partitions()[0].id, 2);
            }
            comparing.join().unwrap()
        });
        gateway.clear_faults();
        assert_eq!(
            found.ids(),
            expected,
            "seed {}: {}",
            seed + run,
            found.ended.stderr
        );
        assert_eq!(found.code, DIFFERENT);
        restore(&container, &copy, &numbers);
    }
    assert_found(&mut compare_containers(&gateway), &[]);
    assert_no_violations(&gateway);
}
