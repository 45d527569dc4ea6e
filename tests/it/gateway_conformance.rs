//! The gateway against the client that it was made for: the driver reads what its log contains, over both
//! HTTP versions and through splits and merges. Microsoft's in-memory emulator behaves the same as far as a
//! reader can see.

mod against_the_emulator;
pub(crate) mod careless_client;
mod driver_reader;
mod faults_and_refusals;
mod replicas;
mod scripted_answers;

use std::collections::BTreeMap;

use azure_data_cosmos::{AccountEndpoint, CosmosClient, FeedScope, RoutingStrategy};
use azure_data_cosmos_driver::models::effective_partition_key::EffectivePartitionKey;
use azure_data_cosmos_driver::models::{ChangeFeedStartFrom, CosmosOperation, FeedRange};
use futures_util::StreamExt;
use serde_json::json;

use crate::gateway::{
    Container, Gateway, GatewayOptions, KEY, Lock, Operation, RawDocument, SystemFields,
};
use driver_reader::{EMPTY_PAGES, Reader, connect, ids, sorted};

fn latest_texts(container: &Container) -> Vec<String> {
    container
        .latest()
        .into_iter()
        .map(|served| String::from_utf8(served.text.to_vec()).expect("the text is UTF-8"))
        .collect()
}

fn start(partitions: usize) -> (Gateway, Container) {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container("db", "coll", "/pk", partitions);
    (gateway, container)
}

fn write(container: &Container, numbers: std::ops::Range<usize>) {
    for number in numbers {
        container.upsert(json!({"id": format!("{number:04}"), "pk": format!("p{}", number % 17)}));
    }
}

fn assert_clean(gateway: &Gateway) {
    assert_eq!(gateway.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_driver_reads_the_log_in_order_over_http2_and_http1() {
    let (gateway, container) = start(3);
    write(&container, 0..50);
    container.replace(json!({"id": "0007", "pk": "p7", "again": true}));
    container.delete("0009", "p9");
    for http2 in [true, false] {
        let reader = Reader::open_over(&gateway, http2).await;
        let before = gateway.total_requests();
        let mut plan = reader.read_from_beginning().await;
        let read = reader.drain(&mut plan).await;
        assert_eq!(sorted(read.clone()), sorted(latest_texts(&container)));
        let mut by_partition: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for served in container.latest() {
            by_partition
                .entry(served.partition)
                .or_default()
                .push(String::from_utf8(served.text.to_vec()).unwrap());
        }
        for (partition, expected) in by_partition {
            let in_feed_order: Vec<_> = read.iter().filter(|d| expected.contains(d)).collect();
            assert!(in_feed_order.into_iter().eq(&expected), "{partition}");
        }
        let log = gateway.request_log().split_off(before);
        assert!(log.iter().all(|record| record.http2 == http2));
    }
    assert_eq!(container.latest().len(), 49);
    assert_clean(&gateway);
}

#[tokio::test]
async fn an_http1_only_gateway_serves_http1_and_fails_http2() {
    let gateway = Gateway::start(GatewayOptions {
        http1_only: true,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container("db", "coll", "/pk", 1);
    write(&container, 0..5);
    let reader = Reader::open_over(&gateway, false).await;
    let mut plan = reader.read_from_beginning().await;
    assert_eq!(reader.drain(&mut plan).await, latest_texts(&container));
    assert!(connect(&gateway.endpoint(), KEY, true).await.is_err());
}

#[tokio::test]
async fn the_typed_client_reads_the_log() {
    let (gateway, container) = start(2);
    write(&container, 0..20);
    let account = azure_data_cosmos::AccountReference::with_authentication_key(
        gateway.endpoint().parse::<AccountEndpoint>().unwrap(),
        KEY.to_owned(),
    );
    let client = CosmosClient::builder()
        .build(account, RoutingStrategy::PreferredRegions(Vec::new()))
        .await
        .unwrap();
    let client = client.database_client("db");
    let client = client.container_client("coll", None).await.unwrap();
    let mut pages = Box::pin(client.query_change_feed::<serde_json::Value>(
        FeedScope::full_container(),
        azure_data_cosmos::options::ChangeFeedStartFrom::Beginning,
        None,
    ))
    .await
    .unwrap();
    let mut read = Vec::new();
    let mut empty = 0;
    while empty < EMPTY_PAGES {
        let page = pages.next().await.unwrap().unwrap();
        empty = if page.items().is_empty() {
            empty + 1
        } else {
            0
        };
        for item in page.items() {
            let lsn = item.metadata().unwrap().lsn().unwrap().value();
            assert_eq!(item.current().unwrap()["_lsn"], lsn);
            read.push(item.current().unwrap().to_string());
        }
    }
    let expected = latest_texts(&container).into_iter().map(|text| {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value.to_string()
    });
    assert_eq!(sorted(read), sorted(expected.collect()));
    assert_clean(&gateway);
}

#[tokio::test]
async fn splits_in_the_middle_lose_and_repeat_nothing() {
    for children in [2, 3] {
        let (gateway, container) = start(1);
        write(&container, 0..40);
        let reader = Reader::open(&gateway).await;
        let mut plan = reader.read_from_beginning().await;
        let mut read = reader.page(&mut plan).await.documents;
        let token = plan.to_continuation_token().unwrap();
        container.split("0", children);
        write(&container, 40..60);
        let mut live = read.clone();
        live.extend(reader.drain(&mut plan).await);
        assert_eq!(sorted(live), sorted(latest_texts(&container)), "{children}");
        let mut resumed = reader.resume(FeedRange::full(), &token).await;
        read.extend(reader.drain(&mut resumed).await);
        assert_eq!(sorted(read), sorted(latest_texts(&container)), "{children}");
        assert_eq!(container.partitions().len(), children);
        assert!(container.partitions().iter().all(|p| p.parents == ["0"]));
        assert_clean(&gateway);
    }
}

#[tokio::test]
async fn a_token_is_cut_to_each_child_by_resuming_with_its_range() {
    let (gateway, container) = start(1);
    write(&container, 0..40);
    let reader = Reader::open(&gateway).await;
    let mut plan = reader.read_from_beginning().await;
    let mut read = reader.page(&mut plan).await.documents;
    let token = plan.to_continuation_token().unwrap();
    container.split("0", 2);
    let ranges = reader
        .driver
        .resolve_all_partition_key_ranges(&reader.container, true)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ranges.len(), 2);
    for range in &ranges {
        let scope = FeedRange::try_from(range).unwrap();
        let mut child = reader.resume(scope, &token).await;
        read.extend(reader.drain(&mut child).await);
    }
    assert_eq!(sorted(read), sorted(latest_texts(&container)));
    assert_clean(&gateway);
}

#[tokio::test]
async fn the_parents_tokens_stay_valid_on_their_own_ranges_after_a_merge() {
    let (gateway, container) = start(2);
    write(&container, 0..40);
    let reader = Reader::open(&gateway).await;
    let mut plan = reader.read_from_beginning().await;
    let mut read = Vec::new();
    for _ in 0..5 {
        read.extend(reader.page(&mut plan).await.documents);
    }
    let token = plan.to_continuation_token().unwrap();
    let merged = container.merge("0", "1");
    write(&container, 40..60);
    reader
        .driver
        .resolve_all_partition_key_ranges(&reader.container, true)
        .await
        .unwrap();
    let mut resumed = reader.resume(FeedRange::full(), &token).await;
    read.extend(reader.drain(&mut resumed).await);
    assert_eq!(sorted(read), sorted(latest_texts(&container)));
    let log = gateway.request_log();
    assert!(
        log.iter()
            .filter(|record| record.partition.as_deref() == Some(merged.as_str()))
            .all(|record| record.epk_range.is_some() && record.token.is_some()),
        "the merged partition is read by its old halves"
    );
    assert_clean(&gateway);
}

#[tokio::test]
async fn a_standard_gateway_refuses_ranges_narrower_than_their_partition() {
    let gateway = Gateway::start(GatewayOptions {
        epk_sub_ranges: false,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container("db", "coll", "/pk", 1);
    write(&container, 0..10);
    let reader = Reader::open(&gateway).await;
    let middle = "20000000000000000000000000000000".try_into().unwrap();
    let half = FeedRange::new(EffectivePartitionKey::MIN, middle).unwrap();
    let mut plan = reader
        .latest_version(half, ChangeFeedStartFrom::Beginning, None)
        .await;
    let error = reader.try_raw(&mut plan).await.unwrap_err();
    assert_eq!(u16::from(error.status().status_code()), 400);
    let mut plan = reader.read_from_beginning().await;
    assert_eq!(reader.drain(&mut plan).await, latest_texts(&container));
    assert_clean(&gateway);
}

#[tokio::test]
async fn halves_of_a_partition_and_hierarchical_keys_are_read_by_their_hashes() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container("db", "coll", ("/tenant", "/user"), 2);
    for number in 0..30 {
        let (tenant, user) = (format!("t{}", number % 5), number % 3);
        container.upsert(json!({"id": format!("{number}"), "tenant": tenant, "user": user}));
    }
    let reader = Reader::open(&gateway).await;
    let mut read = Vec::new();
    for bounds in ["", "08", "10", "1C", "30", "FF"].windows(2) {
        let scope =
            FeedRange::new(bounds[0].try_into().unwrap(), bounds[1].try_into().unwrap()).unwrap();
        let mut plan = reader
            .latest_version(scope, ChangeFeedStartFrom::Beginning, None)
            .await;
        read.extend(reader.drain(&mut plan).await);
    }
    assert_eq!(sorted(read), sorted(latest_texts(&container)));

    let one_key = FeedRange::for_partition(
        ("t1", 1).into(),
        reader.container.partition_key_definition(),
    );
    let mut plan = reader
        .latest_version(one_key, ChangeFeedStartFrom::Beginning, None)
        .await;
    let expected = ["1", "16"].map(str::to_owned);
    assert_eq!(ids(&reader.drain(&mut plan).await), expected);
    assert_clean(&gateway);
}

#[tokio::test]
async fn a_locked_partition_answers_410_1007_until_it_is_split() {
    let (gateway, container) = start(1);
    write(&container, 0..10);
    let reader = Reader::open(&gateway).await;
    let mut plan = reader.read_from_beginning().await;
    let mut read = reader.page(&mut plan).await.documents;
    container.lock("0", Lock::UntilReleased);
    let error = reader.try_raw(&mut plan).await.unwrap_err();
    assert!(gateway.request_log().iter().any(|r| r.status == Some(410)));
    assert!(!error.to_string().is_empty());
    container.split("0", 2);
    read.extend(reader.drain(&mut plan).await);
    assert_eq!(sorted(read), sorted(latest_texts(&container)));
    container.lock("1", Lock::Requests(2));
    write(&container, 10..20);
    reader.drain(&mut plan).await;
    assert_clean(&gateway);
}

#[tokio::test]
async fn all_versions_and_deletes_shows_every_version_and_refuses_the_past() {
    let gateway = Gateway::start(GatewayOptions {
        previous_images: true,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container("db", "coll", "/pk", 1);
    container.upsert(json!({"id": "a", "pk": "p", "v": 1}));
    let reader = Reader::open(&gateway).await;
    let all = |start| {
        let scope = Some(FeedRange::full());
        CosmosOperation::change_feed_all_versions_and_deletes(reader.container.clone(), scope)
            .with_change_feed_start(start)
    };
    let mut past = reader.plan(all(ChangeFeedStartFrom::Beginning), None).await;
    let error = reader.try_raw(&mut past).await.unwrap_err();
    assert_eq!(u16::from(error.status().status_code()), 400);

    let mut plan = reader.plan(all(ChangeFeedStartFrom::Now), None).await;
    assert_eq!(reader.page(&mut plan).await.status, 304);
    gateway.advance_time(60);
    container.replace(json!({"id": "a", "pk": "p", "v": 2}));
    container.delete("a", "p");
    container.upsert(json!({"id": "a", "pk": "p", "v": 3}));
    container.expire("a", "p");
    let mut items = Vec::new();
    while items.len() < 4 {
        let (status, _, body) = reader.try_raw(&mut plan).await.unwrap();
        assert_eq!(status, 200);
        let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
        items.extend(page["Documents"].as_array().unwrap().clone());
    }
    let seen: Vec<_> = items
        .iter()
        .map(|item| {
            let metadata = &item["metadata"];
            (
                metadata["operationType"].as_str().unwrap(),
                metadata["lsn"].as_u64().unwrap(),
                item["current"]["v"].as_u64(),
                item["previous"]["v"].as_u64(),
                metadata["timeToLiveExpired"].as_bool(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("replace", 2, Some(2), Some(1), None),
            ("delete", 3, None, Some(2), Some(false)),
            ("create", 4, Some(3), None, None),
            ("delete", 5, None, Some(3), Some(true)),
        ]
    );
    assert_eq!(items[1]["metadata"]["partitionKey"], json!(["p"]));
    let operations: Vec<_> = container.changes().iter().map(|c| c.operation).collect();
    assert_eq!(operations[3], Operation::Create);
    assert_eq!(container.latest(), []);
    assert_clean(&gateway);
}

#[tokio::test]
async fn a_document_given_as_text_is_served_byte_for_byte() {
    let (gateway, container) = start(1);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let texts = [
        r#"{"z":1.10,"a":1e400,"id":"1","n":18446744073709551617,"pk":"p"}"#.to_owned(),
        format!(r#"{{"id":"2","pk":"p","deep":{deep}}}"#),
        "{ \"id\" : \"3\",\t\"pk\":\"p\", \"s\":\"\u{2028}\" }".to_owned(),
    ];
    for (number, text) in texts.iter().enumerate() {
        container.raw_as_given(&number.to_string(), "p", text.clone());
    }
    let reader = Reader::open(&gateway).await;
    let mut plan = reader.read_from_beginning().await;
    let (_, _, body) = reader.try_raw(&mut plan).await.unwrap();
    let rid = container.rid();
    let items: Vec<String> = texts
        .iter()
        .zip(1..)
        .map(|(text, lsn)| {
            format!(r#"{{"current":{text},"metadata":{{"lsn":{lsn},"crts":1700000000}}}}"#)
        })
        .collect();
    let expected = format!(
        r#"{{"_rid":"{rid}","Documents":[{}],"_count":3}}"#,
        items.join(",")
    );
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    assert_clean(&gateway);
}

#[tokio::test]
async fn system_fields_are_spliced_without_touching_the_text() {
    let (_gateway, container) = start(1);
    container.raw(vec![RawDocument {
        id: "1".to_owned(),
        partition_key: vec![json!("p")],
        text: r#"{"id":"1","pk":"p","n":1.10 }"#.into(),
        system_fields: SystemFields::Spliced,
    }]);
    let text = latest_texts(&container).remove(0);
    assert!(
        text.starts_with(r#"{"id":"1","pk":"p","n":1.10 ,"_rid":""#),
        "{text}"
    );
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (value["_lsn"].clone(), value["_ts"].clone()),
        (json!(1), json!(1_700_000_000))
    );
}
