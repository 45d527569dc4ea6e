//! Being told to stop: signals, on every platform.
//!
//! On Unix these are SIGINT (Ctrl-C) and SIGTERM; on Windows Ctrl-C and Ctrl-Break, and the
//! closing of the console or a shutdown, which stand for SIGTERM.

use std::sync::Arc;
use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

use crate::error::ExitCode;

/// Whether a run was asked to stop. It is handed down, so that tests need no signal.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    reason: Arc<OnceLock<ExitCode>>,
}

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
}

/// Listens for signals: the first asks for a stop; at the second `give_up` is called, which is to
/// end the process at once. That is safe: what was committed is committed.
///
/// # Errors
///
/// If the system refuses the handlers.
pub fn listen(
    shutdown: Shutdown,
    give_up: impl FnOnce(ExitCode) + Send + 'static,
) -> std::io::Result<()> {
    let mut signals = Signals::new()?;
    survive_file_size_limit()?;
    tokio::spawn(async move {
        shutdown.request(signals.next().await);
        give_up(signals.next().await);
    });
    Ok(())
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
        let signal = tokio::signal::unix::SignalKind::from_raw(SIGXFSZ);
        // Once there is a handler it stays, whether anybody listens or not.
        tokio::signal::unix::signal(signal).map(drop)?;
    }
    Ok(())
}

/// The number of SIGXFSZ, which is the same on all systems but one family of processors.
#[cfg(unix)]
const SIGXFSZ: std::ffi::c_int = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    31
} else {
    25
};

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> ExitCode {
        tokio::select! {
            _ = self.interrupt.recv() => ExitCode::Interrupted,
            _ = self.terminate.recv() => ExitCode::Terminated,
        }
    }
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
