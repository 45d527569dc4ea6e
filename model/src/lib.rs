//! A model of the protocol by which exports are committed to an object store, for a model checker.
//!
//! docs/object-store-protocol.md explains the protocol and has its rules. [`store`] is an object store,
//! [`process`] what an export does, [`world`] both together with everything that can go wrong, and what must
//! hold. Each of the [`rules`] can be switched off; the tests show that the checker then finds a violation.
//!
//! [`leases`] is a second model, of owners that change, and [`copies`] a third, of states that are not where the objects are:
//! their commits are single steps. [`explored`] is what a search of any of them finds.

pub mod copies;
pub mod explored;
pub mod leases;
pub mod process;
pub mod rules;
pub mod store;
pub mod world;
