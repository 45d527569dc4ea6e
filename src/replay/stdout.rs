//! A replay to standard output: the changes as they would be written, in the order of the source.

use std::io::{BufWriter, Write};

use anyhow::{Context, Result, anyhow};
use tokio::sync::oneshot;

use super::change::Action;
use super::interpreter::{Interpreter, Meaning};
use crate::cli::TtlDeletes;
use crate::error::{ExitCode, with_hint};
use crate::plan::ReplayPlan;
use crate::report::Report;
use crate::signal::Shutdown;
use crate::source::{self, BytesRead, Input, Inputs, Mark};

const DEFECT_HINT: &str = "take it out of the source; a replay into a container can go on in spite of such \
    changes and keep them, with --dead-letter FILE";

/// Writes documents without their system fields, and deletions as they stand in the source.
///
/// # Errors
///
/// If a source cannot be read, at the first line that is no change, or if standard output cannot be
/// written to.
pub async fn to_standard_output(
    plan: &ReplayPlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let inputs = super::inputs_of(plan, report)?;
    // A pipe that has nothing more cannot be stopped from waiting, but what it had is written.
    let may_wait = inputs.have_standard_input();
    let (ended, mut end) = oneshot::channel();
    let interpreter = Interpreter::new(Vec::new(), plan);
    let (ttl_deletes, stop) = (plan.ttl_deletes, shutdown.clone());
    std::thread::spawn(move || ended.send(copy_all(&inputs, &interpreter, ttl_deletes, &stop)));
    tokio::select! {
        outcome = &mut end => outcome??,
        () = shutdown.requested() => {
            if !may_wait {
                end.await??;
            }
        }
    }
    Ok(shutdown.reason().unwrap_or(ExitCode::Done))
}

fn copy_all(
    inputs: &Inputs,
    interpreter: &Interpreter,
    ttl_deletes: TtlDeletes,
    shutdown: &Shutdown,
) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for input in &inputs.inputs {
        copy(input, interpreter, ttl_deletes, shutdown, &mut out)?;
    }
    Ok(())
}

fn copy(
    input: &Input,
    interpreter: &Interpreter,
    ttl_deletes: TtlDeletes,
    shutdown: &Shutdown,
    out: &mut impl Write,
) -> Result<()> {
    let mut reader = source::open(input, Mark::default(), &BytesRead::default())?;
    while shutdown.reason().is_none()
        && let Some(record) = reader.next()?
    {
        let mut line = match interpreter.interpret(&record.json) {
            Ok(Meaning::OutsideWindow | Meaning::Dropped) => continue,
            Ok(Meaning::Change(change)) => match change.action {
                Action::Put(document) => document,
                Action::Delete { expired: true } if ttl_deletes == TtlDeletes::Skip => continue,
                Action::Delete { .. } => record.json.to_vec(),
            },
            Err(defect) => {
                let place = format!("{input}, line {}", record.end.line);
                return Err(with_hint(
                    anyhow!("{place}: {}", defect.reason),
                    DEFECT_HINT,
                ));
            }
        };
        line.push(b'\n');
        out.write_all(&line)
            .context("cannot write to standard output")?;
        // Whoever reads the pipe gets what there is.
        if input.path.is_none() {
            out.flush().context("cannot write to standard output")?;
        }
    }
    out.flush().context("cannot write to standard output")
}
