//! Runs tasks in parallel, and reports the progress and what was wrong.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Something to be run and judged.
pub(crate) struct Task {
    /// The kind that it is counted as.
    pub(crate) weight: usize,
    pub(crate) name: String,
    /// The arguments that run it again.
    pub(crate) again: String,
    /// Returns further counts beside the task, such as `both steps reached`.
    pub(crate) run: Box<dyn Fn() -> Result<String, String> + Send>,
}

/// How often progress is reported.
const TELL_EVERY: Duration = Duration::from_secs(10);

pub(crate) struct Campaign {
    jobs: usize,
    /// What was run, in words.
    done: Vec<String>,
    failures: Vec<String>,
}

struct Progress {
    tasks: VecDeque<Task>,
    done: usize,
    counts: std::collections::BTreeMap<String, usize>,
    failures: Vec<String>,
    told: Instant,
}

impl Campaign {
    pub(crate) fn new(jobs: usize) -> Self {
        Self {
            jobs,
            done: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Runs `tasks`.
    pub(crate) fn run(&mut self, what: &str, tasks: Vec<Task>) {
        let all: usize = tasks.iter().map(|task| task.weight).sum();
        if all == 0 {
            return;
        }
        let began = Instant::now();
        let progress = Mutex::new(Progress {
            tasks: tasks.into(),
            done: 0,
            counts: Default::default(),
            failures: Vec::new(),
            told: began,
        });
        std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| work(what, all, began, &progress));
            }
        });
        let progress = progress
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let seconds = began.elapsed().as_secs_f64();
        let mut line = format!("{what}: {} in {seconds:.1} s", progress.done);
        for (count, times) in &progress.counts {
            line.push_str(&format!(", {count}: {times}"));
        }
        if !progress.failures.is_empty() {
            line.push_str(&format!(", WRONG: {}", progress.failures.len()));
        }
        eprintln!("{line}");
        self.done.push(line);
        self.failures.extend(progress.failures);
    }

    /// Reports what was wrong.
    pub(crate) fn finish(self) -> ExitCode {
        if self.failures.is_empty() {
            return ExitCode::SUCCESS;
        }
        eprintln!("\nwrong:");
        for failure in &self.failures {
            eprintln!("  cargo test --locked --release --test soak -- {failure}");
        }
        ExitCode::FAILURE
    }
}

fn work(what: &str, all: usize, began: Instant, progress: &Mutex<Progress>) {
    let lock = || progress.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let Some(task) = lock().tasks.pop_front() else {
            return;
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| (task.run)()));
        let outcome = outcome.unwrap_or_else(|_| Err("it panicked; see above".to_owned()));
        let mut progress = lock();
        progress.done += task.weight;
        match outcome {
            Ok(count) if count.is_empty() => {}
            Ok(count) => *progress.counts.entry(count).or_default() += task.weight,
            Err(wrong) => {
                eprintln!("{}: {wrong}", task.name);
                progress.failures.push(task.again);
            }
        }
        if progress.told.elapsed() >= TELL_EVERY {
            progress.told = Instant::now();
            let seconds = began.elapsed().as_secs();
            eprintln!("{what}: {} of {all} in {seconds} s", progress.done);
        }
    }
}
