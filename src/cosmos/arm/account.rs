//! Where the account is in the control plane: its subscription and resource group, given or looked up.

use anyhow::{Context, Result, anyhow};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use url::Url;

use super::error::{Fault, Right};
use super::http::Http;
use crate::cosmos::options::{ArmOptions, ConnectOptions};
use crate::cosmos::retry::Persistence;
use crate::error::{usage, with_hint};

/// The versions of the interfaces that subscriptions and resources are listed by.
const SUBSCRIPTIONS_VERSION: &str = "2022-12-01";
const RESOURCES_VERSION: &str = "2021-04-01";
const ACCOUNTS: &str = "Microsoft.DocumentDB/databaseAccounts";

/// Subscriptions that are searched at the same time.
const SUBSCRIPTIONS_AT_ONCE: usize = 4;

/// An account in the control plane.
#[derive(Debug, Clone)]
pub struct ArmAccount {
    pub(super) http: Http,
    place: Place,
}

/// Where an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    subscription: String,
    group: String,
    account: String,
}

impl Place {
    /// The place in the id of a resource.
    fn of_id(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.trim_matches('/').split('/').collect();
        let [
            subscriptions,
            subscription,
            groups,
            group,
            providers,
            provider,
            kind,
            account,
        ] = parts[..]
        else {
            return None;
        };
        let named = [subscriptions, groups, providers, provider, kind];
        let expected = [
            "subscriptions",
            "resourceGroups",
            "providers",
            "Microsoft.DocumentDB",
            "databaseAccounts",
        ];
        let is_same = named
            .iter()
            .zip(expected)
            .all(|(found, wanted)| found.eq_ignore_ascii_case(wanted));
        is_same.then(|| Self {
            subscription: subscription.to_owned(),
            group: group.to_owned(),
            account: account.to_owned(),
        })
    }

    fn segments(&self) -> [&str; 8] {
        [
            "subscriptions",
            &self.subscription,
            "resourceGroups",
            &self.group,
            "providers",
            "Microsoft.DocumentDB",
            "databaseAccounts",
            &self.account,
        ]
    }

    /// The id of the account.
    fn id(&self) -> String {
        format!("/{}", self.segments().join("/"))
    }
}

impl ArmAccount {
    /// Finds the account of `options` in the control plane. Transient errors are retried.
    ///
    /// # Errors
    ///
    /// If it is not found, or the identity may not see it; the error has a hint.
    pub async fn find(options: &ConnectOptions, persistence: &Persistence) -> Result<Self> {
        let arm = options
            .via_arm
            .as_ref()
            .context("Azure Resource Manager is not asked")?;
        let http = Http::connect(options, arm, persistence)
            .await
            .with_context(|| format!("cannot ask Azure Resource Manager at {}", arm.endpoint))?;
        let place = match (&arm.subscription, &arm.resource_group) {
            (Some(subscription), Some(group)) => Place {
                subscription: subscription.clone(),
                group: group.clone(),
                account: arm.account.clone(),
            },
            _ => looked_up(&http, arm).await?,
        };
        Ok(Self { http, place })
    }

    /// The id of the account, such as a role is assigned on.
    pub fn id(&self) -> String {
        self.place.id()
    }

    /// The address of what is below the account.
    pub(super) fn below(&self, segments: &[&str]) -> Url {
        let all = [&self.place.segments()[..], segments].concat();
        self.http.url(&all, super::API_VERSION)
    }

    /// The error of a request that needed this right.
    pub(super) fn explained(&self, fault: &Fault, right: Right) -> anyhow::Error {
        let hint = right.hint(fault, &self.id());
        with_hint(anyhow!(fault.text()), hint)
    }
}

/// Looks an account up by its name, which no other account has.
async fn looked_up(http: &Http, arm: &ArmOptions) -> Result<Place> {
    let what = format!("cannot find the account `{}`", arm.account);
    let explain = |fault: &Fault, scope: &str| {
        with_hint(anyhow!(fault.text()), Right::Find.hint(fault, scope))
    };
    let subscriptions = match &arm.subscription {
        Some(subscription) => vec![subscription.clone()],
        None => subscriptions(http, &what)
            .await
            .map_err(|fault| explain(&fault, "/subscriptions/ID"))
            .context(what.clone())
            .context("cannot list the subscriptions")?,
    };
    let number = subscriptions.len();
    let searched: Vec<Result<Vec<Place>, Fault>> = stream::iter(subscriptions)
        .map(|subscription| accounts_in(http, subscription, &arm.account, &what))
        .buffered(SUBSCRIPTIONS_AT_ONCE)
        .collect()
        .await;
    let mut denied = None;
    for found in searched {
        match found {
            Ok(places) => {
                let in_group = |place: &Place| {
                    let wanted = arm.resource_group.as_ref();
                    wanted.is_none_or(|group| group.eq_ignore_ascii_case(&place.group))
                };
                if let Some(place) = places.into_iter().find(in_group) {
                    return Ok(place);
                }
            }
            // Another subscription may have it.
            Err(fault) => denied = Some(fault),
        }
    }
    if let Some(fault) = denied {
        return Err(explain(&fault, "/subscriptions/ID")).context(what);
    }
    let among = match number {
        1 => "the subscription".to_owned(),
        number => format!("the {number} subscriptions that this identity sees"),
    };
    Err(usage(
        format!("{what} in {among}"),
        "the identity needs Microsoft.DocumentDB/databaseAccounts/read on it, such as by the role `Cosmos DB Account \
         Reader Role`; if the account has another name than its endpoint, give --account-name",
    ))
}

/// The ids of all subscriptions that the identity sees.
async fn subscriptions(http: &Http, what: &str) -> Result<Vec<String>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Subscription {
        subscription_id: String,
    }
    let url = http.url(&["subscriptions"], SUBSCRIPTIONS_VERSION);
    let found: Vec<Subscription> = http.list(url, what).await?;
    Ok(found.into_iter().map(|one| one.subscription_id).collect())
}

/// The accounts of this name in a subscription.
async fn accounts_in(
    http: &Http,
    subscription: String,
    account: &str,
    what: &str,
) -> Result<Vec<Place>, Fault> {
    #[derive(Deserialize)]
    struct Resource {
        id: String,
    }
    let mut url = http.url(
        &["subscriptions", &subscription, "resources"],
        RESOURCES_VERSION,
    );
    let filter = format!("resourceType eq '{ACCOUNTS}' and name eq '{account}'");
    url.query_pairs_mut().append_pair("$filter", &filter);
    let found: Vec<Resource> = http.list(url, what).await?;
    let places = found.iter().filter_map(|one| Place::of_id(&one.id));
    Ok(places
        .filter(|place| place.account.eq_ignore_ascii_case(account))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_account_says_where_it_is() {
        let id = "/subscriptions/5f/resourceGroups/Shop RG/providers/Microsoft.DocumentDB/databaseAccounts/shop";
        let place = Place::of_id(id).unwrap();
        assert_eq!(
            (&*place.subscription, &*place.group, &*place.account),
            ("5f", "Shop RG", "shop")
        );
        assert_eq!(place.id(), id);
        let lower = id.to_ascii_lowercase();
        assert_eq!(Place::of_id(&lower).unwrap().group, "shop rg");
        for other in [
            "",
            "/subscriptions/5f",
            "/subscriptions/5f/resourceGroups/g/providers/Microsoft.Web/sites/shop",
            &format!("{id}/sqlDatabases/shop"),
        ] {
            assert_eq!(Place::of_id(other), None, "{other}");
        }
    }
}
