//! A replay to standard output: changes as they would be written, in the order of the source.

use std::io::{BufWriter, IsTerminal, Stdout, Write};

use anyhow::{Context, Result, anyhow};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep_until;

use super::interpreter::{Interpreter, Meaning};
use super::item_write::{Action, ItemWrite};
use super::replay_source::find_inputs;
use super::schedule::Schedule;
use crate::error::{ExitCode, with_hint};
use crate::escape::escape_data;
use crate::report::Report;
use crate::settings::{ReplayPlan, Speed, TtlDeletes};
use crate::signal::Shutdown;
use crate::source::{self, BytesRead, Input, Inputs, Mark, Record};

const DEFECT_HINT: &str = "remove it from the source; a replay into a container can skip such changes and keep \
    them, with --dead-letter FILE";

/// Writes documents without their system fields, and deletions as they are in the source.
///
/// # Errors
///
/// If a source cannot be read, a line is not a change, or standard output cannot be written to.
pub async fn to_standard_output(
    plan: &ReplayPlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let inputs = find_inputs(plan, report)?;
    // A read from an idle pipe cannot be interrupted, but everything read from it has been written.
    let may_wait = inputs.may_wait();
    shutdown.begin()?;
    let (ended, mut end) = oneshot::channel();
    let schedule = match plan.speed {
        Speed::Max => None,
        Speed::Times(speed) => Some(Schedule::new(speed)),
    };
    let copier = Copier {
        out: BufWriter::new(std::io::stdout()),
        to_terminal: std::io::stdout().is_terminal(),
        interpreter: Interpreter::new(Vec::new(), plan),
        ttl_deletes: plan.ttl_deletes,
        schedule,
        runtime: Handle::current(),
        shutdown: shutdown.clone(),
    };
    std::thread::spawn(move || ended.send(copier.copy_all(&inputs)));
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

/// Copies changes, on a thread that may block.
struct Copier {
    out: BufWriter<Stdout>,
    to_terminal: bool,
    interpreter: Interpreter,
    ttl_deletes: TtlDeletes,
    /// When changes are due; none if they are due at once.
    schedule: Option<Schedule>,
    /// Drives the clock.
    runtime: Handle,
    shutdown: Shutdown,
}

impl Copier {
    /// Copies every change. Those before an error are written too.
    fn copy_all(mut self, inputs: &Inputs) -> Result<()> {
        for input in &inputs.inputs {
            self.copy(input)?;
        }
        self.flush()
    }

    fn copy(&mut self, input: &Input) -> Result<()> {
        let interpreter = self.interpreter.of_source(input.partition_key.as_deref());
        let mut reader = source::open(input, Mark::default(), &BytesRead::default())?;
        let may_wait = input.may_wait();
        while self.shutdown.reason().is_none()
            && let Some(record) = reader.next()?
        {
            match interpreter.interpret(&record.json) {
                Ok(Meaning::OutsideWindow | Meaning::Dropped) => {}
                Ok(Meaning::Write(write)) => self.write(write, &record)?,
                Err(defect) => {
                    let place = format!("{input}, line {}", record.end.line);
                    return Err(with_hint(
                        anyhow!("{place}: {}", defect.reason),
                        DEFECT_HINT,
                    ));
                }
            }
            // The reader of the pipe should not wait for the next record.
            if may_wait {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes the line for `write`, which is what the record means.
    fn write(&mut self, write: ItemWrite, record: &Record) -> Result<()> {
        let mut line = match write.action {
            Action::Put(document) => document,
            Action::Delete { expired: true } if self.ttl_deletes == TtlDeletes::Skip => {
                return Ok(());
            }
            Action::Delete { .. } => record.json.to_vec(),
        };
        let due = self.schedule.as_mut().and_then(|s| s.due(write.seconds));
        if let Some(due) = due {
            self.flush()?;
            let shutdown = &self.shutdown;
            let stopped = self.runtime.block_on(async {
                tokio::select! {
                    // After a stop the clock may be gone, so it is not polled.
                    biased;
                    () = shutdown.requested() => true,
                    () = sleep_until(due) => false,
                }
            });
            if stopped {
                return Ok(());
            }
        }
        line.push(b'\n');
        if self.to_terminal {
            line = escape_data(&line);
        }
        self.out
            .write_all(&line)
            .context("cannot write to standard output")
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().context("cannot write to standard output")
    }
}
