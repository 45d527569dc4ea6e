//! The files of a group: the state of each range is checked as that of an export, and then all of them against each other.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};

use super::export::Depth;
use super::findings::{Finding, Findings};
use super::objects::check_listed_objects;
use crate::cosmos::token::segments;
use crate::destination::names::{range_of_name, stem_of_ranges_in_store};
use crate::feed::{FeedRange, Position, RangeState, lsn_of_etag};
use crate::objects::{self, Address};
use crate::state::group_place::GroupPlace;
use crate::state::model::State;
use crate::state::of_group::{OfGroup, name_of_range, range_named};
use crate::state::{ensure_of_group, ranges_at, strangers_at};

/// Checks all that the instances of a group have written to `address`.
///
/// # Errors
///
/// If one of the states cannot be read, or is being written.
pub(super) fn check(place: &GroupPlace, address: &Address, depth: Depth) -> Result<Findings> {
    // Objects that become visible after this are asked for by their names.
    let mut listed = Listed::new(place, address)?;
    let ranges = ranges_at(address)?;
    let mut check = Check {
        found: Findings {
            state: address.to_string(),
            ranges: u32::try_from(ranges.len()).ok(),
            ..Findings::default()
        },
        states: Vec::new(),
    };
    for range in ranges {
        let name = name_of_range(&range);
        let own = listed.of_ranges.remove(&name).unwrap_or_default();
        match check_listed_objects(&address.of_range(&name), depth, own) {
            Ok(Some((state, found))) => {
                check.take(&name, found);
                match ensure_of_group(place, &state, &range) {
                    Ok(()) => check.states.push((range, state)),
                    Err(error) => check.found.fault(shown(&name), format!("{error:#}")),
                }
            }
            Ok(None) => check.found.fault(shown(&name), "its state is gone"),
            // A state that cannot be read is a finding about this range; one that is being written is not.
            Err(error) if crate::error::attached_exit_code(&error).is_some() => return Err(error),
            Err(error) => check.found.fault(shown(&name), format!("{error:#}")),
        }
    }
    for name in listed.of_ranges.into_values().flatten() {
        let what = "has the name of a file of a range, which has no state";
        check.found.fault(name.0, what);
    }
    for name in strangers_at(address)? {
        let what = "is not the state of a range: instances leave it alone";
        check.found.fault(name, what);
    }
    check.together();
    Ok(check.found)
}

/// A range as findings name it.
fn shown(name: &str) -> String {
    format!("range-{name}")
}

struct Check {
    found: Findings,
    /// Those that contain others come first.
    states: Vec<(FeedRange, State)>,
}

impl Check {
    /// Takes the findings about one range.
    fn take(&mut self, name: &str, found: Findings) {
        let within = |finding: Finding| match finding.file.contains("-range-") {
            true => finding,
            false => Finding {
                file: format!("{}/{}", shown(name), finding.file),
                ..finding
            },
        };
        let (faults, notes) = (found.faults.into_iter(), found.notes.into_iter());
        self.found.faults.extend(faults.map(within));
        self.found.notes.extend(notes.map(within));
        self.found.files += found.files;
        self.found.moved += found.moved;
        self.found.rows += found.rows;
        self.found.bytes += found.bytes;
    }

    /// Each range begins where the one ends that it came from, and no two have the same changes.
    fn together(&mut self) {
        let mut wrong = Vec::new();
        let mut notes = Vec::new();
        for (range, state) in &self.states {
            let name = shown(&name_of_range(range));
            let Some(own) = &state.group else { continue };
            for span in &own.others {
                notes.push((
                    name.clone(),
                    format!(
                        "others have handled the changes from {} to {}, which are in no file",
                        lsn(&span.from),
                        lsn(&span.to)
                    ),
                ));
            }
            if let Some(began) = &own.began
                && let Err(error) = self.begins_there(range, began)
            {
                wrong.push((name, format!("{error:#}")));
            }
        }
        let read: Vec<&FeedRange> = self.read().collect();
        for (at, range) in read.iter().enumerate() {
            let mut others = read[at + 1..].iter();
            if let Some(other) = others.find(|other| other.intersection(range).is_some()) {
                let what = format!("is continued, and so is {other}: changes are in both");
                wrong.push((shown(&name_of_range(range)), what));
            }
        }
        for gap in gaps(&read) {
            notes.push((
                shown(&name_of_range(&gap)),
                "has no state that is continued: no instance has begun it".to_owned(),
            ));
        }
        for (name, what) in wrong {
            self.found.fault(name, what);
        }
        for (name, what) in notes {
            self.found.note(name, what);
        }
    }

    /// The ranges that have begun and are not over.
    fn read(&self) -> impl Iterator<Item = &FeedRange> {
        let is_read = |own: &OfGroup| own.began.is_some() && !own.over;
        let states = self.states.iter();
        let read = states.filter(move |(_, state)| state.group.as_ref().is_some_and(is_read));
        read.map(|(range, _)| range)
    }

    /// Checks that a range begins where the nearest one ends that contains it.
    fn begins_there(&self, range: &FeedRange, began: &Position) -> Result<()> {
        let contains =
            |one: &FeedRange| one != range && one.intersection(range).as_ref() == Some(range);
        let around = self.states.iter().filter(|(one, _)| contains(one));
        let mut before: Option<&RangeState> = None;
        for (one, state) in around {
            let own = state.group.as_ref();
            if !own.is_some_and(|own| own.over) {
                // Whoever claimed it has not looked at the others yet.
                if own.is_some_and(|own| own.began.is_none()) {
                    continue;
                }
                return Err(anyhow!(
                    "has begun, but the range {one}, which it is part of, is not over"
                ));
            }
            let mut pieces = state.ranges.iter();
            let holds = |piece: &&RangeState| piece.range == *range || contains(&piece.range);
            let piece = pieces.find(holds);
            before = piece.filter(|piece| piece.position.is_some()).or(before);
        }
        let Some((before, end)) = before.and_then(|piece| Some((piece, piece.position.as_ref()?)))
        else {
            return Ok(());
        };
        let (there, here) = (etag_of(end, &before.range)?, etag_of(began, range)?);
        if there == here {
            return Ok(());
        }
        let are = match lsn_of_etag(&here) < lsn_of_etag(&there) {
            true => "in both",
            false => "in neither",
        };
        Err(anyhow!(
            "begins at {}, but what was before it ends at {}: the changes between are {are}",
            lsn(began),
            lsn(end)
        ))
    }
}

fn etag_of(position: &Position, range: &FeedRange) -> Result<String> {
    let parts = segments(&position.token, range)?;
    let etag = match &parts[..] {
        [part] => part.etag.clone(),
        _ => None,
    };
    etag.ok_or_else(|| anyhow!("has a position that is not one of a whole range"))
}

fn lsn(position: &Position) -> String {
    match position.lsn {
        Some(lsn) => format!("LSN {lsn}"),
        None => "an unknown LSN".to_owned(),
    }
}

/// What of the container none of these ranges has.
fn gaps(ranges: &[&FeedRange]) -> Vec<FeedRange> {
    let whole = FeedRange::full();
    let mut gaps = Vec::new();
    let mut reached = whole.min_inclusive;
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    for range in sorted {
        gaps.extend(FeedRange::new(&reached, &range.min_inclusive));
        if range.max_exclusive > reached {
            reached.clone_from(&range.max_exclusive);
        }
    }
    gaps.extend(FeedRange::new(&reached, &whole.max_exclusive));
    gaps
}

/// The objects of the ranges, with their lengths, by the names of the ranges.
struct Listed {
    of_ranges: BTreeMap<String, Vec<(String, u64)>>,
}

impl Listed {
    fn new(place: &GroupPlace, address: &Address) -> Result<Self> {
        let stem = stem_of_ranges_in_store(&place.source.container);
        let mut of_ranges: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
        for (name, length) in objects::list(address)? {
            let range = range_of_name(&name, &stem);
            let Some(range) = range.filter(|range| range_named(range).is_some()) else {
                continue;
            };
            let range = range.to_owned();
            of_ranges.entry(range).or_default().push((name, length));
        }
        Ok(Self { of_ranges })
    }
}
