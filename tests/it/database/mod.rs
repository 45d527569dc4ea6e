//! The export of several containers at once, each as an export by itself.

#[cfg(target_os = "linux")]
mod bounds;
mod compared;
#[cfg(feature = "demo")]
mod emulated;
#[cfg(unix)]
mod followed;
#[cfg(unix)]
mod killed;
mod lies;
mod names;
mod replayed;
#[cfg(unix)]
mod side_by_side;

use std::path::PathBuf;
use std::process::Command;
#[cfg(unix)]
use std::time::{Duration, Instant};

use cosmos_tail::state::database_file::DatabaseFile;
#[cfg(unix)]
use cosmos_tail::state::file;
use serde_json::{Value, json};

use crate::bad_input::refuse;
use crate::command::{DATABASE, Ended, against, cosmos_tail, fail, run, succeed, verify};
use crate::gateway::{Action, Container, Fault, Gateway, GatewayOptions, KEY, RequestKind};
use crate::oracle::judge;
use crate::orders::fill;

/// How long a wait may take before the test fails.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(120);

/// Containers with so many partitions and documents each.
struct Database {
    gateway: Gateway,
    containers: Vec<(String, Container)>,
    out: PathBuf,
    _directory: tempfile::TempDir,
}

impl Database {
    fn new(names: &[&str], partitions: usize, documents: usize) -> Self {
        let gateway = Gateway::start(GatewayOptions::default());
        let directory = tempfile::tempdir().unwrap();
        let containers = names.iter().map(|name| {
            let container = gateway.create_container(DATABASE, name, "/pk", partitions);
            fill(&container, 0..documents);
            ((*name).to_owned(), container)
        });
        Self {
            containers: containers.collect(),
            out: directory.path().join("backup"),
            gateway,
            _directory: directory,
        }
    }

    fn container(&self, name: &str) -> &Container {
        &self
            .containers
            .iter()
            .find(|(own, _)| own == name)
            .unwrap()
            .1
    }

    /// An export of all containers.
    fn export(&self) -> Command {
        let mut command = self.command();
        command
            .args(["export", "--all-containers", "-o"])
            .arg(&self.out);
        command
    }

    /// The continuation, for which only the key is needed.
    fn resume(&self) -> Command {
        let mut command = cosmos_tail();
        command
            .env("AZURE_COSMOS_KEY", KEY)
            .arg("resume")
            .arg(&self.out);
        command
    }

    fn command(&self) -> Command {
        let mut command = against(&self.gateway);
        // One is of no interest.
        command.env("AZURE_COSMOS_CONTAINER", "nothing");
        command
    }

    fn file(&self) -> DatabaseFile {
        DatabaseFile::read(&self.out).unwrap().unwrap()
    }

    /// Where the documents of a container are.
    fn directory(&self, name: &str) -> PathBuf {
        let file = self.file();
        let found = file.containers.iter().rfind(|one| one.name == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not in {file:?}"));
        self.out.join(&found.directory)
    }

    /// Compares each container with its log.
    fn judge(&self) -> Result<(), String> {
        for (name, container) in &self.containers {
            let directory = self.directory(name);
            judge(&self.gateway, container, &directory)
                .map_err(|wrong| format!("container {name}: {wrong}"))?;
        }
        let ended = verify(&self.out, &["--strict"]);
        match ended.code {
            Some(0) => Ok(()),
            _ => Err(format!("verify: {}{}", ended.stdout, ended.stderr)),
        }
    }

    #[track_caller]
    fn assert_whole(&self) {
        if let Err(wrong) = self.judge() {
            panic!("{wrong}");
        }
    }
}

/// Waits until so many documents are committed to the export in a directory.
#[cfg(unix)]
fn wait_for_documents(directory: &std::path::Path, wanted: u64) {
    let began = Instant::now();
    let state = crate::command::state_directory(directory).join("state.json");
    let committed = || file::read(&state).map_or(0, |state| state.totals.documents);
    while committed() < wanted {
        assert!(began.elapsed() < PATIENCE, "{}", committed());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn summary(ended: &Ended) -> Value {
    let line = ended
        .stderr
        .lines()
        .find(|line| line.contains("\"outcome\""));
    let line = line.unwrap_or_else(|| panic!("no summary: {}", ended.stderr));
    serde_json::from_str(line).unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect()
}

#[test]
fn each_container_is_an_export_by_itself_that_follow_up_runs_complete() {
    let database = Database::new(&["customers", "orders", "empty"], 2, 60);
    let empty = database
        .gateway
        .create_container(DATABASE, "without", "/pk", 1);
    let ended = succeed(database.export().args(["--summary", "json"]));
    let found = summary(&ended);
    assert_eq!(found["outcome"], "done");
    assert_eq!(found["documents"], 180);
    let containers = found["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 4);
    database.assert_whole();
    judge(&database.gateway, &empty, &database.directory("without")).unwrap();
    for name in ["customers", "orders"] {
        // Every other command takes it for what it is.
        let directory = database.directory(name);
        assert_eq!(verify(&directory, &[]).code, Some(0));
        let beside = crate::command::state_directory(&directory);
        let text = std::fs::read(beside.join("container.json")).unwrap();
        let text: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(text["definition"], database.container(name).definition());
    }

    // What came since, in both ways; one of them by itself.
    fill(database.container("orders"), 50..80);
    succeed(&mut database.resume());
    database.assert_whole();
    fill(database.container("customers"), 0..10);
    let again = succeed(database.export().args(["--summary", "json"]));
    assert_eq!(summary(&again)["documents"], 10);
    database.assert_whole();
    fill(database.container("empty"), 0..5);
    let alone = database.directory("empty");
    succeed(
        cosmos_tail()
            .env("AZURE_COSMOS_KEY", KEY)
            .arg("resume")
            .arg(alone),
    );
    database.assert_whole();
}

#[test]
fn containers_are_selected_by_name_and_by_pattern() {
    let database = Database::new(&["orders-eu", "orders-us", "customers", "log"], 1, 10);
    let selected = |arguments: &[&str], out: &str| {
        let out = database.out.with_file_name(out);
        succeed(
            database
                .command()
                .arg("export")
                .arg("-o")
                .arg(&out)
                .args(arguments),
        );
        let file = DatabaseFile::read(&out).unwrap().unwrap();
        file.containers
            .into_iter()
            .map(|one| one.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        selected(&["-c", "orders-*"], "a"),
        ["orders-eu", "orders-us"]
    );
    assert_eq!(
        selected(&["-c", "log", "-c", "cust*"], "b"),
        ["customers", "log"]
    );
    for (arguments, reason) in [
        (
            &["-c", "log", "-c", "lag"][..],
            "there is no container `lag`",
        ),
        (
            &["-c", "x*"],
            "no container of the database `shop` is one of `x*`",
        ),
    ] {
        let out = database.out.with_file_name("c");
        let ended = run(database
            .command()
            .arg("export")
            .arg("-o")
            .arg(&out)
            .args(arguments));
        assert_ne!(ended.code, Some(0));
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
        assert!(!out.join("database.json").exists());
    }
    let ended = fail(database.command().args(["ls", "-c", "a", "-c", "b"]), 2);
    assert!(
        ended.stderr.contains("cannot be used multiple times"),
        "{}",
        ended.stderr
    );
}

#[test]
fn containers_come_and_go_between_runs() {
    let mut database = Database::new(&["a", "b", "c"], 1, 30);
    succeed(&mut database.export());
    database.assert_whole();

    let old = database.directory("b");
    database.gateway.delete_container(DATABASE, "b");
    database.gateway.delete_container(DATABASE, "c");
    database.containers.truncate(1);
    let b = database.gateway.create_container(DATABASE, "b", "/pk", 2);
    fill(&b, 0..7);
    let d = database.gateway.create_container(DATABASE, "d", "/pk", 1);
    fill(&d, 0..3);
    database.containers.push(("b".to_owned(), b));
    database.containers.push(("d".to_owned(), d));

    let ended = succeed(database.resume().args(["--summary", "json"]));
    for notice in [
        "the container `b` does not exist any more",
        "the container `c` does not exist any more",
        "the container `b` is new: it has the name of another one",
        "the container `d` is new",
    ] {
        assert!(ended.stderr.contains(notice), "{}", ended.stderr);
    }
    assert_eq!(names(&summary(&ended)["gone"]), ["b", "c"]);
    database.assert_whole();
    let new = database.directory("b");
    assert_ne!(new, old);
    // What was exported of the old ones is kept.
    assert_eq!(crate::command::lines(&old).len(), 30);
    assert_eq!(crate::command::lines(&database.directory("c")).len(), 30);
    let quiet = succeed(&mut database.resume());
    assert!(!quiet.stderr.contains("does not exist"), "{}", quiet.stderr);
}

#[test]
fn a_container_that_disappears_leaves_the_others_complete() {
    let mut database = Database::new(&["first", "lost", "third"], 2, 60);
    let lost = database.container("lost").clone();
    let is_of_lost = {
        let rid = lost.rid().to_owned();
        move |record: &crate::gateway::RequestRecord| {
            record.is_page() && record.container.as_deref() == Some(&rid)
        }
    };
    database.gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(404, 0))
            .when(is_of_lost)
            .always(),
    );
    let deleted = Action::call({
        let gateway = database.gateway.remover(DATABASE, "lost");
        move || gateway()
    });
    database
        .gateway
        .push_fault(Fault::on(RequestKind::ContainerFeed, deleted).nth(2));
    let ended = fail(
        database.export().args([
            "--page-size",
            "10",
            "--max-retries",
            "1",
            "--summary",
            "json",
        ]),
        3,
    );
    let found = summary(&ended);
    assert_eq!(found["outcome"], "incomplete");
    assert_eq!(found["failed"][0]["container"], "lost");
    assert_eq!(names(&found["gone"]), ["lost"]);
    for said in [
        "the container `lost` was deleted meanwhile",
        "cosmos-tail resume",
    ] {
        assert!(ended.stderr.contains(said), "no {said}: {}", ended.stderr);
    }
    database.containers.remove(1);
    for (name, container) in &database.containers {
        judge(&database.gateway, container, &database.directory(name)).unwrap();
    }
    // From then on it is no fault.
    succeed(&mut database.resume());
    let ended = verify(&database.out, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("the container was deleted before its export was finished"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_container_that_is_created_meanwhile_is_said() {
    let mut database = Database::new(&["a"], 1, 20);
    let create = database.gateway.creator(DATABASE, "late", "/pk");
    database
        .gateway
        .push_fault(Fault::on(RequestKind::ChangeFeed, Action::call(create)).nth(2));
    let ended = succeed(database.export().args(["--summary", "json"]));
    assert!(
        ended
            .stderr
            .contains("the container `late` was created meanwhile"),
        "{}",
        ended.stderr
    );
    assert_eq!(names(&summary(&ended)["created_meanwhile"]), ["late"]);
    let late = database.gateway.container(DATABASE, "late").unwrap();
    fill(&late, 0..4);
    database.containers.push(("late".to_owned(), late));
    succeed(&mut database.resume());
    database.assert_whole();
}

#[test]
fn what_is_in_the_way_or_no_list_is_refused() {
    let database = Database::new(&["a", "b"], 1, 10);
    std::fs::create_dir(&database.out).unwrap();
    std::fs::write(database.out.join("mine.txt"), "x").unwrap();
    let mine = "has `mine.txt`, but no export of a database";
    refuse(&mut database.export(), 2, &[mine, "empty"]);
    std::fs::remove_file(database.out.join("mine.txt")).unwrap();
    succeed(&mut database.export());
    refuse(
        database.export().args(["--format", "csv"]),
        2,
        &["with another format or other options", "cosmos-tail resume"],
    );
    let of_one = ["export", "-c", "a", "-c", "b", "-o"];
    refuse(
        database.command().args(of_one).arg(&database.out),
        2,
        &["is of `*`, not of `a`, `b`", "cosmos-tail resume"],
    );
    refuse(
        database.resume().arg("--follow"),
        2,
        &[
            "--follow cannot be used with several containers",
            "leave it out",
        ],
    );
    refuse(
        database.export().args(["--max-ru", "20%"]),
        2,
        &[
            "--max-ru 20% cannot be used with several containers",
            "a number of RU/s",
        ],
    );

    // A list that somebody else wrote.
    let path = database.out.join("database.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"directory\": \"a\"", "\"directory\": \"../a\""),
        ("\"name\": \"b\"", "\"name\": \"b/../c\""),
        ("\"directory\": \"a\"", "\"directory\": \"B\""),
        ("\"name\": \"a\"", "\"name\": \"c\""),
        ("cosmos-tail database", "cosmos-tail state"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        for changed in [changed.clone(), with_checksum(&changed)] {
            if to == "\"name\": \"c\"" && changed.contains(&crc_of(&changed)) {
                // A name is only a name.
                continue;
            }
            std::fs::write(&path, &changed).unwrap();
            for command in [
                &mut database.resume(),
                cosmos_tail().arg("verify").arg(&database.out),
            ] {
                let ended = run(command);
                assert_ne!(ended.code, Some(0), "{from}");
                assert!(
                    ended.stderr.contains("database.json` cannot be used"),
                    "{}",
                    ended.stderr
                );
            }
        }
    }
    std::fs::write(&path, &text).unwrap();
    database.assert_whole();
}

/// The checksum that a list should have.
fn crc_of(text: &str) -> String {
    let state = text.split_once("\"state\":").unwrap().1;
    let state = state.trim_end().strip_suffix('}').unwrap();
    format!("{:08x}", crc32c::crc32c(state.as_bytes()))
}

fn with_checksum(text: &str) -> String {
    let envelope: Value = serde_json::from_str(text).unwrap();
    text.replace(envelope["crc32c"].as_str().unwrap(), &crc_of(text))
}

#[test]
fn two_runs_do_not_write_at_once() {
    let database = Database::new(&["a", "b"], 1, 20);
    let hold = crate::gateway::Hold::new();
    database
        .gateway
        .push_fault(Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone())).always());
    let first = crate::command::spawn(&mut database.export());
    hold.wait_until_reached();
    for command in [&mut database.export(), &mut database.resume()] {
        let ended = run(command);
        assert_ne!(ended.code, Some(0));
        assert!(ended.stderr.contains("is in use"), "{}", ended.stderr);
    }
    let ended = verify(&database.out, &[]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    hold.release();
    assert_eq!(crate::command::wait(first).code, Some(0));
    database.assert_whole();
}

#[test]
fn missing_files_of_a_container_are_found() {
    let database = Database::new(&["a", "b"], 1, 20);
    succeed(&mut database.export());
    let file = crate::command::files(&database.directory("a"), "jsonl").remove(0);
    let mut text = std::fs::read(&file).unwrap();
    text[10] ^= 1;
    std::fs::write(&file, text).unwrap();
    std::fs::remove_dir_all(crate::command::state_directory(&database.directory("b"))).unwrap();
    let ended = verify(&database.out, &["--format", "json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found["containers"][0]["container"], "a");
    assert_eq!(
        found["containers"][0]["faults"].as_array().unwrap().len(),
        1
    );
    assert_eq!(found["faults"][0]["file"], "b");
    assert_eq!(json!(found["database"]), json!(DATABASE));
    let ended = verify(&database.out, &[]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("has no state"), "{}", ended.stdout);
}

#[test]
fn tables_are_inferred_for_each_container() {
    let database = Database::new(&["a", "b"], 2, 40);
    let other = database.gateway.create_container(DATABASE, "c", "/k", 1);
    other.upsert(json!({"id": "1", "k": 7, "only": {"here": true}}));
    succeed(database.export().args(["--format", "parquet"]));
    database.assert_whole();
    judge(&database.gateway, &other, &database.directory("c")).unwrap();
}
