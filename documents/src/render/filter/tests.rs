use super::*;
use crate::error::{ExitCode, exit_code, render};

/// All outputs, and the error that ended them.
fn run(program: &str, json: &str) -> (Vec<String>, Option<String>) {
    let filter = Filter::compile("--jq", program).unwrap();
    let mut outputs = Vec::new();
    let ended = filter.run(json.as_bytes(), |output| {
        outputs.push(String::from_utf8(output.to_vec()).unwrap());
    });
    if let Ok(count) = ended {
        assert_eq!(count, outputs.len());
    }
    (outputs, ended.err())
}

fn outputs(program: &str, json: &str) -> Vec<String> {
    let (outputs, error) = run(program, json);
    assert_eq!(error, None, "{program}");
    outputs
}

fn error_of(program: &str, json: &str) -> String {
    run(program, json).1.expect("an error")
}

#[test]
fn a_program_has_any_number_of_outputs() {
    let json = r#"{"id":"7","items":[{"n":1},{"n":2}],"s":"a\"b"}"#;
    for (program, expected) in [
        (".id", &[r#""7""#][..]),
        ("empty", &[]),
        ("select(.id == \"8\")", &[]),
        (".items[].n", &["1", "2"]),
        (
            "{id, total: (.items | map(.n) | add)}",
            &[r#"{"id":"7","total":3}"#],
        ),
        (".s", &[r#""a\"b""#]),
        (".missing", &["null"]),
        (".s | test(\"^a\")", &["true"]),
        ("[.items[].n | tostring] | join(\"-\")", &[r#""1-2""#]),
        ("1772600767 | todate", &[r#""2026-03-04T05:06:07Z""#]),
        ("[limit(3; repeat(.id))]", &[r#"["7","7","7"]"#]),
        ("try error(\"x\") catch .", &[r#""x""#]),
        ("\"NQ==\" | @base64d | tonumber", &["5"]),
        (
            "[1.10, null, \"a\\\"b,c\", true] | @csv",
            &[r#""1.10,,\"a\"\"b,c\",true""#],
        ),
        (
            "[1, null, \"a\\tb\\\\c\\n\"] | @tsv",
            &[r#""1\t\ta\\tb\\\\c\\n""#],
        ),
        (".id | IN(\"7\", \"8\")", &["true"]),
        (".items | INDEX(.n) | keys", &[r#"["1","2"]"#]),
        (
            "(.id | toarray), (.s | trimstr(\"a\"))",
            &[r#"["7"]"#, r#""\"b""#],
        ),
    ] {
        assert_eq!(outputs(program, json), expected, "{program}");
    }
}

#[test]
fn values_that_a_program_passes_through_keep_their_text() {
    let json = r#"{"z":18446744073709551617,"a":[1.10,1e400,-0,-0.0,1E5,123456789012345678901234567890.123],"é😀":null,"":{},"t":true}"#;
    assert_eq!(outputs(".", json), [json]);
    let integer = format!("{}7", "9".repeat(5_000));
    assert_eq!(outputs(".", &integer), [integer]);
    assert_eq!(outputs(".z + 1", json), ["18446744073709551618"]);
    // Lone surrogates survive, pairs and other escapes become their characters.
    assert_eq!(
        outputs(".", r#"{"\ud800":"\udc00x\ud83d\ude00\u0007\u00e9"}"#),
        [r#"{"\ud800":"\udc00x😀\u0007é"}"#]
    );
    assert_eq!(outputs(".", r#"{"a":1,"b":2,"a":3}"#), [r#"{"a":3,"b":2}"#]);
}

#[test]
fn every_output_is_json() {
    for (program, expected) in [
        ("nan", "null"),
        ("infinite", "1.7976931348623157e308"),
        ("-infinite", "-1.7976931348623157e308"),
        ("1 / 3", "0.3333333333333333"),
        ("007.5", "7.5"),
        ("\"a\\u001b\\n\"", r#""a\u001b\n""#),
        ("[255, -255, 65] | implode", "\"ÿ\u{fffd}A\""),
    ] {
        let found = outputs(program, "null");
        assert_eq!(found, [expected], "{program}");
        assert!(serde_json::from_str::<&serde_json::value::RawValue>(&found[0]).is_ok());
    }
    assert!(error_of("\"a\" | tobytes", "null").contains("bytes"));
    assert!(error_of("{(1): 2}", "null").contains("not a string"));
    for no_number in ["+5", "007.5", "1.", "NaN", "0x10", "b\\\"x\\\""] {
        assert!(error_of(&format!("\"{no_number}\" | tonumber"), "null").contains("not JSON"));
    }
}

#[test]
fn an_error_follows_earlier_outputs_and_is_short() {
    let (found, error) = run(".a[] | 10 - .", r#"{"a":[5,"x",2]}"#);
    assert_eq!(found, ["5"]);
    assert_eq!(error.unwrap(), "cannot calculate 10 - \"x\"");

    let json = format!(r#"{{"a":"\u001b[2J{}"}}"#, "é".repeat(1_000_000));
    let error = error_of(".a.b", &json);
    assert!(error.starts_with("cannot index \"\\u001b[2Jé"), "{error}");
    assert!(error.len() < 400 && error.ends_with('…'), "{error}");
    assert_eq!(
        error_of("error(\"\\u001b[2J\\u202e\")", "1"),
        "\"\\u001b[2J\\u{202e}\""
    );
    assert!(error_of("error", "{\"a\":1}").contains("{\"a\":1}"));
}

#[test]
fn a_loop_with_outputs_ends() {
    let filter = Filter::compile("--jq", "range(infinite)").unwrap();
    let mut count = 0;
    let error = filter.run(b"null", |_| count += 1).unwrap_err();
    assert_eq!(error, "there are more than 1000000 outputs");
    assert_eq!(count, MAX_OUTPUTS);

    let filter = Filter::compile("--jq", "repeat(\"x\" * 16000000)").unwrap();
    let mut bytes = 0;
    let error = filter.run(b"null", |output| bytes += output.len());
    assert_eq!(error.unwrap_err(), "the outputs exceed 256 MiB");
    assert!(bytes <= MAX_OUTPUT_BYTES);
}

#[test]
fn depth_is_limited_everywhere() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let text = |depth| serde_json::to_string(&nested(depth)).unwrap();
    let deepest = nested(MAX_DEPTH);
    assert_eq!(outputs(".", &deepest), std::slice::from_ref(&deepest));
    // Recursion in the interpreter stays within the stack of a test thread.
    for program in [
        "[..] | length",
        "walk(.)",
        "tojson | length",
        "[paths] | length",
        "flatten | length",
        ". == . | not",
        "[., .] | unique | length",
    ] {
        assert_eq!(outputs(program, &deepest).len(), 1, "{program}");
    }
    for depth in [MAX_DEPTH + 1, 100_000, 1_000_000] {
        assert!(error_of(".", &nested(depth)).contains("512 levels"));
        assert!(error_of("fromjson", &text(depth)).contains("512 levels"));
    }
    assert_eq!(
        outputs("fromjson", &text(MAX_DEPTH)),
        std::slice::from_ref(&deepest)
    );
    assert!(error_of("[.]", &deepest).contains("512 levels"));
}

#[test]
fn functions_that_reach_beyond_the_change_are_refused() {
    for program in [
        "env.PATH",
        "$ENV.PATH",
        "input",
        "[inputs]",
        "debug",
        ".a | stderr",
        "halt",
        "\"bye\" | halt_error",
        "input_line_number",
        "def f: env; f",
    ] {
        let error = render(&Filter::compile("--jq", program).unwrap_err());
        assert!(error.contains("is not available"), "{program}: {error}");
    }
    for program in [
        "import \"a\" as a; .",
        "import \"a\" as $a; $a",
        "include \"/etc/passwd\"; .",
    ] {
        let error = render(&Filter::compile("--jq", program).unwrap_err());
        assert!(error.contains("cannot be imported"), "{error}");
    }
    for program in [
        "$__prog_args",
        "get_search_list",
        "halt(1)",
        "debug_empty",
        "stderr_empty",
    ] {
        assert!(Filter::compile("--jq", program).is_err(), "{program}");
    }
}

#[test]
fn a_wrong_program_is_a_usage_error_with_its_place() {
    for (program, expected) in [
        (
            ".a | | .b",
            "--jq: expected term, found `|` at column 6\n    .a | | .b\n         ^\n",
        ),
        (
            "{a",
            "--jq: expected closing brace at column 3\n    {a\n      ^\n",
        ),
        (
            "",
            "--jq: expected term, found the end at column 1\n    \n    ^\n",
        ),
        (
            ".a |",
            "--jq: expected term, found the end at column 5\n    .a |\n        ^\n",
        ),
        (
            ".é | nope(1)",
            "--jq: unexpected character at column 2\n    .é | nope(1)\n     ^\n",
        ),
        (
            "\"é\" | nope(1)",
            "--jq: there is no filter with 1 argument `nope` at column 7\n    \"é\" | nope(1)\n          ^\n",
        ),
        (
            ".a,\n  $x",
            "--jq: there is no variable `$x` at line 2, column 3\n      $x\n      ^\n",
        ),
        (
            ".a | \u{1b}[2J",
            "--jq: unexpected character at column 6\n    .a | \\u{1b}[2J\n         ^\n",
        ),
        (
            "\"\\q\"",
            "--jq: expected string escape sequence at column 3\n    \"\\q\"\n      ^\n",
        ),
        (
            "break $x",
            "--jq: there is no label `$x` at column 7\n    break $x\n          ^\n",
        ),
    ] {
        let error = Filter::compile("--jq", program).unwrap_err();
        assert_eq!(exit_code(&error), ExitCode::Usage);
        let text = render(&error);
        let text = text.strip_prefix("error: ").unwrap();
        assert_eq!(text.split("hint: ").next().unwrap(), expected, "{program}");
    }
}
