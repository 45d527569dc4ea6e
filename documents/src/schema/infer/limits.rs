//! Limits on what an inference observes and keeps.

/// Columns of the schema, including those within structs and lists.
pub(in crate::schema) const MAX_LEAVES: usize = 1000;
/// Different names in the objects of a struct.
pub(super) const MAX_FIELDS_OF_OBJECT: usize = 200;
/// Levels of arrays and objects that are observed.
pub(super) const MAX_NESTING: usize = 16;
/// The length of a column's name.
pub(super) const MAX_NAME_BYTES: usize = 1024;
/// Observed fields in memory: each takes a few hundred bytes.
pub(super) const MAX_FIELDS: usize = 50_000;
