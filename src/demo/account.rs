//! The account itself: the emulator with its container of documents, and its host.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use azure_data_cosmos_driver::in_memory_emulator::ContainerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use super::emulator::Emulator;
use super::fill::Fill;
use super::host::{self, Service};
use super::orders;
use super::recorder::Recorder;
use crate::cosmos::traffic::Traffic;
use crate::error::Annotate;

/// The well-known key of Microsoft's emulators. It is public and protects nothing.
const KEY: &str =
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";

/// How often expired items are looked for. A request looks for them as well.
const EXPIRY_CHECK: Duration = Duration::from_millis(500);

/// What a demo account starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoOptions {
    /// Port on the loopback address; 0 for a free one.
    pub port: u16,
    /// Documents in the container at the start.
    pub documents: u32,
    /// Physical partitions at the start, at least 1.
    pub partitions: u32,
    /// Whether the feed of all versions and deletes shows what an item was before.
    pub previous_images: bool,
    /// How many items of a container Microsoft's emulator has, at most. It takes about 3.5 KB for each. The items
    /// of a container that once had more are kept by the host alone, in about a third of that, and answered
    /// by the emulator one request at a time.
    pub max_emulated: usize,
}

impl Default for DemoOptions {
    /// A free port, 10,000 documents, 4 partitions, no previous images; more than 20,000 items are kept by the host.
    fn default() -> Self {
        Self {
            port: 0,
            documents: 10_000,
            partitions: 4,
            previous_images: false,
            max_emulated: 20_000,
        }
    }
}

/// An account that runs in this process for as long as this value lives.
pub struct DemoAccount {
    pub(super) service: Arc<Service>,
    tasks: [JoinHandle<()>; 3],
}

impl DemoAccount {
    /// The name of the database.
    pub const DATABASE: &'static str = orders::DATABASE;
    /// The name of the container. Its partition key is `/customerId`.
    pub const CONTAINER: &'static str = orders::CONTAINER;
    /// The name of an empty container with the same partition key, as the target of a replay.
    pub const COPY: &'static str = "orders_copy";

    /// Starts an account on the loopback address. It accepts requests when this returns, while its container
    /// is filled: the feed has the first documents at once, other requests wait for the last one.
    ///
    /// # Errors
    ///
    /// If the port is in use, or the emulator does not accept the options.
    pub async fn start(options: &DemoOptions) -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        // Bound before the account is created, which must know the address that it advertises.
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("the demo account cannot listen on {address}"))
            .hint("use another port, or 0 for a free one")?;
        let endpoint = Url::parse(&format!("http://{}/", listener.local_addr()?))?;

        let emulator = Emulator::new(endpoint.clone())?;
        let store = emulator.store();
        store.create_database(Self::DATABASE);
        for container in [Self::CONTAINER, Self::COPY] {
            store.create_container_with_config(
                Self::DATABASE,
                container,
                "/customerId".into(),
                ContainerConfig::new()
                    .with_partition_count(options.partitions)
                    .build()?,
            );
        }
        let recorder = Recorder::new(emulator, options.max_emulated, options.previous_images);
        for container in [Self::CONTAINER, Self::COPY] {
            recorder.adopt(Self::DATABASE, container).await?;
        }
        let service = Arc::new(Service::new(Arc::new(recorder), endpoint, KEY));
        let fill = Fill::begin(service.recorder(), options.documents).await?;
        let fill = tokio::spawn(fill.run());
        let host = tokio::spawn(host::serve(listener, Arc::clone(&service)));
        let expiry = tokio::spawn(expire(Arc::clone(service.recorder())));
        Ok(Self {
            service,
            tasks: [host, expiry, fill],
        })
    }

    /// Waits until the container has the documents of the start.
    ///
    /// # Errors
    ///
    /// If it could not be filled.
    pub async fn filled(&self) -> anyhow::Result<()> {
        self.service.recorder().filled().await
    }

    /// The endpoint: `http://127.0.0.1:PORT/`.
    pub fn endpoint(&self) -> &Url {
        self.service.endpoint()
    }

    /// The requests that it has answered over HTTP.
    pub fn traffic(&self) -> &Arc<Traffic> {
        self.service.traffic()
    }

    /// The account's key, in base64. It is the emulators' well-known one, not a secret.
    pub fn key(&self) -> &str {
        self.service.key()
    }
}

impl Drop for DemoAccount {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Deletes items whose time to live has passed, also while there are no requests.
async fn expire(recorder: Arc<Recorder>) {
    loop {
        tokio::time::sleep(EXPIRY_CHECK).await;
        if let Err(error) = recorder.expire_due().await {
            tracing::warn!(%error, "the demo account cannot delete expired items");
        }
    }
}
