//! `compare --follow`: both sides while they are written to.
//!
//! ```text
//! pin both feeds to now ─► read both sides, as without --follow ─► what differs ─┐
//!        │                                                                       ▼
//!        └► changes of both feeds ──────────────────────────────────► documents that may differ     watch.rs
//!                                                                                │  ▲
//!                                                     read again: these, or their ranges, or everything
//!                                                                                ▼
//!                                    heads of both feeds ─► what can be said, as of when            verdict.rs
//! ```
//!
//! Each feed is pinned before its side is read, so what the reading did not see is in the feed. A document is no
//! longer watched once both feeds, or a reading of both sides, say that it is the same; whatever changes it after that
//! comes in a feed, and it is watched again. So if nothing is watched when both feeds are at their heads, and nothing was
//! learned since the oldest of the requests that showed this, the sides were the same when it was sent.

mod feed;
mod verdict;
mod watch;

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Result;
use time::OffsetDateTime;

use self::feed::Feed;
use self::watch::{Found, WATCHED_BYTES, Watch};
use super::comparison::{Comparison, Differing};
use super::examine::{SOURCE, TARGET, content_of};
use super::selection::Selection;
use super::settle::Settled;
use crate::clock;
use crate::content::digest::Bucket;
use crate::content::form::Form;
use crate::failpoint;
use crate::feed::FeedMode;
use crate::feed::page::Page;
use crate::monitor::{Begun, Compared, Monitor};
use crate::observe::{Event, Observers};
use crate::reader::ReaderEvent;
use crate::report::Report;
use crate::settings::ComparePlan;
use crate::signal::Shutdown;

pub(super) use self::verdict::{Outcome, Verdict};

/// How often the verdict is looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often it is printed, if there is news, and if there is none.
const NEWS: Duration = Duration::from_secs(5);
const QUIET: Duration = Duration::from_secs(60);

/// How following ended.
pub(super) struct Followed {
    pub(super) verdict: Verdict,
    /// Records of each side in the last reading of everything.
    pub(super) documents: [u64; 2],
    pub(super) settled: Settled,
    /// They are not stopped before what differs was read for the report: the driver may never end a request for
    /// partitions after one that was given up.
    _feeds: Vec<Feed>,
}

/// What is being read beside the feeds.
struct Job<'a> {
    /// The number of the last change before it.
    mark: u64,
    /// When it began.
    began: (Instant, OffsetDateTime),
    reads_all: bool,
    reading: Pin<Box<dyn Future<Output = Result<Read>> + Send + 'a>>,
}

/// What a job has read.
struct Read {
    found: Found,
    /// Records of each side, if everything was read.
    documents: Option<[u64; 2]>,
}

/// Follows both sides until a stop is requested, or, if the plan says so, until they are the same.
///
/// # Errors
///
/// If a side cannot be read, or the stop comes before everything was read once.
pub(super) async fn run(
    comparison: &Comparison,
    plan: &ComparePlan,
    monitor: &Monitor,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<Followed> {
    let begun = Begun {
        follows: true,
        has_ranges: true,
        ..Begun::default()
    };
    let observer = monitor.begin(plan.mode, begun);
    let mut observers = Observers::new(observer.into_iter().collect());
    let stop = comparison.stop.child_token();
    let mut feeds = Vec::new();
    for side in &comparison.sides {
        feeds.push(Feed::start(side, plan.mode, stop.clone(), &mut observers).await?);
    }
    // From here on a stop ends with a verdict.
    shutdown.begin()?;
    report.detail("both feeds are pinned: every change from here on is followed");
    let most = usize::try_from(plan.memory / 4 / WATCHED_BYTES)
        .unwrap_or(usize::MAX)
        .max(1000);
    let keyers = &comparison.keyers;
    let by_feeds = keyers.iter().all(|keyer| keyer.is_direct());
    // Otherwise the feed does not say which document of the other side a deletion is of.
    let with_deletions = by_feeds && plan.mode == FeedMode::AllVersionsAndDeletes;
    let buckets = keyers[SOURCE].buckets();
    let watch = Watch::new(most, buckets, plan.settle, by_feeds, with_deletions);
    let mut following = Following {
        comparison,
        plan,
        report,
        monitor,
        watch,
        with_deletions,
        buffer: Form::default(),
        rested: [Instant::now(); 2],
        read_all: None,
        documents: [0; 2],
        printed: None,
    };
    let [source, target] = &mut feeds[..] else {
        unreachable!("there are two sides");
    };
    let mut job = Some(following.read_all());
    let mut ticks = tokio::time::interval(TICK);
    let verdict = loop {
        tokio::select! {
            event = source.next() => {
                following.take(SOURCE, source, event?, &mut observers)?;
                continue;
            }
            event = target.next() => {
                following.take(TARGET, target, event?, &mut observers)?;
                continue;
            }
            ended = ended(&mut job) => {
                let (job, read) = ended?;
                following.ended(job, read);
            }
            _ = ticks.tick() => {}
            () = shutdown.requested() => match following.last_verdict([source, target]) {
                Some(verdict) => break verdict,
                None => return Err(shutdown.stopped_before("everything was read once")),
            },
        }
        observers.emit(&Event::Tick);
        let Some(verdict) = following.tell([source, target]) else {
            continue;
        };
        let is_candidate = following.may_end([source, target], &verdict);
        if plan.until_same && is_candidate && job.is_none() {
            if following.knows_deletions() {
                break verdict;
            }
            report.notice("nothing differs: both sides are read once more, for what was deleted");
            job = Some(following.read_all());
        }
        if job.is_none() {
            job = following.next_job();
        }
    };
    // Printed at the end too.
    following.print(&verdict, true);
    for feed in [&*source, &*target] {
        feed.end();
    }
    let open = following.watch.different();
    let documents = following.documents;
    if let Some(job) = job.take_if(|job| !job.reads_all) {
        // For the same reason as the feeds; what it finds comes too late.
        tokio::time::timeout(NEWS, job.reading).await.ok();
    }
    Ok(Followed {
        documents,
        _feeds: feeds,
        settled: Settled {
            different: Differing {
                open,
                ..Differing::default()
            },
            changing: verdict.changing,
        },
        verdict,
    })
}

/// Waits for the end of a job, if there is one, and takes it.
async fn ended<'a>(job: &mut Option<Job<'a>>) -> Result<(Job<'a>, Read)> {
    let Some(running) = job else {
        return pending().await;
    };
    let read = running.reading.as_mut().await?;
    match job.take() {
        Some(job) => Ok((job, read)),
        None => pending().await,
    }
}

/// Both sides, as they are followed.
struct Following<'a> {
    comparison: &'a Comparison,
    plan: &'a ComparePlan,
    report: &'a Report,
    monitor: &'a Monitor,
    watch: Watch,
    /// Whether the feeds say what is deleted.
    with_deletions: bool,
    buffer: Form,
    /// When the next look may begin, and the next reading of everything.
    rested: [Instant; 2],
    /// When the last reading of everything that has ended began.
    read_all: Option<(Instant, OffsetDateTime)>,
    documents: [u64; 2],
    /// The verdict that was printed last, and when.
    printed: Option<(Verdict, Instant)>,
}

impl<'a> Following<'a> {
    /// Takes an event of a feed.
    fn take(
        &mut self,
        side: usize,
        feed: &mut Feed,
        event: ReaderEvent,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        feed.take(event, observers, |page| self.visit(side, page))
    }

    fn visit(&mut self, side: usize, page: &Page) -> Result<()> {
        if page.is_empty() {
            return Ok(());
        }
        self.watch.moved();
        if side == TARGET && failpoint::is_planted("defect.compare.target-is-not-followed") {
            return Ok(());
        }
        let keyer = &self.comparison.keyers[side];
        for item in page.items() {
            let mut is_kept = false;
            let visited = keyer.item(item, None, |keyed| {
                is_kept = true;
                if keyed.is_elsewhere {
                    self.comparison.sides[side].has_one_elsewhere();
                }
                let content = content_of(keyer, &keyed, &mut self.buffer);
                self.watch.changed(side, keyed.name, keyed.bucket, content);
                Ok(())
            })?;
            visited.map_err(|unusable| unusable.at("a change of the feed"))?;
            if !is_kept {
                // A program dropped it: what it was before is not known.
                self.watch.lose();
            }
        }
        Ok(())
    }

    /// Begins to read everything.
    fn read_all(&mut self) -> Job<'a> {
        self.watch.read_all();
        let (comparison, report) = (self.comparison, self.report);
        Job {
            mark: self.watch.mark(),
            began: (Instant::now(), clock::now()),
            reads_all: true,
            reading: Box::pin(async move {
                let digests = comparison.digests_by_content().await?;
                let documents = [digests[SOURCE].documents, digests[TARGET].documents];
                let unlike = digests[SOURCE].unlike(&digests[TARGET]);
                let differing = comparison.sort_out(&unlike, &digests, report).await?;
                Ok(Read {
                    found: found(differing),
                    documents: Some(documents),
                })
            }),
        }
    }

    /// What is to be read now, if anything is.
    fn next_job(&mut self) -> Option<Job<'a>> {
        let [may_look, may_read_all] = self.rested.map(|rested| Instant::now() >= rested);
        if may_read_all && self.watch.is_lost() && self.is_quiet() {
            return Some(self.read_all());
        }
        if !may_look {
            return None;
        }
        let (comparison, report) = (self.comparison, self.report);
        let (mark, began) = (self.watch.mark(), (Instant::now(), clock::now()));
        let unread = self.watch.take_unread();
        if !unread.is_empty() {
            return Some(Job {
                mark,
                began,
                reads_all: false,
                reading: Box::pin(read_ranges(comparison, unread, report)),
            });
        }
        let due = self.watch.due();
        if due.is_empty() {
            return None;
        }
        Some(Job {
            mark,
            began,
            reads_all: false,
            reading: Box::pin(async move {
                let asked = due.keys().copied().collect();
                let differing = comparison.sorted(Selection::Names(due)).await?;
                let found = Found {
                    differing,
                    asked,
                    ..Found::default()
                };
                Ok(Read {
                    found,
                    documents: None,
                })
            }),
        })
    }

    /// A job has ended.
    fn ended(&mut self, job: Job<'_>, read: Read) {
        self.watch.found(read.found, job.mark, job.began.0);
        let rested = Instant::now() + job.began.0.elapsed();
        let mut sides = self.comparison.sides.iter();
        match job.reads_all {
            false => self.rested[0] = rested,
            // A look at a side without ranges is no less.
            true if sides.any(|side| !side.is_in_ranges()) => self.rested = [rested; 2],
            true => self.rested[1] = rested,
        }
        if let Some(documents) = read.documents {
            self.documents = documents;
            self.read_all = job.reads_all.then_some(job.began);
            self.report.end_progress();
        }
    }

    /// Whether nothing has changed for the settling time, or for a moment.
    fn is_quiet(&self) -> bool {
        const MOMENT: Duration = Duration::from_secs(1);
        self.watch.last_change().elapsed() >= self.plan.settle.max(MOMENT)
    }

    /// When nothing has changed for the settling time, unless that is beyond all time.
    fn quiet_from(&self) -> Option<Instant> {
        self.watch.last_change().checked_add(self.plan.settle)
    }

    /// Whether the sides are the same, and nothing has changed for the settling time before the heads.
    fn may_end(&self, feeds: [&Feed; 2], verdict: &Verdict) -> bool {
        let heads = head(feeds).zip(self.quiet_from());
        verdict.outcome == Outcome::Same && heads.is_some_and(|((asked, _), quiet)| asked >= quiet)
    }

    /// Whether deletions are known: each is in the feed, or everything was read once nothing changed any more.
    fn knows_deletions(&self) -> bool {
        let read_all = self.read_all.zip(self.quiet_from());
        self.with_deletions
            || read_all.is_some_and(|((began, _), quiet)| began >= quiet)
            || failpoint::is_planted("defect.compare.deletions-are-not-looked-for")
    }

    /// What can be said now; nothing before everything was read once.
    fn verdict(&self, feeds: [&Feed; 2]) -> Option<Verdict> {
        let (_, read_all_at) = self.read_all?;
        let heads = head(feeds);
        let as_of = heads.map(|(_, at)| at);
        let deletions_as_of = (!self.with_deletions).then_some(read_all_at);
        Some(Verdict::new(
            self.watch.census(),
            self.watch.has_unread(),
            heads.is_some_and(|(asked, _)| asked >= self.watch.last_news()),
            as_of,
            deletions_as_of,
        ))
    }

    /// What can be said at the end. Whoever waits for both sides to be the same is told so only if deletions are known.
    fn last_verdict(&self, feeds: [&Feed; 2]) -> Option<Verdict> {
        let mut verdict = self.verdict(feeds)?;
        if self.plan.until_same && !self.knows_deletions() && verdict.outcome == Outcome::Same {
            verdict.outcome = Outcome::Changing;
        }
        Some(verdict)
    }

    /// Says what can be said now, to whom it concerns.
    fn tell(&mut self, feeds: [&Feed; 2]) -> Option<Verdict> {
        let verdict = self.verdict(feeds);
        self.monitor
            .compared(|| self.figures(feeds, verdict.as_ref()));
        let verdict = verdict?;
        self.print(&verdict, false);
        Some(verdict)
    }

    /// Prints a verdict if it is news, or `must` be.
    fn print(&mut self, verdict: &Verdict, must: bool) {
        let is_due = match &self.printed {
            None => verdict.as_of.is_some(),
            Some((earlier, at)) => {
                at.elapsed() >= QUIET || at.elapsed() >= NEWS && verdict.is_news_after(earlier)
            }
        };
        if must || is_due {
            self.report.notice(&verdict.text());
            self.printed = Some((verdict.clone(), Instant::now()));
        }
    }

    fn figures(&self, feeds: [&Feed; 2], verdict: Option<&Verdict>) -> Compared {
        let done = self.comparison.done();
        Compared {
            documents: done.0,
            bytes: done.1,
            verdict: verdict.map(|verdict| verdict.outcome.name()),
            documents_by_state: verdict.map_or_else(Vec::new, |verdict| {
                vec![
                    ("missing", verdict.different.missing),
                    ("extra", verdict.different.extra),
                    ("different", verdict.different.different),
                    ("changing", verdict.changing),
                ]
            }),
            as_of: verdict.and_then(|verdict| verdict.as_of),
            heads: verdict.and(head(feeds)).map(|(asked, _)| asked),
            deletions_as_of: verdict.and_then(|verdict| verdict.deletions_as_of.or(verdict.as_of)),
        }
    }
}

/// The oldest of the requests that last showed the heads of both sides, and its time by the clock of the machine.
fn head(feeds: [&Feed; 2]) -> Option<(Instant, OffsetDateTime)> {
    let [source, target] = feeds.map(Feed::head);
    let (source, target) = (source?, target?);
    let oldest = if source.asked < target.asked {
        source
    } else {
        target
    };
    Some((oldest.asked, oldest.asked_at))
}

/// Reads small ranges again, document by document.
async fn read_ranges(
    comparison: &Comparison,
    buckets: Vec<Bucket>,
    report: &Report,
) -> Result<Read> {
    let differing = comparison.sort_out_again(&buckets, report).await?;
    Ok(Read {
        found: found(differing),
        documents: None,
    })
}

fn found(differing: Differing) -> Found {
    Found {
        differing: differing.open,
        beyond: differing.beyond_in.into_iter().collect(),
        asked: Vec::new(),
    }
}
