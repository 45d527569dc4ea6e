//! From what was typed to a job: flags, environment, profile and state, resolved and validated.

mod connection;
mod files;
mod job;
mod profile;
mod replay;
mod resolved;
mod schema;
mod tail;
mod values;

pub use connection::{
    ConnectionPlan, ConnectionRequest, Environment, credential_is_given, process_environment,
};
pub use job::{ExportPlan, ResumePlan, USUAL_RETRIES};
pub use profile::{
    ChosenProfile, ConfigFile, KeySource, Profile, ProfileEndpoint, ProfileOptions, WantedProfile,
    fill_options, option_values,
};
pub use replay::{FeedPlan, ReplayPlan, Speed, TimeWindow};
pub use resolved::{Origin, ResolvedValue};
pub use schema::SchemaPlan;
pub use tail::TailPlan;
pub use values::{
    parse_bytes, parse_bytes_or_none, parse_compression, parse_delimiter, parse_duration_or_none,
    parse_sample, parse_schema_source, parse_speed, parse_start, parse_tail_start,
    parse_time_or_age,
};
