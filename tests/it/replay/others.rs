//! Files that other programs wrote.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use base64::Engine;
use serde_json::json;

use super::*;
use crate::command::{
    CONTAINER, DATABASE, cosmos_tail, export, fail, files, succeed, verify, wait,
};
use crate::gateway::{Gateway, GatewayOptions};

/// What `xz` makes of an array with the documents `x` and `y`.
const XZ: &str = "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4AApAB9dAC2ewEaTWs408l0gtWhLLSrwWGwUc13UBvNwi7VHdAAAAEPocWioyEocAAE7KsWTj8cftvN9AQAAAAAEWVo=";

fn target() -> (Gateway, Container) {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    (gateway, copy)
}

fn texts(copy: &Container) -> Vec<String> {
    let mut texts: Vec<String> = content(copy)
        .into_iter()
        .map(|text| String::from_utf8(text).unwrap())
        .collect();
    texts.sort();
    texts
}

fn values(container: &Container) -> Vec<String> {
    let value = |text: String| serde_json::from_str::<Value>(&text).unwrap().to_string();
    let mut values: Vec<String> = texts(container).into_iter().map(value).collect();
    values.sort();
    values
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn json_is_read_in_every_arrangement_and_compression() {
    let array = r#" [ {"id": "x", "pk": "p", "n": 1.10},
        {"pk":"p","id":"y","big":123456789012345678901234567890} ] "#;
    let pretty = "{\n  \"id\": \"x\",\n  \"pk\": \"p\",\n  \"n\": 1.10\n}\n{\n  \"pk\": \"p\",\n  \"id\": \"y\",\n  \
                  \"big\": 123456789012345678901234567890\n}\n";
    let joined =
        r#"{"id":"x","pk":"p","n":1.10}{"pk":"p","id":"y","big":123456789012345678901234567890}"#;
    let two_arrays = format!("\u{feff}[]\n[{}]\n", joined.replace("}{", "}]\n[{"));
    let lines = joined.replace("}{", "}\r\n{");
    for text in [array, pretty, joined, &two_arrays, &lines] {
        let text = text.as_bytes();
        for bytes in [
            text.to_vec(),
            gzip(text),
            bzip2(text),
            zstd::encode_all(text, 1).unwrap(),
            [bzip2(&text[..9]), bzip2(&text[9..])].concat(),
            zstd::encode_all(&gzip(text)[..], 1).unwrap(),
        ] {
            let (gateway, copy) = target();
            let directory = tempfile::tempdir().unwrap();
            // The name says nothing.
            let source = directory.path().join("data");
            std::fs::write(&source, &bytes).unwrap();
            succeed(&mut replay(&gateway, &source));
            let expected = [
                r#"{"id":"x","pk":"p","n":1.10}"#,
                r#"{"pk":"p","id":"y","big":123456789012345678901234567890}"#,
            ];
            assert_eq!(texts(&copy), expected);
            let mut command = replay(&gateway, Path::new("-"));
            command.stdin(std::fs::File::open(&source).unwrap());
            let told = summary(&succeed(command.args(["--summary", "json"])));
            assert_eq!(told["changes"], 2);
        }
    }
    let (gateway, copy) = target();
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("data");
    let bytes = base64::prelude::BASE64_STANDARD.decode(XZ).unwrap();
    std::fs::write(&source, [&bytes[..], &[0; 4], &bytes].concat()).unwrap();
    let told = summary(&succeed(
        replay(&gateway, &source).args(["--summary", "json"]),
    ));
    assert_eq!((told["changes"].as_u64(), texts(&copy).len()), (Some(4), 2));
}

#[test]
fn a_replay_of_an_array_resumes_within_it() {
    for (begin, between, end) in [("[", ",\n", "]"), ("", "", ""), ("[", ",", "]")] {
        let (gateway, copy) = target();
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("data.json");
        let documents: Vec<String> = (0..600)
            .map(|n| match n {
                400 => r#"{"id":400,"pk":"p"}"#.to_owned(),
                _ => format!(r#"{{"id":"{n}", "pk":"p{}"}}"#, n % 7),
            })
            .collect();
        std::fs::write(&source, format!("{begin}{}{end}", documents.join(between))).unwrap();
        let state = directory.path().join("state.json");
        let run = || {
            let mut command = replay(&gateway, &source);
            command.args(["--summary", "json", "--checkpoint-changes", "50"]);
            command.arg("--state").arg(&state);
            command
        };
        let stopped = fail(&mut run(), 3);
        assert!(
            stopped.stderr.contains("record 401 (line "),
            "{}",
            stopped.stderr
        );
        let before = summary(&stopped)["changes"].as_u64().unwrap();
        assert!((350..=600).contains(&before), "{before}");
        let letters = directory.path().join("dead.jsonl");
        let ended = fail(run().arg("--dead-letter").arg(&letters), 1);
        let after = summary(&ended)["changes"].as_u64().unwrap();
        assert!(after <= 250, "{after}");
        assert_eq!(copy.latest().len(), 599);
        let letters = dead_letters(&letters);
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0]["origin"]["record"], 401);
        assert_eq!(letters[0]["current"], json!({"id": 400, "pk": "p"}));
        // Nothing is left.
        let ended = succeed(&mut run());
        assert_eq!(summary(&ended)["changes"], 0);
    }
}

#[test]
fn what_ends_too_early_or_goes_on_too_long_is_an_error_after_what_was_read() {
    for (text, applied, why) in [
        (
            r#"[{"id":"x","pk":"p"},{"id":"y""#,
            1,
            "ends within the document that begins on line 1",
        ),
        (
            r#"[{"id":"x","pk":"p"}"#,
            1,
            "ends within an array, after 1 complete record",
        ),
        (
            r#"[{"id":"x","pk":"p"},]"#,
            1,
            "line 1, column 22 on: the array ends after a comma",
        ),
        (
            "[{\"id\":\"x\",\"pk\":\"p\"}]\n\n oops",
            1,
            "line 3, column 2 on: `o`",
        ),
    ] {
        for state in [false, true] {
            let (gateway, copy) = target();
            let directory = tempfile::tempdir().unwrap();
            let source = directory.path().join("data");
            std::fs::write(&source, text).unwrap();
            let mut command = replay(&gateway, &source);
            if state {
                command
                    .arg("--state")
                    .arg(directory.path().join("state.json"));
            }
            let code = if state { 3 } else { 1 };
            let ended = fail(&mut command, code);
            assert!(ended.stderr.contains(why), "{}", ended.stderr);
            assert_eq!(copy.latest().len(), applied);
            if state {
                // The same after a resume.
                let ended = fail(&mut command, code);
                assert!(ended.stderr.contains(why), "{}", ended.stderr);
            }
        }
    }
}

#[test]
fn what_is_not_read_is_named_with_the_way_out() {
    let utf_16: Vec<u8> = "{\"id\":\"x\"}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let marked = [&[0xff, 0xfe], &utf_16[..]].concat();
    let mut tar = vec![0; 1024];
    tar[..6].copy_from_slice(b"a.json");
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, what, way) in [
        (marked.clone(), "UTF-16", "iconv -f UTF-16 -t UTF-8"),
        (gzip(&marked), "UTF-16", "iconv -f UTF-16 -t UTF-8"),
        (utf_16, "UTF-16", "iconv -f UTF-16LE -t UTF-8"),
        (
            b"PK\x03\x04\x14\0\0\0".to_vec(),
            "a zip archive",
            "unzip -p",
        ),
        (tar.clone(), "a tar archive", "tar -xOf"),
        (gzip(&tar), "a tar archive", "tar -xOf"),
    ] {
        let (gateway, copy) = target();
        let directory = tempfile::tempdir().unwrap();
        for name in ["data", "data.csv"] {
            let source = directory.path().join(name);
            std::fs::write(&source, &bytes).unwrap();
            let ended = fail(&mut replay(&gateway, &source), 1);
            assert!(
                ended.stderr.contains(what) && ended.stderr.contains(way),
                "{}",
                ended.stderr
            );
            assert!(copy.latest().is_empty());
        }
    }
}

#[test]
fn the_program_that_a_refusal_shows_makes_the_ids() {
    for (document, record, id) in [
        (r#"[{"id":17,"pk":"p"}]"#, "record 1 (line 1)", "17"),
        (r#"{"orderId":"a","pk":"p"}"#, "line 1", "a"),
        (r#"{"_id":{"$oid":"65a1"},"pk":"p"}"#, "line 1", "65a1"),
        (r#"{"Order ID":5,"pk":"it's"}"#, "line 1", "5"),
    ] {
        let (gateway, copy) = target();
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("data.json");
        std::fs::write(&source, format!("{document}\n")).unwrap();
        let ended = fail(&mut replay(&gateway, &source), 1);
        assert!(ended.stderr.contains(record), "{}", ended.stderr);
        let (_, flag) = ended.stderr.split_once("add --transform ").unwrap();
        let (flag, _) = flag.split_once('\n').unwrap();
        // As a shell reads it.
        let program = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {flag}")])
            .output()
            .unwrap();
        let program = String::from_utf8(program.stdout).unwrap();
        succeed(replay(&gateway, &source).args(["--transform", &program]));
        assert_eq!(copy.latest()[0].id, id);
    }
}

#[test]
fn files_of_an_export_that_were_compressed_later_are_found_and_checked() {
    for format in ["jsonl", "csv"] {
        let gateway = Gateway::start(GatewayOptions::default());
        let source = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        for n in 0..40 {
            source.upsert(json!({"id": format!("{n}"), "pk": format!("p{}", n % 5), "n": n}));
        }
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(export(&gateway, &out).args(["--format", format]));
        let all = files(&out, format);
        assert!(all.len() > 1, "{all:?}");
        let packed = |path: &Path| {
            path.with_file_name(format!(
                "{}.gz",
                path.file_name().unwrap().to_str().unwrap()
            ))
        };
        for path in &all {
            std::fs::write(packed(path), gzip(&std::fs::read(path).unwrap())).unwrap();
            std::fs::remove_file(path).unwrap();
        }
        let verified = verify(&out, &[]);
        let text = &verified.stderr;
        assert_eq!(verified.code, Some(0), "{text}");
        assert!(text.contains("was compressed after the export"), "{text}");
        let ended = succeed(&mut replay(&gateway, &out));
        assert!(
            ended.stderr.contains("were compressed after the export"),
            "{}",
            ended.stderr
        );
        assert_eq!(values(&copy), values(&source));
        // Other content is refused, and nothing of it is applied.
        std::fs::write(packed(&all[0]), gzip(b"{\"id\":\"evil\",\"pk\":\"p\"}\n")).unwrap();
        let ended = fail(&mut replay(&gateway, &out), 1);
        assert!(ended.stderr.contains("were committed"), "{}", ended.stderr);
        assert_eq!(verify(&out, &[]).code, Some(1));
        std::fs::remove_file(packed(&all[0])).unwrap();
        let ended = fail(&mut replay(&gateway, &out), 1);
        assert!(ended.stderr.contains("is missing"), "{}", ended.stderr);
    }
}

#[test]
fn a_single_file_that_was_compressed_later_is_still_described_by_its_state() {
    for (name, arguments) in [("out.csv", &[][..]), ("out.jsonl", &["--mode", "all"])] {
        let gateway = Gateway::start(GatewayOptions::default());
        let source = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 1);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join(name);
        let put = |ids: std::ops::Range<usize>| {
            for n in ids {
                source.upsert(json!({"id": format!("{n}"), "pk": "p", "n": n}));
            }
        };
        if arguments.is_empty() {
            put(0..5);
            succeed(&mut export(&gateway, &out));
        } else {
            succeed(export(&gateway, &out).args(arguments));
            put(0..5);
            let state = directory.path().join(format!("{name}.state.json"));
            let mut resume = crate::command::against(&gateway);
            resume
                .env_remove("AZURE_COSMOS_DATABASE")
                .env_remove("AZURE_COSMOS_CONTAINER");
            succeed(resume.arg("resume").arg("--state").arg(state));
        }
        let parts: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_str().unwrap().ends_with(&name[3..]))
            .filter(|path| std::fs::metadata(path).unwrap().len() > 0)
            .collect();
        assert!(!parts.is_empty());
        for part in parts {
            let packed = directory.path().join(format!(
                "{}.gz",
                part.file_name().unwrap().to_str().unwrap()
            ));
            std::fs::write(&packed, gzip(&std::fs::read(&part).unwrap())).unwrap();
            std::fs::remove_file(&part).unwrap();
            succeed(&mut replay(&gateway, &packed));
        }
        assert_eq!(values(&copy), values(&source), "{name}");
    }
}

#[test]
fn csv_of_others_is_text_unless_types_are_given() {
    let (gateway, copy) = target();
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("data.csv");
    std::fs::write(&source, "id;pk;total;note\r\n007;p;1.50;\r\n8;p;2;\"a\nb\"").unwrap();
    succeed(replay(&gateway, &source).args(["--types", "total:double"]));
    let expected = [
        r#"{"id":"007","pk":"p","total":1.50}"#,
        r#"{"id":"8","pk":"p","total":2,"note":"a\nb"}"#,
    ];
    assert_eq!(texts(&copy), expected);
    let mut command = replay(&gateway, Path::new("-"));
    command.stdin(std::fs::File::open(&source).unwrap());
    command.args([
        "--types",
        "total:double",
        "--delimiter",
        ";",
        "--summary",
        "json",
    ]);
    let told = summary(&succeed(&mut command));
    assert_eq!(told["changes"], 2);
}

#[cfg(target_os = "linux")]
#[test]
fn an_array_of_any_length_takes_no_memory() {
    const DOCUMENTS: usize = 100_000;
    let mut child = cosmos_tail()
        .args(["replay", "-", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let writer = std::thread::spawn(move || {
        let padding = "x".repeat(1000);
        let mut separator = "[";
        for n in 0..DOCUMENTS {
            let document = format!("{separator}{{\"id\":\"{n}\",\"text\":\"{padding}\"}}");
            input.write_all(document.as_bytes()).unwrap();
            separator = ",";
        }
        input
    });
    let mut lines = output.lines();
    assert!((0..DOCUMENTS).all(|_| lines.next().unwrap().is_ok()));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: usize = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 80 << 10, "{peak}");
    let mut input = writer.join().unwrap();
    input.write_all(b"]").unwrap();
    drop(input);
    assert!(lines.next().is_none());
    assert_eq!(wait(child).code, Some(0));
}
