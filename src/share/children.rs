//! The leases of a range that was split or merged, as the processors of each SDK make them.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};

use super::source::Source;
use super::store::{Created, Kept, Store};
use crate::cosmos::partitions::PhysicalPartition;
use crate::failpoint;
use crate::feed::FeedRange;
use crate::leases::{Attempt, Dialect, Form, Lease, NewLease, range_of, token_of};

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
            // Whoever has it now applies its changes again. Nobody applies those of its children before it is gone.
            Attempt::Refused if store.feeds.is_some() => Replaced::Lost(Kept::Lost(None)),
            // Another instance has taken it meanwhile, and will find its children.
            Attempt::Refused => Replaced::Done(children),
            Attempt::Late => Replaced::Late,
        },
    )
}

/// Leaves out the leases of ranges that have another lease, from before a split or a merge: whoever has that one next applies
/// what comes before it again. What comes after must not be applied before that.
pub(super) fn leave_out_children(leases: &mut Vec<Lease>, partitions: &[PhysicalPartition]) {
    let all: Vec<(Form, Option<FeedRange>)> = leases
        .iter()
        .map(|lease| (lease.form, range_of(lease, partitions)))
        .collect();
    let is_child = |(form, range): &(Form, Option<FeedRange>)| {
        let Some(range) = range else {
            return false;
        };
        all.iter().any(|(other, whole)| match whole {
            // That of a partition that was merged becomes one of its range.
            Some(whole) if whole == range => *other != *form && *form == Form::NetRange,
            Some(whole) => whole.intersection(range).as_ref() == Some(range),
            None => false,
        })
    };
    let mut each = all.iter();
    leases.retain(|_| !each.next().is_some_and(is_child));
}

/// The ids of leases whose range another one has too, of which one stays: a crash between the creation of a lease and the
/// deletion of the one that it replaces leaves both. That of a partition goes, and otherwise the one with the greatest id.
/// Two of one id, which partition keys of the container of leases tell apart, both stay: an id does not say which of them is
/// meant.
pub(super) fn doubles(leases: &[Lease], partitions: &[PhysicalPartition]) -> HashSet<String> {
    let mut all: Vec<(FeedRange, bool, &str)> = leases
        .iter()
        .filter(|lease| lease.checkpoint.etag().is_some())
        .filter_map(|lease| {
            let range = range_of(lease, partitions)?;
            Some((range, lease.form == Form::NetPartition, lease.id.as_str()))
        })
        .collect();
    let key = |(range, goes, id): &(FeedRange, bool, &str)| {
        let bounds = (range.min_inclusive.clone(), range.max_exclusive.clone());
        (bounds, *goes, (*id).to_owned())
    };
    all.sort_by_cached_key(key);
    let pairs = all
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0 && pair[0].2 != pair[1].2);
    pairs.map(|pair| pair[1].2.to_owned()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leases::{Document, Target};

    #[test]
    fn the_leases_of_children_wait_until_that_of_their_parent_is_gone() {
        let target = Target::Rid("AQAAAAAAAAA=".to_owned());
        let lease = |version: u8, token: &str, min: &str, max: &str| {
            let text = format!(
                r#"{{"id":"a..{token}","version":{version},"LeaseToken":"{token}","FeedRange":{{"Range":{{"min":"{min}","max":"{max}"}}}},"Owner":null,"ContinuationToken":"\"5\""}}"#
            );
            Lease::of(Document::parse(text.as_bytes()).unwrap(), &target).unwrap()
        };
        let left = |mut leases: Vec<Lease>| {
            leave_out_children(&mut leases, &[]);
            let tokens = leases.into_iter().map(|lease| lease.token);
            tokens.collect::<Vec<String>>()
        };
        let parent = || lease(0, "0", "", "55");
        let child = |token: &str, min: &str, max: &str| lease(0, token, min, max);
        let other = || lease(0, "1", "55", "FF");
        let children = || vec![child("2", "", "33"), other(), child("3", "33", "55")];
        assert_eq!(left(children()), ["2", "1", "3"]);
        let mut with_parent = children();
        with_parent.push(parent());
        assert_eq!(left(with_parent), ["1", "0"]);
        let double = |leases: &[Lease]| -> Vec<String> {
            let mut ids: Vec<String> = doubles(leases, &[]).into_iter().collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(double(&children()), [] as [String; 0]);
        assert_eq!(
            double(&[
                lease(0, "4", "", "55"),
                lease(1, "-55", "", "55"),
                parent(),
                other()
            ]),
            ["a..0", "a..4"]
        );
        assert_eq!(double(&[lease(0, "4", "", "55"), parent()]), ["a..4"]);
        // Documents of one id in two logical partitions.
        assert_eq!(double(&[parent(), parent()]), [] as [String; 0]);
        // That of a merged partition, and the one that it becomes.
        assert_eq!(left(vec![lease(1, "-55", "", "55"), parent()]), ["0"]);
        assert_eq!(left(vec![lease(1, "-55", "", "55"), other()]), ["-55", "1"]);
    }
}
