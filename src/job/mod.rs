//! Wires up a job: reader → sink → ledger, from the first commit to the last.

mod buffers;
mod columns_file;
mod commit_slot;
mod coordinator;
mod database;
mod definition;
mod drift;
mod group_files;
mod handed_over;
mod listing;
mod masking;
mod open_layout;
mod options;
mod outcome;
mod plan;
mod query;
mod range_claim;
mod range_writer;
mod resume;
pub(crate) mod retention;
mod sample;
mod scope;
mod shard;
mod share;
mod start;
mod tail;
mod takeover;
mod timers;
mod uncommitted;
mod watch;

pub(crate) use buffers::{EVENTS, buffered_bytes};
pub use columns_file::write_columns;
pub use database::{ConnectedAccount, database};
pub use drift::diff;
pub(crate) use group_files::{FilesOfGroup, GroupFiles, GroupPlan};
pub(crate) use handed_over::{ensure_new_state, write_state_of_tail};
pub use plan::plan;
pub(crate) use range_claim::{Claimed, ClaimedRange, Hold, RangeToClaim};
pub(crate) use range_writer::{RangeCommit, RangeCommitted, RangeOutcome, RangeWriter};
pub use resume::resume;
pub use sample::schema;
pub use shard::shard;
pub(crate) use share::Share;
pub use start::export;
pub(crate) use start::{check_position, first_ranges};
pub use tail::tail;
pub(crate) use watch::{Watch, WatchEnd};

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::cosmos::budget::Budget;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::cursor::{FeedRequest, PageSource};
use crate::cosmos::epk::partition_key;
use crate::cosmos::max_ru::MaxRu;
use crate::feed::ContainerAddress;
use crate::observe::{Observer, SteppingBack};
use crate::report::Report;
use crate::state::model::{Settings, State};

/// A container with its connection.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The connection.
    pub client: Arc<CosmosClient>,
    /// Its address, as the state file keeps it.
    pub source: ContainerAddress,
}

impl Connected {
    /// Limits what reading costs in a second, if there is a limit.
    ///
    /// # Errors
    ///
    /// If it is a share of a throughput that is not known.
    pub(crate) async fn limit_reads(&self, max_ru: Option<MaxRu>, report: &Report) -> Result<()> {
        // Jobs that share the connection share a budget, which was set before.
        let Some(max_ru) = max_ru.filter(|_| self.client.traffic().bound().is_none()) else {
            return Ok(());
        };
        let per_second = max_ru.per_second(&self.client).await?;
        if matches!(max_ru, MaxRu::Percent(_)) {
            let ContainerAddress {
                database,
                container,
                ..
            } = &self.source;
            report.detail(&format!(
                "--max-ru {max_ru} is {per_second} RU/s for {database}/{container}"
            ));
        }
        self.client.traffic().limit(Budget::new(per_second));
        Ok(())
    }

    /// What reports that less than the budget is used, if there is one of this job alone.
    pub(crate) fn stepping_back<'a>(&self, report: &'a Report) -> Option<Box<dyn Observer + 'a>> {
        let traffic = self.client.traffic();
        if traffic.bound().is_some() {
            return None;
        }
        let budget = traffic.budget()?;
        Some(Box::new(SteppingBack::new(report, budget)))
    }
}

/// The requests of a job, by its state and the settings of this run.
fn feed_request(state: &State, settings: &Settings) -> Result<FeedRequest> {
    let page_size =
        NonZeroU32::new(settings.page_size).context("the state has a page size of 0")?;
    let partition_key = state
        .options
        .scope
        .partition_key
        .as_deref()
        .map(partition_key)
        .transpose()?;
    let has_columns = state.options.format.has_columns();
    let query = state.options.query.as_ref();
    Ok(FeedRequest {
        source: match query {
            Some(query) => PageSource::of_query(query, has_columns),
            None => PageSource::Feed(state.options.mode),
        },
        page_size,
        partition_key,
    })
}
