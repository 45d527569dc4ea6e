//! Definitions beside exports: in `container.json`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::cli::location::Location;
use crate::destination::{DEFINITION_FILE, find_state};
use crate::durable::{is_there, parent_of, shown_path, with_suffix};
use crate::error::usage;
use crate::infrastructure::Described;
use crate::report::Report;
use crate::state::container_file::ContainerFile;

/// The containers that these exports are of: directories or files of exports, directories of such directories, and files
/// of definitions themselves.
///
/// # Errors
///
/// If one of them has none, or one that cannot be used; or two of them are of one container and differ.
pub(super) fn read(sources: &[Location], report: &Report) -> Result<Vec<Described>> {
    let mut described: Vec<Described> = Vec::new();
    for source in sources {
        let Some(path) = source.path() else {
            return Err(usage(
                format!("the definitions of `{source}` cannot be read from there"),
                "copy its container.json to this machine, and name the copy",
            ));
        };
        let found = definitions_in(path)?;
        if found.is_empty() {
            return Err(usage(
                format!("`{}` has no definition of a container", shown_path(&path)),
                "name an export, whose definition is in container.json; exports of older builds have none",
            ));
        }
        for file in found {
            add(&mut described, one(&file, report)?)?;
        }
    }
    Ok(described)
}

/// Adds a container, unless it is there already.
fn add(described: &mut Vec<Described>, new: Described) -> Result<()> {
    let is_same =
        |known: &&Described| known.database == new.database && known.container == new.container;
    match described.iter().find(is_same) {
        None => described.push(new),
        Some(known) if known.definition.is_the_same_as(&new.definition) => {}
        Some(_) => {
            return Err(usage(
                format!(
                    "two exports have different definitions of `{}/{}`",
                    new.database, new.container
                ),
                "name the one that is right",
            ));
        }
    }
    Ok(())
}

fn one(path: &Path, report: &Report) -> Result<Described> {
    let shown = shown_path(&path);
    let file = ContainerFile::read(path)?.with_context(|| format!("`{shown}` is missing"))?;
    if file.is_changed {
        report.notice(&format!(
            "`{shown}` was changed after the export; the container is described as it is there now"
        ));
    }
    Ok(Described {
        database: file.database,
        container: file.container,
        definition: file.definition,
        throughput: file.throughput,
    })
}

/// The files with definitions that a path means.
fn definitions_in(path: &Path) -> Result<Vec<PathBuf>> {
    if let Some(own) = definition_of(path)? {
        return Ok(vec![own]);
    }
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    // The exports of a database: a directory for each container.
    let mut below: Vec<PathBuf> = fs::read_dir(path)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    below.retain(|path| path.is_dir());
    below.sort();
    let found = below.iter().map(|path| definition_of(path));
    Ok(found
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect())
}

/// The definition of one export.
fn definition_of(path: &Path) -> Result<Option<PathBuf>> {
    let existing = |path: PathBuf| Some(path).filter(|path| is_there(path));
    if path.is_dir() {
        let beside_state = find_state(path)?.map(|state| parent_of(&state).join(DEFINITION_FILE));
        let found = beside_state.and_then(existing);
        return Ok(found.or_else(|| existing(path.join(DEFINITION_FILE))));
    }
    // The export to a single file, or the definition itself.
    let beside = existing(with_suffix(path, &format!(".{DEFINITION_FILE}")));
    Ok(beside.or_else(|| existing(path.to_owned())))
}
