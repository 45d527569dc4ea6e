//! Microsoft's emulator: requests to its one region, and emulators of a few items for one request.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use azure_core::http::{Method, Request as EmulatorRequest};
use azure_data_cosmos_driver::in_memory_emulator::{
    EmulatorStore, InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion,
};
use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::answer::Answer;
use super::request::Request;

/// The header with the partition key of an item.
const PARTITION_KEY: &str = "x-ms-documentdb-partitionkey";

/// The documents of the container of a [`Scratch`].
const SCRATCH_DOCS: &str = "/dbs/scratch/colls/scratch/docs";

/// An emulator with one region.
pub(super) struct Emulator {
    client: InMemoryEmulatorHttpClient,
    endpoint: Url,
}

impl Emulator {
    /// An empty account that advertises this endpoint.
    ///
    /// # Errors
    ///
    /// If the emulator does not accept it.
    pub(super) fn new(endpoint: Url) -> Result<Self> {
        let region = VirtualRegion::new("Demo", endpoint.clone());
        let account = VirtualAccountConfig::new(vec![region])?;
        let client = InMemoryEmulatorHttpClient::try_new(account)?;
        Ok(Self { client, endpoint })
    }

    pub(super) fn store(&self) -> Arc<EmulatorStore> {
        self.client.store()
    }

    /// Executes a request as it is.
    ///
    /// # Errors
    ///
    /// If the emulator itself fails. An error status is an answer, not an error.
    pub(super) async fn execute(&self, request: Request) -> Result<Answer> {
        // The emulator distinguishes its regions by host and port. There is only one, whatever host name
        // the client uses.
        let mut url = self.endpoint.clone();
        url.set_path(&request.path);
        url.set_query(request.query.as_deref());
        let mut asked = EmulatorRequest::new(url, request.method);
        *asked.headers_mut() = request.headers;
        asked.set_body(request.body);
        let response = self.client.execute_request(&asked).await.with_context(|| {
            format!(
                "the demo account cannot {} {}",
                request.method, request.path
            )
        })?;
        let (status, headers, body) = response.deconstruct();
        Ok(Answer {
            status: status.into(),
            headers,
            body: body.collect().await?,
        })
    }
}

/// An emulator with one container, for one request: the one to judge documents that the account's emulator does
/// not have, or not in this form.
pub(super) struct Scratch {
    emulator: Emulator,
}

impl Scratch {
    /// A container with this partition key.
    ///
    /// # Errors
    ///
    /// If the emulator does not accept it.
    pub(super) fn new(keys: PartitionKeyDefinition) -> Result<Self> {
        let emulator = Emulator::new(Url::parse("http://scratch/")?)?;
        let store = emulator.store();
        store.create_database("scratch");
        store.create_container("scratch", "scratch", keys);
        Ok(Self { emulator })
    }

    /// Puts a document there, whose partition key `key` is the value of the header.
    ///
    /// # Errors
    ///
    /// If the emulator refuses it.
    pub(super) async fn put(&self, document: Bytes, key: &str) -> Result<()> {
        let mut request = Request::new(Method::Post, SCRATCH_DOCS);
        request.set_header(PARTITION_KEY, key.to_owned());
        request.set_header("x-ms-documentdb-is-upsert", "true".to_owned());
        request.body = document;
        let answer = self.emulator.execute(request).await?;
        ensure!(
            answer.is_success(),
            "the demo account cannot look at a document: status {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(())
    }

    /// Patches the document with this id.
    ///
    /// # Errors
    ///
    /// If the emulator itself fails.
    pub(super) async fn patch(&self, id: &str, key: &str, operations: Bytes) -> Result<Answer> {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        let path = format!("{SCRATCH_DOCS}/{id}");
        let mut request = Request::new(Method::Patch, &path);
        request.set_header(PARTITION_KEY, key.to_owned());
        request.set_header(
            "x-ms-cosmos-populate-content-response-on-write",
            "true".to_owned(),
        );
        request.body = operations;
        self.emulator.execute(request).await
    }

    /// Executes a query with these headers over all documents.
    ///
    /// # Errors
    ///
    /// If the emulator itself fails.
    pub(super) async fn query(
        &self,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Answer> {
        let mut request = Request::new(Method::Post, SCRATCH_DOCS);
        request.set_header("x-ms-documentdb-isquery", "true".to_owned());
        request.set_header("content-type", "application/query+json".to_owned());
        request.set_header(
            "x-ms-documentdb-query-enablecrosspartition",
            "true".to_owned(),
        );
        for (name, value) in headers {
            request.set_header(name, (*value).to_owned());
        }
        request.body = body;
        self.emulator.execute(request).await
    }
}
