//! Exports of queries: how they end, and what is refused.

use serde_json::json;

use super::{Pages, Stage};
use crate::gateway::{Action, Fault, RequestKind};
use crate::orders::filled;

#[test]
fn query() {
    let mut pages = Pages::new("query");
    answered(&mut pages);
    refused(&mut pages);
    typed(&mut pages);
    masked(&mut pages);
    pages.finish();
}

/// A container that masks values, for a credential that may not see them.
fn masked(pages: &mut Pages) {
    let (gateway, container) = filled(1, 10);
    container.define(json!({"dataMaskingPolicy": {
        "includedPaths": [{"path": "/text"}], "isPolicyEnabled": true
    }}));
    let denied = Action::status(403, 0);
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, denied).always());
    let stage = Stage::at(&gateway);
    for (name, about, typed) in [
        (
            "masked-refused",
            "A query would return masked values.",
            "export -d shop -c orders -o out --query 'SELECT * FROM c'",
        ),
        (
            "masked",
            "Masked values that are wanted.",
            "export -d shop -c orders -o out --query 'SELECT * FROM c' --masked",
        ),
        (
            "masked-verify",
            "An export of masked values is no backup.",
            "verify out",
        ),
        (
            "masked-replay",
            "Masked values would replace those of the target.",
            "replay out -d shop -c orders",
        ),
    ] {
        stage.show(pages, name, about, &format!("cosmos-tail {typed}"));
    }
}

/// Queries that are answered, at least in part.
fn answered(pages: &mut Pages) {
    let (gateway, container) = filled(2, 300);
    let stage = Stage::at(&gateway);
    let mut show = |name: &str, about: &str, typed: &str| {
        stage.show(pages, name, about, typed);
    };
    show(
        "export",
        "What a query selects, to a directory.",
        "cosmos-tail export -d shop -c orders -o large --query 'SELECT * FROM c WHERE c.number > @least' --parameter least=200",
    );
    show(
        "resume-ended",
        "A resume of a query that has ended.",
        "cosmos-tail resume large",
    );
    show(
        "resume-follow",
        "A query has nothing to follow.",
        "cosmos-tail resume large --follow",
    );
    show(
        "resume-other-query",
        "A resume with another query.",
        "cosmos-tail resume large --query 'SELECT * FROM c'",
    );
    show(
        "lag",
        "A query has no position in the feed.",
        "cosmos-tail lag large",
    );
    show(
        "csv",
        "Rows become columns, which have no order of versions.",
        "cosmos-tail export -d shop -c orders -o few.csv --query 'SELECT c.id, c.number FROM c WHERE c.number > @least' --parameter least=290",
    );
    show(
        "values-as-columns",
        "Rows that are not objects have no columns.",
        "cosmos-tail export -d shop -c orders -o values --format csv --query 'SELECT VALUE c.number FROM c'",
    );
    show(
        "schema",
        "The columns of what a query selects.",
        "cosmos-tail schema -d shop -c orders --query 'SELECT c.id, c.number FROM c'",
    );
    show(
        "schema-nothing",
        "A query that selects nothing has no columns.",
        "cosmos-tail schema -d shop -c orders --query 'SELECT * FROM c WHERE c.number > @least' --parameter least=1000",
    );
    show(
        "json-summary",
        "The summary for scripts.",
        "cosmos-tail export -d shop -c orders -o again --query 'SELECT c.id FROM c' --summary json",
    );
    let refuse = Action::Refuse {
        status: 400,
        message: "Invalid Continuation Token",
    };
    gateway.push_fault(Fault::on(RequestKind::Query, refuse).partition("0").nth(2));
    show(
        "continuation-refused",
        "The service refuses the continuation of a range.",
        "cosmos-tail export -d shop -c orders -o cut --page-size 20 --query 'SELECT * FROM c'",
    );
    gateway.clear_faults();
    container.upsert(json!({"id": "1", "pk": "a"}));
}

/// Queries that the service refuses, or whose plan is about all ranges.
fn refused(pages: &mut Pages) {
    let (gateway, _) = filled(1, 10);
    let stage = Stage::at(&gateway);
    for (name, about, query) in [
        (
            "not-parsed",
            "A query that does not parse.",
            "SELECT * FORM c",
        ),
        (
            "order-by",
            "Each range would have its own order.",
            "SELECT * FROM c ORDER BY c.number",
        ),
        (
            "aggregate",
            "Each range would have its own count.",
            "SELECT VALUE COUNT(1) FROM c",
        ),
        (
            "top",
            "Each range would have its own first rows.",
            "SELECT TOP 5 * FROM c",
        ),
    ] {
        let typed = format!("cosmos-tail export -d shop -c orders -o out --query '{query}'");
        stage.show(pages, name, about, &typed);
    }
    let plan = Action::edit_json(|plan| plan["queryInfo"]["somethingNew"] = json!([1]));
    gateway.push_fault(Fault::on(RequestKind::QueryPlan, plan));
    stage.show(
        pages,
        "plan-not-known",
        "A plan with something that is not known.",
        "cosmos-tail export -d shop -c orders -o out --query 'SELECT * FROM c'",
    );
    let denied = Action::status(403, 0);
    gateway.push_fault(Fault::on(RequestKind::QueryPlan, denied).always());
    stage.show(
        pages,
        "denied",
        "A credential that may not query.",
        "cosmos-tail export -d shop -c orders -o out --query 'SELECT * FROM c'",
    );
}

/// What cannot be carried out as it was typed.
fn typed(pages: &mut Pages) {
    let stage = Stage::alone();
    stage.write("large.sql", vec![b' '; 600 << 10]);
    stage.write("binary.sql", b"SELECT \xff");
    for (name, about, typed) in [
        (
            "follow",
            "A query has nothing to follow.",
            "export -o out --query 'SELECT * FROM c' --follow",
        ),
        (
            "mode-all",
            "Versions are only in the feed.",
            "export -o out --query 'SELECT * FROM c' --mode all",
        ),
        (
            "from",
            "A query has no start.",
            "export -o out --query 'SELECT * FROM c' --from 10m",
        ),
        (
            "until",
            "A query has an end of its own.",
            "export -o out --query 'SELECT * FROM c' --until pin",
        ),
        (
            "parameter-missing",
            "A parameter without a value.",
            "export -o out --query 'SELECT * FROM c WHERE c.total > @least'",
        ),
        (
            "parameter-unknown",
            "A parameter that the query does not have, a letter off.",
            "export -o out --query 'SELECT * FROM c WHERE c.total > @least' --parameter leats=1",
        ),
        (
            "parameter-needless",
            "A parameter of a query that has none.",
            "export -o out --query 'SELECT * FROM c' --parameter least=1",
        ),
        (
            "parameter-twice",
            "A parameter with two values.",
            "export -o out --query 'SELECT @a' --parameter a=1 --parameter a=2",
        ),
        (
            "parameter-without-value",
            "A parameter that is only a name.",
            "export -o out --query 'SELECT @a' --parameter a",
        ),
        (
            "parameter-without-query",
            "A parameter without a query.",
            "export -o out --parameter a=1",
        ),
        (
            "partition-key-without-query",
            "A partition key without a query.",
            "export -o out --partition-key a",
        ),
        ("empty", "An empty query.", "export -o out --query ' '"),
        (
            "twice",
            "A query, and one in a file.",
            "export -o out --query 'SELECT * FROM c' --query-file large.sql",
        ),
        (
            "file-missing",
            "A file that is not there.",
            "export -o out --query-file none.sql",
        ),
        (
            "file-too-long",
            "A file that is no query.",
            "export -o out --query-file large.sql",
        ),
        (
            "file-not-text",
            "A file that is not UTF-8.",
            "export -o out --query-file binary.sql",
        ),
        (
            "schema-from",
            "A query has no start.",
            "schema --query 'SELECT * FROM c' --from 10m",
        ),
        (
            "schema-diff",
            "Only documents are compared.",
            "schema --query 'SELECT * FROM c' --diff out",
        ),
        (
            "tail",
            "A tail has no query.",
            "tail --query 'SELECT * FROM c'",
        ),
        (
            "word-of-another-tool",
            "The flag of another tool.",
            "export -o out --where 'c.total > 1'",
        ),
    ] {
        stage.show(pages, name, about, &format!("cosmos-tail {typed}"));
    }
}
