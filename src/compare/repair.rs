//! `--repair-to`: what a replay has to write so that the target has the documents of the source.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::examine::{Kind, Pair, SOURCE};
use crate::durable::{create_directory, open_plain_quietly, shown_path};
use crate::error::usage;
use crate::feed::RecordForm;
use crate::feed::page::write_without_system_fields;
use crate::source::heading;

/// The documents that are missing or different, as the source has them.
const DOCUMENTS: &str = "documents.jsonl";
/// Changes that delete the documents that only the target has.
const DELETES: &str = "deletes.jsonl";

/// A file that is written.
struct Part {
    file: std::io::BufWriter<std::fs::File>,
    path: PathBuf,
    records: u64,
}

/// The files of a repair.
pub(super) struct Repair {
    documents: Part,
    deletes: Option<Part>,
}

/// What a repair holds.
pub(super) struct Repaired {
    /// The files that have something, each with the number of its records.
    pub(super) files: Vec<(PathBuf, u64)>,
}

impl Part {
    fn create(path: PathBuf) -> Result<Self> {
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create_new(true);
        let file = open_plain_quietly(&path, &mut options)?;
        Ok(Self {
            file: std::io::BufWriter::new(file.into_file()),
            path,
            records: 0,
        })
    }

    fn write(&mut self, line: &[u8]) -> Result<()> {
        self.records += 1;
        self.put(line)
    }

    fn put(&mut self, line: &[u8]) -> Result<()> {
        let written = self.file.write_all(line);
        written.with_context(|| format!("cannot write `{}`", shown_path(&self.path)))
    }

    fn finish(mut self) -> Result<(PathBuf, u64)> {
        let flushed = self.file.flush();
        let synced = flushed.and_then(|()| self.file.get_ref().sync_all());
        synced.with_context(|| format!("cannot write `{}`", shown_path(&self.path)))?;
        Ok((self.path, self.records))
    }
}

impl Repair {
    /// Creates the files in `directory`.
    ///
    /// # Errors
    ///
    /// If it has files already, or cannot be written.
    pub(super) fn create(directory: &Path, with_deletes: bool) -> Result<Self> {
        if directory.exists() && fs_err::read_dir(directory)?.next().is_some() {
            return Err(usage(
                format!("`{}` is not empty", shown_path(&directory)),
                "name a new directory for --repair-to",
            ));
        }
        create_directory(directory)?;
        let mut deletes = None;
        if with_deletes {
            let mut part = Part::create(directory.join(DELETES))?;
            part.put(&heading(RecordForm::Changes))?;
            deletes = Some(part);
        }
        Ok(Self {
            documents: Part::create(directory.join(DOCUMENTS))?,
            deletes,
        })
    }

    /// Adds what makes one document the same on both sides.
    pub(super) fn add(&mut self, kind: Kind, pair: &Pair) -> Result<()> {
        match (kind, &pair.texts[SOURCE], &pair.address) {
            (Kind::Missing | Kind::Different, Some(document), _) => {
                let mut line = Vec::with_capacity(document.len());
                write_without_system_fields(document, &mut line);
                for byte in &mut line {
                    // Whitespace between values: text has none of them.
                    if matches!(byte, b'\n' | b'\r') {
                        *byte = b' ';
                    }
                }
                line.push(b'\n');
                self.documents.write(&line)
            }
            (Kind::Extra, _, Some(address)) => match &mut self.deletes {
                Some(deletes) => {
                    let line = format!(
                        "{{\"metadata\":{{\"operationType\":\"delete\",\"id\":{},\"partitionKey\":{}}}}}\n",
                        address.id, address.key
                    );
                    deletes.write(line.as_bytes())
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Makes the files durable.
    pub(super) fn finish(self) -> Result<Repaired> {
        let mut files = vec![self.documents.finish()?];
        if let Some(deletes) = self.deletes {
            files.push(deletes.finish()?);
        }
        files.retain(|(_, records)| *records > 0);
        Ok(Repaired { files })
    }
}
