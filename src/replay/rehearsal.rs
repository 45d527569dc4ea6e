//! A dry run: what a write would do, without writing.
//!
//! The writer decides as usual, and its reads are real. Only its writes are answered here: by the target's copy, or,
//! if the dry run would have written the item before, by what that would have left.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::content::fingerprint;
use super::copy::Copy;
use super::item_sender::NotApplied;
use crate::cosmos::items::{ItemAddress, ItemOutcome, ItemRequest};

/// How many items each of the two generations remembers. An entry takes little more than 24 bytes.
const GENERATION: usize = 500_000;

/// The largest document that the service takes, in bytes of JSON.
const MAX_DOCUMENT_BYTES: usize = 2 << 20;

/// What a dry run would have written.
#[derive(Debug, Default)]
pub(super) struct Rehearsal {
    items: RandomState,
    contents: RandomState,
    known: Mutex<Known>,
}

/// From the hash of an item to the fingerprint of its content; none if it would have been deleted.
#[derive(Debug, Default)]
struct Known {
    young: HashMap<u64, Option<u64>>,
    old: HashMap<u64, Option<u64>>,
}

/// What the item of one change is before it, as far as it was looked up.
#[derive(Debug, Default)]
pub(super) struct LookedUp(Mutex<Option<Option<Copy>>>);

impl LookedUp {
    pub(super) fn get(&self) -> Option<Option<Copy>> {
        self.lock().clone()
    }

    pub(super) fn set(&self, copy: Option<Copy>) {
        *self.lock() = Some(copy);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Option<Copy>>> {
        // Nothing here panics between two changes of it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rehearsal {
    /// What earlier changes of the dry run would have left of an item; none if they would not have written it, or
    /// if that was forgotten.
    pub(super) fn left_of(&self, item: &ItemAddress) -> Option<Option<Copy>> {
        let item = self.items.hash_one(item);
        let known = self.known();
        let content = known.young.get(&item).or_else(|| known.old.get(&item))?;
        Some(content.map(Copy::Rehearsed))
    }

    /// The fingerprint of a document's content: equal for the same content.
    pub(super) fn content_of(&self, json: &[u8]) -> u64 {
        fingerprint(json, &self.contents)
    }

    /// The outcome of a write to an item whose copy is `before`.
    ///
    /// # Errors
    ///
    /// If it is not a write.
    pub(super) fn write(
        &self,
        item: &ItemAddress,
        before: Option<&Copy>,
        request: ItemRequest<'_>,
    ) -> Result<ItemOutcome, NotApplied> {
        if let ItemRequest::Create(json) | ItemRequest::Upsert(json) | ItemRequest::Replace(json, _) =
            request
            && json.len() > MAX_DOCUMENT_BYTES
        {
            return Ok(ItemOutcome::TooLarge(format!(
                "it has {} bytes, and the service takes {MAX_DOCUMENT_BYTES}",
                json.len()
            )));
        }
        let (json, outcome) = match (request, before) {
            (ItemRequest::Create(_), Some(_)) => {
                return Ok(ItemOutcome::Conflict("the item exists already".to_owned()));
            }
            (ItemRequest::Replace(..) | ItemRequest::Delete(_), None) => {
                return Ok(ItemOutcome::NotFound);
            }
            (ItemRequest::Create(json) | ItemRequest::Upsert(json), None) => {
                (Some(json), ItemOutcome::Created(None))
            }
            (ItemRequest::Upsert(json) | ItemRequest::Replace(json, _), Some(_)) => {
                (Some(json), ItemOutcome::Replaced(None))
            }
            (ItemRequest::Delete(_), Some(_)) => (None, ItemOutcome::Deleted),
            (ItemRequest::Read, _) => {
                return Err(NotApplied::Failed(anyhow::anyhow!(
                    "a read is not answered by a dry run"
                )));
            }
        };
        let content = json.map(|json| self.content_of(json));
        let mut known = self.known();
        known.young.insert(self.items.hash_one(item), content);
        if known.young.len() >= GENERATION {
            known.old = std::mem::take(&mut known.young);
        }
        Ok(outcome)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use azure_data_cosmos_driver::models::PartitionKey;

    use super::*;

    fn item(id: String) -> ItemAddress {
        ItemAddress {
            key: PartitionKey::from("p"),
            id,
        }
    }

    #[test]
    fn the_last_half_a_million_items_are_remembered() {
        let rehearsal = Rehearsal::default();
        for number in 0..1_100_000 {
            let create = ItemRequest::Create(br#"{"id":"1"}"#);
            let outcome = rehearsal.write(&item(number.to_string()), None, create);
            assert!(matches!(outcome, Ok(ItemOutcome::Created(None))));
        }
        for number in [600_000, 1_099_999] {
            let left = rehearsal.left_of(&item(number.to_string()));
            assert!(matches!(left, Some(Some(Copy::Rehearsed(_)))), "{number}");
        }
        assert!(rehearsal.left_of(&item("0".to_owned())).is_none());
        let known = rehearsal.known();
        assert!(known.young.len() + known.old.len() <= 2 * GENERATION);
    }
}
