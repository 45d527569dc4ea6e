//! Named profiles: the configuration file, and which of its profiles is used.
//!
//! The file is `cosmos-tail/config.toml` in the platform's configuration directory, or the file that
//! `COSMOS_TAIL_CONFIG` names:
//!
//! ```toml
//! default-profile = "staging"        # optional
//!
//! [profiles.production]
//! endpoint = "https://shop.documents.azure.com:443/"
//! database = "shop"
//! container = "orders"
//! auth = "managed-identity"          # as --auth
//!
//! [profiles.staging]
//! endpoint = "https://shop-staging.documents.azure.com:443/"
//! key-file = "~/.secrets/staging.key"
//!
//! [profiles.staging.options]         # defaults of flags
//! page-size = 500
//! ```
//!
//! A profile can leave out any of its keys. The account key comes from one of `key-file`, `key-command` (an
//! array, run without a shell, whose standard output is the key) and `key`. Nothing here runs a command or
//! reads a key: [`crate::settings::ConnectionPlan`] does, when it needs one.

mod config_file;
mod edit;
mod model;
mod parse;

pub use config_file::{ConfigFile, WantedProfile};
pub use edit::NewProfile;
pub use model::{ChosenProfile, KeySource, Profile, ProfileEndpoint, ProfileOptions};

#[cfg(test)]
mod tests;
