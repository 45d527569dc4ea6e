//! From what was typed to a plan: flags, environment, profile and state, resolved and validated.
//!
//! Every setting is a row of one table. [`Given`] holds what was given for the rows; the plans are what the
//! rest of the program works with.

mod acceptance;
mod arguments;
mod columns;
mod compare;
mod comparison;
mod connection;
mod container_choice;
mod database;
mod database_comparison;
mod database_replay;
mod documentation;
mod endpoint;
mod environment;
mod export;
mod feed_start;
mod files;
mod given;
mod lag;
mod leases;
mod monitor;
mod objects;
mod output_name;
mod permissions;
mod plan;
mod profile;
mod properties;
mod query;
mod replay;
mod replayed_share;
mod resolved;
mod resume;
mod setting;
mod shaping;
mod shard;
mod share;
pub(crate) mod table;
mod tail;
mod value;
mod verify;

pub use acceptance::AcceptancePlan;
pub use arguments::{command, variables};
pub use columns::{Compared, SchemaPlan};
pub(crate) use compare::mode as mode_text;
pub use comparison::{ComparePlan, ComparedSide};
pub use connection::{
    ConnectionArgs, ConnectionPlan, ConnectionRequest, Names, ProfileParts, credential_is_given,
};
pub use database::{ALL_CONTAINERS, DatabasePlan, is_pattern, matches};
pub use database_comparison::{ComparedDatabase, DatabaseComparison};
pub use database_replay::{DatabaseReplay, DatabaseSource, ReplayBounds};
pub use documentation::profile_tables;
pub use environment::{Environment, process_environment};
pub use export::ExportPlan;
pub use given::Given;
pub(crate) use given::default_settings;
pub use lag::{LagOf, LagPlan};
pub use leases::{
    AdoptPlan, ContainerNames, GroupPlan, ImportPlan, LeasesPlan, ResetPlan, repair_start,
};
pub use monitor::MonitorPlan;
pub use plan::{After, NewPlan};
pub use profile::{
    ChosenProfile, ConfigFile, KeySource, NewProfile, Profile, ProfileEndpoint, ProfileOptions,
    WantedProfile,
};
pub use query::QueryPlan;
pub use replay::{Creation, FeedPlan, ReplayPlan, TimeWindow};
pub use replayed_share::ReplayedShare;
pub use resolved::{Origin, ResolvedValue};
pub use resume::{ResumeCommand, ResumePlan};
pub use shard::{OwnPlace, ShardPlan};
pub use share::SharePlan;
pub use tail::TailPlan;
pub(crate) use value::shown_start as start_text;
pub use verify::VerifyPlan;

pub use crate::cli::choices::{IdCollisions, LeaseFormat, MissingKey, Ttl, TtlDeletes, WriteMode};
pub use crate::cli::values::Speed;
