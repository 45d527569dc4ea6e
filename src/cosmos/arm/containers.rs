//! The databases and containers of an account, their definitions and their throughput.

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::account::ArmAccount;
use super::error::{Fault, Right};
use super::http::parsed;
use crate::cosmos::catalog::is_addressable;
use crate::cosmos::definition::ContainerDefinition;
use crate::cosmos::offers::{Provisioned, Throughput};

/// What the control plane says of every throughput of a serverless account.
const SERVERLESS: &str = "serverless";

/// A database.
#[derive(Debug, Clone)]
pub struct ArmDatabase {
    /// Its name.
    pub name: String,
}

/// A container.
#[derive(Debug, Clone)]
pub struct ArmContainer {
    /// Its name.
    pub name: String,
    /// Its definition.
    pub definition: ContainerDefinition,
}

/// A resource, of which the definition is a part.
#[derive(Deserialize)]
pub(super) struct Resource {
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    resource: Box<RawValue>,
}

/// The name in a definition.
#[derive(Deserialize)]
struct Id {
    id: String,
}

impl Resource {
    /// The definition, as the control plane sent it.
    pub(super) fn definition(self) -> Box<RawValue> {
        self.properties.resource
    }

    fn name(&self) -> Result<String, Fault> {
        let id: Id = parsed(self.properties.resource.get().as_bytes())?;
        Ok(id.id)
    }

    fn container(self) -> Result<ArmContainer, Fault> {
        let name = self.name()?;
        let definition = ContainerDefinition::parse(self.properties.resource).map_err(|error| {
            Fault::Unusable(format!(
                "the definition of the container `{name}` cannot be used: {error:#}"
            ))
        })?;
        Ok(ArmContainer { name, definition })
    }
}

impl ArmAccount {
    /// The databases, by name.
    ///
    /// # Errors
    ///
    /// If they cannot be read; the error has a hint.
    pub async fn databases(&self) -> Result<Vec<ArmDatabase>> {
        let what = "cannot list the databases through Azure Resource Manager";
        let read = async {
            let url = self.below(&["sqlDatabases"]);
            let found: Vec<Resource> = self.http.list(url, what).await?;
            let names = found.iter().map(Resource::name);
            let mut names = names.collect::<Result<Vec<String>, Fault>>()?;
            names.sort();
            Ok(names)
        };
        let names: Result<Vec<String>, Fault> = read.await;
        let names = names.map_err(|fault| self.explained(&fault, Right::Read));
        let names = names.context(what)?;
        Ok(names.into_iter().map(|name| ArmDatabase { name }).collect())
    }

    /// The containers of a database, by name; `None` if there is no such database.
    ///
    /// # Errors
    ///
    /// If they cannot be read; the error has a hint.
    pub async fn containers(&self, database: &str) -> Result<Option<Vec<ArmContainer>>> {
        let what = format!(
            "cannot list the containers of the database `{database}` through Azure Resource Manager"
        );
        ensure_addressable(&[database])?;
        let read = async {
            let url = self.below(&["sqlDatabases", database, "containers"]);
            let found: Vec<Resource> = self.http.list(url, &what).await?;
            let containers = found.into_iter().map(Resource::container);
            let mut containers = containers.collect::<Result<Vec<ArmContainer>, Fault>>()?;
            containers.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(containers)
        };
        let read: Result<Vec<ArmContainer>, Fault> = read.await;
        match read {
            Ok(containers) => Ok(Some(containers)),
            Err(fault) if is_missing(&fault) => Ok(None),
            Err(fault) => Err(self.explained(&fault, Right::Read)).context(what),
        }
    }

    /// A container; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be read; the error has a hint.
    pub async fn container(&self, database: &str, name: &str) -> Result<Option<ArmContainer>> {
        let what = format!(
            "cannot read the container `{name}` of the database `{database}` through Azure Resource Manager"
        );
        ensure_addressable(&[database, name])?;
        let read = async {
            let url = self.below(&["sqlDatabases", database, "containers", name]);
            let answer = self.http.get(&url, &what).await?;
            parsed::<Resource>(&answer.body)?.container()
        };
        match read.await {
            Ok(container) => Ok(Some(container)),
            Err(fault) if is_missing(&fault) => Ok(None),
            Err(fault) => Err(self.explained(&fault, Right::Read)).context(what),
        }
    }

    /// The throughput of a container: its own, or that of its database.
    ///
    /// # Errors
    ///
    /// If it cannot be read; the error has a hint.
    pub async fn throughput(&self, database: &str, container: &str) -> Result<Throughput> {
        let own = self.own_throughput(database, Some(container)).await?;
        Ok(match own {
            Throughput::None => shared(self.own_throughput(database, None).await?),
            own => own,
        })
    }

    /// The throughput that a container has for itself, or a database for its containers.
    ///
    /// # Errors
    ///
    /// If it cannot be read; the error has a hint.
    pub async fn own_throughput(
        &self,
        database: &str,
        container: Option<&str>,
    ) -> Result<Throughput> {
        match container {
            Some(container) => {
                self.provisioned(&["sqlDatabases", database, "containers", container])
                    .await
            }
            None => self.provisioned(&["sqlDatabases", database]).await,
        }
    }

    async fn provisioned(&self, resource: &[&str]) -> Result<Throughput> {
        const WHAT: &str = "cannot read the throughput through Azure Resource Manager";
        ensure_addressable(resource)?;
        let read = async {
            let segments = [resource, &["throughputSettings", "default"]].concat();
            let answer = self.http.get(&self.below(&segments), WHAT).await?;
            let setting: Setting = parsed(&answer.body)?;
            Ok(setting.provisioned())
        };
        let read: Result<Option<Provisioned>, Fault> = read.await;
        match read {
            Ok(provisioned) => Ok(provisioned.map_or(Throughput::None, Throughput::Own)),
            Err(fault) if is_missing(&fault) => Ok(Throughput::None),
            Err(Fault::Refused(refusal))
                if refusal.status == 400
                    && refusal.message.to_ascii_lowercase().contains(SERVERLESS) =>
            {
                Ok(Throughput::Serverless)
            }
            Err(fault) => Err(self.explained(&fault, Right::Read)).context(WHAT),
        }
    }
}

/// The throughput of a container that has none of its own, by that of its database.
pub fn shared(of_database: Throughput) -> Throughput {
    match of_database {
        Throughput::Own(provisioned) => Throughput::Shared(provisioned),
        other => other,
    }
}

/// Whether the database or the container does not exist. An account or a resource group that does not exist has other
/// codes.
pub(super) fn is_missing(fault: &Fault) -> bool {
    let Fault::Refused(refusal) = fault else {
        return false;
    };
    let is_above = [
        "ResourceGroupNotFound",
        "SubscriptionNotFound",
        "ResourceNotFound",
    ]
    .iter()
    .any(|code| refusal.code.eq_ignore_ascii_case(code));
    // The resource provider says `NotFound`; `ResourceNotFound` is what Azure Resource Manager says of an account.
    refusal.status == 404 && !is_above
}

/// Refuses names that would name another resource.
pub(super) fn ensure_addressable(names: &[&str]) -> Result<()> {
    match names
        .iter()
        .find(|name| name.is_empty() || !is_addressable(name))
    {
        None => Ok(()),
        Some(odd) => Err(anyhow!("the name {odd:?} cannot be requested")),
    }
}

/// A throughput, as the control plane sends it.
#[derive(Deserialize)]
struct Setting {
    properties: SettingProperties,
}

#[derive(Deserialize)]
struct SettingProperties {
    resource: SettingResource,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SettingResource {
    throughput: Option<u64>,
    autoscale_settings: Option<Autoscale>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Autoscale {
    #[serde(default)]
    max_throughput: u64,
}

impl Setting {
    fn provisioned(self) -> Option<Provisioned> {
        let SettingResource {
            throughput,
            autoscale_settings,
        } = self.properties.resource;
        match autoscale_settings.map(|settings| settings.max_throughput) {
            Some(most) if most > 0 => Some(Provisioned::AutoscaleUpTo(most)),
            _ => throughput
                .filter(|units| *units > 0)
                .map(Provisioned::Manual),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throughput_is_manual_or_scales() {
        for (resource, expected) in [
            (r#"{"throughput":400}"#, Some(Provisioned::Manual(400))),
            (
                r#"{"throughput":400,"autoscaleSettings":null,"minimumThroughput":"400"}"#,
                Some(Provisioned::Manual(400)),
            ),
            (
                r#"{"throughput":100,"autoscaleSettings":{"maxThroughput":1000}}"#,
                Some(Provisioned::AutoscaleUpTo(1000)),
            ),
            (
                r#"{"throughput":100,"autoscaleSettings":{"maxThroughput":0}}"#,
                Some(Provisioned::Manual(100)),
            ),
            ("{}", None),
        ] {
            let text = format!(r#"{{"id":"x","properties":{{"resource":{resource}}}}}"#);
            let setting: Setting = serde_json::from_str(&text).unwrap();
            assert_eq!(setting.provisioned(), expected, "{resource}");
        }
    }
}
