//! Processes that a bench compares, and their cost as measured by the operating system.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::gateway::{KEY, StaticGateway};

/// Names the file with the certificate of a gateway that speaks TLS, in PEM.
pub(crate) const CERTIFICATE_VARIABLE: &str = "COSMOS_TAIL_BENCH_CA";

/// The cost of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) cpu_seconds: f64,
    pub(crate) seconds: f64,
    pub(crate) peak_mb: f64,
}

/// A client that is not part of this bench.
#[derive(Debug, Clone)]
pub(crate) struct OtherClient {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
}

pub(crate) fn parse_client(text: &str) -> Result<OtherClient, String> {
    let (name, command) = text.split_once('=').ok_or("no NAME=COMMAND")?;
    Ok(OtherClient {
        name: name.to_owned(),
        command: command.split_whitespace().map(str::to_owned).collect(),
    })
}

/// Runs a command as the only child of a process of its own, so that the usage of its children is that of
/// the command.
///
/// # Panics
/// If the command fails.
pub(crate) fn run_measured(command: &[&str], gateway: &StaticGateway) -> Cost {
    try_measured(command, gateway).unwrap_or_else(|| panic!("{command:?} failed"))
}

/// The same, if the command succeeds.
pub(crate) fn try_measured(command: &[&str], gateway: &StaticGateway) -> Option<Cost> {
    let mut measured = Command::new(std::env::current_exe().unwrap());
    let certificate = gateway.certificate_pem().map(|pem| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(pem.as_bytes()).unwrap();
        file
    });
    if let Some(file) = &certificate {
        measured
            .env(CERTIFICATE_VARIABLE, file.path())
            .env("NODE_EXTRA_CA_CERTS", file.path())
            .env(
                "AZURE_COSMOS_CONNECTION_STRING",
                gateway.connection_string(),
            );
    }
    let output = measured
        .arg("--measure")
        .args(command)
        // Users rarely set it, and it makes discarded errors expensive.
        .env_remove("RUST_BACKTRACE")
        .env("AZURE_COSMOS_ENDPOINT", gateway.endpoint())
        .env("AZURE_COSMOS_KEY", KEY)
        .env("AZURE_COSMOS_DATABASE", StaticGateway::DATABASE)
        .env("AZURE_COSMOS_CONTAINER", StaticGateway::CONTAINER)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(|figure| figure.parse().unwrap())
        .collect();
    Some(Cost {
        cpu_seconds: figures[0],
        seconds: figures[1],
        peak_mb: figures[2],
    })
}

/// Runs a command and prints its cost: what a bench does with `--measure`.
#[cfg(unix)]
pub(crate) fn measure(command: &[String]) {
    use nix::sys::resource::{UsageWho, getrusage};
    let began = Instant::now();
    let status = Command::new(&command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    let seconds = began.elapsed().as_secs_f64();
    assert!(status.success(), "{status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let of = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") {
        1e6
    } else {
        1e6 / 1024.0
    };
    println!(
        "{} {seconds} {}",
        of(usage.user_time()) + of(usage.system_time()),
        usage.max_rss() as f64 / unit
    );
}

#[cfg(not(unix))]
pub(crate) fn measure(_: &[String]) {
    panic!("this bench measures processes on Unix only");
}
