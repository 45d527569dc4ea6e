//! Where a replay is in its source.

use serde::{Deserialize, Serialize};

use super::feed_state::{FeedState, FeedStep};
use super::lanes::Advance;
use crate::source::Mark;

/// Where a replay stands in all of its inputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputPosition {
    /// Number of the input, from 0.
    pub(super) input: usize,
    /// Where it stands within it.
    pub(super) mark: Mark,
}

/// Where the source stands: everything before is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) position: InputPosition,
    /// All of it, if it is the feed of a container; its position only counts changes then.
    pub(super) feed: Option<FeedState>,
}

/// What moves the source on.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) position: InputPosition,
    pub(super) feed: Option<FeedStep>,
}

impl Advance for Standing {
    type Step = Step;

    fn advance(&mut self, step: Step) {
        self.position = step.position;
        if let (Some(feed), Some(step)) = (&mut self.feed, step.feed) {
            feed.advance(step);
        }
    }
}
