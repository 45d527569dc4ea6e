//! Where the bytes of an export lie, and how they become part of it.
//!
//! [`Destination`] is the seam. It knows parts, receipts and what is committed; it knows neither
//! ranges' pages nor the state's file. An export goes through it in this order:
//!
//! ```text
//!  prepare, lock ─► ensure_free, begin      a new export
//!                └► prove, recover          one that is resumed
//!  open ─► append … ─► make_durable         as often as there are checkpoints
//!                       ─► (the state is committed)
//!                           ─► publish      of parts that were sealed
//! ```
//!
//! What is appended counts for nothing until it is durable and a state that speaks of it is
//! committed. A part is published after that commit, whole or not at all, so a crash at any point
//! leaves either nothing to see or something that the next start completes.
//!
//! What is published is read through [`ExportFiles`], which every destination is.
//!
//! [`Local`] is a directory, a file or a file that grows; [`StandardOutput`] is a stream, of which
//! nothing can be taken back. A destination is a new file here, and a line in [`at()`].

mod committed;
pub mod earlier;
mod export_files;
mod local;
pub mod manifest;
pub mod names;
mod output;
pub mod owner;
mod part;
mod place;
mod receipt;
mod recover;
mod seam;
mod standard_output;

pub use committed::Committed;
pub use export_files::{ExportDirectory, ExportFiles, PartReader};
pub use local::Local;
pub use output::Output;
pub use part::{
    FileState, ManifestMark, PartId, ResumedPart, SeriesState, checksum_text,
    optional_checksum_text,
};
pub use place::{Place, at};
pub use receipt::{PartReceipt, Receipt, Written};
pub use recover::{Recovery, may_be_unknown};
pub use seam::{Destination, Inheritance, Kind, Ownership, PartWriter, Unsynced};
pub use standard_output::StandardOutput;
