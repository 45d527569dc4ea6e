//! Which destination an output has.

use std::path::Path;

use super::earlier::ReadEarlier;
use super::local::Local;
use super::names::FileNames;
use super::output::Output;
use super::partition::PartitionBy;
use super::seam::Destination;
use super::standard_output::StandardOutput;

/// What a destination is made from.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Where the documents go.
    pub output: &'a Output,
    /// The directory that relative paths are relative to: that of the state.
    pub base: &'a Path,
    /// The name of the container, which files are named by.
    pub container: &'a str,
    /// The extension of files, without a dot.
    pub extension: &'static str,
    /// How the table is partitioned, if it is.
    pub partition_by: Option<PartitionBy>,
    /// The path of the state, if there is one.
    pub state_path: Option<&'a Path>,
    /// Whether the written bytes are already safe for terminals.
    pub is_for_terminals: bool,
}

/// The destination at `place`. `read_earlier` reads states of earlier exports, which list their files.
pub fn at(place: Place<'_>, read_earlier: ReadEarlier) -> Box<dyn Destination> {
    match place.output {
        Output::Table(_) | Output::Directory(_) | Output::File(_) | Output::Append(_) => {
            let Place {
                output,
                base,
                container,
                extension,
                partition_by,
                ..
            } = place;
            let names = FileNames::new(output, base, container, extension);
            let names = names.partitioned(partition_by);
            Box::new(Local::new(names, place.state_path, read_earlier))
        }
        // Objects are opened by their addresses.
        Output::Objects | Output::ObjectsAt(_) | Output::StandardOutput => Box::new(
            StandardOutput::new(place.state_path, read_earlier, place.is_for_terminals),
        ),
    }
}
