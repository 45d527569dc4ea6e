//! The `export` subcommand: a container to files, or to standard output.

use std::sync::Arc;

use anyhow::Result;

use super::account::Account;
use super::shared::{address_of, group};
use super::{database, monitoring};
use crate::error::ExitCode;
use crate::feed::ContainerAddress;
use crate::job;
use crate::report::Report;
use crate::settings::{DatabasePlan, ExportPlan, Given, ShardPlan, SharePlan, process_environment};
use crate::share::{self, FilesPlan};
use crate::signal::Shutdown;
use crate::state::model::JobKind;

/// Begins an export and reads the container to its end.
pub(super) async fn run(
    account: &Account,
    given: Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let given = given.with_profile(account.profile()?);
    if let Some(plan) = DatabasePlan::of_export(&given)? {
        return Box::pin(database::run(account, plan, report, shutdown)).await;
    }
    if let Some(plan) = ShardPlan::new(&given, &process_environment)? {
        let monitor = monitoring::start(&given, report).await?;
        let connect = async |source: &ContainerAddress, retries| {
            let connection = account.plan_of(source)?;
            account.connect(connection, retries, report).await
        };
        return Box::pin(job::shard(connect, plan, &monitor, report, shutdown)).await;
    }
    let shared = SharePlan::of_export(&given)?;
    let plan = ExportPlan::new(&given)?;
    if let Some(shared) = shared {
        return Box::pin(with_others(account, &given, shared, plan, report, shutdown)).await;
    }
    let container = account.container()?;
    for value in given.option_values()? {
        report.detail(&value.to_string());
    }
    let monitor = monitoring::start(&given, report).await?;
    let retries = plan.settings.max_retries;
    let connect = async || account.connect(account.plan()?, retries, report).await;
    job::export(connect, plan, &container, &monitor, report, shutdown).await
}

/// Exports those ranges whose leases this instance has.
async fn with_others(
    account: &Account,
    given: &Given,
    shared: SharePlan,
    plan: ExportPlan,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let address = address_of(given)?;
    for value in given.option_values()? {
        report.detail(&value.to_string());
    }
    let monitor = monitoring::start(given, report).await?;
    let group = group(account, shared, plan.options.mode, report).await?;
    let plan = FilesPlan {
        address,
        kind: JobKind::Export,
        options: plan.options,
        records: None,
        shaping: given.shaping(),
        settings: plan.settings,
        repair: plan.repair,
        idle_timeout: None,
    };
    share::files(group, plan, |_| None, &monitor, report, shutdown).await
}
