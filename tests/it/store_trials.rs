//! Trials of exports to a store, drawn from seeds: kills, pairs of them, faults, and processes that take over from
//! each other. Each is judged by the oracle.

use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;

use crate::command::{signal, wait};
use crate::orders::fill;
use crate::store::{Call, CallKind, Trouble};
use crate::store_scene::StoreScene;

/// Runs without a fault after which an export that is not done is stuck.
const PATIENCE: usize = 6;

const FORMATS: [&[&str]; 4] = [
    &["--format", "jsonl"],
    &["--format", "jsonl", "--compression", "zstd"],
    &["--format", "csv", "--compression", "gzip"],
    &["--format", "parquet"],
];

/// A container and an export of it.
pub(crate) fn drawn(random: &mut Rng) -> StoreScene {
    let documents = 20 + random.usize(..180);
    let (page, rotate) = (5 + random.usize(..30), 1 + random.usize(..8));
    let mut arguments: Vec<String> = vec![
        format!("--page-size={page}"),
        format!("--rotate-bytes={rotate}KiB"),
    ];
    let format = FORMATS[random.usize(..FORMATS.len())];
    arguments.extend(format.iter().map(|&one| one.to_owned()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    StoreScene::with(1 + random.usize(..4), documents, &arguments)
}

/// The calls of a whole export of `scene`, which another one like it would make.
pub(crate) fn count_calls(scene: &StoreScene) -> usize {
    scene.store.script(|_, _| None);
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let count = scene.store.calls().len();
    scene.store.clear();
    count
}

/// Exports that are killed at random calls, and in between, until so many kills have hit.
pub(crate) fn kills(kills: usize, seed: u64) -> Result<(), String> {
    let random = &mut Rng::with_seed(seed);
    let mut hits = 0;
    while hits < kills {
        let scene = drawn(random);
        let mut calls = 60;
        let mut has_late_call = false;
        for _ in 0..1 + random.usize(..8) {
            let at = random.usize(..calls);
            let trouble = match random.usize(..3) {
                0 => Trouble::KillBefore,
                1 => Trouble::KillAfter,
                // Its last call arrives while the next process runs.
                _ => Trouble::KillLate(random.usize(..20)),
            };
            let between = (random.usize(..4) == 0).then(|| random.u64(..3000));
            scene
                .store
                .script(move |number, _| (between.is_none() && number == at).then_some(trouble));
            let mut child = scene.begin();
            if let Some(after) = between {
                // This kills between two calls, wherever the process is, so it has to wait for a random time.
                while scene.store.calls().len() < at.min(20) && !scene.store.is_idle(&mut child) {}
                std::thread::sleep(Duration::from_micros(after));
                // It may have ended.
                child.kill().ok();
            }
            let ended = wait(child);
            match ended.code {
                None => {
                    hits += 1;
                    has_late_call |= matches!(trouble, Trouble::KillLate(_));
                }
                Some(0) => {
                    calls = scene.store.calls().len().max(4);
                    // There is more to read for those that follow.
                    let new = random.usize(..40);
                    fill(&scene.container, 500..500 + new);
                }
                // The claim of a process that is dead arrives between a look at the place and the own claim: who comes
                // second stops, and nobody knows that the first one is gone.
                Some(1..=3) if has_late_call && ended.stderr.contains("another process") => {}
                Some(code) => return Err(format!("exit {code}: {}", ended.stderr)),
            }
        }
        scene.finish()?;
    }
    Ok(())
}

/// An export that dies or fails at one call, and whose resume dies at another one.
pub(crate) fn pair(first: (usize, Trouble), second: (usize, Trouble)) -> Result<(), String> {
    let scene = StoreScene::new(2, 80);
    for (at, trouble) in [first, second] {
        let ended = scene.go_on_with(move |number, _| (number == at).then_some(trouble));
        may_end_like_this(&ended)?;
    }
    scene.finish()
}

fn may_end_like_this(ended: &crate::command::Ended) -> Result<(), String> {
    match ended.code {
        // 4: a credential that was refused. 2: a place in which another process has begun an export.
        None | Some(0..=4) => Ok(()),
        other => Err(format!("{other:?}: {}", ended.stderr)),
    }
}

/// A fault of some calls of a run.
#[derive(Debug, Clone, Copy)]
struct Fault {
    from: usize,
    /// How many calls in a row that it is about.
    times: usize,
    /// Calls of this kind only.
    kind: Option<CallKind>,
    trouble: Trouble,
}

impl Fault {
    fn draw(random: &mut Rng) -> Self {
        const KINDS: [CallKind; 6] = [
            CallKind::Get,
            CallKind::Head,
            CallKind::List,
            CallKind::Put,
            CallKind::Part,
            CallKind::Complete,
        ];
        let trouble = match random.usize(..15) {
            0 | 1 => Trouble::Refused(503, "ServerBusy"),
            2 => Trouble::Refused(429, "TooManyRequests"),
            3 => Trouble::Refused(500, "InternalError"),
            4 => Trouble::Refused(403, "AuthenticationFailed"),
            5 => Trouble::Lost,
            6 | 7 => Trouble::Unanswered,
            8 | 9 => Trouble::Late(1 + random.usize(..12)),
            10 => Trouble::Slow(Duration::from_millis(random.u64(..30))),
            11 => Trouble::Stale,
            12 => Trouble::KillBefore,
            13 => Trouble::Hang,
            _ => Trouble::KillAfter,
        };
        Self {
            from: random.usize(..60),
            // What hangs for good would be waited for again and again.
            times: match trouble {
                Trouble::Hang => 1,
                _ => [1, 1, 1, 2, 5, usize::MAX][random.usize(..6)],
            },
            kind: random.bool().then(|| KINDS[random.usize(..KINDS.len())]),
            trouble,
        }
    }

    fn strikes(&mut self, number: usize, call: &Call) -> Option<Trouble> {
        let is_about = self.kind.is_none_or(|kind| kind == call.kind);
        if number < self.from || self.times == 0 || !is_about {
            return None;
        }
        self.times -= 1;
        Some(self.trouble)
    }
}

/// Runs with faults, processes that begin while others run among them, until the export is done. Returns what
/// became of it.
pub(crate) fn schedule(seed: u64, plant: &str) -> Result<&'static str, String> {
    let random = &mut Rng::with_seed(seed);
    let mut scene = drawn(random);
    plant.clone_into(&mut scene.plant);
    let mut worst = "went through";
    for _ in 0..1 + random.usize(..4) {
        let faults: Vec<Fault> = (0..1 + random.usize(..4))
            .map(|_| Fault::draw(random))
            .collect();
        let mut armed = faults.clone();
        scene.store.script(move |number, call| {
            armed
                .iter_mut()
                .find_map(|fault| fault.strikes(number, call))
        });
        let mut first = scene.begin();
        if random.usize(..3) == 0 {
            // Another process takes over wherever the first one is.
            let at = random.usize(..40);
            while scene.store.calls().len() < at && !scene.store.is_idle(&mut first) {}
            let second = crate::command::spawn(&mut scene.next_command());
            may_end_like_this(&wait(second))?;
        }
        let ended = wait(first);
        may_end_like_this(&ended)?;
        scene.store.clear();
        match ended.code {
            Some(0) => {}
            None => worst = "died and resumed",
            Some(_) if worst == "went through" => worst = "stopped and resumed",
            Some(_) => {}
        }
        let new = random.usize(..20);
        fill(&scene.container, 500..500 + new);
    }
    scene.finish()?;
    Ok(worst)
}

/// What became of the process that was paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paused {
    /// Another one had taken over, and it stopped.
    Lost,
    /// It had nothing left to commit.
    Done,
}

/// A process that is paused at its call number `at`, before or after that has its effect, until another one has
/// taken over and finished. The call itself can have its effect when the first process continues.
pub(crate) fn takeover(scene: &StoreScene, at: usize, has_effect: bool) -> Result<Paused, String> {
    let trouble = if has_effect {
        Trouble::Pause
    } else {
        Trouble::PauseBefore
    };
    scene
        .store
        .script(move |number, _| (number == at).then_some(trouble));
    let mut first = scene.begin();
    if !scene.store.wait_until_paused(&mut first) {
        let ended = wait(first);
        return Err(format!("it was not paused at call {at}: {}", ended.stderr));
    }
    let second = crate::command::spawn(&mut scene.next_command());
    let winner = second.id();
    let second = wait(second);
    if second.code != Some(0) {
        return Err(format!("the second: {:?} {}", second.code, second.stderr));
    }
    scene.store.clear();
    signal(&first, Signal::SIGCONT);
    let first = wait(first);
    let paused = match first.code {
        Some(0) => Paused::Done,
        Some(2) if first.stderr.contains("already exists") => Paused::Lost,
        Some(1 | 3) => {
            let lost = ["another process has claimed", "continued with another"];
            let told = [
                lost[usize::from(!first.stderr.contains(lost[0]))].to_owned(),
                format!("process {winner} on "),
                "which started at 20".to_owned(),
            ];
            if !told.iter().all(|told| first.stderr.contains(told)) {
                return Err(format!("the first: {}", first.stderr));
            }
            Paused::Lost
        }
        other => return Err(format!("the first: {other:?} {}", first.stderr)),
    };
    scene.judge()?;
    for _ in 0..PATIENCE {
        // What was written meanwhile is read by whoever comes next.
        fill(&scene.container, 700..710);
        if scene.go_on().code == Some(0) {
            scene.judge()?;
            return Ok(paused);
        }
    }
    Err("not done after the takeover".to_owned())
}
