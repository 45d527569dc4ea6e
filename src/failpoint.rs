//! Steps that tests can make fail: the named places where files change.
//!
//! Without the feature `failpoints`, which only tests enable, a step just runs. With it,
//! `COSMOS_TAIL_FAILPOINTS` sets an action for each step, in the syntax of the crate
//! [`fail`](https://docs.rs/fail): `state.rename=2*off->return(kill);part.write=1*return(ENOSPC)`.
//!
//! | action | what happens |
//! |---|---|
//! | `return(kill)` | the process aborts at this step |
//! | `return(ENOSPC)`, `return(EDQUOT)`, `return(EIO)`, `return(EINTR)` | the step fails with this error |
//! | `return(torn)` | half of the bytes are written, and the write fails as on a full disk |
//! | `return(short)` | half of the bytes are written, without an error |
//! | `return(skip)` | the step is skipped silently: a planted defect |
//! | `return` | the defect of this name is active |
//! | `sleep(MS)` | the step is delayed |
//!
//! `COSMOS_TAIL_CLOCK` names a file with an offset of the wall clock in seconds, positive or negative. It
//! is read on each use of the clock, so that a test can make the clock jump.
//!
//! `COSMOS_TAIL_LOCKSTEP`, if set, makes every commit finish before the next page is taken. With one range
//! at a time and commits that depend on bytes alone, a run then repeats the same steps.
//!
//! `COSMOS_TAIL_IMPATIENT`, if set, shortens what a store that fails is waited for: seconds become milliseconds, so that
//! a test can let a store fail for good.
//!
//! `COSMOS_TAIL_DISK_TRACE` names a file that gets a line for each change of a file. From it, a model of a
//! disk computes what a crash could leave of changes that were not synced.

use std::io;
use std::path::Path;

use fs_err as fs;

/// A change of a file or a directory.
#[derive(Debug, Clone, Copy)]
pub enum FileChange<'a> {
    /// The file exists, and is empty if it is new.
    Create(&'a Path),
    /// The file has this length.
    Cut(&'a Path, u64),
    /// The file's contents are durable.
    Sync(&'a Path),
    /// The file is renamed.
    Rename(&'a Path, &'a Path),
    /// The file is removed.
    Remove(&'a Path),
    /// The names in the directory are durable.
    SyncDirectory(&'a Path),
}

/// Runs a step that changes a file.
///
/// # Errors
///
/// Those of the step, and those that a test injects.
#[inline]
pub fn step(
    name: &'static str,
    change: FileChange<'_>,
    take: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    #[cfg(feature = "failpoints")]
    {
        switched::step(name, change, take)
    }
    #[cfg(not(feature = "failpoints"))]
    {
        let _only_for_tests = (name, change);
        take()
    }
}

/// Opens a file, and creates it if the options say so.
///
/// # Errors
///
/// As [`step`].
#[inline]
pub fn open(name: &'static str, path: &Path, options: &fs::OpenOptions) -> io::Result<fs::File> {
    #[cfg(feature = "failpoints")]
    {
        switched::open(name, path, options)
    }
    #[cfg(not(feature = "failpoints"))]
    {
        let _only_for_tests = name;
        options.open(path)
    }
}

/// Writes `bytes` at the file's current position.
///
/// # Errors
///
/// As [`step`].
#[inline]
pub fn write(name: &'static str, file: &mut fs::File, bytes: &[u8]) -> io::Result<()> {
    #[cfg(feature = "failpoints")]
    {
        switched::write(name, file, bytes)
    }
    #[cfg(not(feature = "failpoints"))]
    {
        let _only_for_tests = name;
        io::Write::write_all(file, bytes)
    }
}

/// A moment before or after a call to a store.
///
/// # Errors
///
/// Those that a test injects.
#[inline]
pub fn call(name: &'static str) -> io::Result<()> {
    #[cfg(feature = "failpoints")]
    {
        switched::call(name)
    }
    #[cfg(not(feature = "failpoints"))]
    {
        let _only_for_tests = name;
        Ok(())
    }
}

/// Whether a test activated the defect `name`, to check that it would be found.
#[inline]
pub fn is_planted(name: &'static str) -> bool {
    #[cfg(feature = "failpoints")]
    {
        switched::is_planted(name)
    }
    #[cfg(not(feature = "failpoints"))]
    {
        let _only_for_tests = name;
        false
    }
}

/// Whether a test requires every commit to finish before the next page is taken.
#[inline]
pub fn is_lockstep() -> bool {
    #[cfg(feature = "failpoints")]
    {
        *switched::LOCKSTEP
    }
    #[cfg(not(feature = "failpoints"))]
    {
        false
    }
}

/// Whether a test cannot wait for a store as long as a person can.
#[inline]
pub fn is_impatient() -> bool {
    #[cfg(feature = "failpoints")]
    {
        *switched::IMPATIENT
    }
    #[cfg(not(feature = "failpoints"))]
    {
        false
    }
}

/// Sleeps between two attempts at the same call to a store.
pub fn pause(pause: std::time::Duration) {
    std::thread::sleep(if is_impatient() { pause / 50 } else { pause });
}

/// The offset that a test gives to the wall clock.
#[cfg(feature = "failpoints")]
pub fn clock_offset() -> time::Duration {
    let seconds = std::env::var_os("COSMOS_TAIL_CLOCK")
        .and_then(|path| std::fs::read_to_string(path).ok())
        .and_then(|text| text.trim().parse().ok());
    time::Duration::seconds(seconds.unwrap_or(0))
}

#[cfg(feature = "failpoints")]
pub use switched::{CALLS, DEFECTS, MOMENTS, STEPS};

#[cfg(feature = "failpoints")]
mod switched {
    use std::io::{self, Seek, Write};
    use std::path::Path;
    use std::sync::{LazyLock, Mutex, PoisonError};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use fs_err as fs;
    use serde_json::{Value, json};

    use super::FileChange;

    /// The steps, in the order in which an export and then a resume run them.
    pub const STEPS: [&str; 29] = [
        "lock.open",
        "directory.create",
        "directory.sync",
        "definition.delete",
        "definition.create",
        "definition.write",
        "definition.sync",
        "definition.rename",
        "definition.sync-directory",
        "part.create",
        "part.write",
        "part.sync",
        "parts.sync-directory",
        "state.create",
        "state.write",
        "state.sync",
        "state.rename",
        "state.sync-directory",
        "publish.rename",
        "publish.sync-directory",
        "manifest.open",
        "manifest.write",
        "manifest.sync",
        "manifest.sync-directory",
        "manifest.cut",
        "resume.delete",
        "resume.cut",
        "resume.sync",
        "part.open",
    ];

    /// Calls to a store of objects, in the order in which an export makes them. Each of them has a moment before and
    /// one after it.
    pub const CALLS: [&str; 5] = [
        "object.state",
        "object.part",
        "object.complete",
        "object.manifest",
        "object.summary",
    ];

    /// Moments of what an instance of a group does with the states of ranges.
    pub const MOMENTS: [&str; 6] = [
        "group.claimed",
        "group.parent-over",
        "group.begun",
        "group.over",
        "group.child-has-a-lease",
        "group.lease-deleted",
    ];

    /// Defects that can be planted, in addition to skipped steps.
    pub const DEFECTS: [&str; 22] = [
        "defect.position-before-data",
        "defect.one-token-for-all-children",
        "defect.parts-of-a-query-begin-again",
        "defect.nothing-new-is-the-end",
        "defect.nothing-new-below-the-pin-is-the-end",
        "defect.the-pin-is-the-end",
        "defect.exact-ends-are-pinned-again",
        "defect.now-again-on-resume",
        "defect.changes-end-before-the-snapshot",
        "defect.compare.target-is-not-followed",
        "defect.compare.deletions-are-not-looked-for",
        "defect.lock-not-checked",
        "defect.manifest-not-checked",
        "defect.object.completed-before-its-commit",
        "defect.object.failed-part-is-acknowledged",
        "defect.object.recorded-before-it-is-published",
        "defect.object.state-without-condition",
        "defect.object.unclear-commit-is-done",
        "defect.group.begins-at-the-lease",
        "defect.group.parent-is-not-ended",
        "defect.replay.writes-without-condition",
        "defect.replay.trusts-what-it-reads",
    ];

    /// The configuration of the failpoints, applied once.
    static CONFIGURED: LazyLock<Result<(), String>> = LazyLock::new(|| {
        let configuration = std::env::var("COSMOS_TAIL_FAILPOINTS").unwrap_or_default();
        for one in configuration.split(';').filter(|one| !one.is_empty()) {
            let (name, actions) = one.split_once('=').ok_or("NAME=ACTIONS is missing")?;
            if !is_known(name) {
                return Err(format!("`{name}` is not a failpoint"));
            }
            fail::cfg(name, actions)?;
        }
        Ok(())
    });

    pub(super) static LOCKSTEP: LazyLock<bool> =
        LazyLock::new(|| std::env::var_os("COSMOS_TAIL_LOCKSTEP").is_some());

    pub(super) static IMPATIENT: LazyLock<bool> =
        LazyLock::new(|| std::env::var_os("COSMOS_TAIL_IMPATIENT").is_some());

    /// The trace of changes, if there is one. It is locked during a change, so that the trace has their
    /// order.
    static TRACE: LazyLock<Mutex<Option<std::fs::File>>> = LazyLock::new(|| {
        let path = std::env::var_os("COSMOS_TAIL_DISK_TRACE");
        let file = path.and_then(|path| {
            std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .ok()
        });
        Mutex::new(file)
    });

    fn is_known(name: &str) -> bool {
        [&STEPS[..], &CALLS, &MOMENTS, &DEFECTS]
            .concat()
            .contains(&name)
    }

    pub(super) fn call(name: &'static str) -> io::Result<()> {
        action(name).map_or(Ok(()), |action| perform(action).map(drop))
    }

    /// The action that a test configured for `name`.
    fn action(name: &'static str) -> Option<String> {
        if let Err(wrong) = &*CONFIGURED {
            return Some(format!("COSMOS_TAIL_FAILPOINTS: {wrong}"));
        }
        debug_assert!(is_known(name), "{name}");
        fail::fail_point!(name, |action| Some(action.unwrap_or_default()));
        None
    }

    /// Aborts the process or returns the error of an action. Other actions are returned.
    fn perform(action: String) -> io::Result<String> {
        let kind = match action.as_str() {
            "kill" => {
                // Not while another thread is tracing a change.
                let _trace = TRACE.lock().unwrap_or_else(PoisonError::into_inner);
                std::process::abort()
            }
            "ENOSPC" => io::ErrorKind::StorageFull,
            "EDQUOT" => io::ErrorKind::QuotaExceeded,
            "EINTR" => io::ErrorKind::Interrupted,
            "EIO" => return Err(io::Error::other("input/output error")),
            "skip" | "torn" | "short" => return Ok(action),
            other => return Err(io::Error::other(format!("unknown action: {other}"))),
        };
        Err(kind.into())
    }

    pub(super) fn is_planted(name: &'static str) -> bool {
        action(name).is_some()
    }

    fn append(trace: &mut Option<std::fs::File>, line: &Value) {
        if let Some(file) = trace {
            file.write_all(format!("{line}\n").as_bytes()).ok();
        }
    }

    pub(super) fn step(
        name: &'static str,
        change: FileChange<'_>,
        take: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        if let Some(action) = action(name)
            && perform(action)? == "skip"
        {
            return Ok(());
        }
        let mut trace = TRACE.lock().unwrap_or_else(PoisonError::into_inner);
        take()?;
        let line = match change {
            FileChange::Create(path) => json!({"create": path}),
            FileChange::Cut(path, length) => json!({"cut": path, "length": length}),
            FileChange::Sync(path) => json!({"sync": path}),
            FileChange::Rename(from, to) => json!({"rename": from, "to": to}),
            FileChange::Remove(path) => json!({"remove": path}),
            FileChange::SyncDirectory(path) => json!({"sync_directory": path}),
        };
        append(&mut trace, &line);
        Ok(())
    }

    pub(super) fn open(
        name: &'static str,
        path: &Path,
        options: &fs::OpenOptions,
    ) -> io::Result<fs::File> {
        let mut file = None;
        step(name, FileChange::Create(path), || {
            file = Some(options.open(path)?);
            Ok(())
        })?;
        file.ok_or_else(|| io::Error::other("an open cannot be skipped"))
    }

    pub(super) fn write(name: &'static str, file: &mut fs::File, bytes: &[u8]) -> io::Result<()> {
        Faulty { name, file }.write_all(bytes)
    }

    /// A file whose every write is a step.
    struct Faulty<'a> {
        name: &'static str,
        file: &'a mut fs::File,
    }

    impl Faulty<'_> {
        fn write_whole(&mut self, bytes: &[u8]) -> io::Result<()> {
            let mut trace = TRACE.lock().unwrap_or_else(PoisonError::into_inner);
            if trace.is_none() {
                return self.file.write_all(bytes);
            }
            let offset = self.file.stream_position()?;
            self.file.write_all(bytes)?;
            let line = json!({
                "write": self.file.path(), "offset": offset, "bytes": STANDARD.encode(bytes),
            });
            append(&mut trace, &line);
            Ok(())
        }
    }

    impl Write for Faulty<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let action = action(self.name).map(perform).transpose()?;
            let length = match action.as_deref() {
                Some("skip") => return Ok(bytes.len()),
                Some("short" | "torn") => bytes.len().div_ceil(2),
                _ => bytes.len(),
            };
            self.write_whole(&bytes[..length])?;
            match action.as_deref() {
                Some("torn") => Err(io::ErrorKind::StorageFull.into()),
                _ => Ok(length),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
