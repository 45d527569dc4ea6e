//! The script: which requests go wrong, and how.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Notify;

use super::PATIENCE;
use super::requests::{RequestKind, RequestRecord};

/// What happens to a request.
#[derive(Clone)]
pub(crate) enum Action {
    /// An error instead of the answer. `retry_after_ms` becomes `x-ms-retry-after-ms`.
    Status {
        status: u16,
        substatus: Option<u32>,
        retry_after_ms: Option<u64>,
    },
    /// This answer to any request, which is not carried out. It has only these headers, its content type and its
    /// charge.
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
    },
    /// "Nothing new", whether or not that is true. Without an ETag here it has that of the request, or none if
    /// that is none or `*`.
    NotModified { etag: Option<String> },
    /// The same, with an ETag this many transactions before that of the request; none if that is none or `*`.
    NotModifiedBehind(u64),
    /// The answer to a token of so many transactions before, or to none if there were not so many: a
    /// page that goes back.
    GoBack(u64),
    /// The answer is from a replica that lacks the partition's last transactions.
    Lag(u64),
    /// The answer with its body changed.
    EditBody(EditBody),
    /// The answer with its ETag changed, added, or removed.
    EditEtag(EditEtag),
    /// The answer with this header, in place of its own if it has one; or without it.
    Header(&'static str, Option<&'static str>),
    /// The answer with another status.
    As(u16),
    /// The answer says that it is charged with this.
    Charge(&'static str),
    /// An error instead of the answer, with this message.
    Refuse { status: u16, message: &'static str },
    /// The connection (HTTP/2: the stream) is reset without an answer.
    ResetBeforeHeaders,
    /// The answer's body ends after so many bytes, by a reset.
    TruncateBody { after: usize },
    /// The answer arrives in full, but its body is only the first half of its JSON.
    CorruptBody,
    /// The answer's body is this instead.
    ReplaceBody(Bytes),
    /// This is the body of the answer, with headers that say it is compressed with gzip.
    Gzip(Bytes),
    /// The client is sent to this address instead, with this status.
    Redirect { status: u16, to: String },
    /// An endless body, as fast as it is read, without an announced length.
    Endless,
    /// The same, but announces so many bytes.
    AnnounceBody(u64),
    /// The answer without its ETag.
    MissingEtag,
    /// The page is served, but its ETag is that of the request.
    StuckEtag,
    /// The body arrives this many bytes at a time.
    Trickle { bytes: usize, every: Duration },
    /// The answer is delayed by this much.
    Delay(Duration),
    /// The answer waits until the test lets it go.
    Hold(Hold),
    /// Something happens on the server first: a write, a split, another fault. The function runs
    /// on the server's thread and may use every handle of the gateway except its waits.
    Call(Arc<dyn Fn() + Send + Sync>),
}

/// What becomes of a body.
pub(crate) type EditBody = Arc<dyn Fn(Bytes) -> Bytes + Send + Sync>;

/// What becomes of an ETag.
pub(crate) type EditEtag = Arc<dyn Fn(Option<String>) -> Option<String> + Send + Sync>;

impl Action {
    /// This answer, with an ETag if there is one.
    pub(crate) fn answer(status: u16, etag: Option<&str>, body: impl Into<Bytes>) -> Self {
        Self::Answer {
            status,
            headers: etag
                .map(|etag| ("etag", etag.to_owned()))
                .into_iter()
                .collect(),
            body: body.into(),
        }
    }

    /// The answer with its body changed.
    pub(crate) fn edit_body(edit: impl Fn(Bytes) -> Bytes + Send + Sync + 'static) -> Self {
        Self::EditBody(Arc::new(edit))
    }

    /// The answer with its body, which is JSON, changed.
    pub(crate) fn edit_json(edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::edit_body(move |body| {
            let Ok(mut value) = serde_json::from_slice(&body) else {
                return body;
            };
            edit(&mut value);
            Bytes::from(value.to_string())
        })
    }

    /// The answer with its ETag changed, added, or removed.
    pub(crate) fn edit_etag(
        edit: impl Fn(Option<String>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::EditEtag(Arc::new(edit))
    }

    /// A redirect that keeps the request as it is.
    pub(crate) fn redirect(to: String) -> Self {
        Self::Redirect { status: 307, to }
    }

    /// A plain error of this status and substatus.
    pub(crate) fn status(status: u16, substatus: u32) -> Self {
        Self::Status {
            status,
            substatus: (substatus != 0).then_some(substatus),
            retry_after_ms: None,
        }
    }

    /// A 429 that asks to wait so many milliseconds.
    pub(crate) fn throttle(retry_after_ms: u64) -> Self {
        Self::Status {
            status: 429,
            substatus: Some(3200),
            retry_after_ms: Some(retry_after_ms),
        }
    }

    /// Runs `call` on the server before the request is answered.
    pub(crate) fn call(call: impl Fn() + Send + Sync + 'static) -> Self {
        Self::Call(Arc::new(call))
    }

    /// Whether the answer stays the same, only later or after something else.
    pub(super) fn comes_before_answer(&self) -> bool {
        matches!(self, Self::Delay(_) | Self::Hold(_) | Self::Call(_))
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status {
                status, substatus, ..
            } => write!(f, "Status({status}/{})", substatus.unwrap_or(0)),
            Self::Answer {
                status, headers, ..
            } => write!(f, "Answer({status}, {headers:?})"),
            Self::NotModified { etag } => write!(f, "NotModified({etag:?})"),
            Self::NotModifiedBehind(behind) => write!(f, "NotModifiedBehind({behind})"),
            Self::GoBack(transactions) => write!(f, "GoBack({transactions})"),
            Self::Lag(transactions) => write!(f, "Lag({transactions})"),
            Self::EditBody(_) => f.write_str("EditBody"),
            Self::EditEtag(_) => f.write_str("EditEtag"),
            Self::Header(name, value) => write!(f, "Header({name}, {value:?})"),
            Self::As(status) => write!(f, "As({status})"),
            Self::Charge(charge) => write!(f, "Charge({charge})"),
            Self::Refuse { status, message } => write!(f, "Refuse({status}: {message})"),
            Self::ResetBeforeHeaders => f.write_str("ResetBeforeHeaders"),
            Self::TruncateBody { after } => write!(f, "TruncateBody({after})"),
            Self::CorruptBody => f.write_str("CorruptBody"),
            Self::ReplaceBody(_) => f.write_str("ReplaceBody"),
            Self::Gzip(_) => f.write_str("Gzip"),
            Self::Redirect { status, to } => write!(f, "Redirect({status} to {to})"),
            Self::Endless => f.write_str("Endless"),
            Self::AnnounceBody(bytes) => write!(f, "AnnounceBody({bytes})"),
            Self::MissingEtag => f.write_str("MissingEtag"),
            Self::StuckEtag => f.write_str("StuckEtag"),
            Self::Trickle { bytes, every } => write!(f, "Trickle({bytes} every {every:?})"),
            Self::Delay(delay) => write!(f, "Delay({delay:?})"),
            Self::Hold(_) => f.write_str("Hold"),
            Self::Call(_) => f.write_str("Call"),
        }
    }
}

type Predicate = Arc<dyn Fn(&RequestRecord) -> bool + Send + Sync>;

/// One line of the script: the requests that it applies to, and what happens to them.
#[derive(Clone)]
pub(crate) struct Fault {
    kind: RequestKind,
    partition: Option<String>,
    page: Option<usize>,
    predicate: Option<Predicate>,
    nth: usize,
    times: usize,
    seen: usize,
    action: Action,
}

impl Fault {
    /// `action` for the first request of this kind. The other methods narrow or widen that.
    pub(crate) fn on(kind: RequestKind, action: Action) -> Self {
        Self {
            kind,
            partition: None,
            page: None,
            predicate: None,
            nth: 1,
            times: 1,
            seen: 0,
            action,
        }
    }

    /// Only requests to this partition key range.
    pub(crate) fn partition(mut self, id: &str) -> Self {
        self.partition = Some(id.to_owned());
        self
    }

    /// Only requests that would get the `page`th page of their partition, counted from 1 and
    /// over all its readers. An error does not move the page, so its retry matches again.
    pub(crate) fn page(mut self, page: usize) -> Self {
        self.page = Some(page);
        self
    }

    /// Only requests for which `predicate` is true.
    pub(crate) fn when(
        mut self,
        predicate: impl Fn(&RequestRecord) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.predicate = Some(Arc::new(predicate));
        self
    }

    /// From the `nth` matching request on, counted from 1.
    pub(crate) fn nth(mut self, nth: usize) -> Self {
        self.nth = nth;
        self
    }

    /// For so many matching requests.
    pub(crate) fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// For every matching request from the `nth` on.
    pub(crate) fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Counts the request if the fault applies to it, and returns whether it strikes.
    fn strikes(&mut self, record: &RequestRecord) -> bool {
        let about = self.kind == record.kind
            && (self.partition.is_none() || self.partition == record.partition)
            && self.page.is_none_or(|page| page == record.page)
            && self
                .predicate
                .as_ref()
                .is_none_or(|predicate| predicate(record));
        if !about {
            return false;
        }
        self.seen += 1;
        self.seen >= self.nth && self.seen - self.nth < self.times
    }
}

#[derive(Default)]
pub(super) struct FaultTable {
    faults: Vec<Fault>,
}

impl FaultTable {
    pub(super) fn push(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.faults.clear();
    }

    /// What happens to this request: everything before the answer, and at most one action on the answer itself.
    pub(super) fn strike(&mut self, record: &RequestRecord) -> (Vec<Action>, Option<Action>) {
        let mut before = Vec::new();
        let mut on_answer = None;
        for fault in &mut self.faults {
            if !fault.strikes(record) {
                continue;
            }
            if fault.action.comes_before_answer() {
                before.push(fault.action.clone());
            } else if on_answer.is_none() {
                on_answer = Some(fault.action.clone());
            }
        }
        (before, on_answer)
    }
}

/// A gate that requests wait at. Clones are the same gate.
#[derive(Clone, Default)]
pub(crate) struct Hold(Arc<HoldState>);

#[derive(Default)]
struct HoldState {
    /// Requests that have arrived, and whether the gate is open.
    state: Mutex<(usize, bool)>,
    arrived: Condvar,
    opened: Notify,
}

impl Hold {
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Lets through all waiting and later requests.
    pub(crate) fn release(&self) {
        self.0
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1 = true;
        self.0.opened.notify_waiters();
    }

    /// Waits until a request has arrived at the gate.
    ///
    /// # Panics
    /// After a minute.
    pub(crate) fn wait_until_reached(&self) {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (_state, timeout) = self
            .0
            .arrived
            .wait_timeout_while(state, PATIENCE, |(arrived, _)| *arrived == 0)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "no request came to the gate in {PATIENCE:?}"
        );
    }

    pub(super) async fn pass(&self) {
        // Created before the gate is looked at, so that an opening in between is not missed.
        let opened = self.0.opened.notified();
        let is_open = {
            let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.0 += 1;
            state.1
        };
        self.0.arrived.notify_all();
        if !is_open {
            opened.await;
        }
    }
}
