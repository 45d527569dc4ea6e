//! What a place has that its state does not explain: the state is older than the objects, or is not the only one.

use anyhow::{Result, anyhow};

use super::super::committed::Committed;
use super::super::export_files::ExportFiles;
use super::super::shards::SHARDS_FILE;
use super::super::table::{GROUP_FILE, STATE_FILE, own_object};
use super::claim::{CLAIM, PlaceClaim};
use super::{MANIFEST, Objects};
use crate::error::with_hint;

impl Objects {
    /// Checks that the state knows of every manifest object: a state that was restored from a backup does not, and would
    /// write once more what has been published since. A manifest object has the number of the commit that sealed what it
    /// lists, so none is newer than the state.
    pub(super) fn ensure_explained(&self, committed: &Committed<'_>) -> Result<()> {
        let below = self.own(MANIFEST);
        let latest = format!("{below}{:010}.ndjson", committed.generation);
        let later = self
            .bucket
            .list_after(below.trim_end_matches('/'), &latest)?;
        let mut newer = later.into_iter().filter(|(name, _)| {
            let number = name
                .strip_prefix(&below)
                .and_then(|name| name.strip_suffix(".ndjson"));
            let number = number.filter(|number| number.len() == 10);
            let number: Option<u64> = number.and_then(|number| number.parse().ok());
            number.is_some_and(|number| number > committed.generation)
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

    /// What to do about two exports of which neither may go on: which object is in the way of which.
    fn way_out(&self, other: &str) -> String {
        let address = self.bucket.address();
        let (other, own) = (self.display_of(other), self.display_of(&self.own_mark()));
        match (address.shard(), address.range()) {
            (Some(_), _) => "this one has published nothing: export to another path".to_owned(),
            (None, Some(_)) => format!(
                "nothing of this range is published: if that export has ended, and has published nothing, delete `{other}`, and \
                 the group goes on; otherwise end its instances, give the group another place, and delete `{own}`"
            ),
            (None, None) => format!(
                "this one has published nothing: export to another path, and delete `{own}`, so that the other one can go on"
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
