//! Where a value is in a document, in jq's spelling.

use std::fmt;

use crate::render::tokens::{decode_string, write_string};

/// A step from a value to one of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step<'a> {
    /// To a member: the text of its name between the quotes.
    Name(&'a [u8]),
    /// To an element.
    Index(usize),
}

/// A path such as `.items[2]."unit price"`, or `.` for the document itself. jq evaluates it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path<'a>(Vec<Step<'a>>);

impl<'a> From<Vec<Step<'a>>> for Path<'a> {
    fn from(steps: Vec<Step<'a>>) -> Self {
        Self(steps)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self.0.first(), Some(Step::Name(_))) {
            f.write_str(".")?;
        }
        for step in &self.0 {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Name(raw) => {
                    let name = decode_string(raw);
                    f.write_str(".")?;
                    if is_plain(&name) {
                        f.write_str(&String::from_utf8_lossy(&name))?;
                    } else {
                        let mut quoted = Vec::new();
                        write_string(&name, &mut quoted);
                        f.write_str(&String::from_utf8_lossy(&quoted))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether jq takes a name without quotes.
fn is_plain(name: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.first().is_some_and(is_letter)
        && name
            .iter()
            .all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_jq_needs_it() {
        for (steps, expected) in [
            (vec![], "."),
            (vec![Step::Name(b"status")], ".status"),
            (
                vec![Step::Name(b"customer"), Step::Name(b"first name")],
                r#".customer."first name""#,
            ),
            (
                vec![Step::Name(b"items"), Step::Index(2), Step::Name(b"qty")],
                ".items[2].qty",
            ),
            (vec![Step::Index(0), Step::Index(1)], ".[0][1]"),
            (vec![Step::Name(b"")], r#"."""#),
            (vec![Step::Name(b"1a")], r#"."1a""#),
            (vec![Step::Name(br"\u0061\u001b")], r#"."a\u001b""#),
            (vec![Step::Name("é".as_bytes())], r#"."é""#),
            (vec![Step::Name(br#"a\"\\("#)], r#"."a\"\\(""#),
        ] {
            assert_eq!(Path::from(steps).to_string(), expected);
        }
    }
}
