//! Dead letters in an object store: the refused changes of replays, as objects below one address.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

use super::input::{Input, of_export};
use crate::destination::manifest::Manifest;
use crate::destination::{Committed, ExportFiles, PartReader};
use crate::objects::{self, Address};

/// How the names of all of them begin.
const BEGINNING: &str = "dead-letters-";

/// The name of the object with this number, from 1, of the letters that have this id.
pub fn name_of_letters(id: uuid::Uuid, number: u64) -> String {
    format!("{BEGINNING}{}-{number:06}.jsonl", id.simple())
}

/// The objects of dead letters below an address, in the order in which they were written; none if there are none.
pub(super) fn letters_at(address: &Address) -> Result<Vec<Input>> {
    let files: Arc<dyn ExportFiles> = Arc::new(Letters(address.clone()));
    let listed = objects::list(address)?.into_iter();
    let letters = listed.filter(|(name, _)| is_name(name));
    Ok(letters
        .map(|(name, length)| of_export(&files, name, length))
        .collect())
}

fn is_name(name: &str) -> bool {
    let rest = name.strip_prefix(BEGINNING);
    let rest = rest.and_then(|rest| rest.strip_suffix(".jsonl"));
    rest.and_then(|rest| rest.split_once('-'))
        .is_some_and(|(id, number)| {
            id.len() == 32 && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        })
}

/// Objects of dead letters, which no manifest lists.
#[derive(Debug)]
struct Letters(Address);

impl ExportFiles for Letters {
    fn manifest_name(&self) -> Option<String> {
        None
    }

    fn finished(&self, _: Option<&Committed<'_>>) -> Result<Manifest> {
        Ok(Manifest::default())
    }

    fn count_unfinished(&self) -> Result<usize> {
        Ok(0)
    }

    fn length_of(&self, name: &str) -> Result<Option<u64>> {
        let found = objects::read(&self.0, name)?;
        Ok(found.map(|bytes| bytes.len() as u64))
    }

    fn open_file(&self, name: &str) -> Result<Option<Box<dyn PartReader>>> {
        let found = objects::read(&self.0, name)?;
        Ok(found.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn PartReader>))
    }

    fn display_of(&self, name: &str) -> String {
        self.0.of(name)
    }

    fn address_of(&self, name: &str) -> Result<PathBuf> {
        Ok(self.0.of(name).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_letters_are_letters() {
        let own = name_of_letters(uuid::Uuid::nil(), 7);
        assert_eq!(
            own,
            "dead-letters-00000000000000000000000000000000-000007.jsonl"
        );
        assert!(is_name(&own));
        for other in [
            "dead-letters-x-1.jsonl",
            "a.jsonl",
            "x/dead-letters-1.jsonl",
        ] {
            assert!(!is_name(other), "{other}");
        }
    }
}
