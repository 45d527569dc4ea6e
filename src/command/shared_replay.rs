//! A replay that shares its ranges with other instances: the group is looked at before the target is created.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::account::Account;
use super::shared::group_of;
use crate::cosmos::missing::ContainerMissing;
use crate::error::{ExitCode, find};
use crate::feed::ContainerAddress;
use crate::monitor::Monitor;
use crate::replay;
use crate::report::Report;
use crate::settings::{ReplayPlan, SharePlan};
use crate::share::{self, Candidate};
use crate::signal::Shutdown;

/// Applies the changes of those ranges whose leases this instance has.
pub(super) async fn run(
    account: &Account,
    shared: SharePlan,
    plan: ReplayPlan,
    monitor: &Monitor,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let feed = plan.feed.as_ref();
    let feed = feed.context("there is no container to share")?;
    let mut connection = account.target_plan()?;
    let base = account.source_plan(&connection, feed)?;
    // A document of the target that a replica does not have yet would be taken for a missing one.
    connection.connect.routing.regions.clear();
    let mut group = Box::pin(group_of(account, base, shared, feed.mode, report)).await?;
    let new = match &plan.create {
        Some(create) => {
            let read = Box::pin(replay::by_container(create, &group.source, report));
            Some(account.until_stopped(read).await??)
        }
        None => None,
    };
    let missing = ContainerAddress {
        endpoint: connection.connect.endpoint.as_str().to_owned(),
        database: connection.connect.database.clone(),
        container: connection.connect.container.clone(),
        container_rid: String::new(),
    };
    let connected = account
        .connect(connection.clone(), plan.retry_limit, report)
        .await;
    let found = match (connected, &new) {
        (Err(error), Some(_)) if find::<ContainerMissing>(&error).is_some() => None,
        (connected, new) => {
            let connected = connected?;
            if let Some(new) = new {
                connected.client.ensure_partition_key(new)?;
            }
            Some(connected)
        }
    };
    let candidate = match (&found, &new) {
        (Some(found), _) => Candidate {
            address: found.source.clone(),
            key_paths: found.client.partition_key_paths(),
        },
        (None, new) => Candidate {
            address: missing,
            key_paths: new
                .as_ref()
                .map_or_else(Vec::new, |new| new.partition_key.clone()),
        },
    };
    let checked = share::ensure_feeds(&mut group, candidate, &plan, report);
    account.until_stopped(checked).await??;
    let target = match (found, &new) {
        (Some(found), None) => found,
        (_, new) => {
            if let Some(new) = new.as_ref().filter(|new| new.template.is_some()) {
                report.detail(&format!(
                    "if the target does not exist, it is created {}",
                    replay::describe(new)
                ));
            }
            // They were said.
            connection.notices.clear();
            connection.values.clear();
            account
                .connect_to(connection, new.as_ref(), plan.retry_limit, report)
                .await?
        }
    };
    Box::pin(share::replay(
        group, target, plan, monitor, report, shutdown,
    ))
    .await
}
