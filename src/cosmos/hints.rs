//! What to do about a request that failed: the account's, the container's, a creation's, any other.

use azure_data_cosmos_driver::CosmosError;
use url::Url;

use super::error::{ServiceError, Verdict, causes, describe};
use super::options::{ConnectOptions, CredentialOptions};
use crate::error::with_hint;

const NOT_AN_ACCOUNT: &str = "what answers at this address is not a Cosmos DB account (NoSQL API); its \
    endpoint looks like https://NAME.documents.azure.com:443/";

/// `error` for the user: what the SDK says of the service's answer becomes one line that
/// [`describe`] bounds and redacts, with a hint where it is known what to do. Anything else stays
/// as it is.
///
/// The SDK's own chain of causes goes with it: an I/O error in it is about the network, and must
/// not be taken for one about a file or a pipe.
pub fn explain(error: anyhow::Error) -> anyhow::Error {
    let Some(cosmos) = error.downcast_ref::<CosmosError>() else {
        return error;
    };
    let explained = ServiceError::of(cosmos);
    let verdict = explained.verdict;
    let explained = anyhow::Error::new(explained);
    let hint = match verdict {
        Verdict::Transient { .. } | Verdict::PageTooLarge => {
            return with_hint(explained, transient_hint(cosmos));
        }
        Verdict::TokenRefused => {
            "what lies behind this position cannot be had any more; export the container to a new \
             place"
        }
        Verdict::ContainerGone => {
            "the container was deleted, or is another one now; export it to a new place"
        }
        Verdict::Denied => {
            "check that the key or identity may still read this account, and that this machine's \
             clock is right"
        }
        Verdict::Fatal => return explained,
    };
    with_hint(explained, hint)
}

/// Whether `error` is the driver's word for a connection that failed.
pub(super) fn is_transport(error: &CosmosError) -> bool {
    matches!(
        error.status().sub_status().map(|s| s.value()),
        Some(20003 | 20008 | 20010..=20015)
    )
}

/// Whether the server's certificate is not accepted.
pub(super) fn is_certificate(error: &CosmosError) -> bool {
    error.response().is_none() && fault_of_certificate(error).is_some()
}

/// What to do about an account that does not say what it is.
pub(super) fn account_hint(error: &CosmosError, options: &ConnectOptions) -> String {
    if let Some(hint) = general_hint(error, options, &options.endpoint) {
        return hint;
    }
    match u16::from(error.status().status_code()) {
        // An answer of success that is none of an account (20020).
        500 | 501 | 505 | 300..=499 => NOT_AN_ACCOUNT.to_owned(),
        _ => "try again later".to_owned(),
    }
}

/// What to do about a container of an account that did say what it is.
pub(super) fn container_hint(error: &CosmosError, options: &ConnectOptions) -> String {
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
        Some(location) => format!("{}; {hint}", location_hint(&location, options)),
        None => hint,
    }
}

/// What to do about a container that cannot be created.
pub(super) fn creation_hint(error: &CosmosError, options: &ConnectOptions) -> String {
    let code = u16::from(error.status().status_code());
    match code {
        404 => match asked_elsewhere(error, options) {
            Some(location) => location_hint(&location, options),
            None => format!("create the database `{}` first", options.database),
        },
        401 | 403 => {
            "an Entra ID credential may write documents, but containers are created by an \
            account key or by: az cosmosdb sql container create"
                .to_owned()
        }
        // Nothing was said of the container itself.
        408 | 410 | 429 | 449 | 500.. => container_hint(error, options),
        _ => "create it in the portal, or by: az cosmosdb sql container create".to_owned(),
    }
}

/// The driver's word for an answer of success that it cannot read.
const UNREADABLE: u16 = 20020;
const OUTAGE: &str = "the service cannot answer at the moment: try again later";

/// The hint for what says nothing of the service itself; none for an answer that it might not have
/// given.
fn general_hint(error: &CosmosError, options: &ConnectOptions, asked: &Url) -> Option<String> {
    if is_certificate(error) {
        return Some(certificate_hint(error, Some(asked)));
    }
    if error.response().is_none() && is_transport(error) {
        return Some(transport_hint(error, asked));
    }
    let message = describe(error).to_ascii_lowercase();
    let sub_status = error.status().sub_status().map_or(0, |s| s.value());
    let hint = match u16::from(error.status().status_code()) {
        401 | 403 => denied_hint(&message, sub_status, &options.credential),
        407 => {
            "a proxy wants to know who asks: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT".to_owned()
        }
        408 => "the answer took the service too long: try again later".to_owned(),
        410 | 449 => {
            "what was asked for is being moved or changed: try again in a moment".to_owned()
        }
        429 => "the account is throttling; try again later".to_owned(),
        500 if sub_status == UNREADABLE => return None,
        500 | 502..=504 => OUTAGE.to_owned(),
        _ => return None,
    };
    Some(hint)
}

/// What a service lacks that answers otherwise than Cosmos DB does.
pub(super) fn unlike_hint(asked: &Url) -> String {
    format!(
        "{asked} does not answer as Cosmos DB does: if it is an emulator, this one lacks what an export \
         needs; Microsoft's has it, and so has `cosmos-tail demo`"
    )
}

/// The address that the account itself named and that gave the answer, if it is another one than was
/// given.
pub(super) fn asked_elsewhere(error: &CosmosError, options: &ConnectOptions) -> Option<Url> {
    let asked = last_asked(error)?;
    (asked.origin() != options.endpoint.origin()).then_some(asked)
}

/// The address that was asked last, if a request was made.
fn last_asked(error: &CosmosError) -> Option<Url> {
    let diagnostics = error.diagnostics()?;
    let requests = diagnostics.requests();
    Url::parse(requests.last()?.endpoint()).ok()
}

/// What to do about an error of the service or the network that is tried again, and stays.
fn transient_hint(error: &CosmosError) -> String {
    if is_certificate(error) {
        return certificate_hint(error, last_asked(error).as_ref());
    }
    match error.status().sub_status().map(|s| s.value()) {
        Some(UNREADABLE) => {
            "answers are cut or altered on their way, or are not those of Cosmos DB: try again later, or \
             look for a proxy in between"
        }
        _ => "the service or the network cannot answer at the moment: try again later",
    }
    .to_owned()
}

/// That it was another address than the one that was given.
pub(super) fn location_hint(location: &Url, options: &ConnectOptions) -> String {
    format!(
        "the account at {} names {location} as its address, and it is this one that was asked: check that \
         it can be reached from here and is the same account",
        options.endpoint
    )
}

fn transport_hint(error: &CosmosError, asked: &Url) -> String {
    let says = |parts: &[&str]| {
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
    if says(&["timed out", "timeout"]) {
        "the address accepts connections, and then nothing comes: try again later, or check host, port \
         and scheme"
            .to_owned()
    } else if says(&[
        "corrupt message",
        "invalid http",
        "frame with invalid",
        "parse",
    ]) {
        format!(
            "the address accepts connections but does not speak {scheme} as a Cosmos DB account does: \
             check host, port and scheme"
        )
    } else {
        format!(
            "the connection was closed without an answer, as a proxy, a firewall or a service that does \
             not speak {scheme} does: try again, or check host, port and scheme"
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
    Other,
}

/// The fault as the TLS library names it, by its error's name or its sentence.
fn fault_of_certificate(error: &CosmosError) -> Option<CertificateFault> {
    let text = causes(error)
        .map(|cause| cause.to_string().to_ascii_lowercase())
        .filter(|text| text.contains("certificate"))
        .last()?;
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    Some(if says(&["notvalidyet", "not valid yet"]) {
        CertificateFault::NotYetValid
    } else if says(&["expired"]) {
        CertificateFault::Expired
    } else if says(&["notvalidforname", "not valid for name"]) {
        CertificateFault::OtherName
    } else if says(&["revoked"]) {
        CertificateFault::Revoked
    } else if says(&[
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

/// What to do about a certificate that is not accepted.
fn certificate_hint(error: &CosmosError, asked: Option<&Url>) -> String {
    const ACCEPT: &str = "from what listens on this machine, any certificate is accepted with `--endpoint \
        emulator`, or if AZURE_COSMOS_CONNECTION_STRING holds DisableServerCertificateValidation=true";
    let is_here = matches!(
        asked.and_then(Url::host_str),
        Some("localhost" | "127.0.0.1" | "[::1]")
    );
    let hint = match fault_of_certificate(error).unwrap_or(CertificateFault::Other) {
        CertificateFault::Expired => {
            "the certificate of the server has expired, or the clock of this machine is ahead: who runs \
             the server has to renew it"
        }
        CertificateFault::NotYetValid => {
            "the certificate of the server is not valid yet: the clock of this machine is probably behind"
        }
        CertificateFault::OtherName => {
            "the certificate is of a server of another name: give the endpoint by a name that it is valid \
             for, or find out who answers in its place (a proxy, an entry in the hosts file, private DNS)"
        }
        CertificateFault::Revoked => {
            "the certificate of the server was revoked: do not send it anything before it has another"
        }
        CertificateFault::UnknownIssuer if is_here => return ACCEPT.to_owned(),
        CertificateFault::UnknownIssuer => {
            "the certificate is self-signed, or of an authority that this machine does not trust: a proxy \
             that inspects TLS needs its authority among the trusted ones of the system (or in the file \
             that SSL_CERT_FILE names)"
        }
        CertificateFault::Other => {
            "the certificate of the server cannot be used: who runs it has to mend it"
        }
    };
    match is_here {
        true => format!("{hint}; {ACCEPT}"),
        false => hint.to_owned(),
    }
}

fn denied_hint(message: &str, sub_status: u16, credential: &CredentialOptions) -> String {
    let with_key = matches!(credential, CredentialOptions::Key(_));
    if message.contains("firewall") || message.contains("blocked by") {
        "the account's network settings do not admit this machine's address"
    } else if message.contains("local authorization is disabled")
        || matches!(sub_status, 5202 | 5203)
    {
        "this account accepts no keys: use an Entra ID credential, for example --auth cli"
    } else if with_key {
        "check that the key belongs to this account, was not regenerated since, and that this \
         machine's clock is right"
    } else {
        "grant this identity the role `Cosmos DB Built-in Data Reader` on the account: \
         az cosmosdb sql role assignment create --role-definition-name 'Cosmos DB Built-in Data \
         Reader' --scope / --principal-id ID --account-name NAME --resource-group GROUP"
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
