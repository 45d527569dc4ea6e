//! The `cosmos-tail` command: parse, run, print the error once, exit.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result, anyhow};
use cosmos_tail::report::{self, Report};
use cosmos_tail::settings::Given;
use cosmos_tail::signal::{self, Shutdown};
use cosmos_tail::{error, process, run};

fn main() -> ExitCode {
    process::forbid_core_dumps();
    std::panic::set_hook(Box::new(Report::panic));
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let given = match Given::parse(&arguments) {
        Ok(given) => given,
        Err(error) if error.use_stderr() => {
            let again = |shown: &[OsString]| Given::parse(shown).err();
            report::wrong_arguments(&error, &arguments, again);
            return error::ExitCode::Usage.into();
        }
        // It was help that was asked for.
        Err(said) => return say_and_end(&said),
    };
    spare_metadata_probe();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    keep_freed_memory();
    let report = Arc::new(Report::new(given.verbosity()));
    match run_to_end(given, &report) {
        Ok(code) => code.into(),
        Err(error) if error::is_broken_pipe(&error) => error::ExitCode::Done.into(),
        Err(error) => {
            report.error(&error);
            error::exit_code(&error).into()
        }
    }
}

/// Prints what the command line was answered with: help, the version, or what is wrong with it.
fn say_and_end(said: &clap::Error) -> ExitCode {
    if !said.use_stderr()
        && let Err(closed) = process::ensure_standard_output()
    {
        Report::default().error(&closed);
        return error::exit_code(&closed).into();
    }
    said.exit()
}

/// What the main thread waits for.
enum Event {
    /// The run has ended.
    Ended(Result<error::ExitCode>),
    /// A first signal has come.
    Stop,
}

/// Runs the command on a runtime, and waits for it or for a signal that ends it. The wait is for a
/// channel, so that it depends on none of the runtime's threads: they may be reading an input that
/// nobody writes.
fn run_to_end(given: Given, report: &Arc<Report>) -> Result<error::ExitCode> {
    let shutdown = Shutdown::default();
    let (events, next) = mpsc::channel();
    let stop = events.clone();
    // Nobody listens any more when the process is ending.
    let asked = move || drop(stop.send(Event::Stop));
    signal::listen(shutdown.clone(), asked, end_at_once).context("cannot listen for signals")?;
    // One at least that can be interrupted while another waits for who reads what it prints.
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let (told, asked_to_stop) = (Arc::clone(report), shutdown.clone());
    let command = runtime.spawn(async move { run::run(given, &told, &asked_to_stop).await });
    runtime.spawn(async move {
        let outcome = command
            .await
            .unwrap_or_else(|ended| Err(failed_inside(ended)));
        events.send(Event::Ended(outcome)).ok();
    });
    let outcome = match next.recv() {
        Ok(Event::Stop) => outcome_of_stop(&next, &shutdown),
        Ok(Event::Ended(outcome)) => outcome,
        Err(mpsc::RecvError) => Err(anyhow!("the run has ended without an outcome")),
    };
    // A read of standard input cannot be taken back; it must not keep the process alive.
    runtime.shutdown_background();
    outcome
}

/// How a run ends that was asked to stop: as it says itself, unless it has nothing to bring to an end
/// and does not end.
fn outcome_of_stop(next: &mpsc::Receiver<Event>, shutdown: &Shutdown) -> Result<error::ExitCode> {
    let event = match next.recv_timeout(signal::GRACE) {
        Err(mpsc::RecvTimeoutError::Timeout) if shutdown.abandon() => None,
        Err(mpsc::RecvTimeoutError::Timeout) => next.recv().ok(),
        received => received.ok(),
    };
    match event {
        Some(Event::Ended(outcome)) => outcome,
        Some(Event::Stop) | None => Err(shutdown.stopped_before("anything was begun")),
    }
}

/// The error of a command that panicked. What it had to say of it stands on standard error.
fn failed_inside(ended: tokio::task::JoinError) -> anyhow::Error {
    error::with_hint(
        anyhow!(ended).context("this is a defect of cosmos-tail"),
        "report it with the lines above; what was committed can be resumed",
    )
}

#[expect(
    clippy::exit,
    reason = "the second signal: what is committed is committed, nothing is waited for"
)]
fn end_at_once(code: error::ExitCode) {
    std::process::exit(code as i32);
}

/// Tells the SDK not to ask the instance metadata service which machine this is: off Azure that
/// costs up to two seconds at every start, and the answer is only for its diagnostics.
#[expect(
    unsafe_code,
    reason = "the SDK offers no other way; no other thread runs yet"
)]
fn spare_metadata_probe() {
    const VARIABLE: &str = "COSMOS_DISABLE_IMDS";
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: this is the first thing that main does after parsing, before any thread exists
        // that could read the environment.
        unsafe { std::env::set_var(VARIABLE, "1") };
    }
}

/// Tells the C library to keep memory of the size of a page of the feed for the next page. Otherwise
/// every page's buffers are mapped anew, and the system clears what they touch: a tenth of what an
/// export to JSON lines costs. What threads keep apart from each other is bounded in return.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a call of the C library")]
fn keep_freed_memory() {
    const MIB: libc::c_int = 1 << 20;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for (parameter, value) in [
        // The most that glibc takes on 64 bits.
        (libc::M_MMAP_THRESHOLD, 32 * MIB),
        (libc::M_TRIM_THRESHOLD, 64 * MIB),
        (
            libc::M_ARENA_MAX,
            cores.try_into().unwrap_or(libc::c_int::MAX),
        ),
    ] {
        // SAFETY: it takes two numbers and changes nothing but how the allocator decides. A value that
        // it does not take leaves it as it is.
        unsafe { libc::mallopt(parameter, value) };
    }
}
