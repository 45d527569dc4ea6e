//! Where a replay is in its source.

use serde::{Deserialize, Serialize};

use super::feed_state::{FeedState, FeedStep};
use super::watermark::Advance;
use crate::source::Mark;

/// The position in the list of inputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputPosition {
    /// The number of the input, from 0.
    pub(super) input: usize,
    /// The position within it.
    pub(super) mark: Mark,
}

/// The position in the source. Every change before it is applied or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) position: InputPosition,
    /// The state of the feed, if the source is a container. `position` only counts changes then.
    pub(super) feed: Option<FeedState>,
    /// How many bytes of all inputs, before decompression, come before it.
    pub(super) bytes: u64,
}

/// How the source advances with one delivery.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) position: InputPosition,
    pub(super) feed: Option<FeedStep>,
    /// How many bytes of all inputs, before decompression, end with it.
    pub(super) bytes: u64,
}

impl Advance for Standing {
    type Step = Step;

    fn advance(&mut self, step: Step) {
        self.position = step.position;
        self.bytes = step.bytes;
        if let (Some(feed), Some(step)) = (&mut self.feed, step.feed) {
            feed.advance(step);
        }
    }
}
