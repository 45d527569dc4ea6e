//! Values together with where they came from, for `-v`.

use std::fmt;

/// Where a value came from. The variants from [`Origin::Flag`] to [`Origin::Default`] are in order of
/// precedence; a state file is not part of this order, since nothing can override it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The state file of the export that is resumed.
    State,
    /// The flag of this name, without its dashes.
    Flag(&'static str),
    /// An argument without a flag.
    Argument,
    /// An environment variable.
    Variable(&'static str),
    /// The profile of this name.
    Profile(String),
    /// Nothing was given.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State => f.write_str("state file"),
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Argument => f.write_str("argument"),
            Self::Variable(name) => f.write_str(name),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A resolved value. It is never a secret: of a key only the origin is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedValue {
    /// The name of the setting.
    pub name: &'static str,
    /// The value as text.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl ResolvedValue {
    /// A value that is not a secret.
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
