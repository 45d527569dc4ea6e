//! Which copy a group feeds. A group that feeds one has positions that say what that one has, so nobody else may move them;
//! and the positions of another group say nothing about what a copy has.

use anyhow::Result;

use super::source::Source;
use super::store::Store;
use crate::error::usage;
use crate::escape::escape_for_terminal;
use crate::leases::{Group, Purpose, fetch};
use crate::replay::{describe_container, same_container};

const HINT: &str = "name another group with --group: its positions begin at --from";

/// Refuses a group that a copy is fed by, unless it is this one.
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

fn ensure_same(store: &Store, found: Option<&Purpose>) -> Result<()> {
    let name = escape_for_terminal(&store.prefix.name);
    let (Some(found), own) = (found, &store.feeds) else {
        let id = store.prefix.copy();
        let id = escape_for_terminal(&id);
        let said = format!("the document `{id}` does not say which copy the group `{name}` feeds");
        return Err(usage(said, HINT));
    };
    let other = describe_container(&found.feeds);
    let other = escape_for_terminal(&other);
    match own {
        Some(own) if same_container(own, &found.feeds) => Ok(()),
        Some(own) if own.container_rid.is_empty() => Err(usage(
            format!(
                "the group `{name}` feeds {other}, and {} does not exist: what is created now has nothing of what its \
                 positions say",
                escape_for_terminal(&describe_container(own))
            ),
            HINT,
        )),
        Some(own) => Err(usage(
            format!(
                "the group `{name}` feeds {other}, and not {}: its positions say what the former has",
                escape_for_terminal(&describe_container(own))
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
    source: &Source,
    group: &Group,
) -> Result<Option<Purpose>> {
    let Some(own) = own_purpose(store, source) else {
        return Ok(None);
    };
    let found = match &group.copy {
        Some(found) => Some(found.clone()),
        None => {
            fetch(
                &store.client,
                store.keyed_by,
                &own.document(store.common())?,
            )
            .await?
        }
    };
    if let Some(found) = found {
        let found = Purpose::of(&found);
        ensure_same(store, found.as_ref())?;
        return Ok(found);
    }
    if group.marker.is_none() && group.leases.is_empty() {
        return Ok(None);
    }
    Err(usage(
        format!(
            "the group `{}` was not created by a replay into {}: its positions do not say what that has",
            escape_for_terminal(&store.prefix.name),
            escape_for_terminal(&describe_container(&own.feeds))
        ),
        HINT,
    ))
}

/// What a group is for that this instance creates; none for one of processors.
pub(super) fn own_purpose(store: &Store, source: &Source) -> Option<Purpose> {
    let feeds = store.feeds.clone()?;
    Some(Purpose {
        feeds,
        from: source.start,
        starts: Vec::new(),
    })
}
