//! The table of settings: one row for each thing that can be set.
//!
//! A row is written once, in one of the modules here. From it follow the flag with its help, the key in a
//! profile, what `-v` prints, what a state keeps and a resume can change, and the tables of
//! `docs/profiles.md`. A new setting is a new row, and the code that uses its value:
//!
//! ```text
//! EXAMPLE_LIMIT: u32 = Setting::new("example-limit", number("N", values::whole::<1, 100>))
//!     .help("Examples at the same time")
//!     .default("10")
//!     .profile_option()
//!     .of(&[Command::Export])
//!     .under(Heading::Reading);
//! ```
//!
//! and, where it is used, `given.get(&EXAMPLE_LIMIT)?`.

mod acceptance;
mod columns;
mod committing;
mod comparison;
mod connection;
#[cfg(feature = "demo")]
mod demo;
mod export;
mod files;
mod lag;
mod leases;
mod monitoring;
mod output;
mod plan;
mod profiles;
mod query;
mod reading;
mod replay;
mod share;
mod snapshot;
mod tail;

pub(crate) use acceptance::*;
pub(crate) use columns::*;
pub(crate) use committing::*;
pub(crate) use comparison::*;
pub(crate) use connection::*;
#[cfg(feature = "demo")]
pub(crate) use demo::*;
pub(crate) use export::*;
pub(crate) use files::*;
pub(crate) use lag::*;
pub(crate) use leases::*;
pub(crate) use monitoring::*;
pub(crate) use output::*;
pub(crate) use plan::*;
pub(crate) use profiles::*;
pub(crate) use query::*;
pub(crate) use reading::*;
pub(crate) use replay::*;
pub(crate) use share::*;
pub(crate) use snapshot::*;
pub(crate) use tail::*;

use crate::settings::setting::AnySetting;

/// The groups of rows, in the order of the help.
static GROUPS: &[&[&dyn AnySetting]] = &[
    export::ROWS,
    plan::ROWS,
    snapshot::ROWS,
    query::ROWS,
    tail::ROWS,
    share::ROWS,
    replay::ROWS,
    comparison::ROWS,
    acceptance::ROWS,
    lag::ROWS,
    leases::ROWS,
    #[cfg(feature = "demo")]
    demo::ROWS,
    profiles::ROWS,
    files::ROWS,
    columns::ROWS,
    reading::ROWS,
    committing::ROWS,
    monitoring::ROWS,
    connection::ROWS,
    output::ROWS,
];

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = &'static dyn AnySetting> {
    GROUPS.iter().flat_map(|group| group.iter().copied())
}

/// The fields in which the state of `command` keeps settings.
#[cfg(test)]
pub(crate) fn kept_fields(command: crate::cli::Command) -> Vec<&'static str> {
    use super::setting::Kept;
    rows()
        .map(AnySetting::row)
        .filter(|row| row.is_of(command))
        .filter_map(|row| match row.kept {
            Kept::Frozen(field) | Kept::Changeable(field) => Some(field),
            Kept::No => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
