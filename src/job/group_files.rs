//! The files of a group: what all ranges have in common, decided by the first instance.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Result, anyhow};
use tokio::sync::Semaphore;

use super::Connected;
use super::listing::Listing;
use super::options::{ENCODER_MEMORY, encoders_of};
use super::start::infer_layout;
use crate::clock;
use crate::destination::{Output, Place, orphans_at};
use crate::error::usage;
use crate::feed::{ContainerAddress, FeedRange, RecordForm};
use crate::format::{Encoder, NewEncoder};
use crate::objects::Address;
use crate::report::Report;
use crate::signal::Shutdown;
use crate::sink::Together;
use crate::state::group_place::{GroupPlace, Shaping};
use crate::state::model::{FrozenOptions, JobKind, Settings, State};
use crate::state::{StateAt, open, own_state, ranges_at, state_of_range};

/// The files that an instance of a group writes.
pub(crate) struct GroupFiles {
    pub(super) address: Address,
    pub(super) place: GroupPlace,
    pub(super) settings: Settings,
    pub(super) connected: Connected,
    encoders: Arc<NewEncoder>,
    /// Whether uploads that the store has removed are read again.
    pub(super) repair: bool,
    /// The sinks of all ranges.
    pub(super) writers: Arc<Together>,
    /// Bounds the commits under way: each has a thread.
    pub(super) commits: Arc<Semaphore>,
    /// The ranges that have a state.
    pub(super) listing: Listing,
}

/// Threads that write what was read. None of them waits for a lease.
const WRITERS: usize = 8;
/// Commits under way.
const COMMITS: usize = 32;

/// What an instance was asked to write.
pub(crate) struct GroupPlan {
    /// Where.
    pub(crate) address: Address,
    /// The name of the group.
    pub(crate) group: String,
    /// The container of its leases.
    pub(crate) leases: ContainerAddress,
    pub(crate) kind: JobKind,
    pub(crate) options: FrozenOptions,
    pub(crate) records: Option<RecordForm>,
    /// What else decides what is written.
    pub(crate) shaping: Shaping,
    pub(crate) settings: Settings,
    pub(crate) repair: bool,
}

impl GroupPlan {
    fn place(&self, connected: &Connected) -> GroupPlace {
        GroupPlace {
            place_id: uuid::Uuid::now_v7(),
            created: clock::now(),
            group: self.group.clone(),
            leases: self.leases.clone(),
            source: connected.source.clone(),
            kind: self.kind,
            options: (&self.options).into(),
            records: self.records,
            shaping: Some(self.shaping.clone()),
        }
    }

    /// The place that it writes to, which exists or not.
    ///
    /// # Errors
    ///
    /// If it is the place of something else, or cannot be read.
    pub(crate) async fn find(&self, connected: &Connected) -> Result<(GroupPlace, bool)> {
        let own = self.place(connected);
        let address = self.address.clone();
        let look = move || -> Result<Option<GroupPlace>> {
            if let Some(found) = GroupPlace::at(&address)? {
                return Ok(Some(found));
            }
            match orphans_at(&address)? {
                Some(gone) => Err(gone),
                None => Ok(None),
            }
        };
        let Some(found) = blocking(look).await? else {
            return Ok((own, false));
        };
        own.ensure_same(&found, &self.address)?;
        Ok((found, true))
    }

    /// Begins the place, unless it exists: what all of its files have in common is decided here.
    ///
    /// # Errors
    ///
    /// If something else is there, or there are no documents to infer columns from.
    pub(crate) async fn begin(
        &mut self,
        connected: &Connected,
        report: &Report,
        shutdown: &Shutdown,
    ) -> Result<GroupPlace> {
        let (found, exists) = self.find(connected).await?;
        if exists {
            return Ok(found);
        }
        let mut state = State::new(
            self.kind,
            connected.source.clone(),
            self.options.clone(),
            self.settings.clone(),
        );
        infer_layout(connected, &mut state, &self.settings, report, shutdown).await?;
        self.options = state.options;
        if self.options.format.has_columns() && self.options.layout.is_none() {
            return Err(usage(
                "the container has no documents from which columns could be inferred, and all instances need the same ones",
                "give them with --schema FILE; or write JSON lines",
            ));
        }
        let own = GroupPlace {
            place_id: found.place_id,
            ..self.place(connected)
        };
        let (address, free) = (self.address.clone(), self.address.clone());
        let container = connected.source.container.clone();
        let extension = self.options.format.extension(self.options.compression);
        let marked = blocking(move || {
            ensure_free(&free, &container, extension)?;
            let marked = own.clone().mark(&address)?;
            own.ensure_same(&marked, &address)?;
            Ok(marked)
        });
        marked.await
    }

    /// What the instance writes to that place. `encoders` are those of a tail.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub(crate) fn files(
        self,
        place: GroupPlace,
        connected: Connected,
        encoders: Option<Box<NewEncoder>>,
    ) -> Result<GroupFiles> {
        let encoders = encoders.unwrap_or_else(|| {
            let options = place.options.frozen(Output::Objects);
            let layout = Arc::new(OnceLock::new());
            if let Some(known) = &options.layout {
                layout.set(known.clone()).ok();
            }
            encoders_of(&connected, &options, &self.settings, false, layout)
        });
        Ok(GroupFiles {
            address: self.address,
            place,
            settings: self.settings,
            connected,
            encoders: encoders.into(),
            repair: self.repair,
            writers: Together::start(WRITERS, ENCODER_MEMORY)?,
            commits: Arc::new(Semaphore::new(COMMITS)),
            listing: Listing::default(),
        })
    }
}

impl GroupFiles {
    /// What makes encoders, for one range.
    pub(super) fn encoders(&self) -> Box<NewEncoder> {
        let encoders = Arc::clone(&self.encoders);
        Box::new(move || -> Result<Box<dyn Encoder>> { encoders() })
    }

    /// Where it writes, for people.
    pub(crate) fn display(&self) -> String {
        self.address.to_string()
    }
}

/// A place of a group that exists.
#[derive(Debug, Clone)]
pub(crate) struct FilesOfGroup {
    pub(crate) place: GroupPlace,
    pub(crate) address: Address,
}

impl FilesOfGroup {
    /// Whether files have a part of `range`: whatever is read of that begins where they end.
    ///
    /// # Errors
    ///
    /// If a state cannot be read.
    pub(crate) async fn have_begun(&self, range: &FeedRange) -> Result<bool> {
        let (files, range) = (self.clone(), range.clone());
        let look = move || {
            for other in ranges_at(&files.address)? {
                if other.intersection(&range).is_none() {
                    continue;
                }
                let state = state_of_range(&files.place, &files.address, &other)?;
                let own = state.and_then(|state| state.group);
                if own.is_some_and(|own| own.began.is_some()) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        blocking(look).await
    }
}

/// Checks that nothing else is in the place.
fn ensure_free(address: &Address, container: &str, extension: &'static str) -> Result<()> {
    let object = own_state(address);
    let place = Place {
        output: &Output::Objects,
        base: Path::new("."),
        container,
        extension,
        partition_by: None,
        state_path: None,
        is_for_terminals: false,
    };
    let free = open(place, StateAt::Object(&object))?.ensure_free();
    match free {
        Err(_) if GroupPlace::at(address)?.is_some() => Ok(()),
        free => free,
    }
}

/// Runs what blocks.
pub(super) async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let ended = tokio::task::spawn_blocking(run).await;
    ended.map_err(|_| anyhow!("a task ended unexpectedly"))?
}
