//! A page of the feed, split into its items without interpreting their values.
//!
//! A page is one response body:
//!
//! ```json
//! {"_rid": "…", "Documents": [item, item, …], "_count": 2}
//! ```
//!
//! Every byte of it is checked against RFC 8259 in one pass (a second, vectorised one checks UTF-8 if
//! there is more than ASCII), so an item that is handed out is valid JSON, and it is the service's own text: key
//! order, duplicate keys, `1.10`, `1e400` and integers of any length stay what they were.
//!
//! # Items
//!
//! An item is a document, or an envelope around it: `{"current": …, "previous": …, "metadata": …}`,
//! in any order, some of them missing. Emulators send bare documents, the service sends envelopes.
//! An object is an **envelope** if all its top-level names are `current`, `previous` or `metadata`
//! and at least one is `current` or `metadata`. Everything else is a **bare document**, also `{}`
//! and what is no object at all. The rule is not ambiguous in practice, since every document of a
//! container has an `id`.
//!
//! What a page says of itself is apart from its grammar: [`Page::check`] compares its `_count` with its
//! items, which are all objects, and [`Page::container_rid`] is its `_rid`.

mod error;
mod item;
mod line;
mod members;
mod metadata;
mod parse;
mod scanner;
pub(crate) mod skim;
mod span;
mod wide;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

pub use error::{PageError, PageErrorKind};
pub use item::{ItemRef, write_line};
pub use members::{Elements, Member, Members, elements, members};
pub use metadata::{Metadata, OperationType};
pub use parse::Page;
pub use span::Item;
