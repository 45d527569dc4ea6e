//! What each subcommand does: the story that `main` tells.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;

use anyhow::Result;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::{
    Cli, ColorChoice, Command, CommitArgs, ConnectionArgs, ExportArgs, ReplayArgs, ResumeArgs,
    SchemaArgs, TailArgs, TailFormat, TailMode,
};
use crate::cosmos::auth;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::container::NewContainer;
use crate::cosmos::options::ConnectOptions;
#[cfg(feature = "demo")]
use crate::cosmos::options::{CredentialOptions, SecretText};
use crate::cosmos::retry::{Persistence, RetryLimit};
use crate::error::{ExitCode, usage};
use crate::feed::ChangeFeedStart;
use crate::feed::ContainerAddress;
use crate::format::ChangeEncoder;
use crate::format::Limits;
use crate::job::{self, Connected};
use crate::render::{ChangeFormat, Filter, FilterInput, RenderOptions, Renderer, Terminal};
use crate::report::{LogLine, Report};
use crate::settings::{
    ChosenProfile, ConfigFile, ConnectionPlan, ConnectionRequest, ExportPlan, FeedPlan, Origin,
    ReplayPlan, ResumePlan, SchemaPlan, TailPlan, USUAL_RETRIES, WantedProfile,
    credential_is_given, fill_options, option_values, process_environment,
};
use crate::signal::Shutdown;
use crate::{generate, process, profiles, ranges, replay, verify};

/// What the state file says instead of an endpoint when the account was embedded: its port differs
/// each time.
const DEMO_ENDPOINT: &str = "demo";

/// Runs a command to its end, or until a stop is asked for.
///
/// # Errors
///
/// With the exit code and the hint that the user is to get attached.
pub async fn run(cli: Cli, report: &Arc<Report>, shutdown: &Shutdown) -> Result<ExitCode> {
    log_to_stderr(cli.verbosity.verbose, report);
    ensure_streams(&cli)?;
    let account = Account::new(cli.connection, shutdown);
    match cli.command {
        Command::Ranges(args) => {
            let connected = account
                .connect(account.plan()?, USUAL_RETRIES, report)
                .await?;
            ranges::list(&connected.client, args.format, report).await?;
            Ok(ExitCode::Done)
        }
        Command::Tail(args) => tail(&account, args, report, shutdown).await,
        Command::Export(args) => export(&account, args, report, shutdown).await,
        Command::Schema(args) => schema(&account, args, report, shutdown).await,
        Command::Resume(args) => resume(&account, &args, report, shutdown).await,
        Command::Verify(args) => verify::verify(args, report, shutdown).await,
        Command::Replay(args) => put_back(&account, &args, report, shutdown).await,
        #[cfg(feature = "demo")]
        Command::Demo(args) => {
            use crate::demo;
            shutdown.begin()?;
            let log = |line: &str| report.notice(line);
            let mut stdout = std::io::stdout();
            if stdout.is_terminal() {
                report.notice(
                    "other programs reach the account by the lines below; type `split`, `split ID`, \
                     `merge ID ID` or `quit`",
                );
            }
            let options = demo::ForegroundOptions {
                account: demo::DemoOptions {
                    port: args.port,
                    documents: args.documents,
                    partitions: args.partitions,
                },
                writes_per_second: args.writes_per_second,
                split_every: args.split_every,
            };
            demo::run_foreground(
                &options,
                &mut stdout,
                demo::stdin_lines(),
                log,
                shutdown.requested(),
            )
            .await?;
            // To be stopped is how it ends.
            Ok(ExitCode::Done)
        }
        Command::Profiles(args) => {
            profiles::list(&ConfigFile::from_process()?, args.format, report)?;
            Ok(ExitCode::Done)
        }
        Command::Completions(args) => {
            let script = generate::completions(args.shell);
            report.print_data(&String::from_utf8_lossy(&script))?;
            Ok(ExitCode::Done)
        }
    }
}

/// Refuses standard streams that a command needs and that were closed: what is written to them, or not
/// read from them, would be lost in silence. Where a `resume` writes is known by its state alone.
fn ensure_streams(cli: &Cli) -> Result<()> {
    let is_dash = |path: &Path| path == Path::new("-");
    let prints = match &cli.command {
        Command::Ranges(_)
        | Command::Schema(_)
        | Command::Verify(_)
        | Command::Profiles(_)
        | Command::Completions(_) => true,
        #[cfg(feature = "demo")]
        Command::Demo(_) => true,
        Command::Tail(args) => args.output.is_none(),
        Command::Export(args) => is_dash(&args.output),
        Command::Replay(args) => args.stdout,
        Command::Resume(_) => false,
    };
    if prints {
        process::ensure_standard_output()?;
    }
    let reads_source = match &cli.command {
        Command::Replay(args) => args.sources.iter().any(|source| is_dash(source)),
        _ => false,
    };
    if reads_source || cli.connection.key_file.as_deref().is_some_and(is_dash) {
        process::ensure_standard_input()?;
    }
    Ok(())
}

async fn tail(
    account: &Account,
    mut args: TailArgs,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let profile = account.profile()?;
    let mut commit = args.commit();
    let origins = fill_options(&mut args.reader, &mut commit, profile);
    args.checkpoint_interval = commit.checkpoint_interval;
    let plan = TailPlan::new(&args)?;
    let rendering = rendering(&args)?;
    account.refuse_start_at_a_time(args.from)?;
    for value in option_values(&plan.settings, origins) {
        report.detail(&value.to_string());
    }
    let connect = async |earlier: Option<&ContainerAddress>| {
        let plan = account.plan()?;
        account.ensure_same(&plan, earlier)?;
        account.connect(plan, USUAL_RETRIES, report).await
    };
    let said = Arc::clone(report);
    let complain: Arc<dyn Fn(&str) + Send + Sync> = Arc::new(move |line| said.error_line(line));
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

/// How changes are shown, as far as it is known before the container is.
fn rendering(args: &TailArgs) -> Result<RenderOptions> {
    let to_terminal = args.output.is_none() && std::io::stdout().is_terminal();
    let color = match args.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    let all = args.mode == TailMode::All;
    let format = match args.format {
        Some(TailFormat::Json) => ChangeFormat::Json,
        Some(TailFormat::Pretty) => ChangeFormat::Pretty,
        Some(TailFormat::Envelope) => ChangeFormat::Envelope,
        // On a terminal the columns before the document say what the envelope says.
        None if all && !to_terminal => ChangeFormat::Envelope,
        None => ChangeFormat::Json,
    };
    Ok(RenderOptions {
        format,
        fields: args.fields.clone(),
        filter: args
            .jq
            .as_deref()
            .map(|program| Filter::compile("--jq", program))
            .transpose()?,
        filter_input: if all {
            FilterInput::Envelope
        } else {
            FilterInput::Document
        },
        terminal: (to_terminal || args.color == ColorChoice::Always).then_some(Terminal { color }),
        partition_key_paths: Vec::new(),
    })
}

async fn export(
    account: &Account,
    mut args: ExportArgs,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let profile = account.profile()?;
    let origins = fill_options(&mut args.reader, &mut args.commit, profile);
    let plan = ExportPlan::new(&args)?;
    account.refuse_start_at_a_time(args.from)?;
    let container = account.container()?;
    for value in option_values(&plan.settings, origins) {
        report.detail(&value.to_string());
    }
    let retries = plan.settings.max_retries;
    let connect = async || account.connect(account.plan()?, retries, report).await;
    job::export(connect, plan, &container, report, shutdown).await
}

async fn schema(
    account: &Account,
    args: SchemaArgs,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let mut reader = args.reader();
    // Nothing is committed: what the profile says of that does not matter.
    fill_options(&mut reader, &mut CommitArgs::default(), account.profile()?);
    let plan = SchemaPlan::new(&args, &reader)?;
    account.refuse_start_at_a_time(args.from)?;
    let retries = plan.settings.max_retries;
    let connected = account.connect(account.plan()?, retries, report).await?;
    job::schema(connected, plan, report, shutdown).await
}

async fn resume(
    account: &Account,
    args: &ResumeArgs,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let plan = ResumePlan::new(args)?;
    let connect = async |source: &ContainerAddress, retries| {
        let connection = account.plan_of(source)?;
        account.connect(connection, retries, report).await
    };
    job::resume(connect, plan, report, shutdown).await
}

async fn put_back(
    account: &Account,
    args: &ReplayArgs,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let plan = ReplayPlan::new(args)?;
    if args.stdout {
        return replay::to_standard_output(&plan, report, shutdown).await;
    }
    if account.is_demo() && plan.state.is_some() {
        return Err(usage(
            "the embedded account ends with this process, and what was replayed into it too",
            "leave --state out, or keep an account running with `cosmos-tail demo`",
        ));
    }
    let create = plan.create.clone();
    let retries = plan.max_retries;
    let feed = plan.feed.clone();
    account.refuse_start_at_a_time(feed.as_ref().map(|feed| feed.from))?;
    let connect = async |earlier: Option<&ContainerAddress>| {
        let connection = account.target_plan()?;
        account.ensure_same(&connection, earlier)?;
        let source = feed
            .map(|feed| account.source_plan(&connection, &feed))
            .transpose()?;
        // First: without a source, no target is created.
        let source = match source {
            Some(source) => Some(account.connect(source, retries, report).await?),
            None => None,
        };
        let create = create.as_ref();
        let target = account
            .connect_to(connection, create, retries, report)
            .await?;
        Ok(replay::Containers { target, source })
    };
    replay::replay(connect, plan, report, shutdown).await
}

/// The account that was asked for. It is reached only when it is needed: what is wrong with the
/// output is told before.
struct Account {
    args: ConnectionArgs,
    wanted_profile: Option<WantedProfile>,
    /// Read when it is first needed; not at all for an embedded account.
    config: OnceLock<ConfigFile>,
    shutdown: Shutdown,
    #[cfg(feature = "demo")]
    demo: tokio::sync::OnceCell<crate::demo::DemoAccount>,
}

impl Account {
    fn new(args: ConnectionArgs, shutdown: &Shutdown) -> Self {
        Self {
            wanted_profile: WantedProfile::resolve(args.profile.as_deref(), &process_environment),
            config: OnceLock::new(),
            args,
            shutdown: shutdown.clone(),
            #[cfg(feature = "demo")]
            demo: tokio::sync::OnceCell::new(),
        }
    }

    /// The embedded account ignores a start at a time, which would show too much.
    fn refuse_start_at_a_time(&self, from: Option<ChangeFeedStart>) -> Result<()> {
        if self.is_demo() && matches!(from, Some(ChangeFeedStart::PointInTime(_))) {
            return Err(usage(
                "the embedded account cannot start at a time",
                "with --demo use --from beginning or --from now",
            ));
        }
        Ok(())
    }

    fn is_demo(&self) -> bool {
        #[cfg(feature = "demo")]
        {
            self.args.demo
        }
        #[cfg(not(feature = "demo"))]
        {
            false
        }
    }

    fn config(&self) -> Result<&ConfigFile> {
        match self.config.get() {
            Some(config) => Ok(config),
            None => {
                let config = ConfigFile::from_process()?;
                Ok(self.config.get_or_init(|| config))
            }
        }
    }

    /// The profile in effect. An embedded account has none.
    fn profile(&self) -> Result<Option<ChosenProfile<'_>>> {
        if self.is_demo() {
            return Ok(None);
        }
        self.config()?.choose(self.wanted_profile.as_ref())
    }

    fn request(&self) -> Result<ConnectionRequest<'_>> {
        Ok(ConnectionRequest {
            args: &self.args,
            profile: self.profile()?,
            source: None,
            shutdown: &self.shutdown,
        })
    }

    /// Which container to reach, by flags, environment and profile. The key is known when this
    /// returns, so it is not called before the key is needed: a profile's command may be run.
    fn plan(&self) -> Result<ConnectionPlan> {
        #[cfg(feature = "demo")]
        if self.is_demo() {
            return self.demo_plan();
        }
        self.resolve(&self.request()?)
    }

    /// As [`Account::plan`], for a container that is written to.
    fn target_plan(&self) -> Result<ConnectionPlan> {
        #[cfg(feature = "demo")]
        if self.is_demo() {
            return self.demo_plan_of(crate::demo::DemoAccount::COPY);
        }
        self.plan()
    }

    /// Which container to replay from: one in the account of the target, or in that of a profile.
    fn source_plan(&self, target: &ConnectionPlan, feed: &FeedPlan) -> Result<ConnectionPlan> {
        let Some(name) = &feed.profile else {
            return Ok(ConnectionPlan {
                connect: ConnectOptions {
                    database: feed.database.clone(),
                    container: feed.container.clone(),
                    ..target.connect.clone()
                },
                // They are told of the target.
                notices: Vec::new(),
                values: Vec::new(),
            });
        };
        if self.is_demo() {
            return Err(usage(
                "with --demo source and target are in the embedded account",
                "leave --source-profile out",
            ));
        }
        let wanted = WantedProfile {
            name: name.clone(),
            origin: Origin::Flag("--source-profile"),
        };
        ConnectionPlan::of_profile(
            self.config()?.choose(Some(&wanted))?,
            &feed.database,
            &feed.container,
            &process_environment,
            &self.shutdown,
        )
    }

    /// The name of the container alone: no key is read for it.
    fn container(&self) -> Result<String> {
        if self.is_demo() {
            return Ok(self.plan()?.connect.container);
        }
        ConnectionPlan::container_of(&self.request()?, &process_environment)
    }

    fn resolve(&self, request: &ConnectionRequest<'_>) -> Result<ConnectionPlan> {
        let mut plan = ConnectionPlan::from_process(request)?;
        plan.notices.extend_from_slice(&self.config()?.notices);
        Ok(plan)
    }

    /// Checks, before anything is asked, that a state of `earlier` is of what is to be reached. An
    /// embedded account is told by its container's RID.
    fn ensure_same(&self, plan: &ConnectionPlan, earlier: Option<&ContainerAddress>) -> Result<()> {
        match earlier {
            Some(earlier) if !self.is_demo() && earlier.endpoint != DEMO_ENDPOINT => {
                plan.ensure_is_of(earlier)
            }
            _ => Ok(()),
        }
    }

    /// Which container to reach for an export that was begun before: the state says which, flags,
    /// environment and profile how to prove who we are. What these say of the container must be the same.
    fn plan_of(&self, source: &ContainerAddress) -> Result<ConnectionPlan> {
        match (source.endpoint == DEMO_ENDPOINT, self.is_demo()) {
            (true, true) => self.plan(),
            (true, false) => Err(usage(
                "the export is of an embedded account, which ended with its process",
                "resume it with --demo, which makes the same account again",
            )),
            (false, true) => Err(usage(
                format!(
                    "the export is of the account `{}`, not of an embedded one",
                    source.endpoint
                ),
                "resume it without --demo",
            )),
            (false, false) => {
                let wanted = self.wanted_profile.as_ref();
                let must_decide = !credential_is_given(&self.args, &process_environment);
                let config = self.config()?;
                self.resolve(&ConnectionRequest {
                    args: &self.args,
                    profile: config.choose_for(wanted, source, must_decide)?,
                    source: Some(source),
                    shutdown: &self.shutdown,
                })
            }
        }
    }

    /// Reaches the container, with so many tries beyond the first.
    async fn connect(
        &self,
        plan: ConnectionPlan,
        max_retries: u32,
        report: &Arc<Report>,
    ) -> Result<Connected> {
        self.connect_to(plan, None, max_retries, report).await
    }

    /// Reaches the container, and creates it if that is wanted and there is none.
    async fn connect_to(
        &self,
        plan: ConnectionPlan,
        create: Option<&NewContainer>,
        max_retries: u32,
        report: &Arc<Report>,
    ) -> Result<Connected> {
        for notice in &plan.notices {
            report.warning(notice);
        }
        for value in &plan.values {
            report.detail(&value.to_string());
        }
        #[cfg(feature = "demo")]
        let plan = if self.is_demo() {
            self.start_demo(plan).await?
        } else {
            plan
        };
        let options = plan.connect;
        report.detail(&format!(
            "connecting to {}, {}",
            options.endpoint,
            auth::describe(&options.credential)
        ));
        let persistence = persistence(max_retries, report);
        let client = tokio::select! {
            // Nothing has begun that would have to be brought to an end.
            () = self.shutdown.requested() => {
                return Err(self.shutdown.stopped_before("the account had answered"));
            }
            client = CosmosClient::connect_and_create(&options, create, &persistence) => client?,
        };
        let endpoint = if self.is_demo() {
            DEMO_ENDPOINT.to_owned()
        } else {
            options.endpoint.as_str().to_owned()
        };
        let source = ContainerAddress {
            endpoint,
            database: options.database,
            container: options.container,
            container_rid: client.rid().to_owned(),
        };
        Ok(Connected {
            client: Arc::new(client),
            source,
        })
    }
}

/// How often what comes before the first page is tried: every retry is a detail, and a wait that one
/// notices is worth a warning.
fn persistence(max_retries: u32, report: &Arc<Report>) -> Persistence {
    const NOTICED: u32 = 4;
    let report = Arc::clone(report);
    Persistence::new(RetryLimit::of_setting(max_retries), move |what, notice| {
        report.detail(&format!("{what}: {notice}"));
        if notice.attempt == NOTICED {
            report.warning(&format!("{what}: {}; trying again", notice.reason));
        }
    })
}

#[cfg(feature = "demo")]
impl Account {
    /// The embedded account's container, unless another one is typed. What environment and profile
    /// say of other accounts does not count.
    fn demo_plan(&self) -> Result<ConnectionPlan> {
        self.demo_plan_of(crate::demo::DemoAccount::CONTAINER)
    }

    fn demo_plan_of(&self, container: &str) -> Result<ConnectionPlan> {
        use anyhow::Context;

        use crate::cosmos::options::ThroughputControl;
        use crate::demo::DemoAccount;
        let mut notices = Vec::new();
        if let Some(profile) = &self.args.profile {
            notices.push(format!(
                "--demo has an account of its own: the profile `{}` is not used",
                profile.escape_debug()
            ));
        }
        let typed =
            |given: &Option<String>, own: &str| given.clone().unwrap_or_else(|| own.to_owned());
        Ok(ConnectionPlan {
            connect: ConnectOptions {
                endpoint: url::Url::parse("http://127.0.0.1/").context("the loopback address")?,
                database: typed(&self.args.database, DemoAccount::DATABASE),
                container: typed(&self.args.container, container),
                credential: CredentialOptions::Key(SecretText::new(String::new())),
                accept_self_signed: false,
                throughput: ThroughputControl {
                    bucket: self.args.throughput_bucket,
                    priority: self.args.priority.map(Into::into),
                },
            },
            notices,
            values: Vec::new(),
        })
    }

    async fn start_demo(&self, plan: ConnectionPlan) -> Result<ConnectionPlan> {
        use crate::demo::{DemoAccount, DemoOptions};
        let options = DemoOptions::default();
        let demo = self
            .demo
            .get_or_try_init(|| DemoAccount::start(&options))
            .await?;
        Ok(ConnectionPlan {
            connect: ConnectOptions {
                endpoint: demo.endpoint().clone(),
                credential: CredentialOptions::Key(SecretText::new(demo.key())),
                ..plan.connect
            },
            ..plan
        })
    }
}

/// Lets the SDK and its libraries speak on standard error: with `-vv` what they warn of, with
/// `-vvv` all that they do.
fn log_to_stderr(verbose: u8, report: &Arc<Report>) {
    let level = match verbose {
        0 | 1 => return,
        2 => LevelFilter::WARN,
        _ => LevelFilter::DEBUG,
    };
    let report = Arc::clone(report);
    // Set before only in tests that share a process.
    tracing_subscriber::fmt()
        .with_writer(move || LogLine(Arc::clone(&report)))
        .with_ansi(false)
        .with_max_level(level)
        .with_target(true)
        // It would tell of a standard error that cannot be written to on standard error, and panic.
        .log_internal_errors(false)
        .try_init()
        .ok();
}
