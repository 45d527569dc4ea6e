//! Which containers a database has: those that are listed, and what has changed since they were listed before.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use fs_err as fs;

use crate::clock;
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::catalog::is_addressable;
use crate::durable::{is_there, left_staged, lock_path, shown_path};
use crate::error::{usage, with_hint};
use crate::nearest::bounded;
use crate::report::{DatabaseSummary, Report};
use crate::settings::{DatabasePlan, is_pattern, matches};
use crate::state::database_file::{Changes, DatabaseFile};

/// An account that is connected, and how states name its endpoint.
#[derive(Debug, Clone)]
pub struct ConnectedAccount {
    /// The connection.
    pub account: CosmosAccount,
    /// The endpoint.
    pub endpoint: String,
    /// The database.
    pub database: String,
}

/// The containers that the patterns of `file` select, by name, with their resource ids.
pub(super) async fn list(
    place: &ConnectedAccount,
    file: &DatabaseFile,
) -> Result<Vec<(String, String)>> {
    let selected = &file.selected;
    let containers = place.account.containers(&place.database).await?;
    let containers =
        containers.with_context(|| format!("the database `{}` was deleted", place.database))?;
    let names: Vec<String> = containers.iter().map(|one| one.name.clone()).collect();
    // One that was there before is gone.
    let was_there = |name: &str| file.containers.iter().any(|known| known.name == name);
    let missing = selected
        .iter()
        .find(|wanted| !is_pattern(wanted) && !names.contains(wanted) && !was_there(wanted));
    if let Some(missing) = missing {
        let at = place.account.at(&place.database, missing);
        return Err(at.no_such_container(names));
    }
    if let Some(odd) = names.iter().find(|name| !is_addressable(name)) {
        return Err(with_hint(
            anyhow!("the service lists a container {odd:?}, which cannot be the name of one"),
            "nothing is requested by it: check that the endpoint is that of an account of Cosmos DB",
        ));
    }
    let is_selected = |name: &str| selected.iter().any(|pattern| matches(pattern, name));
    let listed: Vec<(String, String)> = containers
        .into_iter()
        .filter(|one| is_selected(&one.name))
        .map(|one| (one.name, one.rid))
        .collect();
    if listed.is_empty() && file.containers.is_empty() && !names.is_empty() {
        return Err(usage(
            format!(
                "no container of the database `{}` is one of `{}`",
                place.database,
                selected.join("`, `")
            ),
            format!(
                "its containers are {}",
                bounded(&names.iter().map(String::as_str).collect::<Vec<_>>())
            ),
        ));
    }
    Ok(listed)
}

/// Checks that nothing is in a directory that has no export of a database.
pub(super) fn ensure_new(directory: &Path) -> Result<()> {
    if !is_there(directory) {
        return Ok(());
    }
    // A run may have ended before it committed anything.
    let file = DatabaseFile::at(directory);
    let lock = lock_path(&file);
    let staged = left_staged(&file)?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path != lock && Some(&path) != staged.as_ref() {
            return Err(usage(
                format!(
                    "`{}` has `{}`, but no export of a database",
                    shown_path(directory),
                    path.file_name().unwrap_or_default().to_string_lossy()
                ),
                "the directory of a new export has to be empty: choose another one",
            ));
        }
    }
    Ok(())
}

/// Checks that the database is the one of the file, not another of its name.
pub(super) fn ensure_same_database(file: Option<&DatabaseFile>, rid: &str) -> Result<()> {
    match file {
        Some(file) if file.database_rid != rid => Err(with_hint(
            anyhow!(
                "the database `{}` is not the one that was exported: its RID is {rid}, not {}",
                file.database,
                file.database_rid
            ),
            "it was deleted and created again: export it to a new directory",
        )),
        _ => Ok(()),
    }
}

pub(super) fn new_file(
    plan: &DatabasePlan,
    place: &ConnectedAccount,
    rid: &str,
) -> Result<DatabaseFile> {
    let new = plan.new.as_ref();
    let new = new.with_context(|| format!("`{}` is gone", plan.shown))?;
    Ok(DatabaseFile {
        export_id: uuid::Uuid::now_v7(),
        created: clock::now(),
        endpoint: place.endpoint.clone(),
        database: place.database.clone(),
        database_rid: rid.to_owned(),
        selected: new.selected.clone(),
        options: new.options.clone(),
        settings: new.settings.clone(),
        containers: Vec::new(),
    })
}

pub(super) fn report_changes(changes: &Changes, is_new: bool, report: &Report) {
    for name in &changes.gone {
        report.warning(&format!(
            "the container `{name}` does not exist any more; what was exported of it is kept"
        ));
    }
    for name in changes.new.iter().filter(|_| !is_new) {
        report.notice(&format!(
            "the container `{name}` is new{}",
            if changes.replaced.contains(name) {
                ": it has the name of another one, which is kept"
            } else {
                ""
            }
        ));
    }
}

/// Notes what has changed about the containers since the run began.
pub(super) fn note_meanwhile(
    file: &mut DatabaseFile,
    listed: Result<Vec<(String, String)>>,
    summary: &mut DatabaseSummary,
    directory: &Path,
    report: &Report,
) -> Result<()> {
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            report.warning(&format!(
                "whether containers were created or deleted meanwhile is not known: {error:#}"
            ));
            return Ok(());
        }
    };
    let known = |rid: &String| file.containers.iter().any(|one| one.rid == *rid);
    let new = listed.iter().filter(|(_, rid)| !known(rid));
    summary.created_meanwhile = new.map(|(name, _)| name.clone()).collect();
    for name in &summary.created_meanwhile {
        report.notice(&format!(
            "the container `{name}` was created meanwhile: the next run exports it"
        ));
    }
    let still: Vec<(String, String)> = listed.into_iter().filter(|(_, rid)| known(rid)).collect();
    let changes = file.update(&still);
    if changes.gone.is_empty() {
        return Ok(());
    }
    for name in &changes.gone {
        report.warning(&format!(
            "the container `{name}` was deleted meanwhile; what was exported of it is kept"
        ));
    }
    summary.gone.extend(changes.gone);
    file.write(directory)
}
