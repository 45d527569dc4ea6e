//! Authentication: the SDK's credential for a [`CredentialOptions`], and its token.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Result, anyhow};
use azure_core::cloud::CloudConfiguration;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::http::ClientOptions;
use azure_data_cosmos_driver::models::Credential;
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use tokio::time::Instant;

use crate::clock;
use crate::cosmos::authorities;
use crate::cosmos::error::one_line;
use crate::cosmos::options::{CredentialOptions, EntraIdOptions, NationalCloud, TokenOptions};
use crate::error::with_hint;

/// Deadline for the first token. The Azure CLI alone takes seconds on a cold start.
const FIRST_TOKEN_DEADLINE: Duration = Duration::from_secs(30);

/// A token is renewed this long before it expires.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);
/// While it cannot be renewed, it is used until this long before it expires.
const USE_UNTIL: Duration = Duration::from_secs(30);
/// Pause after a failed renewal, while the old token is still valid.
const RENEW_PAUSE: Duration = Duration::from_secs(30);

/// Entra ID's codes for a resource that the directory does not have, and for a scope that is malformed.
const SCOPE_ERRORS: [&str; 3] = ["AADSTS500011", "AADSTS70011", "AADSTS1002012"];

/// Which credential is used, for messages.
pub fn describe(options: &CredentialOptions) -> String {
    match options {
        CredentialOptions::Key(_) => "using the account key".to_owned(),
        CredentialOptions::EntraId(source) => format!("using {}", name(source)),
    }
}

fn name(source: &EntraIdOptions) -> String {
    match source {
        EntraIdOptions::AzureCli { .. } => "the Azure CLI's credential".to_owned(),
        EntraIdOptions::ManagedIdentity { client_id: None } => {
            "the system-assigned managed identity".to_owned()
        }
        EntraIdOptions::ManagedIdentity {
            client_id: Some(id),
        } => format!("the managed identity {id}"),
        EntraIdOptions::WorkloadIdentity { client_id, .. } => {
            format!("the workload identity {client_id}")
        }
        EntraIdOptions::ClientSecret { client_id, .. } => {
            format!("the service principal {client_id}")
        }
    }
}

/// Builds the credential of `options`. An Entra ID credential has fetched its first token when this
/// returns, so that a missing sign-in is reported as such and not as a failed request.
///
/// # Errors
///
/// If no token is returned; the error has a hint.
pub async fn credential(options: &CredentialOptions, token: &TokenOptions) -> Result<Credential> {
    let source = match options {
        CredentialOptions::Key(key) => {
            return Ok(Credential::AccountKey(Secret::new(key.expose().to_owned())));
        }
        CredentialOptions::EntraId(source) => source,
    };
    ensure_http_client(source)?;
    let token_source = token_source(source, token.cloud)
        .map_err(|e| token_error(source, token, &e.to_string()))?;
    let credential = Arc::new(RenewingCredential::new(token_source, &token.scope));
    match tokio::time::timeout(FIRST_TOKEN_DEADLINE, credential.get_token(&[], None)).await {
        Ok(Ok(_)) => Ok(Credential::TokenCredential(credential)),
        Ok(Err(error)) => Err(token_error(source, token, &error.to_string())),
        Err(_) => Err(token_error(
            source,
            token,
            &format!("no answer within {} s", FIRST_TOKEN_DEADLINE.as_secs()),
        )),
    }
}

/// Checks that a credential can build the HTTP client that it requests tokens with: the library panics if it
/// cannot.
fn ensure_http_client(source: &EntraIdOptions) -> Result<()> {
    // The Azure CLI requests them itself.
    if matches!(source, EntraIdOptions::AzureCli { .. }) {
        return Ok(());
    }
    let Err(error) = reqwest::Client::builder().build() else {
        return Ok(());
    };
    let error = anyhow::Error::new(error);
    let cause = one_line(&error.root_cause().to_string());
    let (cause, hint) = if authorities::are_missing(&cause) {
        (authorities::MISSING.to_owned(), authorities::HOW_TO_ADD)
    } else {
        (cause, "check the proxy and the certificates of this system")
    };
    Err(with_hint(
        anyhow!(cause).context(format!("cannot get a token with {}", name(source))),
        hint,
    ))
}

fn token_source(
    source: &EntraIdOptions,
    cloud: Option<NationalCloud>,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let client_options = || ClientOptions {
        cloud: cloud.map(|cloud| {
            Arc::new(match cloud {
                NationalCloud::China => CloudConfiguration::AzureChina,
                NationalCloud::UsGovernment => CloudConfiguration::AzureGovernment,
            })
        }),
        ..ClientOptions::default()
    };
    Ok(match source {
        EntraIdOptions::AzureCli { .. } => AzureCliCredential::new(None)?,
        EntraIdOptions::ManagedIdentity { client_id } => {
            ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                ..Default::default()
            }))?
        }
        EntraIdOptions::WorkloadIdentity {
            tenant_id,
            client_id,
            token_file,
        } => WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
            tenant_id: Some(tenant_id.clone()),
            client_id: Some(client_id.clone()),
            token_file_path: Some(token_file.clone()),
            credential_options: ClientAssertionCredentialOptions {
                client_options: client_options(),
            },
        }))?,
        EntraIdOptions::ClientSecret {
            tenant_id,
            client_id,
            client_secret,
        } => ClientSecretCredential::new(
            tenant_id,
            client_id.clone(),
            Secret::new(client_secret.expose().to_owned()),
            Some(ClientSecretCredentialOptions {
                client_options: client_options(),
            }),
        )?,
    })
}

/// The error of a token that cannot be fetched, with a hint.
fn token_error(source: &EntraIdOptions, token: &TokenOptions, message: &str) -> anyhow::Error {
    // The library names its type first and a web page last.
    let message = message
        .split_once("authentication failed.")
        .map_or(message, |(_, rest)| rest);
    let message = message
        .split("\nTo troubleshoot")
        .next()
        .unwrap_or_default();
    let mut message = one_line(message);
    if message.is_empty() {
        message.push_str("it gave no reason");
    }
    let is_of_scope = SCOPE_ERRORS.iter().any(|code| message.contains(code));
    let hint = match source {
        _ if is_of_scope => format!(
            "the identity's directory does not know the scope {}: name another one with --token-scope, such \
             as https://NAME.documents.azure.com/.default for one account, or another cloud's authority with \
             AZURE_AUTHORITY_HOST",
            token.scope
        ),
        EntraIdOptions::AzureCli { by_default } => {
            let mut hint = if message.contains("not found on PATH") {
                "install the Azure CLI and run `az login`".to_owned()
            } else {
                "run `az login`".to_owned()
            };
            hint.push_str(", or give an account key (AZURE_COSMOS_KEY, --key-file)");
            if *by_default {
                hint.push_str("; on an Azure VM ask for its identity with --auth managed-identity");
            }
            hint
        }
        EntraIdOptions::ManagedIdentity { client_id: None } => {
            "assign an identity to this Azure resource; set AZURE_CLIENT_ID if it is a \
             user-assigned one"
                .to_owned()
        }
        EntraIdOptions::ManagedIdentity { client_id: Some(_) } => {
            "check that AZURE_CLIENT_ID is the client ID of an identity assigned to this Azure \
             resource"
                .to_owned()
        }
        EntraIdOptions::WorkloadIdentity { .. } => {
            "check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE, and the \
             federation of the pod's service account"
                .to_owned()
        }
        EntraIdOptions::ClientSecret { .. } => {
            "check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET".to_owned()
        }
    };
    with_hint(
        anyhow!(message).context(format!("cannot get a token with {}", name(source))),
        hint,
    )
}

/// Keeps a token until shortly before it expires.
///
/// The driver asks for a token with every request, and the Azure CLI's credential starts a process
/// for each. A token is renewed ahead of time, by one request, while the others continue with the old
/// one, so a short outage of the identity provider has no effect.
#[derive(Debug)]
struct RenewingCredential {
    source: Arc<dyn TokenCredential>,
    /// What is requested, whatever the driver asks for: it knows the scope of the public cloud only.
    scope: String,
    token: RwLock<Option<AccessToken>>,
    /// Locked while the token is renewed. Holds when the last renewal failed.
    renewal: tokio::sync::Mutex<Option<Instant>>,
}

impl RenewingCredential {
    fn new(source: Arc<dyn TokenCredential>, scope: &str) -> Self {
        Self {
            source,
            scope: scope.to_owned(),
            token: RwLock::new(None),
            renewal: tokio::sync::Mutex::new(None),
        }
    }

    /// The token, if it is valid for longer than `margin`.
    fn good_for(&self, margin: Duration) -> Option<AccessToken> {
        let token = self.token.read().unwrap_or_else(PoisonError::into_inner);
        token
            .clone()
            .filter(|token| token.expires_on > clock::now() + margin)
    }
}

#[async_trait::async_trait]
impl TokenCredential for RenewingCredential {
    async fn get_token(
        &self,
        _scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if let Some(token) = self.good_for(RENEW_BEFORE) {
            return Ok(token);
        }
        let mut failed_at = match (self.renewal.try_lock(), self.good_for(USE_UNTIL)) {
            (Ok(renewal), _) => renewal,
            (Err(_), Some(token)) => return Ok(token),
            (Err(_), None) => self.renewal.lock().await,
        };
        // Another request may have renewed it while this one waited.
        if let Some(token) = self.good_for(RENEW_BEFORE) {
            return Ok(token);
        }
        let old = self.good_for(USE_UNTIL);
        if let Some(old) = &old
            && failed_at.is_some_and(|at| at.elapsed() < RENEW_PAUSE)
        {
            return Ok(old.clone());
        }
        match self.source.get_token(&[&self.scope], options).await {
            Ok(token) => {
                *failed_at = None;
                let mut kept = self.token.write().unwrap_or_else(PoisonError::into_inner);
                *kept = Some(token.clone());
                Ok(token)
            }
            Err(error) => {
                *failed_at = Some(Instant::now());
                let old = old.ok_or(error)?;
                tracing::warn!(
                    expires_on = %old.expires_on,
                    "the Entra ID token could not be renewed; it is used until it expires"
                );
                Ok(old)
            }
        }
    }
}

#[cfg(test)]
mod tests;
