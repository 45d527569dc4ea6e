//! Everything that reaches the emulator: its writes are logged, its answers get the log's LSNs.
//!
//! A write holds the log from before the emulator sees it until it is logged, so that both have the same
//! writes in the same order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use azure_core::http::Method;
use azure_data_cosmos_driver::in_memory_emulator::EmulatorStore;
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{
    Mutex, MutexGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, watch,
};

use super::answer::Answer;
use super::batch;
use super::emulator::Emulator;
use super::feed::{self, Response};
use super::log::{AccountLog, ContainerLog, Epk, Key, KeyDefinition, PartitionLog, Policy, Write};
use super::lsns;
use super::query;
use super::request::{Action, ItemWrite, Request, Target};
use super::transaction::{Effect, effects, without_content};
use crate::clock;

/// The header with the partition key of an item.
const PARTITION_KEY: &str = "x-ms-documentdb-partitionkey";

/// No item expires.
const NEVER: u64 = u64::MAX;

/// How far the documents of the start are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filling {
    /// So many are.
    Running(u32),
    Done,
    /// Not all of them ever will be.
    Failed,
}

/// The emulator and the log of its writes.
pub(super) struct Recorder {
    emulator: Emulator,
    /// How many items of a container the emulator has, at most.
    max_emulated: usize,
    log: Arc<RwLock<AccountLog>>,
    /// Whether the feed of all versions shows what an item was before.
    has_previous_images: bool,
    /// How far the documents of the start are there.
    filling: watch::Sender<Filling>,
    /// Held by the one split or merge that is under way.
    transition: Mutex<()>,
    /// When the next item of the account expires, in seconds since 1970.
    next_expiry: AtomicU64,
}

impl Recorder {
    pub(super) fn new(emulator: Emulator, max_emulated: usize, has_previous_images: bool) -> Self {
        Self {
            emulator,
            max_emulated,
            log: Arc::default(),
            has_previous_images,
            filling: watch::Sender::new(Filling::Done),
            transition: Mutex::new(()),
            next_expiry: AtomicU64::new(NEVER),
        }
    }

    pub(super) fn store(&self) -> Arc<EmulatorStore> {
        self.emulator.store()
    }

    /// How many items of a container the emulator has, at most.
    pub(super) fn max_emulated(&self) -> usize {
        self.max_emulated
    }

    pub(super) async fn log(&self) -> RwLockReadGuard<'_, AccountLog> {
        self.log.read().await
    }

    /// Changes the log of a container, if there is one.
    pub(super) async fn with_log(
        &self,
        database: &str,
        container: &str,
        change: impl FnOnce(&mut ContainerLog),
    ) {
        if let Some(log) = self.log.write().await.get_mut(database, container) {
            change(log);
        }
    }

    /// The log for a change of the topology: no write is under way.
    pub(super) async fn log_mut(&self) -> RwLockWriteGuard<'_, AccountLog> {
        self.log.write().await
    }

    /// Waits until the documents of the start are there.
    ///
    /// # Errors
    ///
    /// If they never will be.
    pub(super) async fn filled(&self) -> Result<()> {
        let mut filling = self.filling.subscribe();
        let is_over = |filling: &Filling| !matches!(filling, Filling::Running(_));
        ensure_not_failed(&*filling.wait_for(is_over).await?)
    }

    /// Reports how far the documents of the start are there.
    pub(super) fn report(&self, filling: Filling) {
        self.filling.send_replace(filling);
    }

    /// Creates documents of the start, whatever else waits for them.
    ///
    /// # Errors
    ///
    /// If the emulator fails, or refuses one.
    pub(super) async fn fill(&self, requests: Vec<Request>) -> Result<()> {
        let mut log = self.log.write().await;
        for request in requests {
            let target = request.target();
            let answer = self
                .write_items(&mut log, request, &target, ItemWrite::Put)
                .await?;
            ensure!(
                answer.is_success(),
                "the demo account cannot create the documents of its start: status {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        Ok(())
    }

    /// Logs documents of the start of a large container, which the emulator does not get.
    ///
    /// # Errors
    ///
    /// If there is no such container.
    pub(super) async fn fill_log(
        &self,
        database: &str,
        container: &str,
        documents: Vec<(String, Effect)>,
    ) -> Result<()> {
        let mut log = self.log.write().await;
        let log = log.get_mut(database, container);
        let log = log.context("the demo container has been deleted")?;
        for (key, document) in documents {
            append(log, Some(&key), &[document], false)?;
        }
        Ok(())
    }

    /// Waits until no split or merge is under way, and keeps others away.
    pub(super) async fn transition(&self) -> MutexGuard<'_, ()> {
        self.transition.lock().await
    }

    /// Executes a request.
    ///
    /// # Errors
    ///
    /// If the emulator itself fails. An error status is an answer, not an error.
    pub(super) async fn execute(self: &Arc<Self>, request: Request) -> Result<Answer> {
        self.expire_due().await?;
        let target = request.target();
        // The feed and the partitions are what a reader begins with. Their LSNs are promised already.
        if !matches!(target.action, Action::Feed | Action::Ranges | Action::Other) {
            self.filled().await?;
        }
        match target.action {
            Action::Feed => self.read_feed(request, &target).await,
            Action::Read => self.read(request, &target).await,
            Action::Ranges => {
                // Held meanwhile, so that the emulator's topology and the log's are the same.
                let log = self.log.read().await;
                let mut answer = self.emulate(request).await?;
                if let Some(log) = log.get(&target.database, &target.container) {
                    lsns::set_in_ranges(&mut answer, log)?;
                }
                Ok(answer)
            }
            Action::Other => self.emulate(request).await,
            Action::Write(_)
            | Action::CreateContainer
            | Action::ReplaceContainer
            | Action::DeleteContainer
            | Action::DeleteDatabase => {
                let recorder = Arc::clone(self);
                // A task of its own, which goes on if the client disconnects: otherwise a write could be in
                // the emulator and not in the log.
                let write = tokio::spawn(async move {
                    let log = Arc::clone(&recorder.log).write_owned().await;
                    recorder.write(log, request, &target).await
                });
                write.await.context("the demo account failed in a write")?
            }
        }
    }

    async fn write(
        &self,
        mut log: OwnedRwLockWriteGuard<AccountLog>,
        request: Request,
        target: &Target,
    ) -> Result<Answer> {
        let (database, container) = (&target.database, &target.container);
        let answer = match target.action {
            Action::Write(write) => self.write_items(&mut log, request, target, write).await?,
            _ => {
                let body = request.body.clone();
                let answer = self.emulate(request).await?;
                if answer.is_success() {
                    match target.action {
                        Action::DeleteDatabase => log.remove_database(database),
                        Action::DeleteContainer => log.remove(database, container),
                        Action::ReplaceContainer => {
                            let properties = self.properties(database, container).await?;
                            if let Some(log) = log.get_mut(database, container) {
                                log.set_policy(self.policy(&properties));
                            }
                        }
                        _ => {
                            let name = name_of(&body)?;
                            self.add_container(&mut log, database, &name).await?;
                        }
                    }
                }
                answer
            }
        };
        self.note_expiry(&log);
        Ok(answer)
    }

    /// Executes a write to items, and logs it.
    async fn write_items(
        &self,
        log: &mut AccountLog,
        mut request: Request,
        target: &Target,
        write: ItemWrite,
    ) -> Result<Answer> {
        let wants_content = wants_content(&request);
        let key = request.header(PARTITION_KEY).map(str::to_owned);
        let docs = format!(
            "{}/docs",
            container_path(&target.database, &target.container)
        );
        let log = log.get_mut(&target.database, &target.container);
        let patched = match &log {
            Some(log) if write == ItemWrite::Batch => {
                batch::without_patches(&request.body, key.as_deref(), log).await?
            }
            _ => None,
        };
        if let Some(patched) = &patched {
            request.body = patched.body.clone();
        }
        if let Some(log) = &log
            && write == ItemWrite::Patch
            && let Some(current) = current(log, key.as_deref(), &target.item)
            && let Some(refusal) = batch::failed_condition(current, &request.body).await?
        {
            return Ok(refusal);
        }
        let operations = match write {
            ItemWrite::Batch => request.body.clone(),
            _ => Bytes::new(),
        };
        // What was written comes with the answer, as text.
        request.set_header(
            "x-ms-cosmos-populate-content-response-on-write",
            "true".to_owned(),
        );
        request.remove_header("x-ms-cosmos-supported-serialization-formats");
        request.remove_header("x-ms-session-token");
        let judged = self.judge(log.as_deref(), request, target, Some(write));
        let mut answer = judged.await?;
        if let Some(patched) = &patched {
            patched.restore(&mut answer)?;
        }
        if answer.status == 200 || answer.status == 201 || answer.status == 204 {
            let log = log.context("the demo account has no log of the container")?;
            let effects = effects(write, &target.item, &operations, &answer.body)?;
            let lsn = append(log, key.as_deref(), &effects, false)?;
            lsns::set_of_write(&mut answer, log, lsn);
            if log.outgrows(self.max_emulated) {
                self.move_out(log, &docs).await?;
            }
        } else if let Some(log) = log {
            lsns::set(&mut answer, log);
        }
        if !wants_content {
            answer.body = match write {
                ItemWrite::Batch => without_content(&answer.body, &operations)?,
                _ if answer.is_success() => Bytes::new(),
                _ => answer.body,
            };
        }
        Ok(answer)
    }

    /// Reads items. Everything that was written can be read at once, so a session token only has to be one of
    /// the past.
    async fn read(self: &Arc<Self>, mut request: Request, target: &Target) -> Result<Answer> {
        if let Some(token) = request.header("x-ms-session-token") {
            let log = self.log.read().await;
            let log = log.get(&target.database, &target.container);
            match lsns::check_session(token, log) {
                lsns::Session::Past => request.remove_header("x-ms-session-token"),
                lsns::Session::Future => return Ok(lsns::session_not_available(token)),
                // The emulator says what is wrong with it.
                lsns::Session::Malformed => {}
            }
        }
        {
            // Held meanwhile, so that no item leaves the emulator.
            let log = self.log.read().await;
            let of_container = log.get(&target.database, &target.container);
            if of_container.is_none_or(|log| !log.is_large()) || query::is_plan(&request.headers) {
                let mut answer = self.emulate(request).await?;
                if let Some(log) = of_container {
                    lsns::set(&mut answer, log);
                }
                return Ok(answer);
            }
        }
        if target.item.is_empty() {
            return self.scan(request, target).await;
        }
        let (recorder, target) = (Arc::clone(self), target.clone());
        // A task of its own, like a write: an item that visits the emulator has to leave it again.
        let read = tokio::spawn(async move {
            let log = recorder.log.write().await;
            let log = log.get(&target.database, &target.container);
            let mut answer = recorder.judge(log, request, &target, None).await?;
            if let Some(log) = log {
                lsns::set(&mut answer, log);
            }
            Ok(answer)
        });
        read.await.context("the demo account failed in a read")?
    }

    async fn read_feed(&self, request: Request, target: &Target) -> Result<Answer> {
        let mut filling = self.filling.subscribe();
        loop {
            // Before the log is read, so that no progress is missed.
            filling.mark_unchanged();
            {
                let log = self.log.read().await;
                let of_container = log.get(&target.database, &target.container);
                match of_container.map_or(Response::Refused, |log| feed::answer(&request, log)) {
                    Response::Page(answer) => return Ok(answer),
                    Response::NotYet => {}
                    Response::Refused => {
                        let answer = self.emulate(request).await?;
                        let message = "One of the input values is invalid.";
                        return Ok(match answer.status {
                            200 | 304 => Answer::error(400, "BadRequest", message),
                            _ => answer,
                        });
                    }
                }
            }
            filling.changed().await?;
            ensure_not_failed(&filling.borrow())?;
        }
    }

    /// Executes a request in the emulator, as it is.
    pub(super) async fn emulate(&self, request: Request) -> Result<Answer> {
        self.emulator.execute(request).await
    }

    /// Executes a request to items, wherever they are. `write` is `None` for a read.
    async fn judge(
        &self,
        log: Option<&ContainerLog>,
        request: Request,
        target: &Target,
        write: Option<ItemWrite>,
    ) -> Result<Answer> {
        match log.filter(|log| log.is_large()) {
            Some(log) => self.visit(log, request, target, write).await,
            None => self.emulate(request).await,
        }
    }

    /// Begins the log of a container that was created directly in the emulator's store.
    pub(super) async fn adopt(&self, database: &str, container: &str) -> Result<()> {
        let mut log = self.log.write().await;
        self.add_container(&mut log, database, container).await
    }

    /// The properties of a container. They do not come with every answer to its creation.
    pub(super) async fn properties(&self, database: &str, container: &str) -> Result<Value> {
        let path = container_path(database, container);
        let answer = self.emulate(Request::new(Method::Get, &path)).await?;
        serde_json::from_slice(&answer.body).context("the properties of a container are JSON")
    }

    fn policy(&self, properties: &Value) -> Policy {
        Policy::of_properties(properties, self.has_previous_images)
    }

    /// Begins the log of a new container.
    async fn add_container(
        &self,
        log: &mut AccountLog,
        database: &str,
        container: &str,
    ) -> Result<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Range {
            id: String,
            min_inclusive: String,
            max_exclusive: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Ranges {
            partition_key_ranges: Vec<Range>,
        }
        let properties = self.properties(database, container).await?;
        let rid = properties["_rid"].as_str().map(str::to_owned);
        let rid = rid.context("the container has no resource id")?;
        let path = format!("{}/pkranges", container_path(database, container));
        let answer = self.emulate(Request::new(Method::Get, &path)).await?;
        let ranges: Ranges = serde_json::from_slice(&answer.body)
            .context("the demo account cannot list the partitions of a new container")?;
        let partitions: Option<Vec<PartitionLog>> = ranges
            .partition_key_ranges
            .iter()
            .map(|range| {
                let min = Epk::from_hex(&range.min_inclusive)?;
                let max = Epk::from_hex(&range.max_exclusive)?;
                Some(PartitionLog::new(range.id.parse().ok()?, min, max))
            })
            .collect();
        let partitions = partitions.context("a partition of a new container has no range")?;
        let keys = KeyDefinition::of_properties(&properties)?;
        let new = ContainerLog::new(rid, keys, self.policy(&properties), partitions);
        log.insert(database, container, new);
        Ok(())
    }

    /// Deletes the items whose time to live has passed.
    ///
    /// # Errors
    ///
    /// If the emulator itself fails.
    pub(super) async fn expire_due(self: &Arc<Self>) -> Result<()> {
        if self.next_expiry.load(Ordering::Relaxed) > now() {
            return Ok(());
        }
        let recorder = Arc::clone(self);
        let expire = tokio::spawn(async move { recorder.expire().await });
        expire.await.context("the demo account failed in a write")?
    }

    async fn expire(&self) -> Result<()> {
        let now = now();
        let mut log = self.log.write().await;
        for ((database, container), log) in log.iter_mut() {
            for (key, id) in log.expired(now) {
                let id_in_path = utf8_percent_encode(&id, NON_ALPHANUMERIC);
                let path = format!("{}/docs/{id_in_path}", container_path(database, container));
                let mut request = Request::new(Method::Delete, &path);
                let header = key.to_header();
                request.set_header(PARTITION_KEY, header.clone());
                let deleted = request.target();
                let write = Some(ItemWrite::Delete);
                let answer = self.judge(Some(log), request, &deleted, write).await?;
                // A partition that is being split or merged deletes it later.
                if answer.is_success() {
                    append(log, Some(&header), &[Effect::Remove { id }], true)?;
                }
            }
        }
        self.note_expiry(&log);
        Ok(())
    }

    fn note_expiry(&self, log: &AccountLog) {
        let next = log.iter().filter_map(ContainerLog::next_expiry).min();
        self.next_expiry
            .store(next.unwrap_or(NEVER), Ordering::Relaxed);
    }
}

fn ensure_not_failed(filling: &Filling) -> Result<()> {
    ensure!(
        *filling != Filling::Failed,
        "the demo account could not create the documents of its start"
    );
    Ok(())
}

/// The document of an item with the partition key of a request.
fn current<'a>(log: &'a ContainerLog, key: Option<&str>, id: &str) -> Option<&'a [u8]> {
    let (epk, _) = log.keys().hashes(&Key::of_header(key?).ok()??).ok()?;
    Some(log.latest(&epk, id)?.document())
}

/// Appends what was written to one partition key. Returns the LSN; `None` if nothing was written.
fn append(
    log: &mut ContainerLog,
    key: Option<&str>,
    effects: &[Effect],
    is_expiry: bool,
) -> Result<Option<u64>> {
    let Some(first) = effects.first() else {
        return Ok(None);
    };
    let key = match (key.map(Key::of_header).transpose()?.flatten(), first) {
        (Some(key), _) => key,
        (None, Effect::Put { document, .. }) => {
            log.keys().key_of(&serde_json::from_slice(document)?)
        }
        (None, Effect::Remove { .. }) => anyhow::bail!("a deletion has no partition key"),
    };
    let (epk, _) = log.keys().hashes(&key)?;
    let times = effects.iter().map(|effect| match effect {
        Effect::Put { time, .. } => *time,
        Effect::Remove { .. } => now(),
    });
    let time = times.max().unwrap_or_default();
    let writes: Vec<Write<'_>> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Put { id, document, .. } => Write::Put { id, document },
            Effect::Remove { id } => Write::Remove { id },
        })
        .collect();
    let lsn = log
        .append(&epk, time, &writes, is_expiry)
        .context("the demo account has no partition for a partition key")?;
    Ok(Some(lsn))
}

/// Whether the client wants the documents that it writes in the answer.
fn wants_content(request: &Request) -> bool {
    let wanted = request.header("x-ms-cosmos-populate-content-response-on-write");
    match (wanted, request.header("prefer")) {
        (Some(wanted), _) => wanted.eq_ignore_ascii_case("true"),
        (None, Some(prefer)) => !prefer.contains("return=minimal"),
        (None, None) => true,
    }
}

/// The id in the properties of a container.
fn name_of(properties: &[u8]) -> Result<String> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let named: Named = serde_json::from_slice(properties).context("a container has an id")?;
    Ok(named.id)
}

fn container_path(database: &str, container: &str) -> String {
    let escape = |name| utf8_percent_encode(name, NON_ALPHANUMERIC);
    format!("/dbs/{}/colls/{}", escape(database), escape(container))
}

fn now() -> u64 {
    u64::try_from(clock::now().unix_timestamp()).unwrap_or_default()
}
