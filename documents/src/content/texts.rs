//! Whether two sides have the same texts, whatever their order: for the target without a look at what is in them.
//!
//! The source is checked. A document of the target is taken for its text without the system fields that are written at its
//! end, if that is how it ends. If that is the text of a document of the source, it is valid, and with these fields it is
//! the document of the target: so its key and its content are known without being looked for.

use super::hashes::Hashes;
use crate::feed::page::SYSTEM_FIELDS;

/// The texts of a side: how many there are, and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Texts {
    /// How many there are.
    pub documents: u64,
    sum: u128,
}

impl Texts {
    /// Adds a text by its hash.
    #[inline]
    pub fn add(&mut self, text: u128) {
        self.documents += 1;
        self.sum = self.sum.wrapping_add(text);
    }
}

/// The hash of the text of a document, of which nothing is known; none if it does not end with members that the service
/// adds, written as the service writes them.
pub fn hash_of_text(hashes: &Hashes, document: &[u8]) -> Option<u128> {
    without_last_fields(document).map(|text| hashes.content(text))
}

/// The members of a document before the system fields at its end. If these members are valid, as those of an object without
/// system fields, so is the document, and they are its [text](super::text).
fn without_last_fields(document: &[u8]) -> Option<&[u8]> {
    let [b'{', members @ .., b'}'] = document else {
        return None;
    };
    let mut kept = members;
    while let Some(before) = before_field(kept) {
        kept = before;
    }
    let is_cut = kept.len() < members.len();
    let is_close = kept.first() == Some(&b'"') && kept.last().is_some_and(|last| *last > b' ');
    (is_cut && is_close).then_some(kept)
}

/// What is before the last member and the comma before it, if that is a system field whose value is a string or a number.
fn before_field(members: &[u8]) -> Option<&[u8]> {
    let before = match members {
        [before @ .., b'"'] => before_string(before)?,
        _ => before_digits(members)?,
    };
    let named = before.strip_suffix(b"\":")?;
    let field = SYSTEM_FIELDS
        .iter()
        .find(|field| named.ends_with(field.as_bytes()))?;
    named[..named.len() - field.len()].strip_suffix(b",\"")
}

/// What is before a string of ASCII whose end this is, without its closing quote. Nothing but quotes is escaped in it.
fn before_string(text: &[u8]) -> Option<&[u8]> {
    let mut end = text.len();
    let start = loop {
        let quote = memchr::memrchr(b'"', &text[..end])?;
        if quote == 0 || text[quote - 1] != b'\\' {
            break quote;
        }
        end = quote - 1;
    };
    let inner = &text[start + 1..];
    if !inner.iter().all(|byte| matches!(byte, b' '..=0x7f)) {
        return None;
    }
    // Each backslash is the one before a quote that was passed.
    if let Some(first) = memchr::memchr(b'\\', inner) {
        let mut rest = &inner[first..];
        while let Some((byte, after)) = rest.split_first() {
            rest = match byte {
                b'\\' => after.strip_prefix(b"\"")?,
                _ => after,
            };
        }
    }
    Some(&text[..start])
}

/// What is before the digits of a whole number at the end.
fn before_digits(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let (before, number) = text.split_at(text.len() - digits.count());
    match number {
        [] | [b'0', _, ..] => None,
        _ => Some(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::text::kept_text;
    use proptest::prelude::*;

    fn cut(document: &str) -> Option<&str> {
        without_last_fields(document.as_bytes()).map(|text| std::str::from_utf8(text).unwrap())
    }

    fn kept(document: &str) -> Option<Vec<u8>> {
        let mut joined = Vec::new();
        let kept = kept_text(document.as_bytes(), &mut joined, |_| ()).ok()?;
        Some(kept.to_vec())
    }

    #[test]
    fn fields_of_the_service_are_cut_off_where_they_end_a_document() {
        for (document, expected) in [
            (
                r#"{"id":"1","_rid":"r==","_self":"dbs/","_etag":"\"0-1\"","_attachments":"a/","_ts":17}"#,
                r#""id":"1""#,
            ),
            (r#"{"a":1,"_ts":0}"#, r#""a":1"#),
            (r#"{"a":{"_ts":1},"_ts":2}"#, r#""a":{"_ts":1}"#),
            (r#"{"a":1,"_etag":""}"#, r#""a":1"#),
            (r#"{"a":"\"_ts\":1","_ts":2}"#, r#""a":"\"_ts\":1""#),
            // What is before them is not looked at.
            (
                r#"{"_ts":1,"a":nonsense,"_ts":2}"#,
                r#""_ts":1,"a":nonsense"#,
            ),
        ] {
            assert_eq!(cut(document), Some(expected), "{document}");
        }
        for document in [
            "",
            "{}",
            "{",
            r#"{"_ts":5}"#,
            r#"{"a":1}"#,
            r#"{"a":1,"_ts":05}"#,
            r#"{"a":1,"_ts":-5}"#,
            r#"{"a":1,"_ts":5.0}"#,
            r#"{"a":1,"_ts":}"#,
            r#"{"a":1,"_ts":5 }"#,
            r#"{"a":1,"_ts": 5}"#,
            r#"{"a":1 ,"_ts":5}"#,
            r#"{ "a":1,"_ts":5}"#,
            r#"{"a":1, "_ts":5}"#,
            r#"{"a":1,"x_ts":5}"#,
            r#"{"a":1,"x\"_ts":5}"#,
            r#"{"a":1,"_etag":"\n"}"#,
            r#"{"a":1,"_etag":"é"}"#,
            r#"{"a":1,"_etag":"\\"}"#,
            r#"{"a":1,"_etag":"\"}"#,
            r#"{"a":1,"_etag":"}"#,
            r#"{"a":1,"_etag":null}"#,
            "{\"a\":1,\"_etag\":\"\t\"}",
        ] {
            assert_eq!(cut(document), None, "{document}");
        }
    }

    /// Members of documents, few enough that texts are often the same.
    fn members() -> impl Strategy<Value = String> {
        let member = proptest::sample::select(vec![
            r#""id":"1""#,
            r#""a":1"#,
            r#""a":"\"""#,
            r#""a":"\\""#,
            r#""a":",\"_ts\":5""#,
            r#""a":",\"_etag\":\"""#,
            r#""_ts":5"#,
            r#""\u005fts":5"#,
            r#""_ts":"x""#,
            r#""_etag":"\"5\"""#,
            r#""_etag":"\\""#,
            r#""_etag":"""#,
            r#""_rid":[1]"#,
            r#""x_ts":5"#,
            r#""_ts":{"_ts":5}"#,
            r#""a":[{"_ts":5}]"#,
            // No members at all.
            r#"_ts":5"#,
            r#""a":"#,
            r#""_etag":"\"#,
            r#"""#,
            "",
        ]);
        let between = proptest::sample::select(vec![",", ",", ",", ",", " ,", ", ", ""]);
        proptest::collection::vec((member, between), 0..6)
            .prop_map(|members| members.into_iter().map(|(a, b)| [a, b].concat()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// If the text of a document of the target is that of a valid one, then so is the document, and it is its text.
        #[test]
        fn a_text_that_a_valid_document_has_is_that_of_a_valid_document(own in members(), other in members()) {
            let target = format!("{{{}}}", own.trim_end_matches(','));
            if let Some(cut) = cut(&target) {
                let sources = [format!("{{{}}}", other.trim_end_matches(',')), format!("{{{cut}}}")];
                for source in sources.iter().filter_map(|source| kept(source)) {
                    if source == cut.as_bytes() {
                        prop_assert_eq!(kept(&target), Some(source), "{}", target);
                        prop_assert!(serde_json::from_str::<serde_json::Value>(&target).is_ok(), "{}", target);
                    }
                }
            }
        }

        #[test]
        fn what_the_service_adds_is_always_cut(a in 0_u32.., etag in "[ -~&&[^\\\\\"]]{0,20}", has_quotes in any::<bool>()) {
            let quote = if has_quotes { "\\\"" } else { "" };
            let document = format!(
                r#"{{"id":"1","a":{a},"_rid":"{etag}","_etag":"{quote}{etag}{quote}","_ts":{a}}}"#
            );
            prop_assert_eq!(cut(&document).map(|text| text.as_bytes().to_vec()), kept(&document));
        }
    }

    #[test]
    fn sums_tell_texts_apart_whatever_their_order_is() {
        let texts = |all: &[&str], hashes: &Hashes| {
            let mut texts = Texts::default();
            for text in all {
                texts
                    .add(hash_of_text(hashes, format!("{{{text},\"_ts\":1}}").as_bytes()).unwrap());
            }
            texts
        };
        let planted = |hashes: &Hashes| {
            let whole = texts(&[r#""a":1"#, r#""a":2"#, r#""a":3"#], hashes);
            let is_same = |all: &[&str]| texts(all, hashes) == whole;
            [
                is_same(&[r#""a":3"#, r#""a":1"#, r#""a":2"#]),
                !is_same(&[r#""a":1"#, r#""a":2"#]),
                !is_same(&[r#""a":1"#, r#""a":2"#, r#""a":3"#, r#""a":3"#]),
                !is_same(&[r#""a":1"#, r#""a":2"#, r#""a":4"#]),
                !is_same(&[r#""a":1"#, r#""a":1"#, r#""a":4"#]),
            ]
        };
        assert_eq!(planted(&Hashes::random()), [true; 5]);
        // A hash that does not see the content is found by the same plants.
        let mut broken = Hashes::random();
        broken.ignores_content = true;
        assert_eq!(planted(&broken), [true, true, true, false, false]);
    }
}
