//! Reading a side: files one after the other, a container range by range.

use std::sync::atomic::Ordering;

use anyhow::{Context, Result};

use super::feed::read_container;
use super::keyed::Keyer;
use super::side::Place;
use super::visitor::{Reading, Visitor};
use crate::content::form::Form;
use crate::replay::source_location;
use crate::source::{self, Mark};

/// How often to look for a stop, and to report progress.
pub(super) const RECORDS: u64 = 256;

impl Reading {
    /// Reads what is selected, and returns `visitor` with it.
    ///
    /// # Errors
    ///
    /// If a record cannot be read or cannot be compared, or the reading is stopped.
    pub(super) async fn read<V: Visitor>(self, visitor: V) -> Result<V> {
        let name = self.side.name.clone();
        let read = if self.side.is_container() {
            read_container(self, visitor).await
        } else {
            let reading = tokio::task::spawn_blocking(move || self.read_files(visitor));
            reading.await.context("the reading ended unexpectedly")?
        };
        read.with_context(|| format!("cannot compare {name}"))
    }

    fn read_files<V: Visitor>(self, mut visitor: V) -> Result<V> {
        let Place::Files { inputs, .. } = &self.side.place else {
            return Ok(visitor);
        };
        let mut before = 0;
        let mut records = 0;
        let mut form = Form::default();
        for input in inputs {
            let keyer = Keyer {
                interpreter: self.keyer.interpreter.of_input(input)?,
                ..(*self.keyer).clone()
            };
            let mut reader = source::open(input, Mark::default())?;
            while let Some(record) = reader.next_passing()? {
                records += 1;
                if records % RECORDS == 0 {
                    self.reads(RECORDS, before + record.raw_end)?;
                }
                let written = self.selection.is_all().then_some(&mut form);
                let visited = keyer.record(&record.json, record.form, written, |keyed| {
                    if self.selection.wants(keyed.bucket, keyed.name) {
                        visitor.visit(&keyer, keyed, false)
                    } else {
                        Ok(())
                    }
                })?;
                visited.map_err(|unusable| unusable.at(&source_location(input, record.end)))?;
            }
            before += input.length;
        }
        self.done.bytes.store(before, Ordering::Relaxed);
        Ok(visitor)
    }

    /// So many more documents were read, and so many bytes of the side.
    ///
    /// # Errors
    ///
    /// If it is to stop.
    pub(super) fn reads(&self, documents: u64, bytes: u64) -> Result<()> {
        self.done.documents.fetch_add(documents, Ordering::Relaxed);
        self.done.bytes.store(bytes, Ordering::Relaxed);
        anyhow::ensure!(!self.stop.is_cancelled(), "stopped");
        Ok(())
    }
}
