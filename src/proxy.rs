//! The proxy that a request goes through, and what it did if the request failed.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

/// The variables that name a proxy, in the order in which they are looked up.
const FOR_HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const FOR_HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// What went wrong with a proxy.
#[derive(Debug, Clone)]
pub(crate) struct ProxyFault {
    /// Its address, without user name and password.
    proxy: String,
    /// What names it: a variable, or the system.
    named_by: &'static str,
    kind: Kind,
    /// The host and the port that were wanted.
    target: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unreachable,
    NeedsPassword,
    Refuses,
}

impl ProxyFault {
    /// What to do about it, where `wanted` was to be reached.
    pub(crate) fn hint(&self, wanted: &str) -> String {
        let Self {
            named_by, target, ..
        } = self;
        match self.kind {
            Kind::NeedsPassword => format!("set {named_by}=http://USER:PASSWORD@HOST:PORT"),
            Kind::Refuses => format!(
                "ask for {target} to be allowed by the proxy; or, if it can be reached without one, unset \
                 {named_by} or add the host to NO_PROXY"
            ),
            Kind::Unreachable => format!(
                "check {named_by}; if {wanted} can be reached without a proxy, unset it or add the host \
                 to NO_PROXY"
            ),
        }
    }

    /// Whether its text has the cause already, so that the HTTP client's own words add nothing.
    pub(crate) fn says_all(&self) -> bool {
        self.kind != Kind::Unreachable
    }

    /// Whether another attempt ends in the same way.
    pub(crate) fn is_final(&self) -> bool {
        self.kind == Kind::NeedsPassword
    }
}

impl fmt::Display for ProxyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} ({}) ", self.proxy, self.named_by)?;
        match self.kind {
            Kind::Unreachable => f.write_str("cannot be reached"),
            Kind::NeedsPassword => f.write_str("requires a user name and a password"),
            Kind::Refuses => write!(f, "refuses a connection to {}", self.target),
        }
    }
}

/// The proxies of this process, found as the HTTP client finds them.
#[derive(Debug, Clone)]
pub(crate) struct Proxies(Arc<Matcher>);

impl Proxies {
    /// Those that the environment names, otherwise the system.
    pub(crate) fn of_system() -> Self {
        Self(Arc::new(Matcher::from_system()))
    }

    /// What the proxy for `url` did, if it is why there was no connection: `error` says so.
    pub(crate) fn fault_of(&self, url: &Url, error: &dyn Error) -> Option<ProxyFault> {
        let text: Vec<String> = std::iter::successors(error.source(), |&cause| cause.source())
            .map(|cause| cause.to_string().to_ascii_lowercase())
            .collect();
        let has = |part: &str| text.iter().any(|text| text.contains(part));
        let kind = if has("proxy authorization required") {
            Kind::NeedsPassword
        } else if has("failed to create underlying connection") {
            Kind::Unreachable
        } else if has("tunnel error") {
            Kind::Refuses
        } else if has("tcp connect error") || has("dns error") {
            Kind::Unreachable
        } else {
            // The connection through the proxy exists: what follows is about the other end.
            return None;
        };
        self.fault(url, kind)
    }

    /// The same for an answer with this status, which a proxy gives itself where the request is not encrypted.
    #[cfg(feature = "object-stores")]
    pub(crate) fn fault_of_status(&self, url: &Url, status: u16) -> Option<ProxyFault> {
        (status == 407).then_some(())?;
        self.fault(url, Kind::NeedsPassword)
    }

    fn fault(&self, url: &Url, kind: Kind) -> Option<ProxyFault> {
        let proxy = self.0.intercept(&url.as_str().parse().ok()?)?;
        let names = if url.scheme() == "https" {
            FOR_HTTPS
        } else {
            FOR_HTTP
        };
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let uri = proxy.uri();
        let port = uri.port().map_or(String::new(), |port| format!(":{port}"));
        Some(ProxyFault {
            proxy: format!(
                "{}://{}{port}",
                uri.scheme_str().unwrap_or("http"),
                uri.host().unwrap_or_default()
            ),
            named_by: names.into_iter().find(is_set).unwrap_or("system settings"),
            kind,
            target: format!(
                "{}:{}",
                url.host_str().unwrap_or_default(),
                url.port_or_known_default().unwrap_or(443)
            ),
        })
    }
}
