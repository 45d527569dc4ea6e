use proptest::prelude::*;
use serde_json::{Value, json};

use super::limits::*;
use super::{Inference, InferenceOptions, Place};
use crate::schema::{ColumnType, FieldPath, Shredder, file};

fn inference(options: InferenceOptions, documents: &[&str]) -> Inference {
    let keys = vec![
        vec!["pk".to_owned()],
        vec!["who".to_owned(), "tenant".to_owned()],
    ];
    let mut inference = Inference::new(options, keys);
    for (number, document) in documents.iter().enumerate() {
        inference.observe(document.as_bytes(), Place::new(0, number as u64));
    }
    inference
}

/// The lines of the schema of these documents.
fn lines_by(options: InferenceOptions, documents: &[&str]) -> Vec<String> {
    let schema = inference(options, documents).finish().schema;
    file::render(&schema).lines().map(str::to_owned).collect()
}

fn lines(documents: &[&str]) -> Vec<String> {
    lines_by(InferenceOptions::default(), documents)
}

/// The type of the field `x` with these values.
fn type_of(values: &[&str]) -> String {
    type_by(InferenceOptions::default(), values)
}

fn type_by(options: InferenceOptions, values: &[&str]) -> String {
    let documents: Vec<String> = values
        .iter()
        .map(|value| format!(r#"{{"x":{value}}}"#))
        .collect();
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    let lines = lines_by(options, &documents);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].strip_prefix("x ").unwrap().to_owned()
}

#[test]
fn the_values_of_a_field_decide_its_type() {
    for (values, expected) in [
        (&["true", "false", "null"][..], "boolean"),
        (&["1", "-5", "9223372036854775807"], "int64"),
        (&["1", "0.5", "null"], "double"),
        (&["1.0"], "double"),
        (&["-0"], "double"),
        (&[r#""a""#, "null", r#""2026-01-01T00:00:00Z""#], "string"),
        (&["null"], "json"),
        (&["1", r#""1""#], "json"),
        (&["true", "0"], "json"),
        (&["[]", "1"], "json"),
        (&["{}"], "json"),
        (&["{}", "null"], "json"),
        (&["[]", "null"], "json"),
        (&["[null]"], "json"),
        (&["[]", "[1]", "[null,2.5]"], "list<double>"),
        (&["[[1],[]]", "[null]"], "list<list<int64>>"),
        (&["[[]]"], "list<json>"),
        (&[r#"["a",1]"#], "list<json>"),
        (
            &[r#"{"b":1}"#, r#"{"a":"s","b":0.5}"#, "null", "{}"],
            "struct<b: double, a: string>",
        ),
        (&[r#"{"b":1}"#, "[1]"], "json"),
        (
            &[r#"[{"b":1},null,{"a":[true]}]"#, "[{}]"],
            "list<struct<b: int64, a: list<boolean>>>",
        ),
        (&[r#"[{"b":1},{"b":null}]"#], "list<struct<b: int64>>"),
    ] {
        assert_eq!(type_of(values), expected, "{values:?}");
    }
}

#[test]
fn values_that_fit_no_type_decide_only_if_they_are_many() {
    let with = |common: &str, count: usize, odd: &str| {
        let mut values = vec![common; count];
        values.push(odd);
        type_of(&values)
    };
    for (common, odd, expected) in [
        ("1", "1e400", "int64"),
        ("1", "18446744073709551617", "int64"),
        ("0.5", "9007199254740993", "double"),
        ("9007199254740993", "0.5", "int64"),
        (r#""a""#, r#""\ud800""#, "string"),
    ] {
        assert_eq!(with(common, 9, odd), expected, "{odd} in ten of {common}");
        assert_eq!(with(common, 8, odd), "json", "{odd} in nine of {common}");
    }
    assert_eq!(type_of(&["1e400"]), "json");
    // The whole array would not fit.
    let many = format!("[{}1e400]", "1,".repeat(100));
    assert_eq!(type_of(&[&many]), "list<json>");
}

/// What is inferred by majority of the field `x`, with so many values of each kind: its type, and how many
/// misfits are reported.
fn majority(detect_timestamps: bool, values: &[(usize, &str)]) -> (String, u64) {
    let options = InferenceOptions {
        by_majority: true,
        detect_timestamps,
        ..InferenceOptions::default()
    };
    let documents: Vec<String> = values
        .iter()
        .flat_map(|(number, value)| vec![format!(r#"{{"x":{value}}}"#); *number])
        .collect();
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    let inferred = inference(options, &documents).finish();
    let text = file::render(&inferred.schema);
    let misfits = inferred.misfits.iter().map(|odd| odd.number).sum();
    (
        text.trim_end().strip_prefix("x ").unwrap().to_owned(),
        misfits,
    )
}

#[test]
fn the_type_of_most_values_decides() {
    let (seconds, millis) = (r#""2026-01-01T00:00:00Z""#, r#""2026-01-01T00:00:00.120Z""#);
    let list = r#"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]"#;
    for (values, expected, misfits) in [
        (&[(3856, "1.5"), (1, r#""12 EUR""#)][..], "double", 1),
        (&[(19, "1"), (1, r#""12""#), (100, "null")], "int64", 1),
        (&[(18, "1"), (1, r#""12""#)], "json", 0),
        (&[(38, "true"), (1, "1"), (1, r#""yes""#)], "boolean", 2),
        (&[(19, r#""a""#), (1, "{}")], "string", 1),
        (&[(19, "1"), (1, "[]")], "int64", 1),
        // A double holds short integers; long ones go to the overflow.
        (&[(1000, "1"), (1, "0.5")], "double", 0),
        (&[(19, "0.5"), (1, "9007199254740993")], "double", 1),
        (&[(19, "9007199254740993"), (1, "0.5")], "int64", 1),
        (
            &[(38, "0.5"), (1, "9007199254740993"), (1, "1e400")],
            "double",
            2,
        ),
        (
            &[(38, "0.5"), (2, "9007199254740993"), (1, "1e400")],
            "json",
            0,
        ),
        // Only the odd lists do not fit, however many elements the others have.
        (&[(19, "[1]"), (1, r#"["a"]"#)], "list<int64>", 1),
        (&[(19, list), (1, r#"[1,"a"]"#)], "list<int64>", 1),
        (&[(18, list), (1, r#"[1,"a"]"#)], "list<json>", 0),
        (
            &[(2, r#"[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"a"]"#)],
            "list<json>",
            0,
        ),
        (&[(38, "[1]"), (1, r#"["a"]"#), (1, "7")], "list<int64>", 2),
        (&[(38, "[1]"), (1, r#"["a"]"#), (2, "7")], "list<json>", 2),
        (
            &[(19, "[[1],[2]]"), (1, "[[1],[{}]]")],
            "list<list<int64>>",
            1,
        ),
        (
            &[
                (38, r#"[{"a":1,"b":"x"}]"#),
                (1, r#"[{"a":"s"}]"#),
                (1, r#"[{"b":null}]"#),
            ],
            "list<struct<a: int64, b: string>>",
            1,
        ),
        (
            &[
                (38, r#"[{"a":1,"b":"x"}]"#),
                (1, r#"[{"a":"s"}]"#),
                (1, "[7]"),
                (1, r#"[{"b":null}]"#),
            ],
            "list<struct<a: int64, b: string>>",
            2,
        ),
        // Objects, and something else in their place.
        (&[(19, r#"{"a":1}"#), (1, "7")], "struct<a: int64>", 1),
        (&[(18, r#"{"a":1}"#), (1, "7")], "json", 0),
        (
            &[(38, r#"{"a":1}"#), (1, r#"{"a":"s"}"#), (1, "[]")],
            "struct<a: int64>",
            2,
        ),
    ] {
        assert_eq!(
            majority(false, values),
            (expected.to_owned(), misfits),
            "{values:?}"
        );
    }
    for (values, expected, misfits) in [
        (&[(19, seconds), (1, r#""soon""#)][..], "timestamp(0)", 1),
        (&[(19, millis), (1, seconds)], "timestamp(3)", 1),
        (&[(19, seconds), (1, "7")], "timestamp(0)", 1),
        (&[(18, seconds), (1, r#""soon""#)], "string", 0),
        (
            &[(19, seconds), (1, r#""2026-01-01T00:00:00.5Z""#)],
            "timestamp",
            0,
        ),
    ] {
        assert_eq!(
            majority(true, values),
            (expected.to_owned(), misfits),
            "{values:?}"
        );
    }
    assert_eq!(
        majority(true, &[(19, &format!("[{seconds}]")), (1, r#"["soon"]"#)]),
        ("list<timestamp(0)>".to_owned(), 1)
    );
}

#[test]
fn timestamps_are_detected_if_all_have_one_form() {
    let type_of = |values: &[&str]| {
        let options = InferenceOptions {
            detect_timestamps: true,
            ..InferenceOptions::default()
        };
        type_by(options, values)
    };
    let (seconds, millis) = (r#""2026-01-01T00:00:00Z""#, r#""2026-01-01T00:00:00.120Z""#);
    let shortest = r#""2026-01-01T00:00:00.12Z""#;
    for (values, expected) in [
        (&[seconds, "null"][..], "timestamp(0)"),
        (&[millis, r#""1969-12-31T23:59:59.999Z""#], "timestamp(3)"),
        (&[r#""2026-01-01T00:00:00.1234567Z""#], "timestamp(7)"),
        (&[seconds, shortest], "timestamp"),
        (&[seconds, millis], "string"),
        (&[seconds, r#""""#], "string"),
        (&[r#""2026-01-01T00:00:00+00:00""#], "string"),
        (&[r#""2026-02-30T00:00:00Z""#], "string"),
        (&[seconds, "1"], "json"),
    ] {
        assert_eq!(type_of(values), expected, "{values:?}");
    }
    assert_eq!(type_of(&[&format!("[{seconds}]")]), "list<timestamp(0)>");
}

#[test]
fn columns_begin_with_the_id_and_end_with_system_fields() {
    let documents = [
        r#"{"_rid":"r","_ts":1,"z":1,"who":{"name":"n","tenant":"t"},"_etag":"e","id":"1"}"#,
        r#"{"a":1,"_lsn":2,"pk":"p","z":1,"_attachments":"a","_self":"s"}"#,
    ];
    let expected = [
        "id string",
        "pk string",
        "who struct<tenant: string, name: string>",
        "z int64",
        "a int64",
        "_ts int64",
        "_etag string",
        "_rid string",
        "_lsn int64",
        "_self string",
        "_attachments string",
    ];
    assert_eq!(lines(&documents), expected);
    let dropped = InferenceOptions {
        without_system_fields: true,
        ..InferenceOptions::default()
    };
    assert_eq!(lines_by(dropped, &documents), expected[..5]);
}

#[test]
fn places_decide_and_not_the_order_of_observation() {
    let documents = [
        r#"{"a":1,"b":2}"#,
        r#"{"c":0.5,"b":2.5}"#,
        r#"{"d":{"y":1}}"#,
        r#"{"d":{"x":1,"y":2}}"#,
    ];
    let mut there = Inference::new(InferenceOptions::default(), Vec::new());
    let mut back = Inference::new(InferenceOptions::default(), Vec::new());
    for (number, document) in documents.iter().enumerate() {
        there.observe(document.as_bytes(), Place::new(1, number as u64));
    }
    for (number, document) in documents.iter().enumerate().rev() {
        back.observe(document.as_bytes(), Place::new(1, number as u64));
    }
    let text = file::render(&there.finish().schema);
    assert_eq!(
        text,
        "a int64\nb double\nc double\nd struct<y: int64, x: int64>\n"
    );
    assert_eq!(file::render(&back.finish().schema), text);
}

#[test]
fn names_that_cannot_be_columns_are_left_out() {
    let documents = [
        r#"{"id":"1","_extra":1,"_EXTRA":2,"_operation":"x","Total":1,"total":2}"#,
        r#"{"id":"2","total":3,"ID":5,"o":{"Q":1,"q":2,"_extra":3},"l":[{"a":1,"A":2}]}"#,
        r#"{"id":"3","ID":5,"\ud800":1}"#,
        r#"{"ID":5,"total":4}"#,
    ];
    assert_eq!(
        lines(&documents),
        [
            "id string",
            "total int64",
            "o struct<Q: int64, _extra: int64>",
            "l list<json>"
        ]
    );
    let inferred = inference(InferenceOptions::default(), &documents).finish();
    assert_eq!(inferred.left_out, 6);
}

#[test]
fn odd_names_are_columns() {
    let documents =
        [r#"{"a.b":1,"":2,"gr\u00f6\u00dfe":3,"x y":{"\n":"s"},"#.to_owned() + r##""#":true}"##];
    let expected = [
        r#""a.b" int64"#,
        r#""" int64"#,
        "größe int64",
        r#""x y" struct<"\n": string>"#,
        r##""#" boolean"##,
    ];
    assert_eq!(lines(&[&documents[0]]), expected);
    let schema = inference(InferenceOptions::default(), &[&documents[0]])
        .finish()
        .schema;
    assert_eq!(
        file::parse(file::render(&schema).as_bytes()).unwrap(),
        schema
    );
}

#[test]
fn documents_that_are_not_objects_have_no_fields() {
    assert_eq!(lines(&["[1]", "7", "null", r#""x""#]), ["id string"]);
    assert_eq!(lines(&[]), ["id string"]);
    assert_eq!(lines(&["[1]", r#"{"a":1}"#]), ["a int64"]);
}

#[test]
fn an_object_with_too_many_names_is_a_map() {
    let with = |names: usize| {
        let members: Vec<String> = (0..names).map(|name| format!(r#""k{name}":1"#)).collect();
        // Spread over documents, so that no single one shows it.
        let documents: Vec<String> = members
            .chunks(7)
            .map(|some| format!(r#"{{"x":{{{}}}}}"#, some.join(",")))
            .collect();
        let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
        let inference = inference(InferenceOptions::default(), &documents);
        let tracked = inference.observer.tracked;
        (file::render(&inference.finish().schema), tracked)
    };
    assert!(with(200).0.starts_with("x struct<k0: int64, k1: int64"));
    assert_eq!(with(201), ("x json\n".to_owned(), 1));
    assert_eq!(with(5000), ("x json\n".to_owned(), 1));
}

#[test]
fn deeply_nested_values_are_json() {
    let nested =
        |levels: usize| type_of(&[&format!("{}1{}", "[".repeat(levels), "]".repeat(levels))]);
    assert_eq!(
        nested(15),
        format!("{}int64{}", "list<".repeat(15), ">".repeat(15))
    );
    assert_eq!(
        nested(100_000),
        format!("{}json{}", "list<".repeat(15), ">".repeat(15))
    );
    let objects = format!("{}1{}", r#"{"o":"#.repeat(500), "}".repeat(500));
    assert!(type_of(&[&objects]).contains("struct<o: json>"));
}

#[test]
fn the_most_frequent_of_too_many_fields_have_columns() {
    let members: Vec<String> = (0..5000)
        .map(|name| format!(r#""f{name:04}":{name}"#))
        .collect();
    let wide = format!(r#"{{"_ts":1,{},"id":"1","pk":"p"}}"#, members.join(","));
    let documents = [
        wide.as_str(),
        r#"{"id":"2","f4999":1,"f4000":1,"o":{"p":{"q":1}}}"#,
    ];
    let inferred = inference(InferenceOptions::default(), &documents).finish();
    assert_eq!(
        (inferred.schema.columns().len(), inferred.left_out),
        (1000, 5000 + 3 + 1 - 1000)
    );
    assert!(!inferred.has_uncounted);
    let lines = lines(&documents);
    assert_eq!(lines[..3], ["id string", "pk string", "f0000 int64"]);
    assert_eq!(
        lines[996..],
        ["f0994 int64", "f4000 int64", "f4999 int64", "_ts int64"]
    );
}

#[test]
fn memory_is_bounded_with_any_number_of_names() {
    let mut inference = Inference::new(InferenceOptions::default(), Vec::new());
    for number in 0..60_000_u64 {
        let document = format!(r#"{{"id":"{number}","f{number}":{{"x":[{{"y":1}}]}}}}"#);
        inference.observe(document.as_bytes(), Place::new(0, number));
    }
    assert_eq!(inference.observer.tracked, MAX_FIELDS);
    let inferred = inference.finish();
    assert_eq!(inferred.schema.columns().len(), MAX_LEAVES);
    assert!(inferred.has_uncounted);
}

#[test]
fn a_list_has_all_its_columns_or_is_json() {
    // 150 lists of structs with 8 fields are too many columns. The first ones stay lists, and later ones are
    // JSON as long as columns remain.
    let one: Vec<String> = (0..8).map(|field| format!(r#""g{field}":1"#)).collect();
    let lists: Vec<String> = (0..150)
        .map(|name| format!(r#""l{name:03}":[{{{}}}]"#, one.join(",")))
        .collect();
    let inferred = inference(
        InferenceOptions::default(),
        &[&format!(r#"{{{},"id":"1"}}"#, lists.join(","))],
    )
    .finish();
    let kinds = |wanted: fn(&ColumnType) -> bool| {
        inferred
            .schema
            .columns()
            .iter()
            .filter(|column| wanted(&column.column_type))
            .count()
    };
    assert_eq!(kinds(|kind| matches!(kind, ColumnType::List(_))), 124);
    assert_eq!(kinds(|kind| *kind == ColumnType::Json), 1000 - 1 - 124 * 8);
    assert_eq!(inferred.left_out, 150 - 124 - 7);
}

#[test]
fn requested_columns_get_the_missing_types() {
    let options = InferenceOptions {
        columns: Some(
            "total,id:json,o.b,o.z,none.at.all,_ts,tags,s"
                .parse()
                .unwrap(),
        ),
        without_system_fields: true,
        ..InferenceOptions::default()
    };
    let documents = [
        r#"{"id":"1","total":1,"o":{"b":"x"},"other":true,"_ts":5,"_etag":"e","tags":[1]}"#,
        r#"{"id":"2","total":1.5,"o":{"b":"x","z":null},"s":{"t":1}}"#,
        r#"{"id":"3","o":[1],"tags":[]}"#,
    ];
    let expected = [
        "total double",
        "id json",
        "o.b string",
        "o.z json",
        "none.at.all json",
        "_ts int64",
        "tags list<int64>",
        "s struct<t: int64>",
    ];
    assert_eq!(lines_by(options.clone(), &documents), expected);
    let unseen = inference(options, &documents).finish().unseen;
    assert_eq!(unseen, [FieldPath::top("none").join("at").join("all")]);
}

/// Values of every kind, so small that shapes repeat. No name is repeated, and no two differ only by case.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..3_i64).prop_map(Value::from),
        Just(Value::from(i64::MAX)),
        Just(json!(0.5)),
        "[a-c]{0,2}".prop_map(Value::from),
        Just(json!("2026-01-01T00:00:00Z")),
        Just(json!("2026-01-01T00:00:00.5Z")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            fields(inner),
        ]
    })
}

fn fields(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        "[a-d]",
        Just("a.b".to_owned()),
        Just("é".to_owned()),
        Just(String::new())
    ];
    proptest::collection::btree_map(name, value, 0..4).prop_map(|fields| json!(fields))
}

/// The part of a document that should fit but does not. That excludes nulls, which only JSON cells hold,
/// and numbers where other values need another type.
fn misfits(extra: Value) -> Option<Value> {
    match extra {
        Value::Null => None,
        Value::Number(number) if number == i64::MAX.into() || number.is_f64() => None,
        Value::Object(members) => {
            let members = members.into_iter();
            let left = members.filter_map(|(name, value)| Some((name, misfits(value)?)));
            Some(Value::Object(left.collect())).filter(|left| left != &json!({}))
        }
        other => Some(other),
    }
}

proptest! {
    #[test]
    fn every_observed_value_fits(
        documents in proptest::collection::vec(fields(value()), 1..12),
        detect_timestamps in any::<bool>(),
        by_majority in any::<bool>(),
    ) {
        let options = InferenceOptions {
            detect_timestamps,
            by_majority,
            ..InferenceOptions::default()
        };
        let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let inferred = inference(options, &texts).finish();
        let shredder = Shredder::with(&inferred.schema, false, None, true);
        for text in &texts {
            let mut row = shredder.row();
            shredder.read(text.as_bytes(), &|_| true, &mut row);
            let extra = row.extra().map(|extra| serde_json::from_slice::<Value>(extra).unwrap());
            let left = extra.and_then(misfits);
            prop_assert!(left.is_none(), "{text}\n{left:?}\n{}", file::render(&inferred.schema));
        }
        // And the file form means the same.
        let again = file::parse(file::render(&inferred.schema).as_bytes());
        prop_assert_eq!(again.unwrap(), inferred.schema);
    }

    #[test]
    fn another_order_gives_the_same_columns(
        documents in proptest::collection::vec(fields(value()), 1..8),
        seed in any::<u64>(),
    ) {
        let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
        let mut shuffled: Vec<(usize, &String)> = texts.iter().enumerate().collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let infer = |texts: &[(usize, &String)], place: &dyn Fn(usize, usize) -> usize| {
            let mut inference = Inference::new(InferenceOptions::default(), Vec::new());
            for (index, (number, text)) in texts.iter().enumerate() {
                inference.observe(text.as_bytes(), Place::new(0, place(index, *number) as u64));
            }
            inference.finish()
        };
        let in_order: Vec<(usize, &String)> = texts.iter().enumerate().collect();
        let first = infer(&in_order, &|_, number| number);
        prop_assert_eq!(&infer(&shuffled, &|_, number| number), &first);
        // Other places change only the order of columns and fields.
        let other = infer(&shuffled, &|index, _| index);
        let mut all: [Vec<String>; 2] = [&first, &other].map(|inferred| {
            inferred.schema.flattened().columns().iter().map(|column| column.path.to_string()).collect()
        });
        all.iter_mut().for_each(|paths| paths.sort());
        prop_assert_eq!(&all[0], &all[1]);
    }

    #[test]
    fn no_input_makes_it_panic(text in any::<Vec<u8>>(), json in "[\\[\\]{}:,\"a1.e0\\\\-]{0,40}") {
        let mut inference = Inference::new(InferenceOptions { detect_timestamps: true, ..InferenceOptions::default() }, Vec::new());
        inference.observe(&text, Place::default());
        inference.observe(json.as_bytes(), Place::default());
        inference.finish();
    }
}
