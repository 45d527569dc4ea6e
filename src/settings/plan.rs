//! What `plan` does, resolved and validated.

use std::path::Path;

use anyhow::Result;

use super::export::ExportPlan;
use super::given::Given;
use super::query::QueryPlan;
use super::setting::FrozenIn;
use super::table;
use crate::cli::choices::PlanUntil;
use crate::cli::location::Location;
use crate::destination::{Output, Shards};
use crate::error::usage;
use crate::feed::ReadUntil;
use crate::state::model::{FrozenOptions, Settings};
use crate::state::plan_file::PlanFile;
use crate::state::plan_place;

/// What `plan` does.
#[derive(Debug)]
pub struct NewPlan {
    /// The file or the object to write; none for standard output.
    pub place: Option<Location>,
    /// Whether a plan that is there already is kept.
    pub keep: bool,
    /// What it comes after.
    pub after: Option<After>,
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

/// What a plan comes after.
#[derive(Debug)]
pub enum After {
    /// The shards that wrote to this place: it starts where they ended.
    Shards(Location),
    /// A plan: it starts at the ends of that one.
    Plan(Box<PlanFile>),
}

impl After {
    fn new(named: Location) -> Result<Self> {
        // Anything else that is there is read as a plan, a pipe too.
        let is_place = match &named {
            Location::StandardStream => false,
            Location::Local(path) => path.is_dir() || !path.exists(),
            Location::Objects(address) => Shards::at(address)?.is_some(),
        };
        if is_place {
            return Ok(Self::Shards(named));
        }
        let plan = plan_place::read(&named)?;
        if plan.until != Some(ReadUntil::Exact) {
            return Err(usage(
                "the shards of the earlier plan read on past its ends, so only what they wrote says where they ended",
                "name the directory that they wrote to; or make plans with --until exact, which can follow each other",
            ));
        }
        Ok(Self::Plan(Box::new(plan)))
    }
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
        let output = given.get(&table::PLAN_OUTPUT)?;
        let place = Some(output).filter(|place| !place.is_standard_stream());
        let keep = given.is_on(&table::KEEP);
        if keep && place.is_none() {
            return Err(usage(
                "standard output has no plan that could be kept",
                "leave --keep out, or write to a file",
            ));
        }
        Ok(Self {
            place,
            keep,
            after: given.typed(&table::AFTER).map(After::new).transpose()?,
            options: export.options,
            query: export.query,
            settings: export.settings,
            until: given.typed(&table::PLAN_UNTIL).map(|until| match until {
                PlanUntil::Head => ReadUntil::Head,
                PlanUntil::Pin => ReadUntil::Pin,
                PlanUntil::Exact => ReadUntil::Exact,
            }),
            given: given.clone(),
        })
    }

    /// Refuses what was typed if it contradicts a plan that is to be kept.
    ///
    /// # Errors
    ///
    /// A usage error that names both values.
    pub fn ensure_is_kept_by(&self, place: &Location, kept: &PlanFile) -> Result<()> {
        // What follows a plan is read as that one is.
        let earlier = match &self.after {
            Some(After::Plan(earlier)) => earlier.until,
            Some(After::Shards(_)) | None => None,
        };
        let kept_until = kept.until.unwrap_or(kept.options.read_until());
        if self
            .until
            .or(earlier)
            .is_some_and(|until| until != kept_until)
        {
            return Err(usage(
                format!(
                    "the plan {} reads on to another end than --until says",
                    plan_place::shown(place)
                ),
                "choose another name for a plan with this end",
            ));
        }
        let options = kept.options.frozen(Output::StandardOutput);
        self.given.ensure_agrees_with_plan(&FrozenIn {
            options: &options,
            base: place.path().unwrap_or(Path::new(".")),
        })
    }
}
