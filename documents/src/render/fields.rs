//! `--fields`: selected members of a document.

use std::str::FromStr;

use super::tokens::write_string;
use crate::feed::page::members;

/// Members of a document, by their paths.
///
/// Parsed from text such as `id,customer.name,"a.b".c`: commas separate paths, dots separate names. A name in
/// quotes is a JSON string, so it can contain dots, commas and everything else.
///
/// The result is an object with the same nesting, `{"id":…,"customer":{"name":…}}`, in the order of the
/// paths. Values are the document's own text. Missing members are left out, and so is everything below an
/// array. If a name is repeated, the last value counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    selected: Vec<Selected>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Selected {
    name: String,
    /// The selected parts of the value; all of it if empty.
    below: Vec<Selected>,
}

impl Fields {
    /// Parses a list of paths.
    ///
    /// # Errors
    ///
    /// The first wrong path and the reason, in a sentence for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut selected = Vec::new();
        let mut rest = text;
        loop {
            let (path, after) = parse_path(rest.trim_start(), text)?;
            insert(&mut selected, &path);
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => return Ok(Self { selected }),
            }
        }
    }

    /// Appends an object of the selected members of `document`. It is empty if `document` is not an object.
    pub(super) fn write(&self, document: &[u8], out: &mut Vec<u8>) {
        write_selected(&self.selected, document, out);
    }
}

impl FromStr for Fields {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

/// Parses one path, up to a comma or the end. Returns the rest.
fn parse_path<'a>(mut rest: &'a str, whole: &str) -> Result<(Vec<String>, &'a str), String> {
    let mut path = Vec::new();
    loop {
        let (name, after) = if rest.starts_with('"') {
            quoted_name(rest)?
        } else {
            bare_name(rest, whole)?
        };
        path.push(name);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None => {
                let after = after.trim_start();
                return if after.is_empty() || after.starts_with(',') {
                    Ok((path, after))
                } else {
                    Err(format!(
                        "expected `.` or `,` before `{}`",
                        after.escape_debug()
                    ))
                };
            }
        }
    }
}

fn quoted_name(text: &str) -> Result<(String, &str), String> {
    let mut names = serde_json::Deserializer::from_str(text).into_iter::<String>();
    match names.next() {
        Some(Ok(name)) => Ok((name, &text[names.byte_offset()..])),
        _ => Err(format!(
            "`{}` does not begin with a name in quotes; inside quotes, write a quote as `\\\"`",
            text.escape_debug()
        )),
    }
}

fn bare_name<'a>(text: &'a str, whole: &str) -> Result<(String, &'a str), String> {
    let end = text.find(['.', ',']).unwrap_or(text.len());
    let (name, after) = (text[..end].trim_end(), &text[end..]);
    if name.is_empty() {
        return Err(format!(
            "a name is missing in `{}`; write paths such as `id,customer.name`",
            whole.escape_debug()
        ));
    }
    let special = |c: char| c.is_whitespace() || c.is_control() || "\"'[]{}()*/\\|".contains(c);
    if name.contains(special) {
        Err(format!(
            "`{}` is not a name; quote names with special characters, and select elements of arrays with --jq",
            name.escape_debug()
        ))
    } else {
        Ok((name.to_owned(), after))
    }
}

fn insert(selected: &mut Vec<Selected>, path: &[String]) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    match selected.iter_mut().find(|field| field.name == *name) {
        // The whole value includes all of its parts.
        Some(field) if field.below.is_empty() => {}
        Some(field) if rest.is_empty() => field.below.clear(),
        Some(field) => insert(&mut field.below, rest),
        None => {
            let mut below = Vec::new();
            insert(&mut below, rest);
            let name = name.clone();
            selected.push(Selected { name, below });
        }
    }
}

fn write_selected(selected: &[Selected], document: &[u8], out: &mut Vec<u8>) {
    let mut found: Vec<Option<&[u8]>> = vec![None; selected.len()];
    for member in members(document) {
        let wanted = |field: &Selected| member.is_named(&field.name);
        if let Some(index) = selected.iter().position(wanted) {
            found[index] = Some(member.value);
        }
    }
    out.push(b'{');
    let start = out.len();
    for (field, value) in selected.iter().zip(found) {
        let Some(value) = value else {
            continue;
        };
        let before = out.len();
        if before > start {
            out.push(b',');
        }
        write_string(field.name.as_bytes(), out);
        out.push(b':');
        if field.below.is_empty() {
            out.extend_from_slice(value);
            continue;
        }
        let nested = out.len();
        write_selected(&field.below, value, out);
        if out.len() == nested + 2 {
            out.truncate(before);
        }
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(fields: &str, document: &str) -> String {
        let mut out = Vec::new();
        let fields = Fields::parse(fields).unwrap();
        fields.write(document.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn selected_members_keep_their_text_and_nesting() {
        let document = r#"{"n":18446744073709551617.10,"id":"\u0061","customer":{"name":{"first":"a","last":1e400},"x":2},"a.b":{"c":[1, 2]},"n":-0,"l":[{"x":1}]}"#;
        for (fields, expected) in [
            ("id", r#"{"id":"\u0061"}"#),
            ("n", r#"{"n":-0}"#),
            (
                "customer.name.last , id",
                r#"{"customer":{"name":{"last":1e400}},"id":"\u0061"}"#,
            ),
            (
                "customer.x,id,customer.name.first",
                r#"{"customer":{"x":2,"name":{"first":"a"}},"id":"\u0061"}"#,
            ),
            (r#""a.b".c"#, r#"{"a.b":{"c":[1, 2]}}"#),
            (r#""a\u002eb""#, r#"{"a.b":{"c":[1, 2]}}"#),
            (
                "customer.x,customer",
                r#"{"customer":{"name":{"first":"a","last":1e400},"x":2}}"#,
            ),
            (
                "customer,customer.x",
                r#"{"customer":{"name":{"first":"a","last":1e400},"x":2}}"#,
            ),
            ("nothing,customer.nothing,id.x,l.x", "{}"),
            ("nothing,id,customer.nothing", r#"{"id":"\u0061"}"#),
        ] {
            assert_eq!(select(fields, document), expected, "{fields}");
        }
        for no_object in ["[1]", "5", "\"id\"", "null"] {
            assert_eq!(select("id", no_object), "{}");
        }
        let escaped = r#"{"\u00e9":1,"😀":2}"#;
        assert_eq!(select("é,😀", escaped), r#"{"é":1,"😀":2}"#);
    }

    #[test]
    fn a_wrong_path_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "a name is missing"),
            ("id,", "a name is missing"),
            (",id", "a name is missing"),
            (".id", "a name is missing"),
            ("a..b", "a name is missing"),
            ("a.", "a name is missing"),
            ("items[0]", "--jq"),
            ("items.*", "--jq"),
            ("/customer/name", "is not a name"),
            ("a b", "is not a name"),
            ("\"a", "name in quotes"),
            ("\"a\"b", "expected `.` or `,`"),
            ("a\u{1b}[2J", "\\u{1b}"),
        ] {
            let error = Fields::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
