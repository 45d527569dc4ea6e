//! Where the bytes of an export are stored, and how they become part of it.
//!
//! [`Destination`] is the seam. It knows parts, receipts and what is committed, but neither pages nor the
//! state file. An export calls it in this order:
//!
//! ```text
//!  prepare, lock ─► ensure_free, begin      a new export
//!                └► prove, recover          one that is resumed
//!  open ─► append … ─► make_durable         as often as there are checkpoints
//!                       ─► (the state is committed)
//!                           ─► publish      of parts that were sealed
//! ```
//!
//! Appended bytes do not count until they are durable and a state that lists them is committed. A part is
//! published after that commit, completely or not at all, so a crash at any point leaves either nothing
//! visible or something that the next start completes.
//!
//! Published parts are read through [`ExportFiles`], which every destination is.
//!
//! [`Local`] is a directory, a file or a file that grows; [`StandardOutput`] is a stream, which
//! cannot be rewound; `Objects` is a place in an object store. A new destination is a file here and a line in [`at()`].

mod committed;
pub mod directories;
pub mod earlier;
mod export_files;
mod find_state;
mod holder;
mod local;
pub mod manifest;
pub mod names;
#[cfg(feature = "object-stores")]
mod objects;
mod orphans;
mod output;
pub mod owner;
mod part;
mod partition;
mod partitions;
mod place;
mod receipt;
mod recover;
mod seam;
pub mod shards;
mod standard_output;
mod table;

pub use committed::Committed;
pub use export_files::{ExportDirectory, ExportFiles, PartReader};
pub use find_state::find_state;
pub use holder::Holder;
pub use local::Local;
pub(crate) use local::read_up_to;
#[cfg(feature = "object-stores")]
pub use objects::{Objects, PlaceClaim, StateElsewhere, state_elsewhere};
pub use orphans::orphans_at;
pub use output::Output;
pub use part::{
    FileState, ManifestMark, PartId, Piece, ResumedPart, SeriesState, Upload, checksum_text,
    optional_checksum_text,
};
pub use partition::{Partition, PartitionBy, split_name, tables_of};
pub use place::{Place, at};
pub use receipt::{PartReceipt, Receipt, Written};
pub use recover::{NeedsRepair, Recovery, may_be_unknown};
pub use seam::{Destination, Inheritance, Kind, Ownership, PartWriter, Unsynced};
pub use shards::{Home, Shards};
pub use standard_output::StandardOutput;
pub use table::{
    DEFINITION_FILE, GROUP_FILE, MANIFEST_FILE, STATE_FILE, StateDirectory, Table, own_object,
    range_of_state, real, shard_directory, state_directory_of, states_of_ranges,
};
