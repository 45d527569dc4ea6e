//! Definitions of containers as what an infrastructure repository keeps: Bicep, or a template of Azure Resource Manager.
//!
//! Both say the same, member by member as the service has it, so that whoever deploys one gets the container that it was
//! made from.

mod bicep;
mod described;
mod names;
mod resources;
mod template;
mod tree;

use anyhow::Result;

pub use described::Described;
use resources::Database;

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Bicep.
    Bicep,
    /// A template of Azure Resource Manager, in JSON.
    Template,
}

/// The text that makes these containers, with their databases.
///
/// # Errors
///
/// If a definition is nested more deeply than any policy.
pub fn text(described: &[Described], form: Form) -> Result<String> {
    let databases = Database::of(described)?;
    Ok(match form {
        Form::Bicep => bicep::text(&databases),
        Form::Template => template::text(&databases),
    })
}
