//! The export of a whole database: a job for each container, over one connection.
//!
//! Each container is an export by itself, in a directory with a state of its own: its commits, its recovery and its
//! resume are those of any other. `database.json` names the containers, and is replaced before anything is written of a
//! container that it did not name. So a crash leaves exports that can be resumed, and a list of those to begin.

mod containers;

pub use self::containers::ConnectedAccount;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};

use self::containers::{
    Listed, ensure_new, ensure_same_database, ensure_same_export, ensure_selected, list, new_file,
    report_changes, say_meanwhile,
};
use super::Connected;
use super::buffers::buffered_bytes;
use super::outcome::{Ended, Prepared, finish};
use super::resume::go_on;
use super::start::begin;
use super::timers::interval;
use crate::clock;
use crate::cosmos::budget::Budget;
use crate::cosmos::max_ru::MaxRu;
use crate::cosmos::read_bound::ReadBound;
use crate::count::exactly;
use crate::destination::{STATE_FILE, state_directory_of};
use crate::durable::{self, Lock, is_there, lock_path, shown_path};
use crate::error::{
    Annotate, ExitCode, attached_exit_code, hint, in_words, with_exit_code, with_further_hint,
    with_hint,
};
use crate::feed::ContainerAddress;
use crate::monitor::Monitor;
use crate::observe::{AllCounts, Event, Observer, ProgressLine, SteppingBack};
use crate::process;
use crate::reader;
use crate::report::{DatabaseSummary, FailedContainer, PROGRESS_INTERVAL, Report};
use crate::settings::DatabasePlan;
use crate::signal::Shutdown;
use crate::state::database_file::{ContainerPlace, DatabaseFile};
use crate::state::file;

/// How a container ended.
enum Outcome {
    Ended(Box<Ended>),
    Failed(anyhow::Error),
    /// The run was stopped before.
    NotBegun,
}

/// Exports the containers of a database, or continues to.
///
/// # Errors
///
/// If there is something else in the way, or a container fails; then the rest is complete, and it can be resumed.
pub async fn database(
    connect: impl AsyncFnOnce(Option<&DatabaseFile>) -> Result<ConnectedAccount>,
    plan: DatabasePlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let (started, started_at) = (Instant::now(), clock::now());
    let directory = &plan.directory;
    let found = DatabaseFile::read(directory)?;
    match &found {
        Some(file) => plan.ensure_agrees(file)?,
        None => ensure_new(directory)?,
    }
    let place = connect(found.as_ref()).await?;
    let database = place.account.database(&place.database).await?;
    ensure_same_database(found.as_ref(), &place, &database.rid)?;
    shutdown.begin()?;
    durable::create_directory(directory)
        .with_context(|| format!("cannot create the directory `{}`", plan.shown))?;
    let path = DatabaseFile::at(directory);
    let _lock = Lock::acquire_for(
        &lock_path(&path),
        &format!("the export in `{}` is in use", plan.shown),
        "wait for the other export, or stop it: its lock is released when it ends",
    )?;
    // Again, now that no other process can interfere.
    let before = found;
    let found = DatabaseFile::read(directory)?;
    ensure_same_export(before.as_ref(), found.as_ref(), &place)?;
    ensure_same_database(found.as_ref(), &place, &database.rid)?;
    let is_new = found.is_none();
    let mut file = match found {
        Some(file) => {
            plan.ensure_agrees(&file)?;
            file
        }
        None => new_file(&plan, &place, &database.rid)?,
    };
    let settings = plan.settle(&file.settings)?;
    let listed = list(&place, &file).await?;
    ensure_selected(&place, &file, &listed, is_new, report).await?;
    let changes = file.update(&listed);
    if is_new || !changes.is_empty() {
        file.write(directory)?;
    }
    report_changes(&changes, is_new, report);
    let concurrency = reader::concurrency(settings.concurrency);
    let traffic = place.account.traffic();
    let bytes = u32::try_from(buffered_bytes(concurrency))?;
    traffic.share(ReadBound::new(concurrency, bytes, file.present().count()));
    if let Some(MaxRu::PerSecond(units)) = settings.max_ru {
        traffic.limit(Budget::new(units));
    }
    let run = Run {
        plan: &plan,
        place: &place,
        file: &file,
        report,
        shutdown,
        jobs: concurrency,
    };
    report.start_progress(true)?;
    let outcomes = run.all().await;
    report.end_progress();
    let after = run.list_again().await;
    let mut summary = run.summary(&outcomes);
    summary.max_ru = traffic.budget().map(|budget| budget.per_second() as u32);
    summary.request_units = traffic.exchanged().request_units();
    summary.started = started_at;
    summary.seconds = started.elapsed().as_secs_f64();
    if let Some(after) = after {
        say_meanwhile(&file, after, &mut summary, report);
    }
    let printed = report.database_summary(&summary, plan.summary, &plan.shown);
    // What has failed is more than that it could not be said.
    let code = ended(&plan, outcomes, &summary, report, shutdown)?;
    printed?;
    Ok(code)
}

/// A run over all containers.
struct Run<'a> {
    plan: &'a DatabasePlan,
    place: &'a ConnectedAccount,
    file: &'a DatabaseFile,
    report: &'a Report,
    shutdown: &'a Shutdown,
    jobs: usize,
}

impl Run<'_> {
    /// The containers that there are at the end; not after a stop, which waits for nothing more.
    async fn list_again(&self) -> Option<Result<Listed>> {
        tokio::select! {
            biased;
            () = self.shutdown.requested() => None,
            listed = list(self.place, self.file) => Some(listed),
        }
    }

    /// Runs the jobs of all containers that exist, a few at a time.
    async fn all(&self) -> Vec<(&ContainerPlace, Outcome)> {
        let present: Vec<&ContainerPlace> = self.file.present().collect();
        let counts = AllCounts::of(present.len());
        let jobs = present.into_iter().enumerate();
        let jobs: Vec<BoxFuture<'_, _>> = jobs
            .map(|(number, container)| self.one(container, number, &counts).boxed())
            .collect();
        // Each has at least one range to read, so those that wait for an answer leave a turn to the others.
        let jobs = stream::iter(jobs).buffer_unordered(self.jobs);
        let mut jobs = std::pin::pin!(jobs.collect::<Vec<_>>());
        let mut observers: Vec<Box<dyn Observer + '_>> =
            vec![Box::new(ProgressLine::new(self.report, true))];
        if let Some(budget) = self.place.account.traffic().budget() {
            observers.push(Box::new(SteppingBack::new(self.report, budget)));
        }
        let mut ticks = interval(PROGRESS_INTERVAL);
        let mut outcomes = loop {
            tokio::select! {
                outcomes = &mut jobs => break outcomes,
                _ = ticks.tick() => {
                    let sum = counts.sum();
                    for observer in &mut observers {
                        observer.observe(&Event::Tick, &sum);
                    }
                }
            }
        };
        outcomes.sort_by_key(|(number, ..)| *number);
        let outcomes = outcomes.into_iter();
        outcomes
            .map(|(_, container, outcome)| (container, outcome))
            .collect()
    }

    /// Exports one container, and reports why it could not be.
    async fn one<'c>(
        &self,
        container: &'c ContainerPlace,
        number: usize,
        counts: &AllCounts,
    ) -> (usize, &'c ContainerPlace, Outcome) {
        let report = self.report.of_container(&container.name);
        let ended = Box::pin(self.run_one(container, &report, number, counts)).await;
        let ended = match ended {
            Ok(None) if self.shutdown.reason().is_none() => {
                Err(anyhow!("it was not begun, though the run was not stopped"))
            }
            ended => ended,
        };
        counts.ended(number);
        if let Some(bound) = self.place.account.traffic().bound() {
            bound.ended();
        }
        let outcome = match ended {
            Ok(Some(ended)) => {
                if let Some(error) = &ended.failure {
                    report.error_line(&format!("{error:#}"));
                }
                Outcome::Ended(Box::new(ended))
            }
            Ok(None) => Outcome::NotBegun,
            Err(error) => {
                report.error_line(&format!("{error:#}"));
                if let Some(hint) = hint(&error) {
                    report.notice(&format!("hint: {hint}"));
                }
                Outcome::Failed(error)
            }
        };
        (number, container, outcome)
    }

    /// Begins or continues the export of a container, and runs it. None if the run is stopped before.
    async fn run_one(
        &self,
        container: &ContainerPlace,
        report: &Report,
        number: usize,
        counts: &AllCounts,
    ) -> Result<Option<Ended>> {
        if self.shutdown.reason().is_some() {
            return Ok(None);
        }
        let prepared = tokio::select! {
            biased;
            // What it has committed by then is there to be resumed.
            () = self.shutdown.requested() => return Ok(None),
            prepared = self.prepare(container, report) => prepared,
        };
        let prepared = match prepared {
            Err(error) if attached_exit_code(&error).is_some_and(|code| self.is_stop(code)) => {
                return Ok(None);
            }
            prepared => prepared?,
        };
        let Prepared { mut job, again, .. } = prepared;
        job.observers.push(counts.observer(number));
        let ended = finish(job, again.as_ref(), report, self.shutdown).await?;
        ended.context("it ended without an outcome").map(Some)
    }

    /// Whether an error with this exit code says no more than that the run was stopped.
    fn is_stop(&self, code: ExitCode) -> bool {
        self.shutdown.reason() == Some(code)
    }

    async fn prepare<'a>(
        &self,
        container: &ContainerPlace,
        report: &'a Report,
    ) -> Result<Prepared<'a>> {
        let directory = self.plan.directory.join(&container.directory);
        let own = state_directory_of(&directory)?;
        let state_path = own.map(|own| own.join(STATE_FILE));
        let monitor = Monitor::default();
        let Some(state_path) = state_path.filter(|path| is_there(path)) else {
            let plan = self.plan.begin(self.file, container)?;
            let connect = async || self.connect(container).await;
            let name = &container.name;
            return begin(connect, plan, name, &monitor, report, self.shutdown).await;
        };
        let state = file::read(&state_path)?;
        let own = self.file.ensure_own(container, &state);
        own.with_context(|| format!("`{}` cannot be used", shown_path(&state_path)))
            .hint(
                "restore the directory that belongs to this export, or move it away, with its state directory: then \
                 the container is exported again",
            )?;
        let plan = self.plan.resume(state_path);
        let connect = async |_: &ContainerAddress, _| self.connect(container).await;
        let prepared = go_on(connect, plan, &monitor, report, self.shutdown).await?;
        prepared.context("it is a share of a plan")
    }

    async fn connect(&self, container: &ContainerPlace) -> Result<Connected> {
        let ConnectedAccount {
            account,
            endpoint,
            database,
        } = self.place;
        let client = account.at(database, &container.name);
        let client = client.open_container(None).await?;
        if client.rid() != container.rid {
            return Err(with_hint(
                anyhow!("the container was deleted and created again"),
                "the next run exports the new one",
            ));
        }
        Ok(Connected {
            source: ContainerAddress {
                endpoint: endpoint.clone(),
                database: database.clone(),
                container: container.name.clone(),
                container_rid: client.rid().to_owned(),
            },
            client: Arc::new(client),
        })
    }

    fn summary(&self, outcomes: &[(&ContainerPlace, Outcome)]) -> DatabaseSummary {
        let mut summary = DatabaseSummary {
            outcome: "done",
            database: self.place.database.clone(),
            documents: 0,
            bytes: 0,
            files: 0,
            ranges: 0,
            request_units: 0.0,
            max_ru: None,
            containers: Vec::new(),
            failed: Vec::new(),
            not_begun: Vec::new(),
            gone: Vec::new(),
            created_meanwhile: Vec::new(),
            run: process::run_id(),
            started: clock::now(),
            ended: clock::now(),
            seconds: 0.0,
            state: DatabaseFile::at(&self.plan.directory).display().to_string(),
        };
        let gone = self.file.containers.iter().filter(|one| one.gone.is_some());
        summary.gone = gone.map(|one| one.name.clone()).collect();
        let failed = |container: &ContainerPlace, error: &anyhow::Error| FailedContainer {
            container: container.name.clone(),
            error: format!("{error:#}"),
        };
        for (container, outcome) in outcomes {
            match outcome {
                Outcome::Ended(ended) => {
                    summary.documents += ended.summary.documents;
                    summary.bytes += ended.summary.bytes;
                    summary.files += ended.summary.files;
                    summary.ranges += ended.summary.ranges;
                    summary.containers.push(ended.summary.clone());
                    let failure = ended.failure.as_ref();
                    summary
                        .failed
                        .extend(failure.map(|error| failed(container, error)));
                }
                Outcome::Failed(error) => summary.failed.push(failed(container, error)),
                Outcome::NotBegun => summary.not_begun.push(container.name.clone()),
            }
        }
        if self.shutdown.reason().is_some() {
            summary.outcome = "interrupted";
        }
        if !summary.failed.is_empty() {
            summary.outcome = "incomplete";
        }
        summary
    }
}

/// The exit code of the run, or the error of the containers that failed.
fn ended(
    plan: &DatabasePlan,
    outcomes: Vec<(&ContainerPlace, Outcome)>,
    summary: &DatabaseSummary,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let again = plan.command();
    let total = outcomes.len() as u64;
    let stop = shutdown.reason();
    let mut failures = outcomes.into_iter().filter_map(|(container, outcome)| {
        let error = match outcome {
            Outcome::Failed(error) => error,
            Outcome::Ended(ended) => ended.failure?,
            Outcome::NotBegun => return None,
        };
        Some((container, error))
    });
    if let Some((container, first)) = failures.next() {
        const SHOWN: usize = 8;
        let failed = 1 + failures.count();
        let names: Vec<&str> = summary
            .failed
            .iter()
            .take(SHOWN)
            .map(|failed| failed.container.as_str())
            .collect();
        let more = if failed > SHOWN { ", …" } else { "" };
        let error = in_words(&first)
            .context(format!("container `{}`", container.name))
            .context(format!(
                "{failed} of {} failed: {}{more}",
                exactly(total, "container"),
                names.join(", ")
            ));
        let others = match stop {
            Some(_) => "",
            None => ", and the other containers are complete",
        };
        let hint =
            format!("what was committed is kept{others}; once the cause is fixed, run: {again}");
        return Err(with_exit_code(
            with_further_hint(error, hint),
            ExitCode::Resumable,
        ));
    }
    match stop {
        Some(code) => {
            report.notice(&format!("to continue, run: {again}"));
            Ok(code)
        }
        None => Ok(ExitCode::Done),
    }
}
