//! What is wrong with a group.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::assess::{Intervals, Row, State, is_held};
use super::group::Group;
use super::lease::{Dialect, Lease};
use super::purpose::Purpose;
use super::show::short;

/// How far the clock of an instance may differ from the service's, in seconds.
const MAX_CLOCK_DIFFERENCE: i64 = 5;
/// For how long a lock counts, in seconds.
const LOCK_SECONDS: i64 = 30;

/// Something that is wrong, or may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) group: String,
    /// The lease, by its token or its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<String>,
    /// What kind of finding it is.
    pub(crate) kind: &'static str,
    /// Whether changes are lost or repeated for it, or instances fail; otherwise it may pass by itself.
    pub(crate) is_fault: bool,
    pub(crate) text: String,
}

/// Collects findings of one group.
struct Findings<'a> {
    group: &'a Group,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, is_fault: bool, kind: &'static str, lease: Option<&str>, text: String) {
        self.found.push(Finding {
            group: self.group.prefix.name.clone(),
            lease: lease.map(str::to_owned),
            kind,
            is_fault,
            text,
        });
    }

    fn fault(&mut self, kind: &'static str, lease: Option<&str>, text: impl Into<String>) {
        self.add(true, kind, lease, text.into());
    }

    fn warning(&mut self, kind: &'static str, lease: Option<&str>, text: impl Into<String>) {
        self.add(false, kind, lease, text.into());
    }
}

/// What is wrong with a group whose rows are these.
pub(crate) fn check(
    group: &Group,
    rows: &[Row],
    intervals: Intervals,
    now: OffsetDateTime,
) -> Vec<Finding> {
    let mut findings = Findings {
        group,
        found: Vec::new(),
    };
    of_group(&mut findings, intervals, now);
    for row in rows {
        of_row(&mut findings, row);
    }
    for lease in &group.leases {
        of_lease(&mut findings, lease);
    }
    of_clocks(&mut findings);
    findings.found
}

fn of_group(findings: &mut Findings<'_>, intervals: Intervals, now: OffsetDateTime) {
    let group = findings.group;
    if group.place.is_none() {
        findings.fault(
            "recreated",
            None,
            "the container that it reads does not exist any more, or was recreated: its positions mean nothing in \
             another one",
        );
    }
    match (&group.marker, group.leases.is_empty()) {
        (Some(_), true) => findings.fault(
            "no-leases",
            None,
            "it has a marker that its leases were created, and no leases: nobody reads anything, and no instance \
             creates them",
        ),
        (None, false) => findings.warning(
            "no-marker",
            None,
            "it has no marker that its leases were created: the next instance that starts creates missing ones",
        ),
        _ => {}
    }
    if group
        .copy
        .as_ref()
        .is_some_and(|copy| Purpose::of(copy).is_none())
    {
        findings.fault(
            "copy",
            None,
            format!(
                "its document `{}` does not say which copy it feeds: no replay continues it",
                group.prefix.copy()
            ),
        );
    }
    if let Some(written) = group.lock_written() {
        let age = now.unix_timestamp() - written;
        if age > LOCK_SECONDS && group.marker.is_none() {
            findings.fault(
                "lock",
                None,
                format!(
                    "its lock is {} old, which counts for {LOCK_SECONDS}s: instances wait for it, and it does not \
                     go away by itself where the container has no time to live",
                    short(age)
                ),
            );
        }
    }
    let is_any_held = group
        .leases
        .iter()
        .any(|lease| is_held(lease, intervals.expiration, now));
    if !is_any_held && !group.leases.is_empty() && group.place.is_some() {
        let leases = group.leases.len();
        findings.warning(
            "not-running",
            None,
            format!("no instance has any of its {leases} leases: it does not run"),
        );
    }
}

fn of_row(findings: &mut Findings<'_>, row: &Row) {
    let lease = Some(row.token.as_str());
    let is_running = || {
        let kinds = ["not-running", "recreated"];
        !findings
            .found
            .iter()
            .any(|found| kinds.contains(&found.kind))
    };
    let age = || row.age.map_or_else(|| "?".to_owned(), short);
    match row.state {
        State::Missing => {
            // Of a group without leases that is said already.
            if !findings.group.leases.is_empty() {
                findings.fault("missing", lease, "nobody reads this range: it has no lease");
            }
        }
        State::Duplicate => findings.fault(
            "duplicate",
            lease,
            "another lease is for the same range, or a part of it: its changes come twice",
        ),
        State::Orphaned if findings.group.place.is_some() => findings.fault(
            "orphaned",
            lease,
            "its partition does not exist any more, and nobody knows which ranges are left of it",
        ),
        State::Foreign => findings.fault(
            "foreign",
            lease,
            format!(
                "it is no lease of this group: {}; processors fail on it",
                row.note.as_deref().unwrap_or_default()
            ),
        ),
        State::Stuck => findings.warning(
            "stuck",
            lease,
            format!(
                "`{}` has it, and a change has waited for {}",
                row.owner.as_deref().unwrap_or_default(),
                short(i64::try_from(row.figures.waiting.unwrap_or(0)).unwrap_or(i64::MAX)),
            ),
        ),
        State::Expired if is_running() => {
            let text = format!(
                "nobody reads it: `{}` has not renewed it for {}",
                row.owner.as_deref().unwrap_or_default(),
                age()
            );
            findings.warning("expired", lease, text);
        }
        State::Ownerless if is_running() => {
            findings.warning("ownerless", lease, "nobody reads it: no instance has it");
        }
        State::Orphaned | State::Expired | State::Ownerless | State::Held => {}
    }
    if row.state != State::Foreign
        && let Some(note) = &row.note
    {
        findings.fault("unreadable", lease, note.clone());
    }
    let (position, newest) = (row.position, row.figures.newest);
    if let Some((position, newest)) = position.zip(newest)
        && newest < position
        && row.figures.transactions.is_none()
    {
        findings.fault(
            "ahead",
            lease,
            format!(
                "its position is {position}, and its partition is only at {newest}: changes up to there are lost"
            ),
        );
    }
}

fn of_lease(findings: &mut Findings<'_>, lease: &Lease) {
    let token = Some(lease.token.as_str());
    let is_java = matches!(
        lease.form.dialect(),
        Dialect::JavaPartition | Dialect::JavaRange
    );
    if is_java && lease.owner.is_some() && lease.renewed.is_none() {
        findings.fault(
            "no-time",
            token,
            "it has an owner and no time: for Java it never expires, whatever became of its owner",
        );
    }
    let inner = lease.java_state().and_then(|state| state.range());
    if let Some((inner, own)) = inner.zip(lease.own_range.as_ref())
        && inner != *own
    {
        findings.fault(
            "range",
            token,
            format!(
                "its position is for the range {}-{}, which is what Java reads",
                inner.min_inclusive, inner.max_exclusive
            ),
        );
    }
}

/// An owner writes its own time, and the service adds its own.
fn of_clocks(findings: &mut Findings<'_>) {
    let mut differences: BTreeMap<&str, i64> = BTreeMap::new();
    for lease in &findings.group.leases {
        let times = lease.renewed.zip(lease.written);
        let Some((owner, (renewed, written))) = lease.owner.as_deref().zip(times) else {
            continue;
        };
        let difference = renewed.unix_timestamp() - written;
        let known = differences.entry(owner).or_insert(difference);
        // The least that a write took explains.
        if difference.abs() < known.abs() {
            *known = difference;
        }
    }
    for (owner, difference) in differences {
        if difference.abs() > MAX_CLOCK_DIFFERENCE {
            let side = if difference > 0 { "ahead of" } else { "behind" };
            findings.warning(
                "clock",
                None,
                format!(
                    "the clock of `{owner}` is {} {side} the service's: its leases expire too {} for others",
                    short(difference.abs()),
                    if difference > 0 { "late" } else { "early" }
                ),
            );
        }
    }
}
