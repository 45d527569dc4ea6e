//! The steps of reaching an account, one by one, for whoever wants to know which of them fails.
//!
//! A connection takes them all at once (`connect`). Nothing here is signed: no credential leaves this machine.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, anyhow};
use azure_core::time::OffsetDateTime;
use azure_data_cosmos_driver::CosmosError;
use azure_data_cosmos_driver::error::status_codes;
use azure_data_cosmos_driver::options::ConnectionPoolOptions;
use reqwest::Client;
use reqwest::redirect::Policy;
use url::Url;

use super::date::date_of;
use super::hints::{account_hint, cause_of, is_certificate};
use super::options::ConnectOptions;
use super::reach::{addresses_of, host_of, open_any, within_deadline};
use crate::clock;
use crate::error::with_hint;

/// Deadline for the first answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The addresses of the account's host.
///
/// # Errors
///
/// If its name cannot be resolved; the error has a hint.
pub async fn resolve_name(endpoint: &Url) -> Result<Vec<SocketAddr>> {
    let resolved = within_deadline(endpoint, addresses_of(endpoint)).await;
    resolved.map_err(|unreachable| unreachable.error)
}

/// Opens a connection to the first of these addresses that accepts one, and returns it.
///
/// # Errors
///
/// If none does; the error has a hint.
pub async fn open_connection(endpoint: &Url, addresses: Vec<SocketAddr>) -> Result<SocketAddr> {
    let opened = within_deadline(endpoint, open_any(addresses)).await;
    opened.map_err(|unreachable| unreachable.error)
}

/// The host of an endpoint, as it is looked up.
pub fn host(endpoint: &Url) -> &str {
    host_of(endpoint)
}

/// Whether requests may go through a proxy, so that names and addresses need not be reached from here.
pub fn may_use_proxy() -> bool {
    let pool = ConnectionPoolOptions::builder().build();
    pool.is_ok_and(|pool| pool.proxy_allowed())
}

/// The first answer of a server.
#[derive(Debug, Clone, Copy)]
pub struct FirstAnswer {
    /// How far this machine's clock is ahead of the server's, in seconds; `None` if the answer has no date.
    pub clock_ahead: Option<i64>,
}

/// Why a server did not answer.
#[derive(Debug)]
pub struct NoAnswer {
    /// With a hint.
    pub error: anyhow::Error,
    /// Whether its certificate is the cause.
    pub is_of_certificate: bool,
}

/// Requests the account without a credential, to see whether anything answers. In TLS the certificate is checked.
///
/// # Errors
///
/// If nothing answers in HTTP. A refusal is an answer.
pub async fn first_answer(options: &ConnectOptions) -> Result<FirstAnswer, NoAnswer> {
    let failed = |error: reqwest::Error| {
        let error = CosmosError::builder()
            .with_status(status_codes::TRANSPORT_CONNECTION_FAILED)
            .with_message(error.to_string())
            .with_source(error)
            .build();
        let hint = account_hint(&error, options);
        NoAnswer {
            is_of_certificate: is_certificate(&error),
            error: with_hint(anyhow!(cause_of(&error)), hint),
        }
    };
    let mut client = Client::builder()
        .tls_backend_rustls()
        .tls_danger_accept_invalid_certs(options.accept_self_signed)
        .redirect(Policy::none())
        .timeout(ANSWER_DEADLINE);
    if !may_use_proxy() {
        client = client.no_proxy();
    }
    if options.accept_self_signed || options.endpoint.scheme() == "http" {
        // The system may have no certificates of authorities, and none are needed.
        client = client.tls_certs_only([]);
    }
    let client = client.build().map_err(failed)?;
    let asked = clock::now();
    let response = client.get(options.endpoint.clone()).send().await;
    let response = response.map_err(failed)?;
    let answered = clock::now();
    // Its body is of no interest, and may have no end.
    Ok(FirstAnswer {
        clock_ahead: date_of(&response).map(|date| ahead(asked, answered, date)),
    })
}

/// How far the clock is ahead that showed these times around an answer of this date, which has no fractions.
fn ahead(asked: OffsetDateTime, answered: OffsetDateTime, date: OffsetDateTime) -> i64 {
    let since = (asked - date).whole_milliseconds() + (answered - date).whole_milliseconds();
    i64::try_from(since / 2000).unwrap_or(i64::MAX)
}
