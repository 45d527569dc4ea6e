//! Connection strings of accounts.

use anyhow::Result;
use url::Url;

use crate::cosmos::options::SecretText;
use crate::error::usage;
use crate::settings::endpoint::parse_endpoint;
use crate::settings::table::CONNECTION_STRING_VARIABLE;

/// The parts of a connection string.
#[derive(Debug, Clone)]
pub(super) struct ConnectionString {
    pub(super) endpoint: Url,
    pub(super) key: Option<SecretText>,
    pub(super) database: Option<String>,
    pub(super) accept_self_signed: bool,
}

impl ConnectionString {
    /// Parses `AccountEndpoint=…;AccountKey=…;Database=…;`, whose names are not case-sensitive.
    ///
    /// The SDK's own parser insists on a key, drops the database, and does not check the endpoint.
    pub(super) fn parse(text: &str) -> Result<Self> {
        const HINT: &str = "copy it from the account's Keys page: \
            AccountEndpoint=https://NAME.documents.azure.com:443/;AccountKey=…;";
        const VARIABLE: &str = CONNECTION_STRING_VARIABLE;
        let (mut endpoint, mut key, mut database, mut accept_self_signed) =
            (None, None, None, false);
        for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return Err(usage(
                    format!("{VARIABLE} is malformed: one of its parts is not NAME=VALUE"),
                    HINT,
                ));
            };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "accountendpoint" => endpoint = Some(value),
                "accountkey" => key = Some(value).filter(|v| !v.is_empty()),
                "database" => database = Some(value).filter(|v| !v.is_empty()),
                "disableservercertificatevalidation" => {
                    accept_self_signed = value.eq_ignore_ascii_case("true");
                }
                // Other SDKs have parameters of their own.
                _ => {}
            }
        }
        let Some(endpoint) = endpoint else {
            return Err(usage(format!("{VARIABLE} has no AccountEndpoint"), HINT));
        };
        Ok(Self {
            endpoint: parse_endpoint(
                endpoint,
                "AccountEndpoint in AZURE_COSMOS_CONNECTION_STRING",
            )?
            .0,
            key: key.map(SecretText::new),
            database: database.map(str::to_owned),
            accept_self_signed,
        })
    }
}
