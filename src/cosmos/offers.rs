//! Offers: the throughput that databases and containers were given.
//!
//! A container has an offer of its own, or a share of that of its database. An account without provisioned
//! throughput (serverless) refuses every request for offers. The roles of Entra ID for data cover none, so
//! with such a credential they are not readable.

use std::collections::HashMap;

use anyhow::{Context, Result};
use azure_data_cosmos_driver::CosmosDriver;
use serde::Deserialize;

use super::account::CosmosAccount;
use super::catalog::read_database;
use super::client::{CosmosClient, operation_options};
use super::lists::{Entry, List, ListError, read};
use super::options::ThroughputControl;
use super::retry::Persistence;

/// What the service says in every answer about offers of a serverless account.
const SERVERLESS: &str = "serverless";

/// Provisioned throughput, in RU/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisioned {
    /// A fixed number.
    Manual(u64),
    /// As much as is used, up to this number.
    AutoscaleUpTo(u64),
}

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

impl CosmosAccount {
    /// All offers of the account.
    pub async fn offers(&self) -> Offers {
        self.offers_by(&[List::Offers("SELECT * FROM root", None)])
            .await
    }

    /// The offers of these databases and containers, by resource id: a request for each.
    pub async fn offers_of(&self, rids: &[&str]) -> Offers {
        self.offers_by(&by_resources(rids)).await
    }

    async fn offers_by(&self, lists: &[List<'_>]) -> Offers {
        offers_by(
            &self.driver,
            lists,
            self.options.throughput,
            &self.persistence,
        )
        .await
    }
}

impl CosmosClient {
    /// The throughput of the container, and the offers that say so.
    ///
    /// # Errors
    ///
    /// If its database cannot be read.
    pub async fn throughput(&self) -> Result<(Offers, Throughput)> {
        let name = self.database_name();
        let read = read_database(&self.driver, name, self.throughput, &self.persistence);
        let database = read.await?;
        let database = database.with_context(|| format!("the database `{name}` was deleted"))?;
        let lists = by_resources(&[self.rid(), &database.rid]);
        let offers = offers_by(&self.driver, &lists, self.throughput, &self.persistence).await;
        let throughput = offers.of(&database.rid, self.rid());
        Ok((offers, throughput))
    }
}

fn by_resources<'a>(rids: &[&'a str]) -> Vec<List<'a>> {
    const BY_RESOURCE: &str = "SELECT * FROM root r WHERE r.offerResourceId = @rid";
    let by_rid = |rid: &&'a str| List::Offers(BY_RESOURCE, Some(*rid));
    rids.iter().map(by_rid).collect()
}

async fn offers_by(
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
}
