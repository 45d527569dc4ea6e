//! Files of an export that were compressed after it: `orders-00000-000001.jsonl` became
//! `orders-00000-000001.jsonl.gz`.

use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, Result, anyhow};

use super::frames::{Codec, Frames, MAGIC_BYTES};
use super::names::COMPRESSED;
use crate::destination::ExportFiles;
use crate::destination::manifest::Entry;

/// The size of a read.
const BLOCK: usize = 256 << 10;

/// A file that may be one of an export, compressed.
#[derive(Debug)]
pub(crate) struct CompressedLater {
    /// Its name.
    pub(crate) name: String,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// Why it is not the file that the manifest lists; none if it is.
    pub(crate) fault: Option<String>,
}

/// The file beside `entry`, which is missing, that has its name and an extension of a compression. Its content is
/// compared with what the manifest says. None if there is no such file.
///
/// # Errors
///
/// If it cannot be opened.
pub(crate) fn compressed_later(
    files: &dyn ExportFiles,
    entry: &Entry,
) -> Result<Option<CompressedLater>> {
    let mut found = None;
    for end in COMPRESSED {
        let name = format!("{}{end}", entry.file);
        let Some(length) = files.length_of(&name)? else {
            continue;
        };
        let Some(file) = files.open_file(&name)? else {
            continue;
        };
        let fault = check(file, entry).err().map(|error| format!("{error:#}"));
        let is_it = fault.is_none();
        let this = CompressedLater {
            name,
            length,
            fault,
        };
        if is_it {
            return Ok(Some(this));
        }
        found.get_or_insert(this);
    }
    Ok(found)
}

/// Checks that `file` has the content of `entry`.
fn check(file: impl Read, entry: &Entry) -> Result<()> {
    let mut bytes = BufReader::with_capacity(BLOCK, file);
    let beginning = bytes.fill_buf()?;
    let codec = Codec::of(&beginning[..beginning.len().min(MAGIC_BYTES)]);
    let codec = codec.context("is not compressed")?;
    let frames = Frames::new(codec, bytes).context("cannot be decompressed")?;
    // What is longer is not read to its end.
    let mut content = frames.take(entry.bytes.saturating_add(1));
    let mut block = vec![0; BLOCK];
    let (mut length, mut crc32c) = (0, 0);
    loop {
        let read = content.read(&mut block).context("cannot be decompressed")?;
        if read == 0 {
            break;
        }
        length += read as u64;
        crc32c = crc32c::crc32c_append(crc32c, &block[..read]);
    }
    if length > entry.bytes {
        return Err(anyhow!(
            "contains more than the {} bytes that were committed",
            entry.bytes
        ));
    }
    if length < entry.bytes {
        return Err(anyhow!(
            "contains {length} bytes, but {} were committed",
            entry.bytes
        ));
    }
    if crc32c != entry.crc32c {
        return Err(anyhow!(
            "contains bytes with the checksum {crc32c:08x}, but {:08x} was committed",
            entry.crc32c
        ));
    }
    Ok(())
}
