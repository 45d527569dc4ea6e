//! A replay whose ranges are shared with other instances.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::bootstrap::look;
use super::instance::{Instance, Parts};
use super::outlet::Outlet;
use super::source::Source;
use super::tail::{Group, create_group, explain};
use crate::cosmos::cursor::{FeedRequest, PageSource};
use crate::error::{ExitCode, usage};
use crate::feed::ContainerAddress;
use crate::job::{Connected, EVENTS, Watch};
use crate::monitor::{Begun, Monitor};
use crate::observe::{Details, Observer, Observers};
use crate::reader::{ReadEnd, Reader, ReaderOptions};
use crate::replay::{Containers, Target, begin_shared, ensure_shared_fits};
use crate::report::Report;
use crate::settings::{FeedPlan, ReplayPlan};
use crate::signal::Shutdown;

/// Items per page.
const PAGE_SIZE: u32 = 1000;
/// Items per page with a budget: a page is charged as a whole.
const PAGE_SIZE_WITH_BUDGET: u32 = 100;
/// The most ranges that are polled at the same time.
const CONCURRENT: usize = 64;
/// How long to wait before a range that had nothing new is asked again.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes of pages that may wait to be applied.
const BUFFERED_BYTES: u32 = 8 << 20;

/// The container that a group is to feed.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Its address; without a RID if it does not exist.
    pub(crate) address: ContainerAddress,
    /// The paths of its partition key.
    pub(crate) key_paths: Vec<String>,
}

/// Refuses what a group cannot feed, before anything is changed.
///
/// # Errors
///
/// A usage error; or if the service cannot say.
pub(crate) async fn ensure_feeds(
    group: &mut Group,
    target: Candidate,
    plan: &ReplayPlan,
    report: &Report,
) -> Result<()> {
    let Group { store, source } = group;
    let feed = plan.feed.as_ref().context("there is no feed")?;
    let Candidate { address, key_paths } = target;
    // The leases are in the account of the source.
    let is_one_account = address.endpoint == source.source.endpoint;
    if is_one_account && address.container_rid == store.client.rid() {
        return Err(usage(
            "the lease container is the target: documents of the source could replace its leases",
            "keep the leases in a container of their own: --leases DATABASE/CONTAINER",
        ));
    }
    ensure_shared_fits(source, &address, &key_paths, plan, report)?;
    store.feeds = Some(address);
    look(store, &read(source, feed)).await?;
    Ok(())
}

fn read(source: &Connected, feed: &FeedPlan) -> Source {
    Source {
        client: Arc::clone(&source.client),
        mode: feed.mode,
        start: feed.from,
        name: format!("{}/{}", source.source.database, source.source.container),
        files: None,
    }
}

/// Applies the changes of those ranges whose leases this instance has, into a target that [`ensure_feeds`] has accepted.
///
/// # Errors
///
/// If the group is not one that can be shared, or if the service refuses a request for good.
pub(crate) async fn replay(
    group: Group,
    target: Connected,
    plan: ReplayPlan,
    monitor: &Monitor,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let Group { mut store, source } = group;
    let feed = plan.feed.clone().context("there is no feed")?;
    store.feeds = Some(target.source.clone());
    let read = read(&source, &feed);
    let save_interval = plan.checkpoint_interval;
    let options = reader_options(&plan, &feed, &read)?;
    let mut observers: Vec<Box<dyn Observer + '_>> = vec![Box::new(Details(report))];
    observers.extend(source.stepping_back(report));
    let begun = Begun {
        follows: true,
        commits: true,
        has_ranges: true,
        is_scoped: false,
        from_beginning: false,
        applies: true,
        commits_within: save_interval,
    };
    observers.extend(monitor.begin(feed.mode, begun));
    let containers = Containers {
        target: Target::There(target),
        source: Some(source),
    };
    let (applying, pages) = begin_shared(containers, plan, monitor, report).await?;
    shutdown.begin()?;
    let stop = shutdown.child_token();
    if !create_group(&store, &read, &stop, report).await? {
        return Ok(shutdown.reason().unwrap_or(ExitCode::Interrupted));
    }
    let stop_reader = CancellationToken::new();
    let (events, received) = mpsc::channel(EVENTS);
    let client = Arc::clone(&read.client);
    let (_reader, shards) =
        Reader::start_open(client, options.clone(), events, stop_reader.clone());
    let parts = Parts {
        store: Arc::new(store),
        source: read,
        options,
        shards,
        outlet: Outlet::Target(pages),
        doing: "replaying",
        observers: Observers::new(observers),
        watch: Watch::new(None, CancellationToken::new(), CancellationToken::new()),
        save_interval,
        stop: stop_reader,
    };
    let instance = Instance::new(parts, report);
    let (failed, failures) = mpsc::unbounded_channel();
    let applying = async {
        let applied = applying.run(report, shutdown).await;
        if let Err(error) = &applied {
            // The instance lets its leases go; this one has the cause.
            failed.send(anyhow::anyhow!("{error:#}")).ok();
        }
        applied
    };
    let (applied, ended) = tokio::join!(applying, instance.run(received, failures, stop));
    let code = applied?;
    ended.map_err(explain)?;
    Ok(code)
}

fn reader_options(plan: &ReplayPlan, feed: &FeedPlan, source: &Source) -> Result<ReaderOptions> {
    let has_budget = plan.max_ru.is_some();
    let page_size = match has_budget {
        true => PAGE_SIZE_WITH_BUDGET,
        false => PAGE_SIZE,
    };
    let window = u32::try_from(plan.checkpoint_changes).unwrap_or(u32::MAX);
    Ok(ReaderOptions {
        // The budget must have paid for a page before the next one is read.
        concurrency: if has_budget { 1 } else { CONCURRENT },
        request: FeedRequest {
            source: PageSource::Feed(feed.mode),
            page_size: NonZeroU32::new(page_size.min(window)).context("a page size of 0")?,
            partition_key: None,
        },
        retry_limit: plan.retry_limit,
        start: source.start,
        end: ReadEnd::Never,
        poll_interval: POLL_INTERVAL,
        buffered_bytes: if has_budget { 1 } else { BUFFERED_BYTES },
    })
}
