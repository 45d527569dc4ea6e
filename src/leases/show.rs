//! Prints the leases of groups, as a table or as JSON.

use serde::Serialize;
use time::OffsetDateTime;

use super::assess::{Row, State};
use super::group::Group;
use super::purpose::{Feeds, FilesPlace, Purpose};
use crate::feed::{ContainerAddress, FeedMode, FeedRange};
use crate::measure::Figures;
use crate::report::{Align, Table};

/// A group with what is known of it.
#[derive(Debug)]
pub(crate) struct Assessed<'a> {
    pub(crate) group: &'a Group,
    pub(crate) rows: Vec<Row>,
    pub(crate) all: Figures,
}

/// A list as an object.
#[derive(Debug, Serialize)]
pub(crate) struct List<'a> {
    /// When it was made, by this machine's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) time: OffsetDateTime,
    /// The lease container.
    pub(crate) leases: String,
    pub(crate) groups: Vec<GroupObject<'a>>,
    /// Request units charged for it.
    pub(crate) request_charge: f64,
}

/// A group as an object.
#[derive(Debug, Serialize)]
pub(crate) struct GroupObject<'a> {
    group: &'a str,
    /// What the ids of its documents begin with.
    prefix: &'a str,
    /// The container that it reads, if that exists.
    database: Option<&'a str>,
    container: Option<&'a str>,
    /// Which processors understand it, if it has leases.
    format: Option<&'static str>,
    mode: &'static str,
    /// Whether its leases have been created.
    is_initialized: bool,
    /// The container that a replay keeps up to date by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    feeds: Option<ContainerAddress>,
    /// The place in an object store that instances write by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<FilesPlace>,
    #[serde(flatten)]
    lag: Numbers,
    leases: Vec<LeaseObject<'a>>,
}

#[derive(Debug, Serialize)]
struct LeaseObject<'a> {
    lease: &'a str,
    id: Option<&'a str>,
    range: Option<&'a FeedRange>,
    owner: Option<&'a str>,
    age_seconds: Option<i64>,
    position: Option<u64>,
    #[serde(flatten)]
    lag: Numbers,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Numbers {
    transactions: Option<u64>,
    at_most: bool,
    seconds: Option<u64>,
}

impl From<&Figures> for Numbers {
    fn from(figures: &Figures) -> Self {
        Self {
            transactions: figures.transactions,
            at_most: figures.at_most,
            seconds: figures.waiting,
        }
    }
}

impl<'a> From<&'a Assessed<'a>> for GroupObject<'a> {
    fn from(assessed: &'a Assessed<'a>) -> Self {
        let group = assessed.group;
        let leases = assessed.rows.iter().map(|row| LeaseObject {
            lease: &row.token,
            id: row.id.as_deref(),
            range: row.range.as_ref(),
            owner: row.owner.as_deref(),
            age_seconds: row.age,
            position: row.position,
            lag: Numbers::from(&row.figures),
            state: row.state.name(),
            note: row.note.as_deref(),
        });
        let purpose = group.copy.as_ref().and_then(Purpose::of);
        let (feeds, files) = match purpose.map(|purpose| purpose.feeds) {
            Some(Feeds::Copy(container)) => (Some(container), None),
            Some(Feeds::Files(place)) => (None, Some(place)),
            None => (None, None),
        };
        Self {
            group: &group.prefix.name,
            prefix: &group.prefix.text,
            database: group.place.as_ref().map(|place| place.database.as_str()),
            container: group.place.as_ref().map(|place| place.container.as_str()),
            format: group.dialect().map(super::lease::Dialect::name),
            mode: mode_name(group.mode()),
            is_initialized: group.marker.is_some(),
            feeds,
            files,
            lag: Numbers::from(&assessed.all),
            leases: leases.collect(),
        }
    }
}

fn mode_name(mode: FeedMode) -> &'static str {
    match mode {
        FeedMode::LatestVersion => "latest",
        FeedMode::AllVersionsAndDeletes => "all",
    }
}

/// The columns that are cut: the group, the lease, the owner.
const CUT: [usize; 3] = [0, 1, 2];

/// The leases of all groups in a table of at most `width` columns.
pub(crate) fn table_of(groups: &[Assessed<'_>], width: usize) -> Table<8> {
    let mut table = Table::new([
        ("GROUP", Align::Left),
        ("LEASE", Align::Left),
        ("OWNER", Align::Left),
        ("AGE", Align::Right),
        ("POSITION", Align::Right),
        ("BEHIND", Align::Right),
        ("WAITING", Align::Right),
        ("STATE", Align::Left),
    ]);
    let dash = || "-".to_owned();
    for assessed in groups {
        for row in &assessed.rows {
            let [behind, waiting] = match row.state {
                State::Missing | State::Foreign | State::Orphaned => [dash(), dash()],
                _ => cells(&row.figures),
            };
            table.push([
                shown_name(assessed.group, groups),
                row.token.clone(),
                row.owner.clone().unwrap_or_else(dash),
                row.age.map_or_else(dash, short),
                row.position.map_or_else(dash, |lsn| lsn.to_string()),
                behind,
                waiting,
                row.state.name().to_owned(),
            ]);
        }
    }
    table.cut(width, &CUT);
    table
}

/// The name of a group. If another one has the same, the container that it reads is added.
pub(crate) fn shown_name(group: &Group, groups: &[Assessed<'_>]) -> String {
    let name = &group.prefix.name;
    let named = |other: &&Assessed<'_>| other.group.prefix.name == *name;
    let is_alone = groups.iter().filter(named).nth(1).is_none();
    match &group.place {
        Some(place) if !is_alone => {
            format!("{name} ({}/{})", place.database, place.container)
        }
        None if !is_alone => group.prefix.text.clone(),
        _ if name.is_empty() => "\"\"".to_owned(),
        _ => name.clone(),
    }
}

fn cells(figures: &Figures) -> [String; 2] {
    let unknown = || "?".to_owned();
    let mark = if figures.at_most { "≤" } else { "" };
    [
        figures
            .transactions
            .map_or_else(unknown, |count| format!("{mark}{count}")),
        figures.waiting.map_or_else(unknown, |seconds| {
            short(i64::try_from(seconds).unwrap_or(i64::MAX))
        }),
    ]
}

/// A time in seconds, in few columns.
pub(crate) fn short(seconds: i64) -> String {
    let size = seconds.unsigned_abs();
    let sign = if seconds < 0 { "-" } else { "" };
    match size {
        0..120 => format!("{sign}{size}s"),
        120..7_200 => format!("{sign}{}m", size / 60),
        7_200..172_800 => format!("{sign}{}h", size / 3_600),
        _ => format!("{sign}{}d", size / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_few_columns() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7_199, "119m"),
            (7_200, "2h"),
            (172_799, "47h"),
            (200_000, "2d"),
            (-130, "-2m"),
        ] {
            assert_eq!(short(seconds), text);
        }
    }
}
