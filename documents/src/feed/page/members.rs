//! The members of an object and the elements of an array, one after another, without interpreting
//! values.

use super::scanner::is_name;
use super::skim;

/// One member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The text between the quotes of the name, with its escapes.
    pub raw_name: &'a [u8],
    /// The value's JSON text, without whitespace around it.
    pub value: &'a [u8],
}

impl Member<'_> {
    /// Whether the member's name is `name`, however it is written.
    #[inline]
    pub fn is_named(&self, name: &str) -> bool {
        is_name(self.raw_name, name)
    }
}

/// The top-level members of a document from a [`Page`](super::Page), in their order, duplicates
/// included. There are none if the document is not an object. For validated text.
pub fn members(document: &[u8]) -> Members<'_> {
    let at = match skim::token(document, 0) {
        (b'{', at) => Some(at + 1),
        _ => None,
    };
    Members {
        bytes: document,
        at,
    }
}

/// Iterator over the members of an object; see [`members`].
pub struct Members<'a> {
    bytes: &'a [u8],
    /// Where the next member or the end of the object is; `None` when done.
    at: Option<usize>,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        let (b'"', quote) = skim::token(self.bytes, self.at.take()?) else {
            return None;
        };
        let (name_end, _) = skim::string_end(self.bytes, quote + 1)?;
        let (b':', colon) = skim::token(self.bytes, name_end) else {
            return None;
        };
        let (value, next) = value_at(self.bytes, colon + 1)?;
        self.at = next;
        Some(Member {
            raw_name: &self.bytes[quote + 1..name_end - 1],
            value,
        })
    }
}

/// The elements of an array from a [`Page`](super::Page): the JSON text of each, in their order.
/// There are none if the text is not an array. For validated text.
pub fn elements(array: &[u8]) -> Elements<'_> {
    let at = match skim::token(array, 0) {
        (b'[', at) => Some(at + 1),
        _ => None,
    };
    Elements { bytes: array, at }
}

/// Iterator over the elements of an array; see [`elements`].
pub struct Elements<'a> {
    bytes: &'a [u8],
    /// Where the next element or the end of the array is; `None` when done.
    at: Option<usize>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let at = self.at.take()?;
        if let (b']', _) = skim::token(self.bytes, at) {
            return None;
        }
        let (value, next) = value_at(self.bytes, at)?;
        self.at = next;
        Some(value)
    }
}

/// The value at `at`, and where the next one is, if there is a comma.
#[inline(always)]
fn value_at(bytes: &[u8], at: usize) -> Option<(&[u8], Option<usize>)> {
    let (first, start) = skim::token(bytes, at);
    let end = skim::value_end(bytes, first, start)?;
    let next = match skim::token(bytes, end) {
        (b',', comma) => Some(comma + 1),
        _ => None,
    };
    Some((bytes.get(start..end)?, next))
}
