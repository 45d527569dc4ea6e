//! The account: databases, containers, their RIDs and their JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use azure_data_cosmos_driver::models::PartitionKeyDefinition;

use std::collections::BTreeMap;

use super::change_log::ChangeLog;

#[derive(Default)]
pub(super) struct Account {
    databases: Vec<Database>,
    /// Databases ever created, so that a recreated one gets a new RID.
    created: u32,
}

pub(super) struct Database {
    pub(super) name: String,
    pub(super) rid: String,
    id: u32,
    /// Collections ever created, so that a recreated container gets a new RID.
    collections: u32,
    pub(super) containers: Vec<StoredContainer>,
}

pub(super) struct StoredContainer {
    pub(super) name: String,
    pub(super) rid: String,
    pub(super) definition: PartitionKeyDefinition,
    /// Whether it was made without a partition key.
    pub(super) has_system_key: bool,
    pub(super) log: ChangeLog,
    /// Ids of documents whose writes are refused, with the status.
    pub(super) refused: BTreeMap<String, u16>,
    /// What its definition says beside or instead of the gateway's own, as it was sent.
    pub(super) defined: Map<String, Value>,
}

/// A RID is its bytes in base64, with `/` written as `-`.
fn encode_rid(bytes: &[u8]) -> String {
    STANDARD.encode(bytes).replace('/', "-")
}

impl Account {
    /// The RID of the database, which is created if it does not exist.
    pub(super) fn create_database(&mut self, database: &str) -> String {
        if let Some(existing) = self.databases.iter().find(|db| db.name == database) {
            return existing.rid.clone();
        }
        self.created += 1;
        let id = self.created;
        let rid = encode_rid(&id.to_be_bytes());
        self.databases.push(Database {
            name: database.to_owned(),
            rid: rid.clone(),
            id,
            collections: 0,
            containers: Vec::new(),
        });
        rid
    }

    pub(super) fn create_container(
        &mut self,
        database: &str,
        container: &str,
        definition: PartitionKeyDefinition,
        partitions: usize,
        lsn_stride: u64,
    ) -> String {
        let rid = self.create_database(database);
        let index = self.databases.iter().position(|db| db.rid == rid);
        let index = index.expect("it exists now");
        let database = &mut self.databases[index];
        assert!(
            database.containers.iter().all(|c| c.name != container),
            "container {container} exists"
        );
        database.collections += 1;
        let mut rid = [0u8; 8];
        rid[..4].copy_from_slice(&database.id.to_be_bytes());
        rid[4..].copy_from_slice(&(database.collections | 0x8000_0000).to_be_bytes());
        let text = encode_rid(&rid);
        let self_link = format!("dbs/{}/colls/{text}/", database.rid);
        database.containers.push(StoredContainer {
            name: container.to_owned(),
            rid: text.clone(),
            log: ChangeLog::new(rid, self_link, definition.clone(), partitions, lsn_stride),
            definition,
            has_system_key: false,
            refused: BTreeMap::new(),
            defined: Map::new(),
        });
        text
    }

    /// Deletes a database with its containers. Returns whether it was there.
    pub(super) fn delete_database(&mut self, database: &str) -> bool {
        let before = self.databases.len();
        self.databases.retain(|db| db.name != database);
        self.databases.len() < before
    }

    pub(super) fn delete_container(&mut self, database: &str, container: &str) {
        let database = self
            .databases
            .iter_mut()
            .find(|db| db.name == database)
            .expect("the database exists");
        let before = database.containers.len();
        database.containers.retain(|c| c.name != container);
        assert!(
            database.containers.len() < before,
            "container {container} exists"
        );
    }

    /// By name or RID.
    pub(super) fn database(&self, key: &str) -> Option<&Database> {
        self.databases
            .iter()
            .find(|db| db.name == key || db.rid == key)
    }

    /// Both by name or RID.
    pub(super) fn container(&self, database: &str, key: &str) -> Option<&StoredContainer> {
        self.database(database)?
            .containers
            .iter()
            .find(|c| c.name == key || c.rid == key)
    }

    pub(super) fn container_by_rid(&mut self, rid: &str) -> Option<&mut StoredContainer> {
        self.databases
            .iter_mut()
            .flat_map(|db| db.containers.iter_mut())
            .find(|c| c.rid == rid)
    }

    pub(super) fn databases_to_json(&self) -> Value {
        let databases: Vec<Value> = self.databases.iter().map(Database::to_json).collect();
        json!({"_rid": "", "_count": databases.len(), "Databases": databases})
    }
}

impl Database {
    /// Its version, which no other database has.
    pub(super) fn etag(&self) -> String {
        let number = self.rid.bytes().fold(0_u64, |number, byte| {
            number.wrapping_mul(31).wrapping_add(byte.into())
        });
        format!(
            "\"00000000-0000-0000-0000-{:012x}\"",
            number & 0xffff_ffff_ffff
        )
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.name,
            "_rid": self.rid,
            "_self": format!("dbs/{}/", self.rid),
            "_etag": self.etag(),
            "_ts": 1_700_000_000,
            "_colls": "colls/",
            "_users": "users/",
        })
    }

    pub(super) fn containers_to_json(&self) -> Value {
        let containers: Vec<Value> = self
            .containers
            .iter()
            .map(StoredContainer::to_json)
            .collect();
        json!({"_rid": self.rid, "_count": containers.len(), "DocumentCollections": containers})
    }
}

impl StoredContainer {
    pub(super) fn to_json(&self) -> Value {
        let mut key = json!(self.definition);
        if self.has_system_key {
            key["systemKey"] = true.into();
        }
        let mut json = json!({
            "id": self.name,
            "indexingPolicy": {"indexingMode": "consistent", "automatic": true},
            "partitionKey": key,
            "conflictResolutionPolicy": {
                "mode": "LastWriterWins",
                "conflictResolutionPath": "/_ts",
                "conflictResolutionProcedure": "",
            },
            "geospatialConfig": {"type": "Geography"},
            "_rid": self.rid,
            "_self": self.log.self_link(),
            "_etag": "\"00000000-0000-0000-0000-000000000000\"",
            "_ts": 1_700_000_000,
            "_docs": "docs/",
            "_sprocs": "sprocs/",
            "_triggers": "triggers/",
            "_udfs": "udfs/",
            "_conflicts": "conflicts/",
        });
        let members = json.as_object_mut().expect("it is an object");
        members.extend(self.defined.clone());
        json
    }

    pub(super) fn partition_key_ranges_to_json(&self) -> Value {
        let ranges: Vec<Value> = self
            .log
            .partitions()
            .iter()
            .map(|partition| {
                json!({
                    "id": partition.id.to_string(),
                    "_rid": format!("{}pkr{}", self.rid, partition.id),
                    "_self": format!("{}pkranges/{}/", self.log.self_link(), partition.id),
                    "_etag": "\"00000000-0000-0000-0000-000000000000\"",
                    "_ts": 1_700_000_000,
                    "_lsn": partition.lsn,
                    "minInclusive": partition.min.to_hex(),
                    "maxExclusive": partition.max.to_hex(),
                    "ridPrefix": partition.id,
                    "throughputFraction": 1.0 / self.log.partitions().len() as f64,
                    "status": "online",
                    "parents": partition.parents,
                })
            })
            .collect();
        json!({"_rid": self.rid, "_count": ranges.len(), "PartitionKeyRanges": ranges})
    }
}

/// The account's JSON: one region, which is this gateway, unless `locations` replaces it. An object with
/// `writableLocations` or `readableLocations` replaces these; anything else replaces both.
pub(super) fn account_to_json(
    endpoint: &str,
    consistency: &str,
    locations: Option<&Value>,
) -> Value {
    let here = json!([{"name": "East US", "databaseAccountEndpoint": endpoint}]);
    let names = ["writableLocations", "readableLocations"];
    let is_by_name = locations.is_some_and(|value| names.iter().any(|&n| value.get(n).is_some()));
    let [writable, readable] = names.map(|name| match locations {
        None => &here,
        Some(locations) if is_by_name => locations.get(name).unwrap_or(&here),
        Some(locations) => locations,
    });
    json!({
        "id": "gateway",
        "_rid": "gateway.sql.cosmos.azure.com",
        "_self": "",
        "media": "//media/",
        "addresses": "//addresses/",
        "_dbs": "//dbs/",
        "writableLocations": writable,
        "readableLocations": readable,
        "enableMultipleWriteLocations": false,
        "continuousBackupEnabled": true,
        "enableNRegionSynchronousCommit": false,
        "enablePerPartitionFailoverBehavior": false,
        "userReplicationPolicy": {
            "asyncReplication": false, "minReplicaSetSize": 3, "maxReplicasetSize": 4,
        },
        "userConsistencyPolicy": {"defaultConsistencyLevel": consistency},
        "systemReplicationPolicy": {"minReplicaSetSize": 3, "maxReplicasetSize": 4},
        "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
        "queryEngineConfiguration": "{}",
    })
}
