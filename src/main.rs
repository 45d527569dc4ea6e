//! The `cosmos-tail` command: parse, run, print the error once, exit.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use cosmos_tail::cli::Cli;
use cosmos_tail::report::{self, Report};
use cosmos_tail::signal::{self, Shutdown};
use cosmos_tail::{error, run};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(Report::panic));
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            report::wrong_arguments(&error, &arguments);
            return error::ExitCode::Usage.into();
        }
        // It was help that was asked for.
        Err(help) => help.exit(),
    };
    spare_metadata_probe();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    keep_freed_memory();
    let report = Arc::new(Report::new(&cli.verbosity));
    // One at least that can hear a signal while another waits for who reads what it prints.
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(cause) => {
            report.error(&anyhow::Error::from(cause).context("cannot start the runtime"));
            return error::ExitCode::Failed.into();
        }
    };
    let told = Arc::clone(&report);
    // On a thread of the runtime, since this one would have to be woken for each page.
    let outcome = runtime.block_on(runtime.spawn(async move {
        let shutdown = Shutdown::default();
        signal::listen(shutdown.clone(), end_at_once)?;
        run::run(cli, &told, &shutdown).await
    }));
    let outcome = outcome.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()));
    // A read of standard input cannot be taken back; it must not keep the process alive.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code.into(),
        Err(error) if error::is_broken_pipe(&error) => error::ExitCode::Done.into(),
        Err(error) => {
            report.error(&error);
            error::exit_code(&error).into()
        }
    }
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
