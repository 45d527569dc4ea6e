//! Values together with where they came from, for `-v`.

use std::fmt;

/// Where a value came from. The order of precedence is that of the variants from [`Origin::Flag`]
/// to [`Origin::Default`]; what a state file says of an export is not up for choice at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The state file of the export that is gone on with.
    State,
    /// A flag, such as `--endpoint`.
    Flag(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// The profile of this name.
    Profile(String),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State => f.write_str("state file"),
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value that was resolved. It is never a secret: of a key only the origin is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedValue {
    /// Its name, as the profiles have it.
    pub name: &'static str,
    /// The value as text.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl ResolvedValue {
    /// A value that is no secret.
    pub fn new(name: &'static str, value: impl Into<String>, origin: Origin) -> Self {
        Self {
            name,
            value: value.into(),
            origin,
        }
    }
}

impl fmt::Display for ResolvedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if !self.value.is_empty() {
            write!(f, " {}", self.value)?;
        }
        write!(f, " ({})", self.origin)
    }
}
