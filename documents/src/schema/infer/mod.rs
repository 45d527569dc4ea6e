//! Infers a schema from documents.
//!
//! # Types
//!
//! Nulls do not affect the type. The other values of a field decide:
//!
//! | values | type |
//! |---|---|
//! | booleans | `boolean` |
//! | integers of 64 bits | `int64` |
//! | other numbers, or both | `double` |
//! | strings | `string`; with `detect_timestamps`, `timestamp…` if all are written in one form of it |
//! | arrays | `list<T>`, where T is inferred from the elements of all of them; `json` if they have none |
//! | objects | a struct of the fields of all of them; `json` if they have none |
//! | two of these, or only null | `json` |
//!
//! With `by_majority` the type that at least 95 % of the values have decides; the others go to the overflow
//! column. An array fits as a whole or not at all, so within arrays it is the outermost arrays that are counted.
//!
//! Otherwise all values decide, apart from those that go to the overflow column in any case: numbers that fit
//! neither `int64` nor `double`, or not the one of the two that other values need, and strings with a lone
//! surrogate. If they are more than a tenth, the type is `json`. Within arrays a single one makes the type of its
//! element or field `json`.
//!
//! # What gets no column
//!
//! All of it is kept in the overflow column.
//!
//! - Fields with one of the [reserved names](super::RESERVED), in upper or lower case.
//! - Names of one object that differ only by case, since most engines ignore case: all but the most
//!   frequent one.
//! - Fields beyond 1,000 columns, including those within structs and lists; the most frequent ones stay.
//! - Names of more than 1 KiB, and fields that are first seen after 50,000 others.
//!
//! An object with more than 200 different names is considered a map, whose keys are data, and becomes
//! `json`. So does anything nested deeper than 16 levels.
//!
//! # Order
//!
//! First `id` and the partition key, then fields in the order of their first [`Place`], then system fields.
//! Nothing else depends on the order in which documents are observed.

mod inference;
mod limits;
mod observed;
mod place;
mod select;
#[cfg(test)]
mod tests;

pub use inference::{Inference, InferenceOptions, Inferred, SampleSize};
pub(super) use limits::MAX_LEAVES;
pub use place::Place;
pub use select::Misfits;
