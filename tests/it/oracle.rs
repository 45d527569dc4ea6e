//! The oracle: compares what an export has published with the gateway's own log of changes.
//!
//! Every latest change of a document is there; no change is there twice; everything is in the log, byte for
//! byte; along every line of ranges, from parents to children, changes are in the order of the log; state
//! and manifest agree with the files; and there are no other files.
//!
//! If the container was written meanwhile, [`judge_one_shot`] checks that every document that existed
//! throughout is there in at least one version, instead of its last one.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use cosmos_tail::destination::manifest::Entry;
use cosmos_tail::destination::state_directory_of;
use cosmos_tail::feed::RangeId;
use cosmos_tail::feed::RangeState;
use cosmos_tail::state::file;
use cosmos_tail::state::model::State;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::command::{all_files, state_directory, text_of, verify};
use crate::gateway::{Container, Gateway, Operation, Served};

/// A row of a published file.
struct Row {
    id: String,
    lsn: u64,
    /// The document as it was written, in formats that keep its bytes.
    text: Option<Vec<u8>>,
}

/// Compares the directory `out`, which has a finished LatestVersion export, with the log of `container`.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn judge(gateway: &Gateway, container: &Container, out: &Path) -> Result<(), String> {
    let log = container.changes();
    let seen = published(gateway, &log, out)?;
    nothing_is_missing(container, &seen)
}

/// The same of a directory whose state, which is elsewhere, is `state`.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn judge_with_state(
    gateway: &Gateway,
    container: &Container,
    out: &Path,
    state: &[u8],
) -> Result<(), String> {
    no_request_is_wrong(gateway)?;
    let state = file::parse(state).map_err(|error| format!("{error:#}"))?;
    let entries = manifest(out)?;
    no_file_is_left_over_but(out, &entries, "state.json.owner")?;
    let seen = changes_are_there_once(&state, &entries, &container.changes(), out)?;
    nothing_is_missing(container, &seen)
}

/// Compares the objects of an export, by their names below its address, with the log of `container`. They are
/// written to `out`, which is an empty directory. `elsewhere` is the state, if it is not among them.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn judge_objects(
    gateway: &Gateway,
    container: &Container,
    objects: &BTreeMap<String, Vec<u8>>,
    out: &Path,
    elsewhere: Option<&[u8]>,
) -> Result<(), String> {
    no_request_is_wrong(gateway)?;
    let wrong = |error: &dyn std::fmt::Display| error.to_string();
    let mut entries: Vec<Entry> = Vec::new();
    let mut data = BTreeSet::new();
    let mut state = None;
    for (name, bytes) in objects {
        match name.strip_prefix("_cosmos-tail/") {
            None => {
                std::fs::write(out.join(name), bytes).map_err(|error| wrong(&error))?;
                data.insert(name.clone());
            }
            Some("state.json") => {
                let parsed = file::parse(bytes).map_err(|error| format!("{error:#}"))?;
                state = Some(parsed);
            }
            Some("manifest-summary.json") => {}
            Some("claim.json") if elsewhere.is_some() => {}
            Some(own) if own.starts_with("manifest/") => {
                for line in crate::command::split_lines(bytes) {
                    entries.push(serde_json::from_slice(&line).map_err(|error| wrong(&error))?);
                }
            }
            Some(_) => return Err(format!("{name} is explained by nothing")),
        }
    }
    let listed: BTreeSet<String> = entries.iter().map(|entry| entry.file.clone()).collect();
    if listed.len() != entries.len() {
        return Err("an object is listed twice".to_owned());
    }
    if listed != data {
        let difference: Vec<&String> = listed.symmetric_difference(&data).collect();
        return Err(format!("objects left over or missing: {difference:?}"));
    }
    if let Some(text) = elsewhere {
        if state.is_some() {
            return Err("there are two states".to_owned());
        }
        state = Some(file::parse(text).map_err(|error| format!("{error:#}"))?);
    }
    let state = state.ok_or("there is no state")?;
    let log = container.changes();
    let seen = changes_are_there_once(&state, &entries, &log, out)?;
    nothing_is_missing(container, &seen)
}

fn nothing_is_missing(container: &Container, seen: &BTreeSet<(String, u64)>) -> Result<(), String> {
    let missing: Vec<Served> = container
        .latest()
        .into_iter()
        .filter(|latest| !seen.contains(&(latest.id.clone(), latest.lsn)))
        .collect();
    if let Some(first) = missing.first() {
        return Err(format!(
            "{} changes are missing, such as {} at LSN {} of partition {}",
            missing.len(),
            first.id,
            first.lsn,
            first.partition
        ));
    }
    Ok(())
}

/// Compares the directory `out`, which has a LatestVersion export that finished while `container` was written,
/// with the log of `container`: the documents `existed_throughout` ([`Snapshot`]) are there, each in at
/// least one version.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn judge_one_shot(
    gateway: &Gateway,
    container: &Container,
    out: &Path,
    existed_throughout: &[String],
) -> Result<(), String> {
    let log = container.changes();
    let seen = published(gateway, &log, out)?;
    let seen: BTreeSet<&str> = seen.iter().map(|(id, _)| id.as_str()).collect();
    let is_missing = |id: &&String| !seen.contains(id.as_str());
    let missing: Vec<&String> = existed_throughout.iter().filter(is_missing).collect();
    let Some(first) = missing.first() else {
        return Ok(());
    };
    let versions: Vec<u64> = log
        .iter()
        .filter(|change| change.id == **first)
        .map(|change| change.lsn)
        .collect();
    Err(format!(
        "{} of {} documents that existed throughout are in no file, such as {first}, which has \
         versions at LSN {versions:?}",
        missing.len(),
        existed_throughout.len()
    ))
}

/// The same of the table `out`, which the shards of a plan with states below `own` wrote together: no change is in the
/// files of two of them.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn judge_shards(
    gateway: &Gateway,
    container: &Container,
    out: &Path,
    own: &[PathBuf],
    existed_throughout: &[String],
) -> Result<(), String> {
    let violations = gateway.violations();
    if !violations.is_empty() {
        return Err(format!("no correct client does this: {violations:?}"));
    }
    let log = container.changes();
    let mut all = BTreeSet::new();
    for own in own {
        let state = file::load(&own.join("state.json")).map_err(|error| format!("{error:#}"))?;
        let entries = manifest_in(own)?;
        for change in changes_are_there_once(&state, &entries, &log, out)? {
            if let Some((id, lsn)) = all.replace(change) {
                return Err(format!("{id} at LSN {lsn} is in the files of two shards"));
            }
        }
    }
    let seen: BTreeSet<&str> = all.iter().map(|(id, _)| id.as_str()).collect();
    let missing = existed_throughout
        .iter()
        .find(|id| !seen.contains(id.as_str()));
    match missing {
        Some(id) => Err(format!("{id} existed throughout and is in no file")),
        None => Ok(()),
    }
}

/// The content of a container at some time.
pub(crate) struct Snapshot {
    /// How often each document that there is has been deleted before.
    deletes: BTreeMap<String, usize>,
}

impl Snapshot {
    pub(crate) fn of(container: &Container) -> Self {
        Self::of_replicas(container, 0)
    }

    /// What every replica has that lags by at most `lag` transactions.
    pub(crate) fn of_replicas(container: &Container, lag: u64) -> Self {
        let seen_through: BTreeMap<String, u64> = container
            .partitions()
            .into_iter()
            .map(|partition| (partition.id, partition.lsn.saturating_sub(lag)))
            .collect();
        let mut deletes = BTreeMap::new();
        // Documents of which every replica has the last version, or one that was not deleted since.
        let mut held = BTreeSet::new();
        for change in container.changes() {
            if change.operation == Operation::Delete {
                *deletes.entry(change.id.clone()).or_insert(0) += 1;
                held.remove(&change.id);
            } else if change.lsn <= seen_through[&change.partition] {
                held.insert(change.id);
            }
        }
        let count = |id: String| (id.clone(), deletes.get(&id).copied().unwrap_or(0));
        Self {
            deletes: held.into_iter().map(count).collect(),
        }
    }

    /// The documents that have existed from then until now, without a break.
    pub(crate) fn existed_until_now(&self, container: &Container) -> Vec<String> {
        let now = Self::of(container);
        let is_unbroken = |id: &&String| self.deletes.get(*id) == now.deletes.get(*id);
        now.deletes.keys().filter(is_unbroken).cloned().collect()
    }
}

/// Compares what is in `out` with `log`, except for what is missing. Returns id and LSN of each change that is
/// there.
fn published(
    gateway: &Gateway,
    log: &[Served],
    out: &Path,
) -> Result<BTreeSet<(String, u64)>, String> {
    no_request_is_wrong(gateway)?;
    let verified = verify(out, &["--strict"]);
    if verified.code != Some(0) {
        return Err(format!("verify: {}{}", verified.stdout, verified.stderr));
    }
    let state =
        file::load(&own_directory(out).join("state.json")).map_err(|error| format!("{error:#}"))?;
    let entries = manifest(out)?;
    no_file_is_left_over(out, &entries)?;
    changes_are_there_once(&state, &entries, log, out)
}

pub(crate) fn no_request_is_wrong(gateway: &Gateway) -> Result<(), String> {
    let violations = gateway.violations();
    if violations.is_empty() {
        return Ok(());
    }
    Err(format!("no correct client does this: {violations:?}"))
}

/// Where the state and the manifest are: in the directory itself, if an earlier version wrote it.
fn own_directory(out: &Path) -> PathBuf {
    let found = state_directory_of(out).ok().flatten();
    found.unwrap_or_else(|| state_directory(out))
}

pub(crate) fn manifest(out: &Path) -> Result<Vec<Entry>, String> {
    manifest_in(&own_directory(out))
}

fn manifest_in(own: &Path) -> Result<Vec<Entry>, String> {
    let path = own.join("manifest.ndjson");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    text.lines()
        .map(|line| serde_json::from_str(line).map_err(|error| error.to_string()))
        .collect()
}

pub(crate) fn no_file_is_left_over(out: &Path, entries: &[Entry]) -> Result<(), String> {
    no_file_is_left_over_but(out, entries, "state.json")
}

/// The same, where the state, or what names it, is the file `state`.
fn no_file_is_left_over_but(out: &Path, entries: &[Entry], state: &str) -> Result<(), String> {
    let mut of_the_export: BTreeSet<String> = ["container.json", state, "state.json.lock"]
        .map(str::to_owned)
        .into();
    if !entries.is_empty() {
        of_the_export.insert("manifest.ndjson".to_owned());
    }
    let own = own_directory(out);
    let mut explained = BTreeMap::from([(own.as_path(), of_the_export)]);
    let data = entries.iter().map(|entry| entry.file.clone());
    explained.entry(out).or_default().extend(data);
    for (directory, explained) in explained {
        let found: BTreeSet<String> = all_files(directory)
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        if found != explained {
            let difference: Vec<&String> = found.symmetric_difference(&explained).collect();
            return Err(format!("files left over or missing: {difference:?}"));
        }
    }
    Ok(())
}

/// The number of the series in a file's name.
fn series_of(file: &str) -> u32 {
    // Before it may be the number of a shard, with a word; after it the part, and what makes the name of an object unique.
    let is_number =
        |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let number = file.split('-').skip(1).find(is_number);
    number
        .expect("a name with numbers")
        .parse()
        .expect("a number")
}

fn changes_are_there_once(
    state: &State,
    entries: &[Entry],
    log: &[Served],
    out: &Path,
) -> Result<BTreeSet<(String, u64)>, String> {
    let known: BTreeMap<(&str, u64), usize> = log
        .iter()
        .enumerate()
        .map(|(at, change)| ((change.id.as_str(), change.lsn), at))
        .collect();
    assert_eq!(known.len(), log.len(), "id and LSN make a change");
    let mut seen = BTreeSet::new();
    // The changes of each series, in order, as indexes into the log.
    let mut series: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for entry in entries {
        let rows = rows_of(&out.join(&entry.file));
        if rows.len() as u64 != entry.rows {
            return Err(format!("{} has {} rows", entry.file, rows.len()));
        }
        for row in rows {
            let Some(at) = known.get(&(row.id.as_str(), row.lsn)) else {
                return Err(format!(
                    "{}: {} at LSN {} is no change",
                    entry.file, row.id, row.lsn
                ));
            };
            if row.text.is_some_and(|text| text != log[*at].text) {
                return Err(format!("{}: {} is not as it was sent", entry.file, row.id));
            }
            if !seen.insert(*at) {
                return Err(format!(
                    "{}: {} at LSN {} is there twice",
                    entry.file, row.id, row.lsn
                ));
            }
            lies_within(entry, &log[*at])?;
            series.entry(series_of(&entry.file)).or_default().push(*at);
        }
    }
    if seen
        .iter()
        .any(|at| log[*at].operation == Operation::Delete)
    {
        return Err("a delete is among the latest versions".to_owned());
    }
    lines_are_in_order(state, &series, log)?;
    let seen = seen.into_iter().map(|at| (log[at].id.clone(), log[at].lsn));
    Ok(seen.collect())
}

/// A change in a file is between the positions of its range before and after the file.
fn lies_within(entry: &Entry, change: &Served) -> Result<(), String> {
    let stood = |ranges: &[RangeState]| {
        let own = ranges.iter().find(|state| {
            let range = &state.range;
            range.min_inclusive <= change.epk && change.epk < range.max_exclusive
        });
        own.and_then(|state| state.position.as_ref()?.lsn)
    };
    let (start, end) = (stood(&entry.start), stood(&entry.end));
    if start.is_some_and(|start| change.lsn <= start) || end.is_none_or(|end| change.lsn > end) {
        return Err(format!(
            "{}: {} at LSN {} lies outside {start:?} to {end:?}",
            entry.file, change.id, change.lsn
        ));
    }
    Ok(())
}

/// Along every line of ranges that ends in a current one, changes are in their order.
fn lines_are_in_order(
    state: &State,
    series: &BTreeMap<u32, Vec<usize>>,
    log: &[Served],
) -> Result<(), String> {
    for range in &state.ranges {
        let (min, max) = (&range.range.min_inclusive, &range.range.max_exclusive);
        let within = |epk: &String| epk >= min && epk < max;
        let mut last = 0;
        for id in range.parents.iter().chain([&range.id]) {
            for at in series.get(&id.0).into_iter().flatten() {
                let change = &log[*at];
                if !within(&change.epk) {
                    if *id == range.id {
                        return Err(format!("{} is in range {id}, where it is not", change.id));
                    }
                    continue;
                }
                if change.lsn < last {
                    return Err(order(*id, change, last));
                }
                last = change.lsn;
            }
        }
    }
    Ok(())
}

fn order(id: RangeId, change: &Served, last: u64) -> String {
    format!(
        "range {id}: {} at LSN {} comes after LSN {last}",
        change.id, change.lsn
    )
}

fn rows_of(path: &Path) -> Vec<Row> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    if name.ends_with(".parquet") {
        return parquet_rows(path);
    }
    if name.ends_with(".arrow") {
        return arrow_rows(path);
    }
    let text = text_of(path);
    if name.ends_with(".csv") {
        return csv_rows(&text);
    }
    crate::command::split_lines(&text)
        .into_iter()
        .map(|line| {
            let document: Value = serde_json::from_slice(&line).unwrap();
            Row {
                id: document["id"].as_str().unwrap().to_owned(),
                lsn: document["_lsn"].as_u64().unwrap(),
                text: Some(line),
            }
        })
        .collect()
}

fn csv_rows(text: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|own| own == name).unwrap();
    let (id, lsn) = (column("id"), column("_lsn"));
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            Row {
                id: record[id].to_owned(),
                lsn: record[lsn].parse().unwrap(),
                text: None,
            }
        })
        .collect()
}

fn arrow_rows(path: &Path) -> Vec<Row> {
    let file = std::fs::File::open(path).unwrap();
    let batches = arrow_ipc::reader::FileReader::try_new(file, None).unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.unwrap();
        let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
        let lsns = batch.column_by_name("_lsn").unwrap();
        let lsns = lsns.as_primitive::<Int64Type>();
        rows.extend((0..batch.num_rows()).map(|row| Row {
            id: ids.value(row).to_owned(),
            lsn: lsns.value(row).cast_unsigned(),
            text: None,
        }));
    }
    rows
}

fn parquet_rows(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        let mut found = Row {
            id: String::new(),
            lsn: 0,
            text: None,
        };
        for (name, field) in row.get_column_iter() {
            match (name.as_str(), field) {
                ("id", Field::Str(id)) => found.id.clone_from(id),
                ("_lsn", Field::Long(lsn)) => found.lsn = lsn.cast_unsigned(),
                _ => {}
            }
        }
        found
    })
    .collect()
}
