//! What an answer says to other readers of the container, and what it must not be from before.

use anyhow::{Result, bail};

use super::horizon::Lag;
use super::sight::Sighted;
use super::turn::Turn;
use crate::cosmos::cursor::FeedAnswer;
use crate::feed::lsn_of_etag;

impl Turn {
    /// Notes what an answer has seen for the other readers of the container, and refuses one from before what they had
    /// seen when this reading began.
    pub(super) async fn ensure_seen(&mut self, answer: &FeedAnswer) -> Result<()> {
        // Without a session token, the ETag of an answer that nothing is new is where its replica is.
        let etag = answer.etag().filter(|_| answer.not_modified);
        let lsn = answer.partition_lsn.or(etag.and_then(lsn_of_etag));
        let partition = answer.partition.as_deref();
        if let (Some(Sighted::Leading(sight)), Some(partition)) = (&self.shard.sighted, partition) {
            // The parts of a range that was split may be in several partitions.
            let is_whole = answer.segments.len() == 1;
            let client = &self.shared.client;
            self.shard.is_behind = is_whole && sight.note(client, partition, lsn).await?;
        }
        self.ensure_above_floor(partition, lsn)
    }

    /// Refuses an answer of a replica that is at `lsn`, if that is from before what had been seen when this reading began.
    pub(super) fn ensure_above_floor(
        &self,
        partition: Option<&str>,
        lsn: Option<u64>,
    ) -> Result<()> {
        let (Some(Sighted::Above(floor)), Some(partition)) = (&self.shard.sighted, partition)
        else {
            return Ok(());
        };
        let range = self.shard.id;
        let known = floor.of(partition);
        if known.is_none() && floor.waits {
            let partition = partition.to_owned();
            bail!(Lag::Unseen { range, partition });
        }
        let Some(service) = lsn else {
            return Ok(());
        };
        if let Some(known) = known.filter(|known| service < *known) {
            bail!(Lag::BehindChanges {
                range,
                known,
                service
            });
        }
        floor.note(partition, service);
        Ok(())
    }
}
