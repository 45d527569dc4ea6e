//! What a person sees: one file in `tests/moments/` for each moment, with the command as it was typed,
//! the exit code, and what standard output and standard error showed.
//!
//! The pages are made to be read. A message that changes makes its page differ, and the test names the
//! page. If the change is intended, write the pages again and read the diff:
//!
//! ```sh
//! COSMOS_TAIL_REGENERATE=1 cargo test --locked --test it moments
//! ```
//!
//! In every page, `AZURE_COSMOS_ENDPOINT` and `AZURE_COSMOS_KEY` are set to an account that has the
//! container `shop/orders`, unless the page says otherwise.

mod compare;
mod connection;
mod database;
mod export;
mod help;
mod leases;
mod lists;
mod monitoring;
#[cfg(all(unix, feature = "object-stores"))]
mod objects;
mod pages;
mod plan;
mod profiles;
mod query;
mod replay;
#[cfg(unix)]
mod service;
mod share;
mod snapshot;
mod stage;
mod state;
#[cfg(unix)]
mod stopped;
mod tables;
mod tail;
mod usage;
mod verify;

use pages::Pages;
use stage::Stage;

/// The folders of pages, each of which one test fills.
const FOLDERS: [&str; 28] = [
    "compare",
    "connection",
    "database",
    "definitions",
    "export",
    "help",
    "lag",
    "leases",
    "ls",
    "monitoring",
    "objects",
    "plan",
    "profiles",
    "query",
    "ranges",
    "replay",
    "schema",
    "service",
    "share",
    "snapshot",
    "state",
    "stopped",
    "tables",
    "tail",
    "tail-diff",
    "usage",
    "usage-replay",
    "verify",
];

#[test]
fn every_folder_of_pages_belongs_to_a_test() {
    let mut found: Vec<String> = std::fs::read_dir(pages::root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, FOLDERS, "below {}", pages::root().display());
}
