//! A key that was changed while the program runs: it is read again where it came from, and requests are signed with it.
//!
//! The driver keeps the key that it was given, and signs with it. Once another one was read, each request gets a
//! signature of that one here, in place of the driver's.
//!
//! A key that was accepted before and is refused has been changed, or is about to be: the file may follow a moment
//! later, so it is read for a while. A key that was never accepted is wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use azure_core::credentials::Secret;
use azure_core::hmac::hmac_sha256;
use azure_core::http::headers::HeaderName;
use azure_data_cosmos_driver::test::HttpRequest;
use percent_encoding::percent_decode_str;
use url::{Url, form_urlencoded};

use super::super::options::{KeyReader, SecretText};
use crate::signal;

pub(super) const AUTHORIZATION: HeaderName = HeaderName::from_static("authorization");
pub(super) const DATE: HeaderName = HeaderName::from_static("x-ms-date");

/// The key is not read more often than this: many requests are refused at the same time.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// How long another key is awaited after one that was accepted before is refused.
const GRACE: Duration = Duration::from_secs(10);

/// What reads the key again, and what it read.
#[derive(Debug)]
pub(super) struct KeyRenewal {
    reader: KeyReader,
    current: RwLock<Current>,
    read: Mutex<Read>,
    /// Whether the account has accepted any of its keys.
    is_accepted: AtomicBool,
}

/// The key that is in use.
#[derive(Debug, Default)]
struct Current {
    generation: Generation,
    /// None if it is the driver's.
    key: Option<Secret>,
}

/// Which key a request was signed with: the driver's, or how many were read since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// When it was read.
#[derive(Debug)]
struct Read {
    at: Option<Instant>,
    /// What was read last; before, the key that the driver has.
    text: SecretText,
    /// How often a reload had been requested by then.
    reloads: u64,
    /// Whether the last attempt failed.
    has_failed: bool,
}

impl KeyRenewal {
    /// Reads with `reader`. The driver has `key`.
    pub(super) fn new(reader: KeyReader, key: &Secret) -> Self {
        Self {
            reader,
            current: RwLock::default(),
            read: Mutex::new(Read {
                at: None,
                text: SecretText::new(key.secret()),
                reloads: signal::reloads(),
                has_failed: false,
            }),
            is_accepted: AtomicBool::new(false),
        }
    }

    /// The key that `request` is signed with now, and its signature if that is not the driver's own. A requested reload
    /// is done before.
    pub(super) fn sign(&self, request: &HttpRequest) -> (Generation, Option<String>) {
        if self.lock().reloads != signal::reloads() {
            self.read(true);
        }
        let current = self.current();
        let key = current.key.as_ref();
        (current.generation, key.and_then(|key| sign(request, key)))
    }

    /// The account accepted a key.
    pub(super) fn accepted(&self) {
        self.is_accepted.store(true, Ordering::Relaxed);
    }

    /// Reads the key again, since the account refused the one of `generation`, first at `since`. Returns whether there
    /// is another one.
    pub(super) async fn renew(&self, generation: Generation, since: Instant) -> bool {
        loop {
            self.read(false);
            if self.current().generation != generation {
                return true;
            }
            let may_change = self.is_accepted.load(Ordering::Relaxed);
            if !may_change || since.elapsed() >= GRACE {
                return false;
            }
            tokio::time::sleep(READ_PAUSE).await;
        }
    }

    fn read(&self, at_once: bool) {
        let mut read = self.lock();
        let is_recent = read.at.is_some_and(|at| at.elapsed() < READ_PAUSE);
        if is_recent && !at_once {
            return;
        }
        read.at = Some(Instant::now());
        read.reloads = signal::reloads();
        let found = self.reader.read();
        let failed_before = std::mem::replace(&mut read.has_failed, found.is_err());
        match found {
            Ok(key) if key == read.text => {}
            Ok(key) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                current.generation.0 += 1;
                current.key = Some(Secret::new(key.expose().to_owned()));
                drop(current);
                read.text = key;
                self.reader.report(Ok(()));
            }
            Err(error) if !failed_before => self.reader.report(Err(&error)),
            Err(_) => {}
        }
    }

    fn current(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of the authorization header: "Access control on Azure Cosmos DB resources" in the service's REST reference.
fn sign(request: &HttpRequest, key: &Secret) -> Option<String> {
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
