//! The comparison of several containers: each with the one of its own name.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, anyhow};
use futures_util::future::BoxFuture;

use super::account::Account;
use super::replayed_database::{Place, ensure_own, read_list, report_failure};
use crate::cli::location::Location;
use crate::clock;
use crate::compare::{self, Compared, Sides, begin_report, list_container};
use crate::count::exactly;
use crate::durable::{parent_of, shown_path};
use crate::error::{ExitCode, exit_code_of_all, usage, with_exit_code, with_hint};
use crate::escape::shell_word;
use crate::job::Connected;
use crate::monitor::Monitor;
use crate::report::{CompareDatabaseSummary, ComparedContainer, FailedContainer, Report};
use crate::settings::{ComparedDatabase, DatabaseComparison, Names};
use crate::signal::Shutdown;
use crate::state::database_file::{ContainerPlace, DatabaseFile};

/// A side with several containers.
enum Side<'a> {
    Export {
        directory: PathBuf,
        file: DatabaseFile,
    },
    Live {
        place: Place<'a>,
        names: Vec<String>,
    },
}

/// What is known of the containers.
#[derive(Default)]
struct Found {
    containers: Vec<ComparedContainer>,
    /// Those of one side alone.
    missing: Vec<String>,
    extra: Vec<String>,
    /// Those that could not be compared, and their errors.
    failed: Vec<FailedContainer>,
    errors: Vec<anyhow::Error>,
}

/// Compares the containers of two databases, one after the other.
pub(super) async fn run(
    account: &Account,
    plan: &DatabaseComparison,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let (begun, started) = (Instant::now(), clock::now());
    let sides = sides(account, plan, report).await?;
    refuse_the_same(&sides)?;
    refuse_report_inside(plan, &sides)?;
    let names: BTreeSet<&str> = sides.iter().flat_map(Side::names).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let chosen = plan.choose(&names)?;
    begin_report(plan.report.as_ref())?;
    let mut found = Found::default();
    for name in &chosen {
        let of_container = Arc::new(report.of_container(name));
        let is_there = sides
            .each_ref()
            .map(|side| side.names().any(|own| own == *name));
        let kind = match is_there {
            [true, true] => None,
            [true, false] => Some(("missing", "source", &mut found.missing)),
            [false, _] => Some(("extra", "target", &mut found.extra)),
        };
        if let Some((kind, side, names)) = kind {
            of_container.notice(&format!("{kind}: only the {side} has this container"));
            list_container(plan.report.as_ref(), kind, name)?;
            names.push((*name).to_owned());
            continue;
        }
        let one: BoxFuture<'_, Result<Compared>> = Box::pin(compare_one(
            account,
            plan,
            &sides,
            name,
            &of_container,
            shutdown,
        ));
        match one.await {
            Ok(Compared { summary, .. }) => found.containers.push(ComparedContainer {
                container: (*name).to_owned(),
                summary,
            }),
            Err(error) if shutdown.reason().is_some() => return Err(error),
            Err(error) => {
                report_failure(&error, &of_container);
                found.failed.push(FailedContainer {
                    container: (*name).to_owned(),
                    error: format!("{error:#}"),
                });
                found.errors.push(error);
            }
        }
    }
    let (outcome, code) = found.verdict();
    let summary = CompareDatabaseSummary {
        outcome,
        source: sides[0].shown(),
        target: sides[1].shown(),
        containers: found.containers,
        missing_containers: found.missing,
        extra_containers: found.extra,
        failed: found.failed,
        started,
        ended: clock::now(),
        seconds: begun.elapsed().as_secs_f64(),
        report: plan.report.as_ref().map(ToString::to_string),
    };
    report.compare_database_summary(&summary, plan.summary)?;
    if found.errors.is_empty() {
        return Ok(code);
    }
    let failed: Vec<&str> = summary.failed.iter().map(|one| &*one.container).collect();
    let error = anyhow!(
        "{} of {} could not be compared: {}",
        failed.len(),
        exactly(chosen.len() as u64, "container"),
        failed.join(", ")
    );
    let hint = "the others were; once the cause is fixed, the same command with --only NAME compares these";
    let code = exit_code_of_all(&found.errors);
    Err(with_exit_code(with_hint(error, hint), code))
}

impl Found {
    /// The verdict on all: that of the container that differs the most.
    fn verdict(&self) -> (&'static str, ExitCode) {
        let has = |outcome| {
            let mut all = self.containers.iter();
            all.any(|one| one.summary.outcome == outcome)
        };
        if !self.failed.is_empty() {
            ("incomplete", ExitCode::Failed)
        } else if has("different") || !self.missing.is_empty() || !self.extra.is_empty() {
            ("different", ExitCode::Different)
        } else if has("changing") {
            ("changing", ExitCode::Changing)
        } else {
            ("same", ExitCode::Done)
        }
    }
}

/// Both sides, with the names of their containers. Errors of files come before any request.
async fn sides<'a>(
    account: &'a Account,
    plan: &DatabaseComparison,
    report: &Arc<Report>,
) -> Result<[Side<'a>; 2]> {
    let export = |side: &ComparedDatabase| match side {
        ComparedDatabase::Export(directory) => Side::of_export(directory.clone()).map(Some),
        ComparedDatabase::Live(_) => Ok(None),
    };
    let (source, target) = match (export(&plan.source)?, export(&plan.target)?) {
        (Some(source), Some(target)) => return Ok([source, target]),
        sides => sides,
    };
    let connection = account.account_plan(match &target {
        Some(_) => Names::IfTyped,
        None => Names::Database,
    })?;
    // The source first, as for a replay.
    let source = match (source, &plan.source) {
        (Some(source), _) => source,
        (None, ComparedDatabase::Live(Some(feed))) => {
            let place = Place::of_source(account, &connection, feed, report).await?;
            Side::of_place(account, place).await?
        }
        (None, _) => return Err(anyhow!("the source has no name")),
    };
    let target = match target {
        Some(target) => target,
        None => {
            let place = Place::of_target(account, connection, report).await?;
            Side::of_place(account, place).await?
        }
    };
    Ok([source, target])
}

impl<'a> Side<'a> {
    fn of_export(directory: PathBuf) -> Result<Self> {
        Ok(Self::Export {
            file: read_list(&directory)?,
            directory,
        })
    }

    async fn of_place(account: &Account, place: Place<'a>) -> Result<Self> {
        let names = account.until_stopped(place.containers()).await??;
        Ok(Self::Live { place, names })
    }

    /// As messages name it.
    fn shown(&self) -> String {
        match self {
            Self::Export { directory, .. } => shell_word(directory),
            Self::Live { place, .. } => place.database().to_owned(),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let (exported, listed) = match self {
            Self::Export { file, .. } => (Some(file), None),
            Self::Live { names, .. } => (None, Some(names)),
        };
        let exported = exported.into_iter().flat_map(ComparedDatabase::containers);
        let listed = listed.into_iter().flatten();
        exported
            .map(|one| &*one.name)
            .chain(listed.map(String::as_str))
    }

    /// The directory of a container, if this side is an export. What is there is checked to be of that container.
    fn directory_of(&self, name: &str) -> Result<Option<PathBuf>> {
        let Self::Export { directory, file } = self else {
            return Ok(None);
        };
        let all = ComparedDatabase::containers(file);
        let Some(one) = all
            .into_iter()
            .find(|one: &&ContainerPlace| one.name == name)
        else {
            return Ok(None);
        };
        if !ensure_own(directory, file, one)? && one.gone.is_none() {
            return Err(with_hint(
                anyhow!("the export of this container is not finished, so not all of it is there"),
                format!("`cosmos-tail resume {}` finishes it", shell_word(directory)),
            ));
        }
        Ok(Some(directory.join(&one.directory)))
    }

    /// What its connection has cost so far, in RU.
    fn request_units(&self) -> f64 {
        match self {
            Self::Export { .. } => 0.0,
            Self::Live { place, .. } => place.request_units(),
        }
    }

    async fn open(&self, name: &str) -> Result<Option<Connected>> {
        match self {
            Self::Export { .. } => Ok(None),
            Self::Live { place, .. } => place.open(name, None).await.map(Some),
        }
    }
}

/// Compares a container that both sides have.
async fn compare_one(
    account: &Account,
    plan: &DatabaseComparison,
    [source, target]: &[Side<'_>; 2],
    name: &str,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<Compared> {
    let directories = [source.directory_of(name)?, target.directory_of(name)?];
    let of_one = plan.plan_of(name, directories)?;
    let spent_before = [source.request_units(), target.request_units()];
    let both = async {
        anyhow::Ok(Sides {
            spent_before,
            source: source.open(name).await?,
            target: target.open(name).await?,
        })
    };
    let connected = account.until_stopped(both).await??;
    let connect = async move || Ok(connected);
    compare::compare(connect, of_one, &Monitor::default(), report, shutdown).await
}

/// Refuses to compare a database with itself.
fn refuse_the_same(sides: &[Side<'_>; 2]) -> Result<()> {
    let is_one = match sides {
        [Side::Live { place: a, .. }, Side::Live { place: b, .. }] => a.is_the_same_as(b),
        [
            Side::Export { directory: a, .. },
            Side::Export { directory: b, .. },
        ] => match (a.canonicalize(), b.canonicalize()) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        },
        _ => false,
    };
    if !is_one {
        return Ok(());
    }
    Err(usage(
        format!("both sides are the database {}", sides[0].shown()),
        "name another one with --from-container or --with, or with -d",
    ))
}

/// Refuses a report that would replace a file of a side.
fn refuse_report_inside(plan: &DatabaseComparison, sides: &[Side<'_>; 2]) -> Result<()> {
    let Some(Location::Local(path)) = &plan.report else {
        return Ok(());
    };
    let Ok(parent) = parent_of(path).canonicalize() else {
        return Ok(());
    };
    for side in sides {
        if let Side::Export { directory, .. } = side
            && directory
                .canonicalize()
                .is_ok_and(|directory| parent.starts_with(directory))
        {
            return Err(usage(
                format!(
                    "`{}` is within `{}`, which is compared",
                    shown_path(path),
                    shown_path(directory)
                ),
                "name a file elsewhere for --report",
            ));
        }
    }
    Ok(())
}
