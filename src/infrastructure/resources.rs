//! What is deployed: databases and their containers, with their throughput.

use anyhow::{Context, Result};

use super::described::Described;
use super::names::Names;
use super::tree::Tree;
use crate::cosmos::arm::API_VERSION;
use crate::cosmos::offers::{ThroughputMode, ThroughputSetting};

/// The newest version with previews, for members that the other does not have.
const PREVIEW_VERSION: &str = "2025-11-01-preview";

/// What [`API_VERSION`] has of a container.
const KNOWN: [&str; 11] = [
    "id",
    "analyticalStorageTtl",
    "clientEncryptionPolicy",
    "computedProperties",
    "conflictResolutionPolicy",
    "defaultTtl",
    "fullTextPolicy",
    "indexingPolicy",
    "partitionKey",
    "uniqueKeyPolicy",
    "vectorEmbeddingPolicy",
];

/// A database.
pub(super) struct Database {
    pub(super) symbol: String,
    pub(super) name: String,
    /// The throughput that its containers share.
    pub(super) options: Tree,
    pub(super) containers: Vec<Container>,
}

/// A container.
pub(super) struct Container {
    pub(super) symbol: String,
    pub(super) name: String,
    pub(super) version: &'static str,
    pub(super) resource: Tree,
    /// Its own throughput.
    pub(super) options: Tree,
}

impl Database {
    /// The databases of these containers, in the order in which they come.
    ///
    /// # Errors
    ///
    /// If a definition cannot be written.
    pub(super) fn of(described: &[Described]) -> Result<Vec<Self>> {
        let mut names = Names::default();
        let mut databases: Vec<Self> = Vec::new();
        for one in described {
            let at = databases.iter().position(|own| own.name == one.database);
            let at = at.unwrap_or_else(|| {
                databases.push(Self {
                    symbol: names.of("database", &[&one.database]),
                    name: one.database.clone(),
                    options: Tree::Object(Vec::new()),
                    containers: Vec::new(),
                });
                databases.len() - 1
            });
            let database = &mut databases[at];
            if one.throughput.shared {
                database.options = options(one.throughput);
            }
            let container = container(one, &mut names)
                .with_context(|| format!("cannot describe `{}/{}`", one.database, one.container))?;
            database.containers.push(container);
        }
        Ok(databases)
    }

    /// Its definition.
    pub(super) fn resource(&self) -> Tree {
        Tree::object([("id", Tree::text(&self.name))])
    }
}

fn container(one: &Described, names: &mut Names) -> Result<Container> {
    let mut resource = vec![("id".to_owned(), Tree::text(&one.container))];
    for (name, value) in one.definition.arm_members() {
        resource.push((name, Tree::parse(&value)?));
    }
    let is_known = |name: &str| KNOWN.contains(&name);
    let version = match resource.iter().all(|(name, _)| is_known(name)) {
        true => API_VERSION,
        false => PREVIEW_VERSION,
    };
    let own = match one.throughput.shared {
        true => Tree::Object(Vec::new()),
        false => options(one.throughput),
    };
    Ok(Container {
        symbol: names.of("container", &[&one.database, &one.container]),
        name: one.container.clone(),
        version,
        resource: Tree::Object(resource),
        options: own,
    })
}

/// The options of a resource that has this throughput; none for one that is not known, or is not provisioned.
fn options(throughput: ThroughputSetting) -> Tree {
    let units = || Tree::Number(throughput.ru_per_second.unwrap_or_default().to_string());
    match (throughput.mode, throughput.ru_per_second) {
        (ThroughputMode::Manual, Some(_)) => Tree::object([("throughput", units())]),
        (ThroughputMode::Autoscale, Some(_)) => Tree::object([(
            "autoscaleSettings",
            Tree::object([("maxThroughput", units())]),
        )]),
        _ => Tree::Object(Vec::new()),
    }
}
