//! Tells the crate which commit it is built from, and which version of the SDK's driver it contains.
//!
//! The commit is that of `COSMOS_TAIL_COMMIT` (such as `abc1234 2026-11-28`), for those who package; otherwise of
//! the package's own record, if it is built from a registry; otherwise of the git repository, if it is built there.
//! A tarball has none. Development builds have none either: each commit would compile the crate again.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

const COMMIT_VARIABLE: &str = "COSMOS_TAIL_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    println!("cargo::rerun-if-env-changed={COMMIT_VARIABLE}");
    let directory = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let directory = Path::new(&directory);
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = env::var(COMMIT_VARIABLE)
        .ok()
        .filter(|commit| is_plain(commit));
    let commit = given
        .or_else(|| of_package(directory))
        .or_else(|| is_release.then(|| of_repository(directory)).flatten());
    println!(
        "cargo::rustc-env=COSMOS_TAIL_BUILD_COMMIT={}",
        commit.unwrap_or_default()
    );
    let driver = driver_version(directory).unwrap_or_default();
    println!("cargo::rustc-env=COSMOS_TAIL_BUILD_DRIVER={driver}");
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=COSMOS_TAIL_BUILD_TARGET={target}");
}

/// Whether a text is short and fits in a line.
fn is_plain(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " -.+".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(is_plain)
}

/// The commit that `cargo package` recorded.
fn of_package(directory: &Path) -> Option<String> {
    let record = fs::read_to_string(directory.join(".cargo_vcs_info.json")).ok()?;
    let (_, hash) = record.split_once("\"sha1\"")?;
    let hash = hash.split('"').nth(1)?;
    let short = hash.get(..7)?;
    is_plain(short).then(|| short.to_owned())
}

/// The commit of the repository, if the package is its root. A tarball may be unpacked within another repository.
fn of_repository(directory: &Path) -> Option<String> {
    // In a linked work tree it is a file.
    if !directory.join(".git").exists() {
        return None;
    }
    let git = |arguments: &[&str]| {
        let ended = Command::new("git")
            .arg("-C")
            .arg(directory)
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8(ended.stdout).ok()?;
        ended.status.success().then(|| text.trim().to_owned())
    };
    // The log of HEAD grows with each commit and each checkout.
    let log = git(&[
        "rev-parse",
        "--path-format=absolute",
        "--git-path",
        "logs/HEAD",
    ])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    let commit = git(&["log", "-1", "--format=%h %cs"])?;
    is_plain(&commit).then_some(commit)
}

/// The version of the driver, which the manifest pins exactly.
fn driver_version(directory: &Path) -> Option<String> {
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).ok()?;
    let (_, rest) = manifest.split_once("azure_data_cosmos_driver")?;
    let (_, rest) = rest.split_once("\"=")?;
    let (version, _) = rest.split_once('"')?;
    is_plain(version).then(|| version.to_owned())
}
