//! Standard output: a stream, which cannot be rewound.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::committed::Committed;
use super::earlier::ReadEarlier;
use super::export_files::{ExportFiles, PartReader};
use super::local::Local;
use super::manifest::Manifest;
use super::names::{FileNames, PartFile};
use super::output::Output;
use super::part::{FileState, ManifestMark, PartId, ResumedPart};
use super::recover::Recovery;
use super::seam::{Destination, Kind, Ownership, PartWriter, Unsynced};
use crate::escape::escape_data;

/// Standard output, written at least once: a run repeats what the run before it wrote after its last commit.
#[derive(Debug)]
pub struct StandardOutput {
    /// The only file that an earlier export can have left: its state.
    left: Local,
    /// Whether what is appended is in a form for terminals already.
    is_for_terminals: bool,
}

impl StandardOutput {
    /// Standard output, for an export whose state is at `state_path`. On a terminal, control
    /// characters are escaped unless `is_for_terminals`.
    pub fn new(
        state_path: Option<&Path>,
        read_earlier: ReadEarlier,
        is_for_terminals: bool,
    ) -> Self {
        let names = FileNames::new(&Output::StandardOutput, Path::new("."), "", "");
        Self {
            left: Local::new(names, state_path, read_earlier),
            is_for_terminals,
        }
    }
}

impl Destination for StandardOutput {
    fn display(&self) -> String {
        "standard output".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Stream
    }

    fn ensure_free(&self) -> Result<()> {
        self.left.ensure_free()
    }

    fn ensure_replaceable(&self) -> Result<()> {
        self.left.ensure_replaceable()
    }

    fn remove_earlier(&self) -> Result<()> {
        self.left.remove_earlier()
    }

    fn is_in_use(&self) -> bool {
        self.left.is_in_use()
    }

    fn prepare(&self) -> Result<()> {
        Ok(())
    }

    fn lock(&mut self, ownership: Ownership) -> Result<()> {
        self.left.lock(ownership)
    }

    fn check(&self) -> Result<()> {
        self.left.check()
    }

    fn begin(&self, _: uuid::Uuid) -> Result<()> {
        Ok(())
    }

    fn prove(&self, _: &Committed<'_>) -> Result<()> {
        Ok(())
    }

    fn recover(&self, committed: &Committed<'_>, _: bool) -> Result<Recovery> {
        Ok(Recovery::of_nothing(committed))
    }

    fn open(&self, _: PartId) -> Result<Box<dyn PartWriter>> {
        Ok(Box::new(Stream {
            escapes: std::io::stdout().is_terminal() && !self.is_for_terminals,
        }))
    }

    fn reopen(&self, _: &ResumedPart) -> Result<Box<dyn PartWriter>> {
        bail!("standard output has no parts to continue")
    }

    fn make_durable(&self, _: &[Unsynced]) -> Result<()> {
        Ok(())
    }

    fn publish(&self, committed: &Committed<'_>) -> Result<ManifestMark> {
        Ok(committed.manifest)
    }

    fn manifest(&self, _: &Committed<'_>) -> Result<Manifest> {
        Ok(Manifest::default())
    }

    fn name_of(&self, _: &FileState, _: bool) -> String {
        String::new()
    }

    fn part_of(&self, _: &str) -> Option<PartId> {
        None
    }

    fn shows_open_parts(&self) -> bool {
        false
    }

    fn list(&self) -> Result<Vec<PartFile>> {
        Ok(Vec::new())
    }
}

/// It has no files.
impl ExportFiles for StandardOutput {
    fn manifest_name(&self) -> Option<String> {
        None
    }

    fn finished(&self, _: Option<&Committed<'_>>) -> Result<Manifest> {
        Ok(Manifest::default())
    }

    fn count_unfinished(&self) -> Result<usize> {
        Ok(0)
    }

    fn length_of(&self, _: &str) -> Result<Option<u64>> {
        Ok(None)
    }

    fn open_file(&self, _: &str) -> Result<Option<Box<dyn PartReader>>> {
        Ok(None)
    }

    fn display_of(&self, _: &str) -> String {
        self.display()
    }

    fn address_of(&self, _: &str) -> Result<PathBuf> {
        bail!("standard output has no files")
    }
}

struct Stream {
    escapes: bool,
}

impl PartWriter for Stream {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut stdout = std::io::stdout().lock();
        let escaped = self.escapes.then(|| escape_data(bytes));
        let bytes = escaped.as_deref().unwrap_or(bytes);
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        written.context("cannot write to standard output")
    }
}
