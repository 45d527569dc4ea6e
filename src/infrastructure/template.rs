//! A template of Azure Resource Manager.

use super::resources::Database;
use super::tree::Tree;
use crate::cosmos::arm::API_VERSION;

const SCHEMA: &str =
    "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";
const INDENT: &str = "  ";

/// A template that makes the databases and their containers.
pub(super) fn text(databases: &[Database]) -> String {
    let mut resources = Vec::new();
    for database in databases {
        resources.push(resource(
            "databaseAccounts/sqlDatabases",
            API_VERSION,
            &[&database.name],
            None,
            &database.resource(),
            &database.options,
        ));
        for container in &database.containers {
            resources.push(resource(
                "databaseAccounts/sqlDatabases/containers",
                container.version,
                &[&database.name, &container.name],
                Some(&database.name),
                &container.resource,
                &container.options,
            ));
        }
    }
    let parameter = Tree::object([
        ("type", Tree::text("string")),
        (
            "metadata",
            Tree::object([(
                "description",
                Tree::text("The name of the account, which exists."),
            )]),
        ),
    ]);
    let template = Tree::object([
        ("$schema", Tree::text(SCHEMA)),
        ("contentVersion", Tree::text("1.0.0.0")),
        ("parameters", Tree::object([("accountName", parameter)])),
        ("resources", Tree::List(resources)),
    ]);
    let mut out = String::new();
    write(&mut out, &template, 0);
    out.push('\n');
    out
}

fn resource(
    kind: &str,
    version: &str,
    names: &[&str],
    database: Option<&str>,
    definition: &Tree,
    options: &Tree,
) -> Tree {
    let mut name = String::from("[concat(parameters('accountName')");
    for part in names {
        name.push_str(&format!(", '/', {}", in_expression(part)));
    }
    name.push_str(")]");
    let mut members = vec![
        (
            "type".to_owned(),
            Tree::text(format!("Microsoft.DocumentDB/{kind}")),
        ),
        ("apiVersion".to_owned(), Tree::text(version)),
        ("name".to_owned(), Tree::Text(name)),
    ];
    if let Some(database) = database {
        let id = format!(
            "[resourceId('Microsoft.DocumentDB/databaseAccounts/sqlDatabases', parameters('accountName'), {})]",
            in_expression(database)
        );
        members.push(("dependsOn".to_owned(), Tree::List(vec![Tree::Text(id)])));
    }
    let mut properties = vec![("resource".to_owned(), literal(definition))];
    if *options != Tree::Object(Vec::new()) {
        properties.push(("options".to_owned(), options.clone()));
    }
    members.push(("properties".to_owned(), Tree::Object(properties)));
    Tree::Object(members)
}

/// A string within an expression, where a quotation mark is written twice.
fn in_expression(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The same, where no text is an expression: one that would be is escaped by another bracket.
fn literal(value: &Tree) -> Tree {
    match value {
        Tree::Text(text) if text.starts_with('[') && text.ends_with(']') => {
            Tree::Text(format!("[{text}"))
        }
        Tree::List(elements) => Tree::List(elements.iter().map(literal).collect()),
        Tree::Object(members) => {
            let members = members.iter();
            Tree::Object(
                members
                    .map(|(name, value)| (name.clone(), literal(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

fn write(out: &mut String, value: &Tree, depth: usize) {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let separated = |out: &mut String, is_first: bool| {
        out.push_str(if is_first { "\n" } else { ",\n" });
        out.push_str(&INDENT.repeat(depth + 1));
    };
    match value {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Number(number) => out.push_str(number),
        Tree::Text(text) => out.push_str(&quoted(text)),
        Tree::List(elements) if elements.is_empty() => out.push_str("[]"),
        Tree::List(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                separated(out, at == 0);
                write(out, element, depth + 1);
            }
            out.push_str(&format!("\n{}]", INDENT.repeat(depth)));
        }
        Tree::Object(members) if members.is_empty() => out.push_str("{}"),
        Tree::Object(members) => {
            out.push('{');
            for (at, (name, value)) in members.iter().enumerate() {
                separated(out, at == 0);
                out.push_str(&format!("{}: ", quoted(name)));
                write(out, value, depth + 1);
            }
            out.push_str(&format!("\n{}}}", INDENT.repeat(depth)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_expression() {
        for (text, expected) in [
            ("[x]", "[[x]"),
            ("[[x]", "[[[x]"),
            ("[x", "[x"),
            ("x]", "x]"),
            ("a'b", "a'b"),
        ] {
            assert_eq!(literal(&Tree::text(text)), Tree::text(expected));
        }
        assert_eq!(in_expression("a'b"), "'a''b'");
    }
}
