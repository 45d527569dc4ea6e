//! What brings the events of a job to the board.

use std::sync::Arc;

use memchr::memmem::Finder;

use super::board::Board;
use crate::feed::FeedMode;
use crate::feed::page::{ItemRef, OperationType, Page};
use crate::observe::{Counts, Event, Observer};

/// What precedes the name of the operation in the metadata of a change, as the service writes it. Within a JSON string
/// its quotes would be escaped, so nothing else has these bytes.
const OPERATION: &[u8; 17] = b"\"operationType\":\"";

/// Keeps the figures of the board.
#[derive(Debug)]
pub(super) struct JobObserver {
    board: Arc<Board>,
    mode: FeedMode,
    finder: Finder<'static>,
    /// Where the operation was in the metadata of the last change.
    at: usize,
}

impl JobObserver {
    pub(super) fn new(board: Arc<Board>, mode: FeedMode) -> Self {
        Self {
            board,
            mode,
            finder: Finder::new(OPERATION),
            at: 0,
        }
    }

    /// The changes of a page by operation. The feed of the latest versions does not say which one it was.
    fn operations(&mut self, page: &Page) -> Vec<(&'static str, u64)> {
        if self.mode == FeedMode::LatestVersion {
            return vec![("upsert", page.len() as u64)];
        }
        let mut counts = [0; NAMES.len()];
        for item in page.items() {
            counts[self.operation(item)] += 1;
        }
        let counts = NAMES.into_iter().zip(counts);
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// The place in [`NAMES`] of the operation of a change.
    fn operation(&mut self, item: ItemRef<'_>) -> usize {
        let json = item.metadata_json().unwrap_or_default();
        // It mostly is where it was in the change before, which is cheaper to see than to search.
        let mut found = json.get(self.at..).unwrap_or_default();
        if !found.starts_with(OPERATION) {
            self.at = self.finder.find(json).unwrap_or(json.len());
            found = &json[self.at..];
        }
        // Most changes are these, and need no more than a glance.
        match found.get(OPERATION.len()..) {
            Some([b'c', b'r', b'e', b'a', b't', b'e', b'"', ..]) => return CREATE,
            Some([b'r', b'e', b'p', b'l', b'a', b'c', b'e', b'"', ..]) => return REPLACE,
            _ => {}
        }
        let metadata = item.metadata().unwrap_or_default();
        match metadata.operation_type {
            Some(OperationType::Create) => CREATE,
            Some(OperationType::Replace) => REPLACE,
            Some(OperationType::Delete) if metadata.time_to_live_expired => EXPIRE,
            Some(OperationType::Delete) => DELETE,
            Some(OperationType::Snapshot) => SNAPSHOT,
            Some(OperationType::Other) | None => OTHER,
        }
    }
}

const NAMES: [&str; 6] = ["create", "replace", "delete", "expire", "other", "snapshot"];
const CREATE: usize = 0;
const REPLACE: usize = 1;
const DELETE: usize = 2;
const EXPIRE: usize = 3;
const OTHER: usize = 4;
const SNAPSHOT: usize = 5;

impl Observer for JobObserver {
    fn observe(&mut self, event: &Event<'_>, counts: &Counts) {
        match event {
            // Before the board is locked.
            Event::Page { page, .. } => {
                let operations = self.operations(page);
                self.board.observe(event, counts, &operations);
            }
            _ => self.board.observe(event, counts, &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::time::Duration;

    #[test]
    fn changes_are_counted_by_operation_however_it_is_written() {
        let page = br#"{"_rid":"","Documents":[
            {"current":{"id":"1"},"metadata":{"operationType":"create"}},
            {"current":{"id":"2"},"metadata":{"operationType" : "create"}},
            {"current":{"id":"3"},"metadata":{"lsn":1,"operationType":"replace","previousImageLSN":3}},
            {"current":{},"metadata":{"operationType":"delete","id":"\"operationType\":\"create\""}},
            {"current":{},"metadata":{"operationType":"delete","timeToLiveExpired":true}},
            {"current":{"id":"6"},"metadata":{"operationType":"createAll"}},
            {"current":{"id":"7"},"metadata":{"id":"\"operationType\":\"create\""}},
            {"current":{"id":"8","operationType":"create"}}
        ],"_count":8}"#;
        let page = Page::parse(Bytes::from_static(page)).unwrap();
        let board = Arc::new(Board::new("tail", false, Duration::ZERO, None));
        let counted = |mode| JobObserver::new(Arc::clone(&board), mode).operations(&page);
        assert_eq!(counted(FeedMode::LatestVersion), [("upsert", 8)]);
        let expected = [
            ("create", 2),
            ("replace", 1),
            ("delete", 1),
            ("expire", 1),
            ("other", 3),
        ];
        assert_eq!(counted(FeedMode::AllVersionsAndDeletes), expected);
    }
}
