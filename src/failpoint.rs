//! Steps that tests can make fail: the places where files change, by name.
//!
//! Without the feature `failpoints`, which only tests switch on, a step is nothing but what it does.
//! With it, `COSMOS_TAIL_FAILPOINTS` says what becomes of which step, in the language of the crate
//! [`fail`](https://docs.rs/fail): `state.rename=2*off->return(kill);part.write=1*return(ENOSPC)`.
//!
//! | action | what happens |
//! |---|---|
//! | `return(kill)` | the process ends there, without a further instruction |
//! | `return(ENOSPC)`, `return(EDQUOT)`, `return(EIO)`, `return(EINTR)` | the step fails so |
//! | `return(torn)` | half of the bytes are written, then the disk is full |
//! | `return(short)` | fewer bytes are written than were given, without an error |
//! | `return(skip)` | the step is left out, and nobody notices: a planted defect |
//! | `return` | the defect of that name is there |
//! | `sleep(MS)` | the step comes later |
//!
//! `COSMOS_TAIL_CLOCK` names a file that holds by how many seconds the wall clock is wrong, ahead or, with
//! a minus, back. It is read at each look at the clock, so that a test can let it jump.
//!
//! `COSMOS_TAIL_LOCKSTEP`, if it is there, lets every commit end before the next page is taken. With one
//! range read at a time and commits that depend on bytes alone, a run then takes the same steps again.
//!
//! `COSMOS_TAIL_DISK_TRACE` names a file that gets a line for each change of a file, from which a
//! model of a disk can make what a crash would leave of changes that were not synced.

use std::io;
use std::path::Path;

use fs_err as fs;

/// A change of a file or a directory.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// The file is there, and empty if it is new.
    Create(&'a Path),
    /// The file has this length.
    Cut(&'a Path, u64),
    /// What was written to the file is durable.
    Sync(&'a Path),
    /// The file has another name.
    Rename(&'a Path, &'a Path),
    /// The file has no name any more.
    Remove(&'a Path),
    /// The names in the directory are durable.
    SyncDirectory(&'a Path),
}

/// Takes a step that changes a file.
///
/// # Errors
///
/// Those of the step, and those that a test asks for.
#[inline]
pub fn step(
    name: &'static str,
    change: Change<'_>,
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

/// Opens a file, which is there afterwards.
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

/// Writes `bytes` to the file, where it stands.
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

/// Whether a test asks for the defect `name`, to see that it would be noticed.
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

/// Whether a test asks for every commit to end before the next page is taken.
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

/// By how much a test wants the wall clock to be wrong.
#[cfg(feature = "failpoints")]
pub fn clock_offset() -> time::Duration {
    let seconds = std::env::var_os("COSMOS_TAIL_CLOCK")
        .and_then(|path| std::fs::read_to_string(path).ok())
        .and_then(|text| text.trim().parse().ok());
    time::Duration::seconds(seconds.unwrap_or(0))
}

#[cfg(feature = "failpoints")]
pub use switched::{DEFECTS, STEPS};

#[cfg(feature = "failpoints")]
mod switched {
    use std::io::{self, Seek, Write};
    use std::path::Path;
    use std::sync::{LazyLock, Mutex, PoisonError};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use fs_err as fs;
    use serde_json::{Value, json};

    use super::Change;

    /// The steps, in the order in which an export and then a resume comes to them.
    pub const STEPS: [&str; 23] = [
        "lock.open",
        "directory.create",
        "directory.sync",
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

    /// Defects that can be planted; those beside them are steps that are skipped.
    pub const DEFECTS: [&str; 8] = [
        "defect.position-before-data",
        "defect.one-token-for-all-children",
        "defect.nothing-new-is-the-end",
        "defect.nothing-new-below-the-pin-is-the-end",
        "defect.the-pin-is-the-end",
        "defect.now-again-on-resume",
        "defect.lock-not-checked",
        "defect.manifest-not-checked",
    ];

    /// What was asked for of the failpoints, read once.
    static ASKED: LazyLock<Result<(), String>> = LazyLock::new(|| {
        let asked = std::env::var("COSMOS_TAIL_FAILPOINTS").unwrap_or_default();
        for one in asked.split(';').filter(|one| !one.is_empty()) {
            let (name, actions) = one.split_once('=').ok_or("NAME=ACTIONS is missing")?;
            if !STEPS.contains(&name) && !DEFECTS.contains(&name) {
                return Err(format!("`{name}` is no failpoint"));
            }
            fail::cfg(name, actions)?;
        }
        Ok(())
    });

    pub(super) static LOCKSTEP: LazyLock<bool> =
        LazyLock::new(|| std::env::var_os("COSMOS_TAIL_LOCKSTEP").is_some());

    /// Where changes are told, if they are; locked for as long as one takes, so that they are told
    /// in the order in which they happen.
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

    /// What a test asks for, in words.
    fn asked(name: &'static str) -> Option<String> {
        if let Err(wrong) = &*ASKED {
            return Some(format!("COSMOS_TAIL_FAILPOINTS: {wrong}"));
        }
        debug_assert!(STEPS.contains(&name) || DEFECTS.contains(&name), "{name}");
        fail::fail_point!(name, |action| Some(action.unwrap_or_default()));
        None
    }

    /// Ends the process or tells the error that is asked for; what is not known here is handed on.
    fn obey(action: String) -> io::Result<String> {
        let kind = match action.as_str() {
            "kill" => {
                // Not while another thread is in the middle of telling a change.
                let _told = TRACE.lock().unwrap_or_else(PoisonError::into_inner);
                std::process::abort()
            }
            "ENOSPC" => io::ErrorKind::StorageFull,
            "EDQUOT" => io::ErrorKind::QuotaExceeded,
            "EINTR" => io::ErrorKind::Interrupted,
            "EIO" => return Err(io::Error::other("input/output error")),
            "skip" | "torn" | "short" => return Ok(action),
            other => return Err(io::Error::other(format!("no action: {other}"))),
        };
        Err(kind.into())
    }

    pub(super) fn is_planted(name: &'static str) -> bool {
        asked(name).is_some()
    }

    fn tell(trace: &mut Option<std::fs::File>, line: &Value) {
        if let Some(file) = trace {
            file.write_all(format!("{line}\n").as_bytes()).ok();
        }
    }

    pub(super) fn step(
        name: &'static str,
        change: Change<'_>,
        take: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        if let Some(action) = asked(name)
            && obey(action)? == "skip"
        {
            return Ok(());
        }
        let mut trace = TRACE.lock().unwrap_or_else(PoisonError::into_inner);
        take()?;
        let line = match change {
            Change::Create(path) => json!({"create": path}),
            Change::Cut(path, length) => json!({"cut": path, "length": length}),
            Change::Sync(path) => json!({"sync": path}),
            Change::Rename(from, to) => json!({"rename": from, "to": to}),
            Change::Remove(path) => json!({"remove": path}),
            Change::SyncDirectory(path) => json!({"sync_directory": path}),
        };
        tell(&mut trace, &line);
        Ok(())
    }

    pub(super) fn open(
        name: &'static str,
        path: &Path,
        options: &fs::OpenOptions,
    ) -> io::Result<fs::File> {
        let mut file = None;
        step(name, Change::Create(path), || {
            file = Some(options.open(path)?);
            Ok(())
        })?;
        file.ok_or_else(|| io::Error::other("a file cannot be left unopened"))
    }

    pub(super) fn write(name: &'static str, file: &mut fs::File, bytes: &[u8]) -> io::Result<()> {
        Faulty { name, file }.write_all(bytes)
    }

    /// A file of which every write is a step of its own.
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
            tell(&mut trace, &line);
            Ok(())
        }
    }

    impl Write for Faulty<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let asked = asked(self.name).map(obey).transpose()?;
            let length = match asked.as_deref() {
                Some("skip") => return Ok(bytes.len()),
                Some("short" | "torn") => bytes.len().div_ceil(2),
                _ => bytes.len(),
            };
            self.write_whole(&bytes[..length])?;
            match asked.as_deref() {
                Some("torn") => Err(io::ErrorKind::StorageFull.into()),
                _ => Ok(length),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
