//! What brings the events of a job to the board.

use std::sync::Arc;

use super::board::Board;
use crate::feed::FeedMode;
use crate::feed::page::{OperationType, Page};
use crate::observe::{Counts, Event, Observer};

/// Keeps the figures of the board.
#[derive(Debug)]
pub(super) struct JobObserver {
    pub(super) board: Arc<Board>,
    pub(super) mode: FeedMode,
}

impl Observer for JobObserver {
    fn observe(&mut self, event: &Event<'_>, counts: &Counts) {
        match event {
            // Before the board is locked.
            Event::Page { page, .. } => {
                let operations = operations(page, self.mode);
                self.board.observe(event, counts, &operations);
            }
            _ => self.board.observe(event, counts, &[]),
        }
    }
}

/// The changes of a page by operation. The feed of the latest versions does not say which one it was.
fn operations(page: &Page, mode: FeedMode) -> Vec<(&'static str, u64)> {
    if mode == FeedMode::LatestVersion {
        return vec![("upsert", page.len() as u64)];
    }
    let names = ["create", "replace", "delete", "expire", "other"];
    let mut counts = [0; 5];
    for item in page.items() {
        let metadata = item.metadata().unwrap_or_default();
        let at = match metadata.operation_type {
            Some(OperationType::Create) => 0,
            Some(OperationType::Replace) => 1,
            Some(OperationType::Delete) if !metadata.time_to_live_expired => 2,
            Some(OperationType::Delete) => 3,
            Some(OperationType::Other) | None => 4,
        };
        counts[at] += 1;
    }
    names
        .into_iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .collect()
}
