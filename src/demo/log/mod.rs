//! The log of the embedded account: every write that the emulator has accepted, in the order of the feed.
//!
//! The emulator stores the items; the log has what it takes to serve their change feed, in both modes, in a
//! time that grows with the page and not with the partition. For each partition that is the latest
//! version of every item, in the order of their LSNs, and a window of the last changes with what they
//! replaced. A version's text is in memory once, however many places refer to it.
//!
//! LSNs are the log's own. They rise by one for each transaction of a partition, and the children of a
//! split or merge count on from their parents. (The emulator's begin again after a merge.)

mod account;
mod container;
mod epk;
mod partition;
mod scope;
mod version;
mod window;

pub(super) use account::AccountLog;
pub(super) use container::{ContainerLog, Policy, Write};
pub(super) use epk::{Epk, Key, KeyDefinition};
pub(super) use partition::PartitionLog;
pub(super) use scope::{Limit, Scope};
pub(super) use version::Version;
pub(super) use window::{Change, OutsideWindow};
