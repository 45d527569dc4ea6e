//! File operations that must survive a crash: staging, syncing, renaming and locking, on every platform.
//!
//! Only this module knows how Linux, macOS and Windows differ here:
//!
//! | | Linux, macOS | Windows |
//! |---|---|---|
//! | a new name is durable | after a sync of its directory | after a sync of the file: NTFS journals its directories, which cannot be opened for a sync |
//! | replacing a file | `rename` is atomic | `MoveFileEx` with replace, which requires that the target is closed |
//! | a private file | mode 0600 at creation | inherits the access list of its directory |
//! | an exclusive lock | `flock`, released by the kernel when the process ends | `LockFileEx`, released likewise |
//! | one writer of a file that others read | `flock` | it is opened so that nobody else can open it for writing |
//! | a lock file that was replaced | detected by comparing device and inode with those of its path | prevented: it is opened so that nobody can delete or rename it |
//! | not following a link | `O_NOFOLLOW` | `FILE_FLAG_OPEN_REPARSE_POINT`, and a check of the opened file |
//!
//! On macOS, `File::sync_all` uses `F_FULLFSYNC`, so data reaches the medium there too.

mod configuration;
mod files;
mod identity;
mod lock;

pub use configuration::{create_private, replace_configuration};
pub use files::{
    DEFINITION, OPEN_SUFFIX, STAGED_SUFFIX, begins_as_ours, checksum_prefix, create_directory,
    create_whole, is_plain_file, is_there, left_staged, open_plain, open_plain_quietly, parent_of,
    publish, remove_plain, replace, replace_as, shown_path, sync_directory, with_suffix,
};
pub(crate) use identity::{is_same_file, is_standard_input};
pub use lock::{Lock, Locks, WrittenByAnother, lock_path, open_for_one_writer};
