//! Changes rendered for a person or a script, up to a number or a time.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Result;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::encoder::{Encoded, Encoder, NewEncoder};
use crate::feed::RangeId;
use crate::feed::page::Page;
use crate::render::Renderer;

/// Where the shown changes end.
#[derive(Debug, Clone)]
pub struct Limits {
    /// After this many.
    pub max: Option<u64>,
    /// With the last change that is not after this time.
    pub until: Option<OffsetDateTime>,
    /// Cancelled once `max` have been shown.
    pub reached: CancellationToken,
}

/// Asks the terminal for its width.
pub type AskWidth = fn() -> Option<usize>;

/// Renders changes, up to the limits.
#[derive(Clone)]
pub struct ChangeEncoder {
    renderer: Renderer,
    /// Asks for the width to which lines are cut, if that may change.
    width: Option<AskWidth>,
    limits: Limits,
    shown: u64,
    /// Ranges of which something was left out. Nothing after it moves their positions.
    cut: HashSet<RangeId>,
    /// Reports a document that could not be shown.
    complain: Arc<dyn Fn(&str) + Send + Sync>,
}

impl ChangeEncoder {
    /// An encoder that renders with `renderer`, and calls `complain` for documents that could not be shown.
    pub fn new(
        renderer: Renderer,
        limits: Limits,
        complain: Arc<dyn Fn(&str) + Send + Sync>,
    ) -> Self {
        Self {
            renderer,
            width: None,
            limits,
            shown: 0,
            cut: HashSet::new(),
            complain,
        }
    }

    /// Has lines cut to the width that `ask` returns, which is called for each page: a terminal can be resized.
    pub fn with_width(self, ask: Option<AskWidth>) -> Self {
        Self { width: ask, ..self }
    }

    /// Makes it the encoder of each series of a tail. Limits need a tail that has one series.
    pub fn into_encoders(self) -> Box<NewEncoder> {
        let model = std::sync::Mutex::new(self);
        Box::new(move || {
            let model = model
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            Ok(Box::new(model.clone()) as Box<dyn Encoder>)
        })
    }

    /// Whether `max` changes have been shown.
    fn is_full(&self) -> bool {
        self.limits.max.is_some_and(|max| self.shown >= max)
    }

    fn is_after_the_end(&self, seconds: Option<i64>) -> bool {
        match (self.limits.until, seconds) {
            (Some(until), Some(seconds)) => seconds > until.unix_timestamp(),
            _ => false,
        }
    }
}

impl Encoder for ChangeEncoder {
    fn makes_rows(&self, page: &Page) -> bool {
        !page.is_empty()
    }

    fn is_for_terminals(&self) -> bool {
        true
    }

    fn encode(&mut self, range: RangeId, page: &Page, out: &mut Vec<u8>) -> Result<Encoded> {
        let mut encoded = Encoded {
            rows: 0,
            overflowed: 0,
            dropped: 0,
            // Not even an empty page moves a position past what was left out of an earlier one.
            is_whole: !self.is_full() && !self.cut.contains(&range),
        };
        if let Some(ask) = self.width {
            self.renderer.set_width(ask());
        }
        for item in page.items() {
            if self.is_full() {
                encoded.is_whole = false;
                break;
            }
            if self.limits.until.is_some() && self.is_after_the_end(item.seconds()) {
                encoded.is_whole = false;
                continue;
            }
            match self.renderer.render(item, range, out) {
                Ok(true) => {
                    encoded.rows += 1;
                    self.shown += 1;
                }
                Ok(false) => {}
                Err(message) => (self.complain)(&message),
            }
        }
        if !encoded.is_whole {
            self.cut.insert(range);
        }
        if self.is_full() {
            self.limits.reached.cancel();
        }
        Ok(encoded)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::render::{ChangeFormat, RenderOptions};

    fn encoder(max: Option<u64>, until: Option<i64>) -> ChangeEncoder {
        let options = RenderOptions {
            format: ChangeFormat::Json,
            ..RenderOptions::default()
        };
        let limits = Limits {
            max,
            until: until.map(|seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap()),
            reached: CancellationToken::new(),
        };
        ChangeEncoder::new(Renderer::new(options), limits, Arc::new(|_| {}))
    }

    /// Encodes pages of documents that were written at these times; an empty one is a move of the position alone.
    /// Returns which of them are whole.
    fn whole(mut encoder: ChangeEncoder, pages: &[(u32, &[i64])]) -> Vec<bool> {
        let encode = |(range, times): &(u32, &[i64])| {
            let documents: Vec<String> = times
                .iter()
                .map(|time| format!(r#"{{"id":"a","_ts":{time}}}"#))
                .collect();
            let body = format!(r#"{{"Documents":[{}]}}"#, documents.join(","));
            let page = match times {
                [] => Page::default(),
                _ => Page::parse(Bytes::from(body)).unwrap(),
            };
            let encoded = encoder.encode(RangeId(*range), &page, &mut Vec::new());
            encoded.unwrap().is_whole
        };
        pages.iter().map(encode).collect()
    }

    #[test]
    fn nothing_is_whole_after_the_last_change_that_is_shown() {
        let cut = whole(
            encoder(Some(3), None),
            &[(0, &[1, 1]), (0, &[1, 1]), (0, &[]), (1, &[])],
        );
        assert_eq!(cut, [true, false, false, false]);
        let even = whole(encoder(Some(2), None), &[(0, &[1, 1]), (0, &[]), (0, &[1])]);
        assert_eq!(even, [true, false, false]);
    }

    #[test]
    fn nothing_of_a_range_is_whole_after_a_change_that_is_too_late() {
        let pages: [(u32, &[i64]); 4] = [(0, &[5, 6]), (0, &[]), (1, &[5]), (1, &[])];
        assert_eq!(
            whole(encoder(None, Some(5)), &pages),
            [false, false, true, true]
        );
    }
}
