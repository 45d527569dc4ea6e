//! A key that was changed while the program runs: it is read again where it came from, and requests are signed with it.
//!
//! The driver keeps the key that it was given, and signs with it. Once another one was read, each request gets a
//! signature of that one here, in the place of the driver's.

use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use azure_core::credentials::Secret;
use azure_core::hmac::hmac_sha256;
use azure_core::http::headers::HeaderName;
use azure_data_cosmos_driver::test::HttpRequest;
use percent_encoding::percent_decode_str;
use url::{Url, form_urlencoded};

use super::super::options::KeyReader;
use crate::signal;

pub(super) const AUTHORIZATION: HeaderName = HeaderName::from_static("authorization");
pub(super) const DATE: HeaderName = HeaderName::from_static("x-ms-date");

/// The key is not read more often than this: many requests are refused at the same time.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// What reads the key again, and what it read.
#[derive(Debug)]
pub(super) struct KeyRenewal {
    reader: KeyReader,
    /// The key in place of the driver's, once there is another one.
    key: RwLock<Option<Secret>>,
    read: Mutex<Read>,
}

/// When it was read.
#[derive(Debug)]
struct Read {
    at: Option<Instant>,
    /// The text that was read last; before, the key that the driver has.
    text: String,
    /// How often a reload had been requested by then.
    reloads: u64,
}

impl KeyRenewal {
    /// Reads with `reader`. The driver has `key`.
    pub(super) fn new(reader: KeyReader, key: &Secret) -> Self {
        Self {
            reader,
            key: RwLock::new(None),
            read: Mutex::new(Read {
                at: None,
                text: key.secret().to_owned(),
                reloads: signal::reloads(),
            }),
        }
    }

    /// Reads the key again if a reload was requested since it was read.
    pub(super) fn reload_if_requested(&self) {
        let is_requested = self.lock().reloads != signal::reloads();
        if is_requested {
            self.read(true);
        }
    }

    /// Reads the key again, since a request was refused that had `signature`, or the driver's. Returns whether it has
    /// another one now.
    pub(super) fn renew(&self, request: &HttpRequest, signature: Option<&str>) -> bool {
        self.read(false);
        let now = self.signature(request);
        now.is_some() && now.as_deref() != signature
    }

    /// The signature of a request with the key that was read, if that is another one than the driver's.
    pub(super) fn signature(&self, request: &HttpRequest) -> Option<String> {
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        sign(request, key.as_ref()?)
    }

    fn read(&self, at_once: bool) {
        let mut read = self.lock();
        let is_recent = read.at.is_some_and(|at| at.elapsed() < READ_PAUSE);
        if is_recent && !at_once {
            return;
        }
        read.at = Some(Instant::now());
        read.reloads = signal::reloads();
        match self.reader.read() {
            Ok(key) if key.expose() == read.text => {}
            Ok(key) => {
                tracing::info!("the account key has changed");
                key.expose().clone_into(&mut read.text);
                let mut kept = self.key.write().unwrap_or_else(PoisonError::into_inner);
                *kept = Some(Secret::new(key.expose().to_owned()));
            }
            Err(error) => tracing::warn!("the account key cannot be read again: {error:#}"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of the authorization header: "Access control on Azure Cosmos DB resources" in the service's REST reference.
pub(super) fn sign(request: &HttpRequest, key: &Secret) -> Option<String> {
    let date = request.headers.get_optional_str(&DATE)?;
    let method = request.method.as_str();
    let (kind, link) = resource(&request.url)?;
    signature(method, &kind, &link, date, key)
}

/// The same of a resource that is known.
pub(super) fn signature(
    method: &str,
    kind: &str,
    link: &str,
    date: &str,
    key: &Secret,
) -> Option<String> {
    let (method, date) = (method.to_ascii_lowercase(), date.to_ascii_lowercase());
    let text = format!("{method}\n{kind}\n{link}\n{date}\n\n");
    let signature = hmac_sha256(&text, key).ok()?;
    let text = format!("type=master&ver=1.0&sig={signature}");
    Some(form_urlencoded::byte_serialize(text.as_bytes()).collect())
}

/// The type of the resource that a URL names, and the link that is signed: the resource itself, or that of the list that
/// it is in.
fn resource(url: &Url) -> Option<(String, String)> {
    let segments = url.path_segments()?.filter(|segment| !segment.is_empty());
    let decoded: Option<Vec<String>> = segments
        .map(|segment| {
            let text = percent_decode_str(segment).decode_utf8().ok()?;
            Some(text.into_owned())
        })
        .collect();
    let segments = decoded?;
    Some(match segments.as_slice() {
        [] => (String::new(), String::new()),
        // An offer is addressed by its resource id alone.
        [offers, id] if offers == "offers" => (offers.clone(), id.to_ascii_lowercase()),
        [.., kind, _] if segments.len() % 2 == 0 => (kind.clone(), segments.join("/")),
        [parents @ .., kind] => (kind.clone(), parents.join("/")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_signed_by_its_link_and_a_list_by_that_of_its_owner() {
        for (path, kind, link) in [
            ("", "", ""),
            ("dbs", "dbs", ""),
            ("dbs/", "dbs", ""),
            ("dbs/shop", "dbs", "dbs/shop"),
            ("dbs/shop/colls", "colls", "dbs/shop"),
            ("dbs/shop/colls/a%20b", "colls", "dbs/shop/colls/a b"),
            ("dbs/shop/colls/o/docs", "docs", "dbs/shop/colls/o"),
            (
                "dbs/shop/colls/o/docs/%C3%A9%2F",
                "docs",
                "dbs/shop/colls/o/docs/é/",
            ),
            ("dbs/shop/colls/o/pkranges", "pkranges", "dbs/shop/colls/o"),
            ("offers", "offers", ""),
            ("offers/AbC", "offers", "abc"),
        ] {
            let url = Url::parse(&format!("https://a.example/{path}")).unwrap();
            let expected = (kind.to_owned(), link.to_owned());
            assert_eq!(resource(&url), Some(expected), "{path}");
        }
    }
}
