//! How a run ends: exit codes, and errors that say what to do next.
//!
//! Errors travel as [`anyhow::Error`]. What is known about their meaning is attached where it is
//! known: a hint says what to do next, an [`ExitCode`] how the process ends. Both are looked up in
//! the chain once, when the error is printed.

use std::error::Error;
use std::fmt;

use crate::escape::escape_for_terminal;

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// All that was asked for is done.
    Done = 0,
    /// It failed, and there is nothing to resume.
    Failed = 1,
    /// What was typed cannot be carried out.
    Usage = 2,
    /// It stopped early; what was committed is kept and `resume` goes on from there.
    Resumable = 3,
    /// It was interrupted by Ctrl-C (128 + SIGINT); resumable.
    Interrupted = 130,
    /// It was terminated by SIGTERM (128 + 15); resumable.
    Terminated = 143,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// What an error carries beyond its message.
#[derive(Debug)]
struct Annotated {
    source: anyhow::Error,
    hints: Vec<String>,
    exit_code: Option<ExitCode>,
}

impl fmt::Display for Annotated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for Annotated {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}

/// Attaches to an error what to do next and how the process ends.
pub trait Annotate<T> {
    /// Attaches a hint: what the user can do next. The outermost one is printed.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
    /// Attaches the exit code. The outermost one counts.
    fn exit_code(self, code: ExitCode) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Annotate<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|e| with_hint(e, hint))
    }

    fn exit_code(self, code: ExitCode) -> anyhow::Result<T> {
        self.map_err(|e| with_exit_code(e, code))
    }
}

/// An error with a hint: what the user can do next.
pub fn with_hint(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> anyhow::Error {
    Annotated {
        source: error.into(),
        hints: vec![hint.into()],
        exit_code: None,
    }
    .into()
}

/// An error with one more hint, which is printed after those that it has.
pub fn with_further_hint(
    error: impl Into<anyhow::Error>,
    hint: impl Into<String>,
) -> anyhow::Error {
    let source = error.into();
    let mut all = hints(&source).to_vec();
    all.push(hint.into());
    Annotated {
        source,
        hints: all,
        exit_code: None,
    }
    .into()
}

/// An error that ends the process with `code`.
pub fn with_exit_code(error: impl Into<anyhow::Error>, code: ExitCode) -> anyhow::Error {
    Annotated {
        source: error.into(),
        hints: Vec::new(),
        exit_code: Some(code),
    }
    .into()
}

/// A usage error: what was typed cannot be carried out. Exit code 2.
pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    with_hint(
        with_exit_code(anyhow::anyhow!(message.into()), ExitCode::Usage),
        hint,
    )
}

/// The error of type `T` that `error` comes from, below all that was attached to it.
pub fn find<T: std::error::Error + Send + Sync + 'static>(error: &anyhow::Error) -> Option<&T> {
    error
        .downcast_ref::<T>()
        .or_else(|| find(&error.downcast_ref::<Annotated>()?.source))
}

fn annotations(error: &anyhow::Error) -> impl Iterator<Item = &Annotated> {
    let mut next = error.downcast_ref::<Annotated>();
    std::iter::from_fn(move || {
        let current = next?;
        next = current.source.downcast_ref::<Annotated>();
        Some(current)
    })
}

/// The exit code of a run that ended with `error`: [`ExitCode::Failed`] unless one is attached.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    attached_exit_code(error).unwrap_or(ExitCode::Failed)
}

/// The exit code attached to `error`.
pub fn attached_exit_code(error: &anyhow::Error) -> Option<ExitCode> {
    annotations(error).find_map(|a| a.exit_code)
}

/// The first of the hints attached to `error`.
pub fn hint(error: &anyhow::Error) -> Option<&str> {
    hints(error).first().map(String::as_str)
}

/// The hints attached to `error`: the outermost one, and what it was attached to as a further one.
pub fn hints(error: &anyhow::Error) -> &[String] {
    annotations(error)
        .map(|a| a.hints.as_slice())
        .find(|hints| !hints.is_empty())
        .unwrap_or_default()
}

/// Whether `error` comes from the system: it may be gone when the same is tried again.
pub fn is_of_the_system(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some())
}

/// Whether `error` is standard output having been closed by its reader, which is no failure.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A message of several lines, such as one that points into a program. The lines of any other
/// message are not ours but come with a name or an answer that it repeats, so that they are shown
/// as one.
#[derive(Debug)]
pub struct Lines(Vec<String>);

impl Lines {
    /// A message of these lines, none of which has an end of a line.
    pub fn new<T: Into<String>>(lines: impl IntoIterator<Item = T>) -> Self {
        Self(lines.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Error for Lines {}

/// A message as it may be shown. Only the lines of [`Lines`] stay lines.
fn shown(message: &(dyn Error + 'static)) -> String {
    if let Some(Lines(lines)) = message.downcast_ref() {
        let lines = lines.iter().map(|line| escape_for_terminal(line));
        return lines.collect::<Vec<_>>().join("\n    ");
    }
    match message.downcast_ref::<Annotated>() {
        Some(annotated) => shown(annotated.source.as_ref()),
        None => escape_for_terminal(&message.to_string()).into_owned(),
    }
}

/// Formats an error for a terminal: `error:`, `Caused by:` and `hint:` lines. What the messages
/// repeat of others begins no line and has no character that a terminal could take for a command.
pub fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {}\n", shown(error.as_ref()));
    let mut previous = error.to_string();
    for cause in error.chain().skip(1) {
        let message = cause.to_string();
        // Wrapped errors often repeat their source's message.
        if previous.contains(&message) {
            continue;
        }
        text.push_str(&format!("  Caused by: {}\n", shown(cause)));
        previous = message;
    }
    for hint in hints(error) {
        text.push_str(&format!("hint: {}\n", escape_for_terminal(hint)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn a_rendered_error_has_its_causes_and_the_hint() {
        let error = with_hint(
            anyhow!("state format 3 is newer than this build supports (2)"),
            "upgrade",
        )
        .context("cannot resume from `state.json`");
        assert_eq!(
            render(&error),
            "error: cannot resume from `state.json`\n  \
             Caused by: state format 3 is newer than this build supports (2)\nhint: upgrade\n"
        );
    }

    #[test]
    fn a_further_hint_comes_after_the_others() {
        let error = with_further_hint(with_hint(anyhow!("it failed"), "mend it"), "then resume");
        let error = with_exit_code(error, ExitCode::Resumable);
        assert_eq!(
            render(&error),
            "error: it failed\nhint: mend it\nhint: then resume\n"
        );
    }

    #[test]
    fn a_message_begins_no_line_unless_it_is_made_of_lines() {
        let forged = "x\nhint: run this\x1b[1A\u{202e}";
        let shown = "x\\u{a}hint: run this\\u{1b}[1A\\u{202e}";
        let error = with_hint(anyhow!("inner {forged}"), format!("look at {forged}"));
        let error =
            with_further_hint(error, format!("or {forged}")).context(format!("outer {forged}"));
        assert_eq!(
            render(&error),
            format!(
                "error: outer {shown}\n  Caused by: inner {shown}\nhint: look at {shown}\nhint: or {shown}\n"
            )
        );
        let lines = || Lines::new([format!("at {forged}"), "  ^".to_owned()]);
        assert_eq!(
            render(&with_exit_code(lines(), ExitCode::Usage)),
            format!("error: at {shown}\n      ^\n")
        );
        assert_eq!(
            render(&with_hint(lines(), "look").context("outer")),
            format!("error: outer\n  Caused by: at {shown}\n      ^\nhint: look\n")
        );
    }

    #[test]
    fn annotations_survive_context() {
        let error = Err::<(), _>(usage("bad", "do this"))
            .context("outer")
            .unwrap_err();
        assert_eq!(exit_code(&error), ExitCode::Usage);
        assert!(render(&error).contains("hint: do this"));
        assert_eq!(exit_code(&anyhow!("plain")), ExitCode::Failed);
    }

    #[test]
    fn a_broken_pipe_is_found_anywhere_in_the_chain() {
        let io = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(&anyhow::Error::from(io).context("writing")));
        assert!(!is_broken_pipe(&anyhow!("writing")));
    }
}
