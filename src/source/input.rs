//! One file to read, or standard input.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::csv_reading::CsvReading;
use super::declaration::Declaration;
use super::exported::Exported;
use crate::destination::{ExportFiles, PartReader, checksum_text};
use crate::durable::{is_same_file, is_standard_input};
use crate::feed::RecordForm;
use crate::format::{CsvOptions, Format};
use crate::objects::Address;
use crate::schema::{Schema, TableLayout};
use crate::state::model::State;

/// How many of a file's first bytes make its fingerprint.
const FINGERPRINT_BYTES: u64 = 4096;

/// One file, or standard input.
#[derive(Debug, Clone)]
pub struct Input {
    pub(super) origin: Origin,
    /// Its length in bytes; 0 if it has none.
    pub length: u64,
    /// How to read its rows if it is CSV; none if that is not known.
    pub csv: Option<Arc<CsvForm>>,
    /// What the user says about CSV that no export wrote, if anything.
    pub(super) reading: Option<Arc<CsvReading>>,
    /// The paths of the partition key of the container that it comes from, if they are known.
    pub partition_key: Option<Arc<[String]>>,
    /// When it was exported, and from which container.
    pub exported: Exported,
    /// What its records are, and what says so; none if nothing has said it so far.
    pub(super) declared: Option<Declaration>,
}

/// Where the bytes of an input come from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    StandardInput,
    /// A file that the user named.
    File(PathBuf),
    /// A file that an export's manifest lists.
    Export {
        files: Arc<dyn ExportFiles>,
        name: String,
    },
}

/// What an export's state says about its CSV files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvForm {
    /// The columns of documents, in each of the column sets of the export; none if documents have a column of their
    /// own.
    pub schemas: Vec<Option<Schema>>,
    /// The dialect.
    pub options: CsvOptions,
}

impl CsvForm {
    pub(super) fn of(state: &State) -> Option<Arc<Self>> {
        if state.options.format != Format::Csv || state.options.layout.is_none() {
            return None;
        }
        let schemas = state.layouts().map(|layout| match layout {
            TableLayout::Columns { schema, .. } => Some(schema.clone()),
            TableLayout::Raw => None,
        });
        Some(Arc::new(Self {
            schemas: schemas.collect(),
            options: state.options.csv.clone().unwrap_or_default(),
        }))
    }
}

/// Identifies a file, to check that it is still the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Its absolute path.
    pub path: PathBuf,
    /// How many of its first bytes the checksum covers.
    pub prefix: u64,
    /// The CRC-32C of these bytes.
    #[serde(with = "checksum_text")]
    pub crc32c: u32,
}

/// The file `name` of an export.
pub(super) fn of_export(files: &Arc<dyn ExportFiles>, name: String, length: u64) -> Input {
    Input {
        origin: Origin::Export {
            files: Arc::clone(files),
            name,
        },
        length,
        csv: None,
        reading: None,
        partition_key: None,
        exported: Exported::default(),
        declared: None,
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::StandardInput => f.write_str("standard input"),
            Origin::File(path) => write!(f, "`{}`", path.display()),
            Origin::Export { files, name } => write!(f, "`{}`", files.display_of(name)),
        }
    }
}

impl Input {
    /// What its records are, as far as is known before it is read.
    pub fn form(&self) -> Option<RecordForm> {
        self.declared.as_ref().map(|declared| declared.form)
    }

    /// Takes the user's declaration into account.
    pub(super) fn declared_by_flag(&mut self, given: Option<RecordForm>) -> Result<()> {
        if let Some(form) = given {
            let flag = Declaration::of_flag(form);
            let name = self.to_string();
            self.declared = Some(Declaration::agree(self.declared.take(), flag, &name)?);
        }
        Ok(())
    }

    /// Whether it is standard input.
    pub(super) fn is_standard_input(&self) -> bool {
        matches!(self.origin, Origin::StandardInput)
    }

    /// Whether it is standard input, which has no name, and the user gave a delimiter.
    pub(super) fn is_declared_csv(&self) -> bool {
        let delimiter = self.reading.as_ref().and_then(|reading| reading.delimiter);
        self.is_standard_input() && delimiter.is_some()
    }

    /// The name of the file, without its directory; none for standard input.
    pub(super) fn file_name(&self) -> Option<Cow<'_, str>> {
        match &self.origin {
            Origin::StandardInput => None,
            Origin::File(path) => Some(file_name_of(path)),
            Origin::Export { name, .. } => Some(name.into()),
        }
    }

    /// Opens the file.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or is standard input.
    pub(super) fn open(&self) -> Result<Box<dyn PartReader>> {
        match &self.origin {
            Origin::StandardInput => bail!("standard input is not a file"),
            Origin::File(path) => Ok(Box::new(fs::File::open(path)?)),
            Origin::Export { files, name } => {
                let file = files.open_file(name)?;
                file.with_context(|| format!("{self} is missing"))
            }
        }
    }

    /// Whether it is the file `path`, under whatever name.
    pub fn is_the_file(&self, path: &Path) -> bool {
        match &self.origin {
            Origin::StandardInput => is_standard_input(path),
            Origin::File(own) => is_same_file(own, path),
            Origin::Export { files, name } => files
                .address_of(name)
                .is_ok_and(|own| is_same_file(&own, path)),
        }
    }

    /// Whether it is an object directly below this address.
    pub fn is_below(&self, address: &Address) -> bool {
        match &self.origin {
            Origin::Export { files, name } => files
                .address_of(name)
                .is_ok_and(|own| own == Path::new(&address.of(name))),
            Origin::StandardInput | Origin::File(_) => false,
        }
    }

    /// Whether both are the same file, under whatever names.
    pub fn is_the_same_as(&self, other: &Self) -> bool {
        match &other.origin {
            Origin::StandardInput => self.is_standard_input(),
            Origin::File(path) => self.is_the_file(path),
            Origin::Export { files, name } => files
                .address_of(name)
                .is_ok_and(|path| self.is_at(&path) || self.is_the_file(&path)),
        }
    }

    /// Whether it is listed by an export under this address, which need not be a path of this machine.
    fn is_at(&self, address: &Path) -> bool {
        match &self.origin {
            Origin::Export { files, name } => {
                files.address_of(name).is_ok_and(|own| own == address)
            }
            Origin::StandardInput | Origin::File(_) => false,
        }
    }

    /// Whether a read of it may wait for more: it is a pipe or a device.
    pub fn may_wait(&self) -> bool {
        match &self.origin {
            Origin::StandardInput => true,
            Origin::File(path) => !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()),
            Origin::Export { .. } => false,
        }
    }

    /// Its fingerprint; none for standard input. `prefix` is the number of bytes to include: by default up to
    /// 4 KiB.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn fingerprint(&self, prefix: Option<u64>) -> Result<Option<Fingerprint>> {
        let path = match &self.origin {
            Origin::StandardInput => return Ok(None),
            Origin::File(path) => std::path::absolute(path)?,
            Origin::Export { files, name } => files.address_of(name)?,
        };
        let mut beginning = Vec::new();
        self.open()?
            .take(prefix.unwrap_or(FINGERPRINT_BYTES))
            .read_to_end(&mut beginning)?;
        Ok(Some(Fingerprint {
            path,
            prefix: beginning.len() as u64,
            crc32c: crc32c::crc32c(&beginning),
        }))
    }
}

/// The name of a file, without its directory.
pub(super) fn file_name_of(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}
