//! The subcommand `demo`: an account that runs until it is stopped, with writes, splits and commands.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use super::account::{DemoAccount, DemoOptions};
use super::commands::Command;
use super::pace::{WriteClock, split_interval, tick};
use super::writes::DocumentWriter;

/// Options of the subcommand: the account at the start, and how it changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForegroundOptions {
    /// The account at the start.
    pub account: DemoOptions,
    /// Writes per second; 0 for none.
    pub writes_per_second: f64,
    /// Time between two splits; `None` for no splits.
    pub split_every: Option<Duration>,
}

/// What happened to the account.
#[derive(Clone, Copy)]
pub enum Moment<'a> {
    /// It accepts requests.
    Started(&'a DemoAccount),
    /// It has the documents of the start.
    Filled,
    /// It wrote a document, by this operation.
    Wrote(&'static str),
    /// A partition was split.
    Split,
    /// Two partitions were merged.
    Merged,
}

/// How often a process in the background checks whether it is in the foreground.
#[cfg(unix)]
const FOREGROUND_CHECK: Duration = Duration::from_millis(500);

/// Starts an account, prints how to reach it, and keeps it running until `shutdown` ends or a line
/// of `commands` says `quit`.
///
/// `stdout` gets `export AZURE_COSMOS_…=…` lines as soon as the account accepts requests, and nothing else.
/// `log` gets one line, without a line end, for every split, merge or refused command. The account keeps
/// running after the end of `commands`. `watch` is called for what happens.
///
/// # Errors
///
/// If an option is invalid, the port is in use, or `stdout` cannot be written.
pub async fn run_foreground(
    options: &ForegroundOptions,
    stdout: &mut impl Write,
    mut commands: mpsc::Receiver<String>,
    log: impl Fn(&str),
    watch: impl Fn(Moment<'_>),
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut writes = WriteClock::new(options.writes_per_second)?;
    let mut splits = split_interval(options.split_every)?;
    tokio::pin!(shutdown);
    let account = tokio::select! {
        () = &mut shutdown => return Ok(()),
        account = DemoAccount::start(&options.account) => account?,
    };
    watch(Moment::Started(&account));
    announce(&account, stdout).context("cannot print how to reach the demo account")?;

    let mut writer = DocumentWriter::new(options.account.documents);
    let execute = async |command: Command| {
        let (message, succeeded) = command.execute(&account).await;
        log(&message);
        match command {
            Command::Split(_) if succeeded => watch(Moment::Split),
            Command::Merge(..) if succeeded => watch(Moment::Merged),
            _ => {}
        }
    };
    let (mut has_commands, mut is_filled) = (true, false);
    loop {
        tokio::select! {
            // In this order, so that many writes cannot delay the end.
            biased;
            () = &mut shutdown => return Ok(()),
            line = commands.recv(), if has_commands => match line.as_deref().map(Command::parse) {
                // A process started with `&` has no standard input to wait for.
                None => has_commands = false,
                Some(Ok(Some(Command::Quit))) => return Ok(()),
                Some(Ok(Some(command))) => tokio::select! {
                    // It may have to wait for the documents of the start.
                    () = &mut shutdown => return Ok(()),
                    () = execute(command) => {}
                },
                Some(Ok(None)) => {}
                Some(Err(message)) => log(&message),
            },
            filled = account.filled(), if !is_filled => {
                is_filled = true;
                match filled {
                    Ok(()) => watch(Moment::Filled),
                    Err(error) => log(&format!("{error:#}")),
                }
            }
            () = tick(&mut splits), if is_filled => {
                execute(Command::Split(None)).await;
            }
            due = writes.tick(), if is_filled => {
                for _ in 0..due {
                    match writer.write(&account).await {
                        Ok(Some(operation)) => watch(Moment::Wrote(operation)),
                        Ok(None) => {}
                        Err(error) => {
                            log(&format!("writes stopped: {error:#}"));
                            writes = WriteClock::never();
                            break;
                        }
                    }
                }
            }
        }
    }
}

/// Standard input, line by line.
///
/// A thread reads it, since a task of the runtime would keep the process from exiting. The channel closes at
/// the end of the input.
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

/// Waits while standard input is a terminal with another process group in the foreground: reading it from the
/// background would stop the whole process (SIGTTIN).
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
