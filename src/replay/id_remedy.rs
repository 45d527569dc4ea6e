//! The way out of a document without a usable id: a program for `--transform` that makes one.

use serde_json::Value;

use crate::escape::shell_word;
use crate::feed::page::members;

/// The hint for `document`, which has no usable id after the program of `--transform`, if there is one; none if
/// no program could help.
pub(super) fn remedy(document: &[u8], program: Option<&str>) -> Option<String> {
    let made = step(document);
    let flag = |step: &str| {
        let program = match program {
            Some(program) => format!("{program} | {step}"),
            None => step.to_owned(),
        };
        format!("--transform {}", shell_word(&program))
    };
    Some(match made {
        Step::OfId(step) => format!("to make text of it, add {}", flag(&step)),
        Step::OfMember(step) => {
            format!(
                "to take the id from a member that identifies each document, add {}",
                flag(&step)
            )
        }
        Step::Unknown => {
            "to take the id from another member, which identifies each document, use --transform \
             with a program such as `.id = .NAME`, or `.id = (.NAME | tostring)` for a number"
                .to_owned()
        }
        Step::Nothing => return None,
    })
}

/// What a program has to do.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Another form of the id.
    OfId(String),
    /// The value of another member.
    OfMember(String),
    /// The value of a member that is not known.
    Unknown,
    /// The id is text already.
    Nothing,
}

fn step(document: &[u8]) -> Step {
    let mut id = None;
    let mut best: Option<(u8, String)> = None;
    for member in members(document) {
        let quoted = [b"\"", member.raw_name, b"\""].concat();
        let (Ok(name), Ok(value)) = (
            serde_json::from_slice::<String>(&quoted),
            serde_json::from_slice::<Value>(member.value),
        ) else {
            continue;
        };
        if name == "id" {
            id = Some(value);
            continue;
        }
        let (Some(rank), Some(text)) = (rank(&name), as_text(&access(&name), &value)) else {
            continue;
        };
        if best.as_ref().is_none_or(|(known, _)| rank < *known) {
            best = Some((rank, format!(".id = {text}")));
        }
    }
    match id {
        Some(Value::String(id)) if !id.is_empty() => Step::Nothing,
        Some(Value::Number(_)) => Step::OfId(".id |= tostring".to_owned()),
        Some(other) if as_text(".id", &other).is_some_and(|text| text != ".id") => Step::OfId(
            format!(".id = {}", as_text(".id", &other).unwrap_or_default()),
        ),
        _ => match best {
            Some((_, step)) => Step::OfMember(step),
            None => Step::Unknown,
        },
    }
}

/// How well a name suits an identifier: the smaller, the better; none if it does not.
fn rank(name: &str) -> Option<u8> {
    let lower = name.to_ascii_lowercase();
    Some(match lower.as_str() {
        "id" => 0,
        "_id" => 1,
        "uuid" | "guid" | "key" | "_key" => 2,
        // Of the service.
        "_rid" => return None,
        _ if name.ends_with("Id") || name.ends_with("ID") => 3,
        _ if lower.ends_with("_id") || lower.ends_with("-id") || lower.ends_with(" id") => 3,
        _ => return None,
    })
}

/// A path of jq to the member `name`.
fn access(name: &str) -> String {
    let is_plain = |(index, c): (usize, char)| {
        c == '_' || c.is_ascii_alphabetic() || (index > 0 && c.is_ascii_digit())
    };
    if !name.is_empty() && name.chars().enumerate().all(is_plain) {
        format!(".{name}")
    } else {
        format!(".[{}]", Value::from(name))
    }
}

/// The program that makes text of `value`, which is at `path`; none if it is nothing to make an id of.
fn as_text(path: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(path.to_owned()),
        Value::Number(_) => Some(format!("({path} | tostring)")),
        // The extended JSON of MongoDB.
        Value::Object(object) => match object.get("$oid") {
            Some(Value::String(_)) if object.len() == 1 => Some(format!("{path}[\"$oid\"]")),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Filter;

    #[test]
    fn the_program_that_is_shown_makes_an_id() {
        for (document, program, id) in [
            (r#"{"id":17}"#, ".id |= tostring", "17"),
            (
                r#"{"id":9007199254740993}"#,
                ".id |= tostring",
                "9007199254740993",
            ),
            (r#"{"orderId":"a"}"#, ".id = .orderId", "a"),
            (
                r#"{"id":null,"order_id":5}"#,
                ".id = (.order_id | tostring)",
                "5",
            ),
            (r#"{"id":"","Order ID":"x"}"#, r#".id = .["Order ID"]"#, "x"),
            (r#"{"customerId":"c","_id":"m"}"#, ".id = ._id", "m"),
            (
                r#"{"_id":{"$oid":"65a1"}}"#,
                r#".id = ._id["$oid"]"#,
                "65a1",
            ),
            (r#"{"id":{"$oid":"65a1"}}"#, r#".id = .id["$oid"]"#, "65a1"),
            (r#"{"id":true,"ID":"x"}"#, ".id = .ID", "x"),
            (r#"{"it's-id":"x"}"#, r#".id = .["it's-id"]"#, "x"),
        ] {
            let (Step::OfId(found) | Step::OfMember(found)) = step(document.as_bytes()) else {
                panic!("{document}");
            };
            assert_eq!(found, program);
            let mut made = Vec::new();
            let filter = Filter::compile("--transform", &found).unwrap();
            filter
                .run(document.as_bytes(), |output| made.extend_from_slice(output))
                .unwrap();
            let made: Value = serde_json::from_slice(&made).unwrap();
            assert_eq!(made["id"], id, "{document}");
        }
        for document in [r#"{"total":5}"#, r#"{"id":[1]}"#, r#"{"_rid":"x"}"#] {
            assert_eq!(step(document.as_bytes()), Step::Unknown, "{document}");
        }
        assert_eq!(remedy(br#"{"id":"a"}"#, None), None);
    }

    #[test]
    fn an_earlier_program_runs_before_it() {
        let hint = remedy(br#"{"id":17}"#, Some(".a = 1")).unwrap();
        assert!(hint.contains(".a = 1 | .id |= tostring"), "{hint}");
    }
}
