//! Programs of the jq language, run on one change at a time: `--jq` of a tail, `--transform` of a
//! replay.
//!
//! The language is that of the jaq interpreter with its standard library and a few additional definitions
//! (`@csv`, `@tsv`, `IN`, `INDEX`, `toarray`, `trimstr`), but without everything that reaches beyond the
//! change: `env`, `$ENV`, `input`, `inputs`, `debug`, `stderr`, `halt`, `halt_error` and modules. A program
//! that uses one of them is refused before anything is read.
//!
//! - **Numbers** that a program passes through keep their text, whatever their length: `1.10`, `1e400`,
//!   `18446744073709551617`, `-0`. Integers are calculated exactly, everything else as IEEE 754 doubles. A
//!   result that is not a number becomes `null`, an infinite one the largest double, as in jq.
//! - **Objects** keep their order; if a name is repeated, the last value counts.
//! - **Strings** keep lone surrogates, but are written with as few escapes as JSON allows.
//! - **Nesting** deeper than [`MAX_DEPTH`] is refused, per document. The service allows 128 levels.
//! - **Loops** are the responsibility of the program: one without outputs, such as `last(repeat(.))`, never
//!   ends, `[repeat(.)]` grows until memory is exhausted, and `def f: 1 + f; f` until the stack is, which ends
//!   the process. [`MAX_OUTPUTS`] and [`MAX_OUTPUT_BYTES`] limit the outputs for one change.

mod program;
mod values;

#[cfg(test)]
mod tests;

use std::fmt::{self, Write};
use std::sync::Arc;

use jaq_core::{Ctx, Vars, data::JustLut};
use jaq_json::Val;

pub use values::MAX_DEPTH;

/// The largest number of outputs for one change. More are an error, since the program probably loops.
pub const MAX_OUTPUTS: usize = 1_000_000;

/// The largest size of all outputs for one change, as JSON. More is an error.
pub const MAX_OUTPUT_BYTES: usize = 256 << 20;

/// How much of an error message is kept, since it can quote whole documents.
const MAX_MESSAGE_BYTES: usize = 240;

/// A compiled program.
#[derive(Clone)]
pub struct Filter {
    text: String,
    program: Arc<jaq_core::Filter<JustLut<Val>>>,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.text).finish()
    }
}

impl Filter {
    /// Compiles a program that was given with `flag`.
    ///
    /// # Errors
    ///
    /// A usage error that names the flag and shows the place of the fault.
    pub fn compile(flag: &'static str, text: &str) -> anyhow::Result<Self> {
        Ok(Self {
            text: text.to_owned(),
            program: Arc::new(program::compile(flag, text)?),
        })
    }

    /// The program's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Runs the program on `json`, which must be valid, and calls `on_output` with the JSON text of each output,
    /// on one line. Returns the number of outputs.
    ///
    /// # Errors
    ///
    /// A message for the user, safe for a terminal, at most a few hundred bytes long. `on_output` was called for
    /// the outputs before the error.
    pub fn run(&self, json: &[u8], mut on_output: impl FnMut(&[u8])) -> Result<usize, String> {
        let input = values::read(json)?;
        let context = Ctx::<JustLut<Val>>::new(&self.program.lut, Vars::new([]));
        let (mut text, mut bytes, mut outputs) = (Vec::new(), 0usize, 0usize);
        for output in self.program.id.run((context, input)) {
            let output = output.map_err(|exception| match exception.get_err() {
                Ok(error) => bounded(&error),
                Err(_) => "the program breaks out of a loop that it is not in".to_owned(),
            })?;
            if outputs == MAX_OUTPUTS {
                return Err(format!("there are more than {MAX_OUTPUTS} outputs"));
            }
            text.clear();
            values::write(&output, &mut text)?;
            bytes += text.len();
            if bytes > MAX_OUTPUT_BYTES {
                return Err(format!("the outputs exceed {} MiB", MAX_OUTPUT_BYTES >> 20));
            }
            on_output(&text);
            outputs += 1;
        }
        Ok(outputs)
    }
}

/// The beginning of a message, escaped for a terminal. The rest is not even formatted.
fn bounded(message: &dyn fmt::Display) -> String {
    struct Bounded {
        text: String,
        cut: bool,
    }
    impl Write for Bounded {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            let room = MAX_MESSAGE_BYTES - self.text.len();
            let end = part.floor_char_boundary(room);
            self.text.push_str(&part[..end]);
            self.cut = end < part.len();
            if self.cut { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut bounded = Bounded {
        text: String::new(),
        cut: false,
    };
    // An error means that the message was cut, which the flag shows too.
    write!(bounded, "{message}").ok();
    if bounded.cut {
        bounded.text.push('…');
    }
    crate::escape::escape_for_terminal(&bounded.text).into_owned()
}
