//! The commands: one file for each, from what was given to the exit code.
//!
//! [`run()`] selects the command. `account` is the account that a command works with, `streams` what it
//! needs of the standard streams. A command resolves its settings to a plan, and the modules below carry it
//! out.

mod acceptance;
mod account;
mod compare;
mod compared_database;
pub mod complete;
mod completion_names;
mod completions;
mod database;
mod definitions;
#[cfg(feature = "demo")]
mod demo;
#[cfg(feature = "demo")]
mod embedded;
mod export;
pub mod generate;
mod lag;
mod leases;
mod ls;
mod monitoring;
mod plan;
mod profiles;
mod ranges;
mod replay;
mod replayed_database;
mod resume;
mod run;
mod schema;
mod shared;
mod shared_replay;
mod streams;
mod tail;
mod verify;

pub use run::run;
