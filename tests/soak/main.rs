//! The soak: thousands of kills, pairs of failpoints, and schedules of faults that are drawn from seeds, each
//! judged by the oracle.
//!
//! ```text
//! cargo test --locked --release --test soak -- --kills 20000 --pairs --schedules 50000
//! ```
//!
//! The same for exports to a store of objects:
//!
//! ```text
//! cargo test --locked --release --test soak -- --store-kills 20000 --store-pairs --store-schedules 20000 --takeovers 200
//! ```
//!
//! Without arguments it takes seconds, so that it is part of `cargo test` too. It reports its progress on
//! standard error. If anything was wrong, it prints the seeds and ends with exit code 1.

#![cfg_attr(
    unix,
    expect(
        clippy::unwrap_used,
        clippy::print_stderr,
        reason = "the soak talks, and stops at what cannot happen"
    )
)]

#[cfg(unix)]
mod campaign;
#[cfg(unix)]
mod options;
#[cfg(unix)]
mod pairs;
#[cfg(unix)]
mod schedule;
#[cfg(all(unix, feature = "object-stores"))]
mod stores;
#[cfg(unix)]
mod trouble;

// Shared with the integration tests, of which it uses only a part.
#[cfg(unix)]
#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../it/command.rs"]
mod command;
#[cfg(unix)]
#[path = "../it/gateway/mod.rs"]
mod gateway;
#[cfg(unix)]
#[path = "../it/kills.rs"]
mod kills;
#[cfg(unix)]
#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../it/oracle.rs"]
mod oracle;
#[cfg(unix)]
#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../it/orders.rs"]
mod orders;
#[cfg(unix)]
#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../it/query_oracle.rs"]
mod query_oracle;
#[cfg(unix)]
#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../it/scene.rs"]
mod scene;
#[cfg(all(unix, feature = "object-stores"))]
#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../it/store/mod.rs"]
mod store;
#[cfg(all(unix, feature = "object-stores"))]
#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../it/store_scene.rs"]
mod store_scene;
#[cfg(all(unix, feature = "object-stores"))]
#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../it/store_trials.rs"]
mod store_trials;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use campaign::Campaign;
    use clap::Parser as _;

    let options = options::Options::parse();
    if !options.is_for_soak() {
        return std::process::ExitCode::SUCCESS;
    }
    let plan = options.plan();
    eprintln!("seed {}, {} at a time", plan.seed, plan.jobs);
    let mut campaign = Campaign::new(plan.jobs);
    campaign.run("kills", kill_batches(plan.kills, plan.seed));
    campaign.run("pairs", pairs::tasks(plan.pairs, plan.seed));
    campaign.run("schedules", schedule::tasks(&plan));
    #[cfg(feature = "object-stores")]
    {
        campaign.run("store kills", stores::kills(&plan));
        campaign.run("store pairs", stores::pairs(&plan));
        campaign.run("store schedules", stores::schedules(&plan));
        campaign.run("takeovers", stores::takeovers(&plan));
    }
    campaign.finish()
}

#[cfg(not(unix))]
fn main() {}

/// Kills in a batch, which has a gateway of its own.
#[cfg(unix)]
const BATCH: usize = 40;

/// Random kills, spread over the kinds of victims.
#[cfg(unix)]
fn kill_batches(kills: usize, seed: u64) -> Vec<campaign::Task> {
    use kills::Victim;

    const VICTIMS: [Victim; 13] = [
        Victim::new(2000, &[]),
        Victim::new(2000, &["--compression", "zstd", "--rotate-bytes", "8KiB"]),
        Victim::new(1000, &["--format", "csv", "--compression", "gzip"]),
        Victim::new(1000, &["--format", "parquet", "--rotate-bytes", "8KiB"]),
        Victim::new(2000, &["--rotate-bytes", "8KiB"]).across_splits(),
        Victim::new(2000, &["--compression", "gzip"]).across_splits(),
        Victim::new(1000, &["--format", "csv", "--rotate-bytes", "8KiB"]).across_splits(),
        Victim::new(1000, &["--format", "parquet"]).across_splits(),
        Victim::new(2000, &[]).lagging(),
        Victim::new(2000, &["--rotate-bytes", "8KiB"]).rewritten(),
        Victim::new(1000, &["--format", "csv"])
            .lagging()
            .rewritten(),
        Victim::new(1000, &[]).across_splits().lagging().rewritten(),
        Victim::new(1000, &["--format", "parquet"]).rewritten(),
    ];
    (0..kills)
        .step_by(BATCH)
        .zip(0..)
        .map(|(done, number)| {
            let victim = VICTIMS[number % VICTIMS.len()];
            let kills = BATCH.min(kills - done);
            let seed = seed.wrapping_add(number as u64);
            campaign::Task {
                weight: kills,
                name: format!("kills of {victim:?}, seed {seed}"),
                again: format!("--seed {seed} --kills {kills}"),
                run: Box::new(move || victim.kill(kills, seed).map(|()| String::new())),
            }
        })
        .collect()
}
