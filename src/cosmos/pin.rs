//! Pinning: where the feed of a range is now.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::client::CosmosClient;
use super::cursor::{CursorStart, FeedRequest};
use super::token::segments;
use crate::feed::{ChangeFeedStart, FeedRange, Position, lsn_of_etag};

/// Where a feed that starts now is.
#[derive(Debug)]
pub struct Pinned {
    /// The parts of the range that was asked for, and where each is.
    pub parts: Vec<(FeedRange, Position)>,
    /// The id of the partition key range that answered last, if it said so.
    pub partition: Option<String>,
    /// That partition's LSN, by the session token of its answer.
    pub partition_lsn: Option<u64>,
    /// Whether documents came with it, which are then not part of what follows.
    pub has_documents: bool,
    /// Request units charged for finding out.
    pub request_charge: f64,
}

/// Answers that a pin may take beyond one for each part of its range.
const SPARE_ANSWERS: usize = 4;

impl CosmosClient {
    /// Where a feed that starts now stands, for each part of `range`: nothing that happens after
    /// this call began is missed from there.
    ///
    /// # Errors
    ///
    /// As the requests that it makes.
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
        // Parts are polled one after the other: each must have got its ETag.
        for number in 1.. {
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
            "the service does not say where the feed of {range} is: its answers have no ETag"
        )
    }

    /// Cuts a position to `part`, which lies within the range that it is for. Makes no request
    /// for the feed. None if the position says nothing of it: then it was never polled.
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
