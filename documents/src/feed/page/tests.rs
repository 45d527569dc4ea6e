//! The documents, pages and faults that readers of JSON get wrong, one by one.

use bytes::Bytes;

use super::*;

fn page_of(items: &[&str]) -> String {
    format!(
        r#"{{"_rid":"Gz8AAI==","Documents":[{}],"_count":{}}}"#,
        items.join(","),
        items.len()
    )
}

fn parse(body: impl AsRef<[u8]>) -> Result<Page, PageError> {
    Page::parse(Bytes::copy_from_slice(body.as_ref()))
}

fn texts(page: &Page) -> Vec<&str> {
    page.items()
        .map(|item| std::str::from_utf8(item.json()).unwrap())
        .collect()
}

/// What is wrong with a page, and at which byte.
fn fault(body: impl AsRef<[u8]>) -> (PageErrorKind, usize) {
    let error = parse(body).unwrap_err();
    (error.kind(), error.offset())
}

#[track_caller]
fn assert_document_is_untouched(document: &str) {
    let body = page_of(&[r#"{"id":"before"}"#, document, r#"{"id":"after"}"#]);
    let page = parse(&body).unwrap();
    let expected = [r#"{"id":"before"}"#, document, r#"{"id":"after"}"#];
    assert!(texts(&page) == expected, "{:.200}", texts(&page)[1]);
    let item = page.items().nth(1).unwrap();
    assert!(!item.is_envelope());
    assert!(item.current() == Some(document.as_bytes()));
    assert!(item.document() == Some(document.as_bytes()));
    assert!(item.previous().is_none() && item.metadata().is_none());

    let enveloped = format!(r#"{{"current":{document}}}"#);
    let page = parse(page_of(&[&enveloped])).unwrap();
    let item = page.items().next().unwrap();
    assert!(item.is_envelope());
    assert!(item.json() == enveloped.as_bytes());
    assert!(item.current() == Some(document.as_bytes()));
}

#[test]
fn values_that_parsers_alter_are_unchanged() {
    for value in [
        "1.10",
        "1e2",
        "1E+2",
        "1e400",
        "-1e-400",
        "-0",
        "-0.0",
        "0",
        "18446744073709551617",
        "123456789012345678901234567890.123456789012345678901234567890",
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\u0000\b\f\n\r\t\"\\\/""#,
        r#""\u00e9\uD83D\uDE00""#,
        "\"\u{2028}\u{2029}\u{7f}\u{feff}\u{10ffff}\"",
        r#""\u2028""#,
        "\"😀\"",
        "\"\"",
        "[]",
        "{}",
        "[[],{},[{}]]",
        "true",
        "false",
        "null",
    ] {
        assert_document_is_untouched(&format!(r#"{{"id":"1","v":{value}}}"#));
        assert_document_is_untouched(&format!(r#"{{"id":"1","v":[{value},{value}]}}"#));
    }
}

#[test]
fn key_order_duplicates_and_odd_names_are_unchanged() {
    for document in [
        r#"{"z":1,"id":"1","a":2}"#,
        r#"{"id":"1","id":"2","a":1,"a":2}"#,
        r#"{"":1,"id":"1"}"#,
        r#"{"id":"1","\u0000":1,"a\u0000b":2}"#,
        r#"{"id":"1","😀":"😀","\ud83d\ude00":1}"#,
        r#"{"id":"1","\ud800":1}"#,
        r#"{"\"":"\\","id":"\\\""}"#,
        r#"{"currenT":1,"metadat":2,"previous ":3,"currents":4}"#,
        r#"{"current":1,"previous":2,"metadata":3,"id":"1"}"#,
        r#"{"current":1,"current":2,"id":"1"}"#,
    ] {
        assert_document_is_untouched(document);
    }
}

#[test]
fn any_depth_is_accepted() {
    for depth in [63, 64, 65, 127, 128, 129, 10_000, 100_000, 1_000_000] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":[1],"b":"#, "}]")] {
            let document = format!(
                r#"{{"id":"1","v":{}1{}}}"#,
                open.repeat(depth),
                close.repeat(depth)
            );
            assert_document_is_untouched(&document);
        }
    }
}

#[test]
fn brackets_must_match_at_any_depth() {
    for depth in [1, 63, 64, 65, 128, 1_000] {
        let objects_in_arrays = r#"[{"a":"#.repeat(depth);
        let closed = "}]".repeat(depth);
        for wrong in 0..closed.len() {
            let mut closed = closed.clone().into_bytes();
            closed[wrong] ^= b']' ^ b'}';
            let closed = String::from_utf8(closed).unwrap();
            let before = format!(r#"{{"Documents":[{objects_in_arrays}1"#);
            let body = format!("{before}{closed}]}}");
            let expected = (PageErrorKind::ExpectedCommaOrEnd, before.len() + wrong);
            assert_eq!(fault(body), expected);
        }
    }
}

#[test]
fn big_documents_and_pages_are_accepted() {
    let text = "0123456789abcde\\n".repeat(2 * 1024 * 1024 / 17);
    assert_document_is_untouched(&format!(r#"{{"id":"1","text":"{text}"}}"#));

    let document = format!(r#"{{"id":"1","text":"{}"}}"#, "x".repeat(1010));
    let items = vec![document.as_str(); 16 * 1024];
    let body = page_of(&items);
    assert!(body.len() > 16 * 1024 * 1024);
    let page = parse(&body).unwrap();
    assert_eq!((page.len(), page.body_len()), (16 * 1024, body.len()));
    assert!(page.items().all(|item| item.json() == document.as_bytes()));
}

#[test]
fn members_of_the_page_come_in_any_order_with_any_whitespace() {
    for body in [
        r#"{"Documents":[1,2]}"#,
        r#"{"_count":2,"Documents":[1,2],"_rid":""}"#,
        r#"{"a":{"Documents":[3]},"Documents":[1,2],"b":[[{}]],"a":null}"#,
        r#"{"\u0044ocument\u0073":[1,2]}"#,
        "\t\r\n {\n\"_rid\" : \"\" ,\r\"Documents\"\t:\n[ 1\n,\r2 ] , \"_count\" : 2 \n} \r\n\t",
    ] {
        assert_eq!(texts(&parse(body).unwrap()), ["1", "2"], "{body}");
    }
}

#[test]
fn a_page_without_items_is_a_page() {
    for body in [
        "",
        r#"{"Documents":[]}"#,
        "{\"Documents\": [ \n ] ,\"_count\":0}",
    ] {
        let page = parse(body).unwrap();
        assert_eq!((page.len(), page.is_empty()), (0, true), "{body}");
        assert_eq!(page.body_len(), body.len());
    }
}

#[test]
fn items_that_are_not_objects_are_bare() {
    let items = ["1", "-1.5e3", "\"a\"", "null", "true", "[1,{}]", "{}", "[]"];
    let page = parse(page_of(&items)).unwrap();
    assert_eq!(texts(&page), items);
    for item in page.items() {
        assert!(!item.is_envelope());
        assert_eq!(item.current(), Some(item.json()));
        assert_eq!(item.document(), Some(item.json()));
    }
}

/// `(current, previous, metadata)` of a single item that must be an envelope.
fn envelope(item: &str) -> [Option<String>; 3] {
    let page = parse(page_of(&[item])).unwrap();
    let item = page.items().next().unwrap();
    assert!(item.is_envelope());
    [item.current(), item.previous(), item.metadata_json()]
        .map(|part| part.map(|json| String::from_utf8(json.to_vec()).unwrap()))
}

#[test]
fn an_envelope_is_recognised_in_any_order_and_spelling() {
    let some = |text: &str| Some(text.to_owned());
    let all = [
        some(r#"{"id":"1"}"#),
        some(r#"{"id":"0"}"#),
        some(r#"{"lsn":5}"#),
    ];
    for item in [
        r#"{"current":{"id":"1"},"previous":{"id":"0"},"metadata":{"lsn":5}}"#,
        r#"{"metadata":{"lsn":5},"previous":{"id":"0"},"current":{"id":"1"}}"#,
        r#"{"\u0063urrent":{"id":"1"},"previ\u006Fus":{"id":"0"},"\u006d\u0065\u0074\u0061\u0064\u0061\u0074\u0061":{"lsn":5}}"#,
        "{ \"current\" : {\"id\":\"1\"}\n,\"previous\"\t:\r{\"id\":\"0\"} , \"metadata\":{\"lsn\":5} }",
    ] {
        assert_eq!(envelope(item), all, "{item}");
    }
    assert_eq!(
        envelope(r#"{"current":{"id":"1"}}"#),
        [some(r#"{"id":"1"}"#), None, None]
    );
    assert_eq!(envelope(r#"{"metadata":null}"#), [None, None, some("null")]);
    assert_eq!(
        envelope(r#"{"previous":[],"current":0}"#),
        [some("0"), some("[]"), None]
    );
}

#[test]
fn reserved_names_alone_make_an_envelope_and_previous_alone_does_not() {
    // The rule's one ambiguity; a document of a container always has an `id`.
    assert!(envelope(r#"{"current":1,"previous":2,"metadata":3}"#)[0].is_some());
    assert_document_is_untouched(r#"{"previous":{"id":"1"}}"#);
    assert_document_is_untouched(r#"{"previous":1,"previous":2}"#);
    assert_document_is_untouched("{}");
}

#[test]
fn a_delete_has_metadata_and_no_document() {
    for (current, text) in [
        (r#""current":{},"#, Some("{}")),
        ("\"current\":{ \n},", Some("{ \n}")),
        (r#""current":null,"#, Some("null")),
        ("", None),
    ] {
        let item = format!(
            r#"{{{current}"metadata":{{"operationType":"delete","lsn":12,"crts":1720322500,"previousImageLSN":11,"timeToLiveExpired":true,"id":"a\"b","partitionKey":["x",1.10]}}}}"#
        );
        let page = parse(page_of(&[&item])).unwrap();
        let item = page.items().next().unwrap();
        assert_eq!(item.current(), text.map(str::as_bytes));
        assert_eq!(item.document(), None);
        assert_eq!(
            item.metadata().unwrap(),
            Metadata {
                lsn: Some(12),
                crts: Some(1_720_322_500),
                operation: Some(br#""delete""#),
                operation_type: Some(OperationType::Delete),
                time_to_live_expired: true,
                previous_image_lsn: Some(11),
                id: Some(br#""a\"b""#),
                partition_key: Some(br#"["x",1.10]"#),
            }
        );
    }
}

fn metadata_of(json: &str, check: impl Fn(Metadata<'_>)) {
    let page = parse(page_of(&[&format!(r#"{{"metadata":{json}}}"#)])).unwrap();
    check(page.items().next().unwrap().metadata().unwrap());
}

#[test]
fn metadata_tolerates_unexpected_members() {
    for json in [
        "null",
        "{}",
        "[1]",
        "\"lsn\"",
        r#"{"lsn":"5","crts":1.5,"operationType":1,"timeToLiveExpired":"true","previousImageLSN":-1,"id":null,"partitionKey":null,"\ud800":1,"new":{"lsn":5}}"#,
    ] {
        metadata_of(json, |metadata| {
            assert_eq!(metadata, Metadata::default(), "{json}");
        });
    }
    let spaced = "{ \"ls\\u006e\" : 1 , \"lsn\":\n2, \"operationType\" : \"purge\",\"new\":[[]] }";
    metadata_of(spaced, |metadata| {
        assert_eq!(metadata.lsn, Some(2));
        assert_eq!(metadata.operation_type, Some(OperationType::Other));
    });
    for (name, expected) in [
        ("create", OperationType::Create),
        ("replace", OperationType::Replace),
    ] {
        metadata_of(&format!(r#"{{"operationType":"{name}"}}"#), |metadata| {
            assert_eq!(metadata.operation_type, Some(expected));
        });
    }
}

#[test]
fn a_line_break_is_seen_in_the_item_that_has_it_and_becomes_a_space_in_a_line() {
    let items = [
        r#"{"id":"a\n"}"#,
        "{\n\"id\":\r\n\"b\"}",
        r#"{"id": "c"}"#,
        "{\"id\":[1\r]}",
        "{\"current\":\n{\"id\":\"e\\n\"}}",
    ];
    let body = format!("{{\"Documents\":\n[\n{}\n]\r\n}}", items.join("\n,\r\n"));
    let page = parse(&body).unwrap();
    let breaks: Vec<bool> = page.items().map(|item| item.has_line_break()).collect();
    assert_eq!(breaks, [false, true, false, true, true]);

    let mut out = b"before\r\n".to_vec();
    for item in page.items() {
        write_line(item.current().unwrap(), item.has_line_break(), &mut out);
    }
    let expected = "before\r\n{\"id\":\"a\\n\"}\n{ \"id\":  \"b\"}\n{\"id\": \"c\"}\n{\"id\":[1 ]}\n{\"id\":\"e\\n\"}\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn a_buffer_of_items_is_reused() {
    let first = parse(page_of(&["1", "2", "3"])).unwrap();
    let buffer = first.into_items_buffer();
    let (memory, capacity) = (buffer.as_ptr(), buffer.capacity());
    let second = Page::parse_with(Bytes::from(page_of(&["4"])), buffer).unwrap();
    assert_eq!(texts(&second), ["4"]);
    let buffer = second.into_items_buffer();
    assert_eq!((buffer.as_ptr(), buffer.capacity()), (memory, capacity));
    let third = Page::parse_with(Bytes::new(), buffer).unwrap();
    assert!(third.is_empty());
}

#[test]
fn members_of_a_document_keep_their_order_and_their_text() {
    let document = b"{ \"b\" : [1, {}] ,\"\\u0061\":1e400,\"a\":\"x\\\"\" }";
    let found: Vec<_> = members(document).collect();
    let member = |raw_name, value| Member { raw_name, value };
    assert_eq!(
        found,
        [
            member(b"b", b"[1, {}]"),
            member(br"\u0061", b"1e400"),
            member(b"a", br#""x\"""#),
        ]
    );
    assert_eq!(
        found.iter().map(|m| m.is_named("a")).collect::<Vec<_>>(),
        [false, true, true]
    );
    for none in ["", "{}", " { } ", "[]", "1", "{1:2}", "{\"a\":}"] {
        assert_eq!(members(none.as_bytes()).count(), 0, "{none}");
    }
}

#[test]
fn a_member_has_a_name_however_it_is_written() {
    for (written, name, expected) in [
        ("id", "id", true),
        ("idx", "id", false),
        ("i", "id", false),
        ("", "", true),
        ("Id", "id", false),
        (r"\u0069d", "id", true),
        (r"i\u0064", "id", true),
        (r"i\u0064x", "id", false),
        (r"i\u0065", "id", false),
        (r"\ud800", "id", false),
        (r"a\nb", "a\nb", true),
        (r"a\nb", r"a\nb", false),
        (r"a\\nb", r"a\nb", true),
        (r"\/pk", "/pk", true),
        ("größe", "größe", true),
        (r"gr\u00f6\u00dfe", "größe", true),
        (r"gr\u00F6ße", "größe", true),
        (r"gr\u00f6", "gro", false),
        (r"\ud83d\ude00", "😀", true),
        (r#"say \"hi\""#, r#"say "hi""#, true),
    ] {
        let document = format!("{{\"{written}\":1}}");
        let found: Vec<bool> = members(document.as_bytes())
            .map(|member| member.is_named(name))
            .collect();
        assert_eq!(found, [expected], "{written} is {name}");
    }
}

#[test]
fn a_page_of_another_shape_is_refused() {
    use PageErrorKind::*;
    for (body, expected) in [
        ("null", (NotAnObject, 0)),
        ("[]", (NotAnObject, 0)),
        (" 1", (NotAnObject, 1)),
        (" ", (Truncated, 1)),
        ("{", (Truncated, 1)),
        ("{}", (NoDocuments, 1)),
        (r#"{"documents":[]}"#, (NoDocuments, 15)),
        (r#"{"Documents":null}"#, (DocumentsNotAnArray, 13)),
        (r#"{"Documents":{}}"#, (DocumentsNotAnArray, 13)),
        (r#"{"Documents":[],"Documents":[]}"#, (DocumentsTwice, 16)),
        (
            r#"{"Documents":[],"\u0044ocuments":[]}"#,
            (DocumentsTwice, 16),
        ),
        (r#"{"Documents":[]} x"#, (TrailingData, 17)),
        (r#"{"Documents":[]}{"Documents":[]}"#, (TrailingData, 16)),
        ("{\"Documents\":[]}\0", (TrailingData, 16)),
        ("\u{feff}{\"Documents\":[]}", (NotAnObject, 0)),
        (
            r#"{"Documents":[{"current":{},"current":{}}]}"#,
            (EnvelopeMemberTwice, 28),
        ),
        (r#"{"Documents":[],}"#, (ExpectedName, 16)),
        (r#"{"Documents":[]"_count":0}"#, (ExpectedCommaOrEnd, 15)),
        (r#"{"Documents":[1,]}"#, (ExpectedValue, 16)),
        (r#"{"Documents":[,1]}"#, (ExpectedValue, 14)),
        (r#"{"Documents":[1 2]}"#, (ExpectedCommaOrEnd, 16)),
        (r#"{"Documents":[1}"#, (ExpectedCommaOrEnd, 15)),
        (r#"{Documents:[]}"#, (ExpectedName, 1)),
        (r#"{"Documents"[]}"#, (ExpectedColon, 12)),
    ] {
        assert_eq!(fault(body), expected, "{body}");
    }
}

#[test]
fn invalid_json_is_refused_at_its_byte() {
    use PageErrorKind::*;
    for (value, kind, offset) in [
        ("01", InvalidNumber, 1),
        ("-", InvalidNumber, 1),
        ("-a", InvalidNumber, 1),
        ("-01", InvalidNumber, 2),
        ("+1", ExpectedValue, 0),
        (".5", ExpectedValue, 0),
        ("1.", InvalidNumber, 2),
        ("1.e5", InvalidNumber, 2),
        ("1e", InvalidNumber, 2),
        ("1e+", InvalidNumber, 3),
        ("0x10", ExpectedCommaOrEnd, 1),
        ("1_000", ExpectedCommaOrEnd, 1),
        ("NaN", ExpectedValue, 0),
        ("Infinity", ExpectedValue, 0),
        ("nul", ExpectedValue, 3),
        ("nulL", ExpectedValue, 3),
        ("truee", ExpectedCommaOrEnd, 4),
        ("False", ExpectedValue, 0),
        ("'a'", ExpectedValue, 0),
        ("\"\t\"", ControlCharacter, 1),
        ("\"ab\n\"", ControlCharacter, 3),
        ("\"\0\"", ControlCharacter, 1),
        ("\"\u{1f}\"", ControlCharacter, 1),
        (r#""\x41""#, InvalidEscape, 2),
        (r#""\U0041""#, InvalidEscape, 2),
        (r#""\u12G4""#, InvalidEscape, 5),
        (r#""\u123""#, InvalidEscape, 6),
        (r#""\u+123""#, InvalidEscape, 3),
        ("{\"a\"}", ExpectedColon, 4),
        ("{\"a\":}", ExpectedValue, 5),
        ("{\"a\":1,}", ExpectedName, 7),
        ("{,}", ExpectedName, 1),
        ("{1:2}", ExpectedName, 1),
        ("[1,]", ExpectedValue, 3),
        ("[,]", ExpectedValue, 1),
        ("[1 2]", ExpectedCommaOrEnd, 3),
        ("/**/1", ExpectedValue, 0),
        ("\u{a0}1", ExpectedValue, 0),
        ("\u{b}1", ExpectedValue, 0),
        ("\u{c}1", ExpectedValue, 0),
        ("\u{feff}1", ExpectedValue, 0),
    ] {
        for before in [r#"{"Documents":[{"id":"#, r#"{"Documents":["#, r#"{"x":"#] {
            let after = if before.contains("id") { "}]}" } else { "]}" };
            let body = format!("{before}{value}{after}");
            assert_eq!(fault(&body), (kind, before.len() + offset), "{body}");
        }
    }
}

#[test]
fn a_body_that_is_not_utf8_is_refused_at_its_byte() {
    for bytes in [
        &b"\xff"[..],
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xe2\x80",
    ] {
        let body = [br#"{"Documents":[{"id":""#, bytes, br#""}]}"#].concat();
        assert_eq!(fault(&body), (PageErrorKind::NotUtf8, 21), "{bytes:?}");
        for (before, after) in [
            (r#"{"_rid":"a"#, r#"","Documents":[]}"#),
            (r#"{"Documents":[{"current":{"id":"1"},""#, r#"":0}]}"#),
            (
                r#"{"Documents":[{"n":["\"é long enough for a wider step to be taken, or two of them, and then"#,
                r#""]}]}"#,
            ),
            // Only the first fault is reported.
            (r#"{"Documents":[{"id":""#, "\n\"}]}"),
            (r#"{"Documents":["é"#, "\"}]"),
        ] {
            let body = [before.as_bytes(), bytes, after.as_bytes()].concat();
            let expected = (PageErrorKind::NotUtf8, before.len());
            assert_eq!(fault(&body), expected, "{before} {bytes:?} {after}");
        }
    }
}

#[test]
fn a_body_cut_anywhere_is_truncated() {
    let body = "{\"_rid\":\"é\",\"Documents\":[{\"current\":{\"id\":\"\\u00e9😀\",\"n\":-1.5e+3,\
                \"t\":[true,false,null]},\"metadata\":{}}, {\"id\":\"\\\"\"}, 0 ] , \"_count\":3 }";
    assert_eq!(parse(body).unwrap().len(), 3);
    for len in 1..body.len() {
        let error = parse(&body.as_bytes()[..len]).unwrap_err();
        assert_eq!(error.kind(), PageErrorKind::Truncated, "{len}: {error}");
        assert_eq!(error.offset(), len);
    }
}

#[test]
fn an_error_has_cause_and_place_in_short_printable_ascii() {
    let error = parse("{\"Documents\":[{\"id\":\"é\u{1b}[31m\u{202e}\"}]}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "not a page of the change feed: unescaped control character in a string at byte 23 of 35, \
         near `ents\\\":[{\\\"id\\\":\\\"\\xc3\\xa9\\x1b[31m\\xe2\\x80\\xae\\\"}]}`"
    );
    let long = format!(
        r#"{{"Documents":["{}{}"#,
        "\u{feff}".repeat(1000),
        "\u{0}".repeat(1000)
    );
    let text = parse(&long).unwrap_err().to_string();
    assert!(text.len() < 300, "{text}");
    assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
}

#[test]
fn the_rows_of_a_query_are_never_envelopes() {
    let body = br#"{"Documents":[{"current":{},"current":1},{"metadata":{}},1,"a\"b",null,[ ],
        {"id":"1"}],"_count":7}"#;
    let page = Page::parse_rows(Bytes::from_static(body)).unwrap();
    let rows: Vec<_> = page.items().map(|item| item.json().to_vec()).collect();
    let expected: [&[u8]; 7] = [
        br#"{"current":{},"current":1}"#,
        br#"{"metadata":{}}"#,
        b"1",
        br#""a\"b""#,
        b"null",
        b"[ ]",
        br#"{"id":"1"}"#,
    ];
    assert_eq!(rows, expected);
    for item in page.items() {
        assert!(!item.is_envelope());
        assert_eq!(item.document(), Some(item.json()));
    }
    page.check_count().unwrap();
    assert!(page.check().is_err());
    let short = Page::parse_rows(Bytes::from_static(br#"{"Documents":[1],"_count":2}"#)).unwrap();
    short.check_count().unwrap_err();
}
