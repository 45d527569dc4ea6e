//! Where the items of a page, and their parts, are in its body.

/// Where the members about the page itself are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OwnMembers {
    pub(super) rid: Span,
    pub(super) count: Span,
}

/// Where an item and its parts are in the body. Only for returning a buffer to `Page::parse_with`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub(super) whole: Span,
    pub(super) current: Span,
    pub(super) previous: Span,
    pub(super) metadata: Span,
    pub(super) envelope: bool,
    pub(super) line_break: bool,
}

/// A part of the body; empty if the part is missing, since no JSON value is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// Both bounds fit: longer bodies are refused.
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    pub(super) fn is_missing(self) -> bool {
        self.start == self.end
    }

    pub(super) fn of(self, body: &[u8]) -> Option<&[u8]> {
        (!self.is_missing()).then(|| &body[self.start as usize..self.end as usize])
    }
}

impl Item {
    pub(super) fn bare(start: usize, end: usize) -> Self {
        Self {
            whole: Span::new(start, end),
            current: Span::new(start, end),
            previous: Span::default(),
            metadata: Span::default(),
            envelope: false,
            line_break: false,
        }
    }
}
