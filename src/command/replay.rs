//! The `replay` subcommand: changes to a container, or to standard output.

use std::sync::Arc;

use anyhow::Result;

use super::account::Account;
use super::{monitoring, replayed_database, shared_replay};
use crate::cosmos::container::NewContainer;
use crate::cosmos::options::NamesFrom;
use crate::error::{ExitCode, usage};
use crate::feed::ContainerAddress;
use crate::replay;
use crate::report::Report;
use crate::settings::{DatabaseReplay, Given, ReplayPlan, table};
use crate::signal::Shutdown;

/// Applies the changes of files, or of another container.
pub(super) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    if let Some(plan) = DatabaseReplay::new(given)? {
        return Box::pin(replayed_database::run(
            account, &plan, given, report, shutdown,
        ))
        .await;
    }
    let plan = ReplayPlan::new(given)?;
    for value in given.times() {
        report.detail(&value.to_string());
    }
    if given.is_on(&table::TO_STDOUT) {
        if given.is_typed(&table::METRICS_LISTEN.row) {
            return Err(usage(
                "--metrics-listen needs a replay into a container",
                "leave it out: --stdout writes without contacting an account",
            ));
        }
        return replay::to_standard_output(&plan, report, shutdown).await;
    }
    if plan.feed.is_none() && given.is_typed(&table::REGION.row) {
        return Err(usage(
            "--region says where a feed is read, but this replay reads files",
            "leave --region out: the target is read and written in the region that is written to",
        ));
    }
    if account.is_demo() && plan.state.is_some() {
        return Err(usage(
            "--state cannot be used with --demo: the embedded account and its data end with this process",
            "leave out --state, or keep an account running with `cosmos-tail demo`",
        ));
    }
    let of_profile = given.clone().with_profile(account.profile()?);
    let monitor = monitoring::start(&of_profile, report).await?;
    if let Some(shared) = plan.shared.clone() {
        let shared = shared_replay::run(account, shared, plan, &monitor, report, shutdown);
        return Box::pin(shared).await;
    }
    let create = plan.create.clone();
    let dry_run = plan.dry_run;
    let retries = plan.retry_limit;
    let feed = plan.feed.clone();
    let planned = plan.share.as_ref().map(|share| share.file.source.clone());
    let connect = async |earlier: Option<&ContainerAddress>, by_files: Option<NewContainer>| {
        let mut connection = account.target_plan()?;
        account.ensure_same(&connection, earlier)?;
        let mut source = feed
            .map(|feed| account.source_plan(&connection, &feed))
            .transpose()?;
        if let (Some(source), Some(planned)) = (&mut source, &planned) {
            account.ensure_planned(source, planned)?;
            source.connect.names_from = NamesFrom::State;
        }
        // A document of the target that a replica does not have yet would be taken for a missing one.
        connection.connect.routing.regions.clear();
        // The source comes first: if it does not exist, no target is created.
        let source = match source {
            Some(source) => Some(account.connect(source, retries, report).await?),
            None => None,
        };
        let new = match (&create, &source) {
            (Some(create), Some(source)) => {
                let read = Box::pin(replay::by_container(create, source, report));
                Some(account.until_stopped(read).await??)
            }
            _ => by_files,
        };
        let target = match &new {
            Some(new) if dry_run => {
                account
                    .rehearse_connecting_to(connection, new, retries, report)
                    .await?
            }
            new => {
                let create = new.as_ref();
                if let Some(new) = create.filter(|new| new.template.is_some()) {
                    report.detail(&format!(
                        "if the target does not exist, it is created {}",
                        replay::describe(new)
                    ));
                }
                let connected = account.connect_to(connection, create, retries, report);
                replay::Target::There(connected.await?)
            }
        };
        Ok(replay::Containers { target, source })
    };
    Box::pin(replay::replay(connect, plan, &monitor, report, shutdown)).await
}
