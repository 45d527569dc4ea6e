//! Where the columns go that `schema` finds.

use anyhow::{Context, Result, anyhow};

use crate::cli::location::Location;
use crate::durable::{self, shown_path};
use crate::error::usage;
use crate::objects::{self, Created};
use crate::report::Report;
use crate::schema::{Schema, file};

/// Writes columns to `place`, as `--schema` reads them; to standard output if that is none.
///
/// # Errors
///
/// If something else is there already: an export may have read it. Or any error of the system or of the store.
pub fn write_columns(schema: &Schema, place: Option<&Location>, report: &Report) -> Result<()> {
    let text = file::render(schema);
    let exists = |shown: &str| {
        usage(
            format!("`{shown}` exists"),
            "a file of columns is never replaced: choose another name, or delete it first",
        )
    };
    match place {
        None | Some(Location::StandardStream) => return report.print_schema(schema),
        Some(Location::Local(path)) => {
            let shown = shown_path(path).to_string();
            durable::create_whole(path, text.as_bytes()).map_err(|error| {
                if error.kind() == std::io::ErrorKind::AlreadyExists {
                    return exists(&shown);
                }
                anyhow!(error).context(format!("cannot write `{shown}`"))
            })?;
            report.notice(&format!("wrote the columns to `{shown}`"));
        }
        Some(Location::Objects(address)) => {
            let (parent, name) = address.split_name();
            let shown = address.object();
            let created = objects::create("object.manifest", &parent, name, text.as_bytes());
            match created.with_context(|| format!("cannot write `{shown}`"))? {
                Created::Done => {}
                Created::Exists(_) => return Err(exists(&shown)),
            }
            report.notice(&format!("wrote the columns to `{shown}`"));
        }
    }
    Ok(())
}
