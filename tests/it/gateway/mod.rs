//! A scripted Cosmos gateway: a real HTTP server on the loopback interface with a real change log behind
//! it. It speaks HTTP/1.1 and HTTP/2, or HTTP/1.1 only ([`GatewayOptions::http1_only`]), in plain text, or
//! in TLS with a self-signed certificate ([`GatewayOptions::tls`]).
//!
//! It serves the requests of a change feed reader (account, databases, containers, partition key ranges, the
//! documents feed in both modes), queries with their plans, and those of a replay (point reads and writes, new
//! containers). It also
//! keeps everything that a test wants to know: the requests, the documents that a complete reader must have
//! seen, and the requests that no correct client sends ([`Gateway::violations`]).
//!
//! The server has its own thread and runtime, so the whole interface is plain synchronous calls. Nothing in
//! it depends on the wall clock: the documents' `_ts` are from a clock that only [`Gateway::set_time`] and
//! [`Gateway::advance_time`] move.
//!
//! # Positions
//!
//! Each partition counts its transactions with an LSN. The ETag of a page is the LSN of its last item, in
//! quotes, and that of a 304 is the partition's current LSN. The children of a split inherit the parent's
//! LSN and its history, cut to their bounds. A merged partition has the history of both parents under its
//! old LSNs and continues from the greater of the two, so the tokens of both parents stay valid on the
//! parents' old EPK ranges, and on nothing wider.
//!
//! So that a token on the wrong range is noticed even between partitions with the same LSNs, the partitions of
//! a container start [`GatewayOptions::lsn_stride`] apart, and so do siblings of a split. A stride of 0
//! gives every partition the LSNs 1, 2, 3, ….
//!
//! # Replicas
//!
//! A request may be answered by a replica that lags ([`Gateway::set_lag`], [`Action::Lag`]): it has the
//! partition's log up to an LSN of its own, which its ETags, `lsn` headers and session tokens show, and
//! shows every item as it was then. It never lags behind the history that a partition had when a split or
//! merge created it, unless the test says so ([`Lag::At`]).

#![allow(
    dead_code,
    unused_imports,
    reason = "tests and benches each include this module and use a part of it"
)]

mod account;
mod arm;
mod auth;
mod batch;
mod body;
mod change_log;
mod companions;
mod container;
mod faults;
mod feed;
mod fixed_pages;
mod items;
mod lists;
mod query;
mod replicas;
mod requests;
mod routes;
mod server;
mod tls;

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use azure_data_cosmos_driver::models::PartitionKeyDefinition;

pub(crate) use arm::{
    ARM_ACCOUNT, ARM_GROUP, ARM_SUBSCRIPTION, ARM_TOKEN, ArmAnswer, ArmRequest, ArmServer,
    account_id,
};
pub(crate) use auth::sign;
pub(crate) use change_log::{Operation, PartitionInfo, RawDocument, Served, SystemFields};
pub(crate) use container::{Container, Lock};
pub(crate) use faults::{Action, Fault, Hold};
pub(crate) use fixed_pages::{DocumentShape, StaticGateway, StaticOptions};
pub(crate) use items::WriteRecord;
pub(crate) use replicas::{Lag, at_random, in_turn, rewriter};
pub(crate) use requests::{RequestKind, RequestRecord};

/// The account key that the gateway accepts, base64.
pub(crate) const KEY: &str = "c2NyaXB0ZWQgZ2F0ZXdheSBhY2NvdW50IGtleSBmb3IgbG9vcGJhY2s=";

/// How long a wait for the client may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The gateway's properties from its first request on.
#[derive(Clone, Debug)]
pub(crate) struct GatewayOptions {
    /// Speak HTTP/1.1 only, as some proxies do. Otherwise HTTP/1.1 and HTTP/2.
    pub(crate) http1_only: bool,
    /// Speak TLS only, with a self-signed certificate for `127.0.0.1` and `localhost`, and the
    /// version of HTTP that ALPN agrees on.
    pub(crate) tls: bool,
    /// Verify the master-key signature of every request, so that a wrong key is a 401.
    /// Otherwise the authorization header only has to be there.
    pub(crate) verify_signature: bool,
    /// Serve LatestVersion items in their envelope when the client requests it, as the service does. `false`
    /// always sends bare documents, as the emulators do.
    pub(crate) envelope: bool,
    /// Serve EPK ranges narrower than their partition, as the service does for its official clients. `false`
    /// refuses them with 400, as an emulator may.
    pub(crate) epk_sub_ranges: bool,
    /// Keep pre-images: `previous` in AllVersionsAndDeletes.
    pub(crate) previous_images: bool,
    /// Upper bound of a page in bytes. One transaction is served whole, whatever its size.
    pub(crate) max_page_bytes: usize,
    /// Items in a page when the client names no `x-ms-max-item-count`.
    pub(crate) default_page_items: usize,
    /// Distance between the first LSNs of partitions; see the module's text.
    pub(crate) lsn_stride: u64,
    /// The account's default consistency level. With `Session`, a replica behind a request's session token
    /// refuses it (404/1002); with weaker ones it answers with what it has. A request may choose a level of its
    /// own with `x-ms-consistency-level`.
    pub(crate) consistency: &'static str,
    /// Refuse a request for a stronger consistency than the account's with 400, as the service does. Otherwise
    /// it is granted.
    pub(crate) refuse_stronger_consistency: bool,
    /// The locations in the account's JSON, instead of this gateway; see [`Gateway::set_locations`].
    pub(crate) locations: Option<serde_json::Value>,
    /// Containers that clients create accept positions that this gateway has not issued, such as that of the beginning
    /// in leases.
    pub(crate) new_take_all_tokens: bool,
    /// Threads of the server's runtime.
    pub(crate) threads: usize,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            http1_only: false,
            tls: false,
            verify_signature: true,
            envelope: true,
            epk_sub_ranges: true,
            previous_images: false,
            max_page_bytes: 4 << 20,
            default_page_items: 100,
            lsn_stride: 10_000,
            consistency: "Session",
            refuse_stronger_consistency: true,
            locations: None,
            new_take_all_tokens: false,
            threads: 1,
        }
    }
}

impl GatewayOptions {
    fn transport(&self) -> server::Transport {
        server::Transport {
            tls: self.tls,
            http1_only: self.http1_only,
        }
    }
}

/// Everything that requests and tests change, under one lock.
struct State {
    account: account::Account,
    faults: faults::FaultTable,
    requests: requests::RequestLog,
    violations: Vec<String>,
    writes: Vec<WriteRecord>,
    replicas: replicas::Replicas,
    locations: Option<serde_json::Value>,
    /// A member that no new container may have, and the message of its refusal.
    refused_member: Option<(String, String)>,
    /// The offers: the RID of the resource, and the content.
    offers: Vec<(String, serde_json::Value)>,
    companions: companions::Companions,
    /// Entries in a page of a list.
    list_page: usize,
    /// Seconds since the epoch, given to documents as `_ts`.
    now: u64,
    /// Whether that is the time of day.
    runs: bool,
}

/// The part of the gateway that its handles and its server share.
struct Shared {
    options: GatewayOptions,
    /// The account key.
    key: Arc<Mutex<String>>,
    state: Mutex<State>,
    /// Notified at each request and at each response.
    progress: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked with the lock held has already failed; its drop glue still reads.
        let locked = self.state.lock();
        let mut state = locked.unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.runs {
            state.now = time::OffsetDateTime::now_utc()
                .unix_timestamp()
                .unsigned_abs();
        }
        state
    }
}

/// A running gateway. Dropping it closes its connections and ends its thread.
pub(crate) struct Gateway {
    shared: Arc<Shared>,
    server: server::Server,
}

impl Gateway {
    /// Starts a gateway with an empty account on a free port of 127.0.0.1.
    pub(crate) fn start(options: GatewayOptions) -> Self {
        let (transport, threads) = (options.transport(), options.threads);
        let locations = options.locations.clone();
        let shared = Arc::new(Shared {
            options,
            key: Arc::new(Mutex::new(KEY.to_owned())),
            state: Mutex::new(State {
                account: account::Account::default(),
                faults: faults::FaultTable::default(),
                requests: requests::RequestLog::default(),
                violations: Vec::new(),
                writes: Vec::new(),
                replicas: replicas::Replicas::default(),
                locations,
                refused_member: None,
                offers: Vec::new(),
                companions: companions::Companions::default(),
                list_page: 100,
                now: 1_700_000_000,
                runs: false,
            }),
            progress: Condvar::new(),
        });
        let handler = Arc::new(routes::Routes::new(Arc::clone(&shared)));
        let server = server::Server::start(handler, transport, threads);
        Self { shared, server }
    }

    /// Starts a server of pre-rendered pages for benchmarks: any amount of data from a small,
    /// constant amount of memory.
    pub(crate) fn start_static(options: StaticOptions) -> StaticGateway {
        StaticGateway::start(options)
    }

    /// The account endpoint, `http://127.0.0.1:PORT/`, or `https://127.0.0.1:PORT/` with TLS.
    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// A connection string for this account. With TLS it asks that the certificate be accepted.
    pub(crate) fn connection_string(&self) -> String {
        self.server.connection_string()
    }

    /// Whether it speaks TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.shared.options.tls
    }

    /// Creates a container (and its database, if new) of `partitions` partitions that share the
    /// hash space evenly. One path is a plain partition key, a pair a hierarchical one.
    ///
    /// After [`Self::delete_container`] the same names give a container with a new RID.
    ///
    /// # Panics
    /// If the container exists, or `partitions` is 0.
    pub(crate) fn create_container(
        &self,
        database: &str,
        container: &str,
        partition_key: impl Into<PartitionKeyDefinition>,
        partitions: usize,
    ) -> Container {
        let stride = self.shared.options.lsn_stride;
        let rid = self.shared.lock().account.create_container(
            database,
            container,
            partition_key.into(),
            partitions,
            stride,
        );
        Container::new(Arc::clone(&self.shared), rid)
    }

    /// Creates a database without containers, unless it exists. Returns its RID.
    pub(crate) fn create_database(&self, database: &str) -> String {
        self.shared.lock().account.create_database(database)
    }

    /// Deletes a database and creates another one of its name, for what a fault calls.
    pub(crate) fn replacer(&self, database: &str) -> impl Fn() + Send + Sync + 'static {
        let (shared, database) = (Arc::clone(&self.shared), database.to_owned());
        move || {
            let mut state = shared.lock();
            state.account.delete_database(&database);
            state.account.create_database(&database);
        }
    }

    /// Gives a database or a container, by its RID, an offer with this content.
    pub(crate) fn set_offer(&self, rid: &str, content: serde_json::Value) {
        self.shared.lock().offers.push((rid.to_owned(), content));
    }

    /// Refuses every new container whose definition has this member, with this message.
    pub(crate) fn refuse_definitions_with(&self, member: &str, message: &str) {
        let refused = (member.to_owned(), message.to_owned());
        self.shared.lock().refused_member = Some(refused);
    }

    /// Gives a container or a database, by its RID, a companion of this kind: `sprocs`, `triggers`, `udfs`, or
    /// `clientencryptionkeys`.
    pub(crate) fn add_companion(&self, owner: &str, kind: &str, companion: serde_json::Value) {
        self.shared.lock().companions.add(owner, kind, companion);
    }

    /// Removes all companions of this kind.
    pub(crate) fn remove_companions(&self, owner: &str, kind: &str) {
        self.shared.lock().companions.remove(owner, kind);
    }

    /// The companions of a kind, as the gateway sends them.
    pub(crate) fn companions(&self, owner: &str, kind: &str) -> Vec<serde_json::Value> {
        self.shared.lock().companions.of(owner, kind)
    }

    /// Refuses every new companion with this text in it, with this message.
    pub(crate) fn refuse_companions_with(&self, text: &str, message: &str) {
        let refused = (text.to_owned(), message.to_owned());
        self.shared.lock().companions.refused = Some(refused);
    }

    /// How many entries a page of a list has at most: 100 at first.
    pub(crate) fn set_list_page(&self, entries: usize) {
        self.shared.lock().list_page = entries;
    }

    /// Deletes a container with its history.
    ///
    /// # Panics
    /// If there is no such container.
    pub(crate) fn delete_container(&self, database: &str, container: &str) {
        self.shared
            .lock()
            .account
            .delete_container(database, container);
    }

    /// Deletes a container, for what a fault calls.
    pub(crate) fn remover(
        &self,
        database: &str,
        container: &str,
    ) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        let (database, container) = (database.to_owned(), container.to_owned());
        move || {
            shared
                .lock()
                .account
                .delete_container(&database, &container)
        }
    }

    /// Creates a container of one partition, for what a fault calls.
    pub(crate) fn creator(
        &self,
        database: &str,
        container: &str,
        partition_key: &str,
    ) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        let stride = self.shared.options.lsn_stride;
        let [database, container, key] = [database, container, partition_key].map(str::to_owned);
        move || {
            let key = PartitionKeyDefinition::from(key.as_str());
            let mut state = shared.lock();
            state
                .account
                .create_container(&database, &container, key, 1, stride);
        }
    }

    /// Adds a fault to the script. Of several that match one request, the first that was added
    /// decides the answer; waits and calls of all of them happen.
    pub(crate) fn push_fault(&self, fault: Fault) {
        self.shared.lock().faults.push(fault);
    }

    /// Removes the rest of the script.
    pub(crate) fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Decides for each change feed request how far the replica lags that answers it, unless a fault
    /// ([`Action::Lag`]) does. It must not use the gateway's handles.
    pub(crate) fn set_lag<L: Into<Lag>>(
        &self,
        choose: impl FnMut(&RequestRecord) -> L + Send + 'static,
    ) {
        self.shared.lock().replicas.set(choose);
    }

    /// No replica lags any more.
    pub(crate) fn clear_lag(&self) {
        self.shared.lock().replicas = replicas::Replicas::default();
    }

    /// The locations in the account's JSON from now on: the value of `writableLocations` and
    /// `readableLocations`, or an object with either.
    pub(crate) fn set_locations(&self, locations: serde_json::Value) {
        self.shared.lock().locations = Some(locations);
    }

    /// Requests that no correct client sends, in words. Every test ends by asserting that this
    /// is empty.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.shared.lock().violations.clone()
    }

    /// The writes of clients so far, in the order in which they were carried out.
    pub(crate) fn write_log(&self) -> Vec<WriteRecord> {
        self.shared.lock().writes.clone()
    }

    /// The container of this name, which a client may have created.
    pub(crate) fn container(&self, database: &str, container: &str) -> Option<Container> {
        let state = self.shared.lock();
        let rid = state.account.container(database, container)?.rid.clone();
        Some(Container::new(Arc::clone(&self.shared), rid))
    }

    /// Sets the documents' clock, in seconds since the epoch.
    pub(crate) fn set_time(&self, seconds: u64) {
        self.shared.lock().now = seconds;
    }

    /// From now on documents are written at the time of day.
    pub(crate) fn run_clock(&self) {
        self.shared.lock().runs = true;
    }

    /// From now on the documents' clock shows the same time.
    pub(crate) fn stop_clock(&self) {
        self.shared.lock().runs = false;
    }

    /// Moves the documents' clock on.
    pub(crate) fn advance_time(&self, seconds: u64) {
        self.shared.lock().now += seconds;
    }

    /// Another account key is the only one that is accepted from now on.
    pub(crate) fn set_key(&self, key: &str) {
        key.clone_into(&mut self.shared.key.lock().unwrap());
    }

    /// The account key, for what a fault calls.
    pub(crate) fn key(&self) -> Arc<Mutex<String>> {
        Arc::clone(&self.shared.key)
    }

    /// The documents' clock.
    pub(crate) fn time(&self) -> u64 {
        self.shared.lock().now
    }

    /// Every request so far, in order of arrival.
    pub(crate) fn request_log(&self) -> Vec<RequestRecord> {
        self.shared.lock().requests.records().to_vec()
    }

    /// How many requests of one kind have arrived.
    pub(crate) fn requests(&self, kind: RequestKind) -> usize {
        self.shared.lock().requests.count(kind)
    }

    /// How many requests have arrived.
    pub(crate) fn total_requests(&self) -> usize {
        self.shared.lock().requests.records().len()
    }

    /// The RU of all responses so far, as the `x-ms-request-charge` headers added up.
    pub(crate) fn total_request_charge(&self) -> f64 {
        self.shared.lock().requests.total_charge()
    }

    /// Waits until `count` requests have arrived in total.
    ///
    /// # Panics
    /// After a minute.
    pub(crate) fn wait_for_requests(&self, count: usize) {
        self.wait_until(&format!("{count} requests"), |records| {
            records.len() >= count
        });
    }

    /// Waits until `count` requests of one kind have arrived.
    ///
    /// # Panics
    /// After a minute.
    pub(crate) fn wait_for(&self, kind: RequestKind, count: usize) {
        self.wait_until(&format!("{count} requests of kind {kind:?}"), |records| {
            records.iter().filter(|record| record.kind == kind).count() >= count
        });
    }

    /// Waits until `count` documents have been written by clients.
    ///
    /// # Panics
    /// After a minute.
    pub(crate) fn wait_for_writes(&self, count: usize) {
        self.wait_for_state(&format!("{count} writes"), |state| {
            state.writes.len() >= count
        });
    }

    /// Waits until the reader has caught up: every live partition of `container` has answered a
    /// 304 at its current LSN.
    ///
    /// # Panics
    /// After a minute.
    pub(crate) fn wait_until_caught_up(&self, container: &Container) {
        let partitions = container.partitions();
        self.wait_until("a 304 from every partition", |records| {
            partitions.iter().all(|partition| {
                // The newest first, since there may be many.
                records.iter().rev().any(|record| {
                    record.status == Some(304)
                        && record.partition.as_deref() == Some(partition.id.as_str())
                        && record.lsn == Some(partition.lsn)
                })
            })
        });
    }

    /// Waits until `condition` is true of the requests so far. It is evaluated again at each request and at each
    /// response. `what` names it in the panic.
    ///
    /// # Panics
    /// After a minute.
    pub(crate) fn wait_until(
        &self,
        what: &str,
        mut condition: impl FnMut(&[RequestRecord]) -> bool,
    ) {
        self.wait_for_state(what, |state| condition(state.requests.records()));
    }

    fn wait_for_state(&self, what: &str, mut condition: impl FnMut(&State) -> bool) {
        let state = self.shared.lock();
        let (state, timeout) = self
            .shared
            .progress
            .wait_timeout_while(state, PATIENCE, |state| !condition(state))
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let seen = state.requests.records().len();
        drop(state);
        assert!(
            !timeout.timed_out(),
            "waited {PATIENCE:?} for {what}; {seen} requests came"
        );
    }
}
