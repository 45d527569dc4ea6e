//! The notices of a tail: that it has begun, outages, and signs of life.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::counts::Counts;
use super::event::Event;
use super::observer::Observer;
use crate::clock;
use crate::count::count;
use crate::feed::RangeId;
use crate::feed::page::Page;
use crate::report::Report;

/// How often `-v` prints a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// The line that a tail begins with.
#[derive(Debug)]
pub struct Announcement {
    /// `8 ranges of shop/orders`.
    pub what: String,
    /// Where it starts; `None` is the time when the line is printed.
    pub from: Option<String>,
}

/// Prints the notices of a tail.
#[derive(Debug)]
pub struct TailNotices<'a> {
    report: &'a Report,
    /// What is printed once the tail is ready.
    announcement: Option<Announcement>,
    /// Ranges whose requests fail at present.
    failing: HashSet<RangeId>,
    outage: Option<Instant>,
    minute: Minute,
}

/// The time since the last sign of life.
#[derive(Debug)]
struct Minute {
    began: Instant,
    /// The counts at its beginning.
    before: Counts,
    lag: Duration,
}

impl Minute {
    fn after(counts: &Counts) -> Self {
        Self {
            began: Instant::now(),
            before: *counts,
            lag: Duration::ZERO,
        }
    }
}

impl<'a> TailNotices<'a> {
    /// The notices of a tail that is announced like this.
    pub fn new(report: &'a Report, announcement: Announcement) -> Self {
        Self {
            announcement: Some(announcement),
            ..Self::unannounced(report)
        }
    }

    /// The notices of a tail that is announced elsewhere.
    pub fn unannounced(report: &'a Report) -> Self {
        Self {
            report,
            announcement: None,
            failing: HashSet::new(),
            outage: None,
            minute: Minute::after(&Counts::default()),
        }
    }

    fn announce(&mut self, counts: &Counts) {
        if let Some(Announcement { what, from }) = self.announcement.take() {
            let from = from.unwrap_or_else(|| rfc3339(clock::now()));
            self.report.notice(&format!("tailing {what} from {from}"));
            self.minute = Minute::after(counts);
        }
    }

    fn page(&mut self, page: &Page) {
        let made = page.items().next_back().and_then(|item| item.seconds());
        if let Some(made) =
            made.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        {
            let lag = Duration::try_from(clock::now() - made).unwrap_or_default();
            self.minute.lag = self.minute.lag.max(lag);
        }
    }

    /// The first failure of an outage is printed, and nothing more until all ranges have recovered.
    fn retrying(&mut self, range: RangeId, reason: &str) {
        self.failing.insert(range);
        if self.outage.is_none() {
            self.outage = Some(Instant::now());
            let at = rfc3339(clock::now());
            self.report
                .notice(&format!("{at} interrupted: {reason}; trying again"));
        }
    }

    fn recovered(&mut self, range: RangeId) {
        self.failing.remove(&range);
        if let Some(began) = self.outage.filter(|_| self.failing.is_empty()) {
            self.outage = None;
            let at = rfc3339(clock::now());
            self.report.notice(&format!(
                "{at} reconnected after {:.1} s, nothing lost",
                began.elapsed().as_secs_f64()
            ));
        }
    }

    fn sign_of_life(&mut self, counts: &Counts) -> Option<String> {
        let elapsed = self.minute.began.elapsed();
        if elapsed < HEARTBEAT || self.announcement.is_some() {
            return None;
        }
        let minute = std::mem::replace(&mut self.minute, Minute::after(counts));
        let charged = counts.request_charge - minute.before.request_charge;
        Some(format!(
            "{} in the last minute, {:.1} RU/s, lag {:.1} s",
            count(counts.documents - minute.before.documents, "change"),
            charged / elapsed.as_secs_f64(),
            minute.lag.as_secs_f64()
        ))
    }
}

impl Observer for TailNotices<'_> {
    fn observe(&mut self, event: &Event<'_>, counts: &Counts) {
        match event {
            Event::Ready => self.announce(counts),
            Event::Page { page, .. } => self.page(page),
            Event::Retrying { range, notice } => self.retrying(*range, &notice.reason),
            Event::Recovered { range } => self.recovered(*range),
            Event::Left { range } => {
                // Whether it would have recovered is not known.
                self.failing.remove(range);
                self.outage = self.outage.filter(|_| !self.failing.is_empty());
            }
            Event::Split { parent, .. } => {
                self.failing.remove(parent);
            }
            Event::Tick => {
                if let Some(text) = self.sign_of_life(counts) {
                    self.report.detail(&text);
                }
            }
            _ => {}
        }
    }
}

/// A moment as RFC 3339, in whole seconds.
pub fn rfc3339(time: OffsetDateTime) -> String {
    let whole = time.replace_nanosecond(0).unwrap_or(time);
    whole.format(&Rfc3339).unwrap_or_else(|_| whole.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_life_counts_the_minute() {
        let report = Report::default();
        let announcement = Announcement {
            what: "2 ranges of shop/orders".into(),
            from: None,
        };
        let mut notices = TailNotices::new(&report, announcement);
        let mut counts = Counts {
            documents: 5,
            request_charge: 7.0,
            ..Counts::default()
        };
        notices.announce(&counts);
        assert_eq!(notices.sign_of_life(&counts), None);
        let Some(earlier) = Instant::now().checked_sub(Duration::from_secs(60)) else {
            return;
        };
        notices.minute.began = earlier;
        counts.documents += 2;
        counts.request_charge += 180.0;
        assert_eq!(
            notices.sign_of_life(&counts).unwrap(),
            "2 changes in the last minute, 3.0 RU/s, lag 0.0 s"
        );
        assert_eq!(notices.sign_of_life(&counts), None);
    }
}
