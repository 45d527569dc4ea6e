//! The state of an export of JSON lines to a directory, before it has read anything.

use cosmos_tail::destination::Output;
use cosmos_tail::feed::{ChangeFeedStart, ContainerAddress, FeedMode, Scope};
use cosmos_tail::format::{Compression, Format};
use cosmos_tail::state::model::{FrozenOptions, JobKind, Settings, State};

/// A state without ranges.
pub(crate) fn state() -> State {
    let source = ContainerAddress {
        endpoint: "https://a.documents.azure.com/".to_owned(),
        database: "shop".to_owned(),
        container: "orders".to_owned(),
        container_rid: "Gz8AAI1vXh4=".to_owned(),
    };
    let options = FrozenOptions {
        mode: FeedMode::LatestVersion,
        scope: Scope::default(),
        snapshot: false,
        query: None,
        masked: false,
        from: ChangeFeedStart::Beginning,
        format: Format::Jsonl,
        compression: Compression::None,
        layout: None,
        table: cosmos_tail::schema::TableForm::First,
        inference: None,
        csv: None,
        output: Output::Directory(".".to_owned()),
        partition_by: None,
        records: None,
    };
    let settings = Settings {
        follow: false,
        until: None,
        concurrency: None,
        page_size: 1000,
        max_retries: 15.into(),
        max_ru: None,
        poll_interval_ms: 1000,
        checkpoint_interval_ms: 5000,
        checkpoint_bytes: 1 << 28,
        rotate_bytes: None,
        rotate_interval_ms: None,
        row_group_bytes: None,
        extra: None,
    };
    State::new(JobKind::Export, source, options, settings)
}
