//! The beginning of a job: what must hold before the first page is read.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow};
use fs_err as fs;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::coordinator::{Job, OpenLayout};
use super::outcome::{resumable, run};
use super::sample::{self, SampleRequest};
use super::{Connected, feed_request};
use crate::clock;
use crate::cosmos::error::explain;
use crate::cosmos::feed::{FeedRequest, container_rid_of, segments};
use crate::durable::{self, Lock, parent_of};
use crate::error::{Annotate, ExitCode, attached_exit_code, is_of_the_system, usage, with_hint};
use crate::escape::shell_word;
use crate::failpoint;
use crate::feed::{ChangeFeedStart, FeedRange, Position, RangeId, ensure_tiling};
use crate::plan::{ExportPlan, ResumePlan};
use crate::reader::ReadEnd;
use crate::report::Report;
use crate::signal::Shutdown;
use crate::sink::{EncoderOptions, encoders};
use crate::state::file::{self, lock_path};
use crate::state::ledger::{Ledger, Store};
use crate::state::model::{JobKind, ManifestMark, RangeState, Source, State, Totals};
use crate::state::names::FileNames;
use crate::state::recover::{Recovery, recover};

/// Ranges pinned at the same time.
const PARALLEL_PINS: usize = 64;

/// Checks what can be checked of an export before anything is reached or changed.
///
/// # Errors
///
/// If there is output of an earlier export, unless it is to be replaced.
fn check_output(plan: &ExportPlan, names: &FileNames) -> Result<()> {
    if plan.force {
        return Ok(());
    }
    if let Some(state) = plan.state_path.as_deref().filter(|path| path.exists()) {
        return Err(usage(
            format!("`{}` holds the state of an export", state.display()),
            format!(
                "go on with it: cosmos-tail resume --state {}; or replace it with --force",
                shell_word(state)
            ),
        ));
    }
    if let Some(found) = names.existing()?.first() {
        return Err(usage(
            format!("`{}` exists", found.path.display()),
            "choose another output, or replace what an earlier export left with --force",
        ));
    }
    if let Some(manifest) = names.manifest().filter(|path| path.exists()) {
        return Err(usage(
            format!("`{}` exists", manifest.display()),
            "choose another output, or replace what an earlier export left with --force",
        ));
    }
    Ok(())
}

/// Removes what an earlier export left: its state first, so that after a crash in here nobody
/// takes the rest for a whole export.
fn remove_output(state_path: Option<&Path>, names: &FileNames) -> Result<()> {
    let manifest = names.manifest();
    for path in state_path.into_iter().chain(manifest.as_deref()) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    for found in names.existing()? {
        fs::remove_file(&found.path)?;
    }
    Ok(())
}

/// Exports a container from the start.
///
/// # Errors
///
/// If there is output in the way, or the job fails; what was committed then can be resumed.
pub async fn export(
    connect: impl AsyncFnOnce() -> Result<Connected>,
    plan: ExportPlan,
    container: &str,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let names = FileNames::new(
        &plan.options.output,
        &plan.base,
        container,
        plan.options.format.extension(plan.options.compression),
    );
    check_output(&plan, &names)?;
    let connected = connect().await?;
    let mut store = match &plan.state_path {
        Some(path) => Some(take_store(path)?),
        None => None,
    };
    if !names.is_standard_output() {
        durable::create_directory(names.directory())
            .with_context(|| {
                format!(
                    "cannot create the output directory `{}`",
                    names.directory().display()
                )
            })
            .hint("choose another place for the output, where this user may write")?;
    }
    if let Some(store) = &mut store {
        lock_output(store, &names)?;
    }
    // Again, now that nobody else can come in between.
    check_output(&plan, &names)?;
    let mut state = State {
        kind: JobKind::Export,
        export_id: uuid::Uuid::now_v7(),
        generation: 0,
        created: clock::now(),
        source: connected.source.clone(),
        options: plan.options,
        settings: plan.settings,
        finished: false,
        ranges: Vec::new(),
        next_range: 0,
        series: Vec::new(),
        sealed: Vec::new(),
        manifest: ManifestMark::default(),
        totals: Totals::default(),
    };
    let request = feed_request(&state)?;
    state.ranges = first_ranges(&connected, state.options.from, &request).await?;
    state.next_range =
        u32::try_from(state.ranges.len()).context("more ranges than there are numbers")?;
    let request_charge = infer_layout(&connected, &mut state, report, shutdown).await?;
    // Not before the service has told all that is needed to begin.
    if plan.force {
        remove_output(plan.state_path.as_deref(), &names)
            .context("cannot remove what an earlier export left")?;
    }
    let job = job(
        connected,
        state,
        Arc::new(names),
        store,
        Recovery::default(),
        request_charge,
    );
    run(job, &plan.destination, plan.summary, report, shutdown).await
}

/// An export or a resume that is ready to run.
fn job(
    connected: Connected,
    state: State,
    names: Arc<FileNames>,
    store: Option<Store>,
    recovery: Recovery,
    request_charge: f64,
) -> Job {
    let layout = Arc::new(OnceLock::new());
    if let Some(known) = &state.options.layout {
        layout.set(known.clone()).ok();
    }
    let paths = connected.client.partition_key_definition().paths();
    let encoders = encoders(EncoderOptions {
        format: state.options.format,
        mode: state.options.mode,
        compression: state.options.compression,
        csv: state.options.csv.clone().unwrap_or_default(),
        row_group_bytes: state.settings.row_group_bytes.unwrap_or(u64::MAX),
        partition_key_paths: paths.iter().map(ToString::to_string).collect(),
        layout: Arc::clone(&layout),
    });
    let is_open = state.options.format.has_columns() && state.options.layout.is_none();
    let open_layout = is_open.then(|| OpenLayout {
        options: state.options.inference.clone().unwrap_or_default(),
        layout,
    });
    Job {
        connected,
        next_parts: state
            .series
            .iter()
            .map(|series| (series.id, series.next_part))
            .collect(),
        encoders,
        end: match state.settings.follow {
            true => ReadEnd::Never,
            false => ReadEnd::CaughtUp,
        },
        ledger: Ledger::new(state, Arc::clone(&names), store),
        names,
        recovery,
        watch: None,
        open_layout,
        request_charge,
    }
}

/// Infers the layout from a sample, if it is not known yet; it stays open if the container has no
/// documents. Returns the request units that this was charged with.
async fn infer_layout(
    connected: &Connected,
    state: &mut State,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<f64> {
    if !state.options.format.has_columns() || state.options.layout.is_some() {
        return Ok(0.0);
    }
    let options = state.options.inference.clone().unwrap_or_default();
    let request = SampleRequest {
        connected,
        options: options.clone(),
        from: state.options.from,
        settings: &state.settings,
    };
    let sample = sample::take(request, report, shutdown).await?;
    if sample.inference.documents() > 0 {
        let inferred = sample.inference.finish();
        sample::tell(&inferred, &sample.origin(), report);
        state.options.layout = Some(sample::layout_of(&inferred, &options));
    }
    Ok(sample.request_charge)
}

/// Goes on with an export.
///
/// # Errors
///
/// If the state cannot be used, the files contradict it, the container is another one, or the job
/// fails.
pub async fn resume(
    connect: impl AsyncFnOnce(&Source) -> Result<Connected>,
    plan: ResumePlan,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let path = &plan.state_path;
    let cannot = || format!("cannot resume from `{}`", path.display());
    // Before the lock, which would leave a file beside what is no state.
    file::load(path)?;
    // What only the system could not do is done by the next resume: nothing has changed.
    let try_again = |error| match is_of_the_system(&error) {
        true => resumable(error, Some(path)),
        false => error,
    };
    let mut store = take_store(path).map_err(try_again)?;
    let mut state = file::load(path)?;
    if state.kind != JobKind::Export {
        return Err(usage(
            format!("`{}` is the state of a tail", path.display()),
            "start the tail again with the same options: it goes on from there",
        ));
    }
    plan.override_settings(&mut state.settings, state.options.format)
        .with_context(cannot)?;
    for range in &state.ranges {
        check_position(range, &state.source.container_rid).with_context(cannot)?;
    }
    let connected = connect(&state.source).await.map_err(|error| {
        // What was typed, or a container that is gone, is not mended by waiting.
        match attached_exit_code(&error) {
            None => resumable(error, Some(path)),
            Some(_) => error,
        }
    })?;
    same_container(&state, &connected).with_context(cannot)?;
    let names = Arc::new(FileNames::of_state(&state, parent_of(path)));
    lock_output(&mut store, &names).map_err(try_again)?;
    let recovery = recover(&mut state, path, &names, plan.repair)
        .map_err(try_again)
        .with_context(cannot)?;
    for notice in &recovery.notices {
        report.notice(notice);
    }
    state.finished = false;
    let sampled = infer_layout(&connected, &mut state, report, shutdown).await;
    let request_charge = sampled.map_err(|error| match attached_exit_code(&error) {
        None => resumable(error, Some(path)),
        Some(_) => error,
    })?;
    if failpoint::is_planted("defect.now-again-on-resume") {
        for range in &mut state.ranges {
            range.position = None;
        }
    }
    let destination = names.display();
    let job = job(
        connected,
        state,
        names,
        Some(store),
        recovery,
        request_charge,
    );
    run(job, &destination, plan.summary, report, shutdown).await
}

/// Takes the lock of a state file, whose directory is created if needed.
pub(super) fn take_store(path: &Path) -> Result<Store> {
    let directory = parent_of(path);
    durable::create_directory(directory)
        .with_context(|| format!("cannot create the directory `{}`", directory.display()))
        .hint("choose another place for the output, where this user may write")?;
    let lock = Lock::acquire(&lock_path(path))
        .with_context(|| format!("the state `{}` is in use", path.display()))
        .hint("wait for the other export, or stop it; its lock goes with it")?;
    Ok(Store {
        path: path.to_owned(),
        lock,
        output_lock: None,
    })
}

/// Takes the lock of the output, which is that of the state where it lies unless told otherwise.
///
/// Without it two jobs whose states lie elsewhere would write to files of the same names.
pub(super) fn lock_output(store: &mut Store, names: &FileNames) -> Result<()> {
    let Some(beside) = names.default_state() else {
        return Ok(());
    };
    let path = lock_path(&beside);
    // Two names of one file are one lock, which this process has already.
    let is_own = match (path.canonicalize(), lock_path(&store.path).canonicalize()) {
        (Ok(output), Ok(own)) => output == own,
        _ => false,
    };
    if !is_own {
        let lock = Lock::acquire(&path)
            .with_context(|| format!("cannot write to `{}`", names.display()))
            .hint("wait for the other export, or stop it; or choose another output")?;
        store.output_lock = Some(lock);
    }
    Ok(())
}

/// The ranges of a container that has not been read yet. To start from now, each of them is
/// pinned: from here on nothing is missed.
pub(crate) async fn first_ranges(
    connected: &Connected,
    from: ChangeFeedStart,
    request: &FeedRequest,
) -> Result<Vec<RangeState>> {
    let partitions = connected
        .client
        .physical_partitions(false)
        .await
        .context("cannot list the container's feed ranges")?;
    let mut ranges: Vec<(FeedRange, Option<Position>)> = partitions
        .into_iter()
        .map(|partition| (partition.range, None))
        .collect();
    if from == ChangeFeedStart::Now {
        let pins = stream::iter(ranges)
            .map(|(range, _)| {
                let (client, request) = (Arc::clone(&connected.client), request.clone());
                async move {
                    let pinned = client.pin_now(&request, &range).await.map_err(explain);
                    pinned.with_context(|| format!("cannot pin the feed range {range} to now"))
                }
            })
            .buffered(PARALLEL_PINS);
        let pinned: Vec<_> = pins.try_collect().await?;
        ranges = pinned
            .into_iter()
            .flat_map(|pinned| pinned.parts)
            .map(|(range, position)| (range, Some(position)))
            .collect();
    }
    ensure_tiling(&FeedRange::full(), ranges.iter().map(|(range, _)| range))
        .context("the service told feed ranges that do not make up the container")?;
    Ok(ranges
        .into_iter()
        .zip(0..)
        .map(|((range, position), id)| RangeState {
            id: RangeId(id),
            range,
            parents: Vec::new(),
            position,
        })
        .collect())
}

/// Checks that the position of a range is one of this container and of this range: on another it
/// would silently start from the beginning.
pub(crate) fn check_position(range: &RangeState, container_rid: &str) -> Result<()> {
    let Some(position) = &range.position else {
        return Ok(());
    };
    let wrong = || format!("the position of range {} cannot be used", range.id);
    let rid = container_rid_of(&position.token).with_context(wrong)?;
    if rid != container_rid {
        return Err(anyhow!(
            "it is for the container {rid}, not {container_rid}"
        ))
        .with_context(wrong);
    }
    segments(&position.token, &range.range).with_context(wrong)?;
    Ok(())
}

/// Checks that the container that was reached is the one of the state, not another of its name.
pub(super) fn same_container(state: &State, connected: &Connected) -> Result<()> {
    let (then, now) = (&state.source, &connected.source);
    if then.container_rid == now.container_rid {
        return Ok(());
    }
    let error = anyhow!(
        "the container `{}` is another one now: its RID is {}, the state is of {}",
        now.container,
        now.container_rid,
        then.container_rid
    );
    Err(with_hint(
        error,
        "it was deleted and created again; begin anew, in a new place",
    ))
}
