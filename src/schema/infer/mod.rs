//! Infers a schema from documents.
//!
//! # Types
//!
//! Null says nothing of a type. What else was seen of a field decides:
//!
//! | seen | type |
//! |---|---|
//! | booleans | `boolean` |
//! | integers of 64 bits | `int64` |
//! | other numbers, or both | `double` |
//! | strings | `string`; if asked for, `timestamp…` if all are written in one form of it |
//! | arrays | `list<T>`, where T follows from the elements of all of them; `json` if these never had any |
//! | objects | a struct of the fields of all of them; `json` if these never had any |
//! | two of these, or only null | `json` |
//!
//! Numbers that fit neither `int64` nor `double`, or not the one of the two that others demand, and
//! strings with a lone surrogate do not decide: they go to the overflow column. Unless they are more
//! than a tenth: then the type is `json`. An array fits as a whole or not at all, so within arrays a
//! single value that would not fit makes the type of its element or field `json`; null does that to a
//! field of an object there.
//!
//! # What gets no column
//!
//! All of it is kept in the overflow column.
//!
//! - What has one of the [reserved names](super::RESERVED), in whatever case.
//! - Of names of one object that differ only by case, which most engines take for one: all but the
//!   most frequent.
//! - Fields beyond 1,000 columns, counted with those within structs and lists; the most frequent
//!   ones stay.
//! - Names of more than 1 KiB, and fields that are first seen after 50,000 others.
//!
//! An object with more than 200 different names is taken for a map, whose keys are data: `json`. So
//! is what is nested deeper than 16 levels.
//!
//! # Order
//!
//! First `id` and the partition key, then fields as they were first seen, by their [`Place`], then
//! system fields. Nothing else depends on the order in which documents are observed.

mod inference;
mod limits;
mod observed;
mod place;
mod select;
#[cfg(test)]
mod tests;

pub use inference::{Inference, InferenceOptions, Inferred, SampleSize};
pub use place::Place;
