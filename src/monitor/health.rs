//! `/healthz` and `/readyz`.

use std::time::Duration;

use super::board::{Board, Direction};
use crate::cosmos::traffic::Asker;

/// What keeps a command from being alive: an account that does not answer for longer than the limit.
///
/// # Errors
///
/// The reason.
pub(super) fn alive(board: &Board) -> Result<(), String> {
    let limit = board.health_timeout;
    let figures = board.lock();
    if figures.begun.is_none() && figures.emulated.is_none() {
        // Connecting, and what comes before the first range is read.
        let answers = figures.traffic.iter();
        let last = answers.filter_map(|(_, traffic)| traffic.exchanged().last_success);
        let last = last.max().unwrap_or(board.started);
        return within(last.elapsed(), limit, "the account");
    }
    for (direction, traffic) in &figures.traffic {
        if let Some((asker, waited)) = traffic.longest_wait() {
            let who = match (asker, direction) {
                (Asker::Range(range), _) => format!("feed range {range}"),
                (Asker::Write(_), Direction::Write) => "a write".to_owned(),
                (Asker::Write(_), Direction::Read | Direction::Target | Direction::Serve) => {
                    "a request".to_owned()
                }
            };
            within(waited, limit, &who)?;
        }
    }
    Ok(())
}

fn within(waited: Duration, limit: Duration, who: &str) -> Result<(), String> {
    if waited <= limit {
        return Ok(());
    }
    Err(format!(
        "{who} has had no successful answer for {:.0} s (--health-timeout {})",
        waited.as_secs_f64(),
        humantime::format_duration(limit)
    ))
}

/// What keeps a command from being ready.
///
/// # Errors
///
/// The reason.
pub(super) fn ready(board: &Board) -> Result<(), String> {
    let figures = board.lock();
    if figures.is_ready() {
        return Ok(());
    }
    if figures.emulated.is_some() {
        return Err("the account does not have its documents yet".to_owned());
    }
    if figures.begun.is_none() {
        return Err("not connected yet".to_owned());
    }
    Err("not every feed range has a position that is committed".to_owned())
}
