//! The round trips between the start and the first page: independent requests do not wait for each other.

use crate::command::{
    against, assert_latest, assert_same, export, lines, spawn, split_lines, succeed, wait,
};
use crate::gateway::{Action, Fault, Hold, RequestKind};
use crate::orders::filled;

/// Releases requests once all of them have arrived, which happens only if none waits for another.
fn let_go(together: &[Hold]) {
    for hold in together {
        hold.wait_until_reached();
    }
    for hold in together {
        hold.release();
    }
}

#[test]
fn the_first_document_comes_after_three_round_trips() {
    let (gateway, container) = filled(1, 50);
    let together = [RequestKind::Container, RequestKind::PartitionKeyRanges].map(|kind| {
        let hold = Hold::new();
        gateway.push_fault(Fault::on(kind, Action::Hold(hold.clone())));
        hold
    });
    let mut tail = against(&gateway);
    tail.args(["tail", "--from", "beginning", "--until-caught-up"]);
    let tail = spawn(&mut tail);
    let_go(&together);
    let ended = wait(tail);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let served: Vec<Vec<u8>> = container
        .latest()
        .into_iter()
        .map(|served| served.text.to_vec())
        .collect();
    assert_same(&split_lines(ended.stdout.as_bytes()), &served);

    // The account, the container beside its ranges, the first page.
    let kinds: Vec<_> = gateway.request_log().iter().map(|r| r.kind).collect();
    assert_eq!(kinds[0], RequestKind::Account, "{kinds:?}");
    assert_eq!(kinds[3], RequestKind::ChangeFeed, "{kinds:?}");
    for once in [RequestKind::Container, RequestKind::PartitionKeyRanges] {
        assert!(kinds[1..3].contains(&once), "{kinds:?}");
        assert_eq!(gateway.requests(once), 1, "{kinds:?}");
    }
}

#[test]
fn a_list_of_ranges_that_is_not_prefetched_is_requested() {
    for action in [
        Action::status(503, 0),
        Action::throttle(1),
        Action::ResetBeforeHeaders,
        Action::CorruptBody,
    ] {
        let (gateway, container) = filled(3, 300);
        gateway.push_fault(Fault::on(RequestKind::PartitionKeyRanges, action.clone()));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(&mut export(&gateway, &out));
        assert_latest(&lines(&out), &container);
        assert!(
            gateway.requests(RequestKind::PartitionKeyRanges) >= 2,
            "{action:?}"
        );
    }
}
