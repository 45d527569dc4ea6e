//! Session tokens: how much a reader has seen of a range.
//!
//! In an account with session consistency they keep a replica that lags from answering "nothing new" to a
//! reader that has already seen more. The driver sends the tokens of all ranges that it knows with each
//! request; with a few hundred ranges the service refuses that header, and it is assembled again each
//! time. Here a request for a range has only the token of that range; until there is one, those of the
//! ranges that it was split or merged from; and otherwise none. The service's clients for .NET and Java do
//! the same, after they hit the limit of the header (Azure/azure-cosmos-dotnet-v3, pull requests 2165 and
//! 2975). The driver's own tokens are switched off for the feed (`CosmosClient::feed_options`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use azure_core::http::Method;
use azure_core::http::headers::HeaderName;
use azure_data_cosmos_driver::test::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::range_list::{RangeList, reads_list};
use crate::feed::lsn_of_session_token;

pub(super) const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-ms-session-token");
pub(super) const CONSISTENCY_LEVEL: HeaderName = HeaderName::from_static("x-ms-consistency-level");
/// Only requests for the feed have it.
const A_IM: HeaderName = HeaderName::from_static("a-im");
/// Only queries have it.
const IS_QUERY: HeaderName = HeaderName::from_static("x-ms-documentdb-isquery");
const CONTAINER_RID: HeaderName = HeaderName::from_static("x-ms-cosmos-intended-collection-rid");
/// The headers that name what is read: a range, or one logical partition.
const SUBJECTS: [HeaderName; 2] = [
    HeaderName::from_static("x-ms-documentdb-partitionkeyrangeid"),
    HeaderName::from_static("x-ms-documentdb-partitionkey"),
];

/// The session tokens of an account.
#[derive(Debug, Default)]
pub(super) struct SessionTokens(Mutex<Known>);

/// Whether reads of an account respect session tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Use {
    /// They do not, and cannot be asked to, since a request may only ask for less than the account's
    /// consistency. Or they need not.
    #[default]
    No,
    /// They do.
    OfAccount,
    /// They do if a request asks for it.
    OnRequest,
}

#[derive(Debug, Default)]
struct Known {
    /// Whether reads of the account respect them.
    use_of: Use,
    tokens: HashMap<Subject, String>,
    /// The ids of the ranges that a range was split or merged from.
    parents: HashMap<Subject, Vec<String>>,
}

/// The RID of a container, and the id of one of its ranges or the value of a partition key.
type Subject = (String, String);

impl SessionTokens {
    /// The token that belongs to a request.
    pub(super) fn of(&self, request: &HttpRequest) -> Option<String> {
        let (container, id) = subject_of(request)?;
        let known = self.known();
        if known.use_of == Use::No {
            return None;
        }
        let subject = (container, id);
        if let Some(token) = known.tokens.get(&subject) {
            return Some(token.clone());
        }
        let container = &subject.0;
        let parents = known.parents.get(&subject)?.iter();
        let tokens: Vec<&str> = parents
            .filter_map(|id| known.tokens.get(&(container.clone(), id.clone())))
            .map(String::as_str)
            .collect();
        (!tokens.is_empty()).then(|| tokens.join(","))
    }

    /// The consistency that a request with a token must ask for, if it is not the account's.
    pub(super) fn consistency(&self) -> Option<&'static str> {
        (self.known().use_of == Use::OnRequest).then_some("Session")
    }

    /// Notes what an answer contains: a token, the parents of ranges, or whether the account uses tokens.
    pub(super) fn note(&self, request: &HttpRequest, response: &HttpResponse) {
        if let Some(subject) = subject_of(request) {
            let token = response.headers.get_optional_str(&SESSION_TOKEN);
            if let (200..=399, Some(token)) = (response.status, token) {
                let mut known = self.known();
                let is_newer = |known: &String| !is_behind(token, known);
                if known.tokens.get(&subject).is_none_or(is_newer) {
                    known.tokens.insert(subject, token.to_owned());
                }
            }
        } else if reads_list(request) && response.status == 200 {
            let Some(list) = RangeList::parse(&response.body) else {
                return;
            };
            let mut known = self.known();
            for range in list.ranges {
                if let Some(parents) = range.parents.filter(|parents| !parents.is_empty()) {
                    let subject = (list.container.clone(), range.id);
                    known.parents.insert(subject, parents);
                }
            }
        } else if request.url.path() == "/" && response.status == 200 {
            self.known().use_of = use_of_tokens(&response.body);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request for the feed or for a page of a query reads; `None` if it is for something else, or already has a
/// token.
fn subject_of(request: &HttpRequest) -> Option<Subject> {
    let mark = match request.method {
        Method::Get => A_IM,
        Method::Post => IS_QUERY,
        _ => return None,
    };
    if header(request, mark).is_none() || header(request, SESSION_TOKEN).is_some() {
        return None;
    }
    let target = SUBJECTS
        .into_iter()
        .find_map(|name| header(request, name))?;
    let container = header(request, CONTAINER_RID).unwrap_or_default();
    Some((container.to_owned(), target.to_owned()))
}

/// Whether a session token is older than a known one of the same range, from a replica that lags. With the
/// older token that replica could answer again.
fn is_behind(token: &str, known: &str) -> bool {
    let version = |token: &str| -> Option<i64> {
        let (version, _) = token.split_once(':')?.1.split_once('#')?;
        version.parse().ok()
    };
    let id = |token: &str| token.split_once(':').map(|(id, _)| id.to_owned());
    id(token) == id(known)
        && version(token) <= version(known)
        && lsn_of_session_token(token) < lsn_of_session_token(known)
}

fn header(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request.headers.get_optional_str(&name)
}

/// How an account uses session tokens, from its properties. With bounded staleness a replica may lag as
/// well, and session consistency is the weaker of the two, so a request may ask for it.
fn use_of_tokens(account: &[u8]) -> Use {
    #[derive(Deserialize)]
    struct Account {
        #[serde(rename = "userConsistencyPolicy")]
        policy: Policy,
    }
    #[derive(Deserialize)]
    struct Policy {
        #[serde(rename = "defaultConsistencyLevel")]
        level: String,
    }
    let account = serde_json::from_slice::<Account>(account);
    let level = account.map(|account| account.policy.level.to_ascii_lowercase());
    match level.as_deref() {
        Ok("session") => Use::OfAccount,
        Ok("boundedstaleness") => Use::OnRequest,
        _ => Use::No,
    }
}

#[cfg(test)]
mod tests {
    use super::super::requests::read_of;
    use super::*;
    use azure_core::http::headers::Headers;

    fn feed(container: &'static str, range: &'static str) -> HttpRequest {
        let [of_range, _] = SUBJECTS;
        let headers = [
            (A_IM, "Incremental feed"),
            (CONTAINER_RID, container),
            (of_range, range),
        ];
        read_of("/dbs/d/colls/c/docs", &headers)
    }

    fn answer(status: u16, token: Option<&'static str>, body: &str) -> HttpResponse {
        let mut headers = Headers::new();
        if let Some(token) = token {
            headers.insert(SESSION_TOKEN, token);
        }
        HttpResponse {
            status,
            headers,
            body: body.as_bytes().to_vec(),
        }
    }

    /// Tokens of an account with this consistency.
    fn tokens_of(consistency: &str) -> SessionTokens {
        let tokens = SessionTokens::default();
        let account = serde_json::json!({
            "userConsistencyPolicy": { "defaultConsistencyLevel": consistency }
        });
        tokens.note(&read_of("/", &[]), &answer(200, None, &account.to_string()));
        tokens
    }

    #[test]
    fn a_range_gets_its_own_latest_token() {
        let tokens = tokens_of("Session");
        assert_eq!(tokens.of(&feed("c", "0")), None);
        tokens.note(&feed("c", "0"), &answer(200, Some("0:1#5"), ""));
        tokens.note(&feed("c", "1"), &answer(200, Some("1:1#7"), ""));
        tokens.note(&feed("c", "0"), &answer(304, Some("0:1#6"), ""));
        tokens.note(&feed("c", "0"), &answer(503, Some("0:1#9"), ""));
        assert_eq!(tokens.of(&feed("c", "0")).as_deref(), Some("0:1#6"));
        // A replica that lags; and a range whose versions restarted after a failover.
        tokens.note(&feed("c", "0"), &answer(304, Some("0:1#4"), ""));
        assert_eq!(tokens.of(&feed("c", "0")).as_deref(), Some("0:1#6"));
        tokens.note(&feed("c", "0"), &answer(304, Some("0:2#4"), ""));
        assert_eq!(tokens.of(&feed("c", "0")).as_deref(), Some("0:2#4"));
        assert_eq!(tokens.of(&feed("c", "1")).as_deref(), Some("1:1#7"));
        // A container that was created again under the same name.
        assert_eq!(tokens.of(&feed("d", "0")), None);
    }

    #[test]
    fn a_range_without_a_token_gets_those_of_its_parents() {
        let tokens = tokens_of("Session");
        tokens.note(&feed("c", "0"), &answer(200, Some("0:1#5"), ""));
        tokens.note(&feed("c", "1"), &answer(200, Some("1:1#7"), ""));
        let range = |id: &str, parents: serde_json::Value| {
            serde_json::json!({
                "id": id, "minInclusive": "", "maxExclusive": "FF", "parents": parents
            })
        };
        let list = serde_json::json!({ "_rid": "c", "PartitionKeyRanges": [
            range("2", serde_json::json!(["0"])),
            range("3", serde_json::json!(["0", "1", "9"])),
            range("4", serde_json::json!([])),
            range("5", serde_json::Value::Null),
        ]});
        let asked = read_of("/dbs/d/colls/c/pkranges", &[(A_IM, "Incremental feed")]);
        tokens.note(&asked, &answer(200, None, &list.to_string()));
        assert_eq!(tokens.of(&feed("c", "2")).as_deref(), Some("0:1#5"));
        assert_eq!(tokens.of(&feed("c", "3")).as_deref(), Some("0:1#5,1:1#7"));
        assert_eq!(tokens.of(&feed("c", "4")), None);
        assert_eq!(tokens.of(&feed("c", "5")), None);
        tokens.note(&feed("c", "2"), &answer(200, Some("2:1#8"), ""));
        assert_eq!(tokens.of(&feed("c", "2")).as_deref(), Some("2:1#8"));
    }

    #[test]
    fn with_bounded_staleness_session_consistency_is_requested() {
        let tokens = tokens_of("BoundedStaleness");
        tokens.note(&feed("c", "0"), &answer(200, Some("0:1#5"), ""));
        assert_eq!(tokens.of(&feed("c", "0")).as_deref(), Some("0:1#5"));
        assert_eq!(tokens.consistency(), Some("Session"));
        assert_eq!(tokens_of("Session").consistency(), None);
    }

    #[test]
    fn only_the_feed_of_an_account_with_session_consistency_gets_tokens() {
        let tokens = tokens_of("Eventual");
        tokens.note(&feed("c", "0"), &answer(200, Some("0:1#5"), ""));
        assert_eq!(tokens.of(&feed("c", "0")), None);

        let tokens = tokens_of("Session");
        tokens.note(&feed("c", "0"), &answer(200, Some("0:1#5"), ""));
        let [of_range, _] = SUBJECTS;
        let item = read_of(
            "/dbs/d/colls/c/docs/1",
            &[(CONTAINER_RID, "c"), (of_range, "0")],
        );
        assert_eq!(tokens.of(&item), None);
        let mut own = feed("c", "0");
        own.headers.insert(SESSION_TOKEN, "0:1#1");
        assert_eq!(tokens.of(&own), None);
    }
}
