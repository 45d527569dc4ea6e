//! The integration tests: one binary, so that the crate is linked once.
#![expect(clippy::unwrap_used, reason = "a test stops at what cannot happen")]

mod command;
mod crash;
mod export;
mod gateway;
mod gateway_conformance;
mod generated;
mod tail;
mod topology;
