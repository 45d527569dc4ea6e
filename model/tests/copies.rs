//! Of copies of a state that is not where the objects are, one goes on in every state within the bounds; without any one of
//! the rules it does not.

use cosmos_tail_model::copies::{Bounds, Defect};

/// As many as the machine has.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[test]
fn of_copies_of_a_state_one_lists_each_change_once() {
    let explored = Bounds::small().explore(threads());
    assert_eq!(explored.violation, None);
    assert!(explored.ends, "no way lists all changes");
    // docs/object-store-protocol.md has the number.
    assert_eq!(explored.states, 129_858);
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

/// What no protocol of ours can mend: no store makes a call on the condition of another object.
#[test]
fn who_is_paused_between_a_look_and_its_call_can_list_a_change_twice() {
    let bounds = Bounds {
        pauses_after_looking: true,
        ..Bounds::small()
    };
    assert!(bounds.explore(threads()).violation.is_some());
}
