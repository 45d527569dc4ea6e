//! The events of a job, separate from how they are reported.
//!
//! The job emits [`Event`]s and counts nothing. [`Observers`] keeps the only [`Counts`] and passes each event
//! to everything that reports it: the progress line, the details of `-v`, a tail's notices. An
//! observer is a new file here; the job is given a list of them.

mod counts;
mod database;
mod details;
mod event;
mod observer;
mod observers;
mod progress;
mod progress_line;
mod snapshot;
mod stepping_back;
mod tail_notices;

pub use counts::Counts;
pub use database::AllCounts;
pub use details::Details;
pub use event::Event;
pub use observer::Observer;
pub use observers::Observers;
pub use progress_line::ProgressLine;
pub use snapshot::SnapshotNotices;
pub use stepping_back::SteppingBack;
pub use tail_notices::{Announcement, TailNotices, rfc3339};
