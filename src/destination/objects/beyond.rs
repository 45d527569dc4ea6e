//! What a place has that its state does not explain: the state is older than the objects, or is not the only one.

use anyhow::{Result, anyhow};

use super::super::committed::Committed;
use super::super::export_files::ExportFiles;
use super::super::orphans::{is_orphaned, marks_of};
use super::super::seam::Destination as _;
use super::super::shards::SHARDS_FILE;
use super::super::table::{GROUP_FILE, STATE_FILE, own_object};
use super::claim::{CLAIM, PlaceClaim};
use super::{MANIFEST, Objects};
use crate::error::with_hint;

impl Objects {
    /// Checks that the state knows of every manifest object: a state that was restored from a backup does not, and would
    /// write once more what has been published since. A manifest object has the number of the commit that sealed what it
    /// lists, so none is newer than the state.
    ///
    /// The commits by which starts made their ids known, before they had the place, do not count: meanwhile the process that had
    /// it could commit under the same numbers to the state that this one was copied from. Each of them has added an id. What
    /// such a commit has sealed itself is known.
    pub(super) fn ensure_explained(&self, committed: &Committed<'_>) -> Result<()> {
        let announced = committed.claims.len().saturating_sub(1) as u64;
        let generation = committed.generation.saturating_sub(announced);
        let own: Vec<u64> = committed
            .sealed
            .iter()
            .filter_map(|file| file.batch)
            .collect();
        let below = self.own(MANIFEST);
        let latest = format!("{below}{generation:010}.ndjson");
        let later = self
            .bucket
            .list_after(below.trim_end_matches('/'), &latest)?;
        let mut newer = later.into_iter().filter(|(name, _)| {
            let number = name
                .strip_prefix(&below)
                .and_then(|name| name.strip_suffix(".ndjson"));
            let number = number.filter(|number| number.len() == 10);
            let number: Option<u64> = number.and_then(|number| number.parse().ok());
            number.is_some_and(|number| number > generation && !own.contains(&number))
        });
        match newer.next_back() {
            Some((newest, _)) => Err(with_hint(
                anyhow!(
                    "the state is older than the objects at `{}`: it does not know all that is listed, up to `{}`",
                    self.bucket.address(),
                    self.display_of(&newest)
                ),
                "it is an earlier copy, and would write the same changes again: restore the latest state, or export to a \
                 new place",
            )),
            None => Ok(()),
        }
    }

    /// The marks of exports of the other kinds, which are no data: the state of one by itself, the claim of one whose state
    /// is elsewhere, what all shards of a plan have in common, and what all ranges of a group have.
    pub(super) fn marks_of_others(&self) -> [String; 3] {
        let address = self.bucket.address();
        let place = address.of_all();
        let state = || own_object(&place, STATE_FILE);
        let shards = || own_object(&place, SHARDS_FILE);
        let group = || own_object(&place, GROUP_FILE);
        let claim = || CLAIM.to_owned();
        match (address.shard(), address.range(), &self.claiming) {
            (Some(_), ..) => [state(), claim(), group()],
            (None, Some(_), _) => [state(), claim(), shards()],
            (None, None, Some(_)) => [state(), shards(), group()],
            (None, None, None) => [shards(), claim(), group()],
        }
    }

    /// Checks that no export of another kind has begun here: each looks when its own mark is there, so of two at once
    /// one stops, or both.
    pub(super) fn ensure_alone(&self, committed: &Committed<'_>) -> Result<()> {
        // Who has published has looked, and was here first.
        if committed.manifest.entries > 0 {
            return Ok(());
        }
        for other in self.marks_of_others() {
            if self.is_marked(&other)? {
                return Err(with_hint(
                    anyhow!(
                        "another export has begun at `{}` too: `{}` is there",
                        self.bucket.address(),
                        self.display_of(&other)
                    ),
                    self.way_out(&other),
                ));
            }
        }
        Ok(())
    }

    /// The error for objects of an export in this listing whose mark is not there any more: nobody knows up to where they
    /// have the changes.
    pub(super) fn missing_mark(&self, listed: &[(String, u64)]) -> Result<Option<anyhow::Error>> {
        let address = self.bucket.address();
        let place = address.of_all();
        let names = || listed.iter().map(|(name, _)| name.as_str());
        let (marks, there) = match address.is_whole() {
            true => marks_of(&place, names()),
            false => (vec![self.own(STATE_FILE)], None),
        };
        let own = self.own("");
        let is_own = |name: &&str| self.part_of(name).is_some() || name.starts_with(&own);
        let Some(there) = there.or_else(|| names().find(is_own)) else {
            return Ok(None);
        };
        for mark in &marks {
            // It may have come since.
            if self.bucket.length(mark)?.is_some() {
                return Ok(None);
            }
        }
        Ok(Some(is_orphaned(&place, there, &marks)))
    }

    /// What to do about two exports of which neither may continue: which object is in the way.
    fn way_out(&self, other: &str) -> String {
        let address = self.bucket.address();
        let (other, own) = (self.display_of(other), self.display_of(&self.own_mark()));
        match (address.shard(), address.range()) {
            (Some(_), _) => "this one has published nothing: export to another path".to_owned(),
            (None, Some(_)) => format!(
                "nothing of this range is published: if that export has ended, and has published nothing, delete `{other}`, and \
                 the group continues; otherwise end its instances, give the group another place, and delete `{own}`"
            ),
            (None, None) => format!(
                "this one has published nothing: export to another path, and delete `{own}`, so that the other one can continue"
            ),
        }
    }

    /// The object that says that this export has begun here.
    fn own_mark(&self) -> String {
        let address = self.bucket.address();
        let place = address.of_all();
        match (address.range(), &self.claiming) {
            (Some(_), _) => own_object(&place, GROUP_FILE),
            (None, Some(_)) => CLAIM.to_owned(),
            (None, None) => own_object(&place, STATE_FILE),
        }
    }

    /// Whether the mark of another kind is there. A claim that was withdrawn is none, and a damaged one is one.
    fn is_marked(&self, mark: &str) -> Result<bool> {
        let is_there = self.bucket.length(mark)?.is_some();
        if !is_there || mark != CLAIM {
            return Ok(is_there);
        }
        Ok(PlaceClaim::read(&self.bucket).map_or(true, |claim| claim.is_some()))
    }
}
