//! A connected account: what can be requested before there is a container.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use azure_data_cosmos_driver::CosmosDriver;
use url::Url;

use super::arm::ArmOnDemand;
use super::auth;
use super::client::{CosmosClient, HttpVersion};
use super::connect::{ensure_regions, open_persistently};
use super::container::{NewContainer, create_container, ensure_partition_key, resolve_container};
use super::missing::ContainerMissing;
use super::options::ConnectOptions;
use super::retry::Persistence;
use super::traffic::Traffic;
use super::transport::{Direct, Heard};
use crate::error::find;

/// How long a container that the control plane has created may be unknown to the account, and the pause between two looks.
const KNOWN_AFTER: Duration = Duration::from_secs(30);
const KNOWN_PAUSE: Duration = Duration::from_millis(500);

/// A connected account, whose credential was accepted.
#[derive(Debug, Clone)]
pub struct CosmosAccount {
    pub(super) driver: Arc<CosmosDriver>,
    pub(super) http_version: HttpVersion,
    pub(super) options: ConnectOptions,
    pub(super) persistence: Persistence,
    pub(super) heard: Arc<Heard>,
    pub(super) direct: Arc<Direct>,
    pub(super) via_arm: Option<ArmOnDemand>,
    pub(super) traffic: Arc<Traffic>,
}

impl CosmosAccount {
    /// Connects to the account of `options`. Transient errors are retried.
    ///
    /// # Errors
    ///
    /// Names the step that failed, the error of the service or the network, and a hint. Fails within
    /// seconds if the address cannot be reached or does not answer.
    pub async fn connect(options: &ConnectOptions, persistence: &Persistence) -> Result<Self> {
        let heard = Arc::new(Heard::default());
        let traffic = Arc::new(Traffic::default());
        let direct = Arc::new(Direct::new(&options.endpoint, &heard));
        let opened = open_persistently(options, &heard, &traffic, &direct, persistence);
        let opened = Box::pin(opened).await;
        let (driver, http_version) =
            opened.with_context(|| format!("cannot connect to {}", options.endpoint))?;
        tracing::info!(
            endpoint = %options.endpoint,
            ?http_version,
            "connected, {}",
            auth::describe(&options.credential)
        );
        ensure_regions(options, &heard)?;
        Ok(Self {
            driver,
            http_version,
            options: options.clone(),
            persistence: persistence.clone(),
            heard,
            direct,
            via_arm: ArmOnDemand::of(options),
            traffic,
        })
    }

    /// The same connection, for this container.
    #[must_use]
    pub fn at(&self, database: &str, container: &str) -> Self {
        let mut at = self.clone();
        database.clone_into(&mut at.options.database);
        container.clone_into(&mut at.options.container);
        at
    }

    /// What is exchanged with the account.
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Resolves the container of the options. If `create` is given, the container is created if it does not
    /// exist.
    ///
    /// # Errors
    ///
    /// If it does not exist, or cannot be read or created; and if it exists with another partition key than
    /// that of `create`.
    pub async fn open_container(&self, create: Option<&NewContainer>) -> Result<CosmosClient> {
        let (driver, options) = (&self.driver, &self.options);
        let (heard, persistence) = (&self.heard, &self.persistence);
        let key_doubt = match create.and_then(|new| new.template.as_ref()) {
            // The definition names them.
            Some(template) => Box::pin(self.make_keys(template)).await?,
            None => None,
        };
        if let (Some(new), Some(arm)) = (create, &self.via_arm) {
            let arm = arm.get(persistence).await?;
            let created = arm.create_container(&options.database, &options.container, new);
            Box::pin(created).await?;
        } else if let Some(new) = create {
            Box::pin(create_container(driver, options, new, heard, persistence)).await?;
        }
        let resolve = || Box::pin(resolve_container(driver, options, heard, persistence));
        let mut container = resolve().await;
        if create.is_some() && self.via_arm.is_some() {
            // The account may know it a moment later than its control plane.
            let started = Instant::now();
            while let Err(error) = &container
                && find::<ContainerMissing>(error).is_some()
                && started.elapsed() < KNOWN_AFTER
            {
                tokio::time::sleep(KNOWN_PAUSE).await;
                container = resolve().await;
            }
        }
        let container = container?;
        if let Some(new) = create {
            ensure_partition_key(&container, new)?;
        }
        Ok(CosmosClient {
            driver: Arc::clone(driver),
            container,
            http_version: self.http_version,
            throughput: options.throughput,
            persistence: persistence.clone(),
            heard: Arc::clone(heard),
            direct: Arc::clone(&self.direct),
            traffic: Arc::clone(&self.traffic),
            via_arm: self.via_arm.clone(),
            key_doubt,
        })
    }

    /// Whether the container of the options exists.
    ///
    /// # Errors
    ///
    /// If its database does not, or that cannot be read.
    pub(super) async fn has_container(&self) -> Result<bool> {
        let (heard, persistence) = (&self.heard, &self.persistence);
        let resolved = resolve_container(&self.driver, &self.options, heard, persistence);
        match Box::pin(resolved).await {
            Ok(_) => Ok(true),
            Err(error) if find::<ContainerMissing>(&error).is_some() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Endpoint of the account.
    pub fn endpoint(&self) -> &Url {
        &self.options.endpoint
    }

    /// The version of HTTP that the account answered with.
    pub fn http_version(&self) -> HttpVersion {
        self.http_version
    }

    /// The regions that the account can be read from, as it names them.
    pub fn regions(&self) -> Vec<String> {
        self.heard.regions()
    }
}

impl CosmosClient {
    /// Connects to the account of `options` and resolves its container, without retries.
    ///
    /// # Errors
    ///
    /// Names the step that failed, the error of the service or the network, and a hint. Fails within
    /// seconds if the address cannot be reached or does not answer.
    pub async fn connect(options: &ConnectOptions) -> Result<Self> {
        Self::connect_and_create(options, None, &Persistence::default()).await
    }

    /// As [`CosmosClient::connect`], with retries of transient errors. If `create` is given, the container
    /// is created if it does not exist.
    ///
    /// # Errors
    ///
    /// As that; and if the container exists with another partition key.
    pub async fn connect_and_create(
        options: &ConnectOptions,
        create: Option<&NewContainer>,
        persistence: &Persistence,
    ) -> Result<Self> {
        let account = CosmosAccount::connect(options, persistence).await?;
        account.open_container(create).await
    }

    /// Refuses the container if its partition key is not that of the one to be created.
    ///
    /// # Errors
    ///
    /// A usage error with both.
    pub fn ensure_partition_key(&self, new: &NewContainer) -> Result<()> {
        ensure_partition_key(&self.container, new)
    }
}
