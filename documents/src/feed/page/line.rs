//! A single item from a line of a file.

use bytes::Bytes;

use super::error::{Fault, PageError, PageErrorKind};
use super::members::members;
use super::parse::{Page, checked};
use super::span::{Item, OwnMembers, Span};

/// What an envelope in a file may hold beside the service's own members.
const NAMES_BESIDE: [&str; 3] = ["range", "reason", "origin"];

/// The first line of `buffer`, without whitespace at its end, and how many bytes it has with its line feed; none if it does
/// not end there.
#[inline(never)]
pub fn first_line(buffer: &[u8]) -> Option<(&[u8], usize)> {
    let end = memchr::memchr(b'\n', buffer)?;
    Some((buffer[..end].trim_ascii_end(), end + 1))
}

impl Page {
    /// A page with the one item in `line`, which is a document, whatever its members. Whitespace around it is
    /// ignored.
    ///
    /// # Errors
    ///
    /// The line must be one JSON value, valid UTF-8, and shorter than 4 GiB. The error's offset is within the
    /// line.
    pub fn of_document(line: Bytes) -> Result<Self, PageError> {
        Self::of_item(value_of(&line), line)
    }

    /// A page with the one item in `line`, which is the envelope of a change. If the line has another form, the
    /// item is not an [envelope](super::ItemRef::is_envelope).
    ///
    /// Beside the service's members an envelope may have those that `tail` (`range`) and `replay` (`reason`,
    /// `origin`) add. It never has an `id`, which every document has.
    ///
    /// # Errors
    ///
    /// As [`Page::of_document`]; and if the envelope has one of its members twice.
    pub fn of_change(line: Bytes) -> Result<Self, PageError> {
        let item = value_of(&line).and_then(|item| enveloped(item, &line));
        Self::of_item(item, line)
    }

    fn of_item(item: Result<Item, Fault>, line: Bytes) -> Result<Self, PageError> {
        match item {
            Ok(item) => Ok(Self {
                own: OwnMembers::default(),
                body: line,
                items: vec![item],
            }),
            Err(fault) => Err(PageError::of_line(fault, &line)),
        }
    }
}

fn value_of(line: &[u8]) -> Result<Item, Fault> {
    if u32::try_from(line.len()).is_err() {
        return Err(Fault {
            kind: PageErrorKind::TooLong,
            offset: u32::MAX as usize,
        });
    }
    checked(line, |scanner| {
        let (_, start) = scanner.token(0);
        let end = scanner.value(start)?;
        let mut item = Item::bare(start, end);
        item.line_break = scanner.line_break;
        let (_, rest) = scanner.token(end);
        if rest != line.len() {
            return Err(scanner.fault(PageErrorKind::TrailingData, rest));
        }
        Ok(item)
    })
}

/// The `item` as an envelope, if it has the form of one.
fn enveloped(item: Item, line: &[u8]) -> Result<Item, Fault> {
    let span = |value: &[u8]| {
        // The values are parts of the line.
        let start = value.as_ptr() as usize - line.as_ptr() as usize;
        Span::new(start, start + value.len())
    };
    let [mut current, mut previous, mut metadata] = [Span::default(); 3];
    for member in members(item.whole.of(line).unwrap_or_default()) {
        let part = if member.is_named("current") {
            &mut current
        } else if member.is_named("metadata") {
            &mut metadata
        } else if member.is_named("previous") {
            &mut previous
        } else if NAMES_BESIDE.iter().any(|name| member.is_named(name)) {
            continue;
        } else {
            return Ok(item);
        };
        let value = span(member.value);
        if !part.is_missing() {
            return Err(Fault {
                kind: PageErrorKind::EnvelopeMemberTwice,
                offset: value.start as usize,
            });
        }
        *part = value;
    }
    if current.is_missing() && metadata.is_missing() {
        return Ok(item);
    }
    Ok(Item {
        current,
        previous,
        metadata,
        envelope: true,
        ..item
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(line: &'static str) -> Result<Page, PageError> {
        Page::of_change(Bytes::from_static(line.as_bytes()))
    }

    #[test]
    fn a_line_is_what_it_is_declared_to_be() {
        let bare = page(" {\"id\":\"1\",\"current\":1.10}\r\n").unwrap();
        let item = bare.items().next().unwrap();
        assert!(!item.is_envelope());
        assert_eq!(
            item.document(),
            Some(&b"{\"id\":\"1\",\"current\":1.10}"[..])
        );

        let envelope = page(
            r#"{"reason":"r","current":{"id":"1"},"previous":null,"metadata":{"lsn":4},"range":0}"#,
        )
        .unwrap();
        let item = envelope.items().next().unwrap();
        assert_eq!(item.document(), Some(&b"{\"id\":\"1\"}"[..]));
        assert_eq!(item.metadata().unwrap().lsn, Some(4));

        const DOCUMENT: &str = r#" {"current":{"id":"1"},"metadata":{"operationType":"delete"}}"#;
        let document = Page::of_document(Bytes::from_static(DOCUMENT.as_bytes())).unwrap();
        let item = document.items().next().unwrap();
        assert!(!item.is_envelope());
        assert_eq!(item.document(), Some(DOCUMENT.trim().as_bytes()));

        let beside = page(r#"{"range":1,"reason":2}"#).unwrap();
        assert!(!beside.items().next().unwrap().is_envelope());
    }

    #[test]
    fn a_line_that_is_not_one_value_is_refused_with_the_place() {
        for (line, kind, offset) in [
            (r#"{"id":"1""#, PageErrorKind::Truncated, 9),
            (r#"{"id":"1"} {"#, PageErrorKind::TrailingData, 11),
            (r#"{"id":01}"#, PageErrorKind::InvalidNumber, 7),
            (
                r#"{"current":{},"current":{}}"#,
                PageErrorKind::EnvelopeMemberTwice,
                24,
            ),
            ("", PageErrorKind::Truncated, 0),
        ] {
            let error = page(line).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (kind, offset), "{line}");
            assert!(error.to_string().starts_with("not a JSON value"), "{error}");
        }
    }
}
