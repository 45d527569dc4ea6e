//! The leases of one group, as one instance reads and writes them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::service_clock::ServiceClock;
use crate::cosmos::backoff::Backoff;
use crate::cosmos::client::CosmosClient;
use crate::feed::{ContainerAddress, FeedMode, FeedRange};
use crate::leases::{
    Attempt, Common, Dialect, Document, FilesPlace, Group, KeyedBy, Lease, Mark, NewLease, Prefix,
    Send, Stamp, attempt, fetch, groups, read,
};
use crate::process;

/// How long leases last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intervals {
    /// Between two looks at the group.
    pub(crate) acquire: Duration,
    /// After which a lease is written again to keep it.
    pub(crate) renew: Duration,
    /// After which others take a lease that was not renewed.
    pub(crate) expiration: Duration,
}

impl Intervals {
    /// For how long an instance acts on a lease after it began to renew it: less than it lasts, since the service has
    /// to answer, and its clock counts whole seconds.
    pub(super) fn validity(self) -> Duration {
        self.expiration - self.expiration / 4
    }
}

/// The leases of a group.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) client: Arc<CosmosClient>,
    pub(crate) keyed_by: KeyedBy,
    pub(crate) prefix: Prefix,
    /// The host of the account, as the ids of leases have it.
    pub(crate) host: String,
    /// The RID of the container that is read, and its feed.
    pub(crate) rid: String,
    pub(crate) mode: FeedMode,
    pub(crate) dialect: Dialect,
    /// The name of this instance.
    pub(crate) instance: String,
    /// What tells this process from another one of the same name.
    pub(crate) mark: Mark,
    pub(crate) clock: ServiceClock,
    pub(crate) intervals: Intervals,
    /// The container that gets the changes, if they are applied to one.
    pub(crate) feeds: Option<ContainerAddress>,
    /// The files that get the changes, if they are written to some.
    pub(crate) files: Option<FilesPlace>,
}

/// What became of the write of a lease.
#[derive(Debug)]
pub(super) enum Kept {
    /// It is written. Until this time since boot, the instance may act on it.
    Written(Box<Lease>, Duration),
    /// Another instance has it now, or nobody.
    Lost(Option<String>),
    /// Somebody who is no instance has changed it.
    Altered,
    /// Another instance has it that has the same name. This is how it left it.
    OfNamesake(Box<Lease>),
    /// It was deleted.
    Deleted,
    /// It may or may not be written, when it may already be another's.
    Late,
}

/// What a lease is that was not as it was read.
enum Looked {
    Kept(Kept),
    /// As this process wrote it before, with this ETag.
    Mine(String),
}

impl Store {
    pub(super) fn common(&self) -> Common<'_> {
        Common {
            prefix: &self.prefix,
            keyed_by: self.keyed_by,
            mode: self.mode,
            rid: &self.rid,
        }
    }

    /// All groups of the lease container.
    pub(super) async fn list_all(&self) -> Result<Vec<Group>> {
        let stored = read(&self.client).await?;
        Ok(groups(stored, &self.host, &[]).0)
    }

    /// The group. One that does not exist has no documents.
    pub(super) async fn list(&self) -> Result<Group> {
        let all = self.list_all().await?;
        Ok(self.own(all))
    }

    pub(super) fn own(&self, groups: Vec<Group>) -> Group {
        let mut groups = groups.into_iter();
        let own = groups.find(|group| group.prefix.text == self.prefix.text);
        own.unwrap_or_else(|| Group {
            prefix: self.prefix.clone(),
            place: None,
            leases: Vec::new(),
            foreign: Vec::new(),
            marker: None,
            lock: None,
            copy: None,
        })
    }

    /// Whether this instance has a lease, by its name.
    pub(super) fn is_own(&self, lease: &Lease) -> bool {
        let owner = lease.owner.as_deref();
        owner.is_some_and(|owner| owner.eq_ignore_ascii_case(&self.instance))
    }

    /// Whether this process has a lease, and no other one of its name.
    pub(super) fn is_mine(&self, lease: &Lease) -> bool {
        self.is_own(lease) && lease.has(self.mark)
    }

    /// Whether a lease can be taken: nobody has it, or its owner has not written it for too long by the service's
    /// clock, which says when it was written.
    pub(super) fn is_free(&self, lease: &Lease) -> bool {
        /// The service counts whole seconds.
        const SECOND: Duration = Duration::from_secs(1);
        if lease.owner.is_none() {
            return true;
        }
        let Some(written) = lease.written else {
            return false;
        };
        let age = self.clock.now().unix_timestamp_nanos() - i128::from(written) * 1_000_000_000;
        let lasts = self.intervals.expiration + SECOND;
        u128::try_from(age).is_ok_and(|age| age > lasts.as_nanos())
    }

    /// Writes a lease for `owner` on the condition that it is as it was read: to take it, to keep it, to save a
    /// position, or, without an owner, to let it go.
    ///
    /// # Errors
    ///
    /// If the service refuses it for good.
    pub(super) async fn write(
        &self,
        lease: &Lease,
        owner: Option<&str>,
        etag: Option<&str>,
        range: &FeedRange,
        until: Duration,
    ) -> Result<Kept> {
        let mut backoff = Backoff::default();
        let mut expected = lease.etag.clone().context("the lease has no ETag")?;
        loop {
            let began = process::since_boot();
            let stamp = Stamp::new(owner, self.clock.now(), self.mark)?;
            let document = lease.stamped(&stamp, etag, range, self.common())?;
            let send = Send::Replace(&expected);
            match attempt(&self.client, self.keyed_by, &document, send, until).await? {
                Attempt::Done(Some(etag)) => return self.written(document, &etag, began),
                Attempt::Done(None) | Attempt::Refused => {}
                Attempt::Gone => return Ok(Kept::Deleted),
                Attempt::Late => return Ok(Kept::Late),
            }
            match self.look(lease, &document, &stamp, began, until).await? {
                Looked::Kept(kept) => return Ok(kept),
                Looked::Mine(found) => {
                    // A replica may lag.
                    if found == expected {
                        let left = until.saturating_sub(process::since_boot());
                        tokio::time::sleep(backoff.next_pause(None).min(left)).await;
                    }
                    expected = found;
                }
            }
        }
    }

    fn written(&self, document: Document, etag: &str, began: Duration) -> Result<Kept> {
        let lease = Lease::written(document, etag, &self.prefix.target);
        let lease = lease.map_err(|reason| anyhow!("a lease that was written: {reason}"))?;
        let until = began + self.intervals.validity();
        Ok(Kept::Written(Box::new(lease), until))
    }

    /// Looks who wrote a lease in place of this instance; it may have done so itself, and not have got the answer.
    async fn look(
        &self,
        lease: &Lease,
        document: &Document,
        stamp: &Stamp,
        began: Duration,
        until: Duration,
    ) -> Result<Looked> {
        let left = until.saturating_sub(process::since_boot());
        let fetched = fetch(&self.client, self.keyed_by, document);
        let kept = |kept| Ok(Looked::Kept(kept));
        let Ok(found) = tokio::time::timeout(left, fetched).await else {
            return kept(Kept::Late);
        };
        let Some(found) = found? else {
            return kept(Kept::Deleted);
        };
        let Ok(found) = Lease::of(found, &self.prefix.target) else {
            return kept(Kept::Altered);
        };
        if found.is(document, stamp) {
            let until = began + self.intervals.validity();
            return kept(Kept::Written(Box::new(found), until));
        }
        if !self.is_own(&found) {
            return kept(Kept::Lost(found.owner));
        }
        if self.is_mine(&found) {
            // It has not changed, or this is an earlier write of this process. What it wrote is between the position that
            // is known to be saved and the one to be saved.
            let is_known = lease.checkpoint.lsn() <= found.checkpoint.lsn()
                && found.checkpoint.lsn() <= self.saved_by(document);
            let is_same = found.etag == lease.etag;
            let is_later = found.timestamp() != lease.timestamp();
            return match found.etag {
                Some(etag) if is_same || (is_known && is_later) => Ok(Looked::Mine(etag)),
                _ => kept(Kept::Altered),
            };
        }
        kept(if !self.is_own(lease) {
            Kept::Lost(found.owner)
        } else if found.timestamp() == lease.timestamp() {
            Kept::Altered
        } else {
            Kept::OfNamesake(Box::new(found))
        })
    }

    /// The LSN that a write saves.
    fn saved_by(&self, document: &Document) -> Option<u64> {
        let lease = Lease::of(document.clone(), &self.prefix.target).ok()?;
        lease.checkpoint.lsn()
    }

    /// Creates a lease that this instance has; none if there is one of its id already.
    ///
    /// # Errors
    ///
    /// If the service refuses it for good.
    pub(super) async fn create(
        &self,
        new: &NewLease,
        owner: Option<&str>,
        until: Duration,
    ) -> Result<Created> {
        let began = process::since_boot();
        let stamp = Stamp::new(owner, self.clock.now(), self.mark)?;
        let document = new.stamped(&stamp, self.common())?;
        let attempted =
            attempt(&self.client, self.keyed_by, &document, Send::Create, until).await?;
        Ok(match attempted {
            Attempt::Done(Some(etag)) => match self.written(document, &etag, began)? {
                Kept::Written(lease, until) => Created::Done(Some((lease, until))),
                _ => Created::Late,
            },
            // It is found with the next list.
            Attempt::Done(None) | Attempt::Refused | Attempt::Gone => Created::Done(None),
            Attempt::Late => Created::Late,
        })
    }

    /// Deletes a lease on the condition that it is as it was written.
    ///
    /// # Errors
    ///
    /// If the service refuses it for good.
    pub(super) async fn delete(&self, lease: &Lease, until: Duration) -> Result<Attempt> {
        let etag = lease.etag.as_deref().context("the lease has no ETag")?;
        let send = Send::Delete(etag);
        attempt(&self.client, self.keyed_by, &lease.document, send, until).await
    }
}

/// What became of a lease to be created.
#[derive(Debug)]
pub(super) enum Created {
    /// It exists. This instance has it, until this time since boot, unless it existed before.
    Done(Option<(Box<Lease>, Duration)>),
    /// It may or may not exist when the time was over.
    Late,
}
