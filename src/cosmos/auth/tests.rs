use std::sync::atomic::{AtomicUsize, Ordering};

use azure_core::error::{Error, ErrorKind};
use azure_core::time::OffsetDateTime;
use tokio::sync::Notify;

use super::*;
use crate::cosmos::options::SecretText;
use crate::error::render;

const SCOPE: &str = "https://shop.documents.azure.cn/.default";

/// Issues numbered tokens, each valid for `lifetime` seconds.
#[derive(Debug, Default)]
struct Source {
    asked: AtomicUsize,
    lifetimes: std::sync::Mutex<Vec<Option<i64>>>,
    /// If set, every call after the first reports that it started, and waits to be released.
    gate: Option<(Notify, Notify)>,
}

impl Source {
    /// `None` fails.
    fn new(lifetimes: &[Option<i64>]) -> Arc<Self> {
        Arc::new(Self {
            lifetimes: std::sync::Mutex::new(lifetimes.to_vec()),
            ..Self::default()
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl TokenCredential for Source {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, [SCOPE], "whatever the driver asks for");
        let call = self.asked.fetch_add(1, Ordering::SeqCst);
        if call > 0
            && let Some((began, go)) = &self.gate
        {
            began.notify_one();
            go.notified().await;
        }
        let lifetime = self.lifetimes.lock().unwrap()[call];
        let seconds = lifetime.ok_or_else(|| Error::with_message(ErrorKind::Credential, "down"))?;
        Ok(AccessToken::new(
            format!("token-{call}"),
            OffsetDateTime::now_utc() + azure_core::time::Duration::seconds(seconds),
        ))
    }
}

async fn token(credential: &RenewingCredential) -> String {
    let token = credential
        .get_token(&["https://cosmos.azure.com/.default"], None)
        .await
        .unwrap();
    token.token.secret().to_owned()
}

#[tokio::test]
async fn a_token_is_fetched_once_while_it_is_valid() {
    let source = Source::new(&[Some(3600)]);
    let credential = RenewingCredential::new(source.clone(), SCOPE);
    for _ in 0..100 {
        assert_eq!(token(&credential).await, "token-0");
    }
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let source = Source::new(&[Some(200), Some(3600)]);
    let credential = RenewingCredential::new(source.clone(), SCOPE);
    assert_eq!(token(&credential).await, "token-0");
    assert_eq!(token(&credential).await, "token-1");
    assert_eq!(token(&credential).await, "token-1");
    assert_eq!(source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_renewed_is_used_until_it_expires() {
    let source = Source::new(&[Some(200), None, Some(3600)]);
    let credential = RenewingCredential::new(source.clone(), SCOPE);
    for _ in 0..10 {
        assert_eq!(token(&credential).await, "token-0");
    }
    assert_eq!(source.asked(), 2, "after a failed renewal there is a pause");
    tokio::time::advance(RENEW_PAUSE).await;
    assert_eq!(token(&credential).await, "token-2");
}

#[tokio::test]
async fn an_expired_token_is_never_used() {
    let source = Source::new(&[Some(10), None]);
    let credential = RenewingCredential::new(source.clone(), SCOPE);
    assert_eq!(token(&credential).await, "token-0");
    let error = credential
        .get_token(&["https://cosmos.azure.com/.default"], None)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "down");
}

#[tokio::test]
async fn requests_use_the_old_token_while_it_is_renewed() {
    let source = Arc::new(Source {
        lifetimes: std::sync::Mutex::new(vec![Some(200), Some(3600)]),
        gate: Some((Notify::new(), Notify::new())),
        ..Source::default()
    });
    let credential = Arc::new(RenewingCredential::new(source.clone(), SCOPE));
    assert_eq!(token(&credential).await, "token-0");
    let renewing = tokio::spawn({
        let credential = Arc::clone(&credential);
        async move { token(&credential).await }
    });
    let (began, go) = source.gate.as_ref().unwrap();
    began.notified().await;
    assert_eq!(token(&credential).await, "token-0");
    go.notify_one();
    assert_eq!(renewing.await.unwrap(), "token-1");
    assert_eq!(token(&credential).await, "token-1");
}

#[tokio::test]
async fn a_key_needs_no_token() {
    let options = CredentialOptions::Key(SecretText::new("c2VjcmV0"));
    assert!(matches!(
        credential(&options, &TokenOptions::default()).await.unwrap(),
        Credential::AccountKey(key) if key.secret() == "c2VjcmV0"
    ));
    assert_eq!(describe(&options), "using the account key");
}

#[tokio::test]
async fn a_missing_token_file_is_named() {
    let options = CredentialOptions::EntraId(EntraIdOptions::WorkloadIdentity {
        tenant_id: "t".to_owned(),
        client_id: "c".to_owned(),
        token_file: "/nonexistent/token".into(),
    });
    let error = render(
        &credential(&options, &TokenOptions::default())
            .await
            .unwrap_err(),
    );
    assert_eq!(
        error,
        "error: cannot get a token with the workload identity c\n  \
         Caused by: failed to read federated token from file /nonexistent/token\n\
         hint: check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE, and the \
         federation of the pod's service account\n"
    );
}

#[test]
fn a_missing_azure_cli_reads_well() {
    let error = token_error(
        &EntraIdOptions::AzureCli { by_default: true },
        &TokenOptions::default(),
        "AzureCliCredential authentication failed. az not found on PATH\n\
         To troubleshoot, visit https://aka.ms/azsdk/rust/identity/troubleshoot#azure-cli",
    );
    assert_eq!(
        render(&error),
        "error: cannot get a token with the Azure CLI's credential\n  \
         Caused by: az not found on PATH\n\
         hint: install the Azure CLI and run `az login`, or give an account key \
         (AZURE_COSMOS_KEY, --key-file); on an Azure VM ask for its identity with --auth \
         managed-identity\n"
    );
}

#[test]
fn a_missing_sign_in_reads_well() {
    let error = token_error(
        &EntraIdOptions::AzureCli { by_default: false },
        &TokenOptions::default(),
        "AzureCliCredential authentication failed. ERROR: Please run 'az login' to setup account.\r\n\n\
         To troubleshoot, visit https://aka.ms/x",
    );
    assert_eq!(
        render(&error),
        "error: cannot get a token with the Azure CLI's credential\n  \
         Caused by: ERROR: Please run 'az login' to setup account.\n\
         hint: run `az login`, or give an account key (AZURE_COSMOS_KEY, --key-file)\n"
    );
}

#[test]
fn no_secret_shows_in_a_token_error() {
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==";
    let source = EntraIdOptions::ClientSecret {
        tenant_id: "t".to_owned(),
        client_id: "c".to_owned(),
        client_secret: SecretText::new(secret),
    };
    let error = token_error(
        &source,
        &TokenOptions::default(),
        &format!("refused client_secret={secret}&x={secret}"),
    );
    assert!(!format!("{}{error:?}", render(&error)).contains(secret));
}

#[test]
fn an_unknown_scope_is_named_with_the_flag() {
    let error = token_error(
        &EntraIdOptions::AzureCli { by_default: false },
        &TokenOptions::default(),
        "AzureCliCredential authentication failed. ERROR: AADSTS500011: The resource principal named \
         https://cosmos.azure.com was not found in the tenant.",
    );
    let text = render(&error);
    assert!(
        text.ends_with(
            "hint: the identity's directory does not know the scope https://cosmos.azure.com/.default: name \
             another one with --token-scope, such as https://NAME.documents.azure.com/.default for one \
             account, or another cloud's authority with AZURE_AUTHORITY_HOST\n"
        ),
        "{text}"
    );
}
