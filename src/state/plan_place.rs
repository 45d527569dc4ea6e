//! Where a plan is: in a file, on a standard stream, or an object.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use fs_err as fs;

use super::plan_file::PlanFile;
use crate::cli::location::Location;
use crate::durable::{self, is_there, shown_path};
use crate::error::{ExitCode, usage, with_exit_code};
use crate::objects::{self, Address, Created};

/// The longest plan that is read: ten thousand ranges take some ten megabytes.
const MAX_BYTES: u64 = 256 << 20;

/// A place of a plan, for people.
pub fn shown(place: &Location) -> String {
    match place {
        Location::StandardStream => "standard input".to_owned(),
        Location::Local(path) => format!("`{}`", shown_path(path)),
        Location::Objects(address) => format!("`{}`", address.object()),
    }
}

/// A place of a plan, as it is typed.
pub fn typed(place: &Location) -> String {
    match place {
        Location::Objects(address) => address.object(),
        other => other.to_string(),
    }
}

/// Whether there is something at a place. Standard output is never taken.
///
/// # Errors
///
/// If that cannot be found out.
pub fn is_taken(place: &Location) -> Result<bool> {
    match place {
        Location::StandardStream => Ok(false),
        Location::Local(path) => Ok(is_there(path)),
        Location::Objects(address) => Ok(read_object(address)?.is_some()),
    }
}

/// Creates a plan.
///
/// # Errors
///
/// If something is there: a plan is never changed. Or any error of the system or of the store.
pub fn create(plan: &PlanFile, place: &Location) -> Result<()> {
    let text = plan.text()?;
    match place {
        Location::StandardStream => Err(anyhow!("standard output cannot be created")),
        Location::Local(path) => durable::create_whole(path, text.as_bytes()).map_err(|error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                return exists(place);
            }
            anyhow!(error).context(format!("cannot write {}", shown(place)))
        }),
        Location::Objects(address) => {
            let (parent, name) = address.split_name();
            let created = objects::create("object.manifest", &parent, name, text.as_bytes());
            match created.with_context(|| format!("cannot write {}", shown(place)))? {
                Created::Done => Ok(()),
                Created::Exists(_) => Err(exists(place)),
            }
        }
    }
}

/// Reads the plan at a place.
///
/// # Errors
///
/// If it is no plan, of a newer version, or was changed.
pub fn read(place: &Location) -> Result<PlanFile> {
    let unusable = |error: anyhow::Error| {
        let error = error.context(format!("{} cannot be used as a plan", shown(place)));
        with_exit_code(error, ExitCode::Usage)
    };
    let text = match place {
        Location::StandardStream => {
            let mut text = Vec::new();
            let input = std::io::stdin().lock();
            let read = input.take(MAX_BYTES).read_to_end(&mut text);
            read.map(|_| text).map_err(anyhow::Error::from)
        }
        Location::Local(path) => read_file(path),
        Location::Objects(address) => {
            // A store that does not answer now may do so later.
            let found = read_object(address);
            let found = found.with_context(|| format!("cannot read the plan {}", shown(place)))?;
            found.context("there is no such object")
        }
    };
    text.and_then(|text| PlanFile::parse(&text))
        .map_err(unusable)
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    ensure!(
        !file.metadata()?.is_dir(),
        "it is not a file: name the plan that `cosmos-tail plan` wrote"
    );
    let mut text = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

fn read_object(address: &Address) -> Result<Option<Vec<u8>>> {
    let (parent, name) = address.split_name();
    objects::read(&parent, name)
}

/// The error for a plan that would replace something.
pub fn exists(place: &Location) -> anyhow::Error {
    usage(
        format!("{} exists", shown(place)),
        "a plan is never changed or replaced, since shards may be working on it: choose another name",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::plan_file::tests::plan;

    #[test]
    fn a_plan_is_read_as_it_was_written_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plan.json");
        let place = Location::Local(path.clone());
        create(&plan(), &place).unwrap();
        assert_eq!(read(&place).unwrap(), plan());
        let text = std::fs::read(&path).unwrap();
        let error = create(&plan(), &place).unwrap_err();
        assert!(error.to_string().ends_with("exists"), "{error:#}");
        assert_eq!(std::fs::read(&path).unwrap(), text);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
