//! What the gateway refuses, what it records as a violation, and how its script affects the driver.

use std::time::Duration;

use azure_data_cosmos_driver::models::{ChangeFeedStartFrom, FeedRange};
use azure_data_cosmos_driver::options::OperationOptions;
use serde_json::json;

use super::careless_client::{DATE, DOCS, get, poll};
use super::driver_reader::{Reader, connect, ids, sorted};
use super::{assert_clean, latest_texts, start, write};
use crate::gateway::{
    Action, Fault, Gateway, GatewayOptions, Hold, KEY, RequestKind, StaticOptions, sign,
};

#[tokio::test]
async fn a_wrong_key_is_401_and_a_missing_container_is_404() {
    let (gateway, _container) = start(1);
    let Err(error) = connect(&gateway.endpoint(), "d3Jvbmcga2V5", true).await else {
        panic!("a wrong key is refused");
    };
    assert_eq!(u16::from(error.status().status_code()), 401);

    let driver = connect(&gateway.endpoint(), KEY, true).await.unwrap();
    for (database, container) in [("db", "missing"), ("missing", "coll")] {
        let error = driver
            .resolve_container(database, container, OperationOptions::default())
            .await
            .unwrap_err();
        assert_eq!(u16::from(error.status().status_code()), 404);
    }
    assert_eq!(get(&gateway, "/", &[]).0, 401);
    assert_clean(&gateway);
}

#[tokio::test]
async fn a_container_is_found_by_rid_and_a_recreated_one_has_another() {
    let (gateway, container) = start(1);
    let old = container.rid().to_owned();
    let reader = Reader::open(&gateway).await;
    let driver = connect(&gateway.endpoint(), KEY, true).await.unwrap();
    let by_rid = driver
        .resolve_container_by_rid(&old, OperationOptions::default())
        .await
        .unwrap();
    assert_eq!((by_rid.name(), by_rid.rid()), ("coll", old.as_str()));
    write(&container, 0..3);
    let by_rid = Reader {
        driver,
        container: by_rid,
    };
    let mut plan = by_rid.read_from_beginning().await;
    assert_eq!(by_rid.drain(&mut plan).await, latest_texts(&container));

    gateway.delete_container("db", "coll");
    let recreated = gateway.create_container("db", "coll", "/pk", 1);
    assert_ne!(recreated.rid(), old);
    let error = by_rid.try_raw(&mut plan).await.unwrap_err();
    assert_eq!(u16::from(error.status().status_code()), 404);
    let mut plan = reader.read_from_beginning().await;
    assert_eq!(reader.drain(&mut plan).await, Vec::<String>::new());
    assert_clean(&gateway);
}

#[test]
fn paths_with_a_trailing_slash_are_the_same_paths() {
    let (gateway, container) = start(1);
    write(&container, 0..2);
    let (_, plain) = poll(&gateway, DOCS, "0", &[]);
    let (status, slash) = poll(&gateway, &format!("{DOCS}/"), "0", &[]);
    assert_eq!(status, 200);
    let body = |response: &str| response.split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert_eq!(body(&plain), body(&slash));
    assert_clean(&gateway);
}

#[test]
fn a_token_on_the_wrong_range_is_a_violation() {
    let (gateway, container) = start(2);
    write(&container, 0..20);
    let (status, response) = poll(&gateway, DOCS, "0", &[]);
    assert_eq!(status, 200);
    let etag = response
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .unwrap()
        .to_owned();
    assert_eq!(
        poll(&gateway, DOCS, "0", &[("If-None-Match", &etag)]).0,
        304
    );
    assert_clean(&gateway);

    let full_fidelity = [
        ("A-IM", "Full-Fidelity Feed"),
        ("x-ms-cosmos-changefeed-wire-format-version", "2021-09-15"),
        ("If-None-Match", etag.as_str()),
    ];
    let half = [
        ("x-ms-start-epk", "00"),
        ("x-ms-end-epk", "FF"),
        ("x-ms-read-key-type", "EffectivePartitionKeyRange"),
    ];
    let careless: [(&str, &[(&str, &str)]); 5] = [
        ("1", &[("If-None-Match", &etag)]),
        ("0", &[("If-None-Match", "\"9999\"")]),
        ("0", &[("If-None-Match", "banana")]),
        ("7", &[]),
        ("0", &half),
    ];
    for (expected, (partition, headers)) in careless.iter().enumerate() {
        let (status, _) = poll(&gateway, DOCS, partition, headers);
        assert!(matches!(status, 400 | 410), "{status}");
        assert_eq!(gateway.violations().len(), expected + 1, "{headers:?}");
    }
    let before = gateway.violations().len();
    let signature = sign(KEY, "get", "docs", "dbs/db/colls/coll", DATE);
    let mut headers = vec![
        ("authorization", signature.as_str()),
        ("x-ms-date", DATE),
        ("x-ms-documentdb-partitionkeyrangeid", "0"),
    ];
    headers.extend_from_slice(&full_fidelity);
    assert_eq!(get(&gateway, DOCS, &headers).0, 400);
    assert_eq!(get(&gateway, "/dbs/db/udfs", &[]).0, 401);
    assert_eq!(gateway.violations().len(), before + 1);
}

#[test]
fn after_a_merge_a_parents_token_is_refused_on_the_whole() {
    let (gateway, container) = start(2);
    write(&container, 0..20);
    let (_, response) = poll(&gateway, DOCS, "0", &[]);
    let etag = response
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .unwrap()
        .to_owned();
    let bounds = container.partitions()[0].clone();
    let merged = container.merge("0", "1");
    assert_eq!(poll(&gateway, DOCS, "0", &[]).0, 410);
    let half = [
        ("x-ms-start-epk", bounds.min_inclusive.as_str()),
        ("x-ms-end-epk", bounds.max_exclusive.as_str()),
        ("x-ms-read-key-type", "EffectivePartitionKeyRange"),
        ("If-None-Match", etag.as_str()),
    ];
    assert_eq!(poll(&gateway, DOCS, &merged, &half).0, 304);
    assert_clean(&gateway);
    assert_eq!(poll(&gateway, DOCS, &merged, &half[3..]).0, 400);
    assert_eq!(gateway.violations().len(), 1);
}

#[test]
fn the_four_headers_of_a_sub_range_go_together() {
    let (gateway, container) = start(1);
    write(&container, 0..20);
    let signature = sign(KEY, "get", "docs", "dbs/db/colls/coll", DATE);
    let base = [
        ("authorization", signature.as_str()),
        ("x-ms-date", DATE),
        ("A-IM", "Incremental Feed"),
    ];
    let four = [
        ("x-ms-documentdb-partitionkeyrangeid", "0"),
        ("x-ms-start-epk", "00"),
        ("x-ms-end-epk", "20"),
        ("x-ms-read-key-type", "EffectivePartitionKeyRange"),
    ];
    let mut violations = 0;
    for subset in 0..1 << four.len() {
        let chosen = (0..four.len()).filter(|at| subset & (1 << at) != 0);
        let mut headers = base.to_vec();
        headers.extend(chosen.map(|at| four[at]));
        let (status, _) = get(&gateway, DOCS, &headers);
        match subset {
            // The whole partition, and a part of it. Without any of them a request is of no partition.
            0b0001 | 0b1111 => assert_eq!(status, 200, "{subset:04b}"),
            _ => {
                assert_eq!(status, 400, "{subset:04b}");
                violations += 1;
            }
        }
        assert_eq!(gateway.violations().len(), violations, "{subset:04b}");
    }
    let mut headers = base.to_vec();
    headers.extend_from_slice(&four[..3]);
    headers.push(("x-ms-read-key-type", "EffectivePartitionKey"));
    assert_eq!(get(&gateway, DOCS, &headers).0, 400);
    assert_eq!(gateway.violations().len(), violations + 1);
}

#[test]
fn a_start_at_a_time_is_exclusive() {
    let (gateway, container) = start(1);
    write(&container, 0..1);
    gateway.advance_time(1);
    write(&container, 1..2);
    let (status, response) = poll(&gateway, DOCS, "0", &[("If-Modified-Since", DATE)]);
    assert_eq!(status, 200);
    assert!(response.contains("\"0001\"") && !response.contains("\"0000\""));
    assert_clean(&gateway);
}

#[test]
fn a_transaction_never_straddles_a_page() {
    let (gateway, container) = start(1);
    write(&container, 0..1);
    let items = (0..5).map(|n| json!({"id": format!("t{n}"), "pk": "p0"}));
    assert_eq!(container.transaction(items.collect()), 2);
    let page = |token: Option<&str>| {
        let mut headers = vec![("x-ms-max-item-count", "2")];
        headers.extend(token.map(|token| ("If-None-Match", token)));
        let (_, response) = poll(&gateway, DOCS, "0", &headers);
        let count = response
            .lines()
            .find_map(|line| line.strip_prefix("x-ms-item-count: "))
            .map(str::to_owned);
        (count, response.contains("x-ms-session-token: 0:1#2"))
    };
    assert_eq!(page(None), (Some("1".to_owned()), true));
    assert_eq!(page(Some("\"1\"")), (Some("5".to_owned()), true));
    assert_clean(&gateway);
}

#[tokio::test]
async fn faults_that_the_driver_survives_lose_and_repeat_nothing() {
    let (gateway, container) = start(2);
    write(&container, 0..30);
    let on = |action| Fault::on(RequestKind::ChangeFeed, action);
    gateway.push_fault(on(Action::throttle(1)).page(1).times(3));
    gateway.push_fault(on(Action::ResetBeforeHeaders).nth(5));
    gateway.push_fault(on(Action::TruncateBody { after: 40 }).nth(7));
    gateway.push_fault(on(Action::MissingEtag).nth(100));
    let splitting = container.clone();
    gateway.push_fault(
        on(Action::call(move || {
            splitting.split("1", 2);
        }))
        .partition("1")
        .page(3),
    );
    let reader = Reader::open(&gateway).await;
    let mut plan = reader.read_from_beginning().await;
    let read = reader.drain(&mut plan).await;
    assert_eq!(sorted(read), sorted(latest_texts(&container)));
    let log = gateway.request_log();
    let statuses = |status| log.iter().filter(|r| r.status == Some(status)).count();
    assert_eq!((statuses(429), statuses(410)), (3, 1));
    assert_eq!(log.iter().filter(|r| r.status.is_none()).count(), 1);
    assert!(gateway.total_request_charge() > 0.0);
    assert_clean(&gateway);
}

#[tokio::test]
async fn a_corrupt_body_reaches_the_caller_and_a_stuck_etag_repeats_the_page() {
    let (gateway, container) = start(1);
    write(&container, 0..9);
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::CorruptBody));
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::StuckEtag).nth(2));
    let reader = Reader::open(&gateway).await;
    let mut plan = reader.read_from_beginning().await;
    let (status, _, body) = reader.try_raw(&mut plan).await.unwrap();
    assert_eq!(status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&body).is_err());
    let stuck = reader.page(&mut plan).await.documents;
    let again = reader.page(&mut plan).await.documents;
    assert_eq!(ids(&stuck), ["0003", "0004", "0005"]);
    assert_eq!(stuck, again);
    let rest = reader.drain(&mut plan).await;
    assert_eq!(ids(&rest), ["0006", "0007", "0008"]);
    assert_clean(&gateway);
}

#[tokio::test]
async fn a_held_answer_waits_for_the_test_and_a_trickle_still_arrives() {
    let (gateway, container) = start(1);
    write(&container, 0..2);
    let hold = Hold::new();
    gateway.push_fault(Fault::on(
        RequestKind::ChangeFeed,
        Action::Hold(hold.clone()),
    ));
    let trickle = Action::Trickle {
        bytes: 64,
        every: Duration::from_millis(1),
    };
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, trickle));
    let reader = Reader::open(&gateway).await;
    let mut plan = reader
        .latest_version(FeedRange::full(), ChangeFeedStartFrom::Beginning, None)
        .await;
    let writer = container.clone();
    let test = std::thread::spawn(move || {
        hold.wait_until_reached();
        // Written while the request waits, hence part of its answer.
        write(&writer, 2..3);
        hold.release();
    });
    let read = reader.page(&mut plan).await.documents;
    test.join().unwrap();
    assert_eq!(ids(&read), ["0000", "0001", "0002"]);
    assert_eq!(reader.page(&mut plan).await.status, 304);
    gateway.wait_until_caught_up(&container);
    gateway.wait_for(RequestKind::ChangeFeed, 2);
    gateway.wait_for_requests(4);
    assert_clean(&gateway);
}

#[tokio::test]
async fn bare_documents_are_served_on_demand() {
    let gateway = Gateway::start(GatewayOptions {
        envelope: false,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container("db", "coll", "/pk", 1);
    write(&container, 0..1);
    let reader = Reader::open(&gateway).await;
    let mut plan = reader.read_from_beginning().await;
    let (_, _, body) = reader.try_raw(&mut plan).await.unwrap();
    let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(page["Documents"][0]["id"], "0000");
    assert_clean(&gateway);
}

#[tokio::test]
async fn the_static_gateway_serves_every_page_of_every_range_once() {
    let gateway = Gateway::start_static(StaticOptions {
        ranges: 3,
        pages_per_range: 6,
        documents_per_page: 10,
        document_bytes: 512,
        ..StaticOptions::default()
    });
    let driver = connect(&gateway.endpoint(), KEY, true).await.unwrap();
    let container = driver
        .resolve_container("bench", "pages", OperationOptions::default())
        .await
        .unwrap();
    let reader = Reader { driver, container };
    let mut plan = reader.read_from_beginning().await;
    let (mut bytes, mut documents, mut empty) = (0, 0, 0);
    while empty < 3 {
        let (status, has_etag, body) = reader.try_raw(&mut plan).await.unwrap();
        assert!(has_etag);
        empty += usize::from(status == 304);
        bytes += body.len() as u64;
        if status == 200 {
            let page = super::driver_reader::documents_of(&body);
            assert!(page.iter().all(|document| document.len() == 512));
            documents += page.len() as u64;
        }
    }
    assert_eq!(bytes, gateway.total_bytes());
    assert_eq!(documents, gateway.total_documents());
    assert!(gateway.requests() >= 3 * 7);
}
