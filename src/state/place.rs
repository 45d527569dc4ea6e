//! The destination of an export, by its state.

use std::path::Path;

use super::file;
use super::model::{JobKind, State};
use crate::destination::{Destination, Place, at};

/// The destination of `state`. `state_path` is the path of the state itself, if it has one, and relative
/// paths are relative to `base`.
pub fn destination_of(
    state: &State,
    base: &Path,
    state_path: Option<&Path>,
) -> Box<dyn Destination> {
    let place = Place {
        output: &state.options.output,
        base,
        container: &state.source.container,
        extension: state.extension(),
        state_path,
        // A tail renders changes for people.
        is_for_terminals: state.kind == JobKind::Tail,
    };
    at(place, file::read_earlier)
}
