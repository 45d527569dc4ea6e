//! The account and containers that a command line selects.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use url::Url;

#[cfg(feature = "demo")]
use super::embedded::Embedded;
use crate::cli::Command;
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::arm::ArmAccount;
use crate::cosmos::auth;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::container::NewContainer;
use crate::cosmos::missing::ContainerMissing;
use crate::cosmos::options::{ConnectOptions, NamesFrom};
use crate::cosmos::retry::{Persistence, RetryLimit};
use crate::error::{find, usage};
use crate::feed::ContainerAddress;
use crate::job::Connected;
use crate::replay::{Target, describe, make_scripts};
use crate::report::Report;
use crate::settings::{
    ChosenProfile, ConfigFile, ConnectionArgs, ConnectionPlan, ConnectionRequest, FeedPlan, Given,
    Names, Origin, WantedProfile, credential_is_given, process_environment, table,
};
use crate::signal::Shutdown;
use crate::state::database_file::DatabaseFile;

/// The endpoint of an embedded account in state files: its port differs from run to run.
const DEMO_ENDPOINT: &str = "demo";

/// How often to retry connecting in a command without a setting for it, or with no limit by default.
pub(super) fn connect_retries() -> Result<RetryLimit> {
    Ok(table::MAX_RETRIES.default_for(Command::Export)?.into())
}

/// The account that the command line selects. It is not contacted before it is needed, so that errors
/// of the output are reported first.
pub(super) struct Account {
    args: ConnectionArgs,
    wanted_profile: Option<WantedProfile>,
    /// Read when it is first needed; never for an embedded account.
    config: OnceLock<ConfigFile>,
    shutdown: Shutdown,
    #[cfg(feature = "demo")]
    embedded: Option<Embedded>,
}

impl Account {
    pub(super) fn new(given: &Given, shutdown: &Shutdown) -> Result<Self> {
        Ok(Self {
            args: ConnectionArgs::of(given),
            wanted_profile: given.wanted_profile()?,
            config: OnceLock::new(),
            shutdown: shutdown.clone(),
            #[cfg(feature = "demo")]
            embedded: given.is_on(&table::DEMO).then(Embedded::default),
        })
    }

    pub(super) fn is_demo(&self) -> bool {
        #[cfg(feature = "demo")]
        {
            self.embedded.is_some()
        }
        #[cfg(not(feature = "demo"))]
        {
            false
        }
    }

    /// Keeps an embedded account changing, for as long as this is polled: a tail that starts now would show nothing.
    /// It never returns.
    pub(super) async fn keep_demo_changing(&self, report: &Report) -> Result<Infallible> {
        #[cfg(feature = "demo")]
        if let Some(embedded) = &self.embedded {
            return embedded.keep_changing(report).await;
        }
        let _ = report;
        std::future::pending().await
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
    pub(super) fn profile(&self) -> Result<Option<ChosenProfile<'_>>> {
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
    pub(super) fn plan(&self) -> Result<ConnectionPlan> {
        #[cfg(feature = "demo")]
        if let Some(embedded) = &self.embedded {
            let profile = self.wanted_profile.as_ref();
            return embedded.plan(&self.args, profile, Embedded::CONTAINER);
        }
        self.resolve(&self.request()?, Names::Required)
    }

    /// As [`Account::plan`], for a command that may need no container.
    pub(super) fn account_plan(&self, names: Names) -> Result<ConnectionPlan> {
        #[cfg(feature = "demo")]
        if let Some(embedded) = &self.embedded {
            let profile = self.wanted_profile.as_ref();
            let mut plan = embedded.plan(&self.args, profile, Embedded::CONTAINER)?;
            if names == Names::IfTyped && self.args.container.is_none() {
                plan.connect.database = self.args.database.clone().unwrap_or_default();
                plan.connect.container = String::new();
            }
            return Ok(plan);
        }
        self.resolve(&self.request()?, names)
    }

    /// The database to connect to: that of `earlier`, an export of one, if there is one.
    pub(super) fn database_plan(&self, earlier: Option<&DatabaseFile>) -> Result<ConnectionPlan> {
        let source = earlier.map(|file| ContainerAddress {
            endpoint: file.endpoint.clone(),
            database: file.database.clone(),
            container: String::new(),
            container_rid: file.database_rid.clone(),
        });
        if let Some(source) = &source {
            self.is_embedded(source)?;
        }
        if self.is_demo() {
            let mut plan = self.account_plan(Names::Database)?;
            if let Some(source) = &source {
                plan.ensure_database_is_of(source)?;
            }
            plan.connect.container = String::new();
            return Ok(plan);
        }
        let config = self.config()?;
        let wanted = self.wanted_profile.as_ref();
        let profile = match &source {
            Some(source) => {
                let must_decide = !credential_is_given(&self.args, &process_environment);
                config.choose_for(wanted, source, must_decide)?
            }
            None => config.choose(wanted)?,
        };
        let request = ConnectionRequest {
            args: &self.args,
            profile,
            source: source.as_ref(),
            shutdown: &self.shutdown,
        };
        self.resolve(&request, Names::Database)
    }

    /// The endpoint of the account, as states have it.
    pub(super) fn shown_endpoint(&self, endpoint: &Url) -> String {
        if self.is_demo() {
            DEMO_ENDPOINT.to_owned()
        } else {
            endpoint.as_str().to_owned()
        }
    }

    /// As [`Account::plan`], for the target of a replay.
    pub(super) fn target_plan(&self) -> Result<ConnectionPlan> {
        #[cfg(feature = "demo")]
        if let Some(embedded) = &self.embedded {
            let profile = self.wanted_profile.as_ref();
            return embedded.plan(&self.args, profile, Embedded::COPY);
        }
        self.plan()
    }

    /// The source container of a replay: in the account of the target, or in a profile's.
    pub(super) fn source_plan(
        &self,
        target: &ConnectionPlan,
        feed: &FeedPlan,
    ) -> Result<ConnectionPlan> {
        let Some(name) = &feed.profile else {
            return Ok(ConnectionPlan {
                connect: ConnectOptions {
                    database: feed.database.clone(),
                    container: feed.container.clone(),
                    names_from: NamesFrom::FromContainer,
                    ..target.connect.clone()
                },
                // They are already reported for the target.
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
            &self.args.regions,
            &process_environment,
            &self.shutdown,
        )
    }

    /// Only the name of the container. This does not read the key.
    pub(super) fn container(&self) -> Result<String> {
        if self.is_demo() {
            return Ok(self.plan()?.connect.container);
        }
        ConnectionPlan::container_of(&self.request()?, &process_environment)
    }

    fn resolve(&self, request: &ConnectionRequest<'_>, names: Names) -> Result<ConnectionPlan> {
        let mut plan = ConnectionPlan::from_process(request, names)?;
        plan.notices.extend_from_slice(&self.config()?.notices);
        Ok(plan)
    }

    /// Checks, before any request, that a state belongs to the container that `plan` connects to. An
    /// embedded account is identified by its container's RID instead.
    pub(super) fn ensure_same(
        &self,
        plan: &ConnectionPlan,
        earlier: Option<&ContainerAddress>,
    ) -> Result<()> {
        let Some(earlier) = earlier else {
            return Ok(());
        };
        if self.is_embedded(earlier)? {
            plan.ensure_names_are_of(earlier)
        } else {
            plan.ensure_is_of(earlier, self.args.account_moved)
        }
    }

    /// Checks, before any request, that a plan, which is of `planned`, is of the account that `source` connects to.
    pub(super) fn ensure_planned(
        &self,
        source: &ConnectionPlan,
        planned: &ContainerAddress,
    ) -> Result<()> {
        match (planned.endpoint == DEMO_ENDPOINT, self.is_demo()) {
            (true, true) => Ok(()),
            (true, false) => Err(usage(
                "the plan is of an embedded account, which ended with its process",
                "read it with --demo, which creates the same account again",
            )),
            (false, true) => Err(usage(
                format!(
                    "the plan is of the account `{}`, not of an embedded one",
                    planned.endpoint
                ),
                "leave --demo out",
            )),
            (false, false) if self.args.account_moved => Ok(()),
            (false, false) => source.ensure_is_planned(planned),
        }
    }

    /// Whether the container of a state is in the embedded account of this process.
    fn is_embedded(&self, earlier: &ContainerAddress) -> Result<bool> {
        match (earlier.endpoint == DEMO_ENDPOINT, self.is_demo()) {
            (true, false) => Err(usage(
                "the state is of an embedded account, which ended with its process",
                "continue with --demo, which creates the same account again",
            )),
            (false, true) => Err(usage(
                format!(
                    "the state is of the account `{}`, not of an embedded one",
                    earlier.endpoint
                ),
                "continue without --demo",
            )),
            (is_embedded, _) => Ok(is_embedded),
        }
    }

    /// The container of an existing export: the state names it, and flags, environment and profile
    /// provide the credential. If these name a container too, it must be the same.
    pub(super) fn plan_of(&self, source: &ContainerAddress) -> Result<ConnectionPlan> {
        if self.is_embedded(source)? {
            let plan = self.plan()?;
            plan.ensure_names_are_of(source)?;
            return Ok(plan);
        }
        let wanted = self.wanted_profile.as_ref();
        let must_decide = !credential_is_given(&self.args, &process_environment);
        let config = self.config()?;
        let request = ConnectionRequest {
            args: &self.args,
            profile: config.choose_for(wanted, source, must_decide)?,
            source: Some(source),
            shutdown: &self.shutdown,
        };
        self.resolve(&request, Names::Required)
    }

    /// Reports a plan, and returns what the connection is made with. The embedded account is started.
    pub(super) async fn prepare(
        &self,
        plan: ConnectionPlan,
        report: &Arc<Report>,
    ) -> Result<ConnectOptions> {
        for notice in &plan.notices {
            report.warning(notice);
        }
        for value in &plan.values {
            report.detail(&value.to_string());
        }
        #[cfg(feature = "demo")]
        let plan = match &self.embedded {
            Some(embedded) => embedded.start(plan).await?,
            None => plan,
        };
        let mut options = plan.connect;
        options.key_reader = options.key_reader.map(|reader| {
            let report = Arc::clone(report);
            reader.reported(move |outcome| match outcome {
                Ok(()) => report.notice("the account key has changed, and was read again"),
                Err(error) => {
                    report.warning(&format!("the account key cannot be read again: {error:#}"));
                }
            })
        });
        report.detail(&format!(
            "connecting to {}, {}",
            options.endpoint,
            auth::describe(&options.credential)
        ));
        Ok(options)
    }

    /// What `work` returns, unless a stop is requested before.
    pub(super) async fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            // Nothing has begun that must be finished first.
            () = self.shutdown.requested() => {
                Err(self.shutdown.stopped_before("everything was read"))
            }
            done = work => Ok(done),
        }
    }

    /// Connects to the account alone.
    pub(super) async fn connect_to_account(
        &self,
        plan: ConnectionPlan,
        report: &Arc<Report>,
    ) -> Result<CosmosAccount> {
        let options = self.prepare(plan, report).await?;
        let persistence = persistence(connect_retries()?, report);
        self.until_stopped(CosmosAccount::connect(&options, &persistence))
            .await?
    }

    /// Finds the account in the control plane. The account itself is not asked.
    pub(super) async fn connect_to_arm(
        &self,
        plan: ConnectionPlan,
        report: &Arc<Report>,
    ) -> Result<ArmAccount> {
        let options = self.prepare(plan, report).await?;
        let persistence = persistence(connect_retries()?, report);
        self.until_stopped(ArmAccount::find(&options, &persistence))
            .await?
    }

    /// As [`Account::connect_to_account`], with what the connection was made with.
    pub(super) async fn connect_with_options(
        &self,
        plan: ConnectionPlan,
        report: &Arc<Report>,
    ) -> Result<(ConnectOptions, CosmosAccount)> {
        let options = self.prepare(plan, report).await?;
        let persistence = persistence(connect_retries()?, report);
        let connected = CosmosAccount::connect(&options, &persistence);
        let connected = self.until_stopped(connected).await??;
        Ok((options, connected))
    }

    /// Connects to the container. Requests are retried up to `retry_limit`.
    pub(super) async fn connect(
        &self,
        plan: ConnectionPlan,
        retry_limit: RetryLimit,
        report: &Arc<Report>,
    ) -> Result<Connected> {
        self.connect_to(plan, None, retry_limit, report).await
    }

    /// As [`Account::connect_to`], but creates nothing: returns what would be created if the container does not
    /// exist.
    pub(super) async fn rehearse_connecting_to(
        &self,
        plan: ConnectionPlan,
        create: &NewContainer,
        retry_limit: RetryLimit,
        report: &Arc<Report>,
    ) -> Result<Target> {
        let address = ContainerAddress {
            endpoint: plan.connect.endpoint.as_str().to_owned(),
            database: plan.connect.database.clone(),
            container: plan.connect.container.clone(),
            container_rid: String::new(),
        };
        let connected = self.connect(plan, retry_limit, report).await;
        rehearsed(connected, address, create, report)
    }

    /// As [`Account::connect`], but creates the container by `create` if it does not exist.
    pub(super) async fn connect_to(
        &self,
        plan: ConnectionPlan,
        create: Option<&NewContainer>,
        retry_limit: RetryLimit,
        report: &Arc<Report>,
    ) -> Result<Connected> {
        let options = self.prepare(plan, report).await?;
        let persistence = persistence(retry_limit, report);
        let connected = CosmosClient::connect_and_create(&options, create, &persistence);
        let connected = Box::pin(connected);
        let client = tokio::select! {
            // Nothing has begun that must be finished first.
            () = self.shutdown.requested() => {
                return Err(self.shutdown.stopped_before("the account answered"));
            }
            client = connected => client?,
        };
        if let Some(new) = create {
            let made = Box::pin(make_scripts(&client, new, report));
            self.until_stopped(made).await??;
        }
        let source = ContainerAddress {
            endpoint: self.shown_endpoint(&options.endpoint),
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

/// What a dry run knows of its target: that it is there, or what would be created.
pub(super) fn rehearsed(
    connected: Result<Connected>,
    address: ContainerAddress,
    create: &NewContainer,
    report: &Report,
) -> Result<Target> {
    match connected {
        Ok(connected) => {
            connected.client.ensure_partition_key(create)?;
            Ok(Target::There(connected))
        }
        Err(error) if find::<ContainerMissing>(&error).is_some() => {
            let how = match &create.template {
                Some(_) => format!(", {}", describe(create)),
                None => String::new(),
            };
            report.notice(&format!(
                "container `{}` does not exist; without --dry-run it would be created{how}",
                address.container
            ));
            Ok(Target::ToBeCreated {
                address,
                key_paths: create.partition_key.clone(),
            })
        }
        Err(error) => Err(error),
    }
}

/// The retry policy for requests before the first page. Every retry is logged with `-v`; the one
/// after which the wait becomes noticeable is a warning.
fn persistence(retry_limit: RetryLimit, report: &Arc<Report>) -> Persistence {
    const NOTICED: u32 = 4;
    let report = Arc::clone(report);
    Persistence::new(retry_limit, move |what, notice| {
        report.detail(&format!("{what}: {notice}"));
        if notice.attempt == NOTICED {
            report.warning(&format!("{what}: {}; trying again", notice.reason));
        }
    })
}
