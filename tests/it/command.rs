//! Runs the real binary, and reads its output.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use cosmos_tail::cosmos::options::{
    ConnectOptions, CredentialOptions, NamesFrom, Routing, SecretText, ThroughputControl,
    TokenOptions,
};

use cosmos_tail::destination::{StateDirectory, find_state};

use crate::gateway::{Container, Gateway, KEY};

pub(crate) const DATABASE: &str = "shop";
pub(crate) const CONTAINER: &str = "orders";

/// The binary, without any of this process's environment that could change its behaviour.
pub(crate) fn cosmos_tail() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cosmos-tail"));
    command.env_clear();
    for kept in ["PATH", "HOME", "TMPDIR", "TEMP", "SYSTEMROOT"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    // Nor the configuration file of the user who runs the tests.
    let no_profiles = if cfg!(windows) { "NUL" } else { "/dev/null" };
    command
        .env("COSMOS_DISABLE_IMDS", "1")
        .env("COSMOS_TAIL_CONFIG", no_profiles)
        // One root certificate instead of the hundreds of the system, which take much of the time of a short run
        // to read. Nobody has its key.
        .env(
            "SSL_CERT_FILE",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/root.pem"),
        )
        .stdin(Stdio::null());
    command
}

/// The binary, pointed at the container `orders` of a gateway.
pub(crate) fn against(gateway: &Gateway) -> Command {
    let mut command = cosmos_tail();
    // Only this build can be told to accept a self-signed certificate.
    if gateway.is_tls() {
        command.env(
            "AZURE_COSMOS_CONNECTION_STRING",
            gateway.connection_string(),
        );
    }
    command
        .env("AZURE_COSMOS_ENDPOINT", gateway.endpoint())
        .env("AZURE_COSMOS_KEY", KEY)
        .env("AZURE_COSMOS_DATABASE", DATABASE)
        .env("AZURE_COSMOS_CONTAINER", CONTAINER);
    command
}

/// An export of that container to `output`.
pub(crate) fn export(gateway: &Gateway, output: &Path) -> Command {
    let mut command = against(gateway);
    command.arg("export").arg("-o").arg(output);
    command
}

/// Where an export to the directory `out` keeps its state, its manifest and its open parts.
pub(crate) fn state_directory(out: &Path) -> PathBuf {
    StateDirectory::Beside.of(out)
}

/// A resume of the export in the directory `output`.
pub(crate) fn resume(gateway: &Gateway, output: &Path) -> Command {
    let mut command = against(gateway);
    // The state says where; only the key is needed.
    command.env_remove("AZURE_COSMOS_ENDPOINT");
    command
        .env_remove("AZURE_COSMOS_DATABASE")
        .env_remove("AZURE_COSMOS_CONTAINER");
    let state = find_state(output).ok().flatten();
    command
        .arg("resume")
        .arg("--state")
        .arg(state.unwrap_or_else(|| state_directory(output).join("state.json")));
    command
}

/// Runs `verify`, which needs neither an account nor a key.
pub(crate) fn verify(path: &Path, arguments: &[&str]) -> Ended {
    run(cosmos_tail().arg("verify").arg(path).args(arguments))
}

/// The result of a run: its exit code and its output.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    command.output().expect("the binary runs").into()
}

/// Runs a command that must succeed.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{command:?}\n{}", ended.stderr);
    ended
}

/// Runs a command that must fail with `code`.
#[track_caller]
pub(crate) fn fail(command: &mut Command, code: i32) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(code), "{command:?}\n{}", ended.stderr);
    ended
}

/// Starts a command whose output is collected when it ends.
pub(crate) fn spawn(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs")
}

/// Waits for a child to end.
pub(crate) fn wait(child: Child) -> Ended {
    child.wait_with_output().expect("the child ends").into()
}

/// Interrupts a child, as Ctrl-C does.
#[cfg(unix)]
pub(crate) fn interrupt(child: &Child) {
    signal(child, nix::sys::signal::Signal::SIGINT);
}

/// Sends a signal to a child.
#[cfg(unix)]
pub(crate) fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, signal).expect("the child is there");
}

/// The files of a directory with this extension, in their order.
pub(crate) fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = all_files(directory);
    files.retain(|path| path.extension() == Some(OsStr::new(extension)));
    files
}

/// All lines of the finished files of JSON lines in a directory, as they are, in the order of the
/// files' names.
pub(crate) fn lines(directory: &Path) -> Vec<Vec<u8>> {
    let is_jsonl = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        [".jsonl", ".jsonl.gz", ".jsonl.zst"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    let all = all_files(directory);
    all.iter()
        .filter(is_jsonl)
        .flat_map(|path| lines_of(path))
        .collect()
}

/// The files of a directory, in the order of their names.
pub(crate) fn all_files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the directory is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    files.sort();
    files
}

/// All lines of a file. Each must be complete.
pub(crate) fn lines_of(path: &Path) -> Vec<Vec<u8>> {
    split_lines(&text_of(path))
}

/// The text of a file, decompressed according to its extension.
pub(crate) fn text_of(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("the file is there");
    let mut text = Vec::new();
    match path.extension().and_then(OsStr::to_str) {
        Some("gz") => flate2::read::MultiGzDecoder::new(bytes.as_slice())
            .read_to_end(&mut text)
            .expect("it is gzip"),
        Some("zst") => zstd::stream::read::Decoder::new(bytes.as_slice())
            .and_then(|mut decoder| decoder.read_to_end(&mut text))
            .expect("it is Zstandard"),
        _ => return bytes,
    };
    text
}

/// The lines of a text that must end with a line break, unless it is empty.
pub(crate) fn split_lines(text: &[u8]) -> Vec<Vec<u8>> {
    assert!(
        text.is_empty() || text.ends_with(b"\n"),
        "the last line is not whole"
    );
    let mut lines: Vec<Vec<u8>> = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    lines.pop();
    lines
}

/// Asserts that `lines` are the latest documents of `container`, each exactly once, byte for byte.
#[track_caller]
pub(crate) fn assert_latest(lines: &[Vec<u8>], container: &Container) {
    let expected: Vec<Vec<u8>> = container
        .latest()
        .iter()
        .map(|served| served.text.to_vec())
        .collect();
    assert_same(lines, &expected);
}

/// Asserts that two lists have the same lines equally often, in any order; reports some that differ.
#[track_caller]
pub(crate) fn assert_same(found: &[Vec<u8>], expected: &[Vec<u8>]) {
    let mut counts: BTreeMap<&[u8], i64> = BTreeMap::new();
    for line in expected {
        *counts.entry(line).or_default() += 1;
    }
    for line in found {
        *counts.entry(line).or_default() -= 1;
    }
    let wrong: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(line, count)| {
            let what = if *count > 0 { "missing" } else { "too many" };
            let text: String = String::from_utf8_lossy(line).chars().take(120).collect();
            format!("{what} {}: {text}", count.abs())
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} lines are wrong, such as\n{}",
        wrong.len(),
        expected.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
}

/// The most memory that a process has had so far, in KiB.
#[cfg(target_os = "linux")]
pub(crate) fn peak_kib(child: &std::process::Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    peak.parse().unwrap()
}

/// The connection of a test that calls the library itself.
pub(crate) fn connect_options([endpoint, key, database, container]: [&str; 4]) -> ConnectOptions {
    ConnectOptions {
        endpoint: endpoint.parse().unwrap(),
        database: database.to_owned(),
        container: container.to_owned(),
        names_from: NamesFrom::default(),
        credential: CredentialOptions::Key(SecretText::new(key)),
        key_reader: None,
        accept_self_signed: false,
        throughput: ThroughputControl::default(),
        token: TokenOptions::default(),
        routing: Routing::default(),
        via_arm: None,
    }
}
