//! What state each lease of a group is in.

use std::time::Duration;

use time::OffsetDateTime;

use super::group::Group;
use super::lease::{Checkpoint, Lease};
use super::ranges::{comparable, gaps, overlapping, ranges_of, token_of};
use crate::cosmos::partitions::PhysicalPartition;
use crate::feed::FeedRange;
use crate::measure::Figures;

/// The state of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// An instance has it, and renews it.
    Held,
    /// An instance has it, and no longer renews it.
    Expired,
    /// No instance has it.
    Ownerless,
    /// An instance renews it, but a change has waited for too long.
    Stuck,
    /// What it is for does not exist any more.
    Orphaned,
    /// There is no lease for this range.
    Missing,
    /// Another lease is for the same range, or a part of it.
    Duplicate,
    /// It is no lease of this group.
    Foreign,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Expired => "expired",
            Self::Ownerless => "ownerless",
            Self::Stuck => "stuck",
            Self::Orphaned => "orphaned",
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::Foreign => "foreign",
        }
    }
}

/// How long something may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intervals {
    /// After which a lease that is not renewed is free.
    pub(crate) expiration: Duration,
    /// After which a change that waits shows that its lease is stuck.
    pub(crate) stuck_after: Duration,
}

/// A lease, a range without one, or a document that is none.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The token; of a document that is no lease, its id.
    pub(crate) token: String,
    pub(crate) id: Option<String>,
    pub(crate) range: Option<FeedRange>,
    pub(crate) owner: Option<String>,
    /// Seconds since it was renewed.
    pub(crate) age: Option<i64>,
    pub(crate) position: Option<u64>,
    pub(crate) figures: Figures,
    pub(crate) state: State,
    /// What else there is to say.
    pub(crate) note: Option<String>,
}

/// Whether an instance has a lease and renews it.
pub(crate) fn is_held(lease: &Lease, expiration: Duration, now: OffsetDateTime) -> bool {
    let Some(renewed) = lease.renewed_at(now) else {
        return false;
    };
    lease.owner.is_some() && renewed + expiration > now
}

/// Whether an instance has a lease and wrote it lately, by its own clock or by the service's: one whose clock is
/// behind runs although its leases look expired to others.
pub(crate) fn is_alive(lease: &Lease, expiration: Duration, now: OffsetDateTime) -> bool {
    let written = lease.written.map(OffsetDateTime::from_unix_timestamp);
    let is_recent = written
        .and_then(Result::ok)
        .is_some_and(|written| written + expiration > now);
    is_held(lease, expiration, now) || (lease.owner.is_some() && is_recent)
}

/// The rows of a group. `figures` has a lag for each of its leases that was measured; without `partitions` the
/// container does not exist.
pub(crate) fn rows(
    group: &Group,
    partitions: Option<&[PhysicalPartition]>,
    figures: &[Option<Figures>],
    intervals: Intervals,
    now: OffsetDateTime,
) -> Vec<Row> {
    let known = partitions.unwrap_or_default();
    let ranges = ranges_of(&group.leases, known);
    let comparable = comparable(&group.leases, &ranges, known);
    let overlapping = overlapping(&comparable);
    let mut rows = Vec::new();
    for (at, lease) in group.leases.iter().enumerate() {
        let figures = figures.get(at).copied().flatten().unwrap_or_default();
        let is_orphaned = partitions.is_none() || ranges[at].is_none();
        let is_duplicate = overlapping[at] || is_repeated(group, at);
        let state = match simple_state(lease, &figures, intervals, now) {
            _ if is_orphaned => State::Orphaned,
            _ if is_duplicate => State::Duplicate,
            state => state,
        };
        let renewed = lease.renewed_at(now);
        rows.push(Row {
            token: lease.token.clone(),
            id: Some(lease.id.clone()),
            range: ranges[at].clone(),
            owner: lease.owner.clone(),
            age: renewed.map(|renewed| (now - renewed).whole_seconds()),
            position: lease.checkpoint.lsn(),
            figures,
            state,
            note: match &lease.checkpoint {
                Checkpoint::Unreadable(reason) => Some(reason.clone()),
                Checkpoint::Unset | Checkpoint::At(_) => None,
            },
        });
    }
    if partitions.is_some() && (group.marker.is_some() || !group.leases.is_empty()) {
        rows.extend(gaps(ranges.into_iter().flatten()).into_iter().map(missing));
    }
    rows.sort_by(|a, b| a.range.cmp(&b.range));
    let foreign = group.foreign.iter().map(|foreign| Row {
        token: foreign.id.clone(),
        id: Some(foreign.id.clone()),
        state: State::Foreign,
        note: Some(foreign.reason.clone()),
        ..missing(FeedRange::full())
    });
    rows.extend(foreign.map(|row| Row { range: None, ..row }));
    rows
}

fn missing(range: FeedRange) -> Row {
    Row {
        token: token_of(&range),
        id: None,
        range: Some(range),
        owner: None,
        age: None,
        position: None,
        figures: Figures::default(),
        state: State::Missing,
        note: None,
    }
}

/// Whether another lease has the same token.
fn is_repeated(group: &Group, at: usize) -> bool {
    let token = &group.leases[at].token;
    let mut same = group.leases.iter().filter(|lease| lease.token == *token);
    same.nth(1).is_some()
}

fn simple_state(
    lease: &Lease,
    figures: &Figures,
    intervals: Intervals,
    now: OffsetDateTime,
) -> State {
    if lease.owner.is_none() {
        return State::Ownerless;
    }
    if !is_held(lease, intervals.expiration, now) {
        return State::Expired;
    }
    let waits = figures.transactions != Some(0)
        && figures
            .waiting
            .is_some_and(|waiting| waiting >= intervals.stuck_after.as_secs());
    // Where one without a position starts is not known, and so not what waits for it.
    if waits && lease.checkpoint.etag().is_some() {
        State::Stuck
    } else {
        State::Held
    }
}
