//! What a group feeds: a copy, or files. A group that feeds something has positions that say what that has, so nobody else may
//! move them; and the positions of another group say nothing about what a copy has.
//!
//! Files say themselves what they have, whatever the positions of the group are. So a group of processors may feed files too,
//! but of two places each would have a part.

use anyhow::Result;

use super::store::Store;
use crate::destination::GROUP_FILE;
use crate::error::usage;
use crate::escape::escape_for_terminal;
use crate::feed::ChangeFeedStart;
use crate::leases::{Attempt, Document, Feeds, Group, Purpose, Send, attempt, fetch};
use crate::process;
use crate::replay::{describe_container, same_container};

const HINT: &str = "name another group with --group: its positions begin at --from";

/// How long a document is tried to be created.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Refuses a group that feeds something, unless it is what this instance feeds.
///
/// # Errors
///
/// A usage error.
pub(super) fn ensure_purpose(store: &Store, group: &Group) -> Result<()> {
    let Some(document) = &group.copy else {
        return Ok(());
    };
    ensure_same(store, Purpose::of(document).as_ref())
}

fn describe(feeds: &Feeds) -> String {
    match feeds {
        Feeds::Copy(container) => escape_for_terminal(&describe_container(container)).into_owned(),
        Feeds::Files(place) => {
            let address = escape_for_terminal(&place.address);
            format!("the files at `{address}`")
        }
    }
}

fn is_same(own: &Feeds, found: &Feeds) -> bool {
    match (own, found) {
        (Feeds::Copy(own), Feeds::Copy(found)) => same_container(own, found),
        (Feeds::Files(own), Feeds::Files(found)) => own.id == found.id,
        _ => false,
    }
}

/// Whether what is fed are the files there.
fn is_at(feeds: &Feeds, address: &str) -> bool {
    matches!(feeds, Feeds::Files(place) if place.address == address)
}

fn ensure_same(store: &Store, found: Option<&Purpose>) -> Result<()> {
    let name = escape_for_terminal(&store.prefix.name);
    let Some(found) = found else {
        let id = store.prefix.copy();
        let id = escape_for_terminal(&id);
        let said = format!("the document `{id}` does not say which copy the group `{name}` feeds");
        return Err(usage(said, HINT));
    };
    let other = describe(&found.feeds);
    match own_feeds(store) {
        Some(own) if is_same(&own, &found.feeds) => Ok(()),
        Some(Feeds::Copy(own)) if own.container_rid.is_empty() => Err(usage(
            format!(
                "the group `{name}` feeds {other}, and {} does not exist: what is created now has nothing of what its \
                 positions say",
                escape_for_terminal(&describe_container(&own))
            ),
            HINT,
        )),
        Some(Feeds::Files(own)) if is_at(&found.feeds, &own.address) => Err(usage(
            format!(
                "the group `{name}` feeds {other}, but what said so there, `_cosmos-tail/{GROUP_FILE}`, is gone or another one"
            ),
            "restore it, if the store keeps what was deleted; otherwise write to a new place, with another group",
        )),
        Some(own) => Err(usage(
            format!(
                "the group `{name}` feeds {other}, and not {}: its positions say what the former has",
                describe(&own)
            ),
            HINT,
        )),
        None => Err(usage(
            format!(
                "the group `{name}` feeds {other}, which would never get the changes that are printed"
            ),
            "name another group with --group",
        )),
    }
}

/// What the group is for, if it exists. It is read by its id too: a list may be from before it was written.
///
/// # Errors
///
/// A usage error if it is for something else than this instance, or if it cannot be read.
pub(super) async fn purpose_of(
    store: &Store,
    start: ChangeFeedStart,
    group: &Group,
) -> Result<Option<Purpose>> {
    let Some(own) = own_purpose(store, start) else {
        return Ok(None);
    };
    let document = own.document(store.common())?;
    if let Some(found) = found(store, group, &document).await? {
        let found = Purpose::of(&found);
        ensure_same(store, found.as_ref())?;
        return Ok(found);
    }
    if group.marker.is_none() && group.leases.is_empty() {
        return Ok(None);
    }
    let container = match &own.feeds {
        Feeds::Copy(container) => container,
        // That of processors, which goes on: the files have what this instance handles from now on.
        Feeds::Files(_) => {
            let until = process::since_boot() + PATIENCE;
            let send = attempt(
                &store.client,
                store.keyed_by,
                &document,
                Send::Create,
                until,
            );
            if matches!(send.await?, Attempt::Done(_)) {
                return Ok(Some(own));
            }
            let found = fetch(&store.client, store.keyed_by, &document).await?;
            let found = found.and_then(|found| Purpose::of(&found));
            ensure_same(store, found.as_ref())?;
            return Ok(found);
        }
    };
    Err(usage(
        format!(
            "the group `{}` was not created by a replay into {}: its positions do not say what that has",
            escape_for_terminal(&store.prefix.name),
            escape_for_terminal(&describe_container(container))
        ),
        HINT,
    ))
}

async fn found(store: &Store, group: &Group, own: &Document) -> Result<Option<Document>> {
    match &group.copy {
        Some(found) => Ok(Some(found.clone())),
        None => fetch(&store.client, store.keyed_by, own).await,
    }
}

/// Refuses a group that feeds something else than the files that this instance is about to begin.
///
/// # Errors
///
/// A usage error, or if the group cannot be read.
pub(super) async fn ensure_feeds_nothing_else(store: &Store, start: ChangeFeedStart) -> Result<()> {
    let Some(own) = own_purpose(store, start) else {
        return Ok(());
    };
    let group = store.list().await?;
    match found(store, &group, &own.document(store.common())?).await? {
        Some(found) => ensure_same(store, Purpose::of(&found).as_ref()),
        None => Ok(()),
    }
}

fn own_feeds(store: &Store) -> Option<Feeds> {
    let copy = store.feeds.clone().map(Feeds::Copy);
    copy.or_else(|| store.files.clone().map(Feeds::Files))
}

/// What a group is for that this instance creates; none for one of processors.
pub(super) fn own_purpose(store: &Store, start: ChangeFeedStart) -> Option<Purpose> {
    Some(Purpose {
        feeds: own_feeds(store)?,
        from: start,
        starts: Vec::new(),
    })
}
