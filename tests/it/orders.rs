//! The container `orders` and its documents, which most tests read.

use serde_json::{Value, json};

use crate::command::{CONTAINER, DATABASE};
use crate::gateway::{Container, Gateway, GatewayOptions};

/// A gateway with a container of `partitions` partitions and `documents` documents.
pub(crate) fn filled(partitions: usize, documents: usize) -> (Gateway, Container) {
    filled_with(GatewayOptions::default(), partitions, documents)
}

/// The same, with a gateway that is like this.
pub(crate) fn filled_with(
    options: GatewayOptions,
    partitions: usize,
    documents: usize,
) -> (Gateway, Container) {
    let gateway = Gateway::start(options);
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", partitions);
    fill(&container, 0..documents);
    (gateway, container)
}

pub(crate) fn fill(container: &Container, numbers: std::ops::Range<usize>) {
    for number in numbers {
        container.upsert(document(number));
    }
}

pub(crate) fn document(number: usize) -> Value {
    json!({"id": format!("item-{number}"), "pk": format!("key-{}", number % 97), "number": number,
           "text": "some text that makes the document a little longer"})
}
