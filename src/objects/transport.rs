//! The HTTP client of a store, which hears the time in its answers, and names a proxy that does not let requests through.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Url;

use crate::proxy::{Proxies, ProxyFault};

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
            proxies: Proxies::of_system(),
        }))
    }
}

#[derive(Debug)]
struct Transport {
    client: HttpClient,
    container: String,
    clock: Arc<StoreClock>,
    proxies: Proxies,
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

impl Transport {
    /// The error of a request; that of the proxy before the store, if it is why there was no connection.
    fn with_proxy(&self, url: Option<&Url>, error: HttpError) -> HttpError {
        let url = url.filter(|_| error.kind() == HttpErrorKind::Connect);
        let fault = url.and_then(|url| self.proxies.fault_of(url, &error));
        match fault {
            Some(fault) => StoppedByProxy(fault).error(),
            None => error,
        }
    }
}

/// A request that did not get beyond a proxy.
#[derive(Debug)]
pub(super) struct StoppedByProxy(pub(super) ProxyFault);

impl StoppedByProxy {
    /// As the error of a request, which is repeated only if that can help.
    fn error(self) -> HttpError {
        let kind = match self.0.is_final() {
            true => HttpErrorKind::Unknown,
            false => HttpErrorKind::Connect,
        };
        HttpError::new(kind, self)
    }
}

impl fmt::Display for StoppedByProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for StoppedByProxy {}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_to_store = self.is_to_store(&request);
        let url = Url::parse(&request.uri().to_string()).ok();
        let answer = match self.client.execute(request).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.with_proxy(url.as_ref(), error)),
        };
        let status = answer.status().as_u16();
        if let Some(fault) = url.and_then(|url| self.proxies.fault_of_status(&url, status)) {
            return Err(StoppedByProxy(fault).error());
        }
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
