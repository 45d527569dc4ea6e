//! JSON lines: documents and changes as the service sent them.

use anyhow::Result;

use super::encoder::{Encoded, Encoder};
use crate::feed::RangeId;
use crate::feed::page::{self, Page};

/// One document per line, byte for byte as the service sent it. Only line breaks between tokens, which would
/// break the line, become spaces.
pub(super) struct Jsonl;

impl Encoder for Jsonl {
    fn encode(&mut self, _: RangeId, page: &Page, out: &mut Vec<u8>) -> Result<Encoded> {
        out.reserve(page.body_len());
        let mut rows = 0;
        for item in page.items() {
            let Some(document) = item.document() else {
                continue;
            };
            page::write_line(document, item.has_line_break(), out);
            rows += 1;
        }
        Ok(Encoded::whole(rows))
    }
}

/// One change per line in its envelope, byte for byte as the service sent it. A deletion has nothing but its
/// envelope.
pub(super) struct JsonlOfChanges;

impl Encoder for JsonlOfChanges {
    fn makes_rows(&self, page: &Page) -> bool {
        !page.is_empty()
    }

    fn encode(&mut self, _: RangeId, page: &Page, out: &mut Vec<u8>) -> Result<Encoded> {
        out.reserve(page.body_len());
        for item in page.items() {
            page::write_line(item.json(), item.has_line_break(), out);
        }
        Ok(Encoded::whole(page.len() as u64))
    }
}
