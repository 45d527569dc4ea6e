//! What `lag` does, resolved.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::given::Given;
use super::resume::state_path_of;
use super::table;
use crate::cli::values::{LagLimit, Limit};
use crate::cosmos::max_ru::MaxRu;
use crate::report::TableFormat;

/// What `lag` does.
#[derive(Debug)]
pub struct LagPlan {
    /// The state file of an export, a tail or a replay.
    pub state_path: PathBuf,
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
        Ok(Self {
            state_path: state_path_of(given, given.typed(&table::LAG_PATH), &table::LAG_STATE)?,
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
