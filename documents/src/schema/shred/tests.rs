//! Documents become cells and overflow.

use super::{Cell, Shredder};
use crate::schema::{Schema, parse_column};

fn schema(lines: &[&str]) -> Schema {
    let columns = lines.iter().map(|line| parse_column(line).unwrap());
    Schema::new(columns.collect()).unwrap()
}

/// The cells as text, with `-` for none, and the overflow.
fn shredded(shredder: &Shredder, document: &str) -> (String, String) {
    let mut row = shredder.row();
    // Twice, since a row is reused.
    for document in [r#"{"id":"other","x":{"y":1}}"#, document] {
        shredder.read(document.as_bytes(), &|_| true, &mut row);
    }
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let cells: Vec<String> = row
        .cells()
        .iter()
        .map(|cell| match cell {
            Cell::Null => "-".to_owned(),
            Cell::Boolean(value) => value.to_string(),
            Cell::Int64(value, _)
            | Cell::Timestamp(value, _)
            | Cell::Integer(value)
            | Cell::Moment(value) => value.to_string(),
            Cell::Double(value, _) => format!("{value:?}"),
            Cell::Text(value) => text(&value.decoded()),
            Cell::Json(json) | Cell::List(json, _) => text(json),
            Cell::Object => "{}".to_owned(),
            Cell::Rounded(moment) => format!("~{moment}"),
        })
        .collect();
    (cells.join("|"), text(row.extra().unwrap_or_default()))
}

#[test]
fn what_does_not_fit_goes_to_the_overflow() {
    let schema = schema(&[
        "id string",
        "total double",
        "n int64",
        "at timestamp(0)",
        "c struct<name: string, a: struct<zip: int64>>",
        "tags list<string>",
        "j json",
        "ok boolean",
    ]);
    let shredder = Shredder::new(&schema, false);
    for (document, cells, extra) in [
        (
            r#"{"id":"a","total":1.50,"n":7,"at":"1970-01-01T00:00:01Z","c":{"name":"x","a":{"zip":1}},
               "tags":["t",null],"j":null,"ok":true}"#,
            r#"a|1.5|7|1000000|{}|x|{}|1|["t",null]|null|true"#,
            "",
        ),
        ("{}", "-|-|-|-|-|-|-|-|-|-|-", ""),
        (
            r#"{"new":[1],"id":null,"n":1.5,"c":{"a":{"zip":"z","q":{}},"b":0},"tags":[1],"ok":"true"}"#,
            "-|-|-|-|{}|-|{}|-|-|-|-",
            r#"{"new":[1],"id":null,"n":1.5,"c":{"a":{"zip":"z","q":{}},"b":0},"tags":[1],"ok":"true"}"#,
        ),
        (r#"{"c":{},"n":1}"#, "-|-|1|-|{}|-|-|-|-|-|-", ""),
        (r#"{"c":5}"#, "-|-|-|-|-|-|-|-|-|-|-", r#"{"c":5}"#),
        ("[1]", "-|-|-|-|-|-|-|-|-|-|-", "[1]"),
        ("7", "-|-|-|-|-|-|-|-|-|-|-", "7"),
    ] {
        let found = shredded(&shredder, document);
        assert_eq!(found, (cells.to_owned(), extra.to_owned()), "{document}");
    }
}

#[test]
fn repeated_names_have_no_cell() {
    let schema = schema(&[
        "id string",
        "c struct<x: int64>",
        "p.q int64",
        "l list<struct<x: int64>>",
    ]);
    let shredder = Shredder::new(&schema, false);
    for (document, cells, extra) in [
        (
            r#"{"id":"a","id":"b","p":{"q":1}}"#,
            "-|-|-|1|-",
            r#"{"id":"a","id":"b"}"#,
        ),
        (r#"{"id":1,"id":"b"}"#, "-|-|-|-|-", r#"{"id":1,"id":"b"}"#),
        (
            r#"{"id":"a","\u0069d":"b"}"#,
            "-|-|-|-|-",
            r#"{"id":"a","\u0069d":"b"}"#,
        ),
        (
            r#"{"c":{"x":1},"c":{"x":2},"id":"a"}"#,
            "a|-|-|-|-",
            r#"{"c":{"x":1},"c":{"x":2}}"#,
        ),
        (
            r#"{"c":{"x":1,"x":2},"id":"a"}"#,
            "a|{}|-|-|-",
            r#"{"c":{"x":1,"x":2}}"#,
        ),
        (r#"{"n":1,"n":2,"id":"a"}"#, "a|-|-|-|-", r#"{"n":1,"n":2}"#),
        (
            r#"{"l":[{"x":1,"x":1}]}"#,
            "-|-|-|-|-",
            r#"{"l":[{"x":1,"x":1}]}"#,
        ),
    ] {
        let found = shredded(&shredder, document);
        assert_eq!(found, (cells.to_owned(), extra.to_owned()), "{document}");
    }
}

#[test]
fn an_empty_object_on_a_path_is_kept_in_the_overflow() {
    let schema = schema(&["a.b int64", "a.c.d int64", "id string"]);
    let shredder = Shredder::new(&schema, false);
    for (document, cells, extra) in [
        (r#"{"a":{"b":1}}"#, "1|-|-", ""),
        (r#"{"a":{}}"#, "-|-|-", r#"{"a":{}}"#),
        (r#"{"a":{"c":{}}}"#, "-|-|-", r#"{"a":{"c":{}}}"#),
        (
            r#"{"a":{"c":{},"b":1},"id":"i"}"#,
            "1|-|i",
            r#"{"a":{"c":{}}}"#,
        ),
        (r#"{"a":null}"#, "-|-|-", r#"{"a":null}"#),
    ] {
        let found = shredded(&shredder, document);
        assert_eq!(found, (cells.to_owned(), extra.to_owned()), "{document}");
    }
}

#[test]
fn names_may_have_escapes_and_any_characters() {
    let schema = schema(&[
        "größe int64",
        r#""a.b" int64"#,
        r#""" int64"#,
        "\"\u{fffd}\" int64",
    ]);
    let shredder = Shredder::new(&schema, false);
    let document = r#"{"gr\u00f6\u00DFe":1,"a.b":2,"":3,"\ud800":4}"#;
    let expected = ("1|2|3|-".to_owned(), r#"{"\ud800":4}"#.to_owned());
    assert_eq!(shredded(&shredder, document), expected);
}

#[test]
fn a_name_is_not_mistaken_for_the_beginning_of_another() {
    let schema = schema(&[r#""a\\" int64"#, "b int64"]);
    let shredder = Shredder::new(&schema, false);
    let document = r#"{"a\":x":1,"b":2}"#;
    let expected = ("-|2".to_owned(), r#"{"a\":x":1}"#.to_owned());
    assert_eq!(shredded(&shredder, document), expected);
    let document = r#"{"a\\":1,"b":2}"#;
    assert_eq!(shredded(&shredder, document).0, "1|2");
}

#[test]
fn only_top_level_system_fields_without_a_column_are_dropped() {
    let schema = schema(&["id string", "_ts int64"]);
    let document = r#"{"id":"a","_ts":5,"_etag":"e","x":{"_etag":"f"}}"#;
    let cells = "a|5".to_owned();
    assert_eq!(
        shredded(&Shredder::new(&schema, true), document),
        (cells.clone(), r#"{"x":{"_etag":"f"}}"#.to_owned())
    );
    assert_eq!(
        shredded(&Shredder::new(&schema, false), document),
        (cells, r#"{"_etag":"e","x":{"_etag":"f"}}"#.to_owned())
    );
}

#[test]
fn a_cell_that_the_format_rejects_goes_to_the_overflow() {
    let schema = schema(&["id string", "n int64"]);
    let shredder = Shredder::new(&schema, false);
    let mut row = shredder.row();
    let accepts = |cell: &Cell<'_>| !matches!(cell, Cell::Int64(..));
    shredder.read(br#"{"id":"a","n":1}"#, &accepts, &mut row);
    assert_eq!(row.cells()[1], Cell::Null);
    assert_eq!(row.extra(), Some(&br#"{"n":1}"#[..]));
}
