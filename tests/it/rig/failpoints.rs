//! Every step of a commit and of a recovery, for every format: the process dies there, the step
//! fails, the step comes late.

use cosmos_tail::failpoint::STEPS;

use super::{FORMATS, Scene, expect, has_state};

/// Steps that only a resume takes, and what has to have happened before.
const RESUMES: [(&str, &str); 5] = [
    ("resume.delete", "state.create=1*off->return(kill)"),
    ("resume.cut", "state.create=3*off->return(kill)"),
    ("resume.sync", "state.create=3*off->return(kill)"),
    ("part.open", "state.create=3*off->return(kill)"),
    ("manifest.cut", "manifest.sync=return(kill)"),
];

/// A scene in which `step` comes next.
fn before(step: &str, format: &[&str]) -> Scene {
    let Some((_, prelude)) = RESUMES.iter().find(|(name, _)| *name == step) else {
        return Scene::rotating(format);
    };
    let scene = Scene::new(format);
    let ended = scene.go_on(prelude);
    assert_eq!(ended.code, None, "{step}, {format:?}: {}", ended.stderr);
    scene
}

fn kill_at_every_step(format: &[&str]) {
    for step in STEPS {
        // The first time, and at some time after it.
        for times in [0, 1 + fastrand::usize(..11)] {
            let name = format!("{step} after {times}, {format:?}");
            let scene = before(step, format);
            let ended = scene.go_on(&format!("{step}={times}*off->return(kill)"));
            if ended.code == Some(0) {
                assert!(times > 0, "{name}: it was never reached");
            } else {
                assert_eq!(ended.code, None, "{name}: {}", ended.stderr);
            }
            // A second time, at the same step of the resume.
            scene.go_on(&format!("{step}=return(kill)"));
            expect(scene.finish(), &name);
        }
    }
}

fn fail_at_every_step(format: &[&str]) {
    for step in STEPS {
        for times in [0, 1 + fastrand::usize(..11)] {
            let name = format!("{step} after {times}, {format:?}");
            let scene = before(step, format);
            let ended = scene.go_on(&format!("{step}={times}*off->return(EIO)"));
            match ended.code {
                Some(0) => assert!(times > 0, "{name}: it was never reached"),
                Some(code) => {
                    let resumable = if has_state(&scene.out) { 3 } else { 1 };
                    let is_told = ended.stderr.contains("input/output error");
                    assert!(is_told, "{name}: {}", ended.stderr);
                    assert_eq!(code, resumable, "{name}: {}", ended.stderr);
                }
                None => panic!("{name}: {}", ended.stderr),
            }
            expect(scene.finish(), &name);
        }
    }
}

fn delay_at_every_step(format: &[&str]) {
    for step in STEPS {
        let name = format!("{step}, {format:?}");
        let scene = before(step, format);
        let ended = scene.go_on(&format!("{step}=3*sleep(15)"));
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
        expect(scene.finish(), &name);
    }
}

#[test]
fn a_process_that_dies_at_any_step_loses_and_repeats_nothing() {
    FORMATS.into_iter().for_each(kill_at_every_step);
}

#[test]
fn a_step_that_fails_stops_the_export_resumably() {
    FORMATS.into_iter().for_each(fail_at_every_step);
}

#[test]
fn a_step_that_comes_late_changes_nothing() {
    FORMATS.into_iter().for_each(delay_at_every_step);
}
