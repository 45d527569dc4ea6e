//! Being told to stop: signals, on every platform.
//!
//! On Unix these are SIGINT (Ctrl-C), SIGTERM, and SIGHUP, which comes when the terminal is closed
//! and stands for SIGTERM, unless the process was started to outlive that (`nohup`). On Windows they
//! are Ctrl-C and Ctrl-Break, and the closing of the console or a shutdown, which stand for SIGTERM
//! too; the system then waits some seconds for the end. A program that is to outlive its console is
//! started without one there.
//!
//! A thread of its own listens, which neither an input that nobody writes nor anything else that
//! keeps the runtime's threads busy can hold up.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio_util::sync::CancellationToken;

use crate::error::{ExitCode, with_exit_code, with_hint};

/// How long a run that has nothing to commit may take to end by itself, and say why, once it was asked
/// to. What waits longer waits for an input.
pub const GRACE: Duration = Duration::from_millis(500);

/// Whether a run was asked to stop. It is handed down, so that tests need no signal.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    reason: Arc<OnceLock<ExitCode>>,
    phase: Arc<AtomicU8>,
}

/// Nothing has been begun that a stop would have to bring to an end.
const PREPARING: u8 = 0;
/// A job runs, which is to be brought to an end.
const RUNNING: u8 = 1;
/// The process ends without having begun.
const ABANDONED: u8 = 2;

impl Shutdown {
    /// Asks the run to stop and to end with `code`; the first reason counts.
    pub fn request(&self, code: ExitCode) {
        self.reason.get_or_init(|| code);
        self.token.cancel();
    }

    /// The code to end with, if a stop was asked for.
    pub fn reason(&self) -> Option<ExitCode> {
        self.reason.get().copied()
    }

    /// Waits until a stop is asked for.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// A token that is cancelled when a stop is asked for; cancelling it asks for nothing.
    pub fn child_token(&self) -> CancellationToken {
        self.token.child_token()
    }

    /// Begins what a stop has to bring to an end: from here on the job sees to that. Before, a stop
    /// ends the process, whatever it waits for.
    ///
    /// # Errors
    ///
    /// If the process is ending already.
    pub fn begin(&self) -> Result<()> {
        match self.enter(RUNNING) {
            ABANDONED => Err(self.stopped_before("anything was begun")),
            _ => Ok(()),
        }
    }

    /// Ends what has not begun. Says whether that is so; it will not begin then.
    pub fn abandon(&self) -> bool {
        self.enter(ABANDONED) != RUNNING
    }

    /// The error of a run that was asked to stop before it had changed anything.
    pub fn stopped_before(&self, what: &str) -> anyhow::Error {
        let code = self.reason().unwrap_or(ExitCode::Interrupted);
        let error = anyhow!("stopped before {what}");
        with_exit_code(
            with_hint(error, "nothing was changed; start it again"),
            code,
        )
    }

    /// Goes over to `phase` from the first one. Returns the phase that it is in then.
    fn enter(&self, phase: u8) -> u8 {
        self.phase
            .compare_exchange(PREPARING, phase, Ordering::SeqCst, Ordering::SeqCst)
            .map_or_else(|other| other, |_| phase)
    }
}

/// Listens for signals: the first asks for a stop, and `asked` is called; at the second `give_up` is
/// called, which is to end the process at once. That is safe: what was committed is committed.
///
/// # Errors
///
/// If the system refuses the handlers, or the thread that listens.
pub fn listen(
    shutdown: Shutdown,
    asked: impl FnOnce() + Send + 'static,
    give_up: impl FnOnce(ExitCode) + Send + 'static,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let registering = runtime.enter();
    let mut signals = Signals::new()?;
    survive_file_size_limit()?;
    drop(registering);
    let listen = async move {
        shutdown.request(signals.next().await);
        asked();
        give_up(signals.next().await);
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listen))
        .map(drop)
}

/// Cancels `closed` when nobody can read standard output any more, which is a pipe: a tail that
/// has nothing to write would not notice otherwise.
///
/// On Windows a closed pipe shows only when it is written to.
pub fn watch_standard_output(closed: CancellationToken) {
    #[cfg(unix)]
    std::thread::spawn(move || {
        use rustix::event::{PollFd, PollFlags, poll};
        use rustix::fs::{FileType, fstat};
        let stdout = std::io::stdout();
        let is_pipe = |mode| {
            matches!(
                FileType::from_raw_mode(mode),
                FileType::Fifo | FileType::Socket
            )
        };
        if !fstat(&stdout).is_ok_and(|status| is_pipe(status.st_mode)) {
            return;
        }
        loop {
            // Without asking for anything, an error or a hang-up is all that is told.
            let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
            match poll(&mut watched, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
                Ok(_)
                    if watched[0]
                        .revents()
                        .intersects(PollFlags::ERR | PollFlags::HUP) =>
                {
                    return closed.cancel();
                }
                Ok(_) => return,
            }
        }
    });
    #[cfg(not(unix))]
    drop(closed);
}

/// Makes a write beyond the limit on the size of files (`ulimit -f`) an error as a full disk is,
/// where the signal that comes with it would end the process.
fn survive_file_size_limit() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let signal = tokio::signal::unix::SignalKind::from_raw(libc::SIGXFSZ);
        // Once there is a handler it stays, whether anybody listens or not.
        tokio::signal::unix::signal(signal).map(drop)?;
    }
    Ok(())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// None if it is to be ignored.
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: match hang_up_is_ignored() {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        })
    }

    async fn next(&mut self) -> ExitCode {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => ExitCode::Interrupted,
            _ = self.terminate.recv() => ExitCode::Terminated,
            _ = hang_up => ExitCode::Terminated,
        }
    }
}

/// Whether whoever started this process has it ignore SIGHUP, as `nohup` does.
#[cfg(unix)]
fn hang_up_is_ignored() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    #[expect(unsafe_code, reason = "a call of the C library")]
    // SAFETY: it changes nothing, and fills the structure that it is given a pointer to, for which zeros
    // are a value too.
    let action = unsafe {
        match libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr()) {
            0 => action.assume_init(),
            _ => return false,
        }
    };
    action.sa_sigaction == libc::SIG_IGN
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    stop: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::windows;
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            stop: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> ExitCode {
        tokio::select! {
            _ = self.interrupt.recv() => ExitCode::Interrupted,
            _ = self.stop.recv() => ExitCode::Interrupted,
            _ = self.close.recv() => ExitCode::Terminated,
            _ = self.shutdown.recv() => ExitCode::Terminated,
        }
    }
}
