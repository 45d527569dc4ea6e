//! What the official clients of other languages ask of the embedded account, beyond what ours does.

use cosmos_tail::demo::DemoAccount;
use serde_json::{Value, json};

use crate::demo::{exchange, options};
use crate::demo_log::{Client, DOCS};

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(prefix.as_str()))
    }
}

/// Sends a request whose signature is for a resource of a type, with headers of a line each.
async fn send(
    account: &DemoAccount,
    [method, path]: [&str; 2],
    [resource_type, link]: [&str; 2],
    headers: &str,
    body: &Value,
) -> Answer {
    let head: String = headers
        .lines()
        .map(|line| format!("{}\r\n", line.trim_start()))
        .collect();
    let request = format!("{method} {path} HTTP/1.1\r\n{head}");
    let signed = format!("{}\n{resource_type}\n{link}", method.to_lowercase());
    let body = match body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    let answer = exchange(account, &request, &signed, &body).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: serde_json::from_str(body).unwrap_or_default(),
    }
}

/// Reads a resource by its path by names.
async fn read(account: &DemoAccount, path: &str) -> Answer {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let signed = if segments.len().is_multiple_of(2) {
        [segments[segments.len() - 2], &segments.join("/")]
    } else {
        let parent = &segments[..segments.len() - 1];
        [segments[segments.len() - 1], &parent.join("/")]
    };
    send(account, ["GET", path], signed, "", &Value::Null).await
}

/// The resource ids of the database and the container of the demo.
async fn rids(account: &DemoAccount) -> (String, String) {
    let rid = |answer: Answer| answer.body["_rid"].as_str().unwrap().to_owned();
    (
        rid(read(account, "/dbs/shop").await),
        rid(read(account, "/dbs/shop/colls/orders").await),
    )
}

const ITEM: &str = r#"x-ms-documentdb-partitionkey: ["a"]"#;

#[tokio::test]
async fn everything_is_addressed_by_resource_id_as_by_name() {
    let account = DemoAccount::start(&options(20, 2)).await.unwrap();
    let (database, container) = rids(&account).await;
    let (db, coll) = (
        format!("/dbs/{database}"),
        format!("/dbs/{database}/colls/{container}"),
    );
    let [database, container] = [database.to_lowercase(), container.to_lowercase()];
    for (by_rid, by_name, signed) in [
        (db.clone(), "/dbs/shop", ["dbs", &database]),
        (
            format!("{db}/colls"),
            "/dbs/shop/colls",
            ["colls", &database],
        ),
        (
            coll.clone(),
            "/dbs/shop/colls/orders",
            ["colls", &container],
        ),
        (
            format!("{coll}/pkranges"),
            "/dbs/shop/colls/orders/pkranges",
            ["pkranges", &container],
        ),
        (
            format!("{coll}/docs"),
            "/dbs/shop/colls/orders/docs",
            ["docs", &container],
        ),
    ] {
        let expected = read(&account, by_name).await;
        assert_eq!(expected.status, 200, "{by_name}");
        let encoded = by_rid.replace('=', "%3D");
        for path in [format!("{by_rid}/"), encoded, by_rid] {
            let answer = send(&account, ["GET", &path], signed, "", &Value::Null).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.head);
            assert_eq!(answer.body, expected.body, "{path}");
            for header in ["x-ms-alt-content-path", "x-ms-content-path"] {
                assert_eq!(answer.header(header), expected.header(header), "{path}");
            }
            // A signature for another resource, or another type, is none.
            for wrong in [[signed[0], "aaaaa4aaaae="], ["users", signed[1]]] {
                let answer = send(&account, ["GET", &path], wrong, "", &Value::Null).await;
                assert_eq!(answer.status, 401, "{path} {wrong:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_item_is_changed_by_its_resource_id() {
    let account = DemoAccount::start(&options(0, 2)).await.unwrap();
    let (_, container) = rids(&account).await;
    let docs = "/dbs/shop/colls/orders/docs";
    let signed = ["docs", "dbs/shop/colls/orders"];
    let item = json!({ "id": "one", "customerId": "a", "number": 1 });
    let created = send(&account, ["POST", docs], signed, ITEM, &item).await;
    assert_eq!(created.status, 201, "{}", created.head);
    let rid = created.body["_rid"].as_str().unwrap().to_lowercase();
    let link = created.body["_self"].as_str().unwrap();
    let path = format!("/{link}");
    let signed = ["docs", rid.as_str()];

    let found = send(&account, ["GET", &path], signed, ITEM, &Value::Null).await;
    assert_eq!((found.status, &found.body["id"]), (200, &json!("one")));
    assert_eq!(
        found.header("x-ms-alt-content-path"),
        Some("dbs/shop/colls/orders")
    );
    assert_eq!(found.header("x-ms-content-path"), Some(container.as_str()));
    let item = json!({ "id": "one", "customerId": "a", "number": 2 });
    let replaced = send(&account, ["PUT", &path], signed, ITEM, &item).await;
    assert_eq!(
        (replaced.status, &replaced.body["number"]),
        (200, &json!(2))
    );
    // The operations of a patch may come alone, or in an object.
    let operations = json!([{ "op": "incr", "path": "/number", "value": 5 }]);
    for body in [operations.clone(), json!({ "operations": operations })] {
        let patched = send(&account, ["PATCH", &path], signed, ITEM, &body).await;
        assert_eq!(patched.status, 200, "{}", patched.body);
    }
    let deleted = send(&account, ["DELETE", &path], signed, ITEM, &Value::Null).await;
    assert_eq!(deleted.status, 204, "{}", deleted.head);
    let gone = send(&account, ["GET", &path], signed, ITEM, &Value::Null).await;
    assert_eq!(gone.status, 404, "{}", gone.head);
}

#[tokio::test]
async fn the_resource_id_of_a_deleted_container_is_not_found() {
    let account = DemoAccount::start(&options(5, 1)).await.unwrap();
    let (database, container) = rids(&account).await;
    let path = format!("/dbs/{database}/colls/{container}");
    let lower = container.to_lowercase();
    let signed = ["colls", "dbs/shop/colls/orders"];
    let by_name = "/dbs/shop/colls/orders";
    let answer = send(&account, ["DELETE", by_name], signed, "", &Value::Null).await;
    assert_eq!(answer.status, 204);
    // One of the same name is another container.
    let again = json!({ "id": "orders", "partitionKey": { "paths": ["/customerId"] } });
    let signed = ["colls", "dbs/shop"];
    let answer = send(&account, ["POST", "/dbs/shop/colls"], signed, "", &again).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    for (path, signed) in [
        (path.clone(), ["colls", lower.as_str()]),
        (format!("{path}/pkranges"), ["pkranges", &lower]),
        (format!("{path}/docs"), ["docs", &lower]),
        ("/dbs/AAAAfw==".to_owned(), ["dbs", "aaaafw=="]),
    ] {
        let answer = send(&account, ["GET", &path], signed, "", &Value::Null).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.head);
        let wrong = [signed[0], "shop"];
        let answer = send(&account, ["GET", &path], wrong, "", &Value::Null).await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.head);
    }
    // A request for a partition of the deleted container tells the client to look the name up.
    for (range, expected) in [(format!("{container},0"), 410), ("0".to_owned(), 200)] {
        let header = format!("x-ms-documentdb-partitionkeyrangeid: {range}");
        let request = ["GET", "/dbs/shop/colls/orders/docs"];
        let signed = ["docs", "dbs/shop/colls/orders"];
        let answer = send(&account, request, signed, &header, &Value::Null).await;
        assert_eq!(answer.status, expected, "{range}: {}", answer.head);
        let substatus = answer.header("x-ms-substatus");
        assert_eq!(substatus, (expected == 410).then_some("1000"), "{range}");
    }
}

#[tokio::test]
async fn a_name_of_any_form_is_a_name() {
    let account = DemoAccount::start(&options(0, 1)).await.unwrap();
    let (database, _) = rids(&account).await;
    let long = "ü".repeat(127) + "x";
    // The last is the resource id of another database.
    for name in [
        "with space",
        "a+b%c",
        "ключ 🦆",
        &long,
        "orders==",
        &database,
    ] {
        let encoded: String =
            percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
                .collect();
        let signed = ["dbs", ""];
        let body = json!({ "id": name });
        let answer = send(&account, ["POST", "/dbs"], signed, "", &body).await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.body);
        let link = format!("dbs/{name}");
        let path = format!("/dbs/{encoded}/colls");
        let body = json!({ "id": name, "partitionKey": { "paths": ["/p"] } });
        let answer = send(&account, ["POST", &path], ["colls", &link], "", &body).await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.body);
        let owner = answer.header("x-ms-alt-content-path").unwrap();
        let owner = percent_encoding::percent_decode_str(owner)
            .decode_utf8()
            .unwrap();
        assert_eq!(owner, link);

        let path = format!("/dbs/{encoded}/colls/{encoded}/pkranges//");
        let signed = ["pkranges", &format!("dbs/{name}/colls/{name}")];
        let answer = send(&account, ["GET", &path], signed, "", &Value::Null).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.head);
    }
}

#[tokio::test]
async fn offers_have_resource_ids_and_are_found_by_their_containers() {
    let account = DemoAccount::start(&options(0, 1)).await.unwrap();
    let body = json!({ "id": "paid", "partitionKey": { "paths": ["/p"] } });
    let headers = "x-ms-offer-throughput: 4000";
    let request = ["POST", "/dbs/shop/colls"];
    let created = send(&account, request, ["colls", "dbs/shop"], headers, &body).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let (rid, link) = (&created.body["_rid"], &created.body["_self"]);

    let headers = "x-ms-documentdb-isquery: True\r\ncontent-type: application/query+json";
    let mut found = Vec::new();
    for query in [
        json!({ "query": format!("SELECT * FROM root WHERE root.resource = {link}") }),
        json!({ "query": "SELECT * FROM root WHERE root.resource = @a",
            "parameters": [{ "name": "@a", "value": link }] }),
        json!({ "query": format!("SELECT * FROM c WHERE c.offerResourceId = {rid}") }),
    ] {
        let answer = send(
            &account,
            ["POST", "/offers"],
            ["offers", ""],
            headers,
            &query,
        )
        .await;
        assert_eq!(answer.body["_count"], 1, "{query}: {}", answer.body);
        found.push(answer.body["Offers"][0].clone());
    }
    let offer = &found[0];
    assert!(found.iter().all(|other| other == offer));
    assert_eq!((&offer["resource"], &offer["offerResourceId"]), (link, rid));
    assert_eq!(offer["content"]["offerThroughput"], 4_000);
    let id = offer["_rid"].as_str().unwrap();
    assert_eq!((id.len(), &offer["id"]), (4, &json!(id)));
    assert_eq!(offer["_self"], format!("offers/{id}/"));

    let mut replaced = offer.clone();
    replaced["content"]["offerThroughput"] = json!(5_000);
    let path = format!("/offers/{id}");
    let signed = ["offers", &id.to_lowercase()];
    let answer = send(&account, ["PUT", &path], signed, "", &replaced).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = send(&account, ["GET", &path], signed, "", &Value::Null).await;
    assert_eq!(answer.body["content"]["offerThroughput"], 5_000);
    assert_eq!(answer.body["_rid"], id);
}

#[tokio::test]
async fn queries_have_strings_in_either_quotation_marks_and_empty_headers() {
    let account = DemoAccount::start(&options(0, 1)).await.unwrap();
    let docs = "/dbs/shop/colls/orders/docs";
    let signed = ["docs", "dbs/shop/colls/orders"];
    let item = json!({ "id": "it's \\ \"x\"", "customerId": "a" });
    let answer = send(&account, ["POST", docs], signed, ITEM, &item).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let headers = "x-ms-documentdb-isquery: True\r\ncontent-type: application/query+json\r\n\
        x-ms-continuation: \r\nx-ms-documentdb-query-enablecrosspartition: True";
    for text in [
        r#"SELECT * FROM c WHERE c["customerId"] = "a""#,
        r#"SELECT * FROM c WHERE c['id'] = 'it\'s \\ "x"'"#,
        r#"SELECT * FROM c WHERE c.id = "it's \\ \"x\"""#,
    ] {
        let query = json!({ "query": text });
        let answer = send(&account, ["POST", docs], signed, headers, &query).await;
        assert_eq!(answer.status, 200, "{text}: {}", answer.body);
        assert_eq!(answer.body["Documents"][0]["id"], item["id"], "{text}");
    }
}

#[tokio::test]
async fn each_operation_of_a_bulk_request_succeeds_or_fails_on_its_own() {
    let account = DemoAccount::start(&options(0, 1)).await.unwrap();
    let docs = "/dbs/shop/colls/orders/docs";
    let signed = ["docs", "dbs/shop/colls/orders"];
    let item = |id: &str, key: &str| json!({ "id": id, "customerId": key });
    let put = |operation: &str, id: &str, key: &str| {
        json!({ "operationType": operation, "partitionKey": json!([key]).to_string(),
            "resourceBody": item(id, key) })
    };
    let on = |operation: &str, id: &str, key: &str, body: Value| {
        json!({ "operationType": operation, "id": id, "resourceBody": body,
            "partitionKey": json!([key]).to_string() })
    };
    let operations = json!([
        put("Create", "1", "a"),
        put("Create", "1", "b"),
        put("Create", "1", "a"),
        put("Upsert", "1", "b"),
        on("Patch", "1", "a", json!([{ "op": "set", "path": "/x", "value": 7 }])),
        on("Replace", "2", "a", item("2", "a")),
        on("Read", "1", "a", Value::Null),
        on("Delete", "1", "b", Value::Null),
        on("Delete", "1", "b", Value::Null),
        on("Move", "1", "b", Value::Null),
        { "operationType": "Delete", "partitionKey": "[\"a\"]" },
    ]);
    let headers = |range: &str, continues: &str| {
        format!(
            "x-ms-cosmos-is-batch-request: True\r\nx-ms-cosmos-batch-atomic: False\r\n\
             x-ms-cosmos-batch-continue-on-error: {continues}\r\n\
             x-ms-documentdb-partitionkeyrangeid: {range}"
        )
    };
    let bulk = headers("0", "True");
    let answer = send(&account, ["POST", docs], signed, &bulk, &operations).await;
    assert_eq!(answer.status, 207, "{}", answer.body);
    assert!(
        answer.header("x-ms-session-token").is_some(),
        "{}",
        answer.head
    );
    let codes = |body: &Value| -> Vec<u64> {
        let results = body.as_array().unwrap().iter();
        results
            .map(|result| result["statusCode"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(
        codes(&answer.body),
        [201, 201, 409, 200, 200, 404, 200, 204, 404, 400, 400]
    );
    assert_eq!(answer.body[6]["resourceBody"]["x"], 7);
    assert_eq!(
        answer.body[6]["eTag"],
        answer.body[6]["resourceBody"]["_etag"]
    );

    let stops = headers("0", "False");
    let operations = json!([
        put("Create", "3", "a"),
        put("Create", "3", "a"),
        put("Create", "4", "a")
    ]);
    let answer = send(&account, ["POST", docs], signed, &stops, &operations).await;
    assert_eq!(codes(&answer.body), [201, 409, 424]);
    let operations = json!([put("Create", "5", "a")]);
    let answer = send(&account, ["POST", docs], signed, &bulk, &operations).await;
    assert_eq!((answer.status, codes(&answer.body)), (200, vec![201]));

    // A partition that was split, a body that is no list, and one that is too long.
    account.split(0).await.unwrap();
    let answer = send(&account, ["POST", docs], signed, &bulk, &operations).await;
    assert_eq!(answer.status, 410, "{}", answer.body);
    assert_eq!(answer.header("x-ms-substatus"), Some("1002"));
    let bulk = headers("1", "True");
    for body in [json!({}), json!(vec![put("Create", "6", "a"); 101])] {
        let answer = send(&account, ["POST", docs], signed, &bulk, &body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    assert_eq!(account.count(None).await.unwrap(), 3);
}

#[tokio::test]
async fn an_aggregate_has_a_query_for_each_partition_as_clients_expect() {
    let account = DemoAccount::start(&options(60, 3)).await.unwrap();
    let client = Client::new(&account);
    let query = |text: &str| json!({"query": text, "parameters": []});
    let plan = async |text: &str| {
        let headers = [
            ("x-ms-cosmos-is-query-plan-request", "True"),
            ("content-type", "application/query+json"),
        ];
        let answer = client.send("POST", DOCS, &headers, query(text)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let plan = &answer.body["queryInfo"];
        (plan["rewrittenQuery"].clone(), plan["aggregates"].clone())
    };
    let (count, aggregates) =
        plan("SELECT VALUE COUNT(1) FROM c WHERE c[\"id\"] != \"it's\"").await;
    assert_eq!(aggregates, json!(["Count"]));
    assert_eq!(
        count,
        "SELECT VALUE [{\"item\": COUNT(1)}] FROM c WHERE c[\"id\"] != \"it's\""
    );
    assert_eq!(
        plan("select value avg(c.total) from c").await,
        (
            json!(
                "SELECT VALUE [{\"item\": {\"sum\": SUM(c.total), \"count\": COUNT(c.total)}}] FROM c"
            ),
            json!(["Average"])
        )
    );
    let mut total = 0;
    for id in ["0", "1", "2"] {
        let headers = [
            ("x-ms-documentdb-isquery", "True"),
            ("content-type", "application/query+json"),
            ("x-ms-documentdb-partitionkeyrangeid", id),
        ];
        let body = query(count.as_str().unwrap());
        let answer = client.send("POST", DOCS, &headers, body).await;
        total += answer.body["Documents"][0][0]["item"].as_u64().unwrap();
    }
    assert_eq!(total, 60);
}

#[tokio::test]
async fn patches_in_a_batch_are_made_in_their_turn_or_not_at_all() {
    let account = DemoAccount::start(&options(0, 1)).await.unwrap();
    let client = Client::new(&account);
    let document = |id: &str| json!({"id": id, "customerId": "k", "number": 1});
    let create = |id: &str| json!({"operationType": "Create", "resourceBody": document(id)});
    let patch =
        |id: &str, body: Value| json!({"operationType": "Patch", "id": id, "resourceBody": body});
    let add = |value: u32| json!([{"op": "incr", "path": "/number", "value": value}]);
    let send = async |operations: Value| {
        let headers = [
            ("x-ms-documentdb-partitionkey", "[\"k\"]"),
            ("x-ms-cosmos-is-batch-request", "True"),
            ("x-ms-cosmos-batch-atomic", "True"),
        ];
        let answer = client.send("POST", DOCS, &headers, operations).await;
        let results = answer.body.as_array().unwrap().clone();
        let statuses: Vec<u64> = results
            .iter()
            .map(|result| result["statusCode"].as_u64().unwrap())
            .collect();
        (statuses, results)
    };
    let of = |operations: Value| json!({"operations": operations});
    let (statuses, results) = send(json!([
        create("a"),
        patch("a", of(add(2))),
        // Operations alone, as the JavaScript client sends them.
        patch("a", add(3)),
    ]))
    .await;
    assert_eq!(statuses, [201, 200, 200], "{results:?}");
    assert_eq!(results[1]["resourceBody"]["number"], 3);
    assert_eq!(results[2]["resourceBody"]["number"], 6);
    let stale = results[1]["eTag"].clone();
    let mut conditional = patch("a", of(add(1)));
    conditional["ifMatch"] = stale;
    let never = json!({"condition": "FROM c WHERE c.number > 100", "operations": add(1)});
    let invalid = of(json!([{"op": "remove", "path": "/nothing"}]));
    for (operations, expected) in [
        (
            json!([create("b"), patch("nothing", of(add(1)))]),
            [424, 404],
        ),
        (json!([create("b"), conditional]), [424, 412]),
        (json!([create("b"), patch("a", never)]), [424, 412]),
        (json!([create("b"), patch("a", invalid)]), [424, 400]),
        (
            json!([create("a"), patch("nothing", of(add(1)))]),
            [409, 424],
        ),
    ] {
        let (statuses, results) = send(operations).await;
        assert_eq!(statuses, expected, "{results:?}");
    }
    let key = [("x-ms-documentdb-partitionkey", "[\"k\"]")];
    for (id, status) in [("a", 200), ("b", 404)] {
        let read = client
            .send("GET", &format!("{DOCS}/{id}"), &key, Value::Null)
            .await;
        assert_eq!(read.status, status);
        if status == 200 {
            assert_eq!(read.body["number"], 6);
        }
    }
}

#[tokio::test]
async fn a_patch_is_made_only_if_its_condition_is_met() {
    let account = DemoAccount::start(&options(0, 1)).await.unwrap();
    let client = Client::new(&account);
    let key = [("x-ms-documentdb-partitionkey", "[\"k\"]")];
    let document = json!({"id": "a", "customerId": "k", "number": 1, "text": "it's"});
    let answer = client.send("POST", DOCS, &key, document).await;
    assert_eq!(answer.status, 201);
    let path = format!("{DOCS}/a");
    for (condition, status) in [
        ("from c where c.number = 2", 412),
        (
            "FROM c WHERE c.number = 1 AND c.text = \"it's\" AND c._ts > 0",
            200,
        ),
        ("FROM c WHERE c.number = 1", 412),
        ("WHERE", 400),
    ] {
        let patch = json!({
            "condition": condition, "operations": [{"op": "incr", "path": "/number", "value": 1}]
        });
        let answer = client.send("PATCH", &path, &key, patch).await;
        assert_eq!(answer.status, status, "{condition}: {}", answer.body);
    }
    let read = client.send("GET", &path, &key, Value::Null).await;
    assert_eq!(read.body["number"], 2);
}
