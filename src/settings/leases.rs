//! What the commands on leases do, resolved.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::endpoint::check_name;
use super::given::Given;
use super::table;
use crate::cli::choices::LeaseFormat;
use crate::cli::times::LeaseStart;
use crate::error::usage;
use crate::report::TableFormat;

/// A container of the account, by its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerNames {
    /// Its database.
    pub database: String,
    /// Its name.
    pub container: String,
}

impl ContainerNames {
    /// The lease container of `--leases`.
    ///
    /// # Errors
    ///
    /// A usage error if it is not two names.
    pub(super) fn of_leases(text: &str) -> Result<Self> {
        let (database, container) = text.split_once('/').ok_or_else(|| {
            usage(
                format!("`{text}` has no database"),
                "use --leases DATABASE/CONTAINER, such as shop/leases",
            )
        })?;
        Ok(Self {
            database: check_name("database", database)?,
            container: check_name("container", container)?,
        })
    }
}

/// What `leases list` and `leases check` look at.
#[derive(Debug)]
pub struct LeasesPlan {
    /// The lease container.
    pub leases: ContainerNames,
    /// The group, if one is named.
    pub group: Option<String>,
    /// After how long a lease that is not renewed is free.
    pub expiration: Duration,
    /// How long a change may wait before its lease is stuck.
    pub stuck_after: Duration,
    /// Whether to print whole names.
    pub wide: bool,
    /// The pause before they are listed again; none to list them once.
    pub watch: Option<Duration>,
    /// Whether what may pass by itself fails a check too.
    pub strict: bool,
    /// How to print it.
    pub format: TableFormat,
}

impl LeasesPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If the lease container is not two names.
    pub fn new(given: &Given) -> Result<Self> {
        Ok(Self {
            leases: ContainerNames::of_leases(&given.get(&table::LEASE_CONTAINER)?)?,
            group: given.typed(&table::LEASE_GROUP),
            expiration: given.get(&table::EXPIRATION_INTERVAL)?,
            stuck_after: given.get(&table::STUCK_AFTER)?,
            wide: given.is_on(&table::LEASES_WIDE),
            watch: given.typed(&table::LEASES_WATCH),
            strict: given.is_on(&table::STRICT_CHECK),
            format: given.get(&table::TABLE_FORMAT)?,
        })
    }
}

/// What is done with one group.
#[derive(Debug)]
pub struct GroupPlan {
    /// The lease container.
    pub leases: ContainerNames,
    /// The group.
    pub group: String,
    /// After how long a lease that is not renewed is free.
    pub expiration: Duration,
    /// Which of its leases; all if none is named.
    pub ranges: Vec<String>,
    /// Whether leases are taken from instances that have them.
    pub force: bool,
    /// Whether to change nothing.
    pub dry_run: bool,
}

impl GroupPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If the lease container is not two names, or no group is named.
    pub fn new(given: &Given) -> Result<Self> {
        Ok(Self {
            leases: ContainerNames::of_leases(&given.get(&table::LEASE_CONTAINER)?)?,
            group: given.typed(&table::ONE_GROUP).ok_or_else(|| {
                usage(
                    "no group is named",
                    "name it with --group; `cosmos-tail leases list` prints the groups of a lease container",
                )
            })?,
            expiration: given.get(&table::EXPIRATION_INTERVAL)?,
            ranges: given.list(&table::LEASE_RANGE),
            force: given.is_on(&table::FORCE_LEASES),
            dry_run: given.is_on(&table::DRY_RUN_LEASES),
        })
    }
}

/// Where leases are reset to.
#[derive(Debug)]
pub struct ResetPlan {
    /// The new position.
    pub to: LeaseStart,
    /// For how long to look at leases again that were taken from instances.
    pub settle: Duration,
}

impl ResetPlan {
    /// Resolves what was given for a group.
    ///
    /// # Errors
    ///
    /// A usage error if there is none, and for an LSN without a lease.
    pub fn new(given: &Given, group: &GroupPlan) -> Result<Self> {
        let to = given.typed(&table::RESET_TO).ok_or_else(|| {
            usage(
                "the new position is not given",
                "--to beginning, --to now, --to 2026-11-23, --to 1h, or with --range an LSN",
            )
        })?;
        if matches!(to, LeaseStart::Etag(_)) && group.ranges.len() != 1 {
            return Err(usage(
                "an LSN counts the transactions of one partition, so it is a position of one lease",
                "name the lease with --range, as `cosmos-tail leases list` prints it",
            ));
        }
        Ok(Self {
            to,
            settle: given.get(&table::SETTLE)?,
        })
    }
}

/// Where leases begin that a repair creates.
///
/// # Errors
///
/// A usage error for an LSN.
pub fn repair_start(given: &Given) -> Result<LeaseStart> {
    let to = given.get(&table::REPAIR_TO)?;
    if matches!(to, LeaseStart::Etag(_)) {
        return Err(usage(
            "an LSN counts the transactions of one partition, and a repair may create several leases",
            "repair with --to now or --to beginning, and then reset each lease: `cosmos-tail leases reset --range`",
        ));
    }
    Ok(to)
}

/// What `leases import` creates.
#[derive(Debug)]
pub struct ImportPlan {
    /// The file, or `-`.
    pub path: PathBuf,
    /// Whose leases.
    pub format: LeaseFormat,
}

impl ImportPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// None: all values have been checked.
    pub fn new(given: &Given) -> Result<Self> {
        Ok(Self {
            path: given.get(&table::IMPORTED)?,
            format: given.get(&table::LEASE_FORMAT)?,
        })
    }
}

/// What `leases adopt` makes of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdoptPlan {
    /// The leases of a group from this state, in this form.
    FromState(PathBuf, LeaseFormat),
    /// A state from the leases of a group.
    ToState(PathBuf),
    /// The leases of this form from those of another.
    ToFormat(LeaseFormat),
}

impl AdoptPlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// A usage error if nothing was.
    pub fn new(given: &Given) -> Result<Self> {
        let format = given.typed(&table::LEASE_FORMAT);
        if let Some(path) = given.typed(&table::FROM_STATE) {
            return Ok(Self::FromState(path, format.unwrap_or(LeaseFormat::Dotnet)));
        }
        if let Some(path) = given.typed(&table::TO_STATE) {
            return Ok(Self::ToState(path));
        }
        format.map(Self::ToFormat).ok_or_else(|| {
            usage(
                "it is not said what is to become of the group",
                "--from-state FILE creates it from a state, --to-state FILE makes a state of it, and --lease-format \
                 java or dotnet makes its leases those of the other SDK",
            )
        })
    }
}
