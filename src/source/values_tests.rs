//! JSON in every arrangement: what is read is what serde reads, wherever the pieces and the resumes are.

use std::io::BufReader;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::value::RawValue;

use super::property_tests::{json, object_text};
use super::{Mark, Record, read_json};

/// An array at the beginning, so that what follows is not taken for lines.
const NOT_LINES: &str = "[]";

/// The records of `text` after `mark`, read in pieces of this size, and how it ends.
fn read(text: &str, size: usize, mark: Mark) -> (Vec<Record>, Option<String>) {
    let rest = text.as_bytes()[mark.offset as usize..].to_vec();
    let bytes = BufReader::with_capacity(size, std::io::Cursor::new(rest));
    let mut records = Vec::new();
    let end = read_json(Box::new(bytes), "it".to_owned(), mark).and_then(|mut reader| {
        while let Some(record) = reader.next()? {
            records.push(record);
        }
        Ok(())
    });
    (records, end.err().map(|error| format!("{error:#}")))
}

fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| String::from_utf8_lossy(&record.json).into_owned();
    records.iter().map(text).collect()
}

/// What serde finds, if all of it is JSON: the values outside of arrays, and the elements of arrays, without the
/// whitespace outside of strings.
fn expected(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Box<RawValue>>() {
        let value = value.ok()?;
        match value.get().as_bytes()[0] {
            b'[' => {
                let elements: Vec<Box<RawValue>> = serde_json::from_str(value.get()).ok()?;
                found.extend(elements.iter().map(|element| squeezed(element.get())));
            }
            b'{' => found.push(squeezed(value.get())),
            _ => return None,
        }
    }
    Some(found)
}

fn squeezed(json: &str) -> String {
    let mut is_in_string = false;
    let mut is_escaped = false;
    let keep = |character: &char| {
        if is_in_string {
            is_in_string = *character != '"' || is_escaped;
            is_escaped = *character == '\\' && !is_escaped;
            return true;
        }
        is_in_string = *character == '"';
        !character.is_ascii_whitespace()
    };
    json.chars().filter(keep).collect()
}

/// Checks that each resume finds the rest.
fn check_resumes(text: &str, size: usize) -> Result<(), TestCaseError> {
    let (records, end) = read(text, size, Mark::default());
    for (index, record) in records.iter().enumerate() {
        // As the state of a replay has it.
        let mark = serde_json::to_string(&record.end).unwrap();
        let mark = serde_json::from_str(&mark).unwrap();
        let (rest, rest_end) = read(text, size, mark);
        prop_assert_eq!(texts(&rest), texts(&records[index + 1..]));
        prop_assert_eq!(&rest_end, &end);
        let marks =
            |records: &[Record]| -> Vec<Mark> { records.iter().map(|record| record.end).collect() };
        prop_assert_eq!(marks(&rest), marks(&records[index + 1..]));
    }
    Ok(())
}

/// An array of any values, or objects one after the other.
fn part() -> impl Strategy<Value = String> {
    let space = || select(&["", "", " ", "\n", "\r\n\t"][..]);
    let array = (vec(json(), 0..5), space()).prop_map(|(values, space)| {
        let values = values.join(&format!("{space},{space}"));
        format!("[{space}{values}{space}]{space}")
    });
    let objects = (vec(vec(json(), 0..3), 0..4), space()).prop_map(|(objects, space)| {
        let objects = objects.iter().map(|values| object_text(values, space));
        objects.collect::<Vec<_>>().join(space)
    });
    prop_oneof![array, objects]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn values_are_read_as_they_are(
        parts in vec(part(), 0..5),
        size in select(&[1_usize, 2, 3, 7, 64, 4096][..]),
    ) {
        let text = format!("{NOT_LINES}{}", parts.join("\n"));
        let (records, end) = read(&text, size, Mark::default());
        prop_assert_eq!(end, None);
        prop_assert_eq!(Some(texts(&records)), expected(&text));
        check_resumes(&text, size)?;
    }

    #[test]
    fn anything_else_ends_at_its_first_fault(
        text in "[\\[\\]{}{}:,\"\\\\ \n1a\u{feff}]{0,24}",
        size in 1_usize..5,
    ) {
        let text = format!("{NOT_LINES}{text}");
        let (records, end) = read(&text, size, Mark::default());
        if let Some(expected) = expected(&text) {
            prop_assert_eq!(&end, &None);
            prop_assert_eq!(texts(&records), expected);
        }
        check_resumes(&text, size)?;
    }
}

#[test]
fn what_is_not_json_is_named_with_its_place() {
    for (text, records, end) in [
        ("[]", 0, ""),
        (" [ ] \n", 0, ""),
        ("\u{feff}[{\"a\":1}]\n[{\"a\":2},3]\n", 3, ""),
        ("{\"a\":1}{\"a\":2}", 2, ""),
        ("{\n\"a\":1\n}\n{\n}", 2, ""),
        (
            "[{}",
            1,
            "it is truncated: it ends within an array, after 1 complete record",
        ),
        ("[{},", 1, "it ends within an array"),
        ("[", 0, "it ends within an array, after 0 complete records"),
        (
            "[{},\n{\"a",
            1,
            "it ends within the document that begins on line 2",
        ),
        (
            "[{}]\n x",
            1,
            "not JSON from line 2, column 2 on: `x` where a document",
        ),
        ("[{}]]", 1, "line 1, column 5 on: `]` where a document"),
        (
            "[{},]",
            1,
            "line 1, column 5 on: the array ends after a comma",
        ),
        (
            "[,{}]",
            0,
            "line 1, column 2 on: `,` where a document is expected",
        ),
        (
            "[{},,{}]",
            1,
            "line 1, column 5 on: `,` where a document is expected",
        ),
        ("[{} {}]", 1, "line 1, column 5 on: `{` where a comma"),
        ("[1 2]", 1, "line 1, column 4 on: `2` where a comma"),
        (
            "[{\"a\":[1}]",
            0,
            "line 1, column 9 on: `}` where `]` is expected",
        ),
        (
            "[{\"a\":{}{}}]",
            0,
            "line 1, column 9 on: `{` where a comma",
        ),
        (
            "[{\n\"a\":\"b\n\"}]",
            0,
            "line 2, column 7 on: a string that does not end on its line, in the document that begins on line 1",
        ),
        ("[{}]\0", 1, "the byte 0x00 where"),
    ] {
        for size in [1, 2, 4096] {
            let (found, error) = read(text, size, Mark::default());
            assert_eq!(found.len(), records, "{text:?}: {error:?}");
            match error {
                None => assert_eq!(end, "", "{text:?}"),
                Some(error) => assert!(!end.is_empty() && error.contains(end), "{text:?}: {error}"),
            }
        }
    }
}

#[test]
fn tokens_are_never_joined_and_what_is_wrong_stays_wrong() {
    let (records, end) = read(
        "[{\"a\": 1 2}, {\"a\" \"b\"}, tru e]",
        4096,
        Mark::default(),
    );
    assert_eq!(texts(&records)[..2], ["{\"a\":1 2}", "{\"a\" \"b\"}"]);
    assert_eq!(records.len(), 3);
    assert!(end.unwrap().contains("`e` where a comma"));
}

#[test]
fn a_deeply_nested_document_needs_no_stack() {
    let depth = 1_000_000;
    let text = format!("[{}{}]", "[".repeat(depth), "]".repeat(depth));
    let (records, end) = read(&text, 4096, Mark::default());
    assert_eq!((records.len(), end), (1, None));
    assert_eq!(records[0].json.len(), 2 * depth);
}

#[test]
fn a_document_without_end_is_not_kept_in_memory() {
    struct Endless;
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'a');
            Ok(buffer.len())
        }
    }
    use std::io::Read;
    let text = std::io::Cursor::new(b"[{\"a\":\"".to_vec()).chain(Endless);
    let bytes = Box::new(BufReader::with_capacity(1 << 20, text));
    let mut reader = read_json(bytes, "it".to_owned(), Mark::default()).unwrap();
    let error = reader.next().unwrap_err().to_string();
    assert!(error.contains("a document of more than 64 MiB"), "{error}");
}
