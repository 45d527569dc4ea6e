//! The process and its environment, on every platform: its id, closed standard streams, the terminal, and
//! core dumps.
//!
//! A standard stream that the parent process closed cannot be detected in `main`: Rust's runtime has
//! already opened `/dev/null` in its place, so that no file gets its number. It also ignores a failed
//! write to a stream that is open for reading only. Output would be lost silently. On Unix, a function
//! that the loader calls before the runtime starts therefore checks the streams.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::error::{ExitCode, with_exit_code, with_hint};

/// Set to `1`, it allows core dumps.
const CORE_DUMPS_VARIABLE: &str = "COSMOS_TAIL_CORE_DUMPS";

/// The id of this run of the program, by which its files are found in a manifest.
pub fn run_id() -> uuid::Uuid {
    static ID: LazyLock<uuid::Uuid> = LazyLock::new(uuid::Uuid::now_v7);
    *ID
}

/// The name of this machine, or of the container that this is in.
pub fn host_name() -> Option<String> {
    #[cfg(unix)]
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    (!name.is_empty()).then_some(name)
}

/// Refuses a standard output that cannot be written to, where output would be lost silently.
///
/// # Errors
///
/// If it was closed when the process started, or is open for reading only.
pub fn ensure_standard_output() -> Result<()> {
    match streams::OUTPUT.is_usable() {
        Ok(()) => Ok(()),
        Err(why) => Err(unusable(
            format!("cannot write to standard output: it {why}"),
            "redirect it to a file or a pipe, or to /dev/null to discard the output",
        )),
    }
}

/// Refuses a standard input that cannot be read, which would appear to be empty.
///
/// # Errors
///
/// If it was closed when the process started, or is open for writing only.
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

/// The time since some moment before this process began, by a clock that also counts while the machine sleeps, or
/// its process is paused. Whoever holds something for a limited time measures that time with it.
pub fn since_boot() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        since(rustix::time::clock_gettime(rustix::time::ClockId::Boottime))
    }
    // There `CLOCK_MONOTONIC` is `mach_continuous_time`, which counts sleep; `Instant` has the other one.
    #[cfg(target_vendor = "apple")]
    {
        since(rustix::time::clock_gettime(
            rustix::time::ClockId::Monotonic,
        ))
    }
    // The performance counter of Windows counts sleep.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    {
        static BEGAN: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
        BEGAN.elapsed()
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn since(time: rustix::time::Timespec) -> Duration {
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// The width of the terminal that standard output is, in columns. None if it is no terminal, or if the terminal
/// does not say. One call of the system, so it can be asked again and again.
pub fn columns_of_standard_output() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(std::io::stdout())?;
    // A console of Windows may begin a line as soon as one is full.
    let free = usize::from(cfg!(windows));
    usize::from(columns)
        .checked_sub(free)
        .filter(|columns| *columns > 0)
}

/// Whether the terminal shows plain text only, as in some editors.
pub fn is_dumb_terminal() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Keeps the memory of this process, which contains the account key, out of core dumps, and on Linux
/// away from debuggers of the same user. On Windows, error reports depend on the system's settings.
///
/// For debugging, set `COSMOS_TAIL_CORE_DUMPS` to `1`.
pub fn forbid_core_dumps() {
    if std::env::var_os(CORE_DUMPS_VARIABLE).is_some_and(|value| value == "1") {
        return;
    }
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        // Only the soft limit, which needs no privileges and which a child process can raise again. If
        // the system refuses, the run continues: it is what the user asked for.
        let limit = Rlimit {
            current: Some(0),
            ..getrlimit(Resource::Core)
        };
        setrlimit(Resource::Core, limit).ok();
    }
    // The limit does not apply where dumps are piped to a program, as with systemd and on Ubuntu.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
    }
}

/// Whether the messages of programs that this one starts are captured.
static CHILDREN_ARE_CAPTURED: AtomicBool = AtomicBool::new(false);

/// Has the messages of programs that this one starts captured from now on: they would be no JSON.
pub fn capture_children() {
    CHILDREN_ARE_CAPTURED.store(true, Ordering::Relaxed);
}

/// Whether the messages of programs that this one starts are captured, so that they are reported as our own.
pub(crate) fn children_are_captured() -> bool {
    CHILDREN_ARE_CAPTURED.load(Ordering::Relaxed)
}

/// More open files than this are never needed: each range has a file and a connection.
#[cfg(unix)]
const MAX_FILES: u64 = 65_536;

/// What macOS gives a process in any case.
#[cfg(unix)]
const FILES_OF_A_PROCESS: u64 = 10_240;

/// Raises the limit of open files as far as the system allows without a privilege: each range that is read has a file
/// and perhaps a connection, and the default is 1,024, or 256 on macOS.
///
/// Windows has no such limit.
pub fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let max = limit.maximum.unwrap_or(MAX_FILES).min(MAX_FILES);
        // macOS refuses more than it gives a process at all. If nothing helps, the limit stays what it is.
        for wanted in [max, FILES_OF_A_PROCESS] {
            let raised = Rlimit {
                current: Some(wanted),
                ..limit
            };
            let is_more = limit.current.is_some_and(|current| current < wanted);
            if is_more && setrlimit(Resource::Nofile, raised).is_ok() {
                return;
            }
        }
    }
}

/// What to do about an error, if its cause is the limit of open files.
pub fn hint_at_file_limit(error: &anyhow::Error) -> Option<String> {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        use rustix::process::{Resource, getrlimit};
        // Not every library passes the code on; the text always has it.
        let has = |code: Errno| {
            let text = format!("(os error {})", code.raw_os_error());
            error.chain().any(|cause| cause.to_string().contains(&text))
        };
        if has(Errno::NFILE) {
            return Some("this machine has too many open files; see fs.file-max".to_owned());
        }
        if !has(Errno::MFILE) {
            return None;
        }
        let limit = getrlimit(Resource::Nofile).current?;
        Some(format!(
            "this process may have {limit} open files, and each range that is read needs one and a connection: raise \
             the hard limit (ulimit -Hn, or LimitNOFILE= of a unit), or lower --concurrency"
        ))
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        None
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
        /// The access mode that makes it unusable.
        unusable: OFlags,
    }

    pub(super) const INPUT: Stream = Stream {
        number: 0,
        unusable: OFlags::WRONLY,
    };
    pub(super) const OUTPUT: Stream = Stream {
        number: 1,
        unusable: OFlags::RDONLY,
    };

    /// A bit for each stream that was closed when the process started.
    static CLOSED: AtomicU8 = AtomicU8::new(0);

    impl Stream {
        /// Why it is unusable, as the end of a sentence.
        pub(super) fn is_usable(&self) -> Result<(), &'static str> {
            if CLOSED.load(Ordering::Relaxed) & (1 << self.number) != 0 {
                return Err("is closed");
            }
            let flags = match self.number {
                0 => mode_of(std::io::stdin().as_fd()),
                _ => mode_of(std::io::stdout().as_fd()),
            };
            match flags {
                Some(mode) if mode == self.unusable => Err(match self.number {
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

    /// Records which streams are closed. It runs before Rust's runtime starts.
    extern "C" fn record_closed_streams() {
        for number in 0..3 {
            #[expect(
                unsafe_code,
                reason = "safe calls take a stream, and there may be none"
            )]
            // SAFETY: the call reads the flags of a file descriptor, which need not be open.
            let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
            if flags == -1 {
                CLOSED.fetch_or(1 << number, Ordering::Relaxed);
            }
        }
    }

    // On other systems nothing calls it, and a closed stream is not detected.
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
        reason = "the loader calls the functions of this section without arguments, which suits this one"
    )]
    #[used]
    static RECORD: extern "C" fn() = record_closed_streams;
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
        /// Why it is unusable, as the end of a sentence. Rust's runtime opens nothing in place of a
        /// missing handle; reads and writes of it succeed without effect.
        pub(super) fn is_usable(&self) -> Result<(), &'static str> {
            let handle = (self.handle)();
            if handle.is_null() || handle.addr() == usize::MAX {
                Err("is closed")
            } else {
                Ok(())
            }
        }
    }
}
