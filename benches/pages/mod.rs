//! Pages for benches: 1,000 different documents of three kinds: mostly text, mostly numbers, deeply nested.
//! All documents of a kind have one schema and random values. All are in envelopes, as the service sends
//! them.

use std::fmt::Write as _;

use bytes::Bytes;

const WORDS: [&str; 16] = [
    "invoice",
    "a",
    "of",
    "Zürich",
    "shipment",
    "is",
    "late",
    "\\n",
    "tomorrow",
    "customer",
    "warehouse",
    "the",
    "payment",
    "€",
    "delivered",
    "and",
];

fn sentence(out: &mut String, random: &mut fastrand::Rng, words: usize) {
    for _ in 0..words {
        out.push_str(WORDS[random.usize(..WORDS.len())]);
        out.push(' ');
    }
}

fn text_member(out: &mut String, random: &mut fastrand::Rng, number: usize) {
    let words = if number % 8 == 7 { 50 } else { 1 + number % 4 };
    write!(out, ",\"field{number}\":\"").unwrap();
    sentence(out, random, words);
    out.push('"');
}

fn number_member(out: &mut String, random: &mut fastrand::Rng, number: usize) {
    match number % 4 {
        0 => write!(out, ",\"n{number}\":{}", random.u32(..)),
        1 => write!(out, ",\"n{number}\":{:.4}", random.f64() * 1e3 - 500.0),
        2 => write!(out, ",\"n{number}\":{}", random.u8(..)),
        _ => write!(
            out,
            ",\"n{number}\":[{},{},{},{}]",
            random.u16(..),
            random.i8(..),
            random.f32(),
            random.bool()
        ),
    }
    .unwrap();
}

fn nested_member(out: &mut String, random: &mut fastrand::Rng, number: usize) {
    write!(out, ",\"o{number}\":").unwrap();
    let depth = 1 + number % 5;
    for level in 0..depth {
        write!(
            out,
            "{{\"level\":{level},\"tags\":[\"a\",null,{{}}],\"in\":"
        )
        .unwrap();
    }
    write!(out, "[{{\"ok\":{}}}]", random.bool()).unwrap();
    out.push_str(&"}".repeat(depth));
}

/// Adds a member, of this number, to a document.
pub(crate) type AddMember = fn(&mut String, &mut fastrand::Rng, usize);

/// The kinds of documents.
pub(crate) const KINDS: [(&str, AddMember); 3] = [
    ("text", text_member),
    ("numbers", number_member),
    ("nested", nested_member),
];

/// A page of documents of about `size` bytes.
pub(crate) fn page(size: usize, add_member: AddMember) -> Bytes {
    let mut random = fastrand::Rng::with_seed(7);
    let mut body = String::from("{\"_rid\":\"Gz8AAI1vXh4=\",\"Documents\":[");
    for item in 0..1000 {
        body.push_str(if item == 0 { "" } else { "," });
        body.push_str("{\"current\":");
        let start = body.len();
        write!(
            body,
            "{{\"id\":\"{:032x}\",\"pk\":\"tenant-{}\"",
            random.u128(..),
            item % 17
        )
        .unwrap();
        // The members that the service adds, and the metadata, count towards the size.
        let target = start + size.saturating_sub(120);
        let mut number = 0;
        while body.len() < target {
            add_member(&mut body, &mut random, number);
            number += 1;
        }
        write!(
            body,
            ",\"_rid\":\"Gz8AAI1vXh4{item:05}AAAA==\",\"_etag\":\"\\\"{:08x}-0000-0700-0000-66f2a8b1\\\"\",\"_ts\":{}}}",
            random.u32(..),
            1_720_000_000 + item
        )
        .unwrap();
        write!(
            body,
            ",\"metadata\":{{\"lsn\":{item},\"crts\":1720322460}}}}"
        )
        .unwrap();
    }
    body.push_str("],\"_count\":1000}");
    Bytes::from(body)
}
