//! What the state of a range of a group has besides that of an export.

use serde::{Deserialize, Serialize};

use crate::feed::{FeedRange, Position};

/// What the state of a range of a group has besides that of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfGroup {
    /// The place that the group writes to.
    pub place: uuid::Uuid,
    /// Where the range began: where the state of the one that it came from ends, or else at its lease. Absent until it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Position>,
    /// ETags of which its lease has one, unless somebody else has written that: such a lease is never ahead of the state,
    /// whatever the LSNs are, which do not compare across a merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub saved: Vec<String>,
    /// Spans that others have handled, so that they are not in the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Span>,
    /// Whether it is never continued, since its range was divided: others begin where its ranges are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

/// A span of the feed of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Where it begins.
    pub from: Position,
    /// Where it ends.
    pub to: Position,
}

impl OfGroup {
    /// The state of a range that has not begun.
    pub fn new(place: uuid::Uuid) -> Self {
        Self {
            place,
            began: None,
            saved: Vec::new(),
            others: Vec::new(),
            over: false,
        }
    }

    /// Takes note of a span that others have handled. One that begins where the last one ends is one with it.
    pub fn skip(&mut self, span: Option<Span>) {
        let Some(span) = span else { return };
        match self.others.last_mut() {
            Some(last) if last.to == span.from => last.to = span.to,
            _ => self.others.push(span),
        }
    }
}

/// A range, as the names of its objects have it.
pub fn name_of_range(range: &FeedRange) -> String {
    format!("{}-{}", range.min_inclusive, range.max_exclusive)
}

/// The range of such a name.
pub fn range_named(name: &str) -> Option<FeedRange> {
    let (min, max) = name.split_once('-')?;
    FeedRange::new(min, max).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_adjoin_are_one() {
        let at = |lsn: u64| Position {
            token: format!("token {lsn}"),
            lsn: Some(lsn),
        };
        let span = |from, to| Span {
            from: at(from),
            to: at(to),
        };
        let mut own = OfGroup::new(uuid::Uuid::nil());
        for one in [span(1, 5), span(5, 7), span(7, 8), span(9, 12)] {
            own.skip(Some(one));
        }
        own.skip(None);
        assert_eq!(own.others, [span(1, 8), span(9, 12)]);
    }

    #[test]
    fn the_name_of_a_range_is_read_back() {
        for (min, max, name) in [
            ("", "FF", "-FF"),
            ("05", "3F", "05-3F"),
            ("", "1FA0", "-1FA0"),
        ] {
            let range = FeedRange::new(min, max).unwrap();
            assert_eq!(name_of_range(&range), name);
            assert_eq!(range_named(name), Some(range));
        }
        for name in ["", "-", "FF", "3F-05", "a-b", "05-3F-4F"] {
            assert_eq!(range_named(name), None, "{name}");
        }
    }
}
