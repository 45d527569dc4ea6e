//! How a run ends: exit codes, and errors that say what to do next.
//!
//! Errors travel as [`anyhow::Error`]. What is known about their meaning is attached where it is
//! known: a hint says what to do next, an [`ExitCode`] how the process ends. Both are looked up in
//! the chain once, when the error is printed.

use std::fmt;

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
    hint: Option<String>,
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
    /// Attaches a hint: what the user can do next, each line a hint of its own. The outermost hint
    /// is the one printed.
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
        hint: Some(hint.into()),
        exit_code: None,
    }
    .into()
}

/// An error that ends the process with `code`.
pub fn with_exit_code(error: impl Into<anyhow::Error>, code: ExitCode) -> anyhow::Error {
    Annotated {
        source: error.into(),
        hint: None,
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

/// The hint attached to `error`.
pub fn hint(error: &anyhow::Error) -> Option<&str> {
    annotations(error).find_map(|a| a.hint.as_deref())
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

/// Formats an error for a person: `error:`, `Caused by:` and `hint:` lines.
pub fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}\n");
    let mut previous = error.to_string();
    for cause in error.chain().skip(1) {
        let message = cause.to_string();
        // Wrapped errors often repeat their source's message.
        if previous.contains(&message) {
            continue;
        }
        text.push_str(&format!(
            "  Caused by: {}\n",
            message.replace('\n', "\n    ")
        ));
        previous = message;
    }
    for line in hint(error).into_iter().flat_map(str::lines) {
        text.push_str(&format!("hint: {line}\n"));
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
    fn each_line_of_a_hint_is_a_hint() {
        let error = with_hint(anyhow!("it failed"), "mend it\nthen resume");
        assert_eq!(
            render(&error),
            "error: it failed\nhint: mend it\nhint: then resume\n"
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
