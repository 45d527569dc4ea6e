//! Scripts and client encryption keys, as the control plane knows them.

use anyhow::{Context, Result, anyhow};

use super::account::ArmAccount;
use super::containers::{Resource, ensure_addressable};
use super::error::{Fault, Right};
use super::operation::{ended, exists};
use crate::cosmos::companion::{Companion, CompanionKind, Unread};

impl ArmAccount {
    /// The companions of a kind, of a container or its database.
    ///
    /// # Errors
    ///
    /// Says why they are not known.
    pub(in crate::cosmos) async fn companions(
        &self,
        database: &str,
        container: &str,
        kind: CompanionKind,
    ) -> Result<Vec<Companion>, Unread> {
        let what = format!("cannot read the {}", kind.names());
        let odd = |error: anyhow::Error| Unread::Failed(format!("{error:#}"));
        ensure_addressable(&[database, container]).map_err(odd)?;
        let url = self.below(&segments(database, container, kind));
        let listed = self.http.list::<Resource>(url, &what).await;
        let listed = listed.map_err(|fault| match fault.status() {
            Some(401 | 403) => Unread::Denied,
            _ => Unread::Failed(fault.text()),
        })?;
        let parsed = listed.into_iter().map(Resource::companion);
        parsed.collect::<Result<_>>().map_err(odd)
    }

    /// Creates a companion; false if one of its name exists, which stays as it is.
    ///
    /// # Errors
    ///
    /// If it cannot be created; the error has a hint.
    pub(in crate::cosmos) async fn create_companion(
        &self,
        database: &str,
        container: &str,
        kind: CompanionKind,
        new: &Companion,
    ) -> Result<bool> {
        let what = format!("cannot create the {} {:?}", kind.name(), new.id());
        ensure_addressable(&[database, container, new.id()])?;
        let mut path = segments(database, container, kind);
        path.push(new.id());
        let url = self.below(&path);
        let body = format!(
            "{{\"properties\":{{\"resource\":{},\"options\":{{}}}}}}",
            new.body()
        );
        let create = async {
            let mut retries = self.http.retries();
            loop {
                // A PUT would change one that exists.
                if exists(&self.http, &url, &what).await? {
                    return Ok(false);
                }
                let fault = match self.http.put(&url, &body).await {
                    Ok(began) => {
                        ended(&self.http, began, &what, &url).await?;
                        return Ok(true);
                    }
                    Err(fault) => fault,
                };
                if !self.http.waits_after(&fault, &mut retries, &what).await {
                    return Err(fault);
                }
            }
        };
        let created: Result<bool, Fault> = create.await;
        created.map_err(|fault| match fault.status() {
            Some(400) => anyhow!(fault.text()),
            _ => self.explained(&fault, Right::CreateCompanions),
        })
    }
}

impl Resource {
    fn companion(self) -> Result<Companion> {
        Companion::parse(self.definition()).context("an entry cannot be used")
    }
}

/// The list of a kind, below the account.
fn segments<'a>(database: &'a str, container: &'a str, kind: CompanionKind) -> Vec<&'a str> {
    let mut segments = vec!["sqlDatabases", database];
    if !kind.is_of_database() {
        segments.extend(["containers", container]);
    }
    segments.push(kind.arm_segment());
    segments
}
