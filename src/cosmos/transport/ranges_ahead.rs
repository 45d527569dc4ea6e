//! The list of a container's partition key ranges, asked for while the container is asked for.
//!
//! The driver reads the account, the container, its ranges, and then once more what has become of the
//! ranges since, each when it has the answer before: four round trips to a region that may be far
//! away, before the first page is asked for. The list needs nothing of the container but its name, so
//! it is asked for beside it; and what has become of a whole list that came a moment ago is answered
//! here: nothing. A split in between is noticed as any later one, by the page that it breaks.
//!
//! Each of the two answers is given once, at the start. Whatever else the driver asks, and all of it if
//! the list did not come or is not whole, goes to the service.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use azure_core::credentials::Secret;
use azure_core::hmac::hmac_sha256;
use azure_core::http::headers::{HeaderName, Headers};
use azure_data_cosmos_driver::test::{HttpRequest, HttpResponse};
use tokio::task::JoinHandle;
use url::{Url, form_urlencoded};

use super::range_list::{RangeList, reads_container, reads_list};

const AUTHORIZATION: HeaderName = HeaderName::from_static("authorization");
const DATE: HeaderName = HeaderName::from_static("x-ms-date");
const IF_NONE_MATCH: HeaderName = HeaderName::from_static("if-none-match");
const ETAG: HeaderName = HeaderName::from_static("etag");
/// It names one request.
const ACTIVITY_ID: HeaderName = HeaderName::from_static("x-ms-activity-id");

/// What a list of ranges is asked with beside what every request has, as the driver does.
const LIST_HEADERS: [(HeaderName, &str); 2] = [
    (HeaderName::from_static("a-im"), "Incremental feed"),
    (HeaderName::from_static("x-ms-max-item-count"), "-1"),
];

/// How old a list may be of which nothing can have become. The driver asks at once.
const A_MOMENT: Duration = Duration::from_secs(5);

/// The list of the ranges of one container.
#[derive(Debug)]
pub(super) struct RangesAhead {
    /// What a request is signed with, each anew. Without it a token is sent, which is good for any.
    key: Option<Secret>,
    /// The container, as it is signed: `dbs/D/colls/C`.
    link: String,
    stage: Mutex<Stage>,
}

#[derive(Debug)]
enum Stage {
    /// Nobody has asked for the container.
    Before,
    /// The list was asked for.
    Asked(Url, JoinHandle<Option<HttpResponse>>),
    /// The driver has the list, and it is whole.
    Told(Url, Headers, Instant),
    /// There is no more to be done here.
    Over,
}

impl RangesAhead {
    /// For a container that is to be read, with the account's key if it is read with that.
    pub(super) fn new(database: &str, container: &str, key: Option<Secret>) -> Self {
        Self {
            key,
            link: format!("dbs/{database}/colls/{container}"),
            stage: Mutex::new(Stage::Before),
        }
    }

    /// Asks for the list, if `request` is the first one for the container. `ask` sends it.
    pub(super) fn begin(
        &self,
        request: &HttpRequest,
        ask: impl FnOnce(HttpRequest) -> JoinHandle<Option<HttpResponse>>,
    ) {
        if !reads_container(request) {
            return;
        }
        let mut stage = self.stage();
        if let (Stage::Before, Some(list)) = (&*stage, self.list_request(request)) {
            *stage = Stage::Asked(list.url.clone(), ask(list));
        }
    }

    /// The answer to `request`, if it is about the list and known here.
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
                if RangeList::parse(&list.body)?.is_whole() {
                    *self.stage() = Stage::Told(url, list.headers.clone(), Instant::now());
                }
                Some(list)
            }
            (Stage::Told(url, headers, when), Some(known))
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

    /// The request for the list, made of the one for the container.
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
            let date = list.headers.get_optional_str(&DATE)?.to_ascii_lowercase();
            let text = format!("get\npkranges\n{}\n{date}\n\n", self.link);
            let signature = hmac_sha256(&text, key).ok()?;
            let text = format!("type=master&ver=1.0&sig={signature}");
            let escaped: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            list.headers.insert(AUTHORIZATION, escaped);
        }
        Some(list)
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
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

    /// What is answered here, by status, after the list came as `list`.
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
    async fn the_list_is_handed_over_once_and_then_has_not_changed_once() {
        let first = request("/dbs/d/colls/c/pkranges", None);
        let again = request("/dbs/d/colls/c/pkranges", Some("\"7\""));
        let asked = [first.clone(), again.clone(), again.clone(), first.clone()];
        let found = answers(list(200, whole()), &asked).await;
        assert_eq!(found, [Some(200), Some(304), None, None]);
    }

    #[tokio::test]
    async fn what_is_not_known_for_sure_goes_to_the_service() {
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
    async fn a_list_is_signed_for_itself() {
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
