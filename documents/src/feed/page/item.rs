//! One item of a page.

use super::members::members;
use super::metadata::Metadata;
use super::span::Item;
use super::whole::whole;

/// One item of a page. All parts are the service's own text, valid JSON without whitespace around.
#[derive(Debug, Clone, Copy)]
pub struct ItemRef<'a> {
    pub(super) body: &'a [u8],
    pub(super) item: Item,
}

impl<'a> ItemRef<'a> {
    /// The whole item, with its envelope if it has one.
    pub fn json(&self) -> &'a [u8] {
        self.item.whole.of(self.body).unwrap_or_default()
    }

    /// Whether the item is an envelope rather than a bare document.
    pub fn is_envelope(&self) -> bool {
        self.item.envelope
    }

    /// The bare document, or the envelope's `current` unchanged: for a delete that is an empty object, or
    /// missing.
    pub fn current(&self) -> Option<&'a [u8]> {
        self.item.current.of(self.body)
    }

    /// The document after the change: as [`ItemRef::current`], but `None` if an envelope's
    /// `current` is missing, `null` or an empty object, as for a delete.
    pub fn document(&self) -> Option<&'a [u8]> {
        let current = self.current()?;
        if self.item.envelope && is_null_or_empty_object(current) {
            return None;
        }
        Some(current)
    }

    /// The envelope's `previous` unchanged: the document before the change, if the container keeps it.
    pub fn previous(&self) -> Option<&'a [u8]> {
        self.item.previous.of(self.body)
    }

    /// The JSON text of the envelope's `metadata`.
    pub fn metadata_json(&self) -> Option<&'a [u8]> {
        self.item.metadata.of(self.body)
    }

    /// The envelope's `metadata`, parsed by this call. `None` if there is none.
    pub fn metadata(&self) -> Option<Metadata<'a>> {
        self.metadata_json().map(Metadata::from_json)
    }

    /// When the change was made, in seconds since 1970 by the service's clock: its metadata's
    /// `crts`, or the document's `_ts`.
    pub fn seconds(&self) -> Option<i64> {
        if let Some(crts) = self.metadata().and_then(|metadata| metadata.crts) {
            return Some(crts);
        }
        let timestamp = members(self.current()?).find(|member| member.is_named("_ts"))?;
        whole(timestamp.value)
    }

    /// The LSN of the change's transaction: its metadata's `lsn`, or the document's `_lsn`.
    pub fn lsn(&self) -> Option<u64> {
        if let Some(lsn) = self.metadata().and_then(|metadata| metadata.lsn) {
            return Some(lsn);
        }
        let lsn = members(self.current()?).find(|member| member.is_named("_lsn"))?;
        whole(lsn.value)
    }

    /// Whether there is a CR or LF anywhere in the item's text, which can only be whitespace. It must be
    /// replaced where a document is written as one line: see [`write_line`].
    pub fn has_line_break(&self) -> bool {
        self.item.line_break
    }
}

fn is_null_or_empty_object(value: &[u8]) -> bool {
    match value {
        b"null" | b"{}" => true,
        [b'{', inner @ .., b'}'] => inner.iter().all(u8::is_ascii_whitespace),
        _ => false,
    }
}

/// Appends `document` and a line feed to `out`.
///
/// With `has_line_break` every CR and LF in the document becomes a space. They are whitespace
/// between tokens, since a string cannot hold them unescaped: the value stays the same.
pub fn write_line(document: &[u8], has_line_break: bool, out: &mut Vec<u8>) {
    out.reserve(document.len() + 1);
    let start = out.len();
    out.extend_from_slice(document);
    if has_line_break {
        for byte in &mut out[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }
    out.push(b'\n');
}
