//! The scratch database: one that exists is refused, and one that is not a test's is never deleted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::{SCRATCH, Tested, acceptance, gateway, names_in};
use crate::command::{fail, run, succeed};
use crate::gateway::{Action, Fault, Gateway, RequestKind, RequestRecord};

#[test]
fn without_yes_the_cost_is_printed_and_nothing_is_created() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let ended = fail(&mut acceptance(&gateway, directory.path()), 2);
    assert!(
        ended
            .stderr
            .contains("400 RU/s are charged for each hour begun"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("add --yes to begin"),
        "{}",
        ended.stderr
    );
    assert_eq!(gateway.total_requests(), 0);
    let mut with_split = acceptance(&gateway, directory.path());
    let ended = fail(with_split.args(["--split", "--split-wait", "10m"]), 2);
    assert!(
        ended.stderr.contains("raises it to 11000 RU/s"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("at most for 10 minutes"),
        "{}",
        ended.stderr
    );
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
}

#[test]
fn a_database_that_exists_is_refused_and_untouched() {
    let gateway = gateway();
    let container = gateway.create_container(SCRATCH, "orders", "/pk", 1);
    container.upsert(json!({"id": "1", "pk": "a"}));
    let before = container.latest().len();
    let directory = tempfile::tempdir().unwrap();
    let ended = fail(acceptance(&gateway, directory.path()).arg("--yes"), 2);
    assert!(ended.stderr.contains("exists already"), "{}", ended.stderr);
    let ended = fail(acceptance(&gateway, directory.path()).arg("--clean-up"), 2);
    assert!(
        ended.stderr.contains("has no journal of a test"),
        "{}",
        ended.stderr
    );
    // An empty one is somebody's too.
    gateway.delete_container(SCRATCH, "orders");
    fail(acceptance(&gateway, directory.path()).arg("--clean-up"), 2);
    assert_eq!(before, 1);
    for changing in [
        RequestKind::DatabaseCreate,
        RequestKind::DatabaseDelete,
        RequestKind::ContainerCreate,
        RequestKind::ItemWrite,
    ] {
        assert_eq!(gateway.requests(changing), 0, "{changing:?}");
    }
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
}

#[test]
fn a_database_that_took_the_place_of_a_tests_is_not_deleted() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join(format!("{SCRATCH}.acceptance"));
    std::fs::create_dir(&kept).unwrap();
    let journal = |rid: Option<&str>| {
        let journal = json!({
            "format": "cosmos-tail acceptance journal", "endpoint": gateway.endpoint(),
            "database": SCRATCH, "run": "1", "rid": rid,
        });
        std::fs::write(kept.join("acceptance.json"), journal.to_string()).unwrap();
    };
    let rid = gateway.create_database(SCRATCH);
    journal(Some("another"));
    fail(acceptance(&gateway, directory.path()).arg("--clean-up"), 2);
    assert_eq!(gateway.requests(RequestKind::DatabaseDelete), 0);
    // The answer to its creation was lost, and somebody may have created it: also if it is empty.
    for is_empty in [true, false] {
        journal(None);
        fail(acceptance(&gateway, directory.path()).arg("--clean-up"), 2);
        assert_eq!(gateway.requests(RequestKind::DatabaseDelete), 0);
        if is_empty {
            gateway.create_container(SCRATCH, "orders", "/pk", 1);
        }
    }
    journal(Some(&rid));
    succeed(acceptance(&gateway, directory.path()).arg("--clean-up"));
    assert_eq!(gateway.requests(RequestKind::DatabaseDelete), 1);
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
    // A second time there is nothing to do.
    let ended = succeed(acceptance(&gateway, directory.path()).arg("--clean-up"));
    assert!(
        ended.stderr.contains("nothing was left to delete"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_credential_that_may_not_create_databases_is_a_line_with_the_reason() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let denied = Action::Refuse {
        status: 403,
        message: "principal does not have required RBAC permissions",
    };
    gateway.push_fault(Fault::on(RequestKind::DatabaseCreate, denied).always());
    let tested = Tested::run(
        &mut acceptance(&gateway, directory.path()),
        directory.path(),
    );
    // Nothing was tested.
    assert_eq!(tested.ended.code, Some(1), "{}", tested.ended.stderr);
    assert_eq!(tested.report["passed"], false);
    let said = "FAILED, nothing was tested";
    assert!(
        tested.ended.stderr.contains(said),
        "{}",
        tested.ended.stderr
    );
    let refused = tested.steps("refused");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].contains("RBAC permissions"), "{refused:?}");
    assert_eq!(tested.steps("passed"), Vec::<String>::new());
    assert_eq!(names_in(directory.path()), ["report.json"]);
}

#[test]
fn what_cannot_be_carried_out_is_refused_before_any_request() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = acceptance(&gateway, directory.path());
        fail(command.args(arguments), 2).stderr
    };
    assert!(run(&["--yes", "-c", "orders"]).contains("has no use for --container"));
    assert!(run(&["--clean-up", "--yes"]).contains("cannot be used with"));
    std::fs::write(directory.path().join("there.json"), "mine").unwrap();
    assert!(run(&["--yes", "--report", "there.json"]).contains("exists"));
    assert!(run(&["--yes", "--directory", "there.json"]).contains("exists"));
    let mut other = acceptance(&gateway, directory.path());
    other.args(["--scratch-database", "../x"]);
    let kept = std::fs::read_to_string(directory.path().join("there.json")).unwrap();
    assert_eq!(kept, "mine");
    let changing = gateway.request_log();
    assert!(
        changing.iter().all(|record| record.method == "GET"),
        "{changing:?}"
    );
}

#[test]
fn only_a_serverless_account_gets_a_database_without_throughput() {
    let has_throughput = |record: &RequestRecord| record.header("x-ms-offer-throughput").is_some();
    for (message, is_serverless) in [
        (
            "Setting offer throughput or autopilot on container is not supported for serverless accounts.",
            true,
        ),
        (
            "The total throughput of the account would exceed its limit.",
            false,
        ),
    ] {
        let gateway = gateway();
        let directory = tempfile::tempdir().unwrap();
        let refuse = Action::Refuse {
            status: 400,
            message,
        };
        gateway.push_fault(Fault::on(RequestKind::DatabaseCreate, refuse).when(has_throughput));
        // What comes next is of no interest.
        let denied = Action::Refuse {
            status: 403,
            message: "no",
        };
        gateway.push_fault(Fault::on(RequestKind::ContainerCreate, denied).nth(2));
        let tested = Tested::run(
            &mut acceptance(&gateway, directory.path()),
            directory.path(),
        );
        let [refused, failed] = ["refused", "failed"].map(|result| tested.steps(result));
        assert_eq!(refused.len(), usize::from(is_serverless), "{refused:?}");
        assert_eq!(failed.len(), usize::from(!is_serverless), "{failed:?}");
        assert!(
            failed.iter().all(|line| line.contains(message)),
            "{failed:?}"
        );
        let throughput = &tested.report["cost"]["throughput"];
        assert!(throughput.is_null(), "{throughput}");
        assert_eq!(
            gateway.requests(RequestKind::DatabaseCreate),
            1 + usize::from(is_serverless)
        );
        assert_eq!(
            gateway.requests(RequestKind::DatabaseDelete),
            usize::from(is_serverless)
        );
    }
}

#[test]
fn a_database_that_came_to_be_meanwhile_is_somebodys() {
    let gateway = Arc::new(gateway());
    let weak = Arc::downgrade(&gateway);
    let by_another = Action::call(move || {
        weak.upgrade().expect("it runs").create_database(SCRATCH);
    });
    gateway.push_fault(Fault::on(RequestKind::DatabaseCreate, by_another));
    let directory = tempfile::tempdir().unwrap();
    let mut command = acceptance(&gateway, directory.path());
    let ended = fail(command.args(["--yes", "--report", "report.json"]), 2);
    assert!(
        ended.stderr.contains("since a moment ago"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("--clean-up"), "{}", ended.stderr);
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
    fail(acceptance(&gateway, directory.path()).arg("--clean-up"), 2);
    assert_eq!(gateway.requests(RequestKind::DatabaseDelete), 0);
}

/// A deletion is tried again, and meanwhile another database took the name.
#[test]
fn each_attempt_at_a_deletion_proves_whose_the_database_is() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let kept = left(&gateway, directory.path());
    gateway.push_fault(Fault::on(RequestKind::DatabaseDelete, Action::status(503, 0)).times(1));
    let other = Action::edit_json(|database| database["_rid"] = json!("another"));
    gateway.push_fault(Fault::on(RequestKind::Database, other).nth(3).times(9));
    let ended = fail(acceptance(&gateway, directory.path()).arg("--clean-up"), 1);
    assert!(ended.stderr.contains("was not touched"), "{}", ended.stderr);
    assert_eq!(gateway.requests(RequestKind::DatabaseDelete), 1);
    assert_eq!(names_in(&kept), ["acceptance.json"]);
}

/// An answer to the creation of a container is lost, and the next attempt finds it.
#[test]
fn a_container_that_is_there_already_was_created_by_the_test() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let create = |action, nth| Fault::on(RequestKind::ContainerCreate, action).nth(nth);
    gateway.push_fault(create(Action::ResetBeforeHeaders, 2));
    let conflict = Action::As(409);
    gateway.push_fault(create(conflict, 3));
    // What comes next is of no interest.
    let denied = Action::status(403, 0);
    gateway.push_fault(Fault::on(RequestKind::ItemWrite, denied).nth(2));
    let tested = Tested::run(
        &mut acceptance(&gateway, directory.path()),
        directory.path(),
    );
    let passed = tested.steps("passed");
    let is_created = passed.iter().any(|line| line.contains("create containers"));
    assert!(is_created, "{passed:?} {}", tested.ended.stderr);
}

/// A journal of a test whose database is there.
fn left(gateway: &Gateway, directory: &Path) -> PathBuf {
    let kept = directory.join(format!("{SCRATCH}.acceptance"));
    std::fs::create_dir(&kept).unwrap();
    let journal = json!({
        "format": "cosmos-tail acceptance journal", "endpoint": gateway.endpoint(),
        "database": SCRATCH, "run": "1", "rid": gateway.create_database(SCRATCH),
    });
    std::fs::write(kept.join("acceptance.json"), journal.to_string()).unwrap();
    kept
}

/// The last look at the resource id was right, and the name means another database by the time of the deletion.
#[test]
fn a_database_that_takes_the_name_after_the_last_look_is_not_deleted() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let kept = left(&gateway, directory.path());
    let before = gateway.create_database(SCRATCH);
    let by_another = Action::call(gateway.replacer(SCRATCH));
    gateway.push_fault(Fault::on(RequestKind::DatabaseDelete, by_another));
    let ended = fail(acceptance(&gateway, directory.path()).arg("--clean-up"), 1);
    assert!(ended.stderr.contains("was not touched"), "{}", ended.stderr);
    assert_eq!(gateway.requests(RequestKind::DatabaseDelete), 1);
    assert_eq!(names_in(&kept), ["acceptance.json"]);
    // It is there, and stays there.
    let other = gateway.create_database(SCRATCH);
    assert_ne!(other, before);
    fail(acceptance(&gateway, directory.path()).arg("--clean-up"), 2);
    assert_eq!(gateway.create_database(SCRATCH), other);
}

#[test]
fn a_database_without_a_version_is_not_deleted() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let kept = left(&gateway, directory.path());
    let without = Action::edit_json(|database| {
        database.as_object_mut().unwrap().remove("_etag");
    });
    gateway.push_fault(Fault::on(RequestKind::Database, without).always());
    let ended = fail(acceptance(&gateway, directory.path()).arg("--clean-up"), 1);
    for part in [
        "sent no `_etag`",
        "was not touched",
        "delete it yourself",
        &format!("az cosmosdb sql database delete --name {SCRATCH} "),
    ] {
        assert!(ended.stderr.contains(part), "no {part}: {}", ended.stderr);
    }
    assert_eq!(gateway.requests(RequestKind::DatabaseDelete), 0);
    assert_eq!(names_in(&kept), ["acceptance.json"]);
}

/// Two tests that begin at once both see that there is no directory.
#[test]
fn a_directory_that_came_to_be_meanwhile_is_somebodys() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    let theirs = directory.path().join(format!("{SCRATCH}.acceptance"));
    let create = {
        let theirs = theirs.clone();
        move || {
            std::fs::create_dir(&theirs).unwrap();
            std::fs::write(theirs.join("acceptance.json"), "theirs").unwrap();
        }
    };
    gateway.push_fault(Fault::on(RequestKind::Database, Action::call(create)));
    let mut command = acceptance(&gateway, directory.path());
    let ended = run(command.args(["--yes", "--report", "report.json"]));
    assert!(matches!(ended.code, Some(1 | 2)), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot create"), "{}", ended.stderr);
    assert_eq!(gateway.requests(RequestKind::DatabaseCreate), 0);
    assert_eq!(names_in(&theirs), ["acceptance.json"]);
    let kept = std::fs::read_to_string(theirs.join("acceptance.json")).unwrap();
    assert_eq!(kept, "theirs");
}

/// What is left in the account is the error, and the report says it too.
#[test]
fn a_clean_up_that_fails_is_the_error_and_the_report_is_written_before() {
    let gateway = gateway();
    let directory = tempfile::tempdir().unwrap();
    // What comes next is of no interest.
    let denied = || Action::status(403, 0);
    gateway.push_fault(Fault::on(RequestKind::ItemWrite, denied()).nth(2));
    gateway.push_fault(Fault::on(RequestKind::DatabaseDelete, denied()).always());
    let tested = Tested::run(
        &mut acceptance(&gateway, directory.path()),
        directory.path(),
    );
    let said = &tested.ended.stderr;
    assert_eq!(tested.ended.code, Some(1), "{said}");
    let [written, error] =
        ["the report is in", "the test could not clean up"].map(|part| said.find(part));
    assert!(written.is_some() && written < error, "{said}");
    assert!(said.contains("--clean-up"), "{said}");
    let failed = tested.steps("failed");
    assert!(
        failed.iter().any(|step| step.starts_with("\"clean up\"")),
        "{failed:?}"
    );
    assert_eq!(tested.report["passed"], false);
    // A later clean-up has what it needs.
    gateway.clear_faults();
    succeed(acceptance(&gateway, directory.path()).arg("--clean-up"));
    assert_eq!(names_in(directory.path()), ["report.json"]);
}
