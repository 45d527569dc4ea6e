//! Processes that a bench compares, and what the operating system says that they took.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::gateway::{KEY, StaticGateway};

/// What a process took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) cpu_seconds: f64,
    pub(crate) seconds: f64,
    pub(crate) peak_mb: f64,
}

/// A client that is no part of this bench.
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

/// Runs a command below a process of its own, whose children's usage is that of the command alone.
pub(crate) fn run_measured(command: &[&str], gateway: &StaticGateway) -> Cost {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("--measure")
        .args(command)
        .env("AZURE_COSMOS_ENDPOINT", gateway.endpoint())
        .env("AZURE_COSMOS_KEY", KEY)
        .env("AZURE_COSMOS_DATABASE", StaticGateway::DATABASE)
        .env("AZURE_COSMOS_CONTAINER", StaticGateway::CONTAINER)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(|figure| figure.parse().unwrap())
        .collect();
    Cost {
        cpu_seconds: figures[0],
        seconds: figures[1],
        peak_mb: figures[2],
    }
}

/// Runs a command, and prints what it took: what a bench does with `--measure`.
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
