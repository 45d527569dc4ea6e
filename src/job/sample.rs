//! Infers columns from a sample of a container's documents.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use indicatif::HumanCount;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::Connected;
use super::buffers::{EVENTS, buffered_bytes};
use super::columns_file::write_columns;
use super::query::ask;
use crate::cosmos::cursor::{FeedRequest, PageSource};
use crate::cosmos::epk::partition_key;
use crate::cosmos::query_token::is_answered;
use crate::count::count;
use crate::error::{ExitCode, with_hint};
use crate::feed::page::Page;
use crate::feed::{ChangeFeedStart, FeedMode, Part, Query, RangeId, RangeSet, ReadUntil, Scope};
use crate::reader::{self, ReadEnd, Reader, ReaderEvent, ReaderOptions, Shard};
use crate::render::change::parse_key_path;
use crate::report::{PROGRESS_INTERVAL, Progress, Rates, Report};
use crate::schema::{
    Drift, Drifting, Inference, InferenceOptions, Inferred, Place, SampleSize, TableLayout,
};
use crate::settings::SchemaPlan;
use crate::signal::Shutdown;
use crate::state::model::Settings;

/// The default number of pages of each range: some thousand documents.
const DEFAULT_PAGES: u32 = 2;
/// How many fields with values of several types are named.
const MAX_MISFITS: usize = 8;
/// The most ranges that are sampled by default.
const MAX_DEFAULT_RANGES: usize = 100;

/// What to sample.
pub(super) struct SampleRequest<'a> {
    pub(super) connected: &'a Connected,
    pub(super) options: InferenceOptions,
    /// Where the export starts. If nothing has changed since, all documents are sampled instead.
    pub(super) from: ChangeFeedStart,
    /// The query of the export, if it reads one.
    pub(super) query: Option<QuerySample<'a>>,
    pub(super) settings: &'a Settings,
}

/// What to sample of a query.
#[derive(Clone, Copy)]
pub(super) struct QuerySample<'a> {
    pub(super) query: &'a Query,
    pub(super) scope: &'a Scope,
    /// Its ranges. Their positions are those of the export, except that of what it does not concern.
    pub(super) ranges: &'a RangeSet,
}

impl QuerySample<'_> {
    /// The ranges that the query concerns, from their beginning.
    fn parts(&self) -> impl Iterator<Item = Part> {
        let concerned = self.ranges.iter().filter(|range| {
            let position = range.position.as_ref();
            !position.is_some_and(|position| is_answered(&position.token).unwrap_or(false))
        });
        concerned.map(|range| (range.range.clone(), None))
    }
}

/// What was found.
pub(super) struct Sample {
    pub(super) inference: Inference,
    /// Ranges that had documents.
    pub(super) ranges: usize,
    pub(super) request_charge: f64,
}

/// An inference without documents of the container yet.
pub(super) fn new_inference(connected: &Connected, options: InferenceOptions) -> Inference {
    let paths = connected.client.partition_key_definition().paths();
    let key_paths = paths.iter().map(|path| parse_key_path(path)).collect();
    Inference::new(options, key_paths)
}

/// The layout that follows from what was inferred.
pub(super) fn layout_of(inferred: &Inferred, options: &InferenceOptions) -> TableLayout {
    TableLayout::Columns {
        schema: inferred.schema.clone(),
        without_system_fields: options.without_system_fields,
    }
}

/// Reports what was inferred, and warns about what may surprise.
pub(super) fn report_inferred(inferred: &Inferred, of: &str, report: &Report) {
    report.notice(&format!(
        "inferred {} from {}{of}",
        count(inferred.schema.columns().len() as u64, "column"),
        count(inferred.documents, "document"),
    ));
    if inferred.left_out > 0 || inferred.has_uncounted {
        let more = if inferred.has_uncounted {
            "more than "
        } else {
            ""
        };
        report.warning(&format!(
            "{more}{} without a column of {} own: kept in `_extra`; --columns and --schema FILE choose \
             others",
            count(inferred.left_out as u64, "field"),
            if inferred.left_out == 1 { "its" } else { "their" },
        ));
    }
    for odd in inferred.misfits.iter().take(MAX_MISFITS) {
        report.warning(&format!(
            "`{}`: {} of {} {} not have the type of the others: kept in `_extra`; --strict-types makes the \
             column `json`",
            odd.path,
            HumanCount(odd.number),
            count(odd.seen, "value"),
            if odd.number == 1 { "does" } else { "do" },
        ));
    }
    let more = inferred.misfits.len().saturating_sub(MAX_MISFITS);
    if more > 0 {
        report.warning(&format!(
            "{} in which some values have another type than the others: kept in `_extra`",
            count(more as u64, "more field"),
        ));
    }
    for path in &inferred.unseen {
        report.warning(&format!(
            "no document has `{path}`: its column has the type `json`"
        ));
    }
}

/// Prints the schema that an export would infer.
///
/// # Errors
///
/// If the container cannot be read, or has no documents.
pub async fn schema(
    connected: Connected,
    plan: SchemaPlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    connected.limit_reads(plan.settings.max_ru, report).await?;
    let asked = match &plan.query {
        Some(asked) => {
            let concerned = ask(&connected, asked, report).await?;
            Some((asked, concerned))
        }
        None => None,
    };
    let request = SampleRequest {
        connected: &connected,
        options: plan.inference,
        from: plan.from,
        query: asked.as_ref().map(|(asked, concerned)| QuerySample {
            query: &asked.query,
            scope: &concerned.scope,
            ranges: &concerned.ranges,
        }),
        settings: &plan.settings,
    };
    let sample = take(request, report, shutdown).await?;
    if sample.inference.documents() == 0 && asked.is_some() {
        return Err(with_hint(
            anyhow!("the query selects nothing, so there is nothing to infer a schema from"),
            "try it with another condition; or write a schema file by hand, with one `PATH TYPE` per line",
        ));
    }
    if sample.inference.documents() == 0 {
        return Err(with_hint(
            anyhow!(
                "{}/{} has no documents, so there is nothing to infer a schema from",
                connected.source.database,
                connected.source.container
            ),
            "an export infers the schema from the first documents that come; or write a schema file by hand, \
             with one `PATH TYPE` per line",
        ));
    }
    let inferred = sample.inference.finish();
    report_inferred(&inferred, &sample.origin(), report);
    write_columns(&inferred.schema, plan.output.as_ref(), report)?;
    Ok(ExitCode::Done)
}

impl Sample {
    /// Where the documents come from, as the end of a sentence.
    pub(super) fn origin(&self) -> String {
        format!(
            " of {}, {:.0} RU",
            count(self.ranges as u64, "range"),
            self.request_charge
        )
    }
}

/// Takes a sample of a container.
///
/// # Errors
///
/// If a stop was requested, or a range could not be read and no other has documents.
pub(super) async fn take(
    request: SampleRequest<'_>,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<Sample> {
    let ranges = match &request.query {
        Some(query) => RangeSet::number(query.parts())?,
        None => {
            let partitions = request.connected.client.list_partitions(false).await?;
            RangeSet::number(partitions.into_iter().map(|found| (found.range, None)))?
        }
    };
    let all: Vec<RangeId> = ranges.iter().map(|range| range.id).collect();
    let (first, rest) = match request.options.sample {
        None => spread(all),
        Some(_) => (all, Vec::new()),
    };
    let mut sampler = Sampler::new(&request, ranges, report);
    report.start_progress(false)?;
    let outcome = sampler.look(&request, first, rest, shutdown).await;
    report.end_progress();
    outcome?;
    sampler.finish()
}

/// Some of very many ranges, from all over the container, and the others.
fn spread(ranges: Vec<RangeId>) -> (Vec<RangeId>, Vec<RangeId>) {
    let step = ranges.len().div_ceil(MAX_DEFAULT_RANGES).max(1);
    ranges
        .into_iter()
        .partition(|id| (id.0 as usize).is_multiple_of(step))
}

/// Compares a sample of a container with a schema: the oldest documents, what changed since `since`, and, with the
/// ranges of an export, what comes after their positions. All documents if the sample is of all.
///
/// # Errors
///
/// As [`take`].
pub(super) async fn compare(
    request: SampleRequest<'_>,
    drifting: Drifting,
    since: Option<OffsetDateTime>,
    ranges: Option<&RangeSet>,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<(Drift, Sample)> {
    let partitions = request.connected.client.list_partitions(false).await?;
    let current = RangeSet::number(partitions.into_iter().map(|found| (found.range, None)))?;
    let mut sampler = Sampler::new(&request, current, report);
    sampler.drifting = Some(drifting);
    // All documents are read once.
    if request.options.sample != Some(SampleSize::All) {
        sampler.compared = Some(HashSet::new());
    }
    let all = |ranges: &RangeSet| ranges.iter().map(|range| range.id).collect();
    report.start_progress(false)?;
    let look = async {
        let first = all(&sampler.ranges);
        sampler
            .read(&request, ChangeFeedStart::Beginning, first, shutdown)
            .await?;
        if sampler.compared.is_none() {
            return Ok(());
        }
        if let Some(since) = since {
            let again = all(&sampler.ranges);
            let since = ChangeFeedStart::PointInTime(since);
            sampler.read(&request, since, again, shutdown).await?;
        }
        if let Some(ranges) = ranges {
            sampler.ranges = ranges.clone();
            let own = all(ranges);
            sampler
                .read(&request, ChangeFeedStart::Beginning, own, shutdown)
                .await?;
        }
        Ok(())
    };
    let outcome: Result<()> = look.await;
    report.end_progress();
    outcome?;
    let drift = sampler.drifting.take().map(|drifting| drifting.finish());
    Ok((drift.unwrap_or_default(), sampler.finish()?))
}

/// A sample that is being taken.
struct Sampler<'a> {
    sample: Sample,
    bytes: u64,
    /// The number of documents found in each range.
    documents: HashMap<RangeId, u64>,
    failures: Vec<(RangeId, anyhow::Error)>,
    /// The ranges of the container.
    ranges: RangeSet,
    /// What to compare the documents with, instead of inferring columns from them.
    drifting: Option<Drifting>,
    /// The hashes of the documents that were compared, if one may be read again.
    compared: Option<HashSet<u64>>,
    report: &'a Report,
}

impl<'a> Sampler<'a> {
    fn new(request: &SampleRequest<'_>, ranges: RangeSet, report: &'a Report) -> Self {
        Self {
            sample: Sample {
                inference: new_inference(request.connected, request.options.clone()),
                ranges: 0,
                request_charge: 0.0,
            },
            bytes: 0,
            documents: HashMap::new(),
            failures: Vec::new(),
            ranges,
            drifting: None,
            compared: None,
            report,
        }
    }

    fn seen(&self) -> u64 {
        let compared = self.drifting.as_ref().map_or(0, Drifting::documents);
        self.sample.inference.documents() + compared
    }

    /// Reads the `first` ranges; if they have no documents, the `rest`; and if there are none since the
    /// start of the export either, all of them from their beginning.
    async fn look(
        &mut self,
        request: &SampleRequest<'_>,
        first: Vec<RangeId>,
        rest: Vec<RangeId>,
        shutdown: &Shutdown,
    ) -> Result<()> {
        let from = match request.from {
            // What will come from now on does not exist yet.
            ChangeFeedStart::Now | ChangeFeedStart::Beginning => ChangeFeedStart::Beginning,
            since @ ChangeFeedStart::PointInTime(_) => since,
        };
        for ranges in [first, rest] {
            self.read(request, from, ranges, shutdown).await?;
            if self.sample.inference.documents() > 0 {
                return Ok(());
            }
        }
        if from == ChangeFeedStart::Beginning {
            return Ok(());
        }
        // Those of now: some may have been split.
        let all = self.ranges.iter().map(|range| range.id).collect();
        self.read(request, ChangeFeedStart::Beginning, all, shutdown)
            .await
    }

    /// Reads the sample of `ranges`.
    async fn read(
        &mut self,
        request: &SampleRequest<'_>,
        from: ChangeFeedStart,
        ranges: Vec<RangeId>,
        shutdown: &Shutdown,
    ) -> Result<()> {
        if ranges.is_empty() {
            return Ok(());
        }
        let options = reader_options(request, from)?;
        let known = ranges.into_iter().filter_map(|id| self.ranges.find(id));
        let shards = known.map(|known| {
            Shard::new(
                known.id,
                known.range.clone(),
                known.position.clone(),
                &options,
            )
        });
        let (events, mut received) = mpsc::channel(EVENTS);
        let client = Arc::clone(&request.connected.client);
        let stop = shutdown.child_token();
        let reader = Reader::start(client, shards.collect(), options, events, stop);
        let mut rates = Rates::default();
        let mut timer = tokio::time::interval(PROGRESS_INTERVAL);
        loop {
            tokio::select! {
                biased;
                _ = timer.tick() => self.report.show_progress(&self.progress(), &mut rates),
                event = received.recv() => match event {
                    Some(event) => self.take(event)?,
                    None => break,
                },
            }
        }
        reader.join().await?;
        match shutdown.reason() {
            Some(_) => Err(shutdown.stopped_before("the columns were known")),
            None => Ok(()),
        }
    }

    fn take(&mut self, event: ReaderEvent) -> Result<()> {
        match event {
            ReaderEvent::Page {
                range,
                page,
                request_charge,
                ..
            } => {
                self.sample.request_charge += request_charge;
                self.bytes += page.body_len() as u64;
                self.observe(range, &page);
            }
            ReaderEvent::Charged { request_charge, .. } => {
                self.sample.request_charge += request_charge;
            }
            ReaderEvent::Replaced {
                parent,
                children,
                reply,
            } => {
                let placed = self.ranges.split(parent, children)?;
                // The reader waits for the reply, unless it is being stopped.
                reply
                    .send(placed.iter().map(|child| child.id).collect())
                    .ok();
            }
            ReaderEvent::Failed { range, error } => self.failures.push((range, error)),
            ReaderEvent::Retrying { range, notice } => {
                self.report.detail(&format!("range {range}: {notice}"));
            }
            ReaderEvent::Pinned { .. }
            | ReaderEvent::CaughtUp { .. }
            | ReaderEvent::Finished { .. }
            | ReaderEvent::Recovered { .. } => {}
        }
        Ok(())
    }

    fn observe(&mut self, range: RangeId, page: &Page) {
        let found = self.documents.entry(range).or_default();
        for document in page.items().filter_map(|item| item.document()) {
            let is_new = self.compared.as_mut().is_none_or(|compared| {
                let mut hasher = DefaultHasher::new();
                document.hash(&mut hasher);
                compared.insert(hasher.finish())
            });
            if !is_new {
                continue;
            }
            self.sample.ranges += usize::from(*found == 0);
            let place = Place::new(range.0, *found);
            match &mut self.drifting {
                Some(drifting) => drifting.observe(document, place),
                None => self.sample.inference.observe(document, place),
            }
            *found += 1;
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            documents: self.seen(),
            bytes: self.bytes,
            request_charge: self.sample.request_charge,
            done: None,
        }
    }

    fn finish(mut self) -> Result<Sample> {
        self.failures.sort_by_key(|(range, _)| *range);
        if self.documents.values().sum::<u64>() == 0
            && let Some((range, error)) = self.failures.into_iter().next()
        {
            let what = format!("cannot read a sample of range {range} to infer columns");
            return Err(error.context(what));
        }
        Ok(self.sample)
    }
}

fn reader_options(request: &SampleRequest<'_>, from: ChangeFeedStart) -> Result<ReaderOptions> {
    let settings = request.settings;
    let concurrency = reader::concurrency(settings.concurrency);
    Ok(ReaderOptions {
        concurrency,
        request: FeedRequest {
            source: match &request.query {
                Some(query) => PageSource::of_query(query.query, true),
                // The existing documents, whichever feed the export reads.
                None => PageSource::Feed(FeedMode::LatestVersion),
            },
            page_size: NonZeroU32::new(settings.page_size)
                .context("a sample needs pages of at least one item")?,
            partition_key: match &request.query {
                Some(query) => query.scope.partition_key.as_deref().map(partition_key),
                None => None,
            }
            .transpose()?,
        },
        retry_limit: settings.max_retries,
        start: from,
        end: match request.options.sample {
            None => ReadEnd::Pages(DEFAULT_PAGES),
            Some(SampleSize::Pages(pages)) => ReadEnd::Pages(pages),
            Some(SampleSize::All) => ReadEnd::Caught(ReadUntil::Pin),
        },
        // No range is polled again: each ends where there is nothing new.
        poll_interval: Duration::ZERO,
        buffered_bytes: u32::try_from(buffered_bytes(concurrency))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_ranges_some_from_all_over_the_container_come_first() {
        let ranges = |count: u32| (0..count).map(RangeId).collect();
        let numbers = |ranges: &[RangeId]| ranges.iter().map(|id| id.0).collect::<Vec<u32>>();
        for few in [0, 1, 100] {
            let (first, rest) = spread(ranges(few));
            assert_eq!((first.len(), rest.len()), (few as usize, 0));
        }
        let (first, rest) = spread(ranges(250));
        assert_eq!(numbers(&first), (0..250).step_by(3).collect::<Vec<_>>());
        assert_eq!(first.len() + rest.len(), 250);
    }
}
