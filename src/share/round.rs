//! What an instance does about the leases of others: takes its share, lets go what is more, and warns of what nobody
//! does anything about.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio_util::sync::CancellationToken;

use super::balance::{Seen, balance};
use super::bootstrap::ensure_own;
use super::children::doubles;
use super::holding::{Changes, Holding, HoldingFiles, Phase};
use super::instance::{Done, Instance, Stopping, is_final};
use super::store::Kept;
use crate::cosmos::backoff::Backoff;
use crate::cosmos::partitions::PhysicalPartition;
use crate::cosmos::token::{segments, token_at};
use crate::escape::escape_for_terminal;
use crate::feed::{FeedMode, FeedRange, Position, RangeId, RangeState, lsn_of_etag};
use crate::leases::{Checkpoint, Form, Group, Lease, gaps, range_of, token_of};
use crate::observe::Event;
use crate::process;
use crate::reader::Shard;
use crate::replay::Tenure;

impl Instance<'_> {
    /// Lists the group in a task.
    pub(super) fn list(&mut self) {
        self.is_listing = true;
        let (store, source) = (Arc::clone(&self.parts.store), self.parts.source.clone());
        self.work.spawn(async move {
            let listed = async {
                let group = store.list().await?;
                let partitions = source.client.list_partitions(true).await?;
                Ok((group, partitions.into()))
            };
            Done::Listed(listed.await)
        });
    }

    /// What was listed. A list that failed is made again, unless that cannot help.
    pub(super) fn readable<T>(&mut self, listed: Result<T>) -> Result<Option<T>> {
        match listed {
            Ok(listed) => {
                if std::mem::take(&mut self.is_group_unreadable) {
                    self.report.notice("the leases can be read again");
                }
                Ok(Some(listed))
            }
            Err(error) if is_final(&error) => Err(error),
            Err(error) => {
                let text = format!("the leases cannot be read: {error:#}");
                if std::mem::replace(&mut self.is_group_unreadable, true) {
                    self.report.detail(&text);
                } else {
                    self.report.notice(&format!("{text}; trying again"));
                }
                Ok(None)
            }
        }
    }

    /// Takes what is this instance's share of the group, and lets go what is more.
    pub(super) fn balance(
        &mut self,
        group: &Group,
        partitions: &Arc<[PhysicalPartition]>,
    ) -> Result<()> {
        let store = Arc::clone(&self.parts.store);
        ensure_own(&store, group)?;
        let held: HashMap<String, RangeId> = self
            .holdings
            .iter()
            .map(|(id, holding)| (holding.lease.id.clone(), *id))
            .collect();
        let is_first = self.may_own.is_none();
        let may_own = self.may_own.take().unwrap_or_default();
        let inherited = std::mem::take(&mut self.inherited);
        let strays = self.strays(group, &held);
        let is_back = |lease: &Lease| {
            let is_known = may_own.contains(&lease.token) || strays.contains(&lease.id);
            store.is_own(lease)
                && !held.contains_key(&lease.id)
                // What its last process has sent may still be on its way to a copy.
                && ((is_first && store.feeds.is_none())
                    || (is_known && store.is_mine(lease))
                    || inherited.get(&lease.token) == Some(&lease.etag))
        };
        let own = store.instance.as_str();
        // What nobody can read would be taken again and again in place of the others.
        let can_be_read = |lease: &Lease| {
            let is_readable = !matches!(lease.checkpoint, Checkpoint::Unreadable(_));
            is_readable && range_of(lease, partitions).is_some()
        };
        let seen: Vec<Seen<'_>> = group
            .leases
            .iter()
            .map(|lease| {
                let is_held = held.contains_key(&lease.id) || is_back(lease);
                Seen {
                    token: &lease.token,
                    owner: if is_held {
                        Some(own)
                    } else {
                        lease.owner.as_deref()
                    },
                    is_free: !is_held && can_be_read(lease) && store.is_free(lease),
                }
            })
            .collect();
        let others: HashSet<&str> = seen
            .iter()
            .filter(|lease| !lease.is_free)
            .filter_map(|lease| lease.owner)
            .filter(|owner| *owner != own)
            .collect();
        self.seen = (seen.len(), others.len());
        let is_of_this = |lease: &Lease| held.contains_key(&lease.id) || is_back(lease);
        self.look_for_namesakes(group, is_of_this)?;
        let mut wanted = balance(&seen, own);
        // Each has them counted as its own, and the first of their leases decides which of them goes on.
        if self.namesakes.exist() {
            wanted.release.clear();
            wanted.steal = None;
        }
        self.doubles = match self.parts.outlet.files() {
            Some(_) => doubles(&group.leases, partitions),
            None => HashSet::new(),
        };
        let back = group.leases.iter().enumerate();
        let back = back.filter(|(_, lease)| is_back(lease)).map(|(at, _)| at);
        let back: Vec<usize> = back.collect();
        for at in &back {
            self.acquire(&group.leases[*at], partitions, is_first);
        }
        for at in wanted.take.iter().chain(&wanted.steal) {
            self.acquire(&group.leases[*at], partitions, false);
        }
        for (lease, id) in &held {
            if self.doubles.contains(lease) {
                self.end_double(*id);
            }
        }
        self.replace_merged(group, partitions, &held);
        for at in wanted.release {
            if let Some(id) = held.get(&group.leases[at].id) {
                self.leave(*id);
            }
        }
        self.may_own = Some(HashSet::new());
        self.warn(group, partitions);
        Ok(())
    }

    /// The leases that this process wrote, but does not have: in two lists, while none is replaced.
    fn strays(&mut self, group: &Group, held: &HashMap<String, RangeId>) -> HashSet<String> {
        let store = &self.parts.store;
        let is_replacing = self
            .holdings
            .values()
            .any(|holding| matches!(holding.phase, Phase::Replaced(_)) && holding.is_writing);
        let is_stray =
            |lease: &&Lease| !is_replacing && !held.contains_key(&lease.id) && store.is_mine(lease);
        let now = group.leases.iter().filter(is_stray);
        let now: HashSet<String> = now.map(|lease| lease.id.clone()).collect();
        let before = std::mem::replace(&mut self.namesakes.strays, now.clone());
        now.intersection(&before).cloned().collect()
    }

    /// Replaces leases of partitions that were merged by leases of their ranges: nothing else would say which part of
    /// the new partition they are for.
    pub(super) fn replace_merged(
        &mut self,
        group: &Group,
        partitions: &[PhysicalPartition],
        held: &HashMap<String, RangeId>,
    ) {
        for lease in &group.leases {
            let (Some(id), Form::NetPartition) = (held.get(&lease.id), lease.form) else {
                continue;
            };
            let Some(holding) = self.holdings.get(id) else {
                continue;
            };
            let range = holding.range();
            let has_own = partitions.iter().any(|one| one.id == lease.token);
            let is_within =
                |one: &PhysicalPartition| one.range.intersection(range).as_ref() == Some(range);
            if has_own || holding.phase != Phase::Reading || !partitions.iter().any(is_within) {
                continue;
            }
            let read = holding.read.position.as_ref();
            let found = read.and_then(|read| segments(&read.token, range).ok());
            if let Some([part]) = found.as_deref()
                && let Some(etag) = &part.etag
            {
                let (id, parts) = (*id, vec![(range.clone(), etag.clone())]);
                self.replace_by(id, parts);
            }
        }
    }

    /// Warns of what no instance does anything about.
    pub(super) fn warn(&mut self, group: &Group, partitions: &[PhysicalPartition]) {
        let ranges: Vec<Option<FeedRange>> = group
            .leases
            .iter()
            .map(|lease| range_of(lease, partitions))
            .collect();
        for (lease, range) in group.leases.iter().zip(&ranges) {
            let token = escape_for_terminal(&lease.token);
            if range.is_none() {
                self.warn_once(format!(
                    "the lease `{token}` is for a partition that does not exist any more"
                ));
            }
            if let Checkpoint::Unreadable(reason) = &lease.checkpoint {
                self.warn_once(format!(
                    "the lease `{token}` is left alone: {}",
                    escape_for_terminal(reason)
                ));
            }
        }
        // A list is no moment: children come before their parent goes, but may be behind it in the list.
        for gap in gaps(ranges.into_iter().flatten()) {
            let text = format!(
                "no lease is for the range {}, which nobody reads: `cosmos-tail leases repair` creates it",
                token_of(&gap)
            );
            if self.warned.contains(&format!("once {text}")) {
                self.warn_once(text);
            } else {
                self.warned.insert(format!("once {text}"));
            }
        }
    }

    pub(super) fn warn_once(&mut self, text: String) {
        if !self.warned.contains(&text) {
            self.report.warning(&text);
            self.warned.insert(text);
        }
    }

    /// Takes a lease in a task. A process that starts `follows` an owner of its name, who may renew the lease meanwhile.
    pub(super) fn acquire(
        &mut self,
        lease: &Lease,
        partitions: &Arc<[PhysicalPartition]>,
        follows: bool,
    ) {
        let Some(range) = range_of(lease, partitions) else {
            return;
        };
        let start = match &lease.checkpoint {
            Checkpoint::Unreadable(_) => return,
            Checkpoint::Unset => true,
            Checkpoint::At(_) => false,
        };
        self.acquiring += 1;
        let (store, source) = (Arc::clone(&self.parts.store), self.parts.source.clone());
        let (lease, partitions) = (lease.clone(), Arc::clone(partitions));
        let (writers, stop) = (Arc::clone(&self.writers), self.parts.stop.clone());
        self.work.spawn(async move {
            let acquire = async {
                let _permit = writers.acquire().await?;
                let etag = match start {
                    true => {
                        let start = Box::pin(source.start_of(&range, &partitions));
                        let start = tokio::time::timeout(store.intervals.validity(), start);
                        let start = stop.run_until_cancelled(start).await;
                        let start = start.context("the instance is being stopped")?;
                        Some(start.context("its start cannot be read in time")??)
                    }
                    false => None,
                };
                let until = process::since_boot() + store.intervals.validity();
                let own = Some(store.instance.as_str());
                let (mut now, mut backoff) = (lease.clone(), Backoff::default());
                loop {
                    ensure!(!stop.is_cancelled(), "the instance is being stopped");
                    let etag = etag.as_deref().filter(|_| now.checkpoint.etag().is_none());
                    // What only a few need at a time is not kept by all that wait.
                    let write = Box::pin(store.write(&now, own, etag, &range, until));
                    let newer = match write.await? {
                        Kept::OfNamesake(newer) if follows => newer,
                        kept => return Ok(kept),
                    };
                    // A replica may lag.
                    if newer.etag == now.etag || newer.written < now.written {
                        let left = until.saturating_sub(process::since_boot());
                        tokio::time::sleep(backoff.next_pause(None).min(left)).await;
                    } else if can_follow(&newer, &now) {
                        now = *newer;
                    } else {
                        return Ok(Kept::OfNamesake(newer));
                    }
                }
            };
            let result = acquire.await;
            Done::Acquired {
                lease,
                range,
                result,
            }
        });
    }

    pub(super) fn acquired(
        &mut self,
        before: &Lease,
        range: FeedRange,
        result: Result<Kept>,
    ) -> Result<()> {
        let token = escape_for_terminal(&before.token).into_owned();
        match result {
            Ok(Kept::Written(lease, valid_until)) => {
                let from = match &before.owner {
                    None => "which had no owner".to_owned(),
                    Some(owner) if *owner == self.parts.store.instance => {
                        "which it had before".to_owned()
                    }
                    Some(owner) => format!("from `{}`", escape_for_terminal(owner)),
                };
                self.report
                    .detail(&format!("lease `{token}`: acquired, {from}"));
                self.hold(*lease, range, valid_until)?;
            }
            Ok(Kept::Late) => self.retake(before),
            Ok(_) => {
                let text = format!("lease `{token}`: another instance was faster");
                self.report.detail(&text);
                // Several have looked at the same time. What is left is divided soon, and not at the same time again.
                if self.parts.store.is_free(before) {
                    let acquire = self.parts.store.intervals.acquire;
                    let soon = acquire.mul_f64(0.05 + fastrand::f64() * 0.15);
                    self.balance_at = self.balance_at.min(process::since_boot() + soon);
                }
            }
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                self.report
                    .detail(&format!("lease `{token}`: cannot be acquired: {error:#}"));
                self.retake(before);
            }
        }
        Ok(())
    }

    /// Looks again at a lease of which it is not known whether it was taken.
    fn retake(&mut self, before: &Lease) {
        let store = &self.parts.store;
        if store.is_own(before) && !store.is_mine(before) {
            self.inherited
                .insert(before.token.clone(), before.etag.clone());
        }
        let own = self.may_own.get_or_insert_default();
        own.insert(before.token.clone());
    }

    /// Begins to read the range of a lease that this instance has.
    pub(super) fn hold(
        &mut self,
        lease: Lease,
        range: FeedRange,
        valid_until: Duration,
    ) -> Result<()> {
        let etag = lease
            .checkpoint
            .etag()
            .context("the lease has no position")?
            .to_owned();
        let position = Position {
            token: token_at(&self.parts.store.rid, self.parts.store.mode, &range, &etag),
            lsn: lsn_of_etag(&etag),
        };
        let id = RangeId(self.next_id);
        self.next_id += 1;
        let read = RangeState {
            id,
            range: range.clone(),
            parents: Vec::new(),
            position: Some(position.clone()),
            end: None,
            snapshot: false,
        };
        let has_files = self.parts.outlet.files().is_some();
        let is_double = self.doubles.contains(&lease.id);
        if !has_files {
            self.parts.observers.emit(&Event::Added { range: &read });
        }
        let stop = CancellationToken::new();
        let renew = self.parts.store.intervals.renew;
        let now = process::since_boot();
        let tenure = Tenure::until(
            valid_until,
            self.parts.store.intervals.validity(),
            Arc::clone(&self.wake),
            self.parts.store.mode == FeedMode::AllVersionsAndDeletes,
        );
        self.holdings.insert(
            id,
            Holding {
                lease,
                read,
                stop: stop.clone(),
                phase: match has_files {
                    true => Phase::Claiming,
                    false => Phase::Reading,
                },
                valid_until,
                tenure: Arc::new(tenure),
                // Leases that were taken together are not renewed together.
                renew_at: now + renew.mul_f64(0.5 + fastrand::f64() / 2.0),
                save_at: now,
                printed: Some(position.clone()),
                flushed: None,
                sent: Vec::new(),
                changes: Changes::default(),
                is_writing: false,
                waits_for: None,
                files: has_files.then(HoldingFiles::default),
            },
        );
        if self.stopping == Stopping::Releasing {
            self.release(id);
        } else if is_double {
            self.end_double(id);
        } else if has_files {
            self.claim(id, etag);
        } else {
            let shard = Shard::new(id, range, Some(position), &self.parts.options).until(stop);
            // The reader is gone if the instance is being stopped: then the lease is let go.
            self.parts.shards.send(shard).ok();
        }
        Ok(())
    }
}

/// Whether a lease can be taken as it is now in place of how it was.
fn can_follow(newer: &Lease, before: &Lease) -> bool {
    let has_position = newer.checkpoint.etag().is_some();
    newer.form == before.form
        && (newer.own_range == before.own_range || before.own_range.is_none())
        && (has_position || newer.checkpoint == before.checkpoint)
}
