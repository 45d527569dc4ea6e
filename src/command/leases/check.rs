//! `leases check`: what is wrong with the groups of a lease container.

use std::sync::Arc;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::measured::{assess, intervals_of};
use super::opened::{Opened, Wanted};
use crate::clock;
use crate::command::account::Account;
use crate::count::count;
use crate::error::ExitCode;
use crate::leases::{Finding, check};
use crate::report::{Report, TableFormat};
use crate::settings::{Given, LeasesPlan, Names};

/// What a check found, as an object.
#[derive(Debug, Serialize)]
struct Checked {
    /// When it was made, by this machine's clock.
    #[serde(with = "time::serde::rfc3339")]
    time: OffsetDateTime,
    /// The lease container.
    leases: String,
    groups: usize,
    faults: usize,
    warnings: usize,
    findings: Vec<Finding>,
}

/// Checks the groups, and prints what is found.
pub(in crate::command) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let plan = LeasesPlan::new(given)?;
    let mut opened = Opened::open(account, &plan.leases, Names::IfTyped, report).await?;
    let wanted = Wanted {
        group: plan.group.as_deref(),
    };
    let groups = opened.groups(&wanted).await?;
    let mut findings = Vec::new();
    for group in &groups {
        let work = assess(&mut opened, group, &plan);
        let (known, fault) = account.until_stopped(work).await??;
        findings.extend(check(group, &known.rows, intervals_of(&plan), opened.now()));
        if let Some(fault) = fault {
            // What cannot be read by us cannot be read by a processor.
            findings.push(Finding {
                group: group.prefix.name.clone(),
                lease: None,
                kind: "lag",
                is_fault: true,
                text: format!("what comes after its positions cannot be read: {fault:#}"),
            });
        }
    }
    let faults = findings.iter().filter(|found| found.is_fault).count();
    let checked = Checked {
        time: clock::now(),
        leases: opened.name(),
        groups: groups.len(),
        faults,
        warnings: findings.len() - faults,
        findings,
    };
    match plan.format {
        TableFormat::Json => report.print_json(&checked, true)?,
        TableFormat::Table => print(&checked, report)?,
    }
    let is_failed = checked.faults > 0 || (plan.strict && checked.warnings > 0);
    Ok(if is_failed {
        ExitCode::Failed
    } else {
        ExitCode::Done
    })
}

fn print(checked: &Checked, report: &Report) -> Result<()> {
    let mut text = String::new();
    for found in &checked.findings {
        let severity = if found.is_fault { "fault" } else { "warning" };
        let group = match found.group.as_str() {
            "" => "\"\"",
            name => name,
        };
        let place = match &found.lease {
            Some(lease) => format!("{group} {lease}"),
            None => group.to_owned(),
        };
        text.push_str(&format!(
            "{severity}: {}: {}\n",
            one_line(&place),
            one_line(&found.text)
        ));
    }
    text.push_str(&format!(
        "{} in `{}`: {}, {}\n",
        count(checked.groups as u64, "group"),
        checked.leases,
        count(checked.faults as u64, "fault"),
        count(checked.warnings as u64, "warning"),
    ));
    report.print(&text)
}

/// What comes from documents stays on its line.
fn one_line(text: &str) -> String {
    crate::escape::escape_for_terminal(text).into_owned()
}
