//! Replay: applies changes from files and streams, or from another container's feed, to a container.
//!
//! ```text
//! file thread or feed reader ─► interpreter: record → write ─► applier: lanes by partition key
//!                                                               │  one request per key at a time
//!                                                               ▼
//!                                                              writer ─► item sender ─► service
//!                                                               │ write mode    budget, retries
//!                                                               ▼
//!                                          watermark without gaps ─► dead letters, state
//! ```
//!
//! Every change before the position in the state is applied or refused. Changes after it may be applied
//! too, and are applied again after a crash, in their order.
//!
//! What happens is emitted as `events`, which one observer counts and reports.

mod address;
mod applier;
mod budget;
mod checkpoint;
mod collisions;
mod concurrency;
mod conditional;
mod container;
mod content;
mod copy;
mod creation;
mod dead_letters;
mod delivery;
mod events;
mod feed_state;
mod file_reader;
mod id_remedy;
mod interpreter;
mod item_sender;
mod item_write;
mod known_etags;
mod lanes;
mod late_creation;
mod letter_objects;
mod lifetime;
mod original;
mod outcome;
mod own_writes;
mod pending;
mod position;
mod rehearsal;
mod replay_source;
mod schedule;
mod settling;
mod shared;
mod shared_pages;
mod source_item;
mod spelling;
mod start;
mod state;
mod stdout;
mod tenure;
mod together;
mod transform;
mod unkeyed;
mod watermark;
mod writer;

pub(crate) use address::{describe as describe_container, same_container};
pub use creation::{by_container, describe, make_scripts};
pub use file_reader::count_writes;
pub(crate) use interpreter::{Interpreter, Meaning};
pub(crate) use item_write::{Action, Defect};
pub(crate) use replay_source::source_location;
pub(crate) use shared::{begin_shared, ensure_shared_fits};
pub(crate) use shared_pages::SharedPages;
pub(crate) use source_item::SourceItem;
pub use start::{Containers, Found, Target, find, replay, replay_found};
pub(crate) use state::{feed_of_state, is_replay_state};
pub use stdout::to_standard_output;
pub(crate) use tenure::Tenure;
pub use together::Together;
