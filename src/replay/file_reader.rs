//! The thread that reads the inputs, one after the other, and interprets each record.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::mpsc;

use super::delivery::{Delivery, Taken, WAITING};
use super::interpreter::{Interpreter, Meaning};
use super::original::Original;
use super::position::{InputPosition, Step};
use crate::render::change::parse_key_path;
use crate::source::{self, Input, Mark};

/// Reads an input as a replay into a container with this partition key does, and writes nothing: how many of its records would
/// be written. What a reading costs is measured by it.
///
/// # Errors
///
/// If it cannot be read to its end.
pub fn count_writes(input: &Input, partition_key: &[&str]) -> Result<u64> {
    let key_paths = partition_key.iter().map(|path| parse_key_path(path));
    let interpreter = Interpreter::reading(key_paths.collect(), None).of_input(input)?;
    let mut reader = source::open(input, Mark::default())?;
    let mut writes = 0;
    while let Some(record) = reader.next()? {
        let meaning = interpreter.interpret(&record.json, record.form);
        writes += u64::from(matches!(meaning, Ok(Meaning::Write(_))));
    }
    Ok(writes)
}

/// Starts the thread. It ends after the last input, after the first error, which it delivers, and when the
/// receiver is dropped.
pub(super) fn read(
    inputs: Arc<Vec<Input>>,
    from: InputPosition,
    interpreter: Interpreter,
) -> mpsc::Receiver<Result<Delivery>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        let deliver = |taken| sender.blocking_send(Ok(Delivery::Record(taken))).is_ok();
        if let Err(error) = read_all(&inputs, from, &interpreter, deliver) {
            // If the receiver was dropped, nobody needs the error.
            sender.blocking_send(Err(error)).ok();
        }
    });
    receiver
}

/// Delivers record after record until `deliver` returns false.
fn read_all(
    inputs: &[Input],
    from: InputPosition,
    interpreter: &Interpreter,
    deliver: impl Fn(Taken) -> bool,
) -> Result<()> {
    for (index, input) in inputs.iter().enumerate().skip(from.input) {
        let mark = if index == from.input {
            from.mark
        } else {
            Mark::default()
        };
        let interpreter = interpreter.of_input(input)?;
        let mut reader = source::open(input, mark)?;
        let bytes_before: u64 = inputs[..index].iter().map(|input| input.length).sum();
        while let Some(record) = reader.next()? {
            let taken = Taken {
                meaning: interpreter.interpret(&record.json, record.form),
                original: Original::of_record(record.json, record.form),
                after: Step {
                    position: InputPosition {
                        input: index,
                        mark: record.end,
                    },
                    feed: None,
                    bytes: bytes_before + record.raw_end,
                },
                tenure: None,
            };
            if !deliver(taken) {
                return Ok(());
            }
        }
    }
    Ok(())
}
