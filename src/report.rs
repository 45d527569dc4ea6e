//! Prints everything for people: notices, progress and summaries on standard error, tables on standard
//! output.
//!
//! Apart from this module, only sinks write to standard output, and they write data. All text is
//! escaped here (see [`crate::escape`]), so that a quoted name or answer can neither control the
//! terminal nor start a line of its own. What looks like a secret is redacted.

mod arguments;
mod comparison;
mod database;
mod log;
mod progress;
mod sdk_log;
mod summary;
mod table;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use indicatif::{BinaryBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::count::count;
use crate::error::Failure;
use crate::escape::{escape_for_terminal, escape_json, escape_lines};
use crate::feed::RangeId;
use crate::process;
use crate::redact::redact;
use crate::schema::{self, ColumnType, Drift, Schema};

pub use arguments::wrong_arguments;
pub use comparison::{CompareDatabaseSummary, CompareSummary, ComparedContainer, ComparedSummary};
pub use database::{DatabaseSummary, FailedContainer};
pub use log::LogFormat;
pub use progress::{Progress, Rates};
pub use sdk_log::LogLine;
pub use summary::{ReplaySummary, Summary};
pub use table::{Align, Table};

use log::{Ended, Level, Message};

/// How often the progress line is redrawn.
pub const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// The length of a full progress bar.
const BAR_STEPS: u64 = 1000;

/// How much is printed on standard error.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verbosity {
    /// How much more than by default: 0 to 3.
    pub verbose: u8,
    /// Only errors.
    pub quiet: bool,
    /// Whether each notice, and the error of a run that fails, is a JSON object on a line, since a script reads the
    /// summary among them.
    pub json: bool,
    /// How each message is printed.
    pub log: LogFormat,
}

/// How a summary is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object on one line, for scripts
    Json,
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Aligned columns
    Table,
    /// One JSON array
    Json,
}

/// Prints messages for the user, as verbosely as the command line asks.
#[derive(Debug)]
pub struct Report {
    verbose: u8,
    quiet: bool,
    json: bool,
    /// Whether messages are JSON: a profile can say so, once it has been read.
    logs_json: AtomicBool,
    bar: ProgressBar,
    /// The container that all of it is about, if it is one of several.
    container: Option<String>,
}

impl Default for Report {
    /// A report with the default verbosity.
    fn default() -> Self {
        Self::new(Verbosity::default())
    }
}

impl Report {
    /// A report with this verbosity.
    pub fn new(verbosity: Verbosity) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        Self {
            verbose: verbosity.verbose,
            quiet: verbosity.quiet,
            json: verbosity.json,
            logs_json: AtomicBool::new(verbosity.log == LogFormat::Json),
            bar,
            container: None,
        }
    }

    /// A report about one of several containers: each of its messages names it. It has no progress line of its own.
    #[must_use]
    pub fn of_container(&self, container: &str) -> Self {
        Self {
            verbose: self.verbose,
            quiet: self.quiet,
            json: self.json,
            logs_json: AtomicBool::new(self.logs_json.load(Ordering::Relaxed)),
            bar: self.bar.clone(),
            container: Some(container.to_owned()),
        }
    }

    /// Prints a detail, with `-v` only.
    pub fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.line(Level::Debug, text, None);
        }
    }

    /// The same, about a range.
    pub fn detail_of(&self, range: RangeId, text: &str) {
        if self.verbose > 0 {
            self.line(Level::Debug, text, Some(range));
        }
    }

    /// Prints a notice, unless `-q` is given.
    pub fn notice(&self, text: &str) {
        if !self.quiet {
            self.line(Level::Info, text, None);
        }
    }

    /// Prints a warning, unless `-q` is given.
    pub fn warning(&self, text: &str) {
        if !self.quiet {
            self.line(Level::Warn, text, None);
        }
    }

    /// Prints a warning at any verbosity: something of the result is missing, and the run goes on.
    pub fn loss(&self, text: &str) {
        self.line(Level::Warn, text, None);
    }

    /// Prints an error that does not stop the run, at any verbosity.
    pub fn error_line(&self, text: &str) {
        self.line(Level::Error, text, None);
    }

    /// Prints the error that ended the run, at any verbosity.
    pub fn error(&self, error: &anyhow::Error) {
        if self.json || self.log_format() == LogFormat::Json {
            return self.failure(&Failure::of(error));
        }
        self.lines(&redact(crate::error::render(error).trim_end()));
    }

    /// How messages are printed.
    pub fn log_format(&self) -> LogFormat {
        if self.logs_json.load(Ordering::Relaxed) {
            LogFormat::Json
        } else {
            LogFormat::Text
        }
    }

    /// Prints messages in this form from now on.
    pub(crate) fn set_log_format(&self, log: LogFormat) {
        self.logs_json
            .store(log == LogFormat::Json, Ordering::Relaxed);
    }

    /// Prints a panic's message and location. The progress line is left alone, because drawing it may
    /// have caused the panic.
    pub fn panic(log: LogFormat, info: &PanicHookInfo<'_>) {
        let thread = std::thread::current();
        let place = info.location().map(ToString::to_string);
        let message = format!(
            "thread '{}' panicked at {}: {}",
            thread.name().unwrap_or("<unnamed>"),
            place.as_deref().unwrap_or("an unknown location"),
            info.payload_as_str().unwrap_or("no message"),
        );
        let backtrace = Backtrace::capture();
        let more = match backtrace.status() {
            BacktraceStatus::Captured => backtrace.to_string(),
            _ => "note: run with RUST_BACKTRACE=1 to print a backtrace".to_owned(),
        };
        let message = redact(&message);
        write_lines(&match log {
            LogFormat::Text => format!("{}\n{more}", escape_for_terminal(&message)),
            LogFormat::Json => {
                let message = Message::new(Level::Error, &format!("{message}\n{more}")).to_json();
                escape_json(&message).into_owned()
            }
        });
    }

    /// Prints an event of the SDK's log. As text it names its own level.
    fn log_event(&self, level: Level, event: &str) {
        let level = match self.log_format() {
            LogFormat::Text => Level::Debug,
            LogFormat::Json => level,
        };
        self.line(level, event.trim_end(), None);
    }

    /// Starts the progress line, if standard error is a terminal.
    pub fn start_progress(&self, has_end: bool) -> Result<()> {
        let shows =
            self.log_format() == LogFormat::Text && !self.quiet && std::io::stderr().is_terminal();
        if !shows || process::is_dumb_terminal() || self.container.is_some() {
            return Ok(());
        }
        let template = if has_end {
            "{msg} {wide_bar} {percent:>3}% {prefix}"
        } else {
            "{spinner} {msg}"
        };
        self.bar
            .set_style(ProgressStyle::with_template(template).context("progress template")?);
        if has_end {
            self.bar.set_length(BAR_STEPS);
        }
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.bar.reset();
        Ok(())
    }

    /// Updates the progress line; `rates` keeps what is needed for rates and the remaining time.
    pub fn show_progress(&self, progress: &Progress, rates: &mut Rates) {
        if self.bar.is_hidden() || self.container.is_some() {
            return;
        }
        rates.note(progress);
        if let Some(done) = progress.done {
            self.bar
                .set_position((done.clamp(0.0, 1.0) * BAR_STEPS as f64) as u64);
            self.bar.set_prefix(rates.time_left(done));
        } else {
            self.bar.tick();
        }
        self.bar.set_message(format!(
            "{}, {}, {}/s, {:.0} RU/s",
            count(progress.documents, "doc"),
            BinaryBytes(progress.bytes),
            BinaryBytes(rates.bytes_per_second as u64),
            rates.request_units_per_second,
        ));
    }

    /// Removes the progress line.
    pub fn end_progress(&self) {
        if self.container.is_some() {
            return;
        }
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Prints the summary of a run. As JSON it is printed even with `-q`, because it was requested
    /// explicitly.
    pub fn summary(
        &self,
        summary: &Summary,
        format: SummaryFormat,
        destination: &str,
    ) -> Result<()> {
        match format {
            SummaryFormat::Json => self.lines(&escape_json(&serde_json::to_string(summary)?)),
            SummaryFormat::Text => self.notice(&summary.text(destination)),
        }
        Ok(())
    }

    /// Prints the summary of the export of a database, as [`Report::summary`] does.
    pub fn database_summary(
        &self,
        summary: &DatabaseSummary,
        format: SummaryFormat,
        destination: &str,
    ) -> Result<()> {
        match format {
            SummaryFormat::Json => self.lines(&escape_json(&serde_json::to_string(summary)?)),
            SummaryFormat::Text => self.notice(&summary.text(destination)),
        }
        Ok(())
    }

    /// Prints the summary of a replay, as [`Report::summary`] does.
    pub fn replay_summary(&self, summary: &ReplaySummary, format: SummaryFormat) -> Result<()> {
        match format {
            SummaryFormat::Json => self.lines(&escape_json(&serde_json::to_string(summary)?)),
            SummaryFormat::Text => self.notice(&summary.text()),
        }
        Ok(())
    }

    /// Prints the summary of a comparison, as [`Report::summary`] does.
    pub fn compare_summary(&self, summary: &CompareSummary, format: SummaryFormat) -> Result<()> {
        match format {
            SummaryFormat::Json => self.lines(&escape_json(&serde_json::to_string(summary)?)),
            SummaryFormat::Text => self.notice(&summary.text()),
        }
        Ok(())
    }

    /// Prints the summary of a comparison of several containers, as [`Report::summary`] does.
    pub fn compare_database_summary(
        &self,
        summary: &CompareDatabaseSummary,
        format: SummaryFormat,
    ) -> Result<()> {
        match format {
            SummaryFormat::Json => self.lines(&escape_json(&serde_json::to_string(summary)?)),
            SummaryFormat::Text => self.notice(&summary.text()),
        }
        Ok(())
    }

    /// Prints lines for people to standard output. They are escaped even if it is not a terminal,
    /// because piped output is often paged or logged.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written, such as when the reader of a pipe has gone.
    pub fn print(&self, text: &str) -> Result<()> {
        self.print_data(&escape_lines(text))
    }

    /// Prints a table to standard output.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written, such as when the reader of a pipe has gone.
    pub fn print_table<const N: usize>(&self, table: &Table<N>) -> Result<()> {
        self.print(&table.render())
    }

    /// Prints a text that is JSON to standard output. Unsafe characters become JSON escapes, so the values are unchanged.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written, such as when the reader of a pipe has gone.
    pub fn print_json_text(&self, json: &str) -> Result<()> {
        self.print_data(&escape_json(json))
    }

    /// Prints JSON to standard output, on one line or indented. Unsafe characters become JSON escapes,
    /// so the values are unchanged.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written, such as when the reader of a pipe has gone.
    pub fn print_json(&self, value: &impl Serialize, pretty: bool) -> Result<()> {
        let json = if pretty {
            serde_json::to_string_pretty(value)?
        } else {
            serde_json::to_string(value)?
        };
        self.print_data(&format!("{}\n", escape_json(&json)))
    }

    /// Prints a schema to standard output, in the syntax of schema files, which quotes unusual names as
    /// in JSON.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written, such as when the reader of a pipe has gone.
    pub fn print_schema(&self, schema: &Schema) -> Result<()> {
        self.print_data(&escape_json(&schema::file::render(schema)))
    }

    /// Prints what does not fit the columns of a table, a line for each field.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written, such as when the reader of a pipe has gone.
    pub fn print_drift(&self, drift: &Drift) -> Result<()> {
        if drift.fields.is_empty() {
            return Ok(());
        }
        let mut table = Table::new([
            ("FIELD", Align::Left),
            ("COLUMN", Align::Left),
            ("NEW COLUMN", Align::Left),
            ("VALUES", Align::Left),
            ("DOCUMENTS", Align::Right),
            ("SHARE", Align::Right),
        ]);
        for field in &drift.fields {
            let text =
                |one: &Option<ColumnType>| one.as_ref().map_or("-".to_owned(), ToString::to_string);
            #[expect(clippy::cast_precision_loss, reason = "a share is shown to one digit")]
            let share = field.documents as f64 / drift.documents as f64 * 100.0;
            table.push([
                field.path.to_string(),
                text(&field.column_type),
                text(&field.new_type),
                field.kinds.join(", "),
                HumanCount(field.documents).to_string(),
                format!("{share:.1} %"),
            ]);
        }
        self.print_table(&table)
    }

    /// Prints data for other programs to standard output, unescaped.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written, such as when the reader of a pipe has gone.
    pub fn print_data(&self, text: &str) -> Result<()> {
        self.print_bytes(text.as_bytes())
    }

    /// Prints bytes to standard output, which must not be for terminals.
    ///
    /// # Errors
    ///
    /// As [`Report::print_data`].
    pub fn print_bytes(&self, bytes: &[u8]) -> Result<()> {
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        written.context("cannot write to standard output")
    }

    /// Prints a failure as one JSON object.
    fn failure(&self, failure: &Failure) {
        let shown = Failure {
            error: redact(&failure.error),
            causes: failure.causes.iter().map(|cause| redact(cause)).collect(),
            hint: failure.hint.as_ref().map(|hint| redact(hint)),
            exit_code: failure.exit_code,
        };
        // It has nothing that cannot be written as JSON.
        let text = match self.log_format() {
            LogFormat::Text => serde_json::to_string(&shown).unwrap_or_default(),
            LogFormat::Json => {
                let message = Message {
                    more: Some(Ended {
                        causes: shown.causes,
                        hint: shown.hint,
                        exit_code: shown.exit_code,
                    }),
                    ..Message::new(Level::Error, &shown.error)
                };
                message.to_json()
            }
        };
        self.lines(&escape_json(&text));
    }

    /// Prints text as one line, whatever it contains.
    fn line(&self, level: Level, text: &str, range: Option<RangeId>) {
        let text = match (&self.container, self.log_format()) {
            (Some(container), LogFormat::Text) => redact(&format!("{container}: {text}")),
            _ => redact(text),
        };
        let object = match (self.log_format(), self.json, level) {
            (LogFormat::Json, ..) => {
                let container = self.container.as_deref().map(redact);
                let message = Message {
                    range: range.map(|range| range.0),
                    container: container.as_deref(),
                    ..Message::new(level, &text)
                };
                message.to_json()
            }
            (LogFormat::Text, true, Level::Warn) => {
                serde_json::json!({ "warning": text }).to_string()
            }
            (LogFormat::Text, true, _) => serde_json::json!({ "notice": text }).to_string(),
            (LogFormat::Text, false, Level::Warn) => {
                return self.lines(&escape_for_terminal(&format!("warning: {text}")));
            }
            (LogFormat::Text, false, _) => return self.lines(&escape_for_terminal(&text)),
        };
        self.lines(&escape_json(&object));
    }

    /// Prints text with our own line breaks.
    fn lines(&self, text: &str) {
        self.bar.suspend(|| write_lines(text));
    }
}

fn write_lines(text: &str) {
    // A closed standard error cannot be reported.
    writeln!(std::io::stderr().lock(), "{}", escape_lines(text)).ok();
}
