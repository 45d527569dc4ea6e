//! A command as a service: what systemd is told, a reload, a key that changes, logs for programs, open files.

use std::path::{Path, PathBuf};
use std::process::Command;
#[cfg(target_os = "linux")]
use std::{os::unix::net::UnixDatagram, time::Duration};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::command::{
    CONTAINER, DATABASE, against, assert_latest, cosmos_tail, export, fail, files, interrupt, lines,
    resume, run, signal, spawn, succeed, wait,
};
use crate::gateway::{Action, Container, Fault, Gateway, GatewayOptions, KEY, RequestKind};

/// Another account key.
const NEW_KEY: &str = "YW5vdGhlciBrZXkgb2YgdGhlIHNjcmlwdGVkIGdhdGV3YXk=";

fn filled(gateway: &Gateway, partitions: usize, documents: usize) -> Container {
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", partitions);
    write(&container, 0..documents);
    container
}

fn write(container: &Container, documents: std::ops::Range<usize>) {
    for n in documents {
        container.upsert(json!({"id": format!("{n}"), "pk": format!("key-{n}")}));
    }
}

fn follow(gateway: &Gateway, out: &Path) -> Command {
    let mut command = export(gateway, out);
    command.args(["--follow", "--poll-interval", "20ms", "--checkpoint-interval", "20ms"]);
    command
}

/// The objects on standard error, each of which is a line.
#[track_caller]
fn objects(stderr: &str) -> Vec<Value> {
    stderr
        .lines()
        .map(|line| {
            let object: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(object["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
            assert!(object["message"].is_string(), "{line}");
            object
        })
        .collect()
}

#[test]
fn each_message_is_an_object_for_programs_that_collect_logs() {
    let gateway = Gateway::start(GatewayOptions::default());
    filled(&gateway, 2, 50);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(503, 0)).partition("1").times(40));
    let ended = run(export(&gateway, &out).args(["--log-format", "json", "-v", "--max-retries", "3"]));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let told = objects(&ended.stderr);
    let levels = |level: &str| told.iter().filter(|one| one["level"] == level).count();
    assert!(levels("debug") > 0 && levels("info") > 0, "{}", ended.stderr);
    let about_range = told.iter().find(|one| one["range"] == 1);
    let about_range = about_range.unwrap_or_else(|| panic!("{}", ended.stderr));
    assert_eq!(about_range["level"], "debug");
    let last = told.last().unwrap();
    assert_eq!(last["level"], "error");
    assert_eq!(last["exit_code"], 3);
    assert!(last["hint"].is_string() && last["causes"].is_array(), "{last}");
    // By the variable too, for a wrong key: no line is text.
    let mut command = against(&gateway);
    command
        .env("COSMOS_TAIL_LOG_FORMAT", "json")
        .env("AZURE_COSMOS_KEY", NEW_KEY)
        .arg("ranges");
    let ended = fail(&mut command, 1);
    assert_eq!(objects(&ended.stderr).last().unwrap()["exit_code"], 1);
    let mut command = against(&gateway);
    command.env("COSMOS_TAIL_LOG_FORMAT", "yaml").arg("ranges");
    let ended = fail(&mut command, 2);
    assert!(ended.stderr.contains("COSMOS_TAIL_LOG_FORMAT"), "{}", ended.stderr);
}

#[test]
fn a_reload_finishes_the_open_files_and_nothing_is_lost() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 2, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let child = spawn(&mut follow(&gateway, &out));
    gateway.wait_until_caught_up(&container);
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
    for (round, documents) in [40..60, 60..80, 80..100].into_iter().enumerate() {
        write(&container, documents);
        gateway.wait_until_caught_up(&container);
        let before = files(&out, "jsonl").len();
        // What has not arrived at a file yet is in the next one.
        while files(&out, "jsonl").len() == before {
            signal(&child, Signal::SIGUSR1);
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(std::time::Instant::now() < patience, "round {round}");
        }
    }
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(ended.stderr.contains("reloading"), "{}", ended.stderr);
    assert_latest(&lines(&out), &container);
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
    assert_eq!(gateway.violations(), Vec::<String>::new());
}

fn key_file(directory: &Path, key: &str) -> PathBuf {
    let path = directory.join("key");
    // As a rotation does it: never half of a key.
    let new = directory.join("key.new");
    std::fs::write(&new, format!("{key}\n")).unwrap();
    std::fs::rename(new, &path).unwrap();
    path
}

#[test]
fn a_key_in_a_file_can_be_changed_while_the_job_runs() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 2, 40);
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let out = directory.path().join("out");
    let mut command = follow(&gateway, &out);
    command.env_remove("AZURE_COSMOS_KEY").arg("--key-file").arg(&key);
    let child = spawn(&mut command);
    gateway.wait_until_caught_up(&container);
    for (round, (new, documents)) in [(NEW_KEY, 40..60), (KEY, 60..80), (NEW_KEY, 80..100)]
        .into_iter()
        .enumerate()
    {
        key_file(directory.path(), new);
        if round == 1 {
            // Asked to, it reads the key before it is refused.
            signal(&child, Signal::SIGUSR1);
        }
        gateway.set_key(new);
        write(&container, documents);
        gateway.wait_until_caught_up(&container);
        // The key is not read more often than once in a second.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    }
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_latest(&lines(&out), &container);
    for text in [KEY, NEW_KEY] {
        assert!(!ended.stderr.contains(text), "{}", ended.stderr);
    }
}

#[test]
fn a_key_that_is_refused_and_has_not_changed_is_an_error_as_ever() {
    let gateway = Gateway::start(GatewayOptions::default());
    filled(&gateway, 1, 5);
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), NEW_KEY);
    let mut command = export(&gateway, &directory.path().join("out"));
    let ended = fail(command.env_remove("AZURE_COSMOS_KEY").arg("--key-file").arg(&key), 1);
    assert!(ended.stderr.contains("key"), "{}", ended.stderr);
}

#[test]
fn more_files_than_the_usual_limit_can_be_open() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 200, 1_000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let direct = export(&gateway, &out);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 128; exec \"$@\"", "sh"]);
    command.arg(direct.get_program()).args(direct.get_args());
    command.args(["--concurrency", "200"]).env_clear();
    for (name, value) in direct.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    succeed(&mut command);
    assert_latest(&lines(&out), &container);
}

/// What a service manager is told.
#[cfg(target_os = "linux")]
struct Manager {
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

#[cfg(target_os = "linux")]
impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { socket, directory }
    }

    fn start(&self, command: &mut Command, watchdog: Duration) -> std::process::Child {
        command
            .env("NOTIFY_SOCKET", self.directory.path().join("notify"))
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        spawn(command)
    }

    /// The next message that begins so, and those before it.
    #[track_caller]
    fn wait_for(&self, beginning: &str) -> Vec<String> {
        let mut told = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let length = self
                .socket
                .recv(&mut buffer)
                .unwrap_or_else(|error| panic!("{error}: {beginning}; {told:?}"));
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            told.push(text.trim_end().to_owned());
            if told.last().is_some_and(|text| text.starts_with(beginning)) {
                return told;
            }
        }
    }

    /// Whether nothing is told for so long, after what has arrived already.
    fn is_silent(&self, message: &str, time: Duration) -> bool {
        let mut buffer = [0; 4096];
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut buffer).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
        let until = std::time::Instant::now() + time;
        let mut is_silent = true;
        while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
            let left = left.max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).unwrap();
            if let Ok(length) = self.socket.recv(&mut buffer) {
                is_silent &= !buffer[..length].starts_with(message.as_bytes());
            }
        }
        self.socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        is_silent
    }
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told_when_the_job_is_ready_that_it_lives_and_that_it_stops() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 2, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let manager = Manager::new();
    // Not ready before each range has a committed position.
    let hold = crate::gateway::Hold::new();
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone())).partition("1"),
    );
    let child = manager.start(&mut follow(&gateway, &out), Duration::from_millis(400));
    hold.wait_until_reached();
    hold.release();
    let told = manager.wait_for("READY=1");
    assert!(told.iter().all(|one| !one.starts_with("STOPPING")), "{told:?}");
    manager.wait_for("STATUS=");
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
    write(&container, 40..50);
    gateway.wait_until_caught_up(&container);
    // A service that does not answer is no sign of life, though this process could tell anything.
    let hold = crate::gateway::Hold::new();
    for partition in ["0", "1"] {
        gateway.push_fault(
            Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()))
                .partition(partition)
                .always(),
        );
    }
    hold.wait_until_reached();
    let is_silent = (0..20).any(|_| manager.is_silent("WATCHDOG", Duration::from_millis(800)));
    assert!(is_silent);
    gateway.clear_faults();
    hold.release();
    manager.wait_for("WATCHDOG=1");
    signal(&child, Signal::SIGTERM);
    let told = manager.wait_for("STOPPING=1");
    assert_eq!(wait(child).code, Some(143), "{told:?}");
    assert_latest(&lines(&out), &container);
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_service_manager_nothing_is_told_and_a_manager_that_is_gone_stops_nothing() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 2, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    succeed(command.env("NOTIFY_SOCKET", directory.path().join("nobody")));
    assert_latest(&lines(&out), &container);
}

/// The units that are shipped, by systemd's own checker: it knows the keys, and warns of what it does not know.
#[cfg(target_os = "linux")]
#[test]
fn the_units_are_valid() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd");
    let mut names: Vec<PathBuf> = std::fs::read_dir(&units)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    assert!(names.len() >= 3, "{names:?}");
    let directory = tempfile::tempdir().unwrap();
    let binary = cosmos_tail().get_program().to_owned();
    let mut copies = Vec::new();
    for unit in &names {
        // The checker looks for the program, which is not installed here.
        let text = std::fs::read_to_string(unit).unwrap();
        assert!(text.contains("Documentation="), "{}", unit.display());
        let text = text.replace("/usr/bin/cosmos-tail", binary.to_str().unwrap());
        let name = unit.file_name().unwrap().to_str().unwrap();
        let copy = directory.path().join(name.replace("@.", "@orders."));
        std::fs::write(&copy, text).unwrap();
        copies.push(copy);
    }
    let Ok(checked) = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(&copies)
        .output()
    else {
        eprintln!("left out: there is no systemd-analyze here");
        return;
    };
    let told = String::from_utf8_lossy(&checked.stderr);
    let own: Vec<&str> = told.lines().filter(|line| line.contains("cosmos-tail")).collect();
    assert!(checked.status.success() && own.is_empty(), "{told}");
}
