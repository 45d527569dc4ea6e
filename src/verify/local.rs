//! The export of a state file, checked while nobody writes it.

use std::path::Path;

use anyhow::{Context, Result};

use super::export::Depth;
use super::findings::{Findings, print_text};
use super::objects::check_objects;
use super::state_file::check_state;
use super::{group, shards};
use crate::cli::location::Location;
use crate::destination::{Shards, find_state};
use crate::durable::shown_path;
use crate::error::{ExitCode, usage};
use crate::objects::Address;
use crate::report::{Report, SummaryFormat};
use crate::settings::VerifyPlan;
use crate::signal::Shutdown;
use crate::state::group_place::GroupPlace;
use crate::state::{no_export_at, state_object};

/// Checks an export and prints the findings. The exit code says whether anything is wrong.
///
/// # Errors
///
/// If there is no export, another process is writing it, or its state cannot be read.
pub async fn verify(plan: VerifyPlan, report: &Report, shutdown: &Shutdown) -> Result<ExitCode> {
    let checking = tokio::task::spawn_blocking(move || {
        let depth = match plan.quick {
            true => Depth::Names,
            false => Depth::Contents,
        };
        let found = match (&plan.path, &plan.place) {
            (named, Some(place)) => shards::check(named, place, depth, plan.strict),
            (Location::Objects(address), None) => check_at(address, depth),
            (named, None) => check(named.path().unwrap_or(Path::new("-")), depth),
        };
        (plan, found)
    });
    let (plan, found) = tokio::select! {
        () = shutdown.requested() => return Ok(shutdown.reason().unwrap_or(ExitCode::Interrupted)),
        checked = checking => checked.context("the check ended unexpectedly")?,
    };
    let mut found = found?;
    if plan.strict {
        found.be_strict();
    }
    match plan.format {
        SummaryFormat::Json => report.print_json(&found, false)?,
        SummaryFormat::Text => print_text(&found, report)?,
    }
    Ok(if found.faults.is_empty() {
        ExitCode::Done
    } else {
        ExitCode::Failed
    })
}

/// Checks the export in an object store, or what the instances of a group have written there.
fn check_at(address: &Address, depth: Depth) -> Result<Findings> {
    if let Some(found) = check_objects(address, depth)? {
        return Ok(found);
    }
    match GroupPlace::at(address)? {
        Some(place) => group::check(&place, address, depth),
        None => Err(no_export_at(&state_object(address))),
    }
}

fn check(path: &Path, depth: Depth) -> Result<Findings> {
    if path.is_dir()
        && let Some(shards) = Shards::of(path)?
    {
        return Err(usage(
            format!(
                "`{}` is written by {} shards of a plan",
                shown_path(&path),
                shards.count
            ),
            "name the plan too, which says what they had to read: cosmos-tail verify PLAN DIR",
        ));
    }
    let Some(path) = find_state(path)? else {
        return Err(usage(
            format!("`{}` has no state of an export", shown_path(&path)),
            "if the export keeps its state elsewhere, pass the path of that state",
        ));
    };
    check_state(&path, depth, None).map(|(_, found)| found)
}
