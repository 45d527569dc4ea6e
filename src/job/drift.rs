//! What has drifted: documents compared with the columns of an export, and columns added to it.

use anyhow::{Context, Result, anyhow};

use super::Connected;
use super::sample::{self, SampleRequest};
use crate::count::count;
use crate::destination::Kind;
use crate::error::{ExitCode, usage, with_hint};
use crate::feed::{ChangeFeedStart, FeedMode, RangeSet, Scope};
use crate::report::Report;
use crate::schema::{Drift, DriftedField, Drifting, InferenceOptions, TableLayout};
use crate::settings::{Compared, SchemaPlan};
use crate::signal::Shutdown;
use crate::state::model::{Settings, State};

/// Prints what documents have that the columns of `compared` do not hold.
///
/// # Errors
///
/// If the container cannot be read, or has no documents.
pub async fn diff(
    connected: Connected,
    plan: SchemaPlan,
    compared: Compared,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let TableLayout::Columns {
        schema,
        without_system_fields,
    } = &compared.layout
    else {
        return Err(usage(
            "the export keeps each document as a whole, so nothing can drift",
            "only columns of fields can be compared",
        ));
    };
    let options = InferenceOptions {
        sample: plan.inference.sample,
        ..compared.inference.unwrap_or(plan.inference)
    };
    let drifting = Drifting::new(schema, *without_system_fields, &options, compared.form);
    let request = SampleRequest {
        connected: &connected,
        options,
        from: ChangeFeedStart::Beginning,
        query: None,
        settings: &plan.settings,
    };
    let state = compared.state.as_deref();
    let (drift, sample) = sample::compare(
        request,
        drifting,
        state.map(|state| state.created),
        state.and_then(own_ranges),
        report,
        shutdown,
    )
    .await?;
    if drift.documents == 0 {
        return Err(with_hint(
            anyhow!(
                "{}/{} has no documents, so there is nothing to compare",
                connected.source.database,
                connected.source.container
            ),
            "try again once there are documents",
        ));
    }
    report.notice(&format!(
        "compared {}{}: {} something that is kept in `_extra`",
        count(drift.documents, "document"),
        sample.origin(),
        match drift.overflowed {
            0 => "none has".to_owned(),
            1 => "1 has".to_owned(),
            more => format!("{} have", indicatif::HumanCount(more)),
        }
    ));
    report.print_drift(&drift)?;
    let new = drift.columns().count();
    if new > 0 && state.is_some() {
        report.notice(&format!(
            "`resume --widen` adds {} to new files",
            count(new as u64, "column")
        ));
    }
    Ok(ExitCode::Done)
}

/// The ranges of an export whose positions the feed of the latest versions continues.
fn own_ranges(state: &State) -> Option<&RangeSet> {
    let is_whole = state.options.scope == Scope::default();
    let is_latest = state.options.mode == FeedMode::LatestVersion;
    (is_whole && is_latest).then_some(&state.ranges)
}

/// What a sample of the documents of an export has that its columns do not hold; none if it has no columns yet.
///
/// # Errors
///
/// If the export has no columns that can be widened, or a sample cannot be taken.
pub(super) async fn find(
    connected: &Connected,
    state: &State,
    settings: &Settings,
    kind: Kind,
    report: &Report,
    shutdown: &Shutdown,
) -> Result<Option<(TableLayout, Drift, f64)>> {
    let refuse = |why: &str| Err(usage(format!("--widen: {why}"), "leave it out"));
    if !state.options.format.has_columns() {
        return refuse("the files of the export have no columns");
    }
    if state.options.query.is_some() {
        return refuse("a sample is of documents, and the export is of what a query selects");
    }
    if kind == Kind::Stream {
        return refuse("the header was written to standard output, and cannot change");
    }
    let (schema, without_system_fields) = match &state.options.layout {
        Some(TableLayout::Columns {
            schema,
            without_system_fields,
        }) => (schema, *without_system_fields),
        Some(TableLayout::Raw) => return refuse("the export keeps each document as a whole"),
        None => return Ok(None),
    };
    // An export whose columns were given has no options of its own.
    let options = state.options.inference.clone().unwrap_or(InferenceOptions {
        by_majority: true,
        without_system_fields,
        ..InferenceOptions::default()
    });
    let drifting = Drifting::new(schema, without_system_fields, &options, state.options.table);
    let request = SampleRequest {
        connected,
        options,
        from: state.options.from,
        query: None,
        settings,
    };
    let (drift, sample) = sample::compare(
        request,
        drifting,
        Some(state.created),
        own_ranges(state),
        report,
        shutdown,
    )
    .await?;
    let widened = schema.widened(drift.columns());
    let schema = widened
        .map_err(|why| anyhow!(why))
        .context("cannot widen the columns")?;
    let layout = TableLayout::Columns {
        schema,
        without_system_fields,
    };
    Ok(Some((layout, drift, sample.request_charge)))
}

/// Reports the columns that were added.
pub(super) fn report_widened(drift: &Drift, report: &Report) {
    let columns: Vec<String> = drift.columns().map(|column| column.to_string()).collect();
    if columns.is_empty() {
        report.notice(&format!(
            "no columns were added: {} have no field that could get one",
            count(drift.documents, "sampled document")
        ));
        return;
    }
    report.notice(&format!(
        "added {} to new files: {}",
        count(columns.len() as u64, "column"),
        columns.join(", ")
    ));
    let is_left = |field: &&DriftedField| field.new_type.is_none();
    let left = drift.fields.iter().filter(is_left).count();
    if left > 0 {
        let stay = if left == 1 { "stays" } else { "stay" };
        report.notice(&format!(
            "{} {stay} in `_extra`: `schema --diff` lists what",
            count(left as u64, "other field")
        ));
    }
}
