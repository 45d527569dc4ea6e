//! Companions of a container: read beside its definition, and made beside a new container.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::future::join_all;

use super::account::CosmosAccount;
use super::arm::ArmOnDemand;
use super::client::CosmosClient;
use super::companion::{Companion, CompanionKind, Companions, Unread};
use super::companion_lists::{DENIED, Made, Owner, Way};
use super::container::Template;
use super::definition::ContainerDefinition;
use super::retry::Persistence;
use super::transport::Direct;
use crate::error::{Annotate, usage, with_further_hint, with_hint};

/// How long all companions of a container are waited for: no document depends on them.
const DEADLINE: Duration = Duration::from_secs(20);

/// What to do about keys that a container names, and that cannot be made.
const NAMED_KEYS: &str = "nothing was made, since its encrypted documents could not be read: replay with the keys of the \
                          source, which an account key or --via arm reads (`resume` adds them to an export), or make keys of \
                          these names in the database, with the same content";

/// The companions of a container, as far as they could be read.
#[derive(Debug, Default)]
pub struct ReadCompanions {
    /// Those that could be read.
    pub known: Companions,
    /// Kinds that could not, and why.
    pub unread: Vec<(CompanionKind, Unread)>,
}

/// What became of companions that were to be made.
#[derive(Debug, Default)]
pub struct MadeCompanions {
    /// Those that are new, with their kinds.
    pub new: Vec<String>,
    /// Those whose name is taken by another one, which stays as it is.
    pub kept: Vec<String>,
    /// What is doubtful about the client encryption keys of a container that existed before.
    pub key_doubt: Option<String>,
}

impl CosmosClient {
    /// The companions of the container, by the keys that its definition names. Transient errors are retried for a moment.
    pub async fn companions(&self, definition: &ContainerDefinition) -> ReadCompanions {
        let mut kinds = CompanionKind::SCRIPTS.to_vec();
        let mut found = ReadCompanions::default();
        let keys = definition.encryption_keys().unwrap_or_else(|error| {
            let unread = Unread::Failed(format!("{error:#}"));
            let kind = CompanionKind::ClientEncryptionKeys;
            found.unread.push((kind, unread));
            Vec::new()
        });
        if !keys.is_empty() {
            kinds.push(CompanionKind::ClientEncryptionKeys);
        }
        let read = Box::pin(self.read_companions(&kinds));
        let lists = match tokio::time::timeout(DEADLINE, read).await {
            Ok(Ok(lists)) => lists,
            Ok(Err(error)) => failed(&kinds, &format!("{error:#}")),
            Err(_) => {
                let seconds = DEADLINE.as_secs();
                failed(&kinds, &format!("no answer within {seconds} s"))
            }
        };
        for (kind, list) in kinds.into_iter().zip(lists) {
            let added = list.and_then(|all| {
                let all = match kind {
                    CompanionKind::ClientEncryptionKeys => named(all, &keys)?,
                    _ => all,
                };
                let added = found.known.add(kind, all);
                added.map_err(|error| Unread::Failed(format!("{error:#}")))
            });
            match added {
                Ok(()) => {}
                // The definition names them, so there are some.
                Err(Unread::NotSupported) if kind.is_of_database() => {
                    let reason = "the account does not know them".to_owned();
                    found.unread.push((kind, Unread::Failed(reason)));
                }
                Err(unread) => found.unread.push((kind, unread)),
            }
        }
        found
    }

    async fn read_companions(
        &self,
        kinds: &[CompanionKind],
    ) -> Result<Vec<Result<Vec<Companion>, Unread>>> {
        let way = self.way().await?;
        let lists = kinds.iter().map(|kind| way.list(self.owner(), *kind));
        Ok(join_all(lists).await)
    }

    /// Makes the scripts of `template` that the container lacks.
    ///
    /// # Errors
    ///
    /// If one is refused, or the existing ones cannot be read; the error has a hint.
    pub async fn make_scripts(&self, template: &Template) -> Result<MadeCompanions> {
        let mut made = MadeCompanions {
            key_doubt: self.key_doubt.clone(),
            ..MadeCompanions::default()
        };
        let wanted = |kind: &CompanionKind| {
            let all = template.companions.of(*kind).unwrap_or_default();
            (!all.is_empty()).then_some((*kind, all))
        };
        let kinds: Vec<_> = CompanionKind::SCRIPTS.iter().filter_map(wanted).collect();
        if kinds.is_empty() {
            return Ok(made);
        }
        let way = self.way().await?;
        for (kind, all) in kinds {
            make(&way, self.owner(), kind, all, template, &mut made).await?;
        }
        Ok(made)
    }

    /// Who is asked for companions.
    async fn way(&self) -> Result<Way<'_>> {
        way(self.via_arm.as_ref(), &self.direct, &self.persistence).await
    }

    fn owner(&self) -> Owner<'_> {
        Owner {
            database: self.database_name(),
            container: self.container_name(),
            rid: Some(self.rid()),
        }
    }
}

/// Who is asked: the control plane, if it is asked at all.
async fn way<'a>(
    via_arm: Option<&'a ArmOnDemand>,
    direct: &'a Direct,
    persistence: &'a Persistence,
) -> Result<Way<'a>> {
    Ok(match via_arm {
        Some(arm) => Way::Arm(arm.get(persistence).await?),
        None => Way::Account(direct, persistence),
    })
}

impl CosmosAccount {
    /// Makes the client encryption keys of `template` that the database lacks, before the container that names
    /// them. Returns what is doubtful about them if that container exists: then nothing is made.
    ///
    /// # Errors
    ///
    /// If one is refused, if a key of its name is wrapped differently, or if one is neither known nor there; the error has a
    /// hint.
    pub(super) async fn make_keys(&self, template: &Template) -> Result<Option<String>> {
        let kind = CompanionKind::ClientEncryptionKeys;
        let known = template.companions.of(kind).unwrap_or_default();
        let named = template.definition.encryption_keys();
        if known.is_empty() && named.as_ref().is_ok_and(Vec::is_empty) {
            return Ok(None);
        }
        let way = way(self.via_arm.as_ref(), &self.direct, &self.persistence).await?;
        let owner = Owner {
            database: &self.options.database,
            container: &self.options.container,
            rid: None,
        };
        let usable = async {
            let named = named
                .with_context(|| format!("cannot use the definition from {}", template.origin))
                .hint(NAMED_KEYS)?;
            let existing = way.list(owner, kind).await;
            let existing = existing.map_err(|unread| explained(&unread, kind, template))?;
            ensure_keys(known, &named, &existing, owner.database, &template.origin)
        };
        if let Err(error) = usable.await {
            return match self.has_container().await? {
                true => Ok(Some(format!("{error:#}"))),
                false => Err(error),
            };
        }
        let mut made = MadeCompanions::default();
        make(&way, owner, kind, known, template, &mut made).await?;
        match made.kept.is_empty() {
            true => Ok(None),
            false => Err(wrapped_differently(&made.kept, owner.database)),
        }
    }
}

/// Refuses a database in which the keys that a container names would not be those of its documents.
fn ensure_keys(
    known: &[Companion],
    named: &[String],
    existing: &[Companion],
    database: &str,
    origin: &str,
) -> Result<()> {
    let has = |all: &[Companion], name: &str| all.iter().any(|one| one.id() == name);
    let lost = named
        .iter()
        .filter(|name| !has(known, name) && !has(existing, name));
    let lost: Vec<String> = lost.map(|name| format!("{name:?}")).collect();
    ensure!(
        lost.is_empty(),
        usage(
            format!(
                "the container encrypts with keys that are not known from {origin}, and the database `{database}` has none \
                 of their names: {}",
                lost.join(", ")
            ),
            NAMED_KEYS,
        )
    );
    let others = known.iter().filter(|key| {
        let there = existing.iter().find(|one| one.id() == key.id());
        there.is_some_and(|there| !there.is_the_same_as(key))
    });
    let others: Vec<String> = others.map(|key| format!("{:?}", key.id())).collect();
    match others.is_empty() {
        true => Ok(()),
        false => Err(wrapped_differently(&others, database)),
    }
}

fn wrapped_differently(keys: &[String], database: &str) -> anyhow::Error {
    usage(
        format!(
            "the database `{database}` has keys of the names of the source that are wrapped differently: each may be another \
             key: {}",
            keys.join(", ")
        ),
        "documents that were encrypted with the key of the source cannot be read with another one: replay to a database \
         without a key of this name; if it is the same key, which was wrapped anew, create the container yourself",
    )
}

/// Makes those of a kind that the owner lacks.
async fn make(
    way: &Way<'_>,
    owner: Owner<'_>,
    kind: CompanionKind,
    wanted: &[Companion],
    template: &Template,
    made: &mut MadeCompanions,
) -> Result<()> {
    let list = async || {
        let list = way.list(owner, kind).await;
        list.map_err(|unread| explained(&unread, kind, template))
    };
    let mut existing = list().await?;
    for new in wanted {
        let name = format!("{} {:?}", kind.name(), new.id());
        let is_there = |all: &[Companion]| {
            let same_id = all.iter().find(|one| one.id() == new.id());
            same_id.map(|one| one.is_the_same_as(new))
        };
        let mut same = is_there(&existing);
        if same.is_none() {
            let created = way.create(owner, kind, new).await;
            let created = created
                .map_err(|error| with_further_hint(error, way_out(kind, template)))
                .with_context(|| format!("cannot create the {name}"))?;
            if created == Made::New {
                made.new.push(name);
                continue;
            }
            existing = list().await?;
            same = is_there(&existing);
        }
        if same != Some(true) {
            made.kept.push(name);
        }
    }
    Ok(())
}

/// What can be done about a companion that the target does not take.
fn way_out(kind: CompanionKind, template: &Template) -> String {
    if kind.is_of_database() {
        return format!("the definition is from {}", template.origin);
    }
    format!(
        "it is from {}: create one of this name yourself, which is then kept, or make a plain container: --create \
         --partition-key",
        template.origin
    )
}

/// The error of a target whose companions are not known.
fn explained(unread: &Unread, kind: CompanionKind, template: &Template) -> anyhow::Error {
    let names = kind.names();
    let what = format!("cannot create the {names}");
    match unread {
        Unread::Denied => with_hint(
            anyhow!("the credential does not cover those of the target"),
            DENIED,
        ),
        Unread::NotSupported => with_hint(
            anyhow!("the account of the target has no {names}"),
            way_out(kind, template),
        ),
        Unread::Failed(reason) => with_hint(
            anyhow!("those of the target could not be read: {reason}"),
            "try again later",
        ),
    }
    .context(what)
}

/// The keys of `all` that a definition names.
fn named(all: Vec<Companion>, names: &[String]) -> Result<Vec<Companion>, Unread> {
    let is_named = |one: &Companion| names.iter().any(|name| name == one.id());
    let found: Vec<Companion> = all.into_iter().filter(is_named).collect();
    let is_there = |name: &&String| found.iter().any(|one| one.id() == **name);
    match names.iter().find(|name| !is_there(name)) {
        None => Ok(found),
        Some(missing) => Err(Unread::Failed(format!(
            "the database has no key {missing:?}, which the container names"
        ))),
    }
}

fn failed(kinds: &[CompanionKind], reason: &str) -> Vec<Result<Vec<Companion>, Unread>> {
    let one = |_: &CompanionKind| Err(Unread::Failed(reason.to_owned()));
    kinds.iter().map(one).collect()
}
