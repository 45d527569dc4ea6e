//! The known set: documents in every shape that documents have.

use serde_json::{Value, json};

use crate::cosmos::epk::no_value;

/// The characters that ids may have: all but `/`, `\`, `?` and `#`.
const ID_CHARACTERS: &str =
    "!\"$%&'()*+,-.0123456789:;<=>@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";
/// The longest id, in bytes.
const MAX_ID: usize = 1023;
/// The length of the large document: the service accepts 2 MiB with what it adds.
const LARGE: usize = (2 << 20) - (64 << 10);
/// Small documents, so that a feed has several pages.
pub(super) const FILLERS: usize = 160;

/// A document of the known set.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// What is special about it, in the report.
    pub(super) shape: &'static str,
    /// Its partition key, one value for each level.
    pub(super) key: Vec<Value>,
    /// Its id, which no other document has.
    pub(super) id: String,
    /// Its JSON text.
    pub(super) text: String,
}

impl Known {
    /// A document with the key `pk`, and these members, which are JSON text.
    fn new(shape: &'static str, id: &str, members: &str) -> Self {
        Self::keyed(shape, id, Some(json!("a")), members)
    }

    /// A document with this value at `/pk`, or none.
    fn keyed(shape: &'static str, id: &str, pk: Option<Value>, members: &str) -> Self {
        let own = pk
            .as_ref()
            .map_or_else(String::new, |pk| format!(",\"pk\":{pk}"));
        let members = match members {
            "" => String::new(),
            members => format!(",{members}"),
        };
        Self {
            shape,
            key: vec![pk.unwrap_or_else(no_value)],
            id: id.to_owned(),
            text: format!("{{\"id\":{}{own}{members}}}", json!(id)),
        }
    }

    /// A document with these values at `/tenant` and `/user`, as far as there are any.
    fn levels(shape: &'static str, id: &str, tenant: Option<Value>, user: Option<Value>) -> Self {
        let member = |name: &str, value: &Option<Value>| {
            value
                .as_ref()
                .map_or_else(String::new, |value| format!(",\"{name}\":{value}"))
        };
        Self {
            shape,
            id: id.to_owned(),
            text: format!(
                "{{\"id\":{}{}{}}}",
                json!(id),
                member("tenant", &tenant),
                member("user", &user)
            ),
            key: [tenant, user]
                .map(|level| level.unwrap_or_else(no_value))
                .into(),
        }
    }
}

/// A small document of many, in its version `version`.
pub(super) fn filler(number: usize, version: u32) -> Known {
    let id = format!("filler-{number:04}");
    let pk = json!(format!("p{}", number % 16));
    Known::keyed(
        "many",
        &id,
        Some(pk),
        &format!("\"kind\":\"filler\",\"version\":{version}"),
    )
}

/// The documents of the container with the key `/pk`, without the small ones.
pub(super) fn shapes() -> Vec<Known> {
    let nested = format!("\"deep\":{}1{}", "{\"a\":[".repeat(30), "]}".repeat(30));
    let wide: Vec<String> = (0..200).map(|n| format!("\"member{n}\":{n}")).collect();
    let escapes = r#""control":"\u0001\u001f\b\f\n\r\t","quote":"\"\\\/","line":"\u2028\u2029","pair":"\ud83d\ude00","nul":"\u0000""#;
    let unicode =
        "\"text\":\"Größe 注文 🦀 \u{202e}abc\u{202c} e\u{301} \u{feff}\",\"ключ\":\"значение\"";
    let mut all = vec![
        Known::new("plain", "plain", r#""name":"Ada","paid":true,"total":12.5"#),
        Known::new("nested 60 deep", "nested", &nested),
        Known::new("200 members", "wide", &wide.join(",")),
        Known::new("Unicode", "unicode", unicode),
        Known::new("escapes", "escapes", escapes),
        Known::new(
            "1 and 1.0",
            "one",
            r#""integer":1,"decimal":1.0,"list":[1,1.0,1.00]"#,
        ),
        Known::new(
            "exponents",
            "exponents",
            r#""a":1e2,"b":1E+2,"c":1.5e-7,"d":1.7976931348623157e308,"e":5e-324"#,
        ),
        Known::new("zero below zero", "zero", r#""a":-0,"b":-0.0,"c":0e5"#),
        Known::new(
            "integers beyond 2^53",
            "beyond-53",
            r#""a":9007199254740993,"b":9223372036854775807,"c":-9223372036854775808"#,
        ),
        Known::new(
            "integers beyond 2^64",
            "beyond-64",
            r#""a":18446744073709551616,"b":123456789012345678901234567890"#,
        ),
        Known::new(
            "many digits",
            "digits",
            r#""a":0.1000000000000000055511151231257827,"b":1.10,"c":3.141592653589793238462643383279"#,
        ),
        Known::new("a number beyond a double", "infinite", r#""a":1e400"#),
        Known::new(
            "null members",
            "nulls",
            r#""a":null,"b":{"c":null},"d":[null]"#,
        ),
        Known::new(
            "empty values",
            "empty",
            r#""a":[],"b":{},"c":"","d":[[],{}]"#,
        ),
        Known::new(
            "names that look the same",
            "names",
            r#""name":1,"Name":2,"name ":3,"na\u006de2":4,"a.b":5,"a":{"b":6},"":7"#,
        ),
        Known::new("a name twice", "twice", r#""x":1,"x":2"#),
        Known::new(
            "names of columns",
            "columns",
            r#""_extra":{"a":1},"_nulls":2,"_operation":"none""#,
        ),
        Known::new("an id of every character", ID_CHARACTERS, ""),
        Known::new("an id of 1,023 bytes", &"i".repeat(MAX_ID), ""),
        Known::new("an id in Unicode", "Größe 注文 🦀", ""),
        Known::new("an id that looks like a path", "..", ""),
        Known::new("an id with an escape of URLs", "a%2Fb+c d", ""),
        Known::keyed("no partition key", "key-missing", None, r#""a":1"#),
        Known::keyed("null as partition key", "key-null", Some(Value::Null), ""),
        Known::keyed("an empty partition key", "key-empty", Some(json!("")), ""),
        Known::keyed(
            "a number as partition key",
            "key-number",
            Some(json!(1.5)),
            "",
        ),
        Known::keyed("true as partition key", "key-true", Some(json!(true)), ""),
    ];
    let large = format!("\"blob\":\"{}\"", "0123456789abcdef".repeat(LARGE / 16));
    all.push(Known::new("nearly 2 MB", "large", &large));
    all
}

/// The documents of the container with a hierarchical key.
pub(super) fn levels() -> Vec<Known> {
    vec![
        Known::levels(
            "two levels",
            "levels-both",
            Some(json!("t")),
            Some(json!("u")),
        ),
        Known::levels(
            "two levels, null in the second",
            "levels-null",
            Some(json!("t")),
            Some(Value::Null),
        ),
        Known::levels(
            "two levels, the second missing",
            "levels-second",
            Some(json!("t")),
            None,
        ),
        Known::levels("two levels, both missing", "levels-none", None, None),
        Known::levels(
            "two levels of numbers",
            "levels-numbers",
            Some(json!(1)),
            Some(json!(2.5)),
        ),
    ]
}

/// A document of the container that keeps all versions, in its version `version`.
pub(super) fn version(id: &str, version: u32) -> Known {
    Known::new("a version", id, &format!("\"version\":{version}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::feed::page::Page;

    #[test]
    fn the_known_set_is_json_with_ids_of_its_own() {
        let all: Vec<Known> = shapes()
            .into_iter()
            .chain(levels())
            .chain((0..FILLERS).map(|n| filler(n, 1)))
            .collect();
        let ids: BTreeSet<&str> = all.iter().map(|known| known.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
        for known in &all {
            let page = format!("{{\"Documents\":[{}]}}", known.text);
            Page::parse(page.into()).unwrap_or_else(|error| panic!("{}: {error:?}", known.shape));
            assert!(
                known.id.len() <= MAX_ID && known.text.len() < 2 << 20,
                "{}",
                known.shape
            );
        }
        for character in (b' '..=b'~').map(char::from) {
            let is_left_out = matches!(character, ' ' | '/' | '\\' | '?' | '#');
            assert_eq!(
                !ID_CHARACTERS.contains(character),
                is_left_out,
                "{character}"
            );
        }
    }
}
