//! Changes leases: their positions, and that nobody has them.
//!
//! Whoever has a lease may write it at any time, and some owners write an old position back when they find that
//! it was changed. So every write has the ETag of what was read as its condition, takes the lease from its
//! owner, who then stops, and is looked at again.

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

use super::assess::is_alive;
use super::document::Document;
use super::java_token::JavaState;
use super::lease::{Dialect, Lease};
use super::prefix::Target;
use super::read::KeyedBy;
use super::write::{Written, read_one, write};
use crate::clock;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::items::ItemRequest;
use crate::feed::{FeedMode, FeedRange, lsn_of_etag};

/// Leases that are written at the same time.
const CONCURRENCY: usize = 16;
/// How often a lease is written that others write meanwhile.
const MAX_TRIES: usize = 20;
/// How often leases are looked at again.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// What is to become of a lease.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) lease: Lease,
    /// Its new position; none if it keeps the one that it has.
    pub(crate) etag: Option<String>,
    /// The range that it is for.
    pub(crate) range: Option<FeedRange>,
}

/// How leases are changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changing<'a> {
    pub(crate) client: &'a CosmosClient,
    pub(crate) keyed_by: KeyedBy,
    pub(crate) target: &'a Target,
    /// The RID of the container that is read, and its feed.
    pub(crate) rid: &'a str,
    pub(crate) mode: FeedMode,
    /// Whether leases are changed that an instance has.
    pub(crate) force: bool,
    pub(crate) expiration: Duration,
    /// How far this machine's clock is ahead of the service's.
    pub(crate) clock_ahead: time::Duration,
}

/// What became of the changes.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// So many leases were changed.
    pub(crate) done: usize,
    /// Those that are not as they were to become, and why.
    pub(crate) failed: Vec<(String, String)>,
    /// How often a position was written again since an owner had brought the old one back.
    pub(crate) repeated: usize,
}

/// What became of one.
enum Outcome {
    Done,
    Failed(String),
}

impl Changing<'_> {
    /// Makes the changes, and looks at them again: once, or for as long as `look` if instances had leases of
    /// them.
    ///
    /// # Errors
    ///
    /// If the service refuses a write.
    pub(crate) async fn make(&self, changes: &[Change], look: Duration) -> Result<Changed> {
        let mut changed = Changed::default();
        let all: Vec<&Change> = changes.iter().collect();
        let outcomes = self.write_all(&all).await?;
        let mut made = Vec::new();
        for (change, outcome) in changes.iter().zip(outcomes) {
            match outcome {
                Outcome::Done => made.push(change),
                Outcome::Failed(reason) => {
                    changed.failed.push((change.lease.token.clone(), reason));
                }
            }
        }
        changed.done = made.len();
        let had_owner = |change: &&&Change| change.lease.owner.is_some();
        let mut watched: Vec<&Change> = made.iter().filter(had_owner).copied().collect();
        let is_any_held = watched.iter().any(|change| self.is_alive(&change.lease));
        let end = Instant::now() + if is_any_held { look } else { Duration::ZERO };
        while !watched.is_empty() {
            let undone = self.undone(&watched).await?;
            changed.repeated += undone.len();
            for (change, outcome) in undone.iter().zip(self.write_all(&undone).await?) {
                if let Outcome::Failed(reason) = outcome {
                    changed.done -= 1;
                    changed.failed.push((change.lease.token.clone(), reason));
                    watched.retain(|other| other.lease.id != change.lease.id);
                }
            }
            if Instant::now() >= end {
                break;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Ok(changed)
    }

    fn is_alive(&self, lease: &Lease) -> bool {
        is_alive(lease, self.expiration, clock::now() - self.clock_ahead)
    }

    async fn write_all(&self, changes: &[&Change]) -> Result<Vec<Outcome>> {
        stream::iter(0..changes.len())
            .map(|at| self.write_one(changes[at]))
            .buffered(CONCURRENCY)
            .try_collect()
            .await
    }

    async fn write_one(&self, change: &Change) -> Result<Outcome> {
        let address = self.keyed_by.address(&change.lease.document)?;
        for _ in 0..MAX_TRIES {
            // What a list showed may be old.
            let Some(document) = read_one(self.client, &address).await? else {
                return Ok(Outcome::Failed("it was deleted meanwhile".to_owned()));
            };
            let lease = match Lease::of(document, self.target) {
                Ok(lease) if lease.form.dialect() == change.lease.form.dialect() => lease,
                Ok(_) => return Ok(Outcome::Failed("another SDK took it over".to_owned())),
                Err(reason) => return Ok(Outcome::Failed(reason)),
            };
            if self.is_alive(&lease) && !self.force {
                let owner = lease.owner.as_deref().unwrap_or_default();
                return Ok(Outcome::Failed(format!("`{owner}` has taken it meanwhile")));
            }
            if self.is_as_wanted(change, &lease) {
                return Ok(Outcome::Done);
            }
            let document = self.changed(change, &lease)?;
            let etag = lease.etag.as_deref().context("the lease has no ETag")?;
            let request = document.to_text()?;
            match write(self.client, &address, ItemRequest::Replace(&request, etag)).await? {
                Written::Done => return Ok(Outcome::Done),
                // Read again.
                Written::Changed | Written::Exists | Written::Gone => {}
            }
        }
        Ok(Outcome::Failed(format!(
            "its owner wrote it {MAX_TRIES} times meanwhile"
        )))
    }

    /// Whether a lease is as it is to become: nobody has it, at the position.
    fn is_as_wanted(&self, change: &Change, lease: &Lease) -> bool {
        let is_there = match &change.etag {
            Some(etag) => lease.checkpoint.etag() == Some(etag),
            None => true,
        };
        lease.owner.is_none() && is_there
    }

    /// Those that their former owners brought back.
    async fn undone<'c>(&self, changes: &[&'c Change]) -> Result<Vec<&'c Change>> {
        let found: Vec<bool> = stream::iter(0..changes.len())
            .map(|at| self.is_undone(changes[at]))
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        let undone = changes
            .iter()
            .zip(found)
            .filter(|(_, is_undone)| *is_undone);
        Ok(undone.map(|(change, _)| *change).collect())
    }

    async fn is_undone(&self, change: &Change) -> Result<bool> {
        let address = self.keyed_by.address(&change.lease.document)?;
        let found = read_one(self.client, &address).await?;
        let lease = found.and_then(|document| Lease::of(document, self.target).ok());
        Ok(lease.is_some_and(|lease| is_brought_back(change, &lease)))
    }

    /// The document of a lease after a change.
    fn changed(&self, change: &Change, lease: &Lease) -> Result<Document> {
        let mut document = lease.document.clone();
        document.set("Owner", Option::<&str>::None)?;
        if let Some(etag) = &change.etag {
            let token = match lease.form.dialect() {
                Dialect::Net | Dialect::JavaPartition => etag.clone(),
                Dialect::JavaRange => {
                    let moved = lease.java_state().and_then(|state| state.at(etag));
                    let range = change.range.as_ref().context("the lease has no range")?;
                    let new = || JavaState::new(self.rid, self.mode, range, etag);
                    moved.unwrap_or_else(new).encode()
                }
            };
            document.set("ContinuationToken", token)?;
        }
        Ok(document)
    }
}

/// Whether a former owner has written what it knew over a change: it has the lease again, at the position that
/// it had before, or beyond. One that acquired it again begins at the new position.
fn is_brought_back(change: &Change, lease: &Lease) -> bool {
    let Some(etag) = &change.etag else {
        // Who acquires a lease that was released is welcome.
        return false;
    };
    if lease.checkpoint.etag() == Some(etag) {
        return false;
    }
    let (before, found) = (change.lease.checkpoint.lsn(), lease.checkpoint.lsn());
    let is_forward = lsn_of_etag(etag) >= before;
    let is_as_before = if is_forward {
        // A new owner goes on from there.
        found < lsn_of_etag(etag)
    } else {
        found >= before
    };
    is_as_before && (lease.owner == change.lease.owner || lease.owner.is_none())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lease(owner: Option<&str>, lsn: u64) -> Lease {
        let document = json!({"id": "p..0", "LeaseToken": "0", "version": 0, "Owner": owner,
            "ContinuationToken": format!("\"{lsn}\"")});
        let document = Document::parse(document.to_string().as_bytes()).unwrap();
        Lease::of(document, &Target::Rid("r".to_owned())).unwrap()
    }

    #[test]
    fn an_old_position_is_told_from_progress() {
        let change = |etag: &str| Change {
            lease: lease(Some("a"), 100),
            etag: Some(etag.to_owned()),
            range: None,
        };
        let back = change("\"10\"");
        for (owner, lsn, expected) in [
            (None, 10, false),
            (Some("b"), 10, false),
            // The old owner's renewal or checkpoint.
            (Some("a"), 100, true),
            (Some("a"), 104, true),
            (None, 100, true),
            // From the new position.
            (Some("a"), 50, false),
            (Some("b"), 50, false),
            (Some("b"), 104, false),
        ] {
            let found = lease(owner, lsn);
            assert_eq!(is_brought_back(&back, &found), expected, "{owner:?} {lsn}");
        }
        let forth = change("\"200\"");
        assert!(is_brought_back(&forth, &lease(Some("a"), 101)));
        assert!(!is_brought_back(&forth, &lease(Some("a"), 201)));
        assert!(!is_brought_back(&forth, &lease(None, 200)));
    }
}
