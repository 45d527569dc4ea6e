//! What a tail tells while it runs, and what may end it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::cosmos::retry::RetryNotice;
use crate::feed::RangeId;
use crate::feed::page::Page;
use crate::report::{Report, count};

/// How often a tail that was asked for details says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// What ends a tail, beside a signal and the end of what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchEnd {
    /// As many changes have been shown as were asked for.
    Shown,
    /// Nothing has changed for as long as was to be waited.
    Idle,
    /// The reader of standard output has gone.
    PipeClosed,
}

/// The view that a tail's user has of it.
#[derive(Debug)]
pub(super) struct Watch {
    /// Ranges that do not yet stand anywhere.
    awaited: HashSet<RangeId>,
    /// What is told once none is awaited.
    announcement: Option<Announcement>,
    /// Ranges whose reading fails at present.
    failing: HashSet<RangeId>,
    outage: Option<Instant>,
    idle_timeout: Option<Duration>,
    last_change: Instant,
    shown: CancellationToken,
    pipe_closed: CancellationToken,
    minute: Minute,
}

/// The line that a tail begins with.
#[derive(Debug)]
pub(super) struct Announcement {
    /// `8 ranges of shop/orders`.
    pub(super) what: String,
    /// From where: none means from now, which is when the line is told.
    pub(super) from: Option<String>,
}

/// What happened since the last sign of life.
#[derive(Debug)]
struct Minute {
    began: Instant,
    changes: u64,
    request_charge: f64,
    lag: Duration,
}

impl Minute {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            changes: 0,
            request_charge: 0.0,
            lag: Duration::ZERO,
        }
    }
}

impl Watch {
    pub(super) fn new(
        announcement: Announcement,
        idle_timeout: Option<Duration>,
        shown: CancellationToken,
        pipe_closed: CancellationToken,
    ) -> Self {
        Self {
            awaited: HashSet::new(),
            announcement: Some(announcement),
            failing: HashSet::new(),
            outage: None,
            idle_timeout,
            last_change: Instant::now(),
            shown,
            pipe_closed,
            minute: Minute::new(),
        }
    }

    /// A range does not yet stand anywhere.
    pub(super) fn awaits(&mut self, range: RangeId) {
        self.awaited.insert(range);
    }

    /// A range was split; of its children these do not yet stand anywhere.
    pub(super) fn replaced(&mut self, parent: RangeId, unread: impl Iterator<Item = RangeId>) {
        self.awaited.remove(&parent);
        self.failing.remove(&parent);
        self.awaited.extend(unread);
    }

    /// A page came, perhaps an empty one: its range stands somewhere.
    pub(super) fn page(&mut self, range: RangeId, page: &Page, request_charge: f64) {
        self.awaited.remove(&range);
        self.minute.request_charge += request_charge;
        if page.is_empty() {
            return;
        }
        self.last_change = Instant::now();
        self.minute.changes += page.len() as u64;
        let made = page.items().next_back().and_then(|item| item.seconds());
        if let Some(made) =
            made.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        {
            let lag = Duration::try_from(clock::now() - made).unwrap_or_default();
            self.minute.lag = self.minute.lag.max(lag);
        }
    }

    /// The service charged for something else.
    pub(super) fn charged(&mut self, request_charge: f64) {
        self.minute.request_charge += request_charge;
    }

    /// Whether it is time to tell that the tail has begun.
    pub(super) fn is_ready(&self) -> bool {
        self.announcement.is_some() && self.awaited.is_empty()
    }

    /// Tells that the tail has begun.
    pub(super) fn announce(&mut self, report: &Report) {
        if let Some(Announcement { what, from }) = self.announcement.take() {
            let from = from.unwrap_or_else(|| rfc3339(clock::now()));
            report.notice(&format!("tailing {what} from {from}"));
            (self.last_change, self.minute) = (Instant::now(), Minute::new());
        }
    }

    /// The reading of a range failed, and will be tried again. The first time is told, and then
    /// no more until all is well.
    pub(super) fn retrying(&mut self, range: RangeId, notice: &RetryNotice, report: &Report) {
        self.failing.insert(range);
        if self.outage.is_none() {
            self.outage = Some(Instant::now());
            let at = rfc3339(clock::now());
            report.notice(&format!(
                "{at} interrupted: {}; trying again",
                notice.reason
            ));
        }
    }

    /// A range that failed is read again.
    pub(super) fn recovered(&mut self, range: RangeId, report: &Report) {
        self.failing.remove(&range);
        if let Some(began) = self.outage.filter(|_| self.failing.is_empty()) {
            self.outage = None;
            let at = rfc3339(clock::now());
            report.notice(&format!(
                "{at} reconnected after {:.1} s, nothing lost",
                began.elapsed().as_secs_f64()
            ));
        }
    }

    /// Says that the tail is alive, if a minute has passed since it said so last.
    pub(super) fn heartbeat(&mut self, report: &Report) {
        if let Some(text) = self.sign_of_life() {
            report.detail(&text);
        }
    }

    fn sign_of_life(&mut self) -> Option<String> {
        let elapsed = self.minute.began.elapsed();
        if elapsed < HEARTBEAT || self.announcement.is_some() {
            return None;
        }
        let minute = std::mem::replace(&mut self.minute, Minute::new());
        Some(format!(
            "{} in the last minute, {:.1} RU/s, lag {:.1} s",
            count(minute.changes, "change"),
            minute.request_charge / elapsed.as_secs_f64(),
            minute.lag.as_secs_f64()
        ))
    }

    /// Waits for what may end the tail.
    async fn end(&self) -> WatchEnd {
        let idle = async {
            match self.idle_timeout.filter(|_| self.announcement.is_none()) {
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

/// Waits for what may end a tail; for ever, if it is none.
pub(super) async fn watch_end(watch: &mut Option<Watch>) -> WatchEnd {
    match watch {
        Some(watch) => watch.end().await,
        None => std::future::pending().await,
    }
}

/// A moment as RFC 3339, in whole seconds.
pub(super) fn rfc3339(time: OffsetDateTime) -> String {
    let whole = time.replace_nanosecond(0).unwrap_or(time);
    whole.format(&Rfc3339).unwrap_or_else(|_| whole.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        let announcement = Announcement {
            what: "2 ranges of shop/orders".into(),
            from: None,
        };
        Watch::new(
            announcement,
            None,
            CancellationToken::new(),
            CancellationToken::new(),
        )
    }

    fn quiet() -> Report {
        Report::new(&crate::cli::VerbosityArgs {
            verbose: 0,
            quiet: true,
        })
    }

    fn page(text: &'static str) -> Page {
        Page::parse(text.into()).unwrap()
    }

    #[test]
    fn it_is_ready_once_every_range_stands_somewhere() {
        let mut watch = watch();
        watch.awaits(RangeId(0));
        watch.awaits(RangeId(1));
        watch.page(RangeId(0), &Page::default(), 1.0);
        assert!(!watch.is_ready());
        watch.replaced(RangeId(1), [RangeId(2), RangeId(3)].into_iter());
        watch.page(RangeId(2), &Page::default(), 1.0);
        assert!(!watch.is_ready());
        watch.page(RangeId(3), &Page::default(), 1.0);
        assert!(watch.is_ready());
        watch.announce(&quiet());
        assert!(!watch.is_ready(), "it is told once");
    }

    #[test]
    fn a_sign_of_life_counts_the_minute() {
        let mut watch = watch();
        watch.announce(&quiet());
        assert_eq!(watch.sign_of_life(), None);
        let Some(earlier) = Instant::now().checked_sub(Duration::from_secs(60)) else {
            return;
        };
        watch.minute.began = earlier;
        watch.page(
            RangeId(0),
            &page(r#"{"Documents":[{"id":"1"},{"id":"2"}]}"#),
            120.0,
        );
        watch.charged(60.0);
        assert_eq!(
            watch.sign_of_life().unwrap(),
            "2 changes in the last minute, 3.0 RU/s, lag 0.0 s"
        );
        assert_eq!(watch.sign_of_life(), None);
    }
}
