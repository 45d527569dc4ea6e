//! A scripted store of objects: the calls of Azure Blob Storage that exports make, over real HTTP. Each call can go
//! wrong, in the ways of [`Trouble`]; and the store watches what a correct export never does.

mod answers;
mod blobs;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use self::blobs::Blobs;
use self::server::Server;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CallKind {
    /// The contents of an object.
    Get,
    /// Its length and version.
    Head,
    /// The names below a prefix.
    List,
    /// An object in one piece, on a condition.
    Put,
    /// A part of an upload.
    Part,
    /// An object of the parts of an upload.
    Complete,
    /// Its end.
    Delete,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) kind: CallKind,
    /// The name of the object within the container; for a list the prefix.
    pub(crate) name: String,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is refused with this status and this code of Azure, and has no effect.
    Refused(u16, &'static str),
    /// The connection is closed before it has an effect.
    Lost,
    /// It has its effect, and the connection is closed without an answer.
    Unanswered,
    /// The connection is closed; it has its effect when this many further calls have been answered.
    Late(usize),
    /// It is answered after this long.
    Slow(Duration),
    /// It is never answered, and has no effect.
    Hang,
    /// A read is answered with what was there before the latest change.
    Stale,
    /// The process dies before the call has its effect.
    KillBefore,
    /// The process dies after the call has had its effect, without an answer.
    KillAfter,
    /// The process dies, and the call has its effect when this many further calls have been answered.
    KillLate(usize),
    /// The process is paused. The call has its effect, and is answered.
    Pause,
    /// The process is paused. The call has its effect when the script ends, and is not answered.
    PauseBefore,
}

/// Decides what goes wrong with the calls of a run, which are numbered from 0.
pub(crate) type Script = Box<dyn FnMut(usize, &Call) -> Option<Trouble> + Send>;

/// A call that was made, and what went wrong with it.
pub(crate) type Logged = (Call, Option<Trouble>);

#[derive(Default)]
struct Stored {
    blobs: Blobs,
    script: Option<Script>,
    log: Vec<Logged>,
    /// The process that dies if the script says so.
    victim: Option<u32>,
    is_paused: bool,
    /// Calls that will have their effect later: the number of the last call before it.
    late: Vec<(usize, server::Request)>,
    watch: Watch,
    clock: Clock,
}

/// What the store says the time is, which is not the time of this machine.
#[derive(Clone, Copy)]
struct Clock(Option<OffsetDateTime>);

impl Default for Clock {
    fn default() -> Self {
        Self(Some(time::macros::datetime!(2031-05-05 12:00 UTC)))
    }
}

/// What a correct export never does, seen as it happens.
#[derive(Default)]
struct Watch {
    /// Names that some stored state has sealed.
    sealed: BTreeSet<String>,
    /// The states that are files.
    state_files: Vec<PathBuf>,
    violations: Vec<String>,
}

#[derive(Default)]
struct Shared {
    stored: Mutex<Stored>,
    has_victim: Condvar,
    paused: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store with one empty container, `lake`.
pub(crate) struct Store {
    shared: Arc<Shared>,
    server: Server,
}

impl Store {
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let server = Server::start(Arc::clone(&shared));
        Self { shared, server }
    }

    /// The address for `AZURITE_BLOB_STORAGE_URL`.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Lets things go wrong in the next run.
    pub(crate) fn script(
        &self,
        script: impl FnMut(usize, &Call) -> Option<Trouble> + Send + 'static,
    ) {
        let mut stored = self.shared.lock();
        stored.script = Some(Box::new(script));
        stored.log.clear();
        stored.victim = None;
        stored.is_paused = false;
    }

    /// Lets nothing go wrong any more. Calls that are late have their effect at last.
    pub(crate) fn clear(&self) {
        let mut stored = self.shared.lock();
        stored.script = None;
        stored.log.clear();
        stored.victim = None;
        stored.let_late_ones_happen(usize::MAX);
    }

    /// The process that dies if the script says so.
    pub(crate) fn set_victim(&self, child: &Child) {
        self.shared.lock().victim = Some(child.id());
        self.shared.has_victim.notify_all();
    }

    /// Waits until the script has paused the process. Whether it has; it can have ended before.
    pub(crate) fn wait_until_paused(&self, child: &mut Child) -> bool {
        let mut stored = self.shared.lock();
        while !stored.is_paused && child.try_wait().unwrap().is_none() {
            let pause = Duration::from_millis(10);
            (stored, _) = self.shared.paused.wait_timeout(stored, pause).unwrap();
        }
        stored.is_paused
    }

    /// The calls since the last [`Store::script`] or [`Store::clear`].
    pub(crate) fn calls(&self) -> Vec<Logged> {
        self.shared.lock().log.clone()
    }

    /// Waits a moment for further calls. Whether the process has ended.
    pub(crate) fn is_idle(&self, child: &mut Child) -> bool {
        std::thread::sleep(Duration::from_micros(200));
        child.try_wait().unwrap().is_some()
    }

    /// A state of the export is this file.
    pub(crate) fn watch_state_file(&self, path: PathBuf) {
        self.shared.lock().watch.state_files.push(path);
    }

    /// What a correct export does not do.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.shared.lock().watch.violations.clone()
    }

    /// The objects, by their names.
    pub(crate) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.shared.lock().blobs.contents()
    }

    /// Changes an object, or takes it away, as nobody of the export does.
    pub(crate) fn replace(&self, name: &str, bytes: Option<&[u8]>) {
        self.shared.lock().blobs.replace(name, bytes);
    }

    /// Lets eight days pass, and forgets the parts of all uploads, as Azure does a week after the last one.
    pub(crate) fn forget_uploads(&self) {
        self.pass(8);
        self.lose_uploads();
    }

    /// Forgets the parts of all uploads at once.
    pub(crate) fn lose_uploads(&self) {
        self.shared.lock().blobs.forget_uploads();
    }

    /// Lets so many days pass.
    pub(crate) fn pass(&self, days: i64) {
        let clock = &mut self.shared.lock().clock.0;
        *clock = clock.map(|now| now + time::Duration::days(days));
    }

    /// Answers without a time from now on.
    pub(crate) fn stop_clock(&self) {
        self.shared.lock().clock.0 = None;
    }
}
