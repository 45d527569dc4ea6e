//! What a manual is made of, and how it is printed.

use std::fmt;

/// The rest of a command's manual.
#[derive(Debug, Clone, Copy)]
pub struct Manual {
    /// Command lines, each with what it does.
    pub examples: &'static [Example],
    /// Paragraphs.
    pub notes: &'static [&'static str],
    /// Exit codes, each with its meaning.
    pub exit_codes: &'static [(u8, &'static str)],
}

/// What a command line does, and the command line.
pub type Example = (&'static str, &'static str);

/// The exit codes of commands that can be resumed: [`crate::error::ExitCode`].
pub(super) const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done"),
    (1, "failed, nothing to resume"),
    (2, "usage error: the command line cannot be carried out"),
    (
        3,
        "stopped early, resumable: committed work is kept, and `resume` continues",
    ),
    (130, "interrupted by Ctrl-C, resumable"),
    (143, "terminated by SIGTERM, resumable"),
];

/// The exit codes of commands that only read.
pub(super) const PLAIN_EXIT_CODES: &[(u8, &str)] = &[
    (0, "done"),
    (1, "failed"),
    (2, "usage error: the command line cannot be carried out"),
    (130, "interrupted by Ctrl-C"),
    (143, "terminated by SIGTERM"),
];

/// Examples in two columns, for a short list.
pub fn aligned(examples: &[Example]) -> String {
    let width = examples.iter().map(|(_, line)| line.len()).max();
    let width = width.unwrap_or_default();
    let lines = examples
        .iter()
        .map(|(what, line)| format!("\n  {line:width$}  {what}"));
    format!("Examples:{}", lines.collect::<String>())
}

impl fmt::Display for Manual {
    /// As the end of the long help.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in self.notes {
            write!(f, "{note}\n\n")?;
        }
        f.write_str("Examples:")?;
        for (what, line) in self.examples {
            write!(f, "\n  # {what}\n  {line}")?;
        }
        f.write_str("\n\nExit codes:")?;
        for (code, meaning) in self.exit_codes {
            write!(f, "\n  {code:<3}  {meaning}")?;
        }
        Ok(())
    }
}
