//! How an instance shares a feed with others, resolved.

use std::time::Duration;

use anyhow::Result;

use super::given::Given;
use super::leases::ContainerNames;
use super::table;
use crate::cli::choices::{LeaseFormat, WriteMode};
use crate::cli::location::Location;
use crate::cli::values::Speed;
use crate::error::usage;
use crate::process;
use crate::report::SummaryFormat;

/// The shortest time after which leases expire: the service says in whole seconds when one was written.
const MIN_EXPIRATION: Duration = Duration::from_secs(2);

/// The longest name of an instance, in bytes.
const MAX_NAME: usize = 200;

/// How an instance shares a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharePlan {
    /// The group.
    pub group: String,
    /// The lease container.
    pub leases: ContainerNames,
    /// The name of this instance.
    pub instance: String,
    /// Whose leases.
    pub format: LeaseFormat,
    /// Between two looks at the group.
    pub acquire: Duration,
    /// After which a lease is renewed.
    pub renew: Duration,
    /// After which a lease that is not renewed is free.
    pub expiration: Duration,
}

impl SharePlan {
    /// Resolves what was given; none if nothing is shared.
    ///
    /// # Errors
    ///
    /// A usage error if something was given that ranges which move between instances do not have, or if the intervals
    /// do not fit each other.
    pub fn new(given: &Given) -> Result<Option<Self>> {
        let Some(group) = given.typed(&table::SHARED_GROUP) else {
            return Ok(None);
        };
        ensure_shareable(given)?;
        Self::of_group(group, given).map(Some)
    }

    /// The same for an export.
    ///
    /// # Errors
    ///
    /// As [`SharePlan::new`].
    pub fn of_export(given: &Given) -> Result<Option<Self>> {
        let Some(group) = given.typed(&table::SHARED_GROUP) else {
            if given.is_on(&table::SHARD_REPAIR) && given.typed(&table::EXPORT_PLAN).is_none() {
                return Err(usage(
                    "--repair is for what an earlier process has written",
                    "leave it out; to repair an export, `cosmos-tail resume --repair`; with --plan or --group, the same \
                     command with --repair",
                ));
            }
            return Ok(None);
        };
        ensure_shareable_export(given)?;
        Self::of_group(group, given).map(Some)
    }

    /// The same for a replay.
    ///
    /// # Errors
    ///
    /// As [`SharePlan::new`].
    pub(super) fn of_replay(given: &Given) -> Result<Option<Self>> {
        let Some(group) = given.typed(&table::SHARED_GROUP) else {
            return Ok(None);
        };
        ensure_shareable_replay(given)?;
        Self::of_group(group, given).map(Some)
    }

    fn of_group(group: String, given: &Given) -> Result<Self> {
        let plan = Self {
            group,
            leases: ContainerNames::of_leases(&given.get(&table::SHARED_LEASES)?)?,
            instance: match given.typed(&table::INSTANCE) {
                Some(name) => name,
                None => default_name(),
            },
            format: given.get(&table::SHARED_LEASE_FORMAT)?,
            acquire: given.get(&table::ACQUIRE_INTERVAL)?,
            renew: given.get(&table::RENEW_INTERVAL)?,
            expiration: given.get(&table::SHARED_EXPIRATION)?,
        };
        plan.ensure_names_fit()?;
        plan.ensure_intervals_fit()?;
        Ok(plan)
    }

    fn ensure_names_fit(&self) -> Result<()> {
        // They become part of ids, which are part of addresses.
        let forbidden = |c: char| c.is_control() || "/\\?#%".contains(c);
        if self.group.len() > MAX_NAME || self.group.contains(forbidden) {
            return Err(usage(
                "the name of a group becomes part of the ids of its leases, which are short and have no / \\ ? # %",
                "name it with letters and digits: --group orders",
            ));
        }
        let name = &self.instance;
        if name.is_empty() || name.len() > MAX_NAME || name.contains(char::is_control) {
            return Err(usage(
                "the name of an instance has at least one character, at most 200 bytes, and no control characters",
                "name it with letters and digits: --instance worker-1",
            ));
        }
        if name.chars().any(char::is_uppercase) {
            return Err(usage(
                format!(
                    "`{name}` is not in lower case, which processors of .NET take for different instances"
                ),
                format!("--instance {}", name.to_lowercase()),
            ));
        }
        if is_like_a_time(name) {
            return Err(usage(
                format!(
                    "`{name}` looks like a time, which processors of .NET change when they read it"
                ),
                "begin the name with a letter: --instance worker-1",
            ));
        }
        Ok(())
    }

    fn ensure_intervals_fit(&self) -> Result<()> {
        let shown = |duration: Duration| humantime::format_duration(duration).to_string();
        if self.expiration < MIN_EXPIRATION {
            return Err(usage(
                format!("leases cannot expire after {}", shown(self.expiration)),
                format!("--expiration-interval {} or more", shown(MIN_EXPIRATION)),
            ));
        }
        if self.renew.is_zero() || self.renew > self.expiration / 2 {
            return Err(usage(
                format!(
                    "a lease that is renewed every {} and expires after {} would be lost with one renewal that fails",
                    shown(self.renew),
                    shown(self.expiration)
                ),
                "renew it at least twice before it expires: --renew-interval",
            ));
        }
        if self.acquire.is_zero() {
            return Err(usage(
                "--acquire-interval cannot be zero",
                "--acquire-interval 13s is the default",
            ));
        }
        Ok(())
    }
}

/// Refuses what does not fit ranges that move between instances.
fn ensure_shareable(given: &Given) -> Result<()> {
    if given.typed(&table::TAIL_STATE).is_some() {
        return refuse(
            "--state",
            "the positions of a group are in its leases",
            "leave out --state; --from says where a new group begins",
        );
    }
    if let Some(location) = given.typed(&table::TAIL_OUTPUT) {
        ensure_is_shared(&location)?;
    }
    if given.is_on(&table::UNTIL_CAUGHT_UP) || given.typed(&table::TAIL_UNTIL).is_some() {
        return refuse(
            "an end in time",
            "an instance does not know how far the ranges of others are",
            "leave it out; `cosmos-tail lag --group` shows how far the group is",
        );
    }
    if !given.list(&table::PARTITION_KEY).is_empty() || !given.list(&table::RANGE).is_empty() {
        return refuse(
            "--partition-key and --range",
            "the leases of a group cover the whole container",
            "filter what is printed with --jq; or tail without --group",
        );
    }
    Ok(())
}

/// Refuses an output that several instances cannot write to without harm.
fn ensure_is_shared(location: &Location) -> Result<()> {
    match location {
        Location::Objects(_) => Ok(()),
        Location::Local(_) => refuse(
            "a file or a directory",
            "an instance that was paused could write to it when another one has its ranges, and no file system refuses that",
            "write to an object store, which does: -o az://CONTAINER/PATH/ or s3://BUCKET/PATH/; or let `tail` print, which \
             is at least once: `tail --group … > FILE`",
        ),
        Location::StandardStream => refuse(
            "-o -",
            "a pipe gets each change at least once, and an export is exactly once",
            "`tail --group …` prints; or write to an object store: -o az://CONTAINER/PATH/",
        ),
    }
}

/// The same for an export.
fn ensure_shareable_export(given: &Given) -> Result<()> {
    if !given.is_on(&table::FOLLOW) {
        return refuse(
            "an export that ends",
            "an instance does not know how far the ranges of others are",
            "add --follow; or share an export that ends by a plan: `cosmos-tail plan`, `export --plan`",
        );
    }
    ensure_is_shared(&given.get(&table::EXPORT_OUTPUT)?)?;
    if given.typed(&table::EXPORT_STATE).is_some() {
        return refuse(
            "--state",
            "the state of each range is among the objects, where all instances find it",
            "leave --state out; --from says where a new group begins",
        );
    }
    if given.is_on(&table::FORCE) {
        return refuse(
            "--force",
            "other instances may write there",
            "write to a new place, with another group; or stop all instances, and delete the objects and the leases",
        );
    }
    if given.is_on(&table::SNAPSHOT) {
        return refuse(
            "--snapshot",
            "a lease has one position, and a snapshot with its changes has two",
            "export the snapshot first, without --group",
        );
    }
    if given.get(&table::SUMMARY)? == SummaryFormat::Json {
        return refuse(
            "--summary json",
            "an instance has a part of the export, which has no end",
            "leave it out; `cosmos-tail verify ADDRESS --format json` says what is there",
        );
    }
    Ok(())
}

/// The same for a replay.
fn ensure_shareable_replay(given: &Given) -> Result<()> {
    if given.typed(&table::FROM_CONTAINER).is_none() || !given.is_on(&table::REPLAY_FOLLOW) {
        return refuse(
            "a replay that ends",
            "an instance does not know how far the ranges of others are",
            "share a replay that follows a container: --from-container DATABASE/CONTAINER --follow",
        );
    }
    if given.typed(&table::POSITION).is_some() {
        return refuse(
            "--state",
            "the positions of a group are in its leases",
            "leave out --state; --from says where a new group begins",
        );
    }
    if given.get(&table::WRITE_MODE)? != WriteMode::Upsert {
        return refuse(
            "--write-mode",
            "what another instance wrote would be taken for a document of somebody else",
            "leave it out: each document becomes the newest version of the source",
        );
    }
    if given.is_on(&table::DRY_RUN) {
        return refuse(
            "--dry-run",
            "whoever has a lease keeps others from applying its changes",
            "leave one of them out",
        );
    }
    if given.is_on(&table::REPLAY_SNAPSHOT) {
        return refuse(
            "--snapshot",
            "a lease has one position, and a snapshot with its changes has two",
            "replay the snapshot first, without --follow and with --state",
        );
    }
    if given.typed(&table::SINCE).is_some() || given.typed(&table::REPLAY_UNTIL).is_some() {
        return refuse(
            "--since or --until",
            "the group would keep positions after changes that nobody has applied",
            "leave them out; --from says where a new group begins",
        );
    }
    let has_letters = given.typed(&table::DEAD_LETTER).is_some();
    if !has_letters && given.typed(&table::MAX_ERRORS).is_some_and(|max| max > 0) {
        return refuse(
            "--max-errors without --dead-letter",
            "the group goes on after a change that was refused, and nothing would say which",
            "keep refused changes: --dead-letter FILE, a file of its own for each instance",
        );
    }
    if given.get(&table::SPEED)? != Speed::Max {
        return refuse(
            "--speed",
            "a change that waits would not be applied when its lease moves",
            "leave it out",
        );
    }
    Ok(())
}

fn refuse(flag: &str, why: &str, hint: &str) -> Result<()> {
    Err(usage(
        format!("{flag} cannot be used with --group: {why}"),
        hint,
    ))
}

/// A name that no other instance has.
fn default_name() -> String {
    let host = process::host_name().unwrap_or_default();
    let host: String = host
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .take(60)
        .collect();
    let host = match host.is_empty() || is_like_a_time(&host) {
        true => "instance",
        false => &host,
    };
    format!("{host}-{:08x}", fastrand::u32(..))
}

/// Whether a text begins as a date does.
fn is_like_a_time(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let is_number = |part: Option<&str>, digits: usize| {
        part.is_some_and(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))
    };
    is_number(parts.next(), 4) && is_number(parts.next(), 2) || text.starts_with("/date(")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(instance: &str, group: &str) -> SharePlan {
        SharePlan {
            group: group.to_owned(),
            leases: ContainerNames::of_leases("shop/leases").unwrap(),
            instance: instance.to_owned(),
            format: LeaseFormat::Dotnet,
            acquire: Duration::from_secs(13),
            renew: Duration::from_secs(17),
            expiration: Duration::from_secs(60),
        }
    }

    #[test]
    fn names_that_an_sdk_would_change_or_that_no_id_can_have_are_refused() {
        for name in ["worker-1", "a", "10.0.0.7", "2026", "é", "pod-2026-11-28t"] {
            plan(name, "orders").ensure_names_fit().unwrap();
        }
        for name in ["", "Worker", "2026-11-28t12:00:00z", "2026-11", "a\nb"] {
            assert!(plan(name, "orders").ensure_names_fit().is_err(), "{name}");
        }
        for group in ["a/b", "a?b", "50%", "a\u{7}"] {
            assert!(plan("a", group).ensure_names_fit().is_err(), "{group}");
        }
        plan("a", "").ensure_names_fit().unwrap();
        plan(&default_name(), "").ensure_names_fit().unwrap();
    }

    #[test]
    fn intervals_leave_time_for_a_second_renewal() {
        let with = |renew: u64, expiration: u64| SharePlan {
            renew: Duration::from_millis(renew),
            expiration: Duration::from_millis(expiration),
            ..plan("a", "orders")
        };
        with(17_000, 60_000).ensure_intervals_fit().unwrap();
        with(1_000, 2_000).ensure_intervals_fit().unwrap();
        for (renew, expiration) in [(0, 60_000), (31_000, 60_000), (500, 1_000)] {
            assert!(with(renew, expiration).ensure_intervals_fit().is_err());
        }
    }
}
