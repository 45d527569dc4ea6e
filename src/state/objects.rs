//! A state in an object store. Each put has the stored version as its condition.

use std::sync::Arc;

use anyhow::Result;

use super::store::{Fence, Put, StateStore, Stored, Version};
use crate::destination::STATE_OBJECT;
use crate::durable::Locks;
use crate::failpoint;
use crate::objects::{Bucket, PutOutcome};

/// The state of the export below an address.
#[derive(Debug)]
pub(super) struct ObjectState(Arc<Bucket>);

impl ObjectState {
    /// The state of the export below the address of `bucket`.
    pub(super) fn new(bucket: Arc<Bucket>) -> Self {
        Self(bucket)
    }
}

impl StateStore for ObjectState {
    fn display(&self) -> String {
        self.0.address().of(STATE_OBJECT)
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
        let found = self.0.get(STATE_OBJECT)?;
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
            .0
            .put("object.state", STATE_OBJECT, text.to_vec(), expected)?;
        Ok(match put {
            PutOutcome::Done(version) => Put::Done(Version::new(version)),
            PutOutcome::Conflict => Put::Conflict,
            PutOutcome::Unclear(error) => Put::Unclear(error),
        })
    }
}
