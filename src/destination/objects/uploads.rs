//! The uploads that a process has begun, and the writers that feed them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};

use super::super::part::{PartId, Piece};
use super::super::seam::PartWriter;
use crate::objects::{Bucket, UploadedPiece};

/// A piece of an upload is sent at this many bytes.
const PIECE_BYTES: usize = 8 << 20;

/// All writers together hold back at most about this many bytes,
const HELD_BYTES: usize = 64 << 20;

/// and send pieces of at least this many when they do.
const MIN_PIECE_BYTES: usize = 256 << 10;

/// The uploads that this process has begun.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<HashMap<PartId, Vec<Uploading>>>);

/// A piece, and whether the store has acknowledged it.
#[derive(Debug)]
struct Uploading {
    length: u64,
    pending: Option<UploadedPiece>,
    id: Option<String>,
}

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, HashMap<PartId, Vec<Uploading>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the store has acknowledged the pieces of a part that were sent by now.
    ///
    /// # Errors
    ///
    /// If one of them could not be uploaded.
    pub(super) fn wait_for(&self, part: PartId) -> Result<()> {
        let mut pending = Vec::new();
        {
            let mut uploads = self.lock();
            let pieces = uploads.get_mut(&part);
            let pieces = pieces.context("a part that was not opened cannot be uploaded")?;
            for (at, piece) in pieces.iter_mut().enumerate() {
                pending.extend(piece.pending.take().map(|piece| (at, piece)));
            }
        }
        // A writer may add pieces meanwhile.
        for (at, piece) in pending {
            let id = piece.wait()?;
            if let Some(pieces) = self.lock().get_mut(&part) {
                pieces[at].id = Some(id);
            }
        }
        Ok(())
    }

    /// The pieces that the first `length` bytes of a part are in.
    ///
    /// # Errors
    ///
    /// If no piece ends there, or one is not acknowledged.
    pub(super) fn pieces_of(&self, part: PartId, length: u64) -> Result<Vec<Piece>> {
        let uploads = self.lock();
        let mut pieces = Vec::new();
        let mut end = 0;
        for piece in uploads.get(&part).into_iter().flatten() {
            if end == length {
                break;
            }
            end += piece.length;
            pieces.push(Piece {
                id: piece.id.clone().context("a piece is not acknowledged")?,
                length: piece.length,
            });
        }
        ensure!(
            end == length,
            "the pieces of a part end at {end}, but {length} bytes are to be committed"
        );
        Ok(pieces)
    }

    /// The ids of the acknowledged pieces of a part.
    pub(super) fn acknowledged(&self, part: PartId) -> Vec<String> {
        let uploads = self.lock();
        let pieces = uploads.get(&part).into_iter().flatten();
        pieces.filter_map(|piece| piece.id.clone()).collect()
    }

    /// These parts are published.
    pub(super) fn forget(&self, parts: impl Iterator<Item = PartId>) {
        let mut uploads = self.lock();
        for part in parts {
            uploads.remove(&part);
        }
    }
}

/// Uploads a part in pieces.
pub(super) struct UploadWriter {
    bucket: Arc<Bucket>,
    uploads: Arc<Uploads>,
    part: PartId,
    name: String,
    /// Bytes that are not sent yet.
    held: Vec<u8>,
}

impl UploadWriter {
    /// Begins a part, as an object of this name.
    pub(super) fn begin(
        bucket: &Arc<Bucket>,
        uploads: &Arc<Uploads>,
        part: PartId,
        name: String,
    ) -> Self {
        uploads.lock().insert(part, Vec::new());
        Self {
            bucket: Arc::clone(bucket),
            uploads: Arc::clone(uploads),
            part,
            name,
            held: Vec::new(),
        }
    }

    fn send(&mut self) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.held);
        let length = bytes.len();
        self.bucket.held().fetch_sub(length, Ordering::Relaxed);
        let pending = self.bucket.upload(&self.name, bytes)?;
        let mut uploads = self.uploads.lock();
        uploads.entry(self.part).or_default().push(Uploading {
            length: length as u64,
            pending: Some(pending),
            id: None,
        });
        Ok(())
    }
}

impl PartWriter for UploadWriter {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.held.extend_from_slice(bytes);
        let before = self.bucket.held().fetch_add(bytes.len(), Ordering::Relaxed);
        let is_much = before + bytes.len() > HELD_BYTES && self.held.len() >= MIN_PIECE_BYTES;
        if is_much || self.held.len() >= PIECE_BYTES {
            self.send()?;
        }
        Ok(())
    }

    fn cut(&mut self) -> Result<()> {
        self.send()
    }
}

impl Drop for UploadWriter {
    fn drop(&mut self) {
        let held = self.held.len();
        self.bucket.held().fetch_sub(held, Ordering::Relaxed);
    }
}
