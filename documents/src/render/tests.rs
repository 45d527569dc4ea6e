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
            terminal(ChangeFormat::Line),
            &[BARE, created, DELETED, EXPIRED, "{}"]
        ),
        r#"2026-03-04 UTC
05:06:07 change  a t1 {"id":"a","customer":{"tenant":"t1"},"n":1.10}
05:06:10 create  a-longer-id 5  {"id":"a-longer-id","customer":{"tenant":5}}
05:06:09 delete  c           t2
2026-03-05 UTC
00:00:00 expire  d           t2 was {"id":"d","n":5}
--:--:-- change  -           -  {}
"#
    );
    // As JSON it is JSON on a terminal too.
    assert_eq!(
        shown(terminal(ChangeFormat::Json), &[BARE, DELETED]),
        shown(options(ChangeFormat::Json), &[BARE, DELETED])
    );
}

#[test]
fn columns_have_a_maximum_width_and_omit_a_key_that_is_the_id() {
    let by_id = RenderOptions {
        partition_key_paths: vec!["/id".to_owned()],
        ..terminal(ChangeFormat::Line)
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
        ..terminal(ChangeFormat::Line)
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
    let text = shown(terminal(ChangeFormat::Line), &[hostile]);
    assert_eq!(
        text,
        "--:--:-- change  \\u{1b}[2J\\u{9b}31m\\u{7f} \\u{202e}\\u{2066} {\"id\":\"\\u001b[2J\\u009b31m\\u007f\",\"customer\":{\"tenant\":\"\\u202e\\u2066\"},\"\\u200fk\":\"\\u001b]0;x\\u0007\\u202e\\u2028\\u0085\\u061c\"}\n"
    );
    for format in [
        ChangeFormat::Json,
        ChangeFormat::Pretty,
        ChangeFormat::Envelope,
        ChangeFormat::Line,
        ChangeFormat::Diff,
        ChangeFormat::DiffJson,
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
        ..options(ChangeFormat::Line)
    };
    assert_eq!(
        shown(coloured.clone(), &[r#"{"id":"a","n":null}"#]),
        "\x1b[2m--:--:--\x1b[0m \x1b[33mchange\x1b[0m  \x1b[1ma\x1b[0m \x1b[36m-\x1b[0m \
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
        shown(with_fields(terminal(ChangeFormat::Line)), &[BARE]),
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

fn cut(width: usize, format: ChangeFormat) -> RenderOptions {
    RenderOptions {
        width: Some(width),
        ..terminal(format)
    }
}

#[test]
fn a_line_is_cut_to_the_width_and_the_document_has_its_share() {
    let long = r#"{"current":{"id":"0198f3a2-7c11-7d3e-9b52-4f1f2a9c1d00","customer":{"tenant":"a-tenant-with-a-long-name"},"note":"日本語日本語日本語日本語"},"metadata":{"operationType":"create","crts":1772600770}}"#;
    let text = shown(cut(80, ChangeFormat::Line), &[long, DELETED]);
    assert_eq!(
        text,
        "2026-03-04 UTC\n\
         05:06:10 create  0198f3a2-7c1…f1f2a9c1d00 a-tena…-name {\"id\":\"0198f3a2-7c11-7d3…\n\
         05:06:09 delete  c                        t2\n"
    );
    let text = shown(cut(12, ChangeFormat::Line), &[long]);
    assert_eq!(text, "2026-03-04 …\n05:06:10 cr…\n");
}

#[test]
fn a_resized_terminal_is_followed() {
    let page = page(&[BARE]);
    let mut renderer = Renderer::new(cut(30, ChangeFormat::Line));
    let mut out = Vec::new();
    let item = page.items().next().unwrap();
    for width in [Some(30), Some(40), None] {
        renderer.set_width(width);
        renderer.render(item, RangeId(3), &mut out).unwrap();
    }
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "2026-03-04 UTC\n\
         05:06:07 change  a t1 {\"id\":\"…\n\
         05:06:07 change  a t1 {\"id\":\"a\",\"custom…\n\
         05:06:07 change  a t1 {\"id\":\"a\",\"customer\":{\"tenant\":\"t1\"},\"n\":1.10}\n"
    );
}

#[test]
fn a_line_in_a_pipe_has_the_whole_time_and_is_whole() {
    assert_eq!(
        shown(options(ChangeFormat::Line), &[BARE, "{}"]),
        "2026-03-04T05:06:07Z change  a t1 {\"id\":\"a\",\"customer\":{\"tenant\":\"t1\"},\"n\":1.10}\n\
         -------------------- change  - -  {}\n"
    );
}

#[test]
fn the_latest_versions_do_not_show_what_was_done() {
    let latest = RenderOptions {
        latest_only: true,
        ..terminal(ChangeFormat::Line)
    };
    let created = r#"{"current":{"id":"a"},"metadata":{"operationType":"create"}}"#;
    assert_eq!(
        shown(latest, &[created]),
        "--:--:-- change  a - {\"id\":\"a\"}\n"
    );
}

/// An order, before and after some changes.
const ORDER: &str = r#"{"current":{"id":"o","customer":{"tenant":"t1","first name":"Ada"},"status":"void","items":[{"sku":"n","qty":1},{"sku":"a","qty":2}],"_ts":8,"_etag":"y"},"previous":{"id":"o","customer":{"tenant":"t1"},"status":"paid","items":[{"sku":"a","qty":1}],"coupon":"A5","_ts":7,"_etag":"x"},"metadata":{"operationType":"replace","lsn":9,"crts":1772600768}}"#;
const TOUCHED: &str = r#"{"current":{"id":"o","n":1.0,"_ts":8},"previous":{"n":1,"id":"o","_ts":7},"metadata":{"operationType":"replace","crts":1772600768}}"#;
const CREATED: &str =
    r#"{"current":{"id":"p","_ts":8},"metadata":{"operationType":"create","crts":1772600768}}"#;
const UNKEPT: &str = r#"{"current":{"id":"o","_ts":8},"previous":null,"metadata":{"operationType":"replace","crts":1772600768}}"#;

#[test]
fn a_diff_shows_the_fields_that_differ() {
    let text = shown(
        terminal(ChangeFormat::Diff),
        &[ORDER, TOUCHED, CREATED, UNKEPT, DELETED, EXPIRED],
    );
    assert_eq!(
        text,
        r#"2026-03-04 UTC
05:06:08 replace o t1 +.customer."first name" "Ada", .status "paid" → "void", +.items[0] {"sku":"n","qty":1}, .items[1].qty 1 → 2, -.coupon "A5"
05:06:08 replace o -  nothing differs
05:06:08 create  p -  {"id":"p"}
05:06:08 replace o -  no previous image: {"id":"o"}
05:06:09 delete  c t2 no previous image
2026-03-05 UTC
00:00:00 expire  d t2 was {"id":"d","n":5}
"#
    );
    // Only the chosen fields are compared.
    let fields = RenderOptions {
        fields: Some(Fields::parse("status,_ts").unwrap()),
        ..options(ChangeFormat::Diff)
    };
    assert_eq!(
        shown(fields, &[ORDER]),
        "2026-03-04T05:06:08Z replace o t1 .status \"paid\" → \"void\", ._ts 7 → 8\n"
    );
}

#[test]
fn a_long_value_leaves_space_for_the_next_difference() {
    let changed = format!(
        r#"{{"current":{{"id":"o","a":"{}x","b":2}},"previous":{{"id":"o","a":"{0}y","b":1}},"metadata":{{"operationType":"replace"}}}}"#,
        "long ".repeat(100)
    );
    assert_eq!(
        shown(cut(80, ChangeFormat::Diff), &[&changed]),
        "--:--:-- replace o - .a \"long l…ong y\" → \"long l…ong x\", .b 1 → 2\n"
    );
}

#[test]
fn a_diff_as_json_has_paths_and_values() {
    let text = shown(
        options(ChangeFormat::DiffJson),
        &[ORDER, TOUCHED, CREATED, UNKEPT, DELETED, EXPIRED],
    );
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"time":"2026-03-04T05:06:08Z","operation":"replace","item":{"id":"o","customer":{"tenant":"t1"}},"lsn":9,"range":3,"changes":[{"path":".customer.\"first name\"","to":"Ada"},{"path":".status","from":"paid","to":"void"},{"path":".items[0]","to":{"sku":"n","qty":1}},{"path":".items[1].qty","from":1,"to":2},{"path":".coupon","from":"A5"}]}"#,
            r#"{"time":"2026-03-04T05:06:08Z","operation":"replace","item":{"id":"o"},"range":3,"changes":[]}"#,
            r#"{"time":"2026-03-04T05:06:08Z","operation":"create","item":{"id":"p"},"range":3,"changes":[{"path":".","to":{"id":"p"}}]}"#,
            r#"{"time":"2026-03-04T05:06:08Z","operation":"replace","item":{"id":"o"},"range":3,"changes":null,"document":{"id":"o"}}"#,
            r#"{"time":"2026-03-04T05:06:09Z","operation":"delete","item":{"id":"c","customer":{"tenant":"t2"}},"lsn":12,"range":3,"changes":null}"#,
            r#"{"time":"2026-03-05T00:00:00Z","operation":"expire","item":{"id":"d","customer":{"tenant":"t2"}},"lsn":13,"range":3,"changes":[{"path":".","from":{"id":"d","n":5}}]}"#,
        ]
    );
    let unknown = r#"{"current":null,"metadata":{"operationType":"archive","id":"x"}}"#;
    assert_eq!(
        shown(options(ChangeFormat::DiffJson), &[unknown]),
        "{\"operation\":\"archive\",\"item\":{\"id\":\"x\"},\"range\":3,\"changes\":null}\n"
    );
}
