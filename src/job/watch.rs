//! Ends a tail, and decides when it is ready.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::feed::RangeId;
use crate::feed::page::Page;

/// What ends a tail, apart from a signal and the end of its ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WatchEnd {
    /// The requested number of changes has been shown.
    Shown,
    /// Nothing has changed for the idle timeout.
    Idle,
    /// The reader of standard output has gone.
    PipeClosed,
}

/// Watches for the ends of a tail.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Ranges without a position.
    awaited: HashSet<RangeId>,
    has_begun: bool,
    idle_timeout: Option<Duration>,
    last_change: Instant,
    shown: CancellationToken,
    pipe_closed: CancellationToken,
}

impl Watch {
    /// Ends after `idle_timeout` without a change, or when one of the tokens is cancelled: that enough
    /// changes were shown, or that the reader of standard output is gone.
    pub(crate) fn new(
        idle_timeout: Option<Duration>,
        shown: CancellationToken,
        pipe_closed: CancellationToken,
    ) -> Self {
        Self {
            awaited: HashSet::new(),
            has_begun: false,
            idle_timeout,
            last_change: Instant::now(),
            shown,
            pipe_closed,
        }
    }

    /// A range has no position yet.
    pub(super) fn awaits(&mut self, range: RangeId) {
        self.awaited.insert(range);
    }

    /// A range was split; `unread` of its children have no position yet.
    pub(super) fn replaced(&mut self, parent: RangeId, unread: impl Iterator<Item = RangeId>) {
        self.awaited.remove(&parent);
        self.awaited.extend(unread);
    }

    /// A page was read, perhaps an empty one: its range has a position.
    pub(crate) fn page(&mut self, range: RangeId, page: &Page) {
        self.awaited.remove(&range);
        if !page.is_empty() {
            self.last_change = Instant::now();
        }
    }

    /// Whether every range has a position, and the tail has not begun yet.
    pub(super) fn is_ready(&self) -> bool {
        !self.has_begun && self.awaited.is_empty()
    }

    /// Cancelled once the requested number of changes has been shown: what was read after them was not.
    pub(super) fn shown(&self) -> CancellationToken {
        self.shown.clone()
    }

    /// The tail has begun.
    pub(crate) fn begin(&mut self) {
        self.has_begun = true;
        self.last_change = Instant::now();
    }

    /// Waits until something ends the tail.
    pub(crate) async fn end(&self) -> WatchEnd {
        let idle = async {
            match self.idle_timeout.filter(|_| self.has_begun) {
                Some(timeout) => {
                    tokio::time::sleep_until((self.last_change + timeout).into()).await
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.shown.cancelled() => WatchEnd::Shown,
            () = self.pipe_closed.cancelled() => WatchEnd::PipeClosed,
            () = idle => WatchEnd::Idle,
        }
    }
}

/// Waits until something ends the tail; forever, if there is none.
pub(super) async fn watch_end(watch: &mut Option<Watch>) -> WatchEnd {
    match watch {
        Some(watch) => watch.end().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_once_every_range_has_a_position() {
        let mut watch = Watch::new(None, CancellationToken::new(), CancellationToken::new());
        watch.awaits(RangeId(0));
        watch.awaits(RangeId(1));
        watch.page(RangeId(0), &Page::default());
        assert!(!watch.is_ready());
        watch.replaced(RangeId(1), [RangeId(2), RangeId(3)].into_iter());
        watch.page(RangeId(2), &Page::default());
        assert!(!watch.is_ready());
        watch.page(RangeId(3), &Page::default());
        assert!(watch.is_ready());
        watch.begin();
        assert!(!watch.is_ready(), "it begins once");
    }
}
