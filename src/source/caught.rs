//! Calls of a library that panics on damaged files.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is expected, and not reported.
    static IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// What `call` returns; none if it panicked. Then the values that it worked on must not be used again.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_EXPECTED.get() {
                before(info);
            }
        }));
    });
    let outer = IS_EXPECTED.replace(true);
    let returned = panic::catch_unwind(AssertUnwindSafe(call));
    IS_EXPECTED.set(outer);
    returned.ok()
}
