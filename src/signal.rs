//! Signals that stop a run, on every platform.
//!
//! On Unix these are SIGINT (Ctrl-C), SIGTERM, and SIGHUP. SIGHUP is sent when the terminal closes; it
//! is treated as SIGTERM, unless the process was started to ignore it (`nohup`). On Windows they are
//! Ctrl-C and Ctrl-Break, and the closing of the console or a shutdown, which are treated as SIGTERM
//! too; the system then waits a few seconds for the process. There, a program that must outlive its
//! console is started without one.
//!
//! SIGUSR1 asks for a reload, as `systemctl reload` does: the account key is read again, and files are rotated.
//! Windows has no such signal.
//!
//! A dedicated thread listens, so that blocked threads of the runtime do not delay a stop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::{ExitCode, with_exit_code, with_hint};

/// How long a run that has nothing to commit may take to stop by itself and report why. A run that
/// takes longer is waiting for input.
pub const GRACE: Duration = Duration::from_millis(500);

/// The same signal again within this time is the same request: `timeout` sends its signal to the program that it has
/// started, and then to all of its process group.
const SAME_SIGNAL: Duration = Duration::from_millis(100);

/// Whether a stop was requested. It is passed down, so that tests need no signals.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    reason: Arc<OnceLock<ExitCode>>,
    phase: Arc<AtomicU8>,
    reload: Arc<watch::Sender<u64>>,
}

/// How often a reload was requested: SIGUSR1, by `systemctl reload`.
static RELOADS: AtomicU64 = AtomicU64::new(0);

/// How often this process was asked to reload what can be reloaded: the key is read again, files are rotated.
pub fn reloads() -> u64 {
    RELOADS.load(Ordering::Relaxed)
}

/// What is to be told if this process is ended at once.
static TOLD_AT_ONCE: Mutex<BTreeMap<u64, String>> = Mutex::new(BTreeMap::new());

/// Something that is being put right, until this is dropped.
#[derive(Debug)]
pub(crate) struct ToldAtOnce(u64);

/// Says what is left if the second signal ends this process before something is put right.
pub(crate) fn tell_at_once(text: String) -> ToldAtOnce {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut told = TOLD_AT_ONCE.lock().unwrap_or_else(PoisonError::into_inner);
    told.insert(number, text);
    ToldAtOnce(number)
}

impl Drop for ToldAtOnce {
    fn drop(&mut self) {
        let mut told = TOLD_AT_ONCE.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(&self.0);
    }
}

/// What is left when this process is ended at once.
pub fn left_at_once() -> Vec<String> {
    let told = TOLD_AT_ONCE.lock().unwrap_or_else(PoisonError::into_inner);
    told.values().cloned().collect()
}

/// Nothing has started that would have to be finished before a stop.
const PREPARING: u8 = 0;
/// A job is running and must be finished before a stop.
const RUNNING: u8 = 1;
/// The process is exiting without having started a job.
const ABANDONED: u8 = 2;

/// Reloads that are requested.
#[derive(Debug)]
pub struct Reloads(watch::Receiver<u64>);

impl Reloads {
    /// Waits until a reload is requested, or has been since the last one.
    pub async fn next(&mut self) {
        // Nobody is left who could request one.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Shutdown {
    /// Requests a stop with the exit code `code`. The first request decides the code.
    pub fn request(&self, code: ExitCode) {
        self.reason.get_or_init(|| code);
        self.token.cancel();
    }

    /// The exit code, if a stop was requested.
    pub fn reason(&self) -> Option<ExitCode> {
        self.reason.get().copied()
    }

    /// Waits until a stop is requested.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// Requests that what can be reloaded is.
    pub fn request_reload(&self) {
        RELOADS.fetch_add(1, Ordering::Relaxed);
        self.reload.send_modify(|requests| *requests += 1);
    }

    /// The reloads that are requested from now on. All who wait for them get each.
    pub fn reload_requests(&self) -> Reloads {
        Reloads(self.reload.subscribe())
    }

    /// A token that is cancelled when a stop is requested. Cancelling it does not request one.
    pub fn child_token(&self) -> CancellationToken {
        self.token.child_token()
    }

    /// Starts a job, which from now on handles stops itself. Before this call a stop ends the process,
    /// whatever it is waiting for.
    ///
    /// # Errors
    ///
    /// If the process is already exiting.
    pub fn begin(&self) -> Result<()> {
        match self.enter(RUNNING) {
            ABANDONED => Err(self.stopped_before("it started")),
            _ => Ok(()),
        }
    }

    /// Prevents a job from starting. Returns `false` if one has already started.
    pub fn abandon(&self) -> bool {
        self.enter(ABANDONED) != RUNNING
    }

    /// The error of a run that was stopped before it changed anything.
    pub fn stopped_before(&self, what: &str) -> anyhow::Error {
        let code = self.reason().unwrap_or(ExitCode::Interrupted);
        let error = anyhow!("stopped before {what}");
        with_exit_code(
            with_hint(error, "nothing was changed; run the command again"),
            code,
        )
    }

    /// Moves from the first phase to `phase`, and returns the phase that is then current.
    fn enter(&self, phase: u8) -> u8 {
        self.phase
            .compare_exchange(PREPARING, phase, Ordering::SeqCst, Ordering::SeqCst)
            .map_or_else(|other| other, |_| phase)
    }
}

/// Listens for signals. The first one requests a stop and calls `requested`; the second one, unless it is the same one
/// once more, calls `give_up`, which must exit at once. That is safe, because committed work is durable.
///
/// # Errors
///
/// If the system refuses the handlers or the listening thread.
pub fn listen(
    shutdown: Shutdown,
    requested: impl FnOnce() + Send + 'static,
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
        let first = signals.stop(&shutdown).await;
        let received = Instant::now();
        shutdown.request(first);
        requested();
        loop {
            let next = signals.stop(&shutdown).await;
            if next != first || received.elapsed() > SAME_SIGNAL {
                return give_up(next);
            }
        }
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listen))
        .map(drop)
}

/// Cancels `closed` when standard output is a pipe that its reader has closed. A tail with nothing to
/// write would not notice otherwise.
///
/// On Windows, a closed pipe is noticed only by writing to it.
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
            // With no events requested, only errors and hang-ups are reported.
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

/// Makes a write beyond the file size limit (`ulimit -f`) fail like a write to a full disk. Otherwise
/// the signal that accompanies it would end the process.
fn survive_file_size_limit() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let signal = tokio::signal::unix::SignalKind::from_raw(libc::SIGXFSZ);
        // Once installed, the handler stays, even if nothing listens to it.
        tokio::signal::unix::signal(signal).map(drop)?;
    }
    Ok(())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// None if it is ignored.
    hang_up: Option<tokio::signal::unix::Signal>,
    reload: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: if hang_up_is_ignored() {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
            reload: signal(SignalKind::user_defined1())?,
        })
    }

    /// The next signal that stops. A reload in between is requested of `shutdown`.
    async fn stop(&mut self, shutdown: &Shutdown) -> ExitCode {
        loop {
            let hang_up = async {
                match &mut self.hang_up {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => return ExitCode::Interrupted,
                _ = self.terminate.recv() => return ExitCode::Terminated,
                _ = hang_up => return ExitCode::Terminated,
                _ = self.reload.recv() => shutdown.request_reload(),
            }
        }
    }
}

/// Whether the parent process made this process ignore SIGHUP, as `nohup` does.
#[cfg(unix)]
fn hang_up_is_ignored() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    #[expect(unsafe_code, reason = "a call of the C library")]
    // SAFETY: the call changes nothing but the structure behind the pointer, for which zeros are a
    // valid value.
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

    /// The next signal that stops. None here asks for a reload.
    async fn stop(&mut self, _shutdown: &Shutdown) -> ExitCode {
        tokio::select! {
            _ = self.interrupt.recv() => ExitCode::Interrupted,
            _ = self.stop.recv() => ExitCode::Interrupted,
            _ = self.close.recv() => ExitCode::Terminated,
            _ = self.shutdown.recv() => ExitCode::Terminated,
        }
    }
}
