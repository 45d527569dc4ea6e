//! The oracle of queries: compares what an export of a query has published with the documents that it is about.
//!
//! Each of them is there once, JSON lines byte for byte; every range says that it was answered; state and manifest
//! agree with the files; and there are no other files.

use std::collections::BTreeMap;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::command::{split_lines, state_directory, text_of, verify};
use crate::gateway::{Container, Gateway};
use crate::oracle::{manifest, no_file_is_left_over, no_request_is_wrong};

/// The arguments of the query that the oracle knows, and the columns that it looks at.
pub(crate) const QUERY: [&str; 6] = [
    "--query",
    "SELECT * FROM c WHERE c.number > @least",
    "--parameter",
    "least=49",
    "--columns",
    "id,number:int64",
];

/// How many of [`QUERY`] an export takes that has no columns.
const WITHOUT_COLUMNS: usize = 4;

/// The arguments of an export of the query in this format.
pub(crate) fn query_in(format: &[&str]) -> Vec<String> {
    let has_columns = ["csv", "parquet"].iter().any(|own| format.contains(own));
    let query = if has_columns {
        &QUERY[..]
    } else {
        &QUERY[..WITHOUT_COLUMNS]
    };
    let arguments = query.iter().chain(format);
    arguments.map(|&argument| argument.to_owned()).collect()
}

/// A row of a published file.
struct Row {
    id: String,
    number: u64,
    /// As it was written, in formats that keep its bytes.
    text: Option<Vec<u8>>,
}

/// Compares the directory `out`, which has a finished export of [`QUERY`], with the documents of `container`.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn judge_query(
    gateway: &Gateway,
    container: &Container,
    out: &Path,
) -> Result<(), String> {
    no_request_is_wrong(gateway)?;
    let verified = verify(out, &["--strict"]);
    if verified.code != Some(0) {
        return Err(format!("verify: {}{}", verified.stdout, verified.stderr));
    }
    all_is_answered(out)?;
    let entries = manifest(out)?;
    no_file_is_left_over(out, &entries)?;
    let mut expected: BTreeMap<String, (u64, Vec<u8>)> = BTreeMap::new();
    for served in container.latest() {
        let document: Value = serde_json::from_slice(&served.text).unwrap();
        let number = document["number"].as_u64().unwrap();
        if number > 49 {
            expected.insert(served.id, (number, served.text.to_vec()));
        }
    }
    let mut missing = expected.clone();
    for entry in entries {
        let rows = rows_of(&out.join(&entry.file));
        if rows.len() as u64 != entry.rows {
            return Err(format!("{} has {} rows", entry.file, rows.len()));
        }
        for row in rows {
            let at = format!("{}: {}", entry.file, row.id);
            let Some((number, text)) = expected.get(&row.id) else {
                return Err(format!("{at} is no row of the query"));
            };
            if missing.remove(&row.id).is_none() {
                return Err(format!("{at} is there twice"));
            }
            if *number != row.number || row.text.is_some_and(|own| own != *text) {
                return Err(format!("{at} is not as it was sent"));
            }
        }
    }
    match missing.keys().next() {
        None => Ok(()),
        Some(id) => Err(format!("{} rows are missing, such as {id}", missing.len())),
    }
}

/// Every range of a finished query was answered to its end.
fn all_is_answered(out: &Path) -> Result<(), String> {
    let text = std::fs::read(state_directory(out).join("state.json"));
    let text = text.map_err(|error| error.to_string())?;
    let state: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let ranges = state["state"]["ranges"].as_array();
    let ranges = ranges.filter(|ranges| !ranges.is_empty());
    for range in ranges.ok_or("the state has no ranges")? {
        if range["end"]["reached"] != "answered" {
            return Err(format!("range {} was not answered to its end", range["id"]));
        }
    }
    Ok(())
}

fn rows_of(path: &Path) -> Vec<Row> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    if name.ends_with(".parquet") {
        return parquet_rows(path);
    }
    let text = text_of(path);
    if name.contains(".csv") {
        return csv_rows(&text);
    }
    let rows = split_lines(&text).into_iter().map(|line| {
        let document: Value = serde_json::from_slice(&line).unwrap();
        Row {
            id: document["id"].as_str().unwrap().to_owned(),
            number: document["number"].as_u64().unwrap(),
            text: Some(line),
        }
    });
    rows.collect()
}

fn csv_rows(text: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|own| own == name).unwrap();
    let (id, number) = (column("id"), column("number"));
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        Row {
            id: record[id].to_owned(),
            number: record[number].parse().unwrap(),
            text: None,
        }
    });
    rows.collect()
}

fn parquet_rows(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        let mut found = Row {
            id: String::new(),
            number: 0,
            text: None,
        };
        for (name, field) in row.get_column_iter() {
            match (name.as_str(), field) {
                ("id", Field::Str(id)) => found.id.clone_from(id),
                ("number", Field::Long(number)) => found.number = number.cast_unsigned(),
                _ => {}
            }
        }
        found
    });
    rows.collect()
}
