//! The check that the target has the partition key of the source.
//!
//! The service keeps documents without a value at the partition key, so they are written like others. But if
//! the first documents all have no value there, and the source is not known to have this partition key, the
//! target is probably the wrong one. So they are held back until one has a value.

use super::interpreter::missing_at;
use super::pending::Pending;
use super::replay_source::ReplaySource;
use crate::count::exactly;
use crate::error::usage;
use crate::settings::MissingKey;

/// How many documents are held back before the target is considered the wrong one.
const MAX_UNKEYED: u64 = 1000;

/// The documents that are held back.
#[derive(Debug)]
pub(super) struct Unkeyed {
    /// None once a document has had a value.
    held: Option<Vec<Pending>>,
    max: u64,
}

impl Unkeyed {
    /// For a replay from the beginning of its source, or else one whose target is known to be right. Of
    /// the source no more than `window` changes are read ahead.
    pub(super) fn new(
        choice: Option<MissingKey>,
        has_same_key: bool,
        from_the_beginning: bool,
        window: u64,
    ) -> Self {
        let may_be_wrong = choice.is_none() && !has_same_key && from_the_beginning;
        Self {
            held: may_be_wrong.then(Vec::new),
            max: MAX_UNKEYED.min(window),
        }
    }

    /// Passes on the changes that may be written, in their order: none if `next` is held back, and those that
    /// were held back before it otherwise.
    pub(super) fn pass(&mut self, next: Pending) -> Vec<Pending> {
        match &mut self.held {
            Some(held) if next.write.missing_path.is_some() => {
                held.push(next);
                Vec::new()
            }
            held => {
                let mut passed = held.take().unwrap_or_default();
                passed.push(next);
                passed
            }
        }
    }

    /// Whether no more may be held back.
    pub(super) fn is_full(&self) -> bool {
        self.held
            .as_ref()
            .is_some_and(|held| held.len() as u64 >= self.max)
    }

    /// The error of a target with another partition key, if documents are held back.
    pub(super) fn error(
        &self,
        key_paths: &[String],
        source: &ReplaySource,
    ) -> Option<anyhow::Error> {
        let held = self.held.as_ref()?;
        let first = held.first()?;
        let path = first.write.missing_path.as_deref()?;
        let first = format!(
            "{}: item {:?} {}",
            source.location(first.at),
            first.write.item.id,
            missing_at(path)
        );
        let found = if held.len() == 1 {
            first
        } else {
            format!(
                "none of the first {} has a value at `{}`; the first: {first}",
                exactly(held.len() as u64, "document"),
                key_paths.join("`, `"),
            )
        };
        let has = if source.has_another_key(key_paths) {
            "has"
        } else {
            "seems to have"
        };
        Some(usage(
            format!("the target {has} another partition key than the source: {found}"),
            "replay into a container that has the partition key of the source; if the documents have no \
             value there either, use --missing-key write",
        ))
    }
}
