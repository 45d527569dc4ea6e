//! The rows of the list, and how they are printed.

use anyhow::Result;
use serde::Serialize;

use crate::cosmos::offers::ThroughputSetting;
use crate::report::{Align, Report, Table, TableFormat};
use crate::settings::{Given, table};

/// Databases whose containers are listed at the same time.
pub(super) const DATABASES_AT_ONCE: usize = 8;
/// Containers whose ranges are counted at the same time.
pub(super) const CONTAINERS_AT_ONCE: usize = 16;

/// One row of the list: a container, or a database without any.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Name of the database.
    pub(super) database: String,
    /// Name of the container.
    pub(super) container: Option<String>,
    /// The paths of its partition key.
    pub(super) partition_key: Vec<String>,
    /// The number of its feed ranges, if it could be read.
    pub(super) ranges: Option<usize>,
    /// Its throughput.
    pub(super) throughput: ThroughputSetting,
}

/// What was typed.
pub(super) struct Wanted {
    pub(super) database: Option<String>,
    pub(super) container: Option<String>,
}

/// Prints the rows, and says if there are none in `place`.
pub(super) fn print(
    given: &Given,
    rows: &[Row],
    wanted: &Wanted,
    place: &str,
    report: &Report,
) -> Result<()> {
    print_rows(given, rows, report)?;
    if rows.is_empty() {
        report.notice(&match &wanted.database {
            Some(database) => format!("the database `{database}` has no containers"),
            None => format!("{place} has no databases"),
        });
    }
    Ok(())
}

pub(super) fn print_rows(given: &Given, rows: &[Row], report: &Report) -> Result<()> {
    match given.get(&table::TABLE_FORMAT)? {
        TableFormat::Json => report.print_json(&rows, true),
        TableFormat::Table if rows.is_empty() => Ok(()),
        TableFormat::Table => report.print_table(&table_of(rows)),
    }
}

fn table_of(rows: &[Row]) -> Table<5> {
    let mut table = Table::new([
        ("DATABASE", Align::Left),
        ("CONTAINER", Align::Left),
        ("PARTITION KEY", Align::Left),
        ("RANGES", Align::Right),
        ("THROUGHPUT", Align::Left),
    ]);
    let or_dash = |text: String| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text
        }
    };
    for row in rows {
        table.push([
            row.database.clone(),
            or_dash(row.container.clone().unwrap_or_default()),
            or_dash(row.partition_key.join(", ")),
            row.ranges
                .map_or_else(|| "-".to_owned(), |ranges| ranges.to_string()),
            row.throughput.text(),
        ]);
    }
    table
}
