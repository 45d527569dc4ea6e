//! The shares of a plan, one by one: what each reads and writes.

use serde_json::Value;

use super::{Place, plan};
use crate::command::{
    all_files, assert_latest, assert_same, fail, lines, lines_of, run, spawn, succeed, wait,
};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, Hold, RequestKind};
use crate::orders::{document, fill, filled};

#[test]
fn shares_together_have_every_document_once_in_one_table() {
    let (gateway, container) = filled(4, 1000);
    let place = Place::new();
    let made = place.make(&gateway, &[]);
    assert!(made.stderr.contains("4 ranges"), "{}", made.stderr);
    place.read(&gateway, 3);
    assert_latest(&lines(&place.out()), &container);
    let names: Vec<String> = all_files(&place.out())
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    // Nothing but data, and the names say whose.
    assert!(
        names
            .iter()
            .all(|name| name.starts_with("orders-shard0000") && name.ends_with(".jsonl")),
        "{names:?}"
    );
    assert_eq!(names.len(), 4);
    for shard in 0..3 {
        assert!(place.state(shard).exists());
    }
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn fewer_ranges_than_shares_are_cut() {
    for (partitions, shards) in [(1, 4), (2, 5), (3, 4)] {
        let (gateway, container) = filled(partitions, 1000);
        let place = Place::new();
        place.make(&gateway, &[]);
        place.read(&gateway, shards);
        assert_latest(&lines(&place.out()), &container);
        // Each has about as much as the others: 97 partition keys are spread by chance. LSNs begin elsewhere in each
        // partition of the gateway, so only those of one compare.
        for shard in (0..shards).filter(|_| partitions == 1) {
            let own = format!("orders-shard{shard:05}-");
            let files = all_files(&place.out());
            let files = files.iter().filter(|path| {
                path.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with(&own)
            });
            let documents: usize = files.map(|path| lines_of(path).len()).sum();
            let even = 1000 / shards;
            assert!(
                (even / 2..even * 2).contains(&documents),
                "{partitions} {shards}: {documents}"
            );
        }
        assert!(
            gateway.violations().is_empty(),
            "{:?}",
            gateway.violations()
        );
    }
}

#[test]
fn a_share_that_is_complete_ends_at_once_and_reads_nothing_more() {
    let (gateway, container) = filled(2, 200);
    let place = Place::new();
    place.make(&gateway, &[]);
    place.read(&gateway, 2);
    fill(&container, 200..300);
    let requests = gateway.total_requests();
    let again = succeed(&mut place.shard(&gateway, "0/2"));
    assert!(
        again.stderr.contains("shard 0/2 is complete"),
        "{}",
        again.stderr
    );
    let mut resumed = crate::command::against(&gateway);
    let resumed = succeed(resumed.arg("resume").arg("--state").arg(place.state(1)));
    assert!(
        resumed.stderr.contains("shard 1/2 is complete"),
        "{}",
        resumed.stderr
    );
    assert_eq!(gateway.total_requests(), requests);
    assert_eq!(lines(&place.out()).len(), 200);
}

#[test]
fn what_a_killed_share_has_committed_is_not_read_again() {
    let (gateway, container) = filled(1, 1000);
    let place = Place::new();
    place.make(&gateway, &[]);
    let hold = Hold::new();
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone())).page(6));
    let mut shard = place.shard(&gateway, "0/1");
    shard.args(["--page-size", "50", "--checkpoint-bytes", "1KiB"]);
    let mut killed = spawn(&mut shard);
    hold.wait_until_reached();
    while !has_committed(&place.state(0)) {
        std::thread::yield_now();
    }
    killed.kill().unwrap();
    wait(killed);
    hold.release();
    gateway.clear_faults();
    let ended = succeed(&mut shard);
    assert_latest(&lines(&place.out()), &container);
    assert!(
        !ended.stderr.contains("exported 1,000 documents"),
        "{}",
        ended.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_share_that_dies_after_its_last_commit_is_published_by_the_next_start() {
    for step in ["publish.rename", "manifest.open", "manifest.write"] {
        let (gateway, container) = filled(2, 200);
        let place = Place::new();
        place.make(&gateway, &[]);
        let mut dying = place.shard(&gateway, "0/1");
        let died = run(dying.env("COSMOS_TAIL_FAILPOINTS", format!("{step}=return(kill)")));
        assert_eq!(died.code, None, "{step}: {}", died.stderr);
        let checked = place.verify(&[]);
        assert_eq!(checked.code, Some(1), "{step}: {}", checked.stdout);
        succeed(&mut place.shard(&gateway, "0/1"));
        assert_latest(&lines(&place.out()), &container);
        let checked = place.verify(&["--strict"]);
        assert_eq!(checked.code, Some(0), "{step}: {}", checked.stdout);
    }
}

/// Whether a state has documents.
fn has_committed(state: &std::path::Path) -> bool {
    let text = std::fs::read(state).unwrap_or_default();
    let state: Value = serde_json::from_slice(&text).unwrap_or_default();
    state["state"]["totals"]["documents"]
        .as_u64()
        .is_some_and(|documents| documents > 0)
}

#[test]
fn a_share_that_is_started_twice_is_fenced() {
    let (gateway, container) = filled(1, 300);
    let place = Place::new();
    place.make(&gateway, &[]);
    let hold = Hold::new();
    gateway.push_fault(Fault::on(
        RequestKind::ChangeFeed,
        Action::Hold(hold.clone()),
    ));
    let first = spawn(&mut place.shard(&gateway, "1/2"));
    hold.wait_until_reached();
    gateway.clear_faults();
    let second = run(&mut place.shard(&gateway, "1/2"));
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(second.stderr.contains("is in use"), "{}", second.stderr);
    // Another share is not kept from its work.
    succeed(&mut place.shard(&gateway, "0/2"));
    hold.release();
    let first = wait(first);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_latest(&lines(&place.out()), &container);
}

#[test]
fn ranges_that_split_or_merge_after_the_plan_are_read_to_their_end() {
    let (gateway, container) = filled(3, 900);
    let place = Place::new();
    place.make(&gateway, &[]);
    container.split("0", 2);
    container.merge("1", "2");
    place.read(&gateway, 4);
    assert_latest(&lines(&place.out()), &container);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
    let checked = place.verify(&[]);
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
}

#[test]
fn a_document_that_is_rewritten_after_the_plan_is_in_the_files() {
    let (gateway, container) = filled(2, 400);
    let place = Place::new();
    place.make(&gateway, &[]);
    for number in 0..100 {
        container.upsert(document(number));
    }
    place.read(&gateway, 3);
    assert_latest(&lines(&place.out()), &container);
}

#[test]
fn a_follow_up_starts_where_the_shares_ended() {
    let (gateway, container) = filled(2, 300);
    let place = Place::new();
    place.make(&gateway, &["--mode", "all"]);
    place.read(&gateway, 2);
    // All versions exist only from the plan on.
    assert_eq!(lines(&place.out()).len(), 0);
    let before = container.changes().len();
    fill(&container, 0..200);
    container.delete("item-7", "key-7");
    container.split("0", 2);
    let (next, out) = (place.path("next.json"), place.path("later"));
    let out_text = place.out();
    succeed(&mut plan(
        &gateway,
        &next,
        &["--after", out_text.to_str().unwrap()],
    ));
    // Each child of the split has an end of its own.
    let planned: Value = serde_json::from_slice(&std::fs::read(&next).unwrap()).unwrap();
    let mut partitions: Vec<&str> = planned["plan"]["ranges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|range| range["end"]["partition"].as_str().unwrap())
        .collect();
    partitions.sort_unstable();
    assert_eq!(partitions, ["1", "2", "3"]);
    for shard in ["0/3", "1/3", "2/3"] {
        let mut command = crate::command::against(&gateway);
        command
            .arg("export")
            .arg("--plan")
            .arg(&next)
            .args(["--shard", shard, "-o"])
            .arg(&out);
        succeed(&mut command);
    }
    let found = lines(&out);
    assert_eq!(found.len(), container.changes().len() - before);
    let deletes = found.iter().filter(|line| {
        let change: Value = serde_json::from_slice(line).unwrap();
        change["metadata"]["operationType"] == "delete"
    });
    assert_eq!(deletes.count(), 1);
    // A job that is repeated keeps this plan, and knows the container from it; that of another span is none of it.
    let mut again = plan(
        &gateway,
        &next,
        &["--keep", "--after", out_text.to_str().unwrap()],
    );
    again
        .env_remove("AZURE_COSMOS_DATABASE")
        .env_remove("AZURE_COSMOS_CONTAINER");
    assert!(succeed(&mut again).stderr.contains("kept"));
    for (path, arguments) in [
        (
            place.plan(),
            vec!["--keep", "--after", out_text.to_str().unwrap()],
        ),
        (next.clone(), vec!["--keep"]),
    ] {
        let ended = crate::command::fail(&mut plan(&gateway, &path, &arguments), 2);
        assert!(ended.stderr.contains("another span"), "{}", ended.stderr);
    }
    let checked = super::verify(&next, &out, &[]);
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
}

#[test]
fn the_columns_are_inferred_once() {
    let (gateway, container) = filled(2, 200);
    let place = Place::new();
    place.make(&gateway, &["--format", "csv"]);
    // Another field comes later.
    for number in 200..400 {
        let mut later = document(number);
        later["later"] = true.into();
        container.upsert(later);
    }
    place.read(&gateway, 3);
    let files = all_files(&place.out());
    let header = |path: &std::path::PathBuf| lines_of(path)[0].clone();
    assert!(files.iter().all(|path| header(path) == header(&files[0])));
    // Without documents there is nothing to infer them from.
    let gateway = Gateway::start(GatewayOptions::default());
    gateway.create_container(
        crate::command::DATABASE,
        crate::command::CONTAINER,
        "/pk",
        2,
    );
    let place = Place::new();
    let refused = fail(&mut plan(&gateway, &place.plan(), &["--format", "csv"]), 1);
    assert!(
        refused
            .stderr
            .contains("no documents to infer the columns from"),
        "{}",
        refused.stderr
    );
    assert!(!place.plan().exists());
    place.make(&gateway, &[]);
    place.read(&gateway, 3);
    assert_eq!(place.verify(&[]).code, Some(0));
}

#[test]
fn a_query_is_dealt_too() {
    let (gateway, container) = filled(2, 300);
    let place = Place::new();
    place.make(&gateway, &["--query", "SELECT * FROM c"]);
    place.read(&gateway, 3);
    let expected: Vec<Vec<u8>> = container
        .latest()
        .iter()
        .map(|served| served.text.to_vec())
        .collect();
    assert_same(&lines(&place.out()), &expected);
    let checked = place.verify(&[]);
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
}

#[test]
fn a_share_can_be_a_stream() {
    let (gateway, container) = filled(2, 300);
    let place = Place::new();
    place.make(&gateway, &[]);
    let mut found = Vec::new();
    for shard in ["0/3", "1/3", "2/3"] {
        let mut command = crate::command::against(&gateway);
        command
            .arg("export")
            .arg("--plan")
            .arg(place.plan())
            .args(["--shard", shard, "-o", "-"]);
        found.extend(crate::command::split_lines(
            succeed(&mut command).stdout.as_bytes(),
        ));
    }
    assert_latest(&found, &container);
    assert!(!place.own().exists());
}

#[test]
fn a_job_of_an_array_knows_which_share_a_process_has() {
    let (gateway, container) = filled(2, 300);
    let place = Place::new();
    place.make(&gateway, &[]);
    for (shard, variables) in [
        (0, &[("JOB_COMPLETION_INDEX", "0")][..]),
        (
            1,
            &[("SLURM_ARRAY_TASK_ID", "6"), ("SLURM_ARRAY_TASK_MIN", "5")],
        ),
        (2, &[("AWS_BATCH_JOB_ARRAY_INDEX", "2")]),
    ] {
        succeed(
            place
                .shard(&gateway, "auto/3")
                .envs(variables.iter().copied()),
        );
        assert!(place.state(shard).exists());
    }
    assert_latest(&lines(&place.out()), &container);
    let lost = fail(&mut place.shard(&gateway, "auto/3"), 2);
    assert!(
        lost.stderr.contains("no variable has it"),
        "{}",
        lost.stderr
    );
}
