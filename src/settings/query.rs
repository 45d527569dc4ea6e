//! The query that is read instead of the feed, resolved and validated.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use super::given::Given;
use super::setting::Row;
use super::table;
use crate::durable::shown_path;
use crate::error::{Annotate, ExitCode, usage};
use crate::feed::{Query, QueryParameter};
use crate::nearest::instead;

/// The longest query, in bytes: that of the service.
const MAX_QUERY: u64 = 512 << 10;

/// A query, and what it is narrowed to.
#[derive(Debug)]
pub struct QueryPlan {
    /// The query.
    pub query: Query,
    /// The levels of the partition key to query, as typed.
    pub partition_key: Vec<String>,
    /// Whether masked values are wanted where values are masked.
    pub masked: bool,
}

impl QueryPlan {
    /// Resolves what was given; `None` if no query was.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or its parameters are not those that were given.
    pub(super) fn new(given: &Given) -> Result<Option<Self>> {
        let text = match (given.typed(&table::QUERY), given.typed(&table::QUERY_FILE)) {
            (Some(text), _) => text,
            (None, Some(path)) => read(&path)?,
            (None, None) => {
                let of_query: [&Row; 3] = [
                    &table::PARAMETER.row,
                    &table::QUERY_KEY.row,
                    &table::MASKED.row,
                ];
                let typed = of_query.into_iter().find(|row| given.is_typed(row));
                return match typed {
                    Some(row) => Err(usage(
                        format!("{} is for a query, and there is none", row.flag()),
                        "add --query 'SELECT * FROM c …' or --query-file FILE",
                    )),
                    None => Ok(None),
                };
            }
        };
        if text.trim().is_empty() {
            return Err(usage(
                "the query is empty",
                "all documents are: --query 'SELECT * FROM c'",
            ));
        }
        let parameters = given.list(&table::PARAMETER);
        let query = Query { text, parameters };
        ensure_parameters(&query)?;
        Ok(Some(Self {
            query,
            partition_key: given.list(&table::QUERY_KEY),
            masked: given.is_on(&table::MASKED),
        }))
    }
}

fn read(path: &Path) -> Result<String> {
    let shown = shown_path(&path);
    let mut content = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_QUERY + 1).read_to_end(&mut content))
        .with_context(|| format!("cannot read the query in `{shown}`"))
        .exit_code(ExitCode::Usage)?;
    if content.len() as u64 > MAX_QUERY {
        return Err(usage(
            format!("the query in `{shown}` is longer than 512 KiB"),
            "the service accepts no longer ones",
        ));
    }
    let text = String::from_utf8(content).map_err(|_| {
        usage(
            format!("the query in `{shown}` is not UTF-8"),
            "save it as UTF-8",
        )
    })?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// The service takes an unknown parameter without a word, and one that is missing for a value that equals nothing.
fn ensure_parameters(query: &Query) -> Result<()> {
    let wanted = query.names();
    let mut given: Vec<&str> = Vec::new();
    for QueryParameter { name, .. } in &query.parameters {
        if given.contains(&name.as_str()) {
            return Err(usage(
                format!("--parameter gives `{name}` twice"),
                "give it once",
            ));
        }
        if !wanted.contains(&name.as_str()) {
            let hint = instead(name, "parameters of the query", &wanted);
            return Err(usage(
                format!("the query has no parameter `{name}`"),
                hint.unwrap_or_else(|| "leave --parameter out: the query has none".to_owned()),
            ));
        }
        given.push(name);
    }
    if let Some(missing) = wanted.iter().find(|name| !given.contains(name)) {
        let name = missing.trim_start_matches('@');
        return Err(usage(
            format!("the parameter `{missing}` of the query has no value"),
            format!("add --parameter {name}=VALUE"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(arguments: &[&str]) -> Result<Option<QueryPlan>> {
        let all = ["cosmos-tail", "schema"].iter().chain(arguments);
        QueryPlan::new(&Given::parse(all).unwrap())
    }

    fn refused(arguments: &[&str]) -> String {
        plan(arguments).unwrap_err().to_string()
    }

    #[test]
    fn parameters_are_json_or_text() {
        let arguments = [
            "--query=SELECT @a, @b, @c, @d",
            "--parameter=a=9000",
            "--parameter=@b=it's",
            "--parameter=c=\"9000\"",
            "--parameter=d={\"x\":[1]}",
        ];
        let query = plan(&arguments).unwrap().unwrap().query;
        let values: Vec<(&str, &Value)> = query
            .parameters
            .iter()
            .map(|parameter| (parameter.name.as_str(), &parameter.value))
            .collect();
        assert_eq!(
            values,
            [
                ("@a", &json!(9000)),
                ("@b", &json!("it's")),
                ("@c", &json!("9000")),
                ("@d", &json!({"x": [1]})),
            ]
        );
    }

    #[test]
    fn a_number_that_is_too_large_is_not_taken_for_text() {
        for value in ["1e400", "-1e400"] {
            let argument = format!("--parameter=a={value}");
            let all = ["cosmos-tail", "schema", "--query=SELECT @a", &argument];
            assert!(Given::parse(all).is_err(), "{value}");
        }
        for value in ["2026-01-01", "1.2.3", "inf", "nan", "x7", "007", ""] {
            let argument = format!("--parameter=a={value}");
            let query = plan(&["--query=SELECT @a", &argument]).unwrap().unwrap();
            assert_eq!(query.query.parameters[0].value, json!(value));
        }
    }

    #[test]
    fn each_parameter_is_given_once() {
        let query = "--query=SELECT * FROM c WHERE c.total > @least";
        for (arguments, wrong) in [
            (
                &[query][..],
                "the parameter `@least` of the query has no value",
            ),
            (
                &[query, "--parameter=last=1"],
                "the query has no parameter `@last`",
            ),
            (
                &[query, "--parameter=least=1", "--parameter=@least=2"],
                "--parameter gives `@least` twice",
            ),
            (&["--query= "], "the query is empty"),
            (
                &["--parameter=least=1"],
                "--parameter is for a query, and there is none",
            ),
            (&["--masked"], "--masked is for a query, and there is none"),
            (
                &["--partition-key=a"],
                "--partition-key is for a query, and there is none",
            ),
        ] {
            assert_eq!(refused(arguments), wrong);
        }
        assert!(plan(&[query, "--parameter=least=1"]).unwrap().is_some());
        assert!(plan(&[]).unwrap().is_none());
    }

    #[test]
    fn a_query_can_be_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("q.sql");
        let argument = format!("--query-file={}", path.display());
        assert!(refused(&[&argument]).starts_with("cannot read the query in"));
        std::fs::write(&path, "\u{feff}SELECT *\nFROM c -- @no\n").unwrap();
        let text = plan(&[&argument]).unwrap().unwrap().query.text;
        assert_eq!(text, "SELECT *\nFROM c -- @no\n");
        std::fs::write(&path, b"\xff").unwrap();
        assert!(refused(&[&argument]).ends_with("is not UTF-8"));
        std::fs::write(&path, "x".repeat(600 << 10)).unwrap();
        assert!(refused(&[&argument]).ends_with("is longer than 512 KiB"));
    }
}
