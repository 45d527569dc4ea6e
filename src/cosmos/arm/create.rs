//! A container that is created through the control plane.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::account::ArmAccount;
use super::containers::{ensure_addressable, is_missing};
use super::error::{Fault, Right};
use super::operation::{LEAST_PAUSE, PAUSE, ended, exists};
use crate::cosmos::container::NewContainer;
use crate::error::with_hint;

/// How long another operation on the account is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

impl ArmAccount {
    /// Creates a container, unless one of its name exists, which stays as it is.
    ///
    /// # Errors
    ///
    /// If it cannot be created; the error has a hint.
    pub async fn create_container(
        &self,
        database: &str,
        name: &str,
        new: &NewContainer,
    ) -> Result<()> {
        let what = format!(
            "cannot create container `{name}` of database `{database}` through Azure Resource Manager"
        );
        ensure_addressable(&[database, name])?;
        let url = self.below(&["sqlDatabases", database, "containers", name]);
        let create = async {
            let started = Instant::now();
            let mut retries = self.http.retries();
            loop {
                // A PUT would change one that exists, also one that another has made between two attempts.
                if exists(&self.http, &url, &what).await? {
                    return Ok(());
                }
                let fault = match self.http.put(&url, &body(name, new)).await {
                    Ok(began) => return ended(&self.http, began, &what, &url).await,
                    Err(fault) => fault,
                };
                // Another operation has the account; or this one has, since the answer to an attempt was lost.
                if let Some(pause) = busy(&fault).filter(|_| started.elapsed() < PATIENCE) {
                    tokio::time::sleep(pause).await;
                } else if !self.http.waits_after(&fault, &mut retries, &what).await {
                    return Err(fault);
                }
            }
        };
        create
            .await
            .map_err(|fault| self.refused(&fault, database, new))
            .context(what.clone())
    }

    fn refused(&self, fault: &Fault, database: &str, new: &NewContainer) -> anyhow::Error {
        let hint = match (fault.status(), &new.template) {
            (Some(400), Some(template)) => template.hint(&fault.text()),
            (Some(404), _) if is_missing(fault) => {
                format!("create the database `{database}` first")
            }
            _ => return self.explained(fault, Right::Create),
        };
        with_hint(anyhow::anyhow!(fault.text()), hint)
    }
}

/// How long to wait for another operation, if that is what keeps this one from beginning.
fn busy(fault: &Fault) -> Option<Duration> {
    match fault {
        Fault::Refused(refusal) if matches!(refusal.status, 409 | 412) => {
            Some(refusal.retry_after.unwrap_or(PAUSE).max(LEAST_PAUSE))
        }
        _ => None,
    }
}

/// The body of the request that creates it.
fn body(name: &str, new: &NewContainer) -> String {
    let options = match new.throughput {
        Some(units) => json!({ "throughput": units }),
        None => json!({}),
    };
    format!(
        "{{\"properties\":{{\"resource\":{},\"options\":{options}}}}}",
        new.body_for_arm(name)
    )
}
