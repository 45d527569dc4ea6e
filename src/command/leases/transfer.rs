//! `leases export` and `leases import`: the leases of a group as a file.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};

use super::opened::{Opened, Wanted};
use super::reset::warn_of_others;
use crate::command::account::Account;
use crate::count::count;
use crate::durable::shown_path;
use crate::error::{ExitCode, usage, with_hint};
use crate::escape::escape_for_terminal;
use crate::feed::{FeedMode, lsn_of_etag};
use crate::leases::{
    Common, Document, NewLease, Place, Prefix, Written, create, delete, export, import, is_alive,
    marker,
};
use crate::process;
use crate::report::{Align, Report, Table};
use crate::settings::{Given, GroupPlan, ImportPlan, LeaseFormat, Names};

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// The width of the table if standard output is no terminal.
const DEFAULT_WIDTH: usize = 80;

/// Prints the leases of a group as a JSON array.
pub(in crate::command) async fn export_group(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let plan = GroupPlan::new(given)?;
    let mut opened = Opened::open(account, &plan.leases, Names::IfTyped, report).await?;
    let group = opened.group(&plan.group).await?;
    let partitions = match opened.monitored(&group).await? {
        Some(connected) => connected.client.list_partitions(true).await?,
        None => Vec::new(),
    };
    let documents = export(&group, &partitions)?;
    report.print_json(&documents, true)?;
    warn_of_others(&group, report);
    let now = opened.now();
    let held = group
        .leases
        .iter()
        .filter(|lease| is_alive(lease, plan.expiration, now))
        .count();
    if held > 0 {
        report.notice(&format!(
            "instances have {held} of these leases, and their positions move on",
        ));
    }
    if group.mode() == FeedMode::AllVersionsAndDeletes {
        report.warning(
            "the group reads all versions and deletes, which the file does not say: .NET's own import refuses it",
        );
    }
    Ok(ExitCode::Done)
}

/// Creates a group from a file.
pub(in crate::command) async fn import_group(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let plan = GroupPlan::new(given)?;
    let file = ImportPlan::new(given)?;
    let text = read(&file.path)?;
    let mut opened = Opened::open(account, &plan.leases, Names::Required, report).await?;
    let place = opened.typed_place().await;
    let place = place.context("no container is named that the group reads")??;
    let connected = opened.at(&place).await?;
    let prefix = free_prefix(&mut opened, &plan.group, &place).await?;
    let partitions = connected.client.list_partitions(true).await?;
    let is_java = file.format == LeaseFormat::Java;
    let leases = import(&text, is_java, &partitions)
        .with_context(|| format!("cannot import `{}`", shown_path(&file.path)))?;
    let new = NewGroup {
        prefix,
        place,
        mode: FeedMode::LatestVersion,
        leases,
    };
    new.create(&opened, plan.dry_run, report).await
}

/// The prefix of a group that does not exist yet.
pub(super) async fn free_prefix(
    opened: &mut Opened<'_>,
    name: &str,
    place: &Place,
) -> Result<Prefix> {
    let prefix = Prefix::named(name, &opened.host(), &place.rid)
        .context("the RID of the container has an unknown form")?;
    let exists = opened.groups(&Wanted { group: None }).await?;
    if exists.iter().any(|group| group.prefix.text == prefix.text) {
        return Err(with_hint(
            anyhow!(
                "`{}` has the group `{}` already",
                opened.name(),
                escape_for_terminal(name)
            ),
            "take another name; or move this group with `cosmos-tail leases reset`",
        ));
    }
    Ok(prefix)
}

/// A group to be created.
pub(super) struct NewGroup {
    pub(super) prefix: Prefix,
    pub(super) place: Place,
    pub(super) mode: FeedMode,
    pub(super) leases: Vec<NewLease>,
}

impl NewGroup {
    /// Prints its leases, and creates it, unless nothing is to be changed.
    pub(super) async fn create(
        self,
        opened: &Opened<'_>,
        dry_run: bool,
        report: &Report,
    ) -> Result<ExitCode> {
        let mut table = Table::new([("LEASE", Align::Left), ("POSITION", Align::Right)]);
        for lease in &self.leases {
            let lsn = lease.etag.as_deref().and_then(lsn_of_etag);
            let position = lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.to_string());
            table.push([lease.token.clone(), position]);
        }
        table.cut(
            process::columns_of_standard_output().unwrap_or(DEFAULT_WIDTH),
            &[0],
        );
        report.print_table(&table)?;
        if dry_run {
            report.notice("nothing was created, because of --dry-run");
            return Ok(ExitCode::Done);
        }
        let common = Common {
            prefix: &self.prefix,
            keyed_by: opened.keyed_by,
            mode: self.mode,
            rid: &self.place.rid,
        };
        let mut documents = Vec::with_capacity(self.leases.len() + 1);
        for lease in &self.leases {
            documents.push(lease.document(common)?);
        }
        // Last: who finds it takes the leases to be whole.
        documents.push(marker(common)?);
        create_all(opened, &documents).await?;
        report.notice(&format!(
            "{} created in the group `{}`, which reads {}/{}",
            count(self.leases.len() as u64, "lease"),
            escape_for_terminal(&self.prefix.name),
            self.place.database,
            self.place.container
        ));
        Ok(ExitCode::Done)
    }
}

/// Creates all of these documents, or none.
async fn create_all(opened: &Opened<'_>, documents: &[Document]) -> Result<()> {
    let (client, keyed_by) = (&opened.leases.client, opened.keyed_by);
    for (at, document) in documents.iter().enumerate() {
        let refused = match create(client, keyed_by, document).await {
            Ok(Written::Done) => continue,
            Ok(_) => anyhow!("a processor has created leases of this group meanwhile"),
            Err(error) => error,
        };
        for created in &documents[..at] {
            delete(client, keyed_by, created)
                .await
                .context("cannot delete what was created before")?;
        }
        return Err(with_hint(
            refused.context("the leases were not created"),
            "nothing of them was left; stop the processor, and run this again",
        ));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let what = || format!("cannot read `{}`", shown_path(&path));
    let mut text = Vec::new();
    if path == Path::new("-") {
        let stdin = std::io::stdin().lock();
        stdin.take(MAX_BYTES + 1).read_to_end(&mut text)
    } else {
        let file = std::fs::File::open(path).map_err(|error| {
            usage(
                format!("{}: {error}", what()),
                "name the file that `cosmos-tail leases export` wrote",
            )
        })?;
        file.take(MAX_BYTES + 1).read_to_end(&mut text)
    }
    .with_context(what)?;
    if text.len() as u64 > MAX_BYTES {
        bail!("`{}` is longer than any file of leases", shown_path(&path));
    }
    Ok(text)
}
