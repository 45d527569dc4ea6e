//! A replay to standard output: changes as they would be written, in the order of the source.

use std::io::{BufWriter, IsTerminal, Stdout, Write};

use anyhow::{Context, Result, anyhow};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep_until;

use super::interpreter::{Interpreter, Meaning};
use super::item_write::{Action, ItemWrite};
use super::original::Original;
use super::replay_source::{SourceLocation, find_inputs};
use super::schedule::Schedule;
use crate::error::{ExitCode, usage, with_further_hint, with_hint};
use crate::escape::escape_data;
use crate::feed::RecordForm;
use crate::feed::page::Metadata;
use crate::report::Report;
use crate::settings::{ReplayPlan, Speed, TtlDeletes};
use crate::signal::Shutdown;
use crate::source::{self, Input, Inputs, Mark, heading};

const DEFECT_HINT: &str = "remove it from the source; a replay into a container can skip such changes and keep \
    them, with --dead-letter FILE";

/// Writes documents without their system fields, or changes in their envelopes, as the first source holds them.
///
/// # Errors
///
/// If a source cannot be read, a line is not a change, standard output cannot be written to, or changes follow
/// documents.
pub async fn to_standard_output(
    plan: &ReplayPlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let inputs = find_inputs(plan, report)?;
    let forms: Vec<Option<RecordForm>> = inputs.inputs.iter().map(Input::form).collect();
    if let [Some(RecordForm::Documents), rest @ ..] = &*forms
        && let Some(at) = rest
            .iter()
            .position(|form| *form == Some(RecordForm::Changes))
    {
        return Err(changes_after_documents(&inputs.inputs[at + 1]));
    }
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
        written: None,
        to_terminal: std::io::stdout().is_terminal(),
        interpreter: Interpreter::new(Vec::new(), plan),
        ttl_deletes: plan.ttl_deletes,
        is_transformed: plan.transform.is_some(),
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

/// The error of a source of changes after one of documents, whose form is that of the output.
fn changes_after_documents(input: &Input) -> anyhow::Error {
    usage(
        format!("{input} holds changes, but standard output holds the documents of another source"),
        "name the sources with changes first, or print each source by itself",
    )
}

/// Copies changes, on a thread that may block.
struct Copier {
    out: BufWriter<Stdout>,
    /// What is written; none before the first line.
    written: Option<RecordForm>,
    to_terminal: bool,
    interpreter: Interpreter,
    ttl_deletes: TtlDeletes,
    /// Whether documents go through a program.
    is_transformed: bool,
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
        let interpreter = self.interpreter.of_input(input)?;
        let mut reader = source::open(input, Mark::default())?;
        let may_wait = input.may_wait();
        if let Some(form) = input.form() {
            self.begin_with(form, input)?;
        }
        while self.shutdown.reason().is_none()
            && let Some(record) = reader.next()?
        {
            let place = SourceLocation::in_file(input, record.end);
            match interpreter.interpret(&record.json, record.form) {
                Ok(Meaning::OutsideWindow | Meaning::Dropped | Meaning::Expired) => {}
                Ok(Meaning::Unclear(why)) => return Err(place.unclear(why)),
                Ok(Meaning::Write(write)) => {
                    let form = record.form.unwrap_or(RecordForm::Documents);
                    self.begin_with(form, input)?;
                    self.write(
                        write,
                        Original {
                            json: record.json,
                            form,
                        },
                    )?;
                }
                Err(defect) => {
                    let error = anyhow!("{place}: {}", defect.reason);
                    let error = match defect.hint {
                        Some(hint) => with_hint(error, hint),
                        None => error,
                    };
                    return Err(with_further_hint(error, DEFECT_HINT));
                }
            }
            // The reader of the pipe should not wait for the next record.
            if may_wait {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Begins to write what the first source holds, unless that was done.
    fn begin_with(&mut self, form: RecordForm, input: &Input) -> Result<()> {
        match (self.written, form) {
            (None, RecordForm::Changes) => self.put(heading(form))?,
            (Some(RecordForm::Documents), RecordForm::Changes) => {
                return Err(changes_after_documents(input));
            }
            _ => {}
        }
        self.written.get_or_insert(form);
        Ok(())
    }

    /// Writes the line for `write`, which is what the record `original` means.
    fn write(&mut self, write: ItemWrite, original: Original) -> Result<()> {
        if write.action == (Action::Delete { expired: true })
            && self.ttl_deletes == TtlDeletes::Skip
        {
            return Ok(());
        }
        let mut line = match (write.action, self.written) {
            (Action::Put(document), Some(RecordForm::Changes)) => {
                self.envelope(Some(&document), &original)
            }
            (Action::Put(document), _) => document,
            (Action::Delete { .. }, _) => self.envelope(None, &original),
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
        // A line break between tokens, as a cell of a table may have it, would break the line.
        for byte in &mut line {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        line.push(b'\n');
        self.put(line)
    }

    /// The envelope of the change `original`, with what is written instead of its document.
    fn envelope(&self, document: Option<&[u8]>, original: &Original) -> Vec<u8> {
        let page = original.page().unwrap_or_default();
        let item = page.items().next().filter(|item| item.is_envelope());
        let metadata = item.and_then(|item| item.metadata());
        // The previous version has not gone through the program. It is needed if only it has the id and the key.
        let names_its_item =
            |metadata: &Metadata<'_>| metadata.id.is_some() && metadata.partition_key.is_some();
        let drops_previous = self.is_transformed
            && (document.is_some() || metadata.as_ref().is_some_and(names_its_item));
        let parts = [
            ("current", document.or(item.and_then(|item| item.current()))),
            (
                "previous",
                item.and_then(|item| item.previous())
                    .filter(|_| !drops_previous),
            ),
            ("metadata", item.and_then(|item| item.metadata_json())),
        ];
        let mut line = b"{".to_vec();
        for (name, part) in parts {
            if let Some(part) = part {
                let comma = if line.len() > 1 { "," } else { "" };
                line.extend_from_slice(format!("{comma}\"{name}\":").as_bytes());
                line.extend_from_slice(part);
            }
        }
        line.push(b'}');
        line
    }

    fn put(&mut self, mut line: Vec<u8>) -> Result<()> {
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
