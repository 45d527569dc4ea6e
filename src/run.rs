//! Runs each subcommand: from the parsed command line to the exit code.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;

use anyhow::Result;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::Command;
use crate::cli::choices::{ColorChoice, Mode, TailFormat};
use crate::cosmos::auth;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::container::NewContainer;
use crate::cosmos::options::{ConnectOptions, NamesFrom};
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
use crate::settings::table;
use crate::settings::{
    ChosenProfile, ConfigFile, ConnectionArgs, ConnectionPlan, ConnectionRequest, ExportPlan,
    FeedPlan, Given, Origin, ReplayPlan, ResumePlan, SchemaPlan, TailPlan, VerifyPlan,
    WantedProfile, credential_is_given, process_environment,
};
use crate::signal::Shutdown;
use crate::{generate, process, profiles, ranges, verify};

/// Stands for the endpoint of an embedded account in state files: its port differs in each run.
const DEMO_ENDPOINT: &str = "demo";

/// Runs a command to its end, or until a stop is requested.
///
/// # Errors
///
/// Any error of the command, with the exit code and the hint for the user attached.
pub async fn run(given: Given, report: &Arc<Report>, shutdown: &Shutdown) -> Result<ExitCode> {
    log_to_stderr(given.verbosity().verbose, report);
    ensure_streams(&given)?;
    let account = Account::new(&given, shutdown)?;
    match given.command() {
        Command::Ranges => {
            let connected = account
                .connect(account.plan()?, connect_retries()?, report)
                .await?;
            ranges::list(&connected.client, given.get(&table::TABLE_FORMAT)?, report).await?;
            Ok(ExitCode::Done)
        }
        Command::Tail => tail(&account, given, report, shutdown).await,
        Command::Export => export(&account, given, report, shutdown).await,
        Command::Schema => schema(&account, given, report, shutdown).await,
        Command::Resume => resume(&account, &given, report, shutdown).await,
        Command::Verify => verify::verify(VerifyPlan::new(&given)?, report, shutdown).await,
        Command::Replay => replay(&account, &given, report, shutdown).await,
        #[cfg(feature = "demo")]
        Command::Demo => {
            use crate::demo;
            shutdown.begin()?;
            let log = |line: &str| report.notice(line);
            let mut stdout = std::io::stdout();
            if stdout.is_terminal() {
                report.notice(
                    "the variables below let other programs reach the account; type `split`, `split ID`, \
                     `merge ID ID` or `quit`",
                );
            }
            let options = demo::ForegroundOptions {
                account: demo::DemoOptions {
                    port: given.get(&table::PORT)?,
                    documents: given.get(&table::DOCUMENTS)?,
                    partitions: given.get(&table::PARTITIONS)?,
                },
                writes_per_second: given.get(&table::WRITES_PER_SECOND)?,
                split_every: given.typed(&table::SPLIT_EVERY),
            };
            demo::run_foreground(
                &options,
                &mut stdout,
                demo::stdin_lines(),
                log,
                shutdown.requested(),
            )
            .await?;
            // A stop is its normal end.
            Ok(ExitCode::Done)
        }
        Command::Profiles => {
            let format = given.get(&table::TABLE_FORMAT)?;
            profiles::list(&ConfigFile::from_process()?, format, report)?;
            Ok(ExitCode::Done)
        }
        Command::Completions => {
            let script = generate::completions(given.get(&table::SHELL)?);
            report.print_data(&String::from_utf8_lossy(&script))?;
            Ok(ExitCode::Done)
        }
    }
}

/// Refuses to run with a closed standard stream that the command needs: output would be lost silently,
/// and input would appear to be empty. Only the state knows where a `resume` writes.
fn ensure_streams(given: &Given) -> Result<()> {
    let is_dash = |path: &PathBuf| path == Path::new("-");
    let prints = match given.command() {
        Command::Ranges
        | Command::Schema
        | Command::Verify
        | Command::Profiles
        | Command::Completions => true,
        #[cfg(feature = "demo")]
        Command::Demo => true,
        Command::Tail => given.typed(&table::TAIL_OUTPUT).is_none(),
        Command::Export => is_dash(&given.get(&table::EXPORT_OUTPUT)?),
        Command::Replay => given.is_on(&table::TO_STDOUT),
        Command::Resume => false,
    };
    if prints {
        process::ensure_standard_output()?;
    }
    let reads_source = given.list(&table::SOURCES).iter().any(is_dash);
    if reads_source || given.typed(&table::KEY_FILE).as_ref().is_some_and(is_dash) {
        process::ensure_standard_input()?;
    }
    Ok(())
}

/// How often connecting is retried by a command that has no setting for it, or whose retries have no limit.
fn connect_retries() -> Result<u32> {
    table::MAX_RETRIES.default_for(Command::Export)
}

async fn tail(
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
        filter_input: if all {
            FilterInput::Envelope
        } else {
            FilterInput::Document
        },
        terminal: (to_terminal || choice == ColorChoice::Always).then_some(Terminal { color }),
        partition_key_paths: Vec::new(),
    })
}

async fn export(
    account: &Account,
    given: Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let given = given.with_profile(account.profile()?);
    let plan = ExportPlan::new(&given)?;
    account.refuse_start_at_a_time(given.typed(&table::EXPORT_FROM))?;
    let container = account.container()?;
    for value in given.option_values()? {
        report.detail(&value.to_string());
    }
    let retries = plan.settings.max_retries;
    let connect = async || account.connect(account.plan()?, retries, report).await;
    job::export(connect, plan, &container, report, shutdown).await
}

async fn schema(
    account: &Account,
    given: Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let given = given.with_profile(account.profile()?);
    let plan = SchemaPlan::new(&given)?;
    account.refuse_start_at_a_time(given.typed(&table::SCHEMA_FROM))?;
    for value in given.option_values()? {
        report.detail(&value.to_string());
    }
    let retries = plan.settings.max_retries;
    let connected = account.connect(account.plan()?, retries, report).await?;
    job::schema(connected, plan, report, shutdown).await
}

async fn resume(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let plan = ResumePlan::new(given)?;
    let connect = async |source: &ContainerAddress, retries| {
        let connection = account.plan_of(source)?;
        account.connect(connection, retries, report).await
    };
    job::resume(connect, plan, report, shutdown).await
}

async fn replay(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let plan = ReplayPlan::new(given)?;
    if given.is_on(&table::TO_STDOUT) {
        return crate::replay::to_standard_output(&plan, report, shutdown).await;
    }
    if account.is_demo() && plan.state.is_some() {
        return Err(usage(
            "--state cannot be used with --demo: the embedded account and its data end with this process",
            "leave out --state, or keep an account running with `cosmos-tail demo`",
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
        // The source comes first: if it does not exist, no target is created.
        let source = match source {
            Some(source) => Some(account.connect(source, retries, report).await?),
            None => None,
        };
        let create = create.as_ref();
        let target = account
            .connect_to(connection, create, retries, report)
            .await?;
        Ok(crate::replay::Containers { target, source })
    };
    crate::replay::replay(connect, plan, report, shutdown).await
}

/// The account that the command line selects. It is not contacted before it is needed, so that errors
/// of the output are reported first.
struct Account {
    args: ConnectionArgs,
    #[cfg(feature = "demo")]
    is_demo: bool,
    wanted_profile: Option<WantedProfile>,
    /// Read when first needed; never for an embedded account.
    config: OnceLock<ConfigFile>,
    shutdown: Shutdown,
    #[cfg(feature = "demo")]
    demo: tokio::sync::OnceCell<crate::demo::DemoAccount>,
}

impl Account {
    fn new(given: &Given, shutdown: &Shutdown) -> Result<Self> {
        Ok(Self {
            args: ConnectionArgs::of(given),
            #[cfg(feature = "demo")]
            is_demo: given.is_on(&table::DEMO),
            wanted_profile: given.wanted_profile()?,
            config: OnceLock::new(),
            shutdown: shutdown.clone(),
            #[cfg(feature = "demo")]
            demo: tokio::sync::OnceCell::new(),
        })
    }

    /// Refuses a start at a time from the embedded account, which would ignore it and return too much.
    fn refuse_start_at_a_time(&self, from: Option<ChangeFeedStart>) -> Result<()> {
        if self.is_demo() && matches!(from, Some(ChangeFeedStart::PointInTime(_))) {
            return Err(usage(
                "the embedded account cannot start at a time",
                "with --demo, use --from beginning or --from now",
            ));
        }
        Ok(())
    }

    fn is_demo(&self) -> bool {
        #[cfg(feature = "demo")]
        {
            self.is_demo
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

    /// The container to connect to, from flags, environment and profile. This resolves the key, which
    /// may run a profile's `key-command`: do not call it before the key is needed.
    fn plan(&self) -> Result<ConnectionPlan> {
        #[cfg(feature = "demo")]
        if self.is_demo() {
            return self.demo_plan();
        }
        self.resolve(&self.request()?)
    }

    /// As [`Account::plan`], for the target of a replay.
    fn target_plan(&self) -> Result<ConnectionPlan> {
        #[cfg(feature = "demo")]
        if self.is_demo() {
            return self.demo_plan_of(crate::demo::DemoAccount::COPY);
        }
        self.plan()
    }

    /// The source container of a replay: in the account of the target, or in a profile's.
    fn source_plan(&self, target: &ConnectionPlan, feed: &FeedPlan) -> Result<ConnectionPlan> {
        let Some(name) = &feed.profile else {
            return Ok(ConnectionPlan {
                connect: ConnectOptions {
                    database: feed.database.clone(),
                    container: feed.container.clone(),
                    names_from: NamesFrom::FromContainer,
                    ..target.connect.clone()
                },
                // Those of the target are already reported.
                notices: Vec::new(),
                values: Vec::new(),
            });
        };
        if self.is_demo() {
            return Err(usage(
                "--source-profile cannot be used with --demo: source and target are both in the embedded account",
                "leave out --source-profile",
            ));
        }
        let origin = Origin::Flag(table::SOURCE_PROFILE.row.name);
        let wanted = WantedProfile::new(name.clone(), origin);
        ConnectionPlan::of_profile(
            self.config()?.choose(Some(&wanted))?,
            &feed.database,
            &feed.container,
            &process_environment,
            &self.shutdown,
        )
    }

    /// The name of the container alone; does not read the key.
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

    /// Checks, before any request, that a state belongs to the container that `plan` connects to. An
    /// embedded account is identified by its container's RID instead.
    fn ensure_same(&self, plan: &ConnectionPlan, earlier: Option<&ContainerAddress>) -> Result<()> {
        match earlier {
            Some(earlier) if !self.is_demo() && earlier.endpoint != DEMO_ENDPOINT => {
                plan.ensure_is_of(earlier)
            }
            _ => Ok(()),
        }
    }

    /// The container of an existing export: the state names it, and flags, environment and profile
    /// provide the credential. If these name a container too, it must be the same.
    fn plan_of(&self, source: &ContainerAddress) -> Result<ConnectionPlan> {
        match (source.endpoint == DEMO_ENDPOINT, self.is_demo()) {
            (true, true) => self.plan(),
            (true, false) => Err(usage(
                "the export is of an embedded account, which ended with its process",
                "resume it with --demo, which creates the same account again",
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

    /// Connects to the container, with `max_retries` retries.
    async fn connect(
        &self,
        plan: ConnectionPlan,
        max_retries: u32,
        report: &Arc<Report>,
    ) -> Result<Connected> {
        self.connect_to(plan, None, max_retries, report).await
    }

    /// Connects to the container, and creates it as `create` says if it does not exist.
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
            // Nothing has started that would have to be finished first.
            () = self.shutdown.requested() => {
                return Err(self.shutdown.stopped_before("the account answered"));
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

/// The retry policy for requests before the first page. Every retry is logged with `-v`; the one
/// after which the wait becomes noticeable is a warning.
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
    /// The embedded account's container, unless flags name another one. Environment and profile are
    /// about other accounts and are ignored.
    fn demo_plan(&self) -> Result<ConnectionPlan> {
        self.demo_plan_of(crate::demo::DemoAccount::CONTAINER)
    }

    fn demo_plan_of(&self, container: &str) -> Result<ConnectionPlan> {
        use anyhow::Context;

        use crate::cosmos::options::ThroughputControl;
        use crate::demo::DemoAccount;
        let mut notices = Vec::new();
        // A variable is not a mistake: it is set for other commands.
        if let Some(profile) = self
            .wanted_profile
            .as_ref()
            .filter(|wanted| wanted.is_typed())
        {
            notices.push(format!(
                "--demo has its own account: the profile `{}` is not used",
                profile.name.escape_debug()
            ));
        }
        let or_default = |flag: &Option<String>, default: &str| {
            flag.clone().unwrap_or_else(|| default.to_owned())
        };
        Ok(ConnectionPlan {
            connect: ConnectOptions {
                endpoint: url::Url::parse("http://127.0.0.1/").context("the loopback address")?,
                database: or_default(&self.args.database, DemoAccount::DATABASE),
                container: or_default(&self.args.container, container),
                names_from: NamesFrom::Settings,
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

/// Sends the log of the SDK and its libraries to standard error: warnings with `-vv`, everything with
/// `-vvv`.
fn log_to_stderr(verbose: u8, report: &Arc<Report>) {
    let level = match verbose {
        0 | 1 => return,
        2 => LevelFilter::WARN,
        _ => LevelFilter::DEBUG,
    };
    let report = Arc::clone(report);
    // This fails only in tests, which share a process that has set it already.
    tracing_subscriber::fmt()
        .with_writer(move || LogLine(Arc::clone(&report)))
        .with_ansi(false)
        .with_max_level(level)
        .with_target(true)
        // Otherwise a failed write to standard error would be reported on standard error, and panic.
        .log_internal_errors(false)
        .try_init()
        .ok();
}
