//! What `tail` shows on a terminal: one line per change, cut to its width; and what `TERM=dumb` leaves out.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use unicode_width::UnicodeWidthStr;

use crate::command::{CONTAINER, DATABASE, against, cosmos_tail, export, succeed};
use crate::gateway::{Container, Gateway, GatewayOptions};
use crate::orders::filled;
use crate::terminal::on_a_terminal_of;

const DUMB: (&str, &str) = ("TERM", "dumb");

/// A container with documents that are hard to show.
fn odd_documents() -> (Gateway, Container) {
    let gateway = Gateway::start(GatewayOptions {
        previous_images: true,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    for (id, key, text) in [
        ("order-1", "c-1", "short"),
        (
            "0198f3a2-7c11-7d3e-9b52-4f1f2a9c1d00",
            "c-2",
            "a UUID as its id",
        ),
        (
            "日本語の注文",
            "東京",
            "全角文字は二桁を占める。全角文字は二桁を占める。全角文字は二桁を占める。",
        ),
        (
            "e\u{301}e\u{301}e\u{301}",
            "👩\u{200d}🚀👩\u{200d}🚀",
            "🇨🇭🇯🇵👩\u{200d}🚀e\u{301}☺\u{fe0f}👍🏽",
        ),
        (
            "hostile \u{1b}[2J\u{9b}31m",
            "\u{202e}\u{2066}",
            "\u{1b}]0;title\u{7}\nline\u{2028}",
        ),
        (
            &"long-".repeat(40),
            &"key-".repeat(40),
            "beside a long id and key",
        ),
    ] {
        container
            .upsert(json!({"id": id, "pk": key, "text": text.repeat(3), "more": [1, {"a": null}]}));
        gateway.advance_time(60);
    }
    (gateway, container)
}

/// What all of a container is shown as, in a terminal of this width.
#[track_caller]
fn shown(
    gateway: &Gateway,
    columns: Option<u16>,
    term: (&str, &str),
    arguments: &[&str],
) -> String {
    let mut command = against(gateway);
    command
        .args(["tail", "-q", "--from", "beginning", "--until-caught-up"])
        .args(arguments)
        .env(term.0, term.1);
    let (said, code) = on_a_terminal_of(columns, &mut command);
    assert_eq!(code, Some(0), "{said}");
    said
}

#[test]
fn a_tail_shows_one_line_per_change_within_the_width_of_the_terminal() {
    let (gateway, _container) = odd_documents();
    for columns in [1, 2, 17, 20, 33, 40, 80, 81, 120, 200, 1000] {
        let said = shown(&gateway, Some(columns), DUMB, &[]);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 7, "a day and six changes: {said}");
        for line in &lines {
            assert!(line.width() <= columns.into(), "{columns}: {line:?}");
            let is_unsafe = |c: char| c.is_control() || ('\u{2028}'..='\u{2069}').contains(&c);
            assert!(!line.contains(is_unsafe), "{line:?}");
        }
        if columns >= 80 {
            let documents = lines.iter().filter(|line| line.contains(" {\"id\":"));
            assert_eq!(documents.count(), 6, "{said}");
            assert!(!said.contains("_etag"), "{said}");
        }
    }
}

#[test]
fn a_tail_at_80_columns() {
    let (gateway, _container) = odd_documents();
    assert_eq!(shown(&gateway, Some(80), DUMB, &[]), EIGHTY_COLUMNS);
    // As wide as it is, and as on a terminal that does not say how wide it is.
    let wide = shown(&gateway, Some(80), DUMB, &["--wide"]);
    assert_eq!(wide, shown(&gateway, None, DUMB, &[]));
    assert!(!wide.contains('…'), "{wide}");
    assert_eq!(wide.lines().count(), 7);
    // A width that was asked for is that of a pipe too.
    let narrow = shown(&gateway, Some(80), DUMB, &["--width", "40"]);
    assert!(narrow.lines().all(|line| line.width() <= 40), "{narrow}");
}

#[test]
fn json_and_pretty_are_whole_on_a_terminal() {
    let (gateway, _container) = odd_documents();
    let said = shown(&gateway, Some(20), DUMB, &["--format", "json"]);
    for line in said.lines() {
        let document: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(document["_etag"].is_string(), "{line}");
    }
    let said = shown(
        &gateway,
        Some(20),
        DUMB,
        &["--format", "pretty", "--max", "1"],
    );
    assert!(
        said.contains("change  order-1 c-1\n{\n  \"id\": \"order-1\""),
        "{said}"
    );
    assert!(said.contains("  \"_etag\": "), "{said}");
}

#[test]
fn a_pipe_gets_json_unless_lines_are_asked_for() {
    let (gateway, container) = odd_documents();
    let mut command = against(&gateway);
    command.args([
        "tail",
        "-q",
        "--from",
        "beginning",
        "--until-caught-up",
        "--wide",
    ]);
    let served: Vec<Vec<u8>> = container
        .latest()
        .iter()
        .map(|served| served.text.to_vec())
        .collect();
    let ended = succeed(&mut command);
    assert_eq!(crate::command::split_lines(ended.stdout.as_bytes()), served);
    let mut command = against(&gateway);
    command.args([
        "tail",
        "-q",
        "--from",
        "beginning",
        "--until-caught-up",
        "--format",
        "line",
    ]);
    let ended = succeed(&mut command);
    assert_eq!(ended.stdout.lines().count(), 6, "{}", ended.stdout);
    assert!(!ended.stdout.contains('…'), "{}", ended.stdout);
    let first = "2023-11-14T22:13:20Z change  order-1 c-1 {";
    assert!(ended.stdout.starts_with(first), "{}", ended.stdout);
}

/// Reads a terminal until what it shows fulfils a condition.
fn read_until(master: &mut std::fs::File, said: &mut String, is_enough: impl Fn(&str) -> bool) {
    let mut block = [0; 4096];
    while !is_enough(said) {
        let read = master.read(&mut block).unwrap();
        assert!(read > 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&block[..read]));
    }
}

#[test]
fn a_tail_follows_the_size_of_the_terminal() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    let size = |columns| nix::pty::Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = nix::pty::openpty(&size(60), None).unwrap();
    let mut command = against(&gateway);
    command
        .args(["tail", "--poll-interval", "20ms", "--max", "2"])
        .env(DUMB.0, DUMB.1)
        .stdout(Stdio::from(pty.slave.try_clone().unwrap()))
        .stderr(Stdio::from(pty.slave));
    let mut child = command.spawn().unwrap();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut master = std::fs::File::from(pty.master);
    let mut said = String::new();
    read_until(&mut master, &mut said, |said| said.contains("tailing"));
    let write = |id: &str| container.upsert(json!({"id": id, "pk": "a", "text": "x".repeat(200)}));
    write("one");
    read_until(&mut master, &mut said, |said| {
        said.contains("one a") && said.contains("…\r\n")
    });
    let resized = rustix::termios::Winsize {
        ws_row: 24,
        ws_col: 45,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&master, resized).unwrap();
    write("two");
    read_until(&mut master, &mut said, |said| said.contains("changes from"));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let widths: Vec<usize> = said
        .lines()
        .filter(|line| line.contains(" change "))
        .map(|line| line.trim_end().width())
        .collect();
    assert_eq!(widths, [60, 45], "{said}");
}

#[test]
fn a_dumb_terminal_gets_no_colour_and_no_progress_bar() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let slow = || {
        use crate::gateway::{Action, Fault, RequestKind};
        let wait = Action::Delay(Duration::from_millis(700));
        gateway.push_fault(Fault::on(RequestKind::ChangeFeed, wait).nth(1));
    };
    let mut tail = against(&gateway);
    tail.args(["tail", "--from", "beginning", "--until-caught-up"]);
    let mut help = cosmos_tail();
    help.args(["tail", "--help"]);
    let mut wrong = cosmos_tail();
    wrong.args(["tail", "--formt", "line"]);
    let mut ranges = against(&gateway);
    ranges.arg("ranges");
    let mut exported = export(&gateway, &out);
    exported.arg("--force");
    for (name, command, is_coloured) in [
        ("tail", &mut tail, true),
        ("help", &mut help, false),
        ("a wrong flag", &mut wrong, false),
        ("ranges", &mut ranges, false),
        ("export", &mut exported, true),
    ] {
        for (term, has_commands) in [("xterm", is_coloured), ("dumb", false)] {
            if name == "export" {
                slow();
            }
            let (said, code) = on_a_terminal_of(Some(80), command.env("TERM", term));
            assert!(matches!(code, Some(0 | 2)), "{name}: {said}");
            let found = said.contains('\x1b');
            assert!(found || !has_commands, "{name} {term}: {said:?}");
            assert!(!found || term == "xterm", "{name} {term}: {said:?}");
        }
    }
    // Colours that were asked for are shown.
    let said = shown(&gateway, Some(80), DUMB, &["--color", "always"]);
    assert!(said.contains("\x1b["), "{said:?}");
    let (said, _) = on_a_terminal_of(Some(80), tail.env("TERM", "xterm").env("NO_COLOR", "1"));
    assert!(!said.contains('\x1b'), "{said:?}");
}

#[test]
fn ranges_fit_the_terminal() {
    let (gateway, _) = filled(12, 10);
    for columns in [80, 120] {
        let mut command = against(&gateway);
        let (said, code) =
            on_a_terminal_of(Some(columns), command.arg("ranges").env(DUMB.0, DUMB.1));
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.lines().count(), 13, "{said}");
        assert!(
            said.lines().all(|line| line.width() <= columns.into()),
            "{said}"
        );
        assert_eq!(said.contains('…'), columns == 80, "{said}");
    }
    let mut command = against(&gateway);
    let piped = succeed(command.arg("ranges")).stdout;
    assert!(piped.lines().all(|line| line.width() <= 80), "{piped}");
    let wide = succeed(against(&gateway).args(["ranges", "--wide"])).stdout;
    assert!(
        wide.lines()
            .skip(1)
            .all(|line| line.ends_with("==") || line.len() > 120),
        "{wide}"
    );
    assert!(!wide.contains('…'), "{wide}");
}

const EIGHTY_COLUMNS: &str = "2023-11-14 UTC\n\
     22:13:20 change  order-1 c-1 {\"id\":\"order-1\",\"more\":[1,{\"a\":null}],\"pk\":\"c-1\",\"…\n\
     22:14:20 change  0198f3a2-7c11-7d…b52-4f1f2a9c1d00 c-2 {\"id\":\"0198f3a2-7c11-7d3…\n\
     22:15:20 change  日本語の注文                     東京 {\"id\":\"日本語の注文\",\"mo…\n\
     22:16:20 change  e\u{301}e\u{301}e\u{301}                          👩\u{200d}🚀👩\u{200d}🚀 {\"id\":\"e\u{301}e\u{301}e\u{301}\",\"more\":[1,{\"…\n\
     22:17:20 change  hostile …[2J\\u{9b}31m    …\\u{2066}    {\"id\":\"hostile \\u001b[2J…\n\
     22:18:20 change  long-long-lo…-long-long- key-ke…-key- {\"id\":\"long-long-long-lo…\n";
