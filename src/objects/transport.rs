//! The HTTP client of a store, which hears the time in its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The clock of a store, as its answers show it. The clock of this machine is not asked.
#[derive(Debug, Default)]
pub(super) struct StoreClock(AtomicI64);

impl StoreClock {
    /// The latest time that an answer has named: the present, or a little before it.
    pub(super) fn latest(&self) -> Option<OffsetDateTime> {
        let heard = self.0.load(Ordering::Relaxed);
        let heard = (heard > 0).then_some(heard)?;
        OffsetDateTime::from_unix_timestamp(heard).ok()
    }

    fn hear(&self, date: &str) {
        if let Ok(date) = OffsetDateTime::parse(date, &Rfc2822) {
            self.0.fetch_max(date.unix_timestamp(), Ordering::Relaxed);
        }
    }
}

/// Connects to the store that has this container.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) container: String,
    pub(super) clock: Arc<StoreClock>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Transport {
            client,
            container: self.container.clone(),
            clock: Arc::clone(&self.clock),
        }))
    }
}

#[derive(Debug)]
struct Transport {
    client: HttpClient,
    container: String,
    clock: Arc<StoreClock>,
}

impl Transport {
    /// Whether a request is to the store: those for a credential go to others.
    fn is_to_store(&self, request: &HttpRequest) -> bool {
        let uri = request.uri();
        let host = uri.host().unwrap_or_default();
        let is_host = host.split('.').next() == Some(self.container.as_str());
        // An emulator has the account before it.
        is_host
            || uri
                .path()
                .split('/')
                .skip(1)
                .take(2)
                .any(|part| part == self.container)
    }
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_to_store = self.is_to_store(&request);
        let answer = self.client.execute(request).await?;
        let date = answer.headers().get("date").filter(|_| is_to_store);
        if let Some(date) = date.and_then(|date| date.to_str().ok()) {
            self.clock.hear(date);
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_the_latest_time_that_was_heard() {
        let clock = StoreClock::default();
        assert_eq!(clock.latest(), None);
        let noon = time::macros::datetime!(2026-11-28 12:00 UTC);
        for heard in [
            "Sat, 28 Nov 2026 12:00:00 GMT",
            "Sat, 28 Nov 2026 11:59:58 GMT",
            "noon",
        ] {
            clock.hear(heard);
            assert_eq!(clock.latest(), Some(noon), "{heard}");
        }
    }
}
