//! What an instance does with the leases that it has: keeps them, saves positions, replaces them after a split, and
//! lets them go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::children::{Replaced, replace};
use super::holding::{Holding, Phase};
use super::instance::{Done, Instance, Stopping, is_final};
use super::outlet::Flushed;
use super::store::Kept;
use crate::cosmos::token::segments;
use crate::escape::escape_for_terminal;
use crate::feed::RangeId;
use crate::leases::Attempt;
use crate::observe::Event;
use crate::process;

impl Instance<'_> {
    pub(super) fn release_all(&mut self) {
        self.stopping = Stopping::Releasing;
        let idle: Vec<RangeId> = self
            .holdings
            .iter()
            .filter(|(_, holding)| !holding.is_writing)
            .map(|(id, _)| *id)
            .collect();
        for id in idle {
            self.release(id);
        }
    }

    /// Stops reading a range whose lease this instance does not have any more.
    pub(super) fn drop_holding(&mut self, id: RangeId, why: &str) -> Option<Holding> {
        let mut holding = self.holdings.remove(&id)?;
        holding.stop.cancel();
        holding.tenure.end();
        let files = holding.files.as_mut();
        if let Some(writer) = files.and_then(|files| files.writer.take()) {
            writer.discard();
        }
        let token = escape_for_terminal(&holding.lease.token);
        self.report.detail(&format!("lease `{token}`: {why}"));
        if self.stopping == Stopping::No {
            self.unclaimed.remove(&id);
        }
        self.parts.observers.emit(&Event::Left { range: id });
        Some(holding)
    }

    /// Stops reading a range whose lease others are to take.
    pub(super) fn leave(&mut self, id: RangeId) {
        let files = self.holdings.get(&id).and_then(|one| one.files.as_ref());
        // Another instance may be able to continue its files.
        match files.is_some_and(|files| files.claim_at.is_some()) {
            true => self.release(id),
            false => self.end_reading(id, Phase::Leaving),
        }
    }

    /// Renews a lease, and saves its position, in a task.
    pub(super) fn write(&mut self, id: RangeId) {
        let Some(holding) = self.holdings.get_mut(&id) else {
            return;
        };
        holding.is_writing = true;
        holding.changes.flushed = false;
        let (lease, range) = (holding.lease.clone(), holding.range().clone());
        let (etag, until) = (holding.send(), holding.valid_until);
        let (store, writers) = (Arc::clone(&self.parts.store), Arc::clone(&self.writers));
        self.work.spawn(async move {
            let write = async {
                let _permit = writers.acquire().await?;
                let own = Some(store.instance.as_str());
                // What only a few need at a time is not kept by all that wait.
                Box::pin(store.write(&lease, own, etag.as_deref(), &range, until)).await
            };
            let result = write.await;
            Done::Written { id, result }
        });
    }

    /// Writes a lease again, if that was asked for while it was written.
    fn confirm(&mut self, id: RangeId) {
        let holding = self.holdings.get(&id);
        if holding.is_some_and(|one| !one.is_writing && one.tenure.is_asked()) {
            self.write(id);
        }
    }

    pub(super) fn written(&mut self, id: RangeId, result: Result<Kept>) -> Result<()> {
        let save_interval = self.parts.save_interval;
        let renew = self.parts.store.intervals.renew;
        let is_releasing = self.stopping == Stopping::Releasing;
        let Some(holding) = self.holdings.get_mut(&id) else {
            return Ok(());
        };
        holding.is_writing = false;
        match result {
            Ok(Kept::Written(lease, valid_until)) => {
                let now = process::since_boot();
                let is_saved = lease.checkpoint != holding.lease.checkpoint;
                holding.is_now(*lease);
                holding.prolong(valid_until);
                holding.renew_at = now + renew;
                holding.save_at = now + save_interval;
                if is_saved {
                    self.parts.observers.emit(&Event::Committed {
                        published: 0,
                        began: self.flush_began,
                        took: self.flush_began.elapsed(),
                    });
                }
                if is_releasing {
                    self.release(id);
                } else {
                    self.go_on(id);
                    self.confirm(id);
                }
            }
            Ok(kept) => self.lost(id, kept),
            Err(error) if is_final(&error) => return Err(self.refused(id, error)),
            // It is tried again until the time is over.
            Err(error) => {
                let token = escape_for_terminal(&holding.lease.token);
                let text = format!("lease `{token}`: cannot be renewed yet: {error:#}");
                self.report.detail(&text);
            }
        }
        Ok(())
    }

    /// This instance does not have a lease any more.
    pub(super) fn lost(&mut self, id: RangeId, kept: Kept) {
        let why = match kept {
            Kept::Lost(Some(ref owner)) => format!("taken by `{}`", escape_for_terminal(owner)),
            Kept::Lost(None) => "its owner was cleared".to_owned(),
            Kept::Altered => "it was changed by hand, and is read again from there".to_owned(),
            Kept::Deleted => "it was deleted".to_owned(),
            Kept::OfNamesake(_) => "taken by another instance of the same name".to_owned(),
            // Until then it is retried.
            Kept::Late | Kept::Written(..) => return,
        };
        let Some(holding) = self.drop_holding(id, &why) else {
            return;
        };
        match kept {
            Kept::Altered => {
                let own = self.may_own.get_or_insert_default();
                own.insert(holding.lease.token);
                self.balance_at = process::since_boot();
            }
            Kept::OfNamesake(_) => self.taken_by_namesake(&holding.lease.id),
            _ => {}
        }
    }

    /// The error of a write that the service refused.
    pub(super) fn refused(&mut self, id: RangeId, error: anyhow::Error) -> anyhow::Error {
        let mut token = String::new();
        if let Some(holding) = self.holdings.get_mut(&id) {
            holding.is_writing = false;
            token.clone_from(&holding.lease.token);
        }
        error.context(format!(
            "cannot keep the lease `{}`",
            escape_for_terminal(&token)
        ))
    }

    /// Does what a lease waits for, once that can be done.
    pub(super) fn go_on(&mut self, id: RangeId) {
        let Some(holding) = self.holdings.get_mut(&id) else {
            return;
        };
        let lane = holding.files.as_ref().map_or(&self.lane, |own| &own.lane);
        let ended = lane.ended();
        if holding.is_writing || holding.waits_for.is_none_or(|flush| flush > ended) {
            return;
        }
        match &holding.phase {
            Phase::Claiming | Phase::Reading => {}
            Phase::Leaving => self.release(id),
            // Its children would begin after what nobody has printed. Whoever has the lease next meets the split too.
            Phase::Replaced(_) if !holding.is_printed() => self.release(id),
            Phase::Replaced(parts) => {
                let (lease, parts) = (holding.lease.clone(), parts.clone());
                let (range, until) = (holding.range().clone(), holding.valid_until);
                holding.is_writing = true;
                let (store, source) = (Arc::clone(&self.parts.store), self.parts.source.clone());
                self.work.spawn(async move {
                    let result = replace(&store, &source, &lease, &range, &parts, until).await;
                    Done::Replaced { id, result }
                });
            }
            Phase::Doubled => {
                holding.is_writing = true;
                let (lease, until) = (holding.lease.clone(), holding.valid_until);
                let store = Arc::clone(&self.parts.store);
                self.work.spawn(async move {
                    let result = store.delete(&lease, until).await;
                    Done::Deleted { id, result }
                });
            }
        }
    }

    /// Deletes a lease whose range another one has too: the owners of both would claim the state of the range in turns. What
    /// is not committed is read again by whoever has the other one.
    pub(super) fn end_double(&mut self, id: RangeId) {
        let Some(holding) = self.holdings.get_mut(&id) else {
            return;
        };
        if !matches!(holding.phase, Phase::Claiming | Phase::Reading) {
            return;
        }
        self.unclaimed.remove(&id);
        holding.stop.cancel();
        holding.phase = Phase::Doubled;
        holding.waits_for = Some(0);
        let files = holding.files.as_mut();
        if let Some(writer) = files.and_then(|files| files.writer.take()) {
            writer.discard();
        }
        self.go_on(id);
    }

    pub(super) fn deleted(&mut self, id: RangeId, result: Result<Attempt>) -> Result<()> {
        let why = match result {
            Ok(Attempt::Done(_) | Attempt::Gone) => "deleted: another lease has its range",
            Ok(Attempt::Refused) => "not deleted: another instance has it",
            Ok(Attempt::Late) => "could not be deleted in time",
            Err(error) if is_final(&error) => return Err(self.refused(id, error)),
            Err(error) => {
                if let Some(holding) = self.holdings.get_mut(&id) {
                    (holding.is_writing, holding.renew_at) = (false, Duration::ZERO);
                    let token = escape_for_terminal(&holding.lease.token);
                    let text = format!("lease `{token}`: cannot be deleted yet: {error:#}");
                    self.report.detail(&text);
                }
                return Ok(());
            }
        };
        if let Some(holding) = self.drop_holding(id, why) {
            let own = self.may_own.get_or_insert_default();
            own.insert(holding.lease.token);
        }
        Ok(())
    }

    pub(super) fn replaced(&mut self, id: RangeId, result: Result<Replaced>) -> Result<()> {
        let replaced = match result {
            Ok(replaced) => replaced,
            Err(error) if is_final(&error) => return Err(self.refused(id, error)),
            Err(error) => {
                self.report.detail(&format!(
                    "the lease of a range that was split is not replaced: {error:#}"
                ));
                Replaced::Late
            }
        };
        match replaced {
            Replaced::Done(children) => {
                let tokens: Vec<String> = children
                    .iter()
                    .map(|(child, ..)| format!("`{}`", escape_for_terminal(&child.token)))
                    .collect();
                let why = match tokens.is_empty() {
                    true => "replaced by leases that others have created".to_owned(),
                    false => format!("replaced by the leases {}", tokens.join(", ")),
                };
                self.drop_holding(id, &why);
                for (child, range, valid_until) in children {
                    self.hold(*child, range, valid_until)?;
                }
                // Those that existed before may have no owner.
                self.balance_at = process::since_boot();
            }
            Replaced::Lost(kept) => self.lost(id, kept),
            Replaced::Late => {
                if let Some(holding) = self.drop_holding(id, "could not be replaced in time") {
                    let own = self.may_own.get_or_insert_default();
                    own.insert(holding.lease.token);
                    self.balance_at = process::since_boot();
                }
            }
        }
        Ok(())
    }

    /// Lets a lease go in a task.
    pub(super) fn release(&mut self, id: RangeId) {
        let Some(holding) = self.holdings.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut holding.is_writing, true) {
            return;
        }
        holding.stop.cancel();
        // Others may have it at once.
        holding.tenure.end();
        let (lease, range) = (holding.lease.clone(), holding.range().clone());
        let (etag, until) = (holding.send(), holding.valid_until);
        let (store, writers) = (Arc::clone(&self.parts.store), Arc::clone(&self.writers));
        self.work.spawn(async move {
            let release = async {
                let _permit = writers.acquire().await?;
                Box::pin(store.write(&lease, None, etag.as_deref(), &range, until)).await
            };
            let result = release.await;
            Done::Released { id, result }
        });
    }

    pub(super) fn released(&mut self, id: RangeId, result: Result<Kept>) -> Result<()> {
        match result {
            Ok(Kept::Written(..)) => {
                self.drop_holding(id, "released");
            }
            // Others take it when it has expired.
            Ok(kept) => {
                let is_late = matches!(kept, Kept::Late);
                let why = "not released: another instance has it, or the time was over";
                if let Some(holding) = self.drop_holding(id, why)
                    && is_late
                {
                    let own = self.may_own.get_or_insert_default();
                    own.insert(holding.lease.token);
                }
            }
            Err(error) if is_final(&error) => return Err(self.refused(id, error)),
            // It is tried again until the time is over.
            Err(error) => {
                if let Some(holding) = self.holdings.get_mut(&id) {
                    (holding.is_writing, holding.renew_at) = (false, Duration::ZERO);
                    let token = escape_for_terminal(&holding.lease.token);
                    let text = format!("lease `{token}`: cannot be released yet: {error:#}");
                    self.report.detail(&text);
                }
            }
        }
        Ok(())
    }

    pub(super) fn begin_flush(&mut self, now: Duration) {
        self.flush_began = Instant::now();
        self.lane.begin(now, self.parts.save_interval);
        for holding in self.holdings.values_mut() {
            holding.changes.begin_flush();
        }
        self.flush = Some(self.parts.outlet.flush());
    }

    /// What was handed over before the flush has been printed.
    pub(super) fn flushed(&mut self, flushed: Flushed) -> Result<()> {
        self.lane.end();
        self.printed += flushed.changes;
        for (id, position) in flushed.positions {
            // What was not applied in time comes before this position.
            let holding = self.holdings.get_mut(&id);
            let Some(holding) = holding.filter(|holding| holding.tenure.is_active()) else {
                continue;
            };
            if let [part] = &segments(&position.token, holding.range())?[..] {
                holding.flushed = part.etag.clone();
            }
            holding.printed = Some(position);
        }
        let ids: Vec<RangeId> = self.holdings.keys().copied().collect();
        for id in ids {
            if let Some(holding) = self.holdings.get_mut(&id) {
                holding.changes.end_flush();
            }
            self.go_on(id);
        }
        if let Stopping::Flushing(flush) = self.stopping
            && self.lane.ended() >= flush
        {
            self.release_all();
        }
        Ok(())
    }

    /// Lets all leases go.
    pub(super) async fn let_go(mut self) {
        self.stopping = Stopping::Releasing;
        // Nobody writes them any more for a change that waits for it.
        for holding in self.holdings.values() {
            holding.tenure.end();
        }
        self.settle().await;
        let ids: Vec<RangeId> = self.holdings.keys().copied().collect();
        for id in ids {
            self.release(id);
        }
        self.settle().await;
    }

    /// Waits until no write of a lease is under way. What else is done needs no end.
    async fn settle(&mut self) {
        while self.acquiring > 0 || self.holdings.values().any(|one| one.is_writing) {
            let Some(done) = self.work.join_next().await else {
                return;
            };
            let (id, written) = match done {
                Ok(Done::Written { id, result }) => (id, result.ok()),
                Ok(Done::Replaced {
                    id,
                    result: Ok(Replaced::Done(children)),
                }) => {
                    self.holdings.remove(&id);
                    for (child, range, until) in children {
                        self.hold(*child, range, until).ok();
                    }
                    continue;
                }
                Ok(Done::Replaced { id, .. }) => (id, None),
                Ok(Done::Released { id, .. } | Done::Deleted { id, .. }) => {
                    self.holdings.remove(&id);
                    continue;
                }
                Ok(Done::Acquired { range, result, .. }) => {
                    self.acquiring -= 1;
                    // It is let go at once.
                    if let Ok(Kept::Written(lease, until)) = result {
                        self.hold(*lease, range, until).ok();
                    }
                    continue;
                }
                Ok(Done::Listed(_) | Done::Claimed { .. } | Done::Committed { .. }) | Err(_) => {
                    continue;
                }
            };
            let Some(holding) = self.holdings.get_mut(&id) else {
                continue;
            };
            holding.is_writing = false;
            if let Some(Kept::Written(lease, until)) = written {
                holding.is_now(*lease);
                holding.prolong(until);
            }
        }
    }
}
