//! The embedded account's change feed is served from a log of the host, its items from Microsoft's emulator:
//! the two agree, whatever is written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::Secret;
use azure_core::hmac::hmac_sha256;
use azure_data_cosmos_driver::CosmosDriver;
use azure_data_cosmos_driver::OperationPlan;
use azure_data_cosmos_driver::driver::CosmosDriverRuntimeBuilder;
use azure_data_cosmos_driver::models::{
    AccountReference, ChangeFeedStartFrom, ContainerReference, CosmosOperation, FeedRange,
    ResponseBody,
};
use azure_data_cosmos_driver::options::{DriverOptions, OperationOptions, PlanOptions};
use cosmos_tail::demo::{DemoAccount, DemoOptions};
use serde_json::{Value, json};

/// Nothing here takes longer than this, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const DOCS: &str = "/dbs/shop/colls/orders/docs";

/// A client without any knowledge of its own: it signs requests and returns answers.
pub(crate) struct Client<'a> {
    account: &'a DemoAccount,
    http: reqwest::Client,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl<'a> Client<'a> {
    pub(crate) fn new(account: &'a DemoAccount) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { account, http }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        const DATE: &str = "tue, 24 nov 2026 03:00:00 gmt";
        let names: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (kind, link) = match names.as_slice() {
            [parent @ .., last] if names.len() % 2 == 1 => (*last, parent.join("/")),
            _ => (names[names.len() - 2], names.join("/")),
        };
        let text = format!("{}\n{kind}\n{link}\n{DATE}\n\n", method.to_lowercase());
        let signature = hmac_sha256(&text, &Secret::from(self.account.key().to_owned())).unwrap();
        let url = self.account.endpoint().join(path).unwrap();
        let mut request = self
            .http
            .request(method.parse().unwrap(), url)
            .header("x-ms-date", DATE)
            .header(
                "authorization",
                format!("type=master&ver=1.0&sig={signature}"),
            );
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.unwrap();
        Answer {
            status,
            headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    /// All items, as Microsoft's emulator has them.
    pub(crate) async fn items(&self) -> BTreeMap<(String, String), Value> {
        let headers = [
            ("x-ms-documentdb-isquery", "true"),
            ("content-type", "application/query+json"),
            ("x-ms-documentdb-query-enablecrosspartition", "true"),
            ("x-ms-max-item-count", "10000"),
        ];
        let query = json!({"query": "SELECT * FROM c"});
        let answer = self.send("POST", DOCS, &headers, query).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        by_key(answer.body["Documents"].as_array().unwrap().iter().cloned())
    }

    pub(crate) async fn feed(&self, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("a-im", "Incremental Feed")];
        all.extend(headers);
        self.send("GET", DOCS, &all, Value::Null).await
    }
}

fn key_of(document: &Value) -> (String, String) {
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    (text("customerId"), text("id"))
}

/// The documents by their keys, without `_lsn`, which only the feed has.
fn by_key(documents: impl Iterator<Item = Value>) -> BTreeMap<(String, String), Value> {
    let mut map = BTreeMap::new();
    for mut document in documents {
        document.as_object_mut().unwrap().remove("_lsn");
        let before = map.insert(key_of(&document), document);
        assert_eq!(before, None, "a document came twice");
    }
    map
}

/// The official driver, reading the feed.
struct Reader {
    driver: Arc<CosmosDriver>,
    container: ContainerReference,
}

impl Reader {
    async fn open(account: &DemoAccount) -> Self {
        let runtime = CosmosDriverRuntimeBuilder::new().build().await.unwrap();
        let reference = AccountReference::with_account_key(
            account.endpoint().clone(),
            Secret::from(account.key().to_owned()),
        );
        let driver = runtime
            .create_driver(DriverOptions::builder(reference).build())
            .await
            .unwrap();
        let options = OperationOptions::default();
        let container = driver.resolve_container("shop", "orders", options).await;
        let container = container.unwrap();
        Self { driver, container }
    }

    async fn plan(&self, all_versions: bool) -> OperationPlan {
        let container = self.container.clone();
        let range = Some(FeedRange::full());
        let operation = if all_versions {
            CosmosOperation::change_feed_all_versions_and_deletes(container, range)
                .with_change_feed_start(ChangeFeedStartFrom::Now)
        } else {
            CosmosOperation::change_feed(container, range)
                .with_change_feed_start(ChangeFeedStartFrom::Beginning)
        };
        let (options, plan) = (OperationOptions::default(), PlanOptions::default());
        let planned = self.driver.plan_operation(operation, &options, None, &plan);
        Box::pin(planned).await.unwrap()
    }

    /// Reads until nothing is new in any range.
    async fn drain(&self, plan: &mut OperationPlan) -> Vec<Value> {
        let (mut items, mut idle) = (Vec::new(), 0);
        while idle < 40 {
            let container = Some(self.container.clone());
            let options = OperationOptions::default();
            let page = Box::pin(self.driver.execute_plan(plan, container, options)).await;
            match page.unwrap().unwrap().into_body() {
                ResponseBody::Bytes(page) if !page.is_empty() => {
                    let page: Value = serde_json::from_slice(&page).unwrap();
                    items.extend(page["Documents"].as_array().unwrap().clone());
                    idle = 0;
                }
                _ => idle += 1,
            }
        }
        items
    }
}

/// Makes one random write, which may be refused.
async fn write(client: &Client<'_>, random: &mut fastrand::Rng) {
    let key = format!("key-{}", random.u8(..6));
    let id = format!("id-{}", random.u8(..12));
    let mut document = json!({"id": id, "customerId": key, "value": random.u32(..)});
    if random.u8(..10) == 0 {
        document["ttl"] = json!(1);
    }
    if random.u8(..20) == 0 {
        document["_lsn"] = json!("the document's own");
    }
    let header = format!("[\"{key}\"]");
    let mut headers = vec![("x-ms-documentdb-partitionkey", header.as_str())];
    if random.bool() {
        headers.push(("prefer", "return=minimal"));
    }
    let item = format!("{DOCS}/{id}");
    let answer = match random.u8(..10) {
        0 | 1 => client.send("POST", DOCS, &headers, document).await,
        2 | 3 => {
            headers.push(("x-ms-documentdb-is-upsert", "true"));
            client.send("POST", DOCS, &headers, document).await
        }
        4 => client.send("PUT", &item, &headers, document).await,
        5 => {
            headers.push(("if-match", "\"another\""));
            client.send("PUT", &item, &headers, document).await
        }
        6 => {
            let patch =
                json!({"operations": [{"op": "set", "path": "/patched", "value": [1.0, 2e20]}]});
            client.send("PATCH", &item, &headers, patch).await
        }
        7 => client.send("DELETE", &item, &headers, Value::Null).await,
        _ => {
            headers.push(("x-ms-cosmos-is-batch-request", "true"));
            headers.push(("x-ms-cosmos-batch-atomic", "true"));
            let operations: Vec<Value> = (0..random.u8(1..6))
                .map(|_| {
                    let id = format!("id-{}", random.u8(..12));
                    let body = json!({"id": id, "customerId": key, "value": random.u32(..)});
                    match random.u8(..8) {
                        0 => json!({"operationType": "Delete", "id": id}),
                        1 => json!({"operationType": "Create", "resourceBody": body}),
                        2 => json!({"operationType": "Read", "id": id}),
                        3 => json!({"operationType": "Replace", "id": id, "resourceBody": body}),
                        _ => json!({"operationType": "Upsert", "resourceBody": body}),
                    }
                })
                .collect();
            client.send("POST", DOCS, &headers, operations.into()).await
        }
    };
    let expected = [200, 201, 204, 207, 404, 409, 412];
    assert!(
        expected.contains(&answer.status),
        "{}: {}",
        answer.status,
        answer.body
    );
}

/// Splits or merges at random.
async fn change_topology(account: &DemoAccount, random: &mut fastrand::Rng) {
    let partitions = account.partitions().await.unwrap();
    let index = random.usize(..partitions.len());
    if partitions.len() < 6 && random.bool() {
        account.split(partitions[index].id).await.unwrap();
    } else if let Some(next) = partitions.get(index + 1) {
        account.merge(partitions[index].id, next.id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feeds_of_both_modes_have_what_the_emulator_has_after_random_writes() {
    for seed in [1, 2, 3] {
        let account = DemoAccount::start(&DemoOptions {
            documents: 40,
            partitions: 2,
            previous_images: true,
            ..DemoOptions::default()
        })
        .await
        .unwrap();
        let (client, mut random) = (Client::new(&account), fastrand::Rng::with_seed(seed));
        let expiring = json!({
            "id": "orders", "defaultTtl": -1,
            "partitionKey": {"paths": ["/customerId"], "kind": "Hash", "version": 2}
        });
        let answer = client
            .send("PUT", "/dbs/shop/colls/orders", &[], expiring)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let mut state = client.items().await;
        let reader = Reader::open(&account).await;
        let mut versions = reader.plan(true).await;
        assert_eq!(reader.drain(&mut versions).await, Vec::<Value>::new());

        let mut changes = Vec::new();
        for round in 0..8 {
            for _ in 0..60 {
                write(&client, &mut random).await;
            }
            if round % 2 == 0 {
                changes.extend(reader.drain(&mut versions).await);
            }
            change_topology(&account, &mut random).await;
        }
        // Those with a time to live are all gone after a second.
        let items = tokio::time::timeout(PATIENCE, async {
            loop {
                let items = client.items().await;
                if items.values().all(|item| item["ttl"].is_null()) {
                    break items;
                }
                // Nothing tells that a time to live has passed: the server is asked again.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let items = items.await.unwrap();

        let mut latest = reader.plan(false).await;
        let read = reader.drain(&mut latest).await;
        for item in &read {
            assert_eq!(item["current"]["_lsn"], item["metadata"]["lsn"], "{item}");
        }
        let read = by_key(read.into_iter().map(|mut item| item["current"].take()));
        assert!(read == items, "seed {seed}: the latest versions differ");
        assert_eq!(account.count(None).await.unwrap(), items.len() as u64);

        changes.extend(reader.drain(&mut versions).await);
        let mut expired = 0;
        for change in &mut changes {
            let mut previous = change["previous"].take();
            let mut current = change["current"].take();
            for version in [&mut previous, &mut current] {
                if let Value::Object(fields) = version {
                    fields.remove("_lsn");
                }
            }
            let metadata = &change["metadata"];
            let before = match metadata["operationType"].as_str().unwrap() {
                "delete" => {
                    expired += u32::from(metadata["timeToLiveExpired"] == true);
                    assert_eq!(current, json!({}));
                    let key = metadata["partitionKey"]["customerId"].as_str().unwrap();
                    let id = metadata["id"].as_str().unwrap();
                    state.remove(&(key.to_owned(), id.to_owned()))
                }
                _ => state.insert(key_of(&current), current),
            };
            let is_create = metadata["operationType"] == "create";
            assert_eq!(before.is_none(), is_create, "seed {seed}: {metadata}");
            assert_eq!(
                before.unwrap_or_default(),
                previous,
                "seed {seed}: {metadata}"
            );
            assert_eq!(is_create, metadata["previousImageLSN"].is_null());
        }
        assert!(state == items, "seed {seed}: the replayed versions differ");
        assert!(expired > 0, "nothing expired");
        assert!(changes.len() > 200, "only {} changes", changes.len());
    }
}

#[tokio::test]
async fn positions_have_the_services_form_and_pages_keep_transactions_whole() {
    let account = DemoAccount::start(&DemoOptions {
        documents: 0,
        partitions: 1,
        ..DemoOptions::default()
    })
    .await
    .unwrap();
    let client = Client::new(&account);
    let key = ("x-ms-documentdb-partitionkey", "[\"k\"]");
    let document = |id: &str| json!({"id": id, "customerId": "k"});
    for id in ["a", "b"] {
        let answer = client.send("POST", DOCS, &[key], document(id)).await;
        assert_eq!(answer.status, 201);
        assert_eq!(
            answer.header("x-ms-session-token"),
            format!("0:-1#{}", answer.header("lsn"))
        );
    }
    let batch =
        ["c", "d", "e"].map(|id| json!({"operationType": "Create", "resourceBody": document(id)}));
    let headers = [key, ("x-ms-cosmos-is-batch-request", "true")];
    let answer = client.send("POST", DOCS, &headers, json!(batch)).await;
    assert_eq!((answer.status, answer.header("lsn")), (200, "3"));

    let lsns = |answer: &Answer| -> Vec<u64> {
        let documents = answer.body["Documents"].as_array().unwrap();
        documents
            .iter()
            .map(|document| document["_lsn"].as_u64().unwrap())
            .collect()
    };
    let first = client.feed(&[("x-ms-max-item-count", "1")]).await;
    assert_eq!((first.header("etag"), lsns(&first)), ("\"1\"", vec![1]));
    let two = [("x-ms-max-item-count", "2"), ("if-none-match", "\"1\"")];
    let rest = client.feed(&two).await;
    assert_eq!(
        (rest.header("etag"), lsns(&rest)),
        ("\"3\"", vec![2, 3, 3, 3])
    );
    assert_eq!(rest.header("x-ms-session-token"), "0:-1#3");
    let end = client.feed(&[("if-none-match", "\"3\"")]).await;
    assert_eq!((end.status, end.header("etag")), (304, "\"3\""));

    // All versions start at now or at a continuation.
    let mode = ("a-im", "Full-Fidelity Feed");
    for start in [
        None,
        Some(("if-modified-since", "Sat, 28 Nov 2026 03:00:00 GMT")),
    ] {
        let headers: Vec<_> = [mode].into_iter().chain(start).collect();
        let answer = client.send("GET", DOCS, &headers, Value::Null).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    // A token that is no position, and one on a partition that does not exist.
    let answer = client.feed(&[("if-none-match", "\"x\"")]).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    let other = ("x-ms-documentdb-partitionkeyrangeid", "7");
    let answer = client.feed(&[other]).await;
    assert_eq!(
        (answer.status, answer.header("x-ms-substatus")),
        (410, "1002")
    );
    // Session tokens of the past and of the future.
    for (token, status) in [("0:-1#3", 304), ("0:-1#4", 404), ("0", 400)] {
        let headers = [("if-none-match", "\"3\""), ("x-ms-session-token", token)];
        assert_eq!(client.feed(&headers).await.status, status, "{token}");
    }
}

#[tokio::test]
async fn the_children_of_splits_and_merges_count_on_from_their_parents() {
    let account = DemoAccount::start(&DemoOptions {
        documents: 200,
        partitions: 2,
        ..DemoOptions::default()
    })
    .await
    .unwrap();
    let client = Client::new(&account);
    let lsns = async || -> BTreeMap<u32, u64> {
        let partitions = account.partitions().await.unwrap();
        partitions
            .iter()
            .map(|partition| (partition.id, partition.lsn))
            .collect()
    };
    let before = lsns().await;
    let [lower, upper] = account.split(0).await.unwrap();
    let split = lsns().await;
    assert!(split[&lower] > before[&0] && split[&upper] > before[&0]);
    // A position of the parent holds for the halves, alone and merged again.
    let merged = account.merge(lower, upper).await.unwrap();
    assert!(lsns().await[&merged] > split[&lower].max(split[&upper]));
    let id = merged.to_string();
    let etag = format!("\"{}\"", before[&0]);
    let headers = [
        ("x-ms-documentdb-partitionkeyrangeid", id.as_str()),
        ("if-none-match", etag.as_str()),
        ("x-ms-start-epk", ""),
        ("x-ms-end-epk", "10000000000000000000000000000000"),
        ("x-ms-read-key-type", "EffectivePartitionKeyRange"),
    ];
    let nothing = client.feed(&headers).await;
    assert_eq!(nothing.status, 304, "{}", nothing.body);
    let half = client
        .feed(&[headers[0], headers[2], headers[3], headers[4]])
        .await;
    let whole = client
        .feed(&[headers[0], ("x-ms-max-item-count", "1000")])
        .await;
    let count = |answer: &Answer| answer.body["Documents"].as_array().unwrap().len();
    assert_eq!(count(&whole) as u64, before[&0]);
    assert!(count(&half) > 0 && count(&half) < count(&whole));
}

#[tokio::test]
async fn a_container_made_again_begins_a_new_log() {
    let account = DemoAccount::start(&DemoOptions {
        documents: 30,
        partitions: 1,
        ..DemoOptions::default()
    })
    .await
    .unwrap();
    let client = Client::new(&account);
    let before = client.feed(&[]).await;
    let rid = before.body["_rid"].as_str().unwrap().to_owned();
    let path = "/dbs/shop/colls/orders";
    let deleted = client.send("DELETE", path, &[], Value::Null).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(client.feed(&[]).await.status, 404);
    let properties = json!({
        "id": "orders", "partitionKey": {"paths": ["/customerId"], "kind": "Hash", "version": 2}
    });
    // Without its properties in the answer.
    let minimal = [
        ("prefer", "return=minimal"),
        ("x-ms-offer-throughput", "400"),
    ];
    let made = client
        .send("POST", "/dbs/shop/colls", &minimal, properties)
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let range = ("x-ms-documentdb-partitionkeyrangeid", "0");
    let again = client.feed(&[range]).await;
    assert_eq!((again.status, again.header("etag")), (304, "\"0\""));
    let intended = ("x-ms-cosmos-intended-collection-rid", rid.as_str());
    let refused = client
        .feed(&[range, intended, ("if-none-match", "\"30\"")])
        .await;
    assert_eq!(
        (refused.status, refused.header("x-ms-substatus")),
        (400, "1024")
    );
}

/// A command of the built binary against the account.
fn binary(account: &DemoAccount, arguments: &[&str]) -> std::process::Command {
    let mut command = crate::command::cosmos_tail();
    command
        .env("AZURE_COSMOS_ENDPOINT", account.endpoint().as_str())
        .env("AZURE_COSMOS_KEY", account.key())
        .args(["-d", "shop", "-c", "orders"])
        .args(arguments);
    command
}

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

/// Waits for the clock: a feed starts at a whole second, and nothing else marks it.
async fn wait_until(second: i64) {
    while now() < second {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_from_a_time_has_what_came_after_it_and_nothing_else() {
    let account = DemoAccount::start(&DemoOptions {
        documents: 100,
        ..DemoOptions::default()
    })
    .await
    .unwrap();
    let client = Client::new(&account);
    let started = now();
    wait_until(started + 3).await;
    let key = [("x-ms-documentdb-partitionkey", r#"["new"]"#)];
    let mut expected = Vec::new();
    for number in 0..5 {
        let document = json!({"id": format!("n{number}"), "customerId": "new"});
        assert_eq!(client.send("POST", DOCS, &key, document).await.status, 201);
        expected.push(format!("n{number}"));
    }
    let from = time::OffsetDateTime::from_unix_timestamp(started + 1).unwrap();
    let from = from
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    let ids = |from: &str| -> Vec<String> {
        let arguments = ["tail", "--from", from, "--until-caught-up"];
        let ended = crate::command::succeed(&mut binary(&account, &arguments));
        let values = serde_json::Deserializer::from_str(&ended.stdout).into_iter::<Value>();
        values
            .map(|value| value.unwrap()["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&from), expected);
    // The documents of the start are younger than ten minutes.
    assert_eq!(ids("10m").len(), 105);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_of_all_versions_shows_creates_replaces_deletes_and_expiries() {
    for previous_images in [false, true] {
        let account = DemoAccount::start(&DemoOptions {
            documents: 20,
            previous_images,
            ..DemoOptions::default()
        })
        .await
        .unwrap();
        let client = Client::new(&account);
        let expiring = json!({
            "id": "orders", "defaultTtl": -1,
            "partitionKey": {"paths": ["/customerId"], "kind": "Hash", "version": 2}
        });
        let path = "/dbs/shop/colls/orders";
        assert_eq!(client.send("PUT", path, &[], expiring).await.status, 200);
        let arguments = ["tail", "--mode", "all", "--max", "5"];
        let tailing = crate::tail::Tailing::start(&mut binary(&account, &arguments));
        let key = [("x-ms-documentdb-partitionkey", r#"["k"]"#)];
        let document = |id: &str, value: u32| json!({"id": id, "customerId": "k", "value": value});
        let item = format!("{DOCS}/a");
        let mut short = document("b", 3);
        short["ttl"] = json!(1);
        for (method, path, body) in [
            ("POST", DOCS, document("a", 1)),
            ("PUT", item.as_str(), document("a", 2)),
            ("DELETE", item.as_str(), Value::Null),
            ("POST", DOCS, short),
        ] {
            let answer = client.send(method, path, &key, body).await;
            assert!((200..300).contains(&answer.status), "{}", answer.body);
        }
        let ended = tailing.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let values = serde_json::Deserializer::from_str(&ended.stdout).into_iter::<Value>();
        let seen: Vec<_> = values
            .map(Result::unwrap)
            .map(|change: Value| {
                let metadata = &change["metadata"];
                (
                    metadata["operationType"].as_str().unwrap().to_owned(),
                    change["current"]["value"].as_u64(),
                    change["previous"]["value"].as_u64(),
                    metadata["id"].as_str().map(str::to_owned),
                    metadata["timeToLiveExpired"].as_bool(),
                )
            })
            .collect();
        let of = |operation: &str, current, previous: u64, id: Option<&str>, expired| {
            let previous = (previous_images && previous > 0).then_some(previous);
            (
                operation.to_owned(),
                current,
                previous,
                id.map(str::to_owned),
                expired,
            )
        };
        assert_eq!(
            seen,
            [
                of("create", Some(1), 0, None, None),
                of("replace", Some(2), 1, None, None),
                of("delete", None, 2, Some("a"), Some(false)),
                of("create", Some(3), 0, None, None),
                of("delete", None, 3, Some("b"), Some(true)),
            ]
        );
    }
}

#[tokio::test]
async fn each_operation_of_a_batch_is_a_change_of_all_versions() {
    let account = DemoAccount::start(&DemoOptions {
        documents: 0,
        partitions: 1,
        previous_images: true,
        ..DemoOptions::default()
    })
    .await
    .unwrap();
    let client = Client::new(&account);
    let document = |value: u32| json!({"id": "a", "customerId": "k", "value": value});
    let operations = json!([
        {"operationType": "Create", "resourceBody": document(1)},
        {"operationType": "Replace", "id": "a", "resourceBody": document(2)},
        {"operationType": "Delete", "id": "a"},
    ]);
    let headers = [
        ("x-ms-documentdb-partitionkey", r#"["k"]"#),
        ("x-ms-cosmos-is-batch-request", "true"),
    ];
    let answer = client.send("POST", DOCS, &headers, operations).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let all = [
        ("a-im", "Full-Fidelity Feed"),
        ("if-none-match", "\"0\""),
        ("x-ms-max-item-count", "1"),
    ];
    let answer = client.send("GET", DOCS, &all, Value::Null).await;
    let changes = answer.body["Documents"].as_array().unwrap();
    let seen: Vec<_> = changes
        .iter()
        .map(|change| {
            let metadata = &change["metadata"];
            assert_eq!(metadata["lsn"], 1, "{change}");
            (
                metadata["operationType"].as_str().unwrap(),
                change["current"]["value"].as_u64(),
                change["previous"]["value"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("create", Some(1), None),
            ("replace", Some(2), Some(1)),
            ("delete", None, Some(2)),
        ]
    );
    assert_eq!(answer.header("etag"), "\"1\"");
    assert_eq!(client.feed(&[]).await.status, 304);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_before_the_window_of_all_versions_is_refused_and_others_go_on() {
    let account = DemoAccount::start(&DemoOptions {
        documents: 30,
        partitions: 1,
        max_emulated: 0,
        ..DemoOptions::default()
    })
    .await
    .unwrap();
    let client = Client::new(&account);
    let key = [
        ("x-ms-documentdb-partitionkey", r#"["k"]"#),
        ("x-ms-documentdb-is-upsert", "true"),
        ("prefer", "return=minimal"),
    ];
    let text = "x".repeat(1_900_000);
    // Together more than 128 MiB of earlier versions.
    let writes = 75;
    for value in 0..writes {
        let document = json!({"id": "large", "customerId": "k", "value": value, "text": text});
        let answer = client.send("POST", DOCS, &key, document).await;
        assert!([200, 201].contains(&answer.status), "{}", answer.body);
    }
    let position = async |lsn: u64| {
        let etag = format!("\"{lsn}\"");
        let all = [
            ("a-im", "Full-Fidelity Feed"),
            ("if-none-match", etag.as_str()),
            ("x-ms-max-item-count", "1"),
        ];
        client.send("GET", DOCS, &all, Value::Null).await
    };
    // The documents of the start are no changes: they end at 30.
    for lsn in [0, 29, 30] {
        let before = position(lsn).await;
        assert_eq!(before.status, 400, "{lsn}");
        let message = before.body["message"].as_str().unwrap();
        assert!(message.contains("outside the window"), "{message}");
    }
    let within = position(30 + writes - 5).await;
    assert_eq!(within.status, 200, "{}", within.body);
    let change = &within.body["Documents"][0];
    assert_eq!(change["current"]["value"], writes - 5);
    assert_eq!(position(30 + writes).await.status, 304);
    // The latest versions are all there from the beginning.
    let latest = client.feed(&[("x-ms-max-item-count", "100")]).await;
    assert_eq!(latest.body["_count"], 31);
    assert_eq!(latest.body["Documents"][30]["value"], writes - 1);
}
