use super::*;
use crate::feed::page::Page;
use bytes::Bytes;

fn page(items: &[&str]) -> Page {
    let body = format!(
        "{{\"_rid\":\"\",\"Documents\":[{}],\"_count\":0}}",
        items.join(",")
    );
    Page::parse(Bytes::from(body)).unwrap()
}

/// What one renderer shows of the items, one after another.
fn shown(options: RenderOptions, items: &[&str]) -> String {
    let page = page(items);
    let mut renderer = Renderer::new(options);
    let mut out = Vec::new();
    for item in page.items() {
        let before = out.len();
        let some = renderer.render(item, RangeId(3), &mut out).unwrap();
        assert_eq!(some, out.len() > before);
    }
    String::from_utf8(out).unwrap()
}

fn options(format: ChangeFormat) -> RenderOptions {
    RenderOptions {
        format,
        partition_key_paths: vec!["/customer/tenant".to_owned()],
        ..RenderOptions::default()
    }
}

fn terminal(format: ChangeFormat) -> RenderOptions {
    RenderOptions {
        terminal: Some(Terminal { color: false }),
        ..options(format)
    }
}

const BARE: &str = r#"{"id":"a","customer":{"tenant":"t1"},"n":1.10,"_lsn":7,"_ts":1772600767}"#;
const REPLACED: &str = r#"{"current":{"id":"b","n":18446744073709551617},"previous":{"n":1,"n":2},"metadata":{"operationType":"replace","lsn":9,"crts":1772600768,"previousImageLSN":7,"new":[1.0]}}"#;
const DELETED: &str = r#"{"current":{},"metadata":{"operationType":"delete","lsn":12,"crts":1772600769,"id":"c","partitionKey":{"tenant":"t2"}}}"#;
const EXPIRED: &str = r#"{"metadata":{"operationType":"delete","lsn":13,"crts":1772668800,"timeToLiveExpired":true,"id":"d","partitionKey":{"tenant":"t2"}},"current":null,"previous":{"id":"d","n":5}}"#;

#[test]
fn a_renderer_can_move_between_threads() {
    fn is_send<T: Send>() {}
    fn is_send_and_sync<T: Send + Sync + Clone>() {}
    is_send::<Renderer>();
    is_send_and_sync::<RenderOptions>();
}

#[test]
fn a_pipe_gets_the_services_own_bytes() {
    let odd = "{\"b\":1e400, \"a\":\"\\u00e9\x7f\u{202e}\",\"a\":-0,\r\n\"c\":[]}";
    let expected = "{\"b\":1e400, \"a\":\"\\u00e9\x7f\u{202e}\",\"a\":-0,  \"c\":[]}\n";
    assert_eq!(shown(options(ChangeFormat::Json), &[odd]), expected);
    assert_eq!(
        shown(options(ChangeFormat::Json), &[BARE, REPLACED]),
        format!("{BARE}\n{{\"id\":\"b\",\"n\":18446744073709551617}}\n")
    );
    for odd in ["5", "{}", "[1 ,2]"] {
        assert_eq!(
            shown(options(ChangeFormat::Json), &[odd]),
            format!("{odd}\n")
        );
    }
}

#[test]
fn a_deleted_item_is_shown_in_its_envelope() {
    let enveloped = |items: &[&str]| shown(options(ChangeFormat::Envelope), items);
    // What the service left out is not made up.
    let sparse = r#"{"current":{},"previous":{"customer":{"tenant":null},"id":"e"},"metadata":{"operationType":"delete"}}"#;
    let bare = r#"{"metadata":{}}"#;
    let deletions = [DELETED, EXPIRED, sparse, bare];
    assert_eq!(
        shown(options(ChangeFormat::Json), &deletions),
        enveloped(&deletions)
    );
    // A document that marks itself as deleted is shown as it is, and has an id, which no envelope has.
    let soft =
        r#"{"id":"c","customer":{"tenant":"t2"},"_deleted":true,"_ts":1772600769,"_lsn":12}"#;
    let text = shown(options(ChangeFormat::Json), &[soft, DELETED]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], soft);
    let deletion: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(deletion["metadata"]["operationType"], "delete");
    assert_eq!(deletion.get("id"), None);
    // A change without a document that is not a deletion is shown whole.
    let unknown = r#"{"current":null,"metadata":{"operationType":"archive"}}"#;
    assert_eq!(
        shown(options(ChangeFormat::Json), &[unknown]),
        format!("{unknown}\n")
    );
}

#[test]
fn an_envelope_has_the_services_documents_and_more_metadata() {
    let lines = shown(
        options(ChangeFormat::Envelope),
        &[BARE, REPLACED, DELETED, EXPIRED],
    );
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(
        lines,
        [
            format!(
                r#"{{"current":{BARE},"metadata":{{"lsn":7,"time":"2026-03-04T05:06:07Z"}},"range":3}}"#
            ),
            r#"{"current":{"id":"b","n":18446744073709551617},"previous":{"n":1,"n":2},"metadata":{"operationType":"replace","lsn":9,"crts":1772600768,"previousImageLSN":7,"new":[1.0],"time":"2026-03-04T05:06:08Z"},"range":3}"#.to_owned(),
            r#"{"current":{},"metadata":{"operationType":"delete","lsn":12,"crts":1772600769,"id":"c","partitionKey":{"tenant":"t2"},"time":"2026-03-04T05:06:09Z"},"range":3}"#.to_owned(),
            r#"{"current":null,"previous":{"id":"d","n":5},"metadata":{"operationType":"delete","lsn":13,"crts":1772668800,"timeToLiveExpired":true,"id":"d","partitionKey":{"tenant":"t2"},"time":"2026-03-05T00:00:00Z"},"range":3}"#.to_owned(),
        ]
    );
    for (item, expected) in [
        (
            r#"{"current":{"_ts":"x","_lsn":-1}}"#,
            r#"{"current":{"_ts":"x","_lsn":-1},"metadata":{},"range":3}"#,
        ),
        (
            r#"{"current":5,"metadata":[1]}"#,
            r#"{"current":5,"metadata":[1],"range":3}"#,
        ),
        (
            r#"{"current":{"_ts":0},"metadata":{ "time":1,"lsn":null }}"#,
            r#"{"current":{"_ts":0},"metadata":{ "time":1,"lsn":null },"range":3}"#,
        ),
        (
            r#"{"current":{"_ts":9223372036854775807},"metadata":null}"#,
            r#"{"current":{"_ts":9223372036854775807},"metadata":{},"range":3}"#,
        ),
        (
            "{\"current\":{\n\"_lsn\":1},\"metadata\":{\n}}",
            "{\"current\":{ \"_lsn\":1},\"metadata\":{ \"lsn\":1},\"range\":3}",
        ),
    ] {
        assert_eq!(
            shown(options(ChangeFormat::Envelope), &[item]),
            format!("{expected}\n")
        );
    }
}

#[test]
fn pretty_is_indented_and_keeps_every_token() {
    assert_eq!(
        shown(
            options(ChangeFormat::Pretty),
            &[r#"{"a":1.10,"a":[{}]}"#, "7"]
        ),
        "{\n  \"a\": 1.10,\n  \"a\": [\n    {}\n  ]\n}\n7\n"
    );
    assert_eq!(
        shown(
            options(ChangeFormat::Pretty),
            &[r#"{"current":{},"metadata":{"id":"c"}}"#]
        ),
        "{\n  \"current\": {},\n  \"metadata\": {\n    \"id\": \"c\"\n  },\n  \"range\": 3\n}\n"
    );
}

#[test]
fn a_terminal_gets_aligned_columns_and_the_day_when_it_changes() {
    let created = r#"{"current":{"id":"a-longer-id","customer":{"tenant":5}},"metadata":{"operationType":"create","crts":1772600770}}"#;
    assert_eq!(
        shown(
            terminal(ChangeFormat::Json),
            &[BARE, created, DELETED, EXPIRED, "{}"]
        ),
        r#"2026-03-04 UTC
05:06:07 change  a t1 {"id":"a","customer":{"tenant":"t1"},"n":1.10,"_lsn":7,"_ts":1772600767}
05:06:10 create  a-longer-id 5  {"id":"a-longer-id","customer":{"tenant":5}}
05:06:09 delete  c           t2 {"current":{},"metadata":{"operationType":"delete","lsn":12,"crts":1772600769,"id":"c","partitionKey":{"tenant":"t2"},"time":"2026-03-04T05:06:09Z"},"range":3}
2026-03-05 UTC
00:00:00 expire  d           t2 {"current":null,"previous":{"id":"d","n":5},"metadata":{"operationType":"delete","lsn":13,"crts":1772668800,"timeToLiveExpired":true,"id":"d","partitionKey":{"tenant":"t2"},"time":"2026-03-05T00:00:00Z"},"range":3}
--:--:-- change  -           -  {}
"#
    );
}

#[test]
fn columns_have_a_maximum_width_and_omit_a_key_that_is_the_id() {
    let by_id = RenderOptions {
        partition_key_paths: vec!["/id".to_owned()],
        ..terminal(ChangeFormat::Json)
    };
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(100));
    let text = shown(by_id, &[&long, r#"{"id":"a"}"#]);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].ends_with(&format!(" {} {long}", "x".repeat(100))));
    assert_eq!(
        lines[1],
        format!("--:--:-- change  a{} {{\"id\":\"a\"}}", " ".repeat(35))
    );

    let hierarchical = RenderOptions {
        partition_key_paths: vec!["/a".to_owned(), "/b".to_owned()],
        ..terminal(ChangeFormat::Json)
    };
    let text = shown(hierarchical, &[r#"{"id":"i","b":null,"a":"x"}"#]);
    assert_eq!(
        text,
        "--:--:-- change  i x/null {\"id\":\"i\",\"b\":null,\"a\":\"x\"}\n"
    );
}

#[test]
fn pretty_on_a_terminal_begins_below_the_columns() {
    assert_eq!(
        shown(terminal(ChangeFormat::Pretty), &[DELETED]),
        "2026-03-04 UTC\n05:06:09 delete  c t2\n{\n  \"current\": {},\n  \"metadata\": {\n    \"operationType\": \"delete\",\n    \"lsn\": 12,\n    \"crts\": 1772600769,\n    \"id\": \"c\",\n    \"partitionKey\": {\n      \"tenant\": \"t2\"\n    },\n    \"time\": \"2026-03-04T05:06:09Z\"\n  },\n  \"range\": 3\n}\n"
    );
}

#[test]
fn nothing_of_the_data_can_command_a_terminal() {
    let hostile = "{\"id\":\"\\u001b[2J\u{9b}31m\u{7f}\",\"customer\":{\"tenant\":\"\\u202e\u{2066}\"},\"\u{200f}k\":\"\\u001b]0;x\\u0007\u{202e}\u{2028}\u{85}\u{61c}\"}";
    let text = shown(terminal(ChangeFormat::Json), &[hostile]);
    assert_eq!(
        text,
        "--:--:-- change  \\u{1b}[2J\\u{9b}31m\\u{7f} \\u{202e}\\u{2066} {\"id\":\"\\u001b[2J\\u009b31m\\u007f\",\"customer\":{\"tenant\":\"\\u202e\\u2066\"},\"\\u200fk\":\"\\u001b]0;x\\u0007\\u202e\\u2028\\u0085\\u061c\"}\n"
    );
    for format in [
        ChangeFormat::Json,
        ChangeFormat::Pretty,
        ChangeFormat::Envelope,
    ] {
        let filters = [
            None,
            Some(Filter::compile("--jq", "., .id, [.[]?]").unwrap()),
        ];
        for filter in filters {
            let options = RenderOptions {
                filter,
                ..terminal(format)
            };
            let text = shown(options, &[hostile]);
            assert!(
                !text.contains(|c| c != '\n' && crate::escape::is_unsafe(c)),
                "{text:?}"
            );
        }
    }
}

#[test]
fn colours_are_shown_on_request() {
    let coloured = RenderOptions {
        terminal: Some(Terminal { color: true }),
        ..options(ChangeFormat::Json)
    };
    assert_eq!(
        shown(coloured.clone(), &[r#"{"id":"a","n":null}"#]),
        "\x1b[2m--:--:--\x1b[0m \x1b[33mchange \x1b[0m \x1b[1ma\x1b[0m \x1b[36m-\x1b[0m \
         {\x1b[34;1m\"id\"\x1b[0m:\x1b[32m\"a\"\x1b[0m,\x1b[34;1m\"n\"\x1b[0m:\x1b[90mnull\x1b[0m}\n"
    );
    let filtered = RenderOptions {
        filter: Some(Filter::compile("--jq", ".id").unwrap()),
        ..coloured
    };
    assert_eq!(shown(filtered, &[BARE]), "\x1b[32m\"a\"\x1b[0m\n");
}

#[test]
fn fields_are_taken_from_documents_in_every_format() {
    let with_fields = |options: RenderOptions| RenderOptions {
        fields: Some(Fields::parse("n,customer.tenant").unwrap()),
        ..options
    };
    assert_eq!(
        shown(
            with_fields(options(ChangeFormat::Json)),
            &[BARE, REPLACED, "{\"n\":[1,\n2]}", "5"]
        ),
        "{\"n\":1.10,\"customer\":{\"tenant\":\"t1\"}}\n{\"n\":18446744073709551617}\n{\"n\":[1, 2]}\n5\n"
    );
    // A deletion still shows that it is one.
    assert_eq!(
        shown(with_fields(options(ChangeFormat::Json)), &[DELETED]),
        "{\"current\":{},\"metadata\":{\"operationType\":\"delete\",\"lsn\":12,\"crts\":1772600769,\"id\":\"c\",\"partitionKey\":{\"tenant\":\"t2\"},\"time\":\"2026-03-04T05:06:09Z\"},\"range\":3}\n"
    );
    assert_eq!(
        shown(with_fields(options(ChangeFormat::Pretty)), &[BARE]),
        "{\n  \"n\": 1.10,\n  \"customer\": {\n    \"tenant\": \"t1\"\n  }\n}\n"
    );
    assert_eq!(
        shown(with_fields(options(ChangeFormat::Envelope)), &[REPLACED]),
        "{\"current\":{\"n\":18446744073709551617},\"previous\":{\"n\":2},\"metadata\":{\"operationType\":\"replace\",\"lsn\":9,\"crts\":1772600768,\"previousImageLSN\":7,\"new\":[1.0],\"time\":\"2026-03-04T05:06:08Z\"},\"range\":3}\n"
    );
    assert_eq!(
        shown(with_fields(terminal(ChangeFormat::Json)), &[BARE]),
        "2026-03-04 UTC\n05:06:07 change  a t1 {\"n\":1.10,\"customer\":{\"tenant\":\"t1\"}}\n"
    );
}

#[test]
fn a_filter_gets_the_document_or_the_envelope_and_may_leave_a_change_out() {
    let filtered = |program: &str, options: RenderOptions| RenderOptions {
        filter: Some(Filter::compile("--jq", program).unwrap()),
        ..options
    };
    let json = options(ChangeFormat::Json);
    assert_eq!(
        shown(filtered(".id, .n", json.clone()), &[BARE, DELETED]),
        "\"a\"\n1.10\nnull\nnull\n"
    );
    assert_eq!(shown(filtered("select(.id)", json.clone()), &[DELETED]), "");
    assert_eq!(
        shown(filtered("{id}", options(ChangeFormat::Pretty)), &[BARE]),
        "{\n  \"id\": \"a\"\n}\n"
    );
    let envelope = RenderOptions {
        filter_input: FilterInput::Envelope,
        ..json.clone()
    };
    for options in [envelope, options(ChangeFormat::Envelope)] {
        assert_eq!(
            shown(
                filtered("[.metadata.operationType, .range, .current.n]", options),
                &[REPLACED]
            ),
            "[\"replace\",3,18446744073709551617]\n"
        );
    }
    let fields = RenderOptions {
        fields: Some(Fields::parse("n").unwrap()),
        ..json
    };
    assert_eq!(shown(filtered(".", fields), &[BARE]), "{\"n\":1.10}\n");
}

#[test]
fn an_error_of_a_filter_names_the_change_and_the_next_is_shown() {
    let page = page(&[BARE, "{\"id\":\"\\u001b[2J\",\"n\":\"x\"}", BARE]);
    let mut renderer = Renderer::new(RenderOptions {
        filter: Some(Filter::compile("--jq", ".id, .n + 1").unwrap()),
        ..options(ChangeFormat::Json)
    });
    let mut out = Vec::new();
    let results: Vec<_> = page
        .items()
        .map(|item| renderer.render(item, RangeId(3), &mut out))
        .collect();
    let error = "--jq: cannot calculate \"x\" + 1 (id \\u{1b}[2J, range 3)".to_owned();
    assert_eq!(results, [Ok(true), Err(error), Ok(true)]);
    let lines = String::from_utf8(out).unwrap();
    assert_eq!(lines, "\"a\"\n2.1\n\"\\u001b[2J\"\n\"a\"\n2.1\n");
}
