//! Where a range is to begin, as an ETag that a lease can hold.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::cli::times::LeaseStart;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::cursor::{CursorStart, FeedRequest, PageSource};
use crate::cosmos::partitions::{PhysicalPartition, parts_of};
use crate::error::usage;
use crate::feed::{ChangeFeedStart, FeedMode, FeedRange, lsn_of_etag};

/// The ETag before all changes.
const BEGINNING: &str = "\"0\"";

/// Answers without a change that are followed.
const MAX_EMPTY_PAGES: usize = 1_000;

/// Refuses a start that the feed does not have.
///
/// # Errors
///
/// A usage error, if all versions are to begin in the past without an ETag.
pub(crate) fn ensure_possible(mode: FeedMode, start: &LeaseStart) -> Result<()> {
    let is_of_the_past = matches!(
        start,
        LeaseStart::At(ChangeFeedStart::Beginning | ChangeFeedStart::PointInTime(_))
    );
    if mode == FeedMode::AllVersionsAndDeletes && is_of_the_past {
        return Err(usage(
            "the group reads all versions and deletes, which begin only now or at a position",
            "--to now, or --to with an LSN that the container still has",
        ));
    }
    Ok(())
}

/// The ETag at which `range` begins. If it is in several partitions, that of the one that is least far, since
/// a lease has one: some changes of the others come again.
///
/// # Errors
///
/// If the service does not answer.
pub(crate) async fn etag_at(
    client: &Arc<CosmosClient>,
    mode: FeedMode,
    range: &FeedRange,
    partitions: &[PhysicalPartition],
    start: &LeaseStart,
) -> Result<String> {
    let start = match start {
        LeaseStart::Etag(etag) => return Ok(etag.clone()),
        LeaseStart::At(ChangeFeedStart::Beginning) => return Ok(BEGINNING.to_owned()),
        LeaseStart::At(start) => *start,
    };
    let mut earliest: Option<(Option<u64>, String)> = None;
    for (_, part) in parts_of(partitions, range) {
        const WHAT: &str = "cannot find where a lease is to begin";
        let ask = || ask(client, mode, &part, start);
        let etag = client.persistence().persist(WHAT, ask).await;
        let etag = etag.context(WHAT)?;
        let lsn = lsn_of_etag(&etag);
        if earliest.as_ref().is_none_or(|(least, _)| lsn < *least) {
            earliest = Some((lsn, etag));
        }
    }
    let (_, etag) = earliest.context("the range is in no partition of the container")?;
    Ok(etag)
}

/// The ETag of a part of one partition: before its first change after a time, or of now.
async fn ask(
    client: &Arc<CosmosClient>,
    mode: FeedMode,
    range: &FeedRange,
    start: ChangeFeedStart,
) -> Result<String> {
    let request = FeedRequest {
        source: PageSource::Feed(mode),
        page_size: NonZeroU32::MIN,
        partition_key: None,
    };
    let start = CursorStart::Fresh(start);
    let mut cursor = client.open(&request, range, start).await?;
    for _ in 0..MAX_EMPTY_PAGES {
        let answer = cursor.next().await?;
        let first = answer.page.items().filter_map(|item| item.lsn()).min();
        if let Some(first) = first {
            return Ok(format!("\"{}\"", first.saturating_sub(1)));
        }
        if answer.not_modified {
            let etag = answer.etag().context("the answer came without an ETag")?;
            return Ok(etag.to_owned());
        }
    }
    bail!("the service sends one page without changes after the other")
}
