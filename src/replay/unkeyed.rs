//! The check that the target has the partition key of the source.
//!
//! If the first documents all have no value at the partition key's path, the target is the wrong one,
//! and refusing them one by one would be no help. So they are held back until one has a value.

use super::item_write::Defect;
use super::original::Original;
use super::position::InputPosition;
use super::replay_source::ReplaySource;
use crate::error::usage;

/// How many documents are held back before the target is considered the wrong one.
const MAX_UNKEYED: u64 = 1000;

/// A document without a value at the partition key's path.
#[derive(Debug)]
pub(super) struct UnkeyedRecord {
    pub(super) number: u64,
    pub(super) original: Original,
    pub(super) at: InputPosition,
    pub(super) defect: Defect,
}

/// The documents that are held back.
#[derive(Debug)]
pub(super) struct Unkeyed {
    /// None once a document has had a value.
    held: Option<Vec<UnkeyedRecord>>,
    max: u64,
}

impl Unkeyed {
    /// For a replay from the beginning of its source, or else one whose target is known to be right. Of
    /// the source no more than `window` changes are read ahead.
    pub(super) fn new(from_the_beginning: bool, window: u64) -> Self {
        Self {
            held: from_the_beginning.then(Vec::new),
            max: MAX_UNKEYED.min(window),
        }
    }

    /// Holds `record` back. Returns it if the target is known to be right: then it is refused alone.
    pub(super) fn hold(&mut self, record: UnkeyedRecord) -> Option<UnkeyedRecord> {
        match &mut self.held {
            Some(held) if record.defect.lacks_key => {
                held.push(record);
                None
            }
            _ => Some(record),
        }
    }

    /// Whether no more may be held back.
    pub(super) fn is_full(&self) -> bool {
        self.held
            .as_ref()
            .is_some_and(|held| held.len() as u64 >= self.max)
    }

    /// A document has a value: the target is right. Returns those that were held back, to be refused.
    pub(super) fn release(&mut self) -> Vec<UnkeyedRecord> {
        self.held.take().unwrap_or_default()
    }

    /// The error of a target with another partition key, if documents are held back.
    pub(super) fn error(&self, key_paths: &[&str], source: &ReplaySource) -> Option<anyhow::Error> {
        let held = self.held.as_ref()?;
        let first = held.first()?;
        let first = format!("{}: {}", source.location(first.at), first.defect.reason);
        let found = if held.len() == 1 {
            first
        } else {
            format!(
                "none of the first {} documents has a value at `{}`; the first: {first}",
                held.len(),
                key_paths.join("`, `"),
            )
        };
        Some(usage(
            format!("the target has another partition key than the source: {found}"),
            "replay into a container that has the partition key of the source",
        ))
    }
}
