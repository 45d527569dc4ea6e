//! The `lag` subcommand: how far a job is behind its container by its state, or a group by its leases.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use async_trait::async_trait;

use super::account::{Account, connect_retries};
use super::leases::opened::Opened;
use crate::error::{ExitCode, with_hint};
use crate::job::Connected;
use crate::leases::measurable;
use crate::measure::{self, ReadAgain, Watched};
use crate::objects::ObjectAddress;
use crate::report::Report;
use crate::settings::{ContainerNames, Given, LagOf, LagPlan, Names};
use crate::signal::Shutdown;

/// Measures the lag once, or until stopped.
pub(super) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let plan = LagPlan::new(given)?;
    match &plan.of {
        LagOf::State(path) => {
            let state = JobState::File(path);
            of_state(account, state, &plan, report, shutdown).await
        }
        LagOf::Object(object) => {
            let state = JobState::Object(object);
            of_state(account, state, &plan, report, shutdown).await
        }
        LagOf::Group { name, leases } => {
            of_group(account, name, leases, &plan, report, shutdown).await
        }
    }
}

async fn of_state(
    account: &Account,
    mut state: JobState<'_>,
    plan: &LagPlan,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let watched = state.read().await?;
    let connection = account.plan_of(watched.source())?;
    let connected = account
        .connect(connection, connect_retries()?, report)
        .await?;
    measure::lag(watched, &mut state, connected, plan, report, shutdown).await
}

async fn of_group(
    account: &Account,
    name: &str,
    leases: &ContainerNames,
    plan: &LagPlan,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let opened = Opened::open(account, leases, Names::IfTyped, report).await?;
    let mut group = NamedGroup { opened, name };
    let (watched, connected) = read_group(&mut group.opened, name).await?;
    measure::lag(watched, &mut group, connected, plan, report, shutdown).await
}

/// The state of a job.
enum JobState<'a> {
    File(&'a Path),
    Object(&'a ObjectAddress),
}

#[async_trait]
impl ReadAgain for JobState<'_> {
    async fn read(&mut self) -> Result<Watched> {
        match self {
            Self::File(path) => Watched::read(path),
            Self::Object(object) => {
                let object = object.clone();
                tokio::task::spawn_blocking(move || Watched::of_object(&object)).await?
            }
        }
    }
}

/// A group of a lease container.
struct NamedGroup<'a> {
    opened: Opened<'a>,
    name: &'a str,
}

#[async_trait]
impl ReadAgain for NamedGroup<'_> {
    async fn read(&mut self) -> Result<Watched> {
        let (watched, _) = read_group(&mut self.opened, self.name).await?;
        Ok(watched)
    }
}

/// The positions of a group, and the container that it reads.
async fn read_group(opened: &mut Opened<'_>, name: &str) -> Result<(Watched, Connected)> {
    let group = opened.group(name).await?;
    let connected = opened.monitored_of(&group).await?;
    let partitions = connected.client.list_partitions(true).await?;
    let measurable = measurable(&group, &partitions, &connected.source)?;
    if let Some(lease) = (0..group.leases.len()).find(|at| !measurable.leases.contains(at)) {
        return Err(with_hint(
            anyhow!(
                "the lag of the group `{name}` is not known: its lease `{}` has no position that can be read",
                group.leases[lease].token
            ),
            "`cosmos-tail leases list` shows what is wrong with it",
        ));
    }
    Ok((measurable.watched, connected))
}
