//! Export and replay of the Azure Cosmos DB change feed: the library behind the `cosmos-tail`
//! command.
//!
//! # The way of a page
//!
//! ```text
//! cli ──► settings ──► job ─────┬─► reader ──► cosmos ──► (the service)
//!  what     what          wires   │     one shard per feed range, over worker tasks
//!  was      was           it up   │        │ pages, splits, ends
//!  typed    meant                 │        ▼
//!                                 ├─► sink      writes pages, makes them durable ─► Receipt
//!                                 └─► state     commits receipts: the ledger, the state file, the lock
//! ```
//!
//! and back: [`source`] reads files and streams of changes, which [`replay`] writes to a container
//! through [`cosmos`].
//!
//! Arrows go one way. [`feed`] holds the pure types that all share and does no I/O; [`cosmos`] is
//! the only code that talks to the service; the [`reader`] knows neither the [`sink`] nor the
//! [`state`]; what differs between operating systems lies in [`durable`], [`process`] and [`signal`];
//! [`clock`] is where the time of day is read; [`schema`] says what the columns of a table-like format are, and [`source`] reads them back;
//! [`render`] turns a change into what a tail shows; [`report`] is the only code that prints, beside
//! sinks that write data to standard output.

// Unit tests share code with the fuzz targets, which name the crate so.
#[cfg(test)]
extern crate self as cosmos_tail;

pub mod cli;
pub mod clock;
pub mod cosmos;
#[cfg(feature = "demo")]
pub mod demo;
pub mod destination;
pub mod durable;
pub mod error;
pub mod escape;
pub mod failpoint;
pub mod feed;
pub mod format;
pub mod generate;
pub mod job;
pub mod observe;
pub mod process;
pub mod profiles;
pub mod ranges;
pub mod reader;
mod redact;
pub mod render;
pub mod replay;
pub mod report;
pub mod run;
pub mod schema;
pub mod settings;
pub mod signal;
pub mod sink;
pub mod source;
pub mod state;
pub mod verify;
