//! The subcommand `demo`: an account that runs until it is told to end, with writes, splits and
//! commands.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::writes::Writer;
use super::{DemoAccount, DemoOptions};
use crate::cli::DemoArgs;
use crate::error::usage;

/// Writes are made in bursts no closer than this, since timers are no finer than a millisecond.
const SHORTEST_TICK: Duration = Duration::from_millis(10);

/// How often a process in the background looks whether it has come to the foreground.
#[cfg(unix)]
const FOREGROUND_CHECK: Duration = Duration::from_millis(500);

/// Starts an account, prints how to reach it, and keeps it running until `shutdown` ends or a line
/// of `commands` says `quit`.
///
/// `stdout` gets `export AZURE_COSMOS_…=…` lines as soon as the account takes requests, and nothing
/// else. `log` gets one line, without its end, for every split, merge or refused command. The end
/// of `commands` ends nothing.
///
/// # Errors
///
/// The arguments contradict themselves, the port is taken, or `stdout` cannot be written.
pub async fn run_foreground(
    args: &DemoArgs,
    stdout: &mut impl Write,
    mut commands: mpsc::Receiver<String>,
    log: impl Fn(&str),
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut writes = WriteClock::new(args.writes_per_second)?;
    let mut splits = split_interval(args.split_every)?;
    let options = DemoOptions {
        port: args.port,
        documents: args.documents,
        partitions: args.partitions,
    };
    tokio::pin!(shutdown);
    let account = tokio::select! {
        () = &mut shutdown => return Ok(()),
        account = DemoAccount::start(&options) => account?,
    };
    announce(&account, stdout).context("cannot print how to reach the demo account")?;

    let mut writer = Writer::new(args.documents);
    let mut has_commands = true;
    loop {
        tokio::select! {
            // In this order, so that many writes cannot keep the account from ending.
            biased;
            () = &mut shutdown => return Ok(()),
            line = commands.recv(), if has_commands => match line.as_deref().map(Command::parse) {
                // Started with `&`, there is no standard input to wait for.
                None => has_commands = false,
                Some(Ok(Some(Command::Quit))) => return Ok(()),
                Some(Ok(Some(command))) => log(&command.obey(&account).await),
                Some(Ok(None)) => {}
                Some(Err(message)) => log(&message),
            },
            () = tick(&mut splits) => log(&Command::Split(None).obey(&account).await),
            due = writes.tick() => {
                for _ in 0..due {
                    if let Err(error) = writer.write(&account).await {
                        log(&format!("no more writes: {error:#}"));
                        writes = WriteClock::never();
                        break;
                    }
                }
            }
        }
    }
}

/// Standard input, line by line.
///
/// A thread of its own reads it, which does not keep the process from ending as a task of the
/// runtime would. The channel closes at the end of the input.
pub fn stdin_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut line = Vec::new();
        loop {
            wait_for_foreground();
            line.clear();
            match stdin.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line).into_owned();
            if sender.blocking_send(text).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Waits while standard input is a terminal that another process group has in its hands: reading
/// it from the background would stop the whole process (SIGTTIN).
fn wait_for_foreground() {
    #[cfg(unix)]
    while rustix::termios::tcgetpgrp(rustix::stdio::stdin())
        .is_ok_and(|foreground| foreground != rustix::process::getpgrp())
    {
        std::thread::sleep(FOREGROUND_CHECK);
    }
}

fn announce(account: &DemoAccount, stdout: &mut impl Write) -> std::io::Result<()> {
    write!(
        stdout,
        "export AZURE_COSMOS_ENDPOINT={}\nexport AZURE_COSMOS_KEY={}\n\
         export AZURE_COSMOS_DATABASE={}\nexport AZURE_COSMOS_CONTAINER={}\n",
        account.endpoint(),
        account.key(),
        DemoAccount::DATABASE,
        DemoAccount::CONTAINER,
    )?;
    stdout.flush()
}

fn split_interval(every: Option<Duration>) -> anyhow::Result<Option<Interval>> {
    match every {
        Some(Duration::ZERO) => Err(usage(
            "--split-every must be longer than nothing",
            "give a duration such as 30s",
        )),
        Some(every) => Ok(Some(interval(every))),
        None => Ok(None),
    }
}

/// An interval whose first tick comes after its period, and that does not make up for lost ticks.
fn interval(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// Tells when writes are due, and how many.
struct WriteClock {
    interval: Option<Interval>,
    per_tick: f64,
    owed: f64,
}

impl WriteClock {
    fn new(per_second: f64) -> anyhow::Result<Self> {
        if per_second == 0.0 {
            return Ok(Self::never());
        }
        // Beyond a day between two writes, or a million a second, it is no rate but a mistake.
        if !(1e-5..=1e6).contains(&per_second) {
            return Err(usage(
                format!("--writes-per-second cannot be {per_second}"),
                "give 0 for none, or a number such as 0.5 or 20",
            ));
        }
        let period = Duration::from_secs_f64(1.0 / per_second).max(SHORTEST_TICK);
        Ok(Self {
            interval: Some(interval(period)),
            per_tick: per_second * period.as_secs_f64(),
            owed: 0.0,
        })
    }

    fn never() -> Self {
        Self {
            interval: None,
            per_tick: 0.0,
            owed: 0.0,
        }
    }

    /// Waits until writes are due and says how many.
    async fn tick(&mut self) -> u32 {
        tick(&mut self.interval).await;
        // A hair more than the exact share: a rate of 5 must come to 1 a tick, not to 0.999….
        self.owed += self.per_tick + 1e-9;
        let due = self.owed.floor();
        self.owed -= due;
        due as u32
    }
}

/// A line of standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    /// Split this partition, or the largest.
    Split(Option<u32>),
    /// Merge these two partitions.
    Merge(u32, u32),
    /// End.
    Quit,
}

impl Command {
    /// Parses a line. An empty one is no command; what cannot be understood is a message.
    fn parse(line: &str) -> Result<Option<Self>, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let id = |word: &str| {
            word.parse::<u32>()
                .map_err(|_| format!("`{word}` is no partition id, which is a number"))
        };
        Ok(Some(match words.as_slice() {
            [] => return Ok(None),
            ["quit"] => Self::Quit,
            ["split"] => Self::Split(None),
            ["split", partition] => Self::Split(Some(id(partition)?)),
            ["merge", left, right] => Self::Merge(id(left)?, id(right)?),
            _ => {
                return Err(format!(
                    "`{}` is no command; there are `split`, `split ID`, `merge ID ID` and `quit`",
                    words.join(" ")
                ));
            }
        }))
    }

    /// Carries the command out and says how it went.
    async fn obey(self, account: &DemoAccount) -> String {
        self.carry_out(account)
            .await
            .unwrap_or_else(|error| format!("{error:#}"))
    }

    async fn carry_out(self, account: &DemoAccount) -> anyhow::Result<String> {
        Ok(match self {
            Self::Split(id) => {
                let id = match id {
                    Some(id) => id,
                    None => account.largest_partition().await?,
                };
                let [lower, upper] = account.split(id).await?;
                format!("split partition {id} into {lower} and {upper}")
            }
            Self::Merge(left, right) => {
                let merged = account.merge(left, right).await?;
                format!("merged partitions {left} and {right} into {merged}")
            }
            Self::Quit => "quit".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_or_a_message_that_lists_them() {
        assert_eq!(Command::parse(" split \n"), Ok(Some(Command::Split(None))));
        assert_eq!(Command::parse("split 3"), Ok(Some(Command::Split(Some(3)))));
        assert_eq!(Command::parse("merge 4 5"), Ok(Some(Command::Merge(4, 5))));
        assert_eq!(Command::parse("quit\r\n"), Ok(Some(Command::Quit)));
        assert_eq!(Command::parse("\n"), Ok(None));
        assert_eq!(
            Command::parse("split x"),
            Err("`x` is no partition id, which is a number".to_owned())
        );
        for line in ["exit", "merge 4", "split 1 2"] {
            let message = Command::parse(line).unwrap_err();
            assert!(message.contains("merge ID ID"), "{message}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_of_writes_is_kept_over_time() {
        for rate in [0.1, 5.0, 7.0, 20_000.0] {
            let start = Instant::now();
            let mut clock = WriteClock::new(rate).unwrap();
            let mut writes = 0;
            while start.elapsed() < Duration::from_secs(100) {
                writes += clock.tick().await;
            }
            let exact = rate * start.elapsed().as_secs_f64();
            assert!(
                (f64::from(writes) - exact).abs() <= exact * 0.01 + 1.0,
                "{rate}: {writes}"
            );
        }
    }

    #[tokio::test]
    async fn a_rate_or_an_interval_without_meaning_is_a_usage_error() {
        for rate in [-1.0, f64::NAN, f64::INFINITY, 1e7] {
            assert!(WriteClock::new(rate).is_err(), "{rate}");
        }
        assert!(split_interval(Some(Duration::ZERO)).is_err());
    }
}
