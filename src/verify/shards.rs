//! All shards of a plan, checked against the plan and against each other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

use super::export::Depth;
use super::findings::{Finding, Findings};
use super::objects::check_listed_objects;
use super::state_file::check_state;
use crate::cli::location::Location;
use crate::clock;
use crate::destination::names::{
    names_in, names_in_table, stem_of_shards, stem_of_shards_in_store,
};
use crate::destination::shards::COMPLETE_FILE;
use crate::destination::split_name;
use crate::destination::{Home, STATE_FILE, Shards, own_object, shard_directory};
use crate::durable::is_there;
use crate::error::{usage, with_hint};
use crate::feed::{Ends, FeedRange, Piece, PinnedEnd, ReadUntil, ensure_tiling, lsn_of_etag};
use crate::objects;
use crate::state::model::{ShardOfPlan, State};
use crate::state::plan_file::{PlanFile, PlannedRange};
use crate::state::{plan_place, shard_of};

const FORMAT: &str = "cosmos-tail summary";
const VERSION: u32 = 1;
/// How many ranges a finding names.
const MAX_NAMED: usize = 4;

/// What marks the shards of a plan as complete.
#[derive(Debug, Serialize, Deserialize)]
struct Summary {
    format: String,
    version: u32,
    plan: uuid::Uuid,
    shards: u32,
    files: usize,
    documents: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    ends: Option<Ends>,
    /// Whether the contents of the files were checked.
    read: bool,
    #[serde(with = "time::serde::rfc3339")]
    verified: time::OffsetDateTime,
}

/// Checks the shards of the `named` plan that wrote to `place`, and marks them as complete if nothing is wrong.
///
/// # Errors
///
/// If the plan cannot be used, the place is of something else, or one of the shards is being written.
pub(super) fn check(
    named: &Location,
    place: &Location,
    depth: Depth,
    is_strict: bool,
) -> Result<Findings> {
    let plan = plan_place::read(named)?;
    let shards = match place {
        Location::StandardStream => None,
        Location::Local(directory) => Shards::of(directory)?,
        Location::Objects(address) => Shards::at(address)?,
    };
    let Some(shards) = shards else {
        return Err(usage(
            format!("`{place}` has no shards of a plan"),
            "name the place that `export --plan … -o PLACE` wrote to",
        ));
    };
    shards.ensure_has_files()?;
    let expected = Shards {
        plan: plan.plan_id,
        ..shards.clone()
    };
    expected.ensure_same(&shards)?;
    let dealt = plan.shares(shards.count)?;
    let mut table = Listed::new(&plan, &shards)?;
    let mut check = Check {
        found: Findings {
            state: place.to_string(),
            plan: Some(plan.plan_id),
            shards: Some(shards.count),
            ..Findings::default()
        },
        scopes: Vec::new(),
        ends: None,
        has_ends: true,
        plan: &plan,
    };
    for (index, share) in (0..).zip(&dealt) {
        let listed = table.take(index);
        check.shard(shard_of(&shards, index), share, &shards, listed, depth)?;
    }
    check.others(&shards, table)?;
    if let Err(error) = ensure_tiling(&FeedRange::full(), &check.scopes) {
        check.found.fault("the shards", format!("{error:#}"));
    }
    let mut found = check.found;
    found.ends = check.ends.filter(|_| check.has_ends);
    if found.faults.is_empty() && (found.notes.is_empty() || !is_strict) {
        found.summary = Some(mark(&shards, &found, depth)?);
    }
    Ok(found)
}

struct Check<'a> {
    plan: &'a PlanFile,
    found: Findings,
    /// What the shards read, or would have read.
    scopes: Vec<FeedRange>,
    ends: Option<Ends>,
    /// Whether the ends of all shards are known.
    has_ends: bool,
}

impl Check<'_> {
    fn shard(
        &mut self,
        own: ShardOfPlan,
        share: &[Piece],
        shards: &Shards,
        listed_files: Vec<(String, u64)>,
        depth: Depth,
    ) -> Result<()> {
        let name = shard_directory(own.index);
        let checked = match &shards.home {
            Home::Directory(directory) => {
                let path = directory.join(&name).join(STATE_FILE);
                let names: Vec<String> = listed_files.into_iter().map(|(name, _)| name).collect();
                let check = || check_state(&path, depth, Some(&names));
                is_there(&path).then(check).transpose()
            }
            Home::Objects(address) => {
                check_listed_objects(&address.of_shard(own.index), depth, listed_files)
            }
        };
        if let Ok(None) = checked {
            self.scopes
                .extend(share.iter().map(|piece| piece.bounds.clone()));
            self.has_ends = false;
            let bounds = share.iter().map(|piece| &piece.bounds);
            self.found.fault(
                name,
                format!(
                    "has no state: the {own} has not begun, or was taken away; it has {}",
                    listed(bounds)
                ),
            );
            return Ok(());
        }
        let (state, found) = match checked.and_then(|checked| checked.context("it is gone")) {
            Ok(checked) => checked,
            // A state that cannot be read is a finding about this shard; one that is being written is not.
            Err(error) if crate::error::attached_exit_code(&error).is_some() => return Err(error),
            Err(error) => {
                self.scopes
                    .extend(share.iter().map(|piece| piece.bounds.clone()));
                self.has_ends = false;
                self.found.fault(name, format!("{error:#}"));
                return Ok(());
            }
        };
        self.take(&name, found);
        if state.shard != Some(own) {
            let is = match state.shard {
                Some(other) => format!("the {other} of the plan {}", other.plan),
                None => "no shard of a plan".to_owned(),
            };
            self.found.fault(
                &name,
                format!("its state is of {is}, not of the {own} of this plan"),
            );
        }
        if state.source.container_rid != self.plan.source.container_rid {
            self.found
                .fault(&name, "it read another container than that of the plan");
        }
        let scope = &state.options.scope.ranges;
        if !scope.iter().eq(share.iter().map(|piece| &piece.bounds)) {
            self.found.fault(
                &name,
                format!(
                    "it read {}, but its share is {}",
                    listed(scope.iter()),
                    listed(share.iter().map(|piece| &piece.bounds))
                ),
            );
        }
        self.scopes.extend(scope.iter().cloned());
        self.ranges(&name, &state);
        Ok(())
    }

    /// Takes the findings about one shard.
    fn take(&mut self, name: &str, found: Findings) {
        let is_whole = |file: &str| file.contains("-shard") || file.contains(&format!("{name}/"));
        let within = |finding: Finding| match is_whole(&finding.file) {
            true => finding,
            false => Finding {
                file: format!("{name}/{}", finding.file),
                ..finding
            },
        };
        self.found
            .faults
            .extend(found.faults.into_iter().map(within));
        for note in found.notes.into_iter().map(within) {
            // All shards together are complete, or they are not.
            if note.what.ends_with("was moved away") {
                self.found.fault(note.file, "is missing");
            } else {
                self.found.notes.push(note);
            }
        }
        self.found.files += found.files;
        self.found.rows += found.rows;
        self.found.bytes += found.bytes;
        let Some(ends) = found.ends else {
            self.has_ends = false;
            return;
        };
        let before = self.ends.unwrap_or(Ends {
            newer_transactions: 0,
            ..ends
        });
        self.ends = Some(Ends {
            pinned_at: before.pinned_at.min(ends.pinned_at),
            head: before.head && ends.head,
            newer_transactions: before
                .newer_transactions
                .saturating_add(ends.newer_transactions),
        });
    }

    /// Checks that each range was read to where the plan has its end.
    fn ranges(&mut self, name: &str, state: &State) {
        let unread = state.ranges.iter().filter(|range| !range.has_ended());
        let unread: Vec<&FeedRange> = unread.map(|range| &range.range).collect();
        if !unread.is_empty() {
            self.found.fault(
                name,
                format!(
                    "is not complete: not read to the end: {}",
                    listed(unread.into_iter())
                ),
            );
            return;
        }
        if !state.finished {
            self.found.fault(name, "is not complete");
            return;
        }
        if !state.sealed.is_empty() {
            self.found.fault(
                name,
                "has finished files that are not published yet: run the shard again",
            );
        }
        for range in &state.ranges {
            let planned = self.plan.range_of(&range.range);
            let (Some(planned), Some(end)) = (planned, &range.end) else {
                continue;
            };
            let why = match self.plan.until {
                Some(ReadUntil::Exact) => differs(planned, end),
                _ => falls_short(planned, end),
            };
            if let Some(why) = why {
                self.found
                    .fault(name, format!("the range {} {why}", range.range));
            }
        }
    }

    /// Files and directories of shards that the place does not have.
    fn others(&mut self, shards: &Shards, table: Listed) -> Result<()> {
        let own: BTreeSet<String> = (0..shards.count).map(shard_directory).collect();
        for name in table.homes {
            if name.starts_with("shard-") && !own.contains(&name) {
                self.found.fault(name, "is not a shard of this plan");
            }
        }
        for name in table.others {
            self.found.fault(
                name,
                "has the name of a file of a shard, but not of this plan",
            );
        }
        Ok(())
    }
}

/// The names of the files of shards, with the lengths of objects. They are in one place, which is listed once: with a listing
/// for each shard, the work would grow with the square of the shards.
#[derive(Default)]
struct Listed {
    of_shards: BTreeMap<u32, Vec<(String, u64)>>,
    /// Those that are not of a shard of this plan.
    others: Vec<String>,
    /// The directories beside those of the shards.
    homes: BTreeSet<String>,
}

impl Listed {
    fn new(plan: &PlanFile, shards: &Shards) -> Result<Self> {
        let container = &plan.source.container;
        let mut found = Self::default();
        let (stem, names) = match &shards.home {
            Home::Directory(own) => {
                found.homes.extend(names_in(own)?);
                let names = names_in_table(&Shards::table(own)?)?;
                let names: Vec<(String, u64)> = names.into_iter().map(|name| (name, 0)).collect();
                (stem_of_shards(container, plan.extension()), names)
            }
            Home::Objects(address) => {
                let names = objects::list(address)?;
                let own = own_object(address, "");
                let below = names.iter().filter_map(|(name, _)| name.strip_prefix(&own));
                let homes = below.filter_map(|name| name.split_once('/'));
                found.homes.extend(homes.map(|(home, _)| home.to_owned()));
                (stem_of_shards_in_store(container), names)
            }
        };
        for (name, length) in names {
            let Some(rest) = split_name(&name).1.strip_prefix(&stem) else {
                continue;
            };
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number = rest.get(..digits).and_then(|text| text.parse::<u32>().ok());
            match number.filter(|number| *number < shards.count) {
                Some(number) => {
                    let of_shard = found.of_shards.entry(number).or_default();
                    of_shard.push((name, length));
                }
                None => found.others.push(name),
            }
        }
        found.others.sort();
        Ok(found)
    }

    /// The files of a shard.
    fn take(&mut self, index: u32) -> Vec<(String, u64)> {
        self.of_shards.remove(&index).unwrap_or_default()
    }
}

/// Why a range that has ended has not reached what was planned, if so.
fn falls_short(planned: &PlannedRange, end: &PinnedEnd) -> Option<String> {
    let pin = planned.end.as_ref()?;
    if end.partition == pin.partition {
        let (here, there) = (lsn_of_etag(&end.etag), lsn_of_etag(&pin.etag));
        return match (here, there) {
            (Some(here), Some(there)) if here < there => Some(format!(
                "ended at LSN {here}, but the plan ends it at LSN {there}"
            )),
            _ => None,
        };
    }
    // After a split or a merge it was pinned again, in a partition whose LSNs do not compare.
    (end.pinned_at < pin.pinned_at)
        .then(|| "ended at a pin that is older than that of the plan".to_owned())
}

/// Why a range that has ended has not ended exactly where it was planned, if so.
fn differs(planned: &PlannedRange, end: &PinnedEnd) -> Option<String> {
    let pin = planned.end.as_ref()?;
    let shown = |etag: &str| etag.escape_debug().take(60).collect::<String>();
    (end.etag != pin.etag).then(|| {
        format!(
            "ended at {}, but the plan ends it at {} exactly",
            shown(&end.etag),
            shown(&pin.etag)
        )
    })
}

/// Some ranges, for people.
fn listed<'a>(ranges: impl Iterator<Item = &'a FeedRange>) -> String {
    let ranges: Vec<String> = ranges.map(ToString::to_string).collect();
    let named = &ranges[..ranges.len().min(MAX_NAMED)];
    let more = match ranges.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", named.join(", "))
}

/// Marks the place as complete, unless it is marked already. Returns where that is said.
fn mark(shards: &Shards, found: &Findings, depth: Depth) -> Result<String> {
    let summary = Summary {
        format: FORMAT.to_owned(),
        version: VERSION,
        plan: shards.plan,
        shards: shards.count,
        files: found.files,
        documents: found.rows,
        bytes: found.bytes,
        ends: found.ends,
        read: depth == Depth::Contents,
        verified: clock::now().replace_nanosecond(0)?,
    };
    let mut text = serde_json::to_vec(&summary)?;
    text.push(b'\n');
    let shown = shards.home.display_of(COMPLETE_FILE);
    let Some(found) = shards.home.create(COMPLETE_FILE, &text)? else {
        return Ok(shown);
    };
    let earlier: Summary =
        serde_json::from_slice(&found).with_context(|| format!("`{shown}` is damaged"))?;
    ensure!(
        (
            &*earlier.format,
            earlier.version,
            earlier.plan,
            earlier.shards,
            earlier.files,
            earlier.documents,
            earlier.bytes
        ) == (
            FORMAT,
            VERSION,
            summary.plan,
            summary.shards,
            summary.files,
            summary.documents,
            summary.bytes
        ),
        with_hint(
            anyhow!("`{shown}` marks something else as complete"),
            "move it away, and verify again",
        )
    );
    Ok(shown)
}
