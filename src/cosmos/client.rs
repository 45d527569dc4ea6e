//! A connected account and one of its containers.

use std::sync::Arc;

use anyhow::{Context, Result};
use azure_data_cosmos_driver::CosmosDriver;
use azure_data_cosmos_driver::models::{ContainerReference, PartitionKeyDefinition};
use azure_data_cosmos_driver::options::{
    AvailabilityStrategy, BinaryEncodingOptions, OperationOptions, OperationOptionsBuilder,
    PriorityLevel, ThroughputControlOptionsBuilder,
};
use url::Url;

use super::arm::ArmOnDemand;
use super::definition::ContainerDefinition;
use super::options::{RequestPriority, ThroughputControl};
use super::retry::Persistence;
use super::traffic::Traffic;
use super::transport::{Direct, Heard};

/// The version of HTTP that is spoken with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/2, like the service.
    Http2,
    /// HTTP/1.1, like some proxies and emulators.
    Http11,
}

/// A connected account and one of its containers.
#[derive(Debug, Clone)]
pub struct CosmosClient {
    pub(super) driver: Arc<CosmosDriver>,
    pub(super) container: ContainerReference,
    pub(super) http_version: HttpVersion,
    pub(super) throughput: ThroughputControl,
    pub(super) persistence: Persistence,
    pub(super) heard: Arc<Heard>,
    pub(super) direct: Arc<Direct>,
    pub(super) traffic: Arc<Traffic>,
    /// The control plane, if it is asked for what the roles for data do not cover.
    pub(super) via_arm: Option<ArmOnDemand>,
    /// What is doubtful about the client encryption keys of a container that was to be created, and existed.
    pub(super) key_doubt: Option<String>,
}

impl CosmosClient {
    /// How often requests before the first page are retried.
    pub fn persistence(&self) -> &Persistence {
        &self.persistence
    }

    /// What is exchanged with the account.
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// The driver.
    pub fn driver(&self) -> &Arc<CosmosDriver> {
        &self.driver
    }

    /// The container, addressed by name. It has the RID that the name was resolved to.
    pub fn container(&self) -> &ContainerReference {
        &self.container
    }

    /// Endpoint of the account.
    pub fn endpoint(&self) -> &Url {
        self.driver.account().endpoint()
    }

    /// Name of the database.
    pub fn database_name(&self) -> &str {
        self.container.database_name().unwrap_or_default()
    }

    /// Name of the container.
    pub fn container_name(&self) -> &str {
        self.container.name()
    }

    /// The container's RID. Another RID under the same name is another container.
    pub fn rid(&self) -> &str {
        self.container.rid()
    }

    /// The paths that make up the partition key.
    pub fn partition_key_definition(&self) -> &PartitionKeyDefinition {
        self.container.partition_key_definition()
    }

    /// The paths that make up the partition key, as text.
    pub fn partition_key_paths(&self) -> Vec<String> {
        let paths = self.partition_key_definition().paths();
        paths.iter().map(ToString::to_string).collect()
    }

    /// Whether the container was made without a partition key, so that its key is the service's own.
    pub fn has_system_key(&self) -> bool {
        self.heard
            .has_system_key(self.database_name(), self.container_name())
    }

    /// The definition of the container, as the service sent it when its name was resolved.
    ///
    /// # Errors
    ///
    /// If it is not one that can be used, in words.
    pub fn definition(&self) -> Result<ContainerDefinition> {
        let text = self
            .heard
            .definition(self.database_name(), self.container_name());
        ContainerDefinition::parse(text.context("the service did not send it")?)
    }

    /// The version of HTTP that the account answered with.
    pub fn http_version(&self) -> HttpVersion {
        self.http_version
    }

    /// The options of every operation. The driver has them as its defaults.
    pub fn operation_options(&self) -> OperationOptions {
        operation_options(self.throughput)
    }

    /// The options of reading the feed. The HTTP client sends its session tokens, not the driver (see
    /// `cosmos::transport`).
    pub fn feed_options(&self) -> OperationOptions {
        let mut options = self.operation_options();
        options.session_capturing_disabled = Some(true);
        options
    }
}

/// The options that all operations share.
pub(super) fn operation_options(throughput: ThroughputControl) -> OperationOptions {
    let options = OperationOptionsBuilder::new()
        // Documents are exported byte for byte as the service wrote them; text made from the
        // binary form has other numbers and another order of names.
        .with_binary_encoding(BinaryEncodingOptions::new().with_enabled(false))
        // A page of the feed often takes longer than the second after which the driver would ask
        // another region for it as well, and both would be charged.
        .with_availability_strategy(AvailabilityStrategy::Disabled);
    let mut control = ThroughputControlOptionsBuilder::new();
    if let Some(bucket) = throughput.bucket {
        control = control.with_throughput_bucket(bucket);
    }
    if let Some(priority) = throughput.priority {
        control = control.with_priority_level(match priority {
            RequestPriority::High => PriorityLevel::High,
            RequestPriority::Low => PriorityLevel::Low,
        });
    }
    options.with_throughput_control(control.build()).build()
}
