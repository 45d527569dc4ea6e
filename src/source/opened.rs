//! The bytes of an input: opened, recognized, decompressed and counted.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use anyhow::{Context, Result, anyhow, bail};
use fs_err as fs;

use super::inputs::{Input, ends_with, is_csv};
use super::members::{Codec, Members, TrailingBytes};
use super::record::{BytesRead, Mark};
use crate::error::with_hint;

/// How much is read at once.
const BLOCK: usize = 256 << 10;

const WHOLE_COPY: &str = "get a whole copy of the file";

/// What an input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lines of JSON.
    Text,
    /// Comma-separated values.
    Csv,
    /// Parquet, which is read from its end.
    Parquet,
}

/// An input that was opened and stands at the mark that it was to go to.
pub(super) struct Opened {
    /// Its name, for messages.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Its bytes, decompressed.
    pub(super) bytes: Box<dyn BufRead + Send>,
}

impl Opened {
    pub(super) fn new(input: &Input, mark: Mark, read: &BytesRead) -> Result<Self> {
        let name = input.to_string();
        let failed = || format!("cannot read {name}");
        let mut raw: Box<dyn Source> = match &input.path {
            Some(path) => Box::new(fs::File::open(path)?),
            None => Box::new(Stream(io::stdin())),
        };
        let mut magic = Vec::new();
        (&mut raw)
            .take(4)
            .read_to_end(&mut magic)
            .with_context(failed)?;
        let is_named = |ends: &[&str]| input.path.as_deref().is_some_and(|p| ends_with(p, ends));
        if magic.is_empty() && is_named(&[".parquet", ".gz", ".zst"]) {
            // To take it for a source without changes would be to lose them without a word.
            return Err(with_hint(
                anyhow!("{name} is empty, which no whole file of its kind is"),
                WHOLE_COPY,
            ));
        }
        let kind = match magic.as_slice() {
            b"PAR1" => Kind::Parquet,
            _ if is_named(&[".parquet"]) => Kind::Parquet,
            _ if input.path.as_deref().is_some_and(is_csv) => Kind::Csv,
            _ => Kind::Text,
        };
        let compressed = Codec::of(&magic);
        // A file that is no stream is gone to its mark at once, a compressed one by reading.
        let can_seek = compressed.is_none() && input.path.is_some();
        let skip = match mark.offset {
            0 => 0,
            // Rows are passed over by their reader, which has to see the header.
            _ if kind != Kind::Text => 0,
            offset if can_seek => {
                raw.go_to(offset).with_context(failed)?;
                read.add(offset);
                magic.clear();
                0
            }
            offset => offset,
        };
        let counted = Counted {
            inner: io::Cursor::new(magic).chain(raw),
            read: read.clone(),
        };
        let mut bytes: Box<dyn BufRead + Send> = match compressed {
            None => Box::new(BufReader::with_capacity(BLOCK, counted)),
            Some(codec) => {
                let members = Members::new(codec, BufReader::with_capacity(BLOCK, counted));
                Box::new(BufReader::with_capacity(
                    BLOCK,
                    members.with_context(failed)?,
                ))
            }
        };
        let skipped = io::copy(&mut (&mut bytes).take(skip), &mut io::sink());
        if skipped.map_err(|error| broken(&name, error))? < skip {
            bail!("{name} is shorter than what was read of it before");
        }
        Ok(Self { name, kind, bytes })
    }
}

/// The error of an input that cannot be read on.
pub(super) fn broken(name: &str, error: io::Error) -> anyhow::Error {
    let cut = error.kind() == io::ErrorKind::UnexpectedEof;
    let trails = error
        .get_ref()
        .is_some_and(|inner| inner.is::<TrailingBytes>());
    // What the system says of a file is no word of a decoder.
    let damaged = error.raw_os_error().is_none();
    let error = anyhow::Error::new(error).context(match cut {
        true => format!("{name} is cut off: its compressed data has no end"),
        false => format!("cannot read {name}"),
    });
    match (cut, trails) {
        (true, _) => with_hint(error, WHOLE_COPY),
        (_, true) => with_hint(
            error,
            "the data before it is whole: if nothing is missing, write it to a file of its own (gzip \
             -dc, zstd -dc) and replay that; otherwise get a whole copy of the file",
        ),
        _ if damaged => with_hint(error, WHOLE_COPY),
        _ => error,
    }
}

/// A file or a stream.
trait Source: Read + Send {
    fn go_to(&mut self, offset: u64) -> io::Result<()>;
}

impl Source for fs::File {
    fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset)).map(drop)
    }
}

struct Stream(io::Stdin);

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Source for Stream {
    fn go_to(&mut self, _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    read: BytesRead,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.add(length as u64);
        Ok(length)
    }
}
