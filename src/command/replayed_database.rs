//! The replay of several containers, of an export or of a database in use: each to one of its own name.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::{StreamExt, stream};

use super::account::{Account, rehearsed};
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::catalog::is_addressable;
use crate::cosmos::container::NewContainer;
use crate::count::exactly;
use crate::destination::{STATE_FILE, state_directory_of};
use crate::durable::{is_there, shown_path};
use crate::error::{
    Annotate, ExitCode, exit_code_of_all, hint, usage, with_exit_code, with_further_hint, with_hint,
};
use crate::escape::shell_word;
use crate::feed::ContainerAddress;
use crate::job::Connected;
use crate::monitor::Monitor;
use crate::replay::{self, Containers, Found, Target, Together};
use crate::report::Report;
use crate::settings::{
    ConnectionPlan, DatabaseReplay, DatabaseSource, FeedPlan, Given, Names, ReplayBounds, table,
};
use crate::signal::Shutdown;
use crate::state;
use crate::state::database_file::{ContainerPlace, DatabaseFile};

/// Containers that are replayed at the same time. Each keeps changes in memory.
const SIDE_BY_SIDE: usize = 8;

/// What to do after a copy that follows has ended with the first container that failed.
const STOPPED: &str = "the others were stopped, and their positions are saved: the same command continues all of them, and \
                       --exclude NAME leaves one out";

/// Containers that are followed at the same time, at most.
const MOST_FOLLOWED: usize = 64;

/// One container to be replayed.
struct Wanted {
    name: String,
    /// Where its export is, if the source is an export.
    exported: Option<ContainerPlace>,
}

/// A container whose target is there.
struct Ready {
    name: String,
    found: Found,
    containers: Containers,
}

/// Containers that failed, and why.
type Failures = Vec<(String, anyhow::Error)>;

/// A database of a connected account.
pub(super) struct Place<'a> {
    account: &'a Account,
    cosmos: CosmosAccount,
    database: String,
}

/// What is replayed.
#[derive(Default)]
struct Prepared {
    ready: Vec<Ready>,
    failures: Failures,
    /// Names of those of which there is more to export.
    unfinished: Vec<String>,
}

/// Creates the containers that are missing, with --create, and then replays them side by side.
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
    let bounds = plan.bounds()?;
    let file = match &plan.source {
        DatabaseSource::Export(directory) => Some(read_list(directory)?),
        DatabaseSource::Live(_) => None,
    };
    let exported = file
        .as_ref()
        .map(|file| of_export(plan, file))
        .transpose()?;
    let mut connection = account.account_plan(Names::Database)?;
    let source = match &plan.source {
        DatabaseSource::Live(feed) => {
            Some(Place::of_source(account, &connection, feed, report).await?)
        }
        DatabaseSource::Export(_) => None,
    };
    // A document of the target that a replica does not have yet would be taken for a missing one.
    connection.connect.routing.regions.clear();
    let target = Place::of_target(account, connection, report).await?;
    if let Some(file) = &file {
        account
            .until_stopped(ensure_another(account, &target, file))
            .await??;
    }
    let wanted = match (exported, &source) {
        (Some(exported), _) => exported,
        (None, Some(source)) => account.until_stopped(of_database(plan, source)).await??,
        (None, None) => Vec::new(),
    };
    let both = Both {
        source,
        target,
        is_rehearsal: given.is_on(&table::DRY_RUN),
    };
    let total = wanted.len();
    if bounds.follows && total > MOST_FOLLOWED {
        return Err(usage(
            format!("{total} containers cannot be followed at once: at most {MOST_FOLLOWED}"),
            "choose with --only and --exclude, and start a process for each part, with a directory of its own",
        ));
    }
    if let Some(states) = &bounds.states {
        fs_err::create_dir_all(states)?;
    }
    // All of them first: what the account refuses is known before the long part.
    let Prepared {
        ready,
        mut failures,
        unfinished,
    } = both.prepare(plan, file.as_ref(), wanted, report).await?;
    if bounds.follows && !failures.is_empty() {
        return ended(
            plan,
            &bounds,
            failures,
            &unfinished,
            total,
            report,
            shutdown,
        );
    }
    let at_once = match bounds.follows {
        true => ready.len(),
        false => ready.len().min(SIDE_BY_SIDE).min(bounds.writes),
    }
    .max(1);
    let together = Together::new(at_once, bounds.writes, bounds.max_ru);
    let replays = ready
        .into_iter()
        .map(|one| Box::pin(replay_one(one, &together, report, shutdown)));
    let mut replays = stream::iter(replays).buffer_unordered(at_once);
    while let Some(failed) = replays.next().await {
        let has_failed = failed.is_some();
        failures.extend(failed);
        if has_failed && bounds.follows {
            // Nobody would notice that one of them stands still. Their states are as after a crash.
            break;
        }
    }
    drop(replays);
    failures.sort_by(|(one, _), (other, _)| one.cmp(other));
    ended(
        plan,
        &bounds,
        failures,
        &unfinished,
        total,
        report,
        shutdown,
    )
}

/// Replays one container, and returns what failed.
async fn replay_one(
    one: Ready,
    together: &Together,
    report: &Report,
    shutdown: &Shutdown,
) -> Option<(String, anyhow::Error)> {
    if shutdown.reason().is_some() {
        return None;
    }
    let Ready {
        name,
        found,
        containers,
    } = one;
    let connect = async move |_: Option<&ContainerAddress>, _| Ok(containers);
    let report = Arc::new(report.of_container(&name));
    let monitor = Monitor::default();
    let replay = replay::replay_found(connect, found, together, &monitor, &report, shutdown);
    let error = Box::pin(replay).await.err()?;
    report_failure(&error, &report);
    Some((name, error))
}

/// Refuses the database that was exported as the target, before anything is made in it.
async fn ensure_another(account: &Account, target: &Place<'_>, file: &DatabaseFile) -> Result<()> {
    let Place {
        cosmos, database, ..
    } = target;
    if *database != file.database || account.shown_endpoint(cosmos.endpoint()) != file.endpoint {
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
pub(super) fn ensure_own(
    directory: &Path,
    file: &DatabaseFile,
    container: &ContainerPlace,
) -> Result<bool> {
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

/// The list of the containers of an export.
pub(super) fn read_list(directory: &Path) -> Result<DatabaseFile> {
    DatabaseFile::read(directory)?.with_context(|| format!("`{}` is gone", shown_path(directory)))
}

/// The containers of an export that are replayed.
fn of_export(plan: &DatabaseReplay, file: &DatabaseFile) -> Result<Vec<Wanted>> {
    let chosen = plan.of_file(file)?.into_iter();
    Ok(chosen
        .map(|one| Wanted {
            name: one.name.clone(),
            exported: Some(one.clone()),
        })
        .collect())
}

/// The containers of a database that are replayed.
async fn of_database(plan: &DatabaseReplay, source: &Place<'_>) -> Result<Vec<Wanted>> {
    let names = source.containers().await?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let chosen = plan.choose(&names)?.into_iter();
    Ok(chosen
        .map(|name| Wanted {
            name: name.to_owned(),
            exported: None,
        })
        .collect())
}

impl<'a> Place<'a> {
    /// The database of the containers that are read, where they are in use.
    pub(super) async fn of_source(
        account: &'a Account,
        target: &ConnectionPlan,
        feed: &FeedPlan,
        report: &Arc<Report>,
    ) -> Result<Self> {
        let connection = account.source_plan(target, feed)?;
        Ok(Self {
            account,
            database: feed.database.clone(),
            cosmos: account.connect_to_account(connection, report).await?,
        })
    }

    /// The database that the connection names.
    pub(super) async fn of_target(
        account: &'a Account,
        connection: ConnectionPlan,
        report: &Arc<Report>,
    ) -> Result<Self> {
        Ok(Self {
            account,
            database: connection.connect.database.clone(),
            cosmos: account.connect_to_account(connection, report).await?,
        })
    }

    /// Its name.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// What its connection has cost so far, in RU.
    pub(super) fn request_units(&self) -> f64 {
        self.cosmos.traffic().exchanged().request_units()
    }

    /// Whether it is the database `other`.
    pub(super) fn is_the_same_as(&self, other: &Self) -> bool {
        self.database == other.database && self.cosmos.endpoint() == other.cosmos.endpoint()
    }

    /// The names of its containers.
    ///
    /// # Errors
    ///
    /// If it does not exist: then with those that do. Also if a name cannot be that of a container.
    pub(super) async fn containers(&self) -> Result<Vec<String>> {
        self.cosmos.database(&self.database).await?;
        let listed = self.cosmos.containers(&self.database).await?;
        let listed =
            listed.with_context(|| format!("the database `{}` was deleted", self.database))?;
        if let Some(odd) = listed.iter().find(|one| !is_addressable(&one.name)) {
            return Err(with_hint(
                anyhow!(
                    "the service lists a container {:?}, which cannot be the name of one",
                    odd.name
                ),
                "nothing is requested by it: check that the endpoint is that of an account of Cosmos DB",
            ));
        }
        Ok(listed.into_iter().map(|one| one.name).collect())
    }

    fn address(&self, container: &str, rid: &str) -> ContainerAddress {
        ContainerAddress {
            endpoint: self.account.shown_endpoint(self.cosmos.endpoint()),
            database: self.database.clone(),
            container: container.to_owned(),
            container_rid: rid.to_owned(),
        }
    }

    pub(super) async fn open(
        &self,
        container: &str,
        create: Option<&NewContainer>,
    ) -> Result<Connected> {
        let at = self.cosmos.at(&self.database, container);
        let client = at.open_container(create).await?;
        Ok(Connected {
            source: self.address(container, client.rid()),
            client: Arc::new(client),
        })
    }
}

/// Where containers are replayed from, if they are in use, and to.
struct Both<'a> {
    source: Option<Place<'a>>,
    target: Place<'a>,
    is_rehearsal: bool,
}

impl Both<'_> {
    /// Finds what is replayed of each container, and makes its target if that is asked for.
    async fn prepare(
        &self,
        plan: &DatabaseReplay,
        file: Option<&DatabaseFile>,
        wanted: Vec<Wanted>,
        report: &Report,
    ) -> Result<Prepared> {
        let mut all = Prepared::default();
        for one in wanted {
            let name = one.name.clone();
            let of_container = report.of_container(&name);
            let prepared = self.prepare_one(plan, file, one, &of_container);
            match self.target.account.until_stopped(prepared).await? {
                Ok((one, is_whole)) => {
                    if !is_whole {
                        all.unfinished.push(name);
                    }
                    all.ready.push(one);
                }
                Err(error) => {
                    report_failure(&error, &of_container);
                    all.failures.push((name, error));
                }
            }
        }
        Ok(all)
    }

    /// Prepares the replay of a container, and says whether there is no more of it to export.
    async fn prepare_one(
        &self,
        plan: &DatabaseReplay,
        file: Option<&DatabaseFile>,
        wanted: Wanted,
        report: &Report,
    ) -> Result<(Ready, bool)> {
        let Wanted { name, exported } = wanted;
        let mut is_whole = true;
        let mut place = None;
        if let (DatabaseSource::Export(directory), Some(file), Some(container)) =
            (&plan.source, file, &exported)
        {
            let is_finished = ensure_own(directory, file, container)?;
            if !is_finished && container.gone.is_some() {
                report.warning(
                    "the container was deleted before its export was finished: what there is of it is replayed",
                );
            }
            is_whole = is_finished || container.gone.is_some();
            place = Some(directory.join(&container.directory));
        }
        let of_one = plan.plan_of(&name, place)?;
        let create = of_one.create.clone();
        let found = replay::find(of_one, report)?;
        // The source comes first: if it does not exist, no target is created.
        let source = match &self.source {
            Some(source) => Some(source.open(&name, None).await?),
            None => None,
        };
        let by_source = match (&create, &source) {
            (Some(create), Some(source)) => {
                Some(Box::pin(replay::by_container(create, source, report)).await?)
            }
            _ => None,
        };
        let new = by_source.as_ref().or(found.new_container());
        let target = self.reach(&name, new, report).await?;
        let ready = Ready {
            name,
            found,
            containers: Containers { target, source },
        };
        Ok((ready, is_whole))
    }

    /// The target of a container.
    async fn reach(
        &self,
        name: &str,
        new: Option<&NewContainer>,
        report: &Report,
    ) -> Result<Target> {
        let target = &self.target;
        if let Some(new) = new.filter(|_| self.is_rehearsal) {
            let there = target.open(name, None).await;
            return rehearsed(there, target.address(name, ""), new, report);
        }
        if let Some(new) = new {
            report.detail(&format!(
                "if the target does not exist, it is created {}",
                replay::describe(new)
            ));
        }
        let connected = target.open(name, new).await?;
        if let Some(new) = new {
            Box::pin(replay::make_scripts(&connected.client, new, report)).await?;
        }
        Ok(Target::There(connected))
    }
}

pub(super) fn report_failure(error: &anyhow::Error, report: &Report) {
    report.error_line(&format!("{error:#}"));
    if let Some(hint) = hint(error) {
        report.notice(&format!("hint: {hint}"));
    }
}

fn ended(
    plan: &DatabaseReplay,
    bounds: &ReplayBounds,
    failures: Failures,
    unfinished: &[String],
    total: usize,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    if let Some(code) = shutdown.reason() {
        if !failures.is_empty() {
            let names: Vec<&str> = failures.iter().map(|(name, _)| &**name).collect();
            report.error_line(&format!("could not be replayed: {}", names.join(", ")));
        }
        return Ok(code);
    }
    let total = exactly(total as u64, "container");
    let directory = match &plan.source {
        DatabaseSource::Export(directory) => Some(directory),
        DatabaseSource::Live(_) => None,
    };
    let incomplete = directory.filter(|_| !unfinished.is_empty()).map(|directory| {
        let again = shell_word(directory);
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
    let error = match (failures.is_empty(), incomplete) {
        (true, None) => {
            report.notice(&format!("replayed {total}"));
            return Ok(ExitCode::Done);
        }
        (true, Some((what, hint))) => with_hint(anyhow!(what), hint),
        (false, incomplete) => {
            let code = exit_code_of_all(failures.iter().map(|(_, error)| error));
            let names: Vec<&str> = failures.iter().map(|(name, _)| &**name).collect();
            let error = anyhow!(
                "{} of {total} could not be replayed: {}",
                failures.len(),
                names.join(", ")
            );
            let (code, hint) = match (bounds.follows, code) {
                (true, ExitCode::Usage) => (code, STOPPED),
                (true, _) => (ExitCode::Resumable, STOPPED),
                (false, _) => (
                    code,
                    "the others were; once the cause is fixed, the same command with --only NAME replays these",
                ),
            };
            let error = with_exit_code(with_hint(error, hint), code);
            match incomplete {
                Some((what, hint)) => with_further_hint(error, format!("{what}: {hint}")),
                None => error,
            }
        }
    };
    Err(error)
}
