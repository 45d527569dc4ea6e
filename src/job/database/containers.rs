//! Which containers a database has: those that are listed, and what has changed since they were listed before.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use fs_err as fs;

use crate::clock;
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::catalog::is_addressable;
use crate::durable::{is_there, left_staged, lock_path, shown_path};
use crate::error::{usage, with_hint};
use crate::nearest::bounded;
use crate::report::{DatabaseSummary, Report};
use crate::settings::{ALL_CONTAINERS, DatabasePlan, is_pattern, matches};
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

/// Names and resource ids of containers.
pub(super) type Listed = Vec<(String, String)>;

/// The containers that the patterns of `file` select, by name. That one of the file is not there any more is asked for
/// twice: as long as it can be read by its name, the list is not taken.
pub(super) async fn list(place: &ConnectedAccount, file: &DatabaseFile) -> Result<Listed> {
    let all = list_all(place).await?;
    for known in file.present() {
        if all.iter().any(|(_, rid)| *rid == known.rid) {
            continue;
        }
        let rid = place.account.container_rid(&place.database, &known.name);
        if rid.await?.as_ref() == Some(&known.rid) {
            return Err(with_hint(
                anyhow!(
                    "the service's list of containers lacks `{}`, which exists",
                    known.name
                ),
                "nothing was changed; run the command again",
            ));
        }
    }
    let is_selected = |name: &str| file.selected.iter().any(|pattern| matches(pattern, name));
    Ok(all
        .into_iter()
        .filter(|(name, _)| is_selected(name))
        .collect())
}

/// All containers of the database. Each has a name and a resource id of its own.
async fn list_all(place: &ConnectedAccount) -> Result<Listed> {
    let containers = place.account.containers(&place.database).await?;
    let containers =
        containers.with_context(|| format!("the database `{}` was deleted", place.database))?;
    let mut names = HashSet::new();
    let mut rids = HashSet::new();
    for one in &containers {
        ensure!(
            is_addressable(&one.name),
            "the service lists a container {:?}, which no request can name",
            one.name
        );
        ensure!(
            names.insert(&one.name) && !one.rid.is_empty() && rids.insert(&one.rid),
            "the service lists the container `{}` with the RID {:?}, which is empty, or it is there twice",
            one.name,
            one.rid
        );
    }
    let own = containers.iter();
    Ok(own.map(|one| (one.name.clone(), one.rid.clone())).collect())
}

/// Checks that each name and each pattern selects something that is there, or was. A pattern may have lost what it
/// selected, which is said, unless the export `is_new`.
pub(super) async fn ensure_selected(
    place: &ConnectedAccount,
    file: &DatabaseFile,
    listed: &Listed,
    is_new: bool,
    report: &Report,
) -> Result<()> {
    let known = file.containers.iter().map(|one| &one.name);
    let names: Vec<&String> = listed.iter().map(|(name, _)| name).chain(known).collect();
    let selects_nothing = |wanted: &&String| {
        *wanted != ALL_CONTAINERS && !names.iter().any(|name| matches(wanted, name))
    };
    for wanted in file.selected.iter().filter(selects_nothing) {
        if is_pattern(wanted) && !is_new {
            report.warning(&format!(
                "no container of the database `{}` is one of `{wanted}`",
                place.database
            ));
            continue;
        }
        let all = list_all(place).await?;
        let all: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
        if !is_pattern(wanted) {
            let at = place.account.at(&place.database, wanted);
            return Err(at.no_such_container(all));
        }
        return Err(usage(
            format!(
                "no container of the database `{}` is one of `{wanted}`",
                place.database
            ),
            match all.is_empty() {
                true => "it has no containers; --all-containers exports those that come".to_owned(),
                false => format!(
                    "its containers are {}",
                    bounded(&all.iter().map(String::as_str).collect::<Vec<_>>())
                ),
            },
        ));
    }
    Ok(())
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

/// Checks that the database is the one of the file, not another of its name or another one that the file has come to be
/// of.
pub(super) fn ensure_same_database(
    file: Option<&DatabaseFile>,
    place: &ConnectedAccount,
    rid: &str,
) -> Result<()> {
    match file {
        Some(file) if file.database != place.database => Err(replaced(format!(
            "of the database `{}` now, not of `{}`",
            file.database, place.database
        ))),
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

/// Checks that the export is still the one of which `before` was read, without the lock.
pub(super) fn ensure_same_export(
    before: Option<&DatabaseFile>,
    now: Option<&DatabaseFile>,
    place: &ConnectedAccount,
) -> Result<()> {
    match (before, now) {
        (Some(before), Some(now)) if before.export_id != now.export_id => {
            Err(replaced("another one now".to_owned()))
        }
        (None, Some(now)) if now.endpoint != place.endpoint => Err(replaced(format!(
            "of the account {} now, not of {}",
            now.endpoint, place.endpoint
        ))),
        _ => Ok(()),
    }
}

fn replaced(by: String) -> anyhow::Error {
    with_hint(
        anyhow!("the export is {by}"),
        "another run has replaced it: export to a new directory",
    )
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

/// Says what has changed about the containers since the run began. The next run takes it over.
pub(super) fn say_meanwhile(
    file: &DatabaseFile,
    listed: Result<Listed>,
    summary: &mut DatabaseSummary,
    report: &Report,
) {
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            report.warning(&format!(
                "whether containers were created or deleted meanwhile is not known: {error:#}"
            ));
            return;
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
    for known in file.present() {
        if listed.iter().any(|(_, rid)| *rid == known.rid) {
            continue;
        }
        report.warning(&format!(
            "the container `{}` was deleted meanwhile; what was exported of it is kept",
            known.name
        ));
        summary.gone.push(known.name.clone());
    }
}
