//! Exports that go wrong at two steps, one after the other.

use cosmos_tail::failpoint::STEPS;

use crate::campaign::Task;
use crate::scene::{FORMATS, Scene, before, steps};

/// How the two steps are combined.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The process dies at the first; the resume dies at the second.
    Dies,
    /// The first fails, and then the resume fails at the second.
    Fails,
    /// The first fails, and in the same run the process dies at the second, if it is reached.
    InOneRun,
}

const WAYS: [Way; 3] = [Way::Dies, Way::Fails, Way::InOneRun];

/// All pairs, or `count` of them.
pub(crate) fn tasks(count: Option<usize>, seed: u64) -> Vec<Task> {
    let mut pairs = Vec::new();
    for format in FORMATS {
        for first in steps(format) {
            for second in STEPS {
                pairs.extend(WAYS.map(|way| (format, first, second, way)));
            }
        }
    }
    fastrand::Rng::with_seed(seed).shuffle(&mut pairs);
    let count = count.unwrap_or(pairs.len());
    let again = format!("--seed {seed} --pairs {count}");
    pairs.truncate(count);
    pairs
        .into_iter()
        .map(|(format, first, second, way)| Task {
            weight: 1,
            name: format!("{first}, then {second}, {way:?}, {format:?}"),
            again: again.clone(),
            run: Box::new(move || run(format, first, second, way)),
        })
        .collect()
}

fn run(format: &[&str], first: &str, second: &str, way: Way) -> Result<String, String> {
    let scene = before(first, format);
    let (first, second) = match way {
        Way::Dies => (
            format!("{first}=return(kill)"),
            format!("{second}=return(kill)"),
        ),
        Way::Fails => (
            format!("{first}=return(EIO)"),
            format!("{second}=return(ENOSPC)"),
        ),
        Way::InOneRun if first == second => {
            let both = format!("{first}=1*off->1*sleep(1)->return(EIO)");
            (both, format!("{second}=return(kill)"))
        }
        Way::InOneRun => {
            let both = format!("{first}=1*off->return(EIO);{second}=3*off->return(kill)");
            (both, String::new())
        }
    };
    let reached = is_reached(&scene, &first)? + is_reached(&scene, &second)?;
    scene.finish()?;
    Ok(format!("{reached} steps reached"))
}

/// Whether a run with these failpoints reached one of them, as 0 or 1.
fn is_reached(scene: &Scene, failpoints: &str) -> Result<usize, String> {
    let ended = scene.go_on(failpoints);
    match ended.code {
        Some(0) => Ok(0),
        None | Some(1 | 3) => Ok(1),
        Some(code) => Err(format!("exit {code}: {}", ended.stderr)),
    }
}
