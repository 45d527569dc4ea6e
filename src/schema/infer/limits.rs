//! How much an inference looks at and keeps.

/// Columns in the end, those within structs and lists included.
pub(super) const MAX_LEAVES: usize = 1000;
/// Different names that the objects of a struct can have.
pub(super) const MAX_FIELDS_OF_OBJECT: usize = 200;
/// Levels of arrays and objects that are looked into.
pub(super) const MAX_NESTING: usize = 16;
/// The longest name that a column can have.
pub(super) const MAX_NAME_BYTES: usize = 1024;
/// Fields that are known at the same time: each takes a few hundred bytes.
pub(super) const MAX_FIELDS: usize = 50_000;
