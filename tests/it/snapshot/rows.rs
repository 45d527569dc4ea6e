//! The rows of an export with a snapshot, in each format, and what is right about them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::command::{all_files, split_lines, text_of, verify};
use crate::gateway::{Container, Gateway, Operation, Served};

/// A row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) operation: String,
    pub(crate) id: String,
    pub(crate) lsn: u64,
    /// The number within the LSN, in formats with columns.
    pub(crate) number: u64,
    /// The document as it was written, in JSON lines.
    pub(crate) text: Option<Vec<u8>>,
}

impl Row {
    /// The row of a line of JSON lines.
    pub(crate) fn of_line(line: &[u8]) -> Self {
        let change: Value = serde_json::from_slice(line).unwrap();
        let metadata = &change["metadata"];
        let operation = metadata["operationType"].as_str().unwrap().to_owned();
        let id = match &*operation {
            "delete" => &metadata["id"],
            _ => &change["current"]["id"],
        };
        // The document is between the envelope's first member and the next, to the byte.
        let text = (operation != "delete").then(|| {
            let current: BTreeMap<&str, &serde_json::value::RawValue> =
                serde_json::from_slice(line).unwrap();
            current["current"].get().as_bytes().to_vec()
        });
        Self {
            id: id.as_str().unwrap().to_owned(),
            lsn: metadata["lsn"].as_u64().unwrap(),
            number: 0,
            operation,
            text,
        }
    }
}

/// The rows of a file.
fn rows_of(path: &Path) -> Vec<Row> {
    let name = path.file_name().unwrap().to_str().unwrap();
    if name.ends_with(".parquet") {
        return parquet_rows(path);
    }
    if name.ends_with(".arrow") {
        return arrow_rows(path);
    }
    let text = text_of(path);
    if name.contains(".csv") {
        return csv_rows(&text);
    }
    split_lines(&text)
        .iter()
        .map(|line| Row::of_line(line))
        .collect()
}

fn csv_rows(text: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|own| own == name).unwrap();
    let [operation, id, lsn, number] =
        ["_operation", "id", "_operation_lsn", "_operation_number"].map(column);
    let records = reader.records().map(Result::unwrap);
    records
        .map(|record| Row {
            operation: record[operation].to_owned(),
            id: record[id].to_owned(),
            lsn: record[lsn].parse().unwrap(),
            number: record[number].parse().unwrap(),
            text: None,
        })
        .collect()
}

fn arrow_rows(path: &Path) -> Vec<Row> {
    let file = std::fs::File::open(path).unwrap();
    let batches = arrow_ipc::reader::FileReader::try_new(file, None).unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.unwrap();
        let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
        let operations = batch.column_by_name("_operation").unwrap();
        let operations = operations.as_any_dictionary();
        let (keys, names) = (operations.normalized_keys(), operations.values());
        let number = |name: &str| {
            let column = batch.column_by_name(name).unwrap();
            column.as_primitive::<Int64Type>()
        };
        rows.extend((0..batch.num_rows()).map(|row| Row {
            operation: names.as_string::<i32>().value(keys[row]).to_owned(),
            id: ids.value(row).to_owned(),
            lsn: number("_operation_lsn").value(row).cast_unsigned(),
            number: number("_operation_number").value(row).cast_unsigned(),
            text: None,
        }));
    }
    rows
}

fn parquet_rows(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        let mut found = Row::default();
        for (name, field) in row.get_column_iter() {
            match (name.as_str(), field) {
                ("_operation", Field::Str(text)) => found.operation.clone_from(text),
                ("id", Field::Str(text)) => found.id.clone_from(text),
                ("_operation_lsn", Field::Long(lsn)) => found.lsn = lsn.cast_unsigned(),
                ("_operation_number", Field::Long(number)) => found.number = number.cast_unsigned(),
                _ => {}
            }
        }
        found
    })
    .collect()
}

/// The files of an export to `out`: of a directory in the order of their names, otherwise in that of its parts.
pub(crate) fn files(out: &Path) -> Vec<PathBuf> {
    if out.is_dir() {
        let mut files = all_files(out);
        files.sort();
        return files;
    }
    let stem = out.file_stem().unwrap().to_str().unwrap();
    let extension = out.extension().unwrap().to_str().unwrap();
    let later = (2..).map(|part| out.with_file_name(format!("{stem}.{part:06}.{extension}")));
    std::iter::once(out.to_owned())
        .chain(later.take_while(|path| path.exists()))
        .collect()
}

/// Their rows.
pub(crate) fn rows(out: &Path) -> Vec<Row> {
    files(out).iter().flat_map(|path| rows_of(path)).collect()
}

/// For each document its last row: the one with the highest LSN, the highest number within it, and the last of those.
pub(crate) fn last_rows(rows: &[Row]) -> BTreeMap<&str, &Row> {
    let mut last: BTreeMap<&str, &Row> = BTreeMap::new();
    for row in rows {
        let known = last.entry(&row.id).or_insert(row);
        if (known.lsn, known.number) <= (row.lsn, row.number) {
            *known = row;
        }
    }
    last
}

/// What existed before an export with a snapshot began: its changes are not in the export.
pub(crate) struct Before(Vec<(String, u64)>);

impl Before {
    pub(crate) fn of(container: &Container) -> Self {
        Self(container.changes().iter().map(key).collect())
    }
}

fn key(change: &Served) -> (String, u64) {
    (change.id.clone(), change.lsn)
}

/// Compares an export at `out`, which ended, with the log of `container`: each change since `before` is there once; each
/// row is in the log; and the last row of each document is what it is.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn judge(
    gateway: &Gateway,
    container: &Container,
    out: &Path,
    before: &Before,
) -> Result<(), String> {
    let violations = gateway.violations();
    if !violations.is_empty() {
        return Err(format!("no correct client does this: {violations:?}"));
    }
    let verified = verify(out, &["--strict"]);
    if verified.code != Some(0) {
        return Err(format!("verify: {}{}", verified.stdout, verified.stderr));
    }
    let rows = rows(out);
    let log = container.changes();
    let of_snapshot = |row: &&Row| row.operation == "snapshot";
    changes_are_there_once(rows.iter().filter(|row| !of_snapshot(row)), &log, before)?;
    documents_are_in_the_log(rows.iter().filter(of_snapshot), &log)?;
    is_the_table(last_rows(&rows).into_values(), container)
}

fn changes_are_there_once<'a>(
    rows: impl Iterator<Item = &'a Row>,
    log: &[Served],
    before: &Before,
) -> Result<(), String> {
    let before: BTreeSet<&(String, u64)> = before.0.iter().collect();
    // A transaction can write a document twice.
    let mut expected: BTreeMap<(&str, u64, &str), usize> = BTreeMap::new();
    for change in log.iter().filter(|change| !before.contains(&key(change))) {
        let key = (&*change.id, change.lsn, change.operation.as_str());
        *expected.entry(key).or_default() += 1;
    }
    for row in rows {
        let key = (&*row.id, row.lsn, &*row.operation);
        match expected.get_mut(&key).filter(|left| **left > 0) {
            Some(left) => *left -= 1,
            None => return Err(format!("{key:?} is twice, or is no change since")),
        }
    }
    expected.retain(|_, left| *left > 0);
    match expected.keys().next() {
        Some(first) => Err(format!(
            "{} changes are missing, such as {first:?}",
            expected.len()
        )),
        None => Ok(()),
    }
}

fn documents_are_in_the_log<'a>(
    rows: impl Iterator<Item = &'a Row>,
    log: &[Served],
) -> Result<(), String> {
    let mut known: BTreeMap<(&str, u64), &Served> = BTreeMap::new();
    for change in log.iter().filter(|it| it.operation != Operation::Delete) {
        // The last of a transaction.
        known.insert((&change.id, change.lsn), change);
    }
    for row in rows {
        let Some(change) = known.get(&(&*row.id, row.lsn)) else {
            return Err(format!("{} at LSN {} never was", row.id, row.lsn));
        };
        if row.text.as_ref().is_some_and(|text| *text != change.text) {
            return Err(format!("{} is not as it was sent", row.id));
        }
    }
    Ok(())
}

/// Compares the last rows of all documents with the container as it is.
pub(crate) fn is_the_table<'a>(
    last: impl Iterator<Item = &'a Row>,
    container: &Container,
) -> Result<(), String> {
    let found: BTreeSet<(String, u64)> = last
        .filter(|row| row.operation != "delete")
        .map(|row| (row.id.clone(), row.lsn))
        .collect();
    let expected: BTreeSet<(String, u64)> = container.latest().iter().map(key).collect();
    match found.symmetric_difference(&expected).next() {
        Some(first) => Err(format!(
            "the table has {} documents, the container {}: they differ in {first:?}",
            found.len(),
            expected.len()
        )),
        None => Ok(()),
    }
}
