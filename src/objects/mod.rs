//! Object stores: addresses in them, and the calls that an export makes.
//!
//! docs/object-store-protocol.md is the protocol that these calls serve. [`Address`] is what a person types;
//! `Bucket` is the part of a container below one, with calls that block.

mod address;
#[cfg(feature = "object-stores")]
mod aws_profile;
#[cfg(feature = "object-stores")]
mod bucket;
#[cfg(feature = "object-stores")]
mod clients;
#[cfg(feature = "object-stores")]
mod explain;
mod object;
#[cfg(feature = "object-stores")]
mod transport;
mod whole;

pub use address::Address;
#[cfg(feature = "object-stores")]
pub use bucket::{Bucket, Found, PutOutcome, UploadedPiece};
pub use object::ObjectAddress;
#[cfg(feature = "object-stores")]
pub use whole::bucket;
pub use whole::{Created, create, create_where_possible, list, list_in, may_exist, read, replace};
