//! The uploads that a process has begun, and the writers that feed them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};

use super::super::part::{PartId, Piece, Upload};
use super::super::seam::PartWriter;
use crate::objects::{Bucket, UploadedPiece};

/// A piece of an upload is sent at this many bytes.
const PIECE_BYTES: usize = 8 << 20;

/// All writers together hold back at most about this many bytes,
const HELD_BYTES: usize = 64 << 20;

/// and send pieces of at least this many when they do.
const MIN_PIECE_BYTES: usize = 256 << 10;

/// Where pieces have a least length, a part is ended with at least this many bytes when all of them hold back too much.
const MIN_CROWDED_BYTES: usize = 128 << 10;

/// A part is ended at this many pieces: S3 takes 10,000, Azure 50,000.
const MAX_PIECES: usize = 9_000;

/// What stores say of an upload that is gone.
const GONE: [&str; 2] = ["InvalidBlockList", "NoSuchUpload"];

/// Whether a store says that an upload is gone.
pub(super) fn is_gone(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    GONE.iter().any(|code| text.contains(code))
}

/// The uploads that this process has begun.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<HashMap<PartId, Begun>>);

/// A part that was begun.
#[derive(Debug)]
struct Begun {
    name: String,
    /// The id of its upload, which is begun with the first piece.
    id: Option<String>,
    pieces: Vec<Uploading>,
}

/// A piece, and whether the store has acknowledged it.
#[derive(Debug)]
struct Uploading {
    length: u64,
    pending: Option<UploadedPiece>,
    id: Option<String>,
}

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, HashMap<PartId, Begun>> {
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
            let begun = uploads.get_mut(&part);
            let begun = begun.context("a part that was not opened cannot be uploaded")?;
            for (at, piece) in begun.pieces.iter_mut().enumerate() {
                pending.extend(piece.pending.take().map(|piece| (at, piece)));
            }
        }
        // A writer may add pieces meanwhile.
        for (at, piece) in pending {
            let id = piece.wait()?;
            if let Some(begun) = self.lock().get_mut(&part) {
                begun.pieces[at].id = Some(id);
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
        let begun = uploads.get(&part).into_iter();
        for piece in begun.flat_map(|begun| &begun.pieces) {
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
        let begun = uploads.get(&part).into_iter();
        let pieces = begun.flat_map(|begun| &begun.pieces);
        pieces.filter_map(|piece| piece.id.clone()).collect()
    }

    /// The id of the upload of a part, where uploads have ids.
    pub(super) fn id_of(&self, part: PartId) -> Option<String> {
        let id = self.lock().get(&part)?.id.clone()?;
        (!id.is_empty()).then_some(id)
    }

    /// The uploads with an id whose parts are not published, in the order of their names.
    pub(super) fn all(&self) -> Vec<Upload> {
        let uploads = self.lock();
        let mut all: Vec<Upload> = uploads
            .values()
            .filter_map(|begun| {
                let id = begun.id.clone().filter(|id| !id.is_empty())?;
                Some(Upload {
                    place: begun.name.clone(),
                    id,
                })
            })
            .collect();
        all.sort_unstable_by(|a, b| a.place.cmp(&b.place));
        all
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
    /// The id of its upload, once that has begun.
    upload: Option<String>,
    /// Pieces that were sent.
    sent: usize,
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
        let begun = Begun {
            name: name.clone(),
            id: None,
            pieces: Vec::new(),
        };
        uploads.lock().insert(part, begun);
        Self {
            bucket: Arc::clone(bucket),
            uploads: Arc::clone(uploads),
            part,
            name,
            upload: None,
            sent: 0,
            held: Vec::new(),
        }
    }

    fn send(&mut self) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let upload = match &self.upload {
            Some(upload) => upload.clone(),
            None => {
                let upload = self.bucket.begin(&self.name)?;
                if let Some(begun) = self.uploads.lock().get_mut(&self.part) {
                    begun.id = Some(upload.clone());
                }
                self.upload.insert(upload).clone()
            }
        };
        let bytes = std::mem::take(&mut self.held);
        let length = bytes.len();
        self.bucket.held().fetch_sub(length, Ordering::Relaxed);
        let pending = self.bucket.upload(&self.name, &upload, self.sent, bytes)?;
        self.sent += 1;
        if let Some(begun) = self.uploads.lock().get_mut(&self.part) {
            begun.pieces.push(Uploading {
                length: length as u64,
                pending: Some(pending),
                id: None,
            });
        }
        Ok(())
    }
}

impl PartWriter for UploadWriter {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.held.is_empty() && self.held.len() + bytes.len() > PIECE_BYTES {
            self.send()?;
        }
        // A vector that grows by itself would take up to twice the memory of a piece.
        let needed = self.held.len() + bytes.len();
        if needed > self.held.capacity() {
            let capacity = (2 * self.held.capacity()).min(PIECE_BYTES).max(needed);
            self.held.reserve_exact(capacity - self.held.len());
        }
        self.held.extend_from_slice(bytes);
        let before = self.bucket.held().fetch_add(bytes.len(), Ordering::Relaxed);
        let least = self.bucket.min_part().unwrap_or(MIN_PIECE_BYTES);
        let is_much = before + bytes.len() > HELD_BYTES && self.held.len() >= least;
        if is_much || self.held.len() >= PIECE_BYTES {
            self.send()?;
        }
        Ok(())
    }

    fn cut(&mut self) -> Result<()> {
        self.send()
    }

    fn should_end(&self) -> bool {
        let held = self.bucket.held().load(Ordering::Relaxed);
        // Where pieces have a least length, only the end of a part sends less.
        let is_crowded = self.bucket.min_part().is_some()
            && held > HELD_BYTES
            && self.held.len() >= MIN_CROWDED_BYTES;
        is_crowded || self.sent >= MAX_PIECES
    }
}

impl Drop for UploadWriter {
    fn drop(&mut self) {
        let held = self.held.len();
        self.bucket.held().fetch_sub(held, Ordering::Relaxed);
    }
}
