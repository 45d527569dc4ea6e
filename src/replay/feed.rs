//! The thread that reads the inputs, one after the other, and says what each record means.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::change::Defect;
use super::interpreter::{Interpreter, Meaning};
use super::position::{InputPosition, Step};
use crate::source::{self, BytesRead, Input, Mark};

/// How many records wait. They go one by one: a pipe may have nothing more for a long time, and
/// what it had is not held back.
pub(super) const WAITING: usize = 64;

/// A record of the source, and what it means.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) json: Bytes,
    pub(super) meaning: Result<Meaning, Defect>,
    /// Where the source stands after it.
    pub(super) after: Step,
}

/// What a source hands over.
#[derive(Debug)]
pub(super) enum Delivery {
    /// A record.
    Record(Taken),
    /// The source has moved on without one.
    Passed(Step),
    /// There was nothing more a moment ago.
    CaughtUp,
}

/// Starts the thread. It ends when everything was read, at the first error, which it hands over, and
/// when nobody receives any more.
pub(super) fn read(
    inputs: Arc<Vec<Input>>,
    from: InputPosition,
    interpreter: Interpreter,
    bytes_read: BytesRead,
) -> mpsc::Receiver<Result<Delivery>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        let hand_over = |taken| sender.blocking_send(Ok(Delivery::Record(taken))).is_ok();
        if let Err(error) = read_all(&inputs, from, &interpreter, &bytes_read, hand_over) {
            // A receiver that has gone wants to know nothing.
            sender.blocking_send(Err(error)).ok();
        }
    });
    receiver
}

/// Hands over record after record until `hand_over` says that it is enough.
fn read_all(
    inputs: &[Input],
    from: InputPosition,
    interpreter: &Interpreter,
    bytes_read: &BytesRead,
    hand_over: impl Fn(Taken) -> bool,
) -> Result<()> {
    for (index, input) in inputs.iter().enumerate().skip(from.input) {
        let mark = match index == from.input {
            true => from.mark,
            false => Mark::default(),
        };
        let mut reader = source::open(input, mark, bytes_read)?;
        while let Some(record) = reader.next()? {
            let taken = Taken {
                meaning: interpreter.interpret(&record.json),
                json: record.json,
                after: Step {
                    position: InputPosition {
                        input: index,
                        mark: record.end,
                    },
                    feed: None,
                },
            };
            if !hand_over(taken) {
                return Ok(());
            }
        }
    }
    Ok(())
}
