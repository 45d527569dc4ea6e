//! A container with many items is kept by the embedded account's host alone, and Microsoft's emulator judges one
//! request at a time: that makes no difference to a client, except in memory.

use std::collections::BTreeMap;
#[cfg(target_os = "linux")]
use std::io::{BufRead, BufReader, Write};
#[cfg(target_os = "linux")]
use std::process::Stdio;

use cosmos_tail::demo::{DemoAccount, DemoOptions};
use serde_json::{Value, json};

use crate::demo_log::{Answer, Client, DOCS};

/// Stands for the current ETag of the item `id-0`, which differs between accounts.
const CURRENT: &str = "the current ETag";

/// A request, the same for several accounts.
struct Sent {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Sent {
    fn new(method: &'static str, path: impl Into<String>, key: &str) -> Self {
        Self {
            method,
            path: path.into(),
            headers: vec![("x-ms-documentdb-partitionkey", format!("[\"{key}\"]"))],
            body: Value::Null,
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn body(mut self, body: Value) -> Self {
        self.body = body;
        self
    }

    fn query(text: &str) -> Self {
        let mut query = Self::new("POST", DOCS, "").body(json!({
            "query": text, "parameters": [{"name": "@one", "value": 1}]
        }));
        query.headers.clear();
        query
            .with("x-ms-documentdb-isquery", "true")
            .with("content-type", "application/query+json")
            .with("x-ms-documentdb-query-enablecrosspartition", "true")
    }

    async fn to(&self, client: &Client<'_>) -> Answer {
        let key = [("x-ms-documentdb-partitionkey", r#"["key-0"]"#)];
        let item = format!("{DOCS}/id-0");
        let mut etag = String::new();
        let wants_etag = self.body.to_string().contains(CURRENT)
            || self.headers.iter().any(|(_, value)| value == CURRENT);
        if wants_etag {
            let current = client.send("GET", &item, &key, Value::Null).await;
            etag = current.header("etag").to_owned();
        }
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    *name,
                    if value == CURRENT {
                        &etag
                    } else {
                        value.as_str()
                    },
                )
            })
            .collect();
        let quoted = json!(etag).to_string();
        let body = self
            .body
            .to_string()
            .replace(&json!(CURRENT).to_string(), &quoted);
        let body = serde_json::from_str(&body).unwrap();
        client.send(self.method, &self.path, &headers, body).await
    }
}

/// The answer without what differs between two accounts: times, ETags, resource ids.
fn comparable(answer: &Answer) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match name.as_str() {
                        "_etag" | "_ts" | "_rid" | "_self" | "eTag" => *value = "…".into(),
                        _ => strip(value),
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut body = answer.body.clone();
    strip(&mut body);
    let headers: BTreeMap<&str, &str> = [
        "lsn",
        "x-ms-session-token",
        "x-ms-item-count",
        "x-ms-item-lsn",
        "x-ms-substatus",
        "x-ms-resource-usage",
        "x-ms-documentdb-partitionkeyrangeid",
    ]
    .into_iter()
    .map(|name| (name, answer.header(name)))
    .collect();
    let has_etag = !answer.header("etag").is_empty();
    json!({"status": answer.status, "body": body, "headers": headers, "etag": has_etag})
}

/// The rows of all pages of a query or list.
async fn pages(client: &Client<'_>, sent: &Sent, page: &str) -> Vec<Value> {
    let (mut rows, mut continuation) = (Vec::new(), String::new());
    loop {
        let mut headers: Vec<(&str, &str)> = sent
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain([("x-ms-max-item-count", page)])
            .collect();
        if !continuation.is_empty() {
            headers.push(("x-ms-continuation", &continuation));
        }
        let answer = client
            .send(sent.method, &sent.path, &headers, sent.body.clone())
            .await;
        assert_eq!(answer.status, 200, "{}: {}", sent.body, answer.body);
        let body = comparable(&answer)["body"].take();
        let of_page = body["Documents"].as_array().unwrap();
        assert!(of_page.len() <= page.parse().unwrap(), "{}", of_page.len());
        assert_eq!(answer.header("x-ms-item-count"), of_page.len().to_string());
        rows.extend(of_page.iter().cloned());
        continuation = answer.header("x-ms-continuation").to_owned();
        if continuation.is_empty() {
            return rows;
        }
    }
}

fn document(id: &str, key: &str, random: &mut fastrand::Rng) -> Value {
    json!({
        "id": id, "customerId": key, "number": random.u8(..20), "float": f64::from(random.u8(..8)) / 2.0,
        "tags": ["a", "é🦆", random.bool()], "nested": {"it's": "\"quoted\" \\"},
    })
}

/// A random request to items, which may be refused.
fn request(random: &mut fastrand::Rng) -> Sent {
    let key = format!("key-{}", random.u8(..4));
    let id = format!("id-{}", random.u8(..8));
    let item = format!("{DOCS}/{id}");
    let sent = match random.u8(..16) {
        0 | 1 => Sent::new("POST", DOCS, &key).body(document(&id, &key, random)),
        2 | 3 => Sent::new("POST", DOCS, &key)
            .with("x-ms-documentdb-is-upsert", "true")
            .body(document(&id, &key, random)),
        4 => Sent::new("PUT", item, &key).body(document(&id, &key, random)),
        5 => Sent::new("PUT", item, &key)
            .with("if-match", CURRENT)
            .body(document(&id, &key, random)),
        6 => {
            let other = format!("id-{}", random.u8(..8));
            Sent::new("PUT", item, &key).body(document(&other, &key, random))
        }
        7 => Sent::new("PATCH", item, &key).body(json!({"operations": [
            {"op": "set", "path": "/patched", "value": [1.0, 2e20]}, {"op": "incr", "path": "/number", "value": 1},
        ]})),
        8 => Sent::new("DELETE", item, &key),
        9 => Sent::new("DELETE", item, &key).with("if-match", CURRENT),
        10 => Sent::new("GET", item, &key),
        11 => Sent::new("GET", item, &key).with("if-none-match", CURRENT),
        // What no account accepts: the wrong key, no id, no JSON object.
        12 => match random.u8(..4) {
            0 => Sent::new("POST", DOCS, "another").body(document(&id, &key, random)),
            1 => Sent::new("POST", DOCS, &key).body(json!({"customerId": key})),
            2 => Sent::new("POST", DOCS, &key).body(json!([1])),
            _ => Sent::new("PATCH", item, &key).body(json!({"operations": [
                {"op": "replace", "path": "/customerId", "value": "moved"},
            ]})),
        },
        _ => {
            let operations: Vec<Value> = (0..random.u8(1..6))
                .map(|_| operation(&key, random))
                .collect();
            Sent::new("POST", DOCS, &key)
                .with("x-ms-cosmos-is-batch-request", "true")
                .with("x-ms-cosmos-batch-atomic", "true")
                .body(operations.into())
        }
    };
    if random.bool() {
        sent.with("prefer", "return=minimal")
    } else {
        sent
    }
}

/// A random operation of a batch.
fn operation(key: &str, random: &mut fastrand::Rng) -> Value {
    let id = format!("id-{}", random.u8(..8));
    let body = document(&id, key, random);
    let mut operation = match random.u8(..10) {
        0 | 1 => json!({"operationType": "Delete", "id": id}),
        2 => json!({"operationType": "Create", "resourceBody": body}),
        3 => json!({"operationType": "Read", "id": id}),
        4 => json!({"operationType": "Replace", "id": id, "resourceBody": body}),
        5 => json!({"operationType": "Patch", "id": id, "resourceBody": {"operations": [
            {"op": "incr", "path": "/number", "value": 1},
        ]}}),
        6 => json!({"operationType": "Patch", "id": id, "resourceBody": {
            "condition": "FROM c WHERE c.number > 9", "operations": [{"op": "remove", "path": "/tags/0"}],
        }}),
        _ => json!({"operationType": "Upsert", "resourceBody": body}),
    };
    if random.u8(..6) == 0 {
        operation["ifMatch"] = CURRENT.into();
    }
    operation
}

const QUERIES: [&str; 22] = [
    "SELECT * FROM c",
    "SELECT * FROM c WHERE c.number >= 10 AND c.id != 'order-000007'",
    "SELECT c.id, c[\"customerId\"] AS who, c.nested FROM c WHERE IS_DEFINED(c.nested)",
    "SELECT VALUE c.id FROM c WHERE c._ts > 0 AND STARTSWITH(c._etag, '\"')",
    "SELECT VALUE t FROM c JOIN t IN c.tags WHERE t != true",
    "SELECT VALUE l.sku FROM l IN c.lines",
    "SELECT r FROM root r WHERE r.number = @one",
    "SELECT TOP 5 * FROM c ORDER BY c.id DESC",
    "SELECT * FROM c ORDER BY c.number",
    "SELECT c.id FROM c ORDER BY c.customer.name ASC OFFSET 3 LIMIT 9",
    "SELECT DISTINCT VALUE c.number FROM c",
    "SELECT VALUE COUNT(1) FROM c",
    "SELECT VALUE COUNT(1) FROM c WHERE c.number < 5",
    "SELECT VALUE COUNT(c.number) FROM c",
    "SELECT VALUE [{\"item\": COUNT(1)}] FROM c",
    "SELECT VALUE COUNT(1) FROM c JOIN t IN c.tags",
    "SELECT COUNT(1) AS n, MAX(c.number) AS m FROM c WHERE c.number > 0",
    "SELECT VALUE SUM(c.number) FROM c",
    "SELECT VALUE MIN(c.id) FROM c WHERE c.customerId = 'nobody'",
    "SELECT c.customerId, COUNT(1) AS n FROM c GROUP BY c.customerId",
    "SELECT VALUE {\"of\": c.customer.address.city, \"n\": ARRAY_LENGTH(c.lines)} FROM c WHERE c.paid = false",
    "SELECT * FROM c WHERE c.id IN ('id-1', 'id-2') -- and no more",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_container_answers_every_request_like_a_small_one() {
    for seed in [1, 2] {
        let options = DemoOptions {
            documents: 300,
            partitions: 2,
            ..DemoOptions::default()
        };
        let small = DemoAccount::start(&options).await.unwrap();
        let of_large = DemoOptions {
            max_emulated: 0,
            ..options
        };
        let large = DemoAccount::start(&of_large).await.unwrap();
        let clients = [Client::new(&small), Client::new(&large)];
        let mut random = fastrand::Rng::with_seed(seed);
        for round in 0..300 {
            let sent = request(&mut random);
            let [small, large] = [&clients[0], &clients[1]];
            let (small, large) = (sent.to(small).await, sent.to(large).await);
            assert_ne!(large.status, 500, "{}", large.body);
            assert_eq!(
                comparable(&small),
                comparable(&large),
                "seed {seed}, round {round}: {} {} {:?} {}",
                sent.method,
                sent.path,
                sent.headers,
                sent.body
            );
        }
        for account in [&small, &large] {
            let partition = account.largest_partition().await.unwrap();
            account.split(partition).await.unwrap();
        }
        let list = Sent::new("GET", DOCS, "key-0");
        let mut lists = vec![list];
        lists.extend(QUERIES.map(Sent::query));
        lists.push(
            Sent::query("SELECT * FROM c").with("x-ms-documentdb-partitionkey", "[\"key-1\"]"),
        );
        lists.push(Sent::query("SELECT * FROM c").with("x-ms-documentdb-partitionkeyrangeid", "1"));
        for sent in lists {
            for page in ["50", "1000"] {
                let small = pages(&clients[0], &sent, page).await;
                let large = pages(&clients[1], &sent, page).await;
                assert!(!small.is_empty() || sent.body.to_string().contains("nobody"));
                assert_eq!(small, large, "seed {seed}: {}", sent.body);
            }
        }
        // What the log shows as latest versions, one has as well as the other.
        let feed = async |client: &Client<'_>| {
            let range = [
                ("x-ms-documentdb-partitionkeyrangeid", "1"),
                ("x-ms-max-item-count", "1000"),
            ];
            comparable(&client.feed(&range).await)
        };
        assert_eq!(feed(&clients[0]).await, feed(&clients[1]).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_becomes_large_without_a_change_to_its_items() {
    let options = DemoOptions {
        documents: 40,
        max_emulated: 50,
        ..DemoOptions::default()
    };
    let account = DemoAccount::start(&options).await.unwrap();
    let client = Client::new(&account);
    let before = client.items().await;
    let query = Sent::query("SELECT * FROM c").with("x-ms-max-item-count", "13");
    let first = query.to(&client).await;
    let key = [("x-ms-documentdb-partitionkey", r#"["k"]"#)];
    for number in 0..30 {
        let document = json!({"id": format!("n{number}"), "customerId": "k"});
        let answer = client.send("POST", DOCS, &key, document).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    let after = client.items().await;
    assert_eq!(after.len(), 70);
    for (name, item) in &before {
        assert_eq!(&after[name], item, "with its ETag, time and resource id");
        let header = format!("[\"{}\"]", name.0);
        let path = format!("{DOCS}/{}", name.1);
        let key = [("x-ms-documentdb-partitionkey", header.as_str())];
        let read = client.send("GET", &path, &key, Value::Null).await;
        assert_eq!((read.status, &read.body), (200, item));
        assert_eq!(read.header("etag"), item["_etag"].as_str().unwrap());
    }
    // A query goes on where its first page ended.
    let mut rows = first.body["Documents"].as_array().unwrap().len();
    let mut continuation = first.header("x-ms-continuation").to_owned();
    while !continuation.is_empty() {
        let next = Sent::query("SELECT * FROM c").with("x-ms-continuation", &continuation);
        let next = next.to(&client).await;
        assert_eq!(next.status, 200, "{}", next.body);
        rows += next.body["Documents"].as_array().unwrap().len();
        continuation = next.header("x-ms-continuation").to_owned();
    }
    assert!((13..=70).contains(&rows), "{rows}");
}

/// The resident memory of a process, in bytes.
#[cfg(target_os = "linux")]
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() << 10
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_thousand_documents_take_little_more_memory_than_their_text() {
    let measure = |documents: &str| {
        let mut command = crate::command::cosmos_tail();
        let mut demo = command
            .args(["demo", "--documents", documents, "--writes-per-second", "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut commands = demo.stdin.take().unwrap();
        // It waits for the last document.
        commands.write_all(b"split\n").unwrap();
        let lines = BufReader::new(demo.stderr.take().unwrap()).lines();
        let is_split = lines
            .map(Result::unwrap)
            .any(|line| line.contains("split partition"));
        assert!(is_split);
        let bytes = resident(demo.id());
        commands.write_all(b"quit\n").unwrap();
        assert!(demo.wait().unwrap().success());
        bytes
    };
    let growth = measure("100000") - measure("0");
    assert!(growth < 200_000_000, "{growth}");
}

#[tokio::test]
async fn a_query_that_is_too_much_for_a_large_container_says_what_helps() {
    let options = DemoOptions {
        documents: 10,
        max_emulated: 0,
        ..DemoOptions::default()
    };
    let account = DemoAccount::start(&options).await.unwrap();
    let client = Client::new(&account);
    let answer = Sent::query("SELECT * FROM c.customer").to(&client).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(
        answer.body["message"]
            .as_str()
            .unwrap()
            .contains("use FROM"),
        "{}",
        answer.body
    );
    let answer = Sent::query("SELECT * FROM c WHERE").to(&client).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    let wrong = Sent::query("SELECT * FROM c").with("x-ms-continuation", "{}");
    assert_eq!(wrong.to(&client).await.status, 400);
}
