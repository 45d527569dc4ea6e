//! What `cosmos-tail` does with documents, between a page of the feed and an output: a crate of its own, so that a
//! release optimizes it in full, and the rest of the program half.
//!
//! - [`feed`] has the pure types of the change feed; a page is split there.
//! - [`schema`] has the columns of table-like formats, [`mod@format`] the encoders of files, and [`render`] turns a
//!   change into what a tail shows.
//! - [`content`] says when two documents are equal.
//! - [`error`] says how a run ends; [`count`], [`escape`] and [`width`] are about texts for people.
//!
//! `cosmos-tail` passes these modules on; this crate is no library for others.

pub mod content;
pub mod count;
pub mod error;
pub mod escape;
pub mod feed;
pub mod format;
pub mod render;
pub mod schema;
pub mod width;
