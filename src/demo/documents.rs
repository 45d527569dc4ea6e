//! The documents of the demo container: generated from their number, the same in every process.

use std::fmt::Write;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Number of customers, which are the logical partitions. A prime, so that adjacent orders differ.
const CUSTOMERS: u64 = 499;

/// One in this many documents carries a history that makes it about 20 KB.
const LARGE_EVERY: u32 = 500;

/// 2026-01-01T00:00:00Z, in seconds since 1970: the moment of the first order.
const FIRST_ORDER: i64 = 1_767_225_600;

// All texts below are JSON without the quotation marks.

const NAMES: [&str; 12] = [
    "Ada Lovelace",
    "Zoë Müller-Großmann",
    "山田 太郎",
    "김민준",
    "Łukasz Wójcik",
    "فاطمة الزهراء",
    "דוד כהן",
    "Nguyễn Thị Ánh",
    "Cafe\u{301} Owner",
    "Grace \\\"Amazing\\\" Hopper",
    "Ольга Иванова",
    "👩‍🚀 Astro Naut",
];

const CITIES: [(&str, &str, &str); 8] = [
    ("Zürich", "CH", "[8.541694,47.376887]"),
    ("東京", "JP", "[139.6917,35.6895]"),
    ("São Paulo", "BR", "[-46.6333,-23.5505]"),
    ("القاهرة", "EG", "[31.2357,30.0444]"),
    ("Reykjavík", "IS", "[-21.8277,64.1283]"),
    ("O'Fallon", "US", "[-90.7,38.81]"),
    ("Null Island", "ZZ", "[0,0]"),
    ("서울", "KR", "[126.978,37.5665]"),
];

const PRODUCTS: [(&str, &str); 10] = [
    ("TEA-001", "Green tea, 100\u{a0}g"),
    ("MUG-042", "Mug \\\"Καλημέρα\\\""),
    ("BOOK-7", "Les Misérables\\nTome I"),
    ("TOY-99", "Rubber duck 🦆"),
    ("PEN-3", "万年筆"),
    ("BAG/12", "Bag c:\\\\temp\\\\bag"),
    ("EMPTY", ""),
    ("SPICE", "🌶️ chilli \\u0026 lime"),
    ("LAMP-5", "Lamp\\t5\u{202f}W"),
    ("RTL-1", "\u{202b}ספר\u{202c}"),
];

const NOTES: [&str; 8] = [
    "",
    "Leave it with the neighbour.",
    "line one\\nline two\\r\\nline three",
    "注意: 割れ物 🏺",
    "tab\\there, quote \\\" there, slash / and backslash \\\\",
    "\\u0000 is a character too",
    "e\u{301} is not é, to a byte",
    "\u{2028}a line separator\u{2029}",
];

const STATUSES: [&str; 5] = ["new", "paid", "packed", "shipped", "delivered"];

/// Numbers that break parsers: around 2^53, at the limits of 64 bits, tiny, huge.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "42",
    "9007199254740991",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "0.1",
    "-273.15",
    "1.5e-7",
    "6.02214076e23",
    "1.7976931348623157e308",
    "5e-324",
];

/// A sequence of pseudo-random numbers (SplitMix64).
///
/// It is implemented here since the documents must not change when a library's generator does: the positions
/// in a saved state belong to exactly these documents.
#[derive(Debug, Clone)]
pub(super) struct Sequence(u64);

impl Sequence {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is at least 1. The bias of the remainder does not matter here.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = self.below(from.len() as u64);
        &from[usize::try_from(index).unwrap_or(0)]
    }
}

/// A document to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    /// The value of `id`: ASCII, no character that a URL would escape.
    pub(super) id: String,
    /// The value of `customerId`, the partition key; ASCII too.
    pub(super) customer_id: String,
    /// The JSON text.
    pub(super) json: String,
}

/// The document with this number and revision; the first revision is 0.
///
/// The `id` and the partition key do not depend on the revision.
pub(super) fn document(number: u32, revision: u32) -> Document {
    // What is the same in all revisions is drawn before what differs.
    let mut sequence = Sequence::new(u64::from(number));
    let id = format!("order-{number:06}");
    let customer = sequence.below(CUSTOMERS);
    let customer_id = format!("c-{customer:04}");
    debug_assert_eq!(customer_id, self::customer_id(number));
    let mut of_customer = Sequence::new(0x5eed_0000 + customer);
    let mut sequence = Sequence::new(u64::from(number) << 32 | u64::from(revision));

    let mut json = String::with_capacity(1_024);
    push(
        &mut json,
        format_args!(r#"{{"id":"{id}","customerId":"{customer_id}","revision":{revision},"#),
    );
    push_order(&mut json, number, revision, &mut sequence);
    push_customer(&mut json, &mut of_customer);
    push_lines(&mut json, &mut sequence);
    push_optional(&mut json, number, &mut sequence);
    if number % LARGE_EVERY == LARGE_EVERY / 2 {
        push_history(&mut json, number, &mut sequence);
    }
    json.push('}');
    Document {
        id,
        customer_id,
        json,
    }
}

/// The partition key of the document with this number.
pub(super) fn customer_id(number: u32) -> String {
    let customer = Sequence::new(u64::from(number)).below(CUSTOMERS);
    format!("c-{customer:04}")
}

fn push(json: &mut String, arguments: std::fmt::Arguments<'_>) {
    json.write_fmt(arguments)
        .expect("writing to a string does not fail");
}

fn timestamp(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .expect("the demo's times lie within the calendar")
}

fn push_order(json: &mut String, number: u32, revision: u32, sequence: &mut Sequence) {
    let ordered_at = timestamp(FIRST_ORDER + i64::from(number) * 37);
    let status = STATUSES[revision as usize % STATUSES.len()];
    let cents = sequence.below(1_000_000);
    push(
        json,
        format_args!(
            r#""status":"{status}","orderedAt":"{ordered_at}","paid":{},"total":{}.{:02},"#,
            revision > 0,
            cents / 100,
            cents % 100
        ),
    );
}

fn push_customer(json: &mut String, sequence: &mut Sequence) {
    let name = sequence.pick(&NAMES);
    let (city, country, coordinates) = sequence.pick(&CITIES);
    let (vip, street) = (sequence.below(10) == 0, sequence.below(999));
    push(
        json,
        format_args!(
            concat!(
                r#""customer":{{"name":"{}","vip":{},"address":{{"street":"{} Main St.","city":"{}","#,
                r#""country":"{}","location":{{"type":"Point","coordinates":{}}}}}}},"#
            ),
            name, vip, street, city, country, coordinates
        ),
    );
}

fn push_lines(json: &mut String, sequence: &mut Sequence) {
    json.push_str(r#""lines":["#);
    for line in 0..sequence.below(5) {
        let (sku, title) = sequence.pick(&PRODUCTS);
        let (quantity, price) = (1 + sequence.below(9), sequence.below(10_000));
        let comma = if line == 0 { "" } else { "," };
        push(
            json,
            format_args!(
                r#"{comma}{{"sku":"{sku}","title":"{title}","quantity":{quantity},"price":{}.{:02},"tags":["#,
                price / 100,
                price % 100
            ),
        );
        json.push_str(match sequence.below(3) {
            0 => "]}",
            1 => r#""gift"]}"#,
            _ => r#""🎁","on sale","",null]}"#,
        });
    }
    json.push(']');
}

/// Fields that not every document has, and one whose type varies.
fn push_optional(json: &mut String, number: u32, sequence: &mut Sequence) {
    if sequence.below(2) == 0 {
        push(json, format_args!(r#","note":"{}""#, sequence.pick(&NOTES)));
    }
    match sequence.below(4) {
        0 => json.push_str(r#","discount":null"#),
        1 => push(
            json,
            format_args!(r#","discount":-{}.5"#, sequence.below(50)),
        ),
        _ => {}
    }
    push(
        json,
        format_args!(r#","measure":{}"#, sequence.pick(&NUMBERS)),
    );
    match sequence.below(7) {
        0 => push(
            json,
            format_args!(r#","reference":{}"#, sequence.pick(&NUMBERS)),
        ),
        1 => push(json, format_args!(r#","reference":"PO-{number}""#)),
        2 => json.push_str(r#","reference":{"system":"erp","path":["a",{"b":[[],{}]}]}"#),
        3 => json.push_str(r#","reference":[1,"two",3.5,false,null]"#),
        4 => json.push_str(r#","reference":true"#),
        5 => json.push_str(r#","reference":"""#),
        _ => {}
    }
    if sequence.below(3) == 0 {
        json.push_str(
            r#","attributes":{},"labels":[],"属性":{"":"the empty name","a.b":1,"a/b":2}"#,
        );
    }
    if sequence.below(4) == 0 {
        let delivered_at = timestamp(FIRST_ORDER + i64::from(number) * 37 + 86_400);
        push(json, format_args!(r#","deliveredAt":"{delivered_at}""#));
    }
}

/// About 20 KB of events.
fn push_history(json: &mut String, number: u32, sequence: &mut Sequence) {
    json.push_str(r#","history":["#);
    for event in 0_u32..160 {
        let at = timestamp(FIRST_ORDER + i64::from(number) * 37 + i64::from(event) * 60);
        let comma = if event == 0 { "" } else { "," };
        push(
            json,
            format_args!(
                r#"{comma}{{"at":"{at}","event":"scanned","hub":{},"note":"{}","measure":{}}}"#,
                sequence.below(1_000),
                sequence.pick(&NOTES),
                sequence.pick(&NUMBERS)
            ),
        );
    }
    json.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::{HashMap, HashSet};

    #[test]
    fn every_document_is_json_with_its_id_and_partition_key() {
        for number in 0..2_000 {
            for revision in [0, 3] {
                let made = document(number, revision);
                let value: Value = serde_json::from_str(&made.json)
                    .unwrap_or_else(|e| panic!("{number}/{revision}: {e}\n{}", made.json));
                assert_eq!(value["id"], made.id.as_str());
                assert_eq!(value["customerId"], made.customer_id.as_str());
                assert_eq!(value["revision"], revision);
                assert_eq!(made.customer_id, document(number, 0).customer_id);
            }
        }
    }

    #[test]
    fn the_documents_do_not_change_between_builds() {
        // A saved position in the demo's feed is only valid for exactly these documents.
        let checksum = (0..10_000).fold(0, |sum, number| {
            crc32c::crc32c_append(sum, document(number, 0).json.as_bytes())
        });
        assert_eq!(checksum, 3_096_534_575, "{}", document(7, 0).json);
    }

    #[test]
    fn ten_thousand_documents_hold_what_breaks_exporters() {
        let mut types: HashMap<String, HashSet<&str>> = HashMap::new();
        let (mut bytes, mut large, mut texts) = (0, 0, String::new());
        for number in 0..10_000 {
            let json = document(number, 0).json;
            bytes += json.len();
            large += usize::from(json.len() > 16_000);
            let Value::Object(fields) = serde_json::from_str(&json).unwrap() else {
                panic!("{json}");
            };
            for (name, value) in fields {
                let kind = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "number",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                };
                types.entry(name).or_default().insert(kind);
            }
            texts.push_str(&json);
        }
        assert_eq!(types["reference"].len(), 5, "{:?}", types["reference"]);
        assert_eq!(types["discount"], HashSet::from(["null", "number"]));
        for text in NUMBERS.iter().chain(&NAMES).chain(&NOTES) {
            assert!(texts.contains(text), "{text}");
        }
        assert_eq!(large, 20);
        assert!((6_000_000..12_000_000).contains(&bytes), "{bytes}");
    }
}
