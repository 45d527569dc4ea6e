//! The list of a container's partition key ranges, requested in parallel with the container.
//!
//! The driver reads the account, the container, its ranges, and then the changes of the ranges since, one
//! after the other: four round trips to a region that may be far away, before the first page is requested.
//! The list needs only the container's name, so it is requested in parallel; and that a complete list has
//! not changed a moment later is answered here. A split in between is noticed like any later one, by the
//! page that it breaks.
//!
//! Each of these two answers is given once, at the start. All other requests of the driver go to the
//! service, and so do these if the list did not come or is incomplete.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use azure_core::credentials::Secret;
use azure_core::http::headers::{HeaderName, Headers};
use azure_data_cosmos_driver::test::{HttpRequest, HttpResponse};
use tokio::task::JoinHandle;
use url::Url;

use super::range_list::{ContainerName, RangeList, container_of, reads_container, reads_list};
use super::renewal::{AUTHORIZATION, DATE, signature};

const IF_NONE_MATCH: HeaderName = HeaderName::from_static("if-none-match");
const ETAG: HeaderName = HeaderName::from_static("etag");
/// Identifies one request.
const ACTIVITY_ID: HeaderName = HeaderName::from_static("x-ms-activity-id");

/// The headers of a request for the list beside those of every request, as the driver sends them.
const LIST_HEADERS: [(HeaderName, &str); 2] = [
    (HeaderName::from_static("a-im"), "Incremental feed"),
    (HeaderName::from_static("x-ms-max-item-count"), "-1"),
];

/// Maximum age of a list that is taken to be unchanged. The driver asks again at once.
const A_MOMENT: Duration = Duration::from_secs(5);

/// The list of the ranges of one container.
#[derive(Debug)]
pub(super) struct RangesAhead {
    /// Signs each request. Without a key, the container's token is sent, which is valid for any request.
    key: Option<Secret>,
    /// The container. If it has no name, nothing is requested: a connection of several is for none of them.
    name: ContainerName,
    /// The container, in the form that is signed: `dbs/D/colls/C`.
    link: String,
    stage: Mutex<Stage>,
}

#[derive(Debug)]
enum Stage {
    /// The container has not been requested.
    Before,
    /// The list has been requested.
    Asked(Url, JoinHandle<Option<HttpResponse>>),
    /// The driver has the list, and it is complete.
    Returned(Url, Headers, Instant),
    /// All requests go to the service.
    Over,
}

impl RangesAhead {
    /// For this container, with the account's key if that is the credential.
    pub(super) fn new(database: &str, container: &str, key: Option<Secret>) -> Self {
        Self {
            key,
            name: ContainerName::new(database, container),
            link: format!("dbs/{database}/colls/{container}"),
            stage: Mutex::new(Stage::Before),
        }
    }

    /// Requests the list if `request` is the first one for the container. `ask` sends it.
    pub(super) fn begin(
        &self,
        request: &HttpRequest,
        ask: impl FnOnce(HttpRequest) -> JoinHandle<Option<HttpResponse>>,
    ) {
        if !reads_container(request) || container_of(&request.url).as_ref() != Some(&self.name) {
            return;
        }
        let mut stage = self.stage();
        if let (Stage::Before, Some(list)) = (&*stage, self.list_request(request)) {
            *stage = Stage::Asked(list.url.clone(), ask(list));
        }
    }

    /// The answer to `request`, if it is for the list and known here.
    pub(super) async fn answer(&self, request: &HttpRequest) -> Option<HttpResponse> {
        if !reads_list(request) {
            return None;
        }
        let known = request.headers.get_optional_str(&IF_NONE_MATCH);
        let stage = std::mem::replace(&mut *self.stage(), Stage::Over);
        match (stage, known) {
            (Stage::Asked(url, list), None) if url == request.url => {
                let list = list.await.ok().flatten()?;
                if list.status != 200 {
                    return None;
                }
                if RangeList::parse(&list.body)?.is_complete() {
                    *self.stage() = Stage::Returned(url, list.headers.clone(), Instant::now());
                }
                Some(list)
            }
            (Stage::Returned(url, headers, when), Some(known))
                if url == request.url
                    && headers.get_optional_str(&ETAG) == Some(known)
                    && when.elapsed() < A_MOMENT =>
            {
                Some(HttpResponse {
                    status: 304,
                    headers,
                    body: Vec::new(),
                })
            }
            _ => None,
        }
    }

    /// The request for the list, derived from the one for the container.
    fn list_request(&self, container: &HttpRequest) -> Option<HttpRequest> {
        let mut list = container.clone();
        let mut path = list.url.path_segments_mut().ok()?;
        path.pop_if_empty().push("pkranges");
        drop(path);
        list.headers.remove(ACTIVITY_ID);
        for (name, value) in LIST_HEADERS {
            list.headers.insert(name, value);
        }
        if let Some(key) = &self.key {
            let date = list.headers.get_optional_str(&DATE)?;
            let signature = signature("GET", "pkranges", &self.link, date, key)?;
            list.headers.insert(AUTHORIZATION, signature);
        }
        Some(list)
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use azure_core::hmac::hmac_sha256;
    use url::form_urlencoded;

    use super::super::requests::read_of;
    use super::*;

    fn request(path: &str, if_none_match: Option<&'static str>) -> HttpRequest {
        let mut headers = vec![(DATE, "Fri, 27 Nov 2026 00:00:00 GMT")];
        headers.extend(if_none_match.map(|etag| (IF_NONE_MATCH, etag)));
        read_of(path, &headers)
    }

    fn list(status: u16, ranges: serde_json::Value) -> HttpResponse {
        let mut headers = Headers::new();
        headers.insert(ETAG, "\"7\"");
        let body = serde_json::json!({ "PartitionKeyRanges": ranges }).to_string();
        HttpResponse {
            status,
            headers,
            body: body.into_bytes(),
        }
    }

    fn whole() -> serde_json::Value {
        serde_json::json!([{ "id": "0", "minInclusive": "", "maxExclusive": "FF" }])
    }

    /// The status of each answer given here, after the list came as `list`.
    async fn answers(list: HttpResponse, asked: &[HttpRequest]) -> Vec<Option<u16>> {
        let ahead = RangesAhead::new("d", "c", None);
        ahead.begin(&request("/dbs/d/colls/c", None), |request| {
            assert_eq!(request.url.path(), "/dbs/d/colls/c/pkranges");
            tokio::spawn(async { Some(list) })
        });
        let mut answers = Vec::new();
        for request in asked {
            answers.push(ahead.answer(request).await.map(|answer| answer.status));
        }
        answers
    }

    #[tokio::test]
    async fn the_list_is_returned_once_and_is_then_unchanged_once() {
        let first = request("/dbs/d/colls/c/pkranges", None);
        let again = request("/dbs/d/colls/c/pkranges", Some("\"7\""));
        let asked = [first.clone(), again.clone(), again.clone(), first.clone()];
        let found = answers(list(200, whole()), &asked).await;
        assert_eq!(found, [Some(200), Some(304), None, None]);
    }

    #[tokio::test]
    async fn what_is_not_certain_goes_to_the_service() {
        let first = request("/dbs/d/colls/c/pkranges", None);
        let again = request("/dbs/d/colls/c/pkranges", Some("\"7\""));
        let of_another_time = request("/dbs/d/colls/c/pkranges", Some("\"6\""));
        let of_another = request("/dbs/d/colls/e/pkranges", None);
        let asked = [first.clone(), again.clone()];
        let part = serde_json::json!([{ "id": "0", "minInclusive": "", "maxExclusive": "80" }]);
        assert_eq!(answers(list(200, part), &asked).await, [Some(200), None]);
        assert_eq!(answers(list(429, whole()), &asked).await, [None, None]);
        let no_list = serde_json::json!("none");
        assert_eq!(answers(list(200, no_list), &asked).await, [None, None]);
        let asked = [first.clone(), of_another_time];
        assert_eq!(answers(list(200, whole()), &asked).await, [Some(200), None]);
        assert_eq!(answers(list(200, whole()), &[again]).await, [None]);
        let asked = [of_another, first];
        assert_eq!(answers(list(200, whole()), &asked).await, [None, None]);
    }

    #[tokio::test]
    async fn nothing_is_asked_of_a_container_that_is_another_one() {
        for (database, container) in [("d", ""), ("d", "e"), ("e", "c")] {
            let ahead = RangesAhead::new(database, container, None);
            ahead.begin(&request("/dbs/d/colls/c", None), |list| {
                panic!("{} was requested", list.url)
            });
        }
        let named = RangesAhead::new("d", "für c", None);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        named.begin(&request("/dbs/d/colls/f%C3%BCr%20c", None), |list| {
            sender.send(list.url).unwrap();
            tokio::spawn(async { None })
        });
        let url = receiver.await.unwrap();
        assert_eq!(url.path(), "/dbs/d/colls/f%C3%BCr%20c/pkranges");
    }

    #[tokio::test]
    async fn the_request_for_the_list_has_its_own_signature() {
        let key = Secret::new("a2V5");
        let ahead = RangesAhead::new("d", "c", Some(key.clone()));
        let mut container = request("/dbs/d/colls/c", None);
        container.headers.insert(AUTHORIZATION, "of the container");
        let (sender, receiver) = tokio::sync::oneshot::channel();
        ahead.begin(&container, |list| {
            sender.send(list).unwrap();
            tokio::spawn(async { None })
        });
        let list = receiver.await.unwrap();
        let text = "get\npkranges\ndbs/d/colls/c\nfri, 27 nov 2026 00:00:00 gmt\n\n";
        let signature = hmac_sha256(text, &key).unwrap();
        let expected: String = form_urlencoded::byte_serialize(
            format!("type=master&ver=1.0&sig={signature}").as_bytes(),
        )
        .collect();
        let found = list.headers.get_optional_str(&AUTHORIZATION);
        assert_eq!(found, Some(expected.as_str()));
    }
}
