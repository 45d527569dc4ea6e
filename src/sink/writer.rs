//! The threads that write, and the queues that feed them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::Receipt;
use super::format::NewEncoder;
use super::series::{ResumedPart, Series};
use crate::feed::page::Page;
use crate::feed::{Position, RangeId};
use crate::state::names::FileNames;

/// A page on its way to its series.
#[derive(Debug)]
pub struct PageToWrite {
    /// The range that it was read from.
    pub range: RangeId,
    /// Its documents.
    pub page: Page,
    /// Where the range stands after it.
    pub position: Position,
    /// Request units charged for it.
    pub request_charge: f64,
    /// Its share of the memory that pages may take; given back once it is written.
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
}

impl Seal {
    fn covers(&self, series: u32) -> bool {
        match self {
            Self::Nothing => false,
            Self::Series(ids) => ids.contains(&series),
            Self::Everything => true,
        }
    }
}

enum Command {
    Write {
        series: u32,
        page: Box<PageToWrite>,
    },
    Checkpoint {
        seal: Seal,
        reply: oneshot::Sender<Result<Vec<Receipt>>>,
    },
}

/// The writing side of a job.
///
/// Its queues are not bounded here: the permits that travel with the pages bound what is in them.
#[derive(Debug)]
pub struct Sink {
    queues: Vec<Sender<Command>>,
    threads: Vec<JoinHandle<()>>,
}

impl Sink {
    /// Starts `threads` writers. `next_parts` says with which part a series begins that has
    /// written before; `resumed` are parts to go on with.
    ///
    /// The first error of a writer is sent to `failed`; from then on it writes nothing, and its
    /// checkpoints fail.
    ///
    /// # Errors
    ///
    /// If a resumed part cannot be opened, or a thread cannot be started.
    pub fn start(
        names: &Arc<FileNames>,
        encoders: Box<NewEncoder>,
        threads: usize,
        next_parts: &HashMap<u32, u32>,
        resumed: &[ResumedPart],
        failed: &mpsc::UnboundedSender<anyhow::Error>,
    ) -> Result<Self> {
        let threads = threads.max(1);
        let encoders: Arc<NewEncoder> = encoders.into();
        let mut writers: Vec<Writer> = Vec::new();
        for _ in 0..threads {
            writers.push(Writer {
                names: Arc::clone(names),
                encoders: Arc::clone(&encoders),
                series: HashMap::new(),
                next_parts: next_parts.clone(),
                failed: failed.clone(),
                has_failed: false,
            });
        }
        for part in resumed {
            let writer = &mut writers[part.series as usize % threads];
            writer.series(part.series).resume(part).with_context(|| {
                format!(
                    "cannot go on with `{}`",
                    names.open_part(part.series, part.part).display()
                )
            })?;
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

    /// Asks every writer for receipts of what was queued so far. What is queued meanwhile is
    /// written behind the checkpoint and is not in them.
    ///
    /// # Errors
    ///
    /// The first error of any writer: then nothing of this checkpoint may be committed.
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
            // A panic was printed by its thread and reported by the checkpoint that it broke.
            thread.join().ok();
        }
    }
}

struct Writer {
    names: Arc<FileNames>,
    encoders: Arc<NewEncoder>,
    series: HashMap<u32, Series>,
    next_parts: HashMap<u32, u32>,
    failed: mpsc::UnboundedSender<anyhow::Error>,
    has_failed: bool,
}

impl Writer {
    fn series(&mut self, id: u32) -> &mut Series {
        self.series.entry(id).or_insert_with(|| {
            let next_part = self.next_parts.get(&id).copied().unwrap_or(1);
            Series::new(id, Arc::clone(&self.names), (self.encoders)(), next_part)
        })
    }

    fn run(mut self, commands: &Receiver<Command>) {
        while let Ok(command) = self.next(commands) {
            match command {
                Command::Write { series, page } if !self.has_failed => {
                    let page = *page;
                    let written = self.series(series).write(
                        page.range,
                        &page.page,
                        page.position,
                        page.request_charge,
                    );
                    self.note(written);
                }
                Command::Write { .. } => {}
                Command::Checkpoint { seal, reply } => {
                    let receipts = self.checkpoint(&seal);
                    // The other side is gone when the job is being torn down.
                    reply.send(receipts).ok();
                }
            }
        }
    }

    /// The next command. Before it would wait, what is gathered for a pipe is passed on.
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
            // Nobody listens any more once another writer has failed.
            self.failed.send(error).ok();
        }
    }

    fn checkpoint(&mut self, seal: &Seal) -> Result<Vec<Receipt>> {
        if self.has_failed {
            return Err(anyhow!("a writer failed before"));
        }
        let mut receipts = Vec::new();
        let mut sealed = Vec::new();
        for (id, series) in &mut self.series {
            let seal = seal.covers(*id);
            match series.checkpoint(seal) {
                Ok(receipt) => receipts.extend(receipt),
                Err(error) => {
                    // A second try could report bytes that are not there.
                    self.has_failed = true;
                    return Err(error);
                }
            }
            if seal {
                sealed.push((*id, series.next_part()));
            }
        }
        // The series of a finished range costs no memory; should it be written to again, it goes
        // on with its next part.
        for (id, next_part) in sealed {
            self.series.remove(&id);
            self.next_parts.insert(id, next_part);
        }
        Ok(receipts)
    }
}
