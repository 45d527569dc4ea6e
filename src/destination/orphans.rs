//! Objects of an export from which something has removed what says whose they are, such as a rule that deletes by age.

use anyhow::{Result, anyhow};

use super::shards::SHARDS_FILE;
use super::table::{GROUP_FILE, STATE_FILE, own_object, shard_directories, states_of_ranges};
use crate::error::{ExitCode, with_exit_code, with_hint};
use crate::objects::{self, Address};

/// The object that names the state of an export, if that is elsewhere.
pub(super) const CLAIM_FILE: &str = "claim.json";

/// The names of which an export at `place` with these objects has one, by which it is continued; and an object that shows
/// which, if there is one among them.
pub(super) fn marks_of<'a>(
    place: &Address,
    names: impl Iterator<Item = &'a str>,
) -> (Vec<String>, Option<&'a str>) {
    let own = |name| own_object(place, name);
    let (of_shards, of_ranges) = (shard_directories(), states_of_ranges());
    let mut first = None;
    for name in names {
        if name.starts_with(&of_shards) {
            return (vec![own(SHARDS_FILE)], Some(name));
        }
        if name.starts_with(&of_ranges) {
            return (vec![own(GROUP_FILE)], Some(name));
        }
        first = first.or_else(|| name.starts_with(&own("")).then_some(name));
    }
    (vec![own(STATE_FILE), own(CLAIM_FILE)], first)
}

/// The error for objects at `place`, of which this is one, that have none of these marks.
pub(super) fn is_orphaned(place: &Address, there: &str, marks: &[String]) -> anyhow::Error {
    let marks: Vec<String> = marks
        .iter()
        .map(|mark| format!("`{}`", place.of(mark)))
        .collect();
    let missing = match marks.len() {
        1 => format!("{} is gone", marks.concat()),
        _ => format!("neither {} is there", marks.join(" nor ")),
    };
    with_hint(
        with_exit_code(
            anyhow!("`{}` already exists, but {missing}", place.of(there)),
            ExitCode::Usage,
        ),
        "restore it, if the store keeps what was deleted: without it nobody knows up to where the objects have the changes, so a \
         second start there would leave some out or write them twice. Otherwise export to a new place, and let no lifecycle \
         rule delete what is in `_cosmos-tail/`",
    )
}

/// The error for what is at `place`, if it is of an export that has lost what says whose it is.
///
/// # Errors
///
/// If that cannot be found out.
pub fn orphans_at(place: &Address) -> Result<Option<anyhow::Error>> {
    let listed = objects::list_in(place, &own_object(place, ""))?;
    let names = listed.iter().map(|(name, _)| name.as_str());
    let (marks, there) = marks_of(place, names);
    let Some(there) = there else {
        return Ok(None);
    };
    for mark in &marks {
        if objects::read(place, mark)?.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(is_orphaned(place, there, &marks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_says_which_mark_is_missing() {
        let place = Address::parse("az://lake/orders/").unwrap().unwrap();
        let found = |names: &[&'static str]| {
            let (marks, there) = marks_of(&place, names.iter().copied());
            (marks.join(" "), there)
        };
        let own = "_cosmos-tail/state.json _cosmos-tail/claim.json";
        let manifest = "_cosmos-tail/manifest/0000000002.ndjson";
        let shard = "_cosmos-tail/shard-00003/state.json";
        let range = "_cosmos-tail/ranges/-FF.json";
        assert_eq!(found(&["a.jsonl"]), (own.to_owned(), None));
        assert_eq!(
            found(&[manifest, "a.jsonl"]),
            (own.to_owned(), Some(manifest))
        );
        let shards = "_cosmos-tail/shards.json".to_owned();
        assert_eq!(found(&[manifest, shard]), (shards, Some(shard)));
        let group = "_cosmos-tail/group.json".to_owned();
        assert_eq!(found(&[range]), (group, Some(range)));
    }
}
