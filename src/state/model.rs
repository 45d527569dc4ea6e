//! What a state file holds.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::cosmos::retry::RetryLimit;
use crate::destination::names::FileNames;
use crate::destination::{
    Committed, FileState, Inheritance, ManifestMark, Output, Recovery, SeriesState,
};
use crate::feed::{
    ChangeFeedStart, ContainerAddress, Ends, FeedMode, FeedRange, RangeId, RangeSet, RangeState,
    ReachedEnd, ReadUntil, Scope,
};
use crate::format::{Compression, CsvOptions, Format};
use crate::schema::{InferenceOptions, TableLayout};

/// The format of states that this build writes, and the newest that it reads.
pub const VERSION: u32 = 2;

/// The whole of what is committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// What it is the state of.
    pub kind: JobKind,
    /// Identifies the export; it stands in its manifest too.
    pub export_id: uuid::Uuid,
    /// Counts the commits, from 1.
    pub generation: u64,
    /// When the export began, by this machine's clock; for the reader of the file only.
    #[serde(with = "time::serde::rfc3339")]
    pub created: time::OffsetDateTime,
    /// What is exported.
    pub source: ContainerAddress,
    /// What may not change while the export lives.
    pub options: FrozenOptions,
    /// What a resume takes over unless it is told otherwise.
    pub settings: Settings,
    /// Whether every range has been read to its end.
    pub finished: bool,
    /// The ranges being read, as `ranges` and `next_range`. They tile the scope.
    #[serde(flatten)]
    pub ranges: RangeSet,
    /// The series of part files, one for each range or one for all.
    pub series: Vec<SeriesState>,
    /// Files that are finished but may not have got their final name yet.
    pub sealed: Vec<FileState>,
    /// How much of the manifest is committed.
    pub manifest: ManifestMark,
    /// Totals over all runs.
    pub totals: Totals,
    /// The format version of the file that it was read from: what older ones did not hold is not known.
    #[serde(skip, default = "current_version")]
    pub version: u32,
}

fn current_version() -> u32 {
    VERSION
}

/// What a state is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// An export, which `resume` goes on with.
    Export,
    /// A tail, which goes on when it is started again.
    Tail,
}

/// What may not change while the export lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenOptions {
    /// The mode of the feed.
    pub mode: FeedMode,
    /// Which part of the container.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
    /// Where ranges without a position start.
    pub from: ChangeFeedStart,
    /// The format of the files.
    pub format: Format,
    /// How the files are compressed.
    #[serde(default, skip_serializing_if = "Compression::is_none")]
    pub compression: Compression,
    /// How documents become rows, for formats with columns. Absent until it is known: before a
    /// container has its first document, there is nothing to infer it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<TableLayout>,
    /// How the layout is inferred, unless it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<InferenceOptions>,
    /// How CSV is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvOptions>,
    /// Where the files are.
    pub output: Output,
}

/// What a resume takes over unless it is told otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether the export goes on until it is stopped.
    pub follow: bool,
    /// How far each range is read otherwise. Absent: by the mode of the feed, see
    /// [`State::read_until`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<ReadUntil>,
    /// Ranges read at the same time, if it was given.
    pub concurrency: Option<u32>,
    /// Documents asked for in one page.
    pub page_size: u32,
    /// Tries of a page beyond the SDK's own.
    pub max_retries: RetryLimit,
    /// How long an idle range is left alone, in milliseconds.
    pub poll_interval_ms: u64,
    /// Longest time between commits, in milliseconds.
    pub checkpoint_interval_ms: u64,
    /// Most bytes between commits.
    pub checkpoint_bytes: u64,
    /// A file of so many bytes is finished, and the next one begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_bytes: Option<u64>,
    /// Files are finished this often, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_interval_ms: Option<u64>,
    /// Bytes of a row group in memory, for formats that have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_group_bytes: Option<u64>,
}

/// Totals over all runs of an export.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Documents written.
    pub documents: u64,
    /// Those of which something did not fit its column, or had none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub overflowed: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Request units that the service charged for what is committed.
    pub request_charge: f64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl State {
    /// How far each range is read by a run that has an end: to the head for the latest versions, of
    /// which there is only one of each document; to the pin where every version is there for good.
    pub fn read_until(&self) -> ReadUntil {
        self.settings.until.unwrap_or(match self.options.mode {
            FeedMode::LatestVersion => ReadUntil::Head,
            FeedMode::AllVersionsAndDeletes => ReadUntil::Pin,
        })
    }

    /// How its ranges came to their ends; none if one of them has not, or if it is not known.
    pub fn ends(&self) -> Option<Ends> {
        let mut ends: Option<Ends> = None;
        for range in &self.ranges {
            let end = range.end.as_ref()?;
            let (head, newer) = match end.reached? {
                ReachedEnd::Head => (true, 0),
                ReachedEnd::Pin { newer } => (false, newer),
            };
            let before = ends.unwrap_or(Ends {
                pinned_at: end.pinned_at,
                head: true,
                newer_transactions: 0,
            });
            ends = Some(Ends {
                pinned_at: before.pinned_at.min(end.pinned_at),
                head: before.head && head,
                newer_transactions: before.newer_transactions.saturating_add(newer),
            });
        }
        ends
    }

    /// Makes it the state of a run that begins. With `keep_ends` the ranges keep the ends of the run
    /// before, which was cut off; all but those that end at a pin are read on from where they came.
    pub fn begin_run(&mut self, keep_ends: bool) {
        self.version = VERSION;
        self.finished = false;
        if !keep_ends {
            self.ranges.forget_ends();
        }
    }

    /// Whether it holds where ranges end. Formats before the second did not.
    pub fn knows_ends(&self) -> bool {
        self.version > 1
    }

    /// The series that `range` is written to.
    pub fn series_of(&self, range: RangeId) -> u32 {
        self.options.output.series_of(range)
    }

    /// What its destination must know of it.
    pub fn committed(&self) -> Committed<'_> {
        Committed {
            export_id: self.export_id,
            output: &self.options.output,
            ranges: &self.ranges,
            series: &self.series,
            sealed: &self.sealed,
            manifest: self.manifest,
        }
    }

    /// The names of its files, with `base` what relative paths are relative to.
    pub fn file_names(&self, base: &Path) -> FileNames {
        FileNames::new(
            &self.options.output,
            base,
            &self.source.container,
            self.extension(),
        )
    }

    /// The extension of its files, without a dot.
    pub fn extension(&self) -> &'static str {
        self.options.format.extension(self.options.compression)
    }

    /// Takes over what a recovery has changed at the destination.
    pub fn recovered(&mut self, recovery: &Recovery) {
        self.manifest = recovery.manifest;
        self.sealed.clear();
        for dropped in &recovery.dropped {
            self.rewind(dropped);
        }
    }

    /// Takes over what becomes of the open parts that another process began.
    pub fn inherit(&mut self, inheritance: &Inheritance) {
        for id in &inheritance.sealed {
            let end = self.ranges_of(id.series).map(RangeState::place).collect();
            let series = self.series.iter_mut().find(|one| one.id == id.series);
            if let Some(open) = series.and_then(|series| series.open.take()) {
                self.sealed.push(FileState { end, ..open });
            }
        }
        for id in &inheritance.dropped {
            let open = self.committed().open().find(|open| open.id() == *id);
            if let Some(open) = open.cloned() {
                self.rewind(&open);
            }
        }
    }

    /// Moves the ranges of a part back to where it began.
    fn rewind(&mut self, part: &FileState) {
        let own: Vec<RangeId> = self.ranges_of(part.series).map(|range| range.id).collect();
        self.ranges.go_back(&own, part.start.iter().cloned());
        self.totals.documents = self.totals.documents.saturating_sub(part.rows);
        self.totals.bytes = self.totals.bytes.saturating_sub(part.length);
        self.finished = false;
        for series in self
            .series
            .iter_mut()
            .filter(|series| series.id == part.series)
        {
            series.open = None;
            series.next_part = part.part;
        }
    }

    /// The ranges that are written to `series`.
    pub fn ranges_of(&self, series: u32) -> impl Iterator<Item = &RangeState> {
        self.ranges
            .iter()
            .filter(move |range| self.series_of(range.id) == series)
    }

    /// Checks what must hold for every state, on each load and each save.
    ///
    /// # Errors
    ///
    /// Says which of these does not hold: the ranges tile the container; numbers are unique and
    /// below the next one; every series has ranges; no two parts have one name, and none the name of
    /// a part to come; only a tail appends; in a finished export every range has come to its end.
    pub fn check(&self) -> Result<()> {
        self.ranges.check(&self.options.scope)?;
        for range in self.ranges.iter().filter(|_| self.knows_ends()) {
            ensure!(
                !self.finished || range.has_ended(),
                "it is finished, but range {} has not come to its end",
                range.id
            );
        }
        let mut series: Vec<u32> = self.series.iter().map(|s| s.id).collect();
        series.sort_unstable();
        ensure!(
            series.windows(2).all(|pair| pair[0] < pair[1]),
            "two series have one number"
        );
        for file in self
            .series
            .iter()
            .filter_map(|s| s.open.as_ref())
            .chain(&self.sealed)
        {
            for start in &file.start {
                FeedRange::new(&start.range.min_inclusive, &start.range.max_exclusive)
                    .context("in a file's start")?;
            }
        }
        self.check_output()?;
        self.check_parts()?;
        for one in &self.series {
            let Some(open) = &one.open else { continue };
            ensure!(
                open.series == one.id && open.part < one.next_part,
                "series {} has an open part {} that is not its own",
                one.id,
                open.part
            );
            ensure!(
                !self
                    .sealed
                    .iter()
                    .any(|s| (s.series, s.part) == (open.series, open.part)),
                "part {} of series {} is both open and sealed",
                open.part,
                open.series
            );
        }
        Ok(())
    }

    /// Checks that the output is of the kind that such a job has.
    fn check_output(&self) -> Result<()> {
        match (self.kind, &self.options.output) {
            (JobKind::Export, Output::Append(_)) => Err(anyhow::anyhow!(
                "it is of an export, and its output is a file that only a tail appends to"
            )),
            (JobKind::Tail, Output::Directory(_) | Output::File(_)) => Err(anyhow::anyhow!(
                "it is of a tail, and its output is one that only an export has"
            )),
            _ => Ok(()),
        }
    }

    /// Checks that the numbers of parts are ones that this job gives, so that no two have one name.
    fn check_parts(&self) -> Result<()> {
        let has_series = |series: u32| match self.options.output {
            Output::Directory(_) => series < self.ranges.next_number(),
            _ => series == 0,
        };
        for one in &self.series {
            ensure!(
                has_series(one.id) && one.next_part > 0,
                "series {} with the next part {} is none of its own",
                one.id,
                one.next_part
            );
        }
        let mut sealed: Vec<(u32, u32)> = Vec::new();
        for file in &self.sealed {
            let next = self.series.iter().find(|one| one.id == file.series);
            ensure!(
                has_series(file.series)
                    && file.part > 0
                    && next.is_none_or(|series| file.part < series.next_part),
                "the finished part {} of series {} is none of its own",
                file.part,
                file.series
            );
            sealed.push((file.series, file.part));
        }
        sealed.sort_unstable();
        ensure!(
            sealed.windows(2).all(|pair| pair[0] < pair[1]),
            "a part is finished twice"
        );
        let open = self.series.iter().filter_map(|one| one.open.as_ref());
        for file in open {
            ensure!(
                file.part > 0,
                "series {} has an open part without a number",
                file.series
            );
        }
        if matches!(self.options.output, Output::Append(_)) {
            ensure!(
                self.sealed.is_empty() && self.series.iter().all(|one| one.next_part <= 2),
                "a tail's file is in more than one part"
            );
        }
        Ok(())
    }
}
