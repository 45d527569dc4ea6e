//! What `plan` does, resolved and validated.

use std::path::PathBuf;

use anyhow::Result;

use super::export::ExportPlan;
use super::given::Given;
use super::query::QueryPlan;
use super::setting::FrozenIn;
use super::table;
use crate::cli::choices::Until;
use crate::destination::Output;
use crate::durable::shown_path;
use crate::error::usage;
use crate::feed::ReadUntil;
use crate::state::model::{FrozenOptions, Settings};
use crate::state::plan_file::PlanFile;

/// What `plan` does.
#[derive(Debug)]
pub struct NewPlan {
    /// The file to write.
    pub path: PathBuf,
    /// Whether a plan that is there already is kept.
    pub keep: bool,
    /// The place of the shards whose ends are its starts.
    pub after: Option<PathBuf>,
    /// What all files have in common; a follow-up has those of the earlier plan.
    pub options: FrozenOptions,
    /// The query to read instead of the feed.
    pub query: Option<QueryPlan>,
    /// How the service is read for the plan itself.
    pub settings: Settings,
    /// How far the shards read each range.
    pub until: Option<ReadUntil>,
    given: Given,
}

impl NewPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If settings contradict each other.
    pub fn new(given: &Given) -> Result<Self> {
        let export = ExportPlan::of_plan(given)?;
        if export.query.is_some() && given.is_typed(&table::PLAN_UNTIL.row) {
            return Err(usage(
                "--until is about the feed, and a query reads the documents",
                "leave it out",
            ));
        }
        Ok(Self {
            path: given.get(&table::PLAN_OUTPUT)?,
            keep: given.is_on(&table::KEEP),
            after: given.typed(&table::AFTER),
            options: export.options,
            query: export.query,
            settings: export.settings,
            until: given.typed(&table::PLAN_UNTIL).map(|until| match until {
                Until::Head => ReadUntil::Head,
                Until::Pin => ReadUntil::Pin,
            }),
            given: given.clone(),
        })
    }

    /// Refuses what was typed if it contradicts a plan that is to be kept.
    ///
    /// # Errors
    ///
    /// A usage error that names both values.
    pub fn ensure_is_kept_by(&self, kept: &PlanFile) -> Result<()> {
        let or_head = |until: Option<ReadUntil>| until.unwrap_or(ReadUntil::Head);
        if self.until.is_some() && or_head(self.until) != or_head(kept.until) {
            return Err(usage(
                format!(
                    "the plan `{}` reads on to another end than --until says",
                    shown_path(&self.path)
                ),
                "choose another name for a plan with this end",
            ));
        }
        let options = kept.options.frozen(Output::StandardOutput);
        self.given.ensure_agrees_with_plan(&FrozenIn {
            options: &options,
            base: &self.path,
        })
    }
}
