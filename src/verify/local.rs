//! The export of a state file, checked while nobody writes it.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use super::export::check_export;
use super::findings::{Findings, name_of, print_text};
use crate::cli::location::Location;
use crate::destination::find_state;
use crate::durable::{self, Lock, lock_path, parent_of, shown_path, with_suffix};
use crate::error::{ExitCode, usage, with_exit_code, with_hint};
use crate::objects::Address;
use crate::report::{Report, SummaryFormat};
use crate::settings::VerifyPlan;
use crate::signal::Shutdown;
use crate::state::{destination_at, destination_of, file, no_export_at, state_at, store_at};

/// Checks an export and prints the findings. The exit code says whether anything is wrong.
///
/// # Errors
///
/// If there is no export, another process is writing it, or its state cannot be read.
pub async fn verify(plan: VerifyPlan, report: &Report, shutdown: &Shutdown) -> Result<ExitCode> {
    let checking = tokio::task::spawn_blocking(move || {
        let found = match &plan.path {
            Location::Objects(address) => check_objects(address),
            place => check(place.path().unwrap_or(Path::new("-"))),
        };
        (plan, found)
    });
    let (plan, found) = tokio::select! {
        () = shutdown.requested() => return Ok(shutdown.reason().unwrap_or(ExitCode::Interrupted)),
        checked = checking => checked.context("the check ended unexpectedly")?,
    };
    let mut found = found?;
    if plan.strict {
        let notes = std::mem::take(&mut found.notes);
        found.faults.extend(notes);
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

fn check(path: &Path) -> Result<Findings> {
    let Some(path) = find_state(path)? else {
        return Err(usage(
            format!("`{}` has no state of an export", shown_path(&path)),
            "if the export keeps its state elsewhere, pass the path of that state",
        ));
    };
    let load = || {
        file::read(&path)
            .with_context(|| format!("cannot verify the export of `{}`", path.display()))
    };
    let state = load()?;
    if Lock::is_held(&lock_path(&path))? {
        return Err(in_use(&path));
    }
    let destination = destination_of(&state, parent_of(&path), Some(&path));
    let mut found = Findings::about(&state, path.display().to_string());
    let staged = with_suffix(&path, durable::STAGED_SUFFIX);
    if staged.exists() {
        found.note(
            name_of(&staged),
            "a state that was never committed; `resume` deletes it",
        );
    }
    check_export(&state, destination.as_ref(), &mut found)?;
    // If the export was written meanwhile, the findings mean nothing.
    if load()?.generation != state.generation || Lock::is_held(&lock_path(&path))? {
        return Err(in_use(&path));
    }
    Ok(found)
}

/// The same for an export in an object store.
fn check_objects(address: &Address) -> Result<Findings> {
    let store = store_at(address)?;
    let load = || {
        let state = state_at(store.as_ref());
        let state = state.with_context(|| format!("cannot verify the export of `{address}`"))?;
        state.ok_or_else(|| no_export_at(address))
    };
    let state = load()?;
    let destination = destination_at(address, &state.source.container, state.extension())?;
    let mut found = Findings::about(&state, store.display());
    check_export(&state, destination.as_ref(), &mut found)?;
    if load()?.generation != state.generation {
        return Err(in_use(Path::new(&address.to_string())));
    }
    Ok(found)
}

fn in_use(path: &Path) -> anyhow::Error {
    with_hint(
        with_exit_code(
            anyhow!("the export of `{}` is being written", path.display()),
            ExitCode::Usage,
        ),
        "verify it once it has ended, or stop it first; `resume` continues it",
    )
}
