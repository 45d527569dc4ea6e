//! The directories of a table that is partitioned by time, as Hive, Spark and DuckDB name them:
//! `dt=2026-11-27/`, or `dt=2026-11-27/hour=18/`.
//!
//! A part belongs to the day or the hour, in UTC and by the clock of this machine, in which it was begun. It is sealed
//! when that has passed, so a part never reaches into the next one. The clock decides nothing but the directory: what is
//! committed and where a range continues do not depend on it.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use time::{Date, Month, OffsetDateTime};

use crate::clock;

/// What one directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionBy {
    /// The files that were begun on one day.
    Day,
    /// The files that were begun in one hour.
    Hour,
}

impl PartitionBy {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    /// The partition of a part that is begun now.
    pub fn now(self) -> Partition {
        Partition::at(self, clock::now())
    }
}

/// A directory of a partitioned table. As text it has no `/` at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    date: Date,
    hour: Option<u8>,
}

impl Partition {
    /// That of a part that is begun at `moment`.
    fn at(by: PartitionBy, moment: OffsetDateTime) -> Self {
        let moment = moment.to_offset(time::UtcOffset::UTC);
        Self {
            date: moment.date(),
            hour: match by {
                PartitionBy::Day => None,
                PartitionBy::Hour => Some(moment.hour()),
            },
        }
    }

    /// The partition with this name; none if it is not exactly the name of one.
    pub fn parse(text: &str) -> Option<Self> {
        let (day, hour) = match text.split_once('/') {
            Some((day, hour)) => (day, Some(hour.strip_prefix("hour=")?.parse().ok()?)),
            None => (text, None),
        };
        let mut numbers = day.strip_prefix("dt=")?.splitn(3, '-');
        let year = numbers.next()?.parse().ok()?;
        let month = Month::try_from(numbers.next()?.parse::<u8>().ok()?).ok()?;
        let date = Date::from_calendar_date(year, month, numbers.next()?.parse().ok()?).ok()?;
        let partition = Self { date, hour };
        (hour.is_none_or(|hour| hour < 24) && partition.to_string() == text).then_some(partition)
    }

    /// What its files have in common.
    pub fn by(self) -> PartitionBy {
        match self.hour {
            None => PartitionBy::Day,
            Some(_) => PartitionBy::Hour,
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date.to_calendar_date();
        write!(f, "dt={year:04}-{:02}-{day:02}", u8::from(month))?;
        match self.hour {
            None => Ok(()),
            Some(hour) => write!(f, "/hour={hour:02}"),
        }
    }
}

/// The name of a file in a table, apart: its partition, if it is in the directory of one, and the rest.
pub fn split_name(name: &str) -> (Option<Partition>, &str) {
    let apart = name.rsplit_once('/');
    let apart = apart.and_then(|(directory, file)| Some((Partition::parse(directory)?, file)));
    match apart {
        Some((partition, file)) => (Some(partition), file),
        None => (None, name),
    }
}

/// The tables that the file `path` may be in, with its name there: that of its directory, and that above, if its directory
/// is named as a partition is.
pub fn tables_of(path: &Path) -> Vec<(&Path, String)> {
    let name = |table: &Path| {
        let below = path.strip_prefix(table).ok()?;
        let names: Option<Vec<&str>> = below.iter().map(std::ffi::OsStr::to_str).collect();
        Some(names?.join("/"))
    };
    let above = path.ancestors().skip(1).take(3).enumerate();
    let tables = above.filter_map(|(depth, table)| {
        let name = name(table)?;
        let is_there = depth == 0 || split_name(&name).0.is_some();
        // A path of one name is in the working directory.
        let table = match table.as_os_str().is_empty() {
            true => Path::new("."),
            false => table,
        };
        is_there.then_some((table, name))
    });
    tables.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_of_a_day_or_an_hour_in_utc() {
        let moment = time::macros::datetime!(2026-11-27 23:30 -5);
        let of = |by| Partition::at(by, moment).to_string();
        assert_eq!(of(PartitionBy::Day), "dt=2026-11-28");
        assert_eq!(of(PartitionBy::Hour), "dt=2026-11-28/hour=04");
        for text in ["dt=2026-11-28", "dt=2026-11-28/hour=04", "dt=2028-02-29"] {
            assert_eq!(Partition::parse(text).unwrap().to_string(), text);
        }
        for other in [
            "",
            "dt=",
            "dt=2026-11-31",
            "dt=2026-1-01",
            "dt=+2026-11-01",
            "dt=2026-11-28/",
            "dt=2026-11-28/hour=4",
            "dt=2026-11-28/hour=24",
            "dt=2026-11-28/hour=04/",
            "DT=2026-11-28",
            "../dt=2026-11-28",
            "dt=2026-11-28/../x",
        ] {
            assert_eq!(Partition::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_may_be_in_a_partition_or_in_a_table_with_such_a_name() {
        let tables = |path| {
            let found = tables_of(Path::new(path));
            let found = found.into_iter();
            let found = found.map(|(table, name)| (table.display().to_string(), name));
            found.collect::<Vec<_>>()
        };
        let of = |table: &str, name: &str| (table.to_owned(), name.to_owned());
        assert_eq!(tables("a/b.csv"), [of("a", "b.csv")]);
        assert_eq!(
            tables("a/dt=2026-11-28/b.csv"),
            [
                of("a/dt=2026-11-28", "b.csv"),
                of("a", "dt=2026-11-28/b.csv")
            ]
        );
        assert_eq!(
            tables("a/dt=2026-11-28/hour=04/b.csv"),
            [
                of("a/dt=2026-11-28/hour=04", "b.csv"),
                of("a", "dt=2026-11-28/hour=04/b.csv")
            ]
        );
    }
}
