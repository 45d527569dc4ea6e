//! Reports to the service manager: systemd, for a unit with `Type=notify`.
//!
//! READY once every range has a committed position; STATUS in a line; WATCHDOG with answers of the account and with
//! commits, never by a timer: a reader that hangs, or a commit that does, sends none.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the status is sent.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// Signs of life are sent at most this many times within the time that the manager allows.
const FEEDS: u32 = 4;

/// The connection to the service manager.
#[derive(Debug)]
pub(super) struct ServiceManager {
    /// The time without a sign of life after which the manager ends this process.
    watchdog: Option<Duration>,
    sent: Mutex<Sent>,
}

/// What was sent to it.
#[derive(Debug, Default)]
struct Sent {
    is_ready: bool,
    status: String,
    status_at: Option<Instant>,
    fed_at: Option<Instant>,
}

impl ServiceManager {
    /// The service manager that has started this process, if it awaits reports.
    pub(super) fn of_process() -> Option<Self> {
        socket::is_there().then(|| Self {
            watchdog: socket::watchdog(),
            sent: Mutex::default(),
        })
    }

    /// The time without a sign of life after which the manager ends this process.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The command is ready, or not yet; `status` says how far it is.
    pub(super) fn report(&self, is_ready: bool, status: impl FnOnce() -> String) {
        let now = Instant::now();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let becomes_ready = is_ready && !sent.is_ready;
        let is_due = sent
            .status_at
            .is_none_or(|at| now.duration_since(at) >= STATUS_INTERVAL);
        if becomes_ready {
            sent.is_ready = true;
        }
        if !becomes_ready && !is_due {
            return;
        }
        sent.status_at = Some(now);
        let status = status();
        let has_changed = sent.status != status;
        sent.status.clone_from(&status);
        drop(sent);
        if becomes_ready {
            socket::ready();
        }
        if has_changed {
            socket::status(&status);
        }
    }

    /// The account has answered, or a commit was made. `hangs` decides whether anything has been awaited for longer
    /// than a time that is well within the one that the manager allows; then this is no sign of life.
    pub(super) fn feed(&self, hangs: impl FnOnce(Duration) -> bool) {
        let Some(watchdog) = self.watchdog else {
            return;
        };
        let now = Instant::now();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = sent
            .fed_at
            .is_none_or(|at| now.duration_since(at) >= watchdog / FEEDS);
        if is_due && !hangs(watchdog / 2) {
            sent.fed_at = Some(now);
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
        send(NotifyState::Ready);
    }

    pub(super) fn status(status: &str) {
        send(NotifyState::Status(status));
    }

    pub(super) fn alive() {
        send(NotifyState::Watchdog);
    }

    pub(super) fn stopping() {
        if is_there() {
            send(NotifyState::Stopping);
        }
    }

    fn send(state: NotifyState<'_>) {
        // The work continues without the manager, which acts on what it misses.
        if let Err(error) = sd_notify::notify(&[state]) {
            tracing::warn!("cannot report to the service manager: {error}");
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
