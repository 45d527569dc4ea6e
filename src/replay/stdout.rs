//! A replay to standard output: the changes as they would be written, in the order of the source.

use std::io::{BufWriter, Write};

use anyhow::{Context, Result, bail};
use tokio::sync::oneshot;

use super::change::{Action, Defect, action_of};
use crate::cli::TtlDeletes;
use crate::error::ExitCode;
use crate::feed::page::Page;
use crate::plan::{ReplayPlan, TimeWindow};
use crate::report::Report;
use crate::signal::Shutdown;
use crate::source::{self, BytesRead, Input, Inputs, Mark};

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
    let (wanted, stop) = ((plan.ttl_deletes, plan.window), shutdown.clone());
    std::thread::spawn(move || ended.send(copy_all(&inputs, wanted, &stop)));
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

fn copy_all(inputs: &Inputs, wanted: (TtlDeletes, TimeWindow), shutdown: &Shutdown) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for input in &inputs.inputs {
        copy(input, wanted, shutdown, &mut out)?;
    }
    Ok(())
}

fn copy(
    input: &Input,
    (ttl_deletes, window): (TtlDeletes, TimeWindow),
    shutdown: &Shutdown,
    out: &mut impl Write,
) -> Result<()> {
    let mut reader = source::open(input, Mark::default(), &BytesRead::default())?;
    while shutdown.reason().is_none()
        && let Some(record) = reader.next()?
    {
        let place = || format!("{input}, line {}", record.end.line);
        let page = Page::of_line(record.json.clone()).with_context(place)?;
        for item in page.items() {
            if !window.is_unbounded() {
                match item.seconds() {
                    Some(seconds) if window.holds(seconds) => {}
                    Some(_) => continue,
                    None => bail!("{}: {}", place(), Defect::without_time().reason),
                }
            }
            let mut line = match action_of(item, &[]) {
                Ok(Action::Put(document)) => document,
                Ok(Action::Delete { expired: true }) if ttl_deletes == TtlDeletes::Skip => continue,
                Ok(Action::Delete { .. }) => item.json().to_vec(),
                Err(defect) => bail!("{}: {}", place(), defect.reason),
            };
            line.push(b'\n');
            out.write_all(&line)
                .context("cannot write to standard output")?;
        }
        // Whoever reads the pipe gets what there is.
        if input.path.is_none() {
            out.flush().context("cannot write to standard output")?;
        }
    }
    out.flush().context("cannot write to standard output")
}
