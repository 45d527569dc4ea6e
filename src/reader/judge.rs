//! What an answer of the service means for the range being read.

use anyhow::{Result, bail, ensure};

use super::horizon::{Lag, place};
use super::shard::Shard;
use crate::cosmos::cursor::FeedAnswer;
use crate::count::exactly;
use crate::failpoint;
use crate::feed::{Part, Position, ReachedEnd, ReadUntil, has_transactions, lsn_of_etag};

/// What one answer means.
pub(super) enum Step {
    /// There may be more.
    More,
    /// There is nothing new.
    CaughtUp,
    /// The end was reached.
    Reached(Option<ReachedEnd>),
    /// The answer has nothing new, but more is known to exist.
    Behind(Lag),
    /// The range was split.
    Split(Vec<Part>),
}

/// Whether the end is never pinned again. An exact end is where the next plan begins, whichever partition the range is in by
/// then: what comes after it there is left to that plan. With any other end, changes would be missing, or come twice.
pub(super) fn keeps_end(until: ReadUntil) -> bool {
    until == ReadUntil::Exact && !failpoint::is_planted("defect.exact-ends-are-pinned-again")
}

impl Shard {
    /// Refuses an answer from before the range's position: its documents were written already, and its ETag
    /// would return them again.
    pub(super) fn ensure_forward(&self, answer: &FeedAnswer) -> Result<()> {
        if self.horizon.is_beyond(answer.etag(), answer.partition_lsn) {
            let etag = place(answer.etag());
            match answer.partition_lsn {
                Some(lsn) => bail!("the service sent {etag}, but its partition is at LSN {lsn}"),
                None => bail!("the service sent {etag} without its session token"),
            }
        }
        let (range, before) = (self.id, self.etag.as_deref());
        let Some(here) = before.and_then(lsn_of_etag) else {
            return Ok(());
        };
        for etag in answer
            .segments
            .iter()
            .filter_map(|part| part.etag.as_deref())
        {
            let Some(service) = lsn_of_etag(etag) else {
                let shown: String = etag.escape_debug().take(60).collect();
                bail!(
                    "the service sent the ETag `{shown}`, which differs in form from the earlier ones"
                );
            };
            if service < here && answer.page.is_empty() {
                bail!(Lag::BehindPosition {
                    range,
                    here,
                    service
                });
            }
            if service < here {
                let page = service;
                bail!(Lag::GoesBack { range, here, page });
            }
        }
        let first = answer.page.items().next().and_then(|item| item.lsn());
        if let Some(page) = first
            && (page < here || page == here && before.is_some_and(has_transactions))
        {
            bail!(Lag::GoesBack { range, here, page });
        }
        Ok(())
    }

    /// Decides what an answer means. Returns the range's new position, if the answer moves it.
    pub(super) fn judge(
        &mut self,
        answer: &FeedAnswer,
        until: Option<ReadUntil>,
    ) -> Result<(Step, Option<Position>)> {
        let count = answer.page.len();
        let moved = match &self.position {
            Some(position) if position.token == answer.token => false,
            // A split changes the token, whether or not its page has an ETag. Without one, the parts are at
            // the range's old position, and would be read from there again.
            Some(_) if answer.segments.len() > 1 => {
                let mut parts = answer.segments.iter();
                count == 0 || parts.any(|part| part.etag.is_some() && part.etag != self.etag)
            }
            _ => true,
        };
        ensure!(
            count == 0 || moved,
            "the service sent {} but no new ETag",
            exactly(count as u64, "document")
        );
        if let [part] = &answer.segments[..]
            && let Some(end) = part.etag.as_deref().and_then(lsn_of_etag)
            && let Some(last) = answer.page.items().next_back().and_then(|item| item.lsn())
        {
            // Changes beyond the page's ETag would be returned again.
            ensure!(
                last <= end,
                "the service sent a change of LSN {last} in a page that ends at LSN {end}"
            );
        }
        let position = match (moved, count) {
            (false, _) => None,
            (true, 0) => answer.position().ok(),
            (true, _) => Some(answer.position()?),
        };
        if answer.segments.len() > 1 {
            // The token has a position for each part, which is read on its own from there.
            let children = answer.segments.iter().map(|part| {
                let position = part.etag.as_ref().map(|_| Position {
                    token: answer.token.clone(),
                    lsn: None,
                });
                (part.range.clone(), position)
            });
            return Ok((Step::Split(children.collect()), position));
        }
        Ok((self.arrive(answer, until), position))
    }

    /// Whether an answer of an undivided range shows its end.
    fn arrive(&mut self, answer: &FeedAnswer, until: Option<ReadUntil>) -> Step {
        if answer.not_modified {
            let lsn = answer.etag().and_then(lsn_of_etag);
            self.horizon.compare(lsn, answer.partition_lsn);
        }
        let without_end = if !answer.not_modified {
            Step::More
        } else if failpoint::is_planted("defect.nothing-new-is-the-end") {
            Step::Reached(None)
        } else {
            Step::CaughtUp
        };
        let Some(until) = until.filter(|_| self.horizon.pinned().is_some()) else {
            return without_end;
        };
        if !keeps_end(until) && self.horizon.is_of_another(answer.partition.as_deref()) {
            // A merge: the pin may no longer compare. The range is pinned again.
            let (range, here) = (self.id, place(self.etag.as_deref()));
            let end = place(self.horizon.pinned().map(|end| end.etag.as_str()));
            self.horizon.forget();
            return if answer.not_modified {
                Step::Behind(Lag::BelowEnd { range, here, end })
            } else {
                Step::More
            };
        }
        let etag = answer.etag().or(self.etag.as_deref());
        let known = self.horizon.highest();
        let lsn = answer.partition_lsn;
        let reached = if answer.not_modified {
            self.horizon.after_nothing_new(until, etag, lsn)
        } else {
            self.horizon.after_page(until, etag, lsn)
        };
        if failpoint::is_planted("defect.nothing-new-below-the-pin-is-the-end")
            && answer.not_modified
        {
            return Step::Reached(Some(ReachedEnd::Head));
        }
        if failpoint::is_planted("defect.the-pin-is-the-end") && self.horizon.has_reached_pin(etag)
        {
            return Step::Reached(Some(ReachedEnd::Head));
        }
        match (reached, answer.not_modified) {
            (Some(reached), _) => Step::Reached(Some(reached)),
            (None, false) => Step::More,
            (None, true) => {
                let (range, here) = (self.id, place(etag));
                Step::Behind(match known {
                    Some(known) if self.horizon.has_reached_pin(etag) => {
                        Lag::BelowKnown { range, here, known }
                    }
                    _ => {
                        let end = place(self.horizon.pinned().map(|end| end.etag.as_str()));
                        Lag::BelowEnd { range, here, end }
                    }
                })
            }
        }
    }
}
