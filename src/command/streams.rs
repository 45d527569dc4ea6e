//! The standard streams that a command needs.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cli::Command;
use crate::process;
use crate::settings::{Given, table};

/// Refuses to run with a closed standard stream that the command needs: output would be lost silently,
/// and input would appear to be empty. Only the state knows where a `resume` writes.
pub(super) fn ensure_streams(given: &Given) -> Result<()> {
    let is_dash = |path: &PathBuf| path == Path::new("-");
    let prints = match given.command() {
        Command::Ranges
        | Command::Schema
        | Command::Verify
        | Command::Profiles
        | Command::Completions => true,
        #[cfg(feature = "demo")]
        Command::Demo => true,
        Command::Tail => given.typed(&table::TAIL_OUTPUT).is_none(),
        Command::Export => is_dash(&given.get(&table::EXPORT_OUTPUT)?),
        Command::Replay => given.is_on(&table::TO_STDOUT),
        Command::Resume => false,
    };
    if prints {
        process::ensure_standard_output()?;
    }
    let reads_source = given.list(&table::SOURCES).iter().any(is_dash);
    if reads_source || given.typed(&table::KEY_FILE).as_ref().is_some_and(is_dash) {
        process::ensure_standard_input()?;
    }
    Ok(())
}
