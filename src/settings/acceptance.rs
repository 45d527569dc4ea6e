//! What `acceptance` does, resolved.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::given::Given;
use super::table;
use crate::error::usage;

/// What `acceptance` does.
#[derive(Debug)]
pub struct AcceptancePlan {
    /// The database that it creates and deletes.
    pub database: String,
    /// Where the files of the test are, until it ends.
    pub directory: PathBuf,
    /// Where the report is written.
    pub report: Option<PathBuf>,
    /// The most RU that a step uses in a second.
    pub max_ru: Option<u64>,
    /// Whether the service is made to split a partition.
    pub split: bool,
    /// How long to wait for that.
    pub split_wait: Duration,
    /// Whether only what an earlier test left is deleted.
    pub clean_up: bool,
    /// Whether the test begins, rather than only saying what it would cost.
    pub begins: bool,
}

impl AcceptancePlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If the database cannot be one of a test.
    pub fn new(given: &Given) -> Result<Self> {
        let database: String = given.get(&table::SCRATCH_DATABASE)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if database.len() > 63 || !database.chars().all(is_plain) {
            return Err(usage(
                format!("{database:?} cannot be the name of a scratch database"),
                "use up to 63 letters, digits, `-` and `_`, such as ct_acceptance: files are named by it too",
            ));
        }
        for row in [&table::DATABASE.row, &table::CONTAINER.row] {
            if given.is_typed(row) {
                return Err(usage(
                    format!("`acceptance` has no use for {}", row.flag()),
                    "leave it out: --scratch-database names the only database that the test touches",
                ));
            }
        }
        let directory = given.typed(&table::ACCEPTANCE_DIRECTORY);
        Ok(Self {
            directory: directory.unwrap_or_else(|| format!("{database}.acceptance").into()),
            database,
            report: given.typed(&table::ACCEPTANCE_REPORT),
            max_ru: given.typed(&table::ACCEPTANCE_MAX_RU),
            split: given.is_on(&table::SPLIT),
            split_wait: given.get(&table::SPLIT_WAIT)?,
            clean_up: given.is_on(&table::CLEAN_UP),
            begins: given.is_on(&table::YES),
        })
    }
}
