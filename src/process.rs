//! What the process was started with, and what it leaves if it dies: standard streams and core dumps,
//! on every platform.
//!
//! A standard stream that was closed by whoever started this process cannot be seen later on: before
//! `main`, Rust's library opens `/dev/null` in its place, so that no file gets its number, and a write
//! that fails because the stream is open for reading only counts as done. What was "written" then is
//! nowhere. So on Unix the streams are looked at before that, by a function that the loader calls.

use anyhow::{Result, anyhow};

use crate::error::{ExitCode, with_exit_code, with_hint};

/// Lets the system write core dumps.
const CORE_DUMPS_VARIABLE: &str = "COSMOS_TAIL_CORE_DUMPS";

/// Refuses a standard output that takes nothing: what is written to it would be taken for written.
///
/// # Errors
///
/// If it was closed when the process was started, or is open for reading only.
pub fn ensure_standard_output() -> Result<()> {
    match streams::OUTPUT.is_usable() {
        Ok(()) => Ok(()),
        Err(why) => Err(unusable(
            format!("cannot write to standard output: it {why}"),
            "redirect it to a file or a pipe; to discard what is written, to /dev/null",
        )),
    }
}

/// Refuses a standard input that gives nothing: it would be taken for an empty one.
///
/// # Errors
///
/// If it was closed when the process was started, or is open for writing only.
pub fn ensure_standard_input() -> Result<()> {
    match streams::INPUT.is_usable() {
        Ok(()) => Ok(()),
        Err(why) => Err(unusable(
            format!("cannot read standard input: it {why}"),
            "redirect it from a file or a pipe",
        )),
    }
}

fn unusable(message: String, hint: &str) -> anyhow::Error {
    with_hint(with_exit_code(anyhow!(message), ExitCode::Failed), hint)
}

/// Keeps the memory of this process, which holds the account key, out of core dumps, and away from
/// other processes of the same user as far as the system does that: on Linux such a process cannot be
/// traced either. On Windows error reports are a matter of the system's settings.
///
/// Whoever debugs sets `COSMOS_TAIL_CORE_DUMPS` to `1`.
pub fn forbid_core_dumps() {
    if std::env::var_os(CORE_DUMPS_VARIABLE).is_some_and(|value| value == "1") {
        return;
    }
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        // The soft limit only, which needs no rights and which a child may raise again. A system that
        // refuses even this has nobody to report it to: the run is what was asked for.
        let limit = Rlimit {
            current: Some(0),
            ..getrlimit(Resource::Core)
        };
        setrlimit(Resource::Core, limit).ok();
    }
    // The limit does not count where dumps go to a program, as with systemd and on Ubuntu.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
    }
}

#[cfg(unix)]
mod streams {
    use std::os::fd::{AsFd, BorrowedFd};
    use std::sync::atomic::{AtomicU8, Ordering};

    use rustix::fs::{OFlags, fcntl_getfl};

    /// One of the standard streams.
    pub(super) struct Stream {
        number: u8,
        /// The access mode with which it is of no use.
        useless: OFlags,
    }

    pub(super) const INPUT: Stream = Stream {
        number: 0,
        useless: OFlags::WRONLY,
    };
    pub(super) const OUTPUT: Stream = Stream {
        number: 1,
        useless: OFlags::RDONLY,
    };

    /// A bit for each stream that was closed at the start.
    static CLOSED: AtomicU8 = AtomicU8::new(0);

    impl Stream {
        /// Why it is of no use, as the end of a sentence.
        pub(super) fn is_usable(&self) -> Result<(), &'static str> {
            if CLOSED.load(Ordering::Relaxed) & (1 << self.number) != 0 {
                return Err("is closed");
            }
            let flags = match self.number {
                0 => mode_of(std::io::stdin().as_fd()),
                _ => mode_of(std::io::stdout().as_fd()),
            };
            match flags {
                Some(mode) if mode == self.useless => Err(match self.number {
                    0 => "is open for writing only",
                    _ => "is open for reading only",
                }),
                Some(_) => Ok(()),
                None => Err("is closed"),
            }
        }
    }

    fn mode_of(stream: BorrowedFd<'_>) -> Option<OFlags> {
        fcntl_getfl(stream).ok().map(|flags| flags & OFlags::RWMODE)
    }

    /// Notes which streams are closed. It runs before Rust's library does anything.
    extern "C" fn look() {
        for number in 0..3 {
            #[expect(
                unsafe_code,
                reason = "there is no stream yet that a safe call would take"
            )]
            // SAFETY: it asks for the flags of a number, which need not be open.
            let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
            if flags == -1 {
                CLOSED.fetch_or(1 << number, Ordering::Relaxed);
            }
        }
    }

    // On other systems nothing calls it, and a stream that was closed is taken for /dev/null.
    #[cfg_attr(
        any(
            target_os = "linux",
            target_os = "android",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "dragonfly",
            target_os = "illumos",
            target_os = "solaris"
        ),
        unsafe(link_section = ".init_array")
    )]
    #[cfg_attr(
        target_vendor = "apple",
        unsafe(link_section = "__DATA,__mod_init_func")
    )]
    #[expect(
        unsafe_code,
        reason = "the loader calls what stands in this section: a function that takes nothing and gives \
                  nothing, as this one"
    )]
    #[used]
    static LOOK: extern "C" fn() = look;
}

#[cfg(windows)]
mod streams {
    use std::os::windows::io::{AsRawHandle, RawHandle};

    /// One of the standard streams.
    pub(super) struct Stream {
        handle: fn() -> RawHandle,
    }

    pub(super) const INPUT: Stream = Stream {
        handle: || std::io::stdin().as_raw_handle(),
    };
    pub(super) const OUTPUT: Stream = Stream {
        handle: || std::io::stdout().as_raw_handle(),
    };

    impl Stream {
        /// Why it is of no use, as the end of a sentence. Rust's library opens nothing in the place of a
        /// handle that is missing; reads and writes of it count as done.
        pub(super) fn is_usable(&self) -> Result<(), &'static str> {
            let handle = (self.handle)();
            match handle.is_null() || handle.addr() == usize::MAX {
                true => Err("is closed"),
                false => Ok(()),
            }
        }
    }
}
