//! Session tokens: what a reader has seen of a range, as the service told it.
//!
//! In an account with session consistency they keep a replica that lags behind from answering
//! "nothing new" to a reader that has already seen more. With each request the driver sends the
//! tokens of all ranges that it knows; with a few hundred of them that is a header that the service
//! refuses, and it is put together anew each time. Here a request for a range gets the token of that range
//! alone, or, until it has one, those of the ranges that it came out of; if there are none either, it is
//! the first of its kind and has none. So do the service's clients for .NET and Java, which ran into the
//! limit of the header (Azure/azure-cosmos-dotnet-v3, pull requests 2165 and 2975). The driver's own are
//! switched off for the feed (see [`feed_options`](super::super::client::CosmosClient::feed_options)).

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
/// Of the feed alone.
const A_IM: HeaderName = HeaderName::from_static("a-im");
const CONTAINER_RID: HeaderName = HeaderName::from_static("x-ms-cosmos-intended-collection-rid");
/// What a request is about: a range, or one logical partition.
const TARGETS: [HeaderName; 2] = [
    HeaderName::from_static("x-ms-documentdb-partitionkeyrangeid"),
    HeaderName::from_static("x-ms-documentdb-partitionkey"),
];

/// The tokens of what was read of an account.
#[derive(Debug, Default)]
pub(super) struct SessionTokens(Mutex<Known>);

/// Whether reads of an account go by session tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Use {
    /// They do not, and cannot be asked to: a request may ask for less than the account's consistency,
    /// never for more. Or they need not.
    #[default]
    No,
    /// They do.
    OfAccount,
    /// They do if a request asks for it.
    OnRequest,
}

#[derive(Debug, Default)]
struct Known {
    /// Whether reads of the account go by them.
    use_of: Use,
    tokens: HashMap<Target, String>,
    /// The ranges that a range came out of, by their ids.
    parents: HashMap<Target, Vec<String>>,
}

/// The RID of a container, and the id of one of its ranges or the value of a partition key.
type Target = (String, String);

impl SessionTokens {
    /// The token that a request is to be sent with.
    pub(super) fn of(&self, request: &HttpRequest) -> Option<String> {
        let (container, id) = target_of(request)?;
        let known = self.known();
        if known.use_of == Use::No {
            return None;
        }
        let target = (container, id);
        if let Some(token) = known.tokens.get(&target) {
            return Some(token.clone());
        }
        let container = &target.0;
        let parents = known.parents.get(&target)?.iter();
        let tokens: Vec<&str> = parents
            .filter_map(|id| known.tokens.get(&(container.clone(), id.clone())))
            .map(String::as_str)
            .collect();
        (!tokens.is_empty()).then(|| tokens.join(","))
    }

    /// The consistency that a request with a token has to ask for, if it is not the account's.
    pub(super) fn consistency(&self) -> Option<&'static str> {
        (self.known().use_of == Use::OnRequest).then_some("Session")
    }

    /// Notes what an answer says of tokens: its own, which ranges have become of which, or whether
    /// the account wants any.
    pub(super) fn note(&self, request: &HttpRequest, response: &HttpResponse) {
        if let Some(target) = target_of(request) {
            let token = response.headers.get_optional_str(&SESSION_TOKEN);
            if let (200..=399, Some(token)) = (response.status, token) {
                let mut known = self.known();
                let is_newer = |known: &String| !is_behind(token, known);
                if known.tokens.get(&target).is_none_or(is_newer) {
                    known.tokens.insert(target, token.to_owned());
                }
            }
        } else if reads_list(request) && response.status == 200 {
            let Some(list) = RangeList::parse(&response.body) else {
                return;
            };
            let mut known = self.known();
            for range in list.ranges {
                if let Some(parents) = range.parents.filter(|parents| !parents.is_empty()) {
                    let target = (list.container.clone(), range.id);
                    known.parents.insert(target, parents);
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

/// What a request for the feed is about; none if it is for something else, or has a token already.
fn target_of(request: &HttpRequest) -> Option<Target> {
    let is_feed = request.method == Method::Get
        && header(request, A_IM).is_some()
        && header(request, SESSION_TOKEN).is_none();
    if !is_feed {
        return None;
    }
    let target = TARGETS.into_iter().find_map(|name| header(request, name))?;
    let container = header(request, CONTAINER_RID).unwrap_or_default();
    Some((container.to_owned(), target.to_owned()))
}

/// Whether a session token is from before another one of the same range, as a replica that lags sends it:
/// then a request with it would be content with that replica.
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

/// What an account, by its own description, makes of session tokens. With bounded staleness a replica
/// may lag behind as well, and session consistency is the weaker of the two, so it may be asked for.
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
        let [of_range, _] = TARGETS;
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
    fn a_range_gets_the_last_token_of_its_own() {
        let tokens = tokens_of("Session");
        assert_eq!(tokens.of(&feed("c", "0")), None);
        tokens.note(&feed("c", "0"), &answer(200, Some("0:1#5"), ""));
        tokens.note(&feed("c", "1"), &answer(200, Some("1:1#7"), ""));
        tokens.note(&feed("c", "0"), &answer(304, Some("0:1#6"), ""));
        tokens.note(&feed("c", "0"), &answer(503, Some("0:1#9"), ""));
        assert_eq!(tokens.of(&feed("c", "0")).as_deref(), Some("0:1#6"));
        // A replica that lags behind; and a range that counts in another way since a failover.
        tokens.note(&feed("c", "0"), &answer(304, Some("0:1#4"), ""));
        assert_eq!(tokens.of(&feed("c", "0")).as_deref(), Some("0:1#6"));
        tokens.note(&feed("c", "0"), &answer(304, Some("0:2#4"), ""));
        assert_eq!(tokens.of(&feed("c", "0")).as_deref(), Some("0:2#4"));
        assert_eq!(tokens.of(&feed("c", "1")).as_deref(), Some("1:1#7"));
        // A container that was created anew under the same name.
        assert_eq!(tokens.of(&feed("d", "0")), None);
    }

    #[test]
    fn a_range_without_a_token_gets_those_that_it_came_out_of() {
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
    fn with_bounded_staleness_session_consistency_is_asked_for() {
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
        let [of_range, _] = TARGETS;
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
