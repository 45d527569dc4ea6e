//! What is read of a state to measure its lag.

use std::path::Path;

use anyhow::{Context, Result};

use crate::cosmos::epk::partition_key;
use crate::durable::shown_path;
use crate::error::usage;
use crate::feed::{ChangeFeedStart, ContainerAddress, FeedMode, RangeId, RangeState, Scope};
use crate::job::check_position;
use crate::objects::ObjectAddress;
use crate::replay::{feed_of_state, is_replay_state};
use crate::state::{file, no_export_at, store_at, typed_state};

/// The positions of a job.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The container that it reads.
    pub(super) source: ContainerAddress,
    pub(super) mode: FeedMode,
    /// Where ranges without a position start.
    pub(super) from: ChangeFeedStart,
    pub(super) scope: Scope,
    pub(super) ranges: Vec<RangeState>,
    /// Whether they are of another program: one without a position may start later than at `from`, and a position
    /// may be one that its partition has not reached.
    pub(super) is_of_others: bool,
    /// The names of the ranges, if they are called by something else than their numbers.
    pub(super) names: Vec<String>,
}

impl Watched {
    /// The ranges of another program in a container, and what it calls them.
    pub(crate) fn of_others(
        source: ContainerAddress,
        mode: FeedMode,
        ranges: Vec<RangeState>,
        names: Vec<String>,
    ) -> Self {
        Self {
            source,
            mode,
            from: ChangeFeedStart::Beginning,
            scope: Scope::default(),
            ranges,
            is_of_others: true,
            names,
        }
    }

    /// Reads the state file `path`, of whichever job. It may be replaced meanwhile: either state is whole.
    ///
    /// # Errors
    ///
    /// If there is none, or it is none of these.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        file::read_text(path)
            .and_then(|text| Self::of_text(&text))
            .with_context(|| format!("cannot measure the lag of `{}`", shown_path(&path)))
    }

    /// Reads the state in the object `object`, of an export or a tail.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub(crate) fn of_object(object: &ObjectAddress) -> Result<Self> {
        let stored = store_at(object)?.load()?;
        let stored = stored.ok_or_else(|| no_export_at(object))?;
        Self::of_text(&stored.text)
            .with_context(|| format!("cannot measure the lag of `{}`", typed_state(object)))
    }

    /// What a range is called, if not by its number.
    pub(super) fn name_of(&self, range: RangeId) -> Option<&str> {
        let at = usize::try_from(range.0).ok()?;
        self.names.get(at).map(String::as_str)
    }

    /// The container that the job reads.
    pub(crate) fn source(&self) -> &ContainerAddress {
        &self.source
    }

    fn of_text(text: &[u8]) -> Result<Self> {
        let watched = if is_replay_state(text) {
            let Some(feed) = feed_of_state(text)? else {
                return Err(usage(
                    "it is the state of a replay of files, which are not behind anything",
                    "name the state of an export, of a tail, or of a replay with --from-container",
                ));
            };
            let scope = feed.scope();
            Self {
                source: feed.source,
                mode: feed.mode,
                from: feed.from,
                scope,
                ranges: feed.ranges.changes().cloned().collect(),
                is_of_others: false,
                names: Vec::new(),
            }
        } else {
            let state = file::parse(text)?;
            if state.options.query.is_some() {
                return Err(usage(
                    "it is the state of an export of a query, which has no position in the feed",
                    "name the state of an export of all documents, of a tail, or of a replay with --from-container",
                ));
            }
            Self {
                source: state.source,
                mode: state.options.mode,
                from: state.options.from,
                scope: state.options.scope,
                // A snapshot is in another feed, and is taken once.
                ranges: state.ranges.changes().cloned().collect(),
                is_of_others: false,
                names: Vec::new(),
            }
        };
        for range in &watched.ranges {
            check_position(range, &watched.source.container_rid)?;
        }
        if let Some(key) = &watched.scope.partition_key {
            partition_key(key)?;
        }
        Ok(watched)
    }
}
