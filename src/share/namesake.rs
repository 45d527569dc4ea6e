//! Processes of the same name: which of them ends.
//!
//! A process that starts takes all leases of its name, and whoever had them notices with its next write. Two that start
//! at the same time may both succeed, each with a part of them. So what decides is the first of all leases that their
//! name has, in the order of their ids: it has one owner only, who never ends for a namesake. Another process of the
//! name ends when it sees that the owner of the first lease is alive.

use std::collections::HashMap;

use anyhow::Result;

use super::instance::Instance;
use crate::error::usage;
use crate::escape::escape_for_terminal;
use crate::leases::{Group, Lease};

impl Instance<'_> {
    /// Looks whether another process of this name has leases, and warns of it. `is_known` says which are of this one.
    ///
    /// # Errors
    ///
    /// If this process is the one to end.
    pub(super) fn look_for_namesakes(
        &mut self,
        group: &Group,
        is_known: impl Fn(&Lease) -> bool,
    ) -> Result<()> {
        let store = &self.parts.store;
        let of_others = group
            .leases
            .iter()
            .filter(|lease| store.is_own(lease) && !is_known(lease) && !store.is_free(lease));
        let of_others = of_others.map(|lease| (lease.id.clone(), lease.etag.clone()));
        let seen: HashMap<String, Option<String>> = of_others.collect();
        // A lease that this process has just replaced or let go may be in a list that began before.
        let before = std::mem::replace(&mut self.namesakes, seen);
        let again = |id: &String| before.get(id);
        let is_seen_again = self.namesakes.keys().any(|id| again(id).is_some());
        if !is_seen_again {
            return Ok(());
        }
        // One that is written again has an owner that is alive. Of one that crashed, leases stay until they expire.
        let alive = self
            .namesakes
            .iter()
            .filter(|(id, etag)| again(id).is_some_and(|before| before != *etag));
        if let Some(first) = alive.map(|(id, _)| id.clone()).min() {
            self.ensure_first_of_name(&first)?;
        }
        let name = escape_for_terminal(&self.parts.store.instance).into_owned();
        self.warn_once(format!(
            "another instance of the group is named `{name}` too, or was until a moment ago; give each its own --instance"
        ));
        Ok(())
    }

    /// Ensures that this process has a lease that comes before this one, which another process of its name has.
    ///
    /// # Errors
    ///
    /// A usage error, with which this process ends.
    pub(super) fn ensure_first_of_name(&self, of_namesake: &str) -> Result<()> {
        let mut own = self.holdings.values().map(|holding| &*holding.lease.id);
        if own.any(|id| id < of_namesake) {
            return Ok(());
        }
        Err(usage(
            format!(
                "another instance of the group is named `{}` too, and has taken the leases of this one",
                escape_for_terminal(&self.parts.store.instance)
            ),
            "give each instance its own --instance; without it, each has a name of its own",
        ))
    }
}
