//! Differences, applied to the old version, make the new one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::feed::page::scientific;
use crate::render::Filter;
use crate::render::tokens::{Token, tokens};

/// A value by its content.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Literal(Vec<u8>),
    Number(String),
    String(Vec<u8>),
    Array(Vec<Value>),
    Object(BTreeMap<Vec<u8>, Value>),
}

fn parse(json: &[u8]) -> Value {
    let mut open: Vec<(Value, Option<Vec<u8>>)> = Vec::new();
    let mut name = None;
    for token in tokens(json) {
        let mut value = match token {
            Token::Comma | Token::Colon => continue,
            Token::Name(text) => {
                name = Some(decode_string(text).into_owned());
                continue;
            }
            Token::Open(byte) => {
                let empty = match byte {
                    b'{' => Value::Object(BTreeMap::new()),
                    _ => Value::Array(Vec::new()),
                };
                open.push((empty, name.take()));
                continue;
            }
            Token::Close(_) => {
                let (value, its_name) = open.pop().unwrap();
                name = its_name;
                value
            }
            Token::String(text) => Value::String(decode_string(text).into_owned()),
            Token::Number(text) => {
                let form = scientific(text).unwrap();
                Value::Number(if form == "-0" { "0".to_owned() } else { form })
            }
            Token::Literal(text) => Value::Literal(text.to_vec()),
        };
        match open.last_mut() {
            None => return value,
            Some((Value::Array(elements), _)) => elements.push(value),
            Some((Value::Object(members), _)) => {
                members.insert(
                    name.take().unwrap(),
                    std::mem::replace(&mut value, Value::Array(vec![])),
                );
            }
            Some(_) => unreachable!(),
        }
    }
    panic!("no value")
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Name(Vec<u8>),
    Index(usize),
}

/// A path as it is written.
fn parse_path(text: &str) -> Vec<Way> {
    let mut way = Vec::new();
    let mut rest = text.strip_prefix('.').unwrap();
    let mut expects_name = !rest.starts_with('[');
    while !rest.is_empty() {
        if let Some(index) = rest.strip_prefix('[') {
            let (index, after) = index.split_once(']').unwrap();
            way.push(Way::Index(index.parse().unwrap()));
            rest = after;
        } else {
            if !expects_name {
                rest = rest.strip_prefix('.').unwrap();
            }
            let end = match rest.strip_prefix('"') {
                Some(quoted) => {
                    let mut escaped = false;
                    2 + quoted
                        .find(|c| {
                            let ends = c == '"' && !escaped;
                            escaped = c == '\\' && !escaped;
                            ends
                        })
                        .unwrap()
                }
                None => rest.find(['.', '[']).unwrap_or(rest.len()),
            };
            way.push(Way::Name(
                decode_string(&rest.as_bytes()[..end]).into_owned(),
            ));
            rest = &rest[end..];
        }
        expects_name = false;
    }
    way
}

type Edit = (Vec<Way>, Option<Value>, Option<Value>);

fn apply(old: Value, mut edits: Vec<Edit>) -> Value {
    if edits.is_empty() {
        return old;
    }
    if edits[0].0.is_empty() {
        assert_eq!(edits.len(), 1);
        let (_, from, to) = edits.pop().unwrap();
        assert_eq!(from, Some(old));
        return to.unwrap();
    }
    let mut below: BTreeMap<Way, Vec<Edit>> = BTreeMap::new();
    let (mut removed, mut added) = (BTreeSet::new(), BTreeMap::new());
    let mut old = old;
    for (way, from, to) in edits {
        match (&way[..], &mut old, from, to) {
            ([Way::Index(index)], Value::Array(list), Some(from), None) => {
                assert_eq!(list[*index], from);
                assert!(removed.insert(*index));
            }
            ([Way::Index(index)], Value::Array(_), None, Some(to)) => {
                assert!(added.insert(*index, to).is_none());
            }
            ([Way::Name(name)], Value::Object(members), Some(from), None) => {
                assert_eq!(members.remove(name), Some(from));
            }
            ([Way::Name(name)], Value::Object(members), None, Some(to)) => {
                assert_eq!(members.insert(name.clone(), to), None);
            }
            (_, _, from, to) => {
                let rest = (way[1..].to_vec(), from, to);
                below.entry(way[0].clone()).or_default().push(rest);
            }
        }
    }
    if let Value::Array(list) = &mut old {
        let mut kept = std::mem::take(list)
            .into_iter()
            .enumerate()
            .filter(|(index, _)| !removed.contains(index))
            .map(|(_, value)| value);
        while let Some(value) = added.remove(&list.len()).or_else(|| kept.next()) {
            list.push(value);
        }
        assert!(added.is_empty(), "{added:?}");
    }
    for (way, edits) in below {
        let place = match (&mut old, &way) {
            (Value::Array(list), Way::Index(index)) => &mut list[*index],
            (Value::Object(members), Way::Name(name)) => members.get_mut(name).unwrap(),
            (old, way) => panic!("{way:?} of {old:?}"),
        };
        *place = apply(place.clone(), edits);
    }
    old
}

/// Asserts that the differences of two texts lead from one to the other, and returns them as text.
#[track_caller]
fn assert_leads(old: &str, new: &str) -> Vec<String> {
    let found = differences(old.as_bytes(), new.as_bytes());
    let edits = found.iter().map(|difference| {
        (
            parse_path(&difference.path.to_string()),
            difference.from.map(parse),
            difference.to.map(parse),
        )
    });
    let made = apply(parse(old.as_bytes()), edits.collect());
    assert_eq!(made, parse(new.as_bytes()), "{old}\n{new}\n{found:?}");
    let text = |json: Option<&[u8]>| String::from_utf8_lossy(json.unwrap_or(b"-")).into_owned();
    found
        .iter()
        .map(|d| format!("{} {} {}", d.path, text(d.from), text(d.to)))
        .collect()
}

#[test]
fn members_are_changed_added_and_removed() {
    let found = assert_leads(
        r#"{"id":"1","status":"paid","gone":[1],"customer":{"first name":"Ada","n":1},"same":1.0}"#,
        r#"{"customer":{"n":2,"first name":"Grace"},"status":"void","id":"1","note":null,"same":1}"#,
    );
    assert_eq!(
        found,
        [
            ".customer.n 1 2",
            r#".customer."first name" "Ada" "Grace""#,
            r#".status "paid" "void""#,
            ".note - null",
            ".gone [1] -",
        ]
    );
}

#[test]
fn values_are_compared_exactly_and_shown_as_they_were_sent() {
    for (old, new, expected) in [
        (r#"{"n":1}"#, r#"{"n":1.0}"#, &[][..]),
        (r#"{"n":-0}"#, r#"{"n":0.0e3}"#, &[]),
        (r#"{"n":"\u00e9"}"#, r#"{ "\u006e" : "é" }"#, &[]),
        (r#"{"n":1,"n":2}"#, r#"{"n":2}"#, &[]),
        (
            r#"{"n":9007199254740993}"#,
            r#"{"n":9007199254740992}"#,
            &[".n 9007199254740993 9007199254740992"],
        ),
        (r#"{"n":1e400}"#, r#"{"n":1.0E401}"#, &[".n 1e400 1.0E401"]),
        (r#"{"n":"1"}"#, r#"{"n":1}"#, &[r#".n "1" 1"#]),
        (r#"{"n":{}}"#, r#"{"n":[]}"#, &[".n {} []"]),
        (r#"{"n":null}"#, "{}", &[".n null -"]),
        ("5", "[5]", &[". 5 [5]"]),
        ("[5]", "[6]", &[".[0] 5 6"]),
    ] {
        assert_eq!(assert_leads(old, new), expected, "{old} {new}");
    }
}

#[test]
fn an_insertion_into_an_array_is_one_difference() {
    for (old, new, expected) in [
        ("[1,2,3]", "[1,9,2,3]", &[".[1] - 9"][..]),
        ("[1,2,3]", "[1,3]", &[".[1] 2 -"]),
        ("[1,2,3]", "[1,9,3]", &[".[1] 2 9"]),
        ("[1,2,3]", "[0,1,2,9]", &[".[0] - 0", ".[3] 3 9"]),
        ("[[1,2],3]", "[[1,4,2],3]", &[".[0][1] - 4"]),
        (
            r#"[{"sku":"a","qty":1},{"sku":"b","qty":1}]"#,
            r#"[{"sku":"new","qty":7},{"sku":"a","qty":3},{"sku":"b","qty":1}]"#,
            &[r#".[0] - {"sku":"new","qty":7}"#, ".[1].qty 1 3"],
        ),
        (r#"[{"a":1}]"#, r#"[{"b":2}]"#, &[r#".[0] {"a":1} {"b":2}"#]),
        (
            r#"[1,{"x":[1,2],"y":0}]"#,
            r#"[{"x":[2],"y":0}]"#,
            &[".[0] 1 -", ".[0].x[0] 1 -"],
        ),
    ] {
        assert_eq!(assert_leads(old, new), expected, "{old} {new}");
    }
}

#[test]
fn deep_and_large_documents_take_no_stack_and_are_bounded() {
    let deep = |n: &str| format!("{}{n}{}", "[".repeat(100_000), "]".repeat(100_000));
    let (old, new) = (deep("1"), deep("2"));
    let found = differences(old.as_bytes(), new.as_bytes());
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].path.to_string(),
        format!(".{}", "[0]".repeat(MAX_DEPTH))
    );

    let numbers = |first: usize| {
        let list: Vec<String> = (first..first + 50_000).map(|n| n.to_string()).collect();
        format!(r#"{{"id":1,"list":[{}]}}"#, list.join(","))
    };
    // Nothing in common, and all but one element.
    assert_eq!(
        differences(numbers(0).as_bytes(), numbers(60_000).as_bytes()).len(),
        50_000
    );
    let (old, new) = (numbers(0), numbers(1));
    assert_eq!(differences(old.as_bytes(), new.as_bytes()).len(), 2);

    let too_many = format!("[{}0]", "0,".repeat(tree::MAX_NODES));
    let old = format!(r#"{{"a":{too_many},"b":1,"c":2}}"#);
    let new = format!(r#"{{"a":{too_many},"b":2,"\u0064":[]}}"#);
    let found = differences(old.as_bytes(), new.as_bytes());
    let paths: Vec<String> = found.iter().map(|d| d.path.to_string()).collect();
    assert_eq!(paths, [".d", ".b", ".c"]);
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -!#-\\[\\]-~]{0,4}",
        prop::sample::select(vec![
            "\u{7f}",
            "\u{202e}",
            "é",
            "日",
            "\u{301}",
            "👩\u{200d}🚀"
        ])
        .prop_map(String::from),
        r#"\\["\\/bfnrt]"#,
        "\\\\u[0-9a-fA-F]{4}",
    ];
    vec(piece, 0..3).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "true", "false", "null", "0", "-0", "1", "1.0", "2", "1e400"
        ])
        .prop_map(String::from),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?",
        string(),
    ];
    let name = prop_oneof![
        string(),
        prop::sample::select(vec!["\"a\"", "\"b\"", "\"c d\"", "\"_x1\""]).prop_map(String::from)
    ];
    leaf.prop_recursive(5, 60, 7, move |inner| {
        let member = (name.clone(), inner.clone()).prop_map(|(n, v)| format!("{n} : {v}"));
        prop_oneof![
            vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(", "))),
            vec(inner, 0..8).prop_map(|elements| format!("[{}]", elements.join(","))),
        ]
    })
}

/// `json` with some values replaced, and some elements and members left out, doubled or moved.
fn edited(json: &[u8], spare: &[String], random: &mut fastrand::Rng) -> String {
    let text = || String::from_utf8(json.to_vec()).unwrap();
    if random.u8(..) < 16 {
        return random.choice(spare).cloned().unwrap_or_else(text);
    }
    let (parts, [open, close]): (Vec<String>, [char; 2]) = match json.first() {
        Some(b'{') => {
            let members = crate::feed::page::members(json).map(|member| {
                let name = String::from_utf8_lossy(member.raw_name);
                format!("\"{name}\":{}", edited(member.value, spare, random))
            });
            (members.collect(), ['{', '}'])
        }
        Some(b'[') => {
            let elements = crate::feed::page::elements(json);
            (
                elements
                    .map(|element| edited(element, spare, random))
                    .collect(),
                ['[', ']'],
            )
        }
        _ => return text(),
    };
    let mut made: Vec<String> = Vec::new();
    for part in parts {
        match random.u8(..) {
            0..16 => {}
            16..32 => made.extend([part.clone(), part]),
            32..48 => made.insert(random.usize(..=made.len()), part),
            48..64 if open == '[' => made.extend([spare[0].clone(), part]),
            _ => made.push(part),
        }
    }
    format!("{open}{}{close}", made.join(","))
}

proptest! {
    #[test]
    fn the_differences_lead_from_one_version_to_the_other(
        documents in vec(value(), 2..6),
        seed in any::<u64>(),
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        // Any two documents, and a document with its edited versions.
        assert_leads(&documents[0], &documents[1]);
        for old in &documents {
            prop_assert_eq!(assert_leads(old, old), Vec::<String>::new());
            for _ in 0..8 {
                let new = edited(old.as_bytes(), &documents, &mut random);
                assert_leads(old, &new);
                assert_leads(&new, old);
            }
        }
    }

    #[test]
    fn jq_finds_the_new_value_at_the_path(old in value(), spare in vec(value(), 1..4), seed in any::<u64>()) {
        let new = edited(old.as_bytes(), &spare, &mut fastrand::Rng::with_seed(seed));
        for difference in differences(old.as_bytes(), new.as_bytes()).iter().take(3) {
            let (Some(to), path) = (difference.to, difference.path.to_string()) else {
                continue;
            };
            // A lone surrogate is no text to jq.
            let is_text = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).is_ok();
            if !is_text(new.as_bytes()) || path.contains("\\ud") || path.contains("\\uD") {
                continue;
            }
            let filter = Filter::compile("--jq", &path).unwrap();
            let mut found = Vec::new();
            filter.run(new.as_bytes(), |output| found = output.to_vec()).unwrap();
            prop_assert_eq!(parse(&found), parse(to), "{}", path);
        }
    }
}
