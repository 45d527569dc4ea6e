//! `/metrics`.

use super::board::{Board, Compared, Emulated, Figures};
use super::exposition::Exposition;
use super::exposition::Kind::{Counter, Gauge};
use super::process;
use super::ranges::Ranges;
use crate::clock;

/// The metrics, in the text format of Prometheus.
pub(super) fn text(board: &Board) -> String {
    let mut out = Exposition::default();
    out.family(
        "build_info",
        Gauge,
        "The version of this build and its command; always 1.",
    );
    let version = env!("CARGO_PKG_VERSION");
    out.sample(&[("version", version), ("command", board.command)], 1);
    let figures = board.lock();
    if let Some(emulated) = &figures.emulated {
        write_emulated(&mut out, emulated);
        write_traffic(&mut out, &figures);
    } else {
        write_changes(&mut out, &figures);
        write_traffic(&mut out, &figures);
        write_commits(&mut out, &figures);
        write_ranges(&mut out, &figures, board.per_range);
        if let Some(compared) = &figures.compared {
            write_compared(&mut out, compared);
        }
    }
    drop(figures);
    process::write(&mut out);
    out.into_text()
}

const CHANGES: &str =
    "Changes read; in a replay, changes that are done; in `demo`, writes of its own.";
const SPLITS: &str = "Feed ranges that were split.";
const MERGES: &str = "Merges of partitions that were noticed.";

fn write_emulated(out: &mut Exposition, emulated: &Emulated) {
    out.family("changes_total", Counter, CHANGES);
    for (operation, number) in &emulated.changes {
        out.sample(&[("operation", operation)], number);
    }
    out.family("splits_total", Counter, SPLITS);
    out.sample(&[], emulated.splits);
    out.family("merges_total", Counter, MERGES);
    out.sample(&[], emulated.merges);
}

fn write_changes(out: &mut Exposition, figures: &Figures) {
    let counts = &figures.counts;
    let applied = figures.applied.as_ref();
    out.family("changes_total", Counter, CHANGES);
    match applied {
        Some(applied) => {
            for (operation, number) in &applied.changes {
                out.sample(&[("operation", operation)], number);
            }
        }
        None => {
            for (operation, number) in &figures.changes {
                out.sample(&[("operation", operation)], number);
            }
        }
    }
    out.family(
        "bytes_total",
        Counter,
        "Bytes of the pages read; in a replay, of the changes applied.",
    );
    out.sample(&[], applied.map_or(counts.bytes, |applied| applied.bytes));
    out.family(
        "retries_total",
        Counter,
        "Requests that were retried after the SDK had given up.",
    );
    out.sample(
        &[],
        applied.map_or(counts.retries, |applied| applied.retries),
    );
    if let Some(applied) = applied {
        out.family(
            "dead_letters_total",
            Counter,
            "Refused changes that the file of dead letters keeps.",
        );
        out.sample(&[], applied.dead_letters);
        out.family(
            "pending_changes",
            Gauge,
            "Changes taken from the source that are not applied.",
        );
        out.sample(&[], applied.pending);
    }
}

fn write_traffic(out: &mut Exposition, figures: &Figures) {
    let exchanged: Vec<_> = figures
        .traffic
        .iter()
        .map(|(direction, traffic)| (direction.name(), traffic.exchanged()))
        .collect();
    out.family(
        "requests_total",
        Counter,
        "Requests by the status of their answers, those that the SDK repeats included.",
    );
    for (direction, exchanged) in &exchanged {
        for (status, number) in &exchanged.by_status {
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            out.sample(&[("direction", direction), ("status", &status)], number);
        }
    }
    out.family(
        "throttled_requests_total",
        Counter,
        "Requests that were throttled (429).",
    );
    for (direction, exchanged) in &exchanged {
        out.sample(&[("direction", direction)], exchanged.throttled());
    }
    out.family("request_units_total", Counter, "Request units charged.");
    for (direction, exchanged) in &exchanged {
        out.sample(&[("direction", direction)], exchanged.request_units());
    }
    if let Some(budget) = figures
        .traffic
        .iter()
        .find_map(|(_, traffic)| traffic.budget())
    {
        out.family(
            "budget_request_units_per_second",
            Gauge,
            "What reading may cost now, with --max-ru.",
        );
        out.sample(&[], budget.current());
    }
}

fn write_commits(out: &mut Exposition, figures: &Figures) {
    out.family("commits_total", Counter, "Commits.");
    out.sample(&[], figures.commits.count());
    out.histogram(
        "commit_seconds",
        "How long a commit takes.",
        &figures.commits,
    );
    if let Some(last) = figures.last_commit {
        out.family(
            "last_commit_timestamp_seconds",
            Gauge,
            "When the last commit was made, since 1970.",
        );
        out.sample(&[], last.unix_timestamp_nanos() as f64 / 1e9);
    }
    out.family(
        "files_published_total",
        Counter,
        "Files that were finished.",
    );
    out.sample(&[], figures.counts.files);
    out.family(
        "up_to_date",
        Gauge,
        "1 if all that existed at the last answers is read, applied and committed.",
    );
    out.sample(&[], u8::from(figures.is_up_to_date()));
}

fn write_compared(out: &mut Exposition, compared: &Compared) {
    out.family(
        "compared_documents_total",
        Counter,
        "Documents of both sides that were read to be compared, over all readings.",
    );
    out.sample(&[], compared.documents);
    let Some(verdict) = compared.verdict else {
        return;
    };
    out.family(
        "compare_same",
        Gauge,
        "1 if both sides are the same, as far as is known.",
    );
    out.sample(&[], u8::from(verdict == "same"));
    out.family(
        "compare_documents",
        Gauge,
        "Documents that differ, or are changing.",
    );
    for (state, number) in &compared.documents_by_state {
        out.sample(&[("state", state)], number);
    }
    for (name, help, time) in [
        (
            "compare_as_of_timestamp_seconds",
            "Everything written before this is in the verdict, in seconds since 1970.",
            compared.as_of,
        ),
        (
            "compare_deletions_as_of_timestamp_seconds",
            "Everything deleted before this is in the verdict, in seconds since 1970.",
            compared.deletions_as_of,
        ),
    ] {
        if let Some(time) = time {
            out.family(name, Gauge, help);
            out.sample(&[], time.unix_timestamp_nanos() as f64 / 1e9);
        }
    }
}

fn write_ranges(out: &mut Exposition, figures: &Figures, per_range: bool) {
    out.family("splits_total", Counter, SPLITS);
    out.sample(&[], figures.counts.splits);
    out.family("merges_total", Counter, MERGES);
    out.sample(&[], figures.ranges.merges());
    out.family("ranges", Gauge, "Feed ranges by what they do.");
    for (doing, number) in figures.ranges.by_doing() {
        out.sample(&[("state", doing.name())], number);
    }
    if figures.ranges.len() == 0 {
        return;
    }
    let lags = figures.ranges.lags(clock::now().unix_timestamp());
    let total = Ranges::lag(&lags);
    out.family(
        "lag_transactions",
        Gauge,
        "Transactions that are not read; in a replay, not applied.",
    );
    out.sample(&[], total.transactions);
    out.family(
        "lag_at_most",
        Gauge,
        "1 if lag_transactions is an upper bound.",
    );
    out.sample(&[], u8::from(total.is_at_most));
    out.family(
        "lag_unknown_ranges",
        Gauge,
        "Feed ranges whose lag is not known yet, and not in the sum.",
    );
    out.sample(&[], total.unknown);
    if let Some(seconds) = total.seconds {
        out.family(
            "lag_seconds",
            Gauge,
            "Age of the last change read of the range that is furthest behind; 0 if none is.",
        );
        out.sample(&[], seconds);
    }
    if !per_range {
        return;
    }
    let ids: Vec<String> = lags.iter().map(|(id, ..)| id.to_string()).collect();
    out.family(
        "range_changes_total",
        Counter,
        "Changes read of a feed range.",
    );
    for (id, (.., changes)) in ids.iter().zip(&lags) {
        out.sample(&[("range", id)], changes);
    }
    out.family(
        "range_lag_transactions",
        Gauge,
        "Transactions of a feed range that are not read.",
    );
    for (id, (_, lag, _)) in ids.iter().zip(&lags) {
        if let Some(transactions) = lag.transactions {
            out.sample(&[("range", id)], transactions);
        }
    }
    out.family(
        "range_lag_seconds",
        Gauge,
        "Age of the last change read of a feed range; 0 if nothing is newer.",
    );
    for (id, (_, lag, _)) in ids.iter().zip(&lags) {
        if let Some(seconds) = lag.seconds {
            out.sample(&[("range", id)], seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{FeedRange, Position, RangeId, RangeState};
    use crate::monitor::Begun;
    use crate::observe::{Counts, Event};
    use std::time::Duration;

    fn board_of(ranges: u32, per_range: bool) -> Board {
        let board = Board::new("tail", per_range, Duration::from_secs(60), None);
        board.begin(Begun {
            has_ranges: true,
            ..Begun::default()
        });
        for id in 0..ranges {
            let range = RangeState {
                id: RangeId(id),
                range: FeedRange::full(),
                snapshot: false,
                parents: Vec::new(),
                position: Some(Position {
                    token: "token".into(),
                    lsn: Some(u64::from(id) * 1_000_000),
                }),
                end: None,
            };
            board.observe(&Event::Added { range: &range }, &Counts::default(), &[]);
            board.observe(
                &Event::CaughtUp { range: range.id },
                &Counts::default(),
                &[],
            );
        }
        board
    }

    #[test]
    fn ten_thousand_ranges_make_a_scrape_no_longer() {
        let [few, many] = [8, 10_000].map(|ranges| text(&board_of(ranges, false)));
        assert!(
            many.contains("cosmos_tail_ranges{state=\"caught_up\"} 10000\n"),
            "{many}"
        );
        assert!(
            many.len() < few.len() + 200,
            "{} and {} bytes",
            few.len(),
            many.len()
        );
        assert!(many.len() < 20_000, "{} bytes", many.len());
        let labelled = text(&board_of(10_000, true));
        assert!(labelled.contains("cosmos_tail_range_lag_transactions{range=\"9999\"} 0\n"));
        assert!(labelled.len() < 4 << 20, "{} bytes", labelled.len());
    }
}
