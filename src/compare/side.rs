//! A side of a comparison: files, or a container.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Result;

use super::heard::Heard;
use crate::cosmos::retry::RetryLimit;
use crate::error::usage;
use crate::feed::ContainerAddress;
use crate::job::Connected;
use crate::replay::same_container;
use crate::source::{Input, Inputs};

/// A side.
#[derive(Debug)]
pub(super) struct Side {
    /// As messages name it.
    pub(super) name: String,
    pub(super) place: Place,
}

/// Where the documents of a side are.
#[derive(Debug)]
pub(super) enum Place {
    Files {
        inputs: Vec<Input>,
        bytes: u64,
        /// Whether each reading of them is a download.
        are_objects: bool,
    },
    Container {
        connected: Connected,
        /// Request units that its connection had cost before.
        spent_before: f64,
        retry_limit: RetryLimit,
        /// Whether buckets are ranges of it, as far as is known.
        in_ranges: AtomicBool,
        /// What several readings of it know.
        heard: Heard,
    },
}

/// How much of a side was read, over all its readings.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) documents: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// The share that was read of a container, in millionths.
    share: AtomicU64,
}

impl Done {
    /// This share of everything was read.
    pub(super) fn reads_share(&self, share: f64) {
        self.share.store((share * 1e6) as u64, Ordering::Relaxed);
    }

    /// The share of everything that was read.
    pub(super) fn share(&self) -> f64 {
        self.share.load(Ordering::Relaxed) as f64 / 1e6
    }
}

impl Side {
    pub(super) fn of_files(name: String, inputs: Inputs) -> Self {
        Self {
            name,
            place: Place::Files {
                bytes: inputs.total_bytes(),
                are_objects: inputs.are_objects,
                inputs: inputs.inputs,
            },
        }
    }

    pub(super) fn is_container(&self) -> bool {
        matches!(self.place, Place::Container { .. })
    }

    /// Whether it is read again without cost.
    pub(super) fn is_local(&self) -> bool {
        matches!(
            self.place,
            Place::Files {
                are_objects: false,
                ..
            }
        )
    }

    /// Whether small ranges of it can be read on their own.
    pub(super) fn is_in_ranges(&self) -> bool {
        match &self.place {
            Place::Container { in_ranges, .. } => in_ranges.load(Ordering::Relaxed),
            Place::Files { .. } => false,
        }
    }

    /// It has a document that may be in another range than its key says.
    pub(super) fn has_one_elsewhere(&self) {
        if let Place::Container { in_ranges, .. } = &self.place {
            in_ranges.store(false, Ordering::Relaxed);
        }
    }

    /// Whether it has the file `path`.
    pub(super) fn has_file(&self, path: &Path) -> bool {
        match &self.place {
            Place::Files { inputs, .. } => inputs.iter().any(|input| input.is_the_file(path)),
            Place::Container { .. } => false,
        }
    }

    /// Its bytes, if they are known before it is read.
    pub(super) fn bytes(&self) -> Option<u64> {
        match &self.place {
            Place::Files { bytes, .. } => Some(*bytes),
            Place::Container { .. } => None,
        }
    }

    /// Request units that reading it has cost.
    pub(super) fn request_units(&self) -> f64 {
        match &self.place {
            Place::Files { .. } => 0.0,
            Place::Container {
                connected,
                spent_before,
                ..
            } => connected.client.traffic().exchanged().request_units() - spent_before,
        }
    }

    fn container(&self) -> Option<&ContainerAddress> {
        match &self.place {
            Place::Files { .. } => None,
            Place::Container { connected, .. } => Some(&connected.source),
        }
    }
}

/// Refuses to compare something with itself.
///
/// # Errors
///
/// If the sides are the same container, or have a file in common.
pub(super) fn refuse_the_same(source: &Side, target: &Side) -> Result<()> {
    if let (Some(a), Some(b)) = (source.container(), target.container())
        && same_container(a, b)
    {
        return Err(usage(
            format!(
                "both sides are the container {}/{}",
                a.database, a.container
            ),
            "name another one with --from-container, or with -d and -c",
        ));
    }
    if let (Place::Files { inputs: a, .. }, Place::Files { inputs: b, .. }) =
        (&source.place, &target.place)
        && let Some(shared) = a
            .iter()
            .find(|one| b.iter().any(|other| one.is_the_same_as(other)))
    {
        return Err(usage(
            format!("both sides have the same file: {shared}"),
            "name another source, or another one --with",
        ));
    }
    Ok(())
}
