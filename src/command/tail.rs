//! The `tail` subcommand: changes as they happen.

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::account::{Account, connect_retries};
use super::monitoring;
use super::shared::{address_of, group};
use crate::cli::choices::{ColorChoice, Mode, TailFormat};
use crate::cosmos::client::CosmosClient;
use crate::destination::Output;
use crate::error::{ExitCode, usage};
use crate::feed::{ChangeFeedStart, ContainerAddress};
use crate::format::{AskWidth, ChangeEncoder, Limits};
use crate::job;
use crate::process;
use crate::render::{ChangeFormat, Filter, FilterInput, RenderOptions, Renderer, Terminal};
use crate::report::Report;
use crate::settings::{Given, SharePlan, TailPlan, table};
use crate::share::{self, FilesPlan};
use crate::signal::Shutdown;
use crate::state::group_place::Shaping;

/// Prints changes, or appends them to a file, until the tail ends.
pub(super) async fn run(
    account: &Account,
    given: Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let given = given.with_profile(account.profile()?);
    let shared = SharePlan::new(&given)?;
    let plan = TailPlan::new(&given)?;
    let rendering = rendering(&given)?;
    for value in given.option_values()? {
        report.detail(&value.to_string());
    }
    let monitor = monitoring::start(&given, report).await?;
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
            ..rendering.options.clone()
        });
        ChangeEncoder::new(renderer, limits, Arc::clone(&complain)).with_width(rendering.width)
    };
    // What was there before is enough for any other tail.
    let starts_now = matches!(plan.from, None | Some(ChangeFeedStart::Now))
        && !plan.until_caught_up
        && plan.idle_timeout.is_none();
    let tail = async {
        let Some(shared) = shared else {
            return job::tail(connect, plan, encoder, &monitor, report, shutdown).await;
        };
        let group = group(account, shared, plan.mode, report).await?;
        if plan.output == Output::Objects {
            let address = address_of(&given)?;
            let limits = Limits {
                max: None,
                until: None,
                reached: CancellationToken::new(),
            };
            let encoders = |client: &CosmosClient| Some(encoder(limits, client).into_encoders());
            let files = FilesPlan::of_tail(plan, address, shaping(&given, &rendering));
            return share::files(group, files, encoders, &monitor, report, shutdown).await;
        }
        share::tail(group, plan, encoder, &monitor, report, shutdown).await
    };
    if !(account.is_demo() && starts_now) {
        return tail.await;
    }
    tokio::select! {
        code = tail => code,
        never = account.keep_demo_changing(report) => match never? {},
    }
}

/// How to show changes, as far as that is known before the container is.
struct Rendering {
    options: RenderOptions,
    /// Asks for the width of lines, if they are cut to that of the terminal.
    width: Option<AskWidth>,
}

/// What decides how the lines look that are written.
fn shaping(given: &Given, rendering: &Rendering) -> Shaping {
    let mut shaping = given.shaping();
    let options = &rendering.options;
    let format = match options.format {
        ChangeFormat::Json => "json",
        ChangeFormat::Pretty => "pretty",
        ChangeFormat::Envelope => "envelope",
        ChangeFormat::Line => "line",
        ChangeFormat::Diff => "diff",
        ChangeFormat::DiffJson => "diff-json",
    };
    shaping.insert("format".to_owned(), format.to_owned());
    if options.terminal.is_none() {
        // It is as without it.
        shaping.remove("color");
    }
    shaping
}

fn rendering(given: &Given) -> Result<Rendering> {
    let writes_to_stdout = given.typed(&table::TAIL_OUTPUT).is_none();
    let to_terminal = writes_to_stdout && std::io::stdout().is_terminal();
    let choice = given.get(&table::COLOR)?;
    let color = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            is_wanted && !process::is_dumb_terminal()
        }
    };
    let all = given.get(&table::TAIL_MODE)? == Mode::All;
    let program = given.typed(&table::JQ);
    let format = match given.typed(&table::TAIL_FORMAT) {
        Some(TailFormat::Json) => ChangeFormat::Json,
        Some(TailFormat::Pretty) => ChangeFormat::Pretty,
        Some(TailFormat::Envelope) => ChangeFormat::Envelope,
        Some(TailFormat::Line) => ChangeFormat::Line,
        Some(TailFormat::Diff) => ChangeFormat::Diff,
        Some(TailFormat::DiffJson) => ChangeFormat::DiffJson,
        None if to_terminal && program.is_none() => ChangeFormat::Line,
        // The outputs of a program are JSON.
        None if all && !to_terminal => ChangeFormat::Envelope,
        None => ChangeFormat::Json,
    };
    let width = given.typed(&table::TAIL_WIDTH);
    if width.is_some() && !matches!(format, ChangeFormat::Line | ChangeFormat::Diff) {
        return Err(usage(
            "--width cuts the lines of --format line and diff only",
            "add --format line, or leave out --width",
        ));
    }
    let follows_terminal = to_terminal && width.is_none() && !given.is_on(&table::TAIL_WIDE);
    Ok(Rendering {
        options: RenderOptions {
            format,
            fields: given.typed(&table::FIELDS),
            filter: program
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
            latest_only: !all,
            width: width.map(usize::try_from).transpose()?,
        },
        width: follows_terminal.then_some(process::columns_of_standard_output),
    })
}
