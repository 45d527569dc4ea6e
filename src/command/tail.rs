//! The `tail` subcommand: changes as they happen.

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::Result;

use super::account::{Account, connect_retries};
use crate::cli::choices::{ColorChoice, Mode, TailFormat};
use crate::cosmos::client::CosmosClient;
use crate::error::ExitCode;
use crate::feed::ContainerAddress;
use crate::format::{ChangeEncoder, Limits};
use crate::job;
use crate::render::{ChangeFormat, Filter, FilterInput, RenderOptions, Renderer, Terminal};
use crate::report::Report;
use crate::settings::{Given, TailPlan, table};
use crate::signal::Shutdown;

/// Prints changes, or appends them to a file, until the tail ends.
pub(super) async fn run(
    account: &Account,
    given: Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let given = given.with_profile(account.profile()?);
    let plan = TailPlan::new(&given)?;
    let rendering = rendering(&given)?;
    account.refuse_start_at_a_time(plan.from)?;
    for value in given.option_values()? {
        report.detail(&value.to_string());
    }
    let connect = async |earlier: Option<&ContainerAddress>| {
        let plan = account.plan()?;
        account.ensure_same(&plan, earlier)?;
        account.connect(plan, connect_retries()?, report).await
    };
    let errors = Arc::clone(report);
    let complain: Arc<dyn Fn(&str) + Send + Sync> = Arc::new(move |line| errors.error_line(line));
    let encoder = |limits: Limits, client: &CosmosClient| {
        let paths = client.partition_key_definition().paths();
        let renderer = Renderer::new(RenderOptions {
            partition_key_paths: paths.iter().map(ToString::to_string).collect(),
            ..rendering.clone()
        });
        ChangeEncoder::new(renderer, limits, Arc::clone(&complain))
    };
    job::tail(connect, plan, encoder, report, shutdown).await
}

/// How to show changes, as far as that is known before the container is.
fn rendering(given: &Given) -> Result<RenderOptions> {
    let writes_to_stdout = given.typed(&table::TAIL_OUTPUT).is_none();
    let to_terminal = writes_to_stdout && std::io::stdout().is_terminal();
    let choice = given.get(&table::COLOR)?;
    let color = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    let all = given.get(&table::TAIL_MODE)? == Mode::All;
    let format = match given.typed(&table::TAIL_FORMAT) {
        Some(TailFormat::Json) => ChangeFormat::Json,
        Some(TailFormat::Pretty) => ChangeFormat::Pretty,
        Some(TailFormat::Envelope) => ChangeFormat::Envelope,
        // On a terminal, the columns before the document show what the envelope would.
        None if all && !to_terminal => ChangeFormat::Envelope,
        None => ChangeFormat::Json,
    };
    Ok(RenderOptions {
        format,
        fields: given.typed(&table::FIELDS),
        filter: given
            .typed(&table::JQ)
            .map(|program| Filter::compile("--jq", &program))
            .transpose()?,
        raw_output: given.is_on(&table::RAW_OUTPUT),
        filter_input: if all {
            FilterInput::Envelope
        } else {
            FilterInput::Document
        },
        terminal: (to_terminal || choice == ColorChoice::Always).then_some(Terminal { color }),
        partition_key_paths: Vec::new(),
    })
}
