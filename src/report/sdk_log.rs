//! The SDK's log, as messages.

use std::io::Write;
use std::sync::Arc;

use super::Report;
use super::log::Level;

/// Writes the SDK's log to standard error: each event is one write, and becomes one line.
#[derive(Debug)]
pub struct LogLine {
    report: Arc<Report>,
    level: Level,
}

impl LogLine {
    /// The line of an event of this level.
    pub fn new(report: &Arc<Report>, level: &tracing::Level) -> Self {
        Self {
            report: Arc::clone(report),
            level: match *level {
                tracing::Level::ERROR => Level::Error,
                tracing::Level::WARN => Level::Warn,
                tracing::Level::INFO => Level::Info,
                _ => Level::Debug,
            },
        }
    }
}

impl Write for LogLine {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        self.report
            .log_event(self.level, &String::from_utf8_lossy(event));
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
