//! A plan: what an export by many processes reads, written once and never changed.

mod differences;

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::model::FrozenOptions;
use crate::cosmos::position::ensure_of;
use crate::destination::{Output, PartitionBy};
use crate::error::with_hint;
use crate::escape::escape_json;
use crate::feed::{
    ChangeFeedStart, ContainerAddress, FeedMode, FeedRange, Hashes, Piece, PinnedEnd, Position,
    Query, ReadUntil, Weighed, ensure_tiling, is_position, shares,
};
use crate::format::{Compression, CsvOptions, EncoderOptions, Extra, FileAbout, Format, encoders};
use crate::schema::{InferenceOptions, TableForm, TableLayout};

const FORMAT: &str = "cosmos-tail plan";
/// The format that this build writes, and the newest that it reads.
const VERSION: u32 = 1;
/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// Identifies it.
    pub plan_id: uuid::Uuid,
    /// When it was made, by the clock of the machine.
    #[serde(with = "time::serde::rfc3339")]
    pub created: time::OffsetDateTime,
    /// The plan whose ends are its starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<uuid::Uuid>,
    /// What is exported.
    pub source: ContainerAddress,
    /// How its documents are divided among the ranges.
    pub partition_key: KeyDefinition,
    /// What all files have in common.
    pub options: PlannedOptions,
    /// How far each range is read; the mode decides if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<ReadUntil>,
    /// The ranges, in the order of their bounds. They tile the container.
    pub ranges: Vec<PlannedRange>,
}

/// The definition of a partition key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDefinition {
    /// Its paths.
    pub paths: Vec<String>,
    /// Its kind, as the service calls it.
    pub kind: String,
    /// The version of its hashes.
    pub version: u32,
}

/// The options of an export, without where it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedOptions {
    mode: FeedMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<Query>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    masked: bool,
    from: ChangeFeedStart,
    format: Format,
    #[serde(default, skip_serializing_if = "Compression::is_none")]
    compression: Compression,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layout: Option<TableLayout>,
    #[serde(default, skip_serializing_if = "TableForm::is_first")]
    table: TableForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inference: Option<InferenceOptions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    csv: Option<CsvOptions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition_by: Option<PartitionBy>,
}

/// A range of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedRange {
    /// Its bounds.
    pub range: FeedRange,
    /// Where its reading starts; absent for where the options say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Position>,
    /// Where it was when the plan was made; absent for a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<PinnedEnd>,
    /// About how many transactions are between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<u64>,
}

impl From<&FrozenOptions> for PlannedOptions {
    fn from(options: &FrozenOptions) -> Self {
        let options = options.clone();
        Self {
            mode: options.mode,
            query: options.query,
            masked: options.masked,
            from: options.from,
            format: options.format,
            compression: options.compression,
            layout: options.layout,
            table: options.table,
            inference: options.inference,
            csv: options.csv,
            partition_by: options.partition_by,
        }
    }
}

impl PlannedOptions {
    /// Whether files are written alike with both, where those of `self` may leave the columns open.
    pub fn writes_as(&self, found: &Self) -> bool {
        let own = Self {
            from: found.from,
            layout: self.layout.clone().or_else(|| found.layout.clone()),
            ..self.clone()
        };
        own == *found
    }

    /// How far each range is read if nothing says so.
    pub fn read_until(&self) -> ReadUntil {
        self.mode.read_until()
    }

    /// Which feed is read.
    pub fn mode(&self) -> FeedMode {
        self.mode
    }

    /// Whether each document has only its latest version.
    pub fn is_of_latest(&self) -> bool {
        self.mode == FeedMode::LatestVersion
    }

    /// The options of an export to `output`.
    pub fn frozen(&self, output: Output) -> FrozenOptions {
        let options = self.clone();
        FrozenOptions {
            mode: options.mode,
            snapshot: false,
            scope: crate::feed::Scope::default(),
            query: options.query,
            masked: options.masked,
            from: options.from,
            format: options.format,
            compression: options.compression,
            layout: options.layout,
            table: options.table,
            inference: options.inference,
            csv: options.csv,
            // A stream has no directories.
            partition_by: options
                .partition_by
                .filter(|_| output.has_series_of_ranges()),
            output,
            records: None,
        }
    }
}

/// The text around a plan: enough to know whether it can be read at all.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    format: String,
    version: u32,
    /// The checksum of the text of `plan`.
    #[serde(with = "crate::destination::checksum_text")]
    crc32c: u32,
    #[serde(borrow)]
    plan: &'a RawValue,
}

impl PlanFile {
    /// The text of its file.
    ///
    /// # Errors
    ///
    /// If what must hold for every plan does not.
    pub fn text(&self) -> Result<String> {
        self.check()?;
        Ok(String::from_utf8(self.render()?)?)
    }

    fn render(&self) -> Result<Vec<u8>> {
        // It may be printed.
        let text = serde_json::to_string_pretty(self)?;
        let body = RawValue::from_string(escape_json(&text).into_owned())?;
        let envelope = Envelope {
            format: FORMAT.to_owned(),
            version: VERSION,
            crc32c: crc32c::crc32c(body.get().as_bytes()),
            plan: &body,
        };
        let mut text = serde_json::to_vec(&envelope)?;
        text.push(b'\n');
        Ok(text)
    }

    /// The plan in a text.
    ///
    /// # Errors
    ///
    /// If it is no plan, of a newer version, or was changed.
    pub fn parse(text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: String,
            version: u32,
        }
        let damaged = |reason: String| {
            with_hint(
                anyhow!("{reason}"),
                "a plan is used as it was written: restore it, or make another one for another output",
            )
        };
        let json = |error: serde_json::Error| damaged(error.to_string());
        // The version first: a newer format need not have anything else in common with this one.
        let version: Version = serde_json::from_slice(text).map_err(json)?;
        if version.format != FORMAT {
            return Err(with_hint(
                anyhow!("it is not marked as a plan of cosmos-tail"),
                "`cosmos-tail plan` writes plans",
            ));
        }
        if version.version > VERSION {
            return Err(with_hint(
                anyhow!(
                    "plan format {} is newer than this build supports ({VERSION})",
                    version.version
                ),
                "all shards of a plan run with a build that can read it: upgrade cosmos-tail",
            ));
        }
        let envelope: Envelope = serde_json::from_slice(text).map_err(json)?;
        let found = crc32c::crc32c(envelope.plan.get().as_bytes());
        if found != envelope.crc32c {
            return Err(damaged(format!(
                "it was changed after it was written: its checksum is {found:08x}, but {:08x} is recorded",
                envelope.crc32c
            )));
        }
        let plan: Self = serde_json::from_str(envelope.plan.get()).map_err(json)?;
        plan.check()
            .map_err(|error| damaged(format!("{error:#}")))?;
        Ok(plan)
    }

    /// Checks what must hold for every plan.
    fn check(&self) -> Result<()> {
        for planned in &self.ranges {
            FeedRange::new(&planned.range.min_inclusive, &planned.range.max_exclusive)?;
            if let Some(start) = &planned.start {
                ensure_of(&start.token, &self.source.container_rid, &planned.range)
                    .with_context(|| format!("the start of the range {}", planned.range))?;
            }
            ensure!(
                planned.end.is_some() || self.options.query.is_some(),
                "the range {} has no end",
                planned.range
            );
            if let Some(end) = planned
                .end
                .as_ref()
                .filter(|_| self.options.query.is_none())
            {
                ensure!(
                    is_position(&end.etag),
                    "the end of the range {} is no position",
                    planned.range
                );
                let start = planned.start.as_ref().and_then(|start| start.lsn);
                ensure!(
                    self.until != Some(ReadUntil::Exact) || end.lsn() >= start,
                    "the range {} ends before its start",
                    planned.range
                );
            }
            ensure!(
                planned.end.as_ref().is_none_or(|end| end.reached.is_none()),
                "the range {} was read already",
                planned.range
            );
        }
        ensure!(
            self.ranges.is_sorted_by(|a, b| a.range < b.range),
            "its ranges are not in the order of their bounds"
        );
        ensure_tiling(
            &FeedRange::full(),
            self.ranges.iter().map(|planned| &planned.range),
        )
    }

    /// The columns of the documents, if its files have columns.
    pub fn layout(&self) -> Option<&TableLayout> {
        self.options.layout.as_ref()
    }

    /// All columns of its files, as a stream of Arrow without rows; none if its files have no columns.
    ///
    /// # Errors
    ///
    /// If they do not make a stream.
    pub fn arrow_schema(&self) -> Result<Option<Vec<u8>>> {
        let Some(known) = &self.options.layout else {
            return Ok(None);
        };
        let layout = Arc::new(OnceLock::new());
        layout.set(known.clone()).ok();
        let encoder = encoders(EncoderOptions {
            format: Format::Arrow,
            is_stream: true,
            mode: self.options.mode,
            compression: Compression::None,
            csv: CsvOptions::default(),
            row_group_bytes: u64::MAX,
            partition_key_paths: self.partition_key.paths.clone(),
            layout,
            form: self.options.table,
            extra: Extra::default(),
        });
        let about = FileAbout {
            export_id: self.plan_id,
            container: &self.source.container,
            start: &[],
            end: &[],
        };
        let (mut encoder, mut stream) = (encoder()?, Vec::new());
        encoder.begin(&about, &mut stream)?;
        encoder.finish(&about, &mut stream)?;
        Ok(Some(stream))
    }

    /// The range that `part` is in, or that it begins in.
    pub fn range_of(&self, part: &FeedRange) -> Option<&PlannedRange> {
        let after = self
            .ranges
            .partition_point(|planned| planned.range.min_inclusive <= part.min_inclusive);
        self.ranges[..after].last()
    }

    /// What is read instead of the feed, if it is a query.
    pub fn query(&self) -> Option<&Query> {
        self.options.query.as_ref()
    }

    /// The extension of its files, without a dot.
    pub fn extension(&self) -> &'static str {
        self.options.format.extension(self.options.compression)
    }

    /// Whether masked values are wanted.
    pub fn is_masked(&self) -> bool {
        self.options.masked
    }

    /// How the ranges are dealt to `count` shards.
    ///
    /// # Errors
    ///
    /// If they cannot be cut into so many.
    pub fn shares(&self, count: u32) -> Result<Vec<Vec<Piece>>> {
        let weighed: Vec<Weighed<'_>> = self
            .ranges
            .iter()
            .map(|planned| Weighed {
                range: &planned.range,
                weight: planned.transactions.unwrap_or_default(),
            })
            .collect();
        let hashes = match self.partition_key.version {
            1 => Hashes::First,
            _ => Hashes::Second,
        };
        shares(&weighed, count, hashes)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cosmos::token::token_at;
    use crate::state::file::tests::sample;

    pub(crate) fn plan() -> PlanFile {
        let state = sample();
        PlanFile {
            plan_id: uuid::Uuid::from_u128(7),
            created: time::macros::datetime!(2026-11-28 12:00 UTC),
            after: None,
            source: state.source,
            partition_key: KeyDefinition {
                paths: vec!["/pk".into()],
                kind: "Hash".into(),
                version: 2,
            },
            options: PlannedOptions::from(&state.options),
            until: None,
            ranges: [("", "20"), ("20", "FF")]
                .map(|(min, max)| PlannedRange {
                    range: FeedRange::new(min, max).unwrap(),
                    start: None,
                    end: Some(PinnedEnd {
                        etag: "\"40\"".into(),
                        partition: Some("0".into()),
                        pinned_at: time::macros::datetime!(2026-11-28 12:00 UTC),
                        tokens_compare: true,
                        known_lsn: None,
                        reached: None,
                    }),
                    transactions: Some(40),
                })
                .into(),
        }
    }

    #[test]
    fn a_plan_that_was_changed_is_refused() {
        let text = String::from_utf8(plan().render().unwrap()).unwrap();
        let refused = |text: &str| format!("{:#}", PlanFile::parse(text.as_bytes()).unwrap_err());
        for (text, why) in [
            (text.replace("40", "41"), "was changed after it was written"),
            (text[..text.len() / 2].to_owned(), "EOF"),
            (String::new(), "EOF"),
            (text.replace("\"version\":1", "\"version\":2"), "newer"),
            (
                text.replace("cosmos-tail plan", "cosmos-tail state"),
                "not marked",
            ),
            (
                r#"{"format":"cosmos-tail plan","version":9,"else":1}"#.to_owned(),
                "plan format 9 is newer",
            ),
        ] {
            let error = refused(&text);
            assert!(error.contains(why), "{error}");
        }
        // Even with the right checksum.
        for etag in ["", "*", "\"*\"", "\" \""] {
            let mut nowhere = plan();
            nowhere.ranges[1].end.as_mut().unwrap().etag = etag.to_owned();
            let text = String::from_utf8(nowhere.render().unwrap()).unwrap();
            assert!(refused(&text).contains("no position"), "{etag}");
        }
        let mut back = plan();
        back.until = Some(ReadUntil::Exact);
        let rid = back.source.container_rid.clone();
        let range = back.ranges[0].range.clone();
        let start = |lsn: u64| Position {
            token: token_at(&rid, back.options.mode, &range, &format!("\"{lsn}\"")),
            lsn: Some(lsn),
        };
        let (at, beyond) = (start(40), start(41));
        back.ranges[0].start = Some(at);
        let text = String::from_utf8(back.render().unwrap()).unwrap();
        PlanFile::parse(text.as_bytes()).unwrap();
        back.ranges[0].start = Some(beyond);
        let text = String::from_utf8(back.render().unwrap()).unwrap();
        assert!(refused(&text).contains("ends before its start"));
        let mut gap = plan();
        gap.ranges.pop();
        let text = String::from_utf8(gap.render().unwrap()).unwrap();
        assert!(refused(&text).contains("feed ranges end at `20`"));
        for end in 0..text.len().min(400) {
            refused(&text[..end]);
        }
    }
}
