//! Replay: exported documents are restored in order, each change applied or refused.

mod batches;
mod collisions;
mod container;
mod crash;
mod definitions;
mod dry_run;
mod forms;
mod ids;
mod keys;
mod letters;
mod odd_sources;
mod others;
mod refusals;
mod round_trip;
mod scripts;
mod sizes;
mod speed;
#[cfg(all(unix, feature = "object-stores"))]
mod stored_letters;
mod throttling;
mod transform;
mod ttl;
mod write_modes;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::command::{Ended, against};
use crate::gateway::{Container, Gateway, RequestRecord, WriteRecord};

/// The container that is replayed into.
pub(crate) const COPY: &str = "copy";

/// A replay into the container `copy` of a gateway.
pub(crate) fn replay(gateway: &Gateway, source: &Path) -> Command {
    let mut command = against(gateway);
    command
        .env("AZURE_COSMOS_CONTAINER", COPY)
        .arg("replay")
        .arg(source);
    command
}

/// An export of the container `copy`.
pub(crate) fn export_copy(gateway: &Gateway, output: &Path) -> Command {
    let mut command = crate::command::export(gateway, output);
    command.env("AZURE_COSMOS_CONTAINER", COPY);
    command
}

/// The text of a document of the gateway without the system fields, which are its last members.
pub(crate) fn without_system_fields(line: &[u8]) -> Vec<u8> {
    let marker = b",\"_rid\":";
    let at = line.windows(marker.len()).rposition(|part| part == marker);
    match at {
        Some(at) => [&line[..at], b"}"].concat(),
        None => line.to_vec(),
    }
}

/// The latest documents of a container, without their system fields.
pub(crate) fn content(container: &Container) -> Vec<Vec<u8>> {
    let latest = container.latest();
    latest
        .iter()
        .map(|served| without_system_fields(&served.text))
        .collect()
}

/// The writes of one partition key and id, in their order.
pub(crate) fn writes_of(log: &[WriteRecord], id: &str) -> Vec<WriteRecord> {
    log.iter().filter(|w| w.id == id).cloned().collect()
}

/// The summary that a run printed as JSON.
#[track_caller]
pub(crate) fn summary(ended: &Ended) -> Value {
    let is_summary = |line: &&str| line.starts_with("{\"outcome\"");
    let line = ended.stderr.lines().find(is_summary);
    serde_json::from_str(line.unwrap_or_else(|| panic!("no summary: {}", ended.stderr))).unwrap()
}

/// A predicate of faults that chooses among its requests, numbered from 0.
pub(crate) fn numbered(
    chosen: impl Fn(usize) -> bool + Send + Sync + 'static,
) -> impl Fn(&RequestRecord) -> bool + Send + Sync + 'static {
    let next = AtomicUsize::new(0);
    move |_| chosen(next.fetch_add(1, Ordering::Relaxed))
}

/// Writes lines to a file.
pub(crate) fn write_lines(path: &Path, lines: impl IntoIterator<Item = impl AsRef<str>>) {
    let mut text = String::new();
    for line in lines {
        text.push_str(line.as_ref());
        text.push('\n');
    }
    std::fs::write(path, text).unwrap();
}

/// Writes changes to a file, each in its envelope: the given documents and envelopes.
pub(crate) fn write_changes(path: &Path, lines: impl IntoIterator<Item = impl AsRef<str>>) {
    write_lines(
        path,
        lines.into_iter().map(|line| in_envelope(line.as_ref())),
    );
}

/// A line as a change: a document gets an envelope, which has no `id` of its own.
pub(crate) fn in_envelope(line: &str) -> String {
    let value: Value = serde_json::from_str(line).unwrap();
    if value.get("id").is_some() {
        format!(r#"{{"current":{line}}}"#)
    } else {
        line.to_owned()
    }
}

/// The letters in a file of dead letters, whose first line declares that it holds changes.
#[track_caller]
pub(crate) fn dead_letters(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(r#"{"cosmos-tail":{"records":"changes"}}"#)
    );
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[track_caller]
pub(crate) fn assert_no_violations(gateway: &Gateway) {
    let violations = gateway.violations();
    assert!(violations.is_empty(), "{violations:?}");
}
