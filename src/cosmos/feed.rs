//! The change feed, page by page: the one place that drives the SDK's feed operations.
//!
//! The driver is used below its typed client, since that one parses every item into a value: it
//! reorders keys, alters integers beyond 64 bits, and fails on what it cannot represent.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use azure_data_cosmos_driver::models::{
    ChangeFeedStartFrom, ContinuationToken, CosmosOperation, CosmosResponse, EffectivePartitionKey,
    FeedRange as DriverFeedRange, MaxItemCountHint, PartitionKey, PartitionKeyDefinition,
    PartitionKeyValue,
};
use azure_data_cosmos_driver::options::PlanOptions;
use azure_data_cosmos_driver::{CosmosError, OperationPlan, ResponseBody};
use base64::Engine;
use bytes::Bytes;
use serde::Deserialize;

use super::client::CosmosClient;
use super::error::explain;
use crate::feed::page::Page;
use crate::feed::{
    ChangeFeedStart, FeedMode, FeedRange, Position, is_position, lsn_of_etag, lsn_of_session_token,
};

/// Where a cursor begins.
#[derive(Debug, Clone, Copy)]
pub enum CursorStart<'a> {
    /// After a position that was read before. Its token may be for more than the cursor's range;
    /// the SDK cuts it down.
    Position(&'a Position),
    /// Where the feed is to start when there is no position.
    Fresh(ChangeFeedStart),
}

/// What of the feed is asked for, whatever the range.
#[derive(Debug, Clone)]
pub struct FeedRequest {
    /// The mode of the feed.
    pub mode: FeedMode,
    /// Items asked for in one page: a hint.
    pub page_size: NonZeroU32,
    /// Only the changes of this logical partition, which lies in the range that is read.
    pub partition_key: Option<PartitionKey>,
}

/// One physical partition.
#[derive(Debug, Clone)]
pub struct PhysicalPartition {
    /// The id of its partition key range.
    pub id: String,
    /// Its bounds.
    pub range: FeedRange,
    /// The SDK's portable form of these bounds, understood by its clients in other languages.
    pub portable: String,
}

/// One part of a range, as the SDK polls it: after a split there are several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its bounds.
    pub range: FeedRange,
    /// The ETag that it stands at; none if it has not been polled yet.
    pub etag: Option<String>,
}

/// An answer of the feed that has passed every check.
#[derive(Debug)]
pub struct Answer {
    /// The documents; none if there was nothing new.
    pub page: Page,
    /// Whether the service said that there is nothing new (304).
    pub not_modified: bool,
    /// Request units charged for it.
    pub request_charge: f64,
    /// The id of the partition key range that answered, if it said so.
    pub partition: Option<String>,
    /// The partition's LSN at that moment, by the answer's session token.
    pub partition_lsn: Option<u64>,
    /// Where the cursor is after it.
    pub token: String,
    /// The parts of the range and where each is. More than one: the range has been split.
    pub segments: Vec<Segment>,
}

impl Answer {
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
    /// If the answer came without an ETag, so that its end is not known.
    pub fn position(&self) -> Result<Position> {
        let etag = self.etag().context("the page came without an ETag")?;
        Ok(Position {
            token: self.token.clone(),
            lsn: lsn_of_etag(etag),
        })
    }
}

/// Where a feed that starts now is.
#[derive(Debug)]
pub struct Pinned {
    /// The parts of the range that was asked for, and where each is.
    pub parts: Vec<(FeedRange, Position)>,
    /// The id of the partition key range that answered last, if it said so.
    pub partition: Option<String>,
    /// That partition's LSN, by the session token of its answer.
    pub partition_lsn: Option<u64>,
    /// Whether documents came with it, which are then not part of what follows.
    pub has_documents: bool,
    /// Request units charged for finding out.
    pub request_charge: f64,
}

/// The container was deleted and created again under its name: what is read now is another one's.
#[derive(Debug)]
pub struct ContainerReplaced {
    /// The RID of the container that is there now.
    pub found: String,
    /// The RID of the container that was being read.
    pub expected: String,
}

impl std::fmt::Display for ContainerReplaced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { found, expected } = self;
        write!(
            f,
            "the container was deleted and created again: its RID is {found}, it was {expected}"
        )
    }
}

impl std::error::Error for ContainerReplaced {}

/// Answers that a pin may take beyond one for each part of its range.
const SPARE_ANSWERS: usize = 4;

/// Reads one range of the feed.
pub struct Cursor {
    client: Arc<CosmosClient>,
    plan: OperationPlan,
    range: FeedRange,
    /// Request units charged for answers that were refused.
    refused_charge: f64,
}

impl CosmosClient {
    /// The physical partitions of the container, in the order of their bounds.
    ///
    /// # Errors
    ///
    /// If the service does not tell them.
    pub async fn physical_partitions(&self, refresh: bool) -> Result<Vec<PhysicalPartition>> {
        let ranges = self
            .driver()
            .resolve_all_partition_key_ranges(self.container(), refresh)
            .await
            .map_err(|error| explain(error.into()))?
            .context("the service did not tell the container's partition key ranges")?;
        let mut partitions = Vec::with_capacity(ranges.len());
        for range in &ranges {
            let driver_range = DriverFeedRange::try_from(range)?;
            partitions.push(PhysicalPartition {
                id: range.id.clone(),
                range: from_driver(&driver_range)?,
                portable: driver_range.to_string(),
            });
        }
        partitions.sort_by(|a, b| a.range.cmp(&b.range));
        Ok(partitions)
    }

    /// Begins to read `range`, or of it the logical partition that `request` names.
    ///
    /// # Errors
    ///
    /// If the position is not one of this container, or the service does not tell its partitions.
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
        let operation = match request.mode {
            FeedMode::LatestVersion => CosmosOperation::change_feed(container, target),
            FeedMode::AllVersionsAndDeletes => {
                CosmosOperation::change_feed_all_versions_and_deletes(container, target)
            }
        };
        let operation = operation.with_max_item_count(MaxItemCountHint::Limit(request.page_size));
        let (operation, token) = match start {
            CursorStart::Position(position) => (
                operation,
                Some(ContinuationToken::from_string(position.token.clone())),
            ),
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
                &PlanOptions::default(),
            )
            .await?;
        Ok(Cursor {
            client: Arc::clone(self),
            plan,
            range: range.clone(),
            refused_charge: 0.0,
        })
    }

    /// Where a feed that starts now stands, for each part of `range`: nothing that happens after
    /// this call began is missed from there.
    ///
    /// # Errors
    ///
    /// As the requests that it makes.
    pub async fn pin_now(
        self: &Arc<Self>,
        request: &FeedRequest,
        range: &FeedRange,
    ) -> Result<Pinned> {
        let start = CursorStart::Fresh(ChangeFeedStart::Now);
        let request = FeedRequest {
            page_size: NonZeroU32::MIN,
            ..request.clone()
        };
        let mut cursor = self.open(&request, range, start).await?;
        let mut request_charge = 0.0;
        let mut has_documents = false;
        // Parts are polled one after the other: each must have got its ETag.
        for number in 1.. {
            let answer = cursor.next().await?;
            request_charge += answer.request_charge;
            has_documents |= !answer.page.is_empty();
            if answer.segments.iter().any(|segment| segment.etag.is_none()) {
                if number >= answer.segments.len() + SPARE_ANSWERS {
                    break;
                }
                continue;
            }
            let position = answer.position()?;
            let mut parts = Vec::with_capacity(answer.segments.len());
            for segment in answer.segments {
                let cut = self
                    .cut(&request, &position, &segment.range)
                    .await?
                    .context("a part was not pinned")?;
                parts.push((segment.range, cut));
            }
            return Ok(Pinned {
                parts,
                partition: answer.partition,
                partition_lsn: answer.partition_lsn,
                has_documents,
                request_charge,
            });
        }
        anyhow::bail!(
            "the service does not say where the feed of {range} is: its answers have no ETag"
        )
    }

    /// Cuts a position to `part`, which lies within the range that it is for. Makes no request
    /// for the feed. None if the position says nothing of it: then it was never polled.
    ///
    /// # Errors
    ///
    /// If the position is not one of this container.
    pub async fn cut(
        self: &Arc<Self>,
        request: &FeedRequest,
        position: &Position,
        part: &FeedRange,
    ) -> Result<Option<Position>> {
        let token = self
            .open(request, part, CursorStart::Position(position))
            .await?
            .token()?;
        let etags = segments(&token, part)?;
        let lsn = etags
            .iter()
            .find_map(|segment| segment.etag.as_deref())
            .map(lsn_of_etag);
        Ok(lsn.map(|lsn| Position { token, lsn }))
    }
}

impl Cursor {
    /// Fetches the next page. An empty one means that there is nothing new at present; the feed
    /// itself never ends.
    ///
    /// This is where every answer of the feed is judged, whatever it is wanted for: it is a page of
    /// this container that the service can have meant, with an ETag that names a position, or a 304.
    ///
    /// # Errors
    ///
    /// What remains of an error after the SDK's own tries, or what is wrong with the answer. The cursor
    /// may have moved then: another one has to be opened.
    pub async fn next(&mut self) -> Result<Answer> {
        let client = Arc::clone(&self.client);
        let container = Some(client.container().clone());
        let response = client
            .driver()
            .execute_plan(&mut self.plan, container, client.feed_options())
            .await?
            .context("the SDK says that the feed has ended, which it never does")?;
        let charge = response.headers().request_charge;
        let charge = charge.map_or(0.0, |charge| charge.value());
        let judged = self.judge(response, charge);
        if judged.is_err() {
            self.refused_charge += charge;
        }
        judged
    }

    /// Takes the request units that were charged for answers that were refused.
    pub fn take_refused_charge(&mut self) -> f64 {
        std::mem::take(&mut self.refused_charge)
    }

    fn judge(&self, response: CosmosResponse, request_charge: f64) -> Result<Answer> {
        let client = &self.client;
        let status = u16::from(response.status().status_code());
        let headers = response.headers();
        let session_token = headers.session_token.as_ref().map(|token| token.as_str());
        let partition = headers.partition_key_range_id.clone().or_else(|| {
            // `id:version#globalLSN#…`
            Some(session_token?.split_once(':')?.0.to_owned())
        });
        let partition_lsn = session_token.and_then(lsn_of_session_token);
        let body = match response.into_body() {
            ResponseBody::Bytes(body) => body,
            ResponseBody::NoPayload => Bytes::new(),
            ResponseBody::Items(_) => anyhow::bail!("the SDK split the page of a change feed"),
        };
        let token = self.token()?;
        let form = decode(&token)?;
        // By name, the SDK may go over to a container that was created in the place of ours.
        if form.rid != client.rid() {
            return Err(ContainerReplaced {
                found: form.rid,
                expected: client.rid().to_owned(),
            }
            .into());
        }
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
        Ok(Answer {
            page,
            not_modified: status == NOT_MODIFIED,
            request_charge,
            partition,
            partition_lsn,
            token,
            segments,
        })
    }

    /// The SDK's continuation token for where the cursor stands.
    fn token(&self) -> Result<String> {
        Ok(self.plan.to_continuation_token()?.as_str().to_owned())
    }
}

const NOT_MODIFIED: u16 = 304;

/// The page in an answer of this status, if it can be one of the container with this RID.
fn page_of(status: u16, body: Bytes, rid: &str) -> Result<Page> {
    match status {
        NOT_MODIFIED => return Ok(Page::default()),
        // Only "nothing new" may come without a body: otherwise documents lie behind its ETag that
        // were never seen.
        200 => ensure!(!body.is_empty(), "the service sent a page without a body"),
        other => anyhow::bail!("the service answered with the status {other}, which no page has"),
    }
    let page = Page::parse(body).and_then(|page| page.check().map(|()| page));
    let page = page.context("the service sent a page that cannot be used")?;
    if let Some(found) = page.container_rid() {
        ensure!(
            found == rid,
            "the service sent a page of another container: its RID is `{}`, not `{rid}`",
            found.escape_debug().take(80).collect::<String>()
        );
    }
    Ok(page)
}

/// What is read of the SDK's continuation token: `c1.` and base64url of this JSON. The form is
/// private to the SDK, whose version is pinned; tests hold this against what it produces.
#[derive(Deserialize)]
struct TokenForm {
    rid: String,
    root: RootForm,
}

#[derive(Deserialize)]
struct RootForm {
    kind: String,
    /// Of a feed over ranges.
    #[serde(default)]
    active_tokens: Vec<RangedToken>,
    /// Of the feed of one logical partition.
    server_continuation: Option<String>,
}

#[derive(Deserialize)]
struct RangedToken {
    min_epk: String,
    max_epk: String,
    server_continuation: String,
}

fn decode(token: &str) -> Result<TokenForm> {
    let encoded = token
        .strip_prefix("c1.")
        .context("the continuation token has an unknown version")?;
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(encoded)
        .context("the continuation token is not base64")?;
    let form: TokenForm =
        serde_json::from_slice(&json).context("the continuation token has an unknown form")?;
    ensure!(
        matches!(form.root.kind.as_str(), "unordered_merge" | "request"),
        "the continuation token is one of a `{}`, not of a change feed",
        form.root.kind.escape_debug().take(40).collect::<String>()
    );
    Ok(form)
}

/// The RID of the container that a continuation token is for.
///
/// # Errors
///
/// If it is not a token of this SDK's change feed.
pub fn container_rid_of(token: &str) -> Result<String> {
    Ok(decode(token)?.rid)
}

/// The parts of `range` that a continuation token knows, with gaps between them as parts without
/// an ETag.
///
/// # Errors
///
/// If it is not a token of this SDK's change feed, or its parts overlap or leave `range`: used on
/// a range that it does not belong to, a token would silently start from the beginning.
pub fn segments(token: &str, range: &FeedRange) -> Result<Vec<Segment>> {
    decode(token)?.segments(range)
}

impl TokenForm {
    fn segments(self, range: &FeedRange) -> Result<Vec<Segment>> {
        if self.root.kind == "request" {
            return Ok(vec![Segment {
                range: range.clone(),
                etag: self.root.server_continuation,
            }]);
        }
        let mut known = Vec::with_capacity(self.root.active_tokens.len());
        for part in self.root.active_tokens {
            let part_range = FeedRange::new(&part.min_epk, &part.max_epk)?;
            ensure!(
                part_range.intersection(range).as_ref() == Some(&part_range),
                "a continuation token for {part_range} was found on range {range}"
            );
            known.push(Segment {
                range: part_range,
                etag: Some(part.server_continuation),
            });
        }
        known.sort_by(|a, b| a.range.cmp(&b.range));
        let mut parts = Vec::with_capacity(known.len());
        let mut reached = range.min_inclusive.clone();
        for segment in known {
            ensure!(
                segment.range.min_inclusive >= reached,
                "the parts of a continuation token overlap"
            );
            if segment.range.min_inclusive > reached {
                let gap = FeedRange::new(&reached, &segment.range.min_inclusive)?;
                parts.push(Segment {
                    range: gap,
                    etag: None,
                });
            }
            reached.clone_from(&segment.range.max_exclusive);
            parts.push(segment);
        }
        if reached < range.max_exclusive {
            let gap = FeedRange::new(&reached, &range.max_exclusive)?;
            parts.push(Segment {
                range: gap,
                etag: None,
            });
        }
        Ok(parts)
    }
}

/// The SDK's partition key of these values, one for each level.
///
/// # Errors
///
/// If a value is no text, number, boolean or null, or there are more than three.
pub fn partition_key(values: &[serde_json::Value]) -> Result<PartitionKey> {
    use serde_json::Value;
    let mut levels = Vec::with_capacity(values.len());
    for value in values {
        levels.push(match value {
            Value::String(text) => PartitionKeyValue::from(text.clone()),
            Value::Bool(value) => PartitionKeyValue::from(*value),
            Value::Null => PartitionKeyValue::NULL,
            Value::Number(number) => {
                let number = number
                    .as_f64()
                    .with_context(|| format!("{number} is no partition key"))?;
                PartitionKeyValue::try_from(number)?
            }
            other => {
                anyhow::bail!("{other} is no partition key: text, a number, true, false or null is")
            }
        });
    }
    Ok(PartitionKey::try_from(levels)?)
}

/// The range of the hash space that a partition key takes up, and whether it is one logical
/// partition; otherwise it is the beginning of a hierarchical key.
///
/// # Errors
///
/// If its hash cannot be told.
pub fn range_of_partition_key(
    key: &PartitionKey,
    definition: &PartitionKeyDefinition,
) -> Result<(FeedRange, bool)> {
    let is_whole = key.values().len() == definition.paths().len();
    let range = DriverFeedRange::for_partition(key.clone(), definition);
    let min = range.min_inclusive().to_hex();
    let max = match is_whole {
        // The least range that holds one hash.
        true => format!("{min}00"),
        false => range.max_exclusive().to_hex().to_string(),
    };
    Ok((FeedRange::new(&min, &max)?, is_whole))
}

/// A feed range from the SDK's portable form.
///
/// # Errors
///
/// If it is none.
pub fn range_of_portable(text: &str) -> Result<FeedRange> {
    let range: DriverFeedRange = text.parse()?;
    from_driver(&range)
}

fn to_driver(range: &FeedRange) -> Result<DriverFeedRange, CosmosError> {
    DriverFeedRange::new(
        EffectivePartitionKey::try_from(range.min_inclusive.as_str())?,
        EffectivePartitionKey::try_from(range.max_exclusive.as_str())?,
    )
}

fn from_driver(range: &DriverFeedRange) -> Result<FeedRange> {
    FeedRange::new(
        &range.min_inclusive().to_hex(),
        &range.max_exclusive().to_hex(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(parts: &[(&str, &str, &str)]) -> String {
        let parts: Vec<_> = parts
            .iter()
            .map(|(min, max, etag)| {
                serde_json::json!({"min_epk": min, "max_epk": max, "server_continuation": etag})
            })
            .collect();
        let json = serde_json::json!({
            "op": "ChangeFeed", "rid": "RID", "root": {"kind": "unordered_merge", "active_tokens": parts}
        });
        format!(
            "c1.{}",
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string())
        )
    }

    fn range(min: &str, max: &str) -> FeedRange {
        FeedRange::new(min, max).unwrap()
    }

    #[test]
    fn a_token_of_one_part_covers_its_range() {
        let token = token(&[("", "FF", "\"7\"")]);
        let parts = segments(&token, &FeedRange::full()).unwrap();
        assert_eq!(
            parts,
            [Segment {
                range: FeedRange::full(),
                etag: Some("\"7\"".into())
            }]
        );
        assert_eq!(container_rid_of(&token).unwrap(), "RID");
    }

    #[test]
    fn parts_that_were_never_polled_show_as_gaps() {
        let parts = segments(
            &token(&[("20", "30", "\"2\""), ("10", "20", "\"1\"")]),
            &FeedRange::full(),
        )
        .unwrap();
        let shape: Vec<_> = parts
            .iter()
            .map(|p| (p.range.to_string(), p.etag.as_deref()))
            .collect();
        assert_eq!(
            shape,
            [
                ("[,10)".into(), None),
                ("[10,20)".into(), Some("\"1\"")),
                ("[20,30)".into(), Some("\"2\"")),
                ("[30,FF)".into(), None)
            ]
        );
    }

    #[test]
    fn a_token_on_a_foreign_range_is_refused() {
        let token = token(&[("10", "30", "\"1\"")]);
        let error = segments(&token, &range("", "20")).unwrap_err().to_string();
        assert_eq!(
            error,
            "a continuation token for [10,30) was found on range [,20)"
        );
        assert!(segments(&token, &range("40", "FF")).is_err());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for wrong in [
            "",
            "\"123\"",
            "c2.abc",
            "c1.%%%",
            "c1.e30",
            "c1.eyJyaWQiOiIiLCJyb290Ijp7ImtpbmQiOiJkcmFpbmVkIn19",
        ] {
            assert!(segments(wrong, &FeedRange::full()).is_err(), "{wrong}");
        }
        assert!(
            segments(
                &token(&[("10", "30", ""), ("20", "40", "")]),
                &FeedRange::full()
            )
            .is_err()
        );
    }
}
