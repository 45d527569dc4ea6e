//! The documents feed: which changes a request gets, in which form, and with which token.

use azure_data_cosmos_driver::models::effective_partition_key::EffectivePartitionKey as Epk;
use bytes::Bytes;

use super::GatewayOptions;
use super::account::StoredContainer;
use super::change_log::{Change, LockState, Mode, Operation, Partition};
use super::replicas::Lag;

/// The headers of a change feed request.
#[derive(Debug)]
pub(super) struct FeedRequest {
    pub(super) mode: Mode,
    /// The client requested the wire format with the envelope.
    pub(super) wire_format: bool,
    pub(super) partition: Option<String>,
    pub(super) epk_range: Option<(Epk, Epk)>,
    pub(super) partition_key: Option<Vec<serde_json::Value>>,
    pub(super) token: Option<String>,
    /// `If-Modified-Since`, in seconds since the epoch.
    pub(super) since: Option<u64>,
    pub(super) max_item_count: Option<i64>,
    /// The script wants the ETag to stay where it was.
    pub(super) stuck: bool,
    /// The script wants the page of so many transactions before.
    pub(super) back: u64,
    /// How far the replica lags that answers.
    pub(super) lag: Lag,
    /// The session tokens that the answer must not lag behind.
    pub(super) session_token: Option<String>,
}

pub(super) struct FeedAnswer {
    pub(super) status: u16,
    pub(super) substatus: Option<u32>,
    pub(super) body: Bytes,
    pub(super) items: usize,
    /// The LSN of the ETag, if the answer has one.
    pub(super) lsn: Option<u64>,
    pub(super) partition: Option<String>,
    /// `lsn` and session token of the replica that answers.
    pub(super) partition_lsn: u64,
    pub(super) session_token: Option<String>,
    /// What is wrong with the request, if no correct client sends it.
    pub(super) violation: Option<String>,
}

impl FeedAnswer {
    fn refusal(status: u16, substatus: Option<u32>, message: &str) -> Self {
        let code = match status {
            404 => "NotFound",
            410 => "Gone",
            _ => "BadRequest",
        };
        Self {
            status,
            substatus,
            body: error_body(code, message),
            items: 0,
            lsn: None,
            partition: None,
            partition_lsn: 0,
            session_token: None,
            violation: None,
        }
    }

    pub(super) fn violation(message: String) -> Self {
        let mut answer = Self::refusal(400, None, &message);
        answer.violation = Some(message);
        answer
    }
}

pub(super) fn error_body(code: &str, message: &str) -> Bytes {
    Bytes::from(serde_json::json!({"code": code, "message": message}).to_string())
}

/// The partition and the range within it that a request is about.
pub(super) struct Target {
    pub(super) partition: String,
    pub(super) min: Epk,
    pub(super) max: Epk,
}

/// What a request is about, and the LSN of the replica that answers it; or why it is not answered.
pub(super) fn admit(
    container: &mut StoredContainer,
    request: &FeedRequest,
    options: &GatewayOptions,
    now: u64,
) -> Result<(Target, u64), Box<FeedAnswer>> {
    let refuse = |answer| Err(Box::new(answer));
    let target = target(container, request)?;
    if request.epk_range.is_some() && !options.epk_sub_ranges {
        return refuse(FeedAnswer::refusal(
            400,
            None,
            "One of the input values is invalid.",
        ));
    }
    let partition = container
        .log
        .partition_mut(&target.partition)
        .expect("the target is a live partition");
    match &mut partition.lock {
        LockState::Open => {}
        LockState::Held => return refuse(locked()),
        LockState::Requests(0) => partition.lock = LockState::Open,
        LockState::Requests(left) => {
            *left -= 1;
            return refuse(locked());
        }
    }
    let replica = partition.replica_lsn(request.lag, now);
    match session_lsn(request.session_token.as_deref(), &target.partition) {
        Ok(Some(wanted)) if wanted > replica => refuse(FeedAnswer::refusal(
            404,
            Some(1002),
            "The read session is not available for the input session token.",
        )),
        Ok(_) => Ok((target, replica)),
        Err(message) => refuse(FeedAnswer::violation(message)),
    }
}

pub(super) fn answer(
    container: &mut StoredContainer,
    request: &FeedRequest,
    options: &GatewayOptions,
    now: u64,
) -> FeedAnswer {
    if request.mode == Mode::AllVersionsAndDeletes
        && (request.token.is_none() || request.since.is_some())
    {
        return FeedAnswer::refusal(
            400,
            None,
            "AllVersionsAndDeletes starts from now or from a continuation only",
        );
    }
    let (target, replica) = match admit(container, request, options, now) {
        Ok(admitted) => admitted,
        Err(refusal) => return *refusal,
    };
    let after = match position(container, request, &target) {
        Ok(after) => after,
        Err(refusal) => return *refusal,
    };
    let partition = container
        .log
        .partition_mut(&target.partition)
        .expect("the target is a live partition");
    let is_now = request.token.as_deref() == Some("*");
    if !is_now && request.mode == Mode::AllVersionsAndDeletes && after < partition.forgotten_through
    {
        return FeedAnswer::refusal(
            400,
            None,
            "the continuation is outside the retention window",
        );
    }
    let after = if is_now {
        replica
    } else {
        after.saturating_sub(request.back)
    };
    let page = select(partition, replica, request, &target, after, options);
    let mut lsn = page.last().map_or(replica, |change| change.lsn);
    if request.stuck {
        lsn = after;
    }
    let items = page.len();
    let body = if items == 0 {
        Bytes::new()
    } else {
        render(&container.rid, &page, request, options)
    };
    let version = partition.version;
    if items > 0 {
        let partition = container
            .log
            .partition_mut(&target.partition)
            .expect("the target is a live partition");
        partition.pages_served += 1;
    }
    container
        .log
        .issue(request.mode, lsn, target.min, target.max);
    FeedAnswer {
        status: if items == 0 { 304 } else { 200 },
        substatus: None,
        body,
        items,
        lsn: Some(lsn),
        session_token: Some(format!("{}:{version}#{replica}", target.partition)),
        partition: Some(target.partition),
        partition_lsn: replica,
        violation: None,
    }
}

/// Notes that the script gave out `lsn` as a token in answer to this request.
pub(super) fn issue(container: &mut StoredContainer, request: &FeedRequest, lsn: u64) {
    if let Ok(target) = target(container, request) {
        container
            .log
            .issue(request.mode, lsn, target.min, target.max);
    }
}

/// The LSN that a session token, or several of them, want of a partition.
fn session_lsn(tokens: Option<&str>, partition: &str) -> Result<Option<u64>, String> {
    for token in tokens.into_iter().flat_map(|tokens| tokens.split(',')) {
        // `id:version#LSN`, perhaps with `#region=LSN` behind it.
        let parsed = token.trim().split_once(':').and_then(|(id, rest)| {
            let lsn = rest.split('#').nth(1)?.parse().ok()?;
            Some((id, lsn))
        });
        match parsed {
            Some((id, lsn)) if id == partition => return Ok(Some(lsn)),
            Some(_) => {}
            None => return Err(format!("{token:?} is no session token")),
        }
    }
    Ok(None)
}

fn locked() -> FeedAnswer {
    FeedAnswer::refusal(410, Some(1007), "the partition is splitting or merging")
}

/// Resolves the resource that the request addresses, and refuses one that does not exist.
fn target(container: &StoredContainer, request: &FeedRequest) -> Result<Target, Box<FeedAnswer>> {
    if let Some(key) = &request.partition_key {
        let epk = container.log.epk_of(key);
        let partition = container
            .log
            .partitions()
            .iter()
            .find(|partition| partition.contains(&epk))
            .expect("the partitions cover the EPK space");
        return Ok(Target {
            partition: partition.id.to_string(),
            min: epk.clone(),
            max: epk,
        });
    }
    let Some(id) = &request.partition else {
        return Err(Box::new(FeedAnswer::violation(
            "a change feed request names neither a partition key range nor a partition key"
                .to_owned(),
        )));
    };
    let Some(partition) = container.log.partition(id) else {
        let mut gone = FeedAnswer::refusal(410, Some(1002), "the partition key range is gone");
        if !container.log.knew_partition(id) {
            gone.violation = Some(format!("partition key range {id} has never existed"));
        }
        return Err(Box::new(gone));
    };
    let (min, max) = match &request.epk_range {
        None => (partition.min.clone(), partition.max.clone()),
        Some((min, max)) => (min.clone(), max.clone()),
    };
    if min < partition.min || max > partition.max || min >= max {
        return Err(Box::new(FeedAnswer::violation(format!(
            "EPK range [{}, {}) does not lie within partition {id} [{}, {})",
            min.to_hex(),
            max.to_hex(),
            partition.min.to_hex(),
            partition.max.to_hex()
        ))));
    }
    Ok(Target {
        partition: id.clone(),
        min,
        max,
    })
}

/// The LSN after which the request reads. A token that was not issued for a range containing the
/// one it is used on is refused.
fn position(
    container: &StoredContainer,
    request: &FeedRequest,
    target: &Target,
) -> Result<u64, Box<FeedAnswer>> {
    let token = match request.token.as_deref() {
        None | Some("*") => return Ok(0),
        Some(token) => token,
    };
    let lsn = token
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(|lsn| lsn.parse().ok());
    let Some(lsn) = lsn else {
        return Err(Box::new(FeedAnswer::violation(format!(
            "token {token} is not one that this gateway gives out"
        ))));
    };
    if container
        .log
        .was_issued(request.mode, lsn, &target.min, &target.max)
    {
        return Ok(lsn);
    }
    Err(Box::new(FeedAnswer::violation(format!(
        "token {token} was not issued in mode {:?} for a range that contains [{}, {}) of \
         partition {}",
        request.mode,
        target.min.to_hex(),
        target.max.to_hex(),
        target.partition
    ))))
}

/// The next page: as many whole transactions as fit, and at least one.
fn select(
    partition: &Partition,
    replica: u64,
    request: &FeedRequest,
    target: &Target,
    after: u64,
    options: &GatewayOptions,
) -> Vec<Change> {
    let max_items = match request.max_item_count {
        None => options.default_page_items,
        Some(count) if count > 0 => count as usize,
        Some(_) => usize::MAX,
    };
    let is_point = target.min == target.max;
    let start = partition
        .changes
        .partition_point(|change| change.lsn <= after);
    let seen = partition
        .changes
        .partition_point(|change| change.lsn <= replica)
        .max(start);
    let wanted = partition.changes[start..seen].iter().filter(|change| {
        let in_mode = request.mode == Mode::AllVersionsAndDeletes
            || (change.is_last_at(replica) && change.operation != Operation::Delete);
        let in_range = if is_point {
            change.epk == target.min
        } else {
            target.min <= change.epk && change.epk < target.max
        };
        in_mode && in_range && request.since.is_none_or(|since| change.time > since)
    });
    let mut page: Vec<Change> = Vec::new();
    let mut page_bytes = 0;
    let mut transaction: Vec<Change> = Vec::new();
    let mut transaction_bytes = 0;
    for change in wanted {
        if transaction
            .last()
            .is_some_and(|last| last.lsn != change.lsn)
        {
            page.append(&mut transaction);
            page_bytes += std::mem::take(&mut transaction_bytes);
        }
        transaction_bytes += change.text.len();
        transaction.push(change.clone());
        let overflows = page.len() + transaction.len() > max_items
            || page_bytes + transaction_bytes > options.max_page_bytes;
        if overflows && !page.is_empty() {
            return page;
        }
    }
    page.append(&mut transaction);
    page
}

fn render(rid: &str, page: &[Change], request: &FeedRequest, options: &GatewayOptions) -> Bytes {
    let mut body = Vec::with_capacity(page.iter().map(|change| change.text.len() + 256).sum());
    body.extend_from_slice(format!("{{\"_rid\":\"{rid}\",\"Documents\":[").as_bytes());
    for (index, change) in page.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        match request.mode {
            Mode::AllVersionsAndDeletes => render_version(&mut body, change, options),
            Mode::LatestVersion if request.wire_format && options.envelope => {
                body.extend_from_slice(b"{\"current\":");
                body.extend_from_slice(&change.text);
                let metadata = format!(
                    ",\"metadata\":{{\"lsn\":{},\"crts\":{}}}}}",
                    change.lsn, change.time
                );
                body.extend_from_slice(metadata.as_bytes());
            }
            Mode::LatestVersion => body.extend_from_slice(&change.text),
        }
    }
    body.extend_from_slice(format!("],\"_count\":{}}}", page.len()).as_bytes());
    Bytes::from(body)
}

/// One item of AllVersionsAndDeletes: `current`, `previous` if kept, `metadata`.
fn render_version(body: &mut Vec<u8>, change: &Change, options: &GatewayOptions) {
    body.extend_from_slice(b"{\"current\":");
    if change.operation == Operation::Delete {
        body.extend_from_slice(b"{}");
    } else {
        body.extend_from_slice(&change.text);
    }
    if let Some((_, text)) = change.previous.as_ref().filter(|_| options.previous_images) {
        body.extend_from_slice(b",\"previous\":");
        body.extend_from_slice(text);
    }
    let mut metadata = serde_json::json!({
        "lsn": change.lsn,
        "crts": change.time,
        "operationType": change.operation.as_str(),
    });
    if let Some((lsn, _)) = &change.previous {
        metadata["previousImageLSN"] = (*lsn).into();
    }
    if change.operation == Operation::Delete {
        metadata["timeToLiveExpired"] = change.expired.into();
        metadata["id"] = change.id.clone().into();
        metadata["partitionKey"] = change.partition_key.clone().into();
    }
    body.extend_from_slice(format!(",\"metadata\":{metadata}}}").as_bytes());
}
