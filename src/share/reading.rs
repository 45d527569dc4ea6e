//! What comes from the ranges whose leases an instance has.

use anyhow::{Context, Result};

use super::holding::Phase;
use super::instance::Instance;
use crate::cosmos::token::segments;
use crate::escape::escape_for_terminal;
use crate::feed::{FeedRange, Part, RangeId, RangeState};
use crate::observe::Event;
use crate::process;
use crate::reader::ReaderEvent;
use crate::sink::PageToWrite;

impl Instance<'_> {
    /// Takes an event of the reader. Those of ranges that this instance does not read any more are dropped.
    pub(super) fn take(&mut self, event: ReaderEvent) -> Result<()> {
        let now = process::since_boot();
        match event {
            ReaderEvent::Page {
                range,
                page,
                position,
                highest_lsn,
                partition,
                request_charge,
                permit,
            } => {
                let Some(holding) = self.holdings.get_mut(&range) else {
                    return Ok(());
                };
                // It may be another's, since this process was paused. The lease goes with the page: were it renewed
                // after all, the next position to be saved would be beyond a page that was never printed.
                if now >= holding.valid_until || holding.tenure.is_broken() {
                    self.lapse(now);
                    return Ok(());
                }
                // Whoever has the range next begins before it.
                if holding.phase != Phase::Reading {
                    return Ok(());
                }
                let bytes = page.body_len() as u64;
                let has_changes = !page.is_empty();
                self.parts.observers.emit(&Event::Page {
                    range,
                    page: &page,
                    lsn: position.lsn,
                    highest_lsn,
                    partition: &partition,
                    request_charge,
                });
                self.parts.watch.page(range, &page);
                holding.changes.handed |= has_changes;
                let after = RangeState {
                    position: Some(position.clone()),
                    ..holding.read.clone()
                };
                let page = PageToWrite {
                    before: std::mem::replace(&mut holding.read, after),
                    page,
                    position,
                    request_charge,
                    permit,
                };
                self.parts.outlet.write(page, holding);
                match (&mut holding.files, self.parts.outlet.files()) {
                    (Some(own), Some(files)) => own.handed(bytes, has_changes, now, files),
                    _ => self.lane.is_dirty = true,
                }
            }
            ReaderEvent::Replaced {
                parent, children, ..
            } => self.split(parent, children)?,
            ReaderEvent::Failed { range, error } => {
                if let Some(holding) = self.holdings.get(&range) {
                    let token = escape_for_terminal(&holding.lease.token).into_owned();
                    return Err(error.context(format!(
                        "cannot continue to read the range of the lease `{token}`"
                    )));
                }
            }
            ReaderEvent::CaughtUp { range } => self.emit(range, &Event::CaughtUp { range }),
            ReaderEvent::Recovered { range } => self.emit(range, &Event::Recovered { range }),
            ReaderEvent::Retrying { range, notice } => {
                let event = Event::Retrying {
                    range,
                    notice: &notice,
                };
                self.emit(range, &event);
            }
            ReaderEvent::Charged { request_charge, .. } => {
                self.parts.outlet.charged(request_charge);
                self.parts
                    .observers
                    .emit(&Event::Charged { request_charge });
            }
            // A tail has no end.
            ReaderEvent::Finished { .. } | ReaderEvent::Pinned { .. } => {}
        }
        Ok(())
    }

    /// Emits an event of a range that this instance reads.
    pub(super) fn emit(&mut self, range: RangeId, event: &Event<'_>) {
        if self.holdings.contains_key(&range) {
            self.parts.observers.emit(event);
        }
    }

    /// A range was split: once all that was read of it is printed, its lease is replaced.
    pub(super) fn split(&mut self, parent: RangeId, children: Vec<Part>) -> Result<()> {
        let Some(holding) = self.holdings.get_mut(&parent) else {
            return Ok(());
        };
        if holding.phase != Phase::Reading {
            return Ok(());
        }
        let before = holding.lease.checkpoint.etag();
        let before = before.context("the lease has no position")?.to_owned();
        let mut parts = Vec::with_capacity(children.len());
        for (range, position) in children {
            let found = position.map(|position| segments(&position.token, &range));
            let found = found.transpose()?.unwrap_or_default();
            let etag = match &found[..] {
                [part] => part.etag.clone(),
                _ => None,
            };
            // One that was not read yet begins where the parent's lease is.
            parts.push((range, etag.unwrap_or_else(|| before.clone())));
        }
        self.replace_by(parent, parts);
        Ok(())
    }

    pub(super) fn replace_by(&mut self, id: RangeId, parts: Vec<(FeedRange, String)>) {
        self.end_reading(id, Phase::Replaced(parts));
    }

    /// Ends the reading of a range. Its phase goes on once what was handed over is flushed.
    pub(super) fn end_reading(&mut self, id: RangeId, phase: Phase) {
        let Some(holding) = self.holdings.get_mut(&id) else {
            return;
        };
        let lane = holding.files.as_ref().map_or(&self.lane, |own| &own.lane);
        let flush = lane.next();
        if holding.end_reading(phase, flush) {
            let own = holding.files.as_mut().map(|own| &mut own.lane);
            own.unwrap_or(&mut self.lane).hasten();
        }
    }
}
