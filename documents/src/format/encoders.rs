//! The encoder of each format.

use super::arrow::Arrow;
use super::csv::Csv;
use super::encoder::{EncoderOptions, NewEncoder};
use super::jsonl::{Jsonl, JsonlOfChanges};
use super::options::Format;
use super::parquet::Parquet;
use crate::feed::FeedMode;

/// Makes encoders as `options` say.
pub fn encoders(options: EncoderOptions) -> Box<NewEncoder> {
    Box::new(move || {
        Ok(match (options.format, options.mode) {
            (Format::Jsonl, FeedMode::LatestVersion) => Box::new(Jsonl),
            (Format::Jsonl, FeedMode::AllVersionsAndDeletes) => Box::new(JsonlOfChanges),
            (Format::Csv, _) => Box::new(Csv::new(&options)),
            (Format::Arrow, _) => Box::new(Arrow::new(&options)?),
            (Format::Parquet, _) => Box::new(Parquet::new(&options)),
        })
    })
}
