//! The names of an export's files, and how they are recognized.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use fs_err as fs;

use super::output::Output;
use super::part::FileState;
use super::partition::{Partition, PartitionBy, split_name};
use super::table::{DEFINITION_FILE, MANIFEST_FILE, STATE_FILE, ensure_own, places};
use crate::durable::{self, OPEN_SUFFIX, shown_path, with_suffix};
use crate::error::with_hint;
use crate::format::Extension;
#[cfg(feature = "object-stores")]
use crate::objects::Address;

/// The suffix of the file that names the state that an output belongs to.
const OWNER_SUFFIX: &str = ".owner";

/// Where the files of an export are, and what they are called.
#[derive(Debug, Clone)]
pub struct FileNames {
    layout: Layout,
    extension: &'static str,
    partitions: InPartitions,
}

/// In which directories of a table its finished files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InPartitions {
    /// In the table itself.
    None,
    /// In those of such partitions.
    By(PartitionBy),
    /// In the table itself, or in those of any partitions.
    Any,
}

#[derive(Debug, Clone)]
enum Layout {
    /// `DIRECTORY/STEM-SERIES-PART.EXTENSION`, and everything else in `own`.
    Directory {
        directory: PathBuf,
        own: PathBuf,
        stem: String,
        is_of_shard: bool,
    },
    /// `PATH` for the first part, `STEM.PART.EXTENSION` for the next, where `PATH` is `STEM.EXTENSION`, with the
    /// extension as the user wrote it.
    File { path: PathBuf, extension: String },
    /// `PATH`, open or not.
    Append { path: PathBuf },
    /// A table that is not known, since its state directory was renamed.
    Lost { own: PathBuf },
    /// No files.
    StandardOutput,
}

impl FileNames {
    /// The names of the export of `container` to `output`, whose files have the `extension`;
    /// relative paths are relative to `base`, the state file's directory.
    pub fn new(output: &Output, base: &Path, container: &str, extension: &'static str) -> Self {
        let stem = || file_stem(container, max_stem(extension));
        let layout = match output {
            Output::Table(table) => match output.path(base) {
                Some(directory) => Layout::Directory {
                    own: table.own(&directory),
                    directory,
                    stem: match table.shard {
                        None => stem(),
                        Some(shard) => shard_stem(container, extension, shard),
                    },
                    is_of_shard: table.shard.is_some(),
                },
                None => Layout::Lost {
                    own: base.to_owned(),
                },
            },
            Output::Directory(_) => {
                let directory = output.path(base).unwrap_or_default();
                Layout::Directory {
                    own: directory.clone(),
                    directory,
                    stem: stem(),
                    is_of_shard: false,
                }
            }
            Output::File(path) => {
                let path = base.join(path);
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let own = Extension::of(&name).map_or(extension, |own| own.text);
                Layout::File {
                    extension: own.to_owned(),
                    path,
                }
            }
            Output::Append(path) => Layout::Append {
                path: base.join(path),
            },
            // What is in an object store has no paths.
            Output::Objects | Output::ObjectsAt(_) | Output::StandardOutput => {
                Layout::StandardOutput
            }
        };
        Self {
            layout,
            extension,
            partitions: InPartitions::None,
        }
    }

    /// The same in a table that is partitioned so.
    #[must_use]
    pub fn partitioned(self, by: Option<PartitionBy>) -> Self {
        Self {
            partitions: by.map_or(InPartitions::None, InPartitions::By),
            ..self
        }
    }

    /// The same, partitioned or not: an earlier export may have been.
    #[must_use]
    pub(super) fn in_any_partition(self) -> Self {
        Self {
            partitions: InPartitions::Any,
            ..self
        }
    }

    /// How the table is partitioned.
    pub(super) fn partition_by(&self) -> Option<PartitionBy> {
        match self.partitions {
            InPartitions::By(by) => Some(by),
            InPartitions::None | InPartitions::Any => None,
        }
    }

    fn has(&self, partition: Option<Partition>) -> bool {
        match self.partitions {
            InPartitions::None => partition.is_none(),
            InPartitions::By(by) => partition.map(Partition::by) == Some(by),
            InPartitions::Any => true,
        }
    }

    /// Whether the one file is appended to under its own name, so that it is never finished.
    pub fn is_append(&self) -> bool {
        matches!(self.layout, Layout::Append { .. })
    }

    /// Whether each range has its own files, in a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.layout, Layout::Directory { .. })
    }

    /// Whether they are the files of one shard of several in the same directory.
    pub fn is_of_shard(&self) -> bool {
        matches!(
            self.layout,
            Layout::Directory {
                is_of_shard: true,
                ..
            }
        )
    }

    /// Whether documents go to standard output, so that there are no files.
    pub fn is_standard_output(&self) -> bool {
        matches!(self.layout, Layout::StandardOutput)
    }

    /// Where the documents go, for people.
    pub fn display(&self) -> String {
        match &self.layout {
            Layout::Directory { directory, .. } => shown_path(&directory).to_string(),
            Layout::File { path, .. } | Layout::Append { path } => shown_path(&path).to_string(),
            Layout::Lost { own } => shown_path(own).to_string(),
            Layout::StandardOutput => "standard output".to_owned(),
        }
    }

    /// The directory that holds everything that is not finished data: open parts, the manifest, and the state.
    pub fn own_directory(&self) -> &Path {
        match &self.layout {
            Layout::Directory { own, .. } => own,
            _ => self.directory(),
        }
    }

    /// Checks that this directory is that of a table, and not a link to another one.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn ensure_own_directory(&self) -> Result<()> {
        if let Layout::Lost { own } = &self.layout {
            return Err(with_hint(
                anyhow!(
                    "`{}` is not a name of a state directory, so its table is not known",
                    shown_path(own)
                ),
                "rename it: the state directory of `nightly` is `_nightly.cosmos-tail`, beside it",
            ));
        }
        if self.own_directory() == self.directory() {
            return Ok(());
        }
        ensure_own(self.own_directory())
    }

    /// The same files with the other places where an export to this directory may keep what is not data.
    pub fn elsewhere(&self) -> Vec<Self> {
        let Layout::Directory {
            directory,
            own,
            stem,
            is_of_shard,
        } = &self.layout
        else {
            return Vec::new();
        };
        let others = places(directory).into_iter().filter(|place| place != own);
        let at = |own| Self {
            layout: Layout::Directory {
                directory: directory.clone(),
                own,
                stem: stem.clone(),
                is_of_shard: *is_of_shard,
            },
            ..self.clone()
        };
        others.map(at).collect()
    }

    /// The directory that holds the finished files.
    pub fn directory(&self) -> &Path {
        match &self.layout {
            Layout::Directory { directory, .. } => directory,
            Layout::File { path, .. } | Layout::Append { path } => crate::durable::parent_of(path),
            Layout::Lost { own } => own,
            Layout::StandardOutput => Path::new("."),
        }
    }

    /// The final name of a part that a state lists.
    pub fn finished(&self, file: &FileState) -> PathBuf {
        self.part_in(file.series, file.part, file.partition())
    }

    /// The same in this partition.
    pub(super) fn part_in(&self, series: u32, part: u32, partition: Option<Partition>) -> PathBuf {
        let path = self.part(series, part);
        match (partition, path.file_name()) {
            (Some(partition), Some(name)) if self.is_directory() => {
                self.directory().join(partition.to_string()).join(name)
            }
            _ => path,
        }
    }

    /// The name of a finished or open file, as manifests have it.
    pub fn name_of(&self, path: &Path) -> String {
        let in_table = path.strip_prefix(self.directory()).ok();
        let in_table = in_table.and_then(Path::to_str);
        let in_table = in_table.map(|name| name.replace(std::path::MAIN_SEPARATOR, "/"));
        match in_table.filter(|name| split_name(name).0.is_some()) {
            Some(name) if self.is_directory() => name,
            _ => {
                let name = path.file_name().unwrap_or_default();
                name.to_string_lossy().into_owned()
            }
        }
    }

    /// Creates the directory of the partition of a sealed part, if there is one.
    ///
    /// # Errors
    ///
    /// If something else has its name, or any error of the system.
    pub(super) fn prepare_partition(&self, sealed: &FileState) -> Result<()> {
        for directory in self.partition_directories(sealed).into_iter().rev() {
            ensure_own(&directory)?;
            durable::create_directory(&directory).with_context(|| {
                format!("cannot create the directory `{}`", shown_path(&directory))
            })?;
        }
        Ok(())
    }

    /// Checks that no directory of the table that leads to a finished part is a link to another one.
    ///
    /// # Errors
    ///
    /// If one is.
    pub(super) fn ensure_own_partition(&self, found: &PartFile) -> Result<()> {
        if found.is_open || !self.is_directory() {
            return Ok(());
        }
        let mut directories = self.directories_to(&found.path);
        directories.try_for_each(ensure_own)
    }

    /// The directories in the table that lead to a part, the innermost first.
    fn partition_directories(&self, file: &FileState) -> Vec<PathBuf> {
        if file.partition().is_none() || !self.is_directory() {
            return Vec::new();
        }
        let finished = self.finished(file);
        self.directories_to(&finished).map(Path::to_owned).collect()
    }

    fn directories_to<'a>(&'a self, finished: &'a Path) -> impl Iterator<Item = &'a Path> {
        let above = finished.ancestors().skip(1);
        above.take_while(|above| *above != self.directory())
    }

    /// The final name of a part; in a partitioned table, without the partition.
    pub fn part(&self, series: u32, part: u32) -> PathBuf {
        match &self.layout {
            Layout::Directory {
                directory, stem, ..
            } => directory.join(format!("{stem}-{series:05}-{part:06}.{}", self.extension)),
            Layout::File { path, extension } if part > 1 => {
                let stem = stem_of(path, extension);
                path.with_file_name(format!("{stem}.{part:06}.{extension}"))
            }
            Layout::File { path, .. } | Layout::Append { path } => path.clone(),
            Layout::Lost { .. } | Layout::StandardOutput => PathBuf::new(),
        }
    }

    /// The name of a part while it is being written.
    pub fn open_part(&self, series: u32, part: u32) -> PathBuf {
        let finished = self.part(series, part);
        match &self.layout {
            Layout::Append { path } => path.clone(),
            Layout::Directory { own, .. } => {
                let name = finished.file_name().unwrap_or_default();
                with_suffix(&own.join(name), OPEN_SUFFIX)
            }
            _ => with_suffix(&finished, OPEN_SUFFIX),
        }
    }

    /// The manifest: the list of published files.
    pub fn manifest(&self) -> Option<PathBuf> {
        match &self.layout {
            Layout::Directory { own, .. } => Some(own.join(MANIFEST_FILE)),
            Layout::File { path, .. } => Some(with_suffix(path, ".manifest.ndjson")),
            // It is never finished, so there is nothing to list.
            Layout::Append { .. } | Layout::Lost { .. } | Layout::StandardOutput => None,
        }
    }

    /// The definition of the container; `None` for a file that grows and for standard output.
    pub fn definition(&self) -> Option<PathBuf> {
        match &self.layout {
            Layout::Directory { own, .. } => Some(own.join(DEFINITION_FILE)),
            Layout::File { path, .. } => Some(with_suffix(path, &format!(".{DEFINITION_FILE}"))),
            Layout::Append { .. } | Layout::Lost { .. } | Layout::StandardOutput => None,
        }
    }

    /// The default path of the state file; `None` for standard output.
    pub fn default_state(&self) -> Option<PathBuf> {
        match &self.layout {
            Layout::Directory { own, .. } => Some(own.join(STATE_FILE)),
            Layout::File { path, .. } | Layout::Append { path } => {
                Some(with_suffix(path, ".state.json"))
            }
            Layout::Lost { .. } | Layout::StandardOutput => None,
        }
    }

    /// The file that names the state that the output belongs to, if that is elsewhere.
    pub fn owner(&self) -> Option<PathBuf> {
        Some(with_suffix(&self.default_state()?, OWNER_SUFFIX))
    }

    /// The state or the manifest of another export, to a single file with the final name `path` of a part, if there is
    /// one: then the part belongs to that export.
    pub fn claimed_by_another(&self, path: &Path) -> Option<PathBuf> {
        let own = self.default_state();
        let state = with_suffix(path, ".state.json");
        if own.as_ref() == Some(&state) {
            return None;
        }
        let claims = [
            with_suffix(&state, OWNER_SUFFIX),
            with_suffix(path, ".manifest.ndjson"),
            state,
        ];
        claims.into_iter().find(|claim| durable::is_there(claim))
    }

    /// The same of a part that was found; an open one will have its final name in the table itself.
    pub(super) fn found_is_claimed(&self, found: &PartFile) -> bool {
        let finished = match found.is_open {
            true => self.part(found.series, found.part),
            false => found.path.clone(),
        };
        self.claimed_by_another(&finished).is_some()
    }

    /// All files on disk with a name of this export's files, open and finished.
    ///
    /// # Errors
    ///
    /// If the directory exists and cannot be read.
    pub fn existing(&self) -> Result<Vec<PartFile>> {
        if matches!(self.layout, Layout::StandardOutput | Layout::Lost { .. }) {
            return Ok(Vec::new());
        }
        let mut directories = vec![self.directory(), self.own_directory()];
        directories.dedup();
        let mut found = Vec::new();
        for directory in directories {
            self.collect(&self.names_below(directory)?, directory, &mut found);
        }
        found.sort();
        Ok(found)
    }

    /// The same, if the directory of finished files was listed before and has these `names`.
    ///
    /// # Errors
    ///
    /// If the directory of what is not data exists and cannot be read.
    pub fn existing_among(&self, names: &[String]) -> Result<Vec<PartFile>> {
        let (directory, own) = (self.directory(), self.own_directory());
        if directory == own || !self.is_directory() {
            return self.existing();
        }
        let mut found = Vec::new();
        self.collect(names, directory, &mut found);
        self.collect(&names_in(own)?, own, &mut found);
        found.sort();
        Ok(found)
    }

    /// The names in a directory; in that of a partitioned table, those in the partitions too.
    fn names_below(&self, directory: &Path) -> Result<Vec<String>> {
        match self.partitions {
            InPartitions::By(_) | InPartitions::Any if directory == self.directory() => {
                names_in_table(directory)
            }
            _ => names_in(directory),
        }
    }

    /// Adds the files with a name of this export's files, of those in `directory`.
    fn collect(&self, names: &[String], directory: &Path, found: &mut Vec<PartFile>) {
        let paths = names.iter().map(|name| directory.join(name));
        // An open part is not one in the directory of finished ones, and the other way round.
        found.extend(paths.filter_map(|path| self.parse(&path).filter(|part| part.path == path)));
    }

    /// Makes the final names of parts durable, and then that they no longer have their open names.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub(super) fn sync_published(&self, published: &[FileState]) -> std::io::Result<()> {
        let (directory, own) = (self.directory(), self.own_directory());
        let partitions = published
            .iter()
            .flat_map(|file| self.partition_directories(file));
        // From the innermost to the outermost.
        let mut partitions: Vec<_> = partitions.collect();
        partitions.sort_unstable();
        partitions.dedup();
        for partition in partitions.iter().rev() {
            durable::sync_directory("publish.sync-directory", partition)?;
        }
        durable::sync_directory("publish.sync-directory", directory)?;
        if own != directory {
            durable::sync_directory("publish.sync-directory", own)?;
        }
        Ok(())
    }

    /// The part of this export that the file `name` is; `None` if it is not a name of its files.
    pub fn part_of(&self, name: &str) -> Option<PartFile> {
        let bare = split_name(name).1;
        let is_bare = Path::new(bare).file_name()? == bare;
        is_bare.then(|| self.parse(&self.directory().join(name)))?
    }

    /// The part of this export that `path` is, by its name.
    fn parse(&self, path: &Path) -> Option<PartFile> {
        let name = path.file_name()?.to_str()?;
        let (finished_name, is_open) = match name.strip_suffix(OPEN_SUFFIX) {
            Some(finished) => (finished, true),
            None => (name, false),
        };
        let numbers = |text: &str| -> Option<u32> {
            text.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| text.parse().ok())?
        };
        let (series, part) = match &self.layout {
            Layout::Directory { stem, .. } => {
                let rest = finished_name
                    .strip_suffix(self.extension)?
                    .strip_suffix('.')?;
                let (series, part) = rest
                    .strip_prefix(stem.as_str())?
                    .strip_prefix('-')?
                    .split_once('-')?;
                (numbers(series)?, numbers(part)?)
            }
            Layout::File { path, .. } if path.file_name()? == finished_name => (0, 1),
            Layout::File { path, extension } => {
                let stem = stem_of(path, extension);
                let rest = finished_name
                    .strip_suffix(extension.as_str())?
                    .strip_suffix('.')?;
                (
                    0,
                    numbers(rest.strip_prefix(stem.as_str())?.strip_prefix('.')?)?,
                )
            }
            Layout::Append { path: own } => {
                let is_own = own.file_name()?.to_str()? == name;
                return is_own.then(|| PartFile {
                    series: 0,
                    part: 1,
                    is_open: true,
                    path: path.into(),
                });
            }
            Layout::Lost { .. } | Layout::StandardOutput => return None,
        };
        // A name that is formed differently is not of this export.
        let expected = if is_open {
            self.open_part(series, part)
        } else {
            let name = self.name_of(path);
            let partition = split_name(&name).0;
            if !self.has(partition) {
                return None;
            }
            self.part_in(series, part, partition)
        };
        (expected.file_name()? == name).then_some(PartFile {
            series,
            part,
            is_open,
            path: expected,
        })
    }
}

/// The names in a directory; none if there is no such directory. One that is not Unicode is replaced in part, so it is
/// not that of an export's file.
///
/// # Errors
///
/// If it exists and cannot be read.
pub fn names_in(directory: &Path) -> Result<Vec<String>> {
    const CANNOT: &str = "cannot list the output directory";
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).context(CANNOT)? {
        let name = entry.context(CANNOT)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    Ok(names)
}

/// The names in the directory of a table, and in those of its partitions.
///
/// # Errors
///
/// As [`names_in`].
pub fn names_in_table(directory: &Path) -> Result<Vec<String>> {
    let mut names = names_in(directory)?;
    // In a partition by the day there can be some by the hour.
    let mut next = 0;
    while let Some(name) = names.get(next).cloned() {
        next += 1;
        if Partition::parse(&name).is_some() && directory.join(&name).is_dir() {
            let below = names_in(&directory.join(&name))?;
            names.extend(below.into_iter().map(|below| format!("{name}/{below}")));
        }
    }
    Ok(names)
}

/// The name of the file `path` without the extension.
fn stem_of(path: &Path, extension: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(extension);
    let stem = stem.and_then(|stem| stem.strip_suffix('.'));
    stem.unwrap_or(&name).to_owned()
}

/// The first part of the single-file export that `path` would be a later part of, by its name.
pub fn first_part_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let extension = Extension::of(name)?.text;
    let rest = name.strip_suffix(extension)?.strip_suffix('.')?;
    let (stem, part) = rest.rsplit_once('.')?;
    let is_part = part.len() >= 6 && part.bytes().all(|byte| byte.is_ascii_digit());
    is_part.then(|| path.with_file_name(format!("{stem}.{extension}")))
}

/// A file on disk with a name of an export's files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartFile {
    /// Its series.
    pub series: u32,
    /// Its part number.
    pub part: u32,
    /// Whether it still has the name of an open file.
    pub is_open: bool,
    /// Where it is.
    pub path: PathBuf,
}

/// The longest name of a file that file systems accept, in bytes.
const MAX_FILE_NAME: usize = 255;
/// How much is kept of the beginning of a name that is too long. It leaves space for any numbers.
const CUT_STEM: usize = 180;

/// The beginning of the names of the files of a shard.
fn shard_stem(container: &str, extension: &str, shard: u32) -> String {
    let suffix = format!("{SHARD_INFIX}{shard:05}");
    let stem = file_stem(container, max_stem(extension) - suffix.len());
    stem + &suffix
}

/// What the names of the files of all shards of a container begin with.
pub fn stem_of_shards(container: &str, extension: &str) -> String {
    let longest = format!("{SHARD_INFIX}{:05}", 0);
    file_stem(container, max_stem(extension) - longest.len()) + SHARD_INFIX
}

/// What precedes the number of a shard in the names of its files.
const SHARD_INFIX: &str = "-shard";
/// What precedes the bounds of a range of a group in the names of its objects.
const RANGE_INFIX: &str = "-range-";

/// The longest stem, in bytes, of the files with this extension: with the least digits, while they are open.
fn max_stem(extension: &str) -> usize {
    MAX_FILE_NAME - "-00000-000001.".len() - extension.len() - OPEN_SUFFIX.len()
}

/// `name` as the beginning of a file's name: characters that file systems or shells do not accept are
/// percent-encoded, and `%` itself too, so that no two names become the same. A stem of more than `max` bytes
/// is cut, and ends in `~` and a hash of the whole name.
fn file_stem(name: &str, max: usize) -> String {
    let whole = encoded(name);
    if whole.len() <= max {
        return whole;
    }
    let mut stem = String::new();
    for c in name.chars() {
        let next = encoded_at(c, stem.is_empty());
        if stem.len() + next.len() > CUT_STEM {
            break;
        }
        stem.push_str(&next);
    }
    format!("{stem}~{:016x}", fnv_1a(name.as_bytes()))
}

/// The name of a container, and of the share of a plan or the range of a group that has this address, as the names of
/// objects begin: of characters that need no encoding in an object store.
#[cfg(feature = "object-stores")]
pub fn stem_of_objects(container: &str, address: &Address) -> String {
    let stem = stem_in_store(container);
    match (address.shard(), address.range()) {
        (Some(shard), _) => format!("{stem}{SHARD_INFIX}{shard:05}"),
        (None, Some(range)) => format!("{stem}{RANGE_INFIX}{range}"),
        (None, None) => stem,
    }
}

/// What the names of the objects of all ranges of a group begin with.
pub fn stem_of_ranges_in_store(container: &str) -> String {
    stem_in_store(container) + RANGE_INFIX
}

/// The range of a group that an object is of, by its name, which begins with `stem`.
pub fn range_of_name<'a>(name: &'a str, stem: &str) -> Option<&'a str> {
    let rest = split_name(name).1.strip_prefix(stem)?;
    // The bounds, then the series, the part, and the claim with the extension.
    let mut dashes = rest.match_indices('-').map(|(at, _)| at);
    let second = dashes.nth(1)?;
    Some(&rest[..second])
}

/// What the names of the objects of all shards of a container begin with.
pub fn stem_of_shards_in_store(container: &str) -> String {
    stem_in_store(container) + SHARD_INFIX
}

fn stem_in_store(container: &str) -> String {
    const MAX_STEM: usize = 150;
    file_stem(container, MAX_STEM).replace(['%', '~'], "_")
}

/// The 64-bit FNV-1a hash, which is the same in every build.
pub(super) fn fnv_1a(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

fn encoded(name: &str) -> String {
    let mut stem = String::new();
    for c in name.chars() {
        let is_first = stem.is_empty();
        stem.push_str(&encoded_at(c, is_first));
    }
    stem
}

/// A character of a stem.
fn encoded_at(c: char, is_first: bool) -> String {
    let is_safe = c.is_alphanumeric() || matches!(c, '_' | '-') || (c == '.' && !is_first);
    if is_safe {
        return c.to_string();
    }
    let mut bytes = [0; 4];
    let bytes = c.encode_utf8(&mut bytes).bytes();
    bytes.map(|byte| format!("%{byte:02X}")).collect()
}

#[cfg(test)]
mod tests;
