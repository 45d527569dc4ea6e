//! The groups in a lease container: which there are, and what belongs to each.

use std::collections::BTreeMap;

use super::document::Document;
use super::lease::{Dialect, Foreign, Form, Lease};
use super::prefix::{Kind, Place, Prefix, Target, of_id};
use super::read::Stored;
use crate::feed::FeedMode;

/// A group: the leases under one prefix.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) prefix: Prefix,
    /// The container that it reads, if that exists.
    pub(crate) place: Option<Place>,
    /// In the order of their tokens.
    pub(crate) leases: Vec<Lease>,
    /// Documents that look like leases by their ids.
    pub(crate) foreign: Vec<Foreign>,
    /// The document that says that all leases have been created.
    pub(crate) marker: Option<Document>,
    /// The lock of a process that creates them.
    pub(crate) lock: Option<Document>,
    /// What says which copy it feeds, if it does.
    pub(crate) copy: Option<Document>,
}

/// All groups, by their prefixes, and how many documents belong to none.
pub(crate) fn groups(stored: Stored, host: &str, places: &[Place]) -> (Vec<Group>, u64) {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut others = stored.others;
    for (id, document) in stored.documents {
        let Some((prefix, kind)) = of_id(&id) else {
            others += 1;
            continue;
        };
        let Some(prefix) = Prefix::parse(prefix, host) else {
            others += 1;
            continue;
        };
        let group = groups.entry(prefix.text.clone()).or_insert_with(|| Group {
            place: prefix.find(places).cloned(),
            prefix,
            leases: Vec::new(),
            foreign: Vec::new(),
            marker: None,
            lock: None,
            copy: None,
        });
        match kind {
            Kind::Marker => group.marker = Some(document),
            Kind::Lock => group.lock = Some(document),
            Kind::Copy => group.copy = Some(document),
            Kind::Lease(_) => match Lease::of(document, &group.prefix.target) {
                Ok(lease) => group.leases.push(lease),
                Err(reason) => group.foreign.push(Foreign {
                    id,
                    reason,
                    lease: None,
                }),
            },
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    for group in &mut groups {
        group.settle();
    }
    (groups, others)
}

/// Without the markers that Java's processors of ranges leave under the prefix of its processors of partitions too,
/// so that none of the latter begins beside them.
pub(crate) fn without_shadows(groups: Vec<Group>) -> Vec<Group> {
    let is_of_ranges = |group: &Group| {
        matches!(group.prefix.target, Target::Rid(_)) && group.dialect() == Some(Dialect::JavaRange)
    };
    let of_ranges: Vec<(String, Option<Place>)> = groups
        .iter()
        .filter(|group| is_of_ranges(group))
        .map(|group| (group.prefix.name.clone(), group.place.clone()))
        .collect();
    let is_shadow = |group: &Group| {
        let is_bare = group.leases.is_empty() && group.foreign.is_empty();
        let key = (group.prefix.name.clone(), group.place.clone());
        is_bare && matches!(group.prefix.target, Target::Names(_)) && of_ranges.contains(&key)
    };
    groups
        .into_iter()
        .filter(|group| !is_shadow(group))
        .collect()
}

impl Group {
    /// The dialect of its leases; none if it has no lease.
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.leases.first().map(|lease| lease.form.dialect())
    }

    /// Whether its leases say which feed they are of. Those of Java do once they have a position.
    pub(crate) fn is_mode_known(&self) -> bool {
        self.dialect() != Some(Dialect::JavaRange)
            || self.leases.iter().any(|lease| lease.java_state().is_some())
    }

    /// When its lock was written, by the service's clock, in seconds since 1970.
    pub(crate) fn lock_written(&self) -> Option<i64> {
        self.lock.as_ref()?.whole("_ts")
    }

    /// Whether it has leases of one partition each.
    pub(crate) fn has_partition_leases(&self) -> bool {
        let forms = [Form::NetPartition, Form::JavaPartition];
        self.leases.iter().any(|lease| forms.contains(&lease.form))
    }

    /// Which feed its leases are of. .NET looks at the first, Java at each.
    pub(crate) fn mode(&self) -> FeedMode {
        let all = self.leases.iter().map(|lease| lease.mode);
        if all
            .into_iter()
            .any(|mode| mode == FeedMode::AllVersionsAndDeletes)
        {
            FeedMode::AllVersionsAndDeletes
        } else {
            FeedMode::LatestVersion
        }
    }

    /// Where the leases of several dialects are, most decide which it is, and the others are foreign. Sorts them.
    fn settle(&mut self) {
        let mut counts: BTreeMap<Dialect, usize> = BTreeMap::new();
        for lease in &self.leases {
            *counts.entry(lease.form.dialect()).or_default() += 1;
        }
        if counts.len() > 1 {
            let most = counts.iter().max_by_key(|(_, count)| **count);
            let Some(dialect) = most.map(|(dialect, _)| *dialect) else {
                return;
            };
            let all = std::mem::take(&mut self.leases);
            let (own, others): (Vec<Lease>, Vec<Lease>) = all
                .into_iter()
                .partition(|lease| lease.form.dialect() == dialect);
            self.leases = own;
            self.foreign.extend(others.into_iter().map(|lease| Foreign {
                reason: format!(
                    "it is a lease of {}, the others are of {}",
                    lease.form.dialect().text(),
                    dialect.text()
                ),
                id: lease.id.clone(),
                lease: Some(Box::new(lease)),
            }));
        }
        let order = |lease: &Lease| {
            let range = lease.own_range.clone();
            let number: Option<u64> = lease.token.parse().ok();
            (
                range.map(|range| range.min_inclusive),
                number,
                lease.token.clone(),
                lease.id.clone(),
            )
        };
        self.leases.sort_by_key(order);
        self.foreign.sort_by(|a, b| a.id.cmp(&b.id));
    }
}
