//! The seam between pages and bytes: one encoder for each format.

use anyhow::Result;

use crate::feed::page::{self, Page};
use crate::state::model::Format;

/// Turns pages into the bytes of a file.
pub trait Encoder: Send {
    /// Appends the documents of `page` to `out`. Returns how many rows that were.
    ///
    /// # Errors
    ///
    /// If a document cannot be represented in the format.
    fn encode(&mut self, page: &Page, out: &mut Vec<u8>) -> Result<u64>;
}

/// The encoder of `format`.
pub(super) fn encoder(format: Format) -> Box<dyn Encoder> {
    match format {
        Format::Jsonl => Box::new(Jsonl),
    }
}

/// One document per line, byte for byte as the service sent it. Only line breaks between tokens,
/// which would tear a line apart, become spaces.
struct Jsonl;

impl Encoder for Jsonl {
    fn encode(&mut self, page: &Page, out: &mut Vec<u8>) -> Result<u64> {
        out.reserve(page.body_len());
        let mut rows = 0;
        for item in page.items() {
            let Some(document) = item.current() else {
                continue;
            };
            page::write_line(document, item.has_line_break(), out);
            rows += 1;
        }
        Ok(rows)
    }
}
