//! Documents near the limit of the service are written however they are spelled.

use serde_json::json;

use super::*;
use crate::command::{DATABASE, export, succeed};
use crate::gateway::GatewayOptions;

/// The limit of the service for a request, and so for a document.
const LIMIT: usize = 2 << 20;

fn target() -> (Gateway, Container, tempfile::TempDir) {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    (gateway, copy, tempfile::tempdir().unwrap())
}

/// Every character beyond ASCII as an escape, as Python writes JSON.
fn in_ascii(json: &str) -> String {
    let mut out = String::new();
    for character in json.chars() {
        match character.is_ascii() {
            true => out.push(character),
            false => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

#[test]
fn a_document_near_the_limit_is_written_however_it_is_spelled() {
    let (gateway, copy, directory) = target();
    let source = directory.path().join("a.jsonl");
    let document = |id: &str, member: &str, value: Value| {
        let mut document = json!({"id": id, "pk": "p"});
        document[member] = value;
        document
    };
    let frame = document("1", "text", json!("")).to_string().len();
    let text = document("1", "text", json!("é".repeat((LIMIT - frame) / 2)));
    assert!(text.to_string().len() > LIMIT - 2);
    let numbers = document("2", "numbers", json!(vec![1e200; 100_000]));
    let digits = format!("1{}", "0".repeat(200));
    let spelled = [
        in_ascii(&text.to_string()),
        numbers
            .to_string()
            .replace("1e+200", &digits)
            .replace("1e200", &digits),
        serde_json::to_string(&document("3", "list", json!(vec![7; 500_000])))
            .unwrap()
            .replace(",7", " ,\t  7"),
    ];
    for line in &spelled {
        assert!(line.len() > LIMIT, "{}", line.len());
    }
    write_lines(&source, &spelled);
    for arguments in [
        &["--write-mode", "create"][..],
        &[],
        &["--write-mode", "newer"],
    ] {
        let mut command = replay(&gateway, &source);
        succeed(command.args(arguments));
    }
    let found: Vec<Value> = content(&copy)
        .iter()
        .map(|document| serde_json::from_slice(document).unwrap())
        .collect();
    let expected = [
        text,
        numbers,
        document("3", "list", json!(vec![7; 500_000])),
    ];
    for expected in expected {
        assert!(found.contains(&expected), "{}", expected["id"]);
    }
    assert_no_violations(&gateway);
}

#[test]
fn large_documents_of_one_key_are_not_sent_together() {
    let (gateway, copy, directory) = target();
    let source = directory.path().join("a.jsonl");
    let line = |number: usize, bytes: usize| {
        let document = json!({"id": number.to_string(), "pk": "p", "text": "x".repeat(bytes)});
        document.to_string()
    };
    let sizes = [
        10,
        LIMIT - 60,
        10,
        600_000,
        600_000,
        300_000,
        LIMIT - 60,
        10,
    ];
    let lines: Vec<String> = sizes
        .iter()
        .enumerate()
        .map(|(number, bytes)| line(number, *bytes))
        .collect();
    write_lines(&source, &lines);
    let told = summary(&succeed(
        replay(&gateway, &source).args(["--summary", "json"]),
    ));
    assert_eq!(told["created"], sizes.len(), "{told}");
    assert_eq!(copy.latest().len(), sizes.len());
    assert_no_violations(&gateway);
}

#[test]
fn a_document_of_the_service_comes_back_from_every_format() {
    for format in ["jsonl", "csv", "parquet"] {
        let (gateway, copy, directory) = target();
        let source = gateway.create_container(DATABASE, crate::command::CONTAINER, "/pk", 1);
        let quotes = "\"\\\n".repeat(300_000);
        source.upsert(json!({"id": "1", "pk": "p", "text": quotes, "n": 1e300}));
        source.upsert(json!({"id": "2", "pk": "p", "text": "🦀".repeat(510_000)}));
        source.upsert(json!({"id": "3", "pk": "p", "list": vec![json!(1e300); 200_000]}));
        let out = directory.path().join("out");
        succeed(export(&gateway, &out).args(["--format", format]));
        succeed(&mut replay(&gateway, &out));
        let values = |container: &Container| -> Vec<Value> {
            let mut documents: Vec<Value> = content(container)
                .iter()
                .map(|document| serde_json::from_slice(document).unwrap())
                .collect();
            documents.sort_by_key(|document| document["id"].to_string());
            documents
        };
        assert!(values(&copy) == values(&source), "{format}");
        assert_no_violations(&gateway);
    }
}
