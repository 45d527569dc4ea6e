//! The members of an object and the elements of an array, one after another, without interpreting
//! values.

use super::scanner::{Scanner, is_name};

/// One member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name as it stands between its quotes, escapes and all.
    pub raw_name: &'a [u8],
    /// The value's JSON text, without whitespace around it.
    pub value: &'a [u8],
}

impl Member<'_> {
    /// Whether the member's name is `name` (ASCII), however it is written.
    pub fn is_named(&self, name: &str) -> bool {
        is_name(self.raw_name, name)
    }
}

/// The top-level members of a document from a [`Page`](super::Page), in their order, duplicates
/// included. There are none if the document is no object. Meant for text that was validated: it
/// ends at the first fault.
pub fn members(document: &[u8]) -> Members<'_> {
    let mut scanner = Scanner::new(document);
    let at = match scanner.token(0) {
        (b'{', at) => Some(at + 1),
        _ => None,
    };
    Members {
        bytes: document,
        scanner,
        at,
    }
}

/// Iterator over the members of an object; see [`members`].
pub struct Members<'a> {
    bytes: &'a [u8],
    scanner: Scanner<'a>,
    /// Where the next member or the end of the object is; `None` when done.
    at: Option<usize>,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let (b'"', quote) = self.scanner.token(self.at.take()?) else {
            return None;
        };
        let name_end = self.scanner.string(quote + 1).ok()?;
        let colon = self.scanner.colon(name_end).ok()?;
        let (_, start) = self.scanner.token(colon);
        let end = self.scanner.value(start).ok()?;
        if let (b',', comma) = self.scanner.token(end) {
            self.at = Some(comma + 1);
        }
        Some(Member {
            raw_name: &self.bytes[quote + 1..name_end - 1],
            value: &self.bytes[start..end],
        })
    }
}

/// The elements of an array from a [`Page`](super::Page): the JSON text of each, in their order. There
/// are none if the text is no array. Meant for text that was validated: it ends at the first fault.
pub fn elements(array: &[u8]) -> Elements<'_> {
    let mut scanner = Scanner::new(array);
    let at = match scanner.token(0) {
        (b'[', at) => Some(at + 1),
        _ => None,
    };
    Elements {
        bytes: array,
        scanner,
        at,
    }
}

/// Iterator over the elements of an array; see [`elements`].
pub struct Elements<'a> {
    bytes: &'a [u8],
    scanner: Scanner<'a>,
    /// Where the next element or the end of the array is; `None` when done.
    at: Option<usize>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (byte, start) = self.scanner.token(self.at.take()?);
        if byte == b']' {
            return None;
        }
        let end = self.scanner.value(start).ok()?;
        if let (b',', comma) = self.scanner.token(end) {
            self.at = Some(comma + 1);
        }
        Some(&self.bytes[start..end])
    }
}
