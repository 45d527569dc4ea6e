//! Parquet: typed columns in row groups of bounded memory.
//!
//! Rows are collected as Arrow arrays, about a megabyte at a time, and passed to the writer of the row group,
//! which encodes and compresses them at once. A file is unreadable without its footer, so no part of it
//! can be committed before it is finished.

mod column;
mod dictionary;

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema as ArrowSchema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use self::column::ColumnBuilder;
use super::csv::makes_rows;
use super::encoder::{Encoded, Encoder, EncoderOptions, FileAbout};
use super::options::{Compression, Extra};
use super::order::Order;
use super::table::Table;
use crate::feed::page::Page;
use crate::feed::{FeedMode, RangeId};
use crate::schema::arrow::column_field;
use crate::schema::{Cell, Lists, TableForm, TableLayout, metadata};

/// How many bytes of rows are collected before they are encoded.
const BATCH_BYTES: usize = 1 << 20;

/// A dictionary that grows larger is abandoned for the rest of its row group: with so many different values
/// it is not worth a lookup for each.
const DICTIONARY_BYTES: usize = 256 << 10;

/// Writes documents as Parquet.
pub(super) struct Parquet {
    mode: FeedMode,
    compression: Compression,
    row_group_bytes: usize,
    key_paths: Vec<String>,
    layout: Arc<OnceLock<TableLayout>>,
    form: TableForm,
    extra: Extra,
    order: Order,
    columns: Option<Columns>,
    /// The writer of the file; none before its first rows.
    file: Option<ArrowWriter<Vec<u8>>>,
}

/// The rows that are being collected.
struct Columns {
    table: Table,
    schema: SchemaRef,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    /// Bytes of the collected documents, which are cheaper to count than those of the columns.
    bytes: usize,
}

impl Parquet {
    pub(super) fn new(options: &EncoderOptions) -> Self {
        Self {
            mode: options.mode,
            compression: options.compression,
            row_group_bytes: usize::try_from(options.row_group_bytes).unwrap_or(usize::MAX),
            key_paths: options.partition_key_paths.clone(),
            layout: Arc::clone(&options.layout),
            form: options.form,
            extra: options.extra,
            order: Order::default(),
            columns: None,
            file: None,
        }
    }

    /// Encodes the collected rows, and ends the row group if it has reached its size.
    fn encode_batch(&mut self) -> Result<()> {
        let Some(columns) = &mut self.columns else {
            return Ok(());
        };
        if columns.rows > 0 {
            let rows = columns.take()?;
            let file = match &mut self.file {
                Some(file) => file,
                None => self.file.insert(new_file(&rows, self.compression)?),
            };
            file.write(&rows).context("cannot write Parquet")?;
        }
        if let Some(file) = &mut self.file
            && file.memory_size() >= self.row_group_bytes
        {
            file.flush().context("cannot write Parquet")?;
        }
        Ok(())
    }

    /// Takes the finished bytes of the file.
    fn take_bytes(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.sync().context("cannot write Parquet")?;
            // A buffer kept for the next bytes would be as large as a row group, in every file.
            let mut bytes = std::mem::take(file.inner_mut());
            if out.is_empty() {
                *out = bytes
            } else {
                out.append(&mut bytes)
            }
        }
        Ok(())
    }
}

impl Columns {
    fn new(table: Table) -> Self {
        let form = table.form();
        let fields = table.columns().iter().map(|one| column_field(one, form));
        let fields: Vec<_> = fields.collect();
        let types = table.columns().iter().map(|column| &column.column_type);
        Self {
            builders: types
                .map(|one| ColumnBuilder::new(one, form.unit()))
                .collect(),
            schema: Arc::new(ArrowSchema::new(fields)),
            table,
            rows: 0,
            bytes: 0,
        }
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let arrays: Result<Vec<ArrayRef>> =
            self.builders.iter_mut().map(ColumnBuilder::take).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.bytes = 0;
        let schema = Arc::clone(&self.schema);
        RecordBatch::try_new_with_options(schema, arrays?, &options)
            .context("rows do not make a batch")
    }
}

impl Encoder for Parquet {
    fn begin(&mut self, _: &mut Vec<u8>) -> Result<()> {
        if self.columns.is_none() {
            let table =
                Table::of_known(&self.layout, self.form, self.mode, &self.key_paths, false)?;
            self.columns = Some(Columns::new(table));
        }
        Ok(())
    }

    fn makes_rows(&self, page: &Page) -> bool {
        makes_rows(self.mode, page)
    }

    fn encode(&mut self, range: RangeId, page: &Page, out: &mut Vec<u8>) -> Result<Encoded> {
        let mut encoded = Encoded::whole(0);
        if !self.makes_rows(page) {
            return Ok(encoded);
        }
        // The row borrows from the table, which encoding a batch needs too.
        let mut items = page.items().peekable();
        while items.peek().is_some() {
            let Some(columns) = &mut self.columns else {
                return Ok(encoded);
            };
            let mut row = columns.table.row();
            while columns.bytes < BATCH_BYTES {
                let Some(item) = items.next() else { break };
                let number = self.order.number(range, item);
                if !columns.table.read(item, number, &|_| true, &mut row) {
                    continue;
                }
                let is_dropped = columns.table.settle(self.extra, None, item, &mut row)?;
                encoded.dropped += u64::from(is_dropped);
                let (leading, documents) = columns.builders.split_at_mut(columns.table.leading());
                let mut cells = row.leading();
                for builder in leading {
                    builder.append(&mut cells, Lists::NONE)?;
                }
                if let Some(cells) = row.document() {
                    let mut cells = cells.iter().copied();
                    let of_rest = documents.len() - row.rest().count();
                    let (documents, rest) = documents.split_at_mut(of_rest);
                    for builder in documents {
                        builder.append(&mut cells, row.lists())?;
                    }
                    for (builder, json) in rest.iter_mut().zip(row.rest()) {
                        let cell = json.map_or(Cell::Null, Cell::Json);
                        builder.append(&mut std::iter::once(cell), Lists::NONE)?;
                    }
                }
                columns.rows += 1;
                columns.bytes += item.json().len();
                encoded.rows += 1;
                encoded.overflowed += u64::from(row.extra().is_some());
            }
            if columns.bytes >= BATCH_BYTES {
                self.encode_batch()?;
            }
        }
        self.take_bytes(out)?;
        Ok(encoded)
    }

    fn buffered_bytes(&self) -> usize {
        let gathered = self.columns.iter().map(|columns| columns.bytes);
        let encoded = self.file.iter().map(ArrowWriter::memory_size);
        gathered.chain(encoded).sum()
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.encode_batch()?;
        if let Some(file) = &mut self.file {
            file.flush().context("cannot write Parquet")?;
        }
        self.take_bytes(out)
    }

    fn finish(&mut self, about: &FileAbout<'_>, out: &mut Vec<u8>) -> Result<()> {
        self.encode_batch()?;
        let columns = self.columns.as_ref().context("no file was started")?;
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let no_rows = RecordBatch::new_empty(Arc::clone(&columns.schema));
                new_file(&no_rows, self.compression)?
            }
        };
        for (key, value) in about_file(about, columns.table.schema())? {
            file.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let mut bytes = file.into_inner().context("cannot end a Parquet file")?;
        out.append(&mut bytes);
        Ok(())
    }
}

/// A file whose first rows are these. They are not written yet.
fn new_file(rows: &RecordBatch, compression: Compression) -> Result<ArrowWriter<Vec<u8>>> {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("cosmos-tail version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(codec(compression)?)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES);
    for column in dictionary::columns_without(rows) {
        properties = properties.set_column_dictionary_enabled(column, false);
    }
    let options = ArrowWriterOptions::new().with_properties(properties.build());
    ArrowWriter::try_new_with_options(Vec::new(), rows.schema(), options)
        .context("cannot begin a Parquet file")
}

/// The key-value metadata of a file.
fn about_file(
    about: &FileAbout<'_>,
    schema: Option<&crate::schema::Schema>,
) -> Result<Vec<(&'static str, String)>> {
    let mut said = vec![
        (metadata::EXPORT_ID, about.export_id.to_string()),
        (metadata::CONTAINER, about.container.to_owned()),
        (metadata::START, serde_json::to_string(about.start)?),
        (metadata::END, serde_json::to_string(about.end)?),
    ];
    if let Some(schema) = schema {
        said.push((metadata::SCHEMA, serde_json::to_string(schema)?));
    }
    Ok(said)
}

fn codec(compression: Compression) -> Result<Codec> {
    Ok(match compression {
        Compression::None => Codec::UNCOMPRESSED,
        Compression::Snappy => Codec::SNAPPY,
        Compression::Lz4 => Codec::LZ4_RAW,
        Compression::Gzip(level) => Codec::GZIP(GzipLevel::try_new(level)?),
        Compression::Zstd(level) => Codec::ZSTD(ZstdLevel::try_new(level)?),
    })
}
