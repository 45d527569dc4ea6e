//! The `profiles` subcommand and those below it.

pub(super) mod add;
pub(super) mod choose;
pub(super) mod doctor;
pub(super) mod list;
