//! From what was typed to a job: flags, environment and state, resolved and validated.

mod connection;
mod job;
mod values;

pub use connection::{ConnectionPlan, CredentialPlan, EntraIdPlan, Environment, SecretText};
pub use job::{ExportPlan, ResumePlan, concurrency};
pub use values::{parse_bytes, parse_start};
