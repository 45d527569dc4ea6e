//! The columns of documents, and the values that fit them.
//!
//! Documents have no schema; files for analysis have one. This is the model that inference, the text
//! form, the encoders and the decoders share, and the rule that makes columns lossless:
//!
//! > A value **fits** its column if the cell preserves it. What does not fit or has no column is kept as
//! > JSON in the overflow column [`EXTRA`], under its own path.
//!
//! # Rebuilding a document
//!
//! Put every cell that is not null at its path (a struct that is not null is an object, even if all its
//! fields are null), then merge the object in `_extra` over it: objects merge member by member, anything
//! else replaces the existing value. If `_extra` is not an object, it is the document itself.
//!
//! # What fits
//!
//! | type | fits |
//! |---|---|
//! | `boolean` | `true`, `false` |
//! | `int64` | a number written as an integer within 64 bits, not `-0` |
//! | `double` | a number, if the shortest decimal number that identifies the nearest double is the same |
//! | `string` | a string, unless it contains a lone surrogate, which UTF-8 cannot represent |
//! | `timestamp…` | a string that is written exactly as the type says, see [`Fraction`] |
//! | `json` | anything, `null` too: its text |
//! | `list<T>` | an array, if each element is `null` or fits `T` as a whole |
//! | `struct<…>` | an object; each member that does not fit goes to `_extra`. Within a list, only an object that fits as a whole |
//!
//! A `null` fits: its cell is empty. An empty cell also means that the member is missing, so the members that are
//! null, and the lists with such members, are in the column [`NULLS`], which is merged over the cells before the
//! overflow. In [forms](TableForm) without that column, `null` fits only `json` and the elements of lists. If an
//! object repeats a name, all members of that name go to `_extra`, as do members with a name in
//! [`RESERVED`].

pub mod arrow;
mod column;
pub mod file;
pub mod fit;
mod infer;
mod list;
mod member_name;
mod misfit;
mod names;
mod rebuild;
mod shred;
mod table_layout;
mod text;
mod widen;

pub use crate::feed::page::SYSTEM_FIELDS;
pub use column::{Column, ColumnType, Field, FieldPath, Fraction, Schema};
pub use infer::{Inference, InferenceOptions, Inferred, Misfits, Place, SampleSize};
pub use list::ColumnList;
pub use misfit::{MisfitKind, misfit};
pub use names::{
    EXTRA, METADATA, NULLS, OPERATION, OPERATION_LSN, OPERATION_NUMBER, OPERATION_TIME, PREVIOUS,
    RESERVED, is_reserved, metadata, raw,
};
pub use rebuild::{CellTexts, Rebuilder};
pub use shred::{Cell, Elements, Lists, Row, Shredder};
pub use table_layout::{TableForm, TableLayout};
pub use text::{TextError, parse_column};
pub use widen::{Drift, DriftedField, Drifting};
