//! The memory of a comparison of two containers with many ranges.
//!
//! `COSMOS_TAIL_COMPARE_DOCUMENTS` has more documents.

use serde_json::json;

use super::*;
use crate::command::{CONTAINER, DATABASE, peak_kib, spawn, wait};
use crate::gateway::{Action, Container, Fault, GatewayOptions, Hold, RequestKind, RequestRecord};

const RANGES: usize = 256;
const MOST_MIB: u64 = 150;

/// Documents with a partition key each, so that they are in all ranges.
fn fill(container: &Container, documents: usize) {
    let text = "x".repeat(900);
    for number in 0..documents {
        let id = number.to_string();
        container.upsert(json!({"id": id, "pk": id, "number": number, "text": text}));
    }
}

#[test]
fn two_containers_of_256_ranges_take_less_than_150_mb() {
    let documents = number_of("COSMOS_TAIL_COMPARE_DOCUMENTS", 3000);
    let gateway = Gateway::start(GatewayOptions::default());
    let [_, copy] = [CONTAINER, "copy"].map(|name| {
        let container = gateway.create_container(DATABASE, name, "/pk", RANGES);
        fill(&container, documents);
        container
    });
    copy.delete("5", "5");
    // Each range has begun to be read on both sides, so this begins to look at what differs, and everything was read.
    let hold = Hold::new();
    let held = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()));
    let begins = |record: &RequestRecord| record.is_page() && record.token.is_none();
    gateway.push_fault(held.when(begins).nth(2 * RANGES + 1));
    let child = spawn(compare_containers(&gateway).args(["--summary", "json"]));
    hold.wait_until_reached();
    let peak = peak_kib(&child) >> 10;
    hold.release();
    let ended = wait(child);
    assert_eq!(ended.code, DIFFERENT, "{}", ended.stderr);
    let summary = summary(&ended);
    assert_eq!(summary["missing"], 1, "{summary}");
    assert_eq!(summary["source"]["documents"], documents, "{summary}");
    assert!(peak < MOST_MIB, "{peak} MiB");
    println!("peak {peak} MiB with {documents} documents on each side");
}
