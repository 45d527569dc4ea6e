//! The target's copy of an item.

use bytes::Bytes;

/// The target's copy of an item.
#[derive(Debug, Clone)]
pub(super) enum Copy {
    /// As the service has it.
    Stored { json: Bytes, etag: Option<String> },
    /// As this dry run would have left it, by the fingerprint of its content.
    Rehearsed(u64),
}
