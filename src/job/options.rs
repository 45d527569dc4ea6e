//! The options of the reader and the sink of a job, by its state and the settings of this run.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Result;

use super::buffers::buffered_bytes;
use super::{Connected, feed_request};
use crate::destination::{Destination, Output};
use crate::format::{Compression, EncoderOptions, NewEncoder, encoders};
use crate::reader::{ReadEnd, ReaderOptions};
use crate::schema::TableLayout;
use crate::sink::SinkOptions;
use crate::state::model::{FrozenOptions, Settings, State};

/// Bytes of rows that all encoders together may keep in memory.
pub(super) const ENCODER_MEMORY: usize = 64 << 20;
/// The least for one of several jobs.
const MIN_ENCODER_MEMORY: usize = 8 << 20;

/// Whether a commit counts what was written so far: of a stream it always does.
pub(super) fn commits_within_files(state: &State, destination: &dyn Destination) -> bool {
    state.options.output == Output::StandardOutput
        || (state.options.format.commits_within_files() && destination.commits_within_parts())
}

/// How a job writes that is one of so many.
pub(super) fn sink_options(
    state: &State,
    settings: &Settings,
    destination: &dyn Destination,
    jobs: usize,
) -> SinkOptions {
    SinkOptions {
        export_id: state.export_id,
        container: state.source.container.clone(),
        compression: match state.options.format.compresses_itself() {
            false => state.options.compression,
            true => Compression::None,
        },
        commits_within_files: commits_within_files(state, destination),
        rotate_bytes: settings.rotate_bytes,
        encoder_memory: (ENCODER_MEMORY / jobs).max(MIN_ENCODER_MEMORY),
    }
}

/// What encodes the files of an export.
pub(super) fn encoders_of(
    connected: &Connected,
    options: &FrozenOptions,
    settings: &Settings,
    is_stream: bool,
    layout: Arc<OnceLock<TableLayout>>,
) -> Box<NewEncoder> {
    let paths = connected.client.partition_key_definition().paths();
    encoders(EncoderOptions {
        format: options.format,
        is_stream,
        mode: options.mode,
        compression: options.compression,
        csv: options.csv.clone().unwrap_or_default(),
        row_group_bytes: settings.row_group_bytes.unwrap_or(u64::MAX),
        partition_key_paths: paths.iter().map(ToString::to_string).collect(),
        layout,
        form: options.table,
        extra: settings.extra.unwrap_or_default(),
    })
}

/// How a job reads.
pub(super) fn reader_options(
    state: &State,
    settings: &Settings,
    concurrency: usize,
    end: ReadEnd,
) -> Result<ReaderOptions> {
    Ok(ReaderOptions {
        concurrency,
        request: feed_request(state, settings)?,
        retry_limit: settings.max_retries,
        start: state.options.from,
        end,
        poll_interval: Duration::from_millis(settings.poll_interval_ms),
        buffered_bytes: u32::try_from(buffered_bytes(concurrency))?,
    })
}
