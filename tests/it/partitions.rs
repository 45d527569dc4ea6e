//! Tables that are partitioned by the time at which their files were begun.

mod clock_back;
mod kinds;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::command::{
    DATABASE, assert_latest, assert_same, export, fail, lines_of, resume, run, succeed, verify,
};
use crate::gateway::{Container, Gateway};
use crate::orders::{fill, filled};
use crate::replay::{COPY, content, replay};

/// A clock that stands in the middle of an hour, and is set to another by its file.
struct Clock {
    file: PathBuf,
    start: time::OffsetDateTime,
}

impl Clock {
    fn new(directory: &Path) -> Self {
        let clock = Self {
            file: directory.join("clock"),
            start: time::macros::datetime!(2031-03-14 22:30 UTC),
        };
        clock.set_hours(0);
        clock
    }

    /// So many hours later, until the test has run for half an hour.
    fn set_hours(&self, hours: i64) {
        let moment = self.start + time::Duration::hours(hours);
        let offset = moment - time::OffsetDateTime::now_utc();
        let new = self.file.with_extension("new");
        std::fs::write(&new, offset.whole_seconds().to_string()).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }

    fn is_of<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("COSMOS_TAIL_CLOCK", &self.file)
    }
}

/// The files below a directory, by their names there.
fn below(directory: &Path) -> Vec<String> {
    fn walk(directory: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    if directory.exists() {
        walk(directory, "", &mut found);
    }
    found.sort();
    found
}

fn lines_below(out: &Path) -> Vec<Vec<u8>> {
    let files = below(out);
    files
        .iter()
        .flat_map(|name| lines_of(&out.join(name)))
        .collect()
}

/// Waits until `look` finds what is expected.
fn wait_until<T: PartialEq + std::fmt::Debug>(expected: &T, look: impl Fn() -> T) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let found = look();
        if found == *expected {
            return;
        }
        assert!(Instant::now() < until, "{found:?}, not {expected:?}");
        // Nothing reports on each system that a file has appeared or has grown.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until there are files with these names, and no others.
fn wait_for(out: &Path, expected: &[&str]) {
    let expected = expected
        .iter()
        .map(|name| (*name).to_owned())
        .collect::<Vec<_>>();
    wait_until(&expected, || below(out));
}

fn assert_verified(out: &Path) {
    let verified = verify(out, &["--strict"]);
    assert_eq!(
        verified.code,
        Some(0),
        "{}{}",
        verified.stdout,
        verified.stderr
    );
}

/// Waits until the open part with this number has so many lines.
fn wait_for_open(out: &Path, part: u32, lines: usize) {
    let name = format!("orders-00000-{part:06}.jsonl.open");
    let open = crate::command::state_directory(out).join(name);
    wait_until(&lines, || {
        let text = std::fs::read(&open).unwrap_or_default();
        text.iter().filter(|byte| **byte == b'\n').count()
    });
}

/// Checks the files by the state, and replays them.
fn assert_whole(gateway: &Gateway, container: &Container, out: &Path) {
    assert_verified(out);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 1);
    succeed(&mut replay(gateway, out));
    assert_same(&content(&copy), &content(container));
}

#[cfg(unix)]
#[test]
fn a_file_that_is_open_when_the_hour_ends_is_finished() {
    use crate::command::{interrupt, spawn, wait};

    let (gateway, container) = filled(1, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let clock = Clock::new(directory.path());
    let mut follow = export(&gateway, &out);
    follow.args(["--follow", "--partition-by", "hour"]);
    follow.args(["--poll-interval", "20ms", "--checkpoint-interval", "50ms"]);
    let child = spawn(clock.is_of(&mut follow));
    wait_for_open(&out, 1, 40);
    // Nothing comes: the hour alone finishes it, in the directory of the one in which it was begun.
    clock.set_hours(1);
    let first = "dt=2031-03-14/hour=22/orders-00000-000001.jsonl";
    wait_for(&out, &[first]);
    fill(&container, 40..60);
    wait_for_open(&out, 2, 20);
    clock.set_hours(3);
    let second = "dt=2031-03-14/hour=23/orders-00000-000002.jsonl";
    wait_for(&out, &[first, second]);
    fill(&container, 60..80);
    wait_for_open(&out, 3, 20);
    interrupt(&child);
    assert_eq!(wait(child).code, Some(130));
    let third = "dt=2031-03-15/hour=01/orders-00000-000003.jsonl";
    assert_eq!(below(&out), [first, second, third]);
    // A resume continues in the hour in which it runs.
    clock.set_hours(26);
    fill(&container, 80..90);
    let mut last = resume(&gateway, &out);
    succeed(clock.is_of(last.arg("--no-follow")));
    let fourth = "dt=2031-03-16/hour=00/orders-00000-000004.jsonl";
    assert_eq!(below(&out), [first, second, third, fourth]);
    assert_latest(&lines_below(&out), &container);
    assert_whole(&gateway, &container, &out);
    // One file by itself is known by the table above it.
    let copy = gateway.create_container(DATABASE, "one", "/pk", 1);
    let mut one = replay(&gateway, &out.join(fourth));
    succeed(one.env("AZURE_COSMOS_CONTAINER", "one"));
    assert_eq!(copy.latest().len(), 10);
}

#[cfg(unix)]
#[test]
fn a_file_is_finished_though_the_hour_ends_during_a_commit() {
    use crate::command::{interrupt, spawn, wait};

    let (gateway, _container) = filled(1, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let clock = Clock::new(directory.path());
    let mut follow = export(&gateway, &out);
    follow.args(["--follow", "--partition-by", "hour"]);
    // Nothing else than the hour begins a commit after the one for the page, which takes seconds.
    follow.args(["--poll-interval", "20ms", "--checkpoint-interval", "1h"]);
    follow.args(["--checkpoint-bytes", "1"]);
    follow.env(
        "COSMOS_TAIL_FAILPOINTS",
        "state.rename=1*off->1*sleep(5000)->off",
    );
    let child = spawn(clock.is_of(&mut follow));
    wait_for_open(&out, 1, 40);
    clock.set_hours(1);
    wait_for(&out, &["dt=2031-03-14/hour=22/orders-00000-000001.jsonl"]);
    interrupt(&child);
    assert_eq!(wait(child).code, Some(130));
}

#[test]
fn a_run_that_is_killed_is_resumed_in_another_partition() {
    let steps = [
        "part.create",
        "state.rename",
        "directory.create",
        "directory.sync",
        "publish.rename",
        "publish.sync-directory",
        "manifest.write",
    ];
    // A file of Parquet is begun again.
    let tried = [
        ("jsonl", "hour", &steps[..], 4),
        ("parquet", "day", &["state.rename", "publish.rename"], 2),
    ];
    for (format, by, steps, times) in tried {
        for step in steps {
            for after in 0..times {
                let name = format!("{format}, {step} after {after}");
                let (gateway, container) = filled(2, 120);
                let directory = tempfile::tempdir().unwrap();
                let out = directory.path().join("out");
                let clock = Clock::new(directory.path());
                let mut first = export(&gateway, &out);
                first.args(["--page-size", "20", "--checkpoint-interval", "1ms"]);
                first.args(["--rotate-bytes", "4KiB", "--partition-by", by]);
                first.args(["--format", format]);
                let kill = format!("{step}={after}*off->return(kill)");
                let killed = run(clock.is_of(first.env("COSMOS_TAIL_FAILPOINTS", kill)));
                let has_state = crate::command::state_directory(&out)
                    .join("state.json")
                    .exists();
                clock.set_hours(30);
                let ended = match (killed.code, has_state) {
                    (Some(0), _) => continue,
                    (None, true) => run(clock.is_of(&mut resume(&gateway, &out))),
                    (None, false) => continue,
                    (Some(code), _) => panic!("{name}: exit {code}: {}", killed.stderr),
                };
                assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
                for file in below(&out) {
                    assert!(
                        file.starts_with("dt=2031-03-14/") || file.starts_with("dt=2031-03-16/"),
                        "{name}: {file}"
                    );
                }
                if format == "jsonl" {
                    assert_latest(&lines_below(&out), &container);
                }
                assert_verified(&out);
            }
        }
    }
}

#[test]
fn an_export_replaces_one_that_was_partitioned() {
    let (gateway, container) = filled(2, 60);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let clock = Clock::new(directory.path());
    let mut first = export(&gateway, &out);
    succeed(clock.is_of(first.args(["--partition-by", "day"])));
    // Without the state too, nothing is written beside its files.
    let own = crate::command::state_directory(&out);
    let away = directory.path().join("away");
    std::fs::rename(&own, &away).unwrap();
    let refused = fail(&mut export(&gateway, &out), 2);
    assert!(
        refused.stderr.contains("dt=2031-03-14"),
        "{}",
        refused.stderr
    );
    std::fs::rename(&away, &own).unwrap();
    succeed(export(&gateway, &out).arg("--force"));
    assert_eq!(
        below(&out),
        ["orders-00000-000001.jsonl", "orders-00001-000001.jsonl"]
    );
    assert_whole(&gateway, &container, &out);
}

#[test]
fn what_is_in_the_way_is_named() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("orders.jsonl");
    let mut single = export(&gateway, &file);
    let refused = fail(single.args(["--partition-by", "day"]), 2);
    assert!(refused.stderr.contains("single file"), "{}", refused.stderr);
    let mut single = crate::command::against(&gateway);
    single
        .args(["tail", "--partition-by", "day", "-o"])
        .arg(&file);
    fail(&mut single, 2);

    #[cfg(unix)]
    {
        let (out, elsewhere) = (directory.path().join("out"), directory.path().join("other"));
        let clock = Clock::new(directory.path());
        std::fs::create_dir_all(&elsewhere).unwrap();
        std::fs::create_dir_all(&out).unwrap();
        let link = out.join("dt=2031-03-14");
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        let mut command = export(&gateway, &out);
        let refused = run(clock.is_of(command.args(["--partition-by", "day"])));
        assert_ne!(refused.code, Some(0));
        assert!(
            refused.stderr.contains("symbolic link"),
            "{}",
            refused.stderr
        );
        assert_eq!(below(&elsewhere), Vec::<String>::new());
        std::fs::remove_file(&link).unwrap();
        succeed(clock.is_of(&mut resume(&gateway, &out)));
        assert_eq!(below(&out), ["dt=2031-03-14/orders-00000-000001.jsonl"]);
    }
}

#[test]
fn an_export_without_partitions_leaves_directories_with_their_names_alone() {
    let (gateway, container) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let moved = out.join("dt=2031-03-14");
    std::fs::create_dir(&moved).unwrap();
    let name = "orders-00000-000001.jsonl";
    std::fs::copy(out.join(name), moved.join(name)).unwrap();
    fill(&container, 10..20);
    succeed(&mut resume(&gateway, &out));
    let verified = verify(&out, &["--strict"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

/// Copies the files of a directory.
fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in below(from) {
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

#[test]
fn a_restored_earlier_state_is_refused_in_another_partition() {
    // Between two files, and within one.
    for kill in [None, Some("state.rename=3*off->return(kill)")] {
        let (gateway, container) = filled(1, 120);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let own = crate::command::state_directory(&out);
        let (copy, latest) = (directory.path().join("copy"), directory.path().join("last"));
        let clock = Clock::new(directory.path());
        let mut first = export(&gateway, &out);
        first.args(["--partition-by", "hour", "--page-size", "20"]);
        // A commit after each page.
        first.args(["--checkpoint-bytes", "1", "--checkpoint-interval", "1h"]);
        first.env("COSMOS_TAIL_LOCKSTEP", "1");
        match kill {
            None => drop(succeed(clock.is_of(&mut first))),
            Some(kill) => {
                let killed = run(clock.is_of(first.env("COSMOS_TAIL_FAILPOINTS", kill)));
                assert_eq!(killed.code, None, "{}", killed.stderr);
                assert!(own.join("orders-00000-000001.jsonl.open").exists());
            }
        }
        copy_files(&own, &copy);
        for (hours, numbers) in [(1, 100..250), (2, 200..350)] {
            clock.set_hours(hours);
            fill(&container, numbers);
            succeed(clock.is_of(&mut resume(&gateway, &out)));
        }
        let written = below(&out);
        assert_eq!(written.len(), 3, "{written:?}");
        std::fs::rename(&own, &latest).unwrap();
        copy_files(&copy, &own);
        clock.set_hours(5);
        for repair in [false, true] {
            let mut again = resume(&gateway, &out);
            again.args(repair.then_some("--repair"));
            let refused = fail(clock.is_of(&mut again), 1);
            assert!(
                refused.stderr.contains("` already exists")
                    && refused.stderr.contains("restore the latest one"),
                "{}",
                refused.stderr
            );
            assert_eq!(below(&out), written);
            assert_eq!(below(&own), below(&copy));
        }
        std::fs::remove_dir_all(&own).unwrap();
        std::fs::rename(&latest, &own).unwrap();
        fill(&container, 300..350);
        succeed(clock.is_of(&mut resume(&gateway, &out)));
        assert_eq!(below(&out).len(), 4);
        assert_whole(&gateway, &container, &out);
    }
}

#[test]
fn a_file_of_the_next_number_in_any_partition_is_in_the_way() {
    let (gateway, container) = filled(1, 20);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let clock = Clock::new(directory.path());
    let mut first = export(&gateway, &out);
    succeed(clock.is_of(first.args(["--partition-by", "day"])));
    fill(&container, 20..40);
    std::fs::create_dir(out.join("dt=2030-01-01")).unwrap();
    // The next one of a range that is read, and one of a range that may come from a split.
    for name in ["orders-00000-000002.jsonl", "orders-00004-000001.jsonl"] {
        let foreign = out.join("dt=2030-01-01").join(name);
        std::fs::write(&foreign, "mine").unwrap();
        let refused = fail(clock.is_of(&mut resume(&gateway, &out)), 1);
        let named = format!("{name}` already exists");
        assert!(refused.stderr.contains(&named), "{}", refused.stderr);
        assert_eq!(std::fs::read(&foreign).unwrap(), b"mine");
        assert_eq!(below(&out).len(), 2);
        std::fs::remove_file(&foreign).unwrap();
    }
    succeed(clock.is_of(&mut resume(&gateway, &out)));
    assert_latest(&lines_below(&out), &container);
}

#[test]
fn an_output_with_an_unknown_file_in_another_partition_is_not_recognized() {
    let (gateway, container) = filled(1, 20);
    let directory = tempfile::tempdir().unwrap();
    let (out, state) = (
        directory.path().join("out"),
        directory.path().join("s.json"),
    );
    let clock = Clock::new(directory.path());
    let mut first = export(&gateway, &out);
    first.args(["--partition-by", "day", "--state"]).arg(&state);
    succeed(clock.is_of(&mut first));
    fill(&container, 20..40);
    // As an older build left it.
    let owner = crate::command::state_directory(&out).join("state.json.owner");
    std::fs::remove_file(owner).unwrap();
    let foreign = out.join("dt=2030-01-01/orders-00000-000001.jsonl");
    std::fs::create_dir(foreign.parent().unwrap()).unwrap();
    std::fs::write(&foreign, "mine").unwrap();
    let resume = || {
        let mut resume = crate::command::against(&gateway);
        resume.args(["resume", "--state"]).arg(&state);
        resume.env_remove("AZURE_COSMOS_ENDPOINT");
        resume.env_remove("AZURE_COSMOS_DATABASE");
        resume.env_remove("AZURE_COSMOS_CONTAINER");
        resume
    };
    let refused = fail(clock.is_of(&mut resume()), 1);
    assert!(
        refused.stderr.contains("no manifest lists it"),
        "{}",
        refused.stderr
    );
    std::fs::remove_file(&foreign).unwrap();
    succeed(clock.is_of(&mut resume()));
    assert_latest(&lines_below(&out), &container);
}

#[test]
fn a_file_in_a_partition_can_belong_to_an_export_to_that_file() {
    let (gateway, container) = filled(1, 20);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let clock = Clock::new(directory.path());
    let name = "orders-00000-000001.jsonl";
    let mut first = export(&gateway, &out);
    first.args(["--partition-by", "day"]);
    first.env("COSMOS_TAIL_FAILPOINTS", "publish.rename=return(kill)");
    assert_eq!(run(clock.is_of(&mut first)).code, None);
    let partition = out.join("dt=2031-03-14");
    std::fs::create_dir_all(&partition).unwrap();
    // What is beside the same name in the table is of another file.
    let beside = out.join(format!("{name}.state.json"));
    std::fs::write(&beside, "{}").unwrap();
    let claim = partition.join(format!("{name}.state.json"));
    std::fs::write(&claim, "{}").unwrap();
    let refused = fail(clock.is_of(&mut resume(&gateway, &out)), 1);
    assert!(
        refused.stderr.contains("belongs to another export"),
        "{}",
        refused.stderr
    );
    std::fs::remove_file(&claim).unwrap();
    succeed(clock.is_of(&mut resume(&gateway, &out)));
    assert_latest(&lines_of(&partition.join(name)), &container);
    std::fs::rename(&beside, &claim).unwrap();
    let refused = fail(export(&gateway, &out).arg("--force"), 2);
    assert!(refused.stderr.contains(name), "{}", refused.stderr);
    assert!(partition.join(name).exists());
    std::fs::remove_file(&claim).unwrap();
    succeed(export(&gateway, &out).arg("--force"));
    assert_eq!(below(&out), [name]);
}

#[cfg(unix)]
#[test]
fn nothing_is_removed_through_a_link() {
    let (gateway, container) = filled(2, 60);
    let directory = tempfile::tempdir().unwrap();
    let (out, elsewhere) = (directory.path().join("out"), directory.path().join("other"));
    let own = crate::command::state_directory(&out);
    let clock = Clock::new(directory.path());
    let mut first = export(&gateway, &out);
    succeed(clock.is_of(first.args(["--partition-by", "hour"])));
    let (kept, states) = (below(&out), below(&own));
    // The directory of the day, or that of the hour.
    for linked in ["dt=2031-03-14", "dt=2031-03-14/hour=22"] {
        let link = out.join(linked);
        std::fs::rename(&link, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        for by in [None, Some("day"), Some("hour")] {
            let mut second = export(&gateway, &out);
            second.arg("--force");
            second.args(by.map(|by| format!("--partition-by={by}")));
            let refused = fail(clock.is_of(&mut second), 2);
            let named = format!("{linked}` is a symbolic link");
            assert!(refused.stderr.contains(&named), "{}", refused.stderr);
            assert_eq!(below(&out), kept);
            assert_eq!(below(&own), states);
        }
        std::fs::remove_file(&link).unwrap();
        std::fs::rename(&elsewhere, &link).unwrap();
    }
    succeed(export(&gateway, &out).arg("--force"));
    assert_whole(&gateway, &container, &out);
}

#[cfg(feature = "object-stores")]
#[test]
fn objects_are_in_the_partition_in_which_they_were_begun() {
    use crate::store_scene::StoreScene;

    let arguments = [
        "--page-size",
        "20",
        "--rotate-bytes",
        "4KiB",
        "--partition-by",
        "hour",
    ];
    let scene = StoreScene::with(2, 120, &arguments);
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::new(directory.path());
    let mut first = scene.next_command();
    first.env(
        "COSMOS_TAIL_FAILPOINTS",
        "object.complete=3*off->return(kill)",
    );
    let killed = run(clock.is_of(&mut first));
    assert_eq!(killed.code, None, "{}", killed.stderr);
    clock.set_hours(2);
    succeed(clock.is_of(&mut scene.next_command()));
    let verified = scene.verify();
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    let objects = scene.objects();
    let data: Vec<&String> = objects
        .keys()
        .filter(|name| !name.starts_with('_'))
        .collect();
    let of = |partition: &str| {
        data.iter()
            .filter(|name| name.starts_with(partition))
            .count()
    };
    let (before, after) = (of("dt=2031-03-14/hour=22/"), of("dt=2031-03-15/hour=00/"));
    assert!(
        before > 0 && after > 0 && before + after == data.len(),
        "{data:?}"
    );
    let copy = scene.gateway.create_container(DATABASE, COPY, "/pk", 1);
    let mut back = replay(&scene.gateway, Path::new(StoreScene::address()));
    succeed(scene.reach(&mut back));
    assert_same(&content(&copy), &content(&scene.container));
}

#[cfg(feature = "object-stores")]
#[test]
fn objects_that_were_copied_to_a_partition_are_not_of_a_table_without_it() {
    use crate::store_scene::StoreScene;

    for (by, copied) in [
        (None, "dt=2026-11-27/"),
        (None, "dt=2026-11-27/hour=18/"),
        (Some("day"), "dt=2026-11-27/hour=18/"),
        (Some("hour"), "dt=2026-11-27/"),
    ] {
        let partition = by.map(|by| format!("--partition-by={by}"));
        let arguments: Vec<&str> = partition.as_deref().into_iter().collect();
        let scene = StoreScene::with(1, 40, &arguments);
        succeed(&mut scene.next_command());
        let objects = scene.objects();
        for (name, bytes) in objects.iter().filter(|(name, _)| !name.starts_with('_')) {
            let file = name.rsplit('/').next().unwrap();
            let copy = StoreScene::name(&format!("{copied}{file}"));
            scene.store.replace(&copy, Some(bytes));
        }
        assert!(scene.objects().len() > objects.len());
        fill(&scene.container, 40..60);
        succeed(&mut scene.next_command());
        let verified = scene.verify();
        assert_eq!(verified.code, Some(0), "{by:?}: {}", verified.stdout);
        // One of the table's own partitions is another matter.
        let own = by.map_or("", |by| match by {
            "day" => "dt=2026-11-27/",
            _ => "dt=2026-11-27/hour=18/",
        });
        let unknown = format!("{own}orders-00000-000009-{}.jsonl", "0".repeat(32));
        scene.store.replace(&StoreScene::name(&unknown), Some(b""));
        let verified = scene.verify();
        assert_eq!(verified.code, Some(1), "{by:?}: {}", verified.stdout);
        assert!(verified.stdout.contains(&unknown), "{}", verified.stdout);
    }
}

#[cfg(feature = "object-stores")]
#[test]
fn shards_of_a_plan_are_verified_in_their_partitions() {
    use crate::command::{against, cosmos_tail};
    use crate::store::Store;

    const PLAN: &str = "az://lake/plans/orders.json";
    const PLACE: &str = "az://lake/orders/";
    for by in ["day", "hour"] {
        let (gateway, _) = filled(4, 120);
        let store = Store::start();
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::new(directory.path());
        let reach = |mut command: Command| {
            command
                .env("AZURE_STORAGE_USE_EMULATOR", "true")
                .env("AZURITE_BLOB_STORAGE_URL", store.url());
            clock.is_of(&mut command);
            command
        };
        let mut plan = reach(against(&gateway));
        succeed(plan.args(["plan", "-o", PLAN, "--partition-by", by]));
        for shard in ["0/2", "1/2"] {
            let mut export = reach(against(&gateway));
            export.env_remove("AZURE_COSMOS_DATABASE");
            export.env_remove("AZURE_COSMOS_CONTAINER");
            succeed(export.args(["export", "--plan", PLAN, "--shard", shard, "-o", PLACE]));
        }
        let verify = || run(reach(cosmos_tail()).args(["verify", PLAN, PLACE]));
        let verified = verify();
        assert_eq!(
            verified.code,
            Some(0),
            "{}{}",
            verified.stdout,
            verified.stderr
        );
        // An object that nothing lists is noticed in a partition too.
        let (name, bytes) = store
            .objects()
            .into_iter()
            .find(|(name, _)| name.starts_with("orders/dt=2031-03-14/"))
            .unwrap();
        let another = name.replace("-000001-", "-000007-");
        assert_ne!(another, name);
        store.replace(&another, Some(&bytes));
        let verified = verify();
        assert_eq!(verified.code, Some(1), "{}", verified.stdout);
        assert!(verified.stdout.contains("-000007-"), "{}", verified.stdout);
    }
}
