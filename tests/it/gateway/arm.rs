//! A scripted Azure Resource Manager over TLS: subscriptions, the resource of one account, its databases and
//! containers, their throughput, and the creation of a container as an operation that takes a while.
//!
//! A request without the token of the control plane is a violation, and so is anything else that no correct client
//! sends.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::body::ResponseBody;
use super::server::{Handler, Server, Transport};

/// The token that the control plane accepts.
pub(crate) const ARM_TOKEN: &str = "canary-of-the-control-plane";
/// Where the account is.
pub(crate) const ARM_SUBSCRIPTION: &str = "22222222-2222-2222-2222-222222222222";
pub(crate) const ARM_GROUP: &str = "Shop-(EU)";
pub(crate) const ARM_ACCOUNT: &str = "shop-account";
const OTHER_SUBSCRIPTION: &str = "11111111-1111-1111-1111-111111111111";
const API_VERSION: &str = "2025-04-15";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct ArmRequest {
    pub(crate) method: String,
    /// Decoded.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct ArmAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl ArmAnswer {
    pub(crate) fn json(body: Value) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body,
        }
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            ..Self::json(json!({"error": {"code": code, "message": message}}))
        }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

type Script = Box<dyn FnMut(&ArmRequest) -> Option<ArmAnswer> + Send>;
type Created = Box<dyn Fn(&str, &str, &Value) + Send>;

#[derive(Default)]
struct State {
    requests: Vec<ArmRequest>,
    violations: Vec<String>,
    /// Definitions, by database and container.
    containers: BTreeMap<(String, String), Value>,
    databases: Vec<String>,
    /// Scripts and keys, by the path of their list below the account.
    companions: BTreeMap<String, Vec<Value>>,
    /// Throughput, by the path below the account.
    throughput: BTreeMap<String, Value>,
    is_serverless: bool,
    script: Option<Script>,
    created: Option<Created>,
    /// A container that an operation makes, and how often it is still looked at before that.
    under_way: Option<(String, String, Value, usize)>,
}

struct Shared {
    state: Mutex<State>,
}

/// A running control plane. Dropping it stops it.
pub(crate) struct ArmServer {
    shared: Arc<Shared>,
    server: Server,
}

impl ArmServer {
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
        });
        let transport = Transport {
            tls: true,
            http1_only: false,
        };
        let server = Server::start(Arc::clone(&shared), transport, 1);
        Self { shared, server }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The certificate, which is that of every gateway of this process.
    pub(crate) fn certificate_pem(&self) -> String {
        self.server.certificate_pem().expect("it speaks TLS")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// A container that exists, and its database.
    pub(crate) fn define(&self, database: &str, container: &str, definition: Value) {
        let mut state = self.state();
        state.know(database);
        let key = (database.to_owned(), container.to_owned());
        state.containers.insert(key, definition);
    }

    /// A script or a key, in the list at this path below the account, such as
    /// `sqlDatabases/shop/containers/orders/triggers`.
    pub(crate) fn add_companion(&self, list: &str, companion: Value) {
        let mut state = self.state();
        let all = state.companions.entry(list.to_owned()).or_default();
        all.push(companion);
    }

    /// The scripts or keys of a list.
    pub(crate) fn companions(&self, list: &str) -> Vec<Value> {
        let state = self.state();
        state.companions.get(list).cloned().unwrap_or_default()
    }

    pub(crate) fn know_database(&self, database: &str) {
        self.state().know(database);
    }

    /// The throughput of a resource below the account, such as `sqlDatabases/shop`.
    pub(crate) fn set_throughput(&self, below: &str, resource: Value) {
        self.state().throughput.insert(below.to_owned(), resource);
    }

    pub(crate) fn set_serverless(&self) {
        self.state().is_serverless = true;
    }

    /// Answers requests first, as far as it has an answer.
    pub(crate) fn script(
        &self,
        script: impl FnMut(&ArmRequest) -> Option<ArmAnswer> + Send + 'static,
    ) {
        self.state().script = Some(Box::new(script));
    }

    /// Is told of each container that is created: database, name, definition.
    pub(crate) fn on_created(&self, created: impl Fn(&str, &str, &Value) + Send + 'static) {
        self.state().created = Some(Box::new(created));
    }

    pub(crate) fn requests(&self) -> Vec<ArmRequest> {
        self.state().requests.clone()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// The definition of a container.
    pub(crate) fn definition(&self, database: &str, container: &str) -> Option<Value> {
        let key = (database.to_owned(), container.to_owned());
        self.state().containers.get(&key).cloned()
    }
}

impl State {
    fn know(&mut self, database: &str) {
        if !self.databases.iter().any(|known| known == database) {
            self.databases.push(database.to_owned());
        }
    }

    fn answer(&mut self, request: &ArmRequest, base: &str) -> ArmAnswer {
        if let Some(answer) = self.script.as_mut().and_then(|script| script(request)) {
            return answer;
        }
        let path = request.path.trim_matches('/');
        let parts: Vec<&str> = path.split('/').collect();
        let missing = || ArmAnswer::error(404, "NotFound", "Message: the script has none");
        match parts[..] {
            ["subscriptions"] => match request.query.get("page") {
                None => ArmAnswer::json(json!({
                    "value": [{"subscriptionId": OTHER_SUBSCRIPTION}],
                    "nextLink": format!("{base}subscriptions?api-version=2022-12-01&page=2"),
                })),
                Some(_) => {
                    ArmAnswer::json(json!({"value": [{"subscriptionId": ARM_SUBSCRIPTION}]}))
                }
            },
            ["subscriptions", subscription, "resources"] => {
                let filter = format!(
                    "resourceType eq 'Microsoft.DocumentDB/databaseAccounts' and name eq '{ARM_ACCOUNT}'"
                );
                let is_there = subscription == ARM_SUBSCRIPTION
                    && request.query.get("$filter") == Some(&filter);
                let found = is_there.then(|| json!({"id": account_id(), "name": ARM_ACCOUNT}));
                ArmAnswer::json(json!({"value": Vec::from_iter(found)}))
            }
            [
                "subscriptions",
                _,
                "providers",
                "Microsoft.DocumentDB",
                "locations",
                _,
                "operationsStatus",
                _,
            ] => self.operation(),
            _ => {
                let below = format!("/{path}");
                let Some(below) = below.strip_prefix(&account_id()) else {
                    return ArmAnswer::error(
                        404,
                        "ResourceNotFound",
                        "The Resource was not found.",
                    );
                };
                if request.query.get("api-version").map(String::as_str) != Some(API_VERSION) {
                    self.violations
                        .push(format!("the version of {}", request.path));
                }
                self.below(request, below.trim_matches('/'), base)
                    .unwrap_or_else(missing)
            }
        }
    }

    /// What is below the account; none if it does not exist.
    fn below(&mut self, request: &ArmRequest, below: &str, base: &str) -> Option<ArmAnswer> {
        let entry = |resource: &Value| json!({"properties": {"resource": resource}});
        let parts: Vec<&str> = below.split('/').collect();
        if let Some(resource) = below.strip_suffix("/throughputSettings/default") {
            if self.is_serverless {
                let message =
                    "Reading or replacing offers is not supported for serverless accounts.";
                return Some(ArmAnswer::error(400, "BadRequest", message));
            }
            return self
                .throughput
                .get(resource)
                .map(|found| ArmAnswer::json(entry(found)));
        }
        if let Some(answer) = self.companion(request, &parts) {
            return answer;
        }
        match parts[..] {
            ["sqlDatabases"] => {
                let databases = self.databases.iter();
                let databases = databases.map(|name| entry(&json!({"id": name, "_rid": "x"})));
                Some(ArmAnswer::json(json!({"value": Vec::from_iter(databases)})))
            }
            ["sqlDatabases", database, "containers"] => {
                self.databases.iter().find(|known| *known == database)?;
                let own = self.containers.iter();
                let own = own.filter(|((of, _), _)| of == database);
                let entries: Vec<Value> = own.map(|(_, definition)| entry(definition)).collect();
                Some(ArmAnswer::json(json!({"value": entries})))
            }
            ["sqlDatabases", database, "containers", name] if request.method == "GET" => {
                let key = (database.to_owned(), name.to_owned());
                self.containers
                    .get(&key)
                    .map(|found| ArmAnswer::json(entry(found)))
            }
            ["sqlDatabases", database, "containers", name] if request.method == "PUT" => {
                self.databases.iter().find(|known| *known == database)?;
                Some(self.put(request, database, name, base))
            }
            _ => {
                let what = format!("{} {}", request.method, request.path);
                self.violations.push(what);
                None
            }
        }
    }

    /// The answer for a list of scripts or keys, or for one of them; none if the request is for something else.
    #[allow(clippy::option_option, reason = "what does not exist is an answer too")]
    fn companion(&mut self, request: &ArmRequest, parts: &[&str]) -> Option<Option<ArmAnswer>> {
        const KINDS: [&str; 4] = [
            "storedProcedures",
            "triggers",
            "userDefinedFunctions",
            "clientEncryptionKeys",
        ];
        let entry = |resource: &Value| json!({"properties": {"resource": resource}});
        let at = parts.iter().rposition(|part| KINDS.contains(part))?;
        let list = parts[..=at].join("/");
        let name = parts[at + 1..].join("/");
        let all = self.companions.entry(list).or_default();
        let found = all.iter().find(|one| one["id"] == name).cloned();
        Some(match request.method.as_str() {
            "GET" if name.is_empty() => {
                let entries: Vec<Value> = all.iter().map(entry).collect();
                Some(ArmAnswer::json(json!({"value": entries})))
            }
            "GET" => found.map(|one| ArmAnswer::json(entry(&one))),
            _ => {
                let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
                let resource = body["properties"]["resource"].clone();
                if found.is_some() || resource["id"] != name || request.method != "PUT" {
                    self.violations
                        .push(format!("{} {}", request.method, request.path));
                }
                all.push(resource.clone());
                Some(ArmAnswer::json(entry(&resource)))
            }
        })
    }

    fn put(&mut self, request: &ArmRequest, database: &str, name: &str, base: &str) -> ArmAnswer {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let resource = body["properties"]["resource"].clone();
        if resource["id"] != name || !body["properties"]["options"].is_object() {
            self.violations.push(format!("the body {body}"));
            return ArmAnswer::error(400, "BadRequest", "the script expects another body");
        }
        if self
            .containers
            .contains_key(&(database.to_owned(), name.to_owned()))
        {
            self.violations
                .push(format!("{name} exists, and would be changed"));
        }
        self.under_way = Some((database.to_owned(), name.to_owned(), resource, 2));
        let status = format!(
            "{base}subscriptions/{ARM_SUBSCRIPTION}/providers/Microsoft.DocumentDB/locations/westeurope/operationsStatus/1?api-version={API_VERSION}"
        );
        ArmAnswer {
            status: 202,
            ..ArmAnswer::json(json!({"status": "Enqueued"}))
        }
        .with("azure-asyncoperation", status)
        .with("retry-after", "0")
    }

    /// A look at the operation.
    fn operation(&mut self) -> ArmAnswer {
        match self.under_way.take() {
            Some((database, name, resource, looks)) if looks > 0 => {
                self.under_way = Some((database, name, resource, looks - 1));
                ArmAnswer::json(json!({"status": "InProgress"})).with("retry-after", "0")
            }
            Some((database, name, resource, _)) => {
                if let Some(created) = &self.created {
                    created(&database, &name, &resource);
                }
                self.containers.insert((database, name), resource);
                ArmAnswer::json(json!({"status": "Succeeded"}))
            }
            None => ArmAnswer::error(404, "NotFound", "there is no operation"),
        }
    }
}

/// The id of the account.
pub(crate) fn account_id() -> String {
    format!(
        "/subscriptions/{ARM_SUBSCRIPTION}/resourceGroups/{ARM_GROUP}/providers/Microsoft.DocumentDB/databaseAccounts/{ARM_ACCOUNT}"
    )
}

impl Handler for Shared {
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> io::Result<Response<ResponseBody>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let host = head.uri.authority().map(ToString::to_string);
        let host = host.or_else(|| header("host").map(str::to_owned));
        let base = format!("https://{}/", host.unwrap_or_default());
        let decoded = percent_decode_str(head.uri.path()).decode_utf8_lossy();
        let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
        let asked = ArmRequest {
            method: head.method.to_string(),
            path: decoded.into_owned(),
            query: query.into_owned().collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests.push(asked.clone());
        let answer = if header("authorization") == Some(&format!("Bearer {ARM_TOKEN}")) {
            state.answer(&asked, &base)
        } else {
            let what = format!("{} {} without the token", asked.method, asked.path);
            state.violations.push(what);
            ArmAnswer::error(
                401,
                "InvalidAuthenticationToken",
                "The access token is invalid.",
            )
        };
        drop(state);
        let body = Bytes::from(answer.body.to_string());
        let mut response = Response::new(ResponseBody::whole(body));
        *response.status_mut() = StatusCode::from_u16(answer.status).map_err(io::Error::other)?;
        for (name, value) in answer.headers {
            let value = HeaderValue::from_str(&value).map_err(io::Error::other)?;
            let name = HeaderName::from_static(name);
            response.headers_mut().insert(name, value);
        }
        Ok(response)
    }
}
