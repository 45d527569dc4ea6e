//! The embedded account as the account of a command, with `--demo`.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::OnceCell;

use crate::cli::Command;
use crate::cli::choices::Via;
use crate::cosmos::options::{
    ConnectOptions, CredentialOptions, NamesFrom, Routing, SecretText, ThroughputControl,
    TokenOptions,
};
use crate::demo::{DemoAccount, DemoOptions};
use crate::error::usage;
use crate::report::Report;
use crate::settings::{
    ConnectionArgs, ConnectionPlan, Origin, ResolvedValue, WantedProfile, table,
};

/// How often to look whether the account has started.
const START_CHECK: Duration = Duration::from_millis(20);

/// The names on the command line, which must not contradict a state.
fn names_that_were_typed(args: &ConnectionArgs) -> Vec<ResolvedValue> {
    [
        (table::DATABASE.row.name, &args.database),
        (table::CONTAINER.row.name, &args.container),
    ]
    .into_iter()
    .filter_map(|(name, typed)| {
        let typed = typed.as_deref()?;
        Some(ResolvedValue::new(name, typed, Origin::Flag(name)))
    })
    .collect()
}

/// The embedded account of this process. It starts when a command first connects to it.
#[derive(Default)]
pub(super) struct Embedded {
    account: OnceCell<DemoAccount>,
}

impl Embedded {
    /// The container that is full of documents.
    pub(super) const CONTAINER: &str = DemoAccount::CONTAINER;
    /// The container for the target of a replay.
    pub(super) const COPY: &str = DemoAccount::COPY;

    /// The name of its database, and those of the containers.
    pub(super) fn names() -> [Vec<String>; 2] {
        let owned = |names: &[&str]| names.iter().copied().map(str::to_owned).collect();
        [
            owned(&[DemoAccount::DATABASE]),
            owned(&[Self::CONTAINER, Self::COPY]),
        ]
    }

    /// The embedded account's `container`, unless flags name another one. The environment and the profile
    /// belong to other accounts and are ignored.
    pub(super) fn plan(
        &self,
        args: &ConnectionArgs,
        profile: Option<&WantedProfile>,
        container: &str,
    ) -> Result<ConnectionPlan> {
        let of_other_accounts = [
            (&table::ENDPOINT.row, args.endpoint.is_some()),
            (&table::AUTH.row, args.auth.is_some()),
            (&table::KEY_FILE.row, args.key_file.is_some()),
            (&table::VIA.row, args.via == Some(Via::Arm)),
        ];
        if let Some((row, _)) = of_other_accounts.iter().find(|(_, is_typed)| *is_typed) {
            let flag = row.flag();
            return Err(usage(
                format!("{flag} cannot be used with --demo, which has its own account"),
                format!("leave out {flag}, or --demo"),
            ));
        }
        let mut notices = Vec::new();
        // A variable is not a mistake: it is set for other commands.
        if let Some(profile) = profile.filter(|wanted| matches!(wanted.origin, Origin::Flag(_))) {
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
                database: or_default(&args.database, DemoAccount::DATABASE),
                container: or_default(&args.container, container),
                names_from: NamesFrom::Settings,
                credential: CredentialOptions::Key(SecretText::new(String::new())),
                key_reader: None,
                accept_self_signed: false,
                token: TokenOptions::default(),
                routing: Routing {
                    // Its address is the only one.
                    limit_to_endpoint: false,
                    regions: args.regions.clone(),
                },
                via_arm: None,
                throughput: ThroughputControl {
                    bucket: args.throughput_bucket,
                    priority: args.priority.map(Into::into),
                },
            },
            notices,
            values: names_that_were_typed(args),
        })
    }

    /// Starts the account unless it runs already, and completes `plan` with its endpoint and key.
    pub(super) async fn start(&self, plan: ConnectionPlan) -> Result<ConnectionPlan> {
        let options = DemoOptions {
            // So that a diff has something to compare.
            previous_images: true,
            ..DemoOptions::default()
        };
        let account = self
            .account
            .get_or_try_init(|| DemoAccount::start(&options))
            .await?;
        Ok(ConnectionPlan {
            connect: ConnectOptions {
                endpoint: account.endpoint().clone(),
                credential: CredentialOptions::Key(SecretText::new(account.key())),
                key_reader: None,
                ..plan.connect
            },
            ..plan
        })
    }

    /// Writes to the account as `demo` does, once it runs. It never returns.
    pub(super) async fn keep_changing(&self, report: &Report) -> Result<Infallible> {
        let per_second = table::WRITES_PER_SECOND.default_for(Command::Demo)?;
        let account = loop {
            match self.account.get() {
                Some(account) => break account,
                None => tokio::time::sleep(START_CHECK).await,
            }
        };
        let documents = DemoOptions::default().documents;
        if let Err(error) = account.keep_changing(documents, per_second).await {
            report.warning(&format!("writes stopped: {error:#}"));
        }
        std::future::pending().await
    }
}
