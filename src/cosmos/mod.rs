//! The only code that talks to the service.

pub mod error;
