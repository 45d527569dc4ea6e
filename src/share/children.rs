//! The leases of a range that was split or merged, as the processors of each SDK make them.

use std::time::Duration;

use anyhow::{Context, Result};

use super::bootstrap::Source;
use super::store::{Created, Kept, Store};
use crate::cosmos::partitions::PhysicalPartition;
use crate::failpoint;
use crate::feed::FeedRange;
use crate::leases::{Attempt, Dialect, Form, Lease, NewLease, token_of};

/// What became of a lease that was replaced.
#[derive(Debug)]
pub(super) enum Replaced {
    /// It is gone, and these replace it: those that this instance has, with the time since boot until which it may act
    /// on them.
    Done(Vec<(Box<Lease>, FeedRange, Duration)>),
    /// This instance does not have it any more.
    Lost(Kept),
    /// It may or may not have been done when the time was over.
    Late,
}

/// Creates the leases of the parts of a range, each at its position, and deletes the lease of the whole: last, since
/// a range without a lease is read by nobody.
///
/// # Errors
///
/// If the service refuses it for good.
pub(super) async fn replace(
    store: &Store,
    source: &Source,
    lease: &Lease,
    range: &FeedRange,
    parts: &[(FeedRange, String)],
    until: Duration,
) -> Result<Replaced> {
    // Who has lost the lease does not know what became of its children, which may have children of their own by now.
    let own = Some(store.instance.as_str());
    let (lease, until) = match store.write(lease, own, None, range, until).await? {
        Kept::Written(lease, until) => (lease, until),
        Kept::Late => return Ok(Replaced::Late),
        kept => return Ok(Replaced::Lost(kept)),
    };
    let lease = &*lease;
    let partitions = source.client.list_partitions(true).await?;
    let mut children = Vec::with_capacity(parts.len());
    for (range, etag) in parts {
        let (form, token) = form_of(store.dialect, lease, range, &partitions);
        let new = NewLease {
            form,
            token,
            range: range.clone(),
            etag: Some(etag.clone()),
            properties: lease.properties(),
        };
        match store.create(&new, Some(&store.instance), until).await? {
            Created::Done(Some((child, valid_until))) => {
                children.push((child, range.clone(), valid_until));
            }
            Created::Done(None) => {}
            Created::Late => return Ok(Replaced::Late),
        }
        failpoint::call("group.child-has-a-lease")?;
    }
    let deleted = store.delete(lease, until).await;
    failpoint::call("group.lease-deleted")?;
    Ok(
        match deleted.context("the lease of a range that was split")? {
            Attempt::Done(_) | Attempt::Gone => Replaced::Done(children),
            // Another instance has taken it meanwhile, and will find its children.
            Attempt::Refused => Replaced::Done(children),
            Attempt::Late => Replaced::Late,
        },
    )
}

/// The form and the token of the lease of a part.
fn form_of(
    dialect: Dialect,
    parent: &Lease,
    range: &FeedRange,
    partitions: &[PhysicalPartition],
) -> (Form, String) {
    match dialect {
        Dialect::Net if parent.form == Form::NetPartition => {
            let mut whole = partitions.iter().filter(|one| one.range == *range);
            match whole.next() {
                Some(partition) => (Form::NetPartition, partition.id.clone()),
                // A part of a partition that others were merged into.
                None => (Form::NetRange, token_of(range)),
            }
        }
        Dialect::Net => (Form::NetRange, token_of(range)),
        Dialect::JavaPartition | Dialect::JavaRange => (Form::JavaRange, token_of(range)),
    }
}
