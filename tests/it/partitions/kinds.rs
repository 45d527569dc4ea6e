//! Tables in partitions of every kind of job: tails, shares of a plan, whole databases, and the stores of others.

use crate::command::{against, cosmos_tail};
use crate::gateway::GatewayOptions;

use super::*;

const BEFORE: &str = "dt=2031-03-14/hour=22/";
const AFTER: &str = "dt=2031-03-15/hour=00/";

/// Checks that some of the data is in each of the two partitions, and all of it in one of them.
#[track_caller]
fn assert_in_both<'a>(names: impl Iterator<Item = &'a String>) {
    let data: Vec<&String> = names.filter(|name| !name.starts_with('_')).collect();
    let of = |partition: &str| {
        data.iter()
            .filter(|name| name.starts_with(partition))
            .count()
    };
    let (before, after) = (of(BEFORE), of(AFTER));
    assert!(
        before > 0 && after > 0 && before + after == data.len(),
        "{data:?}"
    );
}

#[cfg(all(unix, feature = "object-stores"))]
#[test]
fn a_tail_writes_to_partitions_of_a_directory_and_of_a_store() {
    use crate::store_scene::StoreScene;

    for is_in_store in [true, false] {
        let scene = StoreScene::new(2, 120);
        let clock = Clock::new(scene.disk.path());
        let directory = scene.disk.path().join("changes").join("");
        let place = match is_in_store {
            true => StoreScene::address(),
            false => directory.to_str().unwrap(),
        };
        let tail = |more: &[&str]| {
            let mut command = against(&scene.gateway);
            scene.reach(clock.is_of(&mut command));
            command.args(["tail", "-o", place, "--until-caught-up"]);
            command.args(["--page-size", "20", "--rotate-bytes", "4KiB"]);
            command.args(more);
            command
        };
        succeed(&mut tail(&[
            "--partition-by",
            "hour",
            "--from",
            "beginning",
        ]));
        fill(&scene.container, 120..180);
        clock.set_hours(2);
        for (more, own) in [
            (&["--partition-by", "day"][..], "with --partition-by day"),
            (&[], "without --partition-by"),
        ] {
            let refused = fail(&mut tail(more), 2);
            let told = format!("it is the state of a tail with --partition-by hour, not {own}");
            assert!(refused.stderr.contains(&told), "{}", refused.stderr);
        }
        succeed(&mut tail(&["--partition-by", "hour"]));
        let lines: Vec<Vec<u8>> = if is_in_store {
            let objects = scene.objects();
            assert_in_both(objects.keys());
            let data = objects.iter().filter(|(name, _)| !name.starts_with('_'));
            data.flat_map(|(_, bytes)| crate::command::split_lines(bytes))
                .collect()
        } else {
            assert_in_both(below(&directory).iter());
            lines_below(&directory)
        };
        assert_latest(&lines, &scene.container);
        let mut verify = cosmos_tail();
        succeed(scene.reach(&mut verify).args(["verify", "--strict", place]));
    }
}

#[test]
fn each_container_of_a_database_is_a_table_with_partitions() {
    let gateway = Gateway::start(GatewayOptions::default());
    let containers = ["orders", "customers"].map(|name| {
        let container = gateway.create_container(DATABASE, name, "/pk", 2);
        fill(&container, 0..60);
        (name, container)
    });
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("backup");
    let clock = Clock::new(directory.path());
    let export = || {
        let mut command = against(&gateway);
        command
            .env_remove("AZURE_COSMOS_CONTAINER")
            .args(["export", "--all-containers", "--partition-by", "hour", "-o"])
            .arg(&out);
        clock.is_of(&mut command);
        command
    };
    succeed(&mut export());
    for (_, container) in &containers {
        fill(container, 60..90);
    }
    clock.set_hours(2);
    succeed(&mut export());
    let mut verify = cosmos_tail();
    succeed(verify.args(["verify", "--strict"]).arg(&out));
    for (name, container) in &containers {
        let table = out.join(name);
        let files = below(&table).into_iter();
        let files: Vec<String> = files.filter(|file| file.ends_with(".jsonl")).collect();
        assert_in_both(files.iter());
        let lines: Vec<Vec<u8>> = files
            .iter()
            .flat_map(|file| lines_of(&table.join(file)))
            .collect();
        assert_latest(&lines, container);
    }
}

#[test]
fn a_share_of_a_plan_that_dies_goes_on_in_another_partition() {
    for by_state in [false, true] {
        let (gateway, container) = filled(3, 150);
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::new(directory.path());
        let (plan, out) = (
            directory.path().join("plan.json"),
            directory.path().join("out"),
        );
        let mut planned = against(&gateway);
        planned
            .args(["plan", "--partition-by", "hour", "-o"])
            .arg(&plan);
        succeed(clock.is_of(&mut planned));
        let share = |shard: &str| {
            let mut command = against(&gateway);
            command.args(["export", "--shard", shard, "--rotate-bytes", "4KiB"]);
            command.args(["--page-size", "20", "--checkpoint-bytes", "1", "--plan"]);
            command.arg(&plan).arg("-o").arg(&out);
            clock.is_of(&mut command);
            command
        };
        clock.set_hours(0);
        let fault = if by_state {
            "state.rename=3*off->return(kill)"
        } else {
            "publish.rename=1*off->return(kill)"
        };
        let killed = run(share("0/2").env("COSMOS_TAIL_FAILPOINTS", fault));
        assert_eq!(killed.code, None, "{}", killed.stderr);
        clock.set_hours(2);
        for shard in ["0/2", "1/2"] {
            succeed(&mut share(shard));
        }
        let files = below(&out).into_iter();
        let files: Vec<String> = files.filter(|file| file.ends_with(".jsonl")).collect();
        assert_in_both(files.iter());
        let lines: Vec<Vec<u8>> = files
            .iter()
            .flat_map(|file| lines_of(&out.join(file)))
            .collect();
        assert_latest(&lines, &container);
        let mut verify = cosmos_tail();
        succeed(verify.arg("verify").arg(&plan).arg(&out));
    }
}
