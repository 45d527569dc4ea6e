//! What two documents have to have in common to be equal: the form of their content, its hash, and digests of many.
//!
//! - A [form] is what is compared of a document: its text, or its content in one [canonical] way to write it, with
//!   numbers by value, at any depth, without what is [ignored]. Of a [text] only what the service adds is cut out.
//! - [Hashes](hashes) are keyed, a [key] says by a hash which document it is, and a [digest] has their sums. [Texts](texts)
//!   have one sum for all.

pub mod canonical;
mod deep;
pub mod digest;
pub mod form;
pub mod hashes;
pub mod ignored;
pub mod key;
mod number;
mod parts;
pub mod text;
pub mod texts;
mod written;
