//! The content of a file: its length, its checksum and its rows, in one read.

use std::io::{self, Read, Seek, SeekFrom};

use anyhow::{Context, Result, anyhow, bail, ensure};
use flate2::read::MultiGzDecoder;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::count::{exactly, was};
use crate::destination::manifest::Entry;
use crate::destination::{ExportFiles, FileState, Output, PartReader};
use crate::durable;
use crate::format::Compression;
use crate::format::Format;
use crate::schema::metadata;
use crate::source::{FileChunks, Messages, caught};
use crate::state::model::State;

/// The size of a read.
const BLOCK: usize = 256 << 10;

/// What a file must contain.
pub(super) struct Expected {
    pub(super) name: String,
    /// Its committed length in bytes.
    length: u64,
    /// The rows in these bytes.
    rows: u64,
    /// The checksum of these bytes.
    crc32c: u32,
    /// Whether the file must end there.
    is_whole: bool,
}

impl Expected {
    pub(super) fn of_entry(entry: &Entry) -> Self {
        Self {
            name: entry.file.clone(),
            length: entry.bytes,
            rows: entry.rows,
            crc32c: entry.crc32c,
            is_whole: true,
        }
    }

    pub(super) fn of_part(name: String, part: &FileState, is_whole: bool) -> Self {
        Self {
            name,
            length: part.length,
            rows: part.rows,
            crc32c: part.crc32c,
            is_whole,
        }
    }
}

impl Expected {
    /// Checks only that the file has its length.
    ///
    /// # Errors
    ///
    /// If it has another one.
    pub(super) fn check_length(&self, files: &dyn ExportFiles) -> Result<()> {
        let length = files.length_of(&self.name)?;
        self.ensure_length(length.context("is missing")?)
    }

    fn ensure_length(&self, length: u64) -> Result<()> {
        let committed = self.length;
        ensure!(
            length >= committed && (length == committed || !self.is_whole),
            "has {}, but {committed} {} committed",
            exactly(length, "byte"),
            was(committed)
        );
        Ok(())
    }
}

/// How the files of an export are read.
pub(super) struct Contents {
    format: Format,
    compression: Compression,
    delimiter: u8,
    export_id: String,
    /// Whether to count rows: a file that a tail appends to may have any form.
    counts_rows: bool,
}

impl Contents {
    pub(super) fn of(state: &State) -> Self {
        let csv = state.options.csv.clone().unwrap_or_default();
        Self {
            format: state.options.format,
            compression: state.options.compression,
            // The command line allows ASCII only.
            delimiter: u8::try_from(csv.delimiter).unwrap_or(b','),
            export_id: state.export_id.to_string(),
            counts_rows: !matches!(state.options.output, Output::Append(_)),
        }
    }

    /// Checks a file.
    ///
    /// # Errors
    ///
    /// The first fault of the file.
    pub(super) fn check(&self, expected: &Expected, files: &dyn ExportFiles) -> Result<()> {
        let file = files.open_file(&expected.name)?;
        let mut file = file.context("is missing")?;
        let length = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        let committed = expected.length;
        expected.ensure_length(length)?;
        let (crc32c, rows) = match self.format {
            Format::Jsonl | Format::Csv => self.read_text(file, committed)?,
            Format::Parquet => self.read_parquet(file, committed)?,
            Format::Arrow => self.read_arrow(file, committed)?,
        };
        // If the bytes differ, the number of rows means nothing.
        ensure!(
            crc32c == expected.crc32c,
            "has the checksum {crc32c:08x}, but {:08x} was committed",
            expected.crc32c
        );
        let rows = rows?;
        ensure!(
            rows == expected.rows || !self.counts_rows,
            "has {}, but {} {} committed",
            exactly(rows, "row"),
            expected.rows,
            was(expected.rows)
        );
        Ok(())
    }

    /// The checksum of the first `length` bytes, and their number of rows.
    fn read_text(&self, file: Box<dyn PartReader>, length: u64) -> Result<(u32, Result<u64>)> {
        let mut summed = Summed {
            inner: file.take(length),
            crc32c: 0,
        };
        let rows = match self.compression {
            // It has no frame yet.
            _ if length == 0 => Ok(0),
            Compression::Gzip(_) => self.rows(MultiGzDecoder::new(&mut summed)),
            Compression::Zstd(_) => zstd::stream::read::Decoder::new(&mut summed)
                .context("cannot be decompressed")
                .and_then(|decoder| self.rows(decoder)),
            Compression::None | Compression::Snappy | Compression::Lz4 => self.rows(&mut summed),
        };
        // Even if the rows cannot be read to their end, the checksum counts.
        io::copy(&mut summed, &mut io::sink())?;
        Ok((summed.crc32c, rows))
    }

    fn rows(&self, text: impl Read) -> Result<u64> {
        match self.format {
            Format::Csv => self.records(text),
            _ => lines(text),
        }
    }

    /// The number of CSV records below the header. Each must have as many cells as the header.
    fn records(&self, text: impl Read) -> Result<u64> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .buffer_capacity(BLOCK)
            .from_reader(text);
        let mut record = csv::ByteRecord::new();
        let mut records = 0;
        while reader.read_byte_record(&mut record).context("is not CSV")? {
            records += 1;
        }
        Ok(records)
    }

    /// The checksum of a Parquet file, and the number of rows in its footer.
    fn read_parquet(
        &self,
        mut file: Box<dyn PartReader>,
        length: u64,
    ) -> Result<(u32, Result<u64>)> {
        let crc32c = durable::checksum_prefix(&mut file, length)?;
        if length == 0 {
            return Ok((crc32c, Ok(0)));
        }
        let rows = caught(|| self.parquet_rows(file));
        Ok((
            crc32c,
            rows.unwrap_or_else(|| Err(anyhow!("cannot be read as Parquet"))),
        ))
    }

    fn parquet_rows(&self, file: Box<dyn PartReader>) -> Result<u64> {
        let file = FileChunks::new(file)?;
        let reader = SerializedFileReader::new(file).context("is not Parquet")?;
        let about = reader.metadata().file_metadata();
        let groups = reader.metadata().row_groups();
        let in_groups: i64 = groups.iter().map(|group| group.num_rows()).sum();
        ensure!(
            in_groups == about.num_rows(),
            "its row groups have {}, but its footer says {}",
            exactly(in_groups.unsigned_abs(), "row"),
            about.num_rows()
        );
        let export_id = about
            .key_value_metadata()
            .into_iter()
            .flatten()
            .find(|pair| pair.key == metadata::EXPORT_ID)
            .and_then(|pair| pair.value.as_deref());
        self.ensure_ours(export_id)?;
        u64::try_from(in_groups).context("has a negative number of rows")
    }
}

impl Contents {
    fn ensure_ours(&self, export_id: Option<&str>) -> Result<()> {
        match export_id {
            Some(id) if id == self.export_id => Ok(()),
            Some(other) => bail!("is a file of the export {other}"),
            None => bail!("does not say which export it belongs to"),
        }
    }

    /// The checksum of an Arrow file, and the number of rows in its batches.
    fn read_arrow(&self, mut file: Box<dyn PartReader>, length: u64) -> Result<(u32, Result<u64>)> {
        let crc32c = durable::checksum_prefix(&mut file, length)?;
        if length == 0 {
            return Ok((crc32c, Ok(0)));
        }
        file.rewind()?;
        let rows = caught(|| self.arrow_rows(file));
        Ok((
            crc32c,
            rows.unwrap_or_else(|| Err(anyhow!("cannot be read as Arrow"))),
        ))
    }

    fn arrow_rows(&self, file: Box<dyn PartReader>) -> Result<u64> {
        let file = io::BufReader::with_capacity(BLOCK, file);
        let mut messages = Messages::open(file).context("is not Arrow")?;
        let said = messages.schema().metadata().get(metadata::EXPORT_ID);
        self.ensure_ours(said.map(String::as_str))?;
        let mut rows = 0;
        while let Some(batch) = messages.next().context("cannot be read as Arrow")? {
            rows += batch.rows;
        }
        Ok(rows)
    }
}

/// The number of lines of a text. The last one must be complete.
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
    ensure!(last == b'\n', "its last line is truncated");
    Ok(lines)
}

/// Computes the checksum of the bytes that pass through it.
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
