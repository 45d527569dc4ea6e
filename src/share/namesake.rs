//! Processes of the same name: which of them ends.
//!
//! A process that starts takes all leases of its name, and whoever had them notices with its next write. Two that start
//! at the same time may both succeed, each with a part of them. So what decides is the first of all leases that their
//! name has, in the order of their ids: it has one owner only, who never ends for a namesake. Another process of the
//! name ends when a list shows that it has none before a lease whose owner is alive. It decides when it gets a list, since
//! it takes no lease at that moment: what it may still have counts as its own.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::instance::Instance;
use crate::error::usage;
use crate::escape::escape_for_terminal;
use crate::leases::{Group, Lease};
use crate::process;

impl Instance<'_> {
    /// Looks whether other processes of this name have leases, and warns of it. `is_own` says which this one has, or takes
    /// back.
    ///
    /// # Errors
    ///
    /// If this process is the one to end.
    pub(super) fn look_for_namesakes(
        &mut self,
        group: &Group,
        is_own: impl Fn(&Lease) -> bool,
    ) -> Result<()> {
        let store = &self.parts.store;
        let is_of_other = |lease: &&Lease| {
            store.is_own(lease) && !store.is_mine(lease) && !is_own(lease) && !store.is_free(lease)
        };
        let of_others = group.leases.iter().filter(is_of_other);
        let of_others = of_others.map(|lease| (lease.id.clone(), lease.etag.clone()));
        let seen: HashMap<String, Option<String>> = of_others.collect();
        // A list may be from before a lease was taken.
        let is_before = |lease: &&Lease| store.is_mine(lease);
        let mine = group.leases.iter().filter(is_before);
        let mine: HashSet<&str> = mine.map(|lease| &*lease.id).collect();
        let mut taken = std::mem::take(&mut self.namesakes.taken);
        let before = std::mem::replace(&mut self.namesakes.seen, seen);
        // One that is written again has an owner that is alive. Of one that crashed, leases stay until they expire.
        let is_alive = |(id, etag): &(&String, &Option<String>)| {
            taken.contains(*id) || before.get(*id).is_some_and(|before| before != *etag)
        };
        let alive = self.namesakes.seen.iter().filter(is_alive);
        let first = alive.map(|(id, _)| id).min();
        if let Some(first) = first {
            let held = self.holdings.values().map(|holding| &holding.lease.id);
            let back = group.leases.iter().filter(|lease| is_own(lease));
            let mut own = held.chain(back.map(|lease| &lease.id));
            if !own.any(|id| id < first) {
                return Err(self.namesake());
            }
        }
        taken.retain(|id| mine.contains(&**id));
        self.namesakes.taken = taken;
        if self.namesakes.seen.keys().any(|id| before.contains_key(id)) {
            let name = escape_for_terminal(&self.parts.store.instance).into_owned();
            self.warn_once(format!(
                "another instance of the group is named `{name}` too, or was until a moment ago; give each its own \
                 --instance"
            ));
        }
        Ok(())
    }

    /// Another process of this name has taken a lease. If this one may have none before it, the group is listed, which
    /// decides.
    pub(super) fn taken_by_namesake(&mut self, id: &str) {
        let mut own = self.holdings.values().map(|holding| &*holding.lease.id);
        if !own.any(|own| own < id) {
            self.balance_at = process::since_boot();
        }
        self.namesakes.taken.insert(id.to_owned());
    }

    fn namesake(&self) -> anyhow::Error {
        usage(
            format!(
                "another instance of the group is named `{}` too, and has taken the leases of this one",
                escape_for_terminal(&self.parts.store.instance)
            ),
            "give each instance its own --instance; without it, each has a name of its own",
        )
    }
}
