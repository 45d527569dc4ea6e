//! The bytes of an input: opened, recognized, decompressed and counted.

use std::io::{self, BufRead, BufReader, Read, SeekFrom};

use anyhow::{Context, Result, anyhow, bail};

use super::foreign;
use super::frames::{Codec, Frames, MAGIC_BYTES, TrailingBytes, XZ_MEMORY_KIB};
use super::input::Input;
use super::messages;
use super::names::{format_of, is_compressed_by_name};
use super::progress::{Blocks, InBlocks, RawBytes};
use super::record::Mark;
use crate::destination::PartReader;
use crate::error::with_hint;
use crate::format::Format;

/// The size of a read.
const BLOCK: usize = 256 << 10;

/// How often an input can be compressed, one time over the other.
const MAX_LAYERS: usize = 3;

/// The way out of an input without an end.
pub(super) const WHOLE_COPY: &str = "get a complete copy of the file";

/// What an input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lines of JSON.
    Text,
    /// Comma-separated values.
    Csv,
    /// Parquet, which is read from its end.
    Parquet,
    /// Arrow: a file or a stream.
    Arrow,
}

/// An opened input, at its mark.
pub(super) struct Opened {
    /// Its name, for messages.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Its bytes, decompressed.
    pub(super) bytes: Box<dyn BufRead + Send>,
    /// How many bytes before decompression they were.
    pub(super) blocks: Blocks,
}

impl Opened {
    pub(super) fn new(input: &Input, mark: Mark) -> Result<Self> {
        let name = input.to_string();
        let failed = || format!("cannot read {name}");
        let mut raw: Box<dyn RawInput> = if input.is_standard_input() {
            Box::new(StandardInput(io::stdin()))
        } else {
            Box::new(input.open()?)
        };
        let mut magic = magic_of(&mut raw).with_context(failed)?;
        let file_name = input.file_name();
        let format = file_name.as_deref().and_then(format_of);
        let is_compressed = file_name.as_deref().is_some_and(is_compressed_by_name);
        if magic.is_empty() && (is_compressed || format.is_some_and(Format::compresses_itself)) {
            // As a source without changes it would lose them silently.
            return Err(with_hint(
                anyhow!("{name} is empty, but a complete file of its kind never is"),
                WHOLE_COPY,
            ));
        }
        let compressed = Codec::of(&magic);
        let mut kind = match magic.as_slice() {
            [b'P', b'A', b'R', b'1', ..] => Kind::Parquet,
            _ if is_arrow(&magic) => Kind::Arrow,
            _ if compressed.is_none() && format == Some(Format::Arrow) => Kind::Arrow,
            _ if compressed.is_none() && format == Some(Format::Parquet) => Kind::Parquet,
            _ if format == Some(Format::Csv) || input.is_declared_csv() => Kind::Csv,
            _ => Kind::Text,
        };
        // An uncompressed file seeks to its mark; everything else is read up to it.
        let can_seek = compressed.is_none() && !input.is_standard_input();
        let read = RawBytes::default();
        let mut from = 0;
        let mut skip = match mark.offset {
            0 => 0,
            // The reader of rows skips them itself, since it needs the header.
            _ if kind != Kind::Text => 0,
            offset if can_seek => {
                raw.go_to(offset).with_context(failed)?;
                read.add(offset);
                from = offset;
                magic.clear();
                0
            }
            offset => offset,
        };
        let raw = BufReader::with_capacity(BLOCK, io::Cursor::new(magic).chain(raw));
        let counted = Counted {
            inner: raw,
            read: read.clone(),
        };
        let (mut bytes, blocks) = match compressed {
            Some(codec) => {
                let found = decompressed(Box::new(counted), codec, &read, &name)?;
                if found.is_arrow {
                    kind = Kind::Arrow;
                    skip = 0;
                }
                (found.bytes, found.blocks)
            }
            None => in_blocks(counted, &read, from),
        };
        if from == 0 && !matches!(kind, Kind::Parquet | Kind::Arrow) {
            bytes = refused_if_foreign(bytes, &name)?;
        }
        let skipped = io::copy(&mut (&mut bytes).take(skip), &mut io::sink());
        if skipped.map_err(|error| broken(&name, error))? < skip {
            bail!("{name} is shorter than the part of it that was read before");
        }
        Ok(Self {
            name,
            kind,
            bytes,
            blocks,
        })
    }
}

impl Opened {
    /// The bytes of an input called `name`.
    pub(super) fn of_bytes(bytes: Box<dyn BufRead + Send>, name: String, kind: Kind) -> Self {
        Self {
            name,
            kind,
            bytes,
            blocks: Blocks::default(),
        }
    }
}

/// The first bytes of an input, as many as are needed to recognize its compression.
fn magic_of(raw: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut magic = Vec::new();
    raw.take(4).read_to_end(&mut magic)?;
    // A line of a stream is not waited for longer than necessary.
    if magic == messages::MAGIC[..4] {
        raw.take(4).read_to_end(&mut magic)?;
    }
    if magic.starts_with(b"BZh") || magic.first() == Some(&0xfd) {
        raw.take((MAGIC_BYTES - magic.len()) as u64)
            .read_to_end(&mut magic)?;
    }
    Ok(magic)
}

/// Whether an input begins as a file or a stream of Arrow does.
fn is_arrow(magic: &[u8]) -> bool {
    magic.starts_with(messages::MAGIC) || magic.starts_with(&messages::CONTINUES)
}

/// Reads `inner` in blocks, from `offset` on. What is recognized by its first bytes is read through them too, so
/// that these do not count as all that was decompressed with them.
fn in_blocks(
    inner: impl Read + Send + 'static,
    raw: &RawBytes,
    offset: u64,
) -> (Box<dyn BufRead + Send>, Blocks) {
    let bytes = InBlocks::new(inner, raw.clone(), offset);
    let blocks = bytes.blocks();
    (Box::new(bytes), blocks)
}

/// What a compressed input holds.
struct Decompressed {
    bytes: Box<dyn BufRead + Send>,
    blocks: Blocks,
    is_arrow: bool,
}

/// `stream` without its compression, and without the one below that, if it was compressed again. `raw` counts what
/// is read of it.
fn decompressed(
    stream: Box<dyn BufRead + Send>,
    codec: Codec,
    raw: &RawBytes,
    name: &str,
) -> Result<Decompressed> {
    let (mut stream, mut codec) = (stream, codec);
    for _ in 0..MAX_LAYERS {
        let frames = Frames::new(codec, stream).with_context(|| format!("cannot read {name}"))?;
        let (mut bytes, blocks) = in_blocks(frames, raw, 0);
        let magic = magic_of(&mut bytes).map_err(|error| broken(name, error))?;
        if magic.starts_with(b"PAR1") {
            let (codec, program) = codec.names();
            return Err(with_hint(
                anyhow!(
                    "{name} is Parquet compressed by {codec}, and cannot be read, since reading starts at the \
                     end of the file"
                ),
                format!("decompress it first: {program} FILE"),
            ));
        }
        let below = Codec::of(&magic);
        let is_arrow = is_arrow(&magic);
        stream = Box::new(io::Cursor::new(magic).chain(bytes));
        match below {
            Some(below) => codec = below,
            None => {
                return Ok(Decompressed {
                    bytes: stream,
                    blocks,
                    is_arrow,
                });
            }
        }
    }
    bail!("{name} was compressed more than {MAX_LAYERS} times");
}

/// `stream`, unless it is of a kind that is not read.
fn refused_if_foreign(
    mut stream: Box<dyn BufRead + Send>,
    name: &str,
) -> Result<Box<dyn BufRead + Send>> {
    let mut beginning = Vec::new();
    let mut read = |length: usize| {
        let rest = (length - beginning.len()) as u64;
        (&mut stream)
            .take(rest)
            .read_to_end(&mut beginning)
            .map_err(|error| broken(name, error))
            .map(|_| foreign::is_json(&beginning))
    };
    if !read(2)? {
        read(foreign::BEGINNING_BYTES)?;
    }
    match foreign::refuse(name, &beginning) {
        Some(error) => Err(error),
        None => Ok(Box::new(io::Cursor::new(beginning).chain(stream))),
    }
}

/// The error of an input that cannot be read further.
pub(super) fn broken(name: &str, error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::OutOfMemory {
        return with_hint(
            anyhow!(
                "{name} needs more than {} MiB of memory to be decompressed",
                XZ_MEMORY_KIB >> 10
            ),
            "decompress it by another program: xz -dc FILE | cosmos-tail replay -",
        );
    }
    let cut = error.kind() == io::ErrorKind::UnexpectedEof;
    let trails = error
        .get_ref()
        .is_some_and(|inner| inner.is::<TrailingBytes>());
    // An error of the system is not one of the decoder.
    let damaged = error.raw_os_error().is_none();
    let error = anyhow::Error::new(error).context(if cut {
        format!("{name} is truncated: its compressed data has no end")
    } else {
        format!("cannot read {name}")
    });
    match (cut, trails) {
        (true, _) => with_hint(error, WHOLE_COPY),
        (_, true) => with_hint(
            error,
            "the data before them is intact: if nothing is missing, decompress it to another file (gzip \
             -dc, zstd -dc, bzip2 -dc, xz -dc) and replay that; otherwise get a complete copy of the file",
        ),
        _ if damaged => with_hint(error, WHOLE_COPY),
        _ => error,
    }
}

/// A file or a stream.
trait RawInput: Read + Send {
    fn go_to(&mut self, offset: u64) -> io::Result<()>;
}

impl RawInput for Box<dyn PartReader> {
    fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset)).map(drop)
    }
}

struct StandardInput(io::Stdin);

impl Read for StandardInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl RawInput for StandardInput {
    fn go_to(&mut self, _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Counts what is consumed, which is less than what is read ahead.
struct Counted<R> {
    inner: R,
    read: RawBytes,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.add(length as u64);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        self.inner.consume(length);
        self.read.add(length as u64);
    }
}
