//! What `verify` does.

use anyhow::Result;

use super::given::Given;
use super::table;
use crate::cli::location::Location;
use crate::report::SummaryFormat;

/// What `verify` does.
#[derive(Debug)]
pub struct VerifyPlan {
    /// The directory or file of an export, or its state file.
    pub path: Location,
    /// What the shards of a plan wrote to, if the path is a plan.
    pub place: Option<Location>,
    /// Whether to leave the contents of files alone.
    pub quick: bool,
    /// Whether findings with a harmless explanation are faults too.
    pub strict: bool,
    /// How to print the findings.
    pub format: SummaryFormat,
}

impl VerifyPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If the path is missing, which clap excludes.
    pub fn new(given: &Given) -> Result<Self> {
        Ok(Self {
            path: given.get(&table::VERIFY_PATH)?,
            place: given.typed(&table::VERIFY_PLACE),
            quick: given.is_on(&table::QUICK),
            strict: given.is_on(&table::STRICT),
            format: given.get(&table::VERIFY_FORMAT)?,
        })
    }
}
