//! Calls of a library that panics at what it finds in a damaged file.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is an answer, and nothing to be told.
    static IS_ANSWER: Cell<bool> = const { Cell::new(false) };
}

/// What `call` returns; none if it panicked, after which what it worked on is of no use.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_ANSWER.get() {
                before(info);
            }
        }));
    });
    let outer = IS_ANSWER.replace(true);
    let returned = panic::catch_unwind(AssertUnwindSafe(call));
    IS_ANSWER.set(outer);
    returned.ok()
}
