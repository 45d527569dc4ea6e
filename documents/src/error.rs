//! How a run ends: exit codes, and errors with a hint about what to do next.
//!
//! Errors are passed up as [`anyhow::Error`]. The code that knows what an error means attaches a hint
//! (what to do next) or an [`ExitCode`] (how the process ends). Both are looked up once, when the
//! error is printed.

use std::error::Error;
use std::fmt;

use serde::Serialize;

use crate::escape::escape_for_terminal;

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Everything that was requested is done.
    Done = 0,
    /// The run failed, and there is nothing to resume.
    Failed = 1,
    /// The command line, environment or configuration cannot be carried out.
    Usage = 2,
    /// The run stopped early; committed work is kept, and `resume` continues from there.
    Resumable = 3,
    /// What was measured is above the limit that was given.
    Above = 4,
    /// The sides that were compared differ.
    Different = 5,
    /// They differ only in documents that were still changing.
    Changing = 6,
    /// The run was interrupted by Ctrl-C (128 + SIGINT); resumable.
    Interrupted = 130,
    /// The run was terminated by SIGTERM (128 + 15); resumable.
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

/// Attaches a hint or an exit code to an error.
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

/// An error with one more hint, printed after those that it already has.
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

/// A usage error: the command line cannot be carried out. Exit code 2.
pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    with_hint(
        with_exit_code(anyhow::anyhow!(message.into()), ExitCode::Usage),
        hint,
    )
}

/// The error of type `T` below everything that was attached to `error`, if there is one.
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

/// The exit code of a run in which several parts failed, whatever their order: that of a command that has to be changed
/// before that of a failure, and both before that of a part that another attempt may complete.
pub fn exit_code_of_all<'a>(errors: impl IntoIterator<Item = &'a anyhow::Error>) -> ExitCode {
    let codes: Vec<ExitCode> = errors.into_iter().map(exit_code).collect();
    let first = [ExitCode::Usage, ExitCode::Failed, ExitCode::Resumable];
    let mut first = first.into_iter();
    first
        .find(|code| codes.contains(code))
        .unwrap_or(ExitCode::Failed)
}

/// The exit code attached to `error`.
pub fn attached_exit_code(error: &anyhow::Error) -> Option<ExitCode> {
    annotations(error).find_map(|a| a.exit_code)
}

/// The first of the hints attached to `error`.
pub fn hint(error: &anyhow::Error) -> Option<&str> {
    hints(error).first().map(String::as_str)
}

/// The hints attached to `error`: the outermost one, and those that were added to it.
pub fn hints(error: &anyhow::Error) -> &[String] {
    annotations(error)
        .map(|a| a.hints.as_slice())
        .find(|hints| !hints.is_empty())
        .unwrap_or_default()
}

/// Whether `error` comes from the operating system: the same operation may succeed later.
pub fn is_of_the_system(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some())
}

/// Whether `error` means that the reader closed standard output, which is not a failure.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// What `error` says, with its hints and its exit code, and nothing else of it: what one part of a run has met says nothing
/// about the run, such as that nobody reads its output any more.
pub fn in_words(error: &anyhow::Error) -> anyhow::Error {
    let mut messages: Vec<String> = error.chain().map(ToString::to_string).collect();
    let last = messages.pop().unwrap_or_default();
    let messages = messages.into_iter().rev();
    Annotated {
        source: messages.fold(anyhow::anyhow!(last), anyhow::Error::context),
        hints: hints(error).to_vec(),
        exit_code: attached_exit_code(error),
    }
    .into()
}

/// A message of several lines, such as one that points into a program. Line breaks in any other
/// message come from a name or an answer that it quotes, so they are escaped.
#[derive(Debug)]
pub struct Lines(Vec<String>);

impl Lines {
    /// A message of these lines, none of which contains a line break.
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

/// A message, escaped for a terminal. Only [`Lines`] keeps its line breaks.
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

/// The messages of an error and of its causes, outermost first. Wrapped errors often repeat their source's
/// message, which is then left out.
fn messages(error: &anyhow::Error) -> Vec<&(dyn Error + 'static)> {
    let mut messages = vec![error.as_ref()];
    let mut previous = error.to_string();
    for cause in error.chain().skip(1) {
        let message = cause.to_string();
        if !previous.contains(&message) {
            messages.push(cause);
            previous = message;
        }
    }
    messages
}

/// Formats an error for a terminal: `error:`, `Caused by:` and `hint:` lines. Text that a message
/// quotes cannot start a line, nor contain a character that controls the terminal.
pub fn render(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for (index, message) in messages(error).into_iter().enumerate() {
        let label = if index == 0 { "error" } else { "  Caused by" };
        text.push_str(&format!("{label}: {}\n", shown(message)));
    }
    for hint in hints(error) {
        text.push_str(&format!("hint: {}\n", escape_for_terminal(hint)));
    }
    text
}

/// How a run failed, for scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What failed.
    pub error: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do next; several hints are on lines of their own.
    pub hint: Option<String>,
    /// The exit code of the process.
    pub exit_code: u8,
}

impl Failure {
    /// The failure of a run that ended with `error`.
    pub fn of(error: &anyhow::Error) -> Self {
        let mut messages = messages(error)
            .into_iter()
            .map(|message| message.to_string());
        Self {
            error: messages.next().unwrap_or_default(),
            causes: messages.collect(),
            hint: joined(hints(error)),
            exit_code: exit_code(error) as u8,
        }
    }

    /// The failure of a command line that clap describes in `text`.
    pub fn of_arguments(text: &str) -> Self {
        let mut blocks = text.split("\n\n");
        let first = blocks.next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first);
        let lines: Vec<&str> = message.lines().map(str::trim).collect();
        let tips: Vec<String> = blocks
            .flat_map(str::lines)
            .filter_map(|line| line.trim().strip_prefix("tip: "))
            .map(str::to_owned)
            .collect();
        Self {
            error: lines.join(" "),
            causes: Vec::new(),
            hint: joined(&tips),
            exit_code: ExitCode::Usage as u8,
        }
    }
}

fn joined(hints: &[String]) -> Option<String> {
    (!hints.is_empty()).then(|| hints.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn several_failures_have_one_code_in_any_order() {
        let of = |codes: &[ExitCode]| {
            let errors = codes.iter().map(|code| with_exit_code(anyhow!("x"), *code));
            let errors: Vec<anyhow::Error> = errors.collect();
            exit_code_of_all(&errors)
        };
        use ExitCode::{Failed, Resumable, Usage};
        for (codes, code) in [
            (&[Resumable, Failed, Usage][..], Usage),
            (&[Usage, Failed, Resumable], Usage),
            (&[Resumable, Failed], Failed),
            (&[Failed, Resumable], Failed),
            (&[Resumable, Resumable], Resumable),
        ] {
            assert_eq!(of(codes), code, "{codes:?}");
        }
        // One without a code has failed.
        let errors = [with_exit_code(anyhow!("x"), Resumable), anyhow!("y")];
        assert_eq!(exit_code_of_all(&errors), Failed);
    }

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
    fn a_failure_has_what_is_rendered() {
        let error = with_further_hint(usage("it is wrong", "look"), "then resume");
        let error = error.context("it is wrong: no").context("cannot start");
        let failure = Failure::of(&error);
        assert_eq!(
            serde_json::to_string(&failure).unwrap(),
            r#"{"error":"cannot start","causes":["it is wrong: no"],"hint":"look\nthen resume","exit_code":2}"#
        );
        let plain = Failure::of(&anyhow!("plain"));
        assert_eq!((plain.hint, plain.exit_code), (None, 1));
    }

    #[test]
    fn words_keep_what_is_printed_and_lose_what_they_came_from() {
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let error = anyhow!(broken).context("cannot write");
        let error = with_exit_code(with_hint(error, "again"), ExitCode::Resumable);
        let words = in_words(&error);
        assert!(is_broken_pipe(&error) && !is_broken_pipe(&words));
        assert_eq!(render(&words), render(&error));
        assert_eq!(exit_code(&words), ExitCode::Resumable);
    }

    #[test]
    fn a_failure_has_what_clap_describes() {
        let text = "error: these are missing:\n  --output <PATH>\n\n  tip: add it\n\nUsage: x\n\nFor more\n";
        let failure = Failure::of_arguments(text);
        assert_eq!(failure.error, "these are missing: --output <PATH>");
        assert_eq!(
            (failure.hint.as_deref(), failure.exit_code),
            (Some("add it"), 2)
        );
    }

    #[test]
    fn a_further_hint_comes_after_the_others() {
        let error = with_further_hint(with_hint(anyhow!("it failed"), "fix it"), "then resume");
        let error = with_exit_code(error, ExitCode::Resumable);
        assert_eq!(
            render(&error),
            "error: it failed\nhint: fix it\nhint: then resume\n"
        );
    }

    #[test]
    fn only_a_message_of_lines_has_line_breaks() {
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
