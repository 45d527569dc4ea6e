//! A feed that several instances read together: which of them reads which range, by the leases of a group.
//!
//! ```text
//! instance ──┬─► round       lists the group; takes leases and lets some go, as balance says
//!            ├─► writing     keeps the leases that it has, and saves positions
//!            ├─► reading     takes pages of the reader, whose shards come and go, and gives them to the outlet
//!            ├─► outlet      standard output, or a container that they are applied to
//!            ▼
//!          store             the documents: each write has the ETag of what was read as its condition
//! ```
//!
//! A lease says who reads, and nothing more. Whoever cannot renew one in time stops, by a clock that counts pauses
//! ([`crate::process::since_boot`]), and whoever wrote a position on the condition of an ETag that no longer exists
//! has written nothing. What cannot be prevented is that changes are printed twice: output to a pipe is at least once. A
//! change that is applied late fails by its condition, or is followed by a newer one.

mod balance;
mod bootstrap;
mod children;
mod committing;
mod files;
mod holding;
mod instance;
mod namesake;
mod others;
mod outlet;
mod purpose;
mod reading;
mod replay;
mod round;
mod service_clock;
mod source;
mod store;
mod tail;
mod writing;

pub(crate) use files::{FilesPlan, files};
pub(crate) use replay::{Candidate, ensure_feeds, replay};
pub(crate) use service_clock::ServiceClock;
pub(crate) use store::{Intervals, Store};
pub(crate) use tail::{Group, tail};
