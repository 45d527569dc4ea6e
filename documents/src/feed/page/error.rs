//! Why a page was refused, and where.

use std::fmt;

/// How many bytes of the body an error shows before and after its place.
const EXCERPT_BEFORE: usize = 16;
const EXCERPT_AFTER: usize = 24;

/// What is wrong with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageErrorKind {
    /// The body ends before the page does.
    Truncated,
    /// The body is longer than 4 GiB.
    TooLong,
    /// The body is not UTF-8.
    NotUtf8,
    /// The page is not a JSON object.
    NotAnObject,
    /// There is something after the page.
    TrailingData,
    /// The page has no `Documents`.
    NoDocuments,
    /// The page has `Documents` twice.
    DocumentsTwice,
    /// `Documents` is not an array.
    DocumentsNotAnArray,
    /// An item is not an object.
    ItemNotAnObject,
    /// `_count` is not the number of items.
    CountDiffers,
    /// An envelope has one of its members twice.
    EnvelopeMemberTwice,
    /// A string has an unescaped control character.
    ControlCharacter,
    /// A backslash is not followed by a valid escape.
    InvalidEscape,
    /// A number does not follow the grammar.
    InvalidNumber,
    /// A value is missing, or starts with a byte that no value starts with.
    ExpectedValue,
    /// A member's name is missing.
    ExpectedName,
    /// The colon after a member's name is missing.
    ExpectedColon,
    /// An array or object neither continues nor ends.
    ExpectedCommaOrEnd,
}

impl fmt::Display for PageErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "it ends too early",
            Self::TooLong => "it is longer than 4 GiB",
            Self::NotUtf8 => "invalid UTF-8",
            Self::NotAnObject => "expected a JSON object",
            Self::TrailingData => "unexpected data after its end",
            Self::NoDocuments => "there is no `Documents`",
            Self::DocumentsTwice => "`Documents` appears twice",
            Self::DocumentsNotAnArray => "`Documents` is not an array",
            Self::ItemNotAnObject => "an item is not an object",
            Self::CountDiffers => "`_count` is not the number of items",
            Self::EnvelopeMemberTwice => "a member of an item's envelope appears twice",
            Self::ControlCharacter => "unescaped control character in a string",
            Self::InvalidEscape => "invalid escape in a string",
            Self::InvalidNumber => "invalid number",
            Self::ExpectedValue => "expected a value",
            Self::ExpectedName => "expected a member's name in quotes",
            Self::ExpectedColon => "expected `:` after a member's name",
            Self::ExpectedCommaOrEnd => "expected `,` or the end of the array or object",
        })
    }
}

/// An invalid page: what is wrong, at which byte, and a short excerpt, escaped to printable ASCII (40 bytes of
/// the body, at most 160 characters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageError {
    /// What was expected.
    expected: &'static str,
    kind: PageErrorKind,
    offset: usize,
    body_len: usize,
    excerpt: String,
}

impl PageError {
    pub(super) fn new(fault: Fault, body: &[u8]) -> Self {
        Self::of("a page of the change feed", fault, body)
    }

    pub(super) fn of_line(fault: Fault, line: &[u8]) -> Self {
        Self::of("a JSON value", fault, line)
    }

    fn of(expected: &'static str, fault: Fault, body: &[u8]) -> Self {
        let offset = fault.offset.min(body.len());
        let start = offset.saturating_sub(EXCERPT_BEFORE);
        let end = (offset + EXCERPT_AFTER).min(body.len());
        Self {
            expected,
            kind: fault.kind,
            offset,
            body_len: body.len(),
            excerpt: body[start..end].escape_ascii().to_string(),
        }
    }

    /// What is wrong.
    pub fn kind(&self) -> PageErrorKind {
        self.kind
    }

    /// The offset of the fault in the body; the body's length if it ends too early.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not {}: {} at byte {} of {}, near `{}`",
            self.expected, self.kind, self.offset, self.body_len, self.excerpt
        )
    }
}

impl std::error::Error for PageError {}

/// An error as the scanner sees it: small, so that results stay in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub(super) kind: PageErrorKind,
    pub(super) offset: usize,
}

impl Fault {
    /// `kind` at `offset`; or a truncated body, if it ends before that.
    #[cold]
    #[inline(never)]
    pub(super) fn at(kind: PageErrorKind, offset: usize, bytes: &[u8]) -> Self {
        if offset < bytes.len() {
            Self { kind, offset }
        } else {
            Self {
                kind: PageErrorKind::Truncated,
                offset: bytes.len(),
            }
        }
    }
}
