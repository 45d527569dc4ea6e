//! The only code that talks to the service.

pub mod auth;
mod authorities;
pub mod backoff;
pub mod batch;
pub mod budget;
pub mod client;
mod connect;
pub mod container;
pub mod cursor;
pub mod endpoint;
pub mod epk;
pub mod error;
pub mod hints;
pub mod items;
pub mod options;
pub mod partitions;
pub mod pin;
mod reach;
pub mod retry;
pub mod token;
pub mod traffic;
mod transport;
