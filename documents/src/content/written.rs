//! How a text is written in a form.

use std::borrow::Cow;

use crate::render::decode_string;

/// The bytes of a text in a form before the text itself: its kind, and its length.
pub(super) const TEXT_HEAD: usize = 6;

/// Appends a text of a kind, with its length before it.
#[inline]
pub(super) fn write_text(kind: u8, text: &[u8], out: &mut Vec<u8>) {
    let mut head = (text.len() as u64) << 8;
    head |= u64::from(kind);
    out.reserve(TEXT_HEAD + text.len());
    out.extend_from_slice(&head.to_le_bytes()[..TEXT_HEAD]);
    out.extend_from_slice(text);
}

/// A string of JSON, without its quotes and escapes.
#[inline]
pub(super) fn decoded(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', raw).is_some() {
        decode_string(raw)
    } else {
        Cow::Borrowed(raw)
    }
}
