//! From what was typed to a job: flags, environment and state, resolved and validated.

mod connection;
mod job;
mod tail;
mod values;

pub use connection::{ConnectionPlan, CredentialPlan, EntraIdPlan, Environment, SecretText};
pub use job::{ExportPlan, ResumePlan, concurrency};
pub use tail::TailPlan;
pub use values::{parse_bytes, parse_start, parse_tail_start, parse_time_or_age};
