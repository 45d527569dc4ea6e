//! From what was typed to a job: flags, environment and state, resolved and validated.

mod values;

pub use values::{parse_bytes, parse_start};
