//! Processes that a bench compares, and their cost as measured by the operating system.

mod cost;

use std::io::Write;

use crate::gateway::{KEY, StaticGateway};

pub(crate) use cost::{Cost, measure};

/// Names the file with the certificate of a gateway that speaks TLS, in PEM.
pub(crate) const CERTIFICATE_VARIABLE: &str = "COSMOS_TAIL_BENCH_CA";

/// A client that is not part of this bench.
#[derive(Debug, Clone)]
pub(crate) struct OtherClient {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
}

pub(crate) fn parse_client(text: &str) -> Result<OtherClient, String> {
    let (name, command) = text.split_once('=').ok_or("no NAME=COMMAND")?;
    Ok(OtherClient {
        name: name.to_owned(),
        command: command.split_whitespace().map(str::to_owned).collect(),
    })
}

/// Runs a command as the only child of a process of its own, so that the usage of its children is that of
/// the command.
///
/// # Panics
/// If the command fails.
pub(crate) fn run_measured(command: &[&str], gateway: &StaticGateway) -> Cost {
    try_measured(command, gateway).unwrap_or_else(|| panic!("{command:?} failed"))
}

/// The same, if the command succeeds.
pub(crate) fn try_measured(command: &[&str], gateway: &StaticGateway) -> Option<Cost> {
    let certificate = gateway.certificate_pem().map(|pem| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(pem.as_bytes()).unwrap();
        file
    });
    cost::measured(command, |measured| {
        if let Some(file) = &certificate {
            measured
                .env(CERTIFICATE_VARIABLE, file.path())
                .env("NODE_EXTRA_CA_CERTS", file.path())
                .env(
                    "AZURE_COSMOS_CONNECTION_STRING",
                    gateway.connection_string(),
                );
        }
        measured
            .env("AZURE_COSMOS_ENDPOINT", gateway.endpoint())
            .env("AZURE_COSMOS_KEY", KEY)
            .env("AZURE_COSMOS_DATABASE", StaticGateway::DATABASE)
            .env("AZURE_COSMOS_CONTAINER", StaticGateway::CONTAINER);
    })
}
