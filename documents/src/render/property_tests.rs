//! Random JSON in every style: the tokens stay the same, and nothing commands a terminal.

use super::*;
use crate::feed::page::{Page, members};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::value::RawValue;

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -!#-\\[\\]-~]{0,8}",
        any::<char>()
            .prop_filter("must be written as an escape", |c| {
                !matches!(c, '"' | '\\') && *c >= ' '
            })
            .prop_map(String::from),
        // Characters that a terminal must not get.
        prop::sample::select(vec![
            '\u{7f}', '\u{80}', '\u{9b}', '\u{61c}', '\u{200e}', '\u{2028}', '\u{202e}', '\u{2067}'
        ])
        .prop_map(String::from),
        r#"\\["\\/bfnrt]"#,
        "\\\\u[0-9a-fA-F]{4}",
        "\\\\u001[bB]",
    ];
    vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => string(),
        1 => prop::sample::select(vec!["\"id\"", "\"pk\"", "\"_ts\"", "\"_lsn\"", "\"a\""]).prop_map(String::from),
    ]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\t\r\n")]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["true", "false", "null"]).prop_map(String::from),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?",
        string(),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        let element = (space(), inner.clone(), space()).prop_map(|(a, v, b)| format!("{a}{v}{b}"));
        prop_oneof![
            object(inner),
            vec(element, 0..5).prop_map(|elements| format!("[{}]", elements.join(","))),
        ]
    })
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let member = (name(), space(), space(), value, space())
        .prop_map(|(name, a, b, value, c)| format!("{a}{name}{b}:{a}{value}{c}"));
    (space(), vec(member, 0..5)).prop_map(|(a, members)| format!("{{{a}{}}}", members.join(",")))
}

/// The text without the whitespace between tokens, computed in another way than the tested one.
fn compact(json: &str) -> String {
    let (mut compact, mut in_string, mut escaped) = (String::new(), false, false);
    for c in json.chars() {
        if in_string || !c.is_ascii_whitespace() {
            compact.push(c);
        }
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && c == '\\' && !escaped;
    }
    compact
}

fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    for (index, part) in text.split("\x1b[").enumerate() {
        plain.push_str(match index {
            0 => part,
            _ => part.split_once('m').map_or(part, |(_, rest)| rest),
        });
    }
    plain
}

fn render_one(item: &str, options: RenderOptions) -> (String, Page) {
    let page = Page::parse(Bytes::from(format!("{{\"Documents\":[{item}]}}"))).unwrap();
    let mut out = Vec::new();
    let item = page.items().next().unwrap();
    // A filter may fail on its input.
    Renderer::new(options)
        .render(item, RangeId(3), &mut out)
        .ok();
    (String::from_utf8(out).unwrap(), page)
}

fn options(format: ChangeFormat, terminal: Option<Terminal>) -> RenderOptions {
    RenderOptions {
        format,
        terminal,
        partition_key_paths: vec!["/pk".to_owned()],
        ..RenderOptions::default()
    }
}

const FORMATS: [ChangeFormat; 6] = [
    ChangeFormat::Json,
    ChangeFormat::Pretty,
    ChangeFormat::Envelope,
    ChangeFormat::Line,
    ChangeFormat::Diff,
    ChangeFormat::DiffJson,
];

proptest! {
    #[test]
    fn indented_text_has_the_same_tokens(item in value()) {
        let item = item.trim();
        let (pretty, _) = render_one(item, options(ChangeFormat::Pretty, None));
        prop_assert!(serde_json::from_str::<&RawValue>(&pretty).is_ok(), "{}", pretty);
        let is_envelope = item.contains("\"metadata\"") || item.contains("\"current\"");
        prop_assume!(!is_envelope);
        prop_assert_eq!(compact(&pretty), compact(item));
    }

    #[test]
    fn a_pipe_gets_the_bytes_of_the_item(item in object(value())) {
        let (line, page) = render_one(&item, options(ChangeFormat::Json, None));
        let mut expected = Vec::new();
        let found = page.items().next().unwrap();
        write_line(found.json(), found.has_line_break(), &mut expected);
        prop_assert_eq!(line.as_bytes(), expected);
    }

    #[test]
    fn an_envelope_holds_the_documents_byte_for_byte(
        current in object(value()),
        previous in value(),
        metadata in object(value()),
    ) {
        let item = format!("{{\"previous\":{previous},\"metadata\":{metadata},\"current\":{current}}}");
        let (line, page) = render_one(&item, options(ChangeFormat::Envelope, None));
        prop_assert!(serde_json::from_str::<&RawValue>(&line).is_ok(), "{}", line);
        prop_assert_eq!(line.matches('\n').count(), 1);
        let found = page.items().next().unwrap();
        let on_one_line = |json: &[u8]| String::from_utf8_lossy(json).replace(['\r', '\n'], " ");
        let parts: Vec<_> = members(line.trim_end().as_bytes()).collect();
        prop_assert_eq!(parts.len(), 4);
        prop_assert_eq!(on_one_line(parts[0].value), on_one_line(found.current().unwrap()));
        prop_assert_eq!(on_one_line(parts[1].value), on_one_line(found.previous().unwrap()));
        let known: Vec<_> = members(found.metadata_json().unwrap()).map(|m| on_one_line(m.value)).collect();
        let shown: Vec<_> = members(parts[2].value).map(|m| on_one_line(m.value)).collect();
        prop_assert!(shown.starts_with(&known));
        prop_assert_eq!(parts[3].value, b"3");
    }

    #[test]
    fn no_text_commands_a_terminal(item in object(value()), deleted in any::<bool>()) {
        let item = if deleted { format!("{{\"current\":{{}},\"metadata\":{item}}}") } else { item };
        for format in FORMATS {
            let filters = [None, Some(Filter::compile("--jq", "., (.. | strings), error").unwrap())];
            for filter in filters {
                let plain = Some(Terminal { color: false });
                let with_filter = |terminal| RenderOptions { filter: filter.clone(), ..options(format, terminal) };
                let (text, _) = render_one(&item, with_filter(plain));
                prop_assert!(!text.contains(|c| c != '\n' && crate::escape::is_unsafe(c)), "{:?}", text);
                let (coloured, _) = render_one(&item, with_filter(Some(Terminal { color: true })));
                prop_assert_eq!(without_colours(&coloured), text);
            }
        }
    }

    #[test]
    fn a_line_never_exceeds_the_width(
        documents in vec(object(value()), 20),
        ids in vec(string(), 20),
        width in prop_oneof![1usize..60, 60usize..250],
        color in any::<bool>(),
    ) {
        let mut shown = String::new();
        for format in [ChangeFormat::Line, ChangeFormat::Diff] {
            let mut renderer = Renderer::new(RenderOptions {
                width: Some(width),
                ..options(format, Some(Terminal { color }))
            });
            for (index, (document, id)) in documents.iter().zip(&ids).enumerate() {
                let previous = &documents[(index + 1) % documents.len()];
                let metadata = format!("{{\"operationType\":\"replace\",\"id\":{id},\"crts\":{}}}", index * 9000);
                let current = if index % 3 == 0 { "{}" } else { document };
                let item = format!(
                    "{{\"current\":{current},\"previous\":{previous},\"metadata\":{metadata}}}"
                );
                let page = Page::parse(Bytes::from(format!("{{\"Documents\":[{item}]}}"))).unwrap();
                let mut out = Vec::new();
                renderer.render(page.items().next().unwrap(), RangeId(3), &mut out).unwrap();
                let text = String::from_utf8(out).unwrap();
                // The change itself is one line; one with the day may precede it.
                prop_assert!(matches!(text.matches('\n').count(), 1 | 2), "{:?}", text);
                shown.push_str(&text);
            }
        }
        for line in without_colours(&shown).lines() {
            prop_assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{} {:?}", width, line);
            prop_assert!(crate::width::fits(line, width), "{} {:?}", width, line);
        }
    }

    #[test]
    fn what_a_terminal_shows_has_the_values_of_the_document(item in object(value())) {
        let (line, page) = render_one(&item, options(ChangeFormat::Envelope, Some(Terminal { color: false })));
        prop_assert!(serde_json::from_str::<&RawValue>(&line).is_ok(), "{}", line);
        let current = members(line.trim_end().as_bytes()).next().unwrap();
        let found = page.items().next().unwrap();
        // Lone surrogates have no value in serde_json.
        let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).ok();
        prop_assert_eq!(value(current.value), value(found.json()));
    }

    #[test]
    fn a_filter_that_passes_a_document_through_keeps_its_tokens(item in value()) {
        let filter = Filter::compile("--jq", ".").unwrap();
        let mut output = Vec::new();
        filter.run(item.trim().as_bytes(), |json| output.extend_from_slice(json)).unwrap();
        let (once, mut again) = (output.clone(), Vec::new());
        filter.run(&once, |json| again.extend_from_slice(json)).unwrap();
        prop_assert_eq!(&once, &again);
        prop_assert!(serde_json::from_slice::<&RawValue>(&once).is_ok());
        let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).ok();
        if let Some(expected) = value(item.as_bytes()) {
            prop_assert_eq!(value(&once), Some(expected));
        }
        let numbers = |json: &str| -> Vec<String> {
            tokens::tokens(json.as_bytes()).filter_map(|token| match token {
                tokens::Token::Number(text) => Some(String::from_utf8_lossy(text).into_owned()),
                _ => None,
            }).collect()
        };
        // Only one of duplicates remains.
        let left = numbers(&String::from_utf8(once).unwrap());
        let all = numbers(&item);
        prop_assert!(left.iter().all(|number| all.contains(number)));
    }
}
