//! The state of a tail that goes on where something else has stopped reading.

use std::path::Path;

use anyhow::Result;

use super::Connected;
use crate::cli::Command;
use crate::destination::Output;
use crate::durable::{is_there, shown_path};
use crate::error::usage;
use crate::feed::{ChangeFeedStart, FeedMode, RangeSet, Scope};
use crate::format::{Compression, Format};
use crate::schema::TableForm;
use crate::settings::default_settings;
use crate::state::claim::Claimed;
use crate::state::file;
use crate::state::local::LocalState;
use crate::state::model::{FrozenOptions, JobKind, State};

/// Refuses a path that has something already.
///
/// # Errors
///
/// A usage error.
pub(crate) fn ensure_new_state(path: &Path) -> Result<()> {
    if !is_there(path) {
        return Ok(());
    }
    Err(usage(
        format!("`{}` exists already", shown_path(&path)),
        "name a new file: a position that is replaced is lost",
    ))
}

/// Writes the state of a tail to standard output whose ranges begin at these positions.
///
/// # Errors
///
/// If there is a state already, or it cannot be written.
pub(crate) fn write_state_of_tail(
    path: &Path,
    connected: &Connected,
    mode: FeedMode,
    ranges: RangeSet,
) -> Result<()> {
    let path = std::path::absolute(path)?;
    ensure_new_state(&path)?;
    let options = FrozenOptions {
        mode,
        scope: Scope::default(),
        snapshot: false,
        query: None,
        masked: false,
        from: match mode {
            FeedMode::LatestVersion => ChangeFeedStart::Beginning,
            FeedMode::AllVersionsAndDeletes => ChangeFeedStart::Now,
        },
        format: Format::Jsonl,
        compression: Compression::None,
        layout: None,
        table: TableForm::default(),
        inference: None,
        csv: None,
        output: Output::StandardOutput,
        partition_by: None,
        records: None,
    };
    let settings = default_settings(Command::Tail)?;
    let source = connected.source.clone();
    let mut state = State::new(JobKind::Tail, source, options, settings);
    state.settings.follow = true;
    state.partition_key = connected.client.partition_key_paths();
    state.ranges = ranges;
    state.generation = 1;
    state.check()?;
    let (mut claimed, stored) = Claimed::take(Box::new(LocalState::new(&path)), file::claim_of)?;
    if stored.is_some() {
        return ensure_new_state(&path);
    }
    let claim = claimed.next_claim();
    claimed.commit(&file::render_with_claim(&state, claim)?)
}
