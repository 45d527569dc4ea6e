//! Makes a plan: what an export by many processes will read.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::query::{self, Asked};
use super::start::{PARALLEL_PINS, ensure_is_of, first_ranges, infer_layout};
use super::{Connected, feed_request};
use crate::cli::location::Location;
use crate::clock;
use crate::cosmos::cursor::FeedRequest;
use crate::cosmos::partitions::{PhysicalPartition, parts_of};
use crate::cosmos::pin::Pinned;
use crate::cosmos::token::{segments, token_at};
use crate::count::count;
use crate::destination::{Output, Shards};
use crate::error::{Annotate, ExitCode, usage, with_hint};
use crate::escape::shell_word;
use crate::feed::{
    ContainerAddress, FeedRange, Part, PinnedEnd, Position, RangeSet, ReadUntil, Scope,
};
use crate::report::Report;
use crate::settings::{After, NewPlan};
use crate::signal::Shutdown;
use crate::state::model::{JobKind, State};
use crate::state::plan_file::{KeyDefinition, PlanFile, PlannedOptions, PlannedRange};
use crate::state::{plan_place, shard_of, shown_state_of_shard, state_of_shard};

/// Writes a plan. `connect` reaches the container, which is that of an earlier plan if one is given.
///
/// # Errors
///
/// If the plan exists, the service does not answer, or the earlier plan is not complete.
pub async fn plan(
    connect: impl AsyncFnOnce(Option<&ContainerAddress>) -> Result<Connected>,
    plan: NewPlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    if let Some(place) = &plan.place
        && plan_place::is_taken(place)?
    {
        return keep(connect, &plan, place, report).await;
    }
    let earlier = plan.after.as_ref().map(Earlier::read).transpose()?;
    let connected = connect(earlier.as_ref().map(|earlier| &earlier.source)).await?;
    connected.limit_reads(plan.settings.max_ru, report).await?;
    let source = connected.source.clone();
    let mut options = plan.options;
    let mut until = plan.until;
    let mut ranges = None;
    let mut partitions = Vec::new();
    if let Some(earlier) = &earlier {
        ensure_is_of(
            &earlier.source,
            &connected,
            "the earlier plan",
            "it was deleted and created again: plan it from the beginning",
        )
        .exit_code(ExitCode::Usage)?;
        options = earlier.options.frozen(Output::StandardOutput);
        until = until.or(earlier.until);
        ranges = Some(earlier.ranges.clone());
        partitions.clone_from(&earlier.partitions);
    } else if let Some(asked) = &plan.query {
        let Asked {
            ranges: asked,
            masked,
            ..
        } = query::ask(&connected, asked, report).await?;
        options.masked = masked;
        ranges = Some(asked);
    }
    let mut state = State::new(JobKind::Export, source, options, plan.settings);
    let settings = state.settings.clone();
    let request = feed_request(&state, &settings)?;
    state.ranges = match ranges {
        Some(ranges) => ranges,
        None => first_ranges(&connected, state.options.from, &request).await?,
    };
    infer_layout(&connected, &mut state, &settings, report, shutdown).await?;
    if state.options.format.has_columns() && state.options.layout.is_none() {
        return Err(with_hint(
            anyhow::anyhow!(
                "there are no documents to infer the columns from, and all shards need the same ones"
            ),
            "give the columns with --columns or --schema FILE, or plan with --format jsonl",
        ));
    }
    let planned = if state.options.query.is_some() {
        let unpinned = state.ranges.iter().map(|range| PlannedRange {
            range: range.range.clone(),
            start: range.position.clone(),
            end: None,
            transactions: None,
        });
        unpinned.collect()
    } else {
        pin(&connected, &request, &state.ranges, &partitions, until).await?
    };
    let file = PlanFile {
        plan_id: uuid::Uuid::now_v7(),
        created: clock::now().replace_nanosecond(0)?,
        after: earlier.map(|earlier| earlier.plan),
        source: state.source,
        partition_key: key_definition(&connected)?,
        options: PlannedOptions::from(&state.options),
        until,
        ranges: planned,
    };
    let transactions = file.ranges.iter().map(|range| range.transactions);
    let transactions = transactions
        .reduce(|sum, more| Some(sum?.saturating_add(more?)))
        .flatten();
    let size = match transactions {
        Some(transactions) => format!(", about {}", count(transactions, "transaction")),
        None => String::new(),
    };
    if until == Some(ReadUntil::Exact) && file.options.is_of_latest() {
        report.notice(
            "of a document that is rewritten after a plan and before it is read, the version of that time is in no span: \
             with --mode all each version is in one",
        );
    }
    let about = format!(
        "{} of `{}`{size}",
        count(file.ranges.len() as u64, "range"),
        file.source.container,
    );
    let Some(place) = &plan.place else {
        report.print_data(&file.text()?)?;
        report.notice(&format!("planned {about}"));
        return Ok(ExitCode::Done);
    };
    plan_place::create(&file, place)?;
    report.notice(&format!("wrote {}: {about}", plan_place::shown(place)));
    report.notice(&format!(
        "each of N processes reads a share: cosmos-tail export --plan {} --shard I/N -o DIR",
        shell_word(Path::new(&plan_place::typed(place)))
    ));
    Ok(ExitCode::Done)
}

/// Keeps the plan that is there, if it is the one that is wanted.
async fn keep(
    connect: impl AsyncFnOnce(Option<&ContainerAddress>) -> Result<Connected>,
    plan: &NewPlan,
    place: &Location,
    report: &Report,
) -> Result<ExitCode> {
    if !plan.keep {
        return Err(plan_place::exists(place));
    }
    let kept = plan_place::read(place)?;
    let shown = plan_place::shown(place);
    plan.ensure_is_kept_by(place, &kept)?;
    let follows = match &plan.after {
        Some(After::Shards(place)) => Some(shards_of(place)?.plan),
        Some(After::Plan(earlier)) => Some(earlier.plan_id),
        None => None,
    };
    if kept.after != follows {
        return Err(usage(
            format!(
                "{shown} is the plan of another span: it {}",
                match kept.after {
                    Some(earlier) => format!("starts where the plan {earlier} ended"),
                    None => "starts where no other plan ended".to_owned(),
                }
            ),
            "choose another name for this plan",
        ));
    }
    // A plan that starts where another one ended has its container from there, and so need not be told.
    let source = follows.map(|_| &kept.source);
    let connected = connect(source).await?;
    ensure_is_of(
        &kept.source,
        &connected,
        "the plan",
        "choose another name for a plan of this container",
    )
    .exit_code(ExitCode::Usage)?;
    report.notice(&format!("kept {shown}, which is a plan of this container"));
    Ok(ExitCode::Done)
}

/// Where an earlier plan ended.
struct Earlier {
    plan: uuid::Uuid,
    source: ContainerAddress,
    options: PlannedOptions,
    /// How far this plan is read too, unless something else was asked for.
    until: Option<ReadUntil>,
    ranges: RangeSet,
    /// The partition of the end of each range, where that is known.
    partitions: Vec<Option<String>>,
}

/// The shards that wrote to `place`.
fn shards_of(place: &Location) -> Result<Shards> {
    let found = match place {
        Location::StandardStream => None,
        Location::Local(directory) => Shards::of(directory)?,
        Location::Objects(address) => Shards::at(address)?,
    };
    let found = found.ok_or_else(|| {
        usage(
            format!("`{place}` is not written by the shards of a plan"),
            "name the directory that `export --plan … -o DIR` wrote to; `resume` continues an export of one process",
        )
    })?;
    if found.target.is_some() {
        return Err(usage(
            format!("`{place}` has the positions of a replay of a plan"),
            "after a plan that was replayed comes the one after its ends: make plans with --until exact, and name the plan",
        ));
    }
    Ok(found)
}

impl Earlier {
    fn read(after: &After) -> Result<Self> {
        match after {
            After::Shards(place) => Self::of_shards(place),
            After::Plan(plan) => Self::of_plan(plan),
        }
    }

    /// Where the ranges of a plan end that are read to there exactly.
    fn of_plan(plan: &PlanFile) -> Result<Self> {
        let options = plan.options.frozen(Output::StandardOutput);
        let (mut parts, mut partitions) = (Vec::<Part>::new(), Vec::new());
        for planned in &plan.ranges {
            let end = planned.end.as_ref();
            let end = end.ok_or_else(nothing_comes_after_a_query)?;
            let rid = &plan.source.container_rid;
            let token = token_at(rid, options.mode, &planned.range, &end.etag);
            let position = Position {
                token,
                lsn: end.lsn(),
            };
            parts.push((planned.range.clone(), Some(position)));
            partitions.push(end.partition.clone());
        }
        Ok(Self {
            plan: plan.plan_id,
            source: plan.source.clone(),
            options: plan.options.clone(),
            until: plan.until,
            ranges: RangeSet::number(parts)?,
            partitions,
        })
    }

    /// Reads the states of all shards that wrote to `place`.
    ///
    /// # Errors
    ///
    /// If it is not the place of a plan, or not all of its shards are complete.
    fn of_shards(place: &Location) -> Result<Self> {
        let shards = shards_of(place)?;
        let mut ended: Vec<(Part, Option<String>)> = Vec::new();
        let mut first = None;
        for index in 0..shards.count {
            let own = shard_of(&shards, index);
            let incomplete = |why: &str| {
                usage(
                    format!("{own} of the plan of `{place}` {why}"),
                    "a plan of what came since starts where all of its shards ended: complete it first, and `verify` it",
                )
            };
            let state = state_of_shard(&shards, index)
                .with_context(|| format!("cannot plan after `{place}`"))?;
            let state = state.ok_or_else(|| incomplete("has not begun"))?;
            ensure!(
                state.shard == Some(own),
                "`{}` is not the state of the {own} of the plan {}",
                shown_state_of_shard(&shards, index),
                shards.plan
            );
            if !state.finished {
                return Err(incomplete("is not complete"));
            }
            if state.options.query.is_some() {
                return Err(nothing_comes_after_a_query());
            }
            ended.extend(state.ranges.iter().map(|range| {
                let partition = range.end.as_ref().and_then(|end| end.partition.clone());
                ((range.range.clone(), range.position.clone()), partition)
            }));
            first.get_or_insert(state);
        }
        ended.sort_by(|a, b| a.0.0.cmp(&b.0.0));
        let (parts, partitions): (Vec<Part>, Vec<Option<String>>) = ended.into_iter().unzip();
        let ranges = RangeSet::number(parts)?;
        ranges
            .check(&Scope::default())
            .context("the shards do not cover the container")?;
        let first = first.context("there are no shards")?;
        Ok(Self {
            plan: shards.plan,
            source: first.source,
            options: PlannedOptions::from(&first.options),
            until: None,
            ranges,
            partitions,
        })
    }
}

fn nothing_comes_after_a_query() -> anyhow::Error {
    usage(
        "the plan is of a query, which was answered to its end, so nothing comes after it",
        "plan the query again",
    )
}

/// How often ranges are pinned again since they were split meanwhile.
const MAX_DIVISIONS: usize = 16;

/// Pins the end of each range to now. A range of several partitions becomes one for each: their positions do not compare,
/// so each has an end of its own.
async fn pin(
    connected: &Connected,
    request: &FeedRequest,
    ranges: &RangeSet,
    before: &[Option<String>],
    until: Option<ReadUntil>,
) -> Result<Vec<PlannedRange>> {
    let partitions = connected.client.list_partitions(false).await?;
    let mut open: Vec<Unpinned> = Vec::with_capacity(ranges.len());
    for (at, range) in ranges.iter().enumerate() {
        let whole = Unpinned {
            range: range.range.clone(),
            start: range.position.clone(),
            partition: before.get(at).cloned().flatten(),
        };
        let parts = divided(&range.range, &partitions);
        open.extend(whole.cut(connected, request, parts).await?);
    }
    let mut planned = Vec::with_capacity(open.len());
    for _ in 0..MAX_DIVISIONS {
        let pins = stream::iter(std::mem::take(&mut open))
            .map(|part| pin_one(connected, request, part, &partitions, until))
            .buffered(PARALLEL_PINS);
        let pins: Vec<PinnedPart> = pins.try_collect().await?;
        for pin in pins {
            match pin {
                PinnedPart::Planned(range) => planned.push(range),
                PinnedPart::Split(parts) => open.extend(parts),
            }
        }
        if open.is_empty() {
            planned.sort_by(|a, b| a.range.cmp(&b.range));
            return Ok(planned);
        }
    }
    Err(with_hint(
        anyhow::anyhow!("ranges are split faster than they can be pinned"),
        "plan again once the container has its throughput",
    ))
}

/// A range that is to be pinned.
struct Unpinned {
    range: FeedRange,
    start: Option<Position>,
    /// The partition that the start is of, if that is known.
    partition: Option<String>,
}

/// A range that was to be pinned.
enum PinnedPart {
    Planned(PlannedRange),
    /// It was split meanwhile, into these.
    Split(Vec<Unpinned>),
}

/// The parts of a range that are in one partition each.
fn divided(range: &FeedRange, partitions: &[PhysicalPartition]) -> Vec<FeedRange> {
    parts_of(partitions, range).map(|(_, part)| part).collect()
}

impl Unpinned {
    /// The parts of a range, each with its start.
    async fn cut(
        self,
        connected: &Connected,
        request: &FeedRequest,
        parts: Vec<FeedRange>,
    ) -> Result<Vec<Self>> {
        let mut cut = Vec::with_capacity(parts.len());
        for range in parts {
            let start = match &self.start {
                Some(start) if range != self.range => {
                    let start = connected.client.cut(request, start, &range).await?;
                    let unknown = || format!("the start of the range {range} is not known");
                    Some(start.with_context(unknown)?)
                }
                start => start.clone(),
            };
            cut.push(Self {
                range,
                start,
                partition: self.partition.clone(),
            });
        }
        Ok(cut)
    }
}

/// The ETag of a position of the whole of `range`.
fn etag_in(position: &Position, range: &FeedRange) -> Result<String> {
    let mut parts = segments(&position.token, range)?.into_iter();
    let etag = parts.find_map(|part| part.etag);
    etag.with_context(|| format!("the position of the range {range} has no ETag"))
}

/// The error for an answer from before the start of a range.
fn behind(start: u64, service: u64) -> anyhow::Error {
    with_hint(
        anyhow::anyhow!(
            "it starts at LSN {start}, where the earlier plan ended, but the service is at LSN {service}"
        ),
        "a replica or a region that lags answers like that; a larger --max-retries waits longer for it. After an \
         unplanned failover a region may have lost the latest writes: in that case plan from the beginning",
    )
}

async fn pin_one(
    connected: &Connected,
    request: &FeedRequest,
    unpinned: Unpinned,
    partitions: &[PhysicalPartition],
    until: Option<ReadUntil>,
) -> Result<PinnedPart> {
    let range = unpinned.range.clone();
    let what = format!("cannot get the current position of the feed range {range}");
    let client = &connected.client;
    let pinned_at = clock::now();
    let began = unpinned.start.as_ref().and_then(|start| start.lsn);
    // In another partition the LSNs need not compare.
    let is_of_another =
        |pinned: &Pinned| unpinned.partition.is_some() && unpinned.partition != pinned.partition;
    let pin = async || {
        let pinned = client.pin_now(request, &range).await?;
        if let [(_, now)] = &pinned.parts[..]
            && let (Some(began), Some(service)) = (began, now.lsn)
            && service < began
            && !is_of_another(&pinned)
        {
            return Err(behind(began, service));
        }
        Ok(pinned)
    };
    let pinned = client
        .persistence()
        .persist(&what, pin)
        .await
        .context(what)?;
    let [(part, now)] = &pinned.parts[..] else {
        let parts = pinned.parts.into_iter().map(|(part, _)| part).collect();
        let parts = unpinned.cut(connected, request, parts).await?;
        return Ok(PinnedPart::Split(parts));
    };
    ensure!(
        *part == range,
        "the service pinned {part} instead of {range}"
    );
    let transactions = now.lsn.map(|lsn| lsn.saturating_sub(began.unwrap_or(0)));
    // There is something in another partition, as far as is known.
    let least = u64::from(is_of_another(&pinned));
    let start = unpinned.start;
    // What is up to an exact end is never read again, so it must not be before the start. Where the LSNs do not compare,
    // or a replica of a new partition lags, the range ends where it starts, and goes on with the next plan.
    let etag = match start.as_ref().zip(began) {
        Some((start, began)) if until == Some(ReadUntil::Exact) && now.lsn < Some(began) => {
            etag_in(start, &range)?
        }
        _ => etag_in(now, &range)?,
    };
    Ok(PinnedPart::Planned(PlannedRange {
        transactions: transactions.map(|all| scaled(all.max(least), &range, partitions)),
        end: Some(PinnedEnd {
            etag,
            partition: pinned.partition,
            pinned_at,
            tokens_compare: now.lsn.is_some() && now.lsn == pinned.partition_lsn,
            known_lsn: None,
            reached: None,
        }),
        range,
        start,
    }))
}

/// The part of the transactions of a partition that is in `range`.
fn scaled(transactions: u64, range: &FeedRange, partitions: &[PhysicalPartition]) -> u64 {
    /// The end of the hashes of version 2; in those of version 1 the proportions are not known.
    const SPACE_END: u8 = 0x40;
    // Partitions are in the order of their bounds.
    let after = partitions
        .partition_point(|partition| partition.range.min_inclusive <= range.min_inclusive);
    let around = partitions[..after]
        .last()
        .filter(|partition| partition.range.max_exclusive >= range.max_exclusive);
    match around {
        Some(around) if around.range != *range => {
            let share = range.share(SPACE_END) / around.range.share(SPACE_END);
            if share.is_finite() {
                // Something is not nothing, however narrow the range.
                let part = (transactions as f64 * share.clamp(0.0, 1.0)) as u64;
                part.max(u64::from(transactions > 0))
            } else {
                transactions
            }
        }
        _ => transactions,
    }
}

fn key_definition(connected: &Connected) -> Result<KeyDefinition> {
    let definition = connected.client.partition_key_definition();
    let value = serde_json::to_value(definition)?;
    serde_json::from_value(value).context("the definition of the partition key")
}
