//! Reading a container, or ranges of it, to the head.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::mpsc;

use super::heard::Heard;
use super::side::Place;
use super::visitor::{Reading, Visitor};
use crate::content::form::Form;
use crate::cosmos::cursor::{FeedRequest, PageSource};
use crate::cosmos::partitions::PhysicalPartition;
use crate::feed::page::Page;
use crate::feed::{ChangeFeedStart, FeedMode, FeedRange, RangeId, ReadUntil};
use crate::job::Connected;
use crate::reader::{Floor, ReadEnd, Reader, ReaderEvent, ReaderOptions, Shard};
use crate::render::change::Change;

/// Ranges of a side that are read at the same time.
pub(super) const CONCURRENCY: usize = 8;
/// Bytes of pages that may wait.
pub(super) const BUFFERED_BYTES: u32 = 8 << 20;
/// Items per page.
pub(super) const PAGE_SIZE: NonZeroU32 = NonZeroU32::new(1000).unwrap();
/// Events that may wait; the bytes of their pages are bounded separately.
pub(super) const EVENTS: usize = 64;

/// Where a range was when its reading began. What is not beyond that came once.
#[derive(Debug, Clone, Default)]
struct Pin {
    lsn: Option<u64>,
    partition: Option<String>,
}

/// How far a range was read, and how far it is to be read.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    read: u64,
    end: Option<u64>,
    has_ended: bool,
}

/// How far all ranges were read, by their LSNs.
#[derive(Debug, Default)]
struct Shares {
    ranges: HashMap<RangeId, Share>,
}

impl Shares {
    fn pinned(&mut self, range: RangeId, end: Option<u64>) {
        self.ranges.entry(range).or_default().end = end;
    }

    fn read_to(&mut self, range: RangeId, lsn: Option<u64>) {
        self.ranges.entry(range).or_default().read = lsn.unwrap_or(0);
    }

    fn ended(&mut self, range: RangeId) {
        self.ranges.entry(range).or_default().has_ended = true;
    }

    fn replaced(&mut self, parent: RangeId, children: &[RangeId]) {
        let share = self.ranges.remove(&parent).unwrap_or_default();
        self.ranges
            .extend(children.iter().map(|child| (*child, share)));
    }

    /// The share that was read of everything, taking ranges to be of one length.
    fn mean(&self) -> f64 {
        let of = |share: &Share| match share.end {
            _ if share.has_ended => 1.0,
            Some(end) if end > 0 => (share.read as f64 / end as f64).min(1.0),
            _ => 0.0,
        };
        let sum: f64 = self.ranges.values().map(of).sum();
        sum / self.ranges.len().max(1) as f64
    }
}

/// Reads what is selected of a container, and returns `visitor` with it.
pub(super) async fn read_container<V: Visitor>(reading: Reading, mut visitor: V) -> Result<V> {
    let Place::Container {
        connected,
        retry_limit,
        heard,
        ..
    } = &reading.side.place
    else {
        return Ok(visitor);
    };
    let wanted = if reading.side.is_in_ranges() {
        reading
            .selection
            .ranges(reading.keyer.bucket_bits, reading.documents)?
    } else {
        None
    };
    let (parts, floor) = parts(connected, heard, wanted).await?;
    if parts.is_empty() {
        return Ok(visitor);
    }
    let options = ReaderOptions {
        concurrency: CONCURRENCY,
        request: FeedRequest {
            source: PageSource::Feed(FeedMode::LatestVersion),
            page_size: PAGE_SIZE,
            partition_key: None,
        },
        retry_limit: *retry_limit,
        start: ChangeFeedStart::Beginning,
        // A document has one version, which may move beyond the pin.
        end: ReadEnd::Caught(ReadUntil::Head),
        poll_interval: Duration::from_secs(1),
        buffered_bytes: BUFFERED_BYTES,
    };
    let mut shards = Vec::new();
    let mut shares = Shares::default();
    for range in parts {
        let id = heard.number();
        shares.ranges.insert(id, Share::default());
        let shard = Shard::new(id, range, None, &options);
        shards.push(match &floor {
            Some(floor) => shard.not_before(floor),
            None => shard,
        });
    }
    let (sender, mut events) = mpsc::channel(EVENTS);
    // Dropped with this future, it stops the reader.
    let stop = reading.stop.child_token();
    let _guard = stop.clone().drop_guard();
    let client = Arc::clone(&connected.client);
    let reader = Reader::start(client, shards, options, sender, stop.clone());
    let mut pins: HashMap<RangeId, Pin> = HashMap::new();
    while let Some(event) = events.recv().await {
        match event {
            ReaderEvent::Pinned { range, end, .. } => {
                let pin = Pin {
                    lsn: end.lsn(),
                    partition: end.partition,
                };
                shares.pinned(range, pin.lsn);
                // A range that continues another one, or is pinned again, came once only up to the first of its pins.
                pins.entry(range).or_insert(pin);
            }
            ReaderEvent::Page {
                range,
                page,
                position,
                partition,
                ..
            } => {
                let pin = pins.get(&range);
                // Positions in another partition do not compare with the pin.
                let pin =
                    pin.filter(|pin| pin.partition.is_none() || pin.partition == partition.id);
                let pin = pin.and_then(|pin| pin.lsn);
                visit_page(&reading, &page, pin, position.lsn, &mut visitor)?;
                shares.read_to(range, position.lsn);
                if reading.selection.is_all() {
                    reading.done.reads_share(shares.mean());
                }
            }
            ReaderEvent::Replaced {
                parent,
                children,
                reply,
            } => {
                let ids: Vec<RangeId> = children.iter().map(|_| heard.number()).collect();
                shares.replaced(parent, &ids);
                // Children continue the positions of their parent.
                let lsn = pins.remove(&parent).and_then(|pin| pin.lsn);
                for id in &ids {
                    let partition = None;
                    pins.entry(*id).or_insert(Pin { lsn, partition });
                }
                reply.send(ids).ok();
            }
            ReaderEvent::Failed { error, .. } => return Err(error),
            ReaderEvent::Finished { range, .. } => shares.ended(range),
            ReaderEvent::CaughtUp { .. }
            | ReaderEvent::Charged { .. }
            | ReaderEvent::Retrying { .. }
            | ReaderEvent::Recovered { .. } => {}
        }
    }
    reader.join().await?;
    if stop.is_cancelled() {
        bail!("stopped");
    }
    Ok(visitor)
}

/// The partitions as they are now, and what the reading must have seen of them, if the container is followed: then once
/// that is known of each.
async fn partitions(
    connected: &Connected,
    heard: &Heard,
    refresh: bool,
) -> Result<(Vec<PhysicalPartition>, Option<Floor>)> {
    /// Looks, the pause between them, and how many there are for each list. The reader waits for what is still missing then.
    const LOOKS: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(50);
    const LOOKS_OF_LIST: u32 = 20;
    let is_followed = heard.floor().is_some();
    let list = || connected.client.list_partitions(refresh || is_followed);
    let mut partitions = list().await?;
    for look in 1..LOOKS {
        if !partitions.iter().any(|one| heard.will_know(&one.id)) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        if look.is_multiple_of(LOOKS_OF_LIST) {
            partitions = list().await?;
        }
    }
    Ok((partitions, heard.floor()))
}

/// The ranges to read: those that are wanted, cut at the bounds of partitions. Also what the reading must have seen.
async fn parts(
    connected: &Connected,
    heard: &Heard,
    wanted: Option<Vec<FeedRange>>,
) -> Result<(Vec<FeedRange>, Option<Floor>)> {
    let (partitions, floor) = partitions(connected, heard, wanted.is_some()).await?;
    let Some(wanted) = wanted else {
        let whole = partitions.into_iter().map(|partition| partition.range);
        return Ok((whole.collect(), floor));
    };
    let cut = partitions.into_iter().flat_map(|partition| {
        let cut = wanted
            .iter()
            .filter_map(|range| range.intersection(&partition.range));
        cut.collect::<Vec<FeedRange>>()
    });
    Ok((cut.collect(), floor))
}

fn visit_page<V: Visitor>(
    reading: &Reading,
    page: &Page,
    pin: Option<u64>,
    page_lsn: Option<u64>,
    visitor: &mut V,
) -> Result<()> {
    let keyer = &reading.keyer;
    let is_within = matches!((page_lsn, pin), (Some(lsn), Some(pin)) if lsn <= pin);
    let mut form = Form::default();
    for item in page.items() {
        let may_repeat = !is_within
            && match (Change::of(item).lsn(), pin) {
                (Some(lsn), Some(pin)) => lsn > pin,
                _ => true,
            };
        let written = reading.selection.is_all().then_some(&mut form);
        let visited = keyer.item(item, written, |keyed| {
            if keyed.is_elsewhere {
                reading.side.has_one_elsewhere();
            }
            if reading.selection.wants(keyed.bucket, keyed.name) {
                visitor.visit(keyer, keyed, may_repeat)
            } else {
                Ok(())
            }
        })?;
        visited.map_err(|unusable| unusable.at("a document of the feed"))?;
    }
    reading
        .done
        .documents
        .fetch_add(page.len() as u64, Ordering::Relaxed);
    reading
        .done
        .bytes
        .fetch_add(page.body_len() as u64, Ordering::Relaxed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_to_their_ends() {
        let mut shares = Shares::default();
        for id in [0, 1].map(RangeId) {
            shares.pinned(id, Some(100));
        }
        shares.read_to(RangeId(0), Some(50));
        assert_eq!(shares.mean(), 0.25);
        // The children are where their parent was.
        shares.replaced(RangeId(0), &[2, 3].map(RangeId));
        shares.ended(RangeId(1));
        assert!((shares.mean() - 2.0 / 3.0).abs() < 1e-9);
        shares.ended(RangeId(2));
        shares.ended(RangeId(3));
        assert_eq!(shares.mean(), 1.0);
        assert_eq!(Shares::default().mean(), 0.0);
    }
}
