//! What is in a file: its length, its checksum and its rows, read once.

use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail, ensure};
use flate2::read::MultiGzDecoder;
use fs_err as fs;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::destination::FileState;
use crate::destination::manifest::Entry;
use crate::durable;
use crate::format::Compression;
use crate::format::Format;
use crate::schema::metadata;
use crate::source::caught;
use crate::state::model::State;

/// Bytes read at a time.
const BLOCK: usize = 256 << 10;

/// What a file must be.
pub(super) struct Expected {
    pub(super) path: PathBuf,
    /// Bytes that were committed.
    length: u64,
    /// Rows in them.
    rows: u64,
    /// Their checksum.
    crc32c: u32,
    /// Whether it ends there.
    is_whole: bool,
}

impl Expected {
    pub(super) fn of_entry(path: PathBuf, entry: &Entry) -> Self {
        Self {
            path,
            length: entry.bytes,
            rows: entry.rows,
            crc32c: entry.crc32c,
            is_whole: true,
        }
    }

    pub(super) fn of_part(path: PathBuf, part: &FileState, is_whole: bool) -> Self {
        Self {
            path,
            length: part.length,
            rows: part.rows,
            crc32c: part.crc32c,
            is_whole,
        }
    }
}

/// How the files of an export are read.
pub(super) struct Contents {
    format: Format,
    compression: Compression,
    delimiter: u8,
    export_id: String,
    /// Whether rows are counted: a file that a tail grows need not have lines.
    counts_rows: bool,
}

impl Contents {
    pub(super) fn of(state: &State) -> Self {
        let csv = state.options.csv.clone().unwrap_or_default();
        Self {
            format: state.options.format,
            compression: state.options.compression,
            // It was ASCII when it was typed.
            delimiter: u8::try_from(csv.delimiter).unwrap_or(b','),
            export_id: state.export_id.to_string(),
            counts_rows: !matches!(state.options.output, crate::destination::Output::Append(_)),
        }
    }

    /// Checks a file.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub(super) fn check(&self, expected: &Expected) -> Result<()> {
        let file = match fs::File::open(&expected.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("is missing"),
            Err(error) => return Err(error.into()),
        };
        let length = file.metadata()?.len();
        let committed = expected.length;
        ensure!(
            length >= committed && (length == committed || !expected.is_whole),
            "has {length} bytes, but {committed} were committed"
        );
        let (crc32c, rows) = match self.format {
            Format::Jsonl | Format::Csv => self.read_text(file, committed)?,
            Format::Parquet => self.read_parquet(file, committed)?,
        };
        // A file with other bytes can have any rows: that they are other bytes says it all.
        ensure!(
            crc32c == expected.crc32c,
            "has the checksum {crc32c:08x}, but {:08x} was committed",
            expected.crc32c
        );
        let rows = rows?;
        ensure!(
            rows == expected.rows || !self.counts_rows,
            "has {rows} rows, but {} were committed",
            expected.rows
        );
        Ok(())
    }

    /// The checksum of the first `length` bytes, and the rows in them.
    fn read_text(&self, file: fs::File, length: u64) -> Result<(u32, Result<u64>)> {
        let mut summed = Summed {
            inner: file.take(length),
            crc32c: 0,
        };
        let rows = match self.compression {
            // There is no frame in it yet.
            _ if length == 0 => Ok(0),
            Compression::Gzip(_) => self.rows(MultiGzDecoder::new(&mut summed)),
            Compression::Zstd(_) => zstd::stream::read::Decoder::new(&mut summed)
                .context("cannot be decompressed")
                .and_then(|decoder| self.rows(decoder)),
            Compression::None | Compression::Snappy | Compression::Lz4 => self.rows(&mut summed),
        };
        // Where the rows could not be read to their end, the checksum still counts.
        io::copy(&mut summed, &mut io::sink())?;
        Ok((summed.crc32c, rows))
    }

    fn rows(&self, text: impl Read) -> Result<u64> {
        match self.format {
            Format::Csv => self.records(text),
            _ => lines(text),
        }
    }

    /// The records of CSV below its header, each of which must have as many cells.
    fn records(&self, text: impl Read) -> Result<u64> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .buffer_capacity(BLOCK)
            .from_reader(text);
        let mut record = csv::ByteRecord::new();
        let mut records = 0;
        while reader.read_byte_record(&mut record).context("is no CSV")? {
            records += 1;
        }
        Ok(records)
    }

    /// The checksum of a Parquet file, and the rows that its footer tells of.
    fn read_parquet(&self, mut file: fs::File, length: u64) -> Result<(u32, Result<u64>)> {
        let crc32c = durable::checksum_prefix(&mut file, length)?;
        if length == 0 {
            return Ok((crc32c, Ok(0)));
        }
        let rows = caught(|| self.parquet_rows(file));
        Ok((
            crc32c,
            rows.unwrap_or_else(|| Err(anyhow!("is no Parquet that can be read"))),
        ))
    }

    fn parquet_rows(&self, file: fs::File) -> Result<u64> {
        let (file, _) = file.into_parts();
        let reader = SerializedFileReader::new(file).context("is no Parquet")?;
        let about = reader.metadata().file_metadata();
        let groups = reader.metadata().row_groups();
        let in_groups: i64 = groups.iter().map(|group| group.num_rows()).sum();
        ensure!(
            in_groups == about.num_rows(),
            "its row groups have {in_groups} rows, but its footer tells of {}",
            about.num_rows()
        );
        let told = about
            .key_value_metadata()
            .into_iter()
            .flatten()
            .find(|pair| pair.key == metadata::EXPORT_ID)
            .and_then(|pair| pair.value.as_deref());
        ensure!(
            told == Some(self.export_id.as_str()),
            "says that it is of the export {}",
            told.unwrap_or("of nobody")
        );
        u64::try_from(in_groups).context("has less than no rows")
    }
}

/// The lines of a text, each of which must be whole.
fn lines(mut text: impl Read) -> Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut lines = 0;
    let mut last = b'\n';
    loop {
        let read = match text.read(&mut block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("cannot be read to its end"),
        };
        lines += memchr::memchr_iter(b'\n', &block[..read]).count() as u64;
        last = block[read - 1];
    }
    ensure!(last == b'\n', "its last line is not whole");
    Ok(lines)
}

/// Passes bytes on and sums them up.
struct Summed<R> {
    inner: R,
    crc32c: u32,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &buffer[..read]);
        Ok(read)
    }
}
