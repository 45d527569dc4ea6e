//! The replay of an exported database: each container to one of its own name.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};

use super::account::{Account, rehearsed};
use crate::cosmos::account::CosmosAccount;
use crate::count::exactly;
use crate::destination::{STATE_FILE, state_directory_of};
use crate::durable::{is_there, shown_path};
use crate::error::{
    Annotate, ExitCode, attached_exit_code, hint, usage, with_exit_code, with_further_hint,
    with_hint,
};
use crate::escape::shell_word;
use crate::feed::ContainerAddress;
use crate::job::Connected;
use crate::monitor::Monitor;
use crate::replay::{self, Containers, Found, Target};
use crate::report::Report;
use crate::settings::{DatabaseReplay, Given, Names, table};
use crate::signal::Shutdown;
use crate::state;
use crate::state::database_file::{ContainerPlace, DatabaseFile};

/// A container whose target is there.
struct Ready {
    name: String,
    found: Found,
    target: Target,
}

/// Containers that failed, and why.
type Failures = Vec<(String, anyhow::Error)>;

/// What is replayed.
#[derive(Default)]
struct Prepared {
    ready: Vec<Ready>,
    failures: Failures,
    /// Names of those of which there is more to export.
    unfinished: Vec<String>,
}

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
    account
        .until_stopped(ensure_another(account, &cosmos, &database, &file))
        .await??;
    // All of them first: what the account refuses is known before the long part.
    let target = Targets {
        account,
        cosmos,
        database,
        is_rehearsal: given.is_on(&table::DRY_RUN),
    };
    let total = selected.len();
    let Prepared {
        ready,
        mut failures,
        unfinished,
    } = target.prepare(plan, &file, selected, report).await?;
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
    ended(plan, failures, &unfinished, total, report, shutdown)
}

/// Refuses the database that was exported as the target, before anything is made in it.
async fn ensure_another(
    account: &Account,
    cosmos: &CosmosAccount,
    database: &str,
    file: &DatabaseFile,
) -> Result<()> {
    if database != file.database || account.shown_endpoint(cosmos.endpoint()) != file.endpoint {
        return Ok(());
    }
    let found = cosmos.database(database).await?;
    ensure!(
        found.rid != file.database_rid,
        usage(
            format!(
                "the database `{database}` is the one that was exported: changes since the export would be undone, and \
                 containers that were deleted made again"
            ),
            "name another database with -d",
        )
    );
    Ok(())
}

/// Checks that the directory of `container` has its export. Returns whether that is finished.
fn ensure_own(directory: &Path, file: &DatabaseFile, container: &ContainerPlace) -> Result<bool> {
    let place = directory.join(&container.directory);
    let own = state_directory_of(&place)?;
    let path = own
        .map(|own| own.join(STATE_FILE))
        .filter(|path| is_there(path));
    let path = path
        .with_context(|| format!("`{}` has no state, so it may be of another container", shown_path(&place)))
        .hint(
            "if the container was not begun, `cosmos-tail resume` exports it; if its state directory is elsewhere, restore \
             it, or replay the files by themselves",
        )?;
    let state = state::file::read(&path)?;
    file.ensure_own(container, &state)
        .with_context(|| format!("`{}` cannot be used", shown_path(&place)))
        .hint("restore the directory that belongs to this export")?;
    Ok(state.finished)
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
        file: &DatabaseFile,
        selected: Vec<&ContainerPlace>,
        report: &Report,
    ) -> Result<Prepared> {
        let mut all = Prepared::default();
        for container in selected {
            let of_container = report.of_container(&container.name);
            let prepared = async {
                let is_finished = ensure_own(&plan.directory, file, container)?;
                if !is_finished && container.gone.is_some() {
                    of_container.warning(
                        "the container was deleted before its export was finished: what there is of it is replayed",
                    );
                }
                let found = replay::find(plan.plan_of(container)?, &of_container)?;
                let target = self.reach(&container.name, &found, &of_container).await?;
                Ok::<_, anyhow::Error>((is_finished || container.gone.is_some(), found, target))
            };
            let name = container.name.clone();
            match self.account.until_stopped(prepared).await? {
                Ok((is_whole, found, target)) => {
                    if !is_whole {
                        all.unfinished.push(name.clone());
                    }
                    all.ready.push(Ready {
                        name,
                        found,
                        target,
                    });
                }
                Err(error) => {
                    report_failure(&error, &of_container);
                    all.failures.push((name, error));
                }
            }
        }
        Ok(all)
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
    plan: &DatabaseReplay,
    failures: Failures,
    unfinished: &[String],
    total: usize,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    if let Some(code) = shutdown.reason() {
        return Ok(code);
    }
    let total = exactly(total as u64, "container");
    let incomplete = (!unfinished.is_empty()).then(|| {
        let again = shell_word(&plan.directory);
        let what = format!(
            "the export of {} of {total} is not finished: {}",
            unfinished.len(),
            unfinished.join(", ")
        );
        let hint = format!(
            "what there is of it was replayed; `cosmos-tail resume {again}` finishes it, and the same command then replays \
             the rest"
        );
        (what, hint)
    });
    let error = match (failures.first(), incomplete) {
        (None, None) => {
            report.notice(&format!("replayed {total}"));
            return Ok(ExitCode::Done);
        }
        (None, Some((what, hint))) => with_hint(anyhow!(what), hint),
        (Some((_, first)), incomplete) => {
            let code = attached_exit_code(first).unwrap_or(ExitCode::Failed);
            let names: Vec<&str> = failures.iter().map(|(name, _)| &**name).collect();
            let error = anyhow!(
                "{} of {total} could not be replayed: {}",
                failures.len(),
                names.join(", ")
            );
            let hint = "the others were; once the cause is fixed, the same command with --only NAME replays these";
            let error = with_exit_code(with_hint(error, hint), code);
            match incomplete {
                Some((what, hint)) => with_further_hint(error, format!("{what}: {hint}")),
                None => error,
            }
        }
    };
    Err(error)
}
