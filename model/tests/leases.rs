//! A group writes each change once in every state within the bounds; without any one of its rules it does not.

use cosmos_tail_model::leases::{Bounds, Defect};

/// As many as the machine has.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[test]
fn owners_that_change_write_each_change_once() {
    let explored = Bounds::small().explore(threads());
    assert_eq!(explored.violation, None);
    assert!(explored.ends, "no way writes all changes");
    // docs/object-store-protocol.md has the number.
    assert_eq!(explored.states, 701_450);
}

#[test]
fn without_any_one_rule_something_is_violated() {
    for defect in Defect::ALL {
        let bounds = Bounds {
            defect: Some(defect),
            ..Bounds::small()
        };
        let found = bounds.explore(threads()).violation;
        assert!(found.is_some(), "{defect:?} is not found");
    }
}
