//! Azure Resource Manager: the databases and containers of an account, as its control plane knows them.
//!
//! Entra ID's roles for data create no container and read no throughput. The control plane does both, with the same
//! identity and other rights, for accounts that accept no keys. Only what is defined goes this way; documents never do.
//!
//! A token is sent to the one address of [`ArmOptions`](super::options::ArmOptions) and nowhere else: neither to an address that an answer names,
//! nor along a redirect.

mod account;
mod companions;
mod containers;
mod create;
mod definition;
mod error;
mod http;
mod on_demand;
mod operation;

pub use account::ArmAccount;
pub use containers::{ArmContainer, ArmDatabase, shared};
pub(super) use on_demand::ArmOnDemand;

use super::options::NationalCloud;

/// The version of the resource provider's interface that is requested, and its newest one without previews.
pub const API_VERSION: &str = "2025-04-15";

/// The address of the control plane of a cloud, and the scope of its tokens.
pub fn address_of(cloud: Option<NationalCloud>) -> (&'static str, &'static str) {
    match cloud {
        None => (
            "https://management.azure.com/",
            "https://management.azure.com/.default",
        ),
        Some(NationalCloud::China) => (
            "https://management.chinacloudapi.cn/",
            "https://management.chinacloudapi.cn/.default",
        ),
        Some(NationalCloud::UsGovernment) => (
            "https://management.usgovcloudapi.net/",
            "https://management.usgovcloudapi.net/.default",
        ),
    }
}
