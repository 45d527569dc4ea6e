use super::*;
use crate::feed::Position;
use bytes::Bytes;

fn state(id: u32, lsn: Option<u64>) -> RangeState {
    RangeState {
        id: RangeId(id),
        range: FeedRange::full(),
        snapshot: false,
        parents: Vec::new(),
        position: lsn.map(|lsn| Position {
            token: String::new(),
            lsn: Some(lsn),
        }),
        end: None,
    }
}

/// Ranges at these LSNs.
fn at(lsns: &[Option<u64>]) -> Ranges {
    let mut ranges = Ranges::default();
    for (id, lsn) in (0..).zip(lsns) {
        let range = state(id, *lsn);
        ranges.observe(&Event::Added { range: &range });
    }
    ranges
}

/// A range gets a page, of one document or none, that ends at `lsn`; its `partition` is at `newest`.
fn page(ranges: &mut Ranges, id: u32, lsn: u64, partition: (&str, u64), documents: bool) {
    let body = r#"{"_rid":"","Documents":[{"id":"a","_ts":1000,"_lsn":1}],"_count":1}"#;
    let page = if documents {
        Page::parse(Bytes::from_static(body.as_bytes())).unwrap()
    } else {
        Page::default()
    };
    let (id_of_partition, newest) = partition;
    ranges.observe(&Event::Page {
        range: RangeId(id),
        page: &page,
        lsn: Some(lsn),
        highest_lsn: None,
        partition: &AnsweringPartition {
            id: Some(id_of_partition.to_owned()),
            lsn: Some(newest),
        },
        request_charge: 0.0,
    });
}

fn total(ranges: &Ranges) -> (u64, bool, u64) {
    let total = Ranges::lag(&ranges.lags(1_060));
    (total.transactions, total.is_at_most, total.unknown)
}

#[test]
fn the_lag_of_a_range_is_exact() {
    let mut ranges = at(&[Some(10), None]);
    assert_eq!(total(&ranges), (0, false, 2));
    page(&mut ranges, 0, 12, ("0", 20), true);
    assert_eq!(total(&ranges), (8, false, 1));
    assert_eq!(Ranges::lag(&ranges.lags(1_060)).seconds, Some(60));
    page(&mut ranges, 1, 5, ("1", 5), true);
    assert_eq!(total(&ranges), (8, false, 0));
    ranges.observe(&Event::CaughtUp { range: RangeId(0) });
    assert_eq!(total(&ranges), (0, false, 0));
    assert_eq!(Ranges::lag(&ranges.lags(1_060)).seconds, Some(0));
    assert!(ranges.are_at_head());
}

#[test]
fn after_a_split_it_is_an_upper_bound_until_the_head() {
    let mut ranges = at(&[Some(10)]);
    page(&mut ranges, 0, 12, ("0", 20), true);
    let children = [state(1, Some(12)), state(2, Some(12))];
    ranges.observe(&Event::Split {
        parent: RangeId(0),
        children: &children,
    });
    page(&mut ranges, 1, 14, ("1", 20), true);
    page(&mut ranges, 2, 13, ("2", 20), true);
    assert_eq!(total(&ranges), (13, true, 0));
    page(&mut ranges, 1, 20, ("1", 20), true);
    page(&mut ranges, 2, 20, ("2", 20), true);
    assert_eq!(total(&ranges), (0, false, 0));
    // From here on nothing is of the other one.
    page(&mut ranges, 2, 21, ("2", 25), true);
    assert_eq!(total(&ranges), (4, false, 0));
    assert_eq!(ranges.merges(), 0);
}

#[test]
fn after_a_merge_it_is_an_upper_bound() {
    let mut ranges = at(&[Some(10), Some(1_010)]);
    page(&mut ranges, 0, 10, ("0", 10), false);
    page(&mut ranges, 1, 1_010, ("1", 1_010), false);
    assert_eq!(total(&ranges), (0, false, 0));
    page(&mut ranges, 0, 1_011, ("2", 1_015), true);
    assert_eq!((total(&ranges), ranges.merges()), ((4, false, 0), 0));
    page(&mut ranges, 1, 1_012, ("2", 1_015), true);
    assert_eq!((total(&ranges), ranges.merges()), ((7, true, 0), 1));
    // It is split again, where it was before: no merge.
    page(&mut ranges, 0, 1_015, ("3", 1_015), true);
    page(&mut ranges, 1, 1_015, ("4", 1_015), true);
    assert_eq!((total(&ranges), ranges.merges()), ((0, false, 0), 1));
}

#[test]
fn that_of_a_part_of_a_partition_is_an_upper_bound() {
    let mut ranges = Ranges::default();
    let [lower, upper] =
        [("", "80"), ("80", "FF")].map(|(from, to)| FeedRange::new(from, to).unwrap());
    ranges.know_partitions([lower.clone(), upper].into_iter());
    for (id, range) in [(0, lower), (1, FeedRange::new("80", "A0").unwrap())] {
        let range = RangeState {
            range,
            ..state(id, Some(10))
        };
        ranges.observe(&Event::Added { range: &range });
    }
    page(&mut ranges, 0, 12, ("0", 20), true);
    page(&mut ranges, 1, 12, ("1", 12), true);
    assert_eq!(total(&ranges), (8, false, 0));
    page(&mut ranges, 1, 13, ("1", 20), true);
    assert_eq!(total(&ranges), (15, true, 0));
    // A part of a part is one too, whatever it was at.
    ranges.observe(&Event::Split {
        parent: RangeId(1),
        children: &[state(2, Some(13))],
    });
    ranges.observe(&Event::CaughtUp { range: RangeId(2) });
    page(&mut ranges, 2, 14, ("2", 20), true);
    assert_eq!(total(&ranges), (14, true, 0));
}

#[test]
fn lsns_of_tokens_that_are_others_are_not_compared() {
    let mut ranges = at(&[Some(10)]);
    page(&mut ranges, 0, 11, ("0", 7_000), false);
    page(&mut ranges, 0, 12, ("0", 7_001), true);
    // Only an answer that nothing is newer shows it.
    assert_eq!(total(&ranges), (0, false, 1));
    assert!(!ranges.are_at_head());
    ranges.observe(&Event::CaughtUp { range: RangeId(0) });
    assert_eq!(total(&ranges), (0, false, 0));
    assert!(ranges.are_at_head());
}

#[test]
fn in_a_replay_it_counts_what_is_not_applied() {
    let mut ranges = Ranges {
        are_applied: true,
        ..Ranges::default()
    };
    let range = state(0, Some(10));
    ranges.observe(&Event::Added { range: &range });
    page(&mut ranges, 0, 15, ("0", 20), true);
    page(&mut ranges, 0, 20, ("0", 20), true);
    assert_eq!(total(&ranges), (10, false, 0));
    assert_eq!(ranges.done_applying(), Some(0.0));
    assert!(!ranges.are_at_head());
    ranges.applied(RangeId(0), Some(15));
    assert_eq!(
        (total(&ranges), ranges.done_applying()),
        ((5, false, 0), Some(0.5))
    );
    ranges.applied(RangeId(0), Some(20));
    assert_eq!(
        (total(&ranges), ranges.done_applying()),
        ((0, false, 0), Some(1.0))
    );
    assert!(ranges.are_at_head());
}

#[test]
fn ranges_are_committed_by_a_commit_that_began_after_the_last_has_a_place() {
    let mut ranges = at(&[Some(10), None]);
    assert!(!ranges.are_committed(Instant::now()));
    let before = Instant::now();
    std::thread::sleep(Duration::from_millis(1));
    page(&mut ranges, 1, 5, ("1", 5), true);
    assert!(!ranges.are_committed(before));
    assert!(ranges.are_committed(Instant::now()));
}
