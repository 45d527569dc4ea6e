//! A page of the feed, split into its items without interpreting their values.
//!
//! A page is one response body:
//!
//! ```json
//! {"_rid": "…", "Documents": [item, item, …], "_count": 2}
//! ```
//!
//! Every byte of it is checked against RFC 8259 in one pass (a second, vectorised one checks UTF-8 if there
//! is more than ASCII), so every item is valid JSON. It is also the service's own text: the order of keys,
//! duplicate keys, `1.10`, `1e400` and integers of any length are unchanged.
//!
//! # Items
//!
//! An item is a document, or an envelope around it: `{"current": …, "previous": …, "metadata": …}`,
//! in any order, some of them missing. Emulators send bare documents, the service sends envelopes.
//! An object is an **envelope** if all its top-level names are `current`, `previous` or `metadata`
//! and at least one is `current` or `metadata`. Everything else is a **bare document**, including `{}`
//! and values that are not objects. The rule is not ambiguous in practice, since every document of a
//! container has an `id`.
//!
//! The page's own members are checked apart from the grammar: [`Page::check`] compares `_count` with the
//! number of items, which must be objects, and [`Page::container_rid`] is its `_rid`.

mod error;
mod item;
mod line;
mod members;
mod metadata;
mod parse;
mod scanner;
mod scientific;
pub mod skim;
mod snapshot;
mod span;
mod system;
mod whole;
mod wide;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

pub use error::{Fault, PageError, PageErrorKind};
pub use item::{ItemRef, write_line};
pub use line::first_line;
pub use members::{Elements, Member, Members, elements, members};
pub use metadata::{Metadata, OperationType};
pub use parse::{Page, checked};
pub use scanner::Scanner;
pub use scientific::scientific;
pub use span::Item;
pub use system::{SYSTEM_FIELDS, write_without_system_fields};
pub use whole::whole;
