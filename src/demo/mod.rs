//! The embedded account behind `--demo` and `demo`: Microsoft's in-memory emulator, a container
//! full of documents, and an HTTP host for both on the loopback address.
//!
//! Everything that does not need the clock is the same in every process that starts an account
//! with the same options: the documents, their order, their resource ids, and so the LSNs and
//! cursors of the change feed. `_etag` and `_ts` are not. A saved position therefore stays good
//! from one process to the next, as long as it lies within the documents of the start.
//!
//! What the emulator does not do: it keeps no versions and no deletes, and it ignores a start at a
//! time.

mod account;
mod authorization;
mod commands;
mod documents;
mod foreground;
mod host;
mod pace;
mod partitions;
mod writes;

pub use account::{DemoAccount, DemoOptions};
pub use foreground::{ForegroundOptions, run_foreground, stdin_lines};
pub use partitions::Partition;
