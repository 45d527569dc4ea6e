//! The group that an instance belongs to, connected.

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::account::Account;
use super::leases::opened::Opened;
use crate::cli::Command;
use crate::cli::location::Location;
use crate::error::usage;
use crate::feed::FeedMode;
use crate::leases::{Dialect, Mark, Prefix};
use crate::objects::Address;
use crate::report::Report;
use crate::settings::{ConnectionPlan, Given, LeaseFormat, Names, SharePlan, table};
use crate::share::{Group, Intervals, ServiceClock, Store};

/// Where the instances of a group write, by what was typed.
pub(super) fn address_of(given: &Given) -> Result<Address> {
    let typed = match given.command() {
        Command::Tail => given.typed(&table::TAIL_OUTPUT),
        _ => given.typed(&table::EXPORT_OUTPUT),
    };
    match typed {
        Some(Location::Objects(address)) => Ok(address),
        _ => bail!("instances write to an object store"),
    }
}

/// Connects to the lease container and to the container that is read.
pub(super) async fn group(
    account: &Account,
    plan: SharePlan,
    mode: FeedMode,
    report: &Arc<Report>,
) -> Result<Group> {
    let base = account.account_plan(Names::Required)?;
    group_of(account, base, plan, mode, report).await
}

/// The same of the container that `base` connects to.
pub(super) async fn group_of(
    account: &Account,
    base: ConnectionPlan,
    plan: SharePlan,
    mode: FeedMode,
    report: &Arc<Report>,
) -> Result<Group> {
    let mut opened = Opened::at_account(account, base, &plan.leases, report).await?;
    let place = opened.typed_place().await;
    let place = place.context("no container is named that the group reads")??;
    let source = opened.at(&place).await?;
    if source.client.rid() == opened.leases.client.rid() {
        return Err(usage(
            "the lease container is the container that is read: each renewal would be a change",
            "keep the leases in a container of their own: --leases DATABASE/CONTAINER",
        ));
    }
    let host = opened.host();
    let prefix = Prefix::named(&plan.group, &host, &place.rid)
        .context("the RID of the container has an unknown form")?;
    let store = Store {
        client: Arc::clone(&opened.leases.client),
        keyed_by: opened.keyed_by,
        prefix,
        host,
        rid: place.rid,
        mode,
        dialect: match plan.format {
            LeaseFormat::Dotnet => Dialect::Net,
            LeaseFormat::Java => Dialect::JavaRange,
        },
        instance: plan.instance,
        mark: Mark::random(),
        clock: ServiceClock::of(opened.leases.client.traffic(), opened.now()),
        intervals: Intervals {
            acquire: plan.acquire,
            renew: plan.renew,
            expiration: plan.expiration,
        },
        feeds: None,
        files: None,
    };
    Ok(Group { store, source })
}
