//! The states of the ranges of a group, which are the positions of record.

use anyhow::{Context, Result, anyhow, ensure};

use super::group_place::GroupPlace;
use super::model::State;
use super::of_group::{name_of_range, range_named};
use super::place::{own_state, state_at, store_at};
use crate::destination::{range_of_state, states_of_ranges};
use crate::error::with_hint;
use crate::feed::FeedRange;
use crate::objects::{self, Address};

/// The state of `range` at `address`; none if there is none.
///
/// # Errors
///
/// If it cannot be read, or is of another place or range.
pub fn state_of_range(
    place: &GroupPlace,
    address: &Address,
    range: &FeedRange,
) -> Result<Option<State>> {
    let object = own_state(&address.of_range(&name_of_range(range)));
    let state = state_at(store_at(&object)?.as_ref(), &object)
        .with_context(|| format!("`{object}` cannot be used"))?;
    if let Some(state) = &state {
        ensure_of(place, state, range).with_context(|| format!("`{object}` cannot be used"))?;
    }
    Ok(state)
}

/// Checks that a state is that of `range` in this place.
///
/// # Errors
///
/// If it is not.
pub fn ensure_of(place: &GroupPlace, state: &State, range: &FeedRange) -> Result<()> {
    let own = state.group.as_ref();
    ensure!(
        own.is_some_and(|own| own.place == place.place_id)
            && state.options.scope.ranges == [range.clone()]
            && state.source.container_rid == place.source.container_rid,
        with_hint(
            anyhow!("it is not the state of the range {range} of this place"),
            "something else has written it: restore it, or write to a new place, with another group",
        )
    );
    Ok(())
}

/// The ranges that have a state at `address`, those that contain others before these. Objects beside them whose names are
/// those of no state are left alone: [`strangers_at`] names them.
///
/// # Errors
///
/// If they cannot be listed.
pub fn ranges_at(address: &Address) -> Result<Vec<FeedRange>> {
    let listed = objects::list_in(address, &states_of_ranges())?;
    let ranges = listed.iter().filter_map(|(name, _)| range_of(name));
    let mut ranges: Vec<FeedRange> = ranges.collect();
    let key = |range: &FeedRange| {
        let FeedRange {
            min_inclusive,
            max_exclusive,
        } = range.clone();
        (min_inclusive, std::cmp::Reverse(max_exclusive))
    };
    ranges.sort_by_key(key);
    Ok(ranges)
}

/// The objects beside the states of ranges at `address` that are none, by their names.
///
/// # Errors
///
/// If they cannot be listed.
pub fn strangers_at(address: &Address) -> Result<Vec<String>> {
    let listed = objects::list_in(address, &states_of_ranges())?.into_iter();
    let names = listed.map(|(name, _)| name);
    Ok(names.filter(|name| range_of(name).is_none()).collect())
}

/// The range of an object that is the state of one, by its name as that is written.
fn range_of(name: &str) -> Option<FeedRange> {
    let named = range_of_state(name)?;
    range_named(named).filter(|range| name_of_range(range) == named)
}
