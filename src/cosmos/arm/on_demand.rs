//! The account in the control plane, looked up when it is first asked.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::OnceCell;

use super::account::ArmAccount;
use crate::cosmos::options::ConnectOptions;
use crate::cosmos::retry::Persistence;

/// An account that is looked up once for all that ask, with one token.
#[derive(Debug, Clone)]
pub(in crate::cosmos) struct ArmOnDemand {
    options: Arc<ConnectOptions>,
    found: Arc<OnceCell<ArmAccount>>,
}

impl ArmOnDemand {
    /// The account of `options`, if the control plane is asked at all.
    pub(in crate::cosmos) fn of(options: &ConnectOptions) -> Option<Self> {
        let is_asked = options.via_arm.is_some();
        is_asked.then(|| Self {
            options: Arc::new(options.clone()),
            found: Arc::default(),
        })
    }

    /// The account.
    ///
    /// # Errors
    ///
    /// As [`ArmAccount::find`]; the next one looks again.
    pub(in crate::cosmos) async fn get(&self, persistence: &Persistence) -> Result<&ArmAccount> {
        let find = || Box::pin(ArmAccount::find(&self.options, persistence));
        self.found.get_or_try_init(find).await
    }
}
