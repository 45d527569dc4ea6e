//! A state in an object store. Each put has the stored version as its condition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow};

use super::store::{Fence, Put, StateStore, Stored, Version};
use crate::durable::Locks;
use crate::error::with_hint;
use crate::failpoint;
use crate::objects::{Bucket, PutOutcome};

/// A state in an object.
#[derive(Debug)]
pub(super) struct ObjectState {
    bucket: Arc<Bucket>,
    /// Its name below the address.
    name: String,
    /// Whether the store is known to honour conditions.
    is_tested: AtomicBool,
}

/// A version that no text has.
const NO_VERSION: &str = "\"00000000000000000000000000000000\"";

impl ObjectState {
    /// The state in the object `name` below the address of `bucket`.
    pub(super) fn new(bucket: Arc<Bucket>, name: String) -> Self {
        Self {
            name,
            is_tested: AtomicBool::new(bucket.honours_conditions()),
            bucket,
        }
    }

    /// Puts the text that is there once more, on a condition that does not hold.
    ///
    /// # Errors
    ///
    /// If the store does it.
    fn test_conditions(&self, text: &[u8]) -> Result<()> {
        if self.is_tested.load(Ordering::Relaxed) {
            return Ok(());
        }
        let put = self
            .bucket
            .put("object.state", &self.name, text.to_vec(), Some(NO_VERSION))?;
        match put {
            PutOutcome::Done(_) => Err(with_hint(
                anyhow!(
                    "the store of `{}` ignores the conditions of writes, so two processes could commit to one state",
                    self.display()
                ),
                "use a store with conditional writes; or keep the state on a disk, for an export to another path: --state FILE",
            )),
            PutOutcome::Conflict => {
                self.is_tested.store(true, Ordering::Relaxed);
                Ok(())
            }
            // With the next commit.
            PutOutcome::Unclear(_) => Ok(()),
        }
    }
}

impl StateStore for ObjectState {
    fn display(&self) -> String {
        self.bucket.address().of(&self.name)
    }

    fn fence(&self) -> Fence {
        Fence::Condition
    }

    fn lock(&mut self) -> Result<()> {
        Ok(())
    }

    fn locks(&self) -> Locks {
        Locks::default()
    }

    fn load(&self) -> Result<Option<Stored>> {
        let found = self.bucket.get(&self.name)?;
        Ok(found.map(|found| Stored {
            text: found.bytes.to_vec(),
            version: Version::new(found.version),
        }))
    }

    fn put(&self, text: &[u8], expected: Option<&Version>) -> Result<Put> {
        let found;
        let expected = if failpoint::is_planted("defect.object.state-without-condition") {
            found = self.load()?;
            found.as_ref().map(|found| found.version.as_str())
        } else {
            expected.map(Version::as_str)
        };
        let put = self
            .bucket
            .put("object.state", &self.name, text.to_vec(), expected)?;
        Ok(match put {
            PutOutcome::Done(version) => {
                self.test_conditions(text)?;
                Put::Done(Version::new(version))
            }
            PutOutcome::Conflict => Put::Conflict,
            PutOutcome::Unclear(error) => Put::Unclear(error),
        })
    }
}
