//! A writer that changes a container between the pages that a client requests.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::gateway::{Action, Container, Fault, RequestKind, RequestRecord};

/// Documents with these numbers are written and deleted.
const NUMBERS: usize = 300;

/// Before each page that a client requests, the container gets a few writes and deletes, `pages` times. It begins once
/// a page is requested, so after an export has pinned its ranges.
pub(crate) fn writer(container: &Container, seed: u64, pages: usize) -> Fault {
    let container = container.clone();
    let state = Mutex::new((fastrand::Rng::with_seed(seed), pages));
    let write = move || {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.1 == 0 {
            return;
        }
        state.1 -= 1;
        for _ in 0..state.0.usize(1..6) {
            write_one(&container, &mut state.0);
        }
    };
    Fault::on(RequestKind::ChangeFeed, Action::call(write))
        .when(RequestRecord::is_page)
        .always()
}

fn write_one(container: &Container, random: &mut fastrand::Rng) {
    let number = random.usize(..NUMBERS);
    let document = document(number, random);
    let exists = container
        .latest()
        .iter()
        .any(|served| served.id == document["id"].as_str().unwrap());
    match random.u8(..10) {
        0..5 if exists => {
            container.delete(
                document["id"].as_str().unwrap(),
                document["pk"].as_str().unwrap(),
            );
        }
        // Twice in one transaction.
        5 => {
            let again = self::document(number, random);
            container.transaction(vec![document, again]);
        }
        _ => {
            container.upsert(document);
        }
    }
}

fn document(number: usize, random: &mut fastrand::Rng) -> Value {
    let mut document = crate::orders::document(number);
    document["number"] = json!(random.u32(..));
    document
}
