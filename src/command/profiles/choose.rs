//! `profiles use`: the profile that is used when none is named.

use anyhow::Result;

use crate::error::ExitCode;
use crate::report::Report;
use crate::settings::{ConfigFile, Given, Origin, WantedProfile, process_environment, table};

/// Makes the profile the default one.
pub(in crate::command) fn run(given: &Given, report: &Report) -> Result<ExitCode> {
    let name = given.get(&table::NEW_PROFILE)?;
    let config = ConfigFile::for_change()?;
    let wanted = WantedProfile::new(name.clone(), Origin::Argument);
    config.choose(Some(&wanted))?;
    if config.default_profile.as_ref() == Some(&name) {
        report.notice(&format!("the default profile is `{name}` already"));
    } else {
        config.set_default(&name)?;
        report.notice(&format!("the default profile is now `{name}`"));
    }
    if let Some(variable) = table::PROFILE.row.variable
        && let Some(other) = process_environment(variable).filter(|text| !text.trim().is_empty())
        && other != name
    {
        report.warning(&format!(
            "{variable} names the profile `{other}`, which is used instead"
        ));
    }
    Ok(ExitCode::Done)
}
