//! The seam between what is committed and where bytes lie, held by a second destination: one in
//! memory, with the manners of an object store.
//!
//! Uploads are invisible until they are completed, nothing can be appended to another process's
//! upload, and no lock keeps two processes apart: only the condition of each replacement of the state.
//! Each call can fail, lose its answer, arrive late, or be the last of its process.

mod memory;
mod process;
mod reading;
mod schedules;
mod together;
