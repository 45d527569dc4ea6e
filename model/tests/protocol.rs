//! The protocol holds in every state within the bounds; without any one of its rules it does not.

use cosmos_tail_model::rules::Defect;
use cosmos_tail_model::store::Kind;
use cosmos_tail_model::world::{Action, Bounds, EXPLAINED, NAMED, NEVER_STUCK, VERIFIED, WHOLE};

/// As many as the machine has.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Explores everything: nothing is violated, and docs/object-store-protocol.md has the number of states.
fn holds(bounds: Bounds, states: usize) {
    let explored = bounds.explore(threads());
    assert_eq!(explored.violation, None, "{bounds:?}");
    assert!(explored.ends, "no export ends: {bounds:?}");
    assert_eq!(explored.states, states, "{bounds:?}");
}

#[test]
fn one_fault_of_any_kind_violates_nothing() {
    holds(Bounds::small(Kind::Azure), 1_819_641);
    holds(Bounds::small(Kind::S3), 3_858_718);
}

#[test]
fn two_faults_and_a_consumer_violate_nothing() {
    holds(Bounds::small_with_a_consumer(Kind::Azure), 344_336);
    holds(Bounds::small_with_a_consumer(Kind::S3), 1_129_740);
}

#[test]
fn reading_on_before_a_sealed_object_is_published_violates_nothing() {
    let bounds = |kind| Bounds {
        rewrites: 0,
        reads_beside: true,
        ..Bounds::small(kind)
    };
    holds(bounds(Kind::Azure), 295_610);
    holds(bounds(Kind::S3), 1_039_303);
}

/// One document, so that a search with a verification stays small.
fn with_a_verification(kind: Kind) -> Bounds {
    Bounds {
        documents: 1,
        rewrites: 0,
        verifies: true,
        ..Bounds::small(kind)
    }
}

#[test]
fn a_verification_beside_the_processes_finds_no_stranger() {
    holds(with_a_verification(Kind::Azure), 166_395);
    holds(with_a_verification(Kind::S3), 380_167);
}

/// Rule 13, which no protocol of ours can mend: a consumer may see an object again that it has taken away.
#[test]
fn a_part_that_arrives_late_can_bring_an_object_back_on_azure_only() {
    let azure = Bounds::small_with_a_consumer(Kind::Azure).explore(threads());
    assert!(azure.comes_back);
    let s3 = Bounds::small_with_a_consumer(Kind::S3).explore(threads());
    assert!(!s3.comes_back);
}

#[test]
fn uploads_that_the_store_destroys_are_refused_or_read_again() {
    holds(Bounds::small_with_expiry(Kind::Azure), 123_200);
    holds(Bounds::small_with_expiry(Kind::S3), 688_720);
    holds(Bounds::small_with_a_hasty_consumer(Kind::Azure), 43_213);
    holds(Bounds::small_with_a_hasty_consumer(Kind::S3), 117_625);
}

#[test]
fn a_process_that_stops_in_good_order_leaves_nothing_to_do() {
    holds(Bounds::small_with_a_stop(Kind::Azure), 448_569);
    holds(Bounds::small_with_a_stop(Kind::S3), 1_270_316);
}

/// The property that does not hold any more, in the shortest way to see it.
fn finds(defect: Defect, bounds: Bounds) -> &'static str {
    let bounds = Bounds {
        defect: Some(defect),
        ..bounds
    };
    let explored = bounds.explore(1);
    let Some((property, actions)) = explored.violation else {
        panic!("{defect:?} is not found in {} states", explored.states);
    };
    assert!(matches!(actions[0], Action::Start(_)));
    property
}

/// The stores on which a rule matters, and where to look.
fn bounds_of(defect: Defect) -> Vec<Bounds> {
    let both = [Kind::Azure, Kind::S3];
    match defect {
        // Blocks of two uploads with one name are mixed; S3 tells uploads apart by their ids.
        Defect::SharedNames => vec![Bounds::small(Kind::Azure)],
        // Azure makes an empty blob of no blocks, has no ids to record, and aborts nothing.
        Defect::SealedEmpty | Defect::RecordedLate | Defect::AbortedFirst => {
            vec![Bounds::small(Kind::S3)]
        }
        Defect::ManifestUnread => both.map(Bounds::small_with_a_consumer).into(),
        Defect::GoneIsListed | Defect::RepairedInPlace | Defect::RepairedAlone => {
            both.map(Bounds::small_with_expiry).into()
        }
        Defect::RepairedUnasked => both.map(Bounds::small_with_a_hasty_consumer).into(),
        Defect::StoppedOpen | Defect::StoppedSealed | Defect::StoppedUnrecorded => {
            both.map(Bounds::small_with_a_stop).into()
        }
        Defect::StateFirst => both.map(with_a_verification).into(),
        _ => both.map(Bounds::small).into(),
    }
}

#[test]
fn every_broken_rule_is_found() {
    for defect in Defect::ALL {
        for bounds in bounds_of(defect) {
            finds(defect, bounds);
        }
    }
}

#[test]
fn broken_rules_show_as_what_they_are() {
    let small = |defect, kind| finds(defect, Bounds::small(kind));
    assert_eq!(small(Defect::SharedNames, Kind::Azure), WHOLE);
    assert_eq!(small(Defect::RecordedLate, Kind::S3), NAMED);
    assert_eq!(small(Defect::CompletedFirst, Kind::Azure), EXPLAINED);
    assert_eq!(small(Defect::SealedEmpty, Kind::S3), NEVER_STUCK);
    let beside = with_a_verification(Kind::Azure);
    assert_eq!(finds(Defect::StateFirst, beside), VERIFIED);
}
