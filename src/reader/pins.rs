//! The pinned end of a range: how it is taken, and how a page that goes beyond it is cut.

use anyhow::{Context, Result, bail, ensure};

use super::event::ReaderEvent;
use super::horizon::Lag;
use super::judge::Step;
use super::shard::etag_of;
use super::turn::Turn;
use crate::clock;
use crate::cosmos::cursor::PageSource;
use crate::cosmos::token::{Segment, token_of};
use crate::cosmos::traffic::Asker;
use crate::feed::page::Page;
use crate::feed::{PinnedEnd, Position, ReachedEnd, lsn_of_etag};

/// How far a range was read whose page was cut.
pub(super) struct Cut {
    pub(super) etag: Option<String>,
    pub(super) position: Position,
}

impl Turn {
    /// Pins the range to now: its end is there or later.
    pub(super) async fn pin(&mut self) -> Result<Option<Step>> {
        self.asks();
        let shard = &mut self.shard;
        let pinned_at = clock::now();
        let pinned = self
            .shared
            .client
            .pin_now(&shard.request, &shard.range)
            .await?;
        self.shared.charged(pinned.request_charge).await;
        let [(range, now)] = &pinned.parts[..] else {
            // The range was split before; each part gets its own end.
            let mut children = Vec::new();
            for (range, _) in pinned.parts {
                let position = match &shard.position {
                    Some(position) => {
                        self.shared
                            .client
                            .cut(&shard.request, position, &range)
                            .await?
                    }
                    None => None,
                };
                children.push((range, position));
            }
            return Ok(Some(Step::Split(children)));
        };
        ensure!(
            *range == shard.range,
            "the service pinned {range} instead of {}",
            shard.range
        );
        let etag = etag_of(&now.token, range)?.context("the pin has no ETag")?;
        let position_lsn = shard.position.as_ref().and_then(|position| position.lsn);
        // Whatever the snapshot has found must be before the end of the changes.
        let seen = pinned
            .partition
            .as_deref()
            .filter(|_| !shard.is_of_snapshot);
        let seen = match seen {
            Some(partition) => self.shared.see(partition, None).await?,
            None => None,
        };
        if let (Some(here), Some(service)) = (position_lsn.max(seen), now.lsn)
            && service < here
        {
            let range = shard.id;
            bail!(Lag::BehindPosition {
                range,
                here,
                service
            });
        }
        let partition = pinned.partition.as_deref();
        self.ensure_above_floor(partition, pinned.partition_lsn.or(now.lsn))?;
        let shard = &mut self.shard;
        let is_there = shard.etag.as_deref() == Some(&etag);
        let end = PinnedEnd {
            etag,
            partition: pinned.partition,
            pinned_at,
            tokens_compare: now.lsn.is_some() && now.lsn == pinned.partition_lsn,
            known_lsn: None,
            reached: None,
        };
        shard.horizon.pin(end.clone());
        let asker = Asker::Range(shard.id);
        self.shared.client.traffic().hears(asker);
        let event = ReaderEvent::Pinned {
            range: shard.id,
            position_lsn,
            end,
        };
        self.shared.send(event).await;
        // The pin itself shows that nothing is newer.
        let has_nothing_new = is_there && !pinned.has_documents;
        Ok(has_nothing_new.then_some(Step::Reached(Some(ReachedEnd::Head))))
    }

    /// Removes what a page has beyond the pin of the range, if anything. Returns how far the range was read then: the part
    /// that the page is of, to the pin.
    ///
    /// A page has all changes up to its ETag, in the order of their LSNs only within a partition key. So those up to the
    /// pin are all there, wherever they are in the page, and the others come again after the pin.
    pub(super) fn cut_at_pin(&self, page: &mut Page, parts: &[Segment]) -> Result<Option<Cut>> {
        let shard = &self.shard;
        let Some((pin, end)) = shard.horizon.cut() else {
            return Ok(None);
        };
        let PageSource::Feed(mode) = shard.request.source else {
            return Ok(None);
        };
        let lsns: Vec<Option<u64>> = page.items().map(|item| item.lsn()).collect();
        let is_etag_beyond =
            |part: &Segment| part.etag.as_deref().and_then(lsn_of_etag) > Some(end);
        let ends_beyond = parts.iter().any(is_etag_beyond);
        ensure!(
            !ends_beyond || lsns.iter().all(Option::is_some),
            "a change has no LSN, so whether it is beyond the end of the range, at LSN {end}, is not known"
        );
        let Some(beyond) = lsns.iter().flatten().find(|lsn| **lsn > end) else {
            return Ok(None);
        };
        ensure!(
            ends_beyond,
            "the service sent a change of LSN {beyond} in a page that does not end after LSN {end}"
        );
        page.keep(|at| lsns[at] <= Some(end));
        let mut parts = parts.to_vec();
        for part in parts.iter_mut().filter(|part| is_etag_beyond(part)) {
            part.etag = Some(pin.etag.clone());
        }
        let etag = parts.iter().find_map(|part| part.etag.clone());
        let position = Position {
            token: token_of(self.shared.client.rid(), mode, &parts),
            lsn: etag.as_deref().and_then(lsn_of_etag),
        };
        Ok(Some(Cut { etag, position }))
    }
}
