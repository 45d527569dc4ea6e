//! The `ranges` subcommand: the feed ranges of a container, for people and for scripts.

use std::sync::Arc;

use anyhow::Result;
use azure_data_cosmos_driver::models::PartitionKeyVersion;
use serde::Serialize;

use super::account::{Account, connect_retries};
use crate::cosmos::partitions::PhysicalPartition;
use crate::error::ExitCode;
use crate::process;
use crate::report::{Align, Report, Table, TableFormat};
use crate::settings::{Given, table};

/// One row of the list.
#[derive(Debug, Serialize)]
struct Row {
    /// The number of the range, in the order of the hash space.
    range: usize,
    /// The lower bound, inclusive.
    min_inclusive: String,
    /// The upper bound, exclusive.
    max_exclusive: String,
    /// The range's share of the hash space, between 0 and 1, if the bounds show it.
    share: Option<f64>,
    /// The id of the partition key range.
    partition_key_range_id: String,
    /// The SDK's portable form of the bounds.
    feed_range: String,
}

/// The width of the table if standard output is no terminal.
const DEFAULT_WIDTH: usize = 80;

/// Prints the feed ranges of the container.
pub(super) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let connected = account
        .connect(account.plan()?, connect_retries()?, report)
        .await?;
    let client = connected.client;
    let partitions = client.list_partitions(true).await?;
    // Hashes of version 2 leave the two highest bits unused. The encoding of version 1 does not show
    // shares.
    let space_end = match client.partition_key_definition().version() {
        PartitionKeyVersion::V2 => Some(0x40),
        _ => None,
    };
    let rows = rows(partitions, space_end);
    match given.get(&table::TABLE_FORMAT)? {
        TableFormat::Json => report.print_json(&rows, true)?,
        TableFormat::Table if given.is_on(&table::RANGES_WIDE) => {
            report.print_table(&wide_table_of(&rows))?;
        }
        TableFormat::Table => {
            let width = process::columns_of_standard_output().unwrap_or(DEFAULT_WIDTH);
            report.print_table(&table_of(&rows, width))?;
        }
    }
    Ok(ExitCode::Done)
}

fn rows(partitions: Vec<PhysicalPartition>, space_end: Option<u8>) -> Vec<Row> {
    partitions
        .into_iter()
        .enumerate()
        .map(|(range, partition)| Row {
            range,
            share: space_end.map(|end| partition.range.share(end)),
            min_inclusive: partition.range.min_inclusive,
            max_exclusive: partition.range.max_exclusive,
            partition_key_range_id: partition.id,
            feed_range: partition.portable,
        })
        .collect()
}

/// The columns that both tables have.
const COLUMNS: [(&str, Align); 5] = [
    ("RANGE", Align::Right),
    ("MIN", Align::Left),
    ("MAX", Align::Left),
    ("SHARE", Align::Right),
    ("ID", Align::Right),
];

/// Those of them that are cut: the bounds. What differs in neighbours is at their ends.
const CUT: [usize; 2] = [1, 2];

impl Row {
    fn cells(&self) -> [String; 5] {
        let bound = |bound: &str| {
            if bound.is_empty() {
                "-".to_owned()
            } else {
                bound.to_owned()
            }
        };
        [
            self.range.to_string(),
            bound(&self.min_inclusive),
            bound(&self.max_exclusive),
            self.share
                .map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", share * 100.0)),
            self.partition_key_range_id.clone(),
        ]
    }
}

/// A table of at most `width` columns.
fn table_of(rows: &[Row], width: usize) -> Table<5> {
    let mut table = Table::new(COLUMNS);
    for row in rows {
        table.push(row.cells());
    }
    table.cut(width, &CUT);
    table
}

/// The whole bounds, and the portable form of each range.
fn wide_table_of(rows: &[Row]) -> Table<6> {
    let [range, min, max, share, id] = COLUMNS;
    let mut table = Table::new([range, min, max, share, id, ("FEED RANGE", Align::Left)]);
    for row in rows {
        let [range, min, max, share, id] = row.cells();
        table.push([range, min, max, share, id, row.feed_range.clone()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::FeedRange;

    #[test]
    fn the_table_has_a_line_for_each_range() {
        let partition = |id: &str, min: &str, max: &str| PhysicalPartition {
            id: id.into(),
            range: FeedRange::new(min, max).unwrap(),
            portable: format!("token-{id}"),
            parents: Vec::new(),
        };
        let rows = rows(
            vec![
                partition("3", "", "1FFFFFFF"),
                partition("4", "1FFFFFFF", "FF"),
            ],
            Some(0x40),
        );
        assert_eq!(
            wide_table_of(&rows).render(),
            "RANGE  MIN       MAX       SHARE  ID  FEED RANGE\n    \
             0  -         1FFFFFFF  50.0%   3  token-3\n    \
             1  1FFFFFFF  FF        50.0%   4  token-4\n"
        );
        assert_eq!(
            table_of(&rows, 34).render(),
            "RANGE  MIN      MAX      SHARE  ID\n    \
             0  -        1FF…FFF  50.0%   3\n    \
             1  1FF…FFF  FF       50.0%   4\n"
        );
    }
}
