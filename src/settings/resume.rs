//! What a resume does, resolved and validated.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::files::check_row_groups;
use super::given::Given;
use super::resolved::ResolvedValue;
use super::table;
use crate::format::Format;
use crate::report::SummaryFormat;
use crate::state::model::Settings;

/// What a resume does.
#[derive(Debug)]
pub struct ResumePlan {
    /// The state file.
    pub state_path: PathBuf,
    /// Whether to discard open files that do not match the state.
    pub repair: bool,
    /// How to print the summary.
    pub summary: SummaryFormat,
    given: Given,
}

impl ResumePlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If the path of the state file cannot be made absolute.
    pub fn new(given: &Given) -> Result<Self> {
        Ok(Self {
            state_path: std::path::absolute(given.get(&table::RESUME_STATE)?)
                .context("cannot make the state path absolute")?,
            repair: given.is_on(&table::REPAIR),
            summary: given.get(&table::SUMMARY)?,
            given: given.clone(),
        })
    }

    /// Changes the settings of the state to what was given.
    ///
    /// # Errors
    ///
    /// If a setting is not for the format of the export.
    pub fn override_settings(&self, settings: &mut Settings, format: Format) -> Result<()> {
        check_row_groups(&self.given, format)?;
        self.given.store_in(settings)
    }

    /// The settings of the resume, with where each came from.
    ///
    /// # Errors
    ///
    /// None that a test does not exclude: the settings can be written as JSON.
    pub fn values(&self, settings: &Settings) -> Result<Vec<ResolvedValue>> {
        self.given.resumed_values(settings)
    }
}
