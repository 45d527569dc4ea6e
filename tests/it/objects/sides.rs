//! Exports whose state is not where their output is.

use crate::command::{against, assert_same, cosmos_tail, fail, run, spawn, succeed};
use crate::gateway::Gateway;
use crate::objects::rig::each;
use crate::oracle::judge;
use crate::orders::{fill, filled};
use crate::replay::content;
use crate::store::{Call, CallKind, Trouble};
use crate::store_scene::{Sides, StoreScene};
use crate::store_trials::{count_calls, takeover};

fn scene(sides: Sides) -> StoreScene {
    StoreScene::new(2, 60).on(sides)
}

/// Every which moment something happens at: one of thirteen, from a random one on; all of them with this variable.
fn stride() -> usize {
    match std::env::var_os("COSMOS_TAIL_TEST_EVERY_CALL") {
        Some(_) => 1,
        None => 13,
    }
}

#[test]
fn a_process_that_dies_at_any_call_is_resumed_wherever_the_state_is() {
    for sides in Sides::APART {
        let count = count_calls(&scene(sides));
        let first = fastrand::usize(..stride());
        let moments: Vec<usize> = (first..2 * count).step_by(stride()).collect();
        each(moments.len(), |number| {
            let (at, is_after) = (moments[number] / 2, moments[number] % 2 == 1);
            let kill = match is_after {
                true => Trouble::KillAfter,
                false => Trouble::KillBefore,
            };
            let scene = scene(sides);
            let ended = scene.go_on_with(move |number, _| (number == at).then_some(kill));
            if ended.code.is_some() {
                return Err(format!(
                    "{sides:?}, call {at}: it did not die: {}",
                    ended.stderr
                ));
            }
            // A second time, early in the resume.
            scene.go_on_with(move |number, _| (number == at % 9).then_some(kill));
            let finished = scene.finish();
            finished.map_err(|error| format!("{sides:?}, {kill:?} at call {at}: {error}"))
        });
    }
}

#[test]
fn any_call_that_fails_is_repeated_or_the_export_is_resumed_wherever_the_state_is() {
    let troubles = [
        Trouble::Unanswered,
        Trouble::Lost,
        Trouble::Late(3),
        Trouble::Refused(500, "InternalError"),
    ];
    for sides in Sides::APART {
        let count = count_calls(&scene(sides)) * troubles.len();
        let first = fastrand::usize(..stride());
        let moments: Vec<usize> = (first..count).step_by(stride()).collect();
        each(moments.len(), |number| {
            let (at, trouble) = (
                moments[number] / troubles.len(),
                troubles[moments[number] % troubles.len()],
            );
            let scene = scene(sides);
            let ended = scene.go_on_with(move |number, _| (number == at).then_some(trouble));
            let judged = match ended.code {
                Some(0) => scene.judge(),
                Some(1 | 3) => scene.finish(),
                other => Err(format!("{other:?}: {}", ended.stderr)),
            };
            judged.map_err(|error| format!("{sides:?}, {trouble:?} at call {at}: {error}"))
        });
    }
}

#[test]
fn a_process_that_was_paused_loses_a_state_elsewhere_in_the_store() {
    let count = count_calls(&scene(Sides::StateElsewhere));
    each(6, |number| {
        let scene = scene(Sides::StateElsewhere);
        takeover(&scene, number * count / 6, number % 2 == 0).map(drop)
    });
}

/// A resume with a copy of the state, as somebody makes it who moves to another machine.
fn resume_with(
    scene: &StoreScene,
    state: &std::path::Path,
    gateway: &Gateway,
) -> (Option<i32>, String) {
    let mut command = against(gateway);
    let ended = run(scene
        .reach(&mut command)
        .args(["resume", "--state"])
        .arg(state));
    (ended.code, ended.stderr)
}

#[test]
fn a_copy_of_a_state_that_was_left_behind_is_refused() {
    let scene = scene(Sides::StateOnDisk);
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let copy = scene.output().with_file_name("copy.json");
    std::fs::copy(scene.state_file(), &copy).unwrap();
    scene.store.watch_state_file(copy.clone());
    // Whoever goes on first has the place.
    fill(&scene.container, 100..120);
    let (code, stderr) = resume_with(&scene, &copy, &scene.gateway);
    assert_eq!(code, Some(0), "{stderr}");
    fill(&scene.container, 200..220);
    let before = scene.objects();
    let (code, stderr) = resume_with(&scene, &scene.state_file(), &scene.gateway);
    assert_eq!(code, Some(1), "{stderr}");
    for told in ["it is a copy", "cosmos-tail resume --state", "copy.json"] {
        assert!(stderr.contains(told), "{told}: {stderr}");
    }
    assert_eq!(scene.objects(), before);
    // The other one goes on, and has everything once.
    std::fs::copy(&copy, scene.state_file()).unwrap();
    scene.finish().unwrap();
}

#[test]
fn a_process_whose_place_was_claimed_meanwhile_publishes_nothing_more() {
    let scene = scene(Sides::StateOnDisk);
    let copy = scene.output().with_file_name("copy.json");
    // After it has claimed the place, before the first object is published, an operator starts with a copy of the state.
    let mut has_claimed = false;
    scene.store.script(move |_, call| {
        has_claimed |= call.kind == CallKind::Put && call.name.ends_with("claim.json");
        (has_claimed && call.kind == CallKind::Head).then_some(Trouble::Pause)
    });
    let mut paused = scene.begin();
    assert!(scene.store.wait_until_paused(&mut paused));
    scene.store.clear();
    std::fs::copy(scene.state_file(), &copy).unwrap();
    scene.store.watch_state_file(copy.clone());
    let (code, stderr) = resume_with(&scene, &copy, &scene.gateway);
    assert_eq!(code, Some(0), "{stderr}");
    let published = scene.objects();
    crate::command::signal(&paused, nix::sys::signal::Signal::SIGCONT);
    let ended = crate::command::wait(paused);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("another process has claimed"),
        "{}",
        ended.stderr
    );
    assert_eq!(scene.objects(), published);
    std::fs::copy(&copy, scene.state_file()).unwrap();
    scene.finish().unwrap();
}

#[test]
fn an_export_with_its_state_on_the_disk_is_found_by_whoever_reads_its_place() {
    let scene = scene(Sides::StateOnDisk);
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let state = scene.state_file().display().to_string();
    // Its objects are replayed without the state.
    let (target, copy) = filled(2, 0);
    let mut replay = against(&target);
    scene
        .reach(&mut replay)
        .args(["replay", StoreScene::address()]);
    succeed(&mut replay);
    assert_same(&content(&copy), &content(&scene.container));
    // What needs the state says where it is.
    for command in ["verify", "resume"] {
        let mut command_line = match command {
            "verify" => cosmos_tail(),
            _ => against(&scene.gateway),
        };
        let refused = fail(
            scene
                .reach(&mut command_line)
                .args([command, StoreScene::address()]),
            2,
        );
        assert!(
            refused.stderr.contains("cosmos-tail resume --state")
                && refused.stderr.contains(&state),
            "{}",
            refused.stderr
        );
    }
    // Another export does not fit there.
    let mut other = against(&scene.gateway);
    let refused = fail(
        scene
            .reach(&mut other)
            .args(["export", "-o", StoreScene::address()]),
        2,
    );
    assert!(
        refused.stderr.contains("already exists"),
        "{}",
        refused.stderr
    );
    let mut again = against(&scene.gateway);
    let refused = fail(
        scene
            .reach(&mut again)
            .args(["export", "-o", StoreScene::address(), "--state", &state]),
        2,
    );
    assert!(
        refused.stderr.contains("already exists"),
        "{}",
        refused.stderr
    );
}

fn tail(sides: Sides) -> StoreScene {
    StoreScene {
        is_tail: true,
        ..scene(sides)
    }
}

#[test]
fn a_tail_to_objects_or_a_directory_that_dies_at_any_call_is_continued_by_the_same_command() {
    for sides in [Sides::Together, Sides::StateOnDisk, Sides::OutputOnDisk] {
        let count = count_calls(&tail(sides));
        let first = fastrand::usize(..stride());
        let moments: Vec<usize> = (first..2 * count).step_by(stride()).collect();
        each(moments.len(), |number| {
            let at = moments[number] / 2;
            let kill = match moments[number] % 2 {
                0 => Trouble::KillBefore,
                _ => Trouble::KillAfter,
            };
            let scene = tail(sides);
            scene.go_on_with(move |number, _| (number == at).then_some(kill));
            fill(&scene.container, 300..320);
            let finished = scene.finish();
            finished.map_err(|error| format!("{sides:?}, {kill:?} at call {at}: {error}"))
        });
    }
}

#[test]
fn a_tail_to_objects_is_no_export() {
    let scene = tail(Sides::Together);
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut resume = against(&scene.gateway);
    let refused = fail(
        scene
            .reach(&mut resume)
            .args(["resume", StoreScene::address()]),
        2,
    );
    assert!(
        refused.stderr.contains("run the same `tail` command again"),
        "{}",
        refused.stderr
    );
    // In another form it would be another file.
    let mut other = against(&scene.gateway);
    let refused = fail(
        scene
            .reach(&mut other)
            .args(["tail", "-o", StoreScene::address(), "--format", "envelope"]),
        2,
    );
    assert!(
        refused.stderr.contains("give the same options as before"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_tail_to_a_directory_is_continued_by_the_same_command() {
    let (gateway, container) = filled(2, 60);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("changes");
    for night in 0..3 {
        fill(&container, night * 100..night * 100 + 30);
        let mut command = against(&gateway);
        command.arg("tail").arg("-o").arg(out.join(""));
        if night == 0 {
            command.args(["--from", "beginning"]);
        }
        succeed(command.args(["--until-caught-up", "--rotate-bytes", "2KiB"]));
        judge(&gateway, &container, &out).unwrap();
    }
}

/// The first file below a directory whose name ends like this.
fn file_below(directory: &std::path::Path, end: &str) -> Option<std::path::PathBuf> {
    let mut below = vec![directory.to_owned()];
    while let Some(directory) = below.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                return Some(path);
            }
        }
    }
    None
}

fn open_part(directory: &std::path::Path) -> std::path::PathBuf {
    file_below(directory, ".open").expect("a part is open")
}

#[test]
fn a_tail_to_a_directory_with_a_damaged_file_is_repaired_by_its_own_command() {
    let (gateway, container) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("changes");
    let tail = |more: &[&str]| {
        let mut command = against(&gateway);
        command.arg("tail").arg("-o").arg(out.join("")).args(more);
        command
    };
    let mut killed = spawn(tail(&["--from", "beginning"]).args([
        "--poll-interval",
        "20ms",
        "--checkpoint-interval",
        "20ms",
    ]));
    let is_open = || {
        let state = file_below(directory.path(), "/state.json");
        let text = state.and_then(|state| std::fs::read_to_string(state).ok());
        text.is_some_and(|text| text.contains("\"open\":"))
    };
    let begun = std::time::Instant::now();
    while !is_open() {
        assert!(begun.elapsed().as_secs() < 60, "nothing is committed");
        // Polled, since a tail reports no commits.
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    std::fs::write(open_part(directory.path()), "").unwrap();
    let refused = fail(&mut tail(&["--until-caught-up"]), 1);
    let told = "the same `tail` command with --repair deletes it and reads its range again";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    succeed(&mut tail(&["--until-caught-up", "--repair"]));
    judge(&gateway, &container, &out).unwrap();
}

/// Pauses a run before its put of this number, from 0, has its effect.
fn pause_at_put(scene: &StoreScene, number: usize) -> std::process::Child {
    let mut puts = 0;
    scene.store.script(move |_, call| {
        let is_put = call.kind == CallKind::Put;
        puts += usize::from(is_put);
        (is_put && puts == number + 1).then_some(Trouble::Pause)
    });
    let mut paused = scene.begin();
    assert!(scene.store.wait_until_paused(&mut paused));
    paused
}

fn copy_of(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy_of(&path, &to);
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}

#[test]
fn a_resume_that_is_refused_by_its_files_does_not_stop_the_export_that_runs_elsewhere() {
    // Its part stays open.
    let scene = StoreScene::with(1, 60, &["--page-size", "10"]).on(Sides::OutputOnDisk);
    let paused = pause_at_put(&scene, 4);
    scene.store.clear();
    // Another machine has the same path, with an older copy of the directory.
    let open = open_part(scene.disk.path());
    let here = open.parent().unwrap();
    let away = scene.disk.path().join("away");
    std::fs::rename(here, &away).unwrap();
    copy_of(&away, here);
    std::fs::remove_file(&open).unwrap();
    let before = scene.store.objects();
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("is missing"), "{}", ended.stderr);
    assert_eq!(scene.store.objects(), before);
    std::fs::remove_dir_all(here).unwrap();
    std::fs::rename(&away, here).unwrap();
    let ended = wake(&scene, paused);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    scene.judge().unwrap();
}

/// Where the state of a scene is in the store.
fn state_object(scene: &StoreScene) -> String {
    match scene.sides {
        Sides::Together => StoreScene::name("_cosmos-tail/state.json"),
        _ => "states/orders/state.json".to_owned(),
    }
}

fn read_state(scene: &StoreScene) -> Vec<u8> {
    match scene.sides {
        Sides::StateOnDisk => std::fs::read(scene.state_file()).unwrap(),
        _ => scene.store.objects()[&state_object(scene)].clone(),
    }
}

fn restore_state(scene: &StoreScene, state: &[u8]) {
    match scene.sides {
        Sides::StateOnDisk => std::fs::write(scene.state_file(), state).unwrap(),
        _ => scene.store.replace(&state_object(scene), Some(state)),
    }
}

/// Pauses a run at its first call of this kind.
fn pause_at(scene: &StoreScene, kind: CallKind) -> std::process::Child {
    let script = move |_, call: &Call| (call.kind == kind).then_some(Trouble::Pause);
    scene.store.script(script);
    let mut paused = scene.begin();
    assert!(scene.store.wait_until_paused(&mut paused));
    paused
}

fn wake(scene: &StoreScene, paused: std::process::Child) -> crate::command::Ended {
    scene.store.clear();
    crate::command::signal(&paused, nix::sys::signal::Signal::SIGCONT);
    crate::command::wait(paused)
}

#[test]
fn a_state_that_was_restored_from_a_backup_is_refused_wherever_it_is() {
    for sides in [Sides::Together, Sides::StateOnDisk, Sides::StateElsewhere] {
        let scene = scene(sides);
        let paused = pause_at(&scene, CallKind::Part);
        let backup = read_state(&scene);
        let ended = wake(&scene, paused);
        assert_eq!(ended.code, Some(0), "{sides:?}: {}", ended.stderr);
        let latest = read_state(&scene);
        restore_state(&scene, &backup);
        let before = scene.objects();
        let ended = scene.go_on();
        assert_eq!(ended.code, Some(1), "{sides:?}: {}", ended.stderr);
        for told in [
            "the state is older than the objects",
            "restore the latest state",
        ] {
            assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
        }
        assert_eq!(scene.objects(), before);
        restore_state(&scene, &latest);
        fill(&scene.container, 100..120);
        scene.finish().unwrap();
    }
}

#[test]
fn what_is_listed_while_a_copy_of_the_state_takes_the_place_is_seen_whatever_its_number() {
    let scene = scene(Sides::StateOnDisk);
    let paused = pause_at(&scene, CallKind::Part);
    let copy = read_state(&scene);
    let ended = wake(&scene, paused);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let latest = read_state(&scene);
    // As long as the copy looks for the first time, the process that was copied has listed nothing that the copy does not know.
    let manifest = StoreScene::name("_cosmos-tail/manifest/");
    let all = scene.store.objects().into_iter();
    let listed: Vec<_> = all
        .filter(|(name, _)| name.starts_with(&manifest))
        .collect();
    for (name, _) in &listed {
        scene.store.replace(name, None);
    }
    restore_state(&scene, &copy);
    scene.store.script(|_, call| {
        let is_claim = call.kind == CallKind::Put && call.name.ends_with("/claim.json");
        is_claim.then_some(Trouble::Pause)
    });
    let mut second = scene.begin();
    assert!(scene.store.wait_until_paused(&mut second));
    // Then it lists the object of its next commit, before it finds that it has lost the place.
    let state: serde_json::Value = serde_json::from_slice(&copy).unwrap();
    let next = state["state"]["generation"].as_u64().unwrap() + 1;
    let name = format!("{manifest}{next:010}.ndjson");
    scene.store.replace(&name, Some(&listed[0].1));
    let before = scene.objects();
    let ended = wake(&scene, second);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let told = "the state is older than the objects";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    // It gives the place back.
    let mut after = scene.objects();
    let claim = "_cosmos-tail/claim.json";
    assert_ne!(after.get(claim), before.get(claim));
    after.insert(claim.to_owned(), before[claim].clone());
    assert!(after == before);
    scene.store.replace(&name, None);
    for (name, bytes) in &listed {
        scene.store.replace(name, Some(bytes));
    }
    restore_state(&scene, &latest);
    fill(&scene.container, 100..120);
    scene.finish().unwrap();
}

#[test]
fn a_start_beside_a_process_that_goes_on_says_so() {
    let scene = scene(Sides::Together);
    let paused = pause_at(&scene, CallKind::Part);
    scene.store.clear();
    // It has read the state, and the first process goes on before it lists.
    scene.store.script(|_, call| {
        let is_manifest = call.kind == CallKind::List && call.name.contains("manifest");
        is_manifest.then_some(Trouble::PauseBefore)
    });
    let mut second = scene.begin();
    assert!(scene.store.wait_until_paused(&mut second));
    let first = wake(&scene, paused);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let second = wake(&scene, second);
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    let told = "another process has claimed the state";
    assert!(second.stderr.contains(told), "{}", second.stderr);
    scene.judge().unwrap();
}

#[test]
fn other_objects_beside_the_manifest_and_manifests_that_were_removed_do_not_matter() {
    let scene = scene(Sides::Together);
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for name in ["_done", "zzz.ndjson", "99.ndjson"] {
        let name = StoreScene::name(&format!("_cosmos-tail/manifest/{name}"));
        scene.store.replace(&name, Some(b"x"));
    }
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn of_two_first_starts_with_one_state_one_goes_on() {
    let counted = scene(Sides::StateElsewhere);
    let ended = counted.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let calls = counted.store.calls();
    let first = calls
        .iter()
        .position(|(call, _)| call.kind == CallKind::Put);
    let part = calls
        .iter()
        .position(|(call, _)| call.kind == CallKind::Part);
    let moments: Vec<usize> = (first.unwrap()..part.unwrap()).collect();
    each(2 * moments.len(), |number| {
        let scene = scene(Sides::StateElsewhere);
        takeover(&scene, moments[number / 2], number % 2 == 0).map(drop)
    });
}

#[test]
fn a_tail_whose_state_was_lost_does_not_begin_from_now_again() {
    let scene = tail(Sides::StateOnDisk);
    let paused = pause_at(&scene, CallKind::Part);
    let mut paused = paused;
    paused.kill().unwrap();
    paused.wait().unwrap();
    scene.store.clear();
    std::fs::remove_file(scene.state_file()).unwrap();
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    for told in [
        "already exists",
        "if that state is lost, choose another path",
    ] {
        assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
    }
}

#[test]
fn a_state_is_not_among_the_objects_of_an_export() {
    let (gateway, _) = filled(1, 1);
    let below = format!("{}s.json", StoreScene::address());
    for (output, state, told) in [
        (
            StoreScene::address(),
            &*below,
            "is among the objects of the output",
        ),
        (
            "out/",
            "az://lake/x/_cosmos-tail/state.json",
            "is a name of an export",
        ),
        (
            "az://lake/y/",
            "az://lake/x/_cosmos-tail/state.json",
            "is a name of an export",
        ),
    ] {
        let mut command = against(&gateway);
        let refused = fail(command.args(["export", "-o", output, "--state", state]), 2);
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
}

#[test]
fn a_refused_start_with_its_state_elsewhere_does_not_stop_the_export_that_was_there() {
    let scene = scene(Sides::Together);
    let state = scene.output().with_file_name("b.json");
    // The one whose state is elsewhere has looked for others, and comes to its claim.
    let mut other = against(&scene.gateway);
    scene.reach(&mut other);
    other
        .args(["export", "-o", StoreScene::address(), "--state"])
        .arg(&state);
    let mut has_looked = false;
    scene.store.script(move |_, call| {
        has_looked |= call.kind == CallKind::Head && call.name.ends_with("shards.json");
        let is_claim = call.kind == CallKind::Get && call.name.ends_with("claim.json");
        (has_looked && is_claim).then_some(Trouble::Pause)
    });
    let mut child = spawn(&mut other);
    scene.store.set_victim(&child);
    assert!(scene.store.wait_until_paused(&mut child));
    // Meanwhile the other kind begins, and dies before it has published anything.
    let died = scene.go_on_with(|_, call| {
        let is_manifest = call.kind == CallKind::Put && call.name.contains("/manifest/");
        is_manifest.then_some(Trouble::KillBefore)
    });
    assert!(scene.has_state(), "{:?}: {}", died.code, died.stderr);
    crate::command::signal(&child, nix::sys::signal::Signal::SIGCONT);
    let refused = crate::command::wait(child);
    assert!(
        refused.stderr.contains("another export has begun"),
        "{:?}: {}",
        refused.code,
        refused.stderr
    );
    // It is refused again and again, and its claim is none.
    let (code, stderr) = resume_with(&scene, &state, &scene.gateway);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("another export has begun"), "{stderr}");
    let claim = "_cosmos-tail/claim.json";
    let text = String::from_utf8(scene.objects()[claim].clone()).unwrap();
    assert!(text.contains("\"withdrawn\":true"), "{text}");
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    scene.store.replace(&StoreScene::name(claim), None);
    scene.judge().unwrap();
}

#[test]
fn force_does_not_remove_the_state_of_an_export_to_objects() {
    let scene = scene(Sides::StateOnDisk);
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let state = std::fs::read(scene.state_file()).unwrap();
    let directory = scene.output().with_file_name("files").join("");
    let mut forced = against(&scene.gateway);
    forced.args(["export", "--force", "-o"]).arg(directory);
    let refused = fail(forced.arg("--state").arg(scene.state_file()), 2);
    for told in ["which --force does not replace", StoreScene::address()] {
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
    assert_eq!(std::fs::read(scene.state_file()).unwrap(), state);
    fill(&scene.container, 200..220);
    scene.finish().unwrap();
}
