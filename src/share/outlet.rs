//! Where the changes go that an instance reads.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::Semaphore;

use super::holding::Holding;
use crate::feed::{Position, RangeId};
use crate::job::GroupFiles;
use crate::replay::SharedPages;
use crate::sink::{PageToWrite, Seal, Sink};

/// Where changes go.
pub(super) enum Outlet {
    /// To standard output.
    Pipe(Sink),
    /// To another container.
    Target(SharedPages),
    /// To objects. Each lease has a writer of its own.
    Files(Files),
}

/// How the files of an instance are written.
pub(super) struct Files {
    pub(super) files: Arc<GroupFiles>,
    /// Bounds the claims under way.
    pub(super) claims: Arc<Semaphore>,
    /// After which an open file is finished.
    pub(super) rotate_interval: Option<Duration>,
    /// Bytes of pages after which a commit begins.
    pub(super) checkpoint_bytes: u64,
}

/// What has arrived there.
#[derive(Debug, Default)]
pub(super) struct Flushed {
    /// How many changes.
    pub(super) changes: u64,
    /// The positions of the ranges that moved.
    pub(super) positions: Vec<(RangeId, Position)>,
}

pub(super) type Flush = Pin<Box<dyn Future<Output = Result<Flushed>> + Send>>;

impl Outlet {
    /// Hands a page of a lease over, which counts during its tenure.
    pub(super) fn write(&self, page: PageToWrite, holding: &Holding) {
        match self {
            Self::Pipe(sink) => sink.write(0, page),
            Self::Target(pages) => pages.write(page, &holding.tenure),
            Self::Files(_) => {
                let files = holding.files.as_ref();
                if let Some(writer) = files.and_then(|files| files.writer.as_ref()) {
                    writer.write(page);
                }
            }
        }
    }

    /// The files, if that is where changes go.
    pub(super) fn files(&self) -> Option<&Files> {
        match self {
            Self::Files(files) => Some(files),
            _ => None,
        }
    }

    /// Takes the charge of an answer without a page into account.
    pub(super) fn charged(&self, request_charge: f64) {
        if let Self::Target(pages) = self {
            pages.charged(request_charge);
        }
    }

    /// Waits until all that was handed over has arrived.
    pub(super) fn flush(&self) -> Flush {
        match self {
            Self::Pipe(sink) => {
                let receipts = sink.checkpoint(&Seal::Nothing);
                Box::pin(async move {
                    let mut flushed = Flushed::default();
                    for receipt in receipts.await? {
                        flushed.changes += receipt.written.documents;
                        flushed.positions.extend(receipt.positions);
                    }
                    Ok(flushed)
                })
            }
            Self::Target(pages) => {
                let applied = pages.applied();
                Box::pin(async move {
                    let applied = applied.await?;
                    Ok(Flushed {
                        changes: applied.changes,
                        positions: applied.positions,
                    })
                })
            }
            // Each lease commits by itself.
            Self::Files(_) => Box::pin(std::future::ready(Ok(Flushed::default()))),
        }
    }
}
