//! The span of the feed that each file holds. No two spans may overlap, and together they must cover the
//! container.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

use crate::cosmos::position::ensure_of;
use crate::cosmos::token::segments;
use crate::feed::RangeState;
use crate::feed::{FeedRange, RangeId, ensure_tiling, lsn_of_etag};
use crate::state::model::State;

/// A part, as the manifest or the state describes it.
pub(super) struct Part<'a> {
    pub(super) name: String,
    pub(super) series: u32,
    pub(super) part: u32,
    pub(super) rows: u64,
    pub(super) start: &'a [RangeState],
    /// None while it is open.
    pub(super) end: Option<&'a [RangeState]>,
}

/// Returns the faults in the spans of `parts`, which are in the order of their series and numbers: the name
/// of the file, and the fault.
pub(super) fn check(state: &State, parts: &[Part<'_>]) -> Vec<(String, String)> {
    let mut check = Check {
        state,
        seen: BTreeMap::new(),
        wrong: Vec::new(),
    };
    check.numbers(parts);
    for part in parts {
        check.part(part);
    }
    for range in &state.ranges {
        check.observe(range, "the state");
    }
    check.tree();
    check.wrong
}

/// The last position of a range.
struct LastSeen<'a> {
    state: &'a RangeState,
    /// The file that has it.
    by: String,
}

struct Check<'a> {
    state: &'a State,
    seen: BTreeMap<RangeId, LastSeen<'a>>,
    wrong: Vec<(String, String)>,
}

impl<'a> Check<'a> {
    /// Notes a fault, once: the start and the end of a part can have the same one.
    fn wrong(&mut self, file: &str, what: impl Into<String>) {
        let fault = (file.to_owned(), what.into());
        if !self.wrong.contains(&fault) {
            self.wrong.push(fault);
        }
    }

    /// The parts of a series are numbered from 1, without gaps.
    fn numbers(&mut self, parts: &[Part<'_>]) {
        let mut next: BTreeMap<u32, u32> = BTreeMap::new();
        for part in parts {
            let wanted = next.entry(part.series).or_insert(1);
            if part.part != *wanted {
                let what = if part.part < *wanted {
                    "is listed twice".to_owned()
                } else {
                    format!(
                        "follows part {} of its series: the parts between are not listed",
                        *wanted - 1
                    )
                };
                self.wrong.push((part.name.clone(), what));
            }
            *wanted = part.part.saturating_add(1);
        }
        for series in &self.state.series {
            let wanted = next.get(&series.id).copied().unwrap_or(1);
            if series.next_part != wanted {
                self.wrong.push((
                    "the state".to_owned(),
                    format!(
                        "continues with part {} of series {}, but part {wanted} would be next",
                        series.next_part, series.id
                    ),
                ));
            }
        }
    }

    fn part(&mut self, part: &Part<'a>) {
        for (which, ranges) in [("start", Some(part.start)), ("end", part.end)] {
            let Some(ranges) = ranges else { continue };
            if let Err(error) = self.belongs(part.series, ranges) {
                self.wrong(&part.name, format!("its {which}: {error:#}"));
            }
            for range in ranges {
                self.observe(range, &part.name);
            }
        }
        if let Some(end) = part.end
            && part.rows > 0
            && end == part.start
        {
            self.wrong(&part.name, "has rows, but its span of the feed is empty");
        }
    }

    /// Checks that `ranges` are those that the series is written from.
    fn belongs(&self, series: u32, ranges: &[RangeState]) -> Result<()> {
        if self.state.options.output.has_series_of_ranges() {
            ensure!(
                ranges.len() == 1 && ranges[0].id.0 == series,
                "it is not of range {series} only"
            );
            return Ok(());
        }
        self.ensure_tiled(ranges.iter().map(|range| (range.snapshot, &range.range)))
    }

    /// Checks that ranges tile the scope of the export, and those of a snapshot too. Of each there is whether it is of
    /// the snapshot.
    fn ensure_tiled<'r>(
        &self,
        ranges: impl Iterator<Item = (bool, &'r FeedRange)> + Clone,
    ) -> Result<()> {
        let options = &self.state.options;
        let lane = |snapshot: bool| {
            let own = ranges
                .clone()
                .filter(move |(is_of_it, _)| *is_of_it == snapshot);
            own.map(|(_, range)| range)
        };
        options.scope.ensure_tiled_by(lane(false))?;
        if options.snapshot {
            let tiled = options.scope.ensure_tiled_by(lane(true));
            return tiled.context("the ranges of the snapshot");
        }
        ensure!(
            lane(true).next().is_none(),
            "it is of a snapshot, but the export has none"
        );
        Ok(())
    }

    /// Takes note of the position of a range, which must not be before an earlier position of it or of a
    /// parent.
    fn observe(&mut self, range: &'a RangeState, by: &str) {
        if let Err(error) = self.fits(range) {
            self.wrong(by, format!("the position of range {}: {error:#}", range.id));
        }
        if range.parents.iter().any(|parent| *parent >= range.id) {
            let id = range.id;
            self.wrong(
                by,
                format!("range {id} has a parent with the same or a later number"),
            );
            return;
        }
        let known = std::iter::once(&range.id).chain(range.parents.iter().rev());
        let before = known.filter_map(|id| self.seen.get(id)).next();
        if let Some(before) = before {
            let id = range.id;
            let is_same = before.state.id == id;
            let what = if is_same
                && (
                    &before.state.range,
                    &before.state.parents,
                    before.state.snapshot,
                ) != (&range.range, &range.parents, range.snapshot)
            {
                Some(format!(
                    "range {id} differs from range {id} in `{}`",
                    before.by
                ))
            } else {
                goes_back(before.state, range).map(|(before_lsn, after)| {
                    format!(
                        "range {id} is at {after}, before LSN {before_lsn}, which it had reached in \
                         `{}`: the changes between are in both",
                        before.by
                    )
                })
            };
            if let Some(what) = what {
                self.wrong(by, what);
            }
        }
        self.seen.insert(
            range.id,
            LastSeen {
                state: range,
                by: by.to_owned(),
            },
        );
    }

    /// Checks that the position of a range is for this container and this range.
    fn fits(&self, range: &RangeState) -> Result<()> {
        FeedRange::new(&range.range.min_inclusive, &range.range.max_exclusive)?;
        let Some(position) = &range.position else {
            return Ok(());
        };
        let rid = &self.state.source.container_rid;
        ensure_of(&position.token, rid, &range.range)
    }

    /// The children of every replaced range must cover it, and the ranges without a parent must cover the scope
    /// of the export.
    fn tree(&mut self) {
        // From the last number on: children have higher numbers than their parents.
        let mut children: BTreeMap<RangeId, BTreeSet<RangeId>> = BTreeMap::new();
        let mut roots = BTreeMap::new();
        for seen in self.seen.values() {
            let line = [seen.state.parents.as_slice(), &[seen.state.id]].concat();
            // Children are of the same lane as their parents.
            roots.extend(line.first().map(|root| (*root, seen.state.snapshot)));
            for id in &line {
                children.entry(*id).or_default();
            }
            for pair in line.windows(2) {
                children.entry(pair[0]).or_default().insert(pair[1]);
            }
        }
        let read: BTreeSet<RangeId> = self.state.ranges.iter().map(|range| range.id).collect();
        let mut bounds: BTreeMap<RangeId, FeedRange> = BTreeMap::new();
        for (id, children) in children.into_iter().rev() {
            let parts: Vec<FeedRange> = children
                .iter()
                .filter_map(|child| bounds.get(child).cloned())
                .collect();
            let own = self.seen.get(&id).map(|seen| seen.state.range.clone());
            if parts.is_empty() {
                if !read.contains(&id) {
                    self.wrong(
                        "the state",
                        format!("range {id} is no longer read, but no range replaced it"),
                    );
                }
                bounds.extend(own.map(|own| (id, own)));
                continue;
            }
            // Only the number of a range without files is known.
            let Some(whole) = own.or_else(|| around(&parts)) else {
                continue;
            };
            if let Err(error) = ensure_tiling(&whole, &parts) {
                self.wrong(
                    "the state",
                    format!("the children of range {id}: {error:#}"),
                );
            }
            bounds.insert(id, whole);
        }
        let roots = roots
            .iter()
            .filter_map(|(root, snapshot)| Some((*snapshot, bounds.get(root)?)));
        let tiled = self.ensure_tiled(roots);
        if let Err(error) = tiled {
            self.wrong("the state", format!("the initial ranges: {error:#}"));
        }
    }
}

/// The smallest range that contains all of `parts`.
fn around(parts: &[FeedRange]) -> Option<FeedRange> {
    let min = parts.iter().map(|part| &part.min_inclusive).min()?;
    let max = parts.iter().map(|part| &part.max_exclusive).max()?;
    FeedRange::new(min, max).ok()
}

/// The two LSNs if `after` is before `before` in the feed. Positions are compared part by part: while a
/// range is being split, its parts have different positions.
fn goes_back(before: &RangeState, after: &RangeState) -> Option<(u64, String)> {
    let (before, after) = (parts_of(before), parts_of(after));
    let pairs = before
        .iter()
        .flat_map(|before| after.iter().map(move |after| (before, after)));
    for ((range, before), (other, after)) in pairs {
        if range.intersection(other).is_none() {
            continue;
        }
        match (before, after) {
            (PartPosition::At(before), PartPosition::At(after)) if after < before => {
                return Some((*before, format!("LSN {after}")));
            }
            (PartPosition::At(before), PartPosition::Beginning) => {
                return Some((*before, "the beginning".to_owned()));
            }
            _ => {}
        }
    }
    None
}

/// The position of a part of a range.
enum PartPosition {
    /// It has not been read yet.
    Beginning,
    /// The change with this LSN was read.
    At(u64),
    /// The service's ETag does not show the LSN.
    Unknown,
}

/// The parts of a range and their positions, as its continuation token has them.
fn parts_of(range: &RangeState) -> Vec<(FeedRange, PartPosition)> {
    let Some(position) = &range.position else {
        return vec![(range.range.clone(), PartPosition::Beginning)];
    };
    // An unreadable token is a fault of its own. That of a query has no LSNs.
    let parts = segments(&position.token, &range.range).unwrap_or_default();
    let position = |etag: Option<String>| match etag {
        None => PartPosition::Beginning,
        Some(etag) => lsn_of_etag(&etag).map_or(PartPosition::Unknown, PartPosition::At),
    };
    parts
        .into_iter()
        .map(|part| (part.range, position(part.etag)))
        .collect()
}
