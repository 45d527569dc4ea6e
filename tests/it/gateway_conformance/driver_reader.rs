//! The driver as our reader uses it: a plan per scope, one page at a time, raw bodies.

use std::num::NonZeroU32;
use std::sync::Arc;

use azure_data_cosmos_driver::error::CosmosError;
use azure_data_cosmos_driver::models::{
    AccountReference, ChangeFeedStartFrom, ContainerReference, ContinuationToken, CosmosOperation,
    FeedRange, MaxItemCountHint,
};
use azure_data_cosmos_driver::options::{
    ConnectionPoolOptions, DriverOptions, OperationOptions, PlanOptions,
};
use azure_data_cosmos_driver::{CosmosDriver, CosmosDriverRuntime, OperationPlan};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::gateway::{Gateway, KEY};

/// After so many empty pages in a row every range of these small plans has had its turn.
pub(super) const EMPTY_PAGES: usize = 8;

/// The driver, pointed at one container.
pub(super) struct Reader {
    pub(super) driver: Arc<CosmosDriver>,
    pub(super) container: ContainerReference,
}

/// What one page looked like to the caller of the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) has_etag: bool,
    pub(super) documents: Vec<String>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "Documents", borrow)]
    documents: Vec<Envelope<'a>>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    current: &'a RawValue,
}

pub(super) async fn connect(
    endpoint: &str,
    key: &str,
    http2: bool,
) -> Result<Arc<CosmosDriver>, CosmosError> {
    let pool = ConnectionPoolOptions::builder()
        .with_is_http2_allowed(http2)
        .build()?;
    let runtime = CosmosDriverRuntime::builder()
        .with_connection_pool(pool)
        .build()
        .await?;
    let account = AccountReference::with_account_key(
        endpoint.parse().expect("the endpoint is a URL"),
        key.to_owned(),
    );
    runtime
        .create_driver(DriverOptions::builder(account).build())
        .await
}

impl Reader {
    pub(super) async fn open(gateway: &Gateway) -> Self {
        Self::open_over(gateway, true).await
    }

    pub(super) async fn open_over(gateway: &Gateway, http2: bool) -> Self {
        let driver = connect(&gateway.endpoint(), KEY, http2)
            .await
            .expect("the driver connects");
        let container = driver
            .resolve_container("db", "coll", OperationOptions::default())
            .await
            .expect("the container resolves");
        Self { driver, container }
    }

    pub(super) async fn plan(
        &self,
        operation: CosmosOperation,
        token: Option<&ContinuationToken>,
    ) -> OperationPlan {
        let limit = MaxItemCountHint::Limit(NonZeroU32::new(3).expect("3 is not 0"));
        self.driver
            .plan_operation(
                operation.with_max_item_count(limit),
                &OperationOptions::default(),
                token,
                &PlanOptions::default(),
            )
            .await
            .expect("the plan is made")
    }

    pub(super) async fn latest_version(
        &self,
        scope: FeedRange,
        start: ChangeFeedStartFrom,
        token: Option<&ContinuationToken>,
    ) -> OperationPlan {
        let mut operation = CosmosOperation::change_feed(self.container.clone(), Some(scope));
        if token.is_none() {
            operation = operation.with_change_feed_start(start);
        }
        self.plan(operation, token).await
    }

    pub(super) async fn read_from_beginning(&self) -> OperationPlan {
        self.latest_version(FeedRange::full(), ChangeFeedStartFrom::Beginning, None)
            .await
    }

    pub(super) async fn resume(
        &self,
        scope: FeedRange,
        token: &ContinuationToken,
    ) -> OperationPlan {
        self.latest_version(scope, ChangeFeedStartFrom::Beginning, Some(token))
            .await
    }

    pub(super) async fn try_raw(
        &self,
        plan: &mut OperationPlan,
    ) -> Result<(u16, bool, Vec<u8>), CosmosError> {
        let container = Some(self.container.clone());
        let response = self
            .driver
            .execute_plan(plan, container, OperationOptions::default())
            .await?
            .expect("a change feed has no last page");
        let status = u16::from(response.status().status_code());
        let has_etag = response.headers().etag.is_some();
        let body = match response.into_body() {
            body if body.is_empty() => Vec::new(),
            body => body.single()?.to_vec(),
        };
        Ok((status, has_etag, body))
    }

    pub(super) async fn page(&self, plan: &mut OperationPlan) -> Page {
        let (status, has_etag, body) = self.try_raw(plan).await.expect("the page is read");
        let documents = match body.is_empty() {
            true => Vec::new(),
            false => documents_of(&body),
        };
        Page {
            status,
            has_etag,
            documents,
        }
    }

    /// Reads until every range must have answered that there is nothing more.
    pub(super) async fn drain(&self, plan: &mut OperationPlan) -> Vec<String> {
        let mut documents = Vec::new();
        let (mut empty, mut pages) = (0, 0);
        while empty < EMPTY_PAGES {
            pages += 1;
            assert!(pages < 500, "the feed repeats itself without end");
            let page = self.page(plan).await;
            empty = if page.documents.is_empty() {
                empty + 1
            } else {
                0
            };
            documents.extend(page.documents);
        }
        documents
    }
}

pub(super) fn documents_of(body: &[u8]) -> Vec<String> {
    let body: Body<'_> = serde_json::from_slice(body).expect("the page is JSON");
    body.documents
        .iter()
        .map(|document| document.current.get().to_owned())
        .collect()
}

pub(super) fn ids(documents: &[String]) -> Vec<String> {
    documents
        .iter()
        .map(|document| {
            let value: serde_json::Value =
                serde_json::from_str(document).expect("the document is JSON");
            value["id"].as_str().expect("it has an id").to_owned()
        })
        .collect()
}

pub(super) fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}
