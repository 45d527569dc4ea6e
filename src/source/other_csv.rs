//! CSV that no export wrote: a document has a member for each cell that is not empty.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use csv::{ReaderBuilder, StringRecord};

use super::csv::{cell_fits, unreadable};
use super::csv_reading::CsvReading;
use super::opened::{Opened, WHOLE_COPY};
use super::progress::Blocks;
use super::record::{Mark, Record, RecordReader};
use crate::error::{usage, with_hint};
use crate::feed::RecordForm;
use crate::schema::{ColumnList, ColumnType, is_reserved, raw};

/// The delimiters that a header can show.
const DELIMITERS: [u8; 4] = *b",;\t|";

/// Reads rows of a whole file, which begins with its header.
pub(super) struct OtherCsv {
    name: String,
    reader: csv::Reader<Watched>,
    /// The names as JSON, and the types.
    columns: Vec<(String, ColumnType)>,
    record: StringRecord,
    form: Option<RecordForm>,
    /// How many rows were read.
    row: u64,
    blocks: Blocks,
}

impl OtherCsv {
    /// Starts at the row after `mark`. `form` is what the rows are declared to be.
    ///
    /// # Errors
    ///
    /// If there is no usable header, a type is given for a column that is not in it, or there are fewer rows than
    /// the mark.
    pub(super) fn new(
        opened: Opened,
        reading: &CsvReading,
        form: Option<RecordForm>,
        mark: Mark,
    ) -> Result<Self> {
        let Opened {
            name,
            mut bytes,
            blocks,
            ..
        } = opened;
        let delimiter = match reading.delimiter {
            Some(delimiter) => u8::try_from(delimiter).unwrap_or(b','),
            None => delimiter_of(&mut bytes, &name)?,
        };
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .from_reader(Watched {
                inner: bytes,
                is_quoted: false,
                has_ended: false,
            });
        let header = reader.headers().map_err(|error| unreadable(&name, error))?;
        let header: Vec<String> = header.iter().map(str::to_owned).collect();
        let columns = columns_of(&header, reading.types.as_ref(), &name)?;
        let mut this = Self {
            name,
            reader,
            columns,
            record: StringRecord::new(),
            form,
            row: 0,
            blocks,
        };
        while this.row < mark.line {
            if !this.read()? {
                bail!(
                    "{} is shorter than the part of it that was read before",
                    this.name
                );
            }
        }
        Ok(this)
    }

    fn read(&mut self) -> Result<bool> {
        let found = self.reader.read_record(&mut self.record);
        let found = found.map_err(|error| unreadable(&self.name, error))?;
        self.row += u64::from(found);
        // Otherwise the rest of the file would be the last cell.
        let bytes = self.reader.get_ref();
        if found && bytes.has_ended && bytes.is_quoted {
            return Err(with_hint(
                anyhow!(
                    "{} is truncated: its last row, {}, ends within quotes",
                    self.name,
                    self.row
                ),
                WHOLE_COPY,
            ));
        }
        Ok(found)
    }

    fn document(&self) -> Result<Vec<u8>> {
        let mut out = b"{".to_vec();
        for ((name, column_type), text) in self.columns.iter().zip(&self.record) {
            if text.is_empty() {
                continue;
            }
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            let lower = text.to_ascii_lowercase();
            let text = match column_type {
                // As spreadsheets write it.
                ColumnType::Boolean => &lower,
                _ => text,
            };
            if !cell_fits(text, column_type, &mut out) {
                return Err(anyhow!(
                    "row {} of {}: column {name}: not {column_type}: `{text}`",
                    self.row,
                    self.name
                ));
            }
        }
        out.push(b'}');
        Ok(out)
    }
}

impl RecordReader for OtherCsv {
    fn next(&mut self) -> Result<Option<Record>> {
        if !self.read()? {
            return Ok(None);
        }
        let offset = self.reader.position().byte();
        Ok(Some(Record {
            json: self.document()?.into(),
            form: self.form,
            end: Mark {
                offset,
                line: self.row,
                within: None,
            },
            raw_end: self.blocks.raw_at(offset),
        }))
    }
}

/// The delimiter that the header shows, outside of quotes.
fn delimiter_of(bytes: &mut impl BufRead, name: &str) -> Result<u8> {
    let beginning = bytes
        .fill_buf()
        .map_err(|error| super::opened::broken(name, error))?;
    let mut is_quoted = false;
    let mut found: Vec<u8> = Vec::new();
    for byte in beginning {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' | b'\r' if !is_quoted => break,
            byte if !is_quoted && DELIMITERS.contains(byte) && !found.contains(byte) => {
                found.push(*byte);
            }
            _ => {}
        }
    }
    match *found {
        [] => Ok(b','),
        [only] => Ok(only),
        [one, other, ..] => Err(usage(
            format!(
                "the header of {name} has both `{}` and `{}`, so it does not show which one is its delimiter",
                one.escape_ascii(),
                other.escape_ascii()
            ),
            "give it: --delimiter , (or ; or | or tab)",
        )),
    }
}

/// The columns of a header.
fn columns_of(
    header: &[String],
    types: Option<&ColumnList>,
    name: &str,
) -> Result<Vec<(String, ColumnType)>> {
    if header.is_empty() {
        return Err(with_hint(
            anyhow!("{name} has no header"),
            "the first row of CSV has the names of the columns",
        ));
    }
    refuse_ours(header, name)?;
    for (index, column) in header.iter().enumerate() {
        if column.is_empty() {
            bail!("column {} of {name} has no name", index + 1);
        }
        if header[..index].contains(column) {
            bail!("{name} has two columns `{column}`");
        }
    }
    let mut given: Vec<(String, ColumnType)> = Vec::new();
    for (path, column_type) in types.into_iter().flat_map(ColumnList::columns) {
        let column = path.names().join(".");
        if !header.contains(&column) {
            return Err(usage(
                format!("--types names the column `{column}`, which {name} does not have"),
                format!("its columns are {}", header.join(", ")),
            ));
        }
        let Some(column_type) = column_type else {
            return Err(usage(
                format!("--types gives the column `{column}` no type"),
                format!("give it one, such as {column}:double; columns that are left out are text"),
            ));
        };
        given.push((column, column_type.clone()));
    }
    let column = |column: &String| {
        let given = given.iter().find(|(known, _)| known == column);
        let column_type = given.map_or(ColumnType::String, |(_, column_type)| column_type.clone());
        (
            serde_json::Value::from(column.as_str()).to_string(),
            column_type,
        )
    };
    Ok(header.iter().map(column).collect())
}

/// Refuses a table of an export of which nothing describes the columns: its documents would be others.
pub(super) fn refuse_ours(names: &[impl AsRef<str>], input: &str) -> Result<()> {
    let has = |wanted: &str| names.iter().any(|name| name.as_ref() == wanted);
    let is_raw = has(raw::DOCUMENT) && has(raw::PARTITION_KEY);
    let own = names.iter().find(|name| is_reserved(name.as_ref()));
    let Some(own) = own
        .map(AsRef::as_ref)
        .or(is_raw.then_some(raw::PARTITION_KEY))
    else {
        return Ok(());
    };
    Err(with_hint(
        anyhow!(
            "{input} has the column `{own}` of an export, but nothing says what its columns mean"
        ),
        "CSV is described by the state of the export: name the export's directory, or keep the state beside \
         the file; Parquet by its own metadata, which other programs leave out: replay the original file",
    ))
}

/// Notes whether the bytes so far end within quotes, and whether they are all.
struct Watched {
    inner: Box<dyn BufRead + Send>,
    is_quoted: bool,
    has_ended: bool,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.has_ended |= length == 0 && !buffer.is_empty();
        let quotes = memchr::memchr_iter(b'"', &buffer[..length]).count();
        self.is_quoted ^= quotes % 2 == 1;
        Ok(length)
    }
}

impl OtherCsv {
    /// The reader of `input` with what the user says about it.
    pub(super) fn of_input(
        opened: Opened,
        reading: Option<&Arc<CsvReading>>,
        form: Option<RecordForm>,
        mark: Mark,
    ) -> Result<Self> {
        match reading {
            Some(reading) => Self::new(opened, reading, form, mark),
            None => Self::new(opened, &CsvReading::default(), form, mark),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, reading: &CsvReading) -> Result<Vec<String>, String> {
        let bytes = Box::new(io::Cursor::new(text.as_bytes().to_vec()));
        let opened = Opened::of_bytes(bytes, "it".to_owned(), super::super::opened::Kind::Csv);
        let rows = || -> Result<Vec<String>> {
            let mut reader = OtherCsv::new(opened, reading, None, Mark::default())?;
            let mut found = Vec::new();
            while let Some(record) = reader.next()? {
                found.push(String::from_utf8(record.json.to_vec())?);
            }
            Ok(found)
        };
        rows().map_err(|error| format!("{error:#}"))
    }

    fn reading(types: &str) -> CsvReading {
        CsvReading {
            delimiter: None,
            types: (!types.is_empty()).then(|| types.parse().unwrap()),
        }
    }

    #[test]
    fn cells_are_text_unless_a_type_is_given() {
        for (text, types, documents) in [
            ("id,n\n1,2\n", "", &[r#"{"id":"1","n":"2"}"#][..]),
            ("\u{feff}id;n\r\n1;2,5", "", &[r#"{"id":"1","n":"2,5"}"#]),
            ("id\tn\n1\t\n", "", &[r#"{"id":"1"}"#]),
            ("id|\"a|,b\"\n1|x\n", "", &[r#"{"id":"1","a|,b":"x"}"#]),
            ("id\n1\n\n2\n", "", &[r#"{"id":"1"}"#, r#"{"id":"2"}"#]),
            ("id,n\n", "", &[]),
            (
                "id,n,d,ok,tags,at.x\n1,5,0.50,TRUE,[1],\"a\nb\"\n",
                "n:int64,d:double,ok:boolean,tags:json,at.x:string",
                &[r#"{"id":"1","n":5,"d":0.50,"ok":true,"tags":[1],"at.x":"a\nb"}"#],
            ),
            (
                "id,n\n1,123456789012345678901234567890\n",
                "n:json",
                &[r#"{"id":"1","n":123456789012345678901234567890}"#],
            ),
        ] {
            assert_eq!(read(text, &reading(types)).unwrap(), documents, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_table_of_documents_is_named() {
        for (text, types, why) in [
            ("", "", "it has no header"),
            ("id,id\n", "", "it has two columns `id`"),
            ("id,,n\n", "", "column 2 of it has no name"),
            ("id;n,m\n", "", "both `;` and `,`"),
            ("id,n\n1\n", "", "2 fields"),
            ("id,n\n1,\"a\n", "", "ends within quotes"),
            (
                "id,n\n1,x\n",
                "n:int64",
                "row 1 of it: column \"n\": not int64: `x`",
            ),
            (
                "id,n\n",
                "m:int64",
                "--types names the column `m`, which it does not have",
            ),
            ("id,n\n", "n", "--types gives the column `n` no type"),
            ("id,n,_extra\n", "", "the column `_extra` of an export"),
            (
                "id,_partition_key,_ts,_lsn,document\n",
                "",
                "the column `_partition_key` of an export",
            ),
        ] {
            let found = read(text, &reading(types)).unwrap_err();
            assert!(found.contains(why), "{text:?}: {found}");
        }
    }

    #[test]
    fn invalid_utf8_is_named_with_its_row() {
        let bytes = Box::new(io::Cursor::new(b"id\n1\n\xff\n".to_vec()));
        let opened = Opened::of_bytes(bytes, "it".to_owned(), super::super::opened::Kind::Csv);
        let reading = CsvReading::default();
        let mut reader = OtherCsv::new(opened, &reading, None, Mark::default()).unwrap();
        assert!(reader.next().unwrap().is_some());
        let found = format!("{:#}", reader.next().unwrap_err());
        assert!(found.contains("UTF-8"), "{found}");
    }
}
