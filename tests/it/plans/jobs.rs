//! The jobs of `deploy/kubernetes/`, run as processes: the same arguments, with the environment that Kubernetes gives.

use std::process::Command;

use serde_json::Value;

use super::Place;
use crate::command::{against, assert_latest, lines, run, spawn, succeed, wait};
use crate::gateway::{Action, Fault, Gateway, Hold, RequestKind};
use crate::orders::filled;

/// What a job of that file says at `key`, as JSON.
fn said(file: &str, key: &str) -> Value {
    let path = format!("{}/deploy/kubernetes/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let said = text.lines().find_map(|line| line.trim().strip_prefix(key));
    serde_json::from_str(said.expect(key)).unwrap()
}

/// The container of a pod, with the volume at `/data` in the directory of the place.
fn pod(place: &Place, gateway: &Gateway, file: &str) -> Command {
    let data = place.path("");
    let mut command = against(gateway);
    command
        .env_remove("AZURE_COSMOS_DATABASE")
        .env_remove("AZURE_COSMOS_CONTAINER")
        .env("COSMOS_TAIL_LOG_FORMAT", "json");
    let arguments = said(file, "args: ");
    for argument in arguments.as_array().unwrap() {
        // JSON lines: Parquet is read by others.
        let argument = argument.as_str().unwrap().replace("parquet", "jsonl");
        command.arg(argument.replace("/data/", &format!("{}/", data.display()).replace("//", "/")));
    }
    command
}

#[test]
fn the_jobs_read_the_container_once() {
    let (gateway, container) = filled(4, 1000);
    let place = Place::new();
    succeed(&mut pod(&place, &gateway, "plan.yaml"));
    // A pod that is repeated, since the node of the first one was lost before its end was recorded.
    succeed(&mut pod(&place, &gateway, "plan.yaml"));
    let completions = said("export.yaml", "completions: ").as_u64().unwrap();
    assert_eq!(
        said("export.yaml", "parallelism: ").as_u64().unwrap(),
        completions
    );
    let indexed = |index: u64| {
        let mut command = pod(&place, &gateway, "export.yaml");
        command.env("JOB_COMPLETION_INDEX", index.to_string());
        command
    };
    // Two pods of one index, as after a node that does not answer: one of them reads.
    let hold = Hold::new();
    gateway.push_fault(Fault::on(
        RequestKind::ChangeFeed,
        Action::Hold(hold.clone()),
    ));
    let mut pods = vec![spawn(&mut indexed(0))];
    hold.wait_until_reached();
    let twice = run(&mut indexed(0));
    assert_eq!(twice.code, Some(1), "{}", twice.stderr);
    // One that is killed, and started again.
    let mut killed = spawn(&mut indexed(1));
    killed.kill().unwrap();
    wait(killed);
    pods.extend((1..completions).map(|index| spawn(&mut indexed(index))));
    hold.release();
    for ended in pods.into_iter().map(wait) {
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    assert_latest(&lines(&place.out()), &container);
    succeed(&mut pod(&place, &gateway, "verify.yaml"));
    // More pods than shares, as after a change of `completions` alone.
    let surplus = run(&mut indexed(completions));
    assert_eq!(surplus.code, Some(2), "{}", surplus.stderr);
}
