//! The rules for endpoints and names.

use anyhow::{Context, Result};
use url::{Host, Url};

use crate::cosmos::endpoint::{has_more_than_host, has_user, is_loopback};
use crate::cosmos::options::NationalCloud;
use crate::error::usage;
use crate::redact::is_account_key;

const EMULATOR_ENDPOINT: &str = "https://localhost:8081/";

/// Parses an endpoint: a URL, a host, the name of an account, or `emulator`.
pub(super) fn parse_endpoint(text: &str, what: &str) -> Result<(Url, bool)> {
    const HINT: &str = "an endpoint looks like https://NAME.documents.azure.com:443/";
    if text.eq_ignore_ascii_case("emulator") {
        let url = Url::parse(EMULATOR_ENDPOINT).context("the emulator's address")?;
        return Ok((url, true));
    }
    if text.to_ascii_lowercase().contains("accountkey=") {
        return Err(usage(
            format!("{what} is a connection string, not a URL"),
            "set AZURE_COSMOS_CONNECTION_STRING to it: every user of this machine can read the command \
             line",
        ));
    }
    if is_account_key(text) {
        return Err(usage(format!("{what} is an account key, not a URL"), HINT));
    }
    let is_account_name = text.len() >= 3
        && text != "localhost"
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let completed = if text.contains("://") {
        text.to_owned()
    } else if is_account_name {
        format!("https://{text}.documents.azure.com:443/")
    } else {
        format!("https://{text}")
    };
    // Text that cannot be parsed may contain a password, so it is not repeated.
    let url = Url::parse(&completed)
        .ok()
        .filter(Url::has_host)
        .ok_or_else(|| usage(format!("{what} is not a URL"), HINT))?;
    if has_user(&url) {
        return Err(usage(
            format!("{what} contains a user name or a password"),
            HINT,
        ));
    }
    if has_more_than_host(&url) {
        return Err(usage(
            format!("{what} has something after the host; it must name only the account"),
            format!("{HINT}; name the database and the container with -d and -c"),
        ));
    }
    match url.scheme() {
        "https" => Ok((url, false)),
        "http" if is_loopback(&url) => Ok((url, false)),
        "http" => Err(usage(
            format!(
                "{what} uses plain http, which is accepted only for localhost, 127.0.0.1 and [::1]: {url}"
            ),
            "use https",
        )),
        scheme => Err(usage(format!("{what} has the scheme `{scheme}`"), HINT)),
    }
}

/// Whether the host of `url` is in a domain that only Azure Cosmos DB assigns to accounts.
pub(super) fn is_of_azure(url: &Url) -> bool {
    const DOMAINS: [&str; 4] = [
        "documents.azure.com",
        "documents.azure.cn",
        "documents.azure.us",
        "documents.microsoftazure.de",
    ];
    let Some(Host::Domain(name)) = url.host() else {
        return false;
    };
    DOMAINS.iter().any(|domain| {
        let account = name.strip_suffix(domain);
        account.is_some_and(|account| account.len() > 1 && account.ends_with('.'))
    })
}

/// The cloud of an account, if it is not the public one.
pub(super) fn national_cloud(url: &Url) -> Option<NationalCloud> {
    let host = url.host_str().filter(|_| is_of_azure(url))?;
    if host.ends_with(".azure.cn") {
        Some(NationalCloud::China)
    } else if host.ends_with(".azure.us") {
        Some(NationalCloud::UsGovernment)
    } else {
        None
    }
}

/// Whether two endpoints are of one account.
pub(super) fn same_account(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// Checks the name of a database or a container.
///
/// # Errors
///
/// A usage error if the service would refuse it, or if it would name something else in a path.
pub(super) fn check_name(kind: &str, name: &str) -> Result<String> {
    if is_account_key(name) {
        // It would be sent in the clear, and logged.
        return Err(usage(
            format!("the name of the {kind} is an account key"),
            "set AZURE_COSMOS_KEY to the key, and give the name here",
        ));
    }
    if name.contains(['/', '\\', '?', '#'])
        || name.chars().any(char::is_control)
        || name.chars().count() > 255
    {
        return Err(usage(
            format!("{name:?} cannot be the name of a {kind}"),
            "names have up to 255 characters, without / \\ ? # and control characters",
        ));
    }
    Ok(name.to_owned())
}
