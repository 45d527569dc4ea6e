//! Pages of ranges that are shared with other instances, on their way to the target.
//!
//! Whoever keeps the positions hands pages over, and asks from time to time how far they are applied. Two tasks carry
//! them: one takes pages apart and hands their changes to the applier, one waits until these are done.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::delivery::{Delivery, Taken, WAITING};
use super::interpreter::Interpreter;
use super::item_sender::ItemSender;
use super::original::Original;
use super::position::{InputPosition, Step};
use super::tenure::Tenure;
use crate::feed::page::Page;
use crate::feed::{Position, RangeId};
use crate::sink::PageToWrite;
use crate::source::Mark;

/// What was applied.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// How many changes.
    pub(crate) changes: u64,
    /// The positions of the ranges that moved: every change before them is applied or refused, unless the tenure of the
    /// range was over.
    pub(crate) positions: Vec<(RangeId, Position)>,
}

enum Command {
    Page(Box<PageToWrite>, Arc<Tenure>),
    Charged(f64),
    Ask(oneshot::Sender<Applied>),
}

/// Takes pages. There is no bound here: the permits of the pages bound them.
#[derive(Debug)]
pub(crate) struct SharedPages {
    queue: mpsc::UnboundedSender<Command>,
}

impl SharedPages {
    /// Hands a page over, whose changes may be applied during `tenure`. After a failure it is dropped.
    pub(crate) fn write(&self, page: PageToWrite, tenure: &Arc<Tenure>) {
        self.queue
            .send(Command::Page(Box::new(page), Arc::clone(tenure)))
            .ok();
    }

    /// Takes the charge of an answer without a page into account.
    pub(crate) fn charged(&self, request_charge: f64) {
        self.queue.send(Command::Charged(request_charge)).ok();
    }

    /// Waits until all that was handed over is applied, or until nothing more will be.
    ///
    /// # Errors
    ///
    /// If a task ended unexpectedly.
    pub(crate) fn applied(&self) -> impl Future<Output = Result<Applied>> + Send + 'static {
        let (reply, applied) = oneshot::channel();
        self.queue.send(Command::Ask(reply)).ok();
        async move { applied.await.context("a task ended unexpectedly") }
    }
}

/// What waits until so many changes are done.
struct Waiting {
    through: u64,
    what: Handed,
}

enum Handed {
    Page {
        range: RangeId,
        position: Position,
        changes: u64,
        permit: Option<OwnedSemaphorePermit>,
    },
    Ask(oneshot::Sender<Applied>),
}

/// Starts to take pages. Returns their changes, and what is to be told how many of those are done.
pub(super) fn open(
    interpreter: Interpreter,
    target: Arc<ItemSender>,
) -> (
    SharedPages,
    mpsc::Receiver<Result<Delivery>>,
    watch::Sender<u64>,
) {
    let (queue, commands) = mpsc::unbounded_channel();
    let (deliveries, delivered) = mpsc::channel(WAITING);
    let (settled, done) = watch::channel(0);
    let (waiting, waits) = mpsc::unbounded_channel();
    let opening = Opening {
        interpreter,
        target,
        deliveries,
        waiting,
        changes: 0,
    };
    tokio::spawn(opening.run(commands));
    tokio::spawn(settle(waits, done));
    (SharedPages { queue }, delivered, settled)
}

/// Takes pages apart.
struct Opening {
    interpreter: Interpreter,
    target: Arc<ItemSender>,
    deliveries: mpsc::Sender<Result<Delivery>>,
    waiting: mpsc::UnboundedSender<Waiting>,
    /// How many changes were delivered.
    changes: u64,
}

impl Opening {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        while let Some(command) = commands.recv().await {
            let what = match command {
                Command::Page(page, tenure) => {
                    let PageToWrite {
                        before,
                        page,
                        position,
                        request_charge,
                        permit,
                    } = *page;
                    self.target.read_was_charged(request_charge).await;
                    // Once the applier has ended, nothing waits for the changes of this page.
                    self.deliver(&page, &tenure).await;
                    Handed::Page {
                        range: before.id,
                        position,
                        changes: page.len() as u64,
                        permit,
                    }
                }
                Command::Charged(charge) => {
                    self.target.read_was_charged(charge).await;
                    continue;
                }
                Command::Ask(reply) => Handed::Ask(reply),
            };
            let through = self.changes;
            self.waiting.send(Waiting { through, what }).ok();
        }
    }

    async fn deliver(&mut self, page: &Page, tenure: &Arc<Tenure>) {
        for item in page.items() {
            // What comes later in the page breaks it too.
            self.changes += 1;
            let mark = Mark {
                line: self.changes,
                ..Mark::default()
            };
            let taken = Taken {
                original: Original::of_item(item),
                meaning: self.interpreter.interpret_item(item),
                after: Step {
                    position: InputPosition { input: 0, mark },
                    feed: None,
                    bytes: 0,
                },
                tenure: Some(Arc::clone(tenure)),
            };
            if self
                .deliveries
                .send(Ok(Delivery::Record(taken)))
                .await
                .is_err()
            {
                // It is never done.
                return;
            }
        }
    }
}

/// Waits for changes in their order, and answers with what is done.
async fn settle(mut waits: mpsc::UnboundedReceiver<Waiting>, mut done: watch::Receiver<u64>) {
    let mut changes = 0;
    let mut moved: HashMap<RangeId, Position> = HashMap::new();
    let mut is_stuck = false;
    while let Some(Waiting { through, what }) = waits.recv().await {
        // The applier has ended if it fails, with the last number in place.
        let is_done = done.wait_for(|done| *done >= through).await.is_ok();
        is_stuck |= !is_done;
        match what {
            Handed::Page {
                range,
                position,
                changes: of_page,
                permit,
            } => {
                drop(permit);
                if !is_stuck {
                    changes += of_page;
                    moved.insert(range, position);
                }
            }
            Handed::Ask(reply) => {
                let applied = Applied {
                    changes: std::mem::take(&mut changes),
                    positions: moved.drain().collect(),
                };
                reply.send(applied).ok();
            }
        }
    }
}
