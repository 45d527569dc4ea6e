//! The test from its start to its report.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::child::Program;
use super::names::Names;
use super::outcome::{Acceptance, Cost, Shape, Step, Verdict};
use super::scratch::{NotMade, Scratch, WITNESS, clean, ensure_new, is_left, undo};
use super::sightings::Sightings;
use super::split::{AT_FIRST, RAISED};
use super::steps::{FORMS, Trial};
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::client::HttpVersion;
use crate::cosmos::options::{ConnectOptions, CredentialOptions};
use crate::durable::shown_path;
use crate::error::{ExitCode, usage, with_hint};
use crate::report::Report;
use crate::settings::AcceptancePlan;
use crate::signal::Shutdown;
use crate::version;

/// The throughput that the containers share, in RU/s: the least that a database can have.
const SHARED: u64 = 400;
/// What a test uses, in RU, by what the service charges for documents of these sizes; and what a split adds.
const ESTIMATE: u64 = 45_000;
const ESTIMATE_OF_SPLIT: u64 = 15_000;

/// The longest text of a shape in the report.
const MAX_DETAIL: usize = 200;

/// What a test will cost, for people.
pub(crate) fn estimate(plan: &AcceptancePlan) -> String {
    let database = &plan.database;
    let units = estimated(plan);
    let mut text = format!(
        "the test creates the database `{database}`, whose 7 containers share {SHARED} RU/s, and deletes it at the end. It \
         uses about {units} RU, which takes about {} minutes at {SHARED} RU/s. In an account with provisioned throughput \
         {SHARED} RU/s are charged for each hour begun; in a serverless account, the RU",
        units.div_ceil(SHARED * 60)
    );
    if plan.split {
        let minutes = plan.split_wait.as_secs().div_ceil(60);
        text.push_str(&format!(
            ". --split creates a container with {AT_FIRST} RU/s of its own, and raises it to {RAISED} RU/s until the \
             service has split it, at most for {minutes} minutes: {RAISED} RU/s are charged for each hour begun"
        ));
    }
    text
}

fn estimated(plan: &AcceptancePlan) -> u64 {
    ESTIMATE + if plan.split { ESTIMATE_OF_SPLIT } else { 0 }
}

/// Runs the test on an account.
///
/// # Errors
///
/// If the test cannot begin, or cannot clean up. A step that fails is no error, but the exit code.
pub(crate) async fn run(
    account: &CosmosAccount,
    options: &ConnectOptions,
    plan: &AcceptancePlan,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    ensure_new(&plan.directory, &plan.database)?;
    let file = plan.report.as_deref().map(open_report).transpose()?;
    shutdown.begin()?;
    let began = Instant::now();
    let names = Names::new(options, &plan.database, &plan.directory);
    let mut steps = Steps {
        report,
        names: &names,
        all: Vec::new(),
        witness: &plan.directory.join(WITNESS),
    };
    let started = steps.begin();
    let made = tokio::select! {
        () = shutdown.requested() => Err(NotMade::Error(anyhow!("stopped"))),
        made = Box::pin(Scratch::make(account, &plan.database, &plan.directory, SHARED)) => made,
    };
    let mut shapes = Vec::new();
    let (throughput, stopped, sightings, cleaned) = match made {
        Err(NotMade::Error(error)) => {
            // It is empty.
            if let Some(path) = &plan.report {
                fs::remove_file(path).ok();
            }
            let stopped = shutdown.reason();
            if stopped.is_some() {
                undo(account, &plan.database, &plan.directory)
                    .await
                    .map_err(|error| not_cleaned(error, plan))?;
            }
            return match stopped.filter(|_| !is_left(&plan.directory)) {
                Some(code) => {
                    report.notice("stopped; nothing that the test had made is left");
                    Ok(code)
                }
                None if is_left(&plan.directory) => Err(not_cleaned(error, plan)),
                None => Err(error),
            };
        }
        Err(NotMade::Ended(verdict)) => {
            steps.end("create a database", started, verdict);
            (None, false, Sightings::default(), Ok(()))
        }
        Ok(scratch) => {
            steps.end("create a database", started, Verdict::Passed);
            let tried = async {
                let directory = fs::canonicalize(&scratch.directory)?;
                let witness = directory.join(WITNESS);
                let program = Program::new(options, &directory, &witness, plan.max_ru)?;
                let mut trial = Trial::new(account, &program, &scratch, plan.max_ru);
                Box::pin(all_steps(&mut trial, &mut steps, &mut shapes, plan)).await
            };
            let stopped = tokio::select! {
                () = shutdown.requested() => true,
                tried = tried => {
                    if let Err(error) = tried {
                        let now = steps.begin();
                        steps.end("run this program", now, Verdict::Failed(format!("{error:#}")));
                    }
                    false
                }
            };
            // Also if it was stopped between two of them.
            for shape in &mut shapes {
                shape.detail = names.clean_short(&shape.detail, MAX_DETAIL);
            }
            let before = steps.begin();
            let cleaned = scratch_deleted(&scratch, account).await;
            // The witness saw that too, but its file is gone.
            let sightings = match &cleaned {
                Ok(last) => {
                    steps.end_at("clean up", before, Verdict::Passed, last.request_units());
                    last.clone()
                }
                Err(error) => {
                    steps.end("clean up", before, Verdict::Failed(format!("{error:#}")));
                    Sightings::read(&plan.directory.join(WITNESS))
                }
            };
            (scratch.throughput, stopped, sightings, cleaned.map(|_| ()))
        }
    };
    let cost = Cost {
        estimated_request_units: estimated(plan),
        request_units: sightings.request_units(),
        seconds: rounded(began.elapsed()),
        throughput,
    };
    let mut acceptance = assemble(account, options, steps.all, shapes, &sightings, cost);
    acceptance.stopped = stopped;
    acceptance.passed &= !stopped;
    let written = write_report(&acceptance, file, plan, report);
    cleaned.map_err(|error| not_cleaned(error, plan))?;
    written?;
    if stopped {
        report.notice("stopped; what the test had made was deleted");
        return Ok(shutdown.reason().unwrap_or(ExitCode::Interrupted));
    }
    Ok(if acceptance.passed {
        ExitCode::Done
    } else {
        ExitCode::Failed
    })
}

/// Deletes the database, and returns everything that the witness saw until then.
async fn scratch_deleted(scratch: &Scratch, account: &CosmosAccount) -> Result<Sightings> {
    let witness = scratch.directory.join(WITNESS);
    scratch.delete(account).await?;
    let sightings = Sightings::read(&witness);
    scratch.remove_directory().await?;
    Ok(sightings)
}

fn not_cleaned(error: anyhow::Error, plan: &AcceptancePlan) -> anyhow::Error {
    with_hint(
        error.context("the test could not clean up"),
        format!(
            "`cosmos-tail acceptance --scratch-database {} --clean-up` deletes what it made",
            plan.database
        ),
    )
}

/// Deletes what an earlier test has left.
///
/// # Errors
///
/// If the database is not one of a test, or cannot be deleted.
pub(crate) async fn clean_up(
    account: &CosmosAccount,
    plan: &AcceptancePlan,
    report: &Report,
) -> Result<ExitCode> {
    let database = &plan.database;
    let was_there = clean(account, database, &plan.directory).await?;
    report.notice(&match was_there {
        true => format!("the database `{database}`, which a test had left, was deleted"),
        false => format!("there is no database `{database}`; nothing was left to delete"),
    });
    Ok(ExitCode::Done)
}

/// The steps so far, each reported when it ends.
struct Steps<'a> {
    report: &'a Report,
    names: &'a Names,
    all: Vec<Step>,
    witness: &'a Path,
}

/// When a step began, and what had been charged by then.
#[derive(Clone, Copy)]
struct Begun {
    at: Instant,
    request_units: f64,
}

impl Steps<'_> {
    fn begin(&self) -> Begun {
        Begun {
            at: Instant::now(),
            request_units: Sightings::read(self.witness).request_units(),
        }
    }

    fn end(&mut self, step: &str, begun: Begun, verdict: Verdict) {
        let total = Sightings::read(self.witness).request_units();
        self.end_at(step, begun, verdict, total);
    }

    fn end_at(&mut self, step: &str, begun: Begun, verdict: Verdict, total: f64) {
        let step = Step {
            step: step.to_owned(),
            verdict: verdict.clean(self.names),
            seconds: rounded(begun.at.elapsed()),
            request_units: ((total - begun.request_units).max(0.0) * 100.0).round() / 100.0,
        };
        self.report.notice(&step.line());
        self.all.push(step);
    }

    /// Ends a step with what it found; an error is a failure.
    fn judged(&mut self, step: &str, begun: Begun, judged: Result<Verdict>) -> bool {
        let verdict = judged.unwrap_or_else(|error| Verdict::Failed(format!("{error:#}")));
        let passed = verdict == Verdict::Passed;
        self.end(step, begun, verdict);
        passed
    }
}

/// Judges a step, which is a future that is made only once its time begins.
macro_rules! judge {
    ($steps:ident, $name:expr, $step:expr) => {{
        let begun = $steps.begin();
        let judged = Box::pin($step).await;
        $steps.judged($name, begun, judged)
    }};
}

async fn all_steps(
    trial: &mut Trial<'_>,
    steps: &mut Steps<'_>,
    shapes: &mut Vec<Shape>,
    plan: &AcceptancePlan,
) -> Result<()> {
    if !judge!(steps, "create containers", trial.create_containers()) {
        return Ok(());
    }
    let written = judge!(
        steps,
        "write documents of every shape",
        trial.write_documents(shapes)
    );
    if !written {
        return Ok(());
    }
    for form in FORMS {
        judge!(
            steps,
            &format!("export as {}", form.name),
            trial.export(form)
        );
    }
    judge!(
        steps,
        "export documents of a hierarchical key",
        trial.export_levels()
    );
    judge!(steps, "export a query", trial.query());
    judge!(
        steps,
        "refuse a container that does not exist",
        trial.missing()
    );
    for form in [FORMS[0], FORMS[6]] {
        judge!(
            steps,
            &format!("kill and resume, {}", form.name),
            trial.kill(form)
        );
    }
    judge!(
        steps,
        "export all versions and deletes",
        trial.all_versions()
    );
    judge!(steps, "export a snapshot and its changes", trial.snapshot());
    if judge!(steps, "copy a container", trial.copy()) {
        judge!(steps, "compare with the copy", trial.compare());
    }
    judge!(
        steps,
        "copy a hierarchical key from files",
        trial.copy_files()
    );
    judge!(steps, "follow while documents are written", trial.follow());
    judge!(steps, "share the ranges of a tail by leases", trial.share());
    if plan.split {
        judge!(steps, "resume over a split", trial.split(plan.split_wait));
    }
    Ok(())
}

/// Whether anything was exported and found as it is: a test of which everything was refused shows nothing.
fn has_tested(steps: &[Step]) -> bool {
    let mut exports = steps
        .iter()
        .filter(|step| step.step.starts_with("export as "));
    exports.any(|step| step.verdict == Verdict::Passed)
}

fn assemble(
    account: &CosmosAccount,
    options: &ConnectOptions,
    steps: Vec<Step>,
    shapes: Vec<Shape>,
    sightings: &Sightings,
    cost: Cost,
) -> Acceptance {
    let failed = |step: &Step| matches!(step.verdict, Verdict::Failed(_));
    Acceptance {
        format: "cosmos-tail acceptance 1",
        version: version::short(),
        driver: version::DRIVER,
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        passed: has_tested(&steps) && !steps.iter().any(failed),
        stopped: false,
        credential: match options.credential {
            CredentialOptions::Key(_) => "account key",
            CredentialOptions::EntraId(_) => "Entra ID",
        },
        http: match account.http_version() {
            HttpVersion::Http2 => "2",
            HttpVersion::Http11 => "1.1",
        },
        account: sightings.account.clone(),
        cost,
        steps,
        shapes,
        beliefs: sightings.beliefs(),
        answers: sightings.answers(),
        headers: sightings.headers(),
    }
}

fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}

/// Opens the file of the report before anything is created: a test whose report cannot be written is of no use.
fn open_report(path: &Path) -> Result<fs::File> {
    let opened = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => usage(
            format!("the report `{}` exists", shown_path(path)),
            "delete it, or name another file",
        ),
        _ => anyhow!(error).context(format!("cannot create `{}`", shown_path(path))),
    })
}

fn write_report(
    acceptance: &Acceptance,
    file: Option<fs::File>,
    plan: &AcceptancePlan,
    report: &Report,
) -> Result<()> {
    if let (Some(mut file), Some(path)) = (file, &plan.report) {
        let mut text = serde_json::to_vec_pretty(acceptance)?;
        text.push(b'\n');
        let written = file.write_all(&text).and_then(|()| file.sync_all());
        written.with_context(|| format!("cannot write `{}`", shown_path(path)))?;
        report.notice(&format!(
            "the report is in `{}`; it has no names and no secrets, so it can be attached to an issue",
            shown_path(path)
        ));
    }
    report.print_table(&acceptance.steps_table())?;
    if let Some(table) = acceptance.differences_table() {
        report.print("\n")?;
        report.print_table(&table)?;
    }
    let [held, differing, unseen] =
        ["held", "differs", "not seen"].map(|result| acceptance.believed(result));
    report.notice(&format!(
        "{}: {held} beliefs about the service held, {differing} differ, {unseen} were not seen",
        match () {
            () if acceptance.passed => "passed",
            () if acceptance.stopped => "stopped",
            () if has_tested(&acceptance.steps) => "FAILED",
            () => "FAILED, nothing was tested",
        }
    ));
    let cost = &acceptance.cost;
    report.notice(&format!(
        "used {:.0} RU in {:.0} s",
        cost.request_units, cost.seconds
    ));
    Ok(())
}
