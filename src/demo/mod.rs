//! The embedded account behind `--demo` and `demo`: Microsoft's in-memory emulator, a container
//! full of documents, and an HTTP host for both on the loopback address.
//!
//! In every process that starts an account with the same options, everything is the same that does not
//! depend on the clock: the documents, their order, their resource ids, and so the LSNs and cursors of the
//! change feed. `_etag` and `_ts` differ. So a saved position remains valid in the next process, as long as
//! it is within the documents of the start.
//!
//! Limits of the emulator: it keeps no versions and no deletes, and it ignores a start at a time.

mod account;
mod answer;
mod authorization;
mod bulk;
mod commands;
mod documents;
mod feed;
mod foreground;
mod host;
mod log;
mod lsns;
mod offers;
mod pace;
mod partitions;
mod recorder;
mod request;
mod rid;
mod topology;
mod transaction;
mod writes;

pub use account::{DemoAccount, DemoOptions};
pub use foreground::{ForegroundOptions, run_foreground, stdin_lines};
pub use partitions::Partition;
