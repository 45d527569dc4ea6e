//! Where a request that failed was sent, if not straight to the endpoint: to an address that the account names,
//! or through a proxy.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::heard::Heard;

/// The variables that name a proxy, in the order in which they are looked up.
const FOR_HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const FOR_HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// A request that failed on a way other than straight to the endpoint.
#[derive(Debug)]
pub(in crate::cosmos) struct Detour {
    way: Way,
    source: reqwest::Error,
}

#[derive(Debug)]
enum Way {
    /// To an address that the account names.
    Location {
        address: Url,
        /// Where the account names it.
        origin: String,
        endpoint: Url,
        /// Whether there was a connection.
        was_connected: bool,
    },
    /// Through a proxy.
    Proxy {
        /// Its address, without user name and password.
        proxy: String,
        /// What names it: a variable, or the system.
        named_by: &'static str,
        fault: ProxyFault,
        /// The host and the port that were wanted.
        target: String,
    },
}

/// What went wrong with a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProxyFault {
    Unreachable,
    NeedsPassword,
    Refuses,
}

impl Detour {
    /// The detour on which a request for `url` failed; the error itself if it took none.
    pub(super) fn taken(
        url: &Url,
        endpoint: &Url,
        heard: &Heard,
        proxies: Option<&Proxies>,
        error: reqwest::Error,
    ) -> Result<Self, reqwest::Error> {
        let through = proxies.and_then(|proxies| proxies.fault_of(url, &error));
        let way = if let Some(way) = through {
            way
        } else if url.origin() == endpoint.origin() {
            return Err(error);
        } else if let Some(origin) = heard.origin_of(url) {
            Way::Location {
                address: at_root(url),
                origin,
                endpoint: endpoint.clone(),
                was_connected: !error.is_connect(),
            }
        } else {
            return Err(error);
        };
        Ok(Self { way, source: error })
    }

    /// What to do about it.
    pub(in crate::cosmos) fn hint(&self) -> String {
        match &self.way {
            Way::Location { endpoint, .. } => format!(
                "check that this address is the account's and can be reached from here; if only \
                 {endpoint} can, add --limit-to-endpoint"
            ),
            Way::Proxy {
                named_by,
                fault: ProxyFault::NeedsPassword,
                ..
            } => format!("set {named_by}=http://USER:PASSWORD@HOST:PORT"),
            Way::Proxy {
                named_by,
                fault: ProxyFault::Refuses,
                target,
                ..
            } => format!(
                "ask for {target} to be allowed by the proxy; or, if it can be reached without one, unset \
                 {named_by} or add the host to NO_PROXY"
            ),
            Way::Proxy {
                named_by,
                fault: ProxyFault::Unreachable,
                ..
            } => format!(
                "check {named_by}; if the account can be reached without a proxy, unset it or add the host \
                 to NO_PROXY"
            ),
        }
    }

    /// Whether its text has the cause already, so that the HTTP client's own words add nothing.
    pub(in crate::cosmos) fn says_all(&self) -> bool {
        match &self.way {
            Way::Location { .. } => false,
            Way::Proxy { fault, .. } => *fault != ProxyFault::Unreachable,
        }
    }

    /// Whether another attempt ends in the same way.
    pub(in crate::cosmos) fn is_final(&self) -> bool {
        matches!(
            self.way,
            Way::Proxy {
                fault: ProxyFault::NeedsPassword,
                ..
            }
        )
    }
}

impl fmt::Display for Detour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Location {
                address,
                origin,
                endpoint,
                was_connected,
            } => {
                let what = if *was_connected {
                    "no answer from"
                } else {
                    "no connection to"
                };
                write!(
                    f,
                    "{what} {address}, which the account at {endpoint} names as its address ({origin})"
                )
            }
            Way::Proxy {
                proxy,
                named_by,
                fault,
                target,
            } => {
                write!(f, "the proxy {proxy} ({named_by}) ")?;
                match fault {
                    ProxyFault::Unreachable => f.write_str("cannot be reached"),
                    ProxyFault::NeedsPassword => f.write_str("requires a user name and a password"),
                    ProxyFault::Refuses => write!(f, "refuses a connection to {target}"),
                }
            }
        }
    }
}

impl Error for Detour {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// The proxies of this process, found as the HTTP client finds them.
#[derive(Debug, Clone)]
pub(super) struct Proxies(Arc<Matcher>);

impl Proxies {
    /// Those that the environment names, otherwise the system.
    pub(super) fn of_system() -> Self {
        Self(Arc::new(Matcher::from_system()))
    }

    /// What the proxy for `url` did, if the error is about it.
    fn fault_of(&self, url: &Url, error: &reqwest::Error) -> Option<Way> {
        let proxy = self.0.intercept(&url.as_str().parse().ok()?)?;
        let text: Vec<String> = std::iter::successors(error.source(), |&cause| cause.source())
            .map(|cause| cause.to_string().to_ascii_lowercase())
            .collect();
        let has = |part: &str| text.iter().any(|text| text.contains(part));
        let fault = if !error.is_connect() {
            return None;
        } else if has("proxy authorization required") {
            ProxyFault::NeedsPassword
        } else if has("failed to create underlying connection") {
            ProxyFault::Unreachable
        } else if has("tunnel error") {
            ProxyFault::Refuses
        } else if has("tcp connect error") || has("dns error") {
            ProxyFault::Unreachable
        } else {
            // The connection through the proxy exists: what follows is about the account.
            return None;
        };
        let names = if url.scheme() == "https" {
            FOR_HTTPS
        } else {
            FOR_HTTP
        };
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let uri = proxy.uri();
        let port = uri.port().map_or(String::new(), |port| format!(":{port}"));
        Some(Way::Proxy {
            proxy: format!(
                "{}://{}{port}",
                uri.scheme_str().unwrap_or("http"),
                uri.host().unwrap_or_default()
            ),
            named_by: names.into_iter().find(is_set).unwrap_or("system settings"),
            fault,
            target: format!(
                "{}:{}",
                url.host_str().unwrap_or_default(),
                url.port_or_known_default().unwrap_or(443)
            ),
        })
    }
}

/// The address alone, without what was requested there.
fn at_root(url: &Url) -> Url {
    let mut root = url.clone();
    root.set_path("/");
    root.set_query(None);
    root
}
