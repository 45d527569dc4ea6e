//! What `lag` does, resolved.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::given::Given;
use super::leases::ContainerNames;
use super::resume::{StateOf, state_of};
use super::table;
use crate::cli::values::{LagLimit, Limit};
use crate::cosmos::max_ru::MaxRu;
use crate::objects::ObjectAddress;
use crate::report::TableFormat;

/// What the lag is of.
#[derive(Debug)]
pub enum LagOf {
    /// The state file of an export, a tail or a replay.
    State(PathBuf),
    /// A state in an object store.
    Object(ObjectAddress),
    /// A group of change feed processors.
    Group {
        /// Its name.
        name: String,
        /// Its lease container.
        leases: ContainerNames,
    },
}

/// What `lag` does.
#[derive(Debug)]
pub struct LagPlan {
    /// What it measures.
    pub of: LagOf,
    /// How to print the lag.
    pub format: TableFormat,
    /// The pause before the lag is measured again; none to measure it once.
    pub watch: Option<Duration>,
    /// The lag above which the run fails.
    pub fail_above: Option<LagLimit>,
    /// The most that may be charged in a second.
    pub max_ru: Option<MaxRu>,
}

impl LagPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If there is no state, or two; or if its path cannot be made absolute.
    pub fn new(given: &Given) -> Result<Self> {
        let of = match given.typed(&table::LAG_GROUP) {
            Some(name) => LagOf::Group {
                name,
                leases: ContainerNames::of_leases(&given.get(&table::LAG_LEASES)?)?,
            },
            None => match state_of(
                given.typed(&table::LAG_PATH),
                given.typed(&table::LAG_STATE),
            )? {
                StateOf::File(path) => LagOf::State(path),
                StateOf::Object(object) => LagOf::Object(object),
            },
        };
        Ok(Self {
            of,
            format: given.get(&table::TABLE_FORMAT)?,
            watch: given.typed(&table::WATCH),
            fail_above: given.typed(&table::FAIL_ABOVE),
            max_ru: match given.typed(&table::LAG_MAX_RU) {
                Some(Limit::At(units)) => Some(units),
                Some(Limit::None) | None => None,
            },
        })
    }
}
