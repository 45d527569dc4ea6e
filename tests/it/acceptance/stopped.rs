//! A test that is killed or stopped: a later clean-up leaves nothing, and a stop cleans up itself.

use std::path::Path;

use super::{SCRATCH, acceptance, gateway, names_in};
use crate::command::{Ended, fail, interrupt, run, spawn, succeed, wait};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, Hold, RequestKind, RequestRecord};

/// Kills a test where this request waits for its answer, and cleans up.
fn kill_at(gateway: &Gateway, kind: RequestKind, nth: usize, directory: &Path) {
    let hold = Hold::new();
    let fault = Fault::on(kind, Action::Hold(hold.clone())).nth(nth);
    gateway.push_fault(
        fault.when(|record: &RequestRecord| record.path.contains(SCRATCH) || record.path == "/dbs"),
    );
    let mut child = spawn(acceptance(gateway, directory).arg("--yes"));
    hold.wait_until_reached();
    child.kill().unwrap();
    child.wait().unwrap();
    hold.release();
    gateway.clear_faults();
}

/// Begins a test, and stops it where this request waits for its answer, which comes once the database is deleted.
fn stop_at(gateway: &Gateway, kind: RequestKind, nth: usize, directory: &Path) -> Ended {
    let hold = Hold::new();
    gateway.push_fault(Fault::on(kind, Action::Hold(hold.clone())).nth(nth));
    let mut command = acceptance(gateway, directory);
    let child = spawn(command.args(["--yes", "--report", "report.json"]));
    hold.wait_until_reached();
    interrupt(&child);
    gateway.wait_for(RequestKind::DatabaseDelete, 1);
    hold.release();
    wait(child)
}

#[test]
fn whenever_it_is_killed_a_clean_up_leaves_nothing() {
    let gateway = gateway();
    let shop = gateway.create_container("shop", "orders", "/pk", 1);
    let directory = tempfile::tempdir().unwrap();
    for (kind, nth) in [
        (RequestKind::ContainerCreate, 1),
        (RequestKind::ItemWrite, 1),
        (RequestKind::ItemWrite, 30),
        (RequestKind::ChangeFeed, 4),
    ] {
        kill_at(&gateway, kind, nth, directory.path());
        // It does not begin again over what is left.
        fail(acceptance(&gateway, directory.path()).arg("--yes"), 2);
        succeed(acceptance(&gateway, directory.path()).arg("--clean-up"));
        assert_eq!(
            names_in(directory.path()),
            Vec::<String>::new(),
            "{kind:?} {nth}"
        );
        assert!(
            gateway
                .container(SCRATCH, "cosmos-tail-acceptance")
                .is_none()
        );
        let listed = run(acceptance(&gateway, directory.path()).arg("--clean-up"));
        assert!(
            listed.stderr.contains("there is no database"),
            "{kind:?} {}",
            listed.stderr
        );
    }
    assert_eq!(shop.latest().len(), 0);
    assert!(gateway.container("shop", "orders").is_some());
}

/// The journal does not know its resource id yet, so that nothing proves whose it is.
#[test]
fn a_kill_before_the_answer_to_the_creation_leaves_a_database_that_is_not_proved() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    kill_at(&gateway, RequestKind::DatabaseCreate, 1, directory.path());
    gateway.create_database(SCRATCH);
    let ended = fail(acceptance(&gateway, directory.path()).arg("--clean-up"), 2);
    assert!(
        ended.stderr.contains("delete it yourself"),
        "{}",
        ended.stderr
    );
    assert_eq!(gateway.requests(RequestKind::DatabaseDelete), 0);
}

/// Another person's test may run in it.
#[test]
fn without_the_directory_of_its_test_a_database_is_not_deleted() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    kill_at(&gateway, RequestKind::ItemWrite, 20, directory.path());
    let elsewhere = tempfile::tempdir().unwrap();
    fail(acceptance(&gateway, elsewhere.path()).arg("--clean-up"), 2);
    assert_eq!(gateway.requests(RequestKind::DatabaseDelete), 0);
    assert!(gateway.container(SCRATCH, "documents").is_some());
    succeed(acceptance(&gateway, directory.path()).arg("--clean-up"));
    assert!(gateway.container(SCRATCH, "documents").is_none());
}

#[test]
fn a_stop_deletes_what_was_made() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let ended = stop_at(&gateway, RequestKind::ItemWrite, 40, directory.path());
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("what the test had made was deleted"),
        "{}",
        ended.stderr
    );
    assert!(gateway.container(SCRATCH, "documents").is_none());
    let report = std::fs::read(directory.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(
        (&report["passed"], &report["stopped"]),
        (&false.into(), &true.into())
    );
    assert_eq!(names_in(directory.path()), ["report.json"]);
}

/// The database is there, and has no marker yet.
#[test]
fn a_stop_while_the_database_is_made_deletes_it() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let ended = stop_at(&gateway, RequestKind::ContainerCreate, 1, directory.path());
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
}

/// The answer to its creation did not come: it may be there in a moment.
#[test]
fn a_stop_before_the_answer_to_the_creation_keeps_the_journal() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let hold = Hold::new();
    gateway.push_fault(Fault::on(
        RequestKind::DatabaseCreate,
        Action::Hold(hold.clone()),
    ));
    let child = spawn(acceptance(&gateway, directory.path()).arg("--yes"));
    hold.wait_until_reached();
    interrupt(&child);
    let ended = wait(child);
    hold.release();
    assert!(matches!(ended.code, Some(1 | 2)), "{}", ended.stderr);
    assert!(ended.stderr.contains("--clean-up"), "{}", ended.stderr);
    assert_eq!(gateway.requests(RequestKind::DatabaseDelete), 0);
    let kept = directory.path().join(format!("{SCRATCH}.acceptance"));
    assert!(names_in(&kept).contains(&"acceptance.json".to_owned()));
}

#[test]
fn a_kill_while_it_cleans_up_leaves_nothing_either() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let [writing, deleting] = [Hold::new(), Hold::new()];
    let fault = |kind, hold: &Hold| Fault::on(kind, Action::Hold(hold.clone()));
    gateway.push_fault(fault(RequestKind::ItemWrite, &writing).nth(20));
    gateway.push_fault(fault(RequestKind::DatabaseDelete, &deleting));
    let mut child = spawn(acceptance(&gateway, directory.path()).arg("--yes"));
    writing.wait_until_reached();
    interrupt(&child);
    deleting.wait_until_reached();
    child.kill().unwrap();
    child.wait().unwrap();
    writing.release();
    deleting.release();
    succeed(acceptance(&gateway, directory.path()).arg("--clean-up"));
    assert!(gateway.container(SCRATCH, "documents").is_none());
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
}

/// The processes of the test reach the account in the same way as the test itself.
#[test]
fn a_certificate_that_is_accepted_is_accepted_by_each_process() {
    let gateway = Gateway::start(GatewayOptions {
        tls: true,
        ..GatewayOptions::default()
    });
    let directory = tempfile::tempdir().unwrap();
    let mut command = acceptance(&gateway, directory.path());
    command
        .env_remove("AZURE_COSMOS_ENDPOINT")
        .env_remove("AZURE_COSMOS_KEY")
        .env(
            "AZURE_COSMOS_CONNECTION_STRING",
            gateway.connection_string(),
        );
    let child = spawn(command.args(["--yes", "--max-ru", "100000"]));
    // Those of two exports, whose files are judged.
    gateway.wait_for(RequestKind::ChangeFeed, 12);
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let passed = "export as JSON lines: passed";
    assert!(ended.stderr.contains(passed), "{}", ended.stderr);
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
}
