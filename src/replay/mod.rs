//! Replay: puts changes from files and streams, or from another container's feed, into a container.
//!
//! ```text
//! source ──► feed thread: record → change ──► job: lanes by partition key ──► writer ──► service
//!                                              │   one write a key at a time     │ budget, 429
//!                                              │◄──────── applied, refused ──────┘
//!                                              ▼
//!                                  progress without gaps ──► dead letters, state
//! ```
//!
//! The position in the state is one before which every change is applied or refused; changes behind
//! it may be applied too, and are applied again after a crash, in their order.

mod address;
mod budget;
mod change;
mod container;
mod dead_letters;
mod feed;
mod feed_state;
mod interpreter;
mod job;
mod lanes;
mod origin;
mod outcome;
mod own;
mod position;
mod schedule;
mod state;
mod stdout;
mod transform;
mod writer;

use std::sync::Arc;

use anyhow::Result;

use crate::cosmos::retry::RetryLimit;
use crate::error::ExitCode;
use crate::feed::ContainerAddress;
use crate::job::Connected;
use crate::render::change::parse_key_path;
use crate::report::Report;
use crate::settings::ReplayPlan;
use crate::signal::Shutdown;
use budget::Budget;
use dead_letters::DeadLetters;
use interpreter::Interpreter;
use job::{Job, Saved};
use origin::{Origin, find_inputs};
use own::OwnWrites;
use position::InputPosition;
use state::{ReplayState, StateFile};
use writer::{Meter, Writer};

pub use stdout::to_standard_output;

/// The containers that a replay is about.
#[derive(Debug)]
pub struct Containers {
    /// The one that is written to.
    pub target: Connected,
    /// The one that is read, if the source is one.
    pub source: Option<Connected>,
}

/// Replays into a container, which `connect` reaches. What is wrong with files is told before.
///
/// # Errors
///
/// With the exit code and the hint that the user is to get attached.
pub async fn replay(
    connect: impl AsyncFnOnce(Option<&ContainerAddress>) -> Result<Containers>,
    plan: ReplayPlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let inputs = find_inputs(&plan, report)?;
    let (state_file, found) = match &plan.state {
        Some(path) => {
            let (file, state) = StateFile::open(path)?;
            (Some(file), state)
        }
        None => (None, None),
    };
    let Containers { target, source } = connect(found.as_ref().map(|state| &state.target)).await?;
    let Connected {
        client,
        source: target,
    } = target;
    let origin = match (source, &plan.feed) {
        (Some(connected), Some(feed)) => Origin::Container {
            connected,
            plan: feed.clone(),
        },
        _ => Origin::of_files(inputs),
    };
    origin.refuse_as_target(&target)?;
    if let Some(state) = &found {
        state.check(&target, &plan, &origin)?;
    }
    let committed = found.as_ref().and_then(|state| state.dead_letters);
    let letters = DeadLetters::open(plan.dead_letter.as_deref(), committed, plan.max_errors)?;
    let resumed = found.is_some();
    let mut state = found.unwrap_or_else(|| ReplayState {
        generation: 0,
        began: own::now(),
        target: target.clone(),
        write_mode: plan.write_mode,
        ttl_deletes: plan.ttl_deletes,
        transform: plan
            .transform
            .as_ref()
            .map(|program| program.text().to_owned()),
        inputs: Vec::new(),
        position: InputPosition::default(),
        feed: None,
        dead_letters: None,
        changes: 0,
    });
    let key_paths = client.partition_key_definition().paths();
    let interpreter = Interpreter::new(
        key_paths.iter().map(|path| parse_key_path(path)).collect(),
        &plan,
    );
    let writer = Arc::new(Writer {
        client,
        mode: plan.write_mode,
        ttl_deletes: plan.ttl_deletes,
        dry_run: plan.dry_run,
        batch_size: plan.batch_size,
        retry_limit: RetryLimit::of_setting(plan.max_retries),
        budget: plan.max_ru.map(Budget::new),
        meter: Meter::default(),
        own: OwnWrites::new(state.began, resumed),
        stop: shutdown.child_token(),
    });
    let source = match &origin {
        Origin::Files(files) => {
            let inputs = Arc::clone(&files.inputs);
            feed::read(
                inputs,
                state.position,
                interpreter,
                files.bytes_read.clone(),
            )
        }
        Origin::Container {
            connected,
            plan: feed,
        } => {
            let from = match state.feed.take() {
                Some(from) => from,
                None => container::first_state(connected, feed).await?,
            };
            state.feed = Some(from.clone());
            let reader = container::Begin {
                connected: connected.clone(),
                from,
                line: state.position.mark.line,
                window: plan.checkpoint_changes,
                follow: feed.follow,
            };
            container::read(reader, interpreter, Arc::clone(&writer))
        }
    };
    shutdown.begin()?;
    let saved = Saved::new(state_file, state);
    let job = Job::new(writer, origin, source, letters, saved, &plan);
    outcome::run(job, &plan, &target, report, shutdown).await
}
