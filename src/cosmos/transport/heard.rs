//! Answers that the driver does not report, or must not get.
//!
//! The driver sends its requests, signed or with a token, to every location that the account names, and
//! panics at some that are not addresses. So the locations in the account's answer must obey the same rules
//! as an endpoint that is typed; otherwise the whole answer is refused, since leaving a location out would
//! send the requests elsewhere than the account's owner meant. If an account names none, as a simple
//! emulator may, its region is the endpoint itself.
//!
//! After a list of ranges was refused, the driver reports only that there is none. And it does not report that
//! a container was made without a partition key: the service gives such a container the key `/_partitionKey`,
//! and expects another key for documents without a value there. Of the rest of a container's definition it keeps
//! little more than the partition key.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use azure_core::http::Method;
use azure_data_cosmos_driver::test::{HttpRequest, HttpResponse};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::Url;

use super::known_plan::KnownPlan;
use super::last_list::{LastLists, ListFault};
use super::range_list::{ContainerName, container_of};
use crate::cosmos::endpoint::location_fault;

/// The member that holds a location in the account's answer, in any of its lists.
const LOCATION: &str = "databaseAccountEndpoint";
/// The lists of locations that the driver uses.
const WRITABLE: &str = "writableLocations";
const READABLE: &str = "readableLocations";
/// The region of an account that names none.
const UNNAMED: &str = "endpoint";
/// Maximum length of a location in a message, in characters.
const MAX_SHOWN: usize = 200;

/// Notes of such answers. Shared by all clients of a connection.
#[derive(Debug, Default)]
pub(in crate::cosmos) struct Heard {
    location: Mutex<Option<String>>,
    locations: Mutex<Vec<Location>>,
    lists: LastLists,
    /// The containers' answers, as they came.
    definitions: Mutex<HashMap<ContainerName, Definition>>,
    /// The query whose plan is known.
    planned: KnownPlan,
}

/// What a container answered.
#[derive(Debug, Default)]
struct Definition {
    has_system_key: bool,
    text: Option<Box<RawValue>>,
}

/// An address that the account names for a region.
#[derive(Debug, Clone)]
struct Location {
    /// The list that names it.
    list: &'static str,
    region: String,
    url: Url,
}

impl Heard {
    /// The query with this body can be read range by range: its plan is not requested again.
    pub(in crate::cosmos) fn know_plan(&self, body: Vec<u8>) {
        self.planned.know(body);
    }

    /// The answer to `request`, if it is for a plan that is known.
    pub(super) fn plan(&self, request: &HttpRequest) -> Option<HttpResponse> {
        self.planned.answer(request)
    }

    /// What is wrong with a location that the account named.
    pub(in crate::cosmos) fn refused_location(&self) -> Option<String> {
        lock(&self.location).clone()
    }

    /// The regions that the account can be read from, as it names them.
    pub(in crate::cosmos) fn regions(&self) -> Vec<String> {
        let locations = lock(&self.locations);
        let readable = locations
            .iter()
            .filter(|location| location.list == READABLE);
        readable.map(|location| location.region.clone()).collect()
    }

    /// Where the account is written to: the first address that it names for that.
    pub(super) fn written_at(&self) -> Option<Url> {
        let locations = lock(&self.locations);
        let mut writable = locations.iter();
        let first = writable.find(|location| location.list == WRITABLE)?;
        Some(first.url.clone())
    }

    /// Where the account names an address: its lists, with the region, such as `readableLocations, West Europe`.
    pub(in crate::cosmos) fn origin_of(&self, address: &Url) -> Option<String> {
        let locations = lock(&self.locations);
        let of_address: Vec<&Location> = locations
            .iter()
            .filter(|location| location.url.origin() == address.origin())
            .collect();
        let region = &of_address.first()?.region;
        let mut lists: Vec<&str> = of_address.iter().map(|location| location.list).collect();
        lists.dedup();
        let region: String = region.escape_debug().take(MAX_SHOWN).collect();
        Some(format!("{}, {region}", lists.join(" and ")))
    }

    /// Takes what was wrong with the last list of ranges of a container, if anything was.
    pub(in crate::cosmos) fn take_list_fault(
        &self,
        database: &str,
        container: &str,
    ) -> Option<ListFault> {
        self.lists.take(&ContainerName::new(database, container))
    }

    /// Whether the container was made without a partition key, so that its key is the service's own.
    pub(in crate::cosmos) fn has_system_key(&self, database: &str, container: &str) -> bool {
        self.is_of_system_key(&ContainerName::new(database, container))
    }

    /// The same, of the container that a request is for.
    pub(super) fn is_for_system_key(&self, request: &HttpRequest) -> bool {
        container_of(&request.url).is_some_and(|name| self.is_of_system_key(&name))
    }

    fn is_of_system_key(&self, name: &ContainerName) -> bool {
        let definitions = lock(&self.definitions);
        definitions
            .get(name)
            .is_some_and(|known| known.has_system_key)
    }

    /// The definition of a container, as the service sent it last.
    pub(in crate::cosmos) fn definition(
        &self,
        database: &str,
        container: &str,
    ) -> Option<Box<RawValue>> {
        let definitions = lock(&self.definitions);
        let known = definitions.get(&ContainerName::new(database, container))?;
        known.text.clone()
    }

    /// Notes the answer to a request for the list of ranges; `None` if none came.
    pub(super) fn note_list(&self, request: &HttpRequest, answer: Option<&HttpResponse>) {
        if let Some(name) = container_of(&request.url) {
            self.lists.note(name, answer);
        }
    }

    /// Checks an answer, and completes it. Fails if the driver must not get it.
    pub(super) fn judge(
        &self,
        request: &HttpRequest,
        answer: &mut HttpResponse,
        endpoint: &Url,
        limit_to_endpoint: bool,
    ) -> Result<(), String> {
        let is_good = (200..300).contains(&answer.status);
        if reads_account(request) && is_good {
            // The driver refuses what is not JSON.
            let Ok(mut account) = serde_json::from_slice(&answer.body) else {
                return Ok(());
            };
            let is_limited = limit_to_endpoint && limit(&mut account, endpoint);
            let fault = fault_of(&account, endpoint);
            lock(&self.location).clone_from(&fault);
            if fault.is_none() {
                *lock(&self.locations) = locations_of(&account);
            }
            if complete(&mut account, endpoint) || is_limited {
                answer.body = account.to_string().into_bytes();
            }
            return fault.map_or(Ok(()), Err);
        }
        if reads_container(request)
            && is_good
            && let Some(name) = container_of(&request.url)
        {
            let container: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let definition = Definition {
                has_system_key: container["partitionKey"]["systemKey"] == true,
                text: serde_json::from_slice(&answer.body).ok(),
            };
            lock(&self.definitions).insert(name, definition);
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the request reads the account itself, at any of its addresses.
fn reads_account(request: &HttpRequest) -> bool {
    request.method == Method::Get && request.url.path() == "/"
}

/// Whether the request reads the properties of a container: `/dbs/D/colls/C`.
fn reads_container(request: &HttpRequest) -> bool {
    let segments: Vec<&str> = request.url.path_segments().into_iter().flatten().collect();
    request.method == Method::Get && matches!(segments[..], ["dbs", _, "colls", _])
}

/// What is wrong with the first location, at any depth, that breaks the rules of endpoints.
fn fault_of(value: &Value, endpoint: &Url) -> Option<String> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, value)| match value {
            Value::String(location) if name == LOCATION => {
                let why = location_fault(location, endpoint)?;
                let shown: String = location.escape_debug().take(MAX_SHOWN).collect();
                Some(format!(
                    "the account names the location `{shown}`, which {why}"
                ))
            }
            other => fault_of(other, endpoint),
        }),
        Value::Array(values) => values.iter().find_map(|value| fault_of(value, endpoint)),
        _ => None,
    }
}

/// Replaces all addresses that the account names by its endpoint. Returns whether it is an account.
fn limit(account: &mut Value, endpoint: &Url) -> bool {
    let Some(members) = account.as_object_mut() else {
        return false;
    };
    let name = [WRITABLE, READABLE]
        .iter()
        .find_map(|list| members.get(*list)?.get(0)?.get("name")?.as_str())
        .unwrap_or(UNNAMED)
        .to_owned();
    // Any other list of addresses is of another gateway.
    members.retain(|_, value| !names_a_location(value));
    for list in [WRITABLE, READABLE] {
        let here = json!([{ "name": name, LOCATION: endpoint.as_str() }]);
        members.insert(list.to_owned(), here);
    }
    true
}

/// Whether a value contains an address, at any depth.
fn names_a_location(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.contains_key(LOCATION) || members.values().any(names_a_location)
        }
        Value::Array(values) => values.iter().any(names_a_location),
        _ => false,
    }
}

/// The addresses that an account names.
fn locations_of(account: &Value) -> Vec<Location> {
    let mut found = Vec::new();
    for list in [WRITABLE, READABLE] {
        let named = account.get(list).and_then(Value::as_array);
        for location in named.into_iter().flatten() {
            let text = |member: &str| location.get(member).and_then(Value::as_str);
            let url = text(LOCATION).and_then(|url| Url::parse(url).ok());
            if let (Some(region), Some(url)) = (text("name"), url) {
                found.push(Location {
                    list,
                    region: region.to_owned(),
                    url,
                });
            }
        }
    }
    found
}

/// Adds what the driver needs to know about an account and what follows from its endpoint. Returns whether
/// anything was missing.
fn complete(account: &mut Value, endpoint: &Url) -> bool {
    let Some(account) = account.as_object_mut() else {
        return false;
    };
    let mut was_missing = false;
    for list in [READABLE, WRITABLE] {
        let given = account.get(list);
        if given.is_none_or(|given| given.as_array().is_some_and(Vec::is_empty)) {
            let here = json!([{ "name": UNNAMED, LOCATION: endpoint.as_str() }]);
            account.insert(list.to_owned(), here);
            was_missing = true;
        }
    }
    was_missing
}

#[cfg(test)]
mod tests {
    use super::super::requests::read_of;
    use super::*;

    fn judge(endpoint: &str, body: &Value) -> Result<(), String> {
        let mut answer = HttpResponse {
            status: 200,
            headers: azure_core::http::headers::Headers::new(),
            body: body.to_string().into_bytes(),
        };
        let endpoint = Url::parse(endpoint).unwrap();
        Heard::default().judge(&read_of("/", &[]), &mut answer, &endpoint, false)
    }

    #[test]
    fn a_location_obeys_the_rules_of_endpoints() {
        const CLOUD: &str = "https://shop.documents.azure.com/";
        const LOCAL: &str = "http://127.0.0.1:8081/";
        for (endpoint, location, fault) in [
            (CLOUD, "https://shop-eastus.documents.azure.com:443/", None),
            (CLOUD, "https://elsewhere.example:8443", None),
            (LOCAL, "https://127.0.0.1:8081/", None),
            (LOCAL, "http://localhost:10250/", None),
            (LOCAL, "http://[::1]:8081/", None),
            (
                CLOUD,
                "http://shop-eastus.documents.azure.com/",
                Some("plain http"),
            ),
            (CLOUD, "http://127.0.0.1/", Some("plain http")),
            (
                "https://localhost:8081/",
                "http://localhost:8081/",
                Some("plain http"),
            ),
            (LOCAL, "http://127.0.0.2/", Some("plain http")),
            (CLOUD, "https://user:pw@x.example/", Some("user name")),
            (CLOUD, "https://x.example/dbs", Some("after the host")),
            (CLOUD, "https://x.example/?a", Some("after the host")),
            (CLOUD, "javascript:alert(1)", Some("scheme `javascript`")),
            (CLOUD, "data:,x", Some("scheme `data`")),
            (CLOUD, "mailto:a@b.example", Some("scheme `mailto`")),
            (CLOUD, "file:///etc/passwd", Some("scheme `file`")),
            (CLOUD, "ws://x.example/", Some("scheme `ws`")),
            (CLOUD, "//x.example/", Some("not a URL")),
            (CLOUD, "", Some("not a URL")),
            (CLOUD, "https://", Some("not a URL")),
        ] {
            let body = json!({"a": [{"databaseAccountEndpoint": "https://good.example/"}],
                              "b": {"c": [{"databaseAccountEndpoint": location}]}});
            match (judge(endpoint, &body), fault) {
                (Ok(()), None) => {}
                (Err(message), Some(fault)) => assert!(message.contains(fault), "{message}"),
                other => panic!("{endpoint} {location}: {other:?}"),
            }
        }
        let hostile = "javascript:\u{1b}[2J\u{202e}\nerror: all is well";
        let body = json!({"databaseAccountEndpoint": hostile});
        let message = judge(CLOUD, &body).unwrap_err();
        assert!(
            message.contains(r"`javascript:\u{1b}[2J\u{202e}\nerror: all is well`"),
            "{message}"
        );
    }
}
