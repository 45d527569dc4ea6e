//! Any body as a page: it is refused, or serde_json accepts it as JSON too, and its items are its documents,
//! byte for byte. A body that is refused for its grammar is refused by serde_json too.
#![no_main]

use bytes::Bytes;
use cosmos_tail::feed::page::{Page, PageErrorKind, write_line};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|body: &[u8]| {
    let page = match Page::parse(Bytes::copy_from_slice(body)) {
        Ok(page) => page,
        Err(error) if is_of_pages(error.kind()) => return,
        Err(error) => {
            let json = serde_json::from_slice::<&RawValue>(body);
            assert!(json.is_err(), "{error}, but it is JSON");
            return;
        }
    };
    if body.is_empty() {
        return;
    }
    let text = std::str::from_utf8(body).expect("a page is UTF-8");
    let _whole: &RawValue = serde_json::from_str(text).expect("a page is JSON");
    let mut line = Vec::new();
    for item in page.items() {
        let json = std::str::from_utf8(item.json()).expect("an item is UTF-8");
        let raw: &RawValue = serde_json::from_str(json).expect("an item is JSON");
        assert_eq!(raw.get(), json, "an item has nothing around it");
        let Some(document) = item.document() else {
            continue;
        };
        line.clear();
        write_line(document, item.has_line_break(), &mut line);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        assert!(!line.contains(&b'\n'), "a document is one line");
        let line: &RawValue = serde_json::from_slice(line).expect("a line is JSON");
        assert_eq!(
            line.get().len(),
            document.len(),
            "nothing is added or left out"
        );
    }
});

/// Whether JSON may be refused as a page for this.
fn is_of_pages(kind: PageErrorKind) -> bool {
    matches!(
        kind,
        PageErrorKind::NotAnObject
            | PageErrorKind::NoDocuments
            | PageErrorKind::DocumentsTwice
            | PageErrorKind::DocumentsNotAnArray
            | PageErrorKind::EnvelopeMemberTwice
    )
}
