//! Splits and merges while an export reads: nothing lost, nothing twice, children in parallel.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cosmos_tail::cosmos::client::CosmosClient;
use cosmos_tail::cosmos::cursor::{FeedRequest, PageSource};
use cosmos_tail::cosmos::retry::RetryLimit;
use cosmos_tail::feed::{ChangeFeedStart, FeedMode, RangeId, ReadUntil};
use cosmos_tail::reader::{ReadEnd, Reader, ReaderEvent, ReaderOptions, Shard};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::command::{
    CONTAINER, DATABASE, assert_latest, connect_options, export, lines, resume, succeed,
};
use crate::gateway::{Action, Container, Fault, Gateway, KEY, RequestKind};
use crate::orders::{fill, filled};

/// Splits partition `0` into `children` at the request for its `page`th page.
pub(crate) fn split_on_page(
    gateway: &Gateway,
    container: &Container,
    page: usize,
    children: usize,
) {
    let handle = container.clone();
    let split = Action::call(move || {
        handle.split("0", children);
    });
    let is_read = |record: &crate::gateway::RequestRecord| record.token.as_deref() != Some("*");
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, split)
            .partition("0")
            .page(page)
            .when(is_read),
    );
}

fn export_across_split(page: usize, children: usize) {
    let (gateway, container) = filled(2, 2000);
    split_on_page(&gateway, &container, page, children);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(export(&gateway, &out).args(["--page-size", "50", "-v"]));
    assert_latest(&lines(&out), &container);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
    assert_eq!(
        container.partitions().len(),
        1 + children,
        "the split happened"
    );
    assert!(
        ended.stderr.contains("range 0 was split into"),
        "{}",
        ended.stderr
    );
    // The part of the parent (the page that reported the split is its last), those of the children, and that of
    // the other range.
    assert_eq!(
        crate::command::files(&out, "jsonl").len(),
        2 + children,
        "{}",
        ended.stderr
    );
}

#[test]
fn a_split_in_the_middle_loses_and_repeats_nothing() {
    export_across_split(5, 2);
}

#[test]
fn a_split_into_three_loses_and_repeats_nothing() {
    export_across_split(3, 3);
}

#[test]
fn a_split_on_the_very_first_page_loses_and_repeats_nothing() {
    export_across_split(1, 2);
}

#[test]
fn a_page_with_a_split_but_no_new_position_is_requested_again() {
    for (page, action, told) in [
        (3, Action::MissingEtag, "50 documents but no new ETag"),
        (3, Action::StuckEtag, "50 documents but no new ETag"),
        (1, Action::MissingEtag, "the page came without an ETag"),
    ] {
        let (gateway, container) = filled(1, 1000);
        split_on_page(&gateway, &container, page, 2);
        let fault = Fault::on(RequestKind::ChangeFeed, action.clone());
        gateway.push_fault(fault.partition("1"));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = succeed(export(&gateway, &out).args(["--page-size", "50", "-v"]));
        assert_latest(&lines(&out), &container);
        let told = format!("{told}; retry 1 of 15");
        assert!(ended.stderr.contains(&told), "{action:?}: {}", ended.stderr);
        assert!(
            gateway.violations().is_empty(),
            "{:?}",
            gateway.violations()
        );
    }
}

#[test]
fn the_children_of_a_split_are_read_in_parallel() {
    let (gateway, container) = filled(1, 4000);
    split_on_page(&gateway, &container, 3, 2);
    // One child waits for the other to advance: read one after the other, it would wait until its request times
    // out and is retried.
    let hold = crate::gateway::Hold::new();
    let (first, second) = (hold.clone(), hold.clone());
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::Hold(first))
            .partition("1")
            .page(5),
    );
    gateway.push_fault(
        Fault::on(
            RequestKind::ChangeFeed,
            Action::call(move || second.release()),
        )
        .partition("2")
        .page(20),
    );
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--page-size", "50"]));
    assert_latest(&lines(&out), &container);
    let held = |record: &&crate::gateway::RequestRecord| {
        record.partition.as_deref() == Some("1") && record.page == 5
    };
    assert_eq!(gateway.request_log().iter().filter(held).count(), 1);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn children_that_split_again_lose_and_repeat_nothing() {
    let (gateway, container) = filled(1, 3000);
    split_on_page(&gateway, &container, 2, 2);
    let handle = container.clone();
    let again = Action::call(move || {
        handle.split("2", 3);
    });
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, again)
            .partition("2")
            .page(4),
    );
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--page-size", "50"]));
    assert_eq!(container.partitions().len(), 4);
    assert_latest(&lines(&out), &container);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn a_merge_in_the_middle_loses_and_repeats_nothing() {
    let (gateway, container) = filled(3, 3000);
    let handle = container.clone();
    let merge = Action::call(move || {
        handle.merge("0", "1");
    });
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, merge)
            .partition("1")
            .page(4),
    );
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--page-size", "50"]));
    assert_eq!(container.partitions().len(), 2);
    assert_latest(&lines(&out), &container);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn a_partition_locked_by_its_split_is_retried() {
    let (gateway, container) = filled(2, 1000);
    let handle = Mutex::new(container.clone());
    let lock = Action::call(move || {
        handle
            .lock()
            .unwrap()
            .lock("0", crate::gateway::Lock::Requests(40));
    });
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, lock)
            .partition("0")
            .page(3),
    );
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(export(&gateway, &out).args(["--page-size", "50", "-v"]));
    assert_latest(&lines(&out), &container);
    assert!(ended.stderr.contains("retry 1 of 15"), "{}", ended.stderr);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn an_increment_after_a_split_and_a_merge_reads_only_new_changes() {
    let (gateway, container) = filled(2, 1000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let before = lines(&out);
    let children = container.split("0", 2);
    container.merge(&children[1], "1");
    fill(&container, 1000..1500);
    succeed(&mut resume(&gateway, &out));
    let after = lines(&out);
    assert_eq!(after.len(), before.len() + 500);
    assert_latest(&after, &container);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

/// A job that is torn down takes no more events, and what was sent to it at that moment stays in the channel.
#[tokio::test]
async fn a_split_that_is_never_committed_does_not_keep_the_reader_from_ending() {
    let (gateway, container) = filled(1, 200);
    split_on_page(&gateway, &container, 2, 2);
    let endpoint = gateway.endpoint();
    let options = connect_options([&endpoint, KEY, DATABASE, CONTAINER]);
    let client = CosmosClient::connect(&options).await.unwrap();
    let options = ReaderOptions {
        concurrency: 4,
        request: FeedRequest {
            source: PageSource::Feed(FeedMode::LatestVersion),
            page_size: NonZeroU32::new(50).unwrap(),
            partition_key: None,
        },
        retry_limit: RetryLimit::Times(3),
        start: ChangeFeedStart::Beginning,
        end: ReadEnd::Caught(ReadUntil::Head),
        poll_interval: Duration::from_millis(10),
        buffered_bytes: 1 << 20,
    };
    let ranges = client.physical_partitions(false).await.unwrap();
    let shards = ranges
        .into_iter()
        .map(|one| Shard::new(RangeId(0), one.range, None, &options))
        .collect();
    let (events, mut received) = mpsc::channel(64);
    let stop = CancellationToken::new();
    let reader = Reader::start(Arc::new(client), shards, options, events, stop.clone());
    let mut replaced = None;
    while replaced.is_none() {
        let event = received.recv().await.expect("the split is reported");
        replaced = matches!(event, ReaderEvent::Replaced { .. }).then_some(event);
    }
    // Neither answered nor dropped.
    stop.cancel();
    let ended = timeout(Duration::from_secs(60), reader.join()).await;
    ended.expect("the reader ends").unwrap();
    drop(replaced);
}
