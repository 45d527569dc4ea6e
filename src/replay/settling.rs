//! Tells those who keep the positions how many changes are done, once the dead letters of these are durable.
//!
//! A store may not answer for long. Leases are renewed meanwhile by the task that waits for it, so nothing here blocks: the
//! letters are written beside it, one object at a time.

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::dead_letters::DeadLetters;
use super::position::Standing;
use super::watermark::Watermark;

/// How many changes are done.
pub(super) struct Settling {
    reported: watch::Sender<u64>,
    /// Whether letters are to be written to a store, which is done from time to time.
    pub(super) is_due: bool,
    writing: Option<Writing>,
}

/// An object that is being written.
struct Writing {
    /// How many changes are done, each with its letter, once it is.
    done: u64,
    task: JoinHandle<Result<()>>,
}

impl Settling {
    pub(super) fn new(reported: watch::Sender<u64>) -> Self {
        Self {
            reported,
            is_due: true,
            writing: None,
        }
    }

    /// Tells how many changes are done, or begins to write their letters.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub(super) fn settle(
        &mut self,
        watermark: &mut Watermark<Standing>,
        letters: &mut DeadLetters,
    ) -> Result<()> {
        if self.writing.is_some() {
            return Ok(());
        }
        let done = watermark.done_through();
        if *self.reported.borrow() == done {
            return Ok(());
        }
        let has_letters = watermark.has_letters();
        if has_letters && letters.are_objects() && !std::mem::take(&mut self.is_due) {
            return Ok(());
        }
        if has_letters {
            letters.write(&watermark.take_letters())?;
        }
        if let Some(object) = letters.take_object() {
            let task = tokio::task::spawn_blocking(move || object.put());
            self.writing = Some(Writing { done, task });
            return Ok(());
        }
        letters.sync()?;
        self.reported.send_replace(done);
        Ok(())
    }

    /// Waits until the object is written that is being written; forever, if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be.
    pub(super) async fn kept(settling: &mut Option<Self>) -> Result<()> {
        match settling {
            Some(settling) if settling.writing.is_some() => settling.is_kept().await,
            _ => std::future::pending().await,
        }
    }

    async fn is_kept(&mut self) -> Result<()> {
        let Some(writing) = &mut self.writing else {
            return Ok(());
        };
        let (done, written) = (writing.done, (&mut writing.task).await);
        self.writing = None;
        written.context("a task ended unexpectedly")??;
        self.reported.send_replace(done);
        Ok(())
    }

    /// Tells all that is done by now.
    ///
    /// # Errors
    ///
    /// If its letters cannot be written.
    pub(super) async fn settle_all(
        &mut self,
        watermark: &mut Watermark<Standing>,
        letters: &mut DeadLetters,
    ) -> Result<()> {
        self.is_kept().await?;
        self.is_due = true;
        self.settle(watermark, letters)?;
        self.is_kept().await
    }
}
