//! The seam between pages and bytes: one encoder for each format.

use anyhow::Result;

use crate::feed::RangeId;
use crate::feed::page::{self, Page};
use crate::state::model::Format;

/// Turns pages into the bytes of a file or a stream.
pub trait Encoder: Send {
    /// Appends the changes of a page of `range` to `out`.
    ///
    /// # Errors
    ///
    /// If a document cannot be represented in the format.
    fn encode(&mut self, range: RangeId, page: &Page, out: &mut Vec<u8>) -> Result<Encoded>;
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded {
    /// Rows that were appended.
    pub rows: u64,
    /// Whether the whole page was dealt with. If not, the position must not move past it.
    pub is_whole: bool,
}

/// Makes an encoder for each series.
pub type NewEncoder = dyn Fn() -> Box<dyn Encoder> + Send + Sync;

/// Makes encoders of `format`.
pub fn encoders(format: Format) -> Box<NewEncoder> {
    match format {
        Format::Jsonl => Box::new(|| Box::new(Jsonl)),
    }
}

/// One document per line, byte for byte as the service sent it. Only line breaks between tokens,
/// which would tear a line apart, become spaces.
struct Jsonl;

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
        Ok(Encoded {
            rows,
            is_whole: true,
        })
    }
}
