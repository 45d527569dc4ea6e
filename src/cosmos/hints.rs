//! Hints for requests that failed: of the account, the container, its creation, any other.

use azure_data_cosmos_driver::CosmosError;
use url::Url;

use super::authorities;
use super::error::{ServiceError, Verdict, causes, describe, one_line};
use super::options::{ConnectOptions, CredentialOptions, NamesFrom};
use super::transport::{Detour, Heard};
use crate::error::with_hint;

const NOT_AN_ACCOUNT: &str = "the server at this address is not a Cosmos DB account (NoSQL API); the \
    endpoint of an account looks like https://NAME.documents.azure.com:443/";

/// `error` for the user: an error of the SDK becomes one line, bounded and redacted by [`describe`], with a
/// hint if there is one. Any other error is returned unchanged.
///
/// The SDK's own chain of causes is dropped: an I/O error in it is about the network, and must not be
/// taken for one about a file or a pipe.
pub fn explain(error: anyhow::Error) -> anyhow::Error {
    let Some(cosmos) = error.downcast_ref::<CosmosError>() else {
        return error;
    };
    let mut explained = ServiceError::of(cosmos);
    if detour_of(cosmos).is_some() {
        explained = explained.with_text(cause_of(cosmos));
    }
    let (verdict, status) = (explained.verdict, explained.status);
    let explained = anyhow::Error::new(explained);
    let hint = match verdict {
        Verdict::Transient { .. } | Verdict::PageTooLarge => {
            return with_hint(explained, transient_hint(cosmos));
        }
        Verdict::TokenRefused => {
            "the changes after this position are no longer available; export the container to a new \
             place"
        }
        Verdict::ContainerGone => "the container was deleted or replaced; export it to a new place",
        Verdict::Denied if status == 403 => {
            "check that the key or identity may still read this account, that the account's firewall \
             admits this machine, and that this machine's clock is right"
        }
        Verdict::Denied => {
            "check that the key or identity may still read this account, and that this machine's \
             clock is right"
        }
        Verdict::Fatal => {
            "the service refuses this request: an emulator may not support it; -vvv prints the SDK's log \
             of it"
        }
    };
    with_hint(explained, hint)
}

/// Whether `error` is the driver's error for a failed connection.
pub(super) fn is_transport(error: &CosmosError) -> bool {
    matches!(
        error.status().sub_status().map(|s| s.value()),
        Some(20003 | 20008 | 20010..=20015)
    )
}

/// Where the failed request was sent, if not straight to the endpoint.
pub(super) fn detour_of(error: &CosmosError) -> Option<&Detour> {
    causes(error).find_map(|cause| cause.downcast_ref::<Detour>())
}

/// Whether the server's certificate is not accepted.
pub(super) fn is_certificate(error: &CosmosError) -> bool {
    error.response().is_none() && fault_of_certificate(error).is_some()
}

/// The cause of a failed first request. The SDK's own words about a connection or about an answer that it
/// cannot parse are replaced: only their innermost cause is about this account.
pub(super) fn cause_of(error: &CosmosError) -> String {
    let innermost = causes(error)
        .last()
        .map(|cause| one_line(&cause.to_string()));
    let detour = detour_of(error);
    let innermost = innermost.filter(|_| !detour.is_some_and(Detour::says_all));
    let detour = detour.map(|detour| one_line(&detour.to_string()));
    if fault_of_certificate(error) == Some(CertificateFault::NoAuthorities) {
        return authorities::MISSING.to_owned();
    }
    if is_certificate(error) {
        let cause = innermost.unwrap_or_else(|| describe(error));
        return match detour {
            Some(detour) => format!("{detour}: its certificate is not accepted: {cause}"),
            None => format!("the server's certificate is not accepted: {cause}"),
        };
    }
    if let Some(detour) = detour {
        return match innermost {
            Some(cause) => format!("{detour}: {cause}"),
            None => detour,
        };
    }
    if error.response().is_none()
        && is_transport(error)
        && let Some(cause) = innermost
    {
        return format!("the connection failed: {cause}");
    }
    let described = describe(error);
    match described.split_once(": failed to parse AccountProperties: ") {
        Some((_, fault)) => format!("the answer is not that of a Cosmos DB account: {fault}"),
        None => described,
    }
}

/// The hint for a database or a container that does not exist: where its name comes from.
pub(super) fn name_hint(kind: &str, options: &ConnectOptions) -> String {
    match options.names_from {
        NamesFrom::Settings => {
            let (short, variable) = (&kind[..1], kind.to_ascii_uppercase());
            format!(
                "check the name given with -{short} (AZURE_COSMOS_{variable}); names are case-sensitive"
            )
        }
        NamesFrom::State => format!(
            "the name of the {kind} comes from the state, so it was probably deleted; to export another \
             {kind}, choose a new output"
        ),
        NamesFrom::FromContainer => {
            "check the name given with --from-container; names are case-sensitive".to_owned()
        }
        NamesFrom::Leases => {
            "check the name given with --leases; names are case-sensitive".to_owned()
        }
    }
}

/// The hint for an account whose properties cannot be read.
pub(super) fn account_hint(error: &CosmosError, options: &ConnectOptions) -> String {
    if let Some(hint) = general_hint(error, options, &options.endpoint) {
        return hint;
    }
    match u16::from(error.status().status_code()) {
        // 20020 among them: a successful answer that is not one of an account.
        500 | 501 | 505 | 300..=499 => NOT_AN_ACCOUNT.to_owned(),
        _ => "try again later".to_owned(),
    }
}

/// The hint for a container of an account whose properties were read.
pub(super) fn container_hint(
    error: &CosmosError,
    options: &ConnectOptions,
    heard: &Heard,
) -> String {
    if let (Some(detour), false) = (detour_of(error), is_certificate(error)) {
        return detour.hint();
    }
    let elsewhere = asked_elsewhere(error, options);
    let asked = elsewhere.as_ref().unwrap_or(&options.endpoint);
    let hint = general_hint(error, options, asked).unwrap_or_else(|| {
        match u16::from(error.status().status_code()) {
            500.. if error.status().sub_status().map(|s| s.value()) != Some(UNREADABLE) => {
                OUTAGE.to_owned()
            }
            _ => unlike_hint(asked),
        }
    });
    match elsewhere {
        Some(location) => format!("{}; {hint}", location_hint(&location, options, heard)),
        None => hint,
    }
}

/// The hint for a container that cannot be created.
pub(super) fn creation_hint(
    error: &CosmosError,
    options: &ConnectOptions,
    heard: &Heard,
) -> String {
    let code = u16::from(error.status().status_code());
    match code {
        404 => match asked_elsewhere(error, options) {
            Some(location) => location_hint(&location, options, heard),
            None => format!("create the database `{}` first", options.database),
        },
        401 | 403 => {
            "Entra ID's roles for data create no containers: create it through Azure Resource Manager, with --via arm \
             and the role `Cosmos DB Operator`; or use an account key, or run: az cosmosdb sql container create"
                .to_owned()
        }
        // These are not about the container itself.
        408 | 410 | 429 | 449 | 500.. => container_hint(error, options, heard),
        _ => "create it in the portal, or run: az cosmosdb sql container create".to_owned(),
    }
}

/// The driver's sub-status for a successful answer that it cannot parse.
const UNREADABLE: u16 = 20020;
const OUTAGE: &str = "the service is unavailable: try again later";

/// The hint for errors of connections and credentials, and for outages. `None` for an answer that may not
/// come from the service.
fn general_hint(error: &CosmosError, options: &ConnectOptions, asked: &Url) -> Option<String> {
    if is_certificate(error) {
        return Some(certificate_hint(error, Some(asked)));
    }
    if let Some(detour) = detour_of(error) {
        return Some(detour.hint());
    }
    if error.response().is_none() && is_transport(error) {
        return Some(transport_hint(error, asked));
    }
    let message = describe(error).to_ascii_lowercase();
    let sub_status = error.status().sub_status().map_or(0, |s| s.value());
    let hint = match u16::from(error.status().status_code()) {
        code @ (401 | 403) => denied_hint(&message, code, sub_status, &options.credential),
        407 => "the proxy requires authentication: set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
            .to_owned(),
        408 => "the service took too long to answer: try again later".to_owned(),
        410 | 449 => "the resource is being moved or changed: try again in a moment".to_owned(),
        429 => "the account is throttling; try again later".to_owned(),
        500 if sub_status == UNREADABLE => return None,
        500 | 502..=504 => OUTAGE.to_owned(),
        _ => return None,
    };
    Some(hint)
}

/// The hint for a service that does not answer like Cosmos DB.
pub(super) fn unlike_hint(asked: &Url) -> String {
    format!(
        "{asked} does not answer like Cosmos DB: if it is an emulator, it lacks what an export needs; \
        Microsoft's emulator and `cosmos-tail demo` have it"
    )
}

/// The address that answered, if it is not the endpoint but one that the account itself names.
pub(super) fn asked_elsewhere(error: &CosmosError, options: &ConnectOptions) -> Option<Url> {
    let asked = last_asked(error)?;
    (asked.origin() != options.endpoint.origin()).then_some(asked)
}

/// The address of the last request, if one was made.
fn last_asked(error: &CosmosError) -> Option<Url> {
    let diagnostics = error.diagnostics()?;
    let requests = diagnostics.requests();
    Url::parse(requests.last()?.endpoint()).ok()
}

/// The hint for a transient error that persists.
fn transient_hint(error: &CosmosError) -> String {
    if is_certificate(error) {
        return certificate_hint(error, last_asked(error).as_ref());
    }
    if let Some(detour) = detour_of(error) {
        return detour.hint();
    }
    match error.status().sub_status().map(|s| s.value()) {
        Some(UNREADABLE) => {
            "the answers are cut or altered on their way, or do not come from Cosmos DB: try again \
            later, or look for a proxy in between"
        }
        _ => "the service or the network is unavailable: try again later",
    }
    .to_owned()
}

/// The hint that the address was not the endpoint itself.
pub(super) fn location_hint(location: &Url, options: &ConnectOptions, heard: &Heard) -> String {
    let endpoint = &options.endpoint;
    let origin = heard
        .origin_of(location)
        .map_or_else(String::new, |origin| format!(" ({origin})"));
    format!(
        "the account at {endpoint} names {location} as its address{origin}, and the request was sent there: \
        check that it can be reached from here and is the same account; with --limit-to-endpoint all \
        requests go to {endpoint}"
    )
}

fn transport_hint(error: &CosmosError, asked: &Url) -> String {
    let has_any = |parts: &[&str]| {
        causes(error).any(|cause| {
            let text = cause.to_string().to_ascii_lowercase();
            parts.iter().any(|part| text.contains(part))
        })
    };
    let scheme = if asked.scheme() == "https" {
        "HTTPS"
    } else {
        "HTTP"
    };
    if has_any(&["connection refused", "no route", "unreachable", "dns error"]) {
        "check the address, and whether this machine may reach it (firewall, VPN, private endpoint)"
            .to_owned()
    } else if has_any(&["timed out", "timeout"]) {
        "the address accepts connections, but does not answer: try again later, or check host, port \
         and scheme"
            .to_owned()
    } else if has_any(&[
        "corrupt message",
        "invalid http",
        "frame with invalid",
        "parse",
    ]) {
        format!(
            "the address accepts connections but does not speak {scheme} like a Cosmos DB account: \
            check host, port and scheme"
        )
    } else {
        format!(
            "the connection was closed without an answer, perhaps by a proxy, a firewall or a service \
            that does not speak {scheme}: try again, or check host, port and scheme"
        )
    }
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CertificateFault {
    Expired,
    NotYetValid,
    OtherName,
    UnknownIssuer,
    Revoked,
    /// Nothing was sent: there is nothing to verify a certificate with.
    NoAuthorities,
    Other,
}

/// The fault, by the name or the text of the TLS library's error.
fn fault_of_certificate(error: &CosmosError) -> Option<CertificateFault> {
    let text = causes(error)
        .map(|cause| cause.to_string().to_ascii_lowercase())
        .filter(|text| text.contains("certificate"))
        .last()?;
    let has_any = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    Some(if authorities::are_missing(&text) {
        CertificateFault::NoAuthorities
    } else if has_any(&["notvalidyet", "not valid yet"]) {
        CertificateFault::NotYetValid
    } else if has_any(&["expired"]) {
        CertificateFault::Expired
    } else if has_any(&["notvalidforname", "not valid for name"]) {
        CertificateFault::OtherName
    } else if has_any(&["revoked"]) {
        CertificateFault::Revoked
    } else if has_any(&[
        "unknownissuer",
        "causedasendentity",
        "badsignature",
        "unknown issuer",
        "not trusted",
    ]) {
        CertificateFault::UnknownIssuer
    } else {
        CertificateFault::Other
    })
}

/// The hint for a certificate that is not accepted.
fn certificate_hint(error: &CosmosError, asked: Option<&Url>) -> String {
    const ACCEPT: &str = "for a server on this machine, `--endpoint emulator` accepts any \
        certificate, and so does DisableServerCertificateValidation=true in \
        AZURE_COSMOS_CONNECTION_STRING";
    let is_here = matches!(
        asked.and_then(Url::host_str),
        Some("localhost" | "127.0.0.1" | "[::1]")
    );
    let hint = match fault_of_certificate(error).unwrap_or(CertificateFault::Other) {
        CertificateFault::Expired => {
            "the server's certificate has expired, or the clock of this machine is ahead: the \
            server's operator has to renew it"
        }
        CertificateFault::NotYetValid => {
            "the server's certificate is not valid yet: the clock of this machine is probably behind"
        }
        CertificateFault::OtherName => {
            "the certificate is for another host name: use a name that it is valid for as the \
            endpoint, or find out what answers in the account's place (a proxy, an entry in the \
            hosts file, private DNS)"
        }
        CertificateFault::Revoked => {
            "the server's certificate was revoked: do not connect until it has a new one"
        }
        CertificateFault::UnknownIssuer => {
            "the certificate is self-signed or signed by an unknown authority, such as that of a proxy \
            that inspects TLS: add the authority to the system's trusted certificates, or on Linux set \
            SSL_CERT_FILE to a PEM file that contains it"
        }
        CertificateFault::NoAuthorities => authorities::HOW_TO_ADD,
        CertificateFault::Other => {
            "the server's certificate cannot be used: the server's operator has to replace it"
        }
    };
    if is_here {
        format!("{hint}; {ACCEPT}")
    } else {
        hint.to_owned()
    }
}

fn denied_hint(
    message: &str,
    status: u16,
    sub_status: u16,
    credential: &CredentialOptions,
) -> String {
    let with_key = matches!(credential, CredentialOptions::Key(_));
    if message.contains("firewall") || message.contains("blocked by") {
        "the account's network settings do not admit this machine's address"
    } else if message.contains("local authorization is disabled")
        || matches!(sub_status, 5202 | 5203)
    {
        "this account accepts no keys: use an Entra ID credential, for example --auth cli"
    } else if with_key && status == 403 {
        "check that the account's firewall admits this machine, that the key belongs to this account and \
         may read it, and that this machine's clock is right"
    } else if with_key {
        "check that the key belongs to this account, was not regenerated since, and that this \
         machine's clock is right"
    } else {
        "grant this identity the role `Cosmos DB Built-in Data Reader` on the account: \
         az cosmosdb sql role assignment create --role-definition-name 'Cosmos DB Built-in Data \
         Reader' --scope / --principal-id ID --account-name NAME --resource-group GROUP; for a container \
         that masks values, `Cosmos DB Built-in Data Contributor`, which may see them"
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
