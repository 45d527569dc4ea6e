//! A single item from a line of a file.

use bytes::Bytes;

use super::error::{Fault, PageError, PageErrorKind};
use super::members::members;
use super::parse::{Page, checked};
use super::span::{Item, OwnMembers, Span};

/// What an envelope in a file may hold beside the service's own members.
const NAMES_BESIDE: [&str; 3] = ["range", "reason", "origin"];

impl Page {
    /// A page with the one item in `line`: a document, or an envelope around it. Whitespace around it is
    /// ignored.
    ///
    /// Beside the service's members an envelope may have those that `tail` (`range`) and `replay` (`reason`,
    /// `origin`) add.
    ///
    /// # Errors
    ///
    /// The line must be one JSON value, valid UTF-8, and shorter than 4 GiB. The error's offset is within the
    /// line.
    pub fn of_line(line: Bytes) -> Result<Self, PageError> {
        match item_of(&line) {
            Ok(item) => Ok(Self {
                own: OwnMembers::default(),
                body: line,
                items: vec![item],
            }),
            Err(fault) => Err(PageError::of_line(fault, &line)),
        }
    }
}

fn item_of(line: &[u8]) -> Result<Item, Fault> {
    if u32::try_from(line.len()).is_err() {
        return Err(Fault {
            kind: PageErrorKind::TooLong,
            offset: u32::MAX as usize,
        });
    }
    let item = checked(line, |scanner| {
        let (_, start) = scanner.token(0);
        let end = scanner.value(start)?;
        let mut item = Item::bare(start, end);
        item.line_break = scanner.line_break;
        let (_, rest) = scanner.token(end);
        if rest != line.len() {
            return Err(scanner.fault(PageErrorKind::TrailingData, rest));
        }
        Ok(item)
    })?;
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
        Page::of_line(Bytes::from_static(line.as_bytes()))
    }

    #[test]
    fn a_line_is_a_document_or_an_envelope() {
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
