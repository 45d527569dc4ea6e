//! A replay whose ranges are shared with other instances: the applier, without the reading and without a state of its own.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;

use super::applier::Applier;
use super::budget::Budget;
use super::checkpoint::Checkpoint;
use super::dead_letters::DeadLetters;
use super::events::ReplayObserver;
use super::interpreter::Interpreter;
use super::item_sender::ItemSender;
use super::known_etags::KnownEtags;
use super::outcome;
use super::own_writes::OwnWrites;
use super::replay_source::ReplaySource;
use super::shared_pages::{self, SharedPages};
use super::start::{
    Containers, Target, compares_documents, first_state, note_lifetimes, open_letters,
};
use super::writer::Writer;
use crate::cli::location::Location;
use crate::cosmos::definition::DefaultTtl;
use crate::error::{ExitCode, usage};
use crate::feed::ContainerAddress;
use crate::job::Connected;
use crate::monitor::Monitor;
use crate::render::change::parse_key_path;
use crate::report::Report;
use crate::settings::ReplayPlan;
use crate::signal::Shutdown;

/// A replay that waits for pages.
pub(crate) struct SharedReplay {
    applier: Applier,
    plan: ReplayPlan,
    target: ContainerAddress,
}

/// Prepares a replay of pages that are handed over.
///
/// # Errors
///
/// If the target is not one for these changes, or the dead letters cannot be kept.
pub(crate) async fn begin_shared(
    containers: Containers,
    plan: ReplayPlan,
    monitor: &Monitor,
    report: &Arc<Report>,
) -> Result<(SharedReplay, SharedPages)> {
    let (Target::There(target), Some(connected), Some(feed)) =
        (containers.target, containers.source, plan.feed.clone())
    else {
        return Err(usage(
            "--group shares the ranges of a container that is replayed into another one",
            "name the source: --from-container DATABASE/CONTAINER",
        ));
    };
    monitor.reads(&connected.client).await?;
    monitor.writes(&target.client);
    note_lifetimes(&target.client, &plan, report);
    let source = ReplaySource::Container {
        connected: connected.clone(),
        plan: feed,
        share: None,
    };
    let key_paths = target.client.partition_key_paths();
    if compares_documents(&source, &key_paths, &plan) {
        report.notice(
            "documents are compared with those of this run only, not with those that other instances write \
             (--id-collisions)",
        );
    }
    let letters = open_letters(&plan, None, false, report)?;
    let budget = match plan.max_ru {
        Some(max_ru) => Some(Arc::new(Budget::new(
            max_ru.per_second(&target.client).await?,
        ))),
        None => None,
    };
    let state = first_state(&target.source, &plan);
    let writer = Arc::new(Writer {
        sender: Arc::new(ItemSender {
            client: Some(target.client),
            key_paths,
            retry_limit: plan.retry_limit,
            budget,
            permits: None,
            observer: Arc::new(ReplayObserver::new(report, plan.max_errors)),
            sent: AtomicU64::new(0),
            // After a stop, what was read is applied first.
            stop: CancellationToken::new(),
        }),
        mode: plan.write_mode,
        ttl_deletes: plan.ttl_deletes,
        rehearsal: None,
        batch_size: plan.batch_size,
        own: OwnWrites::new(state.began, false),
        etags: KnownEtags::default(),
    });
    let paths = writer.sender.key_paths.iter();
    let paths = paths.map(|path| parse_key_path(path)).collect();
    let default = connected.client.definition();
    let default = default.map_or(DefaultTtl::Unknown, |known| known.default_ttl());
    let interpreter = Interpreter::new(paths, &plan)
        .of_container(&connected.client.partition_key_paths(), default);
    let (pages, deliveries, settled) = shared_pages::open(interpreter, Arc::clone(&writer.sender));
    let applier = Applier::new(
        writer,
        source,
        deliveries,
        letters,
        Checkpoint::new(None, state),
        monitor.clone(),
        &plan,
    );
    let replay = SharedReplay {
        applier: applier.settling(settled),
        plan,
        target: target.source,
    };
    Ok((replay, pages))
}

/// Refuses a target that is none for the changes of this source, and a file of dead letters that cannot be one. Nothing is
/// changed.
///
/// # Errors
///
/// A usage error, or any error of the system.
pub(crate) fn ensure_shared_fits(
    connected: &Connected,
    target: &ContainerAddress,
    key_paths: &[String],
    plan: &ReplayPlan,
    report: &Report,
) -> Result<()> {
    let source = ReplaySource::Container {
        connected: connected.clone(),
        plan: plan.feed.clone().context("there is no feed")?,
        share: None,
    };
    source.refuse_as_target(target)?;
    ensure_key(&source, connected, key_paths, plan)?;
    open_letters(plan, None, true, report)?;
    if let Some(Location::Local(path)) = &plan.dead_letter {
        DeadLetters::ensure_free(path)?;
    }
    Ok(())
}

/// Refuses a target with another partition key, unless it was said what becomes of documents without a value there: what
/// one instance sees first says nothing about the container.
fn ensure_key(
    source: &ReplaySource,
    connected: &Connected,
    key_paths: &[String],
    plan: &ReplayPlan,
) -> Result<()> {
    if plan.missing_key.is_some() || source.has_key(key_paths) {
        return Ok(());
    }
    Err(usage(
        format!(
            "the target has the partition key {}, and the source {}: documents may have no value there",
            key_paths.join(", "),
            connected.client.partition_key_paths().join(", ")
        ),
        "say what becomes of those: --missing-key write or --missing-key refuse",
    ))
}

impl SharedReplay {
    /// Applies what is handed over, until nothing more is, or until it fails, and reports the outcome.
    ///
    /// # Errors
    ///
    /// With the exit code and the hint for the user attached.
    pub(crate) async fn run(self, report: &Report, shutdown: &Shutdown) -> Result<ExitCode> {
        outcome::run(self.applier, &self.plan, &self.target, report, shutdown).await
    }
}
