//! Prints the lag, as a table or as JSON.

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::figures::{Figures, Lag};
use super::watched::Watched;
use crate::clock;
use crate::process;
use crate::report::{Align, Report, Table, TableFormat};
use crate::settings::LagPlan;

/// The lag as an object.
#[derive(Debug, Serialize)]
struct Object<'a> {
    /// When it was measured, by this machine's clock.
    #[serde(with = "time::serde::rfc3339")]
    time: OffsetDateTime,
    database: &'a str,
    container: &'a str,
    #[serde(flatten)]
    all: Numbers,
    /// How long it takes to catch up at the rate of the last minutes; none if it is not known, or does not.
    seconds_left: Option<u64>,
    /// Request units charged for measuring.
    request_charge: f64,
    ranges: Vec<RangeObject<'a>>,
}

/// The lag of a range.
#[derive(Debug, Serialize)]
struct RangeObject<'a> {
    range: u32,
    /// The lease that is for it, by its token; of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<&'a str>,
    /// The LSN up to which the job has committed; none before its first page.
    position: Option<u64>,
    /// The highest LSN that its partition is known to be at; none if there are several.
    newest: Option<u64>,
    #[serde(flatten)]
    numbers: Numbers,
}

#[derive(Debug, Serialize)]
struct Numbers {
    /// Transactions; none if the service names no LSN.
    transactions: Option<u64>,
    /// Whether they may be fewer.
    at_most: bool,
    /// An estimate of the changes in the feed.
    estimated_documents: Option<u64>,
    /// How long ago the oldest change was made that is not committed.
    seconds: Option<u64>,
}

impl From<&Figures> for Numbers {
    fn from(figures: &Figures) -> Self {
        Self {
            transactions: figures.transactions,
            at_most: figures.at_most,
            estimated_documents: figures.documents,
            seconds: figures.waiting,
        }
    }
}

pub(super) fn print(watched: &Watched, lag: &Lag, plan: &LagPlan, report: &Report) -> Result<()> {
    match plan.format {
        TableFormat::Json => {
            let ranges = lag.ranges.iter().map(|range| RangeObject {
                range: range.range.0,
                lease: watched.name_of(range.range),
                position: range.position,
                newest: range.figures.newest,
                numbers: Numbers::from(&range.figures),
            });
            let object = Object {
                time: clock::now(),
                database: &watched.source.database,
                container: &watched.source.container,
                all: Numbers::from(&lag.all),
                seconds_left: lag.seconds_left,
                request_charge: lag.request_charge,
                ranges: ranges.collect(),
            };
            // Watched, each is a line.
            report.print_json(&object, plan.watch.is_none())
        }
        TableFormat::Table => {
            let mut table = table_of(watched, lag);
            if !watched.names.is_empty() {
                table.cut(
                    process::columns_of_standard_output().unwrap_or(DEFAULT_WIDTH),
                    &[0],
                );
            }
            report.print_table(&table)?;
            if plan.watch.is_some() {
                report.print_data(&left(lag))?;
            }
            Ok(())
        }
    }
}

/// The width of the table if standard output is no terminal.
const DEFAULT_WIDTH: usize = 80;

fn table_of(watched: &Watched, lag: &Lag) -> Table<6> {
    let first = if watched.names.is_empty() {
        ("RANGE", Align::Right)
    } else {
        ("LEASE", Align::Left)
    };
    let mut table = Table::new([
        first,
        ("POSITION", Align::Right),
        ("NEWEST", Align::Right),
        ("TRANSACTIONS", Align::Right),
        ("DOCUMENTS", Align::Right),
        ("WAITING", Align::Right),
    ]);
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let mut push = |name: String, position: Option<u64>, figures: &Figures| {
        let [transactions, documents, waiting] = cells(figures);
        table.push([
            name,
            number(position),
            number(figures.newest),
            transactions,
            documents,
            waiting,
        ]);
    };
    for range in &lag.ranges {
        let name = watched.name_of(range.range).map(ToOwned::to_owned);
        let name = name.unwrap_or_else(|| range.range.to_string());
        push(name, range.position, &range.figures);
    }
    if lag.ranges.len() > 1 {
        push("all".to_owned(), None, &lag.all);
    }
    table
}

fn cells(figures: &Figures) -> [String; 3] {
    const UNKNOWN: &str = "?";
    let mark = if figures.at_most { "≤" } else { "" };
    [
        figures
            .transactions
            .map_or_else(|| UNKNOWN.to_owned(), |count| format!("{mark}{count}")),
        figures.documents.map_or_else(
            || UNKNOWN.to_owned(),
            |count| match count {
                0 => "0".to_owned(),
                more => format!("~{more}"),
            },
        ),
        figures.waiting.map_or_else(|| UNKNOWN.to_owned(), duration),
    ]
}

fn duration(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

/// What a watched table ends with.
fn left(lag: &Lag) -> String {
    let time = clock::now().time();
    let (hour, minute, second) = time.as_hms();
    let left = match (lag.all.transactions, lag.seconds_left) {
        (Some(0), _) => "caught up".to_owned(),
        (_, Some(seconds)) => format!("{} left at the present rate", duration(seconds)),
        (_, None) => "not catching up at the present rate".to_owned(),
    };
    format!("{hour:02}:{minute:02}:{second:02} UTC: {left}\n\n")
}

#[cfg(test)]
mod tests {
    use super::super::figures::RangeLag;
    use super::*;
    use crate::feed::{ContainerAddress, FeedMode, RangeId};

    fn watched(names: Vec<String>) -> Watched {
        let source = ContainerAddress {
            endpoint: String::new(),
            database: String::new(),
            container: String::new(),
            container_rid: String::new(),
        };
        Watched::of_others(source, FeedMode::LatestVersion, Vec::new(), names)
    }

    #[test]
    fn the_table_marks_what_is_not_exact() {
        let figures = |transactions, at_most, documents, waiting, newest| Figures {
            transactions,
            at_most,
            documents,
            waiting,
            newest,
        };
        let lag = Lag {
            ranges: vec![
                RangeLag {
                    range: RangeId(0),
                    position: Some(120),
                    figures: figures(Some(12), false, Some(30), Some(95), Some(132)),
                },
                RangeLag {
                    range: RangeId(3),
                    position: None,
                    figures: figures(Some(4), true, Some(4), Some(1), Some(9)),
                },
                RangeLag {
                    range: RangeId(4),
                    position: Some(8),
                    figures: figures(None, false, None, None, None),
                },
            ],
            all: figures(None, true, None, None, None),
            seconds_left: None,
            request_charge: 3.0,
        };
        assert_eq!(
            table_of(&watched(Vec::new()), &lag).render(),
            "RANGE  POSITION  NEWEST  TRANSACTIONS  DOCUMENTS  WAITING\n    \
             0       120     132            12        ~30   1m 35s\n    \
             3         -       9            ≤4         ~4       1s\n    \
             4         8       -             ?          ?        ?\n  \
             all         -       -             ?          ?        ?\n"
        );
    }
}
