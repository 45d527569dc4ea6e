//! The report: a line of JSON for each difference.

use std::io::Write;

use anyhow::{Context, Result};

use super::examine::{Kind, Pair, SOURCE, TARGET};
use super::side::Side;
use crate::cli::location::Location;
use crate::content::canonical::Content;
use crate::durable::{open_plain_quietly, shown_path};
use crate::error::usage;
use crate::escape::escape_json;
use crate::feed::page::members;
use crate::render::{Difference, differences};

/// The sides, as members are named.
const SIDES: [&str; 2] = ["source", "target"];

/// Where the report goes.
pub(super) struct Listing {
    out: Out,
    has_values: bool,
    /// The container that its lines name, where it is of several.
    container: Option<String>,
}

enum Out {
    Nowhere,
    StandardOutput,
    File {
        file: std::io::BufWriter<std::fs::File>,
        name: String,
    },
}

impl Listing {
    /// Opens the report at `place`, if there is to be one. A file is created, or begins anew, unless it is that of
    /// several comparisons.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or is one of the files that are compared.
    pub(super) fn open(
        place: Option<&Location>,
        has_values: bool,
        sides: &[&Side],
        of_several: Option<&str>,
    ) -> Result<Self> {
        let out = match place {
            None => Out::Nowhere,
            Some(Location::Local(path)) => {
                let name = format!("`{}`", shown_path(&path));
                if sides.iter().any(|side| side.has_file(path)) {
                    return Err(usage(
                        format!("{name} is read as a side, and would be replaced by the report"),
                        "name another file for --report",
                    ));
                }
                let mut options = fs_err::OpenOptions::new();
                let continues = of_several.is_some();
                options.create(true).append(continues);
                options.write(true).truncate(!continues);
                let file = open_plain_quietly(path, &mut options)?;
                let file = std::io::BufWriter::new(file.into_file());
                Out::File { file, name }
            }
            Some(_) => Out::StandardOutput,
        };
        Ok(Self {
            out,
            has_values,
            container: of_several.map(str::to_owned),
        })
    }

    /// Appends the line of a document.
    pub(super) fn write(&mut self, kind: Kind, pair: &Pair, content: &Content) -> Result<()> {
        if matches!(self.out, Out::Nowhere) {
            return Ok(());
        }
        let start = start(kind.name(), self.container.as_deref());
        self.write_line(&line(start, pair, content, self.has_values))
    }

    fn write_line(&mut self, line: &[u8]) -> Result<()> {
        match &mut self.out {
            Out::Nowhere => Ok(()),
            Out::StandardOutput => {
                let line = String::from_utf8_lossy(line);
                let line = format!("{}\n", escape_json(line.trim_end_matches('\n')));
                let written = std::io::stdout().lock().write_all(line.as_bytes());
                written.context("cannot write to standard output")
            }
            Out::File { file, name } => {
                let written = file.write_all(line);
                written.with_context(|| format!("cannot write {name}"))
            }
        }
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn finish(self) -> Result<()> {
        match self.out {
            Out::Nowhere => Ok(()),
            Out::StandardOutput => {
                let flushed = std::io::stdout().lock().flush();
                flushed.context("cannot write to standard output")
            }
            Out::File { mut file, name } => {
                let flushed = file.flush().and_then(|()| file.get_ref().sync_all());
                flushed.with_context(|| format!("cannot write {name}"))
            }
        }
    }
}

/// Begins the report of several comparisons.
///
/// # Errors
///
/// If it cannot be written.
pub fn begin_report(place: Option<&Location>) -> Result<()> {
    Listing::open(place, false, &[], None)?.finish()
}

/// Adds a container that only one side has to the report of several.
///
/// # Errors
///
/// If it cannot be written.
pub fn list_container(place: Option<&Location>, kind: &str, container: &str) -> Result<()> {
    let mut listing = Listing::open(place, false, &[], Some(container))?;
    let start = start(kind, Some(container));
    listing.write_line(format!("{start}}}\n").as_bytes())?;
    listing.finish()
}

/// How a line begins.
fn start(kind: &str, container: Option<&str>) -> String {
    let container = match container {
        Some(name) => format!(",\"container\":{}", serde_json::Value::from(name)),
        None => String::new(),
    };
    format!("{{\"kind\":\"{kind}\"{container}")
}

fn line(start: String, pair: &Pair, content: &Content, has_values: bool) -> Vec<u8> {
    let mut line = start.into_bytes();
    if let Some(address) = &pair.address {
        let names = format!(",\"partitionKey\":{},\"id\":{}", address.key, address.id);
        line.extend_from_slice(names.as_bytes());
    }
    for (side, name) in SIDES.iter().enumerate() {
        if let Some(text) = &pair.texts[side] {
            write_version(name, text, &mut line);
        }
    }
    match [&pair.texts[SOURCE], &pair.texts[TARGET]] {
        [Some(source), Some(target)] => {
            line.extend_from_slice(b",\"differences\":[");
            let (source, target) = (content.kept(source), content.kept(target));
            for (at, found) in unlike(&source, &target, content).iter().enumerate() {
                if at > 0 {
                    line.push(b',');
                }
                write_difference(found, has_values, &mut line);
            }
            line.push(b']');
        }
        [Some(document), None] | [None, Some(document)] if has_values => {
            line.extend_from_slice(b",\"document\":");
            line.extend_from_slice(&content.kept(document));
        }
        _ => {}
    }
    line.extend_from_slice(b"}\n");
    // A document may have line breaks between its values.
    let end = line.len() - 1;
    for byte in &mut line[..end] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    line
}

/// The version of a document, if it has what the service adds.
fn write_version(side: &str, document: &[u8], line: &mut Vec<u8>) {
    let mut found: Vec<(&str, &[u8])> = Vec::new();
    for member in members(document) {
        for name in ["_ts", "_etag"] {
            if member.is_named(name) {
                found.push((name, member.value));
            }
        }
    }
    if found.is_empty() {
        return;
    }
    line.extend_from_slice(format!(",\"{side}\":{{").as_bytes());
    for (at, (name, value)) in found.iter().enumerate() {
        if at > 0 {
            line.push(b',');
        }
        line.extend_from_slice(format!("\"{name}\":").as_bytes());
        line.extend_from_slice(value);
    }
    line.push(b'}');
}

/// The differences that count. Texts of one content differ in their bytes only.
fn unlike<'a>(source: &'a [u8], target: &'a [u8], content: &Content) -> Vec<Difference<'a>> {
    let mut found = differences(source, target);
    found.retain(|difference| match (difference.from, difference.to) {
        (Some(from), Some(to)) => !content.is_same_value(from, to),
        _ => true,
    });
    found
}

fn write_difference(difference: &Difference<'_>, has_values: bool, line: &mut Vec<u8>) {
    let path = serde_json::Value::from(difference.path.to_string());
    line.extend_from_slice(format!("{{\"path\":{path}").as_bytes());
    if has_values {
        for (side, value) in SIDES.iter().zip([difference.from, difference.to]) {
            if let Some(value) = value {
                line.extend_from_slice(format!(",\"{side}\":").as_bytes());
                line.extend_from_slice(value);
            }
        }
    }
    line.push(b'}');
}

/// The paths at which a document differs.
pub(super) fn paths(pair: &Pair, content: &Content) -> Vec<String> {
    let [Some(source), Some(target)] = &pair.texts else {
        return Vec::new();
    };
    let (source, target) = (content.kept(source), content.kept(target));
    let found = unlike(&source, &target, content);
    found.iter().map(|found| found.path.to_string()).collect()
}
