//! The files of the leases that an instance has: their states are claimed, and committed, each by itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::holding::{HoldingFiles, Phase};
use super::instance::{Done, Instance, Stopping, is_refused};
use super::outlet::Files;
use crate::cosmos::token::segments;
use crate::error::hints;
use crate::escape::escape_for_terminal;
use crate::feed::{Position, RangeId};
use crate::job::{
    Claimed, ClaimedRange, Hold, RangeCommit, RangeCommitted, RangeOutcome, RangeToClaim,
    RangeWriter,
};
use crate::observe::Event;
use crate::process;
use crate::reader::Shard;

impl HoldingFiles {
    /// A page was handed over.
    pub(super) fn handed(&mut self, bytes: u64, has_changes: bool, now: Duration, files: &Files) {
        self.lane.is_dirty = true;
        self.bytes += bytes;
        if self.bytes >= files.checkpoint_bytes {
            self.lane.hasten();
        }
        if has_changes && self.finish_at.is_none() {
            self.finish_at = files.rotate_interval.map(|interval| now + interval);
        }
    }
}

impl Instance<'_> {
    /// Claims the state of a lease in a task.
    pub(super) fn claim(&mut self, id: RangeId, etag: String) {
        let (Some(files), Some(holding)) = (self.parts.outlet.files(), self.holdings.get(&id))
        else {
            return;
        };
        let (claims, range) = (Arc::clone(&files.claims), holding.range().clone());
        let files = Arc::clone(&files.files);
        let (tenure, source) = (Arc::clone(&holding.tenure), self.parts.source.clone());
        self.work.spawn(async move {
            let claim = async {
                let _permit = claims.acquire().await?;
                // What only a few need at a time is not kept by all that wait.
                let partitions = Box::pin(source.client.list_partitions(false));
                let partitions = partitions.await?.into();
                let range = RangeToClaim {
                    range,
                    etag,
                    partitions,
                };
                let written = Arc::clone(&tenure);
                let hold = Hold {
                    may_act: Box::new(move || tenure.holds()),
                    is_confirmed: Box::new(move || {
                        let tenure = Arc::clone(&written);
                        Box::pin(async move { tenure.confirmed().await })
                    }),
                };
                Box::pin(files.claim(range, hold)).await
            };
            let result = claim.await;
            Done::Claimed { id, result }
        });
    }

    /// Begins to read the range of a lease whose state was claimed.
    pub(super) fn claimed(&mut self, id: RangeId, result: Result<Claimed>) -> Result<()> {
        let result = result.map(|Claimed { range, notices }| {
            notices.iter().for_each(|text| self.report.notice(text));
            range
        });
        let Some(holding) = self.holdings.get_mut(&id) else {
            if let Ok(ClaimedRange::Begun(writer, ..)) = result {
                writer.discard();
            }
            return Ok(());
        };
        if holding.phase != Phase::Claiming {
            if let Ok(ClaimedRange::Begun(writer, ..)) = result {
                writer.discard();
            }
            return Ok(());
        }
        let claimed = match result {
            Ok(claimed) => claimed,
            Err(error) => return self.unclaimed(id, error),
        };
        match claimed {
            ClaimedRange::Contested => self.dispute(id),
            ClaimedRange::Over(parts) => {
                holding.phase = Phase::Replaced(parts);
                holding.waits_for = Some(0);
                self.go_on(id);
            }
            ClaimedRange::Begun(writer, ..) if self.stopping != Stopping::No => writer.discard(),
            ClaimedRange::Begun(writer, position, skipped) => {
                if let Some(skipped) = skipped {
                    let token = escape_for_terminal(&holding.lease.token);
                    let text = format!(
                        "lease `{token}`: it is at {}, ahead of the files at {}: the changes between are in no file, since \
                         others are taken to have handled them",
                        place(&skipped.to),
                        place(&skipped.from)
                    );
                    self.report.warning(&text);
                }
                self.unclaimed.remove(&id);
                holding.phase = Phase::Reading;
                if let Some(files) = &mut holding.files {
                    files.writer = Some(*writer);
                }
                holding.read.position = Some(position.clone());
                let (range, stop) = (holding.range().clone(), holding.stop.clone());
                self.parts.observers.emit(&Event::Added {
                    range: &holding.read,
                });
                // The lease may be behind.
                holding.changes.flushed = true;
                self.reached(id, position.clone())?;
                let shard = Shard::new(id, range, Some(position), &self.parts.options).until(stop);
                // The reader is gone if the instance is being stopped: then the lease is let go.
                self.parts.shards.send(shard).ok();
            }
        }
        Ok(())
    }

    /// The state of a lease could not be claimed: what is wrong with the files of one range is of no concern to the others.
    /// The lease is kept, so that no other instance takes it in turn, and its state is claimed again later.
    fn unclaimed(&mut self, id: RangeId, error: anyhow::Error) -> Result<()> {
        if is_refused(&error) {
            return Err(error);
        }
        let hint = hints(&error).first().map(|hint| format!(" ({hint})"));
        let hint = hint.unwrap_or_default();
        let text = format!("{error:#}; trying again{hint}");
        match self.unclaimed.insert(id) {
            true => self.warn_once(text),
            false => self.report.detail(&text),
        }
        let at = process::since_boot() + self.parts.store.intervals.acquire;
        if let Some(holding) = self.holdings.get_mut(&id)
            && let Some(files) = &mut holding.files
        {
            files.claim_at = Some(at);
        }
        Ok(())
    }

    /// Claims the states again that could not be claimed.
    pub(super) fn claim_again(&mut self, now: Duration) {
        if self.stopping != Stopping::No {
            return;
        }
        let mut due = Vec::new();
        for (id, holding) in &mut self.holdings {
            let Some(files) = &mut holding.files else {
                continue;
            };
            if !matches!(holding.phase, Phase::Claiming) {
                files.claim_at = None;
            }
            if files.claim_at.is_none_or(|at| at > now) {
                continue;
            }
            files.claim_at = None;
            let etag = holding.lease.checkpoint.etag();
            due.extend(etag.map(|etag| (*id, etag.to_owned())));
        }
        for (id, etag) in due {
            self.claim(id, etag);
        }
    }

    /// What is before this position is in files.
    fn reached(&mut self, id: RangeId, position: Position) -> Result<()> {
        if let Some(holding) = self.holdings.get_mut(&id) {
            if let [part] = &segments(&position.token, holding.range())?[..] {
                holding.flushed.clone_from(&part.etag);
            }
            holding.printed = Some(position);
        }
        Ok(())
    }

    /// Gives up a lease whose state others have claimed. Whoever has the lease may claim it again, and that is found out
    /// first.
    fn dispute(&mut self, id: RangeId) {
        let why = "the state of its files was claimed by another process";
        if let Some(holding) = self.drop_holding(id, why) {
            let own = self.may_own.get_or_insert_default();
            own.insert(holding.lease.token);
            self.balance_at = process::since_boot();
        }
    }

    /// Begins the commits that are due.
    pub(super) fn begin_commits(&mut self, now: Duration) {
        if self.parts.outlet.files().is_none() {
            return;
        }
        let mut due = Vec::new();
        for (id, holding) in &mut self.holdings {
            let is_reading = holding.phase == Phase::Reading;
            let Some(own) = holding.files.as_mut().filter(|own| own.writer.is_some()) else {
                continue;
            };
            let has_past = own.writer.as_ref().is_some_and(RangeWriter::has_past);
            let is_to_finish = own.finish_at.is_some_and(|at| now >= at);
            if is_reading && (is_to_finish || has_past) {
                own.lane.hasten();
            }
            if own.lane.is_due(now) {
                due.push(*id);
            }
        }
        for id in due {
            self.begin_commit(id, now);
        }
    }

    fn begin_commit(&mut self, id: RangeId, now: Duration) {
        let (Some(files), Some(holding)) = (self.parts.outlet.files(), self.holdings.get_mut(&id))
        else {
            return;
        };
        let (range, saved) = (holding.range().clone(), holding.saved());
        let Some(own) = &mut holding.files else {
            return;
        };
        let is_to_finish = own.finish_at.is_some_and(|at| now >= at);
        let what = match &holding.phase {
            Phase::Replaced(parts) if parts.len() > 1 || parts[0].0 != range => {
                RangeCommit::Over(ClaimedRange::parts_of(&files.files, parts))
            }
            Phase::Reading if !is_to_finish => RangeCommit::Position,
            _ => RangeCommit::Files,
        };
        if !matches!(what, RangeCommit::Position) {
            own.finish_at = None;
        }
        let Some(writer) = &mut own.writer else {
            return;
        };
        let Some(committing) = writer.begin_commit(what, saved) else {
            return;
        };
        own.lane.begin(now, self.parts.save_interval);
        own.bytes = 0;
        holding.changes.begin_flush();
        self.work.spawn(async move {
            let committed = committing.await;
            Done::Committed { id, committed }
        });
    }

    /// A commit has ended.
    pub(super) fn committed(&mut self, id: RangeId, committed: RangeCommitted) -> Result<()> {
        let Some(holding) = self.holdings.get_mut(&id) else {
            committed.discard();
            return Ok(());
        };
        let Some(own) = &mut holding.files else {
            return Ok(());
        };
        let Some(writer) = &mut own.writer else {
            committed.discard();
            return Ok(());
        };
        let (began, took) = committed.took();
        let RangeOutcome::Committed {
            changes,
            position,
            published,
        } = writer.committed(committed)?
        else {
            self.dispute(id);
            return Ok(());
        };
        own.lane.end();
        holding.changes.end_flush();
        // Of a range that is over all was committed that was read.
        let position = position.or_else(|| holding.read.position.clone());
        self.printed += changes;
        self.parts.observers.emit(&Event::Committed {
            published,
            began,
            took,
        });
        if let Some(position) = position {
            self.reached(id, position)?;
        }
        self.go_on(id);
        Ok(())
    }

    /// At a stop: finishes the files of all leases, each of which is let go after that.
    pub(super) fn leave_all(&mut self) {
        let ids: Vec<RangeId> = self.holdings.keys().copied().collect();
        for id in ids {
            self.leave(id);
        }
        self.begin_commits(process::since_boot());
        self.release_if_committed();
    }

    /// Lets the leases go at a stop, once nothing more is to be committed.
    pub(super) fn release_if_committed(&mut self) {
        let is_flushing = matches!(self.stopping, Stopping::Flushing(_));
        if !is_flushing || self.parts.outlet.files().is_none() {
            return;
        }
        let is_committed = self.holdings.values().all(|holding| {
            let own = holding.files.as_ref();
            let Some(own) = own.filter(|own| own.writer.is_some()) else {
                return true;
            };
            let wanted = holding.waits_for.unwrap_or(u64::MAX);
            own.lane.ended() >= wanted && !matches!(holding.phase, Phase::Replaced(_))
        });
        if is_committed {
            self.release_all();
        }
    }
}

/// A position, for people.
fn place(position: &Position) -> String {
    match position.lsn {
        Some(lsn) => format!("LSN {lsn}"),
        None => "an unknown LSN".to_owned(),
    }
}
