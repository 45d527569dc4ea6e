//! The colours on a terminal. [`crate::escape`] decides which characters may reach it.

/// The colours of jq, except for punctuation, which is not coloured.
pub(super) mod colour {
    pub(crate) const NAME: &str = "\x1b[34;1m";
    pub(crate) const STRING: &str = "\x1b[32m";
    pub(crate) const NULL: &str = "\x1b[90m";
    pub(crate) const DIM: &str = "\x1b[2m";
    pub(crate) const BOLD: &str = "\x1b[1m";
    pub(crate) const CYAN: &str = "\x1b[36m";
    pub(crate) const GREEN: &str = "\x1b[32m";
    pub(crate) const YELLOW: &str = "\x1b[33m";
    pub(crate) const RED: &str = "\x1b[31m";
    pub(crate) const RESET: &str = "\x1b[0m";
}
