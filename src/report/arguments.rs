//! Errors of the command line, which quote it.

use std::ffi::{OsStr, OsString};

use super::{LogFormat, Report, Verbosity, write_lines};
use crate::error::Failure;
use crate::escape::{escape_for_terminal, is_unsafe};
use crate::redact::redact;

/// Prints clap's error about the arguments, which it quotes verbatim. To keep clap's lines and colours,
/// the arguments are escaped and redacted, and parsed again with `parse`, which returns clap's error. It is one
/// JSON object where `verbosity` asks for that.
pub fn wrong_arguments(
    error: &clap::Error,
    arguments: &[OsString],
    verbosity: Verbosity,
    parse: impl FnOnce(&[OsString]) -> Option<clap::Error>,
) {
    if verbosity.json || verbosity.log == LogFormat::Json {
        let report = Report::new(verbosity);
        return report.failure(&Failure::of_arguments(&error.render().to_string()));
    }
    let shown: Vec<OsString> = arguments.iter().map(|argument| shown(argument)).collect();
    if shown == arguments {
        // A closed standard error cannot be reported.
        error.print().ok();
        return;
    }
    match parse(&shown) {
        Some(error) if error.use_stderr() => {
            error.print().ok();
        }
        // The escaped arguments have another error, or none.
        _ => {
            let text = error.render().to_string();
            write_lines(&escape_for_terminal(&redact(text.trim_end())));
        }
    }
}

/// An argument, escaped and redacted.
fn shown(argument: &OsStr) -> OsString {
    let text = argument.to_string_lossy();
    let safe = match text.split_once('=') {
        // The name of a flag is not part of a secret.
        Some((flag, value)) if flag.starts_with("--") => format!("{flag}={}", redact(value)),
        _ => redact(&text),
    };
    if safe == text && !text.contains(is_unsafe) {
        argument.to_owned()
    } else {
        escape_for_terminal(&safe).into_owned().into()
    }
}
