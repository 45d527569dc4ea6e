//! What the control plane refuses, and what to do about it.

use std::time::Duration;

use serde::Deserialize;

use crate::cosmos::error::one_line;

/// How much of a message is shown.
const MAX_MESSAGE: usize = 600;

/// Why a request has no answer that can be used.
#[derive(Debug)]
pub(super) enum Fault {
    /// The control plane refused it.
    Refused(Refusal),
    /// It could not be reached, or did not answer.
    Unreachable(String),
    /// What it sent makes no sense.
    Unusable(String),
}

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// Its code, such as `AuthorizationFailed`.
    pub(super) code: String,
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
}

/// The error in a body, in either of the two forms in which services write it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorBody {
    error: Option<ErrorText>,
    code: Option<String>,
    message: Option<String>,
}

/// A code and a message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorText {
    pub(super) code: String,
    pub(super) message: String,
}

impl Refusal {
    /// The refusal in an answer.
    pub(super) fn of(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let parsed: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
        let text = parsed.error.unwrap_or_else(|| ErrorText {
            code: parsed.code.unwrap_or_default(),
            message: parsed.message.unwrap_or_default(),
        });
        Self::from_text(status, text, retry_after)
    }

    pub(super) fn from_text(status: u16, text: ErrorText, retry_after: Option<Duration>) -> Self {
        let short = |text: &str| one_line(text).chars().take(MAX_MESSAGE).collect();
        Self {
            status,
            code: short(&text.code),
            message: short(&text.message),
            retry_after,
        }
    }

    /// Whether another attempt may succeed.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504)
    }

    /// In one line.
    pub(super) fn text(&self) -> String {
        let status = self.status;
        match (self.code.is_empty(), self.message.is_empty()) {
            (_, false) if self.code.is_empty() => {
                format!("Azure Resource Manager answers {status}: {}", self.message)
            }
            (false, false) => format!(
                "Azure Resource Manager answers {status} ({}): {}",
                self.code, self.message
            ),
            (false, true) => format!("Azure Resource Manager answers {status} ({})", self.code),
            _ => format!("Azure Resource Manager answers {status}"),
        }
    }
}

impl Fault {
    /// The status of a refusal.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::Unreachable(_) | Self::Unusable(_) => None,
        }
    }

    /// Whether another attempt may succeed, and when at the earliest.
    pub(super) fn retry(&self) -> Option<Option<Duration>> {
        match self {
            Self::Refused(refusal) => refusal.may_pass().then_some(refusal.retry_after),
            Self::Unreachable(_) => Some(None),
            Self::Unusable(_) => None,
        }
    }

    /// In one line.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.text(),
            Self::Unreachable(text) | Self::Unusable(text) => text.clone(),
        }
    }
}

/// What is missing when the control plane refuses a request, as the actions of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// To look an account up.
    Find,
    /// To read databases, containers and their throughput.
    Read,
    /// To create containers.
    Create,
    /// To create scripts and client encryption keys.
    CreateCompanions,
}

impl Right {
    fn actions(self) -> &'static str {
        match self {
            Self::Find => "Microsoft.DocumentDB/databaseAccounts/read",
            Self::Read => {
                "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/read, …/sqlDatabases/containers/read, and \
                 …/throughputSettings/read of both"
            }
            Self::CreateCompanions => {
                "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/storedProcedures/read and \
                 …/storedProcedures/write, the same of …/triggers and …/userDefinedFunctions, and of \
                 …/sqlDatabases/clientEncryptionKeys"
            }
            Self::Create => {
                "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/read and …/containers/write"
            }
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::Find | Self::Read => "Cosmos DB Account Reader Role",
            Self::Create | Self::CreateCompanions => "Cosmos DB Operator",
        }
    }

    /// The hint for a refusal. `scope` is what the role has to be assigned on.
    pub(super) fn hint(self, fault: &Fault, scope: &str) -> String {
        match fault.status() {
            Some(401) => {
                "Azure Resource Manager does not accept the token: check that the identity is of the directory of the \
                 subscription, and that the account is in the cloud of the endpoint"
                    .to_owned()
            }
            Some(403) => format!(
                "assign this identity the role `{}` on the account, or a role of your own with {}: az role assignment \
                 create --role '{}' --assignee ID --scope {scope}. The roles for data do not cover it",
                self.role(),
                self.actions(),
                self.role()
            ),
            Some(404) => {
                "check --subscription, --resource-group and --account-name; without the first two they are looked up"
                    .to_owned()
            }
            Some(409 | 412) => {
                "another operation on the account is under way: try again in a moment".to_owned()
            }
            Some(429) => "Azure Resource Manager is throttling: try again later".to_owned(),
            Some(_) => "try again later, or leave --via out and use an account key".to_owned(),
            None => "check the network, or a proxy, between this machine and Azure Resource Manager".to_owned(),
        }
    }
}
