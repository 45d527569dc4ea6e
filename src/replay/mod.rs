//! Replay: puts changes from files and streams back into a container.
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

mod budget;
mod change;
mod dead_letters;
mod feed;
mod interpreter;
mod job;
mod lanes;
mod outcome;
mod own;
mod schedule;
mod state;
mod stdout;
mod transform;
mod writer;

use std::sync::Arc;

use anyhow::Result;

use crate::error::{ExitCode, usage};
use crate::pipeline::Connected;
use crate::plan::ReplayPlan;
use crate::render::change::parse_key_path;
use crate::report::Report;
use crate::signal::Shutdown;
use crate::source::Inputs;
use crate::state::model::Source;
use budget::Budget;
use dead_letters::DeadLetters;
use interpreter::Interpreter;
use job::{Job, Saved};
use own::OwnWrites;
use state::{Position, ReplayState, StateFile, describe};
use writer::{Meter, Writer};

pub use stdout::to_standard_output;

/// Finds what is to be replayed, and tells what there is to know of it.
fn inputs_of(plan: &ReplayPlan, report: &Report) -> Result<Inputs> {
    let inputs = Inputs::find(&plan.sources)?;
    for notice in &inputs.notices {
        report.warning(notice);
    }
    Ok(inputs)
}

/// Replays into a container, which `connect` reaches. What is wrong with the source is told before.
///
/// # Errors
///
/// With the exit code and the hint that the user is to get attached.
pub async fn replay(
    connect: impl AsyncFnOnce() -> Result<Connected>,
    plan: ReplayPlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let inputs = inputs_of(&plan, report)?;
    let (state_file, found) = match &plan.state {
        Some(path) => {
            let (file, state) = StateFile::open(path)?;
            (Some(file), state)
        }
        None => (None, None),
    };
    let Connected {
        client,
        source: target,
    } = connect().await?;
    refuse_own_source(&inputs, &target)?;
    if let Some(state) = &found {
        state.check(&target, &plan, &inputs)?;
    }
    let committed = found.as_ref().and_then(|state| state.dead_letters);
    let letters = DeadLetters::open(plan.dead_letter.as_deref(), committed, plan.max_errors)?;
    let resumed = found.is_some();
    let state = found.unwrap_or_else(|| ReplayState {
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
        position: Position::default(),
        dead_letters: None,
        changes: 0,
    });
    let key_paths = client.partition_key_definition().paths();
    let interpreter = Interpreter::new(
        key_paths.iter().map(|path| parse_key_path(path)).collect(),
        &plan,
    );
    let writer = Writer {
        client,
        mode: plan.write_mode,
        ttl_deletes: plan.ttl_deletes,
        dry_run: plan.dry_run,
        max_retries: plan.max_retries,
        budget: plan.max_ru.map(Budget::new),
        meter: Meter::default(),
        own: OwnWrites::new(state.began, resumed),
        stop: shutdown.child_token(),
    };
    let job = Job::new(
        Arc::new(writer),
        inputs,
        interpreter,
        letters,
        Saved::new(state_file, state),
        &plan,
    );
    outcome::run(job, &plan, &target, report, shutdown).await
}

/// Refuses to apply an export to the container that it is of.
fn refuse_own_source(inputs: &Inputs, target: &Source) -> Result<()> {
    let is_target = |origin: &&Source| {
        origin.endpoint == target.endpoint && origin.container_rid == target.container_rid
    };
    match inputs.origins.iter().find(is_target) {
        Some(_) => Err(usage(
            format!(
                "source and target are the same container, {}: what has changed since the export \
                 would be undone",
                describe(target)
            ),
            "name another target with -d and -c; to undo changes on purpose, name the files instead of \
             the directory",
        )),
        None => Ok(()),
    }
}
