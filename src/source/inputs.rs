//! The files to read: those that the user named, and those that an export's manifest lists.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use fs_err as fs;

use super::compressed_later::compressed_later;
use super::csv_reading::CsvReading;
use super::declaration::Declaration;
use super::exported::{
    Exported, definition_in, definition_of_file, own_states_beside, states_beside,
};
use super::input::{CsvForm, Input, Origin, file_name_of, of_export};
use super::letters::letters_at;
use super::names::{format_of, without_compression};
use crate::cli::location::Location;
use crate::count::count;
use crate::count::{exactly, them};
use crate::destination::manifest::Entry;
use crate::destination::{
    ExportDirectory, ExportFiles, Home, MANIFEST_FILE, Output, STATE_FILE, Shards, shard_directory,
    state_directory_of, tables_of,
};
use crate::durable::{parent_of, with_suffix};
use crate::error::{Annotate, usage, with_hint};
use crate::escape::shell_word;
use crate::feed::{ContainerAddress, RecordForm};
use crate::format::Format;
use crate::objects::Address;
use crate::state::database_file::DatabaseFile;
use crate::state::file;
use crate::state::group_place::GroupPlace;
use crate::state::model::{JobKind, State};
use crate::state::of_group::name_of_range;
use crate::state::{
    StateAt, destination_of, no_export_at, objects_without_state, own_state, ranges_at, shard_of,
    shown_state_of_shard, state_at, state_of_range, state_of_shard, store_at,
};

/// All inputs, in the order in which they are read.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The files and streams.
    pub inputs: Vec<Input>,
    /// The containers of the exports among them, as far as known.
    pub origins: Vec<ContainerAddress>,
    /// The definitions of their containers.
    pub definitions: Vec<SourceDefinition>,
    /// What the user should know about them.
    pub notices: Vec<String>,
    /// Whether any of them is in an object store.
    pub are_objects: bool,
}

/// Where the definition of the container of a source is.
#[derive(Debug)]
pub struct SourceDefinition {
    /// The source, as the user named it.
    pub source: PathBuf,
    /// The file; none if there is none.
    pub file: Option<PathBuf>,
    /// The state of the export, if it was read.
    pub state: Option<Box<State>>,
}

impl Inputs {
    /// Finds the files that `sources` name, which hold what is `given`, if anything is. CSV that no export wrote is
    /// read as `reading` says.
    ///
    /// # Errors
    ///
    /// If a file is missing, a directory has no manifest, a file differs from its manifest, or holds something
    /// else than what is given.
    pub fn find(
        sources: &[Location],
        given: Option<RecordForm>,
        reading: &CsvReading,
    ) -> Result<Self> {
        let mut found = Self::named(sources)?;
        let reading = Arc::new(reading.clone());
        for input in &mut found.inputs {
            input.reading = Some(Arc::clone(&reading));
            input.declared_by_flag(given)?;
        }
        Ok(found)
    }

    fn named(sources: &[Location]) -> Result<Self> {
        let mut found = Self::default();
        for source in sources {
            if let Location::Objects(address) = source {
                found.add_objects(address)?;
                found.are_objects = true;
                continue;
            }
            let Location::Local(source) = source else {
                if found.inputs.iter().any(Input::is_standard_input) {
                    return Err(usage(
                        "standard input is named twice",
                        "it can be read only once: remove one `-`",
                    ));
                }
                found.inputs.push(Input {
                    origin: Origin::StandardInput,
                    length: 0,
                    csv: None,
                    reading: None,
                    partition_key: None,
                    exported: Exported::default(),
                    declared: None,
                });
                continue;
            };
            let metadata = match fs::metadata(source) {
                Err(error)
                    if error.kind() == std::io::ErrorKind::NotFound
                        && found.add_empty_file(source)? =>
                {
                    continue;
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(usage(
                        format!("`{}` does not exist", source.display()),
                        "name a directory that `export` wrote, a file of JSON lines, or `-` for \
                         standard input",
                    ));
                }
                metadata => metadata?,
            };
            if metadata.is_dir() {
                found.add_directory(source)?;
                continue;
            }
            let csv = if format_of(&file_name_of(source)) == Some(Format::Csv) {
                found.csv_form_beside(source)?
            } else {
                None
            };
            let exported = Exported::beside(source);
            exported.ensure_unmasked(&file_name_of(source))?;
            let partition_key = partition_key_of_file(source);
            found.inputs.push(Input {
                origin: Origin::File(source.clone()),
                partition_key,
                // A pipe has no length.
                length: if metadata.is_file() {
                    metadata.len()
                } else {
                    0
                },
                csv,
                reading: None,
                exported,
                declared: declared_beside(source),
            });
            found.add_definition(source, definition_of_file(source), None);
        }
        Ok(found)
    }

    /// Whether a read of one of them may wait for more.
    pub fn may_wait(&self) -> bool {
        self.inputs.iter().any(Input::may_wait)
    }

    /// Their total size in bytes, as far as known.
    pub fn total_bytes(&self) -> u64 {
        self.inputs.iter().map(|input| input.length).sum()
    }

    /// Adds the finished files of an export to a local directory.
    fn add_directory(&mut self, source: &Path) -> Result<()> {
        if let Some(shards) = Shards::of(source)? {
            return self.add_shards(source, &shards);
        }
        if DatabaseFile::named(source).is_some()
            && let Some(file) = DatabaseFile::read(source)?
        {
            let first = file.containers.first().map_or("NAME", |one| &one.directory);
            return Err(usage(
                format!("`{}` is the export of a database", source.display()),
                format!(
                    "name the directory of one of its containers, such as {}/",
                    source.join(first).display()
                ),
            ));
        }
        let own = state_directory_of(source)?;
        self.add_own(source, own.as_deref().unwrap_or(source))
    }

    /// Adds the finished files of all shards of a plan. Each document is in the files of one of them.
    fn add_shards(&mut self, source: &Path, shards: &Shards) -> Result<()> {
        shards.ensure_has_files()?;
        for index in 0..shards.count {
            let state = shown_state_of_shard(shards, index);
            let found = state_of_shard(shards, index)
                .with_context(|| format!("cannot replay the export of `{state}`"))?;
            let Some(found) = found else {
                return Err(usage(
                    format!(
                        "`{}` has {} shards of a plan, but shard {index} has no state",
                        source.display(),
                        shards.count
                    ),
                    "complete it first: `cosmos-tail verify PLAN DIR` says what is missing; or name the files themselves",
                ));
            };
            if found.shard != Some(shard_of(shards, index)) {
                return Err(usage(
                    format!("`{state}` is not the state of shard {index} of the plan"),
                    "`cosmos-tail verify PLAN DIR` says what is wrong",
                ));
            }
            match &shards.home {
                Home::Directory(own) => {
                    self.add_own(source, &own.join(shard_directory(index)))?;
                }
                Home::Objects(address) => self.add_objects(&address.of_shard(index))?,
            }
        }
        Ok(())
    }

    /// Adds the finished files of all ranges of a group, those of a range after those of the one that it came from.
    fn add_group(&mut self, source: &Path, group: &GroupPlace, address: &Address) -> Result<()> {
        let ranges = ranges_at(address)?;
        if ranges.is_empty() {
            self.note_empty(source);
        }
        for range in ranges {
            let found = state_of_range(group, address, &range)
                .with_context(|| format!("cannot replay the files of `{address}`"))?;
            // One that has nothing is no reason for a notice of its own.
            if found.is_some_and(|found| found.manifest.entries > 0 || !found.sealed.is_empty()) {
                self.add_objects(&address.of_range(&name_of_range(&range)))?;
            }
        }
        Ok(())
    }

    /// Adds the finished files of the export to the directory `source` whose state directory is `own`.
    fn add_own(&mut self, source: &Path, own: &Path) -> Result<()> {
        let directory = source;
        let manifest = own.join(MANIFEST_FILE);
        let path = own.join(STATE_FILE);
        if !manifest.exists() && !path.exists() {
            return Err(usage(
                format!(
                    "`{}` has no {MANIFEST_FILE}, so it is not the directory of an export with finished files",
                    directory.display()
                ),
                "name the files themselves, in the order in which to apply them",
            ));
        }
        // Before the manifest, which a running export may extend at any time.
        let state = if path.exists() {
            Some(
                file::read(&path)
                    .with_context(|| format!("cannot replay the export of `{}`", path.display()))?,
            )
        } else {
            None
        };
        if let Some(state) = &state
            && !manifest.exists()
        {
            if state.manifest.length > 0 {
                return Err(with_hint(
                    anyhow!("the manifest `{}` is missing", manifest.display()),
                    "restore it, or name the files themselves, in the order in which to apply them",
                ));
            }
            self.note_empty(directory);
        }
        // The user may have named the state directory.
        let table = state.as_ref().map(|state| &state.options.output);
        let is_shard = state.as_ref().is_some_and(|state| state.shard.is_some());
        let table = table
            .filter(|output| (own == directory || is_shard) && matches!(output, Output::Table(_)));
        let directory = table.and_then(|output| output.path(own));
        let directory = directory.as_deref().unwrap_or(source);
        let files = ExportDirectory::new(directory, own);
        let open = files.count_unfinished()?;
        let definition = definition_in(own);
        self.add_definition(source, definition.clone(), state.clone());
        self.add_export(Arc::new(files), state, definition.as_deref())?;
        if open > 0 {
            self.notices.push(format!(
                "{} of `{}` {} skipped; to finish {}: cosmos-tail resume --state {}",
                exactly(open as u64, "unfinished file"),
                source.display(),
                if open == 1 { "is" } else { "are" },
                them(open as u64),
                shell_word(&path)
            ));
        }
        Ok(())
    }

    /// Adds the finished objects of an export in an object store.
    fn add_objects(&mut self, address: &Address) -> Result<()> {
        let source = PathBuf::from(address.to_string());
        let is_whole = address.is_whole();
        if let Some(shards) = is_whole.then(|| Shards::at(address)).transpose()?.flatten() {
            return self.add_shards(&source, &shards);
        }
        if let Some(group) = is_whole
            .then(|| GroupPlace::at(address))
            .transpose()?
            .flatten()
        {
            return self.add_group(&source, &group, address);
        }
        let object = own_state(address);
        // Before the manifest, which a running export may extend at any time.
        let store = store_at(&object)?;
        let state = state_at(store.as_ref(), &object)
            .with_context(|| format!("cannot replay the export of `{address}`"))?;
        let Some(state) = state else {
            let Some(files) = objects_without_state(address)? else {
                let letters = letters_at(address)?;
                ensure!(!letters.is_empty(), no_export_at(&object));
                self.inputs.extend(letters);
                return Ok(());
            };
            return self.add_export(Arc::from(files as Box<dyn ExportFiles>), None, None);
        };
        if state.manifest.entries == 0 && state.sealed.is_empty() {
            self.note_empty(&source);
        }
        let files = destination_of(&state, Path::new("."), StateAt::Object(&object))?;
        self.add_definition(&source, None, Some(state.clone()));
        self.add_export(Arc::from(files as Box<dyn ExportFiles>), Some(state), None)
    }

    /// Adds the export to the single file `path`, which has no file, since no part of it is finished. Returns
    /// whether that is so, as the state beside it says.
    fn add_empty_file(&mut self, path: &Path) -> Result<bool> {
        let state = with_suffix(path, &format!(".{STATE_FILE}"));
        if !state.is_file() {
            return Ok(false);
        }
        let state = file::read(&state)
            .with_context(|| format!("cannot replay the export of `{}`", state.display()))?;
        let is_empty = state.kind == JobKind::Export && state.manifest.length == 0;
        if is_empty {
            self.note_empty(path);
            self.origins.push(state.source.clone());
            self.add_definition(path, definition_of_file(path), Some(state));
        }
        Ok(is_empty)
    }

    fn add_definition(&mut self, source: &Path, file: Option<PathBuf>, state: Option<State>) {
        self.definitions.push(SourceDefinition {
            source: source.to_owned(),
            file,
            state: state.map(Box::new),
        });
    }

    /// Notes an export without finished files: its container had no documents, or it is not finished.
    fn note_empty(&mut self, path: &Path) {
        self.notices.push(format!(
            "the export to `{}` has no finished files, so there is nothing to replay",
            path.display()
        ));
    }

    /// Adds the finished files of an export, in the order in which they were finished: the files of a range
    /// in their order, and those of the children of a split after those of their parent. Those of a snapshot come
    /// before those of the changes since it began.
    ///
    /// # Errors
    ///
    /// If the manifest cannot be read or was changed, or a file differs from it.
    pub fn add_export(
        &mut self,
        files: Arc<dyn ExportFiles>,
        state: Option<State>,
        definition: Option<&Path>,
    ) -> Result<()> {
        let committed = state.as_ref().map(State::committed);
        let mut read = files.finished(committed.as_ref())?;
        let manifest = files.manifest_name().unwrap_or_default();
        read.ensure_whole(&files.display_of(&manifest)).hint(
            "it was changed after the export: restore it, or name the files themselves, in the order \
             in which to apply them",
        )?;
        if let Some(state) = &state {
            ensure_snapshot(state, &read.entries, &files.display_of(&manifest))?;
        }
        // Changes that were read beside the snapshot come after it.
        let is_of_snapshot = |entry: &Entry| {
            !entry.start.is_empty() && entry.start.iter().all(|range| range.snapshot)
        };
        read.entries.sort_by_key(|entry| !is_of_snapshot(entry));
        let partition_key = state.as_ref().and_then(partition_key_of);
        let by_state = state.as_ref().and_then(of_state);
        let exported: Vec<Exported> = read
            .entries
            .iter()
            .map(|entry| Exported::of(entry, state.as_ref(), definition))
            .collect();
        let csv = state.and_then(|state| {
            let csv = self.csv_form(&state);
            self.origins.push(state.source);
            csv
        });
        let mut compressed = 0_u64;
        for (entry, exported) in read.entries.iter().zip(exported) {
            exported.ensure_unmasked(&entry.file)?;
            let input = Input {
                csv: csv.clone(),
                exported,
                partition_key: partition_key.clone(),
                declared: of_entry(entry).or_else(|| by_state.clone()),
                ..listed(&files, entry)?
            };
            compressed += u64::from(input.file_name().as_deref() != Some(&*entry.file));
            self.inputs.push(input);
        }
        if compressed > 0 {
            self.notices.push(format!(
                "{} beside `{}` {} compressed after the export; the content is what the manifest says",
                count(compressed, "file"),
                files.display_of(&manifest),
                if compressed == 1 { "was" } else { "were" }
            ));
        }
        Ok(())
    }

    /// What a state says about its CSV files.
    fn csv_form(&mut self, state: &State) -> Option<Arc<CsvForm>> {
        let form = CsvForm::of(state)?;
        if form.options.safe {
            self.notices.push(
                "the export was made with --csv-safe: text that it changed for spreadsheets stays changed"
                    .to_owned(),
            );
        }
        Some(form)
    }

    /// The same for a CSV file that the user named: its state is in its directory, or has its name or that of the
    /// first part of its series.
    fn csv_form_beside(&mut self, path: &Path) -> Result<Option<Arc<CsvForm>>> {
        for (state, _) in states_beside(path) {
            if state.exists() {
                let state = file::read(&state).with_context(|| {
                    format!("cannot replay the export of `{}`", state.display())
                })?;
                return Ok(self.csv_form(&state));
            }
        }
        Ok(None)
    }
}

/// Refuses a snapshot that is not complete: without the rest of its documents and changes, what was read is of
/// different times.
fn ensure_snapshot(state: &State, published: &[Entry], manifest: &str) -> Result<()> {
    let Some(lack) = state.lack(published) else {
        return Ok(());
    };
    Err(usage(
        format!("`{manifest}` cannot be used yet: {lack}, so its files are of different times"),
        "run `cosmos-tail resume DIR` first, with --no-follow if the export follows the feed",
    ))
}

/// What a state says about the partition key of its container.
fn partition_key_of(state: &State) -> Option<Arc<[String]>> {
    let paths = Some(&state.partition_key).filter(|paths| !paths.is_empty());
    paths.map(|paths| paths.as_slice().into())
}

/// The same for a file that the user named, if it is one of the files of the state beside it.
fn partition_key_of_file(path: &Path) -> Option<Arc<[String]>> {
    states_beside(path).find_map(|(place, name)| {
        // A file can be read without its state.
        let state = file::read(&place).ok()?;
        let names = state.file_names(parent_of(&place));
        // It may have been compressed since.
        names
            .part_of(&name)
            .or_else(|| names.part_of(without_compression(&name)?))?;
        partition_key_of(&state)
    })
}

/// The file that a manifest lists.
fn listed(files: &Arc<dyn ExportFiles>, entry: &Entry) -> Result<Input> {
    let shown = files.display_of(&entry.file);
    let Some(length) = files.length_of(&entry.file)? else {
        return listed_compressed(files, entry);
    };
    if length != entry.bytes {
        return Err(with_hint(
            anyhow!(
                "`{shown}` has {}, but its manifest says {}",
                exactly(length, "byte"),
                entry.bytes
            ),
            CHANGED,
        ));
    }
    Ok(of_export(files, entry.file.clone(), length))
}

const CHANGED: &str = "it was changed or damaged after the export: restore it";

/// The file that a manifest lists, which was compressed after the export.
fn listed_compressed(files: &Arc<dyn ExportFiles>, entry: &Entry) -> Result<Input> {
    let Some(found) = compressed_later(files.as_ref(), entry)? else {
        return Err(with_hint(
            anyhow!("`{}` is missing", files.display_of(&entry.file)),
            "the manifest lists it, and it is not there in compressed form either; if you moved it away, name \
             the files instead of the directory",
        ));
    };
    if let Some(fault) = found.fault {
        return Err(with_hint(
            anyhow!(
                "`{}` stands for `{}`, but {fault}",
                files.display_of(&found.name),
                entry.file
            ),
            CHANGED,
        ));
    }
    Ok(of_export(files, found.name, found.length))
}

/// What a state says about the records of its files.
fn of_state(state: &State) -> Option<Declaration> {
    Some(Declaration {
        form: state.records()?,
        by: "the state beside it",
    })
}

/// What a manifest says about the records of a file.
fn of_entry(entry: &Entry) -> Option<Declaration> {
    Some(Declaration {
        form: entry.records?,
        by: "the manifest beside it",
    })
}

/// What the state or the manifest beside a file that the user named says about its records. Without them, or if they
/// cannot be read, nothing is known.
fn declared_beside(path: &Path) -> Option<Declaration> {
    let state = |path: PathBuf| path.is_file().then(|| file::read(&path).ok()).flatten();
    if let Some(own) = own_states_beside(path).find_map(state) {
        return of_state(&own);
    }
    tables_of(path).into_iter().find_map(|(directory, name)| {
        let own = state_directory_of(directory).ok()??;
        if !own.join(MANIFEST_FILE).is_file() {
            return None;
        }
        let listed = ExportDirectory::new(directory, &own).finished(None).ok()?;
        // It may have been compressed since.
        let original = without_compression(&name).unwrap_or_default();
        let is_it = |entry: &&Entry| entry.file == name || entry.file == original;
        let entry = listed.entries.iter().find(is_it)?;
        of_entry(entry).or_else(|| of_state(&state(own.join(STATE_FILE))?))
    })
}
