//! The requests of this process to an account, those that the SDK repeats by itself included.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::budget::Budget;

/// The status of a request that was refused since no throughput was left for it.
const THROTTLED: u16 = 429;

/// What is exchanged with an account.
#[derive(Debug, Default)]
pub struct Traffic {
    /// What reading may cost, if that is limited.
    budget: OnceLock<Arc<Budget>>,
    /// Request units charged so far.
    charged: Mutex<f64>,
}

impl Traffic {
    /// Limits what reading may cost, from now on. The first limit holds.
    pub fn limit(&self, budget: Budget) {
        self.budget.set(Arc::new(budget)).ok();
    }

    /// What reading may cost, if that is limited.
    pub fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.get()
    }

    /// Request units charged so far.
    pub fn charged(&self) -> f64 {
        *self.charged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer arrived.
    pub(super) fn answered(&self, status: u16, request_charge: f64) {
        *self.charged.lock().unwrap_or_else(PoisonError::into_inner) += request_charge;
        if let Some(budget) = self.budget.get() {
            budget.charge(request_charge);
            if status == THROTTLED {
                budget.throttled();
            }
        }
    }

    /// How many documents a page should have, at most `wanted`.
    pub(super) fn page_size(&self, wanted: NonZeroU32) -> NonZeroU32 {
        self.budget
            .get()
            .map_or(wanted, |budget| budget.page_size(wanted))
    }
}
