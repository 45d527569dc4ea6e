//! A place that a group writes to: what all of its ranges have in common.
//!
//! It is an object that the first instance creates, and that never changes; the others compare. Each range has a state of its
//! own beside it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::file::Form;
use super::model::JobKind;
use super::plan_file::PlannedOptions;
use crate::destination::{GROUP_FILE, own_object};
use crate::error::usage;
use crate::feed::{ContainerAddress, RecordForm};
use crate::objects::{self, Address, Created};

const FORM: Form = Form {
    name: "cosmos-tail group",
    version: 1,
    start_over: "write to a new place, with another group",
};

/// Options beside those that a state keeps which decide what is written, by their names. Of a program it is a checksum.
pub type Shaping = BTreeMap<String, String>;

/// What all ranges of a group have in common that are written to one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupPlace {
    /// Identifies the place.
    pub place_id: uuid::Uuid,
    /// When it was begun, by the clock of the machine.
    #[serde(with = "time::serde::rfc3339")]
    pub created: time::OffsetDateTime,
    /// The group.
    pub group: String,
    /// The container of its leases.
    pub leases: ContainerAddress,
    /// What is read.
    pub source: ContainerAddress,
    /// Whether it is an export or a tail.
    pub kind: JobKind,
    /// What all files have in common.
    pub options: PlannedOptions,
    /// What the lines of a tail are, if they are all of one form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordForm>,
    /// What else decides what is written; absent if an older build has begun it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shaping: Option<Shaping>,
}

impl GroupPlace {
    /// What is said of the place at `address`; none if no group writes there.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is of a newer build.
    pub fn at(address: &Address) -> Result<Option<Self>> {
        let name = own_object(&address.of_all(), GROUP_FILE);
        let text = objects::read(address, &name)?;
        let parse = |text: Vec<u8>| {
            let place = FORM.parse(&text);
            place.with_context(|| format!("`{}` cannot be used", address.of(&name)))
        };
        text.map(parse).transpose()
    }

    /// The object that says so of the place at `address`, for people.
    pub fn object_at(address: &Address) -> String {
        address.of(&own_object(&address.of_all(), GROUP_FILE))
    }

    /// Marks the place at `address` as that of this group. Returns what is there, which another instance may have written.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or what is there cannot be read.
    pub fn mark(self, address: &Address) -> Result<Self> {
        let name = own_object(&address.of_all(), GROUP_FILE);
        let text = FORM.render(&self)?;
        let created = objects::create("object.manifest", address, &name, &text);
        match created.with_context(|| format!("cannot write `{}`", address.of(&name)))? {
            Created::Done => Ok(self),
            Created::Exists(_) => Self::at(address)?.context("it is gone"),
        }
    }

    /// Checks that a place that was found is the one of this group, written in the same way.
    ///
    /// # Errors
    ///
    /// A usage error if it is not.
    pub fn ensure_same(&self, found: &Self, address: &Address) -> Result<()> {
        const OTHER: &str = "choose another place, with another group";
        let same = |a: &ContainerAddress, b: &ContainerAddress| {
            a.endpoint == b.endpoint && a.container_rid == b.container_rid
        };
        let shown = |one: &ContainerAddress| {
            let shown = format!("{}/{}", one.database, one.container);
            format!("{} (RID {})", shown.escape_debug(), one.container_rid)
        };
        let group = |place: &Self| format!("`{}`", place.group.escape_debug());
        let differs = |what: &str, there: String, own: String| {
            usage(format!("`{address}` has {what} {there}, not {own}"), OTHER)
        };
        if found.group != self.group {
            return Err(differs("the files of the group", group(found), group(self)));
        }
        if !same(&found.source, &self.source) {
            let (there, own) = (shown(&found.source), shown(&self.source));
            return Err(differs("the changes of", there, own));
        }
        if !same(&found.leases, &self.leases) {
            let (there, own) = (shown(&found.leases), shown(&self.leases));
            return Err(differs("the files of a group with the leases", there, own));
        }
        const ALIKE: &str = "all instances of a group write alike: give the same command and options as the first one; or \
                             write in another way to another place, with another group";
        let command = |place: &Self| match place.kind {
            JobKind::Export => "`export`".to_owned(),
            JobKind::Tail => "`tail`".to_owned(),
        };
        let lines = |place: &Self| match place.records {
            Some(form) => form.to_string(),
            None => "lines of another form".to_owned(),
        };
        let differs = if found.kind != self.kind {
            Some((format!("by {}", command(found)), command(self)))
        } else if let Some(differing) = self.differing_shaping(found) {
            Some(differing)
        } else if found.records != self.records {
            Some((format!("as {}", lines(found)), lines(self)))
        } else {
            self.options.differs_from(&found.options)
        };
        if let Some((there, own)) = differs {
            let what = format!("the files at `{address}` are written {there}, not {own}");
            return Err(usage(what, ALIKE));
        }
        if !self.options.writes_as(&found.options) {
            return Err(usage(
                format!(
                    "the files at `{address}` are written with other columns (--schema, --columns, --system-fields, --sample)"
                ),
                ALIKE,
            ));
        }
        Ok(())
    }

    /// The first other option that decides what is written in which `found` differs: as it has it, and as this one has it.
    fn differing_shaping(&self, found: &Self) -> Option<(String, String)> {
        let there = found.shaping.as_ref()?;
        let none = Shaping::new();
        let own = self.shaping.as_ref().unwrap_or(&none);
        let option = |all: &Shaping, name: &str| match all.get(name) {
            Some(value) => format!("with --{name} {}", value.escape_debug()),
            None => format!("without --{name}"),
        };
        let mut names = own.keys().chain(there.keys());
        let name = names.find(|name| own.get(*name) != there.get(*name))?;
        Some((option(there, name), option(own, name)))
    }

    /// The error of a command that works on one export.
    pub fn are_many(&self, named: &str) -> anyhow::Error {
        usage(
            format!(
                "`{named}` is written by the instances of the group `{}`, with a state for each range",
                self.group.escape_debug()
            ),
            "an instance that is started again continues: export --follow --group NAME --leases DATABASE/CONTAINER -o ADDRESS; \
             `verify ADDRESS` checks all of them",
        )
    }
}
