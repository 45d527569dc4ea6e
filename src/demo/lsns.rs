//! The log's LSNs and session tokens, in place of the emulator's.

use anyhow::{Context, Result};
use azure_core::http::headers::HeaderName;
use serde_json::Value;

use super::answer::Answer;
use super::log::{ContainerLog, PartitionLog};

const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-ms-session-token");
const PARTITION: HeaderName = HeaderName::from_static("x-ms-documentdb-partitionkeyrangeid");

const USAGE: HeaderName = HeaderName::from_static("x-ms-resource-usage");

/// The headers with the LSN of a partition.
const OF_PARTITION: [HeaderName; 5] = [
    HeaderName::from_static("lsn"),
    HeaderName::from_static("x-ms-cosmos-llsn"),
    HeaderName::from_static("x-ms-global-committed-lsn"),
    HeaderName::from_static("x-ms-quorum-acked-lsn"),
    HeaderName::from_static("x-ms-cosmos-quorum-acked-llsn"),
];

/// The headers with the LSN of an item.
const OF_ITEM: [HeaderName; 2] = [
    HeaderName::from_static("x-ms-item-lsn"),
    HeaderName::from_static("x-ms-cosmos-item-llsn"),
];

/// The session token of a partition, in the form of accounts with one region.
pub(super) fn session_token(partition: &PartitionLog) -> String {
    format!("{}:-1#{}", partition.id(), partition.lsn())
}

/// Sets the LSNs and the session token of an answer about items.
pub(super) fn set(answer: &mut Answer, log: &ContainerLog) {
    if let Some(tokens) = answer.headers.get_optional_str(&SESSION_TOKEN) {
        let tokens: Vec<String> = tokens
            .split(',')
            .map(|token| {
                let id = token.split(':').next().and_then(|id| id.parse().ok());
                let partition = id.and_then(|id| log.partition(id));
                partition.map_or_else(|| token.to_owned(), session_token)
            })
            .collect();
        answer.headers.insert(SESSION_TOKEN, tokens.join(","));
    }
    let id = answer.headers.get_optional_str(&PARTITION);
    let Some(partition) = id.and_then(|id| log.partition(id.parse().ok()?)) else {
        return;
    };
    replace(answer, &OF_PARTITION, partition.lsn());
    if log.is_large() && answer.headers.get_optional_str(&USAGE).is_some() {
        // The emulator has none of them.
        let count = partition.count();
        let usage = format!(
            "documentSize=0;documentsSize={count};documentsCount={count};collectionSize={count};"
        );
        answer.headers.insert(USAGE, usage);
    }
}

/// Sets the LSNs and the session token of the answer to a write that got this LSN.
pub(super) fn set_of_write(answer: &mut Answer, log: &ContainerLog, lsn: Option<u64>) {
    set(answer, log);
    if let Some(lsn) = lsn {
        replace(answer, &OF_ITEM, lsn);
    }
}

/// Sets the LSNs of the answer to a read of an item that has this LSN, or of one that there is not.
pub(super) fn set_of_read(answer: &mut Answer, log: &ContainerLog, lsn: Option<u64>) {
    let id = answer.headers.get_optional_str(&PARTITION);
    let partition = id.and_then(|id| log.partition(id.parse().ok()?));
    if let Some(lsn) = lsn.or_else(|| Some(partition?.lsn())) {
        replace(answer, &OF_ITEM, lsn);
    }
}

/// Sets those of the headers that an answer has.
fn replace(answer: &mut Answer, names: &[HeaderName], lsn: u64) {
    for name in names {
        if answer.headers.get_optional_str(name).is_some() {
            answer.headers.insert(name.clone(), lsn.to_string());
        }
    }
}

/// Sets the LSN of each partition in a list of partitions.
pub(super) fn set_in_ranges(answer: &mut Answer, log: &ContainerLog) -> Result<()> {
    if answer.status != 200 {
        return Ok(());
    }
    let mut list: Value =
        serde_json::from_slice(&answer.body).context("a list of partitions is JSON")?;
    for range in list["PartitionKeyRanges"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        let id = range["id"].as_str().and_then(|id| id.parse().ok());
        if let Some(partition) = id.and_then(|id| log.partition(id)) {
            range["_lsn"] = partition.lsn().into();
        }
    }
    answer.body = serde_json::to_vec(&list)?.into();
    Ok(())
}

/// What the session token of a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// Writes that have been made.
    Past,
    /// Writes that have not.
    Future,
    /// It is not a session token.
    Malformed,
}

/// Checks the session token of a request against the log. Partitions that are no longer there do not count.
pub(super) fn check_session(tokens: &str, log: Option<&ContainerLog>) -> Session {
    for token in tokens.split(',') {
        let parsed = token.trim().split_once(':').and_then(|(id, vector)| {
            let mut parts = vector.split('#');
            let first = parts.next()?;
            let lsn: u64 = parts.next().unwrap_or(first).parse().ok()?;
            Some((id.parse().ok()?, lsn))
        });
        let Some((id, lsn)) = parsed else {
            return Session::Malformed;
        };
        let partition = log.and_then(|log| log.partition(id));
        if partition.is_some_and(|partition| lsn > partition.lsn()) {
            return Session::Future;
        }
    }
    Session::Past
}

/// The refusal of a session token of the future.
pub(super) fn session_not_available(token: &str) -> Answer {
    let mut answer = Answer::error(
        404,
        "NotFound",
        "The read session is not available for the input session token.",
    );
    answer.headers.insert("x-ms-substatus", "1002");
    answer.headers.insert(SESSION_TOKEN, token.to_owned());
    answer
}
