//! The only code that talks to the service.

pub mod account;
pub mod auth;
pub mod backoff;
pub mod batch;
pub mod catalog;
pub mod client;
mod connect;
pub mod container;
pub mod cursor;
pub mod endpoint;
pub mod epk;
pub mod error;
pub mod hints;
pub mod items;
mod lists;
pub mod missing;
pub mod offers;
pub mod options;
pub mod partitions;
pub mod pin;
pub mod probe;
mod reach;
pub mod retry;
pub mod token;
mod transport;
