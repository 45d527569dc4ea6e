//! Looking again at single documents: by point reads, where that costs less than reading their ranges once more.

use std::collections::HashMap;

use anyhow::Result;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::comparison::Comparison;
use super::digest::Bucket;
use super::examine::{Contents, Kind, Pairs};
use super::form::Form;
use super::hashes::Name;
use super::keyed::{Address, Keyer};
use super::selection::Selection;
use super::side::Place;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::epk::{no_value, partition_key};
use crate::cosmos::items::{ItemAddress, ItemOutcome, ItemRequest};

/// The most documents that are looked at one by one.
const FEW: usize = 100;
/// How many of them at the same time.
const AT_ONCE: usize = 16;
/// Request units of a point read, before one was made.
const POINT: f64 = 1.0;

/// What is known for looking at single documents.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// Where they are, once their ranges were read.
    addresses: HashMap<Name, ItemAddress>,
    /// What they were then: on a side of files, that is what they are.
    contents: HashMap<Name, Contents>,
    /// What reading the ranges of one has cost in request units, and what a look at one by point reads has.
    ranges: f64,
    point: Option<f64>,
    /// Whether the service refuses point reads.
    is_refused: bool,
}

impl Points {
    /// Takes what was found of `names` by reading their ranges, which has cost so much.
    fn take(&mut self, names: usize, found: &Pairs, cost: f64) {
        self.ranges = cost / names as f64;
        for (name, pair) in &found.pairs {
            self.contents.insert(*name, pair.contents);
            let address = pair.address.as_ref().and_then(item_address);
            self.addresses.extend(address.map(|at| (*name, at)));
        }
    }

    fn are_worth_it(&self, names: &HashMap<Name, Bucket>, containers: usize) -> bool {
        let point = self.point.unwrap_or(POINT * containers as f64);
        point < self.ranges && names.keys().all(|name| self.addresses.contains_key(name))
    }
}

impl Comparison {
    /// Looks at documents, and returns the contents of those that differ.
    pub(super) async fn look(
        &self,
        names: HashMap<Name, Bucket>,
        points: &mut Points,
    ) -> Result<HashMap<Name, Contents>> {
        if names.len() > FEW || points.is_refused || !self.has_points() {
            let differing = self.sorted(Selection::Names(names)).await?;
            let differing = differing.iter().map(|open| (open.name, open.contents));
            return Ok(differing.collect());
        }
        let containers = self.sides.iter().filter(|side| side.is_container());
        let before = self.request_units();
        if points.are_worth_it(&names, containers.count())
            && let Some(found) = self.look_at_points(&names, points).await
        {
            points.point = Some((self.request_units() - before) / names.len() as f64);
            return Ok(found);
        }
        let before = self.request_units();
        let count = names.len();
        // Without their texts.
        let found = self.kept(names, 0).await?;
        points.take(count, &found, self.request_units() - before);
        let contents = found
            .pairs
            .iter()
            .map(|(name, pair)| (*name, pair.contents));
        Ok(contents
            .filter(|(_, contents)| Kind::of(*contents).is_some())
            .collect())
    }

    /// Whether each document of a container is where the other side says.
    fn has_points(&self) -> bool {
        let mut sides = self.sides.iter().zip(&self.keyers);
        sides.all(|(side, keyer)| !side.is_container() || keyer.is_direct())
    }

    fn request_units(&self) -> f64 {
        self.sides.iter().map(|side| side.request_units()).sum()
    }

    /// Looks at documents by point reads; none if one cannot be read so.
    async fn look_at_points(
        &self,
        names: &HashMap<Name, Bucket>,
        points: &mut Points,
    ) -> Option<HashMap<Name, Contents>> {
        let mut found: HashMap<Name, Contents> = names
            .keys()
            .map(|name| {
                (
                    *name,
                    points.contents.get(name).copied().unwrap_or_default(),
                )
            })
            .collect();
        for (number, (side, keyer)) in self.sides.iter().zip(&self.keyers).enumerate() {
            let Place::Container { connected, .. } = &side.place else {
                continue;
            };
            let client = &connected.client;
            let mut reads: Vec<BoxFuture<'_, (Name, Result<u128, Unread>)>> = Vec::new();
            for name in names.keys() {
                let address = &points.addresses[name];
                reads.push(Box::pin(async move {
                    (*name, read(client, keyer, address).await)
                }));
            }
            let read: Vec<_> = stream::iter(reads)
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            for (name, content) in read {
                match content {
                    Ok(content) => found.entry(name).or_default()[number] = content,
                    Err(Unread::Now) => return None,
                    Err(Unread::Ever) => {
                        points.is_refused = true;
                        return None;
                    }
                }
            }
        }
        found.retain(|_, contents| Kind::of(*contents).is_some());
        Some(found)
    }
}

/// Why a document could not be read.
enum Unread {
    /// The service is busy, or did not answer.
    Now,
    /// It refuses that.
    Ever,
}

/// The hash of the content of a document, 0 if it is not there.
async fn read(client: &CosmosClient, keyer: &Keyer, address: &ItemAddress) -> Result<u128, Unread> {
    match client.item(address, ItemRequest::Read).await.outcome {
        ItemOutcome::Read(text, _) => {
            let mut form = Form::default();
            Ok(keyer.content_of(&text, &mut form))
        }
        ItemOutcome::NotFound => Ok(0),
        ItemOutcome::Throttled(_) => Err(Unread::Now),
        _ => Err(Unread::Ever),
    }
}

/// Where a document is, by what a report says of it.
fn item_address(address: &Address) -> Option<ItemAddress> {
    let mut key: Vec<Value> = serde_json::from_str(&address.key).ok()?;
    for value in &mut key {
        // The service, too, takes an object or an array for no value.
        if value.is_array() || value.is_object() {
            *value = no_value();
        }
    }
    Some(ItemAddress {
        key: partition_key(&key).ok()?,
        id: serde_json::from_str(&address.id).ok()?,
    })
}
