//! Dynamic data masking: whether a query returns the values that are stored.
//!
//! A container can have a policy that masks values. To an identity without the right to see through it the service refuses
//! the feed, but it answers queries, with `XXXX` for text and 0 for numbers: an export of a query would be a wrong backup,
//! without an error. So where there is a policy, the feed is asked: whoever may read it sees all values.

use std::num::NonZeroU32;

use anyhow::{Context, Result};

use super::Connected;
use crate::cosmos::cursor::{FeedRequest, PageSource};
use crate::cosmos::error::{ServiceError, Verdict};
use crate::error::{find, usage};
use crate::feed::FeedMode;
use crate::nearest::bounded;
use crate::report::Report;

/// Returns whether the values that a query returns are masked.
///
/// # Errors
///
/// If they are, and `is_wanted` does not allow it; or if it cannot be found out.
pub(super) async fn check(connected: &Connected, is_wanted: bool, report: &Report) -> Result<bool> {
    // Without a definition there is no policy to read; then the feed decides as well.
    let definition = connected.client.definition();
    let paths = definition.map_or_else(|_| vec!["/".to_owned()], |one| one.masked_paths());
    if paths.is_empty() {
        return Ok(false);
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let paths = bounded(&paths);
    if may_read_feed(connected).await? {
        report.detail(&format!(
            "the container masks {paths}, but this credential may read its feed, so it sees all values"
        ));
        return Ok(false);
    }
    if !is_wanted {
        return Err(usage(
            format!(
                "the container masks the values of {paths}, and this credential may not see them: it may not read the feed"
            ),
            "a query would return XXXX and 0 in their place: use a role with the right `unmask`, such as Cosmos DB \
             Built-in Data Contributor; or export masked values with --masked",
        ));
    }
    report.warning(&format!(
        "the values of {paths} are masked: the export is no backup of them"
    ));
    Ok(true)
}

async fn may_read_feed(connected: &Connected) -> Result<bool> {
    const WHAT: &str = "cannot find out whether values are masked";
    let client = &connected.client;
    let partitions = client.list_partitions(false).await?;
    let range = &partitions.first().context("there are no ranges")?.range;
    let request = FeedRequest {
        source: PageSource::Feed(FeedMode::LatestVersion),
        page_size: NonZeroU32::MIN,
        partition_key: None,
    };
    let pin = async || client.pin_now(&request, range).await;
    let pinned = client.persistence().persist(WHAT, pin).await;
    match pinned {
        Ok(_) => Ok(true),
        Err(error) => match find::<ServiceError>(&error).map(|refusal| refusal.verdict) {
            Some(Verdict::Denied) => Ok(false),
            _ => Err(error.context(WHAT)),
        },
    }
}
