//! Pinning: where the feed of a range is now.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::client::CosmosClient;
use super::cursor::{CursorStart, FeedRequest};
use super::token::segments;
use crate::feed::{ChangeFeedStart, FeedRange, Position, lsn_of_etag};

/// Where a feed is that starts now.
#[derive(Debug)]
pub struct Pinned {
    /// The parts of the requested range, and the position of each.
    pub parts: Vec<(FeedRange, Position)>,
    /// The id of the partition key range that answered last, if the answer has it.
    pub partition: Option<String>,
    /// That partition's LSN, from the session token of its answer.
    pub partition_lsn: Option<u64>,
    /// Whether documents came with it, which the feed does not return again.
    pub has_documents: bool,
    /// Request units charged.
    pub request_charge: f64,
}

/// Answers that a pin may need beyond one for each part of its range.
const SPARE_ANSWERS: usize = 4;

impl CosmosClient {
    /// The positions of a feed that starts now, one for each part of `range`: from there, nothing is missed
    /// that happens after this call began.
    ///
    /// # Errors
    ///
    /// The errors of its requests.
    pub async fn pin_now(
        self: &Arc<Self>,
        request: &FeedRequest,
        range: &FeedRange,
    ) -> Result<Pinned> {
        let start = CursorStart::Fresh(ChangeFeedStart::Now);
        let request = FeedRequest {
            page_size: NonZeroU32::MIN,
            ..request.clone()
        };
        let mut cursor = self.open(&request, range, start).await?;
        let mut request_charge = 0.0;
        let mut has_documents = false;
        // Parts are polled one after the other until each has an ETag.
        for number in 1.. {
            cursor.admit(&request).await;
            let answer = cursor.next().await?;
            request_charge += answer.request_charge;
            has_documents |= !answer.page.is_empty();
            if answer.segments.iter().any(|segment| segment.etag.is_none()) {
                if number >= answer.segments.len() + SPARE_ANSWERS {
                    break;
                }
                continue;
            }
            let position = answer.position()?;
            let mut parts = Vec::with_capacity(answer.segments.len());
            for segment in answer.segments {
                let cut = self
                    .cut(&request, &position, &segment.range)
                    .await?
                    .context("a part was not pinned")?;
                parts.push((segment.range, cut));
            }
            return Ok(Pinned {
                parts,
                partition: answer.partition,
                partition_lsn: answer.partition_lsn,
                has_documents,
                request_charge,
            });
        }
        anyhow::bail!(
            "the service does not return the position of the feed of {range}: its answers have no ETag"
        )
    }

    /// Cuts a position of the feed to `part`, a part of the position's range, without a request for the feed. Returns
    /// `None` if the position has no ETag for it: then it was never polled.
    ///
    /// # Errors
    ///
    /// If the position is not one of this container.
    pub async fn cut(
        self: &Arc<Self>,
        request: &FeedRequest,
        position: &Position,
        part: &FeedRange,
    ) -> Result<Option<Position>> {
        let token = self
            .open(request, part, CursorStart::Position(position))
            .await?
            .token()?;
        let etags = segments(&token, part)?;
        let lsn = etags
            .iter()
            .find_map(|segment| segment.etag.as_deref())
            .map(lsn_of_etag);
        Ok(lsn.map(|lsn| Position { token, lsn }))
    }
}
