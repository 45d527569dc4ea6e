//! The `schema` subcommand: the columns that the documents of a container have.

use std::sync::Arc;

use anyhow::Result;

use super::account::Account;
use crate::error::{ExitCode, usage};
use crate::job;
use crate::report::Report;
use crate::schema::TableLayout;
use crate::settings::{Compared, Given, SchemaPlan, table};
use crate::signal::Shutdown;
use crate::state::plan_file::PlanFile;
use crate::state::plan_place;

/// Samples documents and prints their columns.
pub(super) async fn run(
    account: &Account,
    given: Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    if let Some(named) = given.typed(&table::SCHEMA_PLAN) {
        return columns_of_plan(&plan_place::read(&named)?, &given, report);
    }
    let given = given.with_profile(account.profile()?);
    let plan = SchemaPlan::new(&given)?;
    for value in given.option_values()? {
        report.detail(&value.to_string());
    }
    let retries = plan.settings.max_retries;
    let Some(place) = &plan.diff else {
        let connected = account.connect(account.plan()?, retries, report).await?;
        return job::schema(connected, plan, report, shutdown).await;
    };
    let compared = Compared::read(place, plan.inference.without_system_fields)?;
    let connection = match &compared.state {
        Some(state) => account.plan_of(&state.source)?,
        None => account.plan()?,
    };
    let connected = account.connect(connection, retries, report).await?;
    job::diff(connected, plan, compared, report, shutdown).await
}

/// Prints the columns of a plan. Those of its documents as text, as `--schema` takes them; all of them as Arrow.
fn columns_of_plan(plan: &PlanFile, given: &Given, report: &Report) -> Result<ExitCode> {
    let none = || {
        usage(
            "the files of the plan have no columns",
            "only plans with --format csv, parquet or arrow have columns",
        )
    };
    if given.is_on(&table::AS_ARROW) {
        report.print_bytes(&plan.arrow_schema()?.ok_or_else(none)?)?;
        return Ok(ExitCode::Done);
    }
    match plan.layout().ok_or_else(none)? {
        TableLayout::Columns { schema, .. } => {
            let output = given.typed(&table::SCHEMA_OUTPUT);
            job::write_columns(schema, output.as_ref(), report)?;
        }
        TableLayout::Raw => {
            return Err(usage(
                "the plan is one of raw documents, whose columns are the same for each container",
                "`--arrow` prints their schema",
            ));
        }
    }
    Ok(ExitCode::Done)
}
