//! The `verify` subcommand: checks an export against its own state and manifest, without the service.
//!
//! It writes nothing and locks nothing. A finding is either a fault, which neither a crash nor a consumer of
//! finished files explains, or a note: a file that was moved away, or something that the next `resume`
//! will clean up.

mod contents;
mod database;
mod export;
mod findings;
mod group;
mod local;
mod objects;
mod shards;
mod spans;
mod state_file;

pub use database::verify_database;
pub use export::check_export;
pub use findings::{Finding, Findings};
pub use local::verify;
