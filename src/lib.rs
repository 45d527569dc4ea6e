//! Export and replay of the Azure Cosmos DB change feed: the library behind the `cosmos-tail`
//! command.
//!
//! # The way of a page
//!
//! ```text
//! cli ──► settings ──► job ──┬─► reader ──► cosmos ──► (the service)
//!  what     what       wires │     one shard for each feed range, on worker tasks
//!  was      was        it up │        │ pages, splits, ends
//!  typed    meant            │        ▼
//!                            ├─► sink      pages through an encoder (format) into parts (destination)
//!                            │        │ receipts
//!                            │        ▼
//!                            └─► state     the ledger commits receipts: the state, then the names of files
//! ```
//!
//! and back: [`source`] reads files and streams of changes, which [`replay`] writes to a container
//! through [`cosmos`].
//!
//! # The modules
//!
//! - [`feed`] has the pure types of the change feed and does no I/O. [`cosmos`] is the only code that
//!   talks to the service. The [`reader`] reads ranges in parallel, and knows neither the [`sink`] nor the
//!   [`state`].
//! - [`feed`], [`schema`], [`mod@format`], [`render`] and [`content`], through which documents pass, are those of the crate
//!   `cosmos-tail-documents`, in `documents/`: a release optimizes it in full, and this one half.
//! - [`schema`] has the columns of table-like formats, [`mod@format`] the encoders of files, and [`source`]
//!   reads their rows back. [`render`] turns a change into what a tail shows.
//! - [`destination`] is where the bytes of an export are, [`state`] what of them is committed. Both are
//!   seams, of which a local directory is one implementation. [`verify`] checks the one against the other.
//! - [`settings`] resolves flags, environment, profile and state; [`command`] has a file for each command;
//!   [`report`] is the only code that prints for people.
//! - `leases` are those of change feed processors, and `share` is a tail that divides a feed with other instances by
//!   them.
//! - What differs between operating systems is in [`durable`], [`process`] and [`signal`]; [`clock`] is
//!   where the time of day is read; [`lag`] computes how far a reader is behind, and [`monitor`] answers over
//!   HTTP while a command runs; [`failpoint`] has the steps that tests can make fail;
//!   [`version`] says what this build is.
//!
//! Modules import each other in one direction. docs/architecture.md declares the order, and a test holds
//! it.

// Unit tests share code with the fuzz targets, which name the crate so.
#[cfg(test)]
extern crate self as cosmos_tail;

mod acceptance;
pub mod cli;
pub mod clock;
pub mod command;
pub mod compare;
pub mod cosmos;
#[cfg(feature = "demo")]
pub mod demo;
pub mod destination;
pub mod durable;
pub mod failpoint;
pub mod infrastructure;
pub mod job;
pub mod lag;
mod leases;
mod measure;
pub mod monitor;
mod nearest;
pub mod objects;
pub mod observe;
pub mod process;
mod proxy;
pub mod reader;
mod redact;
pub mod replay;
pub mod report;
pub mod settings;
mod share;
pub mod signal;
pub mod sink;
pub mod source;
pub mod state;
pub mod verify;
pub mod version;

pub use cosmos_tail_documents::{content, error, escape, feed, format, render, schema};

use cosmos_tail_documents::{count, width};
