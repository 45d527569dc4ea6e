//! The replay of an exported database: each container to one of its own name.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

use super::account::{Account, rehearsed};
use crate::cosmos::account::CosmosAccount;
use crate::count::exactly;
use crate::durable::shown_path;
use crate::error::{ExitCode, attached_exit_code, hint, usage, with_exit_code, with_hint};
use crate::feed::ContainerAddress;
use crate::job::Connected;
use crate::monitor::Monitor;
use crate::replay::{self, Containers, Found, Target};
use crate::report::Report;
use crate::settings::{DatabaseReplay, Given, Names, table};
use crate::signal::Shutdown;
use crate::state::database_file::{ContainerPlace, DatabaseFile};

/// A container whose target is there.
struct Ready {
    name: String,
    found: Found,
    target: Target,
}

/// Containers that failed, and why.
type Failures = Vec<(String, anyhow::Error)>;

/// Creates the containers that are missing, with --create, and then replays one after the other.
pub(super) async fn run(
    account: &Account,
    plan: &DatabaseReplay,
    given: &Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    if given.is_on(&table::TO_STDOUT) {
        return Err(usage(
            "--stdout writes the changes of one container",
            "name the directory of one: replay DIR/NAME --stdout",
        ));
    }
    let file = DatabaseFile::read(&plan.directory)?
        .with_context(|| format!("`{}` is gone", shown_path(&plan.directory)))?;
    let selected = plan.selected(&file)?;
    let mut connection = account.account_plan(Names::Database)?;
    // A document of the target that a replica does not have yet would be taken for a missing one.
    connection.connect.routing.regions.clear();
    let database = connection.connect.database.clone();
    let cosmos = account.connect_to_account(connection, report).await?;
    // All of them first: what the account refuses is known before the long part.
    let target = Targets {
        account,
        cosmos,
        database,
        is_rehearsal: given.is_on(&table::DRY_RUN),
    };
    let total = selected.len();
    let (ready, mut failures) = target.prepare(plan, selected, report).await?;
    for Ready {
        name,
        found,
        target,
    } in ready
    {
        if shutdown.reason().is_some() {
            break;
        }
        let connect = async move |_: Option<&ContainerAddress>, _| {
            Ok(Containers {
                target,
                source: None,
            })
        };
        let of_container = Arc::new(report.of_container(&name));
        let monitor = Monitor::default();
        let replay = replay::replay_found(connect, found, &monitor, &of_container, shutdown);
        if let Err(error) = Box::pin(replay).await {
            report_failure(&error, &of_container);
            failures.push((name, error));
        }
    }
    ended(failures, total, report, shutdown)
}

/// Where the containers are replayed to.
struct Targets<'a> {
    account: &'a Account,
    cosmos: CosmosAccount,
    database: String,
    is_rehearsal: bool,
}

impl Targets<'_> {
    /// Finds what is replayed of each container, and makes its target if that is asked for.
    async fn prepare(
        &self,
        plan: &DatabaseReplay,
        selected: Vec<&ContainerPlace>,
        report: &Report,
    ) -> Result<(Vec<Ready>, Failures)> {
        let mut ready = Vec::new();
        let mut failures = Vec::new();
        for container in selected {
            let of_container = report.of_container(&container.name);
            let prepared = async {
                let found = replay::find(plan.plan_of(container)?, &of_container)?;
                let target = self.reach(&container.name, &found, &of_container).await?;
                Ok::<_, anyhow::Error>((found, target))
            };
            let name = container.name.clone();
            match self.account.until_stopped(prepared).await? {
                Ok((found, target)) => ready.push(Ready {
                    name,
                    found,
                    target,
                }),
                Err(error) => {
                    report_failure(&error, &of_container);
                    failures.push((name, error));
                }
            }
        }
        Ok((ready, failures))
    }

    /// The target of a container.
    async fn reach(&self, name: &str, found: &Found, report: &Report) -> Result<Target> {
        let at = self.cosmos.at(&self.database, name);
        let address = |rid: &str| ContainerAddress {
            endpoint: self.account.shown_endpoint(self.cosmos.endpoint()),
            database: self.database.clone(),
            container: name.to_owned(),
            container_rid: rid.to_owned(),
        };
        let open = async |create| {
            let client = at.open_container(create).await?;
            Ok::<_, anyhow::Error>(Connected {
                source: address(client.rid()),
                client: Arc::new(client),
            })
        };
        match found.new_container() {
            Some(new) if self.is_rehearsal => rehearsed(open(None).await, address(""), new, report),
            Some(new) => {
                report.detail(&format!(
                    "if the target does not exist, it is created {}",
                    replay::describe(new)
                ));
                Ok(Target::There(open(Some(new)).await?))
            }
            None => Ok(Target::There(open(None).await?)),
        }
    }
}

fn report_failure(error: &anyhow::Error, report: &Report) {
    report.error_line(&format!("{error:#}"));
    if let Some(hint) = hint(error) {
        report.notice(&format!("hint: {hint}"));
    }
}

fn ended(
    failures: Failures,
    total: usize,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    if let Some(code) = shutdown.reason() {
        return Ok(code);
    }
    let Some((_, first)) = failures.first() else {
        report.notice(&format!("replayed {}", exactly(total as u64, "container")));
        return Ok(ExitCode::Done);
    };
    let code = attached_exit_code(first).unwrap_or(ExitCode::Failed);
    let names: Vec<&str> = failures.iter().map(|(name, _)| &**name).collect();
    let error = anyhow!(
        "{} of {} could not be replayed: {}",
        failures.len(),
        exactly(total as u64, "container"),
        names.join(", ")
    );
    let hint =
        "the others were; once the cause is fixed, the same command with --only NAME replays these";
    Err(with_exit_code(with_hint(error, hint), code))
}
