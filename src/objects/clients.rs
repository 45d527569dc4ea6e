//! The clients of stores, as the environment says how to reach them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::multipart::MultipartStore;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};

use super::address::{Address, Store};
use super::aws_profile::Profile;
use super::transport::{Connector, StoreClock};
use crate::error::{ExitCode, usage, with_exit_code, with_hint};
use crate::failpoint;

/// How long a call may take: the parts under way at a time are 64 MiB, which a link of 6 Mbit/s carries in that time.
pub(super) const TIMEOUT: &str = "90s";

/// The same for calls that carry little.
pub(super) const TIMEOUT_ONCE: &str = "30s";

/// A store, by its calls.
pub(super) trait Calls: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Calls for T {}

pub(super) type Client = Arc<dyn Calls>;

/// The client of the store that `address` is in.
///
/// # Errors
///
/// If the environment does not say how to reach it.
pub(super) fn client(
    address: &Address,
    clock: &Arc<StoreClock>,
    retry: RetryConfig,
    timeout: &str,
) -> Result<Client> {
    let timeout = if failpoint::is_impatient() {
        "2s"
    } else {
        timeout
    };
    match address.store() {
        Store::Azure => azure(address, clock, retry, timeout),
        Store::S3 => s3(address, clock, retry, timeout),
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// How requests to the store of `address` are made.
fn connector(address: &Address, clock: &Arc<StoreClock>) -> Connector {
    Connector {
        container: address.container().to_owned(),
        clock: Arc::clone(clock),
    }
}

fn azure(
    address: &Address,
    clock: &Arc<StoreClock>,
    retry: RetryConfig,
    timeout: &str,
) -> Result<Client> {
    let mut builder = MicrosoftAzureBuilder::from_env();
    // What a person has set stays.
    if !is_set("AZURE_TIMEOUT") {
        builder = builder.with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), timeout);
    }
    builder = builder
        .with_container_name(address.container())
        .with_http_connector(connector(address, clock))
        .with_disable_tagging(true)
        .with_retry(retry);
    if let Some(account) = address.account() {
        builder = builder.with_account(account);
    }
    let store = builder.build().map_err(|error| {
        with_hint(
            with_exit_code(anyhow!("cannot use `{address}`: {error}"), ExitCode::Usage),
            "set AZURE_STORAGE_ACCOUNT_NAME, or name the account: \
             abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH/",
        )
    })?;
    Ok(Arc::new(store))
}

/// Variables that name a credential, which a profile does not replace.
const CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

fn s3(
    address: &Address,
    clock: &Arc<StoreClock>,
    retry: RetryConfig,
    timeout: &str,
) -> Result<Client> {
    let mut builder = AmazonS3Builder::from_env();
    let mut set = |key: AmazonS3ConfigKey, value: &str| {
        builder = std::mem::take(&mut builder).with_config(key, value);
    };
    let profile = Profile::of_environment()?;
    if !is_set("AWS_REGION")
        && !is_set("AWS_DEFAULT_REGION")
        && let Some(region) = profile.get("region")
    {
        set(AmazonS3ConfigKey::Region, region);
    }
    if let Some(endpoint) = endpoint(&profile) {
        set(AmazonS3ConfigKey::Endpoint, &endpoint);
        if is_loopback(&endpoint) {
            set(
                AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp),
                "true",
            );
        }
    }
    if !CREDENTIALS.iter().any(|variable| is_set(variable)) {
        if let Some(way) = profile.other_way() {
            return Err(usage(
                format!(
                    "cannot use `{address}`: the profile of AWS has `{way}`, which only the tools of AWS follow"
                ),
                "put its credential into the environment: eval \"$(aws configure export-credentials --format env)\"",
            ));
        }
        for (key, name) in [
            (AmazonS3ConfigKey::AccessKeyId, "aws_access_key_id"),
            (AmazonS3ConfigKey::SecretAccessKey, "aws_secret_access_key"),
            (AmazonS3ConfigKey::Token, "aws_session_token"),
        ] {
            if let Some(value) = profile.get(name) {
                set(key, value);
            }
        }
    }
    if !is_set("AWS_TIMEOUT") {
        set(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), timeout);
    }
    let store = builder
        .with_bucket_name(address.container())
        .with_http_connector(connector(address, clock))
        .with_disable_tagging(true)
        .with_retry(retry)
        .build()
        .map_err(|error| {
            with_hint(
                with_exit_code(anyhow!("cannot use `{address}`: {error}"), ExitCode::Usage),
                "check the variables AWS_…, and the profile of AWS",
            )
        })?;
    Ok(Arc::new(store))
}

/// The endpoint of S3, if it is not that of Amazon.
fn endpoint(profile: &Profile) -> Option<String> {
    let variables = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
    let of_environment = variables.iter().find_map(|name| std::env::var(name).ok());
    of_environment.or_else(|| profile.get("endpoint_url").map(str::to_owned))
}

/// How long a store keeps an upload at the least that is not completed; none if that is not known.
pub(super) fn upload_life(address: &Address) -> Option<Duration> {
    const DAY: Duration = Duration::from_hours(24);
    match address.store() {
        Store::Azure => Some(7 * DAY),
        // No lifecycle rule of Amazon counts less than a day. What else speaks as S3 does has rules of its own.
        Store::S3 => {
            let endpoint = endpoint(&Profile::of_environment().ok()?);
            endpoint.is_none().then_some(DAY)
        }
    }
}

/// The region of the bucket of `address`, as its store says it to anybody. No credential is sent.
pub(super) async fn region_of(address: &Address) -> Option<String> {
    let profile = Profile::of_environment().ok()?;
    let endpoint = endpoint(&profile).unwrap_or_else(|| "https://s3.amazonaws.com".to_owned());
    let url = format!("{}/{}", endpoint.trim_end_matches('/'), address.container());
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build();
    let answer = client.ok()?.head(url).send().await.ok()?;
    let region = answer.headers().get("x-amz-bucket-region")?.to_str().ok()?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_region = (1..=32).contains(&region.len()) && region.chars().all(plain);
    is_region.then(|| region.to_owned())
}

/// Whether an endpoint is on this machine, where plain HTTP is in order.
fn is_loopback(endpoint: &str) -> bool {
    let Ok(url) = url::Url::parse(endpoint) else {
        return false;
    };
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
