//! The documents of the start.
//!
//! They are created while the account is used already. Their LSNs are promised before: the feed has its first
//! page at once and its end from the beginning, and its positions are the same in every process.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use azure_core::http::Method;

use super::documents::{customer_id, document};
use super::log::{ContainerLog, Key};
use super::orders::{self, CONTAINER, DATABASE};
use super::recorder::{Filling, Recorder};

/// How many documents are created before a reader gets its turn.
const CHUNK: u32 = 50;

/// The documents of the start, promised and on their way.
pub(super) struct Fill {
    recorder: Arc<Recorder>,
    documents: u32,
}

impl Fill {
    /// Promises the documents.
    ///
    /// # Errors
    ///
    /// If there is no such container.
    pub(super) async fn begin(recorder: &Arc<Recorder>, documents: u32) -> Result<Self> {
        let mut log = recorder.log_mut().await;
        let log = log.get_mut(DATABASE, CONTAINER);
        let log = log.context("the demo container does not exist")?;
        log.forget_changes();
        let mut epks = HashMap::new();
        for number in 0..documents {
            let customer = customer_id(number);
            let epk = match epks.get(&customer) {
                Some(epk) => epk,
                None => {
                    let key = Key::of_header(&orders::partition_key(&customer))?;
                    let (epk, _) = log
                        .keys()
                        .hashes(&key.context("an order has a customer")?)?;
                    epks.entry(customer).or_insert(epk)
                }
            };
            log.promise(epk);
        }
        recorder.report(Filling::Running(0));
        Ok(Self {
            recorder: Arc::clone(recorder),
            documents,
        })
    }

    /// Creates the documents.
    pub(super) async fn run(self) {
        let filling = match self.create().await {
            Ok(()) => Filling::Done,
            Err(error) => {
                tracing::error!("{error:#}");
                Filling::Failed
            }
        };
        self.recorder.report(filling);
    }

    async fn create(&self) -> Result<()> {
        let path = orders::docs_path(None);
        for first in (0..self.documents).step_by(CHUNK as usize) {
            let numbers = first..self.documents.min(first.saturating_add(CHUNK));
            let end = numbers.end;
            let requests =
                numbers.map(|number| orders::write(Method::Post, &path, document(number, 0)));
            self.recorder.fill(requests.collect()).await?;
            self.recorder.report(Filling::Running(end));
            tokio::task::yield_now().await;
        }
        // The changes that made them are not to be seen: they are no changes to the reader.
        self.recorder
            .with_log(DATABASE, CONTAINER, ContainerLog::keep_changes)
            .await;
        Ok(())
    }
}
