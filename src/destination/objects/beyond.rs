//! What a place has that its state does not explain: the state is older than the objects, or is not the only one.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};

use super::super::committed::Committed;
use super::super::export_files::ExportFiles;
use super::super::table::STATE_OBJECT;
use super::claim::CLAIM;
use super::{MANIFEST, Objects};
use crate::error::with_hint;

impl Objects {
    /// Checks that the state knows of every manifest object: a state that was restored from a backup does not, and would
    /// write once more what has been published since.
    pub(super) fn ensure_explained(&self, committed: &Committed<'_>) -> Result<()> {
        let own = committed.sealed.iter().filter_map(|file| file.batch);
        // They may be listed already, which no commit has recorded; their bytes are compared then.
        let own: BTreeSet<u64> = own.collect();
        let mut counted = 0;
        let mut newest = None;
        for (name, length) in self.bucket.list(MANIFEST.trim_end_matches('/'))? {
            let number = name
                .strip_prefix(MANIFEST)
                .and_then(|name| name.strip_suffix(".ndjson"));
            let number = number.and_then(|number| number.parse().ok());
            if number.is_some_and(|number| own.contains(&number)) {
                continue;
            }
            counted += length;
            newest = Some(name);
        }
        match newest {
            Some(newest) if counted > committed.manifest.length => Err(with_hint(
                anyhow!(
                    "the state is older than the objects at `{}`: it does not know all that is listed, up to `{}`",
                    self.bucket.address(),
                    self.display_of(&newest)
                ),
                "it is an earlier copy, and would write the same changes again: restore the latest state, or export to a \
                 new place",
            )),
            _ => Ok(()),
        }
    }

    /// Checks that no export of the other kind has begun here: each looks when its own mark is there, so of two at once
    /// one stops, or both.
    pub(super) fn ensure_alone(&self, committed: &Committed<'_>) -> Result<()> {
        // Who has published has looked, and was here first.
        if committed.manifest.entries > 0 {
            return Ok(());
        }
        let other = match &self.claiming {
            Some(_) => STATE_OBJECT,
            None => CLAIM,
        };
        match self.bucket.length(other)? {
            None => Ok(()),
            Some(_) => Err(with_hint(
                anyhow!(
                    "another export has begun at `{}` too: `{}` is there",
                    self.bucket.address(),
                    self.display_of(other)
                ),
                "this one has published nothing: export to another path",
            )),
        }
    }
}
