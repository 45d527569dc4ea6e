//! The embedded account behind `--demo` and `demo`: Microsoft's in-memory emulator, a container
//! full of documents, and an HTTP host for both on the loopback address.
//!
//! Databases, containers, items, queries, partitions, and what is refused and how are Microsoft's. The change
//! feed is ours: the emulator copies and sorts a whole partition for each page, keeps no versions and no
//! deletes, ignores a start at a time, and has positions of a form of its own. The host sees every write, so
//! it logs them (`recorder`, `log`) and serves the feed of both modes from the log (`feed`). LSNs, ETags and
//! session tokens are the log's, in the form of the service. Expired items are deleted by the host too.
//!
//! The items of a container with many of them are in the log only, since the emulator takes several times the memory
//! of their text. It still judges each request to them, and evaluates each query (`visit`, `scan`).
//!
//! In every process that starts an account with the same options, everything is the same that does not
//! depend on the clock: the documents, their order, their resource ids, and so the LSNs and positions of the
//! change feed. `_etag` and `_ts` differ. So a saved position remains valid in the next process, as long as
//! it is within the documents of the start.
//!
//! The feed of all versions and deletes begins after the documents of the start, and goes back by 200,000
//! changes of a container or 128 MiB of earlier versions, whichever is less. A continuation from before
//! that is refused with 400, as on the service.

mod account;
mod answer;
mod authorization;
mod batch;
mod bulk;
mod commands;
mod documents;
mod emulator;
mod evaluator;
mod feed;
mod fill;
mod foreground;
mod host;
mod log;
mod lsns;
mod offers;
mod orders;
mod pace;
mod partitions;
mod patch;
mod query;
mod recorder;
mod request;
mod rid;
mod scan;
mod sql;
mod topology;
mod transaction;
mod visit;
mod writes;

pub use account::{DemoAccount, DemoOptions};
pub use foreground::{ForegroundOptions, Moment, run_foreground, stdin_lines};
pub use partitions::Partition;
