//! Changes rendered for a person or a script, up to a number or a time.

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
pub struct ChangeEncoder {
    renderer: Renderer,
    /// Asks for the width to which lines are cut, if that may change.
    width: Option<AskWidth>,
    limits: Limits,
    shown: u64,
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
            complain,
        }
    }

    /// Has lines cut to the width that `ask` returns, which is called for each page: a terminal can be resized.
    pub fn with_width(self, ask: Option<AskWidth>) -> Self {
        Self { width: ask, ..self }
    }

    /// Makes it the encoder of the only series of a tail.
    pub fn into_encoders(self) -> Box<NewEncoder> {
        let only = std::sync::Mutex::new(Some(self));
        Box::new(move || {
            let encoder = only
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .take();
            match encoder {
                Some(encoder) => Ok(Box::new(encoder) as Box<dyn Encoder>),
                None => anyhow::bail!("a tail writes a single series"),
            }
        })
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
            is_whole: true,
        };
        if let Some(ask) = self.width {
            self.renderer.set_width(ask());
        }
        for item in page.items() {
            if self.limits.max.is_some_and(|max| self.shown >= max) {
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
        if self.limits.max.is_some_and(|max| self.shown >= max) {
            self.limits.reached.cancel();
        }
        Ok(encoded)
    }
}
