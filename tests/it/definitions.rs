//! `definitions`: every member of a definition is in the Bicep file and in the template, and nothing of it becomes code.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Value, json};

use crate::command::{CONTAINER, DATABASE, against, cosmos_tail, export, fail, succeed};
use crate::gateway::{Container, Gateway};
use crate::orders::filled;

/// A value of Bicep: JSON, or the name of something.
fn value(text: &mut Peekable<Chars<'_>>) -> Value {
    skip(text);
    match text.peek().copied().expect("a value") {
        '\'' => Value::String(string(text)),
        '[' => {
            text.next();
            let mut elements = Vec::new();
            while !ends_with(text, ']') {
                elements.push(value(text));
            }
            Value::Array(elements)
        }
        '{' => {
            text.next();
            let mut members = Map::new();
            while !ends_with(text, '}') {
                let name = if text.peek() == Some(&'\'') {
                    string(text)
                } else {
                    word(text)
                };
                skip(text);
                assert_eq!(text.next(), Some(':'), "after {name}");
                let old = members.insert(name, value(text));
                assert!(old.is_none());
            }
            Value::Object(members)
        }
        _ => match word(text).as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            "json" => {
                assert_eq!(text.next(), Some('('));
                let number = string(text);
                assert_eq!(text.next(), Some(')'));
                json!({ "json": number })
            }
            number if number.parse::<i64>().is_ok() => number.parse::<i64>().unwrap().into(),
            name => json!({ "name": name }),
        },
    }
}

fn skip(text: &mut Peekable<Chars<'_>>) {
    while text.next_if(|c| c.is_ascii_whitespace()).is_some() {}
}

fn ends_with(text: &mut Peekable<Chars<'_>>, end: char) -> bool {
    skip(text);
    text.next_if(|c| *c == end).is_some()
}

fn word(text: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    while let Some(c) = text.next_if(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)) {
        word.push(c);
    }
    assert!(!word.is_empty(), "a word before {:?}", text.peek());
    word
}

fn string(text: &mut Peekable<Chars<'_>>) -> String {
    assert_eq!(text.next(), Some('\''));
    let mut string = String::new();
    loop {
        match text.next().expect("the string ends") {
            '\'' => return string,
            '\\' => match text.next().unwrap() {
                'n' => string.push('\n'),
                'r' => string.push('\r'),
                't' => string.push('\t'),
                'u' => {
                    assert_eq!(text.next(), Some('{'));
                    let mut code = String::new();
                    while let Some(c) = text.next_if(|c| *c != '}') {
                        code.push(c);
                    }
                    text.next();
                    let code = u32::from_str_radix(&code, 16).unwrap();
                    string.push(char::from_u32(code).unwrap());
                }
                other => string.push(other),
            },
            '$' if text.peek() == Some(&'{') => panic!("an expression in {string}"),
            '\n' => panic!("{string} does not end in its line"),
            other => string.push(other),
        }
    }
}

/// A resource of a Bicep file.
struct Resource {
    symbol: String,
    kind: String,
    body: Value,
}

/// The resources of a Bicep file.
fn resources(file: &str) -> Vec<Resource> {
    let mut found = Vec::new();
    let mut text = file.chars().peekable();
    loop {
        skip(&mut text);
        if text.peek().is_none() {
            return found;
        }
        if text.next_if(|c| *c == '@').is_some() {
            assert_eq!(word(&mut text), "description");
            assert_eq!(text.next(), Some('('));
            string(&mut text);
            assert_eq!(text.next(), Some(')'));
            continue;
        }
        match word(&mut text).as_str() {
            "param" => {
                skip(&mut text);
                assert_eq!(word(&mut text), "accountName");
                skip(&mut text);
                assert_eq!(word(&mut text), "string");
            }
            "resource" => {
                skip(&mut text);
                let symbol = word(&mut text);
                skip(&mut text);
                let kind = string(&mut text);
                skip(&mut text);
                if text.peek() == Some(&'e') {
                    assert_eq!(word(&mut text), "existing");
                    skip(&mut text);
                }
                assert_eq!(text.next(), Some('='));
                let body = value(&mut text);
                found.push(Resource { symbol, kind, body });
            }
            other => panic!("{other} is no statement"),
        }
    }
}

/// A container with whatever a definition can have, and what would be code if it were not escaped.
fn elaborate(gateway: &Gateway, container: &Container) -> Value {
    let policies = json!({
        "defaultTtl": -1,
        "analyticalStorageTtl": 9_223_372_036_854_775_807_i64,
        "indexingPolicy": {
            "indexingMode": "consistent", "automatic": true,
            "includedPaths": [{"path": "/*"}],
            "excludedPaths": [{"path": "/\"_etag\"/?"}, {"path": "/it's/?"}],
            "compositeIndexes": [[{"path": "/a", "order": "ascending"}, {"path": "/b", "order": "descending"}]],
            "spatialIndexes": [], "vectorIndexes": [{"path": "/v", "type": "diskANN"}],
        },
        "uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/n", "/m"]}]},
        "conflictResolutionPolicy": {"mode": "LastWriterWins", "conflictResolutionPath": "/_ts"},
        "computedProperties": [{"name": "low", "query": "SELECT VALUE LOWER(c['${accountName}']) FROM c\n-- \\ '''"}],
        "vectorEmbeddingPolicy": {"vectorEmbeddings": [
            {"path": "/v", "dataType": "float32", "dimensions": 8, "distanceFunction": "cosine"}]},
        "fullTextPolicy": {"defaultLanguage": "en-US", "fullTextPaths": [{"path": "/t", "language": "de-DE"}]},
        "clientEncryptionPolicy": {"policyFormatVersion": 2, "includedPaths": []},
        "odd": {"a-b": "[concat('x')]", "1": null, "fraction": 1.5, "empty": {}, "list": [[], {}, "\u{1}[x"]},
    });
    container.define(policies.clone());
    container.define(json!({"geospatialConfig": {"type": "Geography"}}));
    gateway.set_offer(
        container.rid(),
        json!({"offerThroughput": 100, "offerAutopilotSettings": {"maxThroughput": 4000}}),
    );
    let mut expected = json!({
        "id": CONTAINER, "partitionKey": container.definition()["partitionKey"],
    });
    let members = expected.as_object_mut().unwrap();
    members.extend(policies.as_object().unwrap().clone());
    expected
}

/// The value as JSON, where Bicep needs its function for numbers.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.len() == 1 && members.contains_key("json") => {
            serde_json::from_str(members["json"].as_str().unwrap()).unwrap()
        }
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(name, value)| (name.clone(), plain(value)))
                    .collect(),
            )
        }
        Value::Array(elements) => elements.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// What a text of a template means, of those that a definition has.
fn meant(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("[[") && text.ends_with(']') => {
            Value::String(text[1..].to_owned())
        }
        Value::String(text) if text.starts_with('[') && text.ends_with(']') => {
            panic!("{text} is an expression")
        }
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(name, value)| (name.clone(), meant(value)))
                    .collect(),
            )
        }
        Value::Array(elements) => elements.iter().map(meant).collect(),
        other => other.clone(),
    }
}

#[track_caller]
fn assert_bicep(file: &str, expected: &Value, options: &Value) {
    let found = resources(file);
    assert_eq!(found.len(), 3, "{file}");
    let [account, database, container] = &found[..] else {
        panic!("{file}");
    };
    assert_eq!(account.body, json!({"name": {"name": "accountName"}}));
    assert_eq!(
        database.kind,
        "Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-04-15"
    );
    assert_eq!(
        database.body,
        json!({"parent": {"name": "account"}, "name": DATABASE, "properties": {"resource": {"id": DATABASE}}})
    );
    // It has a member that no version knows.
    assert_eq!(
        container.kind,
        "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-11-01-preview"
    );
    assert_eq!(container.symbol, "container_shop_orders");
    assert_eq!(container.body["parent"], json!({"name": database.symbol}));
    assert_eq!(container.body["name"], CONTAINER);
    let properties = &container.body["properties"];
    assert_eq!(plain(&properties["resource"]), *expected);
    assert_eq!(properties["options"], *options);
}

#[track_caller]
fn assert_template(text: &str, expected: &Value, options: &Value) {
    let template: Value = serde_json::from_str(text).unwrap();
    assert_eq!(template["parameters"]["accountName"]["type"], "string");
    let [database, container] = &template["resources"].as_array().unwrap()[..] else {
        panic!("{text}");
    };
    assert_eq!(
        database["name"],
        "[concat(parameters('accountName'), '/', 'shop')]"
    );
    assert_eq!(
        container["name"],
        "[concat(parameters('accountName'), '/', 'shop', '/', 'orders')]"
    );
    assert_eq!(
        container["dependsOn"],
        json!([
            "[resourceId('Microsoft.DocumentDB/databaseAccounts/sqlDatabases', parameters('accountName'), 'shop')]"
        ])
    );
    assert_eq!(meant(&container["properties"]["resource"]), *expected);
    assert_eq!(container["properties"]["options"], *options);
}

#[test]
fn every_member_is_there_from_the_account_and_from_an_export() {
    let (gateway, container) = filled(1, 10);
    let expected = elaborate(&gateway, &container);
    let options = json!({"autoscaleSettings": {"maxThroughput": 4000}});
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("backup").join("orders");
    std::fs::create_dir(out.parent().unwrap()).unwrap();
    succeed(&mut export(&gateway, &out));
    let file = crate::command::state_directory(&out).join("container.json");
    // The account, an export, a directory of exports, the definition itself.
    let backup = directory.path().join("backup");
    let from_account = || {
        let mut command = against(&gateway);
        command.arg("definitions");
        command
    };
    let from_files = |path: &std::path::Path| {
        let mut command = cosmos_tail();
        command.arg("definitions").arg(path);
        command
    };
    for mut command in [
        from_account(),
        from_files(&out),
        from_files(&backup),
        from_files(&file),
    ] {
        let bicep = succeed(&mut command);
        assert_bicep(&bicep.stdout, &expected, &options);
        assert!(bicep.stderr.is_empty(), "{}", bicep.stderr);
        let template = succeed(command.args(["--format", "json"]));
        assert_template(&template.stdout, &expected, &options);
    }
    let twice = succeed(from_files(&out).arg(&file));
    assert_eq!(resources(&twice.stdout).len(), 3);
}

#[test]
fn containers_that_share_a_throughput_give_it_to_their_database() {
    let (gateway, _) = filled(1, 1);
    gateway.create_container(DATABASE, "or-ders", "/a", 1);
    gateway.create_container(DATABASE, "or.ders", "/a", 1);
    let database = gateway.create_database(DATABASE);
    gateway.set_offer(&database, json!({"offerThroughput": 1000}));
    let mut command = against(&gateway);
    command
        .env_remove("AZURE_COSMOS_CONTAINER")
        .arg("definitions");
    let ended = succeed(&mut command);
    let found = resources(&ended.stdout);
    let symbols: Vec<&str> = found.iter().map(|one| one.symbol.as_str()).collect();
    assert_eq!(
        symbols,
        [
            "account",
            "database_shop",
            "container_shop_or_ders",
            "container_shop_or_ders_2",
            "container_shop_orders"
        ]
    );
    assert_eq!(
        found[1].body["properties"]["options"],
        json!({"throughput": 1000})
    );
    for container in &found[2..] {
        assert_eq!(container.body["properties"]["options"], Value::Null);
        assert!(
            container.kind.ends_with("@2025-04-15"),
            "{}",
            container.kind
        );
    }
}

#[test]
fn what_is_no_definition_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path("empty")).unwrap();
    std::fs::write(path("odd.json"), "{\"format\":\"other\",\"version\":1}").unwrap();
    let (gateway, container) = filled(1, 5);
    let first = path("first");
    succeed(&mut export(&gateway, &first));
    container.define(json!({"defaultTtl": 60}));
    let second = path("second");
    succeed(&mut export(&gateway, &second));
    for (sources, code, part) in [
        (vec![path("empty")], 2, "has no definition of a container"),
        (vec![path("nothing")], 2, "has no definition of a container"),
        (
            vec![path("odd.json")],
            1,
            "cannot be used as the definition of a container",
        ),
        (
            vec![first, second],
            2,
            "two exports have different definitions of `shop/orders`",
        ),
    ] {
        let mut command = cosmos_tail();
        let ended = fail(command.arg("definitions").args(sources), code);
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    }
    // A policy of nobody, nested without end.
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let file = crate::command::state_directory(&path("first")).join("container.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let at = text.find("\"definition\":{").unwrap() + "\"definition\":{".len();
    std::fs::write(
        &file,
        format!("{}\"x\":{deep},{}", &text[..at], &text[at..]),
    )
    .unwrap();
    let ended = fail(cosmos_tail().arg("definitions").arg(file), 1);
    assert!(
        ended.stderr.contains("levels deep") || ended.stderr.contains("recursion limit"),
        "{}",
        ended.stderr
    );
}
