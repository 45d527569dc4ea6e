//! What a row of the table of settings can say about a setting.

use crate::cli::Command;

/// How a setting appears on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `--name VALUE`.
    Value,
    /// `--name VALUE`, which can be repeated.
    Values,
    /// `--name`.
    Switch,
    /// `--name`, which counts.
    Count,
    /// A value without a flag.
    Argument,
    /// Values without a flag.
    Arguments,
    /// Not at all: it comes from a variable or a profile only.
    Elsewhere,
}

/// The headings of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heading {
    Connection,
    Output,
    Changes,
    Reading,
    Committing,
    Monitoring,
    Files,
    Columns,
    FromContainer,
    Writing,
    Refusals,
}

impl Heading {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Connection => "Connection",
            Self::Output => "Output",
            Self::Changes => "Which changes",
            Self::Reading => "Reading",
            Self::Committing => "Committing",
            Self::Monitoring => "Monitoring",
            Self::Files => "Files",
            Self::Columns => "Columns of CSV, Parquet and Arrow",
            Self::FromContainer => "From a container",
            Self::Writing => "Writing",
            Self::Refusals => "Refusals",
        }
    }
}

/// The commands that have a setting.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Commands {
    /// All of them.
    All,
    /// These.
    Of(&'static [Command]),
}

/// What a setting is when nothing gives it a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultValue {
    /// Nothing: it is off, or it has no value.
    None,
    /// This value, as it would be typed.
    Value(&'static str),
    /// No value; the sentence describes what happens then.
    Described(&'static str),
}

/// Where a profile has a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProfileKey {
    /// In the profile itself: it names the account or the container, or is part of the credential.
    Account(AccountKey),
    /// In the table `options` of the profile: a default for the flag.
    Option,
}

/// The keys of a profile that make up its account, container and credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountKey {
    Endpoint,
    Database,
    Container,
    Auth,
    Key,
    KeyFile,
    KeyCommand,
}

/// How the state of an export keeps a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It does not.
    No,
    /// In this field of its options, which never change.
    Frozen(&'static str),
    /// In this field of its settings, which a resume takes over and can change.
    Changeable(&'static str),
}
