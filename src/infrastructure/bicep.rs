//! Bicep.

use super::resources::Database;
use super::tree::Tree;
use crate::cosmos::arm::API_VERSION;

const INDENT: &str = "  ";

/// The account, which is not among the definitions.
const HEAD: &str = "\
@description('The name of the account, which exists.')
param accountName string

resource account 'Microsoft.DocumentDB/databaseAccounts@API_VERSION' existing = {
  name: accountName
}
";

/// A file that makes the databases and their containers.
pub(super) fn text(databases: &[Database]) -> String {
    let mut out = HEAD.replace("API_VERSION", API_VERSION);
    for database in databases {
        resource(
            &mut out,
            &Resource {
                symbol: &database.symbol,
                kind: "databaseAccounts/sqlDatabases",
                version: API_VERSION,
                parent: "account",
                name: &database.name,
            },
            &database.resource(),
            &database.options,
        );
        for container in &database.containers {
            resource(
                &mut out,
                &Resource {
                    symbol: &container.symbol,
                    kind: "databaseAccounts/sqlDatabases/containers",
                    version: container.version,
                    parent: &database.symbol,
                    name: &container.name,
                },
                &container.resource,
                &container.options,
            );
        }
    }
    out
}

/// What a resource is called.
struct Resource<'a> {
    symbol: &'a str,
    kind: &'a str,
    version: &'a str,
    parent: &'a str,
    name: &'a str,
}

fn resource(out: &mut String, named: &Resource<'_>, definition: &Tree, options: &Tree) {
    let Resource {
        symbol,
        kind,
        version,
        parent,
        name,
    } = named;
    out.push_str(&format!(
        "\nresource {symbol} 'Microsoft.DocumentDB/{kind}@{version}' = {{\n{INDENT}parent: {parent}\n"
    ));
    out.push_str(&format!(
        "{INDENT}name: {}\n{INDENT}properties: ",
        quoted(name)
    ));
    let mut properties = vec![("resource".to_owned(), definition.clone())];
    if *options != Tree::Object(Vec::new()) {
        properties.push(("options".to_owned(), options.clone()));
    }
    write(out, &Tree::Object(properties), 1);
    out.push_str("\n}\n");
}

fn write(out: &mut String, value: &Tree, depth: usize) {
    match value {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Number(number) => out.push_str(&numeral(number)),
        Tree::Text(text) => out.push_str(&quoted(text)),
        Tree::List(elements) if elements.is_empty() => out.push_str("[]"),
        Tree::List(elements) => {
            out.push_str("[\n");
            for element in elements {
                out.push_str(&INDENT.repeat(depth + 1));
                write(out, element, depth + 1);
                out.push('\n');
            }
            out.push_str(&INDENT.repeat(depth));
            out.push(']');
        }
        Tree::Object(members) if members.is_empty() => out.push_str("{}"),
        Tree::Object(members) => {
            out.push_str("{\n");
            for (name, value) in members {
                out.push_str(&INDENT.repeat(depth + 1));
                out.push_str(&key(name));
                out.push_str(": ");
                write(out, value, depth + 1);
                out.push('\n');
            }
            out.push_str(&INDENT.repeat(depth));
            out.push('}');
        }
    }
}

/// Bicep has whole numbers of 64 bits only; its function `json` takes all others.
fn numeral(number: &str) -> String {
    // `-0` is another number than 0.
    match number.parse::<i64>() {
        Ok(whole) if whole.to_string() == number && whole != i64::MIN => number.to_owned(),
        _ => format!("json({})", quoted(number)),
    }
}

/// The name of a member.
fn key(name: &str) -> String {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_identifier =
        name.starts_with(begins) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match is_identifier {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// A string of Bicep. What would end it, or begin an expression in it, is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' if characters.peek() == Some(&'{') => out.push_str("\\$"),
            // Lines end at these too.
            other if other.is_control() || matches!(other, '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(other)));
            }
            other => out.push(other),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_stays_one_string() {
        for (text, expected) in [
            ("/a/?", "'/a/?'"),
            ("it's", r"'it\'s'"),
            (r"a\b", r"'a\\b'"),
            ("${secret}", r"'\${secret}'"),
            ("$$ {x} $", "'$$ {x} $'"),
            ("a\nb\tc\r", r"'a\nb\tc\r'"),
            ("'''", r"'\'\'\''"),
            ("\u{0}\u{7f}\u{2028}", r"'\u{0}\u{7f}\u{2028}'"),
            ("größe 東", "'größe 東'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn numbers_that_bicep_lacks_go_through_json() {
        for (number, expected) in [
            ("-1", "-1"),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "json('9223372036854775808')"),
            ("1.5", "json('1.5')"),
            ("1e400", "json('1e400')"),
            ("-0", "json('-0')"),
        ] {
            assert_eq!(numeral(number), expected);
        }
    }

    #[test]
    fn names_of_members_are_quoted_unless_they_are_words() {
        assert_eq!(key("indexingPolicy"), "indexingPolicy");
        assert_eq!(key("a-b"), "'a-b'");
        assert_eq!(key("1a"), "'1a'");
        assert_eq!(key(""), "''");
    }
}
