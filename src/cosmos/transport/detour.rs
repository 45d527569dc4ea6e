//! Where a request that failed was sent, if not straight to the endpoint: to an address that the account names,
//! or through a proxy.

use std::error::Error;
use std::fmt;

use url::Url;

use super::heard::Heard;
use crate::proxy::{Proxies, ProxyFault};

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
    Proxy(ProxyFault),
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
        let proxies = proxies.filter(|_| error.is_connect());
        let through = proxies.and_then(|proxies| proxies.fault_of(url, &error));
        let way = if let Some(fault) = through {
            Way::Proxy(fault)
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
            Way::Proxy(fault) => fault.hint("the account"),
        }
    }

    /// Whether its text has the cause already, so that the HTTP client's own words add nothing.
    pub(in crate::cosmos) fn says_all(&self) -> bool {
        match &self.way {
            Way::Location { .. } => false,
            Way::Proxy(fault) => fault.says_all(),
        }
    }

    /// Whether another attempt ends in the same way.
    pub(in crate::cosmos) fn is_final(&self) -> bool {
        matches!(&self.way, Way::Proxy(fault) if fault.is_final())
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
            Way::Proxy(fault) => fault.fmt(f),
        }
    }
}

impl Error for Detour {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// The address alone, without what was requested there.
fn at_root(url: &Url) -> Url {
    let mut root = url.clone();
    root.set_path("/");
    root.set_query(None);
    root
}
