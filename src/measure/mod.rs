//! Measures how far a job is behind its container, by its state.
//!
//! [`watched`] reads the state of an export, a tail or a replay, without its lock. [`probe`] asks the service for
//! what comes after each position, [`figures`] computes from the answers, and [`show`] prints.

mod figures;
mod probe;
mod show;
mod watched;

use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cli::values::LagLimit;
use crate::clock;
use crate::cosmos::error::ContainerReplaced;
use crate::error::{ExitCode, with_hint};
use crate::job::Connected;
use crate::report::Report;
use crate::settings::LagPlan;
use crate::signal::Shutdown;

use figures::{Figures, Lag, Rate};
pub(crate) use watched::Watched;

/// How often a measurement begins again since partitions were split or merged meanwhile.
const MAX_REPEATS: u32 = 5;

/// Measures the lag of a job, once or again and again, and prints it. `watched` is its state, `connected` the
/// container that this names.
///
/// # Errors
///
/// If the state cannot be read again, or the service does not answer.
pub(crate) async fn lag(
    mut watched: Watched,
    connected: Connected,
    plan: &LagPlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    connected.limit_reads(plan.max_ru, report).await?;
    let mut rate = Rate::default();
    loop {
        ensure_same(&watched, &connected)?;
        let measured = tokio::select! {
            () = shutdown.requested() => return Ok(stopped(shutdown)),
            measured = measure(&watched, &connected) => measured?,
        };
        let lag = rate.note(Instant::now(), measured);
        show::print(&watched, &lag, plan, report)?;
        if let Some(limit) = plan.fail_above
            && is_above(&lag.all, limit)?
        {
            report.notice("the lag is above --fail-above");
            return Ok(ExitCode::Above);
        }
        let Some(pause) = plan.watch else {
            return Ok(ExitCode::Done);
        };
        tokio::select! {
            () = shutdown.requested() => return Ok(stopped(shutdown)),
            () = tokio::time::sleep(pause) => {}
        }
        watched = Watched::read(&plan.state_path)?;
    }
}

fn stopped(shutdown: &Shutdown) -> ExitCode {
    shutdown.reason().unwrap_or(ExitCode::Interrupted)
}

/// Refuses a container that replaced the one of the state: its positions mean nothing there.
fn ensure_same(watched: &Watched, connected: &Connected) -> Result<()> {
    let (expected, found) = (
        &watched.source.container_rid,
        &connected.source.container_rid,
    );
    if expected == found {
        return Ok(());
    }
    let replaced = ContainerReplaced {
        found: found.clone(),
        expected: expected.clone(),
    };
    Err(with_hint(
        replaced,
        "the job of this state cannot continue; begin a new one",
    ))
}

async fn measure(watched: &Watched, connected: &Connected) -> Result<Lag> {
    for _ in 0..MAX_REPEATS {
        let charged = connected.client.traffic().exchanged().request_units();
        let partitions = connected.client.list_partitions(true).await?;
        if let Some(pieces) = probe::probe(watched, &connected.client, &partitions).await? {
            let mut lag = figures::lag(&pieces, clock::now().unix_timestamp());
            lag.request_charge = connected.client.traffic().exchanged().request_units() - charged;
            return Ok(lag);
        }
    }
    bail!(
        "the partitions of the container are split and merged faster than their lag can be measured"
    )
}

/// Whether the lag is above the limit. What is at most so much counts as so much.
fn is_above(all: &Figures, limit: LagLimit) -> Result<bool> {
    match limit {
        LagLimit::Transactions(most) => {
            let transactions = all.transactions;
            let transactions = transactions.context(
                "the service names no LSN, so it is not known how many transactions the lag is",
            )?;
            Ok(transactions > most)
        }
        LagLimit::Time(most) => {
            let waiting = all.waiting.context(
                "the changes have no time (_ts), so it is not known how long they have waited",
            )?;
            Ok(waiting > most.as_secs())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_not_known_is_neither_above_a_limit_nor_below_it() {
        let of = |transactions, waiting| Figures {
            transactions,
            waiting,
            ..Figures::default()
        };
        let transactions = LagLimit::Transactions(10);
        let time = LagLimit::Time(Duration::from_secs(60));
        for (figures, limit, expected) in [
            (of(Some(10), Some(61)), transactions, Some(false)),
            (of(Some(11), Some(0)), transactions, Some(true)),
            (of(None, Some(0)), transactions, None),
            (of(Some(11), Some(60)), time, Some(false)),
            (of(Some(0), Some(61)), time, Some(true)),
            (of(Some(1), None), time, None),
        ] {
            assert_eq!(is_above(&figures, limit).ok(), expected, "{figures:?}");
        }
    }
}
