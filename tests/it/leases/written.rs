//! Leases as each SDK writes them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::command::{CONTAINER, DATABASE};
use crate::gateway::{Container, Gateway, GatewayOptions};

/// The host of a gateway, in the ids of leases.
const HOST: &str = "127.0.0.1";

/// A container that is read, and one that holds leases.
pub(crate) struct Leased {
    pub(crate) gateway: Gateway,
    pub(crate) orders: Container,
    pub(crate) leases: Container,
}

impl Leased {
    /// With so many partitions, and leases that are addressed by this key.
    pub(crate) fn new(partitions: usize, key: &str) -> Self {
        let gateway = Gateway::start(GatewayOptions::default());
        // Owners write the time of day.
        let now = OffsetDateTime::now_utc().unix_timestamp();
        gateway.set_time(now.unsigned_abs());
        let orders = gateway.create_container(DATABASE, CONTAINER, "/pk", partitions);
        orders.take_all_tokens();
        let leases = gateway.create_container(DATABASE, "leases", key, 1);
        Self {
            gateway,
            orders,
            leases,
        }
    }

    /// Writes as if it were so many seconds ago.
    pub(crate) fn past(&self, seconds: u64, write: impl FnOnce()) {
        let now = self.gateway.time();
        self.gateway.set_time(now - seconds);
        write();
        self.gateway.set_time(now);
    }

    /// Writes as if it were so many seconds ago, while the gateway's clock runs.
    pub(crate) fn past_now(&self, seconds: u64, write: impl FnOnce()) {
        self.gateway.stop_clock();
        self.past(seconds, write);
        self.gateway.run_clock();
    }

    /// What the ids of a group begin with, in .NET and in Java's dialect of ranges.
    pub(crate) fn prefix(&self, name: &str) -> String {
        format!(
            "{name}{HOST}_{}_{}",
            database_rid(self.orders.rid()),
            self.orders.rid()
        )
    }

    pub(crate) fn net(&self, name: &str) -> Net {
        Net {
            prefix: self.prefix(name),
            leases: self.leases.clone(),
        }
    }

    pub(crate) fn java(&self, name: &str) -> Java {
        Java {
            prefix: self.prefix(name),
            rid: self.orders.rid().to_owned(),
            leases: self.leases.clone(),
        }
    }

    /// Java's dialect of partitions.
    pub(crate) fn java_partitions(&self, name: &str) -> JavaPartitions {
        JavaPartitions {
            prefix: format!("{name}{HOST}_{DATABASE}_{CONTAINER}"),
            leases: self.leases.clone(),
        }
    }

    /// The LSN and the range of each partition, by its id.
    pub(crate) fn partitions(&self) -> Vec<(String, u64, [String; 2])> {
        let partitions = self.orders.partitions().into_iter();
        partitions
            .map(|one| (one.id, one.lsn, [one.min_inclusive, one.max_exclusive]))
            .collect()
    }

    /// A stored document of the lease container.
    pub(crate) fn stored(&self, id: &str) -> Option<Value> {
        let latest = self.leases.latest().into_iter();
        let mut documents = latest.map(|served| {
            let document: Value = serde_json::from_slice(&served.text).unwrap();
            document
        });
        documents.find(|document| document["id"] == id)
    }
}

pub(crate) fn database_rid(container: &str) -> String {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(container.replace('-', "/"))
        .unwrap();
    base64::engine::general_purpose::STANDARD
        .encode(&bytes[..4])
        .replace('/', "-")
}

/// A time so many seconds ago.
pub(crate) fn ago(seconds: i64) -> String {
    let time = OffsetDateTime::now_utc() - time::Duration::seconds(seconds);
    time.format(&Rfc3339).unwrap()
}

fn range([min, max]: &[String; 2]) -> Value {
    json!({"Range": {"min": min, "max": max}})
}

/// A group of .NET.
pub(crate) struct Net {
    pub(crate) prefix: String,
    leases: Container,
}

impl Net {
    fn put(&self, mut document: Value) {
        // Where the container's key asks for it.
        document["partitionKey"] = document["id"].clone();
        self.leases.upsert(document);
    }

    pub(crate) fn marker(&self) {
        self.put(json!({"id": format!("{}.info", self.prefix)}));
    }

    /// The lease of a partition.
    pub(crate) fn partition(
        &self,
        id: &str,
        bounds: &[String; 2],
        owner: Option<&str>,
        lsn: Option<u64>,
        timestamp: &str,
    ) {
        self.put(json!({
            "id": format!("{}..{id}", self.prefix),
            "version": 0,
            "LeaseToken": id,
            "PartitionId": id,
            "FeedRange": range(bounds),
            "Owner": owner,
            "ContinuationToken": lsn.map(|lsn| format!("\"{lsn}\"")),
            "properties": {"note": "kept"},
            "timestamp": timestamp,
            "Mode": "Incremental Feed",
        }));
    }

    /// The lease of a range.
    pub(crate) fn range(
        &self,
        bounds: &[String; 2],
        owner: Option<&str>,
        lsn: Option<u64>,
        timestamp: &str,
    ) {
        let token = bounds.join("-");
        self.put(json!({
            "id": format!("{}..{token}", self.prefix),
            "version": 1,
            "LeaseToken": token,
            "FeedRange": range(bounds),
            "Owner": owner,
            "ContinuationToken": lsn.map(|lsn| format!("\"{lsn}\"")),
            "properties": {},
            "Mode": "Incremental Feed",
            "timestamp": timestamp,
        }));
    }

    /// A document under the group's prefix.
    pub(crate) fn other(&self, token: &str, members: Value) {
        let mut document = members;
        document["id"] = format!("{}..{token}", self.prefix).into();
        self.put(document);
    }
}

/// A group of Java's processors of ranges.
pub(crate) struct Java {
    pub(crate) prefix: String,
    rid: String,
    leases: Container,
}

impl Java {
    pub(crate) fn marker(&self) {
        self.leases
            .upsert(json!({"id": format!("{}.info", self.prefix)}));
    }

    pub(crate) fn range(
        &self,
        bounds: &[String; 2],
        owner: Option<&str>,
        lsn: Option<u64>,
        timestamp: &str,
    ) {
        let token = bounds.join("-");
        self.leases.upsert(json!({
            "id": format!("{}..{token}", self.prefix),
            "LeaseToken": token,
            "ContinuationToken": lsn.map(|lsn| self.token(bounds, lsn)),
            "timestamp": timestamp,
            "Owner": owner,
            "version": 1,
            "feedRange": range(bounds),
        }));
    }

    /// A document under the group's prefix.
    pub(crate) fn other(&self, token: &str, members: Value) {
        let mut document = members;
        document["id"] = format!("{}..{token}", self.prefix).into();
        self.leases.upsert(document);
    }

    fn token(&self, [min, max]: &[String; 2], lsn: u64) -> String {
        let state = json!({
            "V": 1, "Rid": self.rid, "Mode": "INCREMENTAL", "StartFrom": {"Type": "BEGINNING"},
            "Continuation": {
                "V": 1, "Rid": self.rid,
                "Continuation": [{"token": format!("\"{lsn}\""), "range": {"min": min, "max": max}}],
                "Range": {"min": min, "max": max},
            },
        });
        URL_SAFE.encode(state.to_string())
    }
}

/// A group of Java's processors of partitions.
pub(crate) struct JavaPartitions {
    pub(crate) prefix: String,
    leases: Container,
}

impl JavaPartitions {
    pub(crate) fn marker(&self) {
        self.leases
            .upsert(json!({"id": format!("{}.info", self.prefix)}));
    }

    pub(crate) fn partition(
        &self,
        id: &str,
        owner: Option<&str>,
        lsn: Option<u64>,
        timestamp: &str,
    ) {
        self.leases.upsert(json!({
            "id": format!("{}..{id}", self.prefix),
            "_etag": "\"x\"",
            "LeaseToken": id,
            "ContinuationToken": lsn.map(|lsn| format!("\"{lsn}\"")),
            "timestamp": timestamp,
            "Owner": owner,
        }));
    }
}
