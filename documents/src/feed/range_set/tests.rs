use proptest::prelude::*;
use time::OffsetDateTime;

use super::*;

fn range(min: u32, max: u32) -> FeedRange {
    let bound = |at: u32| match at {
        0 => String::new(),
        SPACE => "FF".to_owned(),
        at => format!("{at:06X}"),
    };
    FeedRange::new(&bound(min), &bound(max)).unwrap()
}

fn at(lsn: u64) -> Position {
    Position {
        token: format!("token {lsn}"),
        lsn: Some(lsn),
    }
}

fn halves() -> RangeSet {
    RangeSet::number([
        (range(0, 0x1000), None),
        (range(0x1000, SPACE), Some(at(1))),
    ])
    .unwrap()
}

fn numbers(set: &RangeSet) -> Vec<u32> {
    set.iter().map(|range| range.id.0).collect()
}

#[test]
fn a_snapshot_and_its_changes_tile_the_container_each_by_itself() {
    let unpinned = RangeSet::with_snapshot(halves()).unwrap_err();
    assert!(unpinned.to_string().contains("range 0"), "{unpinned}");
    let pinned = RangeSet::number([
        (range(0, 0x1000), Some(at(1))),
        (range(0x1000, SPACE), Some(at(2))),
    ]);
    let mut set = RangeSet::with_snapshot(pinned.unwrap()).unwrap();
    assert_eq!(numbers(&set), [0, 1, 2, 3]);
    let snapshot: Vec<bool> = set.iter().map(|range| range.snapshot).collect();
    assert_eq!(snapshot, [true, true, false, false]);
    assert_eq!(set[1].position, None);
    assert_eq!(set[3].position, Some(at(2)));
    // Either lane is split by itself.
    for parent in [0, 3] {
        let whole = set.find(RangeId(parent)).unwrap().range.clone();
        let (min, max) = if parent == 0 {
            (0, 0x1000)
        } else {
            (0x1000, SPACE)
        };
        assert_eq!(whole, range(min, max));
        let parts = vec![
            (range(min, 0x1000 / 2 + min), None),
            (range(0x1000 / 2 + min, max), None),
        ];
        let placed = set.split(RangeId(parent), parts).unwrap();
        assert!(placed.iter().all(|range| range.snapshot == (parent == 0)));
    }
    set.check(&Scope::default()).unwrap();
    assert!(set.has_snapshot() && set.is_snapshot_open());
    assert_eq!(set.changes().count(), 3);
    // A snapshot is taken once, however often its changes are read.
    let ids: Vec<RangeId> = set.iter().map(|range| range.id).collect();
    let end = PinnedEnd {
        etag: "\"9\"".to_owned(),
        partition: None,
        pinned_at: OffsetDateTime::UNIX_EPOCH,
        tokens_compare: false,
        known_lsn: None,
        reached: Some(crate::feed::ReachedEnd::Head),
    };
    for id in ids {
        set.set_end(id, end.clone());
    }
    set.forget_ends();
    assert!(!set.is_snapshot_open());
    assert!(set.iter().all(|range| range.is_done() == range.snapshot));
    assert!(set.changes().all(|range| range.end.is_none()));
    // A gap of one lane is not covered by the other.
    let (mut ranges, next) = set.into_parts();
    ranges.remove(0);
    let gap = RangeSet::from_parts(ranges, next);
    let wrong = gap.check(&Scope::default()).unwrap_err();
    assert!(
        format!("{wrong:#}").contains("of the snapshot"),
        "{wrong:#}"
    );
}

#[test]
fn children_replace_their_parent_and_get_the_next_numbers() {
    let mut set = halves();
    let placed = set
        .split(
            RangeId(0),
            vec![
                (range(0, 0x10), Some(at(2))),
                (range(0x10, 0x20), None),
                (range(0x20, 0x1000), Some(at(3))),
            ],
        )
        .unwrap();
    assert_eq!(numbers(&set), [2, 3, 4, 1]);
    assert_eq!(placed, set[..3]);
    assert_eq!(placed[2].position, Some(at(3)));
    set.split(
        RangeId(3),
        vec![(range(0x18, 0x20), None), (range(0x10, 0x18), None)],
    )
    .unwrap();
    assert_eq!(numbers(&set), [2, 5, 6, 4, 1]);
    assert_eq!(
        set.find(RangeId(6)).unwrap().parents,
        [RangeId(0), RangeId(3)]
    );
    assert_eq!(set.find(RangeId(3)), None);
    assert_eq!(set.next_number(), 7);
    set.check(&Scope::default()).unwrap();
}

#[test]
fn a_failed_operation_changes_nothing() {
    let mut set = halves();
    let before = set.clone();
    let errors = [
        set.advance(RangeId(2), at(9)).unwrap_err(),
        set.split(RangeId(2), vec![(range(0, 0x1000), None)])
            .unwrap_err(),
        set.split(RangeId(0), vec![(range(0, 0x800), None)])
            .unwrap_err(),
        set.split(RangeId(0), Vec::new()).unwrap_err(),
    ];
    let errors = errors.map(|error| error.to_string());
    assert_eq!(
        errors,
        [
            "a position of the unknown range 2",
            "a split of the unknown range 2",
            "the children of range 0 do not cover it",
            "the children of range 0 do not cover it",
        ]
    );
    assert_eq!(set, before);
    let mut full = RangeSet::from_parts(set.to_vec(), u32::MAX);
    let whole = vec![(range(0, 0x1000), None)];
    assert!(full.split(RangeId(0), whole).is_err());
    assert_eq!(full, RangeSet::from_parts(set.to_vec(), u32::MAX));
}

#[test]
fn a_set_that_contradicts_itself_is_refused() {
    let (ranges, next) = halves().into_parts();
    let check = |ranges: Vec<RangeState>, next| {
        let set = RangeSet::from_parts(ranges, next);
        set.check(&Scope::default()).map_err(|e| e.to_string())
    };
    check(ranges.clone(), next).unwrap();
    assert_eq!(
        check(ranges.clone(), 1).unwrap_err(),
        "range 1 exists, but the next number is 1"
    );
    let mut twice = ranges.clone();
    twice[1].id = RangeId(0);
    assert_eq!(
        check(twice, next).unwrap_err(),
        "two ranges have the number 0"
    );
    let gap = check(ranges[..1].to_vec(), next).unwrap_err();
    assert!(gap.contains("feed ranges end at `001000`"), "{gap}");
}

#[test]
fn a_scope_is_tiled_by_its_own_ranges() {
    let scope = Scope {
        ranges: vec![range(0x10, 0x20), range(0x40, 0x50)],
        partition_key: None,
    };
    let parts = scope.ranges.iter().map(|range| (range.clone(), None));
    let mut set = RangeSet::number(parts).unwrap();
    set.check(&scope).unwrap();
    assert!(set.check(&Scope::default()).is_err());
    let children = vec![(range(0x40, 0x48), None), (range(0x48, 0x50), None)];
    set.split(RangeId(1), children).unwrap();
    set.check(&scope).unwrap();
}

#[test]
fn only_a_higher_lsn_of_a_range_with_an_end_is_noted() {
    let mut set = halves();
    assert!(!set.hear(RangeId(0), 9));
    let end = PinnedEnd {
        etag: "\"7\"".into(),
        partition: None,
        pinned_at: OffsetDateTime::UNIX_EPOCH,
        tokens_compare: true,
        known_lsn: None,
        reached: None,
    };
    assert!(set.set_end(RangeId(0), end.clone()));
    assert!(!set.set_end(RangeId(2), end));
    for (lsn, is_new) in [(7, false), (9, true), (8, false), (9, false), (10, true)] {
        assert_eq!(set.hear(RangeId(0), lsn), is_new, "{lsn}");
    }
    assert_eq!(set[0].end.as_ref().unwrap().known_lsn, Some(10));
    set.forget_ends();
    assert!(set.iter().all(|range| range.end.is_none()));
}

#[test]
fn a_repair_goes_back_to_the_parents() {
    let mut set = halves();
    let before = set.clone();
    let children = vec![
        (range(0x1000, 0x2000), None),
        (range(0x2000, SPACE), Some(at(5))),
    ];
    set.split(RangeId(1), children).unwrap();
    set.go_back(&[RangeId(2), RangeId(3)], [before[1].clone()]);
    assert_eq!(set[..], before[..]);
    assert_eq!(set.next_number(), 4, "no number is used again");
}

/// Bounds are below this one, which is `FF`.
const SPACE: u32 = 0xFF_0000;

#[derive(Debug, Clone)]
enum Step {
    Advance {
        range: usize,
        lsn: u64,
    },
    Split {
        range: usize,
        cuts: Vec<u32>,
    },
    /// The last child is missing.
    BadSplit {
        range: usize,
        cut: u32,
    },
    Unknown,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = any::<prop::sample::Index>;
    let range = || any().prop_map(|index| index.index(usize::MAX));
    let step = prop_oneof![
        4 => (range(), any_lsn()).prop_map(|(range, lsn)| Step::Advance { range, lsn }),
        3 => (range(), prop::collection::vec(1..SPACE, 1..5))
            .prop_map(|(range, cuts)| Step::Split { range, cuts }),
        1 => (range(), 1..SPACE).prop_map(|(range, cut)| Step::BadSplit { range, cut }),
        1 => Just(Step::Unknown),
    ];
    prop::collection::vec(step, 0..24)
}

fn any_lsn() -> impl Strategy<Value = u64> {
    1..1_000_000_u64
}

fn bounds(range: &FeedRange) -> (u32, u32) {
    let number = |text: &str| match text {
        "" => 0,
        "FF" => SPACE,
        text => u32::from_str_radix(text, 16).unwrap(),
    };
    (number(&range.min_inclusive), number(&range.max_exclusive))
}

/// The children of `parent` with bounds at `cuts`, as far as these lie within it.
fn children(parent: &FeedRange, cuts: &[u32]) -> Vec<Part> {
    let (min, max) = bounds(parent);
    let mut bounds: Vec<u32> = cuts.iter().map(|cut| min + cut % (max - min)).collect();
    bounds.extend([min, max]);
    bounds.sort_unstable();
    bounds.dedup();
    let pairs = bounds.windows(2);
    pairs
        .map(|pair| (range(pair[0], pair[1]), Some(at(u64::from(pair[0])))))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_ranges_tile_the_container(steps in steps()) {
        let mut set = RangeSet::number([(FeedRange::full(), None)]).unwrap();
        for step in steps {
            let before = set.clone();
            match step {
                Step::Advance { range, lsn } => {
                    let of = before[range % before.len()].id;
                    set.advance(of, at(lsn)).unwrap();
                    for (old, new) in before.iter().zip(&set) {
                        let position = match old.id == of {
                            true => Some(at(lsn)),
                            false => old.position.clone(),
                        };
                        prop_assert_eq!(new, &RangeState { position, ..old.clone() });
                    }
                }
                Step::Split { range, cuts } => {
                    let parent = &before[range % before.len()];
                    let parts = children(&parent.range, &cuts);
                    let placed = set.split(parent.id, parts.clone()).unwrap();
                    prop_assert_eq!(set.len(), before.len() - 1 + parts.len());
                    prop_assert!(set.find(parent.id).is_none());
                    let mut parents = parent.parents.clone();
                    parents.push(parent.id);
                    for (child, (range, position)) in placed.iter().zip(&parts) {
                        prop_assert_eq!((&child.range, &child.position), (range, position));
                        prop_assert_eq!(&child.parents, &parents);
                        prop_assert!(child.id.0 >= before.next_number());
                        prop_assert_eq!(set.find(child.id), Some(child));
                    }
                    let others = |set: &RangeSet| -> Vec<RangeState> {
                        let is_other = |range: &&RangeState| {
                            range.id != parent.id && !placed.contains(range)
                        };
                        set.iter().filter(is_other).cloned().collect()
                    };
                    prop_assert_eq!(others(&set), others(&before));
                }
                Step::BadSplit { range, cut } => {
                    let parent = &before[range % before.len()];
                    let mut parts = children(&parent.range, &[cut]);
                    parts.pop();
                    prop_assert!(set.split(parent.id, parts).is_err());
                    prop_assert_eq!(&set, &before);
                }
                Step::Unknown => {
                    let unknown = RangeId(before.next_number());
                    prop_assert!(set.advance(unknown, at(1)).is_err());
                    prop_assert_eq!(&set, &before);
                }
            }
            set.check(&Scope::default()).unwrap();
        }
        let text = serde_json::to_string(&set).unwrap();
        prop_assert_eq!(serde_json::from_str::<RangeSet>(&text).unwrap(), set);
    }
}
