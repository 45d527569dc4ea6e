//! The rules for addresses that requests are sent to, whoever names them.

use url::{Host, Url};

/// What is wrong with a location that the account at `endpoint` names, as the end of a sentence.
///
/// Requests with a key's signature or a token are sent to it, so the rules of an endpoint that is
/// typed apply. Its host may be any, since an account's regions are; plain http is accepted on the
/// loopback interface only, and only from an account that is itself there.
pub(super) fn location_fault(location: &str, endpoint: &Url) -> Option<String> {
    let Ok(url) = Url::parse(location) else {
        return Some("is not a URL".to_owned());
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) && endpoint.scheme() == "http" => {}
        "http" => {
            return Some(
                "uses plain http, which would show what is sent there, with its credentials, to \
                 everyone on the way"
                    .to_owned(),
            );
        }
        scheme => return Some(format!("has the scheme `{scheme}` instead of https")),
    }
    if has_user(&url) {
        return Some("holds a user name or a password".to_owned());
    }
    has_more_than_host(&url).then(|| "has something after the host".to_owned())
}

/// Whether `url` holds a user name or a password.
pub fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Whether `url` has a path, a query or a fragment.
pub fn has_more_than_host(url: &Url) -> bool {
    url.path() != "/" || url.query().is_some() || url.fragment().is_some()
}

/// Whether `url` names the loopback interface the way that the SDK recognizes it.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}
