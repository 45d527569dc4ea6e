//! The leases of one SDK become those of another one, in place.
//!
//! Neither SDK understands the other's leases, and each spoils what it acquires of them. So no instance may see a group
//! that is half of each:
//!
//! 1. each lease is taken, as an instance takes it: whoever is faster has it, and nothing is converted;
//! 2. the lock is created, and the marker deleted: an instance that starts now waits;
//! 3. the new leases are created, and then the old ones deleted. Where both have one id, one replaces the other;
//! 4. the marker is created, and the lock deleted.
//!
//! A crash after the second step leaves the lock. The same command goes on from there.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use time::OffsetDateTime;

use super::attempt::{Attempt, Send, attempt, fetch};
use super::create::{Common, NewLease, marker};
use super::document::Document;
use super::group::Group;
use super::lease::{Dialect, Form, Lease};
use super::owned::{Mark, Stamp, lock};
use super::portable::{ensure_whole, in_dialect_of};
use super::prefix::Prefix;
use super::ranges::{comparable, ranges_of};
use super::read::KeyedBy;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::partitions::PhysicalPartition;
use crate::error::with_hint;
use crate::feed::{FeedMode, FeedRange};
use crate::process;

/// Leases that are written at the same time.
const CONCURRENCY: usize = 16;
/// For how long others respect the lock. It has an effect only where the lease container has a time to live.
const LOCK_SECONDS: u64 = 600;
/// What the owner is named while leases are converted.
const OWNER: &str = "cosmos-tail-adopt";

/// A lease that becomes another one.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) old: Lease,
    pub(crate) new: NewLease,
    /// The range of both.
    range: FeedRange,
    /// Whether the new one exists already, since this was begun before.
    is_made: bool,
}

/// What becomes of a group.
#[derive(Debug)]
pub(crate) struct Conversion {
    pub(crate) steps: Vec<Step>,
    /// Whose leases they are before, and then.
    pub(crate) from: Option<Dialect>,
    pub(crate) to: Dialect,
    /// The prefixes of both, which are the same unless Java's handlers of partitions are left.
    before: Prefix,
    after: Prefix,
    /// The documents that keep instances from starting or let them, as far as they exist.
    markers: Vec<Document>,
    locks: Vec<Document>,
    mode: FeedMode,
    rid: String,
}

impl Conversion {
    /// What becomes of the group `before`. `after` is the group with the prefix of the new leases, if that is another one
    /// and this was begun before.
    ///
    /// # Errors
    ///
    /// If a lease has no place in the other form, or they do not cover the container.
    pub(crate) fn of(
        before: &Group,
        after: Option<&Group>,
        to: Dialect,
        prefix: Prefix,
        rid: &str,
        partitions: &[PhysicalPartition],
    ) -> Result<Self> {
        let groups = [Some(before), after];
        let mut leases: Vec<Lease> = Vec::new();
        let (mut markers, mut locks) = (Vec::new(), Vec::new());
        for group in groups.into_iter().flatten() {
            leases.extend(group.leases.iter().cloned());
            for foreign in &group.foreign {
                let lease = foreign.lease.as_deref().ok_or_else(|| {
                    with_hint(
                        anyhow!(
                            "`{}` is no lease of the group: {}",
                            foreign.id,
                            foreign.reason
                        ),
                        "delete what is left of another group; `cosmos-tail leases check` lists it",
                    )
                })?;
                leases.push(lease.clone());
            }
            markers.extend(group.marker.clone());
            locks.extend(group.lock.clone());
        }
        let (made, old): (Vec<Lease>, Vec<Lease>) = leases
            .into_iter()
            .partition(|lease| lease.form.dialect() == to);
        let mode = before.mode();
        let from = old.first().map(|lease| lease.form.dialect());
        let steps = steps(&made, old, to, partitions)?;
        Ok(Self {
            steps,
            from,
            to,
            before: before.prefix.clone(),
            after: prefix,
            markers,
            locks,
            mode,
            rid: rid.to_owned(),
        })
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_done(&self) -> bool {
        self.steps.is_empty() && self.locks.is_empty() && !self.markers.is_empty()
    }

    /// When its youngest lock was written, by the service's clock, in seconds since 1970.
    pub(crate) fn lock_written(&self) -> Option<i64> {
        self.locks.iter().filter_map(|lock| lock.whole("_ts")).max()
    }

    /// Whether a lease keeps properties that the other SDK has no place for.
    pub(crate) fn drops_properties(&self) -> bool {
        let has_some = |step: &Step| {
            let properties = step.old.properties();
            properties.as_object().is_some_and(|all| !all.is_empty())
        };
        self.to != Dialect::Net && self.steps.iter().any(has_some)
    }
}

/// What becomes of each old lease, where these are made already.
fn steps(
    made: &[Lease],
    old: Vec<Lease>,
    to: Dialect,
    partitions: &[PhysicalPartition],
) -> Result<Vec<Step>> {
    let ranges = ranges_of(&old, partitions);
    let comparable = comparable(&old, &ranges, partitions);
    let made: BTreeMap<&str, &Lease> = made.iter().map(|one| (&*one.token, one)).collect();
    let mut steps = Vec::with_capacity(old.len());
    for (lease, range) in old.into_iter().zip(comparable) {
        let what = format!("the lease `{}` cannot be converted", lease.token);
        let step = || -> Result<Step> {
            let range = range
                .context("its partition was merged with another one, or does not exist any more")?;
            ensure_fits(&lease, &range)?;
            let new = in_dialect_of(&lease, &range, to != Dialect::Net, partitions)?;
            let twin = made.get(&*new.token).copied();
            if let Some(twin) = twin
                && twin.checkpoint.etag() != new.etag.as_deref()
            {
                bail!(
                    "`{}` is for the same range already, at another position",
                    twin.id
                );
            }
            Ok(Step {
                is_made: twin.is_some(),
                range,
                new,
                old: lease,
            })
        };
        steps.push(step().context(what)?);
    }
    let is_twin = |lease: &&&Lease| steps.iter().any(|step| step.new.token == lease.token);
    let others = made.values().filter(|lease| !is_twin(lease));
    let mut all: Vec<NewLease> = steps.iter().map(|step| step.new.clone()).collect();
    for lease in others {
        let range = ranges_of(std::slice::from_ref(*lease), partitions).remove(0);
        let range = range.context("a lease has no range")?;
        all.push(in_dialect_of(
            lease,
            &range,
            to != Dialect::Net,
            partitions,
        )?);
    }
    ensure_whole(&all).map_err(|error| {
        with_hint(
            anyhow!("the group is not whole: {error:#}"),
            "make it whole first: `cosmos-tail leases repair`",
        )
    })?;
    Ok(steps)
}

/// Refuses a lease of Java whose position is for another range than the lease.
///
/// # Errors
///
/// Says so.
pub(super) fn ensure_fits(lease: &Lease, range: &FeedRange) -> Result<()> {
    let state = lease.java_state().filter(|_| lease.form == Form::JavaRange);
    let of_token = state.and_then(|state| state.range());
    if of_token.is_some_and(|of_token| of_token != *range) {
        bail!("its position is for another range than the lease");
    }
    Ok(())
}

/// How a conversion is carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Converting<'a> {
    pub(crate) client: &'a CosmosClient,
    pub(crate) keyed_by: KeyedBy,
    /// The time by the service's clock.
    pub(crate) now: OffsetDateTime,
    /// For how long others leave leases alone that were taken.
    pub(crate) expiration: Duration,
}

impl Converting<'_> {
    /// Carries a conversion out.
    ///
    /// # Errors
    ///
    /// If an instance is faster: nothing was converted then. If the service fails after that, the group has a lock.
    pub(crate) async fn make(&self, conversion: &Conversion) -> Result<()> {
        // Less than they last.
        let until = process::since_boot() + self.expiration - self.expiration / 4;
        let taken = self.take_all(conversion, until).await?;
        let made = self.convert(conversion, &taken, until).await;
        made.map_err(|error| {
            with_hint(
                error.context("the group is converted in part"),
                "start no processor of it; run this again after a minute, which goes on from here",
            )
        })
    }

    fn common<'c>(&self, conversion: &'c Conversion, prefix: &'c Prefix) -> Common<'c> {
        Common {
            prefix,
            keyed_by: self.keyed_by,
            mode: conversion.mode,
            rid: &conversion.rid,
        }
    }

    async fn send(&self, document: &Document, send: Send<'_>, until: Duration) -> Result<Attempt> {
        let attempted = attempt(self.client, self.keyed_by, document, send, until).await?;
        if attempted == Attempt::Late {
            bail!("the service did not take `{}` in time", id_of(document));
        }
        Ok(attempted)
    }

    /// Takes all leases, and returns them as they are then. If one cannot be taken, none is kept.
    async fn take_all(&self, conversion: &Conversion, until: Duration) -> Result<Vec<Lease>> {
        let owner = format!("{OWNER}-{:04x}", fastrand::u16(..));
        let common = self.common(conversion, &conversion.before);
        let stamp = Stamp::new(Some(&owner), self.now, Mark::random())?;
        let take = |step: &Step| {
            let (lease, stamp, range) = (step.old.clone(), stamp.clone(), step.range.clone());
            async move {
                self.write_owner(&lease, &stamp, &range, common, until)
                    .await
            }
        };
        let results: Vec<Result<Lease>> = stream::iter(conversion.steps.iter().map(take))
            .buffered(CONCURRENCY)
            .collect()
            .await;
        if results.iter().all(Result::is_ok) {
            return results.into_iter().collect();
        }
        let mut refused = None;
        let free = Stamp::new(None, self.now, Mark::random())?;
        for (step, result) in conversion.steps.iter().zip(results) {
            match result {
                Ok(lease) => {
                    let released = self.write_owner(&lease, &free, &step.range, common, until);
                    // Otherwise it expires.
                    released.await.ok();
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let refused = refused.context("a lease was not taken")?;
        Err(with_hint(
            refused.context("nothing was converted"),
            "stop the processor, and run this again",
        ))
    }

    /// Writes the owner of a lease on the condition that it is as it was read, and returns how it is then.
    async fn write_owner(
        &self,
        lease: &Lease,
        stamp: &Stamp,
        range: &FeedRange,
        common: Common<'_>,
        until: Duration,
    ) -> Result<Lease> {
        let document = lease.stamped(stamp, None, range, common)?;
        let etag = lease.etag.as_deref().context("the lease has no ETag")?;
        let target = &common.prefix.target;
        let read = |document| Lease::of(document, target).map_err(|reason| anyhow!(reason));
        match self.send(&document, Send::Replace(etag), until).await? {
            Attempt::Done(Some(etag)) => read(document.with_etag(&etag)?),
            Attempt::Done(None) | Attempt::Refused => {
                // The answer to this very write may have been lost.
                let found = fetch(self.client, self.keyed_by, &document).await?;
                let found = found.map(read).transpose()?;
                found
                    .filter(|found| found.is(&document, stamp))
                    .with_context(|| {
                        format!(
                            "an instance has taken the lease `{}` meanwhile",
                            lease.token
                        )
                    })
            }
            Attempt::Gone | Attempt::Late => {
                bail!("the lease `{}` was deleted meanwhile", lease.token)
            }
        }
    }

    async fn convert(
        &self,
        conversion: &Conversion,
        taken: &[Lease],
        until: Duration,
    ) -> Result<()> {
        let (before, after) = (&conversion.before, &conversion.after);
        let mut prefixes = vec![before];
        if after != before {
            prefixes.push(after);
        }
        for left in &conversion.locks {
            self.delete(left, until).await?;
        }
        let mut locks = Vec::new();
        for prefix in &prefixes {
            let document = lock(self.common(conversion, prefix), LOCK_SECONDS)?;
            match self.send(&document, Send::Create, until).await? {
                Attempt::Done(Some(etag)) => locks.push(document.with_etag(&etag)?),
                // One that was created after the group was read, or by this very request.
                _ => locks.extend(fetch(self.client, self.keyed_by, &document).await?),
            }
        }
        for left in &conversion.markers {
            self.delete(left, until).await?;
        }
        let pairs = || stream::iter(conversion.steps.iter().zip(taken).map(Ok));
        let make = |(step, lease)| self.make_one(conversion, step, lease, until);
        pairs().try_for_each_concurrent(CONCURRENCY, make).await?;
        let remove = |(step, lease): (&Step, &Lease)| {
            let (document, is_other) = (lease.document.clone(), !is_same_id(conversion, step));
            async move {
                match is_other {
                    true => self.delete(&document, until).await,
                    false => Ok(()),
                }
            }
        };
        pairs().try_for_each_concurrent(CONCURRENCY, remove).await?;
        // Java keeps the marker of its processors of partitions when it leaves them.
        let keeps_both = conversion.to == Dialect::JavaRange;
        for prefix in prefixes
            .iter()
            .filter(|prefix| keeps_both || **prefix == after)
        {
            let document = marker(self.common(conversion, prefix))?;
            self.send(&document, Send::Create, until).await?;
        }
        for lock in &locks {
            self.delete(lock, until).await?;
        }
        Ok(())
    }

    /// Makes the new lease of one that was taken.
    async fn make_one(
        &self,
        conversion: &Conversion,
        step: &Step,
        taken: &Lease,
        until: Duration,
    ) -> Result<()> {
        if step.is_made {
            return Ok(());
        }
        let common = self.common(conversion, &conversion.after);
        let document = step.new.document(common)?;
        let send = match is_same_id(conversion, step) {
            true => Send::Replace(taken.etag.as_deref().context("the lease has no ETag")?),
            false => Send::Create,
        };
        if let Attempt::Done(_) = self.send(&document, send, until).await? {
            return Ok(());
        }
        // The answer to this very write may have been lost.
        let found = fetch(self.client, self.keyed_by, &document).await?;
        let found = found.and_then(|found| Lease::of(found, &conversion.after.target).ok());
        let is_it = found.is_some_and(|found| {
            found.form == step.new.form
                && found.owner.is_none()
                && found.checkpoint.etag() == step.new.etag.as_deref()
        });
        match is_it {
            true => Ok(()),
            false => bail!(
                "the lease `{}` was written by an instance meanwhile",
                step.new.token
            ),
        }
    }

    /// Deletes a document as it was read.
    async fn delete(&self, document: &Document, until: Duration) -> Result<()> {
        let etag = document.etag().context("the document has no ETag")?;
        match self.send(document, Send::Delete(&etag), until).await? {
            Attempt::Done(_) | Attempt::Gone => Ok(()),
            _ => bail!("`{}` was written by an instance meanwhile", id_of(document)),
        }
    }
}

/// Whether the new lease has the id of the old one.
fn is_same_id(conversion: &Conversion, step: &Step) -> bool {
    step.old.id == conversion.after.lease(&step.new.token)
}

fn id_of(document: &Document) -> String {
    document.text("id").unwrap_or_default()
}
