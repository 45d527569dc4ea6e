//! The commands on leases of change feed processors: one file for each.
//!
//! [`opened`] is the lease container with the containers that its groups read.

pub(super) mod adopt;
pub(super) mod check;
pub(super) mod list;
mod measured;
pub(super) mod opened;
pub(super) mod repair;
pub(super) mod reset;
pub(super) mod transfer;
