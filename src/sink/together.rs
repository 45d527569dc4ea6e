//! Sinks of one series each that share threads, buffers and the memory for rows: a process can have a thousand of them, of
//! which few have anything to do at a time.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use anyhow::{Context, Result, anyhow};
use tokio::sync::{mpsc, oneshot};

use super::pool::BufferPool;
use super::series::SinkOptions;
use super::writer::{Command, PageToWrite, Seal, Writer};
use crate::destination::{Destination, Receipt};
use crate::format::NewEncoder;

/// What sinks share.
#[derive(Debug)]
pub struct Together(Arc<Common>);

#[derive(Debug)]
struct Common {
    ready: Mutex<Ready>,
    /// Told that a sink has something to do, or that there will be none.
    more: Condvar,
    buffers: Arc<Mutex<BufferPool>>,
    memory: Mutex<Memory>,
    /// Bytes of rows that the encoders of all sinks may keep.
    encoder_memory: usize,
}

/// The sinks that have something to do.
#[derive(Debug, Default)]
struct Ready {
    sinks: VecDeque<Arc<Shared>>,
    is_over: bool,
}

/// What the encoders of each sink keep.
#[derive(Debug, Default)]
struct Memory {
    next: u64,
    kept: HashMap<u64, Kept>,
}

#[derive(Debug)]
struct Kept {
    sink: Weak<Shared>,
    bytes: usize,
    /// What is left after its rows were written: buffers that it will need again.
    least: usize,
    /// Whether it is about to write its rows.
    is_asked: bool,
}

/// A sink among others. It is of one series.
#[derive(Debug)]
pub struct SharedSink {
    sink: Arc<Shared>,
    /// The threads run for as long as there is a sink.
    _together: Arc<Together>,
}

struct Shared {
    common: Arc<Common>,
    /// Its number among those that keep rows.
    number: u64,
    desk: Mutex<Desk>,
}

/// The writer of a sink, and what is to be done with it, one after the other.
struct Desk {
    commands: VecDeque<Command>,
    /// Absent while a thread has it, and once it is over.
    writer: Option<Box<Writer>>,
    /// Whether a thread has the writer.
    is_held: bool,
    /// Whether it waits for a thread.
    is_ready: bool,
    /// Whether whoever has the writer is to write its rows before it gives that back.
    writes_rows: bool,
    is_over: bool,
    /// Told that the writer is gone.
    gone: Vec<oneshot::Sender<()>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = &self.number;
        f.debug_struct("Shared")
            .field("number", number)
            .finish_non_exhaustive()
    }
}

impl Together {
    /// Starts `threads` for sinks whose encoders may keep so many bytes of rows, all of them together.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub fn start(threads: usize, encoder_memory: usize) -> Result<Arc<Self>> {
        let common = Arc::new(Common {
            ready: Mutex::default(),
            more: Condvar::new(),
            buffers: Arc::new(Mutex::new(BufferPool::of_threads(threads))),
            memory: Mutex::default(),
            encoder_memory,
        });
        let together = Self(Arc::clone(&common));
        for number in 0..threads {
            let common = Arc::clone(&common);
            std::thread::Builder::new()
                .name(format!("writer-{number}"))
                .spawn(move || common.run())
                .context("cannot start a writer thread")?;
        }
        Ok(Arc::new(together))
    }

    /// A sink among the others. As of [`Sink::start`](super::Sink::start), its first error is sent to `failed`.
    pub fn sink(
        self: &Arc<Self>,
        destination: &Arc<dyn Destination>,
        options: SinkOptions,
        encoders: Box<NewEncoder>,
        next_parts: &HashMap<u32, u32>,
        failed: &mpsc::UnboundedSender<anyhow::Error>,
    ) -> SharedSink {
        let common = &self.0;
        let writer = Writer::new(
            destination,
            Arc::new(options),
            encoders.into(),
            next_parts.clone(),
            failed.clone(),
        );
        let desk = Desk {
            commands: VecDeque::new(),
            writer: Some(Box::new(writer.with_buffers(&common.buffers))),
            is_held: false,
            is_ready: false,
            writes_rows: false,
            is_over: false,
            gone: Vec::new(),
        };
        let mut memory = locked(&common.memory);
        let number = memory.next;
        memory.next += 1;
        SharedSink {
            sink: Arc::new(Shared {
                common: Arc::clone(common),
                number,
                desk: Mutex::new(desk),
            }),
            _together: Arc::clone(self),
        }
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        locked(&self.0.ready).is_over = true;
        self.0.more.notify_all();
    }
}

impl SharedSink {
    /// Queues a page for `series`. A writer that has failed drops it.
    pub fn write(&self, series: u32, page: PageToWrite) {
        let page = Box::new(page);
        self.sink.queue(Command::Write { series, page });
    }

    /// Asks for a receipt of everything queued so far.
    ///
    /// # Errors
    ///
    /// The first error of the writer: then nothing of this checkpoint may be committed.
    pub fn checkpoint(
        &self,
        seal: &Seal,
    ) -> impl Future<Output = Result<Vec<Receipt>>> + Send + 'static {
        let (reply, receipts) = oneshot::channel();
        let seal = seal.clone();
        self.sink.queue(Command::Checkpoint { seal, reply });
        async move {
            let receipts = receipts.await;
            receipts.map_err(|_| anyhow!("a writer ended unexpectedly"))?
        }
    }

    /// Drops what was queued. Waits until nothing is written any more.
    pub fn end(&self) -> impl Future<Output = ()> + Send + 'static {
        let gone = self.sink.end();
        async move {
            gone.await.ok();
        }
    }
}

impl Drop for SharedSink {
    fn drop(&mut self) {
        drop(self.sink.end());
    }
}

impl Common {
    /// The work of a thread.
    fn run(&self) {
        while let Some(sink) = self.next() {
            sink.take_turn();
        }
    }

    /// Waits for a sink that has something to do. None once there are no sinks any more.
    fn next(&self) -> Option<Arc<Shared>> {
        let mut ready = locked(&self.ready);
        loop {
            if let Some(sink) = ready.sinks.pop_front() {
                return Some(sink);
            }
            if ready.is_over {
                return None;
            }
            let waited = self.more.wait(ready);
            ready = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes note of what the encoder of a sink keeps. Returns those sinks that are to write their rows, since all of them
    /// keep too much, and these the most.
    fn note(&self, sink: &Arc<Shared>, bytes: usize, is_written: bool) -> Vec<Arc<Shared>> {
        let mut memory = locked(&self.memory);
        let kept = memory.kept.entry(sink.number).or_insert_with(|| Kept {
            sink: Arc::downgrade(sink),
            bytes: 0,
            least: 0,
            is_asked: false,
        });
        kept.bytes = bytes;
        if is_written {
            (kept.least, kept.is_asked) = (bytes, false);
        }
        if bytes == 0 && !kept.is_asked {
            memory.kept.remove(&sink.number);
        }
        let rest = |kept: &Kept| match kept.is_asked {
            true => kept.least.min(kept.bytes),
            false => kept.bytes,
        };
        let mut sum: usize = memory.kept.values().map(rest).sum();
        let mut asked = Vec::new();
        while sum > self.encoder_memory {
            let candidates = memory.kept.values_mut();
            let candidates = candidates.filter(|one| !one.is_asked && one.bytes > one.least);
            let Some(largest) = candidates.max_by_key(|one| one.bytes) else {
                break;
            };
            largest.is_asked = true;
            sum -= largest.bytes - largest.least;
            asked.extend(largest.sink.upgrade());
        }
        asked
    }

    fn add(&self, sink: &Arc<Shared>) {
        locked(&self.ready).sinks.push_back(Arc::clone(sink));
        self.more.notify_one();
    }
}

impl Shared {
    fn queue(self: &Arc<Self>, command: Command) {
        let mut desk = locked(&self.desk);
        // The reply of what is dropped says that nothing was done.
        if desk.is_over {
            return;
        }
        desk.commands.push_back(command);
        self.call(&mut desk);
    }

    /// Has a thread do what is queued, unless one is about to.
    fn call(self: &Arc<Self>, desk: &mut Desk) {
        if !desk.commands.is_empty() && !desk.is_held && !desk.is_ready {
            desk.is_ready = true;
            self.common.add(self);
        }
    }

    /// Does what is first in the queue. A thread continues with another sink then.
    fn take_turn(self: &Arc<Self>) {
        let (writer, command) = {
            let mut desk = locked(&self.desk);
            desk.is_ready = false;
            // Whoever has it calls again.
            let Some(writer) = desk.writer.take() else {
                return;
            };
            desk.is_held = true;
            (writer, desk.commands.pop_front())
        };
        let mut crowded = self.execute(writer, command);
        while let Some(sink) = crowded.pop() {
            crowded.extend(sink.write_rows());
        }
    }

    /// Writes what its encoder keeps, at once or as soon as its thread can. Returns further sinks that are to do so.
    fn write_rows(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let writer = {
            let mut desk = locked(&self.desk);
            let Some(writer) = desk.writer.take() else {
                desk.writes_rows = true;
                return Vec::new();
            };
            desk.is_held = true;
            writer
        };
        self.execute(writer, Some(Command::WriteRows))
    }

    /// Does something, and gives the writer back. Returns the sinks that are to write their rows.
    fn execute(
        self: &Arc<Self>,
        mut writer: Box<Writer>,
        mut command: Option<Command>,
    ) -> Vec<Arc<Self>> {
        let mut crowded = Vec::new();
        loop {
            while let Some(next) = command.take() {
                let is_written = matches!(next, Command::WriteRows);
                let done = catch_unwind(AssertUnwindSafe(|| writer.execute(next)));
                if done.is_err() {
                    // A panic was printed; the next checkpoint reports it.
                    locked(&self.desk).is_over = true;
                    break;
                }
                let more = self.common.note(self, writer.encoder_bytes(), is_written);
                let (own, others): (Vec<_>, Vec<_>) =
                    more.into_iter().partition(|sink| Arc::ptr_eq(sink, self));
                command = (!own.is_empty()).then_some(Command::WriteRows);
                crowded.extend(others);
            }
            match self.give_back(writer) {
                None => return crowded,
                Some(kept) => (writer, command) = (kept, Some(Command::WriteRows)),
            }
        }
    }

    /// Gives the writer back, unless it is to write its rows first.
    fn give_back(self: &Arc<Self>, writer: Box<Writer>) -> Option<Box<Writer>> {
        let mut desk = locked(&self.desk);
        if !desk.is_over {
            if std::mem::take(&mut desk.writes_rows) {
                return Some(writer);
            }
            (desk.is_held, desk.writer) = (false, Some(writer));
            self.call(&mut desk);
            return None;
        }
        drop(desk);
        drop(writer);
        let gone = {
            let mut desk = locked(&self.desk);
            desk.commands.clear();
            desk.is_held = false;
            std::mem::take(&mut desk.gone)
        };
        self.forget();
        for sender in gone {
            sender.send(()).ok();
        }
        None
    }

    /// Drops what was queued. Tells when the writer is gone.
    fn end(&self) -> oneshot::Receiver<()> {
        let (sender, gone) = oneshot::channel();
        let mut desk = locked(&self.desk);
        desk.is_over = true;
        desk.commands.clear();
        let writer = desk.writer.take();
        if desk.is_held {
            desk.gone.push(sender);
            return gone;
        }
        drop(desk);
        drop(writer);
        self.forget();
        sender.send(()).ok();
        gone
    }

    fn forget(&self) {
        locked(&self.common.memory).kept.remove(&self.number);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
