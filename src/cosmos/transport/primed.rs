//! The start of a feed of all versions that begins now.
//!
//! The driver requests it twice: of the first answer it keeps only the ETag, which is now, and it requests the first page
//! from there. What was written between the two comes with that page, so the position after it would be past changes
//! that nobody has seen, and a range that is written all the time could never be pinned. So the second request is
//! answered here, with the first answer: nothing was new then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use azure_core::http::headers::{HeaderName, Headers};
use azure_data_cosmos_driver::test::{HttpRequest, HttpResponse};

const A_IM: HeaderName = HeaderName::from_static("a-im");
const ALL_VERSIONS: &str = "Full-Fidelity Feed";
const IF_NONE_MATCH: HeaderName = HeaderName::from_static("if-none-match");
const NOW: &str = "*";
const ETAG: HeaderName = HeaderName::from_static("etag");
/// The headers that name what is read.
const SUBJECTS: [HeaderName; 4] = [
    HeaderName::from_static("x-ms-documentdb-partitionkeyrangeid"),
    HeaderName::from_static("x-ms-documentdb-partitionkey"),
    HeaderName::from_static("x-ms-start-epk"),
    HeaderName::from_static("x-ms-end-epk"),
];

/// How long after the first request the second one may come. It follows at once.
const MAX_AGE: Duration = Duration::from_secs(10);

/// First answers whose second request has not come.
#[derive(Debug, Default)]
pub(super) struct Primed(Mutex<HashMap<Subject, First>>);

/// What is read: the path of the container and what of it.
type Subject = (String, [Option<String>; 4]);

#[derive(Debug)]
struct First {
    headers: Headers,
    at: Instant,
}

impl Primed {
    /// Notes the answer to a first request.
    pub(super) fn note(&self, request: &HttpRequest, response: &HttpResponse) {
        let is_first = is_of_all_versions(request)
            && request.headers.get_optional_str(&IF_NONE_MATCH) == Some(NOW);
        if is_first && response.status == 304 && response.headers.get_optional_str(&ETAG).is_some()
        {
            let first = First {
                headers: response.headers.clone(),
                at: Instant::now(),
            };
            self.firsts().insert(subject(request), first);
        }
    }

    /// The answer to a second request.
    pub(super) fn answer(&self, request: &HttpRequest) -> Option<HttpResponse> {
        if !is_of_all_versions(request) {
            return None;
        }
        let asked = request.headers.get_optional_str(&IF_NONE_MATCH)?;
        let mut firsts = self.firsts();
        let first = firsts.remove(&subject(request))?;
        let is_second = first.headers.get_optional_str(&ETAG) == Some(asked);
        (is_second && first.at.elapsed() < MAX_AGE).then(|| HttpResponse {
            status: 304,
            headers: first.headers,
            body: Vec::new(),
        })
    }

    fn firsts(&self) -> MutexGuard<'_, HashMap<Subject, First>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_of_all_versions(request: &HttpRequest) -> bool {
    request.headers.get_optional_str(&A_IM) == Some(ALL_VERSIONS)
}

fn subject(request: &HttpRequest) -> Subject {
    let header = |name| request.headers.get_optional_str(&name).map(str::to_owned);
    (request.url.path().to_owned(), SUBJECTS.map(header))
}

#[cfg(test)]
mod tests {
    use super::super::requests::read_of;
    use super::*;

    const RANGE: HeaderName = HeaderName::from_static("x-ms-documentdb-partitionkeyrangeid");

    fn of(range: &'static str, token: &'static str) -> HttpRequest {
        let headers = [(A_IM, ALL_VERSIONS), (RANGE, range), (IF_NONE_MATCH, token)];
        read_of("/dbs/d/colls/c/docs", &headers)
    }

    fn nothing_new(etag: &'static str) -> HttpResponse {
        let mut headers = Headers::new();
        headers.insert(ETAG, etag);
        HttpResponse {
            status: 304,
            headers,
            body: Vec::new(),
        }
    }

    #[test]
    fn only_the_second_request_of_a_range_is_answered_by_the_first() {
        let primed = Primed::default();
        primed.note(&of("0", "*"), &nothing_new("\"7\""));
        assert!(primed.answer(&of("1", "\"7\"")).is_none());
        let answer = primed.answer(&of("0", "\"7\"")).unwrap();
        assert_eq!(answer.status, 304);
        assert_eq!(answer.headers.get_optional_str(&ETAG), Some("\"7\""));
        assert!(primed.answer(&of("0", "\"7\"")).is_none(), "once");
        primed.note(&of("0", "*"), &nothing_new("\"7\""));
        assert!(
            primed.answer(&of("0", "\"6\"")).is_none(),
            "another position"
        );
        primed.note(&of("0", "\"6\""), &nothing_new("\"7\""));
        assert!(
            primed.answer(&of("0", "\"7\"")).is_none(),
            "no start at now"
        );
        let mut latest = of("0", "\"7\"");
        primed.note(&of("0", "*"), &nothing_new("\"7\""));
        latest.headers.insert(A_IM, "Incremental Feed");
        assert!(primed.answer(&latest).is_none());
    }
}
