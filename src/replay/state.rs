//! The state of a replay: how far the source has been applied to which target.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::address::{describe, is_state_of};
use super::feed_state::FeedState;
use super::letter_objects::LetterSeries;
use super::position::InputPosition;
use super::replay_source::ReplaySource;
use crate::cli::values::choice_name;
use crate::durable::{self, Lock, lock_path, shown_path};
use crate::error::{Annotate, ExitCode, usage};
use crate::feed::ContainerAddress;
use crate::render::Filter;
use crate::settings::{ReplayPlan, Ttl, TtlDeletes, WriteMode};
use crate::source::Fingerprint;
use crate::state::file::{Form, read_text};

const FORM: Form = Form {
    name: "cosmos-tail replay state",
    // Since version 2, the ranges of a feed hold what is known of their ends.
    version: 2,
    start_over: "replay from the beginning with another --state",
};

/// The content of the state file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayState {
    /// Counts the commits, from 1.
    pub(super) generation: u64,
    /// When the replay began, in seconds since 1970.
    pub(super) began: i64,
    /// The container that is written to.
    pub(super) target: ContainerAddress,
    pub(super) write_mode: WriteMode,
    pub(super) ttl_deletes: TtlDeletes,
    /// What becomes of the time to live of documents.
    #[serde(default, skip_serializing_if = "is_kept")]
    pub(super) ttl: Ttl,
    /// The program that documents go through, as text.
    pub(super) transform: Option<String>,
    /// The inputs that were started, in their order.
    pub(super) inputs: Vec<Fingerprint>,
    /// Every change before it is applied or refused.
    pub(super) position: InputPosition,
    /// The state of the feed, if the source is a container.
    pub(super) feed: Option<FeedState>,
    /// The committed length of the dead-letter file in bytes, if there is one.
    pub(super) dead_letters: Option<u64>,
    /// The committed objects of dead letters, if they go to an object store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) letter_objects: Option<LetterSeries>,
    /// How many changes all runs have applied or refused.
    pub(super) changes: u64,
    /// How many of them were refused. Older builds did not count them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) refused: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// As every replay of an older build did.
fn is_kept(ttl: &Ttl) -> bool {
    *ttl == Ttl::Keep
}

/// Whether a text is the state of a replay.
pub(crate) fn is_replay_state(text: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Name {
        format: String,
    }
    serde_json::from_slice(text).is_ok_and(|name: Name| name.format == FORM.name)
}

/// How far a replay, whose state this is, has read a container's feed; none if its source is not a container.
///
/// # Errors
///
/// If it is not the state of a replay, newer than this build, or corrupt.
pub(crate) fn feed_of_state(text: &[u8]) -> Result<Option<FeedState>> {
    FORM.parse(text).map(|state: ReplayState| state.feed)
}

/// The state file, locked.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    lock: Lock,
}

impl StateFile {
    /// Locks the state file `path`, and reads it if it exists.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<ReplayState>)> {
        let read = || -> Result<Option<ReplayState>> {
            if !durable::is_plain_file(path).exit_code(ExitCode::Usage)? {
                return Ok(None);
            }
            let state = read_text(path).and_then(|text| FORM.parse(&text));
            let state =
                state.with_context(|| format!("cannot resume from `{}`", shown_path(&path)))?;
            Ok(Some(state))
        };
        // Before the lock, which would leave a file beside one that is not a state.
        read()?;
        durable::create_directory(durable::parent_of(path))?;
        let lock = Lock::acquire(&lock_path(path))?;
        durable::left_staged(path).exit_code(ExitCode::Usage)?;
        let state = read()?;
        let file = Self {
            path: path.to_owned(),
            lock,
        };
        Ok((file, state))
    }

    /// Makes `state` the one that the next run resumes from.
    pub(super) fn commit(&self, state: &ReplayState) -> Result<()> {
        self.lock.check()?;
        durable::replace(&self.path, &FORM.render(state)?)
            .with_context(|| format!("cannot write the state `{}`", shown_path(&self.path)))
    }
}

impl ReplayState {
    /// Takes over the addresses of the containers, whose accounts may have moved.
    pub(super) fn moved(&mut self, target: &ContainerAddress, source: &ReplaySource) {
        self.target.endpoint.clone_from(&target.endpoint);
        if let (Some(feed), ReplaySource::Container { connected, .. }) = (&mut self.feed, source) {
            feed.source.endpoint.clone_from(&connected.source.endpoint);
        }
    }

    /// Checks that a replay with these options can continue this one.
    ///
    /// # Errors
    ///
    /// If target or source are others, or changes would be applied in another way. The error names both
    /// sides.
    pub(super) fn check(
        &self,
        target: &ContainerAddress,
        plan: &ReplayPlan,
        source: &ReplaySource,
    ) -> Result<()> {
        const NEW_START: &str =
            "resume with the same options, or start from the beginning with another --state";
        if !is_state_of(&self.target, target, plan.account_moved) {
            return Err(usage(
                format!(
                    "the state belongs to a replay into {}, not into {}",
                    describe(&self.target),
                    describe(target)
                ),
                NEW_START,
            ));
        }
        let choices = [
            (
                "--write-mode",
                choice_name(&self.write_mode),
                choice_name(&plan.write_mode),
            ),
            (
                "--ttl-deletes",
                choice_name(&self.ttl_deletes),
                choice_name(&plan.ttl_deletes),
            ),
            ("--ttl", choice_name(&self.ttl), choice_name(&plan.ttl)),
        ];
        for (flag, own, given) in choices {
            if own != given {
                return Err(usage(
                    format!(
                        "the state belongs to a replay with {flag} {own}, not with {flag} {given}"
                    ),
                    NEW_START,
                ));
            }
        }
        let program = plan.transform.as_ref().map(Filter::text);
        if self.transform.as_deref() != program {
            let option = |program: Option<&str>| match program {
                Some(program) => format!("--transform {program:?}"),
                None => "no --transform".to_owned(),
            };
            return Err(usage(
                format!(
                    "the state belongs to a replay with {}, but this one has {}",
                    option(self.transform.as_deref()),
                    option(program)
                ),
                NEW_START,
            ));
        }
        let has_moved = plan.account_moved;
        match (source, &self.feed) {
            (ReplaySource::Files(files), None) => files.check(&self.inputs, NEW_START),
            (
                ReplaySource::Container {
                    connected,
                    plan,
                    share,
                },
                Some(feed),
            ) => feed.check(&connected.source, plan, *share, has_moved, NEW_START),
            (_, feed) => {
                let kind = |of_container| {
                    if of_container {
                        "another container"
                    } else {
                        "files"
                    }
                };
                Err(usage(
                    format!(
                        "the state belongs to a replay of {}, not of {}",
                        kind(feed.is_some()),
                        kind(feed.is_none())
                    ),
                    NEW_START,
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cli::Command;
    use crate::settings::table;

    /// What is not a setting.
    const PROGRESS: [&str; 8] = [
        "began",
        "changes",
        "dead_letters",
        "feed",
        "generation",
        "inputs",
        "position",
        "target",
    ];

    #[test]
    fn a_row_keeps_each_setting_of_a_state() {
        let state = ReplayState {
            generation: 1,
            began: 0,
            target: ContainerAddress {
                endpoint: String::new(),
                database: String::new(),
                container: String::new(),
                container_rid: String::new(),
            },
            write_mode: WriteMode::Upsert,
            ttl_deletes: TtlDeletes::Apply,
            ttl: Ttl::Remaining,
            transform: None,
            inputs: Vec::new(),
            position: InputPosition::default(),
            feed: None,
            dead_letters: None,
            letter_objects: None,
            changes: 0,
            refused: 0,
        };
        let state = serde_json::to_value(state).unwrap();
        let fields: BTreeSet<&str> = state
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let kept = table::kept_fields(Command::Replay);
        let expected: BTreeSet<&str> = kept.into_iter().chain(PROGRESS).collect();
        assert_eq!(fields, expected);
    }
}
