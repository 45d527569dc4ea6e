//! The form of messages: lines for people, or JSON objects for programs that collect logs.

use clap::ValueEnum;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;

/// How messages are printed on standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object per line, for programs that collect logs
    Json,
}

/// How serious a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A message as an object, with `--log-format json`.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    /// When it was printed, by this machine's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub(super) time: OffsetDateTime,
    pub(super) level: &'static str,
    pub(super) message: &'a str,
    /// The container that it is about, if it is one of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<&'a str>,
    /// The range that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<u32>,
    #[serde(flatten)]
    pub(super) more: Option<Ended>,
}

/// What the error that ended the run has beside its message.
#[derive(Debug, Serialize)]
pub(super) struct Ended {
    pub(super) causes: Vec<String>,
    pub(super) hint: Option<String>,
    pub(super) exit_code: u8,
}

impl<'a> Message<'a> {
    pub(super) fn new(level: Level, message: &'a str) -> Self {
        Self {
            time: clock::now(),
            level: level.name(),
            message,
            container: None,
            range: None,
            more: None,
        }
    }

    pub(super) fn to_json(&self) -> String {
        // It has nothing that cannot be written as JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}
