//! How the values of settings are written and read: on the command line, in a profile, in what `-v` prints.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{EnumValueParser, PathBufValueParser, TypedValueParser, ValueParser};
use clap::{ValueEnum, ValueHint};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::cli::location::{self, Location};
use crate::cli::times;
use crate::cli::values::{self, Parsed};
use crate::feed::ChangeFeedStart;

/// Makes a value of text.
type Parse<T> = fn(&str) -> Parsed<T>;

/// How a value is written and read.
#[derive(Clone, Copy)]
pub(crate) struct Value<T: 'static> {
    pub(super) placeholder: Option<&'static str>,
    pub(super) parse: Parse<T>,
    show: Option<fn(&T) -> String>,
    pub(super) toml: Toml,
    /// Whether a value may begin with a hyphen, as text may.
    pub(super) may_have_hyphen: bool,
    /// Whether it is a point in time, of which `-v` prints what it means in UTC.
    pub(super) is_time: bool,
    /// What clap parses it with.
    pub(super) parser: fn(Parse<T>) -> ValueParser,
    /// What a shell completes it with.
    pub(super) completion: ValueHint,
}

impl<T: Clone + Send + Sync + 'static> Value<T> {
    /// Values that `parse` makes of text.
    pub(crate) const fn new(placeholder: &'static str, parse: Parse<T>) -> Self {
        Self {
            placeholder: Some(placeholder),
            parse,
            show: None,
            toml: Toml::Text,
            may_have_hyphen: false,
            is_time: false,
            parser: |parse| ValueParser::new(parse),
            completion: ValueHint::Unknown,
        }
    }

    /// Values that may begin with a hyphen.
    pub(crate) const fn with_hyphen(mut self) -> Self {
        self.may_have_hyphen = true;
        self
    }

    /// The value of a text.
    pub(crate) fn parse(&self, text: &str) -> Parsed<T> {
        (self.parse)(text)
    }

    /// The value as text, in one form whichever way it was written.
    pub(crate) fn show(&self, value: &T) -> Option<String> {
        self.show.map(|show| show(value))
    }
}

/// Whole numbers.
pub(crate) const fn number<T: Display + Clone + Send + Sync + 'static>(
    placeholder: &'static str,
    parse: Parse<T>,
) -> Value<T> {
    Value {
        show: Some(T::to_string),
        toml: Toml::Whole,
        ..Value::new(placeholder, parse)
    }
}

/// Sizes in bytes.
pub(crate) const fn bytes() -> Value<u64> {
    Value {
        show: Some(u64::to_string),
        toml: Toml::Bytes,
        ..Value::new("BYTES", values::bytes)
    }
}

/// Durations.
pub(crate) const fn duration() -> Value<Duration> {
    Value {
        show: Some(|duration| humantime::format_duration(*duration).to_string()),
        toml: Toml::Duration,
        ..Value::new("DURATION", values::duration)
    }
}

/// Where a feed starts.
pub(crate) const fn start() -> Value<ChangeFeedStart> {
    Value {
        show: Some(|start| shown_start(*start)),
        is_time: true,
        ..Value::new("WHERE", times::start)
    }
}

/// A time, or an age.
pub(crate) const fn time_or_age() -> Value<OffsetDateTime> {
    Value {
        show: Some(|time| in_utc(*time)),
        is_time: true,
        ..Value::new("WHEN", times::time_or_age)
    }
}

/// Where a feed starts, in the one form in which it is shown.
pub(crate) fn shown_start(start: ChangeFeedStart) -> String {
    match start {
        ChangeFeedStart::Beginning => "beginning".to_owned(),
        ChangeFeedStart::Now => "now".to_owned(),
        ChangeFeedStart::PointInTime(time) => in_utc(time),
    }
}

fn in_utc(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// Any text.
pub(crate) const fn text(placeholder: &'static str) -> Value<String> {
    Value::new(placeholder, values::text).with_hyphen()
}

/// Paths, which need not be Unicode on the command line.
pub(crate) const fn path(placeholder: &'static str) -> Value<PathBuf> {
    Value {
        parser: |_| parser_of_paths(location::file),
        completion: ValueHint::AnyPath,
        ..Value::new(placeholder, values::path)
    }
}

/// The same where `-` is a path too, which the reader takes for standard input.
pub(crate) const fn path_or_dash(placeholder: &'static str) -> Value<PathBuf> {
    Value {
        parser: |_| parser_of_paths(values::path_or_dash),
        completion: ValueHint::AnyPath,
        ..Value::new(placeholder, |text| values::path_or_dash(Path::new(text)))
    }
}

/// Paths, or `-` for a standard stream.
pub(crate) const fn location(placeholder: &'static str) -> Value<Location> {
    Value {
        parser: |_| parser_of_paths(Location::parse),
        completion: ValueHint::AnyPath,
        ..Value::new(placeholder, values::location)
    }
}

/// Paths, or places in an object store.
pub(crate) const fn place(placeholder: &'static str) -> Value<Location> {
    Value {
        parser: |_| parser_of_paths(location::place),
        completion: ValueHint::AnyPath,
        ..Value::new(placeholder, values::place)
    }
}

fn parser_of_paths<T: Clone + Send + Sync + 'static>(parse: fn(&Path) -> Parsed<T>) -> ValueParser {
    PathBufValueParser::new()
        .try_map(move |path| parse(&path))
        .into()
}

/// Fixed choices.
pub(crate) const fn choice<T: ValueEnum + Send + Sync + 'static>(
    placeholder: &'static str,
) -> Value<T> {
    Value {
        placeholder: Some(placeholder),
        parse: values::choice,
        show: Some(values::choice_name),
        toml: Toml::Text,
        may_have_hyphen: false,
        is_time: false,
        parser: |_| EnumValueParser::<T>::new().into(),
        completion: ValueHint::Unknown,
    }
}

/// The forms of a value in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toml {
    /// An integer.
    Whole,
    /// An integer, or a string such as `"64MiB"`.
    Bytes,
    /// A duration in quotes.
    Duration,
    /// A string.
    Text,
    /// `true` or `false`.
    Switch,
}

/// A duration in milliseconds, at least one.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}
