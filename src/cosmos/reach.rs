//! Whether an address can be reached at all, reported at once and in plain words.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures_util::future::select_ok;
use tokio::net::TcpStream;
use url::Url;

use crate::error::{Annotate, with_hint};

/// Deadline for resolving the address and opening a connection.
const REACH_DEADLINE: Duration = Duration::from_secs(5);

/// Why an address cannot be reached.
pub(super) struct Unreachable {
    pub(super) error: anyhow::Error,
    /// Whether another attempt may reach it.
    pub(super) may_pass: bool,
}

impl Unreachable {
    fn for_now(error: anyhow::Error) -> Self {
        let may_pass = true;
        Self { error, may_pass }
    }

    fn for_good(error: anyhow::Error) -> Self {
        let may_pass = false;
        Self { error, may_pass }
    }
}

const HINT: &str =
    "check the endpoint, and whether this machine may reach it (firewall, VPN, private endpoint)";

/// Opens a TCP connection and drops it, to report a wrong address at once and in plain words: the driver
/// makes three attempts and reports no more than "error sending request".
///
/// An unknown name stays unknown. A name server that does not answer, and a port that refuses, may answer
/// another attempt. An address that does not answer within the deadline is not retried.
pub(super) async fn reach(endpoint: &Url) -> Result<(), Unreachable> {
    within_deadline(endpoint, async {
        let addresses = addresses_of(endpoint).await?;
        open_any(addresses).await.map(drop)
    })
    .await
}

/// The addresses of the host of an endpoint. Never empty.
pub(super) async fn addresses_of(endpoint: &Url) -> Result<Vec<SocketAddr>, Unreachable> {
    let host = host_of(endpoint);
    let port = endpoint.port_or_known_default().unwrap_or(443);
    let addresses: Vec<SocketAddr> = match tokio::net::lookup_host((host, port)).await {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            let may_pass = is_transient(&error);
            let error = with_hint(
                anyhow!(error).context(format!("the name {host} cannot be resolved")),
                "check the spelling of the account's name, and the network",
            );
            return Err(Unreachable { error, may_pass });
        }
    };
    if addresses.is_empty() {
        let error = anyhow!("the name {host} has no address");
        return Err(Unreachable::for_good(with_hint(error, HINT)));
    }
    Ok(addresses)
}

/// Opens a TCP connection to the first of the addresses that accepts one.
pub(super) async fn open_any(addresses: Vec<SocketAddr>) -> Result<SocketAddr, Unreachable> {
    // All at once: an address family that is not routed must not use up the time.
    let attempts = addresses.into_iter().map(|address| {
        Box::pin(async move {
            let connected = TcpStream::connect(address).await;
            let connected = connected.with_context(|| format!("no connection to {address}"));
            connected.map(|_| address)
        })
    });
    let connected = select_ok(attempts).await.map(|(address, _)| address);
    connected.hint(HINT).map_err(Unreachable::for_now)
}

/// What `steps` return, unless they take too long.
pub(super) async fn within_deadline<T>(
    endpoint: &Url,
    steps: impl Future<Output = Result<T, Unreachable>>,
) -> Result<T, Unreachable> {
    let Ok(result) = tokio::time::timeout(REACH_DEADLINE, steps).await else {
        let host = host_of(endpoint);
        let port = endpoint.port_or_known_default().unwrap_or(443);
        let seconds = REACH_DEADLINE.as_secs();
        let silent = anyhow!("{host}:{port} does not answer within {seconds} s");
        return Err(Unreachable::for_good(with_hint(silent, HINT)));
    };
    result
}

/// The host of an endpoint. The name of an IPv6 address is in brackets in a URL, and without them elsewhere.
pub(super) fn host_of(endpoint: &Url) -> &str {
    let host = endpoint.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether a name was not resolved because no name server answered: getaddrinfo's EAI_AGAIN, which Rust
/// has as text only, and WSATRY_AGAIN.
fn is_transient(error: &std::io::Error) -> bool {
    const TRY_AGAIN: i32 = 11002;
    let text = error.to_string().to_ascii_lowercase();
    error.raw_os_error() == Some(TRY_AGAIN)
        || text.contains("temporary failure")
        || text.contains("try again")
}
