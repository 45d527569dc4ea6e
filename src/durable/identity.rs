//! Whether two names are those of one file.

use std::path::Path;

use same_file::Handle;

/// Whether these are two names of one regular file: through links, hard links and directories too. It is none
/// that does not exist.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    // Opening anything else might block.
    one.is_file() && other.is_file() && same_file::is_same_file(one, other).unwrap_or(false)
}

/// Whether standard input is the regular file `path`.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path.is_file()
        && Handle::stdin()
            .and_then(|stdin| Ok(stdin == Handle::from_path(path)?))
            .unwrap_or(false)
}
