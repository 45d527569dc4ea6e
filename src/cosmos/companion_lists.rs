//! The lists of companions, and new entries of them: requested from the account, or from its control plane.

use anyhow::{Result, anyhow};
use azure_data_cosmos_driver::CosmosError;
use serde::Deserialize;

use super::arm::ArmAccount;
use super::companion::{Companion, CompanionKind, Unread};
use super::error::{Verdict, describe, verdict};
use super::lists::{MAX_PAGES, entries_of};
use super::retry::Persistence;
use super::transport::Direct;
use crate::error::with_hint;

/// Who is asked.
pub(super) enum Way<'a> {
    /// The account.
    Account(&'a Direct, &'a Persistence),
    /// Its control plane.
    Arm(&'a ArmAccount),
}

/// Whose companions they are. Keys are those of the database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) database: &'a str,
    pub(super) container: &'a str,
    /// The resource id of the container, if it exists.
    pub(super) rid: Option<&'a str>,
}

/// What became of an entry that was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// It is there.
    New,
    /// One of its name was there.
    Exists,
}

impl<'a> Owner<'a> {
    /// What the address of a list begins with.
    fn parents(self, kind: CompanionKind) -> Vec<&'a str> {
        let mut parents = vec!["dbs", self.database];
        if !kind.is_of_database() {
            parents.extend(["colls", self.container]);
        }
        parents
    }
}

impl Way<'_> {
    /// The companions of a kind.
    ///
    /// # Errors
    ///
    /// Says why they are not known.
    pub(super) async fn list(
        &self,
        owner: Owner<'_>,
        kind: CompanionKind,
    ) -> Result<Vec<Companion>, Unread> {
        match self {
            Self::Account(direct, persistence) => listed(direct, persistence, owner, kind).await,
            Self::Arm(arm) => arm.companions(owner.database, owner.container, kind).await,
        }
    }

    /// Makes a companion, unless one of its name exists, which stays as it is.
    ///
    /// # Errors
    ///
    /// If it is refused, or nothing answers; the error has a hint if there is more to say than that.
    pub(super) async fn create(
        &self,
        owner: Owner<'_>,
        kind: CompanionKind,
        new: &Companion,
    ) -> Result<Made> {
        match self {
            Self::Account(direct, persistence) => {
                create(direct, persistence, owner, kind, new).await
            }
            Self::Arm(arm) => {
                let (database, container) = (owner.database, owner.container);
                let made = arm.create_companion(database, container, kind, new).await?;
                Ok(if made { Made::New } else { Made::Exists })
            }
        }
    }
}

/// The list of the account, page by page to its end. Transient errors are retried.
async fn listed(
    direct: &Direct,
    persistence: &Persistence,
    owner: Owner<'_>,
    kind: CompanionKind,
) -> Result<Vec<Companion>, Unread> {
    let what = format!("cannot read the {}", kind.names());
    let parents = owner.parents(kind);
    let mut retries = persistence.retries();
    let mut all = Vec::new();
    let mut continuation: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = loop {
            let page = direct.page(&parents, kind.segment(), continuation.as_deref());
            let error = match Box::pin(page).await {
                Ok(page) => break page,
                Err(error) => error,
            };
            if let Verdict::Transient { retry_after } = verdict(&error)
                && let Some(notice) = retries.again(retry_after, || describe(&error))
            {
                persistence.pause(&what, &notice).await;
                continue;
            }
            return Err(unread(&error, direct.is_of_emulator()));
        };
        retries.reset();
        all.extend(entries(&page.body, owner, kind).map_err(Unread::Failed)?);
        match page.continuation {
            None => return Ok(all),
            Some(next) if continuation.as_ref() == Some(&next) => break,
            Some(next) => continuation = Some(next),
        }
    }
    Err(Unread::Failed("the list does not end".to_owned()))
}

/// The entries of a page.
fn entries(body: &[u8], owner: Owner<'_>, kind: CompanionKind) -> Result<Vec<Companion>, String> {
    #[derive(Deserialize)]
    struct Of {
        #[serde(rename = "_rid")]
        rid: Option<String>,
    }
    let entries = entries_of(kind.member(), body).map_err(|error| error.text())?;
    let of: Option<Of> = serde_json::from_slice(body).ok();
    if let (Some(of), Some(own)) = (of.and_then(|of| of.rid), owner.rid)
        && !kind.is_of_database()
        && of != own
    {
        return Err(format!("the list is of another container, {of:?}"));
    }
    let parsed = entries
        .into_iter()
        .map(|entry| Companion::parse(entry.definition));
    let parsed: Result<Vec<Companion>> = parsed.collect();
    parsed.map_err(|error| format!("an entry cannot be used: {error:#}"))
}

fn unread(error: &CosmosError, is_emulator: bool) -> Unread {
    match u16::from(error.status().status_code()) {
        status if is_emulator && says_not_supported(status) => Unread::NotSupported,
        _ if verdict(error) == Verdict::Denied => Unread::Denied,
        _ => Unread::Failed(describe(error)),
    }
}

/// Whether an emulator answers so that it has no such list. From anything else it is a failure: an account has the list, so
/// something on the way answers, or a right is missing.
fn says_not_supported(status: u16) -> bool {
    matches!(status, 405 | 501)
}

async fn create(
    direct: &Direct,
    persistence: &Persistence,
    owner: Owner<'_>,
    kind: CompanionKind,
    new: &Companion,
) -> Result<Made> {
    let what = format!("cannot create the {} {:?}", kind.name(), new.id());
    let mut retries = persistence.retries();
    loop {
        let parents = owner.parents(kind);
        let sent = direct.create(&parents, kind.segment(), new.body());
        let error = match Box::pin(sent).await {
            Ok(()) => return Ok(Made::New),
            Err(error) => error,
        };
        // An attempt whose answer was lost may have made it: then the next one finds it (409).
        if let Verdict::Transient { retry_after } = verdict(&error)
            && let Some(notice) = retries.again(retry_after, || describe(&error))
        {
            persistence.pause(&what, &notice).await;
            continue;
        }
        if u16::from(error.status().status_code()) == 409 {
            return Ok(Made::Exists);
        }
        let text = anyhow!(describe(&error));
        let text = match verdict(&error) {
            Verdict::Denied => with_hint(text, DENIED),
            _ => text,
        };
        return Err(retries.after_retries(text));
    }
}

/// What to do if a credential does not cover them.
pub(super) const DENIED: &str =
    "no role for data covers it: use an account key, or --via arm with a role that covers it";

#[cfg(test)]
mod tests {
    use azure_core::http::StatusCode;
    use azure_data_cosmos_driver::error::CosmosStatus;

    use super::*;

    #[test]
    fn only_an_emulator_is_believed_to_have_no_scripts() {
        let of = |status: u16, is_emulator: bool| {
            let status = CosmosStatus::new(StatusCode::from(status));
            let error = CosmosError::builder()
                .with_status(status)
                .with_message("no");
            unread(&error.build(), is_emulator)
        };
        for status in [405, 501] {
            assert_eq!(of(status, true), Unread::NotSupported);
            let Unread::Failed(reason) = of(status, false) else {
                panic!("{status}");
            };
            assert!(reason.contains(&status.to_string()), "{reason}");
        }
        for is_emulator in [true, false] {
            assert_eq!(of(403, is_emulator), Unread::Denied);
        }
    }

    #[test]
    fn a_page_is_of_the_container_or_no_page() {
        let owner = Owner {
            database: "shop",
            container: "orders",
            rid: Some("c=="),
        };
        let read = |page: &str, kind: CompanionKind| {
            let entries = entries(page.as_bytes(), owner, kind)?;
            let ids = entries.iter().map(|one| one.id().to_owned());
            Ok::<Vec<String>, String>(ids.collect())
        };
        let page =
            r#"{"_rid":"c==","StoredProcedures":[{"id":"a","_rid":"x","body":""}],"_count":1}"#;
        let kind = CompanionKind::StoredProcedures;
        assert_eq!(read(page, kind).unwrap(), ["a"]);
        for (from, to, reason) in [
            ("c==", "d==", "of another container"),
            ("_count\":1", "_count\":2", "1 of the 2 entries"),
            ("StoredProcedures", "Triggers", "no `StoredProcedures`"),
            ("\"id\":\"a\"", "\"id\":\"a\",\"id\":\"b\"", "no id"),
            ("{\"_rid\":\"c==\"", "<html>", "not a JSON object"),
        ] {
            let error = read(&page.replace(from, to), kind).unwrap_err();
            assert!(error.contains(reason), "{to}: {error}");
        }
        let keys = r#"{"_rid":"d==","ClientEncryptionKeys":[],"_count":0}"#;
        assert!(
            read(keys, CompanionKind::ClientEncryptionKeys)
                .unwrap()
                .is_empty()
        );
    }
}
