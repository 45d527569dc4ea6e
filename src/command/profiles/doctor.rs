//! `profiles test`: the connection step by step, and what to do about the step that fails.
//!
//! The steps are those of a connection, in its order, so the first that fails is the cause; those after it are
//! skipped. What a role lacks shows only when something is requested, so that line is decided last.

mod checks;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use self::checks::{Checks, Status, Stop, text_of};
use super::super::account::Account;
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::auth;
use crate::cosmos::client::{CosmosClient, HttpVersion};
use crate::cosmos::cursor::{CursorStart, FeedRequest, PageSource};
use crate::cosmos::error::{ServiceError, Verdict};
use crate::cosmos::missing::{ContainerMissing, DatabaseMissing};
use crate::cosmos::options::{ConnectOptions, CredentialOptions};
use crate::cosmos::probe;
use crate::cosmos::retry::{Persistence, RetryLimit};
use crate::error::{ExitCode, find, with_hint};
use crate::feed::{ChangeFeedStart, FeedMode, FeedRange};
use crate::process::columns_of_standard_output;
use crate::report::{Report, TableFormat};
use crate::settings::{ConnectionPlan, Given, Names, table};

/// A signature is refused if its time differs by more from the service's.
const MAX_CLOCK_DIFFERENCE: i64 = 15 * 60;
/// A difference that is reported before it matters.
const NOTICED_CLOCK_DIFFERENCE: i64 = 5 * 60;
/// Deadline for a page of the feed.
const FEED_DEADLINE: Duration = Duration::from_secs(30);
/// Checks the connection, and prints the outcome of each step.
pub(in crate::command) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let mut checks = Checks::default();
    let ended = Box::pin(test(account, report, &mut checks)).await;
    if let Err(Fault::Interrupted(error)) = ended {
        return Err(error);
    }
    let checks = checks.complete();
    match given.get(&table::TABLE_FORMAT)? {
        TableFormat::Json => report.print_json(&checks, true)?,
        TableFormat::Table => {
            report.print(&text_of(&checks, columns_of_standard_output()))?;
        }
    }
    let has_failed = checks.iter().any(|check| check.status == Status::Fail);
    Ok(if has_failed {
        ExitCode::Failed
    } else {
        ExitCode::Done
    })
}

/// Why the test ended early.
enum Fault {
    /// A step failed, which is among the outcomes.
    Failed,
    /// A stop was requested.
    Interrupted(anyhow::Error),
}

impl From<Stop> for Fault {
    fn from(_: Stop) -> Self {
        Self::Failed
    }
}

async fn test(account: &Account, report: &Arc<Report>, checks: &mut Checks) -> Result<(), Fault> {
    let plan = match account.account_plan(Names::IfGiven) {
        Ok(plan) => plan,
        Err(error) => return Err(checks.fail("settings", &error).into()),
    };
    let is_demo = account.is_demo();
    let summary = summary_of(&plan);
    let key = key_origin(&plan);
    let options = match account.prepare(plan, report).await {
        Ok(options) => options,
        Err(error) => return Err(checks.fail("settings", &error).into()),
    };
    checks.ok(
        "settings",
        if is_demo {
            format!("the embedded account at {}", options.endpoint)
        } else {
            summary
        },
    );
    account
        .until_stopped(test_network(&options, checks))
        .await
        .map_err(Fault::Interrupted)??;
    account
        .until_stopped(test_account(&options, &key, checks))
        .await
        .map_err(Fault::Interrupted)??;
    Ok(())
}

/// The account and the container, and where they come from.
fn summary_of(plan: &ConnectionPlan) -> String {
    let shown = ["endpoint", "database", "container"];
    let values = plan
        .values
        .iter()
        .filter(|value| shown.contains(&value.name));
    let texts: Vec<String> = values.map(ToString::to_string).collect();
    texts.join(", ")
}

/// Where the key comes from.
fn key_origin(plan: &ConnectionPlan) -> String {
    let key = plan
        .values
        .iter()
        .find(|value| value.name == table::KEY.row.name);
    key.map_or_else(
        || "the account key".to_owned(),
        |key| format!("account {key}"),
    )
}

/// Name, connection, TLS, clock.
async fn test_network(options: &ConnectOptions, checks: &mut Checks) -> Result<(), Stop> {
    let endpoint = &options.endpoint;
    if probe::may_use_proxy() {
        for step in ["name", "connection"] {
            checks.skip(step, "a proxy may be used, which does this");
        }
    } else {
        let addresses = match probe::resolve_name(endpoint).await {
            Ok(addresses) => addresses,
            Err(error) => return Err(checks.fail("name", &error)),
        };
        let texts: Vec<String> = addresses.iter().map(|a| a.ip().to_string()).collect();
        let (host, addresses_of_host) = (probe::host(endpoint), texts.join(", "));
        checks.ok(
            "name",
            if host == addresses_of_host {
                format!("{host} is an address")
            } else {
                format!("{host} is {addresses_of_host}")
            },
        );
        match probe::open_connection(endpoint, addresses).await {
            Ok(address) => checks.ok("connection", format!("{address} accepts connections")),
            Err(error) => return Err(checks.fail("connection", &error)),
        }
    }
    let is_tls = endpoint.scheme() == "https";
    let answer = probe::first_answer(options).await;
    match &answer {
        _ if !is_tls => checks.skip(
            "tls",
            "plain http, which is accepted on the loopback interface only",
        ),
        Ok(_) if options.accept_self_signed => {
            checks.ok(
                "tls",
                "any certificate is accepted on the loopback interface",
            );
        }
        Ok(_) => checks.ok("tls", "the server's certificate is valid for this name"),
        Err(failed) => return Err(checks.fail("tls", &failed.error)),
    }
    match answer {
        Ok(answer) => test_clock(answer.clock_ahead, &options.credential, checks),
        // What is wrong with it shows when the account is read.
        Err(_) => {
            checks.skip("clock", "there was no answer in HTTP");
            Ok(())
        }
    }
}

fn test_clock(
    ahead: Option<i64>,
    credential: &CredentialOptions,
    checks: &mut Checks,
) -> Result<(), Stop> {
    const CHECK: &str = "clock";
    let Some(ahead) = ahead else {
        checks.skip(CHECK, "the answer has no date");
        return Ok(());
    };
    let difference = ahead.abs();
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let amount = if difference < 120 {
        format!("{difference} s")
    } else {
        format!("{} minutes", difference / 60)
    };
    let message = format!("the clock of this machine is {amount} {side} the server's");
    if difference <= 2 {
        checks.ok(CHECK, "the clock of this machine agrees with the server's");
        return Ok(());
    }
    if difference <= NOTICED_CLOCK_DIFFERENCE {
        checks.ok(CHECK, message);
        return Ok(());
    }
    let is_fatal =
        difference > MAX_CLOCK_DIFFERENCE && matches!(credential, CredentialOptions::Key(_));
    let remedy = "set the clock, for example with `timedatectl set-ntp true` on Linux or `w32tm /resync` on \
        Windows: the service refuses signatures whose time differs by more than 15 minutes";
    let status = if is_fatal { Status::Fail } else { Status::Warn };
    checks.with_remedy(status, CHECK, &message, remedy.to_owned());
    if is_fatal { Err(Stop) } else { Ok(()) }
}

/// Credential, account, role, database, container, feed.
async fn test_account(
    options: &ConnectOptions,
    key: &str,
    checks: &mut Checks,
) -> Result<(), Stop> {
    if let Err(error) = auth::credential(&options.credential, &options.token).await {
        return Err(checks.fail("credential", &error));
    }
    // A single refusal by a busy service is no finding.
    let persistence = Persistence::new(RetryLimit::Times(2), |_, _| {});
    let cosmos = match CosmosAccount::connect(options, &persistence).await {
        Ok(cosmos) => cosmos,
        Err(error) => return Err(fail_account(error, options, key, checks)),
    };
    accept_credential(options, key, checks);
    let version = match cosmos.http_version() {
        HttpVersion::Http2 => "HTTP/2",
        HttpVersion::Http11 => "HTTP/1.1",
    };
    let regions = cosmos.regions().join(", ");
    checks.ok(
        "account",
        format!(
            "{} answers in {version}; regions: {regions}",
            cosmos.endpoint()
        ),
    );
    let tested = test_container(&cosmos, options, checks).await;
    if checks.status_of("role").is_none() {
        match &options.credential {
            CredentialOptions::Key(_) => {
                checks.ok("role", "an account key is not limited by roles")
            }
            CredentialOptions::EntraId(_) if options.container.is_empty() => {
                checks.ok("role", "the identity may read the account");
            }
            CredentialOptions::EntraId(_) => {
                checks.ok(
                    "role",
                    if checks.status_of("feed") == Some(Status::Ok) {
                        "the identity may read the container and its change feed"
                    } else {
                        "no request was refused for lack of a role"
                    },
                );
            }
        }
    }
    tested
}

fn accept_credential(options: &ConnectOptions, key: &str, checks: &mut Checks) {
    let accepted = match &options.credential {
        CredentialOptions::Key(_) => key.to_owned(),
        CredentialOptions::EntraId(_) => auth::describe(&options.credential),
    };
    checks.ok("credential", accepted);
}

/// The account could not be read: because of the credential, its role, or anything else.
fn fail_account(
    error: anyhow::Error,
    options: &ConnectOptions,
    key: &str,
    checks: &mut Checks,
) -> Stop {
    let refusal = find::<ServiceError>(&error);
    let is_denied = refusal.is_some_and(|refusal| refusal.verdict == Verdict::Denied);
    if is_denied && missing_action(&error).is_some() {
        accept_credential(options, key, checks);
        return fail_role(&error, checks);
    }
    if is_denied && refusal.is_some_and(|refusal| refusal.status == 401) {
        return checks.fail("credential", &error);
    }
    accept_credential(options, key, checks);
    checks.fail("account", &error)
}

/// The action that the service names when a role does not allow a request.
fn missing_action(error: &anyhow::Error) -> Option<String> {
    let refusal = find::<ServiceError>(error)?;
    let text = refusal.to_string();
    let (_, rest) = text.split_once("action [")?;
    let (action, _) = rest.split_once(']')?;
    Some(action.to_owned())
}

fn fail_role(error: &anyhow::Error, checks: &mut Checks) -> Stop {
    let action = missing_action(error);
    let message = action.map_or_else(
        || format!("{error:#}"),
        |action| format!("the roles of this identity lack the action {action}"),
    );
    let remedy = "assign the role `Cosmos DB Built-in Data Reader`, which has all actions for reading: az cosmosdb \
        sql role assignment create --role-definition-name 'Cosmos DB Built-in Data Reader' --scope / --principal-id \
        ID --account-name NAME --resource-group GROUP; for a container that masks values, assign `Cosmos DB Built-in \
        Data Contributor`, which may see them; a new assignment takes some minutes to take effect";
    checks.with_remedy(Status::Fail, "role", &message, remedy.to_owned());
    Stop
}

/// Whether a request was refused because of the credential or its role.
fn is_denied(error: &anyhow::Error) -> bool {
    find::<ServiceError>(error).is_some_and(|refusal| refusal.verdict == Verdict::Denied)
}

async fn test_container(
    cosmos: &CosmosAccount,
    options: &ConnectOptions,
    checks: &mut Checks,
) -> Result<(), Stop> {
    if options.database.is_empty() {
        for step in ["database", "container", "feed", "all-versions"] {
            checks.skip(step, "no database is given: name one with -d");
        }
        return Ok(());
    }
    if options.container.is_empty() {
        match cosmos.database(&options.database).await {
            Ok(_) => checks.ok("database", format!("`{}` exists", options.database)),
            Err(error) if is_denied(&error) => return Err(fail_role(&error, checks)),
            Err(error) => return Err(checks.fail("database", &error)),
        }
        for step in ["container", "feed", "all-versions"] {
            checks.skip(step, "no container is given: name one with -c");
        }
        return Ok(());
    }
    let client = match cosmos.open_container(None).await {
        Ok(client) => Arc::new(client),
        Err(error) if find::<DatabaseMissing>(&error).is_some() => {
            return Err(checks.fail("database", &error));
        }
        Err(error) if is_denied(&error) => return Err(fail_role(&error, checks)),
        Err(error) => {
            if find::<ContainerMissing>(&error).is_some() {
                checks.ok("database", format!("`{}` exists", options.database));
            }
            return Err(checks.fail("container", &error));
        }
    };
    checks.ok("database", format!("`{}` exists", options.database));
    let paths = client.partition_key_paths().join(", ");
    checks.ok(
        "container",
        format!("`{}` has the partition key {paths}", options.container),
    );
    test_feed(&client, checks).await
}

async fn test_feed(client: &Arc<CosmosClient>, checks: &mut Checks) -> Result<(), Stop> {
    let ranges = match client.list_partitions(true).await {
        Ok(ranges) => ranges,
        Err(error) if is_denied(&error) => return Err(fail_role(&error, checks)),
        Err(error) => return Err(checks.fail("feed", &error)),
    };
    let Some(range) = ranges.first().map(|partition| partition.range.clone()) else {
        let error = anyhow::anyhow!("the service returned no ranges");
        let error = with_hint(error, "try again later");
        return Err(checks.fail("feed", &error));
    };
    let number = ranges.len();
    let plural = if number == 1 { "range" } else { "ranges" };
    let start = ChangeFeedStart::Beginning;
    match read_page(client, FeedMode::LatestVersion, &range, start).await {
        Ok(charge) => checks.ok(
            "feed",
            format!("{number} {plural}; a page of the first one was read ({charge:.1} RU)"),
        ),
        Err(error) if is_denied(&error) => return Err(fail_role(&error, checks)),
        Err(error) => return Err(checks.fail("feed", &error)),
    }
    let start = ChangeFeedStart::Now;
    match read_page(client, FeedMode::AllVersionsAndDeletes, &range, start).await {
        Ok(_) => checks.ok("all-versions", "--mode all is available"),
        Err(error) => checks.with_remedy(
            Status::Warn,
            "all-versions",
            &format!("--mode all is not available: {error:#}"),
            "--mode all needs an account with continuous backups, or a container with a retention for all \
             versions and deletes; everything else works without"
                .to_owned(),
        ),
    }
    Ok(())
}

/// Reads a page of a range, and returns its charge.
async fn read_page(
    client: &Arc<CosmosClient>,
    mode: FeedMode,
    range: &FeedRange,
    start: ChangeFeedStart,
) -> Result<f64> {
    let request = FeedRequest {
        source: PageSource::Feed(mode),
        page_size: NonZeroU32::MIN,
        partition_key: None,
    };
    let read = || async {
        let start = CursorStart::Fresh(start);
        let mut cursor = client.open(&request, range, start).await?;
        Ok(cursor.next().await?.request_charge)
    };
    let read = client.persistence().persist("the feed", read);
    match tokio::time::timeout(FEED_DEADLINE, read).await {
        Ok(read) => read,
        Err(_) => Err(with_hint(
            anyhow::anyhow!("no answer within {} s", FEED_DEADLINE.as_secs()),
            "the account answers, but its change feed does not; try again later",
        )),
    }
}
