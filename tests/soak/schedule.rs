//! Schedules of faults, each drawn from a seed: the container, the export, and what goes wrong in each run.
//!
//! Moments are counted, not timed: the nth request of a run, the nth pass of a step. The export reads one
//! range at a time, commits by bytes, and takes no page before the last commit has ended; events of the
//! container in a run have happened when the next one begins, even if the run died before. So a seed stands
//! for one course of events, and [`Course`] can compare two.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cosmos_tail::failpoint::STEPS;
use cosmos_tail::state::file;
use fastrand::Rng;

use crate::campaign::Task;
use crate::command::{Ended, all_files, export, resume, run, state_directory};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, Lock, RequestKind, RequestRecord, at_random,
};
use crate::options::Plan;
use crate::oracle::{Snapshot, judge, judge_one_shot};
use crate::orders::{document, filled_with};
use crate::scene::{FORMATS, has_state};
use crate::trouble::Trouble;

/// Runs without faults after which an export that is not done is stuck.
const PATIENCE: usize = 4;
/// Default consistency levels of accounts.
const CONSISTENCIES: [&str; 4] = [
    "Session",
    "Eventual",
    "ConsistentPrefix",
    "BoundedStaleness",
];
/// The largest number of partitions of a container.
const MOST_PARTITIONS: usize = 7;

/// One for each seed from the plan's on.
pub(crate) fn tasks(plan: &Plan) -> Vec<Task> {
    let seeds = (0..plan.schedules as u64).map(|offset| plan.seed.wrapping_add(offset));
    let (twice, tell) = (plan.twice, plan.tell);
    seeds
        .map(|seed| {
            let plant = plan.plant.clone();
            Task {
                weight: 1,
                name: format!("schedule {seed}"),
                again: format!("--seed {seed} --schedules 1"),
                run: Box::new(move || judge_seed(seed, twice, tell, &plant)),
            }
        })
        .collect()
}

fn judge_seed(seed: u64, twice: bool, tell: bool, plant: &str) -> Result<String, String> {
    let schedule = Schedule::draw(seed);
    let course = schedule.run(plant);
    if tell {
        eprintln!("{schedule:#?}\n{}", course.told);
    }
    let judged = |course: &Course| match &course.wrong {
        Some(wrong) => Err(format!("{wrong}\n{}", course.told)),
        None => Ok(match course.worst {
            Worst::WentThrough => "went through",
            Worst::Stopped => "stopped and resumed",
            Worst::Died => "died and resumed",
        }
        .to_owned()),
    };
    if twice {
        let again = schedule.run(plant);
        if course.told != again.told {
            let (first, second) = (&course.told, &again.told);
            return Err(format!("not the same again:\n{first}\n{second}"));
        }
    }
    judged(&course)
}

/// The schedule of a seed.
#[derive(Debug)]
struct Schedule {
    partitions: usize,
    documents: usize,
    consistency: &'static str,
    arguments: Vec<String>,
    /// Options of every run, since a resume does not take the others.
    retries: usize,
    runs: Vec<Run>,
}

/// What goes wrong in one run.
#[derive(Debug)]
struct Run {
    failpoints: String,
    faults: Vec<Trouble>,
    /// A seed, and the largest lag of replicas in transactions in the whole run.
    lag: Option<(u64, u64)>,
    moments: Vec<Moment>,
}

/// An event of the container before the nth requested page.
#[derive(Debug)]
struct Moment {
    nth: usize,
    change: Change,
}

#[derive(Debug, Clone)]
enum Change {
    /// Splits a partition into so many.
    Split(usize, usize),
    /// Merges two neighbours.
    Merge(usize),
    /// Lets a partition refuse this many requests, as during a split.
    Lock(usize, usize),
    /// Writes documents: some are new, some replace others.
    Write(std::ops::Range<usize>),
    /// Deletes one.
    Delete(usize),
    /// Writes one once more.
    Rewrite(usize),
}

/// What became of a schedule.
struct Course {
    /// How its worst run ended.
    worst: Worst,
    /// A line for each run: how it ended, and its result.
    told: String,
    wrong: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worst {
    WentThrough,
    Stopped,
    Died,
}

/// Small numbers more often than large ones.
pub(crate) fn small(random: &mut Rng, most: usize) -> usize {
    let most = 1 + random.usize(..most);
    1 + random.usize(..most)
}

impl Schedule {
    fn draw(seed: u64) -> Self {
        let random = &mut Rng::with_seed(seed);
        let documents = 20 + random.usize(..380);
        let page_size = 1 + documents / 40 + random.usize(..30);
        let mut arguments: Vec<String> = FORMATS[random.usize(..FORMATS.len())]
            .iter()
            .chain(["--page-size", &page_size.to_string()].iter())
            .map(|&argument| argument.to_owned())
            .collect();
        // A commit after each page, or after several.
        let commit = if random.bool() {
            1
        } else {
            small(random, 20) << 10
        };
        arguments.push(format!("--checkpoint-bytes={commit}"));
        if random.bool() {
            arguments.push(format!("--rotate-bytes={}", small(random, 16) << 10));
        }
        let runs = small(random, 4);
        Self {
            partitions: small(random, 4),
            documents,
            consistency: CONSISTENCIES[random.usize(..CONSISTENCIES.len())],
            arguments,
            retries: small(random, 3),
            runs: (0..runs).map(|_| Run::draw(random, documents)).collect(),
        }
    }

    fn run(&self, plant: &str) -> Course {
        let options = GatewayOptions {
            consistency: self.consistency,
            ..GatewayOptions::default()
        };
        let (gateway, container) = filled_with(options, self.partitions, self.documents);
        let directory = tempfile::tempdir().unwrap();
        let mut course = Course {
            worst: Worst::WentThrough,
            told: String::new(),
            wrong: None,
        };
        let scene = Scene {
            schedule: self,
            gateway,
            container,
            out: directory.path().join("out"),
        };
        if let Err(wrong) = scene.play(plant, &mut course) {
            let kept = directory.keep();
            course.wrong = Some(format!("{wrong}; see {}", kept.display()));
        }
        course
    }
}

impl Run {
    /// The largest lag of a replica in transactions.
    fn longest_lag(&self) -> u64 {
        let own = self.lag.map_or(0, |(_, most)| most);
        self.faults.iter().map(Trouble::lag).fold(own, u64::max)
    }

    fn draw(random: &mut Rng, documents: usize) -> Self {
        let mut failpoints: Vec<String> = Vec::new();
        for _ in 0..random.usize(1..4) {
            let step = STEPS[random.usize(..STEPS.len())];
            // Each commit passes the steps of a state; the other steps are rare.
            let most = if step.starts_with("state.") { 24 } else { 4 };
            let passed = small(random, most) - 1;
            failpoints.push(format!("{step}={passed}*off->{}", action_of(random, step)));
        }
        let faults = (0..random.usize(..4)).map(|_| Trouble::draw(random));
        let faults = faults.collect();
        let mut moments: Vec<Moment> = (0..random.usize(..4))
            .map(|_| Moment {
                nth: small(random, 25),
                change: Change::draw(random, documents),
            })
            .collect();
        // A writer that writes while one reads: a document before every so manieth page.
        if random.usize(..3) == 0 {
            let every = small(random, 3);
            let rewrites = (1..=small(random, 30)).map(|time| Moment {
                nth: time * every,
                change: Change::Rewrite(random.usize(..documents)),
            });
            moments.extend(rewrites);
        }
        moments.sort_by_key(|moment| moment.nth);
        let lag = (random.usize(..6) == 0).then(|| (random.u64(..), small(random, 30) as u64));
        Self {
            failpoints: failpoints.join(";"),
            faults,
            lag,
            moments,
        }
    }
}

fn action_of(random: &mut Rng, step: &str) -> String {
    let refusals = ["return(EIO)", "return(ENOSPC)", "return(EDQUOT)"];
    let writes = ["return(torn)", "1*return(short)", "1*return(EINTR)"];
    match random.usize(..10) {
        0..6 => "return(kill)".to_owned(),
        6 => format!("2*sleep({})", small(random, 5)),
        7 if step.ends_with(".write") => writes[random.usize(..writes.len())].to_owned(),
        // Once, or for good.
        8 => format!("1*{}", refusals[random.usize(..refusals.len())]),
        _ => refusals[random.usize(..refusals.len())].to_owned(),
    }
}

impl Change {
    fn draw(random: &mut Rng, documents: usize) -> Self {
        let which = random.usize(..);
        match random.usize(..10) {
            0..4 => Self::Split(which, 2 + random.usize(..2)),
            4..6 => Self::Merge(which),
            6 => Self::Lock(which, small(random, 12)),
            7 => Self::Delete(which),
            _ => {
                let first = random.usize(..documents + 20);
                Self::Write(first..first + small(random, 30))
            }
        }
    }

    fn happen(&self, container: &Container) {
        let partitions = container.partitions();
        match *self {
            Self::Split(which, parts) if partitions.len() + parts <= MOST_PARTITIONS + 1 => {
                container.split(&partitions[which % partitions.len()].id, parts);
            }
            Self::Merge(which) if partitions.len() > 1 => {
                let at = which % (partitions.len() - 1);
                container.merge(&partitions[at].id, &partitions[at + 1].id);
            }
            Self::Lock(which, requests) => {
                let partition = &partitions[which % partitions.len()];
                container.lock(&partition.id, Lock::Requests(requests));
            }
            Self::Write(ref numbers) => {
                for number in numbers.clone() {
                    container.upsert(document(number));
                }
            }
            Self::Delete(which) => {
                let latest = container.latest();
                if !latest.is_empty() {
                    let served = &latest[which % latest.len()];
                    let document: serde_json::Value = serde_json::from_slice(&served.text).unwrap();
                    container.delete(&served.id, document["pk"].clone());
                }
            }
            Self::Rewrite(number) => {
                container.rewrite(&format!("item-{number}"));
            }
            Self::Split(..) | Self::Merge(_) => {}
        }
    }
}

/// A schedule that is being played.
struct Scene<'a> {
    schedule: &'a Schedule,
    gateway: Gateway,
    container: Container,
    out: PathBuf,
}

/// A change that has still to happen.
type Pending = Arc<Mutex<Option<Change>>>;

fn happen_once(pending: &Pending, container: &Container) {
    let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(change) = pending.take() {
        change.happen(container);
    }
}

impl Scene<'_> {
    fn play(&self, plant: &str, course: &mut Course) -> Result<(), String> {
        let lags = self.schedule.runs.iter().map(Run::longest_lag);
        let lag = lags.max().unwrap_or_default();
        // The documents at the start of the run that the next ones continue until it is done.
        let mut before = Snapshot::of_replicas(&self.container, lag);
        for run in &self.schedule.runs {
            let pending = self.arm(run);
            let ended = self.go_on(&format!("{plant};{}", run.failpoints));
            self.gateway.clear_faults();
            self.gateway.clear_lag();
            let is_done = ended.code == Some(0);
            if is_done {
                let existed = before.existed_until_now(&self.container);
                judge_one_shot(&self.gateway, &self.container, &self.out, &existed)?;
            }
            for pending in &pending {
                happen_once(pending, &self.container);
            }
            for partition in self.container.partitions() {
                self.container.unlock(&partition.id);
            }
            self.note(&ended, course);
            match ended.code {
                None | Some(0 | 3) => {}
                // Before there is a state there is nothing to resume.
                Some(1) if !has_state(&self.out) => {}
                Some(code) => return Err(format!("exit {code}: {}", ended.stderr)),
            }
            if is_done {
                before = Snapshot::of_replicas(&self.container, lag);
            }
        }
        self.finish(plant, course)?;
        // Written after the end.
        let ended = self.go_on(plant);
        self.note(&ended, course);
        if ended.code != Some(0) {
            return Err(format!("{:?} in the end: {}", ended.code, ended.stderr));
        }
        judge(&self.gateway, &self.container, &self.out)
    }

    fn finish(&self, plant: &str, course: &mut Course) -> Result<(), String> {
        for _ in 0..PATIENCE {
            let ended = self.go_on(plant);
            self.note(&ended, course);
            match ended.code {
                Some(0) => return Ok(()),
                code => {
                    if code != Some(3) {
                        return Err(format!("{code:?} without a fault: {}", ended.stderr));
                    }
                }
            }
        }
        Err(format!("not done after {PATIENCE} runs without a fault"))
    }

    /// Scripts the faults of the next run.
    fn arm(&self, run: &Run) -> Vec<Pending> {
        for fault in &run.faults {
            self.gateway.push_fault(fault.fault());
        }
        if let Some((seed, most)) = run.lag {
            self.gateway.set_lag(at_random(seed, most));
        }
        let mut armed = Vec::new();
        for moment in &run.moments {
            let pending: Pending = Arc::new(Mutex::new(Some(moment.change.clone())));
            let (change, container) = (Arc::clone(&pending), self.container.clone());
            let call = Action::call(move || happen_once(&change, &container));
            self.gateway.push_fault(
                Fault::on(RequestKind::ChangeFeed, call)
                    .when(RequestRecord::is_page)
                    .nth(moment.nth),
            );
            armed.push(pending);
        }
        armed
    }

    fn go_on(&self, failpoints: &str) -> Ended {
        let mut command = if has_state(&self.out) {
            resume(&self.gateway, &self.out)
        } else {
            let mut command = export(&self.gateway, &self.out);
            command.args(&self.schedule.arguments);
            command
        };
        command.args(["--concurrency", "1", "--checkpoint-interval", "1h"]);
        command.arg(format!("--max-retries={}", self.schedule.retries));
        command.env("COSMOS_TAIL_LOCKSTEP", "1");
        run(command.env("COSMOS_TAIL_FAILPOINTS", failpoints.trim_matches(';')))
    }

    /// Describes how a run ended and its files, without what differs between exports.
    fn note(&self, ended: &Ended, course: &mut Course) {
        course.worst = course.worst.max(match ended.code {
            Some(0) => Worst::WentThrough,
            Some(_) => Worst::Stopped,
            None => Worst::Died,
        });
        let told = &mut course.told;
        write!(told, "{:?}:", ended.code).unwrap();
        if let Ok(state) = file::load(&state_directory(&self.out).join("state.json")) {
            let documents = state.totals.documents;
            write!(
                told,
                " generation {}, {documents} documents",
                state.generation
            )
            .unwrap();
        }
        if !self.out.exists() {
            return told.push('\n');
        }
        let parts = all_files(&self.out);
        for (name, path) in parts.iter().filter_map(|path| Some((name_of(path)?, path))) {
            let length = std::fs::metadata(path).unwrap().len();
            write!(told, " {name} {length}").unwrap();
        }
        told.push('\n');
    }
}

/// The part of a file name after the id of the export: its numbers and its format.
fn name_of(path: &Path) -> Option<&str> {
    let (_, numbers) = path.file_name()?.to_str()?.split_once('-')?;
    Some(numbers)
}
