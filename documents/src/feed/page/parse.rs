//! A page, and how its body is split into items.

use bytes::Bytes;

use super::error::{Fault, PageError, PageErrorKind};
use super::item::ItemRef;
use super::scanner::{Scanner, is_name};
use super::span::{Item, OwnMembers, Span};

/// One page of the change feed: its body, and where the items are in it.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub(super) body: Bytes,
    pub(super) items: Vec<Item>,
    pub(super) own: OwnMembers,
}

impl Page {
    /// Splits the body of a feed response into its items. An empty body, as it comes with a 304,
    /// is a page without items.
    ///
    /// # Errors
    /// The body must be one JSON object with one array `Documents`, valid UTF-8, and shorter than
    /// 4 GiB.
    pub fn parse(body: Bytes) -> Result<Self, PageError> {
        Self::parse_with(body, Vec::new())
    }

    /// As [`Page::parse`] for a page of a query, whose items are its rows: values of any kind, of which none is an
    /// envelope.
    ///
    /// # Errors
    /// See [`Page::parse`].
    pub fn parse_rows(body: Bytes) -> Result<Self, PageError> {
        Self::parse_as(body, Vec::new(), Rows::OfQuery)
    }

    /// As [`Page::parse`], reusing the memory of an earlier page's [`Page::into_items_buffer`].
    ///
    /// # Errors
    /// See [`Page::parse`].
    pub fn parse_with(body: Bytes, items_buffer: Vec<Item>) -> Result<Self, PageError> {
        Self::parse_as(body, items_buffer, Rows::OfFeed)
    }

    fn parse_as(body: Bytes, mut items_buffer: Vec<Item>, rows: Rows) -> Result<Self, PageError> {
        items_buffer.clear();
        match split(&body, &mut items_buffer, rows) {
            Ok(own) => Ok(Self {
                body,
                items: items_buffer,
                own,
            }),
            Err(fault) => Err(PageError::new(fault, &body)),
        }
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The length of the body in bytes.
    pub fn body_len(&self) -> usize {
        self.body.len()
    }

    /// Checks what the service promises beyond the grammar: each item is an object, and their number is the
    /// page's `_count`, if it has one.
    ///
    /// # Errors
    ///
    /// Names what does not hold, and where.
    pub fn check(&self) -> Result<(), PageError> {
        let is_other = |item: &&Item| self.body.get(item.whole.start as usize) != Some(&b'{');
        if let Some(other) = self.items.iter().find(is_other) {
            return Err(self.fault(PageErrorKind::ItemNotAnObject, other.whole.start));
        }
        self.check_count()
    }

    /// Checks that the number of items is the page's `_count`, if it has one.
    ///
    /// # Errors
    ///
    /// Says where it is another.
    pub fn check_count(&self) -> Result<(), PageError> {
        let count = self.own.count.of(&self.body);
        let count = count.map(|count| std::str::from_utf8(count).map(str::parse::<usize>));
        match count {
            None => Ok(()),
            Some(Ok(Ok(count))) if self.items.len() == count => Ok(()),
            Some(_) => Err(self.fault(PageErrorKind::CountDiffers, self.own.count.start)),
        }
    }

    fn fault(&self, kind: PageErrorKind, at: u32) -> PageError {
        let offset = at as usize;
        PageError::new(Fault { kind, offset }, &self.body)
    }

    /// The RID of the page's container, if the page has it.
    pub fn container_rid(&self) -> Option<String> {
        serde_json::from_slice(self.own.rid.of(&self.body)?).ok()
    }

    /// The items, in the order of the feed.
    pub fn items(&self) -> impl ExactSizeIterator<Item = ItemRef<'_>> + DoubleEndedIterator {
        self.items.iter().map(|item| ItemRef {
            body: &self.body,
            item: *item,
        })
    }

    /// Removes all items but those at the places that are to be kept, counted from 0.
    pub fn keep(&mut self, mut is_kept: impl FnMut(usize) -> bool) {
        let mut places = 0..;
        self.items
            .retain(|_| places.next().is_some_and(&mut is_kept));
    }

    /// Consumes the page for its buffer; see [`Page::parse_with`].
    pub fn into_items_buffer(self) -> Vec<Item> {
        self.items
    }
}

/// What the items of a page are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Documents, or envelopes around them.
    OfFeed,
    /// What a query selects.
    OfQuery,
}

/// Finds the items of the page `body`.
fn split(body: &[u8], items: &mut Vec<Item>, rows: Rows) -> Result<OwnMembers, Fault> {
    if body.is_empty() {
        return Ok(OwnMembers::default());
    }
    if u32::try_from(body.len()).is_err() {
        return Err(Fault {
            kind: PageErrorKind::TooLong,
            offset: u32::MAX as usize,
        });
    }
    checked(body, |scanner| split_text(scanner, body, items, rows))
}

/// The result of `scan` if `text` is UTF-8; otherwise the first of the two faults.
pub fn checked<'a, T>(
    text: &'a [u8],
    scan: impl FnOnce(&mut Scanner<'a>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut scanner = Scanner::new(text);
    let outcome = scan(&mut scanner);
    if outcome.is_ok() && scanner.is_ascii() {
        return outcome;
    }
    match (check_utf8(text), outcome) {
        (Err(not_utf8), Err(fault)) if not_utf8.offset >= fault.offset => Err(fault),
        (Err(not_utf8), _) => Err(not_utf8),
        (Ok(()), outcome) => outcome,
    }
}

/// Refuses a text that is not UTF-8, except for an incomplete character at its end.
fn check_utf8(text: &[u8]) -> Result<(), Fault> {
    if simdutf8::basic::from_utf8(text).is_ok() {
        return Ok(());
    }
    match std::str::from_utf8(text) {
        // The text may end within a character.
        Ok(_) => Ok(()),
        Err(error) if error.error_len().is_none() => Ok(()),
        Err(error) => Err(Fault {
            kind: PageErrorKind::NotUtf8,
            offset: error.valid_up_to(),
        }),
    }
}

/// [`split`], without the check of UTF-8.
fn split_text<'a>(
    scanner: &mut Scanner<'a>,
    body: &'a [u8],
    items: &mut Vec<Item>,
    rows: Rows,
) -> Result<OwnMembers, Fault> {
    let (b'{', open) = scanner.token(0) else {
        let (_, at) = scanner.token(0);
        return Err(scanner.fault(PageErrorKind::NotAnObject, at));
    };
    let mut documents_seen = false;
    let mut own = OwnMembers::default();
    let (mut byte, mut at) = scanner.token(open + 1);
    while byte != b'}' {
        let (name, value) = member_name(scanner, body, (byte, at))?;
        at = if is_name(name, "Documents") {
            if documents_seen {
                return Err(scanner.fault(PageErrorKind::DocumentsTwice, at));
            }
            documents_seen = true;
            documents(scanner, body, value, items, rows)?
        } else {
            let (_, start) = scanner.token(value);
            let end = scanner.value(start)?;
            if is_name(name, "_rid") {
                own.rid = Span::new(start, end);
            } else if is_name(name, "_count") {
                own.count = Span::new(start, end);
            }
            end
        };
        (byte, at) = next_member(scanner, at)?;
    }
    let (_, end) = scanner.token(at + 1);
    if end != body.len() {
        return Err(scanner.fault(PageErrorKind::TrailingData, end));
    }
    if !documents_seen {
        return Err(scanner.fault(PageErrorKind::NoDocuments, at));
    }
    Ok(own)
}

/// Reads a member's name at `token` and its colon. Returns the text between the quotes, and the position after
/// the colon.
#[inline(always)]
fn member_name<'a>(
    scanner: &mut Scanner<'a>,
    body: &'a [u8],
    token: (u8, usize),
) -> Result<(&'a [u8], usize), Fault> {
    let (b'"', quote) = token else {
        return Err(scanner.fault(PageErrorKind::ExpectedName, token.1));
    };
    let end = scanner.string(quote + 1)?;
    let value = scanner.colon(end)?;
    Ok((&body[quote + 1..end - 1], value))
}

/// What follows a member's value: the next name's quote, or the `}` of the object.
#[inline(always)]
fn next_member(scanner: &mut Scanner<'_>, at: usize) -> Result<(u8, usize), Fault> {
    match scanner.token(at) {
        (b',', comma) => match scanner.token(comma + 1) {
            (b'"', quote) => Ok((b'"', quote)),
            (_, wrong) => Err(scanner.fault(PageErrorKind::ExpectedName, wrong)),
        },
        (b'}', end) => Ok((b'}', end)),
        (_, wrong) => Err(scanner.fault(PageErrorKind::ExpectedCommaOrEnd, wrong)),
    }
}

/// Finds the items of the array `Documents` at `at`. Returns the array's end.
fn documents<'a>(
    scanner: &mut Scanner<'a>,
    body: &'a [u8],
    at: usize,
    items: &mut Vec<Item>,
    rows: Rows,
) -> Result<usize, Fault> {
    let (b'[', open) = scanner.token(at) else {
        let (_, at) = scanner.token(at);
        return Err(scanner.fault(PageErrorKind::DocumentsNotAnArray, at));
    };
    let (mut byte, mut at) = scanner.token(open + 1);
    if byte == b']' {
        return Ok(at + 1);
    }
    loop {
        scanner.line_break = false;
        let mut item = if byte == b'{' && rows == Rows::OfFeed {
            object_item(scanner, body, at)?
        } else {
            Item::bare(at, scanner.value(at)?)
        };
        item.line_break = scanner.line_break;
        items.push(item);
        match scanner.token(item.whole.end as usize) {
            (b',', comma) => (byte, at) = scanner.token(comma + 1),
            (b']', end) => return Ok(end + 1),
            (_, wrong) => return Err(scanner.fault(PageErrorKind::ExpectedCommaOrEnd, wrong)),
        }
    }
}

/// Finds the parts of the item at `start`, where there is a `{`.
fn object_item<'a>(scanner: &mut Scanner<'a>, body: &'a [u8], start: usize) -> Result<Item, Fault> {
    let [mut current, mut previous, mut metadata] = [Span::default(); 3];
    let mut twice = None;
    let (mut byte, mut at) = scanner.token(start + 1);
    while byte != b'}' {
        let (name, value) = member_name(scanner, body, (byte, at))?;
        // As the service writes them, before a slower comparison.
        let part = match name {
            b"current" => &mut current,
            b"metadata" => &mut metadata,
            b"previous" => &mut previous,
            _ if is_name(name, "current") => &mut current,
            _ if is_name(name, "metadata") => &mut metadata,
            _ if is_name(name, "previous") => &mut previous,
            _ => return Ok(Item::bare(start, scanner.rest_of_object(value)?)),
        };
        if !part.is_missing() {
            twice = twice.or(Some(at));
        }
        let (_, value_start) = scanner.token(value);
        at = scanner.value(value_start)?;
        *part = Span::new(value_start, at);
        (byte, at) = next_member(scanner, at)?;
    }
    if current.is_missing() && metadata.is_missing() {
        return Ok(Item::bare(start, at + 1));
    }
    // Only now is it certain that this is not a document, which may repeat a name.
    if let Some(at) = twice {
        return Err(scanner.fault(PageErrorKind::EnvelopeMemberTwice, at));
    }
    Ok(Item {
        whole: Span::new(start, at + 1),
        current,
        previous,
        metadata,
        envelope: true,
        line_break: false,
    })
}
