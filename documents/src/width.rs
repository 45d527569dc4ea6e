//! How wide text is on a terminal, and text cut to a width.
//!
//! A width is a number of columns. Terminals differ in what they make of some characters, so the widest that any
//! is known to make is taken: a cut text may leave a column free, but never needs one more.

use std::borrow::Cow;
use std::iter::once;

use bstr::ByteSlice;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Stands for what was cut off.
pub const ELLIPSIS: &str = "…";

/// The longest unit that is shown whole, in bytes. A letter can have any number of marks, which take no columns;
/// the longest emoji sequences have 35 bytes.
const MAX_UNIT_BYTES: usize = 64;

/// What is shown of a longer one.
const REPLACEMENT: &str = "\u{fffd}";

/// A part of a text that is never split: a character with the marks that combine with it, a sequence of emoji, or
/// an escape such as `\n` or `\u001b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit<'a> {
    /// As it is in the text.
    pub text: &'a str,
    /// The columns that it takes.
    pub width: usize,
}

/// The units of a text that is safe for a terminal.
pub fn units(text: &str) -> impl Iterator<Item = Unit<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (unit, after) = rest.split_at(unit_length(rest)?);
        rest = after;
        Some(if unit.len() > MAX_UNIT_BYTES {
            Unit {
                text: REPLACEMENT,
                width: 1,
            }
        } else {
            Unit {
                text: unit,
                width: unit_width(unit),
            }
        })
    })
}

/// The width of a text.
pub fn width_of(text: &str) -> usize {
    units(text).map(|unit| unit.width).sum()
}

/// Whether a text has at most `width` columns. Of a longer one no more is looked at than that.
pub fn fits(text: &str, width: usize) -> bool {
    let mut used = 0;
    units(text).all(|unit| {
        used += unit.width;
        used <= width
    })
}

/// `text` in at most `width` columns. What does not fit is cut out of its middle, since names often differ at
/// their ends.
pub fn cut_middle(text: &str, width: usize) -> Cow<'_, str> {
    if fits(text, width) {
        return whole(text);
    }
    let Some(free) = width.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let (begin, used) = fitting(units(text), free.div_ceil(2));
    // Of a long text only so much of its end as can be shown.
    let from = text.len().saturating_sub((free + 2) * MAX_UNIT_BYTES);
    let from = text.floor_char_boundary(from);
    // The first unit may be a part of one.
    let last: Vec<Unit<'_>> = units(&text[from..]).skip(usize::from(from > 0)).collect();
    let (end, _) = fitting(last.into_iter().rev(), free - used);
    let texts = begin
        .into_iter()
        .chain(once(ELLIPSIS))
        .chain(end.into_iter().rev());
    Cow::Owned(texts.collect())
}

/// The lines of a text in so many columns, split at spaces. A longer word is a line of its own, and not split: it may
/// be copied.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for word in text.split(' ') {
        let columns = width_of(word);
        match lines.last_mut() {
            Some(line) if used + 1 + columns <= width => {
                line.push(' ');
                line.push_str(word);
                used += 1 + columns;
            }
            _ => {
                lines.push(word.to_owned());
                used = columns;
            }
        }
    }
    lines
}

/// A text with a replacement for each unit that is too long.
fn whole(text: &str) -> Cow<'_, str> {
    if units(text).map(|unit| unit.text.len()).sum::<usize>() == text.len() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(units(text).map(|unit| unit.text).collect())
}

/// The units that fit into `width` columns, and the columns that they take.
fn fitting<'a>(units: impl Iterator<Item = Unit<'a>>, width: usize) -> (Vec<&'a str>, usize) {
    let (mut texts, mut used) = (Vec::new(), 0);
    for unit in units {
        if used + unit.width > width {
            break;
        }
        used += unit.width;
        texts.push(unit.text);
    }
    (texts, used)
}

/// The length of the first unit, in bytes; none of an empty text.
fn unit_length(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [] => None,
        [b'\\', ..] => Some(escape_length(text)),
        // Of ASCII only an escape has more than one character.
        [_, next, ..] if text.is_char_boundary(1) && next.is_ascii() => Some(1),
        [_] => Some(1),
        bytes => bytes.grapheme_indices().next().map(|(_, end, _)| end),
    }
}

/// The length of the escape that `text` begins with: `\u{1b}`, `\u001b`, a pair such as `\ud83d\ude00`, or two
/// characters.
fn escape_length(text: &str) -> usize {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    if let Some(rest) = text.strip_prefix("\\u{")
        && let Some(end) = rest.bytes().take(7).position(|byte| byte == b'}')
    {
        return "\\u{".len() + end + 1;
    }
    match unit(text) {
        Some(0xd800..=0xdbff) if matches!(unit(&text[6..]), Some(0xdc00..=0xdfff)) => 12,
        Some(_) => 6,
        None => text.char_indices().nth(2).map_or(text.len(), |(at, _)| at),
    }
}

/// The width of a unit: as one character, or as all of its characters, whichever is more. Terminals that do not
/// know a sequence of emoji show one after the other.
fn unit_width(unit: &str) -> usize {
    if unit.len() == 1 {
        return 1;
    }
    let each: usize = unit.chars().map(|c| c.width().unwrap_or(1)).sum();
    each.max(unit.width())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_those_of_the_terminal() {
        for (text, width) in [
            ("", 0),
            ("abc", 3),
            ("日本", 4),
            ("e\u{301}", 1),
            ("👩\u{200d}🚀", 4),
            ("🇨🇭", 2),
            ("☺\u{fe0f}", 2),
            ("\\u{1b}x", 7),
            ("\\n\u{301}", 2),
            ("한국", 4),
        ] {
            assert_eq!(width_of(text), width, "{text:?}");
            assert!(fits(text, width));
            assert!(width == 0 || !fits(text, width - 1), "{text:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_out_of_the_middle() {
        for (text, width, cut) in [
            ("order-000123", 12, "order-000123"),
            ("order-000123", 8, "orde…123"),
            ("order-000123", 2, "o…"),
            ("order-000123", 1, "…"),
            ("order-000123", 0, ""),
            ("日本語日本語", 7, "日…本語"),
            ("ae\u{301}e\u{301}z", 3, "a…z"),
            ("👩\u{200d}🚀👩\u{200d}🚀", 5, "…👩\u{200d}🚀"),
            ("ab\\u001b\\u001b", 8, "ab…"),
        ] {
            assert_eq!(cut_middle(text, width), cut, "{text:?} {width}");
        }
    }

    #[test]
    fn a_unit_is_not_split_and_cannot_be_endless() {
        let texts = |text| units(text).map(|unit| unit.text).collect::<Vec<_>>();
        assert_eq!(
            texts("ae\u{301}\\n\\u00e9\\ud83d\\ude00\\ud83d\\u{7f}\\"),
            [
                "a",
                "e\u{301}",
                "\\n",
                "\\u00e9",
                "\\ud83d\\ude00",
                "\\ud83d",
                "\\u{7f}",
                "\\"
            ]
        );
        let piled = format!("a{}b", "\u{301}".repeat(1_000_000));
        assert_eq!(texts(&piled), ["\u{fffd}", "b"]);
        assert_eq!(cut_middle(&piled, 80), "\u{fffd}b");
        let long = "x".repeat(10_000_000);
        assert_eq!(cut_middle(&long, 5), "xx…xx");
    }

    proptest! {
        #[test]
        fn a_cut_text_never_exceeds_its_width(text in "(\\PC|[\u{300}-\u{36f}]|[🇦-🇿👩\u{200d}🚀\u{fe0f}日\\\\u])*", width in 0usize..40) {
            let cut = cut_middle(&text, width);
            prop_assert!(width_of(&cut) <= width, "{cut:?}");
            prop_assert!(cut.width() <= width, "{cut:?}");
            if fits(&text, width) {
                prop_assert_eq!(width_of(&cut), width_of(&text));
            }
            prop_assert_eq!(units(&text).map(|unit| unit.text).collect::<String>(), whole(&text));
        }
    }
}
