//! The start of a comparison: its sides, how their documents are found on the other one, and its report.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use azure_data_cosmos_driver::models::{
    PartitionKeyDefinition, PartitionKeyKind, PartitionKeyVersion,
};
use tokio_util::sync::CancellationToken;

use super::comparison::Comparison;
use super::follow;
use super::heard::Heard;
use super::keyed::{Keyer, Spread};
use super::listing::Listing;
use super::memory::Memory;
use super::outcome::{self, Compared, Ended};
use super::repair::Repair;
use super::side::{Done, Place, Side, refuse_the_same};
use crate::clock;
use crate::content::canonical::Content;
use crate::content::hashes::Hashes;
use crate::content::ignored::Ignored;
use crate::cosmos::definition::DefaultTtl;
use crate::error::{ExitCode, usage, with_hint};
use crate::escape::shell_word;
use crate::job::Connected;
use crate::monitor::{Begun, Monitor};
use crate::render::change::parse_key_path;
use crate::replay::Interpreter;
use crate::report::{PROGRESS_INTERVAL, Progress, Rates, Report};
use crate::settings::{ComparePlan, ComparedSide};
use crate::signal::Shutdown;
use crate::source::Inputs;

/// The containers among the sides.
#[derive(Debug, Default)]
pub struct Sides {
    /// The source, if it is a container.
    pub source: Option<Connected>,
    /// The target, if it is one.
    pub target: Option<Connected>,
    /// Request units that the connection of each had cost before, on behalf of other comparisons.
    pub spent_before: [f64; 2],
}

/// Compares the sides of `plan`, of which `connect` reaches the containers. Errors of files are reported before it is
/// called.
///
/// # Errors
///
/// If a side cannot be read, or the sides cannot be compared.
pub async fn compare(
    connect: impl AsyncFnOnce() -> Result<Sides>,
    plan: ComparePlan,
    monitor: &Monitor,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<Compared> {
    let source_files = files(&plan.source, &plan, report)?;
    let target_files = files(&plan.target, &plan, report)?;
    let connected = connect().await?;
    for (container, max_ru) in [
        (&connected.source, plan.source_max_ru.or(plan.max_ru)),
        (&connected.target, plan.max_ru),
    ] {
        if let Some(container) = container {
            let limited = container.limit_reads(max_ru, report).await;
            limited.with_context(|| format!("cannot compare {}", name_of_container(container)))?;
        }
    }
    if let Some(source) = &connected.source {
        monitor.reads(&source.client).await?;
    }
    if let Some(target) = &connected.target {
        monitor.compares_with(&target.client).await?;
    }
    let key = key_of(
        &plan,
        [&connected.source, &connected.target],
        [&source_files, &target_files],
    )?;
    let has_program = plan.transform.is_some();
    let spread = match &key.definition {
        Some(definition) if is_in_order(definition) => Spread::ByContainer(definition.clone()),
        _ => Spread::ByName,
    };
    let is_in_ranges = |connected: &Connected, has_program: bool| match &spread {
        Spread::ByContainer(definition) => {
            !has_program && is_alike(connected.client.partition_key_definition(), definition)
        }
        Spread::ByName => false,
    };
    let heard = Heard::default();
    let side = |container: Option<Connected>,
                files: Option<Inputs>,
                name: String,
                program: bool,
                spent_before: f64| match (container, files) {
        (Some(connected), _) => Side {
            name,
            place: Place::Container {
                in_ranges: AtomicBool::new(is_in_ranges(&connected, program)),
                retry_limit: plan.retry_limit,
                heard: heard.of_another(),
                spent_before,
                connected,
            },
        },
        (None, files) => Side::of_files(name, files.unwrap_or_default()),
    };
    let names = [
        name_of(&plan.source, connected.source.as_ref()),
        name_of(&plan.target, connected.target.as_ref()),
    ];
    let [source_name, target_name] = names;
    let [before_source, before_target] = connected.spent_before;
    let source = side(
        connected.source,
        source_files,
        source_name,
        has_program,
        before_source,
    );
    let target = side(
        connected.target,
        target_files,
        target_name,
        false,
        before_target,
    );
    refuse_the_same(&source, &target)?;
    let listing = Listing::open(
        plan.report.as_ref(),
        plan.values,
        &[&source, &target],
        plan.of_several.as_deref(),
    )?;
    let repair = match &plan.repair_to {
        Some(directory) => Some(Repair::create(directory, plan.repair_delete)?),
        None => None,
    };
    let memory = Memory::of(plan.memory);
    let key_paths: Vec<_> = key.paths.iter().map(|path| parse_key_path(path)).collect();
    let hashes = Hashes::random();
    let keyer = |side: &Side, has_program: bool| {
        let program = plan.transform.clone().filter(|_| has_program);
        let interpreter = Interpreter::reading(key_paths.clone(), program);
        let interpreter = match &side.place {
            Place::Files { .. } => interpreter,
            Place::Container { connected, .. } => {
                let paths = connected.client.partition_key_paths();
                interpreter.of_container(&paths, DefaultTtl::Unknown)
            }
        };
        Arc::new(Keyer {
            hashes: hashes.clone(),
            content: Content {
                exact: plan.exact,
                ignored: Ignored::new(&plan.ignore),
            },
            spread: spread.clone(),
            bucket_bits: memory.bucket_bits,
            key_paths: key_paths.clone(),
            interpreter,
            has_program,
            by_text: false,
        })
    };
    let comparison = Comparison {
        keyers: [keyer(&source, has_program), keyer(&target, false)],
        sides: [Arc::new(source), Arc::new(target)],
        memory,
        done: [Arc::new(Done::default()), Arc::new(Done::default())],
        stop: CancellationToken::new(),
        documents: Default::default(),
        has_announced: Default::default(),
    };
    // Dropped at the end, it stops the readings that are under way.
    let _guard = comparison.stop.clone().drop_guard();
    let (begun, started) = (Instant::now(), clock::now());
    let has_end = comparison.sides.iter().all(|side| side.bytes().is_some());
    report.start_progress(has_end)?;
    let run = async {
        if !plan.follow {
            monitor.begin(plan.mode, Begun::default());
            monitor.compares(0, 0);
            return outcome::run(&comparison, &plan, (listing, repair), report).await;
        }
        let followed = follow::run(&comparison, &plan, monitor, report, shutdown).await?;
        outcome::conclude_followed(&comparison, &plan, (listing, repair), report, followed).await
    };
    let stopped = async {
        match plan.follow {
            // It ends by itself, with a verdict.
            true => std::future::pending().await,
            false => shutdown.requested().await,
        }
    };
    let ended = tokio::select! {
        () = stopped => Err(shutdown.stopped_before("everything was compared")),
        ended = run => ended,
        never = show_progress(&comparison, monitor, report) => match never {},
    };
    report.end_progress();
    let Ended {
        summary,
        first,
        repaired,
    } = ended?;
    let times = (begun, started);
    let compared = outcome::finish(summary, first, times, &comparison, &plan, report)?;
    if let Some(repaired) = repaired {
        outcome::report_repair(&repaired, report);
    }
    Ok(compared)
}

/// How the documents of both sides are found.
struct KeyOf {
    /// The paths of the partition key.
    paths: Vec<String>,
    /// That of the container that they are of, if it is one.
    definition: Option<PartitionKeyDefinition>,
}

fn files(side: &ComparedSide, plan: &ComparePlan, report: &Report) -> Result<Option<Inputs>> {
    let ComparedSide::Files(places) = side else {
        return Ok(None);
    };
    let inputs = Inputs::find(places, plan.input, &plan.csv)?;
    for notice in &inputs.notices {
        report.warning(notice);
    }
    if let Some(pipe) = inputs.inputs.iter().find(|input| input.may_wait()) {
        return Err(usage(
            format!("{pipe} cannot be compared: it can be read only once"),
            "write it to a file, and compare that",
        ));
    }
    Ok(Some(inputs))
}

/// The partition key by which documents are found: that of the target, if it is known.
fn key_of(
    plan: &ComparePlan,
    containers: [&Option<Connected>; 2],
    files: [&Option<Inputs>; 2],
) -> Result<KeyOf> {
    let [source, target] = containers;
    let known = |inputs: &Option<Inputs>| {
        let mut inputs = inputs.iter().flat_map(|inputs| &inputs.inputs);
        inputs.find_map(|input| input.partition_key.as_deref().map(<[String]>::to_vec))
    };
    // An export has the partition key of its own container.
    let of_export = known(files[1]).filter(|paths| {
        let own = source
            .as_ref()
            .map(|source| source.client.partition_key_paths());
        own.as_ref() != Some(paths)
    });
    if let Some(paths) = of_export.filter(|_| plan.partition_key.is_empty()) {
        return Ok(KeyOf {
            paths,
            definition: None,
        });
    }
    if let Some(connected) = target.as_ref().or(source.as_ref()) {
        if !plan.partition_key.is_empty() {
            return Err(usage(
                "--partition-key is for files: the container has a partition key",
                "leave it out",
            ));
        }
        return Ok(KeyOf {
            paths: connected.client.partition_key_paths(),
            definition: Some(connected.client.partition_key_definition().clone()),
        });
    }
    let [source, target] = files;
    let paths = match &plan.partition_key {
        typed if !typed.is_empty() => typed.clone(),
        _ => known(target).or_else(|| known(source)).unwrap_or_default(),
    };
    if paths.is_empty() {
        return Err(with_hint(
            anyhow!("neither side says which partition key its documents have"),
            "give it, such as --partition-key /customerId; once for each level of a hierarchical key",
        ))
        .map_err(|error| crate::error::with_exit_code(error, ExitCode::Usage));
    }
    Ok(KeyOf {
        paths,
        definition: None,
    })
}

/// Whether the hashes of a key are spread evenly, so that buckets can be ranges of the container.
fn is_in_order(definition: &PartitionKeyDefinition) -> bool {
    definition.kind() == PartitionKeyKind::MultiHash
        || definition.version() == PartitionKeyVersion::V2
}

fn is_alike(a: &PartitionKeyDefinition, b: &PartitionKeyDefinition) -> bool {
    a.kind() == b.kind() && a.version() == b.version() && a.paths() == b.paths()
}

fn name_of_container(connected: &Connected) -> String {
    let address = &connected.source;
    format!("{}/{}", address.database, address.container)
}

fn name_of(side: &ComparedSide, connected: Option<&Connected>) -> String {
    match (side, connected) {
        (_, Some(connected)) => name_of_container(connected),
        (ComparedSide::Files(places), None) => {
            let names: Vec<String> = places.iter().map(ToString::to_string).collect();
            match &*names {
                [one] => shell_word(std::path::Path::new(one)),
                [first, others @ ..] => format!("{first} and {} more", others.len()),
                [] => String::new(),
            }
        }
        (ComparedSide::Container(_), None) => String::new(),
    }
}

/// What reading all of each container once will cost, as soon as enough of them was read to tell, if that is worth telling.
fn estimate(comparison: &Comparison) -> Option<String> {
    /// The least share that tells, and the most that is still to come.
    const TELLS: std::ops::Range<f64> = 0.01..0.5;
    /// What is not worth telling.
    const LITTLE: f64 = 1000.0;
    let sides = comparison.sides.iter().zip(&comparison.done);
    let mut costs = Vec::new();
    for (side, done) in sides.filter(|(side, _)| side.is_container()) {
        if done.share() < TELLS.start {
            return None;
        }
        costs.push((
            &side.name,
            side.request_units() / done.share(),
            done.share(),
        ));
    }
    let is_early = costs.iter().any(|(.., share)| TELLS.contains(share));
    let all: f64 = costs.iter().map(|(_, cost, _)| cost).sum();
    if !is_early || all < LITTLE {
        return None;
    }
    let costs: Vec<String> = costs
        .iter()
        .map(|(name, cost, _)| format!("{:.0} RU of {name}", cost))
        .collect();
    Some(format!(
        "reading everything once costs about {}; what differs is read again (--max-ru limits RU/s)",
        costs.join(" and ")
    ))
}

/// Shows how far the readings are. It never returns.
async fn show_progress(
    comparison: &Comparison,
    monitor: &Monitor,
    report: &Report,
) -> std::convert::Infallible {
    let mut rates = Rates::default();
    let mut is_estimated = false;
    loop {
        tokio::time::sleep(PROGRESS_INTERVAL).await;
        let (documents, bytes) = comparison.done();
        monitor.compares(documents, bytes);
        if !is_estimated && let Some(estimate) = estimate(comparison) {
            report.notice(&estimate);
            is_estimated = true;
        }
        let all: Option<u64> = comparison.sides.iter().map(|side| side.bytes()).sum();
        let progress = Progress {
            documents,
            bytes,
            request_charge: comparison
                .sides
                .iter()
                .map(|side| side.request_units())
                .sum(),
            done: all
                .filter(|all| *all > 0)
                .map(|all| bytes as f64 / all as f64),
        };
        report.show_progress(&progress, &mut rates);
    }
}
