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

/// The ranges that have a state at `address`, those that contain others before these.
///
/// # Errors
///
/// If they cannot be listed, or the name of one is not that of a state.
pub fn ranges_at(address: &Address) -> Result<Vec<FeedRange>> {
    let directory = states_of_ranges();
    let mut ranges = Vec::new();
    for (name, _) in objects::list_in(address, &directory)? {
        let range = range_of_state(&name).and_then(range_named);
        ranges.push(
            range
                .with_context(|| format!("`{}` is not the state of a range", address.of(&name)))?,
        );
    }
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
