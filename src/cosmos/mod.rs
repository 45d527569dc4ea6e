//! The only code that talks to the service.

pub mod auth;
pub mod batch;
pub mod client;
pub mod error;
pub mod feed;
mod hint;
pub mod items;
pub mod retry;
mod transport;
