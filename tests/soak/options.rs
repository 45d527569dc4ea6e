//! The command line.

use clap::Parser;

/// Kills, pairs of failpoints and fault schedules, each judged by the oracle. Without arguments:
/// a few of each.
#[derive(Debug, Parser)]
#[command(name = "soak")]
pub(crate) struct Options {
    /// Kill exports at random moments, so often
    #[arg(long, value_name = "N")]
    kills: Option<usize>,
    /// Let exports die or fail at two steps, in this many ways; all of them if no number is given
    #[arg(long, value_name = "N", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "the flag, and its value")]
    pairs: Option<Option<usize>>,
    /// Run so many schedules of faults, each drawn from a seed
    #[arg(long, value_name = "N")]
    schedules: Option<usize>,
    /// Kill exports to a store of objects, at calls and between them, so often
    #[arg(long, value_name = "N")]
    store_kills: Option<usize>,
    /// Let exports to a store die or fail at one call, and their resumes at another one, in this many ways; all of
    /// them if no number is given
    #[arg(long, value_name = "N", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "the flag, and its value")]
    store_pairs: Option<Option<usize>>,
    /// Run so many schedules of faults of a store, each drawn from a seed
    #[arg(long, value_name = "N")]
    store_schedules: Option<usize>,
    /// Pause exports to a store until another process has taken over, so often
    #[arg(long, value_name = "N")]
    takeovers: Option<usize>,
    /// The first seed; the others follow it [default: random]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Run each schedule twice; it is a failure if the second run differs from the first
    #[arg(long)]
    twice: bool,
    /// A failpoint for every run of every schedule, such as a defect that the soak should find
    #[arg(long, value_name = "NAME=ACTION", default_value = "")]
    plant: String,
    /// Print each schedule, and the result of each of its runs
    #[arg(long)]
    tell: bool,
    /// So many at a time [default: twice the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Names of tests, as `cargo test` hands them to each of its binaries
    #[arg(hide = true)]
    filters: Vec<String>,
    /// Given to the other test binaries
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    list: bool,
    #[arg(long, hide = true)]
    ignored: bool,
    #[arg(long, hide = true)]
    test_threads: Option<usize>,
}

/// What to run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kills: usize,
    /// `None`: all.
    pub(crate) pairs: Option<usize>,
    pub(crate) schedules: usize,
    pub(crate) store_kills: usize,
    /// `None`: all.
    pub(crate) store_pairs: Option<usize>,
    pub(crate) store_schedules: usize,
    pub(crate) takeovers: usize,
    pub(crate) seed: u64,
    pub(crate) twice: bool,
    pub(crate) plant: String,
    pub(crate) tell: bool,
    pub(crate) jobs: usize,
}

impl Options {
    /// Whether this test is requested and should run.
    pub(crate) fn is_for_soak(&self) -> bool {
        let is_named = self
            .filters
            .iter()
            .any(|filter| "soak".contains(filter.as_str()));
        (self.filters.is_empty() || is_named) && !self.list && !self.ignored
    }

    pub(crate) fn plan(self) -> Plan {
        let counts = [
            self.kills,
            self.schedules,
            self.store_kills,
            self.store_schedules,
            self.takeovers,
        ];
        let is_short = counts.iter().all(Option::is_none)
            && self.pairs.is_none()
            && self.store_pairs.is_none();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Plan {
            kills: self.kills.unwrap_or(if is_short { 10 } else { 0 }),
            pairs: self.pairs.unwrap_or(Some(if is_short { 12 } else { 0 })),
            schedules: self.schedules.unwrap_or(if is_short { 10 } else { 0 }),
            store_kills: self.store_kills.unwrap_or(if is_short { 5 } else { 0 }),
            store_pairs: self
                .store_pairs
                .unwrap_or(Some(if is_short { 4 } else { 0 })),
            store_schedules: self.store_schedules.unwrap_or(if is_short { 5 } else { 0 }),
            takeovers: self.takeovers.unwrap_or(if is_short { 2 } else { 0 }),
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..1 << 48)),
            twice: self.twice || is_short,
            plant: self.plant,
            tell: self.tell,
            jobs: self.jobs.or(self.test_threads).unwrap_or(2 * cores).max(1),
        }
    }
}
