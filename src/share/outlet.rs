//! Where the changes go that an instance reads.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::Result;

use crate::feed::{Position, RangeId};
use crate::replay::{SharedPages, Tenure};
use crate::sink::{PageToWrite, Seal, Sink};

/// Where changes go.
pub(super) enum Outlet {
    /// To standard output.
    Pipe(Sink),
    /// To another container.
    Target(SharedPages),
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
    /// Hands a page over, which counts during `tenure`.
    pub(super) fn write(&self, page: PageToWrite, tenure: &Arc<Tenure>) {
        match self {
            Self::Pipe(sink) => sink.write(0, page),
            Self::Target(pages) => pages.write(page, tenure),
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
        }
    }
}
