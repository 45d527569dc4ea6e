//! A process that exports a feed through the seam, as a job does, one step after the other.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use cosmos_tail::destination::Destination;
use cosmos_tail::feed::page::Page;
use cosmos_tail::feed::{FeedMode, FeedRange, Position, RangeId, RangeSet, RangeState};
use cosmos_tail::format::{Compression, EncoderOptions, Format, encoders};
use cosmos_tail::schema::TableForm;
use cosmos_tail::sink::{PageToWrite, Seal, Sink, SinkOptions};
use cosmos_tail::state::claim::Claimed;
use cosmos_tail::state::file;
use cosmos_tail::state::ledger::{Ledger, bring_into_line, take_over};
use cosmos_tail::state::model::State;
use tokio::sync::mpsc;

use crate::sample;

use super::memory::{Bucket, Connection, MemoryDestination, MemoryState, no_pause};

/// The smallest pieces of the hash space. A range is some of them, one beside the other.
pub(super) const CELLS: u32 = 8;

/// Documents of each cell. A page of a range has one of each of its cells.
pub(super) const DOCUMENTS: u64 = 6;

/// The container.
const RID: &str = "AAAA";

/// Where the cell begins.
fn bound(cell: u32) -> String {
    match cell {
        0 => String::new(),
        CELLS => "FF".to_owned(),
        _ => format!("{:02X}", cell * 0x1F),
    }
}

fn range_of(from: u32, to: u32) -> FeedRange {
    FeedRange::new(&bound(from), &bound(to)).expect("it is a range")
}

fn cells_of(range: &FeedRange) -> std::ops::Range<u32> {
    let cell = |text: &str| (0..=CELLS).find(|cell| bound(*cell) == text);
    let ends = (cell(&range.min_inclusive), cell(&range.max_exclusive));
    ends.0.expect("it is a bound")..ends.1.expect("it is a bound")
}

fn lsn(range: &RangeState) -> u64 {
    let position = range.position.as_ref();
    position.and_then(|position| position.lsn).unwrap_or(0)
}

/// A position with a token as the SDK has it.
pub(super) fn position(range: &FeedRange, lsn: u64) -> Position {
    let part = serde_json::json!({
        "min_epk": range.min_inclusive,
        "max_epk": range.max_exclusive,
        "server_continuation": format!("\"{lsn}\""),
    });
    let root = serde_json::json!({"kind": "unordered_merge", "active_tokens": [part]});
    let form = serde_json::json!({"op": "ChangeFeed", "rid": RID, "root": root});
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(form.to_string());
    Position {
        token: format!("c1.{encoded}"),
        lsn: Some(lsn),
    }
}

/// The page of a range that follows its position.
fn page_after(range: &RangeState) -> Page {
    let number = lsn(range);
    let documents: Vec<String> = cells_of(&range.range)
        .map(|cell| format!(r#"{{"id":"{cell}-{number}","_lsn":{}}}"#, number + 1))
        .collect();
    let text = format!(r#"{{"Documents":[{}]}}"#, documents.join(","));
    Page::parse(text.into()).expect("it is a page")
}

fn new_state() -> State {
    let halves = [(0, CELLS / 2), (CELLS / 2, CELLS)];
    let ranges = halves.map(|(from, to)| (range_of(from, to), None));
    let mut state = sample::state();
    state.source.container_rid = RID.into();
    state.ranges = RangeSet::number(ranges).expect("they are few");
    state
}

/// A process.
pub(super) struct Process {
    connection: Connection,
    ledger: Ledger,
    sink: Sink,
    /// The ranges as they are after what was handed to the sink.
    ranges: BTreeMap<RangeId, RangeState>,
}

impl Process {
    /// Starts a process, which takes over what an earlier one left.
    pub(super) fn start(bucket: &Arc<Mutex<Bucket>>) -> Result<Self> {
        let connection = Connection::new(bucket);
        let store = Box::new(MemoryState(connection.clone()));
        let (claimed, text) = Claimed::take(store, file::claim_of)?;
        let mut claimed = claimed.with_pause(no_pause);
        let mut destination = MemoryDestination::new(connection.clone());
        destination.lock(claimed.ownership())?;
        let mut resumed = Vec::new();
        let state = match text {
            None => new_state(),
            Some(text) => {
                let mut state = file::parse(&text)?;
                let again = take_over(&mut state, &destination, &mut claimed, false)?;
                let recovery =
                    bring_into_line(&mut state, &destination, &mut claimed, &again, false)?;
                resumed = recovery.resumed;
                state
            }
        };
        let destination: Arc<dyn Destination> = Arc::new(destination);
        let mut ledger = Ledger::new(state, Arc::clone(&destination), Some(claimed));
        ledger.commit()?;
        let state = ledger.state();
        let next_parts: HashMap<u32, u32> = state
            .series
            .iter()
            .map(|series| (series.id, series.next_part))
            .collect();
        let options = SinkOptions {
            export_id: state.export_id,
            container: state.source.container.clone(),
            compression: Compression::None,
            commits_within_files: true,
            rotate_bytes: Some(200),
            encoder_memory: 1 << 20,
        };
        let encoders = encoders(EncoderOptions {
            format: Format::Jsonl,
            is_stream: false,
            mode: FeedMode::LatestVersion,
            compression: Compression::None,
            csv: Default::default(),
            row_group_bytes: 1 << 20,
            partition_key_paths: Vec::new(),
            layout: Arc::new(OnceLock::new()),
            form: TableForm::First,
            extra: cosmos_tail::format::Extra::Keep,
        });
        let (failed, _) = mpsc::unbounded_channel();
        let sink = Sink::start(
            &destination,
            options,
            encoders,
            1,
            &next_parts,
            &resumed,
            &failed,
        )?;
        let ranges = state.ranges.iter();
        let ranges = ranges.map(|range| (range.id, range.clone())).collect();
        Ok(Self {
            connection,
            ledger,
            sink,
            ranges,
        })
    }

    /// Does one thing that a job does at such a time. Returns whether the feed is read to its end,
    /// and all of it committed.
    pub(super) fn step(&mut self, random: &mut fastrand::Rng) -> Result<bool> {
        ensure!(!self.connection.is_dead(), "the process is gone");
        let unread: Vec<RangeId> = self
            .ranges
            .values()
            .filter(|range| lsn(range) < DOCUMENTS)
            .map(|range| range.id)
            .collect();
        if unread.is_empty() {
            self.commit(&Seal::Everything, |_| Ok(()))?;
            // The state still lists what has been published since.
            self.ledger.commit()?;
            return Ok(true);
        }
        let id = unread[random.usize(..unread.len())];
        match random.u32(..10) {
            0 => self.commit(&Seal::Everything, |_| Ok(()))?,
            1 | 2 => self.commit(&Seal::Nothing, |_| Ok(()))?,
            3 => self.split(id)?,
            _ => self.write(id),
        }
        Ok(false)
    }

    fn write(&mut self, id: RangeId) {
        let range = self.ranges.get_mut(&id).expect("it is read");
        let page = page_after(range);
        let position = position(&range.range, lsn(range) + 1);
        let after = RangeState {
            position: Some(position.clone()),
            ..range.clone()
        };
        let page = PageToWrite {
            before: std::mem::replace(range, after),
            page,
            position,
            request_charge: 1.0,
            permit: None,
        };
        self.sink.write(id.0, page);
    }

    fn split(&mut self, id: RangeId) -> Result<()> {
        let range = &self.ranges[&id];
        let cells = cells_of(&range.range);
        if cells.len() < 2 {
            return Ok(());
        }
        let middle = cells.start + cells.len() as u32 / 2;
        let halves = [range_of(cells.start, middle), range_of(middle, cells.end)];
        let at = range.position.as_ref().and(Some(lsn(range)));
        let placed_at = |half: FeedRange| {
            let position = at.map(|lsn| position(&half, lsn));
            (half, position)
        };
        let children = halves.map(placed_at).into();
        let mut placed = Vec::new();
        self.commit(&Seal::Series(vec![id.0]), |ledger| {
            placed = ledger.replace(id, children)?;
            Ok(())
        })?;
        self.ranges.remove(&id);
        let placed = placed.into_iter().map(|child| (child.id, child));
        self.ranges.extend(placed);
        Ok(())
    }

    fn commit(
        &mut self,
        seal: &Seal,
        change: impl FnOnce(&mut Ledger) -> Result<()>,
    ) -> Result<()> {
        let receipts = block_on(self.sink.checkpoint(seal))?;
        self.ledger.apply(receipts)?;
        change(&mut self.ledger)?;
        self.ledger.commit()?;
        Ok(())
    }
}

/// Waits for what another thread answers.
fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let builder = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build();
        builder.expect("a runtime")
    });
    runtime.block_on(future).context("a checkpoint failed")
}
