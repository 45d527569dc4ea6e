//! The change feed or a query, page by page: the one place that drives the SDK's operations on ranges.
//!
//! The driver is called directly, since its typed client parses every item into a value: that reorders
//! keys, alters integers beyond 64 bits, and fails on values that it cannot represent.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use azure_data_cosmos_driver::models::{
    ChangeFeedStartFrom, ContinuationToken, CosmosOperation, CosmosResponse,
    FeedRange as DriverFeedRange, MaxItemCountHint, PartitionKey,
};
use azure_data_cosmos_driver::options::{PlanOptions, QueryPlanMode};
use azure_data_cosmos_driver::{CosmosError, OperationPlan, ResponseBody};
use bytes::Bytes;

use super::budget::Admitted;
use super::client::CosmosClient;
use super::epk::to_driver;
use super::error::{ContainerReplaced, RowsWithoutFields};
use super::query_token::QueryPart;
use super::token::{Segment, TokenForm};
use crate::feed::page::Page;
use crate::feed::{
    ChangeFeedStart, FeedMode, FeedRange, Position, Query, is_position, lsn_of_etag,
    lsn_of_session_token,
};

/// Where a cursor starts.
#[derive(Debug, Clone, Copy)]
pub enum CursorStart<'a> {
    /// After a position that was read before. Its token may be for more than the cursor's range;
    /// the SDK cuts it down.
    Position(&'a Position),
    /// Without a position, here.
    Fresh(ChangeFeedStart),
}

/// What pages come from.
#[derive(Debug, Clone)]
pub enum PageSource {
    /// The feed, in this mode.
    Feed(FeedMode),
    /// A query.
    Query(QuerySource),
}

impl PageSource {
    /// A query, whose rows must be objects if `only_objects`.
    pub fn of_query(query: &Query, only_objects: bool) -> Self {
        Self::Query(QuerySource {
            query: Arc::new(query.clone()),
            only_objects,
        })
    }
}

/// A query, and what its rows must be.
#[derive(Debug, Clone)]
pub struct QuerySource {
    /// The query.
    pub query: Arc<Query>,
    /// Whether each row must be an object, since it becomes columns.
    pub only_objects: bool,
}

/// What is requested, for every range.
#[derive(Debug, Clone)]
pub struct FeedRequest {
    /// What the pages come from.
    pub source: PageSource,
    /// Items requested in one page: a hint to the service.
    pub page_size: NonZeroU32,
    /// Only this logical partition, which is in the range being read.
    pub partition_key: Option<PartitionKey>,
}

impl FeedRequest {
    /// Whether it is for a query.
    pub fn is_query(&self) -> bool {
        matches!(self.source, PageSource::Query(_))
    }
}

/// An answer of the feed that has passed every check.
#[derive(Debug)]
pub struct FeedAnswer {
    /// The documents; none if there was nothing new.
    pub page: Page,
    /// Whether the service answered that nothing is new (304).
    pub not_modified: bool,
    /// Request units charged for it.
    pub request_charge: f64,
    /// The id of the partition key range that answered, if the answer has it.
    pub partition: Option<String>,
    /// The partition's LSN at that moment, from the answer's session token.
    pub partition_lsn: Option<u64>,
    /// Where the cursor is after it.
    pub token: String,
    /// The parts of the range and where each is. More than one: the range has been split.
    pub segments: Vec<Segment>,
}

impl FeedAnswer {
    /// The ETag of the answer; of a range that has been split, that of its first part with one.
    pub fn etag(&self) -> Option<&str> {
        self.segments
            .iter()
            .find_map(|segment| segment.etag.as_deref())
    }

    /// Where the range is after this answer.
    ///
    /// # Errors
    ///
    /// If the answer has no ETag, so its end is not known.
    pub fn position(&self) -> Result<Position> {
        let etag = self.etag().context("the page came without an ETag")?;
        Ok(Position {
            token: self.token.clone(),
            lsn: lsn_of_etag(etag),
        })
    }
}

/// An answer to a query that has passed every check.
#[derive(Debug)]
pub struct QueryAnswer {
    /// The rows; there may be none although more follow.
    pub page: Page,
    /// Request units charged for it.
    pub request_charge: f64,
    /// The id of the partition key range that answered, if the answer has it.
    pub partition: Option<String>,
    /// Where the cursor is after it.
    pub token: String,
    /// The parts of the range, and how far the query was answered for each.
    pub parts: Vec<QueryPart>,
}

/// Reads one range.
pub struct Cursor {
    client: Arc<CosmosClient>,
    plan: OperationPlan,
    /// Documents requested in a page.
    page_size: NonZeroU32,
    /// The budget has admitted the next request.
    admitted: Option<Admitted>,
    range: FeedRange,
    /// Whether each row of a query must be an object.
    only_objects: bool,
    /// Request units charged for answers that were refused.
    refused_charge: f64,
}

impl CosmosClient {
    /// Starts to read `range`, or the logical partition in it that `request` names.
    ///
    /// # Errors
    ///
    /// If the position is not one of this container, or the service does not return its partitions.
    pub async fn open(
        self: &Arc<Self>,
        request: &FeedRequest,
        range: &FeedRange,
        start: CursorStart<'_>,
    ) -> Result<Cursor, CosmosError> {
        let container = self.container().clone();
        let target = Some(match &request.partition_key {
            Some(key) => {
                DriverFeedRange::for_partition(key.clone(), self.partition_key_definition())
            }
            None => to_driver(range)?,
        });
        let operation = match &request.source {
            PageSource::Feed(FeedMode::LatestVersion) => {
                CosmosOperation::change_feed(container, target)
            }
            PageSource::Feed(FeedMode::AllVersionsAndDeletes) => {
                CosmosOperation::change_feed_all_versions_and_deletes(container, target)
            }
            PageSource::Query(source) => {
                CosmosOperation::query_items(container, target).with_body(source.query.body())
            }
        };
        let page_size = self.traffic().page_size(request.page_size);
        let operation = operation.with_max_item_count(MaxItemCountHint::Limit(page_size));
        let (operation, token) = match start {
            CursorStart::Position(position) => (
                operation,
                Some(ContinuationToken::from_string(position.token.clone())),
            ),
            CursorStart::Fresh(_) if request.is_query() => (operation, None),
            CursorStart::Fresh(start) => {
                let from = match start {
                    ChangeFeedStart::Beginning => ChangeFeedStartFrom::Beginning,
                    ChangeFeedStart::Now => ChangeFeedStartFrom::Now,
                    ChangeFeedStart::PointInTime(time) => ChangeFeedStartFrom::PointInTime(time),
                };
                (operation.with_change_feed_start(from), None)
            }
        };
        let plan = self
            .driver()
            .plan_operation(
                operation,
                &self.feed_options(),
                token.as_ref(),
                // Of a query the service decides what it selects.
                &PlanOptions::default().with_query_plan_mode(QueryPlanMode::GatewayOnly),
            )
            .await?;
        Ok(Cursor {
            client: Arc::clone(self),
            plan,
            page_size,
            admitted: None,
            range: range.clone(),
            only_objects: matches!(&request.source, PageSource::Query(source) if source.only_objects),
            refused_charge: 0.0,
        })
    }
}

impl Cursor {
    /// Fetches the next page. An empty one means that nothing is new at present; the feed itself
    /// never ends.
    ///
    /// Every answer of the feed is checked here, whatever it is for: it must be a valid page of this
    /// container, with an ETag that names a position, or a 304.
    ///
    /// # Errors
    ///
    /// The error of the request after the SDK's own retries, or what is wrong with the answer. The cursor
    /// may have moved: open another one.
    pub async fn next(&mut self) -> Result<FeedAnswer> {
        let client = Arc::clone(&self.client);
        let admitted = self.admitted.take();
        let container = Some(client.container().clone());
        let response = client
            .driver()
            .execute_plan(&mut self.plan, container, client.feed_options())
            .await?
            .context("the SDK reports the end of the feed, which has none")?;
        let charge = response.headers().request_charge;
        let charge = charge.map_or(0.0, |charge| charge.value());
        let judged = self.judge(response, charge);
        if let (Some(admitted), Ok(answer)) = (admitted, &judged) {
            admitted.settle(answer.page.len(), charge);
        }
        if judged.is_err() {
            self.refused_charge += charge;
        }
        judged
    }

    /// Fetches the next page of a query; `None` if it was answered to its end before.
    ///
    /// # Errors
    ///
    /// As [`Cursor::next`].
    pub async fn next_of_query(&mut self) -> Result<Option<QueryAnswer>> {
        let client = Arc::clone(&self.client);
        let admitted = self.admitted.take();
        let container = Some(client.container().clone());
        let response = client
            .driver()
            .execute_plan(&mut self.plan, container, client.feed_options())
            .await?;
        let Some(response) = response else {
            return Ok(None);
        };
        let charge = response.headers().request_charge;
        let charge = charge.map_or(0.0, |charge| charge.value());
        let judged = self.judge_rows(response, charge);
        if let (Some(admitted), Ok(answer)) = (admitted, &judged) {
            admitted.settle(answer.page.len(), charge);
        }
        if judged.is_err() {
            self.refused_charge += charge;
        }
        judged.map(Some)
    }

    fn judge_rows(&self, response: CosmosResponse, request_charge: f64) -> Result<QueryAnswer> {
        let rid = self.client.rid();
        let status = u16::from(response.status().status_code());
        let partition = response.headers().partition_key_range_id.clone();
        let token = self.token()?;
        let form = TokenForm::of_query(&token)?;
        ensure_same(&form, rid)?;
        ensure!(
            status == 200,
            "the service answered with the status {status}, which is not that of a page"
        );
        let page = Page::parse_rows(body_of(response)?)
            .and_then(|page| page.check_count().map(|()| page))
            .context(UNUSABLE)?;
        ensure_container(&page, rid)?;
        if self.only_objects && page.check().is_err() {
            return Err(RowsWithoutFields.into());
        }
        let parts = form.query_parts(&self.range)?;
        Ok(QueryAnswer {
            page,
            request_charge,
            partition,
            token,
            parts,
        })
    }

    /// Waits until the budget, if there is one, has enough for the next page. Returns whether it has: if not,
    /// pages of another size suit it better, and another cursor is to be opened.
    pub async fn admit(&mut self, request: &FeedRequest) -> bool {
        let Some(budget) = self.client.traffic().budget() else {
            return true;
        };
        if self.page_size == budget.page_size(request.page_size) {
            self.admitted = budget.admit(self.page_size).await;
        }
        self.admitted.is_some()
    }

    /// Takes the request units that were charged for answers that were refused.
    pub fn take_refused_charge(&mut self) -> f64 {
        std::mem::take(&mut self.refused_charge)
    }

    fn judge(&self, response: CosmosResponse, request_charge: f64) -> Result<FeedAnswer> {
        let client = &self.client;
        let status = u16::from(response.status().status_code());
        let headers = response.headers();
        let session_token = headers.session_token.as_ref().map(|token| token.as_str());
        let partition = headers.partition_key_range_id.clone().or_else(|| {
            // `id:version#globalLSN#…`
            Some(session_token?.split_once(':')?.0.to_owned())
        });
        let partition_lsn = session_token.and_then(lsn_of_session_token);
        let body = body_of(response)?;
        let token = self.token()?;
        let form = TokenForm::decode(&token)?;
        ensure_same(&form, client.rid())?;
        let page = page_of(status, body, client.rid())?;
        let segments = form.segments(&self.range)?;
        for etag in segments
            .iter()
            .filter_map(|segment| segment.etag.as_deref())
        {
            ensure!(
                is_position(etag),
                "the service sent the ETag `{}`, which names no position",
                etag.escape_debug()
            );
        }
        Ok(FeedAnswer {
            page,
            not_modified: status == NOT_MODIFIED,
            request_charge,
            partition,
            partition_lsn,
            token,
            segments,
        })
    }

    /// The SDK's continuation token for the cursor's position.
    pub(super) fn token(&self) -> Result<String> {
        Ok(self.plan.to_continuation_token()?.as_str().to_owned())
    }
}

const NOT_MODIFIED: u16 = 304;
const UNUSABLE: &str = "the service sent a page that cannot be used";

fn body_of(response: CosmosResponse) -> Result<Bytes> {
    Ok(match response.into_body() {
        ResponseBody::Bytes(body) => body,
        ResponseBody::NoPayload => Bytes::new(),
        ResponseBody::Items(_) => anyhow::bail!("the SDK split a page into its items"),
    })
}

/// The SDK addresses containers by name, so it may switch to one that replaced ours.
fn ensure_same(form: &TokenForm, rid: &str) -> Result<(), ContainerReplaced> {
    if form.rid == rid {
        return Ok(());
    }
    Err(ContainerReplaced {
        found: form.rid.clone(),
        expected: rid.to_owned(),
    })
}

fn ensure_container(page: &Page, rid: &str) -> Result<()> {
    if let Some(found) = page.container_rid() {
        ensure!(
            found == rid,
            "the service sent a page of another container: its RID is `{}`, not `{rid}`",
            found.escape_debug().take(80).collect::<String>()
        );
    }
    Ok(())
}

/// The page in an answer of this status, checked to be one of the container with this RID.
fn page_of(status: u16, body: Bytes, rid: &str) -> Result<Page> {
    match status {
        NOT_MODIFIED => return Ok(Page::default()),
        // Only "nothing new" may come without a body: any other answer's ETag is behind documents that
        // were never seen.
        200 => ensure!(!body.is_empty(), "the service sent a page without a body"),
        other => anyhow::bail!(
            "the service answered with the status {other}, which is not that of a page"
        ),
    }
    let page = Page::parse(body).and_then(|page| page.check().map(|()| page));
    let page = page.context(UNUSABLE)?;
    ensure_container(&page, rid)?;
    Ok(page)
}
