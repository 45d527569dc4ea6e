//! A lease container that is connected, and the containers that its groups read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use time::OffsetDateTime;

use crate::clock;
use crate::command::account::{Account, connect_retries};
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::catalog::is_addressable;
use crate::cosmos::options::{ConnectOptions, NamesFrom};
use crate::cosmos::probe::first_answer;
use crate::error::with_hint;
use crate::escape::escape_for_terminal;
use crate::job::Connected;
use crate::leases::{self, Group, KeyedBy, Place, Target, groups, without_shadows};
use crate::nearest::{bounded, nearest};
use crate::report::Report;
use crate::settings::{ConnectionPlan, ContainerNames, Names};

/// A lease container.
pub(in crate::command) struct Opened<'a> {
    account: &'a Account,
    report: &'a Arc<Report>,
    base: ConnectionPlan,
    pub(in crate::command) leases: Connected,
    pub(in crate::command) names: ContainerNames,
    pub(in crate::command) keyed_by: KeyedBy,
    /// The containers of the account, as far as groups may read them.
    places: Option<Vec<Place>>,
    /// How far this machine's clock is ahead of the service's.
    pub(in crate::command) clock_ahead: time::Duration,
    /// The monitored containers that are connected, by RID.
    monitored: BTreeMap<String, Connected>,
}

/// Which groups of a lease container a command is about.
pub(in crate::command) struct Wanted<'a> {
    /// A name or a prefix.
    pub(in crate::command) group: Option<&'a str>,
}

impl<'a> Opened<'a> {
    /// Connects to a lease container of the account. `monitored` says which names of a container that is read
    /// count.
    pub(in crate::command) async fn open(
        account: &'a Account,
        names: &ContainerNames,
        monitored: Names,
        report: &'a Arc<Report>,
    ) -> Result<Self> {
        let base = account.account_plan(monitored)?;
        Self::at_account(account, base, names, report).await
    }

    /// Connects to a lease container of the account that `base` connects to. A container that is read is the one of
    /// `base`.
    pub(in crate::command) async fn at_account(
        account: &'a Account,
        mut base: ConnectionPlan,
        names: &ContainerNames,
        report: &'a Arc<Report>,
    ) -> Result<Self> {
        let plan = of_container(&base, names, NamesFrom::Leases);
        let leases = account
            .connect(
                ConnectionPlan {
                    notices: std::mem::take(&mut base.notices),
                    values: std::mem::take(&mut base.values),
                    ..plan
                },
                connect_retries()?,
                report,
            )
            .await?;
        let keyed_by = KeyedBy::of(&leases.client)?;
        let clock_ahead = clock_ahead(account, &base, &leases, report).await?;
        Ok(Self {
            account,
            report,
            base,
            leases,
            names: names.clone(),
            keyed_by,
            places: None,
            clock_ahead,
            monitored: BTreeMap::new(),
        })
    }

    /// The time of day by the service's clock.
    pub(in crate::command) fn now(&self) -> OffsetDateTime {
        clock::now() - self.clock_ahead
    }

    /// How messages name the lease container.
    pub(in crate::command) fn name(&self) -> String {
        format!("{}/{}", self.names.database, self.names.container)
    }

    /// The host in the prefixes of the account's groups.
    pub(in crate::command) fn host(&self) -> String {
        let endpoint = self.leases.client.endpoint();
        endpoint.host_str().unwrap_or_default().to_owned()
    }

    /// Reads the groups that are wanted.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or the one that is named does not exist.
    pub(in crate::command) async fn groups(&mut self, wanted: &Wanted<'_>) -> Result<Vec<Group>> {
        let stored = self
            .account
            .until_stopped(leases::read(&self.leases.client))
            .await??;
        let host = self.host();
        let (found, others) = groups(stored, &host, &[]);
        let places = self.places_of(&found).await?;
        let placed = found.into_iter().map(|group| Group {
            place: group.prefix.find(places).cloned(),
            ..group
        });
        let found = without_shadows(placed.collect());
        if others > 0 {
            self.report.detail(&format!(
                "`{}` has {others} documents that have nothing to do with leases",
                self.name()
            ));
        }
        self.select(found, wanted)
    }

    fn select(&self, mut found: Vec<Group>, wanted: &Wanted<'_>) -> Result<Vec<Group>> {
        let connect = &self.base.connect;
        let is_of_container = |group: &Group| match &group.place {
            Some(place) => {
                let is = |wanted: &str, name: &str| wanted.is_empty() || wanted == name;
                is(&connect.database, &place.database) && is(&connect.container, &place.container)
            }
            // Which it was is not known any more.
            None => true,
        };
        let read: BTreeSet<String> = found.iter().filter_map(place_name).collect();
        let had_groups = !found.is_empty();
        found.retain(is_of_container);
        if had_groups && found.is_empty() {
            let read: Vec<&str> = read.iter().map(String::as_str).collect();
            let named = [connect.database.as_str(), connect.container.as_str()];
            let named: Vec<&str> = named.into_iter().filter(|name| !name.is_empty()).collect();
            return Err(with_hint(
                anyhow!("no group in `{}` reads `{}`", self.name(), named.join("/")),
                format!("its groups read {}", bounded(&read)),
            ));
        }
        let Some(name) = wanted.group else {
            return Ok(found);
        };
        let (own, others): (Vec<Group>, Vec<Group>) = found
            .into_iter()
            .partition(|group| group.prefix.is_named(name));
        if own.is_empty() {
            return Err(self.no_such_group(name, &others));
        }
        Ok(own)
    }

    fn no_such_group(&self, name: &str, others: &[Group]) -> anyhow::Error {
        let names: BTreeSet<&str> = others
            .iter()
            .map(|group| group.prefix.name.as_str())
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        let hint = match nearest(name, &names) {
            Some(nearest) => format!("did you mean `{}`?", escape_for_terminal(nearest)),
            None if names.is_empty() => {
                "it has no groups: check --leases, and -d and -c".to_owned()
            }
            None => format!("its groups are {}", bounded(&names)),
        };
        with_hint(
            anyhow!(
                "`{}` has no group `{}`",
                self.name(),
                escape_for_terminal(name)
            ),
            hint,
        )
    }

    /// The one group that is wanted.
    ///
    /// # Errors
    ///
    /// If there is none, or more than one.
    pub(in crate::command) async fn group(&mut self, name: &str) -> Result<Group> {
        let mut found = self.groups(&Wanted { group: Some(name) }).await?;
        if found.len() > 1 {
            let places: Vec<String> = found
                .iter()
                .map(|group| group.prefix.text.clone())
                .collect();
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            return Err(with_hint(
                anyhow!(
                    "`{}` has {} groups `{}`",
                    self.name(),
                    found.len(),
                    escape_for_terminal(name)
                ),
                format!(
                    "name the container that it reads with -d and -c, or one of the prefixes: {}",
                    bounded(&places)
                ),
            ));
        }
        found.pop().context("there is no group")
    }

    /// The containers of the account that these groups may read.
    async fn places_of(&mut self, groups: &[Group]) -> Result<&[Place]> {
        if self.places.is_none() && !groups.is_empty() {
            let places = match self.list_places(groups).await {
                Ok(places) => places,
                // A role may not allow the lists, but the container.
                Err(error) => match self.typed_place().await {
                    Some(place) => vec![place?],
                    None => {
                        return Err(error)
                            .context("cannot find the containers that the groups read");
                    }
                },
            };
            self.places = Some(places);
        }
        Ok(self.places.as_deref().unwrap_or_default())
    }

    async fn list_places(&self, groups: &[Group]) -> Result<Vec<Place>> {
        let plan = ConnectionPlan {
            connect: self.base.connect.clone(),
            notices: Vec::new(),
            values: Vec::new(),
        };
        let cosmos = self.account.connect_to_account(plan, self.report).await?;
        self.account
            .until_stopped(list_places(&cosmos, groups))
            .await?
    }

    /// The container that is named, if one is.
    pub(in crate::command) async fn typed_place(&mut self) -> Option<Result<Place>> {
        let connect = &self.base.connect;
        if connect.database.is_empty() || connect.container.is_empty() {
            return None;
        }
        let names = ContainerNames {
            database: connect.database.clone(),
            container: connect.container.clone(),
        };
        Some(self.connect(&names).await)
    }

    async fn connect(&mut self, names: &ContainerNames) -> Result<Place> {
        let plan = of_container(&self.base, names, NamesFrom::Settings);
        let connected = self
            .account
            .connect(plan, connect_retries()?, self.report)
            .await?;
        let rid = connected.client.rid().to_owned();
        self.monitored.insert(rid.clone(), connected);
        Ok(Place {
            database: names.database.clone(),
            container: names.container.clone(),
            rid,
        })
    }

    /// The container at a place.
    ///
    /// # Errors
    ///
    /// If it cannot be connected.
    pub(in crate::command) async fn at(&mut self, place: &Place) -> Result<Connected> {
        if !self.monitored.contains_key(&place.rid) {
            let names = ContainerNames {
                database: place.database.clone(),
                container: place.container.clone(),
            };
            self.connect(&names).await?;
        }
        let connected = self.monitored.get(&place.rid);
        connected.cloned().with_context(|| {
            format!(
                "`{}/{}` was recreated meanwhile",
                place.database, place.container
            )
        })
    }

    /// The container that a group reads; none if it does not exist any more.
    ///
    /// # Errors
    ///
    /// If it cannot be connected.
    pub(in crate::command) async fn monitored(
        &mut self,
        group: &Group,
    ) -> Result<Option<Connected>> {
        let Some(place) = &group.place else {
            return Ok(None);
        };
        let place = place.clone();
        self.at(&place).await.map(Some)
    }

    /// The container that a group reads.
    ///
    /// # Errors
    ///
    /// If it does not exist any more, or cannot be connected.
    pub(in crate::command) async fn monitored_of(&mut self, group: &Group) -> Result<Connected> {
        self.monitored(group).await?.ok_or_else(|| {
            with_hint(
                anyhow!(
                    "the container that the group `{}` reads does not exist any more, or was recreated",
                    escape_for_terminal(&group.prefix.name)
                ),
                "its positions mean nothing in another container; a processor that starts there creates leases of its \
                 own",
            )
        })
    }

    /// Request units charged so far.
    pub(in crate::command) fn charged(&self) -> f64 {
        let monitored = self.monitored.values();
        let all = monitored.chain([&self.leases]);
        all.map(|connected| connected.client.traffic().exchanged().request_units())
            .sum()
    }
}

/// The container that a group reads, in messages.
fn place_name(group: &Group) -> Option<String> {
    let place = group.place.as_ref()?;
    Some(format!("{}/{}", place.database, place.container))
}

/// How far this machine's clock is ahead of the service's: whether a lease is held is a question of a minute. It is
/// taken to be right if the service does not say.
async fn clock_ahead(
    account: &Account,
    base: &ConnectionPlan,
    leases: &Connected,
    report: &Report,
) -> Result<time::Duration> {
    /// What the way of an answer explains.
    const TOLERATED: i64 = 5;
    let options = ConnectOptions {
        endpoint: leases.client.endpoint().clone(),
        ..base.connect.clone()
    };
    let answer = account.until_stopped(first_answer(&options)).await?;
    let ahead = answer.ok().and_then(|answer| answer.clock_ahead);
    let Some(ahead) = ahead.filter(|ahead| ahead.abs() > TOLERATED) else {
        return Ok(time::Duration::ZERO);
    };
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    report.warning(&format!(
        "the clock of this machine is {} s {side} the service's, which is taken into account",
        ahead.abs()
    ));
    Ok(time::Duration::seconds(ahead))
}

/// The plan of a container of the account. What there is to report is reported once.
fn of_container(
    base: &ConnectionPlan,
    names: &ContainerNames,
    names_from: NamesFrom,
) -> ConnectionPlan {
    ConnectionPlan {
        connect: ConnectOptions {
            database: names.database.clone(),
            container: names.container.clone(),
            names_from,
            ..base.connect.clone()
        },
        notices: Vec::new(),
        values: Vec::new(),
    }
}

/// The containers of those databases that groups name.
async fn list_places(cosmos: &CosmosAccount, groups: &[Group]) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for database in cosmos.databases().await? {
        let is_named = groups.iter().any(|group| match &group.prefix.target {
            Target::Rid(rid) => is_in(rid, &database.rid),
            Target::Names(names) => names.starts_with(&format!("{}_", database.name)),
        });
        if !is_named || !is_addressable(&database.name) {
            continue;
        }
        let containers = cosmos.containers(&database.name).await?;
        places.extend(containers.into_iter().flatten().map(|container| Place {
            database: database.name.clone(),
            container: container.name,
            rid: container.rid,
        }));
    }
    Ok(places)
}

/// Whether the RID of a container is in the database with this RID.
fn is_in(container: &str, database: &str) -> bool {
    crate::leases::database_rid(container).as_deref() == Some(database)
}
