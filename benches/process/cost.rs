//! What a process costs, as measured by the operating system.

use std::process::{Command, Stdio};
use std::time::Instant;

/// The cost of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) cpu_seconds: f64,
    pub(crate) seconds: f64,
    pub(crate) peak_mb: f64,
}

/// Runs a command, in the environment that `prepare` makes, as the only child of a process of its own, so that the usage
/// of its children is that of the command. None if it fails.
pub(crate) fn measured(command: &[&str], prepare: impl FnOnce(&mut Command)) -> Option<Cost> {
    let mut measured = Command::new(std::env::current_exe().unwrap());
    prepare(&mut measured);
    let output = measured
        .arg("--measure")
        .args(command)
        // Users rarely set it, and it makes discarded errors expensive.
        .env_remove("RUST_BACKTRACE")
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
