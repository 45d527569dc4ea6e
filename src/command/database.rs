//! Several containers of a database at once: `export --all-containers`, and what continues it.

use std::sync::Arc;

use anyhow::Result;

use super::account::Account;
use crate::error::ExitCode;
use crate::job::{self, ConnectedAccount};
use crate::report::Report;
use crate::settings::DatabasePlan;
use crate::signal::Shutdown;
use crate::state::database_file::DatabaseFile;

/// Exports the containers, or continues to.
pub(super) async fn run(
    account: &Account,
    plan: DatabasePlan,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let connect = async |file: Option<&DatabaseFile>| -> Result<ConnectedAccount> {
        let connection = account.database_plan(file)?;
        let database = connection.connect.database.clone();
        let connected = account.connect_to_account(connection, report).await?;
        Ok(ConnectedAccount {
            endpoint: account.shown_endpoint(connected.endpoint()),
            account: connected,
            database,
        })
    };
    job::database(connect, plan, report, shutdown).await
}
