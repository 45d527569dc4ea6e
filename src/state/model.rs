//! The content of a state file.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::of_group::OfGroup;
use crate::clock;
use crate::cosmos::max_ru::MaxRu;
use crate::cosmos::retry::RetryLimit;
use crate::destination::names::FileNames;
use crate::destination::{
    Committed, FileState, Inheritance, ManifestMark, Output, PartId, Partition, PartitionBy,
    Recovery, SeriesState, Upload,
};
use crate::feed::{
    ChangeFeedStart, ContainerAddress, Ends, FeedMode, FeedRange, Query, RangeId, RangeSet,
    RangeState, ReachedEnd, ReadUntil, RecordForm, Scope,
};
use crate::format::{Compression, CsvOptions, Extra, Format};
use crate::schema::{InferenceOptions, TableForm, TableLayout};

/// The format of states that this build writes, and the newest that it reads.
pub const VERSION: u32 = 3;

/// Everything that is committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The kind of job.
    pub kind: JobKind,
    /// Identifies the export; its manifest contains it too.
    pub export_id: uuid::Uuid,
    /// Counts the commits, from 1.
    pub generation: u64,
    /// When the export began, by this machine's clock; for information only.
    #[serde(with = "time::serde::rfc3339")]
    pub created: time::OffsetDateTime,
    /// What is exported.
    pub source: ContainerAddress,
    /// The paths of its partition key; none if the build that began the export did not record them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_key: Vec<String>,
    /// Options that never change.
    pub options: FrozenOptions,
    /// How documents became rows before the layout was widened, in the order of the column sets. That of
    /// `options` is the last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_layouts: Vec<TableLayout>,
    /// The share of a plan that it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardOfPlan>,
    /// What it has as the state of a range of a group, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<OfGroup>,
    /// Settings that a resume uses unless others are given. Those of a run can differ.
    pub settings: Settings,
    /// Whether every range has been read to its end.
    pub finished: bool,
    /// The ranges being read, as `ranges` and `next_range`. They tile the scope.
    #[serde(flatten)]
    pub ranges: RangeSet,
    /// The series of part files, one for each range or one for all.
    pub series: Vec<SeriesState>,
    /// Files that are finished but may not have their final names yet.
    pub sealed: Vec<FileState>,
    /// Uploads of parts that are not sealed: a later process aborts them, since no call of a store lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uploads: Vec<Upload>,
    /// Ids of which the claim of the place has one, where the output is in an object store and the state is elsewhere:
    /// that of this process, and those of processes that may not have written theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<uuid::Uuid>,
    /// How much of the manifest is committed.
    pub manifest: ManifestMark,
    /// Totals over all runs.
    pub totals: Totals,
    /// The format version of the file that it was read from, since older ones do not record everything.
    #[serde(skip, default = "current_version")]
    pub version: u32,
}

impl State {
    /// The state of a job that has not begun: without ranges, and not yet committed.
    pub fn new(
        kind: JobKind,
        source: ContainerAddress,
        options: FrozenOptions,
        settings: Settings,
    ) -> Self {
        Self {
            kind,
            export_id: uuid::Uuid::now_v7(),
            generation: 0,
            created: clock::now(),
            source,
            partition_key: Vec::new(),
            options,
            earlier_layouts: Vec::new(),
            shard: None,
            group: None,
            settings,
            finished: false,
            ranges: RangeSet::default(),
            series: Vec::new(),
            sealed: Vec::new(),
            uploads: Vec::new(),
            claims: Vec::new(),
            manifest: ManifestMark::default(),
            totals: Totals::default(),
            version: VERSION,
        }
    }
}

fn current_version() -> u32 {
    VERSION
}

/// One share of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardOfPlan {
    /// The plan.
    pub plan: uuid::Uuid,
    /// Its number, from 0.
    pub index: u32,
    /// How many shards the plan is dealt to.
    pub count: u32,
}

impl std::fmt::Display for ShardOfPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "shard {}/{}", self.index, self.count)
    }
}

/// The kind of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// An export, which `resume` continues.
    Export,
    /// A tail, which continues when it is started again.
    Tail,
}

/// Options of an export that never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenOptions {
    /// The mode of the feed.
    pub mode: FeedMode,
    /// The part of the container that is read.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
    /// Whether all documents are read too, before the changes from now on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snapshot: bool,
    /// The query that is read instead of the feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Query>,
    /// Whether the query returns masked values for some of what is stored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
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
    /// How tables are written. Absent in states of builds that wrote them in the first form.
    #[serde(default, skip_serializing_if = "TableForm::is_first")]
    pub table: TableForm,
    /// How the layout is inferred, unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<InferenceOptions>,
    /// How CSV is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvOptions>,
    /// Where the files are.
    pub output: Output,
    /// How the table is partitioned, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by: Option<PartitionBy>,
    /// What the lines of a tail's file are, if they are all of one form. The mode of an export says what its
    /// records are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordForm>,
}

/// Settings that a resume uses unless others are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether the export follows the feed until it is stopped.
    pub follow: bool,
    /// How far each range is read otherwise. If absent, the mode of the feed decides, see
    /// [`Settings::read_until`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<ReadUntil>,
    /// Ranges read at the same time, if given.
    pub concurrency: Option<u32>,
    /// Documents requested in one page.
    pub page_size: u32,
    /// Retries of a page, beyond the SDK's own.
    pub max_retries: RetryLimit,
    /// What reading may cost in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ru: Option<MaxRu>,
    /// How long to wait before an idle range is polled again, in milliseconds.
    pub poll_interval_ms: u64,
    /// The maximum time between commits, in milliseconds.
    pub checkpoint_interval_ms: u64,
    /// A commit begins after this many bytes.
    pub checkpoint_bytes: u64,
    /// A file is finished, and the next one begun, at this many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_bytes: Option<u64>,
    /// Files are finished this often, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_interval_ms: Option<u64>,
    /// Bytes of a row group in memory, for formats with row groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_group_bytes: Option<u64>,
    /// What happens to values that fit no column: they are kept if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Extra>,
}

/// Totals over all runs of an export.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Documents written.
    pub documents: u64,
    /// Documents with a value that did not fit its column, or had none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub overflowed: u64,
    /// Documents written without the values that fit no column.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Request units charged for what is committed.
    pub request_charge: f64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Settings {
    /// How far a run that has an end reads each range: to the head for the latest versions, since only one
    /// version of each document exists; to the pin if every version is kept.
    pub fn read_until(&self, mode: FeedMode) -> ReadUntil {
        self.until.unwrap_or(mode.read_until())
    }
}

impl State {
    /// How its ranges reached their ends; `None` if one of them has not, or if it is not known.
    pub fn ends(&self) -> Option<Ends> {
        let mut ends: Option<Ends> = None;
        // Those of a snapshot are from before, and its changes go on from there.
        for range in self.ranges.changes() {
            let end = range.end.as_ref()?;
            let (head, newer) = match end.reached? {
                ReachedEnd::Head => (true, 0),
                ReachedEnd::Pin { newer } => (false, newer),
                // What came after it is not known.
                ReachedEnd::Answered => return None,
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

    /// Begins a new run. With `keep_ends` the ranges keep the ends of the previous run, which was interrupted;
    /// all except those that end at a pin are read further.
    pub fn begin_run(&mut self, keep_ends: bool) {
        self.version = VERSION;
        self.finished = false;
        // An exact end is where a plan begins that comes after this.
        let keep_ends = keep_ends || self.settings.until == Some(ReadUntil::Exact);
        // The changes end after the snapshot.
        if !keep_ends || self.ranges.is_snapshot_open() {
            self.ranges.forget_ends();
        }
    }

    /// Whether it records where ranges end. Formats before the second did not.
    pub fn knows_ends(&self) -> bool {
        self.version > 1
    }

    /// What the records of its files are, if that is known.
    pub fn records(&self) -> Option<RecordForm> {
        match self.kind {
            JobKind::Export => Some(self.options.mode.into()),
            JobKind::Tail => self.options.records,
        }
    }

    /// The column set of new parts.
    pub fn column_set(&self) -> u32 {
        u32::try_from(self.earlier_layouts.len()).unwrap_or(u32::MAX)
    }

    /// The layouts of its files: the present one, and then the others, the latest first.
    pub fn layouts(&self) -> impl Iterator<Item = &TableLayout> {
        let earlier = self.earlier_layouts.iter().rev();
        self.options.layout.iter().chain(earlier)
    }

    /// Widens the layout of new parts.
    pub fn widen(&mut self, layout: TableLayout) {
        self.earlier_layouts
            .extend(self.options.layout.replace(layout));
    }

    /// The series that `range` is written to.
    pub fn series_of(&self, range: RangeId) -> u32 {
        self.options.output.series_of(range)
    }

    /// The part that its destination must know.
    pub fn committed(&self) -> Committed<'_> {
        Committed {
            export_id: self.export_id,
            generation: self.generation,
            output: &self.options.output,
            records: self.records(),
            masked: self.options.masked,
            ranges: &self.ranges,
            series: &self.series,
            sealed: &self.sealed,
            manifest: self.manifest,
            claims: &self.claims,
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
        .partitioned(self.options.partition_by)
    }

    /// The extension of its files, without a dot.
    pub fn extension(&self) -> &'static str {
        self.options.format.extension(self.options.compression)
    }

    /// Records the changes of a recovery at the destination.
    pub fn recovered(&mut self, recovery: &Recovery) {
        self.manifest = recovery.manifest;
        self.sealed.clear();
        for dropped in &recovery.dropped {
            self.rewind(dropped);
        }
    }

    /// Records what happens to the open parts that another process began.
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

    /// Gives up sealed parts: their ranges go back to where they began, and their uploads are to be aborted. Returns where
    /// the parts were to be.
    pub fn give_up(&mut self, lost: &[PartId]) -> Vec<String> {
        let (mut given_up, kept): (Vec<FileState>, Vec<FileState>) =
            std::mem::take(&mut self.sealed)
                .into_iter()
                .partition(|file| lost.contains(&file.id()));
        self.sealed = kept;
        given_up.sort_unstable_by_key(FileState::id);
        for file in &given_up {
            if let (Some(place), Some(id)) = (file.place.clone(), file.upload.clone()) {
                self.uploads.push(Upload { place, id });
            }
        }
        // The first of a series is the last to be given up, so its start remains.
        for file in given_up.iter().rev() {
            self.rewind(file);
        }
        given_up.into_iter().filter_map(|file| file.place).collect()
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
    /// Names the rule that is broken: the ranges tile the container; numbers are unique and below the next
    /// one; every series has ranges; no two parts have the same name, and none has the name of a future part;
    /// only a tail appends; in a finished export every range has reached its end.
    pub fn check(&self) -> Result<()> {
        self.ranges.check(&self.options.scope)?;
        ensure!(
            self.options.snapshot == self.ranges.has_snapshot(),
            "whether it has a snapshot is not the same for its options and its ranges"
        );
        for range in self.ranges.iter().filter(|_| self.knows_ends()) {
            ensure!(
                !self.finished || range.has_ended(),
                "it is finished, but range {} has not reached its end",
                range.id
            );
        }
        let mut series: Vec<u32> = self.series.iter().map(|s| s.id).collect();
        series.sort_unstable();
        ensure!(
            series.windows(2).all(|pair| pair[0] < pair[1]),
            "two series have the same number"
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
        ensure!(
            self.earlier_layouts.is_empty() || self.options.layout.is_some(),
            "it has columns of before, but none for new files"
        );
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

    /// Checks that the output is possible for the kind of job.
    fn check_output(&self) -> Result<()> {
        let of_output = match &self.options.output {
            Output::Table(table) => table.shard,
            _ => None,
        };
        if let Some(shard) = &self.shard {
            ensure!(
                self.kind == JobKind::Export
                    && shard.index < shard.count
                    && !self.options.scope.ranges.is_empty(),
                "it is of a {shard} that is not possible"
            );
        }
        // In an object store, the address has the number of the shard.
        ensure!(
            self.options.output == Output::Objects
                || of_output == self.shard.map(|shard| shard.index),
            "its output is not that of its shard"
        );
        ensure!(
            self.options.partition_by.is_none() || self.options.output.has_series_of_ranges(),
            "its output cannot be partitioned"
        );
        if let Some(group) = &self.group {
            self.check_group(group)?;
        }
        match (self.kind, &self.options.output) {
            (JobKind::Export, Output::Append(_)) => Err(anyhow::anyhow!(
                "it is of an export, but its output is a file that only a tail appends to"
            )),
            (JobKind::Tail, Output::Directory(_) | Output::File(_)) => Err(anyhow::anyhow!(
                "it is of a tail, but its output is one that only an export has"
            )),
            _ => Ok(()),
        }
    }

    /// Checks what must hold for the state of a range of a group.
    fn check_group(&self, group: &OfGroup) -> Result<()> {
        ensure!(
            self.options.output == Output::Objects && self.shard.is_none(),
            "it is of a group, whose files are objects"
        );
        ensure!(
            self.options.scope.ranges.len() == 1 && self.options.scope.partition_key.is_none(),
            "it is of a group, but not of one range"
        );
        ensure!(
            group.over || self.ranges.len() == 1,
            "its range was divided, but it is not over"
        );
        ensure!(
            group.began.is_some() || self.ranges.iter().all(|range| range.position.is_none()),
            "it has a position, but has not begun"
        );
        Ok(())
    }

    /// Checks the numbers of parts, so that no two have the same name.
    fn check_parts(&self) -> Result<()> {
        let has_series = |series: u32| {
            if self.options.output.has_series_of_ranges() {
                series < self.ranges.next_number()
            } else {
                series == 0
            }
        };
        for one in &self.series {
            ensure!(
                has_series(one.id) && one.next_part > 0,
                "series {} with the next part {} is not possible",
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
                "the finished part {} of series {} is not possible",
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
        for file in open.clone().chain(&self.sealed) {
            let partition = file.partition().map(Partition::by);
            ensure!(
                !self.options.output.is_local_directory() || partition == self.options.partition_by,
                "part {} of series {} is not in a partition of the table",
                file.part,
                file.series
            );
            ensure!(
                file.columns <= self.column_set(),
                "part {} of series {} has columns that are not known",
                file.part,
                file.series
            );
        }
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
                "a tail's file has more than one part"
            );
        }
        Ok(())
    }
}
