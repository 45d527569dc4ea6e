//! Faults of the service and the network: errors, odd answers, false ones, and replicas that lag.

use std::time::Duration;

use fastrand::Rng;

use crate::gateway::{Action, Fault, RequestKind, RequestRecord};
use crate::schedule::small;

/// Something that the service or the network does wrong.
#[derive(Debug)]
pub(crate) struct Trouble {
    asked: Asked,
    nth: usize,
    times: usize,
    action: Action,
}

/// The requests that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Ranges,
    Feed,
    /// The current position of a range.
    Pin,
    Page,
    /// A page of a range that has a position. The first ETag of a range has none before it that it
    /// could be compared with.
    LaterPage,
}

impl Trouble {
    pub(crate) fn draw(random: &mut Rng) -> Self {
        let (asked, action) = match random.usize(..30) {
            0 => (Asked::Ranges, transient(random)),
            1..7 => (Asked::Feed, transient(random)),
            7 => (Asked::Feed, refusal(random)),
            8..20 => odd_answer(random),
            20..24 => (Asked::Feed, Action::Lag(small(random, 20) as u64)),
            24..27 => false_304(random),
            27 | 28 => nonsense(random),
            _ => edited_page(random),
        };
        Self {
            asked,
            nth: match asked {
                Asked::Ranges => small(random, 3),
                Asked::Pin => small(random, 4),
                _ => small(random, 25),
            },
            times: small(random, 3),
            action,
        }
    }

    /// By how many transactions replicas lag because of it.
    pub(crate) fn lag(&self) -> u64 {
        match self.action {
            Action::Lag(transactions) => transactions,
            _ => 0,
        }
    }

    /// The line of the gateway's script that it is.
    pub(crate) fn fault(&self) -> Fault {
        let kind = match self.asked {
            Asked::Ranges => RequestKind::PartitionKeyRanges,
            _ => RequestKind::ChangeFeed,
        };
        let fault = Fault::on(kind, self.action.clone())
            .nth(self.nth)
            .times(self.times);
        match self.asked {
            Asked::Ranges | Asked::Feed => fault,
            Asked::Pin => fault.when(RequestRecord::is_pin),
            Asked::Page => fault.when(RequestRecord::is_page),
            Asked::LaterPage => fault.when(|record| record.is_page() && record.token.is_some()),
        }
    }
}

fn pick<T: Copy>(random: &mut Rng, from: &[T]) -> T {
    from[random.usize(..from.len())]
}

/// An error that passes by itself.
fn transient(random: &mut Rng) -> Action {
    const TRANSIENT: [(u16, u32); 12] = [
        (408, 0),
        (410, 0),
        (410, 1000),
        (410, 1002),
        (410, 1007),
        (404, 1002),
        (429, 3200),
        (449, 0),
        (500, 0),
        (502, 0),
        (503, 0),
        (504, 0),
    ];
    let (status, substatus) = pick(random, &TRANSIENT);
    Action::status(status, substatus)
}

/// An error that stays.
fn refusal(random: &mut Rng) -> Action {
    const FINAL: [(u16, u32); 5] = [(400, 0), (401, 0), (403, 0), (403, 5300), (410, 1024)];
    let (status, substatus) = pick(random, &FINAL);
    Action::status(status, substatus)
}

/// An answer that is not an error, but malformed.
fn odd_answer(random: &mut Rng) -> (Asked, Action) {
    let action = match random.usize(..12) {
        0 => Action::throttle(random.u64(..20)),
        1 => Action::ResetBeforeHeaders,
        2 => Action::TruncateBody {
            after: random.usize(..3000),
        },
        3 => Action::CorruptBody,
        4 => Action::ReplaceBody("<html>".into()),
        5 => Action::ReplaceBody("".into()),
        6 => Action::Gzip("no gzip".into()),
        7 => Action::MissingEtag,
        8 => return (Asked::LaterPage, Action::StuckEtag),
        9 => Action::Trickle {
            bytes: 1 + random.usize(..5000),
            every: Duration::from_micros(100),
        },
        10 => Action::Refuse {
            status: 400,
            message: "Reduce page size and try again: the response size is too large",
        },
        _ => Action::Delay(Duration::from_millis(random.u64(..20))),
    };
    (Asked::Feed, action)
}

/// "Nothing new", whether or not it is true: with the ETag of the request, with a lower one, or with none.
fn false_304(random: &mut Rng) -> (Asked, Action) {
    match random.usize(..3) {
        0 => (Asked::Feed, Action::NotModified { etag: None }),
        1 => {
            let behind = small(random, 40) as u64;
            (Asked::LaterPage, Action::NotModifiedBehind(behind))
        }
        _ => (Asked::Feed, Action::answer(304, None, "")),
    }
}

/// An answer with status 200 that is not a page, with an ETag as if it were.
fn nonsense(random: &mut Rng) -> (Asked, Action) {
    const BODIES: [&str; 6] = [
        "<html><body>Please log in</body></html>",
        "",
        "{\"code\":\"ServiceUnavailable\",\"message\":\"try later\"}",
        "null",
        "[]",
        "{\"Documents\":null}",
    ];
    const ETAGS: [Option<&str>; 4] = [Some("\"5\""), Some("\"10005\""), Some(""), None];
    let asked = pick(random, &[Asked::Pin, Asked::Page]);
    let (etag, body) = (pick(random, &ETAGS), pick(random, &BODIES));
    (asked, Action::answer(200, etag, body))
}

/// A page, not as it should be.
fn edited_page(random: &mut Rng) -> (Asked, Action) {
    let action = match random.usize(..5) {
        0 => Action::edit_json(|page| page["_rid"] = "AAAAAAAAAAA=".into()),
        1 => {
            let more = random.bool();
            Action::edit_json(move |page| {
                let count = page["_count"].as_u64().unwrap_or_default();
                page["_count"] = if more { count + 1 } else { count / 2 }.into();
            })
        }
        2 => {
            let item = pick(random, &["null", "7", "\"text\"", "[]"]);
            Action::edit_json(move |page| {
                if let Some(last) = page["Documents"]
                    .as_array_mut()
                    .and_then(|all| all.last_mut())
                {
                    *last = serde_json::from_str(item).unwrap();
                }
            })
        }
        3 => Action::edit_etag(|_| Some(String::new())),
        _ => return (Asked::LaterPage, Action::GoBack(small(random, 40) as u64)),
    };
    (Asked::Page, action)
}
