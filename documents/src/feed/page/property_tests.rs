//! The scanner against serde_json on random pages, whole and broken: both accept and find the same
//! items, or both refuse.

use bytes::Bytes;

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object with names and values as raw text, by serde_json.
struct RawMembers<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = RawMembers<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawMembers(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn name_of(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| "a lone surrogate".into())
}

/// The expected parts of an item: whole, current, previous, metadata; and whether it is an envelope.
type Found<'a> = ([Option<&'a str>; 4], bool);

fn item_by_serde_json(item: &RawValue) -> Option<Found<'_>> {
    let whole = item.get();
    let bare = ([Some(whole), Some(whole), None, None], false);
    let Ok(RawMembers(members)) = serde_json::from_str(whole) else {
        return Some(bare);
    };
    let mut parts = [None; 3];
    let mut twice = false;
    for (name, value) in members {
        let known = ["current", "previous", "metadata"];
        let Some(part) = known.iter().position(|known| *known == name_of(name)) else {
            return Some(bare);
        };
        twice |= parts[part].replace(value.get()).is_some();
    }
    let [current, previous, metadata] = parts;
    if current.is_none() && metadata.is_none() {
        return Some(bare);
    }
    (!twice).then_some(([Some(whole), current, previous, metadata], true))
}

fn page_by_serde_json(body: &[u8]) -> Option<Vec<Found<'_>>> {
    if body.is_empty() {
        return Some(Vec::new());
    }
    let text = std::str::from_utf8(body).ok()?;
    // The whole as a raw value first: it has no limit of depth.
    let whole: &RawValue = serde_json::from_str(text).ok()?;
    let RawMembers(members) = serde_json::from_str(whole.get()).ok()?;
    let mut documents = members
        .into_iter()
        .filter(|(name, _)| name_of(name) == "Documents");
    let (_, array) = documents.next()?;
    if documents.next().is_some() {
        return None;
    }
    let items: Vec<&RawValue> = serde_json::from_str(array.get()).ok()?;
    items.into_iter().map(item_by_serde_json).collect()
}

fn assert_agreement(body: &[u8]) -> Result<(), TestCaseError> {
    let expected = page_by_serde_json(body);
    let page = Page::parse(Bytes::copy_from_slice(body));
    let found = page.as_ref().ok().map(|page| {
        page.items()
            .map(|item| {
                let parts = [
                    Some(item.json()),
                    item.current(),
                    item.previous(),
                    item.metadata_json(),
                ]
                .map(|part| part.map(|json| std::str::from_utf8(json).unwrap()));
                (parts, item.is_envelope())
            })
            .collect::<Vec<Found<'_>>>()
    });
    let shown = body.escape_ascii().to_string();
    prop_assert_eq!(found, expected, "{:?} for {}", page.as_ref().err(), shown);
    for item in page.iter().flat_map(Page::items) {
        let text = std::str::from_utf8(item.json()).unwrap();
        prop_assert_eq!(item.has_line_break(), text.contains(['\r', '\n']));
        let mut line = Vec::new();
        write_line(item.json(), item.has_line_break(), &mut line);
        prop_assert_eq!(line.pop(), Some(b'\n'));
        prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        prop_assert!(serde_json::from_slice::<&RawValue>(&line).is_ok());
        // Members against serde_json's, names and values.
        let RawMembers(expected) =
            serde_json::from_str(text).unwrap_or_else(|_| RawMembers(Vec::new()));
        let found: Vec<_> = members(item.json())
            .map(|member| (member.raw_name.to_vec(), member.value.to_vec()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| {
                let name = name.get().as_bytes();
                (name[1..name.len() - 1].to_vec(), value.get().into())
            })
            .collect();
        prop_assert_eq!(found, expected);
    }
    Ok(())
}

fn whitespace() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        12 => Just(""),
        1 => Just(" "),
        1 => Just("\n"),
        1 => Just("\r\n\t "),
    ]
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -!#-\\[\\]-~]{0,20}",
        any::<char>()
            .prop_filter("must be written as an escape", |c| {
                !matches!(c, '"' | '\\') && *c >= ' '
            })
            .prop_map(String::from),
        r#"\\["\\/bfnrt]"#,
        "\\\\u[0-9a-fA-F]{4}",
    ];
    vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => string(),
        2 => Just(r#""id""#.to_owned()),
        3 => Just(r#""current""#.to_owned()),
        2 => Just(r#""previous""#.to_owned()),
        3 => Just(r#""metadata""#.to_owned()),
        1 => Just(r#""\u0063urren\u0074""#.to_owned()),
        1 => Just(r#""Documents""#.to_owned()),
    ]
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let spaces = (whitespace(), whitespace(), whitespace(), whitespace());
    let member = (name(), value, spaces)
        .prop_map(|(name, value, (a, b, c, d))| format!("{a}{name}{b}:{c}{value}{d}"));
    (whitespace(), vec(member, 0..5))
        .prop_map(|(space, members)| format!("{{{space}{}}}", members.join(",")))
}

fn array(
    value: impl Strategy<Value = String>,
    len: std::ops::Range<usize>,
) -> impl Strategy<Value = String> {
    let element =
        (whitespace(), value, whitespace()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
    (whitespace(), vec(element, len))
        .prop_map(|(space, elements)| format!("[{space}{}]", elements.join(",")))
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop_oneof![Just("true"), Just("false"), Just("null")].prop_map(str::to_owned),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?",
        string(),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![object(inner.clone()), array(inner, 0..5)]
    })
}

fn page() -> impl Strategy<Value = String> {
    let item = prop_oneof![1 => value(), 4 => object(value())];
    let documents = (whitespace(), array(item, 0..6))
        .prop_map(|(a, items)| format!("{a}\"Documents\":{items}"));
    (documents, value(), name(), 0..4, whitespace(), whitespace()).prop_map(
        |(documents, other, name, order, a, b)| match order {
            0 => format!("{a}{{{documents}}}{b}"),
            1 => format!("{a}{{{name}:{other},{documents}}}{b}"),
            2 => format!("{a}{{{documents},{name}:{other}}}{b}"),
            _ => format!("{a}{{\"_rid\":\"\",{documents},\"_count\":1}}{b}"),
        },
    )
}

/// One way to break a page.
#[derive(Debug, Clone)]
enum Mutation {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    FlipBit(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

impl Mutation {
    fn apply(&self, body: &mut Vec<u8>) {
        if body.is_empty() {
            return;
        }
        let len = body.len();
        match self {
            Self::Replace(at, byte) => body[at.index(len)] = *byte,
            Self::Insert(at, byte) => body.insert(at.index(len), *byte),
            Self::Remove(at) => {
                body.remove(at.index(len));
            }
            Self::FlipBit(at, bit) => body[at.index(len)] ^= 1 << bit,
            Self::Truncate(at) => body.truncate(at.index(len)),
            Self::Repeat(a, b) => {
                let (a, b) = (a.index(len), b.index(len));
                body.extend_from_within(a.min(b)..a.max(b));
            }
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    let byte = || {
        prop_oneof![
            2 => prop::sample::select(b"\"\\{}[],:0123456789.eE+-tfnu \n\r\t\0\x1f\x7f/".to_vec()),
            1 => any::<u8>(),
        ]
    };
    prop_oneof![
        3 => (index(), byte()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        3 => (index(), byte()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        2 => index().prop_map(Mutation::Remove),
        2 => (index(), 0u8..8).prop_map(|(at, bit)| Mutation::FlipBit(at, bit)),
        1 => index().prop_map(Mutation::Truncate),
        1 => (index(), index()).prop_map(|(a, b)| Mutation::Repeat(a, b)),
    ]
}

proptest! {
    #[test]
    fn a_valid_page_has_the_items_that_serde_json_finds(page in page()) {
        prop_assert!(serde_json::from_str::<&RawValue>(&page).is_ok());
        assert_agreement(page.as_bytes())?;
    }

    #[test]
    fn a_broken_page_is_refused_exactly_when_serde_json_refuses_it(
        page in page(),
        breaks in vec(vec(mutation(), 1..3), 20),
    ) {
        for mutations in breaks {
            let mut body = page.clone().into_bytes();
            for mutation in mutations {
                mutation.apply(&mut body);
            }
            assert_agreement(&body)?;
        }
    }

    #[test]
    fn bytes_that_look_like_json_are_judged_as_serde_json_judges_them(
        body in vec(prop::sample::select(
            b"\"\"\"\\{}[],::0019.eE+-tfnu \n\xc3\xa9".to_vec()), 0..24),
    ) {
        let body = [b"{\"Documents\":[".as_slice(), &body, b"]}"].concat();
        assert_agreement(&body)?;
    }
}
