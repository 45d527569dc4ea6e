//! What the service manager is told: systemd, of a unit with `Type=notify`.
//!
//! READY once every range has a committed position; STATUS in a line; WATCHDOG with answers of the service and with
//! commits, never by a timer: a reader that hangs, or a commit that does, is not alive.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the status is told.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// Signs of life are told this many times within the time that the manager allows.
const FEEDS: u32 = 4;

/// The connection to the service manager.
#[derive(Debug)]
pub(super) struct ServiceManager {
    /// The time without a sign of life after which the manager ends this process.
    watchdog: Option<Duration>,
    told: Mutex<Told>,
}

/// What it has been told.
#[derive(Debug, Default)]
struct Told {
    is_ready: bool,
    status: String,
    status_at: Option<Instant>,
    fed_at: Option<Instant>,
}

impl ServiceManager {
    /// The service manager that has started this process, if one waits to be told.
    pub(super) fn of_process() -> Option<Self> {
        socket::is_there().then(|| Self {
            watchdog: socket::watchdog(),
            told: Mutex::default(),
        })
    }

    /// How long a commit may take before nothing counts as a sign of life any more; none without a watchdog.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The command is ready, or not yet; `status` says how far it is.
    pub(super) fn tell(&self, is_ready: bool, status: impl FnOnce() -> String) {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let becomes_ready = is_ready && !told.is_ready;
        let is_due = told
            .status_at
            .is_none_or(|at| now.duration_since(at) >= STATUS_INTERVAL);
        if becomes_ready {
            told.is_ready = true;
        }
        if !becomes_ready && !is_due {
            return;
        }
        told.status_at = Some(now);
        let status = status();
        let has_changed = told.status != status;
        told.status.clone_from(&status);
        drop(told);
        if becomes_ready {
            socket::ready();
        }
        if has_changed {
            socket::status(&status);
        }
    }

    /// The service answered, or a commit was made.
    pub(super) fn feed(&self) {
        let Some(watchdog) = self.watchdog else {
            return;
        };
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told
            .fed_at
            .is_none_or(|at| now.duration_since(at) >= watchdog / FEEDS);
        if is_due {
            told.fed_at = Some(now);
            socket::alive();
        }
    }
}

/// The command ends.
pub(super) fn stopping() {
    socket::stopping();
}

#[cfg(target_os = "linux")]
mod socket {
    use std::time::Duration;

    use sd_notify::NotifyState;

    /// The variable that names the socket.
    const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

    pub(super) fn is_there() -> bool {
        std::env::var_os(SOCKET_VARIABLE).is_some_and(|path| !path.is_empty())
    }

    pub(super) fn watchdog() -> Option<Duration> {
        sd_notify::watchdog_enabled().filter(|time| !time.is_zero())
    }

    pub(super) fn ready() {
        tell(NotifyState::Ready);
    }

    pub(super) fn status(status: &str) {
        tell(NotifyState::Status(status));
    }

    pub(super) fn alive() {
        tell(NotifyState::Watchdog);
    }

    pub(super) fn stopping() {
        if is_there() {
            tell(NotifyState::Stopping);
        }
    }

    fn tell(state: NotifyState<'_>) {
        // The work goes on without the manager; if it misses something, it acts on it.
        if let Err(error) = sd_notify::notify(&[state]) {
            tracing::warn!("the service manager cannot be told anything: {error}");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod socket {
    use std::time::Duration;

    pub(super) fn is_there() -> bool {
        false
    }

    pub(super) fn watchdog() -> Option<Duration> {
        None
    }

    pub(super) fn ready() {}

    pub(super) fn status(_status: &str) {}

    pub(super) fn alive() {}

    pub(super) fn stopping() {}
}
