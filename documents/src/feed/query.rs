//! A query: what is sent to the service instead of a request for the feed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A query, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Its text.
    pub text: String,
    /// The values of its parameters, in the order in which they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<QueryParameter>,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryParameter {
    /// Its name, with the `@`.
    pub name: String,
    /// Its value, any JSON.
    pub value: Value,
}

impl Query {
    /// The body of a request for it.
    pub fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            query: &'a str,
            parameters: &'a [QueryParameter],
        }
        let Self { text, parameters } = self;
        let body = Body {
            query: text,
            parameters,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The names of the parameters in its text, each once, in their order. Strings and comments have none.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut rest = self.text.as_str();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '@' => {
                    let is_part = |c: char| c.is_alphanumeric() || c == '_';
                    let end = rest[1..].find(|c| !is_part(c));
                    let end = end.map_or(rest.len(), |end| end + 1);
                    if end > 1 && !names.contains(&&rest[..end]) {
                        names.push(&rest[..end]);
                    }
                    end
                }
                '\'' | '"' => end_of_string(rest, first),
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => {
                    rest[2..].find("*/").map_or(rest.len(), |at| at + 4)
                }
                other => other.len_utf8(),
            };
            rest = &rest[length..];
        }
        names
    }
}

/// Where the string at the start of `text` ends, after its quotation mark. A backslash takes the meaning from the next
/// character.
fn end_of_string(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query {
            text: text.to_owned(),
            parameters: Vec::new(),
        }
    }

    #[test]
    fn parameters_are_found_where_they_are_parameters() {
        for (text, names) in [
            ("SELECT * FROM c", &[][..]),
            ("SELECT * FROM c WHERE c.total > @least", &["@least"]),
            ("SELECT @b, @a, @b FROM c", &["@b", "@a"]),
            ("SELECT c['@no'], c[\"@no\"], '\\'@no', @yes", &["@yes"]),
            ("SELECT @a -- @no\n, @b /* @no */, @c", &["@a", "@b", "@c"]),
            ("SELECT '@no", &[]),
            ("SELECT @ FROM c", &[]),
            ("SELECT '\\", &[]),
            ("/*@no", &[]),
            ("/*/@no", &[]),
            ("-- @no", &[]),
            ("@größe_1.x", &["@größe_1"]),
        ] {
            assert_eq!(query(text).names(), names, "{text}");
        }
    }

    #[test]
    fn a_body_has_the_text_and_the_parameters() {
        let mut query = query("SELECT \"ü\" FROM c");
        assert_eq!(
            String::from_utf8(query.body()).unwrap(),
            r#"{"query":"SELECT \"ü\" FROM c","parameters":[]}"#
        );
        query.parameters.push(QueryParameter {
            name: "@least".to_owned(),
            value: 9000.into(),
        });
        assert_eq!(
            String::from_utf8(query.body()).unwrap(),
            r#"{"query":"SELECT \"ü\" FROM c","parameters":[{"name":"@least","value":9000}]}"#
        );
    }
}
