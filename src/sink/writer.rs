//! The threads that write, and the queues that feed them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, RecvError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::pool::BufferPool;
use super::series::{Series, SinkOptions};
use crate::destination::{Destination, Kind, Receipt, ResumedPart};
use crate::feed::page::Page;
use crate::feed::{Position, RangeState};
use crate::format::NewEncoder;

/// A page on its way to its series.
#[derive(Debug)]
pub struct PageToWrite {
    /// The range that it was read from, as it was before this page.
    pub before: RangeState,
    /// Its documents.
    pub page: Page,
    /// The position of the range after it.
    pub position: Position,
    /// Request units charged for it.
    pub request_charge: f64,
    /// Its share of the memory for pages, returned once it is written.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// Which series a checkpoint seals: nothing is added to a sealed part.
#[derive(Debug, Clone)]
pub enum Seal {
    /// None.
    Nothing,
    /// These.
    Series(Vec<u32>),
    /// All.
    Everything,
    /// All, and nothing follows: a stream ends.
    End,
}

impl Seal {
    fn covers(&self, series: u32) -> bool {
        match self {
            Self::Nothing => false,
            Self::Series(ids) => ids.contains(&series),
            Self::Everything | Self::End => true,
        }
    }
}

/// What a writer is to do.
#[derive(Debug)]
pub(super) enum Command {
    Write {
        series: u32,
        page: Box<PageToWrite>,
    },
    Checkpoint {
        seal: Seal,
        reply: oneshot::Sender<Result<Vec<Receipt>>>,
    },
    /// To write the rows that its encoders keep, since they keep the most of several.
    WriteRows,
}

/// The writing side of a job.
///
/// Its queues are not bounded here: the permits of the pages bound them.
#[derive(Debug)]
pub struct Sink {
    queues: Vec<Sender<Command>>,
    threads: Vec<JoinHandle<()>>,
}

impl Sink {
    /// Starts `threads` writers. `next_parts` has the next part of each series that was written before;
    /// `resumed` are open parts to continue.
    ///
    /// The first error of a writer is sent to `failed`; after that it writes nothing, and its checkpoints
    /// fail.
    ///
    /// # Errors
    ///
    /// If a resumed part cannot be opened, or a thread cannot be started.
    pub fn start(
        destination: &Arc<dyn Destination>,
        options: SinkOptions,
        encoders: Box<NewEncoder>,
        threads: usize,
        next_parts: &HashMap<u32, u32>,
        resumed: &[ResumedPart],
        failed: &mpsc::UnboundedSender<anyhow::Error>,
    ) -> Result<Self> {
        let threads = threads.max(1);
        let encoders: Arc<NewEncoder> = encoders.into();
        let encoder_memory = options.encoder_memory / threads;
        let options = Arc::new(options);
        let mut writers: Vec<Writer> = Vec::new();
        for _ in 0..threads {
            let (options, encoders) = (Arc::clone(&options), Arc::clone(&encoders));
            let mut writer = Writer::new(
                destination,
                options,
                encoders,
                next_parts.clone(),
                failed.clone(),
            );
            writer.encoder_memory = encoder_memory;
            writers.push(writer);
        }
        for part in resumed {
            let writer = &mut writers[part.series as usize % threads];
            writer.series(part.series)?.resume(part)?;
        }
        let mut sink = Self {
            queues: Vec::new(),
            threads: Vec::new(),
        };
        for (number, writer) in writers.into_iter().enumerate() {
            let (queue, commands) = channel();
            let thread = std::thread::Builder::new()
                .name(format!("writer-{number}"))
                .spawn(move || writer.run(&commands))
                .context("cannot start a writer thread")?;
            sink.queues.push(queue);
            sink.threads.push(thread);
        }
        Ok(sink)
    }

    /// Queues a page for `series`. A writer that has failed drops it.
    pub fn write(&self, series: u32, page: PageToWrite) {
        let queue = &self.queues[series as usize % self.queues.len()];
        // A closed queue means that the writer panicked; the next checkpoint reports it.
        queue
            .send(Command::Write {
                series,
                page: Box::new(page),
            })
            .ok();
    }

    /// Asks every writer for receipts of everything queued so far. Pages that are queued meanwhile are written
    /// after the checkpoint and are not in them.
    ///
    /// # Errors
    ///
    /// The first error of any writer: then none of this checkpoint may be committed.
    pub fn checkpoint(
        &self,
        seal: &Seal,
    ) -> impl Future<Output = Result<Vec<Receipt>>> + Send + 'static {
        let mut replies = Vec::new();
        for queue in &self.queues {
            let (reply, receipts) = oneshot::channel();
            queue
                .send(Command::Checkpoint {
                    seal: seal.clone(),
                    reply,
                })
                .ok();
            replies.push(receipts);
        }
        async move {
            let mut all = Vec::new();
            for receipts in replies {
                all.extend(
                    receipts
                        .await
                        .map_err(|_| anyhow!("a writer thread ended unexpectedly"))??,
                );
            }
            Ok(all)
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // A panic was printed by its thread, and reported by the checkpoint that it failed.
            thread.join().ok();
        }
    }
}

/// When the series of a thread have gathered this many bytes, all of them write what they have.
const MAX_GATHERED: usize = 8 << 20;

/// Writes series, one at a time.
pub(super) struct Writer {
    pool: Arc<Mutex<BufferPool>>,
    destination: Arc<dyn Destination>,
    options: Arc<SinkOptions>,
    /// This thread's share of the memory for encoders.
    encoder_memory: usize,
    encoders: Arc<NewEncoder>,
    /// In the order of their numbers, so that the same pages make the same files in the same order.
    series: BTreeMap<u32, Series>,
    next_parts: HashMap<u32, u32>,
    failed: mpsc::UnboundedSender<anyhow::Error>,
    has_failed: bool,
}

impl Writer {
    pub(super) fn new(
        destination: &Arc<dyn Destination>,
        options: Arc<SinkOptions>,
        encoders: Arc<NewEncoder>,
        next_parts: HashMap<u32, u32>,
        failed: mpsc::UnboundedSender<anyhow::Error>,
    ) -> Self {
        Self {
            pool: Arc::default(),
            destination: Arc::clone(destination),
            encoder_memory: options.encoder_memory,
            options,
            encoders,
            series: BTreeMap::new(),
            next_parts,
            failed,
            has_failed: false,
        }
    }

    /// The same, with buffers that others have too.
    pub(super) fn with_buffers(mut self, buffers: &Arc<Mutex<BufferPool>>) -> Self {
        self.pool = Arc::clone(buffers);
        self
    }

    fn series(&mut self, id: u32) -> Result<&mut Series> {
        Ok(match self.series.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Series::new(
                id,
                Arc::clone(&self.destination),
                Arc::clone(&self.options),
                (self.encoders)()?,
                self.next_parts.get(&id).copied().unwrap_or(1),
            )),
        })
    }

    fn write(&mut self, series: u32, page: PageToWrite) -> Result<()> {
        let buffers = Arc::clone(&self.pool);
        let buffers = || buffers.lock().unwrap_or_else(PoisonError::into_inner);
        self.series(series).and_then(|series| {
            series.enter(&mut buffers());
            let written = series.write(page.before, &page.page, page.position, page.request_charge);
            series.leave(&mut buffers());
            written
        })?;
        if buffers().lent() > MAX_GATHERED {
            self.series.values_mut().try_for_each(Series::flush)?;
            self.take_back_buffers();
        }
        self.free_memory()
    }

    /// Called after series were used other than by [`Writer::write`].
    fn take_back_buffers(&mut self) {
        let buffers = Arc::clone(&self.pool);
        let mut buffers = buffers.lock().unwrap_or_else(PoisonError::into_inner);
        for series in self.series.values_mut() {
            series.leave(&mut buffers);
        }
    }

    /// Bytes of rows that its encoders keep.
    pub(super) fn encoder_bytes(&self) -> usize {
        self.series.values().map(Series::encoder_memory).sum()
    }

    /// Writes the rows that its encoders keep.
    fn write_rows(&mut self) -> Result<()> {
        let mut series = self.series.values_mut();
        series.try_for_each(Series::flush_encoder)?;
        self.take_back_buffers();
        Ok(())
    }

    /// Flushes the encoder that keeps the most, while all of them together keep too much.
    fn free_memory(&mut self) -> Result<()> {
        loop {
            if self.encoder_bytes() <= self.encoder_memory {
                return Ok(());
            }
            let series = self.series.values_mut();
            let Some(largest) = series.max_by_key(|series| series.encoder_memory()) else {
                return Ok(());
            };
            let before = largest.encoder_memory();
            largest.flush_encoder()?;
            let is_stuck = largest.encoder_memory() >= before;
            self.take_back_buffers();
            if is_stuck {
                // The rest are buffers that it will need again.
                return Ok(());
            }
        }
    }

    fn run(mut self, commands: &Receiver<Command>) {
        while let Ok(command) = self.next(commands) {
            self.execute(command);
        }
    }

    pub(super) fn execute(&mut self, command: Command) {
        match command {
            Command::Checkpoint { seal, reply } => {
                let receipts = self.checkpoint(&seal);
                // The other side is gone when the job is being torn down.
                reply.send(receipts).ok();
            }
            _ if self.has_failed => {}
            Command::Write { series, page } => {
                let written = self.write(series, *page);
                self.note(written);
            }
            Command::WriteRows => {
                let written = self.write_rows();
                self.note(written);
            }
        }
    }

    /// The next command. Before it waits, bytes gathered for a pipe are written.
    fn next(&mut self, commands: &Receiver<Command>) -> Result<Command, RecvError> {
        match commands.try_recv() {
            Ok(command) => return Ok(command),
            Err(TryRecvError::Disconnected) => return Err(RecvError),
            Err(TryRecvError::Empty) => {}
        }
        if !self.has_failed {
            let mut flushed = Ok(());
            for series in self
                .series
                .values_mut()
                .filter(|series| series.wants_flush_when_idle())
            {
                flushed = flushed.and_then(|()| series.flush());
            }
            self.note(flushed);
        }
        commands.recv()
    }

    fn note(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.has_failed = true;
            // The receiver is gone once another writer has failed.
            self.failed.send(error).ok();
        }
    }

    /// Ends the stream, which has one series. Without rows it has not begun.
    fn end_stream(&mut self) -> Result<()> {
        let ended = self.series(0).and_then(Series::end_stream);
        self.has_failed |= ended.is_err();
        ended
    }

    fn checkpoint(&mut self, seal: &Seal) -> Result<Vec<Receipt>> {
        if self.has_failed {
            return Err(anyhow!("a writer has already failed"));
        }
        let is_stream = self.destination.kind() == Kind::Stream;
        if is_stream && matches!(seal, Seal::End) {
            self.end_stream()?;
        }
        let mut receipts = Vec::new();
        let mut sealed = Vec::new();
        for (id, series) in &mut self.series {
            // A stream has no parts.
            let seal = !is_stream && seal.covers(*id);
            match series.checkpoint(seal) {
                Ok(receipt) => receipts.extend(receipt),
                Err(error) => {
                    // A second attempt could report bytes that do not exist.
                    self.has_failed = true;
                    return Err(error);
                }
            }
            if seal {
                sealed.push((*id, series.next_part()));
            }
        }
        self.take_back_buffers();
        // The series of a finished range needs no memory; if it is written to again, it continues with its
        // next part.
        for (id, next_part) in sealed {
            self.series.remove(&id);
            self.next_parts.insert(id, next_part);
        }
        Ok(receipts)
    }
}

impl Drop for Writer {
    /// Others may use the buffers.
    fn drop(&mut self) {
        for series in self.series.values_mut() {
            series.discard();
        }
        self.take_back_buffers();
    }
}
