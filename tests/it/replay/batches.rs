//! Documents of one partition key are written in batches. Whatever happens to a batch, each document is
//! written once, in its order.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::{DATABASE, assert_same, connect_options, succeed};
use crate::gateway::{Action, Fault, GatewayOptions, Operation, RequestKind};

const KEYS: usize = 4;

fn target() -> (Gateway, Container, tempfile::TempDir) {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    (gateway, copy, tempfile::tempdir().unwrap())
}

fn line(item: usize, version: usize) -> String {
    json!({"id": format!("item-{item}"), "pk": format!("key-{}", item % KEYS), "version": version})
        .to_string()
}

/// The number of documents of each write request that wrote any.
fn sizes(gateway: &Gateway) -> Vec<usize> {
    let mut together: BTreeMap<(String, u64), usize> = BTreeMap::new();
    let copy = gateway.container(DATABASE, COPY).unwrap();
    for change in copy.changes() {
        *together.entry((change.partition, change.lsn)).or_default() += 1;
    }
    together.into_values().collect()
}

fn batches(gateway: &Gateway) -> usize {
    let log = gateway.request_log();
    log.iter().filter(|record| record.is_batch).count()
}

#[test]
fn documents_of_few_keys_need_few_requests() {
    let (gateway, copy, directory) = target();
    let source = directory.path().join("a.jsonl");
    let lines: Vec<String> = (0..2000).map(|item| line(item, 0)).collect();
    write_lines(&source, &lines);
    // So that the source is read faster than it is written, also on a machine that is busy.
    let slowly = Action::Delay(Duration::from_millis(100));
    gateway.push_fault(Fault::on(RequestKind::ItemWrite, slowly).always());
    let told = summary(&succeed(
        replay(&gateway, &source).args(["--summary", "json"]),
    ));
    gateway.clear_faults();
    assert_eq!(
        (&told["created"], &told["replaced"], &told["changes"]),
        (&json!(2000), &json!(0), &json!(2000))
    );
    let expected: Vec<Vec<u8>> = lines.iter().map(|line| line.clone().into_bytes()).collect();
    assert_same(&content(&copy), &expected);
    let requests = gateway.requests(RequestKind::ItemWrite);
    // A batch has at most a hundred, and the first document of a key is sent at once.
    assert!((20..200).contains(&requests), "{requests} requests");
    assert_eq!(sizes(&gateway).into_iter().max(), Some(100));
    let order: Vec<usize> = gateway
        .write_log()
        .iter()
        .filter(|write| write.partition_key == r#"["key-1"]"#)
        .map(|write| write.id["item-".len()..].parse().unwrap())
        .collect();
    assert!(order.is_sorted(), "{order:?}");

    // As many as there were, and another half; some are new.
    let lines: Vec<String> = (1000..3000).map(|item| line(item, 1)).collect();
    write_lines(&source, &lines);
    let told = summary(&succeed(replay(&gateway, &source).args([
        "--batch-size",
        "7",
        "--summary",
        "json",
    ])));
    assert_eq!(
        (&told["created"], &told["replaced"]),
        (&json!(1000), &json!(1000))
    );
    let before = batches(&gateway);
    assert!(before > 2000 / 7, "{before} batches");
    succeed(replay(&gateway, &source).args(["--batch-size", "1"]));
    assert_eq!(batches(&gateway), before);
    assert_no_violations(&gateway);
}

#[test]
fn every_version_of_an_item_is_a_separate_change_in_the_target() {
    let (gateway, copy, directory) = target();
    let source = directory.path().join("a.jsonl");
    // Of a few items that change all the time, among many of the same keys that do not.
    let steps: Vec<(usize, usize)> = (0..1500)
        .map(|step| match step % 3 {
            0 => (step % 8, step),
            _ => (1000 + step, 0),
        })
        .collect();
    write_lines(
        &source,
        steps.iter().map(|&(item, version)| line(item, version)),
    );
    succeed(&mut replay(&gateway, &source));
    assert!(batches(&gateway) > 0);
    let mut of_transactions: BTreeMap<(String, u64), HashSet<String>> = BTreeMap::new();
    let changes = copy.changes();
    assert_eq!(changes.len(), steps.len());
    for change in changes {
        let ids = of_transactions
            .entry((change.partition, change.lsn))
            .or_default();
        assert!(ids.insert(change.id.clone()), "{} twice at once", change.id);
    }
    for item in 0..8 {
        let versions: Vec<usize> = writes_of(&gateway.write_log(), &format!("item-{item}"))
            .iter()
            .map(|write| {
                let body: Value = serde_json::from_slice(&write.body).unwrap();
                body["version"].as_u64().unwrap() as usize
            })
            .collect();
        let expected = steps.iter().filter(|step| step.0 == item);
        assert_eq!(versions, expected.map(|step| step.1).collect::<Vec<_>>());
    }
    assert_no_violations(&gateway);
}

#[test]
fn deletions_keep_their_order_between_batches() {
    let (gateway, copy, directory) = target();
    let source = directory.path().join("a.jsonl");
    let deletion = |item: usize| {
        json!({"metadata": {"operationType": "delete", "id": format!("item-{item}"),
            "partitionKey": {"pk": format!("key-{}", item % KEYS)}}})
        .to_string()
    };
    // A hundred items, half of them deleted, a quarter there again.
    let lines = (0..100)
        .map(|item| line(item, 0))
        .chain((0..50).map(deletion))
        .chain((0..25).map(|item| line(item, 1)));
    write_changes(&source, lines);
    let mut command = replay(&gateway, &source);
    command.args(["--input", "changes", "--summary", "json"]);
    let told = summary(&succeed(&mut command));
    assert_eq!(
        (&told["created"], &told["deleted"], &told["replaced"]),
        (&json!(125), &json!(50), &json!(0)),
        "{told}"
    );
    let expected: Vec<Vec<u8>> = (0..25)
        .map(|item| line(item, 1))
        .chain((50..100).map(|item| line(item, 0)))
        .map(String::into_bytes)
        .collect();
    assert_same(&content(&copy), &expected);
    let log = gateway.write_log();
    let deletes = log
        .iter()
        .filter(|w| matches!(w.operation, Operation::Delete));
    assert_eq!(deletes.count(), 50);
    assert_no_violations(&gateway);
}

#[test]
fn a_batch_that_is_too_large_is_cut_down() {
    let (gateway, copy, directory) = target();
    let source = directory.path().join("a.jsonl");
    write_lines(&source, (0..800).map(|item| line(item, 0)));
    let too_large = Action::Refuse {
        status: 413,
        message: "Request size is too large",
    };
    // So that the source is read faster than it is written, also on a machine that is busy.
    let slowly = Action::Delay(Duration::from_millis(100));
    gateway.push_fault(Fault::on(RequestKind::ItemWrite, slowly).always());
    let fault = Fault::on(RequestKind::ItemWrite, too_large);
    gateway.push_fault(fault.when(|record| record.is_batch).times(8));
    succeed(&mut replay(&gateway, &source));
    assert_eq!(copy.latest().len(), 800);
    // Not one by one.
    let requests = gateway.requests(RequestKind::ItemWrite);
    assert!(requests < 200, "{requests} requests");
    assert_no_violations(&gateway);
}

#[test]
fn a_refused_document_does_not_hold_up_its_batch() {
    let (gateway, copy, directory) = target();
    let (source, letters) = (
        directory.path().join("a.jsonl"),
        directory.path().join("dead"),
    );
    write_lines(&source, (0..600).map(|item| line(item, 0)));
    let refused = ["item-123", "item-127", "item-400"];
    for (id, status) in refused.iter().zip([413, 409, 400]) {
        copy.refuse(id, status);
    }
    let mut command = replay(&gateway, &source);
    command.args(["--summary", "json", "--dead-letter"]);
    let told = summary(&refuse(
        command.arg(&letters),
        1,
        &["3 changes cannot be applied", "The document is refused"],
    ));
    assert_eq!(
        (&told["created"], &told["refused"]),
        (&json!(597), &json!(3)),
        "{told}"
    );
    assert_eq!(gateway.write_log().len(), 597);
    let mut ids: Vec<String> = dead_letters(&letters)
        .iter()
        .map(|letter| letter["current"]["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    assert_eq!(ids, refused);
    copy.refuse_nothing();
    succeed(&mut replay(&gateway, &letters));
    assert_eq!(copy.latest().len(), 600);
    assert_no_violations(&gateway);
}

#[test]
fn a_service_that_refuses_batches_gets_single_writes() {
    for (action, told_as) in [
        // Never within the throughput of a second.
        (Action::throttle(1), "throttled"),
        // Refused.
        (Action::status(400, 0), "changes"),
        // Accepted, but with an unusable answer.
        (Action::ReplaceBody("{}".into()), "changes"),
    ] {
        let (gateway, copy, directory) = target();
        let source = directory.path().join("a.jsonl");
        let lines: Vec<String> = (0..300).map(|item| line(item, 0)).collect();
        write_lines(&source, &lines);
        gateway.push_fault(
            Fault::on(RequestKind::ItemWrite, action.clone())
                .when(|record| record.is_batch)
                .always(),
        );
        let told = summary(&succeed(
            replay(&gateway, &source).args(["--summary", "json"]),
        ));
        assert_eq!(told["changes"], 300, "{action:?}");
        assert!(told[told_as].as_u64().unwrap() > 0, "{told}");
        assert!(batches(&gateway) > 0);
        let expected: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).collect();
        assert_same(&content(&copy), &expected);
        assert_no_violations(&gateway);
    }
}

#[test]
fn large_documents_are_split_into_batches() {
    let (gateway, copy, directory) = target();
    let source = directory.path().join("a.jsonl");
    // 60 MB in total, in documents from empty to half the size of a batch.
    let lines: Vec<String> = (0..240)
        .map(|item| {
            json!({"id": format!("item-{item}"), "pk": "p", "text": "x".repeat(item * 2_200)})
                .to_string()
        })
        .collect();
    write_lines(&source, &lines);
    succeed(&mut replay(&gateway, &source));
    let expected: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).collect();
    assert_same(&content(&copy), &expected);
    assert!(batches(&gateway) > 10);
    let answered = gateway.request_log();
    assert!(answered.iter().all(|record| record.status != Some(413)));
    assert_no_violations(&gateway);
}

/// The results of batches that the service accepts, and of one that it refuses.
async fn story(
    endpoint: &str,
    key: &str,
    database: &str,
    container: &str,
    path: &str,
) -> Vec<String> {
    use cosmos_tail::cosmos::client::CosmosClient;
    use cosmos_tail::cosmos::items::ItemOutcome;
    let options = connect_options([endpoint, key, database, container]);
    let client = CosmosClient::connect(&options).await.unwrap();
    let of =
        |id: &str, key: &str| format!(r#"{{"id":"{id}","{path}":"{key}","n":1.50}}"#).into_bytes();
    let (a, b, c) = (of("a", "p"), of("b", "p"), of("c", "p"));
    let (other, broken) = (of("d", "q"), b"{\"id\":\"e\"".to_vec());
    let mut outcomes = Vec::new();
    for documents in [
        vec![&a, &b],
        vec![&b, &c],
        vec![&c],
        vec![&a, &other],
        vec![&a, &broken],
    ] {
        let documents: Vec<&[u8]> = documents.into_iter().map(Vec::as_slice).collect();
        let key = azure_data_cosmos_driver::models::PartitionKey::from("p");
        let answer = client.upsert_together(&key, &documents).await;
        assert!(answer.request_charge >= 0.0);
        outcomes.push(match answer.outcome {
            ItemOutcome::Refused(_) => "refused".to_owned(),
            other => format!("{other:?}"),
        });
    }
    outcomes
}

#[cfg(feature = "demo")]
#[tokio::test]
async fn the_emulator_takes_and_refuses_the_same_batches() {
    use cosmos_tail::demo::{DemoAccount, DemoOptions};
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let ours = story(
        &gateway.endpoint(),
        crate::gateway::KEY,
        DATABASE,
        COPY,
        "pk",
    )
    .await;
    let options = DemoOptions {
        documents: 0,
        ..DemoOptions::default()
    };
    let account = DemoAccount::start(&options).await.unwrap();
    let theirs = story(
        account.endpoint().as_str(),
        account.key(),
        DemoAccount::DATABASE,
        DemoAccount::COPY,
        "customerId",
    )
    .await;
    assert_eq!(ours, theirs);
    assert_eq!(
        ours,
        [
            "WrittenTogether([true, true])",
            "WrittenTogether([false, true])",
            "WrittenTogether([false])",
            "refused",
            "refused"
        ]
    );
    assert_eq!(copy.latest().len(), 3);
}
