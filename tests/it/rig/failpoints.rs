//! Every step of a commit and of a recovery, for every format: the process dies there, the step fails, the
//! step is delayed.

use crate::command::Ended;
use crate::scene::{FORMATS, Scene, before, expect, has_state, steps};

/// A run in which `step` does `action` after it was passed `times` times.
///
/// The files after a prelude depend on the progress of the writers, so a step may not be needed: then another
/// scene is tried.
fn reached(step: &str, times: usize, action: &str, format: &[&str]) -> (Scene, Ended) {
    for _ in 0..20 {
        let scene = before(step, format);
        let ended = scene.go_on(&format!("{step}={times}*off->{action}"));
        if times > 0 || ended.code != Some(0) {
            return (scene, ended);
        }
    }
    panic!("{step}, {format:?}: it was never reached");
}

fn kill_at_every_step(format: &[&str]) {
    for step in steps(format) {
        // The first time, and for one format also at some time after it.
        for times in [0, 1 + fastrand::usize(..11)] {
            if times > 0 && format != FORMATS[0] {
                continue;
            }
            let name = format!("{step} after {times}, {format:?}");
            let (scene, ended) = reached(step, times, "return(kill)", format);
            assert!(
                matches!(ended.code, None | Some(0)),
                "{name}: {}",
                ended.stderr
            );
            // A second time, at the same step of the resume.
            scene.go_on(&format!("{step}=return(kill)"));
            expect(scene.finish(), &name);
        }
    }
}

fn fail_at_every_step(format: &[&str]) {
    for step in steps(format) {
        let name = format!("{step}, {format:?}");
        let (scene, ended) = reached(step, 0, "return(EIO)", format);
        let resumable = if has_state(&scene.out) { 3 } else { 1 };
        let is_told = ended.stderr.contains("input/output error");
        assert!(is_told, "{name}: {}", ended.stderr);
        assert_eq!(ended.code, Some(resumable), "{name}: {}", ended.stderr);
        expect(scene.finish(), &name);
    }
}

fn delay_at_every_step(format: &[&str]) {
    for step in steps(format) {
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
fn a_delayed_step_changes_nothing() {
    delay_at_every_step(FORMATS[0]);
}
