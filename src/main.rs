//! The `cosmos-tail` command: parse, run, print the error once, exit.

// The future of a command, which must be `Send`, is nested deeper than the default allows.
#![recursion_limit = "256"]

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result, anyhow};
use cosmos_tail::monitor::Monitor;
use cosmos_tail::report::{self, LogFormat, Report, Verbosity};
use cosmos_tail::settings::Given;
use cosmos_tail::signal::{self, Shutdown};
use cosmos_tail::{command, error, process};

fn main() -> ExitCode {
    process::forbid_core_dumps();
    std::panic::set_hook(Box::new(|info| Report::panic(LogFormat::Text, info)));
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(names) = command::complete::names(&arguments) {
        return print_names(&names);
    }
    let given = match Given::parse(&arguments) {
        Ok(given) => given,
        Err(error) if error.use_stderr() => {
            let again = |shown: &[OsString]| Given::parse(shown).err();
            report::wrong_arguments(&error, &arguments, Given::verbosity_of(&arguments), again);
            return error::ExitCode::Usage.into();
        }
        // Help or the version.
        Err(answer) => return print_and_exit(&answer, Given::verbosity_of(&arguments)),
    };
    disable_metadata_probe();
    process::raise_file_limit();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    keep_freed_memory();
    let report = Arc::new(Report::new(given.verbosity()));
    let printer = Arc::clone(&report);
    std::panic::set_hook(Box::new(move |info| {
        Report::panic(printer.log_format(), info);
    }));
    match run_to_end(given, &report) {
        Ok(code) => code.into(),
        Err(error) if error::is_broken_pipe(&error) => error::ExitCode::Done.into(),
        Err(error) => {
            let error = match process::hint_at_file_limit(&error) {
                Some(hint) => error::with_further_hint(error, hint),
                None => error,
            };
            report.error(&error);
            error::exit_code(&error).into()
        }
    }
}

/// Prints names for a completion script, one on each line. Nothing is reported to somebody who is typing.
fn print_names(names: &[String]) -> ExitCode {
    let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
    Report::default().print_data(&lines).ok();
    error::ExitCode::Done.into()
}

/// Prints help or the version, and exits.
fn print_and_exit(answer: &clap::Error, verbosity: Verbosity) -> ExitCode {
    if let Err(closed) = process::ensure_standard_output() {
        Report::new(verbosity).error(&closed);
        return error::exit_code(&closed).into();
    }
    answer.exit()
}

/// An event that the main thread waits for.
enum Event {
    /// The run has ended.
    Ended(Result<error::ExitCode>),
    /// The first signal was received.
    Stop,
}

/// Runs the command on a runtime, and waits for its end or for a signal. The main thread waits for a
/// channel, not for the runtime: all of the runtime's threads may be blocked by reading an input that
/// nobody writes.
fn run_to_end(given: Given, report: &Arc<Report>) -> Result<error::ExitCode> {
    let shutdown = Shutdown::default();
    let (events, next) = mpsc::channel();
    let stop = events.clone();
    // The receiver is gone once the process is exiting.
    let requested = move || drop(stop.send(Event::Stop));
    let printer = Arc::clone(report);
    let give_up = move |code| exit_at_once(code, printer);
    signal::listen(shutdown.clone(), requested, give_up).context("cannot listen for signals")?;
    // At least two: one may be blocked by writing to a pipe that nobody reads.
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let (command_report, command_shutdown) = (Arc::clone(report), shutdown.clone());
    let command =
        runtime.spawn(async move { command::run(given, &command_report, &command_shutdown).await });
    runtime.spawn(async move {
        let outcome = command
            .await
            .unwrap_or_else(|panicked| Err(defect(panicked)));
        events.send(Event::Ended(outcome)).ok();
    });
    let outcome = match next.recv() {
        Ok(Event::Stop) => outcome_of_stop(&next, &shutdown),
        Ok(Event::Ended(outcome)) => {
            // It may have ended faster than the signal's event arrived.
            if shutdown.reason().is_some() {
                Monitor::stopping();
            }
            outcome
        }
        Err(mpsc::RecvError) => Err(anyhow!("the run ended without an outcome")),
    };
    // A blocking read of standard input cannot be cancelled; it must not keep the process alive.
    runtime.shutdown_background();
    outcome
}

/// The outcome of a run after a stop was requested: its own, unless it has begun nothing that must be
/// finished and does not end within the grace period.
fn outcome_of_stop(next: &mpsc::Receiver<Event>, shutdown: &Shutdown) -> Result<error::ExitCode> {
    Monitor::stopping();
    let event = match next.recv_timeout(signal::GRACE) {
        Err(mpsc::RecvTimeoutError::Timeout) if shutdown.abandon() => None,
        Err(mpsc::RecvTimeoutError::Timeout) => next.recv().ok(),
        received => received.ok(),
    };
    match event {
        Some(Event::Ended(outcome)) => outcome,
        Some(Event::Stop) | None => Err(shutdown.stopped_before("it started")),
    }
}

/// The error of a command that panicked. The panic hook has already printed the message.
fn defect(panicked: tokio::task::JoinError) -> anyhow::Error {
    error::with_hint(
        anyhow!(panicked).context("this is a bug in cosmos-tail"),
        "report it with the lines above; committed work can be resumed",
    )
}

#[expect(
    clippy::exit,
    reason = "the second signal: committed work is safe, and nothing else is waited for"
)]
fn exit_at_once(code: error::ExitCode, report: Arc<Report>) {
    let left = signal::left_at_once();
    if !left.is_empty() {
        let (told, is_told) = mpsc::channel();
        // Nobody may read standard error.
        std::thread::spawn(move || {
            for text in left {
                report.warning(&text);
            }
            told.send(()).ok();
        });
        is_told.recv_timeout(signal::GRACE).ok();
    }
    std::process::exit(code as i32);
}

/// Stops the SDK from asking the instance metadata service which machine this is: outside Azure that
/// costs up to two seconds at every start, and the answer is used for diagnostics only.
#[expect(
    unsafe_code,
    reason = "the SDK has no other switch; no other thread runs yet"
)]
fn disable_metadata_probe() {
    const VARIABLE: &str = "COSMOS_DISABLE_IMDS";
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: main calls this right after parsing, before it starts any thread that could read
        // the environment.
        unsafe { std::env::set_var(VARIABLE, "1") };
    }
}

/// Lets the C library keep freed memory of the size of a feed page for the next page. Otherwise every
/// page's buffers are mapped again and zeroed by the system, which is a tenth of the cost of an export
/// to JSON lines. In return, the number of arenas is limited.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a call of the C library")]
fn keep_freed_memory() {
    const MIB: libc::c_int = 1 << 20;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for (parameter, value) in [
        // The maximum that glibc accepts on 64 bits.
        (libc::M_MMAP_THRESHOLD, 32 * MIB),
        (libc::M_TRIM_THRESHOLD, 64 * MIB),
        (
            libc::M_ARENA_MAX,
            cores.try_into().unwrap_or(libc::c_int::MAX),
        ),
    ] {
        // SAFETY: the call takes two numbers and only changes the allocator's policy. It ignores a
        // value that it does not accept.
        unsafe { libc::mallopt(parameter, value) };
    }
}
