//! Offers: the throughput that databases and containers were given.
//!
//! A container has an offer of its own, or a share of that of its database. An account without provisioned
//! throughput (serverless) refuses every request for offers. The roles of Entra ID for data cover none, so
//! with such a credential they are not readable.

use std::collections::HashMap;

use std::time::Duration;

use anyhow::{Context, Result};
use azure_data_cosmos_driver::CosmosDriver;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::join;
use serde::{Deserialize, Serialize};

use super::arm::ArmOnDemand;
use super::client::{CosmosClient, operation_options};
use super::lists::{Entry, List, ListError, read};
use super::options::ThroughputControl;
use super::retry::Persistence;

/// What the service says in every answer about offers of a serverless account.
pub(super) const SERVERLESS: &str = "serverless";

/// Provisioned throughput, in RU/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisioned {
    /// A fixed number.
    Manual(u64),
    /// As much as is used, up to this number.
    AutoscaleUpTo(u64),
}

/// How long the throughput of one container is waited for: nothing depends on it.
const CONTAINER_DEADLINE: Duration = Duration::from_secs(10);

/// The bytes of a container's resource id that are the id of its database.
const DATABASE_BYTES: usize = 4;

/// The throughput of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throughput {
    /// Its own.
    Own(Provisioned),
    /// That of its database, which its containers share.
    Shared(Provisioned),
    /// What is used, without a limit that was set.
    Serverless,
    /// There is no offer.
    None,
    /// The offers cannot be read.
    NotReadable,
}

/// The offers of an account.
#[derive(Debug)]
pub enum Offers {
    /// By the resource id of the database or the container.
    Known(HashMap<String, Provisioned>),
    /// The account has none.
    Serverless,
    /// The credential may not read them.
    Denied,
    /// They could not be read, for this reason.
    Failed(String),
}

impl Offers {
    /// The throughput of a container, by its resource id and that of its database.
    pub fn of(&self, database_rid: &str, container_rid: &str) -> Throughput {
        let known = match self {
            Self::Known(known) => known,
            Self::Serverless => return Throughput::Serverless,
            Self::Denied | Self::Failed(_) => return Throughput::NotReadable,
        };
        if let Some(own) = known.get(container_rid) {
            Throughput::Own(*own)
        } else if let Some(shared) = known.get(database_rid) {
            Throughput::Shared(*shared)
        } else {
            Throughput::None
        }
    }
}

/// How throughput is provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThroughputMode {
    /// A fixed number.
    Manual,
    /// As much as is used, up to a number.
    Autoscale,
    /// What is used, without a limit that was set.
    Serverless,
    /// There is no offer.
    None,
    /// The offers cannot be read.
    NotReadable,
}

/// The throughput of a container in a form for files and scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThroughputSetting {
    /// How it is provisioned.
    pub mode: ThroughputMode,
    /// RU/s, or the most to which it scales.
    pub ru_per_second: Option<u64>,
    /// Whether the containers of the database share it.
    pub shared: bool,
}

impl From<Throughput> for ThroughputSetting {
    fn from(throughput: Throughput) -> Self {
        let provisioned = |provisioned, shared| {
            let (mode, number) = match provisioned {
                Provisioned::Manual(number) => (ThroughputMode::Manual, number),
                Provisioned::AutoscaleUpTo(number) => (ThroughputMode::Autoscale, number),
            };
            Self {
                mode,
                ru_per_second: Some(number),
                shared,
            }
        };
        let without = |mode| Self {
            mode,
            ru_per_second: None,
            shared: false,
        };
        match throughput {
            Throughput::Own(own) => provisioned(own, false),
            Throughput::Shared(shared) => provisioned(shared, true),
            Throughput::Serverless => without(ThroughputMode::Serverless),
            Throughput::None => without(ThroughputMode::None),
            Throughput::NotReadable => without(ThroughputMode::NotReadable),
        }
    }
}

impl ThroughputSetting {
    /// For people, in a cell of a table.
    pub fn text(&self) -> String {
        let number = self.ru_per_second.unwrap_or_default();
        let text = match self.mode {
            ThroughputMode::Manual => format!("{number} RU/s"),
            ThroughputMode::Autoscale => format!("up to {number} RU/s"),
            ThroughputMode::Serverless => "serverless".to_owned(),
            ThroughputMode::None => "-".to_owned(),
            ThroughputMode::NotReadable => "not readable".to_owned(),
        };
        if self.shared {
            format!("{text}, shared")
        } else {
            text
        }
    }
}

impl CosmosClient {
    /// The throughput of the container, its own or that of its database, for something that does not depend on it: each
    /// request is made once, and they are waited for only a moment.
    ///
    /// # Errors
    ///
    /// If it could not be read for another reason than that the credential does not cover it.
    pub async fn throughput_at_once(&self) -> Result<Throughput> {
        let once = Persistence::default();
        if let Some(arm) = &self.via_arm {
            let read = Box::pin(self.throughput_by(arm, &once));
            let read = tokio::time::timeout(CONTAINER_DEADLINE, read);
            let seconds = CONTAINER_DEADLINE.as_secs();
            return read
                .await
                .with_context(|| format!("no answer within {seconds} s"))?;
        }
        let database = database_of(self.rid()).context("its resource id has another form")?;
        let offers_of = async |rid: &str| {
            let lists = by_resources(&[rid]);
            offers_by(&self.driver, &lists, self.throughput, &once).await
        };
        let both = async { join!(offers_of(self.rid()), offers_of(&database)) };
        let both = tokio::time::timeout(CONTAINER_DEADLINE, Box::pin(both)).await;
        let seconds = CONTAINER_DEADLINE.as_secs();
        let (own, shared) = both.with_context(|| format!("no answer within {seconds} s"))?;
        for offers in [&own, &shared] {
            if let Offers::Failed(reason) = offers {
                anyhow::bail!("{reason}");
            }
        }
        Ok(match own.of(&database, self.rid()) {
            Throughput::None => shared.of(&database, self.rid()),
            own => own,
        })
    }
}

/// The resource id of a container's database. An id is its bytes in base64, with `/` written as `-`.
fn database_of(container_rid: &str) -> Option<String> {
    let bytes = STANDARD.decode(container_rid.replace('-', "/")).ok()?;
    let database = bytes.get(..DATABASE_BYTES)?;
    Some(STANDARD.encode(database).replace('/', "-"))
}

impl CosmosClient {
    /// The throughput of the container, and the offers that say so.
    ///
    /// # Errors
    ///
    /// If the resource id of its database cannot be told, or Azure Resource Manager does not answer.
    pub async fn throughput(&self) -> Result<(Offers, Throughput)> {
        if let Some(arm) = &self.via_arm {
            let throughput = Box::pin(self.throughput_by(arm, &self.persistence)).await?;
            return Ok((Offers::Known(HashMap::new()), throughput));
        }
        let database = database_of(self.rid()).context("its resource id has another form")?;
        let lists = by_resources(&[self.rid(), &database]);
        let offers = offers_by(&self.driver, &lists, self.throughput, &self.persistence).await;
        let throughput = offers.of(&database, self.rid());
        Ok((offers, throughput))
    }

    /// The throughput of the container, as the control plane says it.
    async fn throughput_by(
        &self,
        arm: &ArmOnDemand,
        persistence: &Persistence,
    ) -> Result<Throughput> {
        let arm = arm.get(persistence).await?;
        arm.throughput(self.database_name(), self.container_name())
            .await
    }
}

/// A request for the offer of each.
pub(super) fn by_resources<'a>(rids: &[&'a str]) -> Vec<List<'a>> {
    const BY_RESOURCE: &str = "SELECT * FROM root r WHERE r.offerResourceId = @rid";
    let by_rid = |rid: &&'a str| List::Offers(BY_RESOURCE, Some(*rid));
    rids.iter().map(by_rid).collect()
}

/// The offers in these lists.
pub(super) async fn offers_by(
    driver: &CosmosDriver,
    lists: &[List<'_>],
    throughput: ThroughputControl,
    persistence: &Persistence,
) -> Offers {
    const WHAT: &str = "cannot read the throughput";
    let mut known = HashMap::new();
    for list in lists {
        let options = operation_options(throughput);
        match read(driver, *list, options, WHAT, persistence).await {
            Ok(offers) => known.extend(offers.iter().filter_map(offer)),
            Err(error) => return without_offers(&error),
        }
    }
    Offers::Known(known)
}

fn without_offers(error: &ListError) -> Offers {
    let text = error.text();
    if error.status() == Some(400) && text.to_ascii_lowercase().contains(SERVERLESS) {
        Offers::Serverless
    } else if error.is_denied() {
        Offers::Denied
    } else {
        Offers::Failed(text)
    }
}

/// The resource of an offer, and its throughput; `None` if it is not one of throughput.
fn offer(entry: &Entry) -> Option<(String, Provisioned)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Offer {
        offer_resource_id: String,
        content: Content,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Content {
        offer_throughput: Option<u64>,
        offer_autopilot_settings: Option<Autoscale>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Autoscale {
        max_throughput: u64,
    }
    let offer: Offer = serde_json::from_str(entry.definition.get()).ok()?;
    let content = offer.content;
    let provisioned = match (content.offer_autopilot_settings, content.offer_throughput) {
        (Some(autoscale), _) => Provisioned::AutoscaleUpTo(autoscale.max_throughput),
        (None, Some(manual)) => Provisioned::Manual(manual),
        (None, None) => return None,
    };
    Some((offer.offer_resource_id, provisioned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    fn of(content: &str) -> Option<(String, Provisioned)> {
        let definition =
            format!(r#"{{"id":"o","_rid":"o","offerResourceId":"r","content":{content}}}"#);
        offer(&Entry {
            name: "o".to_owned(),
            rid: "o".to_owned(),
            definition: RawValue::from_string(definition).unwrap(),
        })
    }

    #[test]
    fn an_offer_is_manual_or_scales_or_is_left_out() {
        let with = |provisioned| Some(("r".to_owned(), provisioned));
        assert_eq!(
            of(r#"{"offerThroughput":400}"#),
            with(Provisioned::Manual(400))
        );
        assert_eq!(
            of(r#"{"offerThroughput":400,"offerAutopilotSettings":null}"#),
            with(Provisioned::Manual(400))
        );
        assert_eq!(
            of(
                r#"{"offerThroughput":100,"offerAutopilotSettings":{"maxThroughput":1000,"tier":1}}"#
            ),
            with(Provisioned::AutoscaleUpTo(1000))
        );
        for other in [
            "{}",
            "null",
            "[]",
            r#"{"offerThroughput":-1}"#,
            r#"{"offerThroughput":"x"}"#,
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_container_has_its_own_throughput_or_that_of_its_database() {
        let known = [
            ("d".to_owned(), Provisioned::Manual(1)),
            ("c".to_owned(), Provisioned::Manual(2)),
        ];
        let offers = Offers::Known(known.into());
        assert_eq!(offers.of("d", "c"), Throughput::Own(Provisioned::Manual(2)));
        assert_eq!(
            offers.of("d", "x"),
            Throughput::Shared(Provisioned::Manual(1))
        );
        assert_eq!(offers.of("x", "y"), Throughput::None);
        assert_eq!(Offers::Serverless.of("d", "c"), Throughput::Serverless);
        assert_eq!(Offers::Denied.of("d", "c"), Throughput::NotReadable);
    }

    #[test]
    fn the_id_of_a_container_begins_with_that_of_its_database() {
        for (container, database) in [
            ("AAAAAYAAAAE=", Some("AAAAAQ==")),
            ("-7qMAOaiMWc=", Some("-7qMAA==")),
            ("AAA=", None),
            ("?", None),
            ("", None),
        ] {
            assert_eq!(database_of(container).as_deref(), database, "{container}");
        }
    }
}
